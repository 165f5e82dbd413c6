"""What happens with bots, written to the ledger in order, beside what they are asked about."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from loguru import logger

from arb.domain.bot import BotEvent
from arb.domain.errors import LedgerError
from arb.ports import Ledger


@contextlib.asynccontextmanager
async def kept(ledger: Ledger) -> AsyncIterator[Callable[[BotEvent], None]]:
    """What keeps an event; at the end of the block all are written, or could not be."""
    waiting: asyncio.Queue[BotEvent] = asyncio.Queue()

    async def write() -> None:
        while True:
            event = await waiting.get()
            try:
                await ledger.record_bot(event)
            except LedgerError:
                pass  # reported by those who cannot do without the ledger
            except Exception as error:  # noqa: BLE001  # one record is no reason to lose the others
                logger.warning("what bot {} did is not kept: {}", event.bot, error)
            finally:
                waiting.task_done()

    writer = asyncio.create_task(write())
    try:
        yield waiting.put_nowait
    finally:
        await waiting.join()
        writer.cancel()
