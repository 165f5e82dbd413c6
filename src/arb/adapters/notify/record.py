"""The decisions on alerts and the outcome of each: the latest, for the API."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from arb.adapters.notify.rules import Alert, Verdict

KEPT = 200
WAITING = "waiting"
SENT = "sent"


@dataclass(slots=True, kw_only=True)
class Told:
    """One alert and its fate."""

    alert: Alert
    verdict: Verdict
    at: datetime
    last_at: datetime
    """When the same was decided on last."""
    again: int = 0
    """How often the same came again, without being sent again."""
    ended_at: datetime | None = None
    """When its condition ended; `None`: it has not, or that is not known."""
    channels: dict[str, str] = field(default_factory=dict)
    """By channel: `waiting`, `sent`, or what went wrong."""

    def arrived(self, channel: str, trouble: str) -> None:
        """Keep the outcome that a channel reports from its thread."""
        self.channels[channel] = trouble or SENT


@dataclass(slots=True)
class Record:
    """The latest alerts of one process. The same one again is counted, not listed anew."""

    _told: deque[Told] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, alert: Alert, verdict: Verdict, at: datetime) -> Told:
        """Write a decision down."""
        before = next((one for one in reversed(self._told) if one.alert.key == alert.key), None)
        if (
            before is not None
            and before.ended_at is None
            and verdict in (Verdict.REPEATED, before.verdict)
            and (verdict is not Verdict.SENT)
        ):
            before.again, before.last_at = before.again + 1, at
            return before
        told = Told(alert=alert, verdict=verdict, at=at, last_at=at)
        self._told.append(told)
        return told

    def end(self, key: str, at: datetime) -> None:
        """The condition of this key has ended."""
        for told in self._told:
            if told.alert.key == key and told.ended_at is None:
                told.ended_at = at

    def latest(self, limit: int) -> list[Told]:
        """The latest decisions, newest first."""
        return list(self._told)[::-1][:limit]
