"""What prices were: a point at every change of a market's price, kept as the exchange goes on."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from arb.domain.money import MICRO
from arb.exchange.market.listing import SimMarket

WIDE = MICRO // 10
"""A spread above which the venue shows the last trade's price instead of the middle."""
POINTS_MAX = 20_000
"""Of one market; the oldest are forgotten."""

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
    """The prices of all markets since the exchange was opened."""

    _points: dict[str, list[Point]] = field(default_factory=dict)
    """By the market's YES token."""

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
        points = self._points.get(market.yes, [])
        place = bisect_right(points, (unix, MICRO))
        return points[place - 1][1] if place else None

    def buckets(
        self, market: SimMarket, start: float, end: float, seconds: int
    ) -> list[tuple[int, int]]:
        """Unix seconds and price at the end of every step in which there was a price."""
        points = self._points.get(market.yes, [])
        if not points:
            return []
        first = max(start, points[0][0])
        edge = (int(first) // seconds + 1) * seconds
        found: list[tuple[int, int]] = []
        while edge <= end:
            price = self.at(market, edge)
            if price is not None:
                found.append((edge, price))
            edge += seconds
        return found
