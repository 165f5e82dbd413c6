"""Markets, what is known about how they resolve together, and the universe of both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import NewType

from arb.domain.fees import FeeSchedule
from arb.domain.money import CENT, ONE, SHARE_STEP, Price, Shares, Usd
from arb.domain.venue import VenueTerms

VenueId = NewType("VenueId", str)
MarketId = NewType("MarketId", str)
EventId = NewType("EventId", str)


@dataclass(frozen=True, slots=True, order=True)
class OutcomeId:
    """The thing an order names: a token's id at one venue, a ticker and a side at another."""

    venue: VenueId
    token: str

    def __str__(self) -> str:
        return f"{self.venue}:{self.token}"


class Side(StrEnum):
    """Which way a trade goes, from our point of view."""

    BUY = "BUY"
    SELL = "SELL"


class Resolution(Enum):
    """How one market can end, by what a YES share then pays."""

    YES = Decimal(1)
    NO = Decimal(0)
    SPLIT = Decimal("0.5")
    """Resolved 50/50, where the venue's rules allow it: see `Market.can_split`."""

    @property
    def yes_pays(self) -> Decimal:
        """USD per YES share."""
        return self.value

    @property
    def no_pays(self) -> Decimal:
        """USD per NO share."""
        return 1 - self.value


def resolutions(*, can_split: bool) -> tuple[Resolution, ...]:
    """Every way that one market can resolve on its own."""
    if can_split:
        return (Resolution.NO, Resolution.SPLIT, Resolution.YES)
    return (Resolution.NO, Resolution.YES)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRules:
    """What a venue accepts as a taking order in one market."""

    tick: Price
    """Prices are whole multiples of this, from one tick to one minus one tick."""
    min_size: Shares
    size_step: Shares = SHARE_STEP
    min_value: Usd = Usd(ONE)  # noqa: RUF009  # a NewType call is free
    """Least price times size of a marketable BUY."""
    value_step: Usd = CENT
    """Price times size of a marketable BUY is a whole multiple of this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One binary question with its two outcomes and the venue's rules for trading it."""

    id: MarketId
    """Unique among all venues: an id that another venue could use, too, begins with the venue's."""
    event: EventId
    slug: str
    question: str
    yes: OutcomeId
    no: OutcomeId
    yes_name: str = "Yes"
    no_name: str = "No"
    rules: OrderRules
    fees: FeeSchedule | None
    """`None`: the venue charges fees here and does not state them, so nothing can be proved."""
    accepting: bool = True
    """Open, active and taking orders."""
    closed: bool = False
    delay_seconds: Decimal = Decimal(0)
    """How long a taking order waits before it is matched; anything above 0 is leg risk."""
    can_split: bool = True
    """Whether it may resolve 50/50, and not YES or NO alone."""
    group: str = ""
    """The venue's id of the group of markets of which at most one resolves YES; empty: none."""
    resolving: str = ""
    """The venue's status of a resolution that has begun: `proposed`, `disputed`, `resolved`, …"""
    count_in_ids: bool = False
    """Whether the ids themselves say how many outcomes the group has."""
    closes_at: datetime | None = None
    contradiction: str = ""
    """How the venue's listing contradicts itself about the market: then nothing of it is traded."""
    terms: VenueTerms = VenueTerms()  # noqa: RUF009  # immutable
    """The terms of its venue."""

    @property
    def venue(self) -> VenueId:
        """Where the market is listed."""
        return self.yes.venue

    def outcome(self, outcome: OutcomeId) -> str:
        """The outcome's name as people read it: `Yes`, `No`, or a team's name."""
        return self.yes_name if outcome == self.yes else self.no_name

    def resolutions(self) -> tuple[Resolution, ...]:
        """Every way this market can resolve on its own."""
        return resolutions(can_split=self.can_split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Markets that the venue lists together, with their relation as the venue states it."""

    id: EventId
    slug: str
    title: str
    venue: VenueId
    markets: tuple[MarketId, ...]
    open_ended: bool = False
    """New outcomes may be added (placeholders and "Other"): never exhaustive."""
    convertible: bool = False
    """A set of NO tokens turns into cash at once and free of charge."""
    mergeable: bool = False
    """YES of all the listed markets together turn into cash at once."""
    missing: int = 0
    """Markets of the event that could not be read (wrong shape, three outcomes)."""
    closes_at: datetime | None = None
    contradiction: str = ""
    """Where the event and its markets disagree about what belongs together."""


@dataclass(frozen=True, slots=True)
class Exclusive:
    """At most one of the markets resolves YES; exactly one when `complete`."""

    markets: tuple[MarketId, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class WholeGroup:
    """A group of which a proof takes one listed market to resolve YES: none may be missing."""

    group: str
    """The venue's id of it; see `Market.group`."""
    outcomes: int
    """How many are listed."""
    venue: VenueId

    def miscount(self, counted: Mapping[str, int]) -> str:
        """How the chain's count differs from the listing's; empty: it does not, or is unknown."""
        there = counted.get(self.group, self.outcomes)
        if there == self.outcomes:
            return ""
        return f"{self.outcomes} outcomes are listed, the chain counts {there} in {self.group}"


@dataclass(frozen=True, slots=True)
class Implies:
    """If `premise` resolves YES, so does `conclusion`."""

    premise: MarketId
    conclusion: MarketId

    @property
    def markets(self) -> tuple[MarketId, ...]:
        """Both ends."""
        return (self.premise, self.conclusion)


@dataclass(frozen=True, slots=True)
class Same:
    """Both markets resolve alike."""

    left: MarketId
    right: MarketId

    @property
    def markets(self) -> tuple[MarketId, ...]:
        """Both sides."""
        return (self.left, self.right)


Relation = Exclusive | Implies | Same
World = Mapping[MarketId, Resolution]
"""One way that some markets can resolve together."""


@dataclass(frozen=True, slots=True, eq=False)
class Universe:
    """All markets on offer, the events they come from, and the relations that a proof may trust."""

    markets: Mapping[MarketId, Market]
    events: Mapping[EventId, Event] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    _by_market: Mapping[MarketId, tuple[Relation, ...]] = field(init=False, repr=False)
    _by_outcome: Mapping[OutcomeId, MarketId] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        index: dict[MarketId, list[Relation]] = {}
        for relation in self.relations:
            for market in relation.markets:
                index.setdefault(market, []).append(relation)
        object.__setattr__(self, "_by_market", {key: tuple(held) for key, held in index.items()})
        outcomes: dict[OutcomeId, MarketId] = {}
        for listed in self.markets.values():
            outcomes[listed.yes] = outcomes[listed.no] = listed.id
        object.__setattr__(self, "_by_outcome", outcomes)

    def market_of(self, outcome: OutcomeId) -> Market:
        """The market that an outcome belongs to.

        Raises:
            KeyError: No market on offer has this outcome.
        """
        return self.markets[self._by_outcome[outcome]]

    def relations_among(self, markets: Iterable[MarketId]) -> tuple[Relation, ...]:
        """The relations that bind any of the markets, each once, in a stable order."""
        return tuple(dict.fromkeys(r for m in markets for r in self._by_market.get(m, ())))

    def outcomes(self) -> Iterator[OutcomeId]:
        """Both outcomes of every market, YES first, market by market."""
        for market in self.markets.values():
            yield market.yes
            yield market.no


def united(one: Universe, other: Universe) -> Universe:
    """Both listings as one.

    Raises:
        ValueError: They use one id for different markets, events or outcomes.
    """
    for kind, ours, theirs in (
        ("market", one.markets, other.markets),
        ("event", one.events, other.events),
    ):
        if twice := sorted(ours.keys() & theirs.keys()):
            raise ValueError(f"{kind} {twice[0]} is listed by another venue, too")
    return Universe(
        {**one.markets, **other.markets},
        {**one.events, **other.events},
        one.relations + other.relations,
    )


def markets_of(universe: Universe, event: Event) -> Sequence[Market]:
    """The event's markets that could be read, in the venue's order."""
    return [universe.markets[market] for market in event.markets if market in universe.markets]


def named(universe: Universe, name: str) -> frozenset[MarketId]:
    """The markets of the event with this slug, or the market with this slug or id; none: no such.

    A market that stands alone in its event often has the event's slug.
    """
    events = [event for event in universe.events.values() if event.slug == name]
    if events:
        return frozenset(m.id for event in events for m in markets_of(universe, event))
    return frozenset(m.id for m in universe.markets.values() if name in (m.slug, m.id))
