"""The orchestrator in a process: once, or until it is stopped."""

import difflib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

from arb.adapters.clock import SystemClock
from arb.adapters.storage.lead import Lead
from arb.adapters.telemetry.logs import log_line, log_news
from arb.adapters.telemetry.news_log import NewsLog
from arb.bootstrap import engine_options, paper_context, scanner
from arb.config.schema import Settings
from arb.config.sources import Loaded
from arb.domain.errors import ArbError, BadVenueData, NotAskedFor, UnknownName
from arb.domain.news import CycleEnded, News
from arb.domain.report import CycleReport, Statistics
from arb.engine.context import TradingContext
from arb.engine.control import Control, end_outage
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.scan import Scan
from arb.engine.tally import Tally
from arb.interlocks import BlockCode, Interlock
from arb.operations.leader import one_leader, patient, token_of
from arb.operations.live import ready_to_trade
from arb.publisher import Observer, Publisher
from arb.runtime.alerts import with_alerts
from arb.runtime.bots import with_bots
from arb.runtime.cloudwatch import with_cloudwatch
from arb.runtime.killswitch import KillSwitch, kill_switch
from arb.runtime.liquidations import with_liquidations
from arb.runtime.loop_monitor import Pulse, beating
from arb.runtime.narrator import narrating
from arb.runtime.reports import with_reports
from arb.runtime.scheduled import Schedule
from arb.runtime.server import Sidecars, controlled, serving
from arb.runtime.signal_trading import with_signals
from arb.runtime.signals import stoppable
from arb.runtime.spreads import with_spreads


@dataclass(slots=True)
class CutShort(ArbError):
    """SIGINT or SIGTERM has ended the only cycle before its report."""

    statistics: Statistics
    still_open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """An orchestrator with everything that works beside it."""

    orchestrator: ArbitrageOrchestrator
    context: TradingContext
    control: Control
    interval_seconds: float
    lead: Lead | None

    async def run(
        self, cycles: int | None = None, after: Callable[[], Awaitable[None]] | None = None
    ) -> tuple[Statistics, int]:
        """Cycles on a schedule until SIGINT or SIGTERM.

        Args:
            cycles: After how many it ends; `None`: only at a signal.
            after: Called after each.

        Returns:
            The account's sum and how many plans stay open.
        """
        context = self.context
        schedule = Schedule(self.interval_seconds, context.clock, log_news, ticks_max=cycles)
        ticker = schedule if self.lead is None else patient(schedule, log_news)

        async def ticks(tick: Callable[[], Awaitable[None]]) -> None:
            async def one() -> None:
                await tick()
                if after is not None:
                    await after()

            await ticker(one)

        def stop() -> None:
            self.orchestrator.stop()
            schedule.stop()

        work = self.orchestrator.run(self.control.ticker(ticks))
        statistics = await stoppable(work, _told_to(stop))
        if statistics is None:
            statistics = await context.ledger.statistics()
        return statistics, len(await context.ledger.open_plans())


NEAREST = 3
"""Events named where one asked for is not there."""


async def run_once(loaded: Loaded, *, live: bool = False) -> tuple[CycleReport, Statistics, int]:
    """One cycle; returns its report, the account's sum, and how many plans stay open.

    Raises:
        CutShort: It was stopped before the cycle had ended.
    """
    settings = loaded.settings
    async with (
        one_leader(settings.database, _account(settings, live=live)) as lead,
        _context(loaded, Publisher([_news_log(live=live)]), live=live, lead=lead) as (context, _),
    ):
        options = replace(engine_options(settings), scan_interval=None)
        orchestrator = ArbitrageOrchestrator(context, options)

        async def work() -> CycleReport:
            report = await orchestrator.run_once()
            if report.reachable:
                await end_outage(context.ledger, context.clock, context.news)
            return report

        report = await stoppable(work(), _told_to(orchestrator.stop))
        statistics = await orchestrator.shutdown()
        still_open = len(await context.ledger.open_plans())
        if report is None:
            raise CutShort(statistics, still_open)
        return report, statistics, still_open


async def run_scheduled(
    loaded: Loaded,
    on_report: Callable[[CycleReport], None],
    cycles: int | None = None,
    *,
    live: bool = False,
    ready: Callable[[str, str | None], None] = lambda _address, _token: None,
) -> tuple[Statistics, int]:
    """Cycles on a schedule until SIGINT or SIGTERM; each report is handed over as it comes.

    With `api.enabled` the control API is served meanwhile; `ready` gets its address, and the
    first token where one was made. Returns the account's sum and how many plans stay open.
    """

    def hand_over(news: News) -> None:
        if isinstance(news, CycleEnded):
            on_report(news.report)

    async with assembled(loaded, live=live, observers=[hand_over], ready=ready) as parts:
        return await parts.run(cycles)


@asynccontextmanager
async def assembled(
    loaded: Loaded,
    *,
    live: bool = False,
    observers: Sequence[Observer] = (),
    ready: Callable[[str, str | None], None] = lambda _address, _token: None,
) -> AsyncIterator[Assembled]:
    """An orchestrator with what works beside it, for as long as the block runs.

    Args:
        loaded: The settings.
        live: The second of the two keys for live trading.
        observers: Get the news, after the log.
        ready: Gets the address of the control API, and the first token where one was made.

    Raises:
        NotReady: Live trading is refused.
        LedgerError: The ledger cannot be used, or another orchestrator works on it.
        ConfigError: A setting cannot be used.
    """
    settings = loaded.settings
    news = Publisher([_news_log(live=live), *observers])
    account = _account(settings, live=live)
    async with (
        one_leader(settings.database, account, log_news) as lead,
        _context(loaded, news, live=live, lead=lead) as (context, sidecars),
        _controlled(loaded, context, sidecars, ready) as (orchestrator, control),
        with_signals(loaded, context, control),
        with_liquidations(loaded, context, control, live=live),
        beating(_pulse(control, live=live)),
        narrating(control, settings.logging.portfolio_every),
    ):
        yield Assembled(
            orchestrator=orchestrator,
            context=context,
            control=control,
            interval_seconds=settings.arbitrage.scan_interval,
            lead=lead,
        )


