"""The indicators of statistical strategies, talipp's beside TA-Lib's, in the same process.

A backtest asks for all values of a history, which TA-Lib computes at once over an array. A running
strategy asks for one more: ours keeps its state, and TA-Lib is asked twice, for the last value
alone by its stream functions, and over the whole array. What the two return is compared first.
"""

import random

import numpy as np
import talib
from common import Report, Row, run, turns
from talib import stream

from arb.statistical.indicators import (
    BollingerBands,
    MovingAverage,
    MovingAverageDivergence,
    RelativeStrength,
)

BARS = 5_000
MORE = 200
SAME = 1e-8

INDICATORS = {
    "SMA 30": (
        lambda: MovingAverage(30),
        lambda prices: talib.SMA(prices, 30),
        lambda prices: stream.SMA(prices, 30),
        lambda found: found,
    ),
    "RSI 14": (
        lambda: RelativeStrength(14),
        lambda prices: talib.RSI(prices, 14),
        lambda prices: stream.RSI(prices, 14),
        lambda found: found,
    ),
    "MACD 12, 26, 9": (
        lambda: MovingAverageDivergence(12, 26, 9),
        lambda prices: talib.MACD(prices, 12, 26, 9)[0],
        lambda prices: stream.MACD(prices, 12, 26, 9),
        lambda found: found.macd,
    ),
    "Bollinger 20, 2": (
        lambda: BollingerBands(20, 2),
        lambda prices: talib.BBANDS(prices, 20, 2, 2)[0],
        lambda prices: stream.BBANDS(prices, 20, 2, 2),
        lambda found: found.upper,
    ),
}


def walk(count: int) -> np.ndarray:
    chance, price, prices = random.Random(7), 0.5, []
    for _ in range(count):
        price = min(max(price + chance.uniform(-0.01, 0.01), 0.01), 0.99)
        prices.append(price)
    return np.array(prices)


def fed(made, prices):
    found = None
    for price in prices:
        found = made.add(float(price))
    return found


def measure(rounds: int) -> Report:
    prices = walk(BARS + MORE)
    past, rows = prices[:BARS], []
    for name, (make, whole, last, value) in INDICATORS.items():
        theirs, ours = whole(prices)[-1], value(fed(make(), prices))
        assert abs(theirs - ours) < SAME, (name, theirs, ours)
        taken = turns(
            {"ours": lambda m=make: fed(m(), past), "theirs": lambda w=whole: w(past)}, rounds
        )
        what = f"{name}: all of {BARS:,} bars"
        rows.append(Row(what, "TA-Lib, an array", taken["theirs"], taken["ours"]))
        warm = [fed_and_kept(make, past) for _ in range(rounds)]
        taken = turns(
            {
                "ours": lambda w=warm: fed(w.pop(), prices[BARS:]),
                "stream": lambda s=last: [s(prices[: BARS + n]) for n in range(1, MORE + 1)],
                "array": lambda w=whole: [w(prices[: BARS + n]) for n in range(1, MORE + 1)],
            },
            rounds,
        )
        what = f"{name}: {MORE} more, one at a time"
        rows.append(Row(what, "TA-Lib, stream", taken["stream"], taken["ours"]))
        rows.append(Row(what, "TA-Lib, an array", taken["array"], taken["ours"]))
    return Report("Indicators: talipp beside TA-Lib, CPU", rows)


def fed_and_kept(make, prices):
    made = make()
    fed(made, prices)
    return made


if __name__ == "__main__":
    run(measure, rounds=20)
