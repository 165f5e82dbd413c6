"""The account of a backtest: to the micro-dollar, within its limits, and never ahead of time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arb.domain.errors import ConfigError
from arb.domain.fees import CurveFees
from arb.domain.market import OrderRules, Side
from arb.domain.money import Price, Shares, Usd
from arb.statistical.backtest import BacktestOptions, backtest
from arb.statistical.bars import Bar
from arb.statistical.strategies import STRATEGIES, MomentumStrategy, Signal, build_strategy

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
RULES = OrderRules(tick=Price(Decimal("0.01")), min_size=Shares(Decimal(5)))
FEES = CurveFees(Decimal("0.05"))
FREE = BacktestOptions(
    stop_loss=Decimal(0),
    take_profit=Decimal(0),
    max_drawdown=Decimal(0),
    max_daily_loss=Decimal(0),
    slippage_ticks=0,
)


class Said:
    """Says what a test tells it, bar by bar."""

    needs_volume = False

    def __init__(self, script, lots=1):
        self.lots, self._script = lots, iter(script)

    def add(self, bar):
        side = next(self._script, None)
        return side and Signal(side, f"said at {bar.start:%H:%M}", lots=1 if self.lots > 1 else 0)


def bars_of(*rows, step=timedelta(hours=1)):
    """Bars of one price each, or of open, high, low and close."""
    made = []
    for place, row in enumerate(rows):
        prices = [
            Price(Decimal(str(one))) for one in (row if isinstance(row, tuple) else [row] * 4)
        ]
        made.append(Bar(NOON + place * step, *prices, Shares(Decimal(1))))
    return made


def run(bars, script, lots=1, **options):
    values = {
        name: value if name == "slippage_ticks" else Decimal(str(value))
        for name, value in options.items()
    }
    return backtest(bars, Said(script, lots), RULES, FEES, replace(FREE, **values))


def test_a_signal_is_traded_at_the_next_open_with_the_markets_fee():
    bars = bars_of(0.4, (0.5, 0.5, 0.5, 0.45), 0.6, (0.7, 0.7, 0.6, 0.6), 0.2)
    found = run(bars, [Side.BUY, None, Side.SELL])
    (trade,) = found.trades
    assert (trade.bought_at, trade.sold_at) == (bars[1].start, bars[3].start)
    assert (trade.paid, trade.got) == (Decimal("0.5"), Decimal("0.7"))
    assert trade.shares == 2000  # 1000 USD at 0.50
    fees = FEES.taker(trade.paid, trade.shares) + FEES.taker(trade.got, trade.shares)
    assert trade.fees == found.fees == fees == Decimal("25") + Decimal("21")
    assert found.profit == trade.profit == 2000 * Decimal("0.2") - fees
    assert trade.why_bought == "said at 12:00"
    assert found.equity[1][1] == 10_000 - 1000 - 25 + 2000 * Decimal("0.45")
    assert found.hits == 1
    assert found.exposure == Decimal("0.4")


def test_a_fill_is_some_ticks_worse_on_the_grid():
    found = run(bars_of(0.4, 0.505, 0.505, 0.505), [Side.BUY, Side.SELL], slippage_ticks=2)
    (trade,) = found.trades
    assert (trade.paid, trade.got) == (Decimal("0.53"), Decimal("0.48"))


def test_a_stop_is_sold_at_and_a_gap_at_its_open():
    within = bars_of(0.5, 0.5, (0.5, 0.5, 0.4, 0.5), 0.5)
    (trade,) = run(within, [Side.BUY], stop_loss=0.1).trades
    assert (trade.got, trade.why_sold) == (Decimal("0.45"), "stop-loss")
    gap = bars_of(0.5, 0.5, (0.3, 0.5, 0.3, 0.5), 0.5)
    (trade,) = run(gap, [Side.BUY], stop_loss=0.1).trades
    assert trade.got == Decimal("0.3")


def test_a_profit_is_taken_and_a_bar_of_both_counts_as_the_stop():
    up = bars_of(0.5, 0.5, (0.5, 0.7, 0.5, 0.5), 0.5)
    (trade,) = run(up, [Side.BUY], take_profit=0.2).trades
    assert (trade.got, trade.why_sold) == (Decimal("0.6"), "take-profit")
    both = bars_of(0.5, 0.5, (0.5, 0.7, 0.4, 0.5), 0.5)
    (trade,) = run(both, [Side.BUY], take_profit=0.2, stop_loss=0.1).trades
    assert trade.why_sold == "stop-loss"


def test_the_risk_of_a_trade_is_a_part_of_the_equity():
    bars = bars_of(0.5, 0.5, (0.5, 0.5, 0.4, 0.5), 0.5)
    found = run(bars, [Side.BUY], stop_loss=0.2, risk_per_trade=0.002)
    (trade,) = found.trades
    assert trade.shares == 200  # 20 USD at risk, 0.10 a share
    assert trade.shares * (trade.paid - trade.got) == 20


def test_a_drawdown_ends_all_trading():
    bars = bars_of(0.5, 0.5, 0.3, 0.3, 0.3, 0.9)
    script = [Side.BUY, None, Side.BUY, Side.BUY, Side.BUY]
    found = run(bars, script, max_position=5000, max_drawdown=0.1)
    (trade,) = found.trades
    assert found.stopped_at == bars[2].start
    assert (trade.sold_at, trade.why_sold) == (bars[3].start, "drawdown")
    assert found.profit == found.equity[-1][1] - 10_000


def test_after_a_days_loss_nothing_is_bought_until_the_next():
    bars = bars_of(*[0.5, 0.5, 0.3, 0.3, 0.3] + [0.4] * 10)
    script = [Side.BUY, None, Side.SELL, Side.BUY] + [None] * 7 + [Side.BUY, Side.SELL]
    found = run(bars, script, max_position=3000, max_daily_loss=0.05)
    assert [trade.bought_at for trade in found.trades] == [bars[1].start, bars[12].start]
    assert bars[12].start.date() != bars[1].start.date()
    assert found.not_bought == {"daily loss": 1}


def test_lots_are_bought_and_sold_one_by_one():
    bars = bars_of(0.5, 0.5, 0.4, 0.5, 0.6, 0.6)
    script = [Side.BUY, Side.BUY, Side.SELL, Side.SELL, Side.BUY]
    found = run(bars, script, lots=2, max_position=1000)
    # The second buy, at 0.40, is the second of two lots; the oldest is sold first.
    assert [(trade.paid, trade.got) for trade in found.trades[:2]] == [
        (Decimal("0.5"), Decimal("0.5")),
        (Decimal("0.4"), Decimal("0.6")),
    ]
    assert found.trades[0].shares == 1000
    assert found.trades[1].shares == 1250


def test_buying_and_holding_stands_beside_it():
    found = run(bars_of(0.4, 0.5, 0.9, 0.6), [])
    assert found.trades == ()
    assert found.profit == 0
    assert found.hits is None
    fees = FEES.taker(Price(Decimal("0.5")), Shares(Decimal(2000))) + FEES.taker(
        Price(Decimal("0.6")), Shares(Decimal(2000))
    )
    assert found.hold == 2000 * Decimal("0.1") - fees


def test_an_order_smaller_than_the_venue_takes_is_not_sent():
    found = run(bars_of(0.5, 0.5, 0.5), [Side.BUY], max_position=2)
    assert found.trades == ()
    assert found.not_bought == {"smaller than an order may be": 1}


def test_what_cannot_be_tested_says_why():
    with pytest.raises(ConfigError, match="1 bars"):
        run(bars_of(0.5), [])
    silent = [
        Bar(b.start, b.open, b.high, b.low, b.close, Shares(Decimal(0))) for b in bars_of(0.5, 0.5)
    ]
    with pytest.raises(ConfigError, match="MomentumStrategy needs traded volume"):
        backtest(silent, MomentumStrategy(), RULES, FEES, FREE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cash": 0},
        {"risk_per_trade": 0},
        {"risk_per_trade": "NaN"},
        {"stop_loss": -1},
        {"max_drawdown": "1.5"},
        {"take_profit": 101},
        {"slippage_ticks": -1},
    ],
)
def test_an_account_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        run(bars_of(0.5, 0.5), [], **wrong)


CENTS = st.integers(1, 99)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(CENTS, CENTS, CENTS, CENTS), min_size=2, max_size=80),
    st.sampled_from([name for name in STRATEGIES if name != "MomentumStrategy"]),
    st.lists(st.sampled_from([None, Side.BUY, Side.SELL]), max_size=80),
    st.integers(1, 5),
    st.booleans(),
)
def test_cash_and_shares_are_never_made_or_lost(rows, name, script, lots, scripted):
    bars = bars_of(
        *[(a / 100, max(a, b, c, d) / 100, min(a, b, c, d) / 100, d / 100) for a, b, c, d in rows]
    )
    options = BacktestOptions(max_position=Usd(Decimal(3000)))
    strategy = Said(script, lots) if scripted else build_strategy(name, {})
    found = backtest(bars, strategy, RULES, FEES, options)
    assert found.profit == sum((trade.profit for trade in found.trades), Decimal(0))
    assert found.fees == sum(
        FEES.taker(one.paid, one.shares) + FEES.taker(one.got, one.shares) for one in found.trades
    )
    at = {bar.start: bar for bar in bars}
    cash = options.cash
    for bar, (when, worth) in zip(bars, found.equity, strict=True):
        assert bar.start == when
        held = [one for one in found.trades if one.bought_at <= when]
        spent = sum(one.shares * one.paid + FEES.taker(one.paid, one.shares) for one in held)
        # The last bar's close is before what is left is sold at it.
        sold = [
            one for one in held if one.sold_at <= when and one.why_sold != "the end of the history"
        ]
        got = sum(one.shares * one.got - FEES.taker(one.got, one.shares) for one in sold)
        open_ = sum(one.shares for one in held) - sum(one.shares for one in sold)
        assert worth == cash - spent + got + open_ * bar.close
        assert cash - spent + got >= 0
    for one in found.trades:
        bought = at[one.bought_at]
        assert one.paid == min(bought.open + Decimal("0.01"), Decimal("0.99"))
        assert one.shares * one.paid <= options.max_position
        assert one.sold_at >= one.bought_at
