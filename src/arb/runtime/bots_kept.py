"""What happens with bots, written to the ledger in order, beside what they are asked about."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

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
                # A ledger that is away is reported by those who cannot do without it.
                with contextlib.suppress(LedgerError):
                    await ledger.record_bot(event)
            finally:
                waiting.task_done()

    writer = asyncio.create_task(write())
    try:
        yield waiting.put_nowait
    finally:
        await waiting.join()
        writer.cancel()
