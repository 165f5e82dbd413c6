"""How often each endpoint may be asked: by this process, or by all of them together."""

from collections.abc import Mapping
from typing import Protocol

from aiolimiter import AsyncLimiter

WINDOW_SECONDS = 10


class Budgets(Protocol):
    """Lets requests out one by one."""

    async def take(self, endpoint: str, per_window: int) -> None:
        """Wait until one more request of the endpoint may go out."""
        ...

    async def hold(self, endpoint: str, seconds: float) -> None:
        """Make every process that shares the budget wait, as the venue asked."""
        ...

    def circuits(self) -> Mapping[str, str]:
        """The state of the server's circuit, where the budget is kept on one."""
        ...

    def close_circuits(self) -> None:
        """Ask them again, whatever they did before."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class OwnBudgets:
    """Budgets in this process's memory."""

    def __init__(self) -> None:
        self._limiters: dict[str, AsyncLimiter] = {}

    async def take(self, endpoint: str, per_window: int) -> None:
        """See `Budgets`."""
        if endpoint not in self._limiters:
            self._limiters[endpoint] = AsyncLimiter(per_window, WINDOW_SECONDS)
        await self._limiters[endpoint].acquire()

    async def hold(self, endpoint: str, seconds: float) -> None:
        """It is not shared: the retry itself waits."""

    def circuits(self) -> Mapping[str, str]:
        """See `Budgets`."""
        return {}

    def close_circuits(self) -> None:
        """See `Budgets`."""

    async def close(self) -> None:
        """See `Budgets`."""
