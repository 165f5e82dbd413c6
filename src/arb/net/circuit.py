"""A circuit breaker as a value: what to do about a host that keeps failing."""

from dataclasses import dataclass, replace
from enum import StrEnum


class CircuitState(StrEnum):
    """Whether requests go out."""

    CLOSED = "closed"
    """They do."""
    OPEN = "open"
    """They do not; the host is left alone for a while."""
    HALF_OPEN = "half_open"
    """One does, to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The circuit of one host. Times are monotonic seconds, given from outside."""

    failures_max: int = 5
    open_seconds: float = 60.0
    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    opened_at: float = 0.0

    def allows(self, now: float) -> bool:
        """Whether a request may go out at this time."""
        return self.state is not CircuitState.OPEN or now - self.opened_at >= self.open_seconds

    def asked(self, now: float) -> "Circuit":
        """The circuit once a request has gone out."""
        if self.state is CircuitState.OPEN and self.allows(now):
            return replace(self, state=CircuitState.HALF_OPEN)
        return self

    def succeeded(self) -> "Circuit":
        """The circuit once a request was answered."""
        return replace(self, state=CircuitState.CLOSED, failures=0)

    def failed(self, now: float) -> "Circuit":
        """The circuit once a request was not answered."""
        failures = self.failures + 1
        if self.state is CircuitState.HALF_OPEN or failures >= self.failures_max:
            return replace(self, state=CircuitState.OPEN, failures=failures, opened_at=now)
        return replace(self, failures=failures)
