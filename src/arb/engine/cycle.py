"""One scan as a straight line: look, find, prove, confirm, review, look again, execute, report."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from arb.domain.book import Books
from arb.domain.confirmation import Confirmation
from arb.domain.contradiction import Contradiction, stopped
from arb.domain.decision import Approved, Finding, Refused
from arb.domain.errors import LedgerError, Unavailable, VenueError
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.market import Event, EventId, Market, MarketId, Universe, WholeGroup
from arb.domain.news import (
    BooksFetched,
    Decided,
    News,
    PlanStarted,
    QualityAlarm,
    StateChanged,
    Trouble,
)
from arb.domain.opportunity import Candidate, Opportunity, Unproven, prove
from arb.domain.plan import ExecutionReport
from arb.domain.position import Portfolio
from arb.domain.reason import Reason
from arb.domain.report import (
    Completeness,
    Coverage,
    CycleReport,
    DataQuality,
    Funnel,
    Problem,
)
from arb.domain.snapshot import Snapshot
from arb.domain.sweep import outcomes_of, part_of
from arb.domain.tradable import obstacle
from arb.engine.decide import (
    Detection,
    contradicted,
    count_reasons,
    find,
    funnel,
    listed_differently,
    miscounts,
)
from arb.engine.ends import outcome_of, tell_ends
from arb.engine.execute import Executor
from arb.engine.hidden import with_hidden
from arb.engine.options import CycleOptions
from arb.ports import Desk
from arb.risk.checks import Context
from arb.risk.gate import review
from arb.risk.halt import judge, status
from arb.risk.limits import RiskLimits

TOLD_AT_ONCE = 100
"""Findings told to the observers before others in the loop get their turn."""


@dataclass(slots=True)
class _Tally:
    """What a cycle gathers on its way."""

    started_at: datetime
    ticks: float
    findings: list[Finding] = field(default_factory=list)
    ended: list[tuple[str, Reason]] = field(default_factory=list)
    plans: list[ExecutionReport] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    data_quality: list[DataQuality] = field(default_factory=list)
    """Alarms of what was asked again before a trade; those of the look are in the look."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """How the account stands."""

    portfolio: Portfolio
    standing: Standing
    contradictions: Sequence[Contradiction]

    def status(self, limits: RiskLimits) -> RiskStatus:
        """Whether the cycle may trade."""
        return status(self.standing, self.portfolio, limits, self.contradictions)


@dataclass(frozen=True, slots=True)
class Scan:
    """What one read of a venue gave."""

    snapshot: Snapshot
    """Its universe is what was looked at closely: all that is listed, unless scouts told more."""
    found: Detection
    listed: Universe
    counts: Funnel
    """As far as the proof."""
    confirmations: Mapping[MarketId, Confirmation]
    counted: Mapping[str, int]
    """How many outcomes the chain counts, by group, where a proof takes all to be listed."""
    completeness: Completeness
    coverage: Coverage | None = None


class Cycle:
    """Runs cycles, one at a time, at one desk."""

    def __init__(
        self, desk: Desk, options: CycleOptions, executor: Executor, against: Callable[[], str]
    ) -> None:
        """Work at a desk; `against` says why nothing new may be traded now, if so."""
        self._desk = desk
        self._options = options
        self._executor = executor
        self._against = against
        self.known: Standing | None = None
        """The state of trading that has been told last."""

    async def run(
        self, number: int, *, stopping: Callable[[], bool], event: str | None = None
    ) -> CycleReport:
        """Scan once and trade what survives every gate.

        A venue that cannot be read ends the cycle early with a report that says so; nothing that
        happens to one opportunity ends it. Errors of the ledger do.

        Args:
            number: The cycle's number in the ledger.
            stopping: Whether nothing new may be started any more.
            event: The slug of the one event to look at; the whole market without it.
        """
        desk, tally = self._desk, self._new_tally()
        stand = await self._stand(tally.started_at)
        risk = stand.status(self._options.limits)
        try:
            async with asyncio.timeout(self._options.look_seconds_max):
                look = await self.look(await desk.catalog.event(event) if event else None)
        except TimeoutError:
            late = f"it could not be read within {self._options.look_seconds_max:g} s"
            tally.errors.append(Problem(where="venue", what=late, away=True))
            look = None
        except VenueError as error:
            tally.errors.append(Problem(where="venue", what=str(error), away=True))
            look = None
        if look is not None:
            self._tell(
                BooksFetched(
                    number,
                    len(look.listed.events),
                    len(look.listed.markets),
                    look.completeness.books_received,
                )
            )
            for alarm in look.found.data_quality[: self._options.data_quality_listed_max]:
                self._tell(QualityAlarm(number, alarm))
            approved = await desk.apart(partial(self._review, look, stand, tally))
            for place, finding in enumerate(tally.findings, 1):
                self._tell(Decided(number, finding))
                if place % TOLD_AT_ONCE == 0:
                    await asyncio.sleep(0)
            await desk.ledger.record_findings(number, tally.findings, look.snapshot)
            await self._execute_all(number, approved, look.listed, tally, stopping)
        tally.errors += self._problems()
        for problem in tally.errors:
            self._tell(Trouble(problem))
        stand = await self._stand(desk.clock.now())
        risk = stand.status(self._options.limits) if risk.can_trade else risk
        report = self._report(number, look, tally, risk)
        await desk.ledger.record_cycle(report)
        return report

    async def detect(self) -> CycleReport:
        """Look, find and prove only: nothing is traded or written down."""
        tally = self._new_tally()
        return self.judge(await self.look(), tally)

    def judge(self, look: Scan, tally: _Tally | None = None) -> CycleReport:
        """What a fresh account would decide on a scan; nothing is traded or recorded.

        Args:
            look: What was seen and proved.
            tally: Begun before the look, so that the report's duration counts the reading, too.
        """
        tally = tally or self._new_tally()
        fresh = _Stand(Portfolio(cash=self._options.opening_cash), Standing(), ())
        for opportunity in look.found.opportunities:
            context = self._context(look, fresh, plans_left=1)
            decision = review(opportunity, context, self._options.sizing, look.snapshot)
            if isinstance(decision, Approved):
                decision = Refused(
                    opportunity=opportunity,
                    reason=Reason.NOT_TRADED,
                    detail=f"every gate passed, in the size of {decision.opportunity.size}",
                    verdicts=decision.verdicts,
                )
            tally.findings.append(decision)
        tally.findings += look.found.others
        tally.errors += self._problems()
        nothing = RiskStatus(can_trade=False, state=TradingState.NORMAL, reasons=("scan only",))
        return self._report(0, look, tally, nothing)

    async def look(self, universe: Universe | None = None) -> Scan:
        """Read the listing and its books, find, prove, and confirm what was proved.

        Raises:
            Unavailable: The venue could not be read.
        """
        desk = self._desk
        listed = universe or await desk.catalog.universe()
        sweep = None
        if desk.scouts is not None and universe is None:
            sweep = await desk.scouts.sweep(listed)
        seen = listed if sweep is None else part_of(listed, _events(listed, sweep.wanted))
        outcomes = outcomes_of(seen)
        began = desk.clock.monotonic()
        books = await desk.books.fetch(outcomes)
        # A sweep of the whole market takes longer than one book may be old. What is found is
        # read again before it is traded, and then the limit holds as it stands.
        snapshot = self._snapshot(seen, books, sweep=desk.clock.monotonic() - began)
        strategies = tuple(desk.strategies)  # an operator may change them meanwhile

        def search() -> tuple[Detection, Funnel]:
            found = with_hidden(strategies, snapshot, find(strategies, snapshot))
            return found, funnel(found, replace(snapshot, universe=listed))

        found, counts = await desk.apart(search)
        proved = {p.market.id: p.market for o in found.opportunities for p in o.legs}
        confirmations = await self._confirm(list(proved.values()))
        counted = await self._count([w for o in found.opportunities for w in o.whole])
        alarms = (
            *listed_differently(listed),
            *contradicted(proved, confirmations),
            *miscounts(found.opportunities, counted),
        )
        return Scan(
            snapshot,
            replace(found, data_quality=(*found.data_quality, *alarms)),
            listed,
            counts if sweep is None else replace(counts, fresh=counts.fresh + sweep.fresh),
            confirmations,
            counted,
            replace(
                desk.catalog.completeness(),
                books_expected=len(outcomes_of(listed)),
                books_received=len(books) + (sweep.received if sweep else 0),
            ),
            sweep.coverage if sweep else None,
        )

    def _snapshot(self, universe: Universe, books: Books, sweep: float = 0.0) -> Snapshot:
        return Snapshot(
            universe=universe,
            books=books,
            taken_at=self._desk.clock.now(),
            book_age_max=self._options.limits.max_book_age + timedelta(seconds=sweep),
        )

    async def _confirm(self, markets: Sequence[Market]) -> Mapping[MarketId, Confirmation]:
        if not markets:
            return {}
        try:
            return await self._desk.catalog.confirm(markets)
        except VenueError:
            return {}

    async def _count(
        self, groups: Sequence[WholeGroup], *, anew: bool = False
    ) -> Mapping[str, int]:
        if not groups:
            return {}
        try:
            return await self._desk.catalog.count(list(dict.fromkeys(groups)), anew=anew)
        except VenueError:
            return {}

    def _review(self, look: Scan, stand: _Stand, tally: _Tally) -> list[Approved]:
        plans = self._options.limits.plans_per_cycle
        if stand.standing.state is TradingState.THROTTLED:
            plans = max(plans // 2, 1)
        approved: list[Approved] = []
        for opportunity in look.found.opportunities:
            context = self._context(look, stand, plans - len(approved))
            decision = review(opportunity, context, self._options.sizing, look.snapshot)
            tally.findings.append(decision)
            if isinstance(decision, Approved):
                approved.append(decision)
                stand = replace(stand, portfolio=stand.portfolio.after(decision.plan))
        tally.findings += look.found.others
        return approved

    def _context(self, look: Scan, stand: _Stand, plans_left: int) -> Context:
        return Context(
            portfolio=stand.portfolio,
            limits=self._options.limits,
            standing=stand.standing,
            contradictions=stand.contradictions,
            confirmations=look.confirmations,
            counted=look.counted,
            books_from=look.snapshot.taken_at,
            now=self._desk.clock.now(),
            plans_left=plans_left,
        )

    async def _execute_all(
        self,
        number: int,
        approved: Sequence[Approved],
        universe: Universe,
        tally: _Tally,
        stopping: Callable[[], bool],
    ) -> None:
        for place, decision in enumerate(approved):
            if stopping():
                await self._end(
                    decision, Reason.STOPPED, "the orchestrator was told to stop", tally
                )
                continue
            if place:
                await self._desk.clock.sleep(self._options.execution_pause_seconds)
            standing = await self._desk.ledger.standing()
            if standing.state is TradingState.HALTED:
                said = f"{standing.word}: {standing.why}".removesuffix(": ")
                await self._end(decision, Reason.HALTED, said, tally)
                continue
            try:
                await self._execute(number, decision, universe, tally)
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001  # one plan's failure never ends the cycle
                what = f"{type(error).__name__}: {error}"
                tally.errors.append(Problem(where=f"plan {decision.plan.id}", what=what))
                await self._end(decision, Reason.EXECUTION_FAILED, what, tally)

    async def _execute(
        self, number: int, decision: Approved, universe: Universe, tally: _Tally
    ) -> None:
        plan = decision.plan
        if found := stopped(plan.kind, plan.venue, await self._desk.ledger.contradictions()):
            # A plan of this very cycle may have come to something else than was proved.
            await self._end(decision, Reason.CONTRADICTED, found.sentence, tally)
            return
        if refused := await self._count_again(number, decision.opportunity, tally):
            await self._end(decision, *refused, tally)
            return
        again = await self._look_again(decision.opportunity, universe)
        if isinstance(again, str):
            await self._end(decision, Reason.EDGE_VANISHED, again, tally)
            return
        if repeated := self._executor.repeats(plan):
            await self._end(decision, Reason.SENT_BEFORE, repeated, tally)
            return
        await self._desk.ledger.open_plan(number, plan)
        self._tell(PlanStarted(plan))
        report = await self._executor.execute(plan, again)
        tally.plans.append(report)
        if report.alarm:
            tally.errors.append(Problem(where=f"plan {report.plan}", what=report.alarm))
        tally.ended.append((decision.opportunity.id, outcome_of(report)))
        await tell_ends(self._desk.ledger, self._desk.observers)

    async def _count_again(
        self, number: int, opportunity: Opportunity, tally: _Tally
    ) -> tuple[Reason, str] | None:
        """Why not all outcomes of a set are known to be listed any more; `None`: they are."""
        counted = await self._count(opportunity.whole, anew=True)
        for alarm in miscounts([opportunity], counted):
            tally.data_quality.append(alarm)
            self._tell(QualityAlarm(number, alarm))
            return Reason.CHAIN_COUNT_DIFFERS, alarm.detail
        if any(whole.group not in counted for whole in opportunity.whole):
            return Reason.CHAIN_COUNT_UNKNOWN, "the chain did not say it again"
        return None

    async def _look_again(self, opportunity: Opportunity, universe: Universe) -> str | Books:
        """Prove the same legs against fresh books: those, or what is gone."""
        markets = [proven.market for proven in opportunity.legs]
        outcomes = [o for market in markets for o in (market.yes, market.no)]
        try:
            books = await self._desk.books.fetch(list(dict.fromkeys(outcomes)))
        except Unavailable as error:
            return str(error)
        snapshot = self._snapshot(universe, books)
        for market in markets:
            if speaks_against := obstacle(market, snapshot):
                return speaks_against.detail
        same = Candidate(
            kind=opportunity.kind,
            event=opportunity.event,
            legs=tuple(proven.leg for proven in opportunity.legs),
            available=opportunity.available,
        )
        again = prove(same, snapshot)
        if isinstance(again, Unproven):
            return again.detail
        limits = self._options.limits
        if again.profit_fraction < limits.min_profit_threshold:
            return f"only {again.profit_fraction * 100:.2f} % is left"
        return books if again.profit >= limits.min_profit_usd else f"only ${again.profit} is left"

    async def _end(self, decision: Approved, reason: Reason, detail: str, tally: _Tally) -> None:
        tally.ended.append((decision.opportunity.id, reason))
        await self._desk.ledger.record_outcome(decision.opportunity.id, reason, detail)

    def _problems(self) -> list[Problem]:
        desk = self._desk
        scouts = desk.scouts.problems() if desk.scouts is not None else ()
        return [*desk.catalog.problems(), *desk.books.problems(), *scouts]

    def _new_tally(self) -> _Tally:
        return _Tally(self._desk.clock.now(), self._desk.clock.monotonic())

    async def _stand(self, now: datetime) -> _Stand:
        """The account and the state of trading that its record calls for, kept if it changed."""
        ledger = self._desk.ledger
        portfolio, standing = await ledger.portfolio(now), await ledger.standing()
        stops = await ledger.contradictions()
        known, self.known = self.known, standing
        if known is not None and (known.state, known.reason) != (standing.state, standing.reason):
            # Another process has changed it, for instance `arb pause`.
            self._tell(StateChanged(standing.state, standing.reason, standing.by_operator))
        judged = judge(standing, portfolio, self._options.limits, now)
        if reason := self._desk.killed() or self._against():
            # Not the ledger's state: it ends by itself as soon as the reason does.
            halted = Standing(state=TradingState.HALTED, reason=reason, since=now)
            return _Stand(portfolio, halted, stops)
        if judged != standing:
            await ledger.set_standing(judged)
            self.known = judged
            if judged.state is not standing.state:
                self._tell(StateChanged(judged.state, judged.reason))
        return _Stand(portfolio, judged, stops)

    def _report(
        self,
        number: int,
        look: Scan | None,
        tally: _Tally,
        risk: RiskStatus,
    ) -> CycleReport:
        alarms = (*(look.found.data_quality if look else ()), *tally.data_quality)
        return CycleReport(
            cycle=number,
            mode=self._desk.mode,
            account=self._desk.ledger.account,
            started_at=tally.started_at,
            duration_ms=round((self._desk.clock.monotonic() - tally.ticks) * 1000),
            markets=len(look.listed.markets) if look else 0,
            events=len(look.listed.events) if look else 0,
            books=len(look.snapshot.books) if look else 0,
            findings=tuple(tally.findings),
            outcomes=tuple(tally.ended),
            data_quality=tuple(alarms[: self._options.data_quality_listed_max]),
            data_quality_count=len(alarms),
            plans=tuple(tally.plans),
            errors=tuple(tally.errors),
            risk=risk,
            funnel=self._funnel(look, tally) if look else Funnel(),
            reasons=count_reasons(tally.findings, tally.ended),
            completeness=look.completeness if look else Completeness(),
            coverage=look.coverage if look else None,
            reachable=look is not None,
        )

    def _funnel(self, look: Scan, tally: _Tally) -> Funnel:
        least = self._options.limits.min_profit_threshold
        return replace(
            look.counts,
            above_threshold=sum(o.profit_fraction >= least for o in look.found.opportunities),
            approved=sum(isinstance(finding, Approved) for finding in tally.findings),
            filled=sum(reason is Reason.FILLED for _, reason in tally.ended),
        )

    def _tell(self, news: News) -> None:
        for observer in self._desk.observers:
            observer(news)


def _events(universe: Universe, wanted: frozenset[EventId]) -> list[Event]:
    return [event for event in universe.events.values() if event.id in wanted]
