"""State derived from the news: errors within the hour, health. Decides nothing itself."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from arb.domain.halt import Standing, TradingState
from arb.domain.news import (
    CycleEnded,
    CycleFailed,
    CycleStarted,
    News,
    Trouble,
)
from arb.domain.report import CycleReport, ProblemKind
from arb.interlocks import Blocked
from arb.ports import Clock

ERRORS_KEPT = 10_000
SERIOUS = frozenset(
    {
        ProblemKind.VENUE,
        ProblemKind.LEDGER,
        ProblemKind.PLAN,
        ProblemKind.RECONCILIATION,
        ProblemKind.REDEEM,
        ProblemKind.COMMAND,
    }
)
"""Problems that make a cycle fail; the rest are counted only."""


class Health(StrEnum):
    """The operator's five words."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It runs, with several failed cycles in a row."""
    UNHEALTHY = "unhealthy"
    """No cycle has succeeded for minutes, or trading halted by itself."""
    PAUSED = "paused"
    """An operator, or an outage until it is over, holds trading back; scanning goes on."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """The thresholds of health and of the automatic pause."""

    window: timedelta = timedelta(hours=1)
    degraded_after: int = 5
    """Failed cycles in a row."""
    pause_after: int = 10
    """Failed cycles in a row within the window."""
    resume_after: int = 3
    """Cycles that succeeded in a row, after which a pause for an outage ends."""
    unhealthy_after: timedelta = timedelta(minutes=5)
    """Without a cycle that succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """The orchestrator's health, with the figures behind it."""

    status: Health
    reasons: tuple[str, ...]
    blocked_by: tuple[Blocked, ...]
    """The closed interlocks, in their order: what keeps this process from sending."""
    running: bool
    paused: bool
    last_success: datetime | None
    seconds_since: float | None
    consecutive_errors: int
    errors: dict[str, int]
    """Within the window, by kind."""


@dataclass(slots=True)
class Watch:
    """Listens to the news and remembers what health is judged by. Itself an `Observer`."""

    clock: Clock
    options: WatchOptions = field(default_factory=WatchOptions)
    last_report: CycleReport | None = None
    last_success: datetime | None = None
    busy: bool = False
    """Whether a cycle is at work."""
    _errors: deque[tuple[float, ProblemKind]] = field(
        default_factory=lambda: deque(maxlen=ERRORS_KEPT)
    )
    _failed: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=ERRORS_KEPT))
    """When a cycle has failed, and whether because the venue was away."""
    _good: int = 0
    """Cycles that have succeeded in a row."""
    _troubled: bool = False
    _unanswered: bool = False
    _heard_at: float | None = None
    """When a cycle last succeeded, or else the run began, in monotonic seconds."""

    def __call__(self, news: News) -> None:
        """Take note."""
        match news:
            case CycleStarted():
                self.busy = True
            case CycleEnded(report=report):
                self._ended(report)
            case CycleFailed():
                self.busy = False
            case Trouble(problem=problem):
                self.count(problem.kind, away=problem.away)
            case _:
                pass

    def count(self, kind: ProblemKind, *, away: bool = False) -> None:
        """One more error; `away` if it is that the venue did not answer."""
        self._errors.append((self.clock.monotonic(), kind))
        if kind in SERIOUS:
            self._troubled |= not away
            self._unanswered |= away

    def failed(self) -> None:
        """A cycle broke off."""
        self.busy = False
        self.count(ProblemKind.CYCLE)
        self._fail(away=False)
        self._troubled = self._unanswered = False

    def begin(self) -> None:
        """The orchestrator runs from here on: from now on a success is waited for."""
        self._heard_at = self.clock.monotonic()

    def reset(self) -> None:
        """Forget the errors, once an operator has dealt with them."""
        self._errors.clear()
        self._failed.clear()

    @property
    def consecutive(self) -> int:
        """Failed cycles in a row within the window."""
        return len(self._lately())

    @property
    def must_pause(self) -> bool:
        """Whether enough cycles have failed that trading must wait."""
        return self.consecutive >= self.options.pause_after

    @property
    def outage(self) -> bool:
        """Whether without the cycles that failed because the venue was away it need not wait."""
        return sum(not away for away in self._lately()) < self.options.pause_after

    @property
    def recovered(self) -> bool:
        """Whether enough cycles have succeeded that an outage is over."""
        return self._good >= self.options.resume_after

    def errors(self) -> dict[str, int]:
        """How many errors within the window, by kind."""
        since = self.clock.monotonic() - self.options.window.total_seconds()
        return dict(Counter(kind.value for at, kind in self._errors if at >= since))

    def health(
        self, standing: Standing, *, running: bool, blocked_by: tuple[Blocked, ...] = ()
    ) -> HealthReport:
        """How things are now."""
        consecutive, heard_at = self.consecutive, self._heard_at
        waited = None if heard_at is None else self.clock.monotonic() - heard_at
        late = waited is not None and waited >= self.options.unhealthy_after.total_seconds()
        failing = consecutive >= self.options.degraded_after
        against = {
            Health.STOPPED: "" if running else "it is stopped",
            Health.UNHEALTHY: _halted_by_itself(standing),
            Health.PAUSED: _held_back(standing),
        }
        reasons = [why for why in dict.fromkeys(against.values()) if why]
        reasons += [f"no cycle has succeeded for {waited:.0f} s"] if late else []
        reasons += [f"{consecutive} cycles in a row failed"] if failing else []
        status = next((health for health, why in against.items() if why), None)
        if status is None:
            status = Health.DEGRADED if failing else Health.HEALTHY
            status = Health.UNHEALTHY if late else status
        return HealthReport(
            status=status,
            reasons=tuple(reasons),
            blocked_by=blocked_by,
            running=running,
            paused=standing.state is TradingState.HALTED,
            last_success=self.last_success,
            seconds_since=waited if self.last_success else None,
            consecutive_errors=consecutive,
            errors=self.errors(),
        )

    def _ended(self, report: CycleReport) -> None:
        self.busy, self.last_report = False, report
        if self._troubled or self._unanswered or not report.reachable:
            self._fail(away=not (self._troubled and report.reachable))
        else:
            self._failed.clear()
            self._good += 1
            self.last_success, self._heard_at = self.clock.now(), self.clock.monotonic()
        self._troubled = self._unanswered = False

    def _fail(self, *, away: bool) -> None:
        self._failed.append((self.clock.monotonic(), away))
        self._good = 0

    def _lately(self) -> list[bool]:
        """Of each failed cycle within the window, whether it failed for the venue."""
        since = self.clock.monotonic() - self.options.window.total_seconds()
        return [away for at, away in self._failed if at >= since]


def _halted_by_itself(standing: Standing) -> str:
    if standing.state is not TradingState.HALTED or standing.by_operator or standing.paused:
        return ""
    return standing.text or "trading is halted"


def _held_back(standing: Standing) -> str:
    return (standing.text or "trading is halted") if standing.state is TradingState.HALTED else ""
