"""One orchestrator per ledger."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from arb.domain.errors import LedgerLocked


def holder(ledger: Path | None) -> str | None:
    """The process that works on the ledger now, by its number; `None` if none does."""
    path = _path(ledger) if ledger is not None else None
    if path is None or not path.exists():
        return None
    with path.open("a+", encoding="ascii", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            return file.read(20).strip() or "unknown"
    return None


def _path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".lock")


@contextlib.contextmanager
def one_instance(ledger: Path | None) -> Iterator[None]:
    """Hold the ledger's lock; the system lets go of it when the process ends, however it ends.

    Args:
        ledger: The ledger's file; without one (a server) nothing is locked here.

    Raises:
        LedgerLocked: Another process has it; names the process.
    """
    if ledger is None:
        yield
        return
    ledger.parent.mkdir(parents=True, exist_ok=True)
    path = _path(ledger)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise LedgerLocked(
                f"process {owner} already works on {ledger}; stop it, or use another "
                "ARB_DATABASE__URL"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
