"""Parameters are chosen on the first bars alone, and tried on the later ones."""

import math
from decimal import Decimal

import pytest

from arb.domain.errors import ConfigError
from arb.statistical.backtest import BacktestOptions, backtest
from arb.statistical.fitting import COMBINATIONS_MAX, combinations, fit
from arb.statistical.strategies import build_strategy
from tests.statistical.test_backtest import FEES, RULES, bars_of

NAME = "MACrossoverStrategy"
OPTIONS = BacktestOptions(max_drawdown=Decimal(0), max_daily_loss=Decimal(0))
GIVEN = {"fast_period": ["3", "5", "8"], "slow_period": ["5", "13"]}


def waves(count, length):
    return bars_of(*(round(0.5 + 0.2 * math.sin(n * math.tau / length), 2) for n in range(count)))


def fitted(bars, share="0.6"):
    return fit(NAME, combinations(NAME, GIVEN), bars, Decimal(share), RULES, FEES, OPTIONS)


def test_every_combination_that_the_strategy_takes_is_tried():
    tried = [(each["fast_period"], each["slow_period"]) for each in combinations(NAME, GIVEN)]
    assert tried == [(3, 5), (3, 13), (5, 13), (8, 13)]  # not 5 and 5, nor 8 and 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fast_period": ["9"], "slow_period": ["5", "7"]}, "must be below"),
        ({"fast_period": ["3", "x"]}, "fast_period = x"),
        ({"n": ["3"]}, "it has fast_period"),
        ({"fast_period": ["3"] * (COMBINATIONS_MAX + 1)}, "at most 1000"),
    ],
)
def test_values_that_no_combination_can_use_are_refused_by_name(given, said):
    with pytest.raises(ConfigError, match=said):
        combinations(NAME, given)


@pytest.mark.parametrize("share", ["0", "1", "nan", "0.001", "0.999"])
def test_both_parts_need_bars(share):
    with pytest.raises(ConfigError):
        fitted(waves(100, 20), share)


def test_the_best_of_the_first_part_comes_first():
    found = fitted(waves(200, 24))
    profits = [one.first.profit for one in found]
    assert profits == sorted(profits, reverse=True)
    assert profits[0] > profits[-1]


def test_the_first_part_knows_nothing_of_the_rest():
    """Later bars may be anything: the choice and its figures stay."""
    calm = waves(200, 24)
    wild = [*calm[:120], *waves(200, 7)[120:]]
    before, after = fitted(calm), fitted(wild)
    assert [one.parameters for one in before] == [one.parameters for one in after]
    assert [one.first for one in before] == [one.first for one in after]
    assert [one.rest for one in before] != [one.rest for one in after]


def test_the_rest_is_a_new_account_with_indicators_as_they_stood():
    bars = waves(200, 24)
    for one in fitted(bars):
        cold = backtest(bars[120:], build_strategy(NAME, one.parameters), RULES, FEES, OPTIONS)
        assert one.rest.equity[0][1] == OPTIONS.cash
        assert one.rest.bars == cold.bars == 80
        if one.rest.trades:  # averages are known from its first bar on
            assert one.rest.trades[0].bought_at <= cold.trades[0].bought_at
    assert any(one.rest.trades[0].bought_at < bars[133].start for one in fitted(bars))
