"""A candidate is a claim; an opportunity is a theorem. Only `prove` makes one from the other."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from arb.domain.book import Level, OrderBook, depth, walk
from arb.domain.dollars import fewest, spend, whole_cents
from arb.domain.market import (
    Event,
    Exclusive,
    Market,
    MarketId,
    OutcomeId,
    Resolution,
    Side,
    Universe,
    VenueId,
    WholeGroup,
    World,
)
from arb.domain.money import (
    NO_SHARES,
    NO_USD,
    ONE,
    Price,
    Shares,
    Usd,
    micro_down,
    notional,
    text,
    total,
)
from arb.domain.reason import Reason
from arb.domain.snapshot import Snapshot
from arb.domain.tradable import obstacle, of_one_instant
from arb.domain.venue import PairExit
from arb.domain.worlds import Payoff, TooManyWorlds, holding, worst

OpportunityId = NewType("OpportunityId", str)


class Kind(StrEnum):
    """What makes the profit certain. A strategy's word for it is a label; `prove` derives it."""

    BINARY_COMPLEMENT = "binary_complement"
    EXCLUSIVE_NO = "negrisk_no"
    EXHAUSTIVE_YES = "negrisk_yes"
    CONVERSION = "negrisk_convert"
    IMPLICATION = "implication"
    EXCLUSIVE = "exclusive"
    COVER = "cover"
    PARTITION = "partition"
    GROUP = "group"
    CROSS_VENUE = "cross_venue"


