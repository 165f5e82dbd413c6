"""Every Protocol that the engine speaks, on two screens. Adapters satisfy them by shape."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from arb.checks import Check
from arb.domain.attempt import AttemptFact
from arb.domain.book import Books
from arb.domain.bot import BotEvent
from arb.domain.confirmation import Confirmation
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Finding
from arb.domain.fact import Fact
from arb.domain.halt import Standing
from arb.domain.history import PriceHistory
from arb.domain.instance import StrategyInstance
from arb.domain.market import Market, MarketId, OutcomeId, Universe, VenueId, WholeGroup
from arb.domain.money import Usd
from arb.domain.operation import Carried, Operation, OperationAnswer, OperationId, effect
from arb.domain.opportunity import Candidate, Skipped
from arb.domain.order import Answer, Fill, Order, PlanId, TradeState
from arb.domain.plan import ExecutionReport, Plan
from arb.domain.position import Adjustment, Portfolio, Position
from arb.domain.reason import Reason
from arb.domain.report import (
    Completeness,
    CycleReport,
    FillRecord,
    Problem,
    RunCause,
    Statistics,
)
from arb.domain.snapshot import Snapshot
from arb.domain.statement import Statement
from arb.domain.sweep import Sweep
from arb.domain.venue import ChainState, VenueTerms

T = TypeVar("T")


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The wall clock, in UTC: for stamps."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward: for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Strategy(Protocol):
    """Finds sets of legs that might pay more than they cost.

    One that looks at the whole market may have a method `screen` as well: it is shown the best
    quotes of all markets in columns first, and `find` then walks only what it nominates. See
    `arb.strategies.screen.Screened`.
    """

    name: str

    def find(self, snapshot: Snapshot) -> Sequence[Candidate | Skipped]:
        """Candidates worth a proof, and apparent edges skipped with the reason why."""
        ...


class Catalog(Protocol):
    """What a venue lists."""

    async def universe(self) -> Universe:
        """All open markets, cached by age.

        Raises:
            Unavailable: The listing could not be read.
        """
        ...

    async def event(self, slug: str) -> Universe:
        """One event and its markets, read now.

        Raises:
            Unavailable: The listing could not be read.
            BadVenueData: There is no such event.
        """
        ...

    async def payouts(self, markets: Sequence[MarketId]) -> Mapping[OutcomeId, Usd]:
        """What one share of each outcome pays, for those of the markets that have resolved."""
        ...

    async def confirm(self, markets: Sequence[Market]) -> Mapping[MarketId, Confirmation]:
        """Ask the exchange itself for the trading rules of a few markets."""
        ...

    async def count(self, groups: Sequence[WholeGroup], *, anew: bool = False) -> Mapping[str, int]:
        """How many outcomes the chain counts in each group; groups without a count are absent.

        Args:
            groups: A count that is as listed may be kept for a while.
            anew: Whether none of those that were kept will do.
        """
        ...

    def completeness(self) -> Completeness:
        """What the last listing promised and what could be read of it; books are not counted."""
        ...

    def problems(self) -> Sequence[Problem]:
        """What went wrong since the last call, without having stopped anything."""
        ...


class BookSource(Protocol):
    """A venue's order books."""

    async def fetch(self, outcomes: Sequence[OutcomeId]) -> Books:
        """The books of these outcomes; those that did not come are absent.

        Raises:
            Unavailable: None could be read.
        """
        ...

    def problems(self) -> Sequence[Problem]:
        """What went wrong since the last call, without having stopped anything."""
        ...


class Scouts(Protocol):
    """Other processes that read books for this one. Their reports are hints, never proofs."""

    async def sweep(self, universe: Universe) -> Sweep | None:
        """Have the books of a listing read; `None`: no worker is available.

        Never raises for what others do or fail to do: what they leave is in `unseen`.
        """
        ...

    def problems(self) -> Sequence[Problem]:
        """What went wrong since the last call, without having stopped anything."""
        ...


