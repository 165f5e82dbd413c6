"""The planted truth, by exhaustive search: every size on the grid, one after another.

Deliberately naive and independent of the detector: no intervals, no closed forms. What a leg is
charged, and whether it is accepted, is asked of the best sizes alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest

from arb.domain.money import MICRO
from arb.exchange.market.listing import Planted, SimEvent, SimMarket

LEGS_MAX = 15
STEP = 10_000
"""A hundredth of a share, in millionths."""
PICO = MICRO * MICRO
FEE_STEP = 10**13
"""0.00001 USD in 10^-18 USD: fees are cut to this."""
CENT, DOLLAR = 10**10, 10**12
"""In 10^-12 USD, the unit of price times size."""
UNSPENT_MAX = 2
"""Millionths of a dollar that a filled order may leave."""


@dataclass(frozen=True, slots=True)
class _Side:
    """What is offered of one outcome; rate and least size in millionths."""

    ladder: tuple[tuple[int, int], ...]
    rate: int
    least: int


@dataclass(frozen=True, slots=True)
class _Leg:
    """Buying one outcome, in 10^-18 USD; the fee also as it is charged."""

    market: int
    paid: int
    charged: int
    accepted: bool


def no_set(event: SimEvent) -> Planted | None:
    """The most profitable set of NOs of an exclusive event."""
    markets = [market for market in event.markets if _tradable(market)]
    best = _best_no_set(tuple(_side(market, market.no) for market in markets))
    if best is None:
        return None
    size, chosen = best
    return _planted(event.slug, "negrisk_no", size, size * (len(chosen) - 1), chosen)


@lru_cache(maxsize=512)
def _best_no_set(sides: tuple[_Side, ...]) -> tuple[int, list[_Leg]] | None:
    """Size and legs; remembered, since a scenario is the same each time it is built."""
    found: list[tuple[int, int]] = []
    for size, paid in zip(_sizes(sides), zip_longest(*map(_costs, sides)), strict=True):
        worth = size * PICO
        gains = sum(worth - cost for cost in paid if cost is not None and cost < worth)
        if gains <= worth:
            break
        found.append((gains - worth, -size))  # no choice of legs brings more
    best: tuple[int, int, list[_Leg]] | None = None
    for most, minus in sorted(found, reverse=True):
        if best is not None and most < best[0]:
            break
        size, worth = -minus, -minus * PICO
        legs = sorted(_legs(sides, size), key=lambda leg: (leg.paid, leg.market))
        chosen = [leg for leg in legs if leg.accepted and leg.paid < worth][:LEGS_MAX]
        profit = worth * (len(chosen) - 1) - sum(leg.paid for leg in chosen)
        if len(chosen) > 1 and (profit, minus) > (best[:2] if best else (0, 0)):
            best = (profit, minus, chosen)
    return best and (-best[1], best[2])


def yes_set(event: SimEvent) -> Planted | None:
    """The most profitable size of buying YES of every outcome of an exhaustive event."""
    sides = tuple(_side(market, market.yes) for market in event.markets)
    return _fixed(event.slug, "negrisk_yes", sides)


def pair(event: SimEvent) -> Planted | None:
    """The most profitable size of buying both outcomes of the event's only market."""
    market = event.markets[0]
    sides = tuple(_side(market, token) for token in (market.yes, market.no))
    return _fixed(event.slug, "binary_complement", sides)


def _fixed(slug: str, kind: str, sides: tuple[_Side, ...]) -> Planted | None:
    best = _best_fixed(sides)
    return None if best is None else _planted(slug, kind, best[0], best[0], best[1])


@lru_cache(maxsize=512)
def _best_fixed(sides: tuple[_Side, ...]) -> tuple[int, list[_Leg]] | None:
    found: list[tuple[int, int]] = []
    for size, *paid in zip(_sizes(sides), *map(_costs, sides), strict=False):
        profit = size * PICO - sum(paid)
        if profit <= 0:
            break
        found.append((profit, -size))
    for _, minus in sorted(found, reverse=True):
        legs = _legs(sides, -minus)
        if all(leg.accepted for leg in legs):
            return -minus, legs
    return None


def _planted(slug: str, kind: str, size: int, pays: int, legs: Sequence[_Leg]) -> Planted:
    profit = pays * PICO - sum(leg.charged for leg in legs)
    return Planted(slug, kind, Decimal(size) / MICRO, Decimal(profit).scaleb(-18))


def _side(market: SimMarket, token: str) -> _Side:
    ladder = tuple(market.view(token)[1])
    return _Side(ladder, int(market.schedule.rate * MICRO), int(market.min_size * MICRO))


def _sizes(sides: Sequence[_Side]) -> range:
    deepest = max((sum(size for _, size in side.ladder) for side in sides), default=0)
    return range(STEP, deepest + 1, STEP)


def _costs(side: _Side) -> Iterator[int]:
    """What each size on the grid takes, in 10^-18 USD, as far as the ladder goes."""
    above = filled = 0
    for price, offered in side.ladder:
        each, fee = price * MICRO, _fee(side, price, 1)
        for size in range(above // STEP * STEP + STEP, above + offered + 1, STEP):
            taken = size - above
            yield filled + taken * each - -taken * fee // MICRO
        above, filled = above + offered, filled + _paid(side, price, offered)


def _paid(side: _Side, price: int, taken: int) -> int:
    # shares · rate · p · (1 - p), in 10^-24 USD, rounded up to what is reckoned in here.
    return taken * price * MICRO - -_fee(side, price, taken) // MICRO


def _legs(sides: Sequence[_Side], size: int) -> list[_Leg]:
    bought = (_buy(number, side, size) for number, side in enumerate(sides))
    return [leg for leg in bought if leg is not None]


def _buy(number: int, side: _Side, size: int) -> _Leg | None:
    """Buying so much down the ladder; `None` beyond its depth."""
    paid = value = limit = 0
    left = size
    for price, offered in side.ladder:
        taken = min(left, offered)
        limit = price
        value += taken * price
        paid += _paid(side, price, taken)
        left -= taken
        if not left:
            break
    if left:
        return None
    spent = -(-value // CENT) * CENT
    charged = _charged(side, limit, spent)
    large = spent >= DOLLAR and size >= side.least
    return _Leg(number, paid, charged or 0, large and charged is not None)


def _charged(side: _Side, limit: int, dollars: int) -> int | None:
    """What spending dollars (in 10^-12 USD) takes with fees; `None`: some find no seller."""
    left, charged = dollars // MICRO, 0
    for price, offered in side.ladder:
        if price > limit:
            break
        taken, uneven = divmod(left * MICRO, price)
        taken = min(offered, taken - 1 if uneven and taken < offered else taken)
        cost = taken * price // MICRO
        charged += cost * PICO + _fee(side, price, taken) // (FEE_STEP * MICRO) * FEE_STEP
        left -= cost
        if taken < offered:
            break
    return charged if left <= UNSPENT_MAX else None


def _fee(side: _Side, price: int, shares: int) -> int:
    return shares * side.rate * price * (MICRO - price)


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
