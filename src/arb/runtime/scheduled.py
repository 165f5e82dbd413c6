"""APScheduler calls the tick, and nothing else.

It knows the wall clock alone, which may be set; an interval is a length of time. So its
trigger counts on the steady clock, and what it has planned is planned anew when the two clocks
have moved against each other.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from arb.domain.news import CycleSkipped
from arb.ports import Clock
from arb.publisher import Observer

Tick = Callable[[], Awaitable[None]]

JOB = "scan"
LOOK_SECONDS = 0.25
"""Between two checks of whether the clock was set."""
SET_SECONDS = 0.5
"""A clock that is off by less is followed, not corrected."""


class SteadyTrigger(IntervalTrigger):  # type: ignore[misc]  # the library is untyped
    """Fires every `seconds` since it was made, wherever the wall clock goes."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        super().__init__(seconds=seconds, timezone=UTC)
        self._clock, self._seconds = clock, seconds
        self._began = clock.monotonic()

    def get_next_fire_time(self, previous_fire_time: object, now: datetime) -> datetime:  # noqa: ARG002  # the library's signature
        """The first time from now on; never one that has gone by."""
        passed = self._clock.monotonic() - self._began
        left = (math.floor(passed / self._seconds) + 1) * self._seconds - passed
        return now + timedelta(seconds=left)


@dataclass(slots=True)
class Schedule:
    """Runs a tick at a fixed interval until it is stopped, one at a time. A `Ticker`."""

    interval_seconds: float
    clock: Clock
    observe: Observer
    ticks_max: int | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _error: BaseException | None = None

    async def __call__(self, tick: Tick) -> None:
        """Run until `stop`; the tick at work is finished first, or cancelled with this call.

        Raises:
            Exception: What a tick raised. The scheduler would swallow it; it ends the run instead.
        """
        done, leaving = 0, False
        at_work = asyncio.Lock()
        working: asyncio.Future[None] | None = None

        async def guarded() -> None:
            nonlocal done, working
            async with at_work:
                if not self._stop.is_set():
                    working = asyncio.ensure_future(tick())
                    await asyncio.wait({working})
                    if leaving and working.cancelled():
                        return  # given up below: no failure that the scheduler should log
                    working.result()
                    done += 1
            if self.ticks_max is not None and done >= self.ticks_max:
                self._stop.set()

        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_listener(self._missed, EVENT_JOB_MAX_INSTANCES)
        scheduler.add_listener(self._failed, EVENT_JOB_ERROR)
        trigger = SteadyTrigger(self.interval_seconds, self.clock)
        scheduler.add_job(
            guarded,
            trigger,
            id=JOB,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,  # late is better than never, and by which clock would it be?
            next_run_time=self.clock.now(),
        )
        scheduler.start()
        following = asyncio.create_task(self._follow(scheduler, trigger))
        try:
            await self._stop.wait()
            async with at_work:
                pass
        finally:
            leaving = True
            following.cancel()
            await _gone(working)
            scheduler.shutdown(wait=False)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Start no further tick."""
        self._stop.set()

    async def _follow(self, scheduler: AsyncIOScheduler, trigger: SteadyTrigger) -> None:
        """Plan anew whenever the clock was set: until then the scheduler waits for the old time."""
        known = self._offset()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            offset = self._offset()
            if abs(offset - known) >= SET_SECONDS:
                known = offset
                due = trigger.get_next_fire_time(None, self.clock.now())
                scheduler.modify_job(JOB, next_run_time=due)

    def _offset(self) -> float:
        """How far the wall clock is ahead of the steady one."""
        return self.clock.now().timestamp() - self.clock.monotonic()

    def _missed(self, event: "object") -> None:
        due: datetime | None = next(iter(getattr(event, "scheduled_run_times", ())), None)
        when = f" of {due:%H:%M:%S}" if due else ""
        self.observe(CycleSkipped(f"the run{when} was due while the last one was at work"))

    def _failed(self, event: "object") -> None:
        self._error = getattr(event, "exception", None) or RuntimeError("a tick failed")
        self._stop.set()


async def _gone(working: "asyncio.Future[None] | None") -> None:
    """Cancel what is still at work, and see it end."""
    if working is not None and not working.done():
        working.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await working
