"""What may be chosen about how the engine runs. An option that is a setting has its name."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from arb.domain.money import CENT, Price, Usd
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardOptions:
    """The limits of the last check before an order is sent."""

    max_position_size: Usd
    """USD that one order may spend: what the gate allows a whole plan."""
    max_book_age: timedelta
    """The gate's, too."""
    max_orders_per_second: int = 30
    """In all; each venue's own limit is in its terms."""
    max_orders_per_minute: int = 300
    price_collar: Price = Price(Decimal("0.25"))  # noqa: RUF009  # a NewType call is free
    """USD; how far an order's limit may be from the best price that it takes."""
    duplicate_window: timedelta = timedelta(seconds=5)
    """The same order again within this is taken for a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How cycles run, plans are carried out, and the ledger is reconciled."""

    limits: RiskLimits
    sizing: SizingOptions
    guard: GuardOptions
    bankroll_usd: Usd = Usd(Decimal(10_000))  # noqa: RUF009  # a NewType call is free
    """USD that a new account on paper starts with at each venue."""
    execution_pause: float = 1.0
    """Seconds between two executions."""
    data_quality_listed_max: int = 100
    """Data-quality alarms listed in a report; all are counted."""
    answer_wait: timedelta = timedelta(seconds=90)
    """How long a plan that waits for an answer or for its trades holds up the cycle."""
    ask_pause_seconds: float = 1.0
    """Between two queries for such an answer."""
    look_seconds_max: float = 300.0
    """For reading the listing, its books and the confirmations, in all."""
    reconcile_interval: timedelta = timedelta(minutes=2)
    reconcile_tolerance: Usd = CENT
    """USD, or shares, by which ledger and venue may differ without an alarm."""
    scan_interval: float | None = 30
    """Seconds between the starts of two cycles; `None`: a single cycle."""
    resolution_check_interval: timedelta = timedelta(minutes=5)
