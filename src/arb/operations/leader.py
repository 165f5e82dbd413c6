"""One orchestrator per account: by the file's lock, or by the server's."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, upgrade
from arb.adapters.storage.database import file_of, is_server
from arb.adapters.storage.lead import Lead
from arb.adapters.storage.queries import leader_of
from arb.config.schema import DatabaseSettings
from arb.domain.errors import LedgerError, LedgerLocked
from arb.domain.news import Trouble
from arb.domain.report import Problem, ProblemKind
from arb.operations.lock import one_instance
from arb.ports import Ticker
from arb.publisher import Observer

LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 1.0


@contextlib.asynccontextmanager
async def one_leader(
    database: DatabaseSettings, account: str, tell: Observer | None = None
) -> AsyncIterator[Lead | None]:
    """The lead of an account as long as the block runs; `None` where the file's lock is enough.

    Args:
        database: Where the ledger is, and how long a leader may be silent.
        account: Whose lead.
        tell: Called with the message that another one leads; with it, this one waits its turn.

    Raises:
        LedgerLocked: Another orchestrator has it, and none is to be waited for.
        LedgerError: The database cannot be used.
    """
    url = database.url
    with one_instance(file_of(url)):
        if not is_server(url):
            yield None
            return
        holder = f"{socket.gethostname()}, process {os.getpid()}"
        lead = Lead(
            url=url,
            account=account,
            holder=holder,
            clock=SystemClock(),
            lease_seconds=database.lease,
        )
        await _prepared(url)
        lead.start()
        try:
            await _led(lead, url, tell)
            yield lead
        finally:
            await asyncio.to_thread(lead.stop)


def token_of(lead: Lead | None) -> int | None:
    """What the leader's writes are held against; `None` with a file's lock."""
    return None if lead is None else lead.token


def patient(ticker: Ticker, tell: Observer) -> Ticker:
    """The ticker with ticks that outlive a server which is away; never one that has lost the lead.

    A tick that could not write down leaves its plans open, as a crash would; the next one that
    can takes them up before anything else.
    """

    async def run(tick: Callable[[], Awaitable[None]]) -> None:
        async def tried() -> None:
            try:
                await tick()
            except LedgerLocked:
                raise
            except LedgerError as error:
                tell(
                    Trouble(
                        Problem(
                            kind=ProblemKind.LEDGER,
                            where="ledger",
                            what=f"{error} The cycle is left out.",
                        )
                    )
                )
                await asyncio.sleep(PATIENCE_SECONDS)

        await ticker(tried)

    return run


async def _prepared(url: str) -> None:
    """The schema up to date: the token's table must be there before the first leader."""
    database = Database(url)
    try:
        await upgrade(database)
    finally:
        await database.close()


async def _led(lead: Lead, url: str, tell: Observer | None) -> None:
    await asyncio.to_thread(lead.tried.wait)
    said = False
    while not lead.leading:
        if lead.lost:
            raise LedgerError(lead.lost)
        if tell is None or (lead.trouble and not said):
            raise LedgerError(lead.trouble) if lead.trouble else LedgerLocked(await _who(lead, url))
        if not said:
            said = True
            what = f"{await _who(lead, url)}; this one waits and takes over when it ends"
            tell(Trouble(Problem(kind=ProblemKind.LEAD, where="lead", what=what)))
        await asyncio.sleep(LOOK_SECONDS)


async def _who(lead: Lead, url: str) -> str:
    database = Database(url)
    try:
        owner = await leader_of(database, lead.account)
    finally:
        await database.close()
    return f"{owner or 'another orchestrator'} already works on {lead.account}"