OWN_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What a strategy may call a kind of its own."""


class Exit(StrEnum):
    """When the cash is free again."""

    NOW = "now"
    """Merged or converted as soon as the legs are filled."""
    RESOLUTION = "resolution"
    """Held until the markets resolve."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One trade: at least `size` shares of one outcome at no worse than the limit price."""

    outcome: OutcomeId
    side: Side
    limit: Price
    size: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a strategy proposes. Its belief in a profit counts for nothing, nor do its labels."""

    kind: str
    """What the strategy calls it; the proof derives its own, and keeps this where it knows none."""
    event: Event
    """Where the strategy found it; the proof takes the event of the legs' own markets."""
    legs: tuple[Leg, ...]
    available: Shares
    """Shares per leg that the strategy's own rules found worth taking; information only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An apparent edge that a strategy examined and did not propose, with the one reason why."""

    kind: str
    event: Event
    outcomes: tuple[OutcomeId, ...]
    reason: str
    """A `Reason`, or a name of the strategy's own; `detail` then says what it means."""
    detail: str = ""
    market: Market | None = None
    """The market that the reason is about, where it is about one."""
    gross_edge: Decimal | None = None
    """USD per set before fees and rules, as the best quotes show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenLeg:
    """A leg with the dollars that it spends, the resting orders it takes and what they cost."""

    leg: Leg
    market: Market
    spend: Usd
    """The whole cents that buy the leg's shares: what the order is for (docs/proof.md §4)."""
    fills: tuple[Level, ...]
    """What those dollars buy at the books at hand: the leg's shares and what is left of a cent."""
    value: Usd
    """Paid for the shares, before the fee."""
    fee: Usd

    @property
    def shares(self) -> Shares:
        """Bought in all; what is beyond the leg's size is kept and counts for nothing."""
        return Shares(sum((fill.size for fill in self.fills), NO_SHARES))

    @property
    def outlay(self) -> Usd:
        """What the leg takes from the account."""
        return Usd(self.value + self.fee)

    @property
    def outlay_max(self) -> Usd:
        """What it takes at most, at whatever price within the limit the dollars are spent."""
        assert self.market.fees is not None
        fee = self.market.fees.most(self.spend, self.leg.limit, self.market.rules.tick)
        return Usd(self.spend + fee)

    @property
    def least(self) -> Shares:
        """The shares that it gets at least if it is filled, since the book may get worse."""
        return fewest(self.spend, self.leg.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """A proven candidate with its certificate: it pays more than it costs in every world."""

    id: OpportunityId
    kind: str
    """A `Kind`, or the strategy's own word for a set of a structure that has none."""
    event: Event
    exit: Exit
    legs: tuple[ProvenLeg, ...]
    size: Shares
    """Shares per leg (the smallest leg's, where they differ)."""
    available: Shares
    cost: Usd
    """Paid for all legs, before fees."""
    fees: Usd
    payoff_worst: Usd
    worst_world: World
    payoff: Payoff
    """The markets of the legs and their relations: what any part of them pays follows from it."""
    other_events: tuple[Event, ...] = ()
    """Events of its legs beside `event`."""
    whole: tuple[WholeGroup, ...] = ()
    """Groups that must have no other outcome than those listed; only the listing claims so yet."""

    @property
    def profit(self) -> Usd:
        """What is left in the worst possible world."""
        return Usd(self.payoff_worst - self.outlay)

    @property
    def outlay(self) -> Usd:
        """Cost and fees at the books at hand."""
        return Usd(self.cost + self.fees)

    @property
    def outlay_max(self) -> Usd:
        """The most that the legs cost: what the account's limits are held against."""
        return total(leg.outlay_max for leg in self.legs)

    def outlay_max_at(self, venue: VenueId) -> Usd:
        """The most that the legs at one venue cost."""
        return total(p.outlay_max for p in self.legs if p.leg.outcome.venue == venue)

    @property
    def by_event(self) -> Mapping[str, Usd]:
        """The most that the legs of each event cost, by the event's slug."""
        slugs = {event.id: event.slug for event in (self.event, *self.other_events)}
        bound: defaultdict[str, Usd] = defaultdict(lambda: NO_USD)
        for proven in self.legs:
            slug = slugs[proven.market.event]
            bound[slug] = Usd(bound[slug] + proven.outlay_max)
        return bound

    @property
    def profit_fraction(self) -> Decimal:
        """Profit as a fraction of what is paid in all."""
        return self.profit / self.outlay if self.outlay > 0 else Decimal(ONE)

    @property
    def markets(self) -> frozenset[MarketId]:
        """The markets whose liquidity the legs take."""
        return frozenset(proven.market.id for proven in self.legs)

    @property
    def venues(self) -> frozenset[VenueId]:
        """Where the legs are traded."""
        return frozenset(proven.leg.outcome.venue for proven in self.legs)

    @property
    def crossed(self) -> bool:
        """Whether both outcomes of a market with one book are bought: its engine matches those."""
        one_book = [p.market.id for p in self.legs if p.market.terms.complement_shares_book]
        return len(set(one_book)) < len(one_book)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A candidate that is no theorem, and where the proof broke."""

    candidate: Candidate
    reason: Reason
    detail: str
    market: Market | None = None
    """The market that the reason is about, where it is about one."""


def prove(candidate: Candidate, snapshot: Snapshot) -> Opportunity | Unproven:
    """Compute what the legs cost at the books at hand and pay in the worst possible world.

    Trusts nothing but the universe's relations, the market's own rules and the books: limits on
    the tick grid, minimum sizes, the $1 and whole-cent rules of marketable BUYs, depth, the taker
    fee truncated per fill, and each resting order taken at most once. A BUY spends dollars, so a
    leg is proved at the whole cents that buy its shares; what those buy beyond it is no profit.

    What kind of set it is, its event and its exit follow from the legs, the relations and the
    books. A market whose two books are no mirrors is refused, whichever strategy proposes it; so is
    a pair whose two books are not of one instant.

    Legs buy. Selling an outcome is buying its complement against the same resting orders, so
    nothing is lost by this form, and nothing has to be held before (docs/proof.md §1).
    """
    proven: list[ProvenLeg] = []
    for leg in candidate.legs:
        result = _prove_leg(leg, snapshot)
        if not isinstance(result, ProvenLeg):
            return result.of(candidate)
        proven.append(result)
    if broken := _contradiction(proven, snapshot):
        return broken.of(candidate)

    payoff = Payoff.of(snapshot.universe, (p.market.id for p in proven))
    bought = ((p.leg.outcome, p.leg.size) for p in proven)
    try:
        poorest = worst(payoff, holding(payoff, bought))
    except TooManyWorlds as error:
        return Unproven(candidate=candidate, reason=Reason.TOO_MANY_WORLDS, detail=str(error))
    found, event = structure(proven, snapshot.universe)
    kind = _named(found, candidate.kind)
    opportunity = Opportunity(
        id=_identity(kind, event, candidate, snapshot),
        kind=kind,
        event=event,
        exit=_exit(event, proven, poorest.pays),
        legs=tuple(proven),
        size=min(p.leg.size for p in proven),
        available=candidate.available,
        cost=total(p.value for p in proven),
        fees=total(p.fee for p in proven),
        payoff_worst=Usd(micro_down(poorest.pays)),
        worst_world=poorest.world,
        payoff=payoff,
        other_events=_other_events(event, proven, snapshot.universe),
        whole=_whole_groups(proven, snapshot.universe),
    )
    if opportunity.profit <= 0:
        return Unproven(
            candidate=candidate,
            reason=Reason.NOT_PROFITABLE,
            detail=f"pays {text(opportunity.payoff_worst)} for {text(opportunity.outlay)}",
        )
    return opportunity


@dataclass(frozen=True, slots=True)
class _Broken:
    """Where a proof broke."""

    reason: Reason
    detail: str
    market: Market | None = None

    def of(self, candidate: Candidate) -> Unproven:
        """What becomes of the candidate."""
        return Unproven(
            candidate=candidate, reason=self.reason, detail=self.detail, market=self.market
        )


def _prove_leg(leg: Leg, snapshot: Snapshot) -> ProvenLeg | _Broken:
    try:
        market = snapshot.universe.market_of(leg.outcome)
    except KeyError:
        return _Broken(Reason.BAD_LEGS, f"no market has outcome {leg.outcome}")
    if speaks_against := obstacle(market, snapshot):
        return _Broken(speaks_against.reason, speaks_against.detail, market)
    book = snapshot.books[leg.outcome]
    broken = _book_forbids(book, leg) or _rules_forbid(market, leg)
    if broken:
        return _Broken(broken[0], f"{market.slug}: {broken[1]}", market)
    assert market.fees is not None
    dollars = whole_cents(
        total(notional(fill.price, fill.size) for fill in walk(book.asks, leg.size))
    )
    bought = spend(book.asks, dollars, leg.limit)
    if dollars < market.rules.min_value:
        little = f"{market.slug}: ${text(dollars)}, at least ${text(market.rules.min_value)}"
        return _Broken(Reason.BELOW_MIN_SIZE, little, market)
    if not bought.whole:
        rest = f"${text(bought.unspent)} of ${text(dollars)} find no seller within the limit"
        return _Broken(Reason.NOT_WHOLE_CENTS, f"{market.slug}: {rest}", market)
    return ProvenLeg(
        leg=leg,
        market=market,
        spend=dollars,
        fills=bought.fills,
        value=bought.value,
        fee=total(market.fees.taker(fill.price, fill.size) for fill in bought.fills),
    )


def _book_forbids(book: OrderBook, leg: Leg) -> tuple[Reason, str] | None:
    if leg.side is not Side.BUY:
        return Reason.BAD_LEGS, "a leg sells; buy the complement instead"
    deep = depth(book.asks, limit=leg.limit, side=leg.side)
    if deep < leg.size:
        return Reason.NOT_ENOUGH_DEPTH, f"{text(deep)} of {text(leg.size)} within the limit"
    return None


def _rules_forbid(market: Market, leg: Leg) -> tuple[Reason, str] | None:
    rules = market.rules
    if leg.limit % rules.tick or not rules.tick <= leg.limit <= ONE - rules.tick:
        return Reason.OFF_TICK, f"{text(leg.limit)} is not on the grid of {text(rules.tick)}"
    if leg.size < rules.min_size:
        return Reason.BELOW_MIN_SIZE, f"{text(leg.size)} shares, at least {text(rules.min_size)}"
    if leg.size % rules.size_step:
        return (
            Reason.NOT_WHOLE_CENTS,
            f"{text(leg.size)} shares, in steps of {text(rules.size_step)}",
        )
    return None


def structure(legs: Sequence[ProvenLeg], universe: Universe) -> tuple[Kind, Event]:
    """What kind of set the legs are, and the event that they belong to.

    The kind is a name: what the set and its parts pay is computed from its `Payoff`. It holds of
    exclusive markets that end YES or NO alone: one that may resolve 50/50 pays neither side a
    dollar and leaves its relation. `Kind.GROUP` is any other set, proved like all.
    """
    bought = {proven.leg.outcome for proven in legs}
    markets = {proven.market.id: proven.market for proven in legs}
    event = universe.events[legs[0].market.event]
    if len(markets) == 1 and len(bought) > 1:
        return Kind.BINARY_COMPLEMENT, event
    if any(Resolution.SPLIT in market.resolutions() for market in markets.values()):
        return Kind.GROUP, event
    for relation in universe.relations_among(markets):
        if not isinstance(relation, Exclusive) or not markets.keys() <= {*relation.markets}:
            continue
        if bought == {market.no for market in markets.values()}:
            return Kind.EXCLUSIVE_NO, event
        whole = relation.complete and markets.keys() == {*relation.markets}
        if whole and bought == {market.yes for market in markets.values()}:
            return Kind.EXHAUSTIVE_YES, event
    return Kind.GROUP, event


def _named(found: Kind, label: str) -> str:
    """The kind; a strategy's own word for a set without a structure, if it looks like one."""
    own = found is Kind.GROUP and OWN_KIND.fullmatch(label) and label not in set(Kind)
    return label if own else found


def _contradiction(legs: Sequence[ProvenLeg], snapshot: Snapshot) -> _Broken | None:
    if not legs:
        return _Broken(Reason.BAD_LEGS, "no legs")
    seen: set[OutcomeId] = set()
    for proven in legs:
        # Each outcome's asks are one pool, and the two outcomes' asks are different pools.
        if proven.leg.outcome in seen:
            twice = f"{proven.market.slug} is bought twice"
            return _Broken(Reason.SHARED_LIQUIDITY, twice, proven.market)
        seen.add(proven.leg.outcome)
    for market in {p.market.id: p.market for p in legs}.values():
        if {market.yes, market.no} <= seen and not of_one_instant(market, snapshot):
            apart = f"{market.slug}: the two books are not of one instant"
            return _Broken(Reason.MIRROR_MISMATCH, apart, market)
    return None


def _other_events(event: Event, legs: Sequence[ProvenLeg], universe: Universe) -> tuple[Event, ...]:
    others = dict.fromkeys(p.market.event for p in legs if p.market.event != event.id)
    return tuple(universe.events[other] for other in others)


def _whole_groups(legs: Sequence[ProvenLeg], universe: Universe) -> tuple[WholeGroup, ...]:
    """Groups whose completeness can be what makes the legs pay.

    That one of a group comes true helps YES alone: NOs pay most where none does, and a pair pays
    the same in every world. Where the ids themselves encode how many outcomes there are, none
    has to be counted.
    """
    bought = {proven.leg.outcome for proven in legs}
    found: dict[WholeGroup, None] = {}
    for market in (p.market for p in legs if p.leg.outcome == p.market.yes):
        if market.no in bought or market.count_in_ids or not market.group:
            continue
        for relation in universe.relations_among([market.id]):
            if isinstance(relation, Exclusive) and relation.complete:
                whole = WholeGroup(market.group, len(relation.markets), market.venue)
                found[whole] = None
    return tuple(found)


def _exit(event: Event, legs: Sequence[ProvenLeg], pays: Usd) -> Exit:
    """Whether all that the worst world pays can be cashed as soon as the legs are filled."""
    size = legs[0].leg.size
    if any(proven.leg.size != size for proven in legs):
        return Exit.RESOLUTION
    markets = {proven.market.id for proven in legs}
    cashed = legs[0].market.terms.pair_exit is not PairExit.RESOLUTION
    pairs = cashed and len(markets) == 1 and len(legs) == 2
    if pairs and pays == size:
        return Exit.NOW
    convertible = event.convertible and all(
        proven.leg.outcome == proven.market.no and proven.market.id in event.markets
        for proven in legs
    )
    if convertible and pays == size * (len(legs) - 1):
        return Exit.NOW
    mergeable = (
        event.mergeable
        and markets == set(event.markets)
        and all(proven.leg.outcome == proven.market.yes for proven in legs)
    )
    return Exit.NOW if mergeable and pays == size else Exit.RESOLUTION


def _identity(kind: str, event: Event, candidate: Candidate, snapshot: Snapshot) -> OpportunityId:
    legs = [f"{leg.outcome}@{text(leg.limit)}x{text(leg.size)}" for leg in candidate.legs]
    return identity(kind, event, legs, snapshot)


def identity(kind: str, event: Event, parts: Sequence[str], snapshot: Snapshot) -> OpportunityId:
    """The id of a finding: the same content seen at the same instant has the same id."""
    content = "|".join([kind, event.id, snapshot.taken_at.isoformat(), *parts])
    return OpportunityId(hashlib.sha256(content.encode()).hexdigest()[:16])
