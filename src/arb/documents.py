"""The names of the main orchestrator's document, resolved to the real parts.

`main.py`, `config`, `src.utils`, `src.analyzer`, `src.strategy` and `src.api` of a checkout import
from here. Nothing is decided here: each name is a real part, or hands over to one. What differs
from the document on purpose is listed in docs/documents.md.
"""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from loguru import logger

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.venue import PolymarketVenue
from arb.adapters.storage.ledger import SqlLedger
from arb.adapters.storage.queries import LedgerReads
from arb.adapters.telemetry.logs import log_line, log_news
from arb.adapters.telemetry.wording import in_one_line
from arb.bootstrap import polymarket, scanner, scanner_of
from arb.cli.common import load
from arb.cli.output import final_statistics, print_line
from arb.config.schema import Settings
from arb.domain.errors import NotReady
from arb.domain.halt import RiskStatus
from arb.domain.money import Usd
from arb.domain.news import CycleEnded, CycleStarted, PlanEnded, PlanStarted, RiskChecked
from arb.domain.opportunity import Opportunity
from arb.domain.plan import ExecutionReport, Plan
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, Statistics
from arb.engine.control import end_outage
from arb.engine.execute import Executor as ArbitrageExecutor
from arb.operations.account_views import opened
from arb.operations.logs import set_up_logs
from arb.runtime.running import Assembled, assembled
from arb.sizing import calculate_kelly_fraction

__all__ = [
    "ArbitrageExecutor",
    "ArbitrageOpportunity",
    "ArbitrageOrchestrator",
    "DatabaseManager",
    "IntraMarketArbitrageDetector",
    "PolymarketClient",
    "PolymarketTrader",
    "calculate_kelly_fraction",
    "get_logger",
    "log_execution_failure",
    "log_execution_start",
    "log_execution_success",
    "log_opportunity_found",
    "log_risk_check",
    "log_scan_cycle_complete",
    "log_scan_cycle_start",
    "settings",
    "setup_logger",
]

Part = TypeVar("Part")

settings: Settings
"""Every setting, read when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name == "settings":
        from arb.config import settings as found  # noqa: PLC0415  # not read by an import alone

        return found
    raise AttributeError(name)


@dataclass(frozen=True, slots=True)
class ArbitrageOpportunity:
    """A proven opportunity; every field of `arb.domain.opportunity.Opportunity` is here, too."""

    proven: Opportunity
    confidence_score: Decimal
    """The setting `sizing.fill_probability`: one chance that all legs fill, not learned."""

    @property
    def net_profit_pct(self) -> Decimal:
        """Profit after fees as a fraction of what is paid: 0.02 is two percent."""
        return self.proven.profit_fraction

    def __getattr__(self, name: str) -> Any:
        return getattr(self.proven, name)


def _proven(opportunity: Opportunity | ArbitrageOpportunity) -> Opportunity:
    return opportunity.proven if isinstance(opportunity, ArbitrageOpportunity) else opportunity


class _Opened(Generic[Part]):
    """Opens a real part for a block, and closes it at its end."""

    _opened: contextlib.AbstractAsyncContextManager[Part]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._opened.__aexit__(kind, error, trace)


class PolymarketClient(_Opened[PolymarketVenue]):
    """Polymarket, for reading; needs no key: `async with PolymarketClient() as client`.

    Raises:
        ConfigError: A setting cannot be used.
    """

    def __init__(self) -> None:
        self._opened = polymarket(load().settings)

    async def __aenter__(self) -> PolymarketVenue:
        return await self._opened.__aenter__()


class IntraMarketArbitrageDetector:
    """Looks for opportunities; trades and records nothing."""

    def __init__(self, client: PolymarketVenue | None = None) -> None:
        """Look through an open client; without one, at every enabled venue."""
        self._client, self._settings = client, load().settings

    async def scan_all_markets(self) -> list[ArbitrageOpportunity]:
        """Every opportunity that is proven now, the most profitable first.

        Raises:
            VenueError: The venue could not be read.
        """
        async with contextlib.AsyncExitStack() as stack:
            if self._client is None:
                look = await stack.enter_async_context(scanner(self._settings))
            else:
                look = scanner_of(self._settings, [self._client.bundle])
            scan = await look.scan()
        chance = self._settings.sizing.fill_probability
        return [ArbitrageOpportunity(found, chance) for found in scan.found.opportunities]


class DatabaseManager(_Opened[tuple[SqlLedger, LedgerReads]]):
    """The account's ledger, for reading, also during a run: `async with DatabaseManager() as db`.

    Only a run writes to it.
    """

    def __init__(self) -> None:
        self._opened = opened(load())

    async def __aenter__(self) -> LedgerReads:
        """Open it.

        Raises:
            LedgerError: There is no ledger yet, or it cannot be read.
        """
        return (await self._opened.__aenter__())[1]


class PolymarketTrader:
    """Refuses to be made: orders leave through a run alone, behind all of its gates."""

    def __init__(self, *_given: object, **_options: object) -> None:
        """Say what trades instead.

        Raises:
            NotReady: Always.
        """
        raise NotReady(
            "orders are sent by a run alone, behind its gates: `arb run --live` with "
            "ARB_TRADING__LIVE=true; see README_ORCHESTRATOR.md, Going live"
        )


class ArbitrageOrchestrator:
    """The orchestrator as `arb run` assembles it from the settings.

    `async with ArbitrageOrchestrator() as orchestrator` sets it up and shuts it down; without the
    block the first call that needs it sets it up, and `shutdown` lets go of everything.
    """

    def __init__(self, *, dry_run: bool = True, profile: str | None = None) -> None:
        """Read the settings and set up the log; nothing is opened yet.

        Args:
            dry_run: Trade on paper. `False` is what `--live` is to `arb run`: the second of two
                keys. Without the first, ARB_TRADING__LIVE=true, `setup` refuses.
            profile: Settings of config/NAME.toml.

        Raises:
            ConfigError: A setting cannot be used.
        """
        self.dry_run = dry_run
        self._loaded = load(profile)
        set_up_logs(self._loaded)
        self._stack = contextlib.AsyncExitStack()
        self._parts: Assembled | None = None
        self._statistics = Statistics()

    async def __aenter__(self) -> Self:
        await self.setup()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shutdown()

    @property
    def stats(self) -> dict[str, Any]:
        """The account's sums over all its runs, as of the last completed cycle."""
        sums = self._statistics
        return {
            "total_opportunities": sums.opportunities,
            "total_trades": sums.trades,
            "successful_trades": sums.successes,
            "failed_trades": sums.failures,
            "total_profit_usd": sums.realised,
        }

    async def setup(self) -> None:
        """Open everything, and take up every plan that was left open.

        Raises:
            NotReady: Live trading is refused, or another process works on the ledger.
            LedgerError: The ledger cannot be used.
            ConfigError: A setting cannot be used, or a key to live trading is missing.
        """
        await (await self._opened()).orchestrator.setup()
        await self._count()

    async def scan_cycle(self) -> CycleReport:
        """One cycle: scan, prove, size, trade on paper (or live), write down."""
        parts = await self._set_up()
        report = await parts.orchestrator.scan_cycle()
        if report.reachable:
            await end_outage(parts.context.ledger, parts.context.clock, parts.context.news)
        await self._count()
        return report

    async def run_once(self) -> CycleReport:
        """Set up what is not, then a single cycle."""
        return await self.scan_cycle()

    async def run(self, cycles: int | None = None) -> Statistics:
        """Cycles at `arbitrage.scan_interval` until SIGINT or SIGTERM, then shut down.

        Args:
            cycles: After how many it ends; `None`: only at a signal.
        """
        parts = await self._opened()
        try:
            self._statistics, _ = await parts.run(cycles, self._count)
        finally:
            await self._let_go()
        return self._statistics

    async def check_risk_limits(self) -> RiskStatus:
        """Whether a trade is allowed now: `status["can_trade"]`, and the reasons against it."""
        status = await (await self._set_up()).orchestrator.check_risk_limits()
        log_risk_check(status)
        return status

    async def calculate_position_size(self, opportunity: Opportunity | ArbitrageOpportunity) -> Usd:
        """The most USD that may be spent on the opportunity now: Kelly's share, then every cap."""
        parts = await self._set_up()
        return await parts.orchestrator.calculate_position_size(_proven(opportunity))

    async def shutdown(self) -> Statistics:
        """Let go of everything and print the final statistics; once is enough."""
        if self._parts is not None:
            try:
                self._statistics = await self._parts.orchestrator.shutdown()
            finally:
                await self._let_go()
        return self._statistics

    async def _opened(self) -> Assembled:
        if self._parts is None:
            found = assembled(self._loaded, live=not self.dry_run, ready=_say_where)
            self._parts = await self._stack.enter_async_context(found)
        return self._parts

    async def _set_up(self) -> Assembled:
        if self._parts is None:
            await self.setup()
        return await self._opened()

    async def _count(self) -> None:
        if self._parts is not None:
            self._statistics = await self._parts.context.ledger.statistics()

    async def _let_go(self) -> None:
        self._parts = None
        await self._stack.aclose()
        for line in final_statistics(self._statistics):
            print_line(line)


