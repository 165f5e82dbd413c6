"""The lead of an account on a server: one orchestrator, by a lock that ends with its session.

The server ends a session that is silent for as long as the lease is, and the lock with it: a
leader that hangs or is cut off loses it without a comparison of clocks. The next holder of the
lock records a higher token, and every write of a leader is checked against it (`SqlLedger`).
"""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from arb.adapters.storage.database import ACCOUNT_LOCK, failures, plainly, server_options
from arb.adapters.storage.tables import leaders, standings
from arb.domain.halt import Standing, parse_standing
from arb.ports import Clock

LEASE_SECONDS = 4.0
BEAT_SECONDS = 0.15
"""With what a look takes, below the 250 ms that a halt may go unnoticed."""
TRY_SECONDS = 0.5
STOP_WAIT_SECONDS = 5.0

LEAD_LOCK = "select pg_try_advisory_lock(hashtextextended('arb lead ' || :account, 0))"


@dataclass(slots=True, kw_only=True)
class Lead:
    """Runs for the lead of an account, and keeps it, from a thread: a busy loop loses nothing."""

    url: str
    account: str
    holder: str
    """The name of this process, for people: host and process number."""
    clock: Clock
    lease_seconds: float = LEASE_SECONDS
    """Of silence, after which the server takes the lead away."""
    token: int = field(default=0, init=False)
    """Higher than that of every leader before; 0: this one has not led yet."""
    tried: threading.Event = field(default_factory=threading.Event, init=False)
    """Set once the first attempt has an answer."""
    lost: str = field(default="", init=False)
    """Why this one never leads again."""
    standing: Standing | None = field(default=None, init=False)
    """The account's standing at the last beat: an operator may halt it from another machine."""
    trouble: str = field(default="", init=False)
    """Why the server could not be asked just now."""
    _sure_until: float = field(default=0.0, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    @property
    def leading(self) -> bool:
        """Whether this one leads, beyond doubt."""
        return self.token > 0 and not self.lost and self.clock.monotonic() < self._sure_until

    def doubt(self) -> str | None:
        """Why nothing may be sent; `None`: this one leads. Checked right before each order."""
        if self.lost:
            return self.lost
        if self.leading:
            return None
        return f"not sure to lead {self.account} any more: {self.trouble or 'it took too long'}"

    def start(self) -> None:
        """Begin to run for the lead."""
        self._thread = threading.Thread(target=self._run, name="lead", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of the lead, so that the next one need not wait for the lease to end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_WAIT_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._keep())
        finally:
            # A thread that has died of a bug must not leave a caller waiting, or trusting it.
            self.lost = self.lost or f"the lead of {self.account} is no longer kept"
            self.tried.set()

    async def _keep(self) -> None:
        engine = self._engine()
        try:
            while not self._stop.is_set() and not self.lost:
                try:
                    async with engine.connect() as session:
                        await self._hold(session)
                except failures() as error:
                    self.trouble = plainly(error)
                    self.tried.set()
                    await self._pause(self.clock.monotonic() + TRY_SECONDS)
        finally:
            await engine.dispose()

    async def _hold(self, session: AsyncConnection) -> None:
        """One session: try for the lock, then send heartbeats often enough to keep it."""
        locked = False
        while not self._stop.is_set() and not self.lost:
            # From before the question: the server's count of silence starts after it.
            asked = self.clock.monotonic()
            if locked:
                await self._look(session)
            else:
                locked = bool(await session.scalar(text(LEAD_LOCK), {"account": self.account}))
                if locked:
                    await self._write_token(session)
                    await self._look(session)
            self.trouble = ""
            if locked and not self.lost:
                self._sure_until = asked + self.lease_seconds
            self.tried.set()
            await self._pause(asked + BEAT_SECONDS if locked else asked + TRY_SECONDS)

    async def _look(self, session: AsyncConnection) -> None:
        """Send a heartbeat, by asking whether an operator has halted the account."""
        latest = (
            select(standings.c.state, standings.c.reason, standings.c.by_operator)
            .where(standings.c.account == self.account)
            .order_by(standings.c.id.desc())
            .limit(1)
        )
        row = (await session.execute(latest)).one_or_none()
        if row is None:
            self.standing = Standing()
        else:
            by_operator = bool(row.by_operator)
            self.standing = parse_standing(row.state, row.reason, by_operator=by_operator)

    async def _pause(self, until: float) -> None:
        """Wait, in the thread's own loop, for the next beat or for the end."""
        await asyncio.to_thread(self._stop.wait, max(until - self.clock.monotonic(), 0))

    async def _write_token(self, session: AsyncConnection) -> None:
        """A new token, or the old one where no other process has led since it was recorded."""
        mine = leaders.c.account == self.account
        await session.exec_driver_sql("begin")
        # Behind every write that a former leader has begun: none commits after the new token.
        await session.execute(text(ACCOUNT_LOCK), {"account": self.account})
        newest = int(await session.scalar(select(func.max(leaders.c.token)).where(mine)) or 0)
        if self.token == 0:
            row = {
                "account": self.account,
                "token": newest + 1,
                "holder": self.holder,
                "since": self.clock.now(),
            }
            await session.execute(insert(leaders).values(row))
        await session.exec_driver_sql("commit")
        if self.token == 0:
            self.token = newest + 1
        elif self.token != newest:
            self.lost = (
                f"another orchestrator led {self.account} meanwhile (token {newest}, this one has "
                f"{self.token})"
            )

    def _engine(self) -> AsyncEngine:
        options: dict[str, Any] = server_options(
            application_name="arb lead", idle_session_timeout=str(int(self.lease_seconds * 1000))
        )
        options["connect_args"]["command_timeout"] = self.lease_seconds
        return create_async_engine(
            self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **options
        )
