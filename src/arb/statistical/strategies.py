"""Five strategies over bars. Each tells a direction; none promises a profit.

A signal follows from the bars up to its own and from nothing later. What is bought, for how much,
and when it is sold again at a loss is decided elsewhere, alike for all.
"""

import difflib
import inspect
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

from arb.domain.errors import ConfigError, UnknownName
from arb.domain.market import Side
from arb.domain.money import ONE, ZERO, text
from arb.statistical.bars import Bar
from arb.statistical.indicators import (
    BollingerBands,
    MovingAverage,
    MovingAverageDivergence,
    RelativeStrength,
)
from arb.statistical.rules import require_within

PERIOD_MAX = 10_000
LEVELS_MAX = 1000
NOISE = 1e-9
"""Below this a difference of floats is what their rounding leaves: no tick is as small."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A direction, and why in one sentence."""

    side: Side
    why: str
    lots: int = 0
    """How many of the strategy's lots; 0: all that a position has, or may have."""


class SignalStrategy(Protocol):
    """What looks at bars."""

    needs_volume: bool
    """Whether it can say anything without traded volume."""
    lots: int
    """Into how many equal parts it splits a position."""

    def add(self, bar: Bar) -> Signal | None:
        """What the next bar means."""
        ...


class MACrossoverStrategy:
    """Buy where the fast moving average crosses above the slow one, sell where it crosses below."""

    needs_volume = False
    lots = 1

    def __init__(self, *, fast_period: int = 10, slow_period: int = 30) -> None:
        _require_periods(fast_period=fast_period, slow_period=slow_period)
        _require_order("fast_period", fast_period, "slow_period", slow_period)
        self._fast, self._slow = MovingAverage(fast_period), MovingAverage(slow_period)
        self._cross = _Cross()

    def add(self, bar: Bar) -> Signal | None:
        """See `SignalStrategy`."""
        fast, slow = self._fast.add(float(bar.close)), self._slow.add(float(bar.close))
        if fast is None or slow is None:
            return None
        side = self._cross.add(fast - slow)
        if side is None:
            return None
        way = "above" if side is Side.BUY else "below"
        return Signal(side, f"the fast average {fast:.4f} crosses {way} the slow one {slow:.4f}")


class RSIStrategy:
    """Buy while the relative strength index is below `oversold`, sell while above `overbought`."""

    needs_volume = False
    lots = 1

    def __init__(
        self,
        *,
        rsi_period: int = 14,
        oversold: Decimal = Decimal(30),
        overbought: Decimal = Decimal(70),
    ) -> None:
        _require_periods(rsi_period=rsi_period)
        require_within(0, 100, oversold=oversold, overbought=overbought)
        _require_order("oversold", oversold, "overbought", overbought)
        self._rsi = RelativeStrength(rsi_period)
        self._oversold, self._overbought = float(oversold), float(overbought)

    def add(self, bar: Bar) -> Signal | None:
        """See `SignalStrategy`."""
        rsi = self._rsi.add(float(bar.close))
        if rsi is None or self._oversold <= rsi <= self._overbought:
            return None
        if rsi < self._oversold:
            return Signal(Side.BUY, f"RSI {rsi:.1f} is below {self._oversold:g}")
        return Signal(Side.SELL, f"RSI {rsi:.1f} is above {self._overbought:g}")


class GridTradingStrategy:
    """Levels around the first close: buy a lot for each fallen through, sell one for each risen.

    Half of the levels lie below the first close, half above; below the lowest and above the highest
    nothing more happens. A level is `grid_spacing_pct` percent of the first close.
    """

    needs_volume = False

    def __init__(self, *, grid_levels: int = 10, grid_spacing_pct: Decimal = ONE) -> None:
        if not 2 <= grid_levels <= LEVELS_MAX:
            raise ConfigError(f"grid_levels = {grid_levels}: from 2 to {LEVELS_MAX}")
        require_within(Decimal("0.01"), 50, grid_spacing_pct=grid_spacing_pct)
        self.lots = grid_levels // 2
        self._spacing = grid_spacing_pct / 100
        self._centre: Decimal | None = None
        self._level = 0

    def add(self, bar: Bar) -> Signal | None:
        """See `SignalStrategy`."""
        if self._centre is None:
            self._centre = bar.close
            return None
        away = (bar.close - self._centre) / (self._centre * self._spacing)
        level = self._level
        if away <= level - 1:
            level = max(math.ceil(away), -self.lots)
        elif away >= level + 1:
            level = min(math.floor(away), self.lots)
        moved, self._level = level - self._level, level
        if moved == 0:
            return None
        side = Side.SELL if moved > 0 else Side.BUY
        at = f"level {level:+d} of the grid around {text(self._centre)}"
        return Signal(side, f"{text(bar.close)} is at {at}", lots=abs(moved))


