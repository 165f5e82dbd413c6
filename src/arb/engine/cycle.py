"""One cycle as a straight line: scan, review, record, take, report."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from arb.domain.book import OrderBook
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Approved, Decision, Refused
from arb.domain.errors import VenueError
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.market import OutcomeId
from arb.domain.money import Usd, total
from arb.domain.news import (
    BooksFetched,
    Decided,
    QualityAlarm,
    RiskChecked,
    StateChanged,
    Trouble,
)
from arb.domain.position import Portfolio
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, FillRecord, Problem, ProblemKind
from arb.engine.options import EngineOptions
from arb.engine.scan import Scan
from arb.engine.scanner import Scanner
from arb.engine.tally import Tally
from arb.engine.trader import Trader
from arb.interlocks import Interlock, no_opening
from arb.ports import Clock, Ledger, Offload, inline
from arb.publisher import Publisher
from arb.risk.checks import Context
from arb.risk.gate import review
from arb.risk.halt import judge, status
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions

SHARED = frozenset(
    {
        Reason.OUTCOME_TAKEN,
        Reason.OPEN_POSITIONS,
        Reason.DAILY_VOLUME,
        Reason.CASH,
        Reason.EVENT_EXPOSURE,
        Reason.PLANS_PER_CYCLE,
        Reason.SIZED_BELOW_MIN,
    }
)
"""Refusals that may be due to what was approved before."""
TOLD_AT_ONCE = 100
"""Findings published before other tasks of the loop get their turn."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """How the account stands."""

    portfolio: Portfolio
    standing: Standing
    contradictions: Sequence[Contradiction]
    fill_records: Mapping[str, FillRecord]

    def status(self, limits: RiskLimits) -> RiskStatus:
        """Whether the cycle may trade."""
        return status(self.standing, self.portfolio, limits, self.contradictions)


class Cycle:
    """Runs cycles, one at a time."""

    def __init__(  # what a cycle needs, each part by its name
        self,
        *,
        scanner: Scanner,
        trader: Trader,
        ledger: Ledger,
        clock: Clock,
        news: Publisher,
        options: EngineOptions,
        interlocks: Sequence[Interlock],
        mode: str,
        offload: Offload = inline,
    ) -> None:
        """Scan through a scanner, trade through a trader.

        Args:
            scanner: What looks.
            trader: What acts.
            ledger: The account.
            clock: Time.
            news: Gets what happens.
            options: Limits and sizes.
            interlocks: A closed one keeps new plans from being made.
            mode: `dry-run` or `live`, for the report.
            offload: How long computations are kept off the loop.
        """
        self._scanner, self._trader = scanner, trader
        self._ledger, self._clock, self._news = ledger, clock, news
        self._options, self._interlocks = options, interlocks
        self._mode, self._offload = mode, offload
        self.known: Standing | None = None
        """The state of trading that was published last."""
        self.held_books: Mapping[OutcomeId, OrderBook] = {}
        """The book of each outcome that is held, as it was last read."""

    async def run(
        self, number: int, *, stopping: Callable[[], bool], event: str | None = None
    ) -> CycleReport:
        """Scan once and trade what survives every gate.

        A venue that cannot be read ends the cycle early with the error in its report; nothing that
        happens to one opportunity ends it. Errors of the ledger do.

        Args:
            number: The number of its run in the ledger.
            stopping: Whether nothing new may be started any more.
            event: The slug of the one event to scan; the whole market without it.
        """
        tally = Tally.begin(self._mode, self._ledger.account, self._clock)
        stand = await self._stand(tally.started_at)
        risk = stand.status(self._options.limits)
        self._news.publish(RiskChecked(number, risk))
        scan = await self._scan(event, tally)
        if scan is not None:
            self._tell_of(number, scan)
            approved = await self._offload(partial(self._review, scan, stand, tally))
            for place, finding in enumerate(tally.findings, 1):
                self._news.publish(Decided(number, finding))
                if place % TOLD_AT_ONCE == 0:
                    await asyncio.sleep(0)
            await self._ledger.record_findings(number, tally.findings, scan.snapshot)
            await self._trader.take(number, approved, scan.listed, tally, stopping)
        tally.errors += self._scanner.problems()
        for problem in tally.errors:
            self._news.publish(Trouble(problem))
        stand = await self._stand(self._clock.now())
        if scan is not None:
            latest, held = scan.snapshot.books, stand.portfolio.positions
            both = {**self.held_books, **{id_: latest[id_] for id_ in held if id_ in latest}}
            self.held_books = {id_: book for id_, book in both.items() if id_ in held}
        risk = stand.status(self._options.limits) if risk.can_trade else risk
        report = tally.report(number, scan, risk, self._options)
        await self._ledger.record_run(report)
        return report

    async def _scan(self, event: str | None, tally: Tally) -> Scan | None:
        try:
            async with asyncio.timeout(self._options.look_seconds_max):
                return await self._scanner.scan(event)
        except TimeoutError:
            what = f"it could not be read within {self._options.look_seconds_max:g} s"
        except VenueError as error:
            what = str(error)
        tally.errors.append(Problem(kind=ProblemKind.VENUE, where="venue", what=what, away=True))
        return None

    def _tell_of(self, number: int, scan: Scan) -> None:
        listed, received = scan.listed, scan.completeness.books_received
        news, proved = self._news, len(scan.found.opportunities)
        news.publish(
            BooksFetched(number, len(listed.events), len(listed.markets), received, proved)
        )
        for alarm in scan.found.data_quality[: self._options.data_quality_listed_max]:
            news.publish(QualityAlarm(number, alarm))

    def _review(self, scan: Scan, stand: _Stand, tally: Tally) -> list[Approved]:
        """Decide on all that was found: in the order of profit, or of profit by the dollar.

        What is approved leaves less for what comes later. Where that has refused something, the
        other order is tried as well, and the one whose plans are worth more in all is taken.
        """
        found = scan.found.opportunities
        decisions = self._decided(range(len(found)), scan, stand)
        if any(isinstance(d, Refused) and d.reason in SHARED for d in decisions.values()):
            by_dollar = sorted(decisions, key=lambda n: (-found[n].profit_fraction, n))
            other = self._decided(by_dollar, scan, stand)
            if _worth(other) > _worth(decisions):
                decisions = other
        tally.findings += [decisions[n] for n in range(len(found))]
        tally.findings += scan.found.others
        return _approved(decisions)

    def _decided(self, order: Iterable[int], scan: Scan, stand: _Stand) -> dict[int, Decision]:
        """The decision on each opportunity by its number, one after the other in this order."""
        plans = self._options.limits.plans_per_cycle
        if stand.standing.state is TradingState.THROTTLED:
            plans = max(plans // 2, 1)
        decisions: dict[int, Decision] = {}
        for number in order:
            opportunity = scan.found.opportunities[number]
            context = Context(
                portfolio=stand.portfolio,
                limits=self._options.limits,
                standing=stand.standing,
                contradictions=stand.contradictions,
                fill_records=stand.fill_records,
                confirmations=scan.confirmations,
                counted=scan.counted,
                books_from=scan.snapshot.taken_at,
                now=self._clock.now(),
                plans_left=plans,
            )
            decision = review(opportunity, context, self._options.sizing, scan.snapshot)
            decisions[number] = decision
            if isinstance(decision, Approved):
                plans -= 1
                stand = replace(stand, portfolio=stand.portfolio.after(decision.plan))
        return decisions

    async def _stand(self, now: datetime) -> _Stand:
        """The account and the state of trading that its record calls for, kept if it changed."""
        ledger = self._ledger
        portfolio, standing = await ledger.portfolio(now), await ledger.standing()
        stops = await ledger.contradictions()
        records = await fill_records(ledger, self._options.sizing)
        known, self.known = self.known, standing
        if known is not None and (known.state, known.text) != (standing.state, standing.text):
            # Another process has changed it, for instance `arb pause`.
            changed = StateChanged(
                standing.state, standing.reason, standing.by_operator, standing.pause
            )
            self._news.publish(changed)
        judged = judge(standing, portfolio, self._options.limits, now)
        if blocked := no_opening(self._interlocks):
            # Not the ledger's state: it ends by itself as soon as the reason does.
            halted = Standing(state=TradingState.HALTED, reason=blocked.reason, since=now)
            return _Stand(portfolio, halted, stops, records)
        if judged != standing:
            await ledger.set_standing(judged)
            self.known = judged
            if judged.state is not standing.state:
                self._news.publish(StateChanged(judged.state, judged.reason))
        return _Stand(portfolio, judged, stops, records)


async def fill_records(ledger: Ledger, sizing: SizingOptions) -> Mapping[str, FillRecord]:
    """How plans were filled, by kind; nothing is read where sizes do not go by it."""
    return await ledger.fill_records() if sizing.learn_after else {}


def _approved(decisions: Mapping[int, Decision]) -> list[Approved]:
    return [decision for decision in decisions.values() if isinstance(decision, Approved)]


def _worth(decisions: Mapping[int, Decision]) -> Usd:
    """The proven profit of all plans together."""
    return total(each.opportunity.profit for each in _approved(decisions))
