"""Figures beside the orchestrator: news and the account's state in, samples to CloudWatch out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from loguru import logger

from arb.adapters.telemetry.cloudwatch import CloudWatch, CloudWatchOptions, Exporter, Sample
from arb.adapters.telemetry.figures import Figure, Figures, of_account
from arb.config.sources import Loaded
from arb.domain.errors import LedgerError
from arb.ports import Clock, Ledger
from arb.publisher import Publisher

CLOSE_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Sampler:
    """Takes a sample now and then, and hands it to the exporter."""

    exporter: Exporter
    ledger: Ledger
    clock: Clock
    interval_seconds: float
    figures: Figures = field(default_factory=Figures)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self.interval_seconds)
            await self.sample()

    async def sample(self) -> None:
        """Take one. While the ledger is away the account is left out."""
        account: tuple[Figure, ...] = ()
        with contextlib.suppress(LedgerError):
            account = of_account(
                await self.ledger.portfolio(self.clock.now()),
                await self.ledger.statistics(),
                await self.ledger.standing(),
            )
        taken = (*self.figures.take(), *account)
        self.exporter.send(Sample(at=self.clock.now(), figures=taken))


@contextlib.asynccontextmanager
async def with_cloudwatch(
    loaded: Loaded, ledger: Ledger, clock: Clock, news: Publisher
) -> AsyncIterator[None]:
    """Export this run's figures while the block runs, where it is switched on.

    Args:
        loaded: The settings.
        ledger: Its account's figures go along.
        clock: Time.
        news: What is counted.

    Raises:
        ConfigError: The library is missing, or no region is known.
    """
    settings = loaded.settings.cloudwatch
    if not settings.enabled:
        yield
        return
    options = CloudWatchOptions(
        namespace=settings.namespace, region=settings.region, endpoint_url=settings.endpoint_url
    )
    exporter = Exporter(CloudWatch(options, ledger.account).put, _tell)
    sampler = Sampler(
        exporter=exporter,
        ledger=ledger,
        clock=clock,
        interval_seconds=settings.interval,
    )
    news.subscribe(sampler.figures)
    task = asyncio.create_task(sampler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sampler.sample()
        if not await asyncio.to_thread(exporter.close, CLOSE_SECONDS):
            logger.warning("cloudwatch: the last figures were not accepted in time")


def _tell(what: str) -> None:
    logger.warning("cloudwatch: it {}", what)
