"""The state of trading as the ledger's file has it, read without the event loop."""

import contextlib
import sqlite3
from pathlib import Path

from arb.domain.halt import Standing, parse_standing

LATEST = (
    "SELECT state, reason, by_operator FROM standings WHERE account = ? ORDER BY id DESC LIMIT 1"
)


def read_standing(file: Path, account: str, wait_seconds: float) -> Standing | None:
    """The account's latest standing; `None` when the file cannot be read now.

    The connection is opened for this one question: it stands in no writer's way, belongs to no
    event loop, and sees a file that was put in the place of another.
    """
    # Through SQLite alone: closing a descriptor of ours would drop the locks of its connections.
    address = f"{file.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=wait_seconds)
        with contextlib.closing(connection):
            row = connection.execute(LATEST, (account,)).fetchone()
        if row is None:
            return Standing()
        return parse_standing(row[0], row[1], by_operator=bool(row[2]))
    except (sqlite3.Error, ValueError):
        return None
