"""How much a signal buys, and when what it bought is sold again: alike for all strategies."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from arb.domain.errors import ConfigError
from arb.domain.fees import FeeSchedule
from arb.domain.market import OrderRules
from arb.domain.money import ONE, ZERO, Price, Shares, Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRules:
    """The limits of an account that follows signals; fractions, not percent."""

    max_position: Usd = Usd(Decimal(1000))  # noqa: RUF009  # a NewType call is free
    """Most that is spent on a position, fees not counted."""
    risk_per_trade: Decimal = Decimal("0.02")
    """Most of the equity that a position may lose down to its stop."""
    stop_loss: Decimal = Decimal("0.1")
    """How far below its average price a position is sold; 0: never."""
    take_profit: Decimal = Decimal("0.2")
    """How far above it; 0: never."""
    max_drawdown: Decimal = Decimal("0.1")
    """Below its highest equity by this much, the account sells all and trades no more; 0: never."""
    max_daily_loss: Decimal = Decimal("0.05")
    """After a loss of this part of the day's first equity nothing is bought that day; 0: never."""
    slippage_ticks: int = 1
    """How many ticks worse than the price at hand an order may be filled."""

    def __post_init__(self) -> None:
        """Refuse what no account could have.

        Raises:
            ConfigError: A value is outside its bounds; names it.
        """
        require_within(1, 10**9, max_position=self.max_position)
        require_within(Decimal("0.0001"), 1, risk_per_trade=self.risk_per_trade)
        require_within(
            0,
            1,
            stop_loss=self.stop_loss,
            max_drawdown=self.max_drawdown,
            max_daily_loss=self.max_daily_loss,
        )
        require_within(
            0, 100, take_profit=self.take_profit, slippage_ticks=Decimal(self.slippage_ticks)
        )

    def stop(self, average: Price) -> Decimal | None:
        """The price at which a position bought at this average is given up; `None`: never."""
        return average * (ONE - self.stop_loss) if self.stop_loss else None

    def target(self, average: Price) -> Decimal | None:
        """The price at which its profit is taken; `None`: never."""
        return average * (ONE + self.take_profit) if self.take_profit else None

    def fallen_too_far(self, highest: Usd, worth: Usd) -> bool:
        """Whether an equity is so far below its highest that all is sold."""
        return self.max_drawdown > 0 and highest - worth >= self.max_drawdown * highest

    def lost_too_much(self, day_began: Usd, worth: Usd) -> bool:
        """Whether so much of the day's first equity is lost that nothing more is bought."""
        return self.max_daily_loss > 0 and day_began - worth >= self.max_daily_loss * day_began

    def lot(  # what a lot is bounded by, each by its name
        self,
        price: Price,
        *,
        lots: int,
        cash: Usd,
        equity: Usd,
        rules: OrderRules,
        fees: FeeSchedule,
    ) -> Shares:
        """Shares of one lot: within its part of the position, the cash, and the risk per trade.

        Args:
            price: What a share costs.
            lots: Into how many equal parts a position is split.
            cash: What may be spent, fees included.
            equity: What the risk is a part of.
            rules: The market's step of sizes.
            fees: The market's.
        """
        spend = min(self.max_position / lots, cash)
        per_share = price + fees.exact(price, Shares(ONE))
        shares = min(spend / price, cash / per_share)
        if self.stop_loss:
            at_risk = self.risk_per_trade * equity / (price * self.stop_loss)
            shares = min(shares, at_risk / lots)
        step = rules.size_step
        whole = (max(shares, ZERO) / step).to_integral_value(rounding=ROUND_DOWN) * step
        return Shares(whole)


def require_within(low: Decimal | int, high: Decimal | int, **values: Decimal) -> None:
    """Require that each value is a number from `low` to `high`.

    Raises:
        ConfigError: One is not; names it.
    """
    for name, value in values.items():
        if not (value.is_finite() and low <= value <= high):
            raise ConfigError(f"{name} = {value}: from {low} to {high}")
