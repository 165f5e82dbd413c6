"""Reads that are shared by all clients of a moment: fifty clients cost the ledger one read.

One read of the account takes a dozen changes of thread, each of which waits for whatever computes;
so who asks again and again is given what is known, and it is looked up anew beside that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from arb.domain.news import (
    CycleEnded,
    News,
    PaidOut,
    PlanEnded,
    PlanResolved,
    PlanStarted,
    StateChanged,
)

P = ParamSpec("P")
T = TypeVar("T")
Read = Callable[[], Awaitable[Any]]

FRESH_SECONDS = 1.5
"""Serve an answer this old, but refresh it in the background."""
OLD_SECONDS = 2.0
"""An answer of this age is not given out any more."""
ASKED_SECONDS = 10.0
"""A client within this time will ask again: the answer is read as soon as a cycle has ended."""
KEPT_MAX = 64
CHANGES = PlanStarted | PlanEnded | PaidOut | PlanResolved | CycleEnded | StateChanged


@dataclass(slots=True, eq=False)
class _Answer:
    """What was read, or is being read."""

    read: Read
    at: float
    asked_at: float
    change: int
    """The last change of the ledger that it has seen."""
    task: asyncio.Task[Any]


class SharedReads:
    """Any read, kept for a moment: `await shared(reads.plans, limit=50)`.

    A read is known by its function and its arguments. An answer is at most `OLD_SECONDS` old, and
    never from before a plan began or ended, a cycle ended, or the state of trading changed, in this
    process, as far as `observe` is given the news. A read that fails raises for all who wait for it
    and is not kept.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: dict[Hashable, _Answer] = {}
        self._coming: dict[Hashable, _Answer] = {}
        self._change = 0

    async def __call__(
        self, read: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the read returns, or has returned a moment ago."""
        key = (read, args, tuple(sorted(kwargs.items())))
        return await self._shared(key, partial(read, *args, **kwargs))

    def observe(self, news: News) -> None:
        """See `arb.publisher.Observer`: forget what the news has made old."""
        if not isinstance(news, CHANGES):
            return
        self._change += 1
        if isinstance(news, CycleEnded):
            now = self._monotonic()
            for key, kept in list(self._kept.items()):
                if now - kept.asked_at < ASKED_SECONDS:
                    self._kept[key] = self._begin(key, kept.read, kept.asked_at)
                else:
                    del self._kept[key]

    async def close(self) -> None:
        """Read no more."""
        tasks = [answer.task for answer in (*self._kept.values(), *self._coming.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _shared(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        now = self._monotonic()
        kept = self._kept.get(key)
        if kept is None or kept.change != self._change or now - kept.at >= OLD_SECONDS:
            self._kept.pop(key, None)
            while len(self._kept) >= KEPT_MAX:
                self._kept.pop(next(iter(self._kept)))
            kept = self._kept[key] = self._begin(key, read, now)
        elif now - kept.at >= FRESH_SECONDS and key not in self._coming:
            self._coming[key] = self._begin(key, read, now)
        kept.asked_at = now
        # One client that goes away must not take the others' answer with it.
        found: T = await asyncio.shield(kept.task)
        return found

    def _begin(self, key: Hashable, read: Read, asked_at: float) -> _Answer:
        task = asyncio.ensure_future(_awaited(read))
        answer = _Answer(read, self._monotonic(), asked_at, self._change, task)
        task.add_done_callback(lambda _: self._ended(key, answer))
        return answer

    def _ended(self, key: Hashable, answer: _Answer) -> None:
        """Put what was read in the place of what is older; a failure is never kept."""
        coming = self._coming.get(key) is answer
        if coming:
            del self._coming[key]
        kept = self._kept.get(key)
        if answer.task.cancelled() or answer.task.exception() is not None:
            if kept is answer:
                del self._kept[key]
        elif coming and kept is not None and kept.change == answer.change:
            answer.asked_at = kept.asked_at
            self._kept[key] = answer


async def _awaited(read: Callable[[], Awaitable[T]]) -> T:
    return await read()
