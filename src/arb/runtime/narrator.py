"""Lines of the log that no single piece of news calls for: how healthy it is, how it stands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from loguru import logger

from arb.domain.errors import LedgerError
from arb.domain.money import Usd, text
from arb.domain.news import CycleEnded, CycleFailed, News, StateChanged
from arb.domain.position import Portfolio
from arb.domain.report import Statistics
from arb.engine.control import Control
from arb.engine.watch import Health, HealthReport

LOOK_SECONDS = 30.0
"""A health that gets worse because nothing happens is seen so much later at most."""
LEVELS = {
    Health.HEALTHY: "INFO",
    Health.DEGRADED: "WARNING",
    Health.PAUSED: "WARNING",
    Health.STOPPED: "INFO",
    Health.UNHEALTHY: "ERROR",
}


@dataclass(slots=True, kw_only=True)
class Narrator:
    """Writes a line when the health changes, and now and then one on the account."""

    control: Control
    portfolio_every: float
    """Seconds; 0: never."""
    _health: Health = field(default=Health.HEALTHY, init=False)
    _told_at: float | None = field(default=None, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def observe(self, news: News) -> None:
        """See `arb.publisher.Observer`."""
        if isinstance(news, CycleEnded | CycleFailed | StateChanged):
            self._changed.set()

    async def run(self) -> None:
        """Look after every cycle and now and then, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)
            self._changed.clear()
            await self.look()

    async def look(self) -> None:
        """Write what is due."""
        report = await self.control.health()
        if report.running and report.status is not self._health:
            logger.log(LEVELS[report.status], "{}", health_line(self._health, report))
            self._health = report.status
        now = self.control.clock.monotonic()
        if self._told_at is None:
            self._told_at = now
        if not self.portfolio_every or now - self._told_at < self.portfolio_every:
            return
        self._told_at = now
        with contextlib.suppress(LedgerError):  # which is trouble of its own
            held = await self.control.ledger.portfolio(self.control.clock.now())
            logger.info("{}", portfolio_line(held, await self.control.ledger.statistics()))


def health_line(before: Health, now: HealthReport) -> str:
    """From what to what it has changed, and why."""
    why = f": {'; '.join(now.reasons)}" if now.reasons else ""
    return f"Health: {now.status.value}, was {before.value}{why}"


def portfolio_line(held: Portfolio, sums: Statistics) -> str:
    """The account in one line."""
    today = Usd(held.realised - held.realised_before_today)
    return (
        f"Portfolio: cash ${text(held.cash)}, bound until resolution ${text(held.locked)}, "
        f"equity ${text(held.equity)}, {held.open_plans} plans open or held; today: volume "
        f"${text(held.volume_today)}, realised ${text(today)}, losses ${text(held.loss_today)}; "
        f"realised ${text(sums.realised)} since the account was opened"
    )


@contextlib.asynccontextmanager
async def narrating(control: Control, portfolio_every: float) -> AsyncIterator[None]:
    """Lines on health and account while the block runs."""
    narrator = Narrator(control=control, portfolio_every=portfolio_every)
    control.news.subscribe(narrator.observe)
    task = asyncio.create_task(narrator.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
