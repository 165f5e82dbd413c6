"""What the command line reads of the ledger."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, SqlLedger, upgrade
from arb.adapters.storage.database import file_of, shown_url
from arb.adapters.storage.queries import LedgerReads
from arb.config.sources import Loaded
from arb.domain.contradiction import Contradiction
from arb.domain.errors import LedgerError, UnknownName
from arb.domain.halt import Standing
from arb.domain.money import text
from arb.domain.plan import Plan
from arb.domain.position import Portfolio
from arb.domain.report import Statistics
from arb.operations.halt_file import effective_standing
from arb.operations.lock import holder
from arb.operations.signal_views import signals_of
from arb.views.detail import contradiction, portfolio
from arb.views.ledger import Account
from arb.views.shape import as_json
from arb.views.signals import SignalAccount

T = TypeVar("T")

HELD = (
    "cash",
    "promised",
    "pockets",
    "locked",
    "provisional",
    "open_plans",
    "volume_today",
    "loss_today",
    "consecutive_failures",
    "trades_ended",
    "trades_voided",
    "statistics",
)
"""What the status shows of the portfolio, by name and in this order."""


@dataclass(frozen=True, slots=True)
class Status:
    """The account at a glance."""

    account: str
    standing: Standing
    contradictions: Sequence[Contradiction]
    """What has stopped kinds of trade until an operator has looked."""
    portfolio: Portfolio
    statistics: Statistics
    cycle: int | None
    cycle_at: datetime | None
    """When the last cycle began."""
    funnel: dict[str, int]
    signals: SignalAccount | None = None
    """The account of statistical strategies, if there is one: no figure of it is in the others."""
    notes: tuple[str, ...] = ()
    """A hint for an operator who meant another account, or another bankroll."""

    @property
    def cycle_age(self) -> float | None:
        """Seconds since the last cycle began; below zero where the clock was set back."""
        if self.cycle_at is None:
            return None
        return (SystemClock().now() - self.cycle_at).total_seconds()

    def fresh(self, seconds: float) -> bool:
        """Whether the last cycle began less than `seconds` ago.

        One in the future shows that the clock was set back, not that the cycle is fresh.
        """
        return self.cycle_age is not None and 0 <= self.cycle_age < seconds

    def account_rows(self) -> list[tuple[str, str]]:
        """The account for people."""
        held = self.portfolio
        return [
            ("Account", self.account),
            ("Cash", f"${text(held.cash)}"),
            *_pocket_rows(held),
            ("Reserved for open plans", f"${text(held.promised)}"),
            ("Bound until resolution", f"${text(held.locked)}"),
            ("Matched, not settled yet", f"${text(held.provisional)}"),
            ("Plans open or held", str(held.open_plans)),
            ("Volume today", f"${text(held.volume_today)}"),
            ("Losses today", f"${text(held.loss_today)}"),
            ("Failures in a row", str(held.consecutive_failures)),
            ("Trades that failed to settle", f"{held.trades_voided} of {held.trades_ended}"),
        ]

    def document(self) -> dict[str, Any]:
        """The account for scripts."""
        shown = portfolio(self.account, self.portfolio, self.statistics)
        document = {
            "schema": 1,
            "account": self.account,
            "state": self.standing.state.value,
            "reason": self.standing.text,
            "contradictions": [contradiction(found) for found in self.contradictions],
            **{name: getattr(shown, name) for name in HELD},
            "last_cycle": self.cycle,
            "last_cycle_at": self.cycle_at,
            "funnel": self.funnel,
            "signals": self.signals,
        }
        found: dict[str, Any] = as_json(document)
        return found


@dataclass(frozen=True, slots=True)
class Workplace:
    """The ledger that a command is about, and the process that works on it."""

    ledger: str
    """Its file in full, or the server's address without secrets."""
    account: str
    made: bool
    """Whether the ledger is there already."""
    process: str | None
    """The orchestrator that works on it: `None` if none does, and for a ledger on a server; empty
    where that cannot be seen."""
    on_server: bool

    @property
    def sentence(self) -> str:
        """Ledger, account, and what runs, for people."""
        about = f"Ledger {self.ledger}, account {self.account}: "
        if self.on_server:
            return about + "processes on other machines learn of it through the server."
        if self.process == "":
            return about + "whether a process runs on it cannot be seen from here."
        if self.process is not None:
            return about + f"process {self.process} runs on it."
        return about + "no process runs on it."


