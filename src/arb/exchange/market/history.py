"""What prices were: a point at every change of a market's price, kept as the exchange goes on."""

import random
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from arb.domain.money import MICRO
from arb.exchange.market.listing import SimMarket

WIDE = MICRO // 10
"""A spread above which the venue shows the last trade's price instead of the middle."""
POINTS_MAX = 20_000
"""Of one market; the oldest are forgotten."""

IMAGINED_SECONDS = 600
"""Between two made-up prices."""
IMAGINED_STEP = 4_000
"""How far they are apart at most, in millionths."""

Point = tuple[float, int]
"""Unix seconds and the price of YES in millionths."""


def price_of(market: SimMarket) -> int | None:
    """The price of YES: the midpoint; the last trade where the midpoint means little."""
    middle = None
    if market.bids and market.asks:
        bid, ask = market.bids[0][0], market.asks[0][0]
        middle = (bid + ask) // 2
        if ask - bid <= WIDE:
            return middle
    return market.last.price if market.last is not None else middle


@dataclass(slots=True)
class History:
    """The prices of all markets since the exchange was opened, and made-up ones from before."""

    _points: dict[str, list[Point]] = field(default_factory=dict)
    """By the market's YES token."""
    _before: dict[str, list[Point]] = field(default_factory=dict)
    _days: int = 0
    _seed: str = ""

    def imagine(self, days: int, seed: str) -> None:
        """Have earlier prices of this many days, made up: a walk that ends at the first real one.

        Args:
            days: How many; 0 for none.
            seed: The same seed makes the same walk.
        """
        self._days, self._seed = days, seed
        self._before.clear()

    def begin(self, markets: Iterable[SimMarket], unix: float) -> None:
        """The first point of every market that has none."""
        for market in markets:
            if market.yes not in self._points:
                self.note(market, unix)

    def note(self, market: SimMarket, unix: float) -> None:
        """Keep a market's price if it is another one than before."""
        price = price_of(market)
        points = self._points.setdefault(market.yes, [])
        if price is None or (points and points[-1][1] == price):
            return
        points.append((unix, price))
        if len(points) > POINTS_MAX:
            del points[0]

    def at(self, market: SimMarket, unix: float) -> int | None:
        """The price at a time; `None` before the first point."""
        return _at(self._known(market), unix)

    def buckets(
        self, market: SimMarket, start: float, end: float, seconds: int
    ) -> list[tuple[int, int]]:
        """Unix seconds and price at the end of every step in which there was a price."""
        points = self._known(market)
        if not points:
            return []
        first = max(start, points[0][0])
        edge = (int(first) // seconds + 1) * seconds
        found: list[tuple[int, int]] = []
        while edge <= end:
            price = _at(points, edge)
            if price is not None:
                found.append((edge, price))
            edge += seconds
        return found

    def imagined_trades(self, market: SimMarket) -> list[tuple[int, int, int]]:
        """Unix seconds, price of YES in millionths and whole shares of made-up earlier trades."""
        self._known(market)
        chance = random.Random(f"{self._seed}/{market.yes}/trades")
        before = self._before.get(market.yes, [])
        return [(int(unix), price, chance.randint(1, 200)) for unix, price in before]

    def _known(self, market: SimMarket) -> list[Point]:
        points = self._points.get(market.yes, [])
        if not self._days or not points:
            return points
        if market.yes not in self._before:
            self._before[market.yes] = self._walk(market.yes, points[0])
        return [*self._before[market.yes], *points]

    def _walk(self, token: str, last: Point) -> list[Point]:
        chance = random.Random(f"{self._seed}/{token}")
        unix, price = last
        before: list[Point] = []
        for _ in range(self._days * 86_400 // IMAGINED_SECONDS):
            unix -= IMAGINED_SECONDS
            moved = price + chance.randint(-IMAGINED_STEP, IMAGINED_STEP)
            price = min(max(moved, MICRO // 100), MICRO - MICRO // 100)
            before.append((unix, price))
        return before[::-1]


def _at(points: list[Point], unix: float) -> int | None:
    place = bisect_right(points, (unix, MICRO))
    return points[place - 1][1] if place else None
