"""Figures that are sent to a monitoring service: counted from the news between two samples.

The names and labels are those of the metrics that Prometheus reads (`arb.api.metrics`).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from arb.domain.decision import Approved, Refused
from arb.domain.halt import Standing, TradingState
from arb.domain.news import (
    ChainSeen,
    CycleEnded,
    CycleFailed,
    CycleSkipped,
    Decided,
    News,
    PlanEnded,
    PlanStarted,
    QualityAlarm,
    Trouble,
)
from arb.domain.plan import PlanState
from arb.domain.position import Portfolio
from arb.domain.record import PlanRecord
from arb.domain.report import CycleReport, Statistics
from arb.domain.venue import ChainState

Label = tuple[str, str]
"""A label's name and value."""


class Unit(StrEnum):
    """What a figure is counted in."""

    COUNT = "Count"
    SECONDS = "Seconds"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements as one: how many, their sum, the least and the most."""

    count: int
    total: float
    least: float
    most: float

    def plus(self, value: float) -> "Spread":
        """With one more."""
        return Spread(
            self.count + 1, self.total + value, min(self.least, value), max(self.most, value)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement."""

    name: str
    value: float | Spread
    unit: Unit = Unit.NONE
    label: Label | None = None


COUNTED: tuple[tuple[str, Label | None], ...] = (
    ("arb_cycles_total", ("result", "ok")),
    ("arb_cycles_total", ("result", "unreachable")),
    ("arb_cycles_total", ("result", "failed")),
    ("arb_cycles_skipped_total", None),
    ("arb_opportunities_total", ("decision", "approved")),
    ("arb_opportunities_total", ("decision", "refused")),
    ("arb_plans_started_total", None),
    *(("arb_plans_ended_total", ("state", state.value)) for state in PlanState),
    ("arb_data_quality_alarms_total", None),
    ("arb_errors_total", None),
)
"""Sent with every sample, as 0 where nothing was counted: silence means that no process counts."""


@dataclass(slots=True)
class Figures:
    """Counts since the last look. Itself an `Observer`."""

    _counts: Counter[tuple[str, Label | None]] = field(default_factory=Counter)
    _seconds: Spread | None = None
    _last: CycleReport | None = None
    _record: PlanRecord = field(default_factory=PlanRecord)
    _chain: ChainState | None = None

    def __call__(self, news: News) -> None:
        """Count it."""
        self._record(news)
        match news:
            case ChainSeen(state=state):
                self._chain = state
            case Decided(finding=Approved()):
                self._count("arb_opportunities_total", ("decision", "approved"))
            case Decided(finding=Refused()):
                self._count("arb_opportunities_total", ("decision", "refused"))
            case QualityAlarm():
                self._count("arb_data_quality_alarms_total")
            case PlanStarted():
                self._count("arb_plans_started_total")
            case PlanEnded(report=report):
                self._count("arb_plans_ended_total", ("state", report.state.value))
            case Trouble():
                self._count("arb_errors_total")
            case CycleSkipped():
                self._count("arb_cycles_skipped_total")
            case CycleEnded(report=report):
                self._ended(report)
            case CycleFailed():
                self._count("arb_cycles_total", ("result", "failed"))
            case _:
                pass

    def take(self) -> tuple[Figure, ...]:
        """What has been counted since the last look; counting begins anew."""
        figures = [
            Figure(name=name, value=self._counts[name, label], unit=Unit.COUNT, label=label)
            for name, label in COUNTED
        ]
        if self._seconds is not None:
            figures.append(Figure(name="arb_cycle_seconds", value=self._seconds, unit=Unit.SECONDS))
        if self._last is not None:
            figures += _seen(self._last)
        figures += self._lasting()
        self._counts.clear()
        self._seconds = self._last = None
        return tuple(figures)

    def _lasting(self) -> Iterator[Figure]:
        """What is no count since the last look: rates since the start, the chain as last seen."""
        chain = self._chain
        found = (
            ("arb_inclusion_rate", self._record.inclusion_rate),
            ("arb_simulation_accuracy", self._record.accuracy),
            ("arb_block_number", Decimal(chain.block) if chain else None),
            ("arb_gas_balance", chain.gas if chain else None),
        )
        for name, value in found:
            if value is not None:
                yield Figure(name=name, value=_number(value))

    def _count(self, name: str, label: Label | None = None) -> None:
        self._counts[name, label] += 1

    def _ended(self, report: CycleReport) -> None:
        self._count("arb_cycles_total", ("result", "ok" if report.reachable else "unreachable"))
        seconds = report.duration_ms / 1000
        before = self._seconds
        self._seconds = before.plus(seconds) if before else Spread(1, seconds, seconds, seconds)
        self._last = report


def of_account(
    portfolio: Portfolio, statistics: Statistics, standing: Standing
) -> tuple[Figure, ...]:
    """How the account stands."""
    return (
        Figure(name="arb_cash_usd", value=_number(portfolio.cash)),
        Figure(name="arb_locked_usd", value=_number(portfolio.locked)),
        Figure(name="arb_profit_usd", value=_number(statistics.realised)),
        Figure(name="arb_volume_today_usd", value=_number(portfolio.volume_today)),
        Figure(name="arb_drawdown_percent", value=_number(portfolio.drawdown_pct)),
        Figure(name="arb_consecutive_failures", value=portfolio.consecutive_failures),
        *(
            Figure(
                name="arb_trading_state",
                value=float(state is standing.state),
                label=("state", state.value),
            )
            for state in TradingState
        ),
    )


def _seen(report: CycleReport) -> Iterator[Figure]:
    missing = report.completeness.books_expected - report.completeness.books_received
    for what, count in (
        ("markets", report.markets),
        ("books", report.books),
        ("books_missing", missing),
    ):
        yield Figure(name="arb_seen", value=count, unit=Unit.COUNT, label=("what", what))


def _number(amount: Decimal) -> float:
    """A figure for plotting: nothing is decided by it."""
    return float(amount)
