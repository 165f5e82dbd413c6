"""The planted truth, by exhaustive search: every size on the grid, one after another.

Deliberately naive and independent of the detector: no intervals, no closed forms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from arb.adapters.simulator.listing import Planted, SimEvent, SimMarket
from arb.adapters.simulator.matching import Ladder
from arb.domain.money import MICRO

LEGS_MAX = 15
STEP = 10_000
"""A hundredth of a share, in millionths."""
FEE_STEP = Decimal("0.00001")


@dataclass(frozen=True, slots=True)
class _Leg:
    """Buying one outcome: exact cost, fee before and after truncation."""

    market: int
    cost: Decimal
    fee: Decimal
    fee_charged: Decimal


def no_set(event: SimEvent) -> Planted | None:
    """The most profitable set of NOs of an exclusive event."""
    markets = [m for m in event.markets if _tradable(m)]
    ladders = [m.view(m.no)[1] for m in markets]
    best: tuple[Decimal, int, list[_Leg]] | None = None
    for size in _sizes(ladders):
        shares = Decimal(size) / MICRO
        legs = [leg for i, m in enumerate(markets) if (leg := _buy(i, m, ladders[i], size))]
        gains = sorted(legs, key=lambda leg: (leg.cost + leg.fee - shares, leg.market))
        chosen = [leg for leg in gains if leg.cost + leg.fee < shares][:LEGS_MAX]
        profit = shares * (len(chosen) - 1) - sum(leg.cost + leg.fee for leg in chosen)
        if len(chosen) > 1 and profit > (best[0] if best else 0):
            best = (profit, size, chosen)
    return _planted(event.slug, "negrisk_no", best, lambda legs: len(legs) - 1)


def yes_set(event: SimEvent) -> Planted | None:
    """The most profitable size of buying YES of every outcome of an exhaustive event."""
    sides = [(m, m.view(m.yes)[1]) for m in event.markets]
    return _fixed(event.slug, "negrisk_yes", sides)


def pair(event: SimEvent) -> Planted | None:
    """The most profitable size of buying both outcomes of the event's only market."""
    market = event.markets[0]
    sides = [(market, market.view(token)[1]) for token in (market.yes, market.no)]
    return _fixed(event.slug, "binary_complement", sides)


def _fixed(slug: str, kind: str, sides: Sequence[tuple[SimMarket, Ladder]]) -> Planted | None:
    best: tuple[Decimal, int, list[_Leg]] | None = None
    for size in _sizes([ladder for _, ladder in sides]):
        legs = [leg for i, (m, ladder) in enumerate(sides) if (leg := _buy(i, m, ladder, size))]
        profit = Decimal(size) / MICRO - sum(leg.cost + leg.fee for leg in legs)
        if len(legs) == len(sides) and profit > (best[0] if best else 0):
            best = (profit, size, legs)
    return _planted(slug, kind, best, lambda _legs: 1)


def _planted(
    slug: str,
    kind: str,
    best: tuple[Decimal, int, list[_Leg]] | None,
    pays: Callable[[Sequence[_Leg]], int],
) -> Planted | None:
    if best is None:
        return None
    _, size, legs = best
    shares = Decimal(size) / MICRO
    profit = shares * pays(legs) - sum(leg.cost + leg.fee_charged for leg in legs)
    return Planted(slug, kind, shares, profit)


def _sizes(ladders: Sequence[Ladder]) -> range:
    deepest = max((sum(size for _, size in ladder) for ladder in ladders), default=0)
    return range(STEP, deepest + 1, STEP)


def _buy(index: int, market: SimMarket, ladder: Ladder, size: int) -> _Leg | None:
    """Buying so much down the ladder, if the venue would take the order."""
    cost = fee = charged = Decimal(0)
    left, limit = size, 0
    for price, offered in ladder:
        taken = min(left, offered)
        limit, p, shares = price, Decimal(price) / MICRO, Decimal(taken) / MICRO
        exact = shares * market.schedule.rate * p * (1 - p)
        cost, fee = cost + p * shares, fee + exact
        charged += exact.quantize(FEE_STEP, rounding=ROUND_DOWN)
        left -= taken
        if not left:
            break
    value = Decimal(limit) / MICRO * Decimal(size) / MICRO
    whole_cents = value % Decimal("0.01") == 0
    enough = Decimal(size) / MICRO >= market.min_size and value >= 1
    return None if left or not whole_cents or not enough else _Leg(index, cost, fee, charged)


def _tradable(market: SimMarket) -> bool:
    return (
        market.accepting
        and not market.closed
        and not market.delay_seconds
        and not market.taker_delay
        and market.fee_rate is not None
        and market.stale_no is None
        and not market.no_book
    )
