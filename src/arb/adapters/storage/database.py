"""Opening the database: its guarantees, and how its failures are reported."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from arb.domain.errors import LedgerError, how_to_install

BUSY_TIMEOUT_MS = 5000
POOL_SIZE = 5
CONNECT_TIMEOUT_SECONDS = 5
ANSWER_TIMEOUT_SECONDS = 15
IDLE_READER_MS = 60_000
"""A reader that is silent for this long in the middle of a view is given up by the server."""
IDLE_WRITER_MS = 10_000
"""The same for a writer: a stopped process must not keep the account's lock, but one on a busy
machine is given the time to go on."""
LOCK_TIMEOUT_MS = 12_000
"""How long a writer on a server waits for another: longer than a stopped one keeps the lock."""

ACCOUNT_LOCK = f"""
    select set_config('idle_in_transaction_session_timeout', '{IDLE_WRITER_MS}', true),
        pg_advisory_xact_lock(hashtextextended('arb write ' || :account, 0))
"""  # both parts are ours


def file_of(url: str) -> Path | None:
    """The file of a SQLite URL; `None` for a server or for memory."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return None if parsed.database == ":memory:" else Path(parsed.database)


def shown_url(url: str) -> str:
    """The URL for people, without its password."""
    return _parsed(url).render_as_string(hide_password=True)


def is_server(url: str) -> bool:
    """Whether the ledger is on a server, where other machines can reach it."""
    return _parsed(url).get_backend_name() == "postgresql"


def server_options(**settings: str) -> dict[str, Any]:
    """How a connection to PostgreSQL is made; `settings` are the server's, for this session."""
    return {
        "connect_args": {
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": ANSWER_TIMEOUT_SECONDS,
            "server_settings": {
                "application_name": "arb",
                "timezone": "UTC",
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_READER_MS),
                "synchronous_commit": "on",
                **settings,
            },
        }
    }


class Database:
    """One engine: many readers, one writer at a time in a file, one per account on a server."""

    def __init__(self, url: str) -> None:
        shown = _parsed(url).render_as_string(hide_password=True)
        try:
            file = file_of(url)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self.engine: AsyncEngine = create_async_engine(url, **_options(url))
        except ImportError as error:
            raise LedgerError(
                f"database {shown}: {error}; PostgreSQL needs a library of its own: "
                f"{how_to_install('postgres')}"
            ) from error
        except (SQLAlchemyError, OSError) as error:
            raise LedgerError(f"database {shown}: {error}") from error
        self._writing = asyncio.Lock()
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin)

    @contextlib.asynccontextmanager
    async def write(self, account: str = "") -> AsyncIterator[AsyncConnection]:
        """A write transaction: all of it is durable when the block ends, or none of it.

        On a server the writers of one account take turns; those of the schema name no account.
        """
        with told_plainly():
            async with self._writing, self.engine.connect() as bare:
                connection = await bare.execution_options(arb_writes=True)
                async with connection.begin():
                    if connection.dialect.name == "postgresql":
                        # What follows the lock sees all that the writer before has committed.
                        await connection.execute(text(ACCOUNT_LOCK), {"account": account})
                    yield connection

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view that waits for no writer."""
        with told_plainly():
            async with self.engine.connect() as bare:
                connection = bare
                if bare.dialect.name == "postgresql":
                    connection = await bare.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                async with connection.begin():
                    yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@contextlib.contextmanager
def told_plainly() -> Any:
    """Failures of the database as `LedgerError`, with their fix and without a password."""
    try:
        yield
    except failures() as error:
        raise LedgerError(plainly(error)) from error


def plainly(error: BaseException) -> str:
    """What went wrong with the database, and its fix."""
    cause = getattr(error, "orig", None) or error
    if str(cause).startswith("<class"):  # SQLAlchemy's coat around the driver's own words
        cause = cause.__cause__ or cause
    said = str(cause).partition("\n")[0] or "no answer in time"
    return f"the ledger cannot be used: {said}. {_mend(said)}"


def failures() -> tuple[type[Exception], ...]:
    """What a database that cannot be used raises; a server that is away is an `OSError`."""
    driver: Any = sys.modules.get("asyncpg")
    own = (driver.PostgresError, driver.InterfaceError) if driver else ()
    return (SQLAlchemyError, OSError, *own)


def _mend(cause: str) -> str:
    fixes = {
        "locked": "Another program holds the file; stop it, or wait.",
        "lock timeout": "Another program writes to this account; stop it, or wait.",
        "full": "Free some disk space.",
        "No space left": "Free some disk space.",
        "unable to open": "Check ARB_DATABASE__URL and the folder's permissions.",
        "not a database": "The file is something else; check ARB_DATABASE__URL.",
        "readonly": "The file may not be written to; check its permissions.",
        "malformed": "Restore a backup made with `arb db backup`.",
        "password authentication": "Check the user and password in ARB_DATABASE__URL.",
        "does not exist": "Check ARB_DATABASE__URL; `createdb` makes a database.",
        "idle_session_timeout": "PostgreSQL 14 or newer is needed.",
        "permission denied": "The database user must own the tables, or be granted them.",
        "onnect": "Is the database server running, and is ARB_DATABASE__URL right?",
        "no answer": "Is the database server reachable?",
        "shutting down": "The database server is stopping; the write is tried again.",
        "starting up": "The database server is starting; the write is tried again.",
    }
    return next((fix for sign, fix in fixes.items() if sign in cause), "See `arb db check`.")


def _options(url: str) -> dict[str, Any]:
    if not is_server(url):
        return {}
    return {
        **server_options(),
        "pool_size": POOL_SIZE,
        "max_overflow": 0,
        "pool_timeout": CONNECT_TIMEOUT_SECONDS,
        "pool_pre_ping": True,
    }


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


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (SQLAlchemyError, ValueError):
        # Without the cause: it quotes what stands where a port was looked for, a password's part.
        raise LedgerError(
            "ARB_DATABASE__URL is not the address of a database; a special character in its "
            "password is written as %XX"
        ) from None
