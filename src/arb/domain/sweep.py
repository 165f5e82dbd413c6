"""A listing in parts, for workers to read the books of, and their reports. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from arb.domain.market import Event, EventId, MarketId, OutcomeId, Universe, markets_of
from arb.domain.report import Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """The report on one part. A hint: the leader re-reads and re-proves before acting."""

    nominated: frozenset[EventId]
    """Events for which a strategy returned anything."""
    fresh: int
    """Of the other events: those with every market open and every book there."""
    received: int
    """Books of the other events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What others saw of a listing, part by part."""

    glimpses: Sequence[Glimpse]
    unseen: frozenset[EventId]
    """Events without an answer."""
    coverage: Coverage

    @property
    def wanted(self) -> frozenset[EventId]:
        """Events that the leader must scan itself."""
        return self.unseen.union(*(glimpse.nominated for glimpse in self.glimpses))

    @property
    def fresh(self) -> int:
        """See `Glimpse`."""
        return sum(glimpse.fresh for glimpse in self.glimpses)

    @property
    def received(self) -> int:
        """See `Glimpse`."""
        return sum(glimpse.received for glimpse in self.glimpses)


def parts(universe: Universe, markets_max: int) -> Iterator[Universe]:
    """The universe in parts of about `markets_max` markets.

    An event is never divided, nor are events that a relation binds together: no part lacks a
    relation of its markets.
    """
    together: list[Event] = []
    count = 0
    for bound in _bound_together(universe):
        size = sum(len(markets_of(universe, event)) for event in bound)
        if together and count + size > markets_max:
            yield part_of(universe, together)
            together, count = [], 0
        together += bound
        count += size
    if together:
        yield part_of(universe, together)


def _bound_together(universe: Universe) -> list[list[Event]]:
    """The events, each with those that relations bind it to, in the order of the listing."""
    root = {id_: id_ for id_ in universe.events}

    def root_of(event: EventId) -> EventId:
        while root[event] != event:
            event = root[event]
        return event

    for relation in universe.relations:
        listed = (universe.markets[m] for m in relation.markets if m in universe.markets)
        events = list(dict.fromkeys(market.event for market in listed))
        for other in events[1:]:
            root[root_of(other)] = root_of(events[0])
    found: dict[EventId, list[Event]] = {}
    for event in universe.events.values():
        found.setdefault(root_of(event.id), []).append(event)
    return list(found.values())


def around(universe: Universe, markets: Iterable[MarketId]) -> Universe:
    """The events of these markets, and every event that relations bind those to."""
    found: dict[EventId, Event] = {}
    reached = [universe.markets[market].event for market in markets]
    while new := [event for event in dict.fromkeys(reached) if event not in found]:
        found.update((event, universe.events[event]) for event in new)
        members = [m for event in new for m in markets_of(universe, universe.events[event])]
        relations = universe.relations_among(market.id for market in members)
        bound = (universe.markets.get(id_) for relation in relations for id_ in relation.markets)
        reached = [market.event for market in (*members, *bound) if market is not None]
    return part_of(universe, list(found.values()))


def part_of(universe: Universe, events: Sequence[Event]) -> Universe:
    """These events, their markets, and the relations among those.

    A relation that reaches beyond them is left out: that adds possible worlds and takes none away.
    """
    markets = {market.id: market for event in events for market in markets_of(universe, event)}
    relations = universe.relations_among(markets)
    return Universe(
        markets,
        {event.id: event for event in events},
        tuple(r for r in relations if all(market in markets for market in r.markets)),
    )


def outcomes_of(universe: Universe) -> list[OutcomeId]:
    """Both outcomes of every market that takes orders: those whose books are worth reading."""
    open_markets = [m for m in universe.markets.values() if m.accepting and not m.closed]
    return [outcome for market in open_markets for outcome in (market.yes, market.no)]
