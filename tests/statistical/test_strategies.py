"""What each strategy says of bars, and that nothing later changes it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arb.domain.errors import ConfigError, UnknownName
from arb.domain.market import Side
from arb.domain.money import Price, Shares
from arb.statistical.bars import Bar
from arb.statistical.strategies import (
    STRATEGIES,
    build_strategy,
    parameters,
    read_parameters,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def bars_of(closes, volumes=None):
    made = []
    for place, close in enumerate(closes):
        price = Price(Decimal(str(close)))
        volume = Shares(Decimal(volumes[place] if volumes else 10))
        made.append(Bar(NOON + timedelta(hours=place), price, price, price, price, volume))
    return made


def told(name, bars, **given):
    values = read_parameters(name, {key: str(value) for key, value in given.items()})
    strategy = build_strategy(name, values)
    return [strategy.add(bar) for bar in bars]


def sides(signals):
    return {place: signal.side for place, signal in enumerate(signals) if signal}


def test_the_documents_names_parameters_and_defaults():
    assert {name: parameters(name) for name in STRATEGIES} == {
        "MACrossoverStrategy": {"fast_period": 10, "slow_period": 30},
        "RSIStrategy": {"rsi_period": 14, "oversold": 30, "overbought": 70},
        "GridTradingStrategy": {"grid_levels": 10, "grid_spacing_pct": 1},
        "MomentumStrategy": {"lookback_period": 20, "volume_threshold": Decimal("1.5")},
        "MACDBollingerStrategy": {
            "macd_fast": 12,
            "macd_slow": 26,
            "macd_signal": 9,
            "bb_period": 20,
            "bb_std": 2,
        },
    }


def test_averages_that_cross():
    closes = [0.5] * 4 + [0.4] * 4 + [0.6] * 4 + [0.3] * 4
    assert sides(told("MACrossoverStrategy", bars_of(closes), fast_period=2, slow_period=4)) == {
        8: Side.BUY,
        12: Side.SELL,
    }


def test_strength():
    falling = [0.5 - 0.01 * step for step in range(20)]
    rising = [0.31 + 0.01 * step for step in range(40)]
    found = sides(told("RSIStrategy", bars_of(falling + rising)))
    assert set(found.values()) == {Side.BUY, Side.SELL}
    assert all(side is Side.BUY for place, side in found.items() if place < 20)
    assert found[14] is Side.BUY
    assert found[59] is Side.SELL


def test_a_grid():
    closes = [0.5, 0.4951, 0.495, 0.48, 0.484, 0.485, 0.3, 0.5, 0.56, 0.7]
    found = told("GridTradingStrategy", bars_of(closes))
    assert [(place, one.side, one.lots) for place, one in enumerate(found) if one] == [
        (2, Side.BUY, 1),
        (3, Side.BUY, 3),
        (5, Side.SELL, 1),
        (6, Side.BUY, 2),
        (7, Side.SELL, 5),
        (8, Side.SELL, 5),
    ]


def test_a_breakout_needs_volume():
    closes = [0.5, 0.51, 0.49, 0.5, 0.55, 0.56, 0.4]
    given = {"lookback_period": 3}
    loud = told("MomentumStrategy", bars_of(closes, [10, 10, 10, 10, 20, 10, 40]), **given)
    assert sides(loud) == {4: Side.BUY, 6: Side.SELL}
    assert sides(told("MomentumStrategy", bars_of(closes), **given)) == {}


def test_divergence_at_the_bands():
    wave = [0.5] * 40 + [0.5 - 0.004 * step for step in range(30)] + [0.33, 0.36, 0.4, 0.45]
    quick = {"macd_fast": 3, "macd_slow": 6, "macd_signal": 3, "bb_period": 5}
    falls = bars_of(wave)
    # A bar that closes higher than its low touches the band with the low.
    low = [
        Bar(b.start, b.open, b.high, Price(b.low - Decimal("0.2")), b.close, b.volume)
        for b in falls
    ]
    assert sides(told("MACDBollingerStrategy", falls, **quick)) == {}
    assert Side.BUY in sides(told("MACDBollingerStrategy", low, **quick)).values()


@settings(max_examples=60)
@given(
    st.sampled_from(list(STRATEGIES)),
    st.lists(st.integers(1, 99), min_size=60, max_size=120),
    st.integers(1, 59),
    st.integers(0, 2**31),
)
def test_nothing_later_changes_a_signal(name, cents, cut, seed):
    closes = [Decimal(cent) / 100 for cent in cents]
    volumes = [(seed >> (place % 30)) % 17 for place in range(len(cents))]
    bars = bars_of(closes, volumes)
    whole, part = told(name, bars), told(name, bars[:cut])
    assert whole[:cut] == part


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("MACrossoverStrategy", {"fast_period": 30}, "must be below"),
        ("MACrossoverStrategy", {"fast_period": 1}, "from 2 to"),
        ("RSIStrategy", {"oversold": 80}, "must be below"),
        ("RSIStrategy", {"overbought": 101}, "from 0 to 100"),
        ("RSIStrategy", {"rsi_period": "x"}, "not a whole number"),
        ("RSIStrategy", {"oversold": "x"}, "not a number"),
        ("RSIStrategy", {"oversold": "NaN"}, "from 0 to 100"),
        ("RSIStrategy", {"period": 14}, "it has rsi_period, oversold, overbought"),
        ("GridTradingStrategy", {"grid_levels": 1}, "from 2 to"),
        ("GridTradingStrategy", {"grid_spacing_pct": 0}, "from 0.01 to 50"),
        ("MomentumStrategy", {"lookback_period": 100_000}, "from 2 to"),
        ("MACDBollingerStrategy", {"macd_slow": 12}, "must be below"),
        ("MACDBollingerStrategy", {"bb_std": 11}, "from 0.1 to 10"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(name, given, words):
    with pytest.raises(ConfigError, match=words):
        told(name, [], **given)


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(UnknownName, match="nearest: RSIStrategy"):
        parameters("RSIStrategie")
