"""Migrations, integrity, backups."""

import contextlib
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    String,
    Table,
    func,
    insert,
    inspect,
    make_url,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from arb.adapters.storage.accounting import CASH, cash_at, consequences
from arb.adapters.storage.codec import load_fact
from arb.adapters.storage.database import Database, file_of, is_server
from arb.adapters.storage.tables import (
    adjustments,
    entries,
    facts,
    fills,
    metadata,
    plans,
    pockets,
)
from arb.adapters.storage.views import create_views
from arb.domain.errors import LedgerError
from arb.domain.money import ZERO, text
from arb.domain.order import PlanId
from arb.domain.plan import PlanState

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic keeps the revision, as it makes it itself."""


async def upgrade(database: Database) -> str:
    """Bring the schema up to date; returns its revision.

    Raises:
        LedgerError: The database was written by a newer version of this program.
    """
    async with database.write() as connection:
        return await connection.run_sync(_upgrade)


async def revision(database: Database) -> tuple[str | None, str]:
    """The database's revision and the newest one."""
    async with database.read() as connection:
        current = await connection.run_sync(_current)
    return current, _known()[-1]


async def check(database: Database) -> list[str]:
    """Everything that is not as it must be, in words; nothing when all is well.

    Derives fills and account lines again from the facts and compares them with what is stored.
    """
    problems: list[str] = []
    async with database.read() as db:
        if db.dialect.name == "sqlite":
            problems += await _sqlite_problems(db)
        problems += await _projection_problems(db)
        problems += await _balance_problems(db)
    return problems


async def backup(url: str, target: Path) -> None:
    """Copy a SQLite ledger while it is in use; the copy is checked before it gets its name.

    Raises:
        LedgerError: The URL is not a SQLite file, or the copy could not be made.
    """
    if is_server(url):
        raise LedgerError(
            "a ledger on a server is copied by the server's own tool: "
            "`pg_dump --format=custom --file=TARGET DATABASE`, and `pg_restore` puts it back"
        )
    source = file_of(url)
    if source is None or not source.exists():
        raise LedgerError("database.url is not a SQLite file that is there")
    await anyio.to_thread.run_sync(_copy, source, target)


async def restore(source: Path, url: str) -> None:
    """Make a SQLite ledger from a backup; it is checked before it gets the ledger's name.

    Raises:
        LedgerError: There is a ledger already, the URL is not a SQLite file, or the backup is not
            sound.
    """
    target = file_of(url)
    if target is None:
        raise LedgerError("database.url is not a SQLite file; use the server's own way back")
    _refuse_to_overwrite(target)
    part = target.with_name(target.name + ".restoring")
    try:
        _remove(part)
        await anyio.to_thread.run_sync(_copy, _without_sidecars(source), part)
        beside = make_url(url).set(database=str(part))
        database = Database(beside.render_as_string(hide_password=False))
        try:
            if (await revision(database))[0] is None:
                raise LedgerError(f"{source} is not a ledger")
            await upgrade(database)
            problems = await check(database)
        finally:
            await database.close()
        if problems:
            raise LedgerError(f"{source} is not sound: {'; '.join(problems)}")
        await anyio.to_thread.run_sync(_put_in_place, part, target)
    finally:
        _remove(part)


def _upgrade(connection: Connection) -> str:
    current, known = _current(connection), _known()
    if current == known[-1]:
        return current
    if current is not None and current not in known:
        raise LedgerError(
            f"the ledger has schema {current}, which this version does not know; "
            "install the version that wrote it, or a newer one"
        )
    if current is None:
        _create(connection, known[-1])
    else:
        _migrate(connection)
    return known[-1]


def _create(connection: Connection, newest: str) -> None:
    """Make the newest schema at once: a new ledger has nothing to migrate."""
    # A table that is there already belongs to another program: an error.
    metadata.create_all(connection, checkfirst=False)
    create_views(connection)
    VERSION.create(connection, checkfirst=False)
    connection.execute(insert(VERSION).values(version_num=newest))


def _migrate(connection: Connection) -> None:
    # Most commands find the schema as it should be, and start the sooner.
    from alembic import command  # noqa: PLC0415  # rarely needed, and slow to import
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: Connection) -> str | None:
    """The database's revision, as Alembic keeps it; `None`: it has none."""
    if not inspect(connection).has_table(VERSION.name):
        return None
    return connection.scalar(select(VERSION.c.version_num))


