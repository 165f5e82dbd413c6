"""What a strategy's signals would have brought in the past, in an account of its own.

Statistical, not guaranteed: the past is one path, the prices are midpoints or last trades, and that
they could be traded at is assumed. What is assumed stands in the result.

- A signal of a bar is traded at the open of the next one, a number of ticks worse, and pays the
  market's taker fee. Only one outcome is held, never short: a SELL sells what is held.
- Stop-loss and take-profit are looked for within each bar; where one bar reaches both, the stop
  counts. A bar that opens beyond a stop is sold at its open.
- What is left at the end is sold at the last close.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from arb.domain.errors import ConfigError
from arb.domain.fees import FeeSchedule
from arb.domain.market import OrderRules, Side
from arb.domain.money import NO_SHARES, NO_USD, ONE, ZERO, Price, Shares, Usd, total
from arb.statistical.bars import Bar
from arb.statistical.rules import PositionRules, require_within
from arb.statistical.strategies import Signal, SignalStrategy

FRACTION = Decimal("0.000001")
"""To what fractions are rounded in results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOptions(PositionRules):
    """The account and its limits; each fill is `slippage_ticks` worse than the bar's price."""

    cash: Usd = Usd(Decimal(10_000))  # noqa: RUF009  # a NewType call is free

    def __post_init__(self) -> None:
        """Refuse what no account could have.

        Raises:
            ConfigError: A value is outside its bounds; names it.
        """
        PositionRules.__post_init__(self)  # `super` does not work in a class with slots
        require_within(1, 10**9, cash=self.cash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Shares bought and sold again."""

    bought_at: datetime
    sold_at: datetime
    shares: Shares
    paid: Price
    got: Price
    fees: Usd
    why_bought: str
    why_sold: str

    @property
    def profit(self) -> Usd:
        """After fees."""
        return Usd(self.shares * (self.got - self.paid) - self.fees)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of the account."""

    bars: int
    trades: tuple[Trade, ...]
    equity: tuple[tuple[datetime, Usd], ...]
    """At each bar's close: cash, and what is held at the close's price."""
    profit: Usd
    fees: Usd
    drawdown: Decimal
    """The largest fall from the highest equity before it, as a fraction of that."""
    exposure: Decimal
    """The part of the bars at whose close something was held."""
    hold: Usd
    """The profit of buying the largest position at the first chance and selling it at the end."""
    not_bought: dict[str, int]
    """Signals to buy that were not followed, by why."""
    stopped_at: datetime | None
    """When the drawdown ended all trading."""

    @property
    def hits(self) -> Decimal | None:
        """The part of the trades that brought a profit; `None` without trades."""
        if not self.trades:
            return None
        won = sum(trade.profit > 0 for trade in self.trades)
        return (Decimal(won) / len(self.trades)).quantize(FRACTION)


def backtest(
    bars: Sequence[Bar],
    strategy: SignalStrategy,
    rules: OrderRules,
    fees: FeeSchedule,
    options: BacktestOptions,
) -> Result:
    """Follow a strategy's signals through the bars.

    Raises:
        ConfigError: There are fewer than two bars, or the strategy needs volume and there is none.
    """
    if len(bars) < 2:
        raise ConfigError(f"{len(bars)} bars: a signal of one is traded in the next")
    if strategy.needs_volume and not any(bar.volume for bar in bars):
        name = type(strategy).__name__
        raise ConfigError(f"{name} needs traded volume, and this history has none")
    account = _Account(rules=rules, fees=fees, options=options, lots_max=strategy.lots)
    signal: Signal | None = None
    for bar in bars:
        account.open(bar, signal)
        signal = strategy.add(bar)
    account.sell(bars[-1].start, bars[-1].close, "the end of the history")
    held = sum(each > 0 for each in account.held)
    return Result(
        bars=len(bars),
        trades=tuple(account.trades),
        equity=tuple(account.equity),
        profit=Usd(account.cash - options.cash),
        fees=total(trade.fees for trade in account.trades),
        drawdown=account.drawdown.quantize(FRACTION),
        exposure=(Decimal(held) / len(bars)).quantize(FRACTION),
        hold=_hold(bars, rules, fees, options),
        not_bought=dict(account.not_bought),
        stopped_at=account.stopped_at,
    )


def _hold(
    bars: Sequence[Bar], rules: OrderRules, fees: FeeSchedule, options: BacktestOptions
) -> Usd:
    free = replace(
        options,
        risk_per_trade=ONE,
        stop_loss=ZERO,
        take_profit=ZERO,
        max_drawdown=ZERO,
        max_daily_loss=ZERO,
    )
    account = _Account(rules=rules, fees=fees, options=free, lots_max=1)
    account.open(bars[1], Signal(Side.BUY, "held"))
    account.sell(bars[-1].start, bars[-1].close, "held")
    return Usd(account.cash - options.cash)


@dataclass(frozen=True, slots=True)
class _Lot:
    at: datetime
    shares: Shares
    price: Price
    fee: Usd
    why: str


@dataclass(slots=True, kw_only=True)
class _Account:
    """Cash, what is held, and the limits, bar after bar."""

    rules: OrderRules
    fees: FeeSchedule
    options: BacktestOptions
    lots_max: int
    cash: Usd = NO_USD
    lots: list[_Lot] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    equity: list[tuple[datetime, Usd]] = field(default_factory=list)
    held: list[Shares] = field(default_factory=list)
    """At each bar's close."""
    drawdown: Decimal = ZERO
    not_bought: Counter[str] = field(default_factory=Counter)
    stopped_at: datetime | None = None
    highest: Usd = NO_USD
    day: date | None = None
    day_began: Usd = NO_USD
    day_lost: bool = False

    def __post_init__(self) -> None:
        self.cash = self.highest = self.day_began = self.options.cash

    @property
    def shares(self) -> Shares:
        """All that is held."""
        return Shares(sum((lot.shares for lot in self.lots), NO_SHARES))

    @property
    def average(self) -> Price:
        """What a share of the position was bought at."""
        value = sum((lot.shares * lot.price for lot in self.lots), ZERO)
        return Price(value / self.shares)

    def open(self, bar: Bar, signal: Signal | None) -> None:
        """Live through a bar: the order of the last signal, stops, and limits at its close."""
        if bar.start.date() != self.day:
            self.day, self.day_lost = bar.start.date(), False
            self.day_began = self.equity[-1][1] if self.equity else self.cash
        if self.stopped_at is not None:
            self.sell(bar.start, bar.open, "drawdown")
        elif signal is not None and signal.side is Side.SELL:
            self.sell(bar.start, bar.open, signal.why, signal.lots)
        elif signal is not None:
            self._buy(bar, signal)
        self._stop(bar)
        self._close(bar)

    def sell(self, at: datetime, price: Price, why: str, lots: int = 0) -> None:
        """Sell the oldest lots, or all of them."""
        count = lots or len(self.lots)
        sold, self.lots = self.lots[:count], self.lots[count:]
        got = self._worse(price, Side.SELL)
        for lot in sold:
            fee = self.fees.taker(got, lot.shares)
            self.cash = Usd(self.cash + lot.shares * got - fee)
            self.trades.append(
                Trade(
                    bought_at=lot.at,
                    sold_at=at,
                    shares=lot.shares,
                    paid=lot.price,
                    got=got,
                    fees=Usd(lot.fee + fee),
                    why_bought=lot.why,
                    why_sold=why,
                )
            )

    def _buy(self, bar: Bar, signal: Signal) -> None:
        room = self.lots_max - len(self.lots)
        wanted = min(signal.lots or room, room)
        if self.day_lost:
            self.not_bought["daily loss"] += 1
            return
        if wanted <= 0:
            self.not_bought["position is full"] += 1
            return
        price = self._worse(bar.open, Side.BUY)
        for _ in range(wanted):
            shares = self._size(price)
            if shares < self.rules.min_size or shares * price < self.rules.min_value:
                self.not_bought["smaller than an order may be"] += 1
                return
            fee = self.fees.taker(price, shares)
            self.cash = Usd(self.cash - shares * price - fee)
            self.lots.append(_Lot(bar.start, shares, price, fee, signal.why))

    def _size(self, price: Price) -> Shares:
        return self.options.lot(
            price,
            lots=self.lots_max,
            cash=self.cash,
            equity=self.equity[-1][1] if self.equity else self.cash,
            rules=self.rules,
            fees=self.fees,
        )

    def _stop(self, bar: Bar) -> None:
        if not self.lots:
            return
        stop, take = self.options.stop(self.average), self.options.target(self.average)
        if stop is not None and bar.low <= stop:
            self.sell(bar.start, Price(min(bar.open, stop)), "stop-loss")
        elif take is not None and bar.high >= take:
            self.sell(bar.start, Price(max(bar.open, take)), "take-profit")

    def _close(self, bar: Bar) -> None:
        worth = Usd(self.cash + self.shares * bar.close)
        self.equity.append((bar.start, worth))
        self.held.append(self.shares)
        self.highest = max(self.highest, worth)
        fallen = (self.highest - worth) / self.highest
        self.drawdown = max(self.drawdown, fallen)
        if self.options.fallen_too_far(self.highest, worth) and self.stopped_at is None:
            self.stopped_at = bar.start
        if self.options.lost_too_much(self.day_began, worth):
            self.day_lost = True

    def _worse(self, price: Price, side: Side) -> Price:
        """The price on the tick grid, some ticks to our disadvantage, within what can be traded."""
        tick = self.rules.tick
        slip = self.options.slippage_ticks * tick
        if side is Side.BUY:
            moved = _stepped(price + slip, tick, ROUND_CEILING)
        else:
            moved = _stepped(price - slip, tick, ROUND_FLOOR)
        return Price(min(max(moved, tick), ONE - tick))


def _stepped(amount: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (amount / step).to_integral_value(rounding=rounding) * step