def workplace(loaded: Loaded) -> Workplace:
    """Which ledger the settings name, and whether an orchestrator works on it now."""
    url = loaded.settings.database.url
    file = file_of(url)
    return Workplace(
        ledger=shown_url(url) if file is None else str(file.absolute()),
        account=loaded.settings.account,
        made=file is None or file.exists(),
        process=holder(file),
        on_server=file is None,
    )


async def read_status(loaded: Loaded) -> Status:
    """The account at a glance."""
    async with opened(loaded) as (ledger, reads):
        return await status_of(loaded, ledger, reads)


async def status_of(loaded: Loaded, ledger: SqlLedger, reads: LedgerReads) -> Status:
    """The account at a glance, of a ledger that is open already."""
    last = await reads.last_cycle()
    return Status(
        account=ledger.account,
        standing=effective_standing(loaded, await ledger.standing()),
        contradictions=await ledger.contradictions(),
        portfolio=await ledger.portfolio(SystemClock().now()),
        statistics=await ledger.statistics(),
        cycle=last.cycle if last else None,
        cycle_at=last.started_at if last else None,
        funnel=last.summary["funnel"] if last else {},
        signals=await signals_of(loaded, reads),
        notes=_notes(loaded, ledger.account, await reads.accounts()),
    )


def _pocket_rows(held: Portfolio) -> list[tuple[str, str]]:
    """The cash at each venue, where there is more than one."""
    if len(held.pockets) < 2:
        return []
    return [
        (f"Cash at {venue}", f"${text(pocket.cash)}, ${text(pocket.free)} free")
        for venue, pocket in sorted(held.pockets.items())
    ]


def _notes(loaded: Loaded, account: str, rows: Sequence[Account]) -> tuple[str, ...]:
    row = next((row for row in rows if row.account == account), None)
    if row is None:
        known = ", ".join(row.account for row in rows) or "none"
        return (f"There is no account {account} yet, the first run opens it. Here are: {known}.",)
    wanted = loaded.settings.trading.bankroll_usd
    other = next((cash for cash in row.openings.values() if cash != wanted), None)
    if account.startswith("paper:") and other is not None:
        return (
            f"The account was opened with ${text(other)}: ARB_TRADING__BANKROLL_USD, "
            f"now ${text(wanted)}, is for new accounts. ARB_TRADING__ACCOUNT=paper:NAME opens one.",
        )
    return ()


async def read(loaded: Loaded, look: Callable[[LedgerReads], Awaitable[T]]) -> T:
    """What one look at the ledger returns: `read(loaded, lambda reads: reads.fills(limit=50))`.

    Raises:
        LedgerError: There is no ledger, or it cannot be read.
    """
    async with opened(loaded) as (_, reads):
        return await look(reads)


async def find_plan(loaded: Loaded, id_: str) -> Plan:
    """A plan by the beginning of its id.

    Raises:
        UnknownName: There is none, or more than one.
    """
    async with opened(loaded) as (ledger, _):
        known = await ledger.recent(datetime.min.replace(tzinfo=UTC))
    found = [plan for plan, _ in known if plan.id.startswith(id_)]
    if not found:
        raise UnknownName(f"no plan has the id {id_}; `arb plans` lists them")
    if len(found) > 1:
        some = ", ".join(f"{plan.id} ({plan.event_slug})" for plan in found[:5])
        more = ", …" if len(found) > 5 else ""  # as many as are shown
        raise UnknownName(f"several plans' ids begin with {id_}: {some}{more}")
    return found[0]


@asynccontextmanager
async def opened(
    loaded: Loaded, *, make: bool = False
) -> AsyncIterator[tuple[SqlLedger, LedgerReads]]:
    """The ledger and its reads, for as long as the block lasts.

    Raises:
        LedgerError: There is no ledger, and none is to be made.
    """
    settings = loaded.settings
    file = file_of(settings.database.url)
    if file is not None and not file.exists() and not make:
        raise LedgerError(f"there is no ledger at {file} yet; `arb run --once` makes one")
    database = Database(settings.database.url)
    try:
        await upgrade(database)
        account = settings.account
        ledger = SqlLedger(database, account)
        yield ledger, LedgerReads(database, account)
    finally:
        await database.close()
