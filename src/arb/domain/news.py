"""Facts published to observers. No decision depends on an observer."""

from dataclasses import dataclass
from datetime import datetime

from arb.domain.attempt import AttemptFact, AttemptSums
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Finding
from arb.domain.errors import ArbError
from arb.domain.halt import Pause, RiskStatus, Standing, TradingState
from arb.domain.market import Side, VenueId
from arb.domain.money import Shares, Usd
from arb.domain.plan import ExecutionReport, Plan
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, DataQuality, Problem, Statistics
from arb.domain.venue import ChainState


@dataclass(frozen=True, slots=True)
class Started:
    """The orchestrator begins its work."""

    mode: str
    """`dry-run` or `live`."""
    account: str
    every_seconds: float | None
    """Between cycles; `None`: one cycle only."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The account is open and every plan left open is taken up."""


@dataclass(frozen=True, slots=True)
class Running:
    """The schedule begins."""

    every_seconds: float | None
    """Between cycles; `None`: whatever calls for them decides."""


@dataclass(frozen=True, slots=True)
class CycleStarted:
    """A scan begins."""

    run: int
    at: datetime


@dataclass(frozen=True, slots=True)
class BooksFetched:
    """The market-wide read is done."""

    run: int
    events: int
    markets: int
    books: int
    opportunities: int
    """Proven."""


@dataclass(frozen=True, slots=True)
class RiskChecked:
    """Limits and the state of trading were checked, before anything is read."""

    run: int
    status: RiskStatus


@dataclass(frozen=True, slots=True)
class Decided:
    """A candidate has its one reason."""

    run: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class QualityAlarm:
    """The venue's data contradicts itself."""

    run: int
    problem: DataQuality


@dataclass(frozen=True, slots=True)
class PlanStarted:
    """A plan's intent is written down; its orders go out next."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class PlanEnded:
    """A plan has ended."""

    plan: Plan
    report: ExecutionReport
    reason: Reason


@dataclass(frozen=True, slots=True)
class PaidOut:
    """Shares of a resolved market have become cash."""

    plan: Plan
    market: str
    """The market's slug."""
    outcome: str
    shares: Shares
    cash: Usd


@dataclass(frozen=True, slots=True)
class PlanResolved:
    """Nothing of a plan is held any more: what it has made in cash is known."""

    plan: Plan
    report: ExecutionReport


@dataclass(frozen=True, slots=True)
class BotChanged:
    """A bot's process has started, has been stopped, or has ended by itself."""

    bot: str
    state: str
    """`running`, `stopped`, `restarting` or `failed`."""
    detail: str
    """Why it changed."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong that did not end the cycle."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Trading is throttled, paused, halted or resumed."""

    state: TradingState
    reason: str
    by_operator: bool = False
    pause: Pause | None = None

    @property
    def standing(self) -> Standing:
        """The same as it stands in the ledger."""
        return Standing(
            state=self.state, reason=self.reason, by_operator=self.by_operator, pause=self.pause
        )


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A proof was wrong: nothing new of its kind is traded until an operator has looked."""

    found: Contradiction


@dataclass(frozen=True, slots=True)
class KindResumed:
    """An operator has looked: a kind that was stopped at a venue is traded there again."""

    kind: str
    venue: VenueId
    reason: str


@dataclass(frozen=True, slots=True)
class ChainSeen:
    """A node has told how the chain of a venue stands; asked with each reconciliation."""

    venue: VenueId
    state: ChainState


@dataclass(frozen=True, slots=True)
class SignalSeen:
    """A statistical strategy has told a direction, and what was done about it."""

    strategy: str
    symbol: str
    side: Side
    why: str
    done: str
    """Bought, sold, or why not."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """A step of an attempt on a chain is written down. It belongs to an account of its own."""

    account: str
    fact: AttemptFact


@dataclass(frozen=True, slots=True)
class AttemptsLooked:
    """A look for attempts has ended; the account's own figures."""

    account: str
    sums: AttemptSums


@dataclass(frozen=True, slots=True)
class AttemptsChanged:
    """Attempts of an account are throttled, paused, halted or resumed; nothing else is."""

    account: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class CycleEnded:
    """A scan has its report."""

    report: CycleReport


@dataclass(frozen=True, slots=True)
class CycleFailed:
    """An unexpected error has ended a cycle; the next one runs all the same."""

    run: int | None
    """`None`: it ended before it had a number."""
    error: Exception


@dataclass(frozen=True, slots=True)
class CycleSkipped:
    """The last cycle was still running when the next was due, or it was missed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The orchestrator has let go of everything."""

    statistics: Statistics


def cause(error: Exception) -> str:
    """An unexpected error in one line: the program's own message, or type and text."""
    what = str(error) if isinstance(error, ArbError) else f"{type(error).__name__}: {error}"
    return " ".join(what.split())


News = (
    Started
    | Ready
    | Running
    | CycleStarted
    | RiskChecked
    | BooksFetched
    | Decided
    | QualityAlarm
    | PlanStarted
    | PlanEnded
    | PaidOut
    | PlanResolved
    | BotChanged
    | Trouble
    | StateChanged
    | Contradicted
    | KindResumed
    | ChainSeen
    | SignalSeen
    | Attempted
    | AttemptsLooked
    | AttemptsChanged
    | CycleEnded
    | CycleFailed
    | CycleSkipped
    | Stopped
)
