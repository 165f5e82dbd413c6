"""What may be chosen about how cycles run."""

from dataclasses import dataclass
from datetime import timedelta

from arb.domain.money import Usd
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleOptions:
    """How one cycle runs."""

    limits: RiskLimits
    sizing: SizingOptions
    opening_cash: Usd
    """What a new account starts with."""
    execution_pause_seconds: float = 1.0
    """Between two executions."""
    data_quality_listed_max: int = 100
    """Data-quality alarms listed in a report; all are counted."""
    answer_wait: timedelta = timedelta(seconds=90)
    """How long an order without an answer is asked about before its plan is left open."""
    ask_pause_seconds: float = 2.0
    resolution_checks_every: timedelta = timedelta(minutes=5)
