"""Indicators of a series of prices, one value after another: thin faces of talipp's.

Each `add` takes the next value and returns the indicator there; `None` while it has too few. They
equal TA-Lib's to 1e-8: moving average, RSI and bands from their first value on, MACD once the two
ways to begin an exponential average have grown into each other (`CONVERGED` bars).
"""

from dataclasses import dataclass

from talipp.indicators import BB, MACD, RSI, SMA

CONVERGED = 250
"""Bars after which the MACD of 12, 26 and 9 no longer shows how its averages began."""


class MovingAverage:
    """The simple moving average of the last `period` values."""

    def __init__(self, period: int) -> None:
        self._of = SMA(period)

    def add(self, value: float) -> float | None:
        """The average with this value."""
        self._of.add(value)
        found: float | None = self._of[-1]
        return found


class RelativeStrength:
    """The relative strength index by Wilder's smoothing, 0 to 100.

    While the price has never moved it is not defined: no strength is told of what stands still.
    """

    def __init__(self, period: int) -> None:
        self._of = RSI(period)
        self._last: float | None = None
        self._moved = False

    def add(self, value: float) -> float | None:
        """The index with this value."""
        self._moved = self._moved or (self._last is not None and value != self._last)
        self._last = value
        self._of.add(value)
        found: float | None = self._of[-1]
        return found if self._moved else None


@dataclass(frozen=True, slots=True)
class Divergence:
    """MACD and its signal line; in the unit of the price."""

    macd: float
    signal: float


class MovingAverageDivergence:
    """The difference of two exponential averages, and its own exponential average."""

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self._of = MACD(fast, slow, signal)

    def add(self, value: float) -> Divergence | None:
        """Both with this value."""
        self._of.add(value)
        found = self._of[-1]
        if found is None or found.signal is None:
            return None
        return Divergence(found.macd, found.signal)


@dataclass(frozen=True, slots=True)
class Bands:
    """A moving average, and a number of standard deviations below and above it."""

    lower: float
    middle: float
    upper: float


class BollingerBands:
    """The average of the last `period` values with bands of their population deviation."""

    def __init__(self, period: int, deviations: float) -> None:
        self._of = BB(period, deviations)

    def add(self, value: float) -> Bands | None:
        """The bands with this value."""
        self._of.add(value)
        found = self._of[-1]
        return None if found is None else Bands(found.lb, found.cb, found.ub)
