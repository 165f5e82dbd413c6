"""Every way that markets can resolve together, and the one that pays a holding least.

Two independent computations of the same thing: `possible` lists the worlds one by one, `worst`
finds the poorest of them by components, in time linear in the markets for the common case of one
exclusive event. A property test holds them together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from arb.domain.errors import ArbError
from arb.domain.market import (
    Exclusive,
    Implies,
    Market,
    MarketId,
    OutcomeId,
    Relation,
    Resolution,
    Same,
    Universe,
    World,
)
from arb.domain.money import NO_SHARES, ZERO, Shares, Usd

WORLDS_MAX = 50_000
"""Worlds of one component that are enumerated before giving up on a proof."""


class TooManyWorlds(ArbError):
    """The markets are related in a way that has more worlds than can be enumerated."""


@dataclass(frozen=True, slots=True)
class Worst:
    """The poorest possible world for a holding."""

    pays: Usd
    world: World


Holding = Mapping[MarketId, tuple[Shares, Shares]]
"""YES and NO shares of each market."""


def holding(universe: Universe, shares: Iterable[tuple[OutcomeId, Shares]]) -> Holding:
    """What is held of each market, YES and NO apart."""
    held: dict[MarketId, tuple[Shares, Shares]] = {}
    for outcome, size in shares:
        market = universe.market_of(outcome)
        yes, no = held.get(market.id, (NO_SHARES, NO_SHARES))
        held[market.id] = (
            (Shares(yes + size), no) if outcome == market.yes else (yes, Shares(no + size))
        )
    return held


def pays(held: Holding, world: World) -> Usd:
    """What a holding is worth in one world."""
    return Usd(
        sum(
            (
                yes * world[market].yes_pays + no * world[market].no_pays
                for market, (yes, no) in held.items()
            ),
            ZERO,
        )
    )


def possible(universe: Universe, markets: Sequence[MarketId]) -> Iterator[World]:
    """Every way the markets can resolve together.

    Relations that reach beyond `markets` bind only the members asked about. That can only add
    worlds, so a proof made from these worlds holds in the larger universe too.
    """
    relations = [_within(r, frozenset(markets)) for r in universe.relations_among(markets)]
    binding = [r for r in relations if r is not None]

    def extend(world: dict[MarketId, Resolution], rest: Sequence[MarketId]) -> Iterator[World]:
        if not all(_allows(relation, world, final=not rest) for relation in binding):
            return
        if not rest:
            yield dict(world)
            return
        for resolution in universe.markets[rest[0]].resolutions():
            world[rest[0]] = resolution
            yield from extend(world, rest[1:])
            del world[rest[0]]

    return extend({}, list(dict.fromkeys(markets)))


def worst(universe: Universe, held: Holding) -> Worst:
    """The possible world in which the holding pays least.

    Payoffs of unrelated markets add up, so each connected component is solved alone.

    Raises:
        TooManyWorlds: A component is related in a way that cannot be looked through in time.
    """
    world: dict[MarketId, Resolution] = {}
    for component, relations in _components(universe, held):
        world.update(_worst_of(universe, held, component, relations))
    return Worst(pays(held, world), world)


def _worst_of(
    universe: Universe, held: Holding, component: Sequence[MarketId], relations: Sequence[Relation]
) -> World:
    markets = [universe.markets[market] for market in component]
    if not relations:
        return {market.id: _poorest(market, held) for market in markets}
    if len(relations) == 1 and isinstance(relations[0], Exclusive):
        return _worst_exclusive(markets, held, complete=relations[0].complete)
    poorest: tuple[Usd, World] | None = None
    part = {market: held[market] for market in component}
    for seen, world in enumerate(possible(universe, component)):
        if seen >= WORLDS_MAX:
            raise TooManyWorlds(f"{len(component)} related markets have over {WORLDS_MAX} worlds")
        value = pays(part, world)
        if poorest is None or value < poorest[0]:
            poorest = (value, world)
    if poorest is None:
        raise TooManyWorlds("the relations between these markets contradict each other")
    return poorest[1]


def _worst_exclusive(markets: Sequence[Market], held: Holding, *, complete: bool) -> World:
    """At most one YES: take the poorest world without one, then try each market as the one."""
    base = {m.id: _poorest(m, held, without_yes=True) for m in markets}
    worth = {m.id: _value(held[m.id], base[m.id]) for m in markets}
    gains = {m.id: _value(held[m.id], Resolution.YES) - worth[m.id] for m in markets}
    chosen = min(gains, key=gains.__getitem__)
    must_pick = complete and Resolution.SPLIT not in base.values()
    if must_pick:
        # Exactly one YES, unless some plain market splits instead; take the cheaper of the two.
        split = {
            m.id: _value(held[m.id], Resolution.SPLIT) - worth[m.id]
            for m in markets
            if Resolution.SPLIT in m.resolutions()
        }
        cheapest_split = min(split, key=split.__getitem__, default=None)
        if cheapest_split is not None and split[cheapest_split] <= gains[chosen]:
            return {**base, cheapest_split: Resolution.SPLIT}
    if must_pick or gains[chosen] < 0:
        return {**base, chosen: Resolution.YES}
    return base


def _poorest(market: Market, held: Holding, *, without_yes: bool = False) -> Resolution:
    choices = [r for r in market.resolutions() if not (without_yes and r is Resolution.YES)]
    return min(choices, key=lambda resolution: _value(held[market.id], resolution))


def _value(shares: tuple[Shares, Shares], resolution: Resolution) -> Decimal:
    yes, no = shares
    return yes * resolution.yes_pays + no * resolution.no_pays


def _components(
    universe: Universe, held: Holding
) -> Iterator[tuple[Sequence[MarketId], Sequence[Relation]]]:
    left = dict.fromkeys(held)
    while left:
        component = [next(iter(left))]
        relations: dict[Relation, None] = {}
        for market in component:
            left.pop(market, None)
            for relation in universe.relations_among([market]):
                bound = _within(relation, frozenset(held))
                if bound is not None:
                    relations[bound] = None
                    component += [m for m in bound.markets if m in left and m not in component]
        yield component, list(relations)


def _within(relation: Relation, markets: frozenset[MarketId]) -> Relation | None:
    """A relation, restricted to these markets."""
    match relation:
        case Exclusive(members, complete):
            kept = tuple(m for m in members if m in markets)
            whole = complete and len(kept) == len(members)
            return Exclusive(kept, whole) if whole or len(kept) > 1 else None
        case Implies() | Same():
            return relation if all(m in markets for m in relation.markets) else None


def _allows(relation: Relation, world: World, *, final: bool) -> bool:
    """Whether a relation permits a world; an incomplete one is judged by what it fixes already.

    A 50/50 resolution is outside the question's own terms, so it satisfies any relation:
    that adds worlds, which is the safe direction.
    """
    ends = [world.get(market) for market in relation.markets]
    match relation:
        case Exclusive(_, complete):
            at_most_one = ends.count(Resolution.YES) <= 1
            return at_most_one and (
                not (final and complete) or any(end is not Resolution.NO for end in ends)
            )
        case Implies():
            return not (ends[0] is Resolution.YES and ends[1] is Resolution.NO)
        case Same():
            return set(ends) != {Resolution.YES, Resolution.NO}
