"""News to observers: numbered, through bounded queues. Never control flow."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from arb.domain.news import News

QUEUE_MAX = 1000


@dataclass(frozen=True, slots=True)
class Numbered:
    """News with its place in the order of publication."""

    seq: int
    news: News


class TooSlow(Exception):
    """The subscriber left more unread than its queue holds, and is subscribed no more."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One observer's queue. Ask for the next until it is `TooSlow`."""

    after: int
    """The number of the last news before it; the first that it gets is one more."""
    _queue: asyncio.Queue[Numbered | None]
    _leave: Callable[["Subscription"], None]

    async def next(self) -> Numbered:
        """The next news.

        Raises:
            TooSlow: News has been lost for this observer; it must begin anew.
        """
        item = await self._queue.get()
        if item is None:
            self._queue.put_nowait(None)
            raise TooSlow
        return item

    def close(self) -> None:
        """Listen no more."""
        self._leave(self)


class Bus:
    """Numbers the news and hands it to every subscriber. Itself an `Observer`."""

    def __init__(self, wants: Callable[[News], bool] = lambda _: True) -> None:
        """Pass on what `wants` accepts; the rest gets no number."""
        self.seq = 0
        self.dropped = 0
        """Subscribers that were too slow."""
        self._wants = wants
        self._subscribers: dict[Subscription, asyncio.Queue[Numbered | None]] = {}

    def __call__(self, news: News) -> None:
        """Publish to every subscriber; one whose queue is full is dropped. Never waits."""
        if not self._wants(news):
            return
        self.seq += 1
        item = Numbered(self.seq, news)
        for subscription, queue in list(self._subscribers.items()):
            try:
                queue.put_nowait(item)
            except asyncio.QueueFull:
                self.dropped += 1
                self._leave(subscription)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    @property
    def subscribers(self) -> int:
        """How many listen."""
        return len(self._subscribers)

    def subscribe(self, size: int = QUEUE_MAX) -> Subscription:
        """Listen from here on; `size` is how much may wait unread."""
        queue: asyncio.Queue[Numbered | None] = asyncio.Queue(size)
        subscription = Subscription(self.seq, queue, self._leave)
        self._subscribers[subscription] = queue
        return subscription

    def _leave(self, subscription: Subscription) -> None:
        self._subscribers.pop(subscription, None)
