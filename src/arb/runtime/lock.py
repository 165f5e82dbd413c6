"""One orchestrator per ledger."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from arb.domain.errors import LedgerLocked


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
    path = ledger.with_name(ledger.name + ".lock")
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
