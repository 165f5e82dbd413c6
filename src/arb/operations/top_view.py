"""The account as `arb top` shows it: one read, small enough for every second."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arb.adapters.clock import SystemClock
from arb.config.sources import Loaded
from arb.operations.account_views import Status, opened, status_of
from arb.operations.control_client import live_glance
from arb.views.ledger import Cycle, Opportunity, Plan

ROWS = 8
ASK_EVERY = 3
"""Looks for each time that the API is asked: its budget of requests is for others, too."""


@dataclass(frozen=True, slots=True)
class Glance:
    """The account now, and the latest of everything."""

    at: datetime
    status: Status
    cycle: Cycle | None
    opportunities: Sequence[Opportunity]
    plans: Sequence[Plan]
    live: dict[str, Any] | None
    """The running orchestrator's report of itself, its bots and alerts; `None`: none responds."""


@asynccontextmanager
async def glances(loaded: Loaded) -> AsyncIterator[Callable[[], Awaitable[Glance]]]:
    """Reads the ledger as often as it is called."""
    async with opened(loaded) as (ledger, reads):
        live: dict[str, Any] | None = None
        looks = 0

        async def look() -> Glance:
            nonlocal live, looks
            if looks % ASK_EVERY == 0:
                live = await live_glance(loaded)
            looks += 1
            return Glance(
                at=SystemClock().now(),
                status=await status_of(loaded, ledger, reads),
                cycle=await reads.last_cycle(),
                opportunities=await reads.opportunities(limit=ROWS),
                plans=await reads.plans(limit=ROWS),
                live=live,
            )

        yield look
