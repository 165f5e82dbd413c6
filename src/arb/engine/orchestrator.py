"""The orchestrator: one life from start to stop, one cycle at a time."""

from collections.abc import Sequence

from arb.domain.errors import VenueError
from arb.domain.fact import Requested, Settled
from arb.domain.halt import RiskStatus
from arb.domain.money import NO_USD, Usd
from arb.domain.news import CycleEnded, CycleStarted, News, Stopped, Trouble
from arb.domain.opportunity import Opportunity
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.position import Position
from arb.domain.report import CycleReport, Problem, Statistics
from arb.domain.settlement import Effect, OperationId, Redeem
from arb.engine.cycle import Cycle, Look
from arb.engine.execute import Executor
from arb.engine.options import CycleOptions
from arb.engine.saga import cash_of
from arb.ports import Desk, Ticker
from arb.risk.checks import Context
from arb.risk.gate import position_budget
from arb.risk.halt import status


class ArbitrageOrchestrator:
    """Runs scan cycles at one desk: risk, scan, proof, sizing, execution, statistics."""

    def __init__(self, desk: Desk, options: CycleOptions) -> None:
        self._desk = desk
        self._options = options
        self._cycle = Cycle(desk, options)
        self._executor = Executor(desk=desk, options=options)
        self._stopping = False
        self._resolutions_asked_at: float | None = None

    async def setup(self) -> Sequence[ExecutionReport]:
        """Open the account and take up every plan that an earlier run left open.

        Raises:
            LedgerError: The ledger cannot be used; nothing may be traded.
        """
        now = self._desk.clock.now()
        await self._desk.ledger.open_account(self._options.opening_cash, now)
        return [await self._executor.execute(plan) for plan in await self._desk.ledger.open_plans()]

    async def scan_cycle(self) -> CycleReport:
        """One cycle: scan, prove, review, execute, write down."""
        await self._collect_resolutions()
        number = await self._desk.ledger.begin_cycle(self._desk.clock.now())
        self._tell(CycleStarted(number, self._desk.clock.now()))
        report = await self._cycle.run(number, stopping=lambda: self._stopping)
        self._tell(CycleEnded(report))
        return report

    async def check_risk_limits(self) -> RiskStatus:
        """Whether the account's limits and the state of trading allow a trade now."""
        ledger = self._desk.ledger
        portfolio = await ledger.portfolio(self._desk.clock.now())
        return status(await ledger.standing(), portfolio, self._options.limits)

    async def calculate_position_size(self, opportunity: Opportunity) -> Usd:
        """The most that may be spent on the opportunity now: Kelly's share, then every cap."""
        ledger, now = self._desk.ledger, self._desk.clock.now()
        context = Context(
            portfolio=await ledger.portfolio(now),
            limits=self._options.limits,
            standing=await ledger.standing(),
            confirmations={},
            books_from=now,
            now=now,
            plans_left=1,
        )
        return position_budget(opportunity, context, self._options.sizing)

    async def run(self, ticker: Ticker) -> Statistics:
        """Run cycles whenever the ticker says so, until it or `stop` ends the run."""
        await self.setup()
        try:
            await ticker(self._tick)
        finally:
            statistics = await self.shutdown()
        return statistics

    async def run_once(self) -> CycleReport:
        """Take up what is open, then run a single cycle."""
        await self.setup()
        return await self.scan_cycle()

    async def detect(self) -> CycleReport:
        """Look and prove only: no account is touched and nothing is written down."""
        return await self._cycle.detect()

    async def preview(self, event_slug: str) -> tuple[Look, CycleReport]:
        """What one event would give now, judged as a fresh account would judge it.

        Raises:
            BadVenueData: There is no such event.
            Unavailable: The venue could not be read.
        """
        look = await self._cycle.look(await self._desk.catalog.event(event_slug))
        return look, self._cycle.judge(look)

    def stop(self) -> None:
        """Ask the cycle at work to finish its step and start nothing new."""
        self._stopping = True

    async def shutdown(self) -> Statistics:
        """Let go of everything, with the sum of all cycles as the last word."""
        self._stopping = True
        statistics = await self._desk.ledger.statistics()
        self._tell(Stopped(statistics))
        return statistics

    async def _tick(self) -> None:
        if not self._stopping:
            await self.scan_cycle()

    async def _collect_resolutions(self) -> None:
        """Redeem what has resolved of the plans that wait for it; asked about now and then."""
        every = self._options.resolution_checks_every.total_seconds()
        ticks = self._desk.clock.monotonic()
        if self._resolutions_asked_at is not None and ticks - self._resolutions_asked_at < every:
            return
        self._resolutions_asked_at = ticks
        for plan in await self._desk.ledger.locked_plans():
            left = await self._desk.ledger.holdings(plan.id)
            try:
                pays = await self._desk.catalog.payouts([held.market for held in left])
            except VenueError as error:
                self._tell(Trouble(Problem(where="resolutions", what=str(error))))
                return
            for held in left:
                if held.outcome in pays:
                    await self._redeem(plan, held, pays[held.outcome])
            await self._release(plan)

    async def _redeem(self, plan: Plan, held: Position, each: Usd) -> None:
        """Turn resolved shares into what they are worth; a second call finds none left."""
        ledger, clock = self._desk.ledger, self._desk.clock
        id_ = OperationId(f"{plan.id}/redeem/{held.outcome.token}")
        operation = Redeem(
            market=held.market,
            outcome=held.outcome,
            size=held.shares,
            pays=Usd(each * held.shares),
        )
        await ledger.append(plan.id, [Requested(id=id_, operation=operation, at=clock.now())])
        result = await self._desk.settlement[held.outcome.venue].submit(id_, operation)
        if isinstance(result, Effect):
            await ledger.append(plan.id, [Settled(id=id_, effect=result, at=clock.now())])

    async def _release(self, plan: Plan) -> None:
        """Call the profit realised once nothing of the plan is held any more."""
        ledger = self._desk.ledger
        if await ledger.holdings(plan.id):
            return
        realised = cash_of(await ledger.facts(plan.id))
        state = PlanState.DONE if realised >= 0 else PlanState.UNWOUND
        report = ExecutionReport(plan=plan.id, state=state, realised=realised, locked=NO_USD)
        await ledger.close_plan(report, self._desk.clock.now())

    def _tell(self, news: News) -> None:
        for observer in self._desk.observers:
            observer(news)
