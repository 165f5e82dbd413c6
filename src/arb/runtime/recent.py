"""Reads that are shared by all who ask within a moment: fifty clients cost the ledger one read."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeVar

from arb.api.reads import Document, Reads
from arb.domain.news import Decided, News, QualityAlarm, Trouble

T = TypeVar("T")

KEPT_SECONDS = 0.5
"""How long the plans at work, and what other processes write, may go unseen."""
KEPT_MAX = 64
MANY = (Decided, QualityAlarm, Trouble)
"""News by the hundred, of what is not in the ledger yet."""


class Recent:
    """See `arb.api.reads.Reads`. Itself an `Observer`: news of a change ends what is kept."""

    def __init__(self, reads: Reads, monotonic: Callable[[], float]) -> None:
        self._reads, self._monotonic = reads, monotonic
        self._kept: dict[Hashable, tuple[float, asyncio.Task[Any]]] = {}

    def __call__(self, news: News) -> None:
        """Forget what the news has made old."""
        if not isinstance(news, MANY):
            self._kept.clear()

    async def portfolio(self) -> Document:
        """See `Reads`."""
        return await self._shared("portfolio", self._reads.portfolio)

    async def positions(self) -> Sequence[Document]:
        """See `Reads`."""
        return await self._shared("positions", self._reads.positions)

    async def profit(self, limit: int) -> Sequence[Document]:
        """See `Reads`."""
        return await self._shared(("profit", limit), lambda: self._reads.profit(limit))

    async def opportunities(self, *, limit: int, everything: bool) -> Sequence[Document]:
        """See `Reads`."""
        return await self._shared(
            ("opportunities", limit, everything),
            lambda: self._reads.opportunities(limit=limit, everything=everything),
        )

    async def opportunity(self, id_: str) -> Document | None:
        """See `Reads`."""
        return await self._reads.opportunity(id_)

    async def plans(self, *, limit: int, only_open: bool) -> Sequence[Document]:
        """See `Reads`."""
        return await self._shared(
            ("plans", limit, only_open),
            lambda: self._reads.plans(limit=limit, only_open=only_open),
        )

    async def plan(self, id_: str) -> Document | None:
        """See `Reads`."""
        return await self._reads.plan(id_)

    async def fills(self, limit: int) -> Sequence[Document]:
        """See `Reads`."""
        return await self._shared(("fills", limit), lambda: self._reads.fills(limit))

    async def cycles(self, limit: int) -> Sequence[Document]:
        """See `Reads`."""
        return await self._shared(("cycles", limit), lambda: self._reads.cycles(limit))

    async def statistics(self) -> Document:
        """See `Reads`."""
        return await self._shared("statistics", self._reads.statistics)

    def config(self) -> Sequence[Document]:
        """See `Reads`."""
        return self._reads.config()

    async def _shared(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        now = self._monotonic()
        until, task = self._kept.get(key, (now, None))
        if task is None or until <= now:
            while len(self._kept) >= KEPT_MAX:
                self._kept.pop(next(iter(self._kept)))
            task = asyncio.ensure_future(_awaited(read))
            self._kept[key] = now + KEPT_SECONDS, task
            task.add_done_callback(lambda done: self._done(key, done))
        # One client that goes away must not take the others' answer with it.
        found: T = await asyncio.shield(task)
        return found

    def _done(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._kept.get(key, (0.0, None))[1] is done:
            del self._kept[key]


async def _awaited(read: Callable[[], Awaitable[T]]) -> T:
    return await read()
