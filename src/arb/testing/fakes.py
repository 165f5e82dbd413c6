"""Parts that keep their word in memory: for simulations of thousands of runs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from arb.adapters.storage.codec import dump_fact, fact_key, load_fact
from arb.domain.bot import BotEvent
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Finding
from arb.domain.errors import LedgerError
from arb.domain.fact import Answered, Discovered, Fact, Voided
from arb.domain.halt import Standing
from arb.domain.market import VenueId
from arb.domain.money import ZERO, Shares, Usd, to_micro
from arb.domain.order import Fill, PlanId
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.position import Adjustment, Pocket, Portfolio, Position
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, FillRecord, RunCause, Statistics
from arb.domain.snapshot import Snapshot
from arb.engine.account import PlanAccount, read


@dataclass(slots=True)
class _Kept:
    plan: Plan
    facts: dict[str, str] = field(default_factory=dict)
    report: ExecutionReport | None = None
    untold: bool = False


@dataclass(slots=True)
class MemoryLedger:
    """See `arb.ports.Ledger`. Facts are kept as text, so what comes back was really written."""

    account: str = "paper:memory"
    opening: Mapping[VenueId, Usd] = field(default_factory=dict)
    opened: datetime | None = None
    _plans: dict[PlanId, _Kept] = field(default_factory=dict)
    _standing: Standing = field(default_factory=Standing)
    _adjusted: list[Adjustment] = field(default_factory=list)
    _adjusted_at: datetime | None = None
    _run: int = 0
    _contradictions: dict[str, Contradiction] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    async def open_account(self, opening: Mapping[VenueId, Usd], at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        self.opened = self.opened or at
        self.opening = {**opening, **self.opening}

    async def opened_at(self) -> datetime | None:
        """See `arb.ports.Ledger`."""
        return self.opened

    async def adjusted_at(self) -> datetime | None:
        """See `arb.ports.Ledger`."""
        return self._adjusted_at

    async def begin_run(self, _at: datetime, _cause: RunCause) -> int:
        """See `arb.ports.Ledger`."""
        self._run += 1
        return self._run

    async def record_findings(
        self, run: int, findings: Sequence[Finding], snapshot: Snapshot
    ) -> None:
        """Not kept."""

    async def record_outcome(self, opportunity: str, reason: Reason, detail: str) -> None:
        """Not kept."""

    async def record_run(self, report: CycleReport) -> None:
        """Not kept."""

    async def record_bot(self, event: BotEvent) -> None:
        """Not kept."""

    async def open_plan(self, _run: int, plan: Plan) -> None:
        """See `arb.ports.Ledger`."""
        known = self._plans.setdefault(plan.id, _Kept(plan))
        if known.plan != plan:
            raise LedgerError(f"plan {plan.id} is there already, and it is another one")

    async def append(self, plan: PlanId, facts: Sequence[Fact]) -> None:
        """See `arb.ports.Ledger`."""
        kept = self._kept(plan)
        for fact in facts:
            for fill in _fills_of(fact):
                _check(fill.price, fill.size, fill.fee, fill.shown)
        for fact in facts:
            kept.facts.setdefault(fact_key(fact), dump_fact(fact))

    async def facts(self, plan: PlanId) -> Sequence[Fact]:
        """See `arb.ports.Ledger`."""
        kept = self._plans.get(plan)
        return [load_fact(stored) for stored in kept.facts.values()] if kept else []

    async def close_plan(self, report: ExecutionReport, _at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        kept = self._kept(report.plan)
        kept.untold = kept.untold or kept.report is None
        kept.report = report

    async def untold_ends(self) -> Sequence[tuple[Plan, ExecutionReport]]:
        """See `arb.ports.Ledger`."""
        return [(k.plan, k.report) for k in self._plans.values() if k.untold and k.report]

    async def mark_told(self, plan: PlanId) -> None:
        """See `arb.ports.Ledger`."""
        self._plans[plan].untold = False

    async def reopen_plan(self, plan: PlanId) -> None:
        """See `arb.ports.Ledger`."""
        self._plans[plan].report, self._plans[plan].untold = None, False

    async def open_plans(self) -> Sequence[Plan]:
        """See `arb.ports.Ledger`."""
        found = [kept.plan for kept in self._plans.values() if kept.report is None]
        return sorted(found, key=lambda plan: (plan.approved_at, plan.id))

    async def locked_plans(self) -> Sequence[Plan]:
        """See `arb.ports.Ledger`."""
        return [
            kept.plan
            for kept in self._plans.values()
            if kept.report is not None and await self.holdings(kept.plan.id)
        ]

    async def holdings(self, plan: PlanId) -> Sequence[Position]:
        """See `arb.ports.Ledger`."""
        account = await self._read(plan)
        markets = {leg.outcome: leg.market for leg in self._plans[plan].plan.legs}
        first = self._plans[plan].plan.legs[0].market
        return [
            Position(outcome=o, market=markets.get(o, first), shares=shares)
            for o, shares in sorted(account.held.items())
            if shares
        ]

    async def recent(self, since: datetime | None) -> Sequence[tuple[Plan, Sequence[Fact]]]:
        """See `arb.ports.Ledger`; without a time, all plans."""
        found = [(kept, await self.facts(id_)) for id_, kept in self._plans.items()]
        return [
            (kept.plan, facts)
            for kept, facts in found
            if kept.report is None or since is None or any(fact.at >= since for fact in facts)
        ]

    async def adjust(self, changes: Sequence[Adjustment], at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        _check(*(change.delta for change in changes))
        self._adjusted += changes
        self._adjusted_at = at

    async def fills(self, since: datetime) -> Sequence[Fill]:
        """See `arb.ports.Ledger`."""
        facts = [fact for id_ in self._plans for fact in await self.facts(id_)]
        voided = {(fact.order, fact.trade) for fact in facts if isinstance(fact, Voided)}
        found = [fill for fact in facts for fill in _fills_of(fact)]
        kept = (f for f in found if f.at >= since and (f.order, f.trade) not in voided)
        return sorted(kept, key=lambda fill: fill.at)

    async def portfolio(self, _now: datetime) -> Portfolio:
        """See `arb.ports.Ledger`. Counts of the day are not kept."""
        cash: defaultdict[VenueId, Decimal] = defaultdict(lambda: ZERO, self.opening)
        for change in self._adjusted:
            if change.outcome is None:
                cash[change.venue] += change.delta
        positions: dict[object, Position] = {}
        for id_ in self._plans:
            for venue, moved in (await self._read(id_)).cash_at.items():
                cash[venue] += moved
            for held in await self.holdings(id_):
                before = positions.get(held.outcome)
                shares = held.shares + (before.shares if before else ZERO)
                positions[held.outcome] = Position(
                    outcome=held.outcome, market=held.market, shares=Shares(shares)
                )
        for change in self._adjusted:
            if change.outcome is not None and change.market is not None:
                before = positions.get(change.outcome)
                shares = change.delta + (before.shares if before else ZERO)
                positions[change.outcome] = Position(
                    outcome=change.outcome, market=change.market, shares=Shares(shares)
                )
        unfinished = await self.open_plans()
        return Portfolio(
            pockets={venue: Pocket(Usd(amount)) for venue, amount in cash.items()},
            open_plans=len(unfinished),
            busy=frozenset(market for plan in unfinished for market in plan.markets),
            positions={held.outcome: held for held in positions.values()},
        )

    async def standing(self) -> Standing:
        """See `arb.ports.Ledger`."""
        return self._standing

    async def set_standing(self, standing: Standing) -> None:
        """See `arb.ports.Ledger`."""
        self._standing = standing

    async def contradict(self, found: Contradiction) -> None:
        """See `arb.ports.Ledger`."""
        self._contradictions.setdefault(found.key, found)

    async def contradictions(self) -> Sequence[Contradiction]:
        """See `arb.ports.Ledger`."""
        return [c for key, c in self._contradictions.items() if key not in self._ended]

    async def mark_contradiction_told(self, key: str) -> None:
        """See `arb.ports.Ledger`."""
        self._contradictions[key] = replace(self._contradictions[key], told=True)

    async def end_contradictions(self, keys: Sequence[str], _why: str, _at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        self._ended |= set(keys)

    async def fill_records(self) -> Mapping[str, FillRecord]:
        """See `arb.ports.Ledger`."""
        found: dict[str, FillRecord] = {}
        for kept in self._plans.values():
            if kept.report is None or not any(key.startswith("submitted/") for key in kept.facts):
                continue
            kind, report = str(kept.plan.kind), kept.report
            before = found.get(kind, FillRecord())
            found[kind] = before.after(report.state, report.realised, kept.plan.outlay)
        return found

    async def statistics(self, _since: datetime | None = None) -> Statistics:
        """See `arb.ports.Ledger`."""
        reports = [kept.report for kept in self._plans.values() if kept.report is not None]
        done = [report for report in reports if report.state is PlanState.DONE]
        return Statistics(
            cycles=self._run,
            trades=len(reports),
            successes=len(done),
            failures=len(reports) - len(done),
            realised=Usd(sum((report.realised for report in reports), ZERO)),
        )

    async def close(self) -> None:
        """Nothing to let go of."""

    def report(self, plan: PlanId) -> ExecutionReport | None:
        """How a plan ended, if it did."""
        kept = self._plans.get(plan)
        return kept.report if kept else None

    def _kept(self, plan: PlanId) -> _Kept:
        if plan not in self._plans:
            raise LedgerError(f"there is no plan {plan}")
        return self._plans[plan]

    async def _read(self, plan: PlanId) -> PlanAccount:
        return read(await self.facts(plan))


def _fills_of(fact: Fact) -> Sequence[Fill]:
    """What a fact adds to the account's fills."""
    match fact:
        case Answered(answer=answer):
            return answer.fills
        case Discovered(fills=fills):
            return fills
        case _:
            return ()


def _check(*amounts: Decimal) -> None:
    """Whether the amounts can be kept; only whole millionths can."""
    try:
        for amount in amounts:
            to_micro(amount)
    except ValueError as error:
        raise LedgerError(str(error)) from error
