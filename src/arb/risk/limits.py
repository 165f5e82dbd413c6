"""The limits, as options. Amounts in USD."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from arb.domain.money import NO_USD, Price, Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """What is never exceeded, and from where on less is done."""

    max_position_size: Usd = Usd(Decimal(1000))  # noqa: RUF009  # a NewType call is free
    min_profit_threshold: Decimal = Decimal("0.02")
    """Least profit as a fraction of all that is paid."""
    min_profit_usd: Usd = NO_USD
    risk_per_trade: Decimal | None = None
    """Part of the equity that the worst pattern of partial fills of one plan may cost."""
    max_drawdown_pct: Decimal | None = None
    """Percent that the realised equity may be below the highest that it has been."""
    max_daily_loss_pct: Decimal | None = None
    """Percent of the equity at the day's beginning that the day's losses may come to."""
    max_daily_loss: Usd = Usd(Decimal(500))  # noqa: RUF009
    max_open_positions: int = 20
    max_daily_volume: Usd = Usd(Decimal(50_000))  # noqa: RUF009
    max_consecutive_failures: int = 10
    """Failed plans in a row after which trading halts until an operator resumes it."""
    max_voided: Decimal = Decimal("0.05")
    """Part of the latest trades that may fail to settle before trading halts (fault B03)."""
    max_book_age: timedelta = timedelta(seconds=15)
    throttle_at: Decimal = Decimal("0.8")
    """Part of the loss, volume or failure limit from which on trading is throttled."""
    plans_per_cycle: int = 10
    max_event_exposure: Usd = Usd(Decimal(5000))  # noqa: RUF009
    """USD bound in open plans and positions of one event."""
    max_partial_loss: Usd = Usd(Decimal(100))  # noqa: RUF009
    """USD that the worst pattern of partial fills of one plan may cost."""
    adverse_move: Price = Price(Decimal("0.01"))  # noqa: RUF009
    """USD per share by which prices are assumed to move before a plan is unwound."""
    trade_crossed: bool = False
    """Whether a crossed book of one binary market may be traded."""
