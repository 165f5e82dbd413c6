"""A ledger that forgives short outages where nothing is traded on the strength of it.

- Class A is what trading depends on: intents, facts, the account, the state of trading. It goes
  straight to the ledger and fails at once, so that nothing is sent that is not written down.
- Class B records how cycles and opportunities ended, class C what was examined. While the ledger
  does not answer, they wait in memory, in order, and are written before the next write.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from arb.adapters.storage.ledger import SKIPPED_KEPT_MAX
from arb.domain.book import BookMap
from arb.domain.bot import BotEvent
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Approved, Finding, Refused
from arb.domain.errors import LedgerError
from arb.domain.fact import Fact
from arb.domain.halt import Standing
from arb.domain.market import OutcomeId, Universe, VenueId
from arb.domain.money import Usd
from arb.domain.news import Trouble
from arb.domain.opportunity import Skipped
from arb.domain.order import Fill, PlanId
from arb.domain.plan import ExecutionReport, Plan
from arb.domain.position import Adjustment, Portfolio, Position
from arb.domain.reason import Reason
from arb.domain.report import (
    CycleReport,
    FillRecord,
    Problem,
    ProblemKind,
    RunCause,
    Statistics,
)
from arb.domain.snapshot import Snapshot
from arb.ports import Ledger
from arb.publisher import Observer

T = TypeVar("T")
Write = Callable[[], Awaitable[None]]

WAITING_MAX = 100
REFUSALS_MAX = 3
"""A record that is refused so often, while others are taken, is given up."""


@dataclass(slots=True, eq=False)
class _Record:
    """A write that can wait."""

    write: Write
    critical: bool
    """Class B; without it, class C."""
    refusals: int = 0


class ResilientLedger:
    """See `arb.ports.Ledger`. Records wait while the inner one does not answer; trades do not."""

    def __init__(self, inner: Ledger, observe: Observer) -> None:
        self._inner = inner
        self._observe = observe
        self._waiting: list[_Record] = []
        self._at_work = asyncio.Lock()
        self._outage = False
        self.account = inner.account
        self.dropped = 0
        """Records given up since the start."""
        self._dropped_before = 0

    @property
    def waiting(self) -> int:
        """How many records wait."""
        return len(self._waiting)

    # What can wait.

    async def record_findings(
        self, run: int, findings: Sequence[Finding], snapshot: Snapshot
    ) -> None:
        """See `arb.ports.Ledger`."""
        kept = _kept(findings)

        def light() -> Write:
            narrow = _narrowed(kept, snapshot)
            return lambda: self._inner.record_findings(run, kept, narrow)

        await self._record(
            lambda: self._inner.record_findings(run, kept, snapshot), critical=False, light=light
        )

    async def record_outcome(self, opportunity: str, reason: Reason, detail: str) -> None:
        """See `arb.ports.Ledger`."""
        await self._record(
            lambda: self._inner.record_outcome(opportunity, reason, detail), critical=True
        )

    async def record_run(self, report: CycleReport) -> None:
        """See `arb.ports.Ledger`."""
        await self._record(lambda: self._inner.record_run(report), critical=True)

    async def record_bot(self, event: BotEvent) -> None:
        """See `arb.ports.Ledger`."""
        await self._record(lambda: self._inner.record_bot(event), critical=True)

    # What trading depends on: writes, once what waits is written; reads, as they are.

    async def open_account(self, opening: Mapping[VenueId, Usd], at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.open_account(opening, at))

    async def begin_run(self, at: datetime, cause: RunCause) -> int:
        """See `arb.ports.Ledger`."""
        return await self._write(lambda: self._inner.begin_run(at, cause))

    async def open_plan(self, run: int, plan: Plan) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.open_plan(run, plan))

    async def append(self, plan: PlanId, facts: Sequence[Fact]) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.append(plan, facts))

    async def close_plan(self, report: ExecutionReport, at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.close_plan(report, at))

    async def mark_told(self, plan: PlanId) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.mark_told(plan))

    async def reopen_plan(self, plan: PlanId) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.reopen_plan(plan))

    async def adjust(self, changes: Sequence[Adjustment], at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.adjust(changes, at))

    async def set_standing(self, standing: Standing) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.set_standing(standing))

    async def contradict(self, found: Contradiction) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.contradict(found))

    async def mark_contradiction_told(self, key: str) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.mark_contradiction_told(key))

    async def end_contradictions(self, keys: Sequence[str], why: str, at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        await self._write(lambda: self._inner.end_contradictions(keys, why, at))

    async def contradictions(self) -> Sequence[Contradiction]:
        """See `arb.ports.Ledger`."""
        return await self._inner.contradictions()

    async def facts(self, plan: PlanId) -> Sequence[Fact]:
        """See `arb.ports.Ledger`."""
        return await self._inner.facts(plan)

    async def adjusted_at(self) -> datetime | None:
        """See `arb.ports.Ledger`."""
        return await self._inner.adjusted_at()

    async def opened_at(self) -> datetime | None:
        """See `arb.ports.Ledger`."""
        return await self._inner.opened_at()

    async def recent(self, since: datetime) -> Sequence[tuple[Plan, Sequence[Fact]]]:
        """See `arb.ports.Ledger`."""
        return await self._inner.recent(since)

    async def untold_ends(self) -> Sequence[tuple[Plan, ExecutionReport]]:
        """See `arb.ports.Ledger`."""
        return await self._inner.untold_ends()

    async def open_plans(self) -> Sequence[Plan]:
        """See `arb.ports.Ledger`."""
        return await self._inner.open_plans()

    async def locked_plans(self) -> Sequence[Plan]:
        """See `arb.ports.Ledger`."""
        return await self._inner.locked_plans()

    async def holdings(self, plan: PlanId) -> Sequence[Position]:
        """See `arb.ports.Ledger`."""
        return await self._inner.holdings(plan)

    async def fills(self, since: datetime) -> Sequence[Fill]:
        """See `arb.ports.Ledger`."""
        return await self._inner.fills(since)

    async def portfolio(self, now: datetime) -> Portfolio:
        """See `arb.ports.Ledger`."""
        return await self._inner.portfolio(now)

    async def standing(self) -> Standing:
        """See `arb.ports.Ledger`."""
        return await self._inner.standing()

    async def fill_records(self) -> Mapping[str, FillRecord]:
        """See `arb.ports.Ledger`."""
        return await self._inner.fill_records()

    async def statistics(self, since: datetime | None = None) -> Statistics:
        """See `arb.ports.Ledger`. The sums hold what waited, if it can be written by now."""
        await self._catch_up()
        return await self._inner.statistics(since)

    async def close(self) -> None:
        """See `arb.ports.Ledger`. What still cannot be written is given up."""
        try:
            if not await self._catch_up():
                self.dropped += len(self._waiting)
                self._waiting.clear()
                self._end_outage()
        finally:
            await self._inner.close()

    async def _record(
        self, write: Write, *, critical: bool, light: Callable[[], Write] | None = None
    ) -> None:
        """Write, or wait; `light` makes the same write without what is too large to wait with."""
        async with self._at_work:
            record = _Record(write, critical)
            self._waiting.append(record)
            if not await self._drain() and light is not None:
                record.write = light()
            while len(self._waiting) > WAITING_MAX:
                self._give_up(next((r for r in self._waiting if not r.critical), self._waiting[0]))

    async def _write(self, write: Callable[[], Awaitable[T]]) -> T:
        if await self._catch_up():
            return await write()
        # Records never hold a trade up: only the ledger itself can refuse it.
        done = await write()
        async with self._at_work:
            first = self._waiting[0] if self._waiting else None
            if not await self._drain() and first is self._waiting[0]:
                first.refusals += 1
                if first.refusals >= REFUSALS_MAX:
                    self._give_up(first)
        return done

    async def _catch_up(self) -> bool:
        async with self._at_work:
            return await self._drain()

    async def _drain(self) -> bool:
        """Write what waits, oldest first, until the ledger refuses; whether all is written."""
        while self._waiting:
            record = self._waiting[0]
            try:
                await record.write()
            except LedgerError as error:
                self._begin_outage(error)
                return False
            except Exception:
                self._waiting.remove(record)  # a bug is not an outage: it would not go away
                raise
            self._waiting.remove(record)
        self._end_outage()
        return True

    def _give_up(self, record: _Record) -> None:
        self._waiting.remove(record)
        self.dropped += 1

    def _begin_outage(self, error: LedgerError) -> None:
        if not self._outage:
            self._outage = True
            self._dropped_before = self.dropped
            self._tell(f"{error} Up to {WAITING_MAX} records wait in memory until it can.")

    def _end_outage(self) -> None:
        lost = self.dropped - self._dropped_before
        if self._outage and lost:
            self._tell(f"{lost} records of cycles were lost while it did not answer.")
        self._outage = False
        self._dropped_before = self.dropped

    def _tell(self, what: str) -> None:
        self._observe(Trouble(Problem(kind=ProblemKind.LEDGER, where="ledger", what=what)))


def _kept(findings: Sequence[Finding]) -> list[Finding]:
    proven = [finding for finding in findings if not isinstance(finding, Skipped)]
    skipped = [finding for finding in findings if isinstance(finding, Skipped)]
    return [*proven, *skipped[:SKIPPED_KEPT_MAX]]


def _narrowed(findings: Sequence[Finding], snapshot: Snapshot) -> Snapshot:
    """The snapshot with the books and markets of these findings, and no others."""
    universe = snapshot.universe
    outcomes = {outcome for finding in findings for outcome in _outcomes(finding)}
    books = [book for outcome in outcomes if (book := snapshot.books.get(outcome)) is not None]
    markets = {market.id: market for market in (universe.market_of(b.outcome) for b in books)}
    for finding in findings:
        if isinstance(finding, Approved | Refused):
            markets |= {m: universe.markets[m] for m in finding.opportunity.worst_world}
    return replace(snapshot, universe=Universe(markets=markets), books=BookMap(books))


def _outcomes(finding: Finding) -> Sequence[OutcomeId]:
    if isinstance(finding, Skipped):
        return finding.outcomes
    if isinstance(finding, Approved | Refused):
        return [proven.leg.outcome for proven in finding.opportunity.legs]
    return [leg.outcome for leg in finding.candidate.legs]
