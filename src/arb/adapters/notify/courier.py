"""Bringing alerts to their channels, each from a thread of its own: none can hold anything up."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arb.adapters.notify.rules import Alert

Tell = Callable[[str, str], None]
"""Called from a channel's thread with the outcome of an alert: empty when it was sent."""

ATTEMPTS = 3
PAUSE_SECONDS = 1.0
"""Before the second attempt; twice that before the third."""
QUEUE_MAX = 100


class Channel(Protocol):
    """A way to a person. Whatever it raises is taken for "not sent"."""

    name: str
    """Without a secret in it."""

    def send(self, alert: Alert) -> None:
        """Send, or raise. May take its time."""
        ...


@dataclass(slots=True, kw_only=True)
class Lane:
    """One channel, the messages that wait for it, and its last outcome."""

    channel: Channel
    pause_seconds: float = PAUSE_SECONDS
    counts: Counter[str] = field(default_factory=Counter)
    """`sent`, `failed`, `dropped`."""
    _waiting: "queue.Queue[tuple[Alert, Tell] | None]" = field(
        default_factory=lambda: queue.Queue(QUEUE_MAX), init=False
    )
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        name = f"alerts-{self.channel.name}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, one: tuple[Alert, Tell] | None) -> None:
        """Hand an alert over; the oldest one goes where there are too many. Never waits."""
        while True:
            try:
                self._waiting.put_nowait(one)
            except queue.Full:
                self._drop()
            else:
                return

    def join(self, seconds: float) -> bool:
        """Wait for the thread to end; false where it has not."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _drop(self) -> None:
        try:
            dropped = self._waiting.get_nowait()
        except queue.Empty:
            return
        self.counts["dropped"] += 1
        if dropped is not None:
            dropped[1](self.channel.name, "dropped: too many were waiting")

    def _work(self) -> None:
        while (one := self._waiting.get()) is not None:
            self._deliver(*one)

    def _deliver(self, alert: Alert, tell: Tell) -> None:
        for attempt in range(ATTEMPTS):
            try:
                self.channel.send(alert)
            except Exception as error:  # noqa: BLE001  # whatever a channel does, trading goes on
                what = f"{type(error).__name__}: {error}"
            else:
                self.counts["sent"] += 1
                tell(self.channel.name, "")
                return
            if attempt + 1 < ATTEMPTS:
                time.sleep(self.pause_seconds * 2**attempt)
        self.counts["failed"] += 1
        tell(self.channel.name, what)


class Courier:
    """Brings each alert to every channel."""

    def __init__(self, channels: Sequence[Channel], pause_seconds: float = PAUSE_SECONDS) -> None:
        self.lanes = [Lane(channel=channel, pause_seconds=pause_seconds) for channel in channels]

    def send(self, alert: Alert, tell: Tell = lambda _channel, _what: None) -> None:
        """Hand an alert over to every channel. Never waits, never raises."""
        for lane in self.lanes:
            lane.put((alert, tell))

    def close(self, seconds: float = 3.0) -> bool:
        """Give what waits a little time; false where a channel did not make it."""
        for lane in self.lanes:
            lane.put(None)
        until = time.monotonic() + seconds
        return all(lane.join(max(0.0, until - time.monotonic())) for lane in self.lanes)
