"""The result of a run, and the totals of all runs."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from arb.domain.decision import Finding
from arb.domain.halt import RiskStatus
from arb.domain.market import MarketId
from arb.domain.money import NO_USD, ZERO, Usd
from arb.domain.plan import ExecutionReport, PlanState
from arb.domain.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuality:
    """Something about the venue's data that no profit may be built on."""

    market: str
    """The market's slug."""
    market_id: MarketId
    problem: str
    """`mirror_mismatch`, `crossed_book`, `listed_differently`, `market_changed`,
    `chain_count_differs`.
    """
    detail: str


class ProblemKind(StrEnum):
    """What went wrong: whether a cycle counts as failed, and whom an alert reaches.

    Health and metrics count problems by these words.
    """

    VENUE = "venue"
    """A venue could not be read at all."""
    LEDGER = "ledger"
    PLAN = "plan"
    """A plan needs a look: the one kind that is a critical alert."""
    RECONCILIATION = "reconciliation"
    """Ledger and venue differ, or could not be compared."""
    REDEEM = "redeem"
    """A resolved position was not paid out."""
    COMMAND = "command"
    """An operator's command was carried out in part only."""
    CYCLE = "cycle"
    """A cycle broke off."""
    BOT = "bot"
    """A bot is given up, is off its routes, or sends impossible answers."""
    AUDIT = "audit"
    """A command cannot be put on record."""
    CANCEL_ALL = "cancel-all"
    RESOLUTIONS = "resolutions"
    """Whether markets have resolved could not be asked."""
    LEAD = "lead"
    LOOP = "loop"
    """Something else kept this process busy."""
    CLOCK = "clock"
    TOKENS = "tokens"
    REDIS = "redis"
    SHARDS = "shards"
    EVENTS = "events"
    """The listing as a whole; from here on: answers, or pieces of them, that were left out."""
    EVENT = "event"
    MARKET = "market"
    CONFIRMATION = "clob-market"
    """The exchange's own word on a market."""
    BOOKS = "books"
    BOOK = "book"
    TRADES = "trades"
    ORDERS = "orders"
    CHAIN = "chain"
    SIGNALS = "signals"
    """A statistical strategy cannot look, or its account is paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that went wrong in a cycle without ending it."""

    kind: ProblemKind
    where: str
    """The same for people, with what it concerns: nothing is decided by this text."""
    what: str
    away: bool = False
    """Whether it is that the venue did not answer: such trouble ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """How many got how far: first events, then the candidates that they gave."""

    events: int = 0
    """Events with at least one readable market."""
    complete: int = 0
    """Of those: every market readable, open and accepting orders."""
    fresh: int = 0
    """Of those: every book there and fresh."""
    candidates: int = 0
    """Apparent edges examined one by one."""
    proved: int = 0
    """Of those; and each following number counts a part of the one before it."""
    above_threshold: int = 0
    approved: int = 0
    filled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """What was listed against what was seen."""

    markets_listed: int = 0
    markets_unreadable: int = 0
    books_expected: int = 0
    books_received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which processes read the books, where workers read for this one."""

    parts: int
    """In how many the listing was given out."""
    answered: int
    """Parts that a worker has read in this cycle; the others this process read itself."""
    workers: int
    """How many workers answered."""
    nominated: int
    """Events that workers found worth a look; this process read their books again."""
    taken_over: int
    """Events of the parts without an answer in time."""
    oldest_ms: int
    """How long ago the earliest of the answered parts was given out: no look is older."""
    unreadable: int
    """Messages in place of answers that could not be understood, or could not be true."""


class RunCause(StrEnum):
    """Why a run began. Findings and plans belong to a run, whatever began it."""

    CYCLE = "cycle"
    """The schedule's turn, or the only one of `--once`."""
    COMMAND = "command"
    """An operator named one event."""
    SIGNAL = "signal"
    """A statistical strategy told a direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """One run: a scan, and what was traded."""

    run: int
    """Its number in the ledger; 0 where nothing is kept."""
    mode: str
    """`dry-run` or `live`."""
    account: str
    started_at: datetime
    duration_ms: int
    markets: int = 0
    events: int = 0
    books: int = 0
    findings: tuple[Finding, ...] = ()
    outcomes: tuple[tuple[str, Reason], ...] = ()
    """For each approved opportunity's id, how it ended."""
    data_quality: tuple[DataQuality, ...] = ()
    data_quality_count: int = 0
    """All of them; the list itself is bounded."""
    plans: tuple[ExecutionReport, ...] = ()
    errors: tuple[Problem, ...] = ()
    risk: RiskStatus
    funnel: Funnel = field(default_factory=Funnel)
    reasons: tuple[tuple[str, int], ...] = ()
    """How many candidates ended for each reason."""
    completeness: Completeness = field(default_factory=Completeness)
    coverage: Coverage | None = None
    """`None` where this process read all books itself."""
    reachable: bool = True
    """Whether the venue could be read at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRecord:
    """How an account's plans of one kind ended, of those of which an order was sent."""

    filled: int = 0
    """Every leg was filled."""
    unfilled: int = 0
    """Nothing was bought, or what was bought was got rid of."""
    lost: Decimal = ZERO
    """Sum over the latter of what each lost, in part of its outlay; a gain counts as nothing."""

    @property
    def plans(self) -> int:
        """How many there are."""
        return self.filled + self.unfilled

    def after(self, state: PlanState, realised: Decimal, outlay: Decimal) -> "FillRecord":
        """The record with one more plan that has ended."""
        if state is PlanState.DONE:
            return replace(self, filled=self.filled + 1)
        lost = max(-realised, ZERO) / outlay
        return replace(self, unfilled=self.unfilled + 1, lost=self.lost + lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The sum of an account's runs."""

    cycles: int = 0
    opportunities: int = 0
    trades: int = 0
    """Plans that ended, either way."""
    successes: int = 0
    failures: int = 0
    realised: Usd = NO_USD
    locked: Usd = NO_USD
    """Cost of what waits for its resolution."""
    locked_profit: Usd = NO_USD
    """Proven profit of what waits for its resolution; not realised."""

    @property
    def success_rate(self) -> Decimal | None:
        """Successes among ended plans; `None` before the first."""
        return Decimal(self.successes) / self.trades if self.trades else None
