"""A worker in a process of its own."""

import asyncio
from typing import TYPE_CHECKING

from arb.adapters.telemetry.logs import log_line, log_news
from arb.bootstrap import worker
from arb.config.sources import Loaded
from arb.publisher import Publisher
from arb.runtime.signals import on_stop

if TYPE_CHECKING:
    from arb.adapters.shards.worker import WorkerTotals


async def work(loaded: Loaded) -> "WorkerTotals":
    """Read parts for a leader until SIGINT or SIGTERM; returns what was done.

    Raises:
        ConfigError: There is no address to work for, the extra or a strategy is not installed.
    """

    def ready() -> None:
        log_line("INFO", f"Reads books for the leaders of {loaded.settings.shards.name!r}")

    stop = asyncio.Event()
    async with worker(loaded.settings, Publisher([log_news])) as found:
        from arb.adapters.shards.link import end  # noqa: PLC0415  # of an extra

        working = asyncio.create_task(found.run(ready))
        stopped = asyncio.create_task(stop.wait())
        with on_stop(stop.set):
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if working.done():
            await working
        await end(working)
        return found.done
