"""Facts told to observers. Nothing is decided by who listens."""

from dataclasses import dataclass
from datetime import datetime

from arb.domain.decision import Finding
from arb.domain.halt import TradingState
from arb.domain.plan import ExecutionReport, Plan
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, DataQuality, Problem, Statistics


@dataclass(frozen=True, slots=True)
class CycleStarted:
    """A scan begins."""

    cycle: int
    at: datetime


@dataclass(frozen=True, slots=True)
class BooksFetched:
    """The market-wide read is done."""

    cycle: int
    events: int
    markets: int
    books: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A candidate has come to its one reason."""

    cycle: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class QualityAlarm:
    """The venue's data contradicts itself."""

    cycle: int
    problem: DataQuality


@dataclass(frozen=True, slots=True)
class PlanStarted:
    """A plan's intent is written down; its orders go out next."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class PlanEnded:
    """A plan has come to its end."""

    plan: Plan
    report: ExecutionReport
    reason: Reason


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong that did not end the cycle."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Trading is throttled, halted or resumed."""

    state: TradingState
    reason: str


@dataclass(frozen=True, slots=True)
class CycleEnded:
    """A scan has come to its report."""

    report: CycleReport


@dataclass(frozen=True, slots=True)
class CycleSkipped:
    """The last cycle was still running when the next was due, or it was missed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The orchestrator has let go of everything."""

    statistics: Statistics


News = (
    CycleStarted
    | BooksFetched
    | Decided
    | QualityAlarm
    | PlanStarted
    | PlanEnded
    | Trouble
    | StateChanged
    | CycleEnded
    | CycleSkipped
    | Stopped
)
