"""The results of a period: profit, hit rate, refusals, slippage, capital in use, latency; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arb.adapters.storage.figures import CandidateCount, Figures, PlanFigure
from arb.domain.bot import BotSums
from arb.domain.money import NO_USD, ZERO, Usd, total
from arb.domain.plan import PlanState

DONE, UNWOUND, OPEN = PlanState.DONE.value, PlanState.UNWOUND.value, PlanState.OPEN.value
PROVEN = ("approved", "refused")

Line = tuple[tuple[datetime, Decimal], ...]
"""An amount over time: each value holds until the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The results of a set of plans."""

    opportunities: int = 0
    approved: int = 0
    open: int = 0
    successes: int = 0
    failures: int = 0
    outlay: Usd = NO_USD
    realised: Usd = NO_USD
    locked: Usd = NO_USD
    """Cash that ended plans bind until resolution."""
    locked_profit: Usd = NO_USD
    """Proven profit of what is held to resolution; not realised."""

    @property
    def trades(self) -> int:
        """Plans that ended, either way."""
        return self.successes + self.failures

    @property
    def hit_rate(self) -> Decimal | None:
        """Successes among ended plans; `None` before the first."""
        return Decimal(self.successes) / self.trades if self.trades else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What one plan that was filled has cost, against its proof."""

    plan: str
    kind: str
    event: str
    at: datetime
    proof: Usd
    paid: Usd

    @property
    def slippage(self) -> Usd:
        """Paid beyond the proof; negative: cheaper than proved."""
        return Usd(self.paid - self.proof)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long something took, in milliseconds."""

    count: int = 0
    median: int | None = None
    p95: int | None = None
    longest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclePoint:
    """All sums as they stood when a run ended."""

    run: int
    at: datetime
    duration_ms: int
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything in a report."""

    cycles: int
    all: Sums
    by_kind: Mapping[str, Sums]
    refusals: Mapping[str, int]
    """Proven opportunities that were not taken, by reason."""
    candidates: Mapping[str, int]
    """All candidates of all cycles, by the reason that they ended for."""
    slips: Sequence[Slip]
    capital: Line
    """Cash bound by plans over time."""
    profit: Line
    """Realised profit over time."""
    cycle_durations: Durations
    plan_durations: Durations
    """From a plan's approval to the venue's last word on its orders."""
    points: Sequence[CyclePoint]
    bots: Sequence[BotSums] = ()

    @property
    def slippage(self) -> Usd:
        """Paid beyond the proofs, over all filled plans."""
        return total(slip.slippage for slip in self.slips)

    @property
    def capital_peak(self) -> Usd:
        """The most cash that was bound at once."""
        return Usd(max((amount for _, amount in self.capital), default=ZERO))


def summarise(figures: Figures) -> Summary:
    """The figures of a period, summed up for a report."""
    plans, candidates = figures.plans, figures.candidates
    found = sum(cycle.opportunities for cycle in figures.cycles)
    kinds = sorted({p.kind for p in plans} | {c.kind for c in candidates if c.decision in PROVEN})
    counted: Counter[str] = Counter()
    for cycle in figures.cycles:
        counted.update(cycle.reasons)
    refused: Counter[str] = Counter()
    for each in candidates:
        if each.decision == "refused":
            refused[each.reason] += each.count
    return Summary(
        cycles=len(figures.cycles),
        all=_sums(plans, found),
        by_kind={
            kind: _sums([p for p in plans if p.kind == kind], _proven(candidates, kind))
            for kind in kinds
        },
        refusals=_largest_first(refused),
        candidates=_largest_first(counted),
        slips=[
            Slip(
                plan=plan.id,
                kind=plan.kind,
                event=plan.event,
                at=plan.approved_at,
                proof=Usd(plan.outlay),
                paid=Usd(plan.paid),
            )
            for plan in plans
            if plan.state == DONE
        ],
        capital=_capital(plans),
        profit=_running(
            (plan.ended_at, plan.realised)
            for plan in plans
            if plan.ended_at is not None and plan.realised != ZERO
        ),
        cycle_durations=_durations([cycle.duration_ms for cycle in figures.cycles]),
        plan_durations=_durations(
            [
                round((plan.answered_at - plan.approved_at).total_seconds() * 1000)
                for plan in plans
                if plan.answered_at is not None
            ]
        ),
        points=_points(figures),
        bots=figures.bots,
    )


def _sums(plans: Iterable[PlanFigure], found: int) -> Sums:
    plans = list(plans)
    ended = [plan for plan in plans if plan.state != OPEN]
    waiting = [plan for plan in ended if plan.locked > ZERO and plan.state == DONE]
    return Sums(
        opportunities=found,
        approved=len(plans),
        open=len(plans) - len(ended),
        successes=sum(plan.state == DONE for plan in ended),
        failures=sum(plan.state == UNWOUND for plan in ended),
        outlay=total(Usd(plan.outlay) for plan in plans),
        realised=total(Usd(plan.realised) for plan in ended),
        locked=total(Usd(plan.locked) for plan in ended),
        locked_profit=total(Usd(plan.payoff_worst - plan.outlay) for plan in waiting),
    )


def _proven(candidates: Iterable[CandidateCount], kind: str) -> int:
    return sum(c.count for c in candidates if c.kind == kind and c.decision in PROVEN)


def _capital(plans: Iterable[PlanFigure]) -> Line:
    """A plan binds its outlay from its approval to its end, and then what waits for resolution."""
    changes: list[tuple[datetime, Decimal]] = []
    for plan in plans:
        changes.append((plan.approved_at, plan.outlay))
        if plan.ended_at is not None:
            changes.append((plan.ended_at, plan.locked - plan.outlay))
    return _running(changes)


def _running(changes: Iterable[tuple[datetime, Decimal]]) -> Line:
    amount, line = ZERO, dict[datetime, Decimal]()
    for at, change in sorted(changes):
        amount += change
        line[at] = amount
    return tuple(line.items())


def _points(figures: Figures) -> list[CyclePoint]:
    """The sums after each cycle: with the plans that were approved in it or before."""
    waiting = sorted(figures.plans, key=lambda plan: plan.run, reverse=True)
    points, so_far = list[CyclePoint](), Sums()
    for cycle in figures.cycles:
        mine = []
        while waiting and waiting[-1].run <= cycle.run:  # also those of cycles that were cut off
            mine.append(waiting.pop())
        new = _sums(mine, cycle.opportunities)
        so_far = _added(so_far, new)
        points.append(
            CyclePoint(run=cycle.run, at=cycle.ended_at, duration_ms=cycle.duration_ms, sums=so_far)
        )
    return points


def _added(one: Sums, other: Sums) -> Sums:
    names = Sums.__dataclass_fields__
    return Sums(**{name: getattr(one, name) + getattr(other, name) for name in names})


def _durations(taken: Sequence[int]) -> Durations:
    if not taken:
        return Durations()
    ordered = sorted(taken)
    return Durations(
        count=len(ordered),
        median=_percentile(ordered, 50),
        p95=_percentile(ordered, 95),
        longest=ordered[-1],
    )


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The nearest rank: a duration that was measured, not one between two."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _largest_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
