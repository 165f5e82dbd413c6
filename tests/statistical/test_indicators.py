"""Each indicator is TA-Lib's, value by value, over a hundred thousand points."""

import numpy as np
import pytest
import talib

from arb.statistical.indicators import (
    CONVERGED,
    BollingerBands,
    MovingAverage,
    MovingAverageDivergence,
    RelativeStrength,
)

POINTS = 100_000


@pytest.fixture(scope="module")
def prices():
    """A price that wanders between 0.01 and 0.99 and is thrown back at both ends."""
    steps = np.random.default_rng(7).normal(0, 0.004, POINTS).cumsum() + 0.5
    inside = np.abs(((steps - 0.01) % (2 * 0.98)) - 0.98) + 0.01
    assert inside.min() >= 0.0099
    assert inside.max() <= 0.9901
    return inside


def _told(indicator, prices, read=lambda found: found):
    found = (indicator.add(float(price)) for price in prices)
    return np.array([np.nan if one is None else read(one) for one in found])


def _differ(ours, theirs, begin):
    """By how much, from a point on, and whether both are told from there to the end."""
    assert not np.isnan(ours[begin:]).any()
    assert not np.isnan(theirs[begin:]).any()
    return np.abs(ours[begin:] - theirs[begin:]).max()


@pytest.mark.parametrize("period", [2, 10, 30])
def test_moving_average(prices, period):
    ours, theirs = _told(MovingAverage(period), prices), talib.SMA(prices, period)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert _differ(ours, theirs, period - 1) < 1e-8


@pytest.mark.parametrize("period", [2, 14])
def test_relative_strength(prices, period):
    ours, theirs = _told(RelativeStrength(period), prices), talib.RSI(prices, period)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert _differ(ours, theirs, period) < 1e-8


def test_divergence_once_the_averages_have_converged(prices):
    macd, signal, _ = talib.MACD(prices, 12, 26, 9)
    of = lambda name: lambda found: getattr(found, name)  # noqa: E731
    ours = _told(MovingAverageDivergence(12, 26, 9), prices, of("macd"))
    assert np.array_equal(np.isnan(ours), np.isnan(macd))
    assert _differ(ours, macd, CONVERGED) < 1e-8
    ours = _told(MovingAverageDivergence(12, 26, 9), prices, of("signal"))
    assert _differ(ours, signal, CONVERGED) < 1e-8


@pytest.mark.parametrize("line", ["lower", "middle", "upper"])
def test_bands(prices, line):
    upper, middle, lower = talib.BBANDS(prices, 20, 2, 2)
    theirs = {"lower": lower, "middle": middle, "upper": upper}[line]
    ours = _told(BollingerBands(20, 2), prices, lambda found: getattr(found, line))
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert _differ(ours, theirs, 19) < 1e-8


def test_the_strength_of_what_never_moved_is_not_told():
    flat = RelativeStrength(14)
    assert [flat.add(0.5) for _ in range(50)] == [None] * 50
    assert flat.add(0.6) == 100
