"""One orchestrator per ledger."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from arb.domain.errors import LedgerError, LedgerLocked

LOOKS_OUTLASTED, LOOK_SECONDS = 10, 0.05


def holder(ledger: Path | None) -> str | None:
    """The process that works on the ledger now, by its number.

    Returns:
        `None` if none does; empty where that cannot be seen, as in another user's file.
    """
    path = _path(ledger) if ledger is not None else None
    if path is None or not path.exists():
        return None
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(20).strip() or "unknown"
    except OSError:
        return ""
    return None


def _locked(file: IO[str]) -> bool:
    """Take the lock, patiently enough for processes that only check whether it is held."""
    for _ in range(LOOKS_OUTLASTED):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOOK_SECONDS)
        else:
            return True
    return False


def _path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".lock")


@contextlib.contextmanager
def one_instance(ledger: Path | None) -> Iterator[None]:
    """Hold the ledger's lock; the system lets go of it when the process ends, however it ends.

    Args:
        ledger: The ledger's file; without one (a server) nothing is locked here.

    Raises:
        LedgerLocked: Another process has it; names the process.
        LedgerError: There is no place for the lock, or it is another user's.
    """
    if ledger is None:
        yield
        return
    path = _path(ledger)
    with _opened(path) as file:
        if not _locked(file):
            file.seek(0)
            owner = file.read(20).strip() or "unknown"
            raise LedgerLocked(
                f"process {owner} already works on {ledger}; stop it, or use another "
                "ARB_DATABASE__URL"
            )
        with contextlib.suppress(OSError):  # the number is for people; a full disk has no room
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        yield


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+", encoding="ascii", errors="replace")
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be opened: {error.strerror}; check its owner and its disk, or use "
            "another ARB_DATABASE__URL"
        ) from error
