"""Every command on record: caller, command, reason, before and after; each line sealed by the last.

Lines are written before a command is carried out and after it. A hash chain alone cannot show that
its end was cut off, so the head record beside the file (`FILE.head`) holds how many lines there are
and the last one's hash. It is written after the line: a crash between the two leaves a line more
than the head knows of, which still follows from it, and never a line less.

This finds every change, and every line that was removed or cut off, by a process that could write
to one of the two files. One that can write to both can forge a history: a copy of the head kept
elsewhere is what finds that.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import stat
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from arb.api.auth import Principal
from arb.domain.errors import ArbError
from arb.files import document, read_document
from arb.ports import Clock

KEPT = 200
TAIL_BYTES = 64 * 1024
LINE_BYTES_MAX = 1024 * 1024
HEAD_BYTES_MAX = 4096
LOCK_SECONDS, LOCK_EVERY_SECONDS = 3.0, 0.02
START = "0" * 64
NAMES = ("at", "who", "role", "action", "step", "previous")
"""What every line has besides its hash."""
UNPROVED = "unproved"
"""Marks the line that was written where no head record was, with the reason."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class AuditError(ArbError):
    """The record cannot be written; the message says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far the record goes."""

    lines: int = 0
    size: int = 0
    """Bytes up to the end of the last line."""
    last: str = START
    """The last line's hash."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of a record."""

    lines: int
    """How many there are."""
    broken: int | None = None
    """The first line that does not follow from the one before."""
    missing: int = 0
    """How many lines the head record knows of that are not there."""
    unproved: str = ""
    """Why it is not known whether lines are missing at the end."""
    notes: tuple[str, ...] = ()
    """What is worth knowing of a record that may well be whole."""

    @property
    def whole(self) -> bool:
        """Whether every line that was ever acknowledged is there, as it was written."""
        return self.broken is None and not self.missing and not self.unproved


class Audit:
    """The record of one installation, as JSON lines. Without a path it is kept in memory."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        """Go on with the file where it ends.

        Raises:
            AuditError: The file cannot be read.
        """
        self.recent: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._path, self._clock = path, clock
        self._writing = asyncio.Lock()
        self._last = START
        if path is not None:
            self.recent.extend(_recent(path))

    async def write(self, who: Principal, action: str, step: str, **details: Any) -> None:
        """Add a line; it is on the disk, and the head record behind it, when this returns.

        Raises:
            AuditError: It could not be written.
        """
        async with self._writing:
            line = {
                "at": self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "who": who.name,
                "role": who.role.value,
                "action": action,
                "step": step,
                **details,
            }
            if self._path is None:
                line = _sealed(line, self._last)
            else:
                line = await asyncio.to_thread(_append, self._path, line)
            self._last = str(line["hash"])
            self.recent.append(line)


def seal(line: dict[str, Any]) -> str:
    """The hash of a line, without its own."""
    content = {name: value for name, value in line.items() if name != "hash"}
    return hashlib.sha256(_text(content).encode()).hexdigest()


def head_of(path: Path) -> Path:
    """Where the head record of a file is."""
    return path.with_name(path.name + ".head")


def check(path: Path) -> Verdict:
    """Whether a record is whole, whatever bytes it has.

    Raises:
        AuditError: The file cannot be read.
    """
    try:
        head, unproved = _read_head(path), ""
    except FileNotFoundError:
        head, unproved = None, "there is no head record"
    except ValueError as error:
        head, unproved = None, str(error)
    try:
        with _opened(path, _READ) as file:
            return _checked(file, head, unproved)
    except FileNotFoundError:
        return Verdict(0, missing=head.lines if head else 0, unproved="" if head else unproved)
    except OSError as error:
        raise AuditError(f"api.audit_file = {path} cannot be read: {error.strerror}") from error


def _checked(file: IO[bytes], head: Head | None, unproved: str) -> Verdict:
    lines, size, last, notes = 0, 0, START, list[str]()
    known = head.lines if head else 0
    for raw in _raw_lines(file):
        if not raw.endswith(b"\n") and head is not None and lines >= known:
            notes.append(f"line {lines + 1} was cut off by a crash and never acknowledged")
            break
        lines, size = lines + 1, size + len(raw)
        line = _whole(raw, last)
        if head and lines == known and size != head.size:
            unproved = "the head record says another length"
        if line is None or (head and lines == known and line["hash"] != head.last):
            total = lines + sum(1 for _ in _raw_lines(file))
            return Verdict(total, lines, max(known - total, 0), unproved)
        last = line["hash"]
        if UNPROVED in line:
            notes.append(f"what was cut off before line {lines} would not show")
    if head is not None and lines > known:
        notes.append(
            f"{lines - known} newer than the head record: a crash between the two, or its age"
        )
    return Verdict(lines, None, max(known - lines, 0), unproved, tuple(notes))


def _recent(path: Path) -> list[dict[str, Any]]:
    """The latest lines that are sealed and name caller and command; others are no lines of ours.

    Raises:
        AuditError: The file cannot be read.
    """
    try:
        with _opened(path, _READ) as file:
            file.seek(max(os.fstat(file.fileno()).st_size - TAIL_BYTES, 0))
            content = file.read(TAIL_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditError(f"api.audit_file = {path} cannot be read: {error.strerror}") from error
    found: list[dict[str, Any]] = []
    for raw in content.split(b"\n"):
        with contextlib.suppress(ValueError):
            line = document(raw)
            if isinstance(line, dict) and line.get("hash") == seal(line):
                found.append(line)
    return [line for line in found if all(isinstance(line.get(name), str) for name in NAMES)][
        -KEPT:
    ]


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, sort_keys=True, separators=(",", ":"))


def _sealed(line: dict[str, Any], previous: str) -> dict[str, Any]:
    """The line with its place in the chain.

    Raises:
        AuditError: It could not be read again.
    """
    linked = {**line, "previous": previous}
    sealed = {**linked, "hash": seal(linked)}
    if _whole(_text(sealed).encode() + b"\n", previous) is None:
        raise AuditError(
            "the command cannot be put on record: it holds characters that are not plain text"
        )
    return sealed


def _whole(raw: bytes, previous: str) -> dict[str, Any] | None:
    """The line, if it is written exactly as we write lines, and follows from that hash."""
    if len(raw) > LINE_BYTES_MAX or not raw.endswith(b"\n"):
        return None
    try:
        line = document(raw[:-1])
    except ValueError:
        return None
    if not isinstance(line, dict) or line.get("previous") != previous:
        return None
    if _text(line).encode() + b"\n" != raw or line.get("hash") != seal(line):
        return None
    return line


def _raw_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends; of one that is too long only pieces, which are no lines of ours."""
    while raw := file.readline(LINE_BYTES_MAX + 1):
        yield raw


