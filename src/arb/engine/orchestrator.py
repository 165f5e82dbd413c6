"""The orchestrator: one life from start to stop, one cycle at a time."""

from collections.abc import Mapping, Sequence

from arb.domain.book import OrderBook
from arb.domain.errors import LedgerError, Unavailable, VenueError
from arb.domain.halt import RiskStatus, Standing
from arb.domain.market import OutcomeId, Universe, VenueId
from arb.domain.money import NO_USD, Usd
from arb.domain.news import (
    ChainSeen,
    CycleEnded,
    CycleFailed,
    CycleStarted,
    PaidOut,
    PlanResolved,
    Ready,
    Running,
    Started,
    Stopped,
    Trouble,
)
from arb.domain.operation import Carried, Effect
from arb.domain.opportunity import Opportunity
from arb.domain.order import Unknown
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.position import Position
from arb.domain.report import CycleReport, Problem, ProblemKind, RunCause, Statistics
from arb.engine.context import TradingContext
from arb.engine.contradict import tell_contradictions
from arb.engine.cycle import Cycle, fill_records
from arb.engine.ends import tell_ends
from arb.engine.execute import Executor
from arb.engine.guard import Guard
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions
from arb.engine.recover import Reconciler, describe
from arb.engine.saga import cash_of, redemption
from arb.engine.scanner import Scanner
from arb.engine.trader import Trader
from arb.ports import Ticker
from arb.risk.checks import Context
from arb.risk.gate import position_budget
from arb.risk.halt import status


