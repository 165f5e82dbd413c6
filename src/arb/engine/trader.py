"""Acting: what was approved is proved again on fresh books, then carried out, one by one."""

from collections.abc import Callable, Sequence

from arb.domain.book import Books
from arb.domain.contradiction import stopped
from arb.domain.decision import Approved
from arb.domain.errors import LedgerError, Unavailable
from arb.domain.halt import TradingState
from arb.domain.market import Universe
from arb.domain.news import PlanStarted, QualityAlarm
from arb.domain.opportunity import Candidate, Opportunity, Unproven, prove
from arb.domain.reason import Reason
from arb.domain.report import Problem, ProblemKind
from arb.domain.tradable import obstacle
from arb.engine.decide import miscounts
from arb.engine.ends import outcome_of, tell_ends
from arb.engine.execute import Executor
from arb.engine.options import EngineOptions
from arb.engine.scanner import Scanner
from arb.engine.tally import Tally
from arb.ports import Clock, Ledger
from arb.publisher import Publisher


class Trader:
    """Takes approved opportunities."""

    def __init__(  # what taking needs, each part by its name
        self,
        *,
        executor: Executor,
        scanner: Scanner,
        ledger: Ledger,
        clock: Clock,
        news: Publisher,
        options: EngineOptions,
    ) -> None:
        """Take through an executor what a scanner reads again first."""
        self._executor, self._scanner = executor, scanner
        self._ledger, self._clock, self._news = ledger, clock, news
        self._options = options

    async def take(
        self,
        run: int,
        approved: Sequence[Approved],
        universe: Universe,
        tally: Tally,
        stopping: Callable[[], bool],
    ) -> None:
        """Carry out one approval after another; one plan's failure never ends the run.

        Args:
            run: The run that found them, in the ledger.
            approved: What to take, the best first.
            universe: What is listed.
            tally: Gathers plans, ends and errors.
            stopping: Whether nothing new may be started any more.

        Raises:
            LedgerError: The ledger cannot be used.
        """
        for place, decision in enumerate(approved):
            if stopping():
                await self._end(decision, Reason.STOPPED, "the orchestrator was stopped", tally)
                continue
            if place:
                await self._clock.sleep(self._options.execution_pause)
            standing = await self._ledger.standing()
            if standing.state is TradingState.HALTED:
                said = f"{standing.word}: {standing.reason}".removesuffix(": ")
                await self._end(decision, Reason.HALTED, said, tally)
                continue
            try:
                await self._take(run, decision, universe, tally)
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001  # one plan's failure never ends the run
                what = f"{type(error).__name__}: {error}"
                tally.errors.append(
                    Problem(kind=ProblemKind.PLAN, where=f"plan {decision.plan.id}", what=what)
                )
                await self._end(decision, Reason.EXECUTION_FAILED, what, tally)

    async def _take(self, run: int, decision: Approved, universe: Universe, tally: Tally) -> None:
        plan = decision.plan
        if found := stopped(plan.kind, plan.venues, await self._ledger.contradictions()):
            # A plan of this very run may have contradicted its proof.
            await self._end(decision, Reason.CONTRADICTED, found.sentence, tally)
            return
        if refused := await self._count_again(run, decision.opportunity, tally):
            await self._end(decision, *refused, tally)
            return
        again = await self._prove_again(decision.opportunity, universe)
        if isinstance(again, str):
            await self._end(decision, Reason.EDGE_VANISHED, again, tally)
            return
        if repeated := self._executor.repeats(plan):
            await self._end(decision, Reason.SENT_BEFORE, repeated, tally)
            return
        await self._ledger.open_plan(run, plan)
        self._news.publish(PlanStarted(plan))
        report = await self._executor.execute(plan, again)
        tally.plans.append(report)
        if report.alarm:
            tally.errors.append(
                Problem(kind=ProblemKind.PLAN, where=f"plan {report.plan}", what=report.alarm)
            )
        tally.ended.append((decision.opportunity.id, outcome_of(report)))
        await tell_ends(self._ledger, self._news)

    async def _count_again(
        self, run: int, opportunity: Opportunity, tally: Tally
    ) -> tuple[Reason, str] | None:
        """Why not all outcomes of a set are known to be listed any more; `None`: they are."""
        counted = await self._scanner.count(opportunity.whole, anew=True)
        for alarm in miscounts([opportunity], counted):
            tally.data_quality.append(alarm)
            self._news.publish(QualityAlarm(run, alarm))
            return Reason.CHAIN_COUNT_DIFFERS, alarm.detail
        if any(whole.group not in counted for whole in opportunity.whole):
            return Reason.CHAIN_COUNT_UNKNOWN, "the chain did not confirm it again"
        return None

    async def _prove_again(self, opportunity: Opportunity, universe: Universe) -> str | Books:
        """Prove the same legs against fresh books: those, or what is gone."""
        markets = [proven.market for proven in opportunity.legs]
        outcomes = [o for market in markets for o in (market.yes, market.no)]
        try:
            books = await self._scanner.books(list(dict.fromkeys(outcomes)))
        except Unavailable as error:
            return str(error)
        snapshot = self._scanner.snapshot(universe, books)
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

    async def _end(self, decision: Approved, reason: Reason, detail: str, tally: Tally) -> None:
        tally.ended.append((decision.opportunity.id, reason))
        await self._ledger.record_outcome(decision.opportunity.id, reason, detail)
