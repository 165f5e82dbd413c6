"""Reports for spreadsheets beside the orchestrator: a file now and then, and one at the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from loguru import logger

from arb.adapters.storage import Database
from arb.config.sources import Loaded
from arb.domain.errors import LedgerError
from arb.ports import Clock
from arb.reporting.report import report_of, write_file


@contextlib.asynccontextmanager
async def with_reports(loaded: Loaded, account: str, clock: Clock) -> AsyncIterator[None]:
    """Write `performance_report_YYYYMMDD_HHMMSS.csv` while the block runs, where it is switched on.

    Args:
        loaded: The settings.
        account: Whose figures.
        clock: Time.
    """
    every = loaded.settings.report.csv_every
    if not every:
        yield
        return

    async def write() -> None:
        # In a loop of its own: a year of cycles takes a while to sum up.
        await asyncio.to_thread(lambda: asyncio.run(_write(loaded, account, clock)))

    async def now_and_then() -> None:
        while True:
            await clock.sleep(every)
            await write()

    task = asyncio.create_task(now_and_then())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await write()


async def _write(loaded: Loaded, account: str, clock: Clock) -> None:
    database = Database(loaded.settings.database.url)
    try:
        found = await report_of(database, account, None, clock.now())
        await asyncio.to_thread(_to_file, Path(loaded.settings.report.folder), found.csv(), clock)
    except LedgerError as error:
        logger.warning("report: {}", error)
    finally:
        await database.close()


def _to_file(folder: Path, content: str, clock: Clock) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"{folder} cannot be made: {error.strerror}") from error
    write_file(folder, "csv", content, clock.now())
