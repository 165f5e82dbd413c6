"""A plan: an approved opportunity with everything that executing it needs, also after a restart."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from arb.domain.dollars import fewest
from arb.domain.fees import FeeSchedule
from arb.domain.market import EventId, MarketId, OrderRules, OutcomeId, Side, VenueId
from arb.domain.money import (
    NO_SHARES,
    NO_USD,
    Price,
    Shares,
    Usd,
    micro_down,
    micro_up,
    notional,
    total,
)
from arb.domain.operation import Operation
from arb.domain.opportunity import Exit, Kind
from arb.domain.order import PlanId
from arb.domain.venue import VenueTerms
from arb.domain.worlds import Payoff


class PlanState(StrEnum):
    """Where a plan stands."""

    OPEN = "open"
    DONE = "done"
    """Every leg was filled and the exit, if it is immediate, was taken."""
    UNWOUND = "unwound"
    """It ended without its profit: nothing was bought, or what was bought was got rid of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a leg's market: what unwinding the leg needs."""

    opposite: OutcomeId
    """The market's other outcome: both together are a dollar."""
    rules: OrderRules
    fees: FeeSchedule
    depth: Shares
    """Shares on offer within the limit when the plan was approved."""


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
    """Shares that the plan counts on."""
    value: Usd
    """Expected price times size, before the fee."""
    fee: Usd
    terms: Terms | None = None
    """`None` in plans of ledgers before schema 0002: such a leg can only be held."""
    spend: Usd | None = None
    """The whole cents that it is sent to spend; `None` in plans of ledgers before dollars."""
    shares: Shares | None = None
    """What those buy at the books that it was approved at; `None` as above."""
    event_slug: str = ""
    """Its event where that is not the plan's own."""

    @property
    def dollars(self) -> Usd:
        """What it spends."""
        return notional(self.limit, self.size) if self.spend is None else self.spend

    @property
    def expected(self) -> Shares:
        """Shares that its dollars buy at the books that it was approved at."""
        return self.size if self.shares is None else self.shares

    @property
    def remainder(self) -> Shares:
        """What of them is beyond the plan's size: what is left of a cent is kept."""
        return Shares(max(self.expected - self.size, NO_SHARES))

    @property
    def least(self) -> Shares:
        """Shares that it gets at least if it is filled, at whatever price within its limit."""
        return fewest(self.dollars, self.limit)

    @property
    def outlay_max(self) -> Usd:
        """What it costs at most, fee included."""
        if self.terms is None:
            return Usd(self.dollars + self.fee)
        fee = self.terms.fees.most(self.dollars, self.limit, self.terms.rules.tick)
        return Usd(self.dollars + fee)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was approved. Made by `risk.gate` and `risk.entries` alone, restored by the ledger
    alone.
    """

    id: PlanId
    kind: str
    event: EventId
    event_slug: str
    event_title: str
    exit: Exit
    legs: tuple[PlannedLeg, ...]
    exit_operation: Operation | None
    """What frees the cash now; `None` when the legs are held to resolution."""
    outlay: Usd
    """Expected cost and fees of all legs."""
    payoff_worst: Usd
    approved_at: datetime
    venue_terms: Mapping[VenueId, VenueTerms] = field(default_factory=dict)
    """The terms of each venue that its legs are traded at, as they were at the approval."""
    payoff: Payoff | None = None
    """What its legs pay, as it was proved; `None` in plans of ledgers before payoffs, and in those
    that follow a signal: of them nothing is proved.
    """

    def terms_at(self, venue: VenueId) -> VenueTerms:
        """The terms of a venue; those of ledgers before venue terms where none were stored."""
        return self.venue_terms.get(venue) or VenueTerms()

    @property
    def venues(self) -> frozenset[VenueId]:
        """Where its legs are traded."""
        return frozenset(leg.outcome.venue for leg in self.legs)

    @property
    def dust(self) -> Shares:
        """Shares below this are not worth an order at one of its venues."""
        return max(self.terms_at(venue).dust for venue in self.venues)

    @property
    def size(self) -> Shares:
        """Shares of the smallest leg."""
        return min((leg.size for leg in self.legs), default=NO_SHARES)

    def leg_of(self, place: int) -> PlannedLeg:
        """The leg that an order's place means: its own, or the one that it hedges."""
        return self.legs[place % len(self.legs)]

    def hedge_of(self, leg: int) -> int:
        """The place of an order that hedges a leg: it is for the leg's other outcome."""
        return leg + len(self.legs)

    def target(self, leg: PlannedLeg, level: Shares) -> Shares:
        """Shares of a leg that belong to a level of the smallest: legs keep their proportion."""
        if leg.size == self.size:
            return level
        return Shares(micro_up(level * leg.size / self.size))

    def level(self, leg: PlannedLeg, held: Shares) -> Shares:
        """The level of the smallest leg that what is held of a leg is enough for."""
        return held if leg.size == self.size else Shares(micro_down(held * self.size / leg.size))

    @property
    def outlay_max(self) -> Usd:
        """The most that its legs cost, fees included: what is reserved meanwhile."""
        return total(leg.outlay_max for leg in self.legs)

    @property
    def outcomes(self) -> frozenset[OutcomeId]:
        """Every outcome that its orders and exits can move."""
        legs = {leg.outcome for leg in self.legs}
        opposites = {leg.terms.opposite for leg in self.legs if leg.terms}
        given = {outcome for outcome, _ in getattr(self.exit_operation, "receives", ())}
        return frozenset(legs | opposites | given)

    @property
    def by_event(self) -> Mapping[str, Usd]:
        """The most that its legs of each event cost, by the event's slug."""
        bound: defaultdict[str, Usd] = defaultdict(lambda: NO_USD)
        for leg in self.legs:
            slug = leg.event_slug or self.event_slug
            bound[slug] = Usd(bound[slug] + leg.outlay_max)
        return bound

    def outlay_max_at(self, venue: VenueId) -> Usd:
        """The most that its legs at one venue cost, fees included."""
        return total(leg.outlay_max for leg in self.legs if leg.outcome.venue == venue)

    def guaranteed(self, held: Sequence[Shares]) -> Usd:
        """What a number of shares of each leg pays in the worst world."""
        if self.payoff is None:
            return self._guaranteed_by_kind(held)
        outcomes = (leg.outcome for leg in self.legs)
        return self.payoff.guaranteed(zip(outcomes, held, strict=True))

    def _guaranteed_by_kind(self, held: Sequence[Shares]) -> Usd:
        """As plans of ledgers before payoffs are judged: they have the name of their set alone."""
        if self.kind == Kind.EXCLUSIVE_NO:
            return Usd(sum(held, NO_SHARES) - max(held, default=NO_SHARES))
        if self.kind in (Kind.BINARY_COMPLEMENT, Kind.EXHAUSTIVE_YES):
            return Usd(min(held, default=NO_SHARES))
        parts = (shares / leg.size for shares, leg in zip(held, self.legs, strict=True))
        return Usd(micro_down(self.payoff_worst * min(parts, default=NO_SHARES)))

    @property
    def profit(self) -> Usd:
        """Expected profit in the worst possible world."""
        return Usd(self.payoff_worst - self.outlay)

    @property
    def profit_least(self) -> Usd:
        """The least result once its legs are filled, at any prices within their limits.

        Worse books bring fewer shares for the same dollars, so this may be a loss.
        """
        return Usd(self.guaranteed([leg.least for leg in self.legs]) - self.outlay_max)

    @property
    def markets(self) -> frozenset[MarketId]:
        """The markets that nothing else may touch while the plan is open."""
        return frozenset(leg.market for leg in self.legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport:
    """The result of a plan."""

    plan: PlanId
    state: PlanState
    realised: Usd
    """Profit in cash; zero while the worth of the legs waits for their resolution."""
    locked: Usd
    """Cash bound until resolution."""
    reason: str = ""
    alarm: str = ""
    """What a person should look at: shares that could not be sold, an exit that failed."""
    code: str | None = None
    """What kept its last orders from being sent, as a code; the ledger keeps the reason alone."""
