"""Care of the ledger's database."""

import asyncio
from pathlib import Path

from arb.adapters.storage import Database
from arb.adapters.storage.database import file_of
from arb.adapters.storage.maintenance import backup, check, restore, revision, upgrade
from arb.config.sources import Loaded
from arb.domain.errors import ConfigError, LedgerError
from arb.operations.lock import one_instance


async def upgrade_ledger(loaded: Loaded) -> str:
    """Bring the schema up to date, with a copy of an existing file beside it first."""
    url = loaded.settings.database.url
    file = file_of(url)
    with one_instance(file):
        if file is not None and file.exists():
            await backup(url, file.with_name(file.name + ".before-upgrade"))
        database = Database(url)
        try:
            return await upgrade(database)
        finally:
            await database.close()


async def check_ledger(loaded: Loaded) -> list[str]:
    """Everything about the ledger that is not as it must be.

    Raises:
        LedgerError: There is no ledger, or it is of an older version.
    """
    url = loaded.settings.database.url
    file = file_of(url)
    if file is not None and not file.exists():
        raise LedgerError(f"there is no ledger at {file}")
    database = Database(url)
    try:
        current, newest = await revision(database)
        if current is not None and current < newest:
            raise LedgerError(
                f"the ledger has schema {current}; `arb db upgrade` brings it to {newest}"
            )
        return await check(database)
    finally:
        await database.close()


async def backup_ledger(loaded: Loaded, target: Path, *, force: bool = False) -> None:
    """Copy the ledger while it is in use.

    Raises:
        ConfigError: There is a file of that name, and it is not to be replaced.
        LedgerError: The copy could not be made.
    """
    if not force and await asyncio.to_thread(target.exists):
        raise ConfigError(f"{target} is there already; --force puts the new backup in its place")
    await backup(loaded.settings.database.url, target)


async def restore_ledger(loaded: Loaded, source: Path) -> Path | None:
    """Make the ledger from a backup; returns its file.

    Raises:
        LedgerLocked: Another process works on the ledger.
        LedgerError: There is a ledger already, or the backup is not sound.
    """
    url = loaded.settings.database.url
    file = file_of(url)
    with one_instance(file):
        await restore(source, url)
    return file
