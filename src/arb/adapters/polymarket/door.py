"""Whether the venue accepts orders now: its modes and the signer's budget, by its answers."""

from typing import TYPE_CHECKING

from arb.domain.errors import RateLimited, Unavailable
from arb.ports import Clock

if TYPE_CHECKING:
    from polymarket.rate_limit import RateLimitUpdate

PAUSES = {"restarting": 30.0, "cancel_only": 60.0, "post_only": 30.0}
"""Seconds without an order after the venue has refused, where it does not state how long
(docs/venue-polymarket.md §3.5: a restart takes about 90 s and is followed by two minutes of
post-only)."""
LIMITED_SECONDS = 5.0
RESET_SECONDS_MAX = 60.0
"""A budget that is to be renewed later than this shows that a clock is wrong."""


class Door:
    """The venue's last report. Checked before anything is signed; no request is made for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._why, self._until = "", 0.0
        self._left: int | None = None
        self._renewed_at = 0.0

    def closed(self, why: str, seconds: float | None) -> None:
        """The venue takes no orders for a while."""
        self._why = why
        pause = PAUSES.get(why, LIMITED_SECONDS) if seconds is None else seconds
        self._until = self._clock.monotonic() + pause

    def heard(self, update: "RateLimitUpdate") -> None:
        """How many orders the signer may still send, and until when that counts."""
        if update.remaining is not None:
            wait = (update.reset or 0) - self._clock.now().timestamp()
            self._left = int(update.remaining)
            self._renewed_at = self._clock.monotonic() + min(max(wait, 1.0), RESET_SECONDS_MAX)

    def pass_through(self, orders: int) -> None:
        """Require that this many orders may be sent now.

        Raises:
            Unavailable: The venue takes none.
            RateLimited: The signer's budget is used up.
        """
        now = self._clock.monotonic()
        if now < self._until:
            raise Unavailable(f"the venue takes no orders: {self._why}")
        if self._left is not None and now < self._renewed_at and self._left < orders:
            wait = self._renewed_at - now
            raise RateLimited(
                f"{self._left} orders left in the signer's budget", retry_after_seconds=wait
            )
