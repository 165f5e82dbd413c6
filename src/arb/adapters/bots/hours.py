"""When a bot is started and stopped by the calendar: two cron expressions, in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from apscheduler.triggers.cron import CronTrigger

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Hours:
    """When a bot is started and when it is stopped; either may be absent."""

    starts: CronTrigger | None
    stops: CronTrigger | None

    def holds(self, at: datetime) -> bool:
        """Whether a bot runs at this time: with both, where it is stopped before it is started.

        With starts alone it does not run before the first of them; with stops alone it does.
        """
        return self._next(self.stops, at) < self._next(self.starts, at)

    def due(self, since: datetime, now: datetime) -> Literal["start", "stop", ""]:
        """What is to be done at `now`, where all was done until `since`.

        Of several times that have gone by (the machine slept) the last counts.
        """
        starts, stops = (self._next(each, since) <= now for each in (self.starts, self.stops))
        if starts and stops:
            return "start" if self.holds(now) else "stop"
        return "start" if starts else "stop" if stops else ""

    @staticmethod
    def _next(times: CronTrigger | None, after: datetime) -> datetime:
        found = None if times is None else times.get_next_fire_time(after, after)
        return NEVER if found is None else found


def hours(starts: str, stops: str) -> Hours | None:
    """What two expressions of five fields say; `None` where both are empty.

    Weekdays go by their names: the scheduler's 0 is Monday, cron's is Sunday.

    Raises:
        ValueError: One of them is no cron expression, or a time that never comes.
    """
    if not starts and not stops:
        return None
    return Hours(_trigger(starts), _trigger(stops))


def _trigger(expression: str) -> CronTrigger | None:
    if not expression:
        return None
    made = CronTrigger.from_crontab(expression, timezone=UTC)
    if any(sign.isdigit() for sign in expression.rsplit(maxsplit=1)[-1]):
        raise ValueError("weekdays are written mon, tue, ... or mon-fri")
    if made.get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("this time never comes")
    return made