def _news_log(*, live: bool) -> NewsLog:
    return NewsLog(live=live, monotonic=SystemClock().monotonic)


def _told_to(stop: Callable[[], None]) -> Callable[[], None]:
    """Stop, with a message: what follows can take a moment."""

    def told() -> None:
        log_line("INFO", "Stopping. The step at work may finish.")
        stop()

    return told


def _pulse(control: Control, *, live: bool) -> Pulse:
    pause = partial(control.pause, by_operator=False) if live else None
    return Pulse(clock=control.clock, tell=control.news.publish, pause=pause)


@asynccontextmanager
async def _controlled(
    loaded: Loaded,
    context: TradingContext,
    sidecars: Sidecars,
    ready: Callable[[str, str | None], None],
) -> AsyncIterator[tuple[ArbitrageOrchestrator, Control]]:
    found = controlled(loaded, context, sidecars)
    if not loaded.settings.api.enabled:
        yield found.orchestrator, found.control
        return
    async with serving(loaded, found, ready):
        yield found.orchestrator, found.control


@asynccontextmanager
async def _context(
    loaded: Loaded, news: Publisher, *, live: bool, lead: Lead | None
) -> AsyncIterator[tuple[TradingContext, Sidecars]]:
    """What to trade with, the operator's switch watched from a thread of its own; sidecars."""
    settings = loaded.settings
    token = token_of(lead)
    if not live:
        switch = kill_switch(settings.database.url, settings.trading.account, log_news)
        async with (
            paper_context(settings, news, token) as context,
            with_alerts(loaded, context.ledger, context.clock, news) as alerts,
            with_cloudwatch(loaded, context.ledger, context.clock, news),
            with_reports(loaded, context.ledger.account, context.clock),
            with_bots(loaded, context) as (whole, bots),
            with_spreads(loaded, bots, news, live=False, clock=context.clock),
        ):
            with _hearing(switch, lead):
                yield replace(whole, interlocks=_interlocks(switch, lead)), Sidecars(alerts, bots)
        return
    async with (
        ready_to_trade(loaded, news, token) as context,
        with_alerts(loaded, context.ledger, context.clock, news) as alerts,
        with_cloudwatch(loaded, context.ledger, context.clock, news),
        with_reports(loaded, context.ledger.account, context.clock),
        with_bots(loaded, context) as (whole, bots),
        with_spreads(loaded, bots, news, live=True, clock=context.clock),
    ):
        switch = kill_switch(settings.database.url, context.ledger.account, log_news)
        switch.cancel_all = context.venues.cancel_all_blocking
        with _hearing(switch, lead):
            yield replace(whole, interlocks=_interlocks(switch, lead)), Sidecars(alerts, bots)


def _account(settings: Settings, *, live: bool) -> str:
    return settings.account if live else settings.trading.account


def _hearing(switch: KillSwitch, lead: Lead | None) -> KillSwitch:
    """The switch, which is notified of a halt on a server by the thread that keeps the lead."""
    if lead is not None:
        switch.latest = lambda: lead.standing
    return switch


def _interlocks(switch: KillSwitch, lead: Lead | None) -> tuple[Interlock, ...]:
    """Why nothing may be sent: an operator's halt, or a lead that is in doubt."""
    if lead is None:
        return switch.interlocks
    return (*switch.interlocks, Interlock(BlockCode.LEAD_IN_DOUBT, lead.doubt))


async def scan(loaded: Loaded) -> CycleReport:
    """Detection only."""
    async with scanner(loaded.settings) as found:
        tally = _scan_only(loaded)
        return found.judge(await found.scan(), tally)


async def preview(loaded: Loaded, event: str) -> tuple[Scan, CycleReport]:
    """What one event would give now, with every gate's verdict.

    Args:
        loaded: The settings.
        event: Its slug, or its address on the venue's own page.

    Raises:
        UnknownName: There is no such event; those whose slugs come nearest are named.
        VenueError: The venue could not be read.
    """
    slug = _slug(event)
    async with scanner(loaded.settings) as found:
        tally = _scan_only(loaded)
        try:
            seen = await found.scan(slug)
            return seen, found.judge(seen, tally)
        except NotAskedFor:
            raise
        except BadVenueData:
            slugs = await found.events()
            if slug in slugs:
                raise
        near = difflib.get_close_matches(slug, slugs, NEAREST, cutoff=0.4)
        named = f"; nearest: {', '.join(near)}" if near else ""
        raise UnknownName(f"no event {slug}{named}")


def _scan_only(loaded: Loaded) -> Tally:
    return Tally.begin("dry-run", loaded.settings.trading.account, SystemClock())


def _slug(event: str) -> str:
    """The slug in an address such as `https://polymarket.com/event/SLUG/MARKET?tid=1`."""
    address = urlsplit(event)
    parts = [part for part in address.path.split("/") if part]
    if "event" in parts[:-1]:  # a language may stand before it
        return parts[parts.index("event") + 1].lower()
    return event.strip().strip("/").lower()
