"""Price-time matching of one binary market: one book in YES terms, seen from both outcomes.

Pure: an order in, fills and a rest out. Integers only: prices and sizes in millionths. BUY NO at p
is SELL YES at 1 - p, so the two outcomes share every resting order (docs/venue-polymarket.md §8.1).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from arb.domain.market import Side
from arb.domain.money import MICRO

Ladder = tuple[tuple[int, int], ...]
"""(price, size) levels, best first."""


class Life(Enum):
    """What happens to what is not matched at once."""

    REST = "GTC"
    KILL_REST = "FAK"
    ALL_OR_NOTHING = "FOK"


@dataclass(frozen=True, slots=True)
class Incoming:
    """An order in YES terms."""

    id: str
    side: Side
    price: int
    size: int
    life: Life = Life.REST


@dataclass(frozen=True, slots=True)
class Match:
    """A piece that traded, at the resting order's price."""

    taker: str
    maker: str
    price: int
    size: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an incoming order: its sizes add up to what came in."""

    matches: tuple[Match, ...]
    resting: int
    killed: int


class MarketBook:
    """Resting orders by price, oldest first. Never crossed: what crosses trades on arrival."""

    def __init__(self, orders: Iterable[Incoming] = ()) -> None:
        self._levels: dict[Side, dict[int, list[Incoming]]] = {Side.BUY: {}, Side.SELL: {}}
        for order in orders:
            self.submit(order)

    def submit(self, order: Incoming) -> Result:
        """Match what crosses, best price and oldest first; rest or kill what is left.

        Raises:
            ValueError: The price is not between 0 and 1, or the size is not positive.
        """
        if not 0 < order.price < MICRO or order.size <= 0:
            raise ValueError(f"{order.size} @ {order.price} is no order")
        if order.life is Life.ALL_OR_NOTHING and self._within(order) < order.size:
            return Result((), 0, order.size)
        matches: list[Match] = []
        left = order.size
        for price in self._crossing(order):
            queue = self._levels[_other(order.side)][price]
            while left and queue:
                maker = queue[0]
                size = min(left, maker.size)
                matches.append(Match(order.id, maker.id, price, size))
                left -= size
                if size == maker.size:
                    queue.pop(0)
                else:
                    queue[0] = replace(maker, size=maker.size - size)
            if not queue:
                del self._levels[_other(order.side)][price]
        if left and order.life is Life.REST:
            rest = replace(order, size=left)
            self._levels[order.side].setdefault(order.price, []).append(rest)
            return Result(tuple(matches), left, 0)
        return Result(tuple(matches), 0, left)

    def cancel(self, id_: str) -> int:
        """Take an order out; returns the size that was resting, 0 if there was none."""
        for levels in self._levels.values():
            for price, queue in levels.items():
                for place, order in enumerate(queue):
                    if order.id == id_:
                        queue.pop(place)
                        if not queue:
                            del levels[price]
                        return order.size
        return 0

    def bids(self) -> Ladder:
        """What YES is bid, best first."""
        return _ladder(self._levels[Side.BUY], falling=True)

    def asks(self) -> Ladder:
        """What YES is asked, best first."""
        return _ladder(self._levels[Side.SELL], falling=False)

    def _crossing(self, order: Incoming) -> list[int]:
        prices = self._levels[_other(order.side)]
        if order.side is Side.BUY:
            return sorted(price for price in prices if price <= order.price)
        return sorted((price for price in prices if price >= order.price), reverse=True)

    def _within(self, order: Incoming) -> int:
        levels = self._levels[_other(order.side)]
        return sum(o.size for price in self._crossing(order) for o in levels[price])


def mirrored(levels: Ladder) -> Ladder:
    """The same resting orders seen from the other outcome."""
    return tuple((MICRO - price, size) for price, size in levels)


def in_yes_terms(order: Incoming) -> Incoming:
    """An order for NO as the order for YES that it is."""
    return replace(order, side=_other(order.side), price=MICRO - order.price)


def _ladder(levels: dict[int, list[Incoming]], *, falling: bool) -> Ladder:
    return tuple(
        (price, sum(order.size for order in levels[price]))
        for price in sorted(levels, reverse=falling)
    )


def _other(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY
