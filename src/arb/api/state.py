"""What the routes share."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import HTTPConnection

from arb.api.audit import Audit, AuditError
from arb.api.auth import Principal
from arb.api.executed import ExecutedKeys
from arb.api.metrics import Metrics
from arb.api.shared import SharedReads
from arb.domain.errors import ArbError, LedgerError
from arb.domain.halt import Standing
from arb.domain.news import Trouble
from arb.domain.report import Problem, ProblemKind
from arb.engine.bus import Bus
from arb.engine.control import Control, ControlStatus
from arb.ports import Clock
from arb.views.detail import portfolio
from arb.views.ledger import Portfolio, Reads
from arb.views.sidecars import Alerts, Bots, Setting

T = TypeVar("T")

TICKET_SECONDS = 30
TICKETS_MAX = 1000
ALWAYS = frozenset({"pause", "halt", "stop", "monitoring/stop"})
"""Commands that make things safer are carried out even when they cannot be put on record."""


@dataclass(slots=True)
class Tickets:
    """Short-lived passes to the WebSocket: a browser cannot send a header there."""

    clock: Clock
    _open: dict[str, tuple[Principal, float]] = field(default_factory=dict)

    def make(self, who: Principal) -> str:
        """A ticket that is good once, for some seconds."""
        now = self.clock.monotonic()
        self._open = {t: kept for t, kept in self._open.items() if kept[1] > now}
        while len(self._open) >= TICKETS_MAX:
            self._open.pop(next(iter(self._open)))
        ticket = secrets.token_urlsafe(32)
        self._open[ticket] = (who, now + TICKET_SECONDS)
        return ticket

    def take(self, ticket: str) -> Principal | None:
        """Whose it is, if it is still good; never again after this."""
        who, until = self._open.pop(ticket, (None, 0.0))
        return who if self.clock.monotonic() < until else None


@dataclass(slots=True, kw_only=True)
class Served:
    """Everything that is served."""

    control: Control
    reads: Reads
    settings: Callable[[], list[Setting]]
    shared: SharedReads
    """Any read, shared by all clients of a moment."""
    bus: Bus
    metrics: Metrics
    audit: Audit
    tickets: Tickets
    executed: ExecutedKeys
    exchange: str
    open_on_loopback: bool = False
    """Whether programs on this machine may operate without a token."""
    interval_seconds: float = 30.0
    """Between cycles."""
    bots: Bots | None = None
    alerts: Alerts | None = None

    async def standing(self) -> Standing:
        """The state of trading, at most a moment old."""
        return await self.shared(self.control.ledger.standing)

    async def portfolio(self) -> Portfolio:
        """The account now."""
        ledger = self.control.ledger
        held = await ledger.portfolio(self.control.clock.now())
        return portfolio(ledger.account, held, await ledger.statistics())

    async def carry_out(
        self,
        who: Principal,
        action: str,
        work: Callable[[], Awaitable[T]],
        **details: Any,
    ) -> T:
        """Do what is commanded, on record before and after.

        Raises:
            AuditError: The record cannot be written, and the command is not one for safety.
            ArbError: The error of the command itself.
        """
        before = await self._brief()
        try:
            await self.audit.write(who, action, "asked", before=before, **details)
        except AuditError:
            if action not in ALWAYS:
                raise
        try:
            result = await work()
        except ArbError as error:
            await self._try_record(who, action, "failed", error=str(error), **details)
            raise
        after = await self._brief()
        await self._try_record(who, action, "done", before=before, after=after, **details)
        return result

    async def _try_record(self, who: Principal, action: str, step: str, **details: Any) -> None:
        try:
            await self.audit.write(who, action, step, **details)
        except AuditError as error:
            # It has happened already: refusing now would only hide it.
            self.control.news.publish(
                Trouble(Problem(kind=ProblemKind.AUDIT, where="audit", what=str(error)))
            )

    async def _brief(self) -> dict[str, Any] | None:
        try:
            status: ControlStatus = await self.control.status()
        except LedgerError:
            return None
        return {
            "running": status.running,
            "state": status.standing.state.value,
            "reason": status.standing.text,
            "strategies": [str(one) for one in status.strategies],
        }


def served(connection: HTTPConnection) -> Served:
    """What this request is served from."""
    found: Served = connection.app.state.served
    return found


# The framework calls a plain function in a thread: two changes of thread for each request.
async def here(connection: HTTPConnection) -> Served:
    """What this request is served from, for a route."""
    return served(connection)


async def asking(connection: HTTPConnection) -> Principal:
    """The caller; the gate has made sure that there is one."""
    found: Principal = connection.state.principal
    return found
