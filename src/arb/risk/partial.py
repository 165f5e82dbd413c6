"""How bad it can get before a plan is whole: every pattern of partial fills, bounded. Pure.

Let `f_i` in [0, 1] be the part of leg `i` that is filled, `s_i` what selling the leg straight back
would lose, `d_i` what completing it later would cost more than planned, and `P` the plan's profit.
Prices are those at hand, moved against us by a stated amount. After the fills one may flatten,
ending at -Σ f_i·s_i, or complete, ending at P - Σ (1 - f_i)·d_i, and takes the better. The worst
pattern is

    min over f of max(-Σ f_i·s_i, P - Σ (1 - f_i)·d_i)

Both ends are linear in `f`, so by minimax duality it equals

    max over λ in [0, 1] of (1 - λ)·P - Σ max(λ·s_i, (1 - λ)·d_i)

which is concave and piecewise linear in λ: its maximum is at 0, 1 or a d_i / (s_i + d_i). Real
ways out are at least as many (keeping part of a NO set, waiting), so nothing worse can be forced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from arb.domain.book import Level, OrderBook, walk
from arb.domain.fees import FeeSchedule
from arb.domain.money import ONE, ZERO, Price, Shares, Usd, notional
from arb.domain.opportunity import Opportunity, ProvenLeg
from arb.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one leg can cost while it stands alone."""

    flatten: Decimal
    """USD lost by selling it straight back."""
    complete: Decimal | None
    """USD more than planned for buying it later; `None`: it may not be for sale at all."""


def worst_partial(opportunity: Opportunity, snapshot: Snapshot, adverse_move: Price) -> Usd:
    """The result in USD that no pattern of partial fills can push the plan below.

    Args:
        opportunity: As sized.
        snapshot: The books at hand.
        adverse_move: By how much every price moves against us before the plan is unwound.
    """
    exposures = [_exposure(leg, snapshot, adverse_move) for leg in opportunity.legs]
    return bound(opportunity.profit, exposures)


def bound(profit: Usd, exposures: Sequence[Exposure]) -> Usd:
    """The dual's maximum: see above. Legs that may not be completed leave flattening alone."""
    if any(leg.complete is None for leg in exposures):
        return Usd(-sum((leg.flatten for leg in exposures), ZERO))
    weights = {ZERO, ONE}
    for leg in exposures:
        assert leg.complete is not None
        if leg.flatten + leg.complete > 0:
            weights.add(leg.complete / (leg.flatten + leg.complete))
    return Usd(max(_dual(profit, exposures, weight) for weight in weights if 0 <= weight <= 1))


def _dual(profit: Usd, exposures: Sequence[Exposure], weight: Decimal) -> Decimal:
    lost = sum(
        (max(weight * leg.flatten, (1 - weight) * (leg.complete or ZERO)) for leg in exposures),
        ZERO,
    )
    return (1 - weight) * profit - lost


def _exposure(proven: ProvenLeg, snapshot: Snapshot, adverse_move: Price) -> Exposure:
    book, size, fees = snapshot.books[proven.leg.outcome], proven.leg.size, proven.market.fees
    assert fees is not None
    back = _proceeds(book, size, fees, adverse_move)
    later = _cost(book, size, fees, adverse_move)
    return Exposure(
        flatten=max(proven.outlay - back, ZERO),
        complete=None if later is None else max(later - proven.outlay, ZERO),
    )


def _proceeds(book: OrderBook, size: Shares, fees: FeeSchedule, move: Price) -> Decimal:
    """What selling brings after the move; what finds no bid brings nothing."""
    return sum(
        (
            notional(piece.price, piece.size) - _fee(fees, piece)
            for piece in walk(_moved(book.bids, Price(-move)), size)
        ),
        ZERO,
    )


def _fee(fees: FeeSchedule, piece: Level) -> Decimal:
    """A fill's fee, whichever way it is rounded."""
    return max(fees.exact(piece.price, piece.size), fees.taker(piece.price, piece.size))


def _cost(book: OrderBook, size: Shares, fees: FeeSchedule, move: Price) -> Decimal | None:
    pieces = list(walk(_moved(book.asks, move), size))
    if sum((piece.size for piece in pieces), ZERO) < size:
        return None
    return sum(
        (notional(piece.price, piece.size) + _fee(fees, piece) for piece in pieces),
        ZERO,
    )


def _moved(levels: Sequence[Level], by: Price) -> list[Level]:
    moved = (Level(Price(level.price + by), level.size) for level in levels)
    return [level for level in moved if 0 < level.price < 1]
