"""How often each endpoint may be asked: by this process, or by all of them together."""

from collections.abc import Mapping

from aiolimiter import AsyncLimiter

WINDOW_SECONDS = 10


class OwnBudgets:
    """Budgets in this process's memory."""

    def __init__(self) -> None:
        self._limiters: dict[str, AsyncLimiter] = {}

    async def take(self, endpoint: str, per_window: int) -> None:
        """See `arb.ports.Budgets`."""
        if endpoint not in self._limiters:
            self._limiters[endpoint] = AsyncLimiter(per_window, WINDOW_SECONDS)
        await self._limiters[endpoint].acquire()

    async def hold(self, endpoint: str, seconds: float) -> None:
        """It is not shared: the retry itself waits."""

    def circuits(self) -> Mapping[str, str]:
        """See `arb.ports.Budgets`."""
        return {}

    def close_circuits(self) -> None:
        """See `arb.ports.Budgets`."""

    async def close(self) -> None:
        """See `arb.ports.Budgets`."""
