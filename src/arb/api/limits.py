"""Rate limits, and the lock-out after wrong tokens. Pure but for the given clock."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

REMEMBERED_MAX = 10_000
LOCK_AFTER = 5
LOCK_SECONDS_MAX = 900.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(slots=True)
class RateLimit:
    """A number of requests a minute for each key, and a burst of as many as ten seconds give."""

    per_minute: float
    monotonic: Callable[[], float]
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def wait(self, key: str) -> float:
        """Take one; returns the seconds to wait when there is none left, 0 when there was."""
        now, rate = self.monotonic(), self.per_minute / 60
        most = max(rate * 10, 1.0)
        bucket = self._buckets.pop(key, None) or _Bucket(most, now)
        bucket.left, bucket.at = min(most, bucket.left + (now - bucket.at) * rate), now
        _remember(self._buckets, key, bucket)
        if bucket.left < 1:
            return (1 - bucket.left) / rate
        bucket.left -= 1
        return 0.0


@dataclass(slots=True)
class _Guesses:
    failures: int = 0
    until: float = 0.0


@dataclass(slots=True)
class LockOut:
    """After several wrong tokens an address must wait, twice as long each time.

    A valid token passes all the same: an attacker must not be able to keep the operator from
    halting by guessing from the same machine.
    """

    monotonic: Callable[[], float]
    _known: OrderedDict[str, _Guesses] = field(default_factory=OrderedDict)

    def failed(self, address: str) -> float:
        """One more wrong token; returns the seconds that are to be waited from now on."""
        now = self.monotonic()
        guesses = self._known.pop(address, None) or _Guesses()
        if now < guesses.until:
            _remember(self._known, address, guesses)
            return guesses.until - now
        guesses.failures += 1
        _remember(self._known, address, guesses)
        if guesses.failures < LOCK_AFTER:
            return 0.0
        wait = min(2.0 ** min(guesses.failures - LOCK_AFTER, 20), LOCK_SECONDS_MAX)
        guesses.until = now + wait
        return wait

    def succeeded(self, address: str) -> None:
        """A right token: the wrong ones are forgotten."""
        self._known.pop(address, None)


def _remember(known: OrderedDict[str, T], key: str, value: T) -> None:
    known[key] = value
    if len(known) > REMEMBERED_MAX:
        known.popitem(last=False)