class Trading(Protocol):
    """Sends orders. Once something may have left it never raises: not clear is `Unknown`."""

    venue: VenueId

    async def prepare(self, orders: Sequence[Order]) -> Sequence[Order]:
        """The orders with the ids that the venue will know them by. Signs; sends none of them.

        Raises:
            VenueError: One cannot be made; nothing has left.
        """
        ...

    async def submit(self, orders: Sequence[Order]) -> Sequence[Answer]:
        """Send prepared orders together; one answer each, in order."""
        ...

    async def query(self, order: Order) -> Answer:
        """What became of the order. Never sends."""
        ...

    async def trade_states(self, order: Order, trades: Sequence[str]) -> Mapping[str, TradeState]:
        """Where these trades of an order stand; what could not be read is absent."""
        ...

    async def cancel_all(self) -> Sequence[str]:
        """Cancel every resting order; returns those that could not be cancelled."""
        ...


class Statements(Protocol):
    """The account as the venue itself reports it: the other side of the ledger."""

    async def statement(self, outcomes: Sequence[OutcomeId], since: datetime) -> Statement:
        """Cash, holdings of these outcomes, open orders, and trades since then.

        Raises:
            VenueError: It could not be read in full.
        """
        ...


class TokenOperations(Protocol):
    """Turns tokens into cash. Once something may have left it never raises."""

    async def prepare(self, id_: OperationId, operation: Operation) -> str:
        """By what it can be asked about later. Sends nothing.

        Raises:
            VenueError: It cannot be prepared now.
        """
        ...

    async def submit(self, id_: OperationId, operation: Operation, ref: str) -> OperationAnswer:
        """Do it; what is not known to have happened or not is `Unknown`."""
        ...

    async def query(self, id_: OperationId, operation: Operation, ref: str) -> OperationAnswer:
        """Its outcome. Never sends."""
        ...