class ArbitrageOrchestrator:
    """Runs scan cycles: risk, scan, proof, sizing, execution, statistics."""

    def __init__(self, context: TradingContext, options: EngineOptions) -> None:
        """Give each part what it needs of the context."""
        self._mode, self._venues = context.mode, context.venues
        self._ledger, self._clock, self._news = context.ledger, context.clock, context.news
        self._options = options
        self._market_data = MarketData(context.venues.values())
        self.reconciler = Reconciler(
            venues=context.venues, ledger=context.ledger, clock=context.clock, options=options
        )
        self.interlocks = (*context.interlocks, *self.reconciler.interlocks)
        """Every reason why nothing may be sent, in the order in which they are checked."""
        self.executor = Executor(
            venues=context.venues,
            ledger=context.ledger,
            clock=context.clock,
            news=context.news,
            options=options,
            guard=Guard(
                options.guard,
                context.clock,
                self.interlocks,
                {id_: each.terms.orders_per_second_max for id_, each in context.venues.items()},
            ),
            market_data=self._market_data,
        )
        scanner = Scanner(
            market_data=self._market_data,
            strategies=context.strategies,
            clock=context.clock,
            options=options,
            scouts=context.scouts,
            offload=context.offload,
        )
        trader = Trader(
            executor=self.executor,
            scanner=scanner,
            ledger=context.ledger,
            clock=context.clock,
            news=context.news,
            options=options,
        )
        self._cycle = Cycle(
            scanner=scanner,
            trader=trader,
            ledger=context.ledger,
            clock=context.clock,
            news=context.news,
            options=options,
            interlocks=self.interlocks,
            mode=context.mode,
            offload=context.offload,
        )
        self._stopping = self._is_set_up = False
        self._resolutions_asked_at: float | None = None

    async def setup(self) -> Sequence[ExecutionReport]:
        """Open the account, ask the venue what it knows, and take up every plan left open.

        Once it is set up, to ask for it again only takes up what was left open meanwhile.

        Raises:
            LedgerError: The ledger cannot be used; nothing may be traded.
        """
        if self._is_set_up:
            return await self._recover()
        await self._ledger.open_account(await self._openings(), self._clock.now())
        self._news.publish(Started(self._mode, self._ledger.account, self._options.scan_interval))
        reports = await self._recover()
        self._is_set_up = True
        self._news.publish(Ready())
        return reports

    async def _openings(self) -> dict[VenueId, Usd]:
        """What the account begins with at each venue that is new to it."""
        now = self._clock.now()
        known = (await self._ledger.portfolio(now)).pockets
        openings: dict[VenueId, Usd] = {}
        for venue in sorted(self._venues.keys() - known.keys()):
            statements = self._venues.statements.get(venue)
            if statements is None:
                openings[venue] = self._options.bankroll_usd
            else:
                openings[venue] = (await statements.statement([], now)).cash
        return openings

    async def scan_cycle(self, event: str | None = None) -> CycleReport:
        """One cycle: scan, prove, review, execute, write down; of one event where it is named.

        Raises:
            LedgerError: The ledger cannot be used.
            Exception: An unexpected error; it has been reported.
        """
        number: int | None = None
        cause = RunCause.CYCLE if event is None else RunCause.COMMAND
        try:
            await self._recover()
            await self.collect_resolutions()
            number = await self._ledger.begin_run(self._clock.now(), cause)
            self._news.publish(CycleStarted(number, self._clock.now()))
            report = await self._cycle.run(number, stopping=lambda: self._stopping, event=event)
        except LedgerError:
            raise
        except Exception as error:
            self._news.publish(CycleFailed(number, error))
            raise
        self._news.publish(CycleEnded(report))
        return report

    async def listed(self) -> Universe:
        """Everything that is listed, as the latest cycle has read it or read anew.

        Raises:
            VenueError: No venue could be read.
        """
        return await self._market_data.universe()

    @property
    def held_books(self) -> Mapping[OutcomeId, OrderBook]:
        """The book of each outcome that is held, as the latest cycle that saw it has read it."""
        return self._cycle.held_books

    async def check_risk_limits(self) -> RiskStatus:
        """Whether the account's limits and the state of trading allow a trade now."""
        ledger = self._ledger
        portfolio = await ledger.portfolio(self._clock.now())
        stops = await ledger.contradictions()
        return status(await ledger.standing(), portfolio, self._options.limits, stops)

    async def calculate_position_size(self, opportunity: Opportunity) -> Usd:
        """The most that may be spent on the opportunity now: Kelly's share, then every cap."""
        ledger, now = self._ledger, self._clock.now()
        context = Context(
            portfolio=await ledger.portfolio(now),
            limits=self._options.limits,
            standing=await ledger.standing(),
            contradictions=await ledger.contradictions(),
            confirmations={},
            books_from=now,
            now=now,
            plans_left=1,
            fill_records=await fill_records(ledger, self._options.sizing),
        )
        return position_budget(opportunity, context, self._options.sizing)

    async def run(self, ticker: Ticker) -> Statistics:
        """Run a cycle at each tick, until the ticker or `stop` ends the run."""
        await self.setup()
        self._news.publish(Running(self._options.scan_interval))
        try:
            await ticker(self._tick)
        finally:
            statistics = await self.shutdown()
        return statistics

    async def run_once(self) -> CycleReport:
        """Take up what is open, then run a single cycle."""
        await self.setup()
        return await self.scan_cycle()

    def knows(self, standing: Standing) -> None:
        """The caller has changed the state of trading and published it."""
        self._cycle.known = standing

    def stop(self) -> None:
        """Ask the cycle at work to finish its step and start nothing new."""
        self._stopping = True

    def clear_stop(self) -> None:
        """Take the last `stop` back."""
        self._stopping = False

    async def shutdown(self) -> Statistics:
        """Let go of everything, with the sum of all cycles as the last word."""
        self._stopping = True
        statistics = await self._ledger.statistics()
        self._news.publish(Stopped(statistics))
        return statistics

    async def _recover(self) -> list[ExecutionReport]:
        """Reconcile if due, resume open plans, reconcile again if any moved."""
        if self.reconciler.due:
            await self._reconcile()
        reports = await self._take_up()
        if reports:
            await self._reconcile()
        return reports

    async def _take_up(self) -> list[ExecutionReport]:
        """Resume every open plan, and report what has ended, now or before a crash."""
        reports: list[ExecutionReport] = []
        for plan in await self._ledger.open_plans():
            report = await self.executor.execute(plan)
            reports.append(report)
            if report.state is PlanState.OPEN and report.alarm:
                self._news.publish(
                    Trouble(
                        Problem(kind=ProblemKind.PLAN, where=f"plan {plan.id}", what=report.alarm)
                    )
                )
        await tell_ends(self._ledger, self._news)
        await tell_contradictions(self._ledger, self._news)
        return reports

    async def _reconcile(self) -> None:
        """Hold the ledger against the venue, if there is one to be asked."""
        if not self._venues.statements:
            return
        kind = ProblemKind.RECONCILIATION
        if error := await self.reconciler.try_run():
            away = isinstance(error, Unavailable)
            problem = Problem(kind=kind, where=kind.value, what=str(error), away=away)
            self._news.publish(Trouble(problem))
        await self._see_chains()
        for difference in self.reconciler.differences:
            problem = Problem(kind=kind, where=kind.value, what=describe(difference))
            self._news.publish(Trouble(problem))
        await tell_contradictions(self._ledger, self._news)

    async def _see_chains(self) -> None:
        """Ask how the chains stand that what is traded with settles on."""
        for id_, venue in self._venues.items():
            if venue.chain is None:
                continue
            try:
                self._news.publish(ChainSeen(id_, await venue.chain()))
            except VenueError as error:
                kind = ProblemKind.CHAIN
                self._news.publish(Trouble(Problem(kind=kind, where=kind.value, what=str(error))))

    async def _tick(self) -> None:
        if not self._stopping:
            await self.scan_cycle()

    async def collect_resolutions(self) -> None:
        """Redeem what has resolved of the plans that wait for it; asked about now and then."""
        every = self._options.resolution_check_interval.total_seconds()
        ticks = self._clock.monotonic()
        if self._resolutions_asked_at is not None and ticks - self._resolutions_asked_at < every:
            return
        self._resolutions_asked_at = ticks
        told = set[str]()
        for plan in await self._ledger.locked_plans():
            left = await self._ledger.holdings(plan.id)
            try:
                pays = await self._market_data.payouts(left)
            except VenueError as error:
                if str(error) not in told:  # the same for every plan of a venue that is away
                    problem = Problem(
                        kind=ProblemKind.RESOLUTIONS, where="resolutions", what=str(error)
                    )
                    self._news.publish(Trouble(problem))
                told.add(str(error))
                continue
            for held in left:
                if held.outcome in pays:
                    try:
                        await self._redeem(plan, held, pays[held.outcome])
                    except VenueError as error:
                        away = isinstance(error, Unavailable)
                        self._news.publish(Trouble(_not_redeemed(held, str(error), away=away)))
            await self._release(plan)

    async def _redeem(self, plan: Plan, held: Position, each: Usd) -> None:
        """Turn resolved shares into cash; what was requested before is queried."""
        step = redemption(plan, await self._ledger.facts(plan.id), held, each)
        answer = Unknown() if step is None else await self.executor.carry_out(plan, step)
        if isinstance(answer, Unknown):
            return
        if isinstance(answer, Carried):
            self._news.publish(_paid_out(plan, held, answer.effect))
        else:
            what = f"{plan.event_slug}: what is resolved was not paid out: {answer.reason}"
            self._news.publish(Trouble(_not_redeemed(held, what)))

    async def _release(self, plan: Plan) -> None:
        """Call the profit realised once nothing of the plan is held any more."""
        ledger = self._ledger
        if await ledger.holdings(plan.id):
            return
        realised = cash_of(await ledger.facts(plan.id))
        state = PlanState.DONE if realised >= 0 else PlanState.UNWOUND
        report = ExecutionReport(plan=plan.id, state=state, realised=realised, locked=NO_USD)
        await ledger.close_plan(report, self._clock.now())
        self._news.publish(PlanResolved(plan, report))


def _not_redeemed(held: Position, what: str, *, away: bool = False) -> Problem:
    return Problem(kind=ProblemKind.REDEEM, where=f"redeem {held.market}", what=what, away=away)


def _paid_out(plan: Plan, held: Position, effect: Effect) -> PaidOut:
    """What a redemption has brought, with the names that people know it by."""
    leg = next((leg for leg in plan.legs if leg.outcome == held.outcome), None)
    return PaidOut(
        plan=plan,
        market=leg.market_slug if leg else held.market,
        outcome=leg.outcome_name if leg else "",
        shares=held.shares,
        cash=effect.cash,
    )
