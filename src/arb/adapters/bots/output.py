"""What a bot prints, kept in files of bounded size, as lines that can be trusted to be lines."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from arb.adapters.bots.messages import clean

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
LINE_MAX = 4_096
CHUNK = 65_536
SHOWN_MAX = 200
"""Characters of its last line that are shown where a bot has ended."""


@dataclass(slots=True)
class BotLog:
    """One bot's log file, and the files before it: `NAME.log`, `NAME.log.1`, …"""

    path: Path
    size_max: int = 5_000_000
    kept: int = 3
    last: str = field(default="", init=False)
    """The last line with something on it that the bot printed, until it is taken away."""
    _file: BinaryIO | None = field(default=None, init=False)
    _rest: bytes = field(default=b"", init=False)
    _size: int = field(default=0, init=False)

    def write(self, chunk: bytes) -> None:
        """Take what came; whole lines are written, the rest waits for its end."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LINE_MAX:
            lines.append(self._rest)
            self._rest = b""
        if lines:
            self._try_put(b"".join(map(self._line, lines)))

    def say(self, text: str) -> None:
        """A line of our own."""
        self.flush()
        self._try_put(f"--- {clean(text)}\n".encode())

    def flush(self) -> None:
        """Write the line that has no end yet."""
        if self._rest:
            self._try_put(self._line(self._rest))
            self._rest = b""

    def close(self) -> None:
        """Let go of the file."""
        self.flush()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _line(self, line: bytes) -> bytes:
        found = plain(line)
        self.last = found.decode().strip()[:SHOWN_MAX] or self.last
        return found

    def _try_put(self, text: bytes) -> None:
        """A full disk costs the log, not the bot."""
        with contextlib.suppress(OSError):
            self._put(text)

    def _put(self, text: bytes) -> None:
        file = self._file or self._open()
        if self._size and self._size + len(text) > self.size_max:
            self.close()
            self._rotate()
            file = self._open()
        file.write(text)
        file.flush()
        self._size += len(text)

    def _open(self) -> BinaryIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("ab", buffering=0)
        self._file, self._size = file, file.tell()
        return file

    def _rotate(self) -> None:
        for number in range(self.kept, 0, -1):
            older = self._numbered(number)
            newer = self._numbered(number - 1) if number > 1 else self.path
            if newer.exists():
                newer.replace(older)

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def plain(line: bytes) -> bytes:
    """A line without what terminals obey, cut where it is too long."""
    text = _ANSI.sub("", line[:LINE_MAX].decode("utf-8", errors="replace").rstrip("\r"))
    cut = " [cut]" if len(line) > LINE_MAX else ""
    return f"{clean(text)}{cut}\n".encode()


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - lines * LINE_MAX))
            return file.read().decode("utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []
