"""Bars by time: what happened to a price within each hour, or whatever the timeframe is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from arb.domain.history import PricePoint
from arb.domain.money import NO_SHARES, ONE, Price, Shares

TIMEFRAMES = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14_400, "1d": 86_400}
"""Seconds of a bar, by the name of its timeframe."""
BARS_MAX = 500_000
"""Nearly a year of minutes; more are a wrong time stamp rather than a history."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, its prices in USD per share, and the shares traded in it."""

    start: datetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Shares


def bars_of(points: Iterable[PricePoint], seconds: int, tick: Price) -> list[Bar]:
    """Bars of equal length, the first one first, that begin at whole multiples of their length.

    A bar of which nothing is told repeats the close before it, without volume: "14 bars" is a time.
    Prices are clipped to what can be traded, from one tick to one minus one tick.

    Args:
        points: In any order; of two at one time the later given counts as the later.
        seconds: The length of a bar.
        tick: The market's tick, USD per share.

    Raises:
        ValueError: They would be more than `BARS_MAX` bars.
    """
    bars: list[Bar] = []
    for point in sorted(points, key=lambda each: each.at):
        price = _clipped(point.price, tick)
        place = int(point.at.timestamp()) // seconds
        start = datetime.fromtimestamp(place * seconds, UTC)
        if bars and bars[-1].start == start:
            bars[-1] = _with(bars[-1], price, point.volume)
            continue
        if bars:
            _fill(bars, place, seconds)
        bars.append(Bar(start, price, price, price, price, point.volume))
    return bars


def _fill(bars: list[Bar], place: int, seconds: int) -> None:
    """Carry the last close forward up to the bar of this place."""
    last = bars[-1]
    first = int(last.start.timestamp()) // seconds + 1
    if len(bars) + place - first >= BARS_MAX:
        raise ValueError(f"more than {BARS_MAX} bars of {seconds} s: are the times right?")
    for gap in range(first, place):
        start = datetime.fromtimestamp(gap * seconds, UTC)
        bars.append(Bar(start, last.close, last.close, last.close, last.close, NO_SHARES))


def _with(bar: Bar, price: Price, volume: Shares) -> Bar:
    high, low = max(bar.high, price), min(bar.low, price)
    return Bar(bar.start, bar.open, high, low, price, Shares(bar.volume + volume))


def _clipped(price: Decimal, tick: Price) -> Price:
    return Price(min(max(price, tick), ONE - tick))
