"""Bars by time, of points in any order."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arb.domain.history import PricePoint
from arb.domain.money import Price, Shares
from arb.statistical.bars import TIMEFRAMES, bars_of

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
TICK = Price(Decimal("0.01"))


def point(minutes, price, volume="0"):
    return PricePoint(NOON + timedelta(minutes=minutes), Decimal(price), Shares(Decimal(volume)))


def test_a_bar_has_first_highest_lowest_last_and_all_that_was_traded():
    points = [point(59, "0.52", 3), point(0, "0.5", 1), point(20, "0.6", 2), point(40, "0.4")]
    (bar,) = bars_of(points, TIMEFRAMES["1h"], TICK)
    assert bar.start == NOON
    assert [bar.open, bar.high, bar.low, bar.close] == [
        Decimal(one) for one in ("0.5", "0.6", "0.4", "0.52")
    ]
    assert bar.volume == 6


def test_a_bar_of_which_nothing_is_told_repeats_the_close_without_volume():
    bars = bars_of([point(5, "0.5", 4), point(185, "0.7", 4)], 3600, TICK)
    assert [bar.start.hour for bar in bars] == [12, 13, 14, 15]
    assert [bar.close for bar in bars] == [Decimal("0.5")] * 3 + [Decimal("0.7")]
    assert [bar.volume for bar in bars] == [4, 0, 0, 4]


def test_prices_are_those_that_can_be_traded_at():
    low, high = bars_of([point(0, "0"), point(60, "1")], 3600, TICK)
    assert (low.close, high.close) == (Decimal("0.01"), Decimal("0.99"))


def test_a_wrong_time_stamp_is_no_reason_to_fill_the_memory():
    old = PricePoint(datetime(1971, 1, 1, tzinfo=UTC), Decimal("0.5"))
    with pytest.raises(ValueError, match="are the times right"):
        bars_of([old, point(0, "0.5")], 60, TICK)


@pytest.mark.parametrize(
    ("at", "price", "volume"),
    [
        (NOON.replace(tzinfo=None), "0.5", "0"),
        (NOON, "1.01", "0"),
        (NOON, "-0.01", "0"),
        (NOON, "NaN", "0"),
        (NOON, "0.5", "-1"),
        (NOON, "0.5", "Infinity"),
    ],
)
def test_what_is_no_price_at_a_time_is_refused(at, price, volume):
    with pytest.raises(ValueError, match=r"zone|0\.\.1|amount"):
        PricePoint(at, Decimal(price), Shares(Decimal(volume)))


@given(
    st.lists(
        st.tuples(st.integers(0, 50_000), st.integers(0, 100), st.integers(0, 9)),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(list(TIMEFRAMES.values())),
)
def test_bars_follow_each_other_and_hold_every_point(rows, seconds):
    points = [
        PricePoint(NOON + timedelta(seconds=at), Decimal(p) / 100, Shares(Decimal(v)))
        for at, p, v in rows
    ]
    bars = bars_of(points, seconds, TICK)
    steps = {b.start - a.start for a, b in pairwise(bars)}
    assert steps <= {timedelta(seconds=seconds)}
    assert sum(bar.volume for bar in bars) == sum(one.volume for one in points)
    by_start = {bar.start: bar for bar in bars}
    for one in points:
        start = datetime.fromtimestamp(int(one.at.timestamp()) // seconds * seconds, UTC)
        price = min(max(one.price, TICK), 1 - TICK)
        assert by_start[start].low <= price <= by_start[start].high
    assert all(bar.low <= min(bar.open, bar.close) for bar in bars)
    assert all(bar.high >= max(bar.open, bar.close) for bar in bars)
