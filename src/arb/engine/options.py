"""What may be chosen about how cycles run."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from arb.domain.money import CENT, Price, Usd
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleOptions:
    """How one cycle runs."""

    limits: RiskLimits
    sizing: SizingOptions
    opening_cash: Usd
    """What a new account on paper starts with at each venue."""
    execution_pause_seconds: float = 1.0
    """Between two executions."""
    data_quality_listed_max: int = 100
    """Data-quality alarms listed in a report; all are counted."""
    answer_wait: timedelta = timedelta(seconds=90)
    """How long a plan that waits for an answer or for its trades holds up the cycle."""
    ask_pause_seconds: float = 1.0
    look_seconds_max: float = 300.0
    """For reading the listing, its books and the confirmations, in all."""
    reconcile_every: timedelta = timedelta(minutes=2)
    reconcile_tolerance: Usd = CENT
    """USD, or shares, by which ledger and venue may differ without an alarm."""
    orders_per_second_max: int = 30
    orders_per_minute_max: int = 300
    price_collar: Price = Price(Decimal("0.25"))  # noqa: RUF009  # a NewType call is free
    """How far an order's limit may be from the best price that it takes."""
    scan_every_seconds: float | None = None
    """Between cycles, for the log; `None`: a single cycle."""
    resolution_checks_every: timedelta = timedelta(minutes=5)