class Ledger(Protocol):
    """One account's memory. Every method raises `LedgerError` when it cannot keep its word."""

    account: str

    async def open_account(self, opening: Mapping[VenueId, Usd], at: datetime) -> None:
        """Start the account with this cash at each venue.

        What there is of it already stays as it is: a venue that is new to the account gets its
        pocket, and the others keep theirs.
        """
        ...

    async def opened_at(self) -> datetime | None:
        """When the account was opened; `None` before that."""
        ...

    async def begin_run(self, at: datetime, cause: RunCause) -> int:
        """A new run's number, durable, one more than the last."""
        ...

    async def record_findings(
        self, run: int, findings: Sequence[Finding], snapshot: Snapshot
    ) -> None:
        """Keep the findings, with the books they were judged by."""
        ...

    async def record_outcome(self, opportunity: str, reason: Reason, detail: str) -> None:
        """How an approved opportunity ended."""
        ...

    async def record_run(self, report: CycleReport) -> None:
        """Close the run with its counts."""
        ...

    async def record_bot(self, event: BotEvent) -> None:
        """Keep what happened with a bot; also before the account is opened."""
        ...

    async def open_plan(self, run: int, plan: Plan) -> None:
        """Make the intent durable. Nothing may be sent before this returns."""
        ...

    async def append(self, plan: PlanId, facts: Sequence[Fact]) -> None:
        """Add facts and what they do to the account, all or none."""
        ...

    async def facts(self, plan: PlanId) -> Sequence[Fact]:
        """All facts of a plan, in order."""
        ...

    async def close_plan(self, report: ExecutionReport, at: datetime) -> None:
        """Write down how the plan ended. Closing it again with the same report changes nothing."""
        ...

    async def untold_ends(self) -> Sequence[tuple[Plan, ExecutionReport]]:
        """Finished plans not yet reported, oldest first; a crash can leave some."""
        ...

    async def mark_told(self, plan: PlanId) -> None:
        """Remember that the plan's end has been reported."""
        ...

    async def recent(self, since: datetime) -> Sequence[tuple[Plan, Sequence[Fact]]]:
        """Open plans, and those of which something was written down since then, with all facts."""
        ...

    async def adjusted_at(self) -> datetime | None:
        """When an operator last booked something; `None`: never."""
        ...

    async def adjust(self, changes: Sequence[Adjustment], at: datetime) -> None:
        """Book an operator's adjustments, all or none."""
        ...

    async def reopen_plan(self, plan: PlanId) -> None:
        """Reverse an end: the venue has shown that the plan had not ended so."""
        ...

    async def open_plans(self) -> Sequence[Plan]:
        """Plans without an end, oldest first."""
        ...

    async def locked_plans(self) -> Sequence[Plan]:
        """Ended plans whose worth, or part of it, waits for a resolution."""
        ...

    async def holdings(self, plan: PlanId) -> Sequence[Position]:
        """What is left of a plan's shares."""
        ...

    async def fills(self, since: datetime) -> Sequence[Fill]:
        """The account's fills, oldest first."""
        ...

    async def portfolio(self, now: datetime) -> Portfolio:
        """The account now; `now` says which day is today."""
        ...

    async def standing(self) -> Standing:
        """The state of trading, and why."""
        ...

    async def set_standing(self, standing: Standing) -> None:
        """Change the state of trading."""
        ...

    async def contradict(self, found: Contradiction) -> None:
        """Stop a kind of trade. One of a known key changes nothing, also when it was ended."""
        ...

    async def contradictions(self) -> Sequence[Contradiction]:
        """Those that no operator has ended, the oldest first."""
        ...

    async def mark_contradiction_told(self, key: str) -> None:
        """Remember that the observers were notified of it."""
        ...

    async def end_contradictions(self, keys: Sequence[str], why: str, at: datetime) -> None:
        """An operator has resolved these: they stop nothing any more."""
        ...

    async def fill_records(self) -> Mapping[str, FillRecord]:
        """How plans have ended, by their kind; a kind of which none was sent is absent."""
        ...

    async def statistics(self, since: datetime | None = None) -> Statistics:
        """The sum of the account's runs and plans that have ended, or that have since a moment."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


class SignalMemory(Protocol):
    """What an account that follows signals remembers beside its ledger.

    Every method raises `LedgerError` when it cannot keep its word.
    """

    async def instances(self) -> Sequence[StrategyInstance]:
        """The strategies that look, the oldest first."""
        ...

    async def keep(self, instance: StrategyInstance) -> None:
        """Remember a strategy that looks, or what is new of it."""
        ...

    async def forget(self, instance: StrategyInstance) -> None:
        """It looks no more."""
        ...

    async def mark(self, worth: Usd, at: datetime) -> None:
        """Write down what the account is worth: its cash, and what is held at the bids."""
        ...

    async def highest(self, since: datetime | None) -> Usd | None:
        """The most that it was worth since a moment, or ever; `None`: nothing is written down."""
        ...

    async def realised(self) -> Mapping[tuple[str, OutcomeId], Usd]:
        """What the plans of each strategy at each outcome have realised."""
        ...

    async def first(self, since: datetime) -> Usd | None:
        """What it was worth when it was first written down since a moment; `None`: nothing is."""
        ...


class Attempts(Protocol):
    """The memory of one account of attempts on a chain, apart from every account of plans.

    Every method raises `LedgerError` when it cannot keep its word.
    """

    account: str

    async def open(self, at: datetime) -> None:
        """Open the account; what there is of it stays as it is."""
        ...

    async def record(self, fact: AttemptFact) -> None:
        """Make a fact durable. Nothing may be sent before its `SUBMITTED` is."""
        ...

    async def facts(self, limit: int | None = None) -> Sequence[AttemptFact]:
        """All facts, or the latest, the oldest first."""
        ...

    async def standing(self) -> Standing:
        """The account's state of trading, and why."""
        ...

    async def set_standing(self, standing: Standing) -> None:
        """Change it."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


Ticker = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
"""Calls the given tick repeatedly until it is stopped, one call at a time."""


class Offload(Protocol):
    """Runs a long computation without blocking the other tasks of the loop."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """The result of the work."""
        ...


async def inline(work: Callable[[], T]) -> T:
    """An `Offload` for a loop without other tasks: the work is simply done."""
    return work()


class Budgets(Protocol):
    """How often each endpoint may be asked: lets requests out one by one."""

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


class OperationsAtOnce:
    """`TokenOperations` that have happened as soon as they are asked for.

    On paper, and at a venue that nets pairs by itself: held together, they are its dollar. What was
    requested and not written down is done now.
    """

    async def prepare(self, _id: OperationId, _operation: Operation) -> str:
        """See `TokenOperations`."""
        return ""

    async def submit(self, _id: OperationId, operation: Operation, _ref: str) -> OperationAnswer:
        """See `TokenOperations`."""
        return Carried(effect(operation))

    async def query(self, _id: OperationId, operation: Operation, _ref: str) -> OperationAnswer:
        """See `TokenOperations`."""
        return Carried(effect(operation))


class Past(Protocol):
    """What a venue tells of earlier prices."""

    tells_volume: bool
    """Whether it also tells what was traded."""

    async def prices(
        self,
        outcome: OutcomeId,
        since: datetime,
        until: datetime,
        seconds: int,
        *,
        traded_in: MarketId | None = None,
    ) -> PriceHistory:
        """Prices of an outcome, about one for each number of seconds.

        Args:
            outcome: Whose.
            since: The first moment.
            until: The last moment.
            seconds: How finely.
            traded_in: The outcome's market, whose trades are counted as volume, in both outcomes;
                the history begins where all of them are known. Without it no volume is told.

        Raises:
            VenueError: The venue cannot be read, or tells nothing that can be read.
        """
        ...


async def _nothing_to_check() -> Sequence[Check]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A place to trade: what it lists and quotes, its terms, and how it is traded with."""

    id: VenueId
    listing: Catalog
    books: BookSource
    terms: VenueTerms
    trading: Trading | None = None
    """`None` where it is only read."""
    operations: TokenOperations | None = None
    """`None` where nothing has to be requested to turn shares into cash."""
    statements: Statements | None = None
    """`None` where there is no account to query: on paper the ledger is the only account."""
    circuits: Callable[[], Mapping[str, str]] = dict
    """The state of each host's circuit breaker, for monitoring."""
    close_circuits: Callable[[], None] = lambda: None
    """Closes every circuit at once, for an operator who knows that the host is back."""
    chain: Callable[[], Awaitable[ChainState]] | None = None
    """How the chain stands, asked with each reconciliation while real money is traded; raises
    `VenueError`. `None`: there is none to be asked.
    """
    traffic: Callable[[], Mapping[str, int]] = dict
    """Requests, retries, failures and milliseconds of waiting so far, as `requests:books`."""
    checks: Callable[[], Awaitable[Sequence[Check]]] = _nothing_to_check
    """Small public reads, for `arb doctor` and before live trading: whether it can be read, and
    traded at, from here. They never raise for what they find.
    """
    past: Past | None = None
    """`None` where it tells nothing of earlier prices."""
    cancel_all_blocking: Callable[[], Sequence[str]] | None = None
    """Cancels every resting order by a connection of its own, and returns those that could not be;
    called from a thread at an operator's halt, also while the event loop hangs. Raises whatever
    kept it from it. `None`: orders there are cancelled by `trading`, which needs the loop.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueContext:
    """What a venue is opened with, beside its own settings."""

    clock: Clock
    budgets: Callable[[], Budgets]
    """Makes budgets of requests, which processes may share; the caller closes them."""
    live: bool
    """Whether orders are to be sent with real money: then `trading` and `statements` are there."""
    tell: Callable[[Problem], None] = lambda _problem: None
    """Reports what went wrong and ends nothing."""


class VenuePlugin(Protocol):
    """What an entry point of the group `arb.venues` names; its name is the venue's id."""

    options: type[Any]
    """The dataclass of its settings, `[venues.<id>]`; every field has a default."""
    fees: type[Any] | None
    """The dataclass of its fee schedules, which plans are restored with; `None`: the curve."""

    def open(self, options: Any, context: VenueContext) -> AbstractAsyncContextManager[Venue]:
        """Open the venue for as long as the block runs.

        Raises:
            ConfigError: The options cannot be used, or it cannot be traded at with real money.
        """
        ...
