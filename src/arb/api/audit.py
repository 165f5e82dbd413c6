"""Every command on record: who, what, why, before and after; each line sealed by the last one's.

Lines are written before a command is carried out and after it. Changing or removing one breaks
the chain of hashes behind it.
"""

import asyncio
import hashlib
import json
import os
from collections import deque
from pathlib import Path
from typing import Any

from arb.api.auth import Principal
from arb.domain.errors import ArbError
from arb.ports import Clock

KEPT = 200
TAIL_BYTES = 64 * 1024
START = "0" * 64


class AuditError(ArbError):
    """The record cannot be written; the message says why."""


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
        for line in _tail(path):
            self.recent.append(line)
            self._last = line["hash"]

    async def write(self, who: Principal, action: str, step: str, **details: Any) -> None:
        """Add a line; it is on the disk when this returns.

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
                "previous": self._last,
            }
            line["hash"] = seal(line)
            if self._path is not None:
                await asyncio.to_thread(_append, self._path, line)
            self._last = str(line["hash"])
            self.recent.append(line)


def seal(line: dict[str, Any]) -> str:
    """The hash of a line, without its own."""
    content = {name: value for name, value in line.items() if name != "hash"}
    return hashlib.sha256(_text(content).encode()).hexdigest()


def broken_at(path: Path) -> int | None:
    """The number of the first line that does not follow from the one before; `None`: all do."""
    last = START
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            line = json.loads(text)
            if line.get("previous") != last or line.get("hash") != seal(line):
                return number
            last = line["hash"]
    return None


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, sort_keys=True, separators=(",", ":"))


def _append(path: Path, line: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        try:
            os.write(file, (_text(line) + "\n").encode())
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise AuditError(f"api.audit_file = {path} cannot be written: {error.strerror}") from error


def _tail(path: Path | None) -> list[dict[str, Any]]:
    if path is None or not path.exists():
        return []
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
            content = file.read()
    except OSError as error:
        raise AuditError(f"api.audit_file = {path} cannot be read: {error.strerror}") from error
    lines = content.split(b"\n")
    whole = lines if len(content) < TAIL_BYTES else lines[1:]
    found: list[dict[str, Any]] = []
    for text in whole:
        try:
            line = json.loads(text)
        except ValueError:
            continue  # cut off by a crash: the chain shows it
        if isinstance(line, dict) and "hash" in line:
            found.append(line)
    return found[-KEPT:]