def _read_head(path: Path) -> Head:
    """The head record.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It cannot be read; the message says why.
    """
    place = head_of(path)
    try:
        found = read_document(place, HEAD_BYTES_MAX)
        head = Head(found["lines"], found["bytes"], found["hash"])
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"the head record {place} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"the head record {place} is damaged") from error
    kinds = (type(head.lines), type(head.size), type(head.last))
    if kinds != (int, int, str) or min(head.lines, head.size) < 0:
        raise ValueError(f"the head record {place} is damaged")
    return head


@dataclass(slots=True)
class _End:
    """Where a record ends, and how it goes on there."""

    head: Head
    unproved: str = ""
    cut_to: int | None = None
    """Bytes that stay: behind them is a piece of a line that a crash has left."""
    new_line: bool = False
    """Whether the file ends within a line that is none of a crash: it stays to be seen."""


def _end(path: Path, file: IO[bytes]) -> _End:
    """Where to go on: behind the head record, and behind the lines that follow from it.

    Where lines that it knows of are missing, the next line follows from the head all the same, so
    that the gap shows for ever.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        head = _read_head(path)
    except FileNotFoundError:
        return _without_head(file, "there was no head record")
    except ValueError as error:
        return _without_head(file, str(error))
    if size < head.size:
        return _End(head, new_line=_ends_within_a_line(file))
    file.seek(head.size)
    for raw in _raw_lines(file):
        line = _whole(raw, head.last)
        if line is None:
            if not raw.endswith(b"\n") and len(raw) <= LINE_BYTES_MAX:
                return _End(head, cut_to=head.size)
            break
        head = Head(head.lines + 1, head.size + len(raw), line["hash"])
    return _End(head, new_line=_ends_within_a_line(file))


def _without_head(file: IO[bytes], why: str) -> _End:
    """Where a record ends that an earlier version wrote, or whose head record is gone."""
    file.seek(0)
    head = Head()
    for raw in _raw_lines(file):
        try:
            line = document(raw)
            last = line["hash"] if isinstance(line["hash"], str) else head.last
        except (ValueError, TypeError, KeyError):
            last = head.last
        head = Head(head.lines + 1, head.size + len(raw), last)
    return _End(head, why if head.lines else "", new_line=_ends_within_a_line(file))


def _ends_within_a_line(file: IO[bytes]) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _append(path: Path, line: dict[str, Any]) -> dict[str, Any]:
    """Write a line and the head record behind it; returns the line as it was sealed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(path, _WRITE) as file:
            _lock(file)
            end = _end(path, file)
            if end.cut_to is not None:
                os.ftruncate(file.fileno(), end.cut_to)
            if end.unproved:
                line = {**line, UNPROVED: end.unproved}
            sealed = _sealed(line, end.head.last)
            raw = (b"\n" if end.new_line else b"") + _text(sealed).encode() + b"\n"
            before = os.fstat(file.fileno()).st_size
            try:
                _write_all(file.fileno(), raw)
            except OSError:
                os.ftruncate(file.fileno(), before)  # half a line is useless
                raise
            lines = end.head.lines + 1
            _write_head(path, Head(lines, before + len(raw), str(sealed["hash"])))
    except OSError as error:
        raise AuditError(f"api.audit_file = {path} cannot be written: {error.strerror}") from error
    return sealed


def _lock(file: IO[bytes]) -> None:
    """Lock the record until the file is closed: two processes may keep one."""
    for _ in range(int(LOCK_SECONDS / LOCK_EVERY_SECONDS)):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(LOCK_EVERY_SECONDS)
    raise OSError(0, "another process holds it")


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[IO[bytes]]:
    """The file, if it is an ordinary one.

    Raises:
        OSError: It is none, or cannot be opened.
    """
    with os.fdopen(os.open(path, flags, 0o600), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no ordinary file")
        yield file


def _write_all(file: int, raw: bytes) -> None:
    while raw:
        raw = raw[os.write(file, raw) :]
    os.fsync(file)


def _write_head(path: Path, head: Head) -> None:
    place = head_of(path)
    draft = place.with_name(place.name + ".new")
    content = {"lines": head.lines, "bytes": head.size, "hash": head.last}
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(draft, flags, 0o600)
    try:
        _write_all(file, _text(content).encode() + b"\n")
    finally:
        os.close(file)
    draft.replace(place)
