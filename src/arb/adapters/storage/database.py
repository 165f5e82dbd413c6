"""Opening the database: how it keeps its promises, and how its failures are told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from arb.domain.errors import LedgerError

BUSY_TIMEOUT_MS = 5000


def file_of(url: str) -> Path | None:
    """The file of a SQLite URL; `None` for a server or for memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return None if parsed.database == ":memory:" else Path(parsed.database)


class Database:
    """One engine: many readers, one writer at a time."""

    def __init__(self, url: str) -> None:
        try:
            file = file_of(url)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self.engine: AsyncEngine = create_async_engine(url)
        except (SQLAlchemyError, OSError, ImportError) as error:
            raise LedgerError(f"database {_without_password(url)}: {error}") from error
        self._writing = asyncio.Lock()
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin)

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction: all of it is durable when the block ends, or none of it."""
        with _told_plainly():
            async with self._writing, self.engine.connect() as bare:
                connection = await bare.execution_options(arb_writes=True)
                async with connection.begin():
                    yield connection

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view that waits for no writer."""
        with _told_plainly():
            async with self.engine.connect() as connection, connection.begin():
                yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@contextlib.contextmanager
def _told_plainly() -> Any:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:  # a server that is away is an OSError
        cause = getattr(error, "orig", None) or error
        raise LedgerError(f"the ledger cannot be used: {cause}. {_mend(str(cause))}") from error


def _mend(cause: str) -> str:
    mends = {
        "locked": "Another program holds the file; stop it, or wait.",
        "full": "Free some disk space.",
        "unable to open": "Check ARB_DATABASE__URL and the folder's permissions.",
        "not a database": "The file is something else; check ARB_DATABASE__URL.",
        "readonly": "The file may not be written to; check its permissions.",
        "malformed": "Restore a backup made with `arb db backup`.",
    }
    return next((mend for sign, mend in mends.items() if sign in cause), "See `arb db check`.")


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions are deferred; ours are begun by `_begin`.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Any) -> None:
    writes = connection.get_execution_options().get("arb_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "with this address"
