"""The ledger on SQLite (or PostgreSQL) through SQLAlchemy."""

from arb.adapters.storage.attempts import SqlAttempts
from arb.adapters.storage.database import Database
from arb.adapters.storage.ledger import SqlLedger
from arb.adapters.storage.maintenance import upgrade
from arb.adapters.storage.outage import ResilientLedger


async def open_ledger(url: str, account: str, token: int | None = None) -> SqlLedger:
    """The account's ledger, its schema up to date; a leader's with its token.

    Raises:
        LedgerError: The database cannot be used, or is newer than this program.
    """
    database = Database(url)
    try:
        await upgrade(database)
    except BaseException:
        await database.close()
        raise
    return SqlLedger(database, account, token)


async def open_attempts(url: str, account: str) -> SqlAttempts:
    """The facts of an account of attempts, the ledger's schema up to date.

    Raises:
        LedgerError: The database cannot be used, or is newer than this program.
    """
    database = Database(url)
    try:
        await upgrade(database)
    except BaseException:
        await database.close()
        raise
    return SqlAttempts(database, account)


__all__ = [
    "Database",
    "ResilientLedger",
    "SqlAttempts",
    "SqlLedger",
    "open_attempts",
    "open_ledger",
    "upgrade",
]
