"""Whether the process still has a steady clock and a loop that turns."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from arb.domain.errors import LedgerError
from arb.domain.news import Trouble
from arb.domain.report import Problem, ProblemKind
from arb.ports import Clock
from arb.publisher import Observer

BEAT_SECONDS = 0.25
STALL_SECONDS = 1.0
"""A loop that stood still for longer is reported; a book read before is stale then."""
JUMP_SECONDS = 2.0
"""What the venue tolerates between its clock and ours (faults D08, H09)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Beats beside the cycles, and reports what it notices (faults H09, H10)."""

    clock: Clock
    tell: Observer
    pause: Callable[[str], Awaitable[object]] | None = None
    """Holds trading back; `None`: on paper nothing is signed, so a word is enough."""
    beat_seconds: float = BEAT_SECONDS

    async def __call__(self) -> None:
        """Beat until cancelled."""
        while True:
            steady, wall = self.clock.monotonic(), self.clock.now()
            await asyncio.sleep(self.beat_seconds)
            passed = self.clock.monotonic() - steady
            jumped = (self.clock.now() - wall).total_seconds() - passed
            late = passed - self.beat_seconds
            if late > STALL_SECONDS:
                self._say(ProblemKind.LOOP, f"nothing else could run for {late:.1f} s")
            if abs(jumped) > JUMP_SECONDS:
                what = f"the clock jumped by {jumped:+.1f} s"
                self._say(ProblemKind.CLOCK, what)
                if self.pause is not None:
                    await self._hold_back(self.pause, f"{what}; check it, then resume")

    async def _hold_back(self, pause: Callable[[str], Awaitable[object]], why: str) -> None:
        try:
            await pause(why)
        except LedgerError as error:  # which by itself keeps every order from being sent
            self._say(ProblemKind.CLOCK, f"trading could not be paused: {error}")

    def _say(self, kind: ProblemKind, what: str) -> None:
        self.tell(Trouble(Problem(kind=kind, where=kind.value, what=what)))


@contextlib.asynccontextmanager
async def beating(pulse: Pulse) -> AsyncIterator[None]:
    """Let it beat while the block runs."""
    task = asyncio.create_task(pulse())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