def _say_where(address: str, token: str | None) -> None:
    """Show where the control API is; its token, once, to the person at this terminal."""
    shown = "" if token is None else f" Its token, shown this once: {token}"
    sys.stderr.write(f"The control API and its page: {address}/{shown}\n")


def setup_logger(level: str | None = None) -> None:
    """Log as a run does: console and rotated files by the settings, secrets masked.

    Args:
        level: The least level; without it `logging.level`.

    Raises:
        ConfigError: A setting cannot be used.
    """
    set_up_logs(load(), level)


def get_logger(name: str | None = None) -> Any:
    """A logger whose lines begin with the name, as those of libraries do."""
    if name is None:
        return logger
    return logger.patch(_named(name))


def _named(name: str) -> Callable[[Any], None]:
    def patch(record: Any) -> None:
        record["message"] = f"{name}: {record['message']}"

    return patch


def log_opportunity_found(opportunity: Opportunity | ArbitrageOpportunity) -> None:
    """Log an opportunity, as a run does before it is decided."""
    log_line("INFO", in_one_line(_proven(opportunity)))


def log_execution_start(plan: Plan) -> None:
    """Log that a plan's orders go out next."""
    log_news(PlanStarted(plan))


def log_execution_success(plan: Plan, report: ExecutionReport) -> None:
    """Log that a plan was filled."""
    log_news(PlanEnded(plan, report, Reason.FILLED))


def log_execution_failure(plan: Plan, report: ExecutionReport) -> None:
    """Log that a plan came to nothing, and why."""
    log_news(PlanEnded(plan, report, Reason.EXECUTION_FAILED))


def log_risk_check(status: RiskStatus, cycle: int = 0) -> None:
    """Log the result of a risk check: DEBUG where it passed, WARNING where it did not."""
    log_news(RiskChecked(cycle, status))


def log_scan_cycle_start(cycle: int) -> None:
    """Log that a cycle starts."""
    log_news(CycleStarted(cycle, SystemClock().now()))


def log_scan_cycle_complete(report: CycleReport) -> None:
    """Log a cycle's counts."""
    log_news(CycleEnded(report))