class MomentumStrategy:
    """Buy a close above the highs of the last bars on high volume, sell one below their lows."""

    needs_volume = True
    lots = 1

    def __init__(
        self, *, lookback_period: int = 20, volume_threshold: Decimal = Decimal("1.5")
    ) -> None:
        _require_periods(lookback_period=lookback_period)
        require_within(0, 1000, volume_threshold=volume_threshold)
        self._threshold = volume_threshold
        self._bars: deque[Bar] = deque(maxlen=lookback_period)

    def add(self, bar: Bar) -> Signal | None:
        """See `SignalStrategy`."""
        before = list(self._bars)
        self._bars.append(bar)
        if len(before) < (self._bars.maxlen or 0):
            return None
        usual = sum((each.volume for each in before), ZERO) / len(before)
        if bar.volume <= usual * self._threshold:
            return None
        high, low = max(each.high for each in before), min(each.low for each in before)
        of = f"{text(bar.volume)} shares traded, {text(usual.quantize(Decimal('0.01')))} usually"
        if bar.close > high:
            return Signal(Side.BUY, f"{text(bar.close)} is above the high {text(high)}; {of}")
        if bar.close < low:
            return Signal(Side.SELL, f"{text(bar.close)} is below the low {text(low)}; {of}")
        return None


class MACDBollingerStrategy:
    """Buy where MACD crosses up at the lower band, sell where it crosses down at the upper."""

    needs_volume = False
    lots = 1

    def __init__(
        self,
        *,
        macd_fast: int = 12,
        macd_slow: int = 26,
        macd_signal: int = 9,
        bb_period: int = 20,
        bb_std: Decimal = Decimal(2),
    ) -> None:
        _require_periods(macd_fast=macd_fast, macd_slow=macd_slow, macd_signal=macd_signal)
        _require_order("macd_fast", macd_fast, "macd_slow", macd_slow)
        _require_periods(bb_period=bb_period)
        require_within(Decimal("0.1"), 10, bb_std=bb_std)
        self._macd = MovingAverageDivergence(macd_fast, macd_slow, macd_signal)
        self._bands = BollingerBands(bb_period, float(bb_std))
        self._cross = _Cross()

    def add(self, bar: Bar) -> Signal | None:
        """See `SignalStrategy`."""
        found, bands = self._macd.add(float(bar.close)), self._bands.add(float(bar.close))
        if found is None or bands is None:
            return None
        side = self._cross.add(found.macd - found.signal)
        if side is Side.BUY and float(bar.low) <= bands.lower:
            return Signal(side, f"MACD crosses up at the lower band {bands.lower:.4f}")
        if side is Side.SELL and float(bar.high) >= bands.upper:
            return Signal(side, f"MACD crosses down at the upper band {bands.upper:.4f}")
        return None


STRATEGIES: Final[Mapping[str, Any]] = {
    kind.__name__: kind
    for kind in (
        MACrossoverStrategy,
        RSIStrategy,
        GridTradingStrategy,
        MomentumStrategy,
        MACDBollingerStrategy,
    )
}


def parameters(name: str) -> dict[str, int | Decimal]:
    """A strategy's parameters with their defaults.

    Raises:
        UnknownName: There is no strategy of this name; the nearest is named.
    """
    if name not in STRATEGIES:
        near = difflib.get_close_matches(name, STRATEGIES, 1)
        named = f"; nearest: {near[0]}" if near else ""
        raise UnknownName(f"no strategy {name}; there are {', '.join(STRATEGIES)}{named}")
    signature = inspect.signature(STRATEGIES[name])
    return {one.name: one.default for one in signature.parameters.values()}


def read_parameters(name: str, given: Mapping[str, str]) -> dict[str, int | Decimal]:
    """A strategy's parameters, some as people write them, the others by default.

    Raises:
        UnknownName: There is no strategy of this name.
        ConfigError: A parameter is not one of it, or its value cannot be used.
    """
    known = parameters(name)
    values = dict(known)
    for key, value in given.items():
        if key not in known:
            raise ConfigError(f"{name} has no parameter {key}; it has {', '.join(known)}")
        whole = isinstance(known[key], int)
        try:
            values[key] = int(value) if whole else Decimal(value)
        except (ValueError, InvalidOperation):
            kind = "a whole number" if whole else "a number"
            raise ConfigError(f"{key} = {value}: not {kind}") from None
    return values


def build_strategy(name: str, values: Mapping[str, int | Decimal]) -> SignalStrategy:
    """A strategy with these parameters.

    Raises:
        ConfigError: A value cannot be used.
    """
    made: SignalStrategy = STRATEGIES[name](**values)
    return made


class _Cross:
    """Tells where a difference changes its sign."""

    def __init__(self) -> None:
        self._above: bool | None = None

    def add(self, difference: float) -> Side | None:
        """`BUY` where it becomes positive, `SELL` where it becomes negative."""
        if abs(difference) < NOISE:
            return None
        before, self._above = self._above, difference > 0
        if before is None or before == self._above:
            return None
        return Side.BUY if self._above else Side.SELL


def _require_periods(**periods: int) -> None:
    for name, value in periods.items():
        if not 1 < value <= PERIOD_MAX:
            raise ConfigError(f"{name} = {value}: from 2 to {PERIOD_MAX}")


def _require_order(small: str, less: Decimal | int, large: str, more: Decimal | int) -> None:
    if less >= more:
        raise ConfigError(f"{small} = {less} must be below {large} = {more}")
