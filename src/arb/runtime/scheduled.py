"""APScheduler calls the tick, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from arb.domain.news import CycleSkipped
from arb.ports import Clock, Observer

Tick = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Schedule:
    """Runs a tick every so many seconds until told to stop, one at a time. A `Ticker`."""

    interval_seconds: float
    clock: Clock
    observe: Observer
    ticks_max: int | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _error: BaseException | None = None

    async def __call__(self, tick: Tick) -> None:
        """Run until `stop`; the tick at work is finished first.

        Raises:
            Exception: What a tick raised. The scheduler would swallow it; it ends the run instead.
        """
        done = 0
        at_work = asyncio.Lock()

        async def guarded() -> None:
            nonlocal done
            async with at_work:
                if not self._stop.is_set():
                    await tick()
                    done += 1
            if self.ticks_max is not None and done >= self.ticks_max:
                self._stop.set()

        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        scheduler.add_listener(self._failed, EVENT_JOB_ERROR)
        scheduler.add_job(
            guarded,
            IntervalTrigger(seconds=self.interval_seconds, timezone=UTC),
            id="scan",
            max_instances=1,
            coalesce=True,
            misfire_grace_time=max(int(self.interval_seconds), 1),
            next_run_time=self.clock.now(),
        )
        scheduler.start()
        try:
            await self._stop.wait()
            async with at_work:
                pass
        finally:
            scheduler.shutdown(wait=False)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Start no further tick."""
        self._stop.set()

    def _missed(self, event: "object") -> None:
        due: datetime | None = getattr(event, "scheduled_run_time", None)
        when = f" of {due:%H:%M:%S}" if due else ""
        self.observe(CycleSkipped(f"the run{when} was due while the last one was at work"))

    def _failed(self, event: "object") -> None:
        self._error = getattr(event, "exception", None) or RuntimeError("a tick failed")
        self._stop.set()
