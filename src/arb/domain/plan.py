"""A plan: an approved opportunity with everything that executing it needs, also after a restart."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from arb.domain.market import EventId, MarketId, OutcomeId, Side
from arb.domain.money import Price, Shares, Usd
from arb.domain.opportunity import Exit, Kind
from arb.domain.order import PlanId
from arb.domain.settlement import Operation


class PlanState(StrEnum):
    """Where a plan stands."""

    OPEN = "open"
    DONE = "done"
    """Every leg was filled and the exit, if it is to be had now, was taken."""
    UNWOUND = "unwound"
    """It ended without its profit: nothing was bought, or what was bought was got rid of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLeg:
    """One order to send, with the names that people know it by."""

    outcome: OutcomeId
    outcome_name: str
    market: MarketId
    market_slug: str
    side: Side
    limit: Price
    size: Shares
    value: Usd
    """Expected price times size, before the fee."""
    fee: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was approved. Made by `risk.gate` alone, restored by the ledger alone."""

    id: PlanId
    kind: Kind
    event: EventId
    event_slug: str
    event_title: str
    exit: Exit
    legs: tuple[PlannedLeg, ...]
    settlement: Operation | None
    """What frees the cash now; `None` when the legs are held to resolution."""
    outlay: Usd
    """Expected cost and fees of all legs."""
    payoff_worst: Usd
    approved_at: datetime

    @property
    def profit(self) -> Usd:
        """Expected profit in the worst possible world."""
        return Usd(self.payoff_worst - self.outlay)

    @property
    def markets(self) -> frozenset[MarketId]:
        """The markets that nothing else may touch while the plan is open."""
        return frozenset(leg.market for leg in self.legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport:
    """What a plan came to."""

    plan: PlanId
    state: PlanState
    realised: Usd
    """Profit in cash; zero while the worth of the legs waits for their resolution."""
    locked: Usd
    """Cash bound until resolution."""
    reason: str = ""