def _known() -> list[str]:
    """All revisions, the oldest first; their files are named after them."""
    return sorted(path.name[1:5] for path in (MIGRATIONS / "versions").glob("v[0-9]*_*.py"))


async def _sqlite_problems(db: AsyncConnection) -> list[str]:
    found = [row[0] for row in await db.exec_driver_sql("PRAGMA integrity_check")]
    problems = [f"integrity: {line}" for line in found if line != "ok"]
    orphans = (await db.exec_driver_sql("PRAGMA foreign_key_check")).all()
    return problems + [f"foreign key: a row of {row[0]} points nowhere" for row in orphans]


async def _projection_problems(db: AsyncConnection) -> list[str]:
    derived_fills: Counter[Any] = Counter()
    derived_lines: Counter[Any] = Counter()
    wanted = select(facts.c.plan, facts.c.seq, facts.c.fact).order_by(facts.c.plan, facts.c.seq)
    for row in await db.execute(wanted):
        fill_rows, entry_rows = consequences(PlanId(row.plan), row.seq, load_fact(row.fact))
        derived_fills.update(
            (f["id"], f["plan"], f["price"], f["size"], f["fee"]) for f in fill_rows
        )
        derived_lines.update(
            (e["plan"], e["seq"], e["line"], e["asset"], e["delta"]) for e in entry_rows
        )
    stored_fills = Counter(
        tuple(row)
        for row in await db.execute(
            select(fills.c.id, fills.c.plan, fills.c.price, fills.c.size, fills.c.fee)
        )
    )
    stored_lines = Counter(
        tuple(row)
        for row in await db.execute(
            select(entries.c.plan, entries.c.seq, entries.c.line, entries.c.asset, entries.c.delta)
        )
    )
    problems = []
    if derived_fills != stored_fills:
        problems.append("the stored fills are not those of the facts")
    if derived_lines != stored_lines:
        problems.append("the account's lines are not those of the facts")
    return problems


async def _balance_problems(db: AsyncConnection) -> list[str]:
    moved = {(row.account, row.asset): row.delta for row in await db.execute(_moved())}
    problems: list[str] = []
    for row in await db.execute(select(pockets)):
        left = row.opening_cash + moved.pop((row.account, cash_at(row.venue)), ZERO)
        if left < ZERO:
            problems.append(f"{row.account}: cash at {row.venue} is {text(left)}")
    for (account, asset), delta in moved.items():
        if asset.endswith(CASH):
            problems.append(f"{account}: there is no pocket for {asset}")
        elif delta < ZERO:
            problems.append(f"{account}: fewer than no shares of {asset}")
    stray = await db.execute(
        select(plans.c.id).where(plans.c.state == PlanState.DONE.value, plans.c.ended_at.is_(None))
    )
    return problems + [f"plan {row.id} is done and has no end" for row in stray]


def _moved() -> Select[Any]:
    """What plans, and an operator's word, have changed of each asset of each account."""
    tables = (entries, adjustments)
    every = union_all(*(select(t.c.account, t.c.asset, t.c.delta) for t in tables)).subquery()
    return (
        select(every.c.account, every.c.asset, func.sum(every.c.delta).label("delta"))
        .group_by(every.c.account, every.c.asset)
        .order_by(every.c.account, every.c.asset)
    )


def _refuse_to_overwrite(target: Path) -> None:
    if target.exists():
        raise LedgerError(f"there is a ledger at {target}; move it away first, then restore")


def _without_sidecars(source: Path) -> str:
    """The address of a backup that is only read: without a journal nothing is made beside it."""
    if not source.is_file():
        raise LedgerError(f"there is no backup at {source}")
    alone = not source.with_name(source.name + "-wal").exists()
    return f"{source.absolute().as_uri()}?{'immutable=1' if alone else 'mode=ro'}"


def _put_in_place(part: Path, target: Path) -> None:
    # The journal of the ledger that was here would be played into the one that comes.
    for ending in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    try:
        os.link(part, target)  # unlike a rename it never takes the place of a file
    except FileExistsError:
        _refuse_to_overwrite(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(part: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            part.with_name(part.name + ending).unlink(missing_ok=True)


def _copy(source: Path | str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        part.touch(mode=0o600)
        with (
            contextlib.closing(sqlite3.connect(source, uri=isinstance(source, str))) as old,
            contextlib.closing(sqlite3.connect(part)) as new,
        ):
            old.backup(new)
            verdict = new.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise LedgerError(f"the copy is not sound: {verdict}")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"no copy was made: {error}") from error
    finally:
        part.unlink(missing_ok=True)
