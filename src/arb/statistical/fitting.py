"""Choosing a strategy's parameters on a first part of the bars, and trying them on the rest.

The best of many is best by luck as well. What it brought where it was chosen says little; what it
brings on bars that had no part in the choice says more, and stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from arb.domain.errors import ConfigError
from arb.domain.fees import FeeSchedule
from arb.domain.market import OrderRules
from arb.statistical.backtest import BacktestOptions, Result, backtest
from arb.statistical.bars import Bar
from arb.statistical.strategies import build_strategy, read_parameters

COMBINATIONS_MAX = 1000
BARS_MIN = 2
"""In each part: a signal of one bar is traded in the next."""

Parameters = Mapping[str, int | Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One combination of parameters, on both parts of the bars."""

    parameters: Parameters
    first: Result
    """On the bars on which the best is chosen."""
    rest: Result
    """On the later ones, which it knows as they come; a new account, indicators as they stood."""


def combinations(name: str, given: Mapping[str, Sequence[str]]) -> list[Parameters]:
    """Every combination of the given values that the strategy takes, the others by default.

    Args:
        name: The strategy.
        given: Values of its parameters as people write them.

    Raises:
        UnknownName: There is no such strategy.
        ConfigError: A value cannot be used, there are too many combinations, or the strategy takes
            none of them.
    """
    count = 1
    for values in given.values():
        count *= len(values)
    if count > COMBINATIONS_MAX:
        raise ConfigError(f"{count} combinations of parameters; at most {COMBINATIONS_MAX}")
    found: list[Parameters] = []
    refused = ""
    for values in product(*given.values()):
        read = read_parameters(name, dict(zip(given, values, strict=True)))
        try:
            build_strategy(name, read)
        except ConfigError as error:  # such as a fast period above the slow one
            refused = str(error)
        else:
            found.append(read)
    if not found:
        raise ConfigError(refused)
    return found


def fit(
    name: str,
    chosen: Sequence[Parameters],
    bars: Sequence[Bar],
    share: Decimal,
    rules: OrderRules,
    fees: FeeSchedule,
    options: BacktestOptions,
) -> list[Fitted]:
    """Test every combination on both parts of the bars.

    Args:
        name: The strategy.
        chosen: Combinations of its parameters.
        bars: All bars.
        share: The part of them, above 0 and below 1, on which the best is chosen.
        rules: The market's.
        fees: The market's.
        options: The account's, the same on both parts.

    Returns:
        By their profit on the first part, the largest first.

    Raises:
        ConfigError: A part has fewer than two bars, or the strategy needs volume and there is none.
    """
    if not (share.is_finite() and 0 < share < 1):
        raise ConfigError(f"a part of {share}: above 0 and below 1")
    middle = int(len(bars) * share)
    if min(middle, len(bars) - middle) < BARS_MIN:
        raise ConfigError(f"{len(bars)} bars are too few to be split at {share}")
    first, rest = bars[:middle], bars[middle:]
    found: list[Fitted] = []
    for parameters in chosen:
        strategy = build_strategy(name, parameters)
        chosen_on = backtest(first, strategy, rules, fees, options)
        tried_on = backtest(rest, strategy, rules, fees, options)  # it has seen the first by now
        found.append(Fitted(parameters=parameters, first=chosen_on, rest=tried_on))
    return sorted(found, key=lambda one: one.first.profit, reverse=True)
