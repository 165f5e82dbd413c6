"""The only reader of the wall clock."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """See `arb.ports.Clock`."""
        return datetime.now(UTC)  # noqa: TID251  # this is the one place

    def monotonic(self) -> float:
        """See `arb.ports.Clock`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `arb.ports.Clock`."""
        await asyncio.sleep(seconds)
