"""Every way that markets can resolve together, and the one that pays a holding least.

A `Payoff` is the part of a universe that decides what some markets pay. A proof is made from one,
and the plan keeps it.

Two independent computations of the same thing: `possible` lists the worlds one by one, `worst`
finds the poorest of them by components, in time linear in the markets for the common case of one
exclusive event. A property test holds them together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Self

from arb.domain.errors import ArbError
from arb.domain.market import (
    Exclusive,
    Implies,
    MarketId,
    OutcomeId,
    Relation,
    Resolution,
    Same,
    Universe,
    World,
    resolutions,
)
from arb.domain.money import NO_SHARES, NO_USD, ZERO, Shares, Usd, micro_down

WORLDS_MAX = 50_000
"""Worlds of one component that are enumerated before giving up on a proof."""

TABLES_KEPT = 32
"""Components whose worlds are kept; the largest takes some three megabytes."""


class TooManyWorlds(ArbError):
    """The markets are related in a way that has more worlds than can be enumerated."""


@dataclass(frozen=True, slots=True)
class PayoffMarket:
    """A market, as far as it decides what its shares pay."""

    id: MarketId
    yes: OutcomeId
    no: OutcomeId
    can_split: bool

    def resolutions(self) -> tuple[Resolution, ...]:
        """Every way this market can resolve on its own."""
        return resolutions(can_split=self.can_split)


@dataclass(frozen=True, slots=True)
class Payoff:
    """Some markets and what binds them: all that decides what shares of them pay together."""

    markets: tuple[PayoffMarket, ...]
    relations: tuple[Relation, ...]
    """They bind these markets alone."""

    @classmethod
    def of(cls, universe: Universe, markets: Iterable[MarketId]) -> Self:
        """The part of a universe that these markets are.

        A relation that reaches beyond them binds only those asked about. That can only add worlds,
        so a proof made from this part holds in the larger universe too.
        """
        ids = dict.fromkeys(markets)
        listed = (universe.markets[market] for market in ids)
        bound = (_within(r, frozenset(ids)) for r in universe.relations_among(ids))
        return cls(
            tuple(PayoffMarket(m.id, m.yes, m.no, m.can_split) for m in listed),
            tuple(dict.fromkeys(relation for relation in bound if relation is not None)),
        )

    def guaranteed(self, shares: Iterable[tuple[OutcomeId, Shares]]) -> Usd:
        """What shares of these markets pay in the worst world, rounded down to a micro-unit.

        Zero where there are too many worlds to look through. Of markets that were proved together
        there never are: their number is the same whatever is held.

        Raises:
            KeyError: An outcome is of none of the markets.
        """
        try:
            return Usd(micro_down(worst(self, holding(self, shares)).pays))
        except TooManyWorlds:
            return NO_USD


@dataclass(frozen=True, slots=True)
class Worst:
    """The poorest possible world for a holding."""

    pays: Usd
    world: World


Holding = Mapping[MarketId, tuple[Shares, Shares]]
"""YES and NO shares of each market."""


def holding(payoff: Payoff, shares: Iterable[tuple[OutcomeId, Shares]]) -> Holding:
    """What is held of each market, YES and NO apart; none where no shares are named.

    Raises:
        KeyError: An outcome is of none of the markets.
    """
    held = {market.id: (NO_SHARES, NO_SHARES) for market in payoff.markets}
    sides = {m.yes: (m.id, True) for m in payoff.markets}
    sides |= {m.no: (m.id, False) for m in payoff.markets}
    for outcome, size in shares:
        market, is_yes = sides[outcome]
        yes, no = held[market]
        held[market] = (Shares(yes + size), no) if is_yes else (yes, Shares(no + size))
    return held


def pays(held: Holding, world: World) -> Usd:
    """What a holding is worth in one world."""
    return Usd(sum((_value(shares, world[market]) for market, shares in held.items()), ZERO))


def possible(payoff: Payoff) -> Iterator[World]:
    """Every way the markets can resolve together."""

    def extend(world: dict[MarketId, Resolution], rest: Sequence[PayoffMarket]) -> Iterator[World]:
        if not all(_allows(relation, world, final=not rest) for relation in payoff.relations):
            return
        if not rest:
            yield dict(world)
            return
        for resolution in rest[0].resolutions():
            world[rest[0].id] = resolution
            yield from extend(world, rest[1:])
            del world[rest[0].id]

    return extend({}, payoff.markets)


def worst(payoff: Payoff, held: Holding) -> Worst:
    """The possible world in which a holding of the markets pays least.

    Payoffs of unrelated markets add up, so each connected component is solved alone.

    Raises:
        TooManyWorlds: A component is related in a way that cannot be looked through in time.
    """
    world: dict[MarketId, Resolution] = {}
    for component in _components(payoff):
        world.update(_worst_of(component, held))
    return Worst(pays(held, world), world)


def _worst_of(component: Payoff, held: Holding) -> World:
    markets, relations = component.markets, component.relations
    if not relations:
        return {market.id: _poorest(market, held) for market in markets}
    if len(relations) == 1 and isinstance(relations[0], Exclusive):
        return _worst_exclusive(markets, held, complete=relations[0].complete)
    values = [[_value(held[m.id], end) for end in m.resolutions()] for m in markets]

    def value(ends: bytes) -> Decimal:
        return sum((of[end] for of, end in zip(values, ends, strict=True)), ZERO)

    poorest = min(_table(component), key=value)
    return {m.id: m.resolutions()[end] for m, end in zip(markets, poorest, strict=True)}


@lru_cache(maxsize=TABLES_KEPT)
def _table(component: Payoff) -> Sequence[bytes]:
    """The worlds of related markets, each as the places of the markets' resolutions.

    They are the same for every holding, and enumerating them takes far longer than adding up what
    one is worth in each.
    """
    found: list[bytes] = []
    for world in possible(component):
        if len(found) >= WORLDS_MAX:
            many = f"{len(component.markets)} related markets have over {WORLDS_MAX} worlds"
            raise TooManyWorlds(many)
        found.append(bytes(m.resolutions().index(world[m.id]) for m in component.markets))
    if not found:
        raise TooManyWorlds("the relations between these markets contradict each other")
    return found


def _worst_exclusive(markets: Sequence[PayoffMarket], held: Holding, *, complete: bool) -> World:
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


def _poorest(market: PayoffMarket, held: Holding, *, without_yes: bool = False) -> Resolution:
    choices = [r for r in market.resolutions() if not (without_yes and r is Resolution.YES)]
    return min(choices, key=lambda resolution: _value(held[market.id], resolution))


def _value(shares: tuple[Shares, Shares], resolution: Resolution) -> Decimal:
    yes, no = shares
    if resolution is Resolution.YES:
        return yes
    if resolution is Resolution.NO:
        return no
    return yes * resolution.yes_pays + no * resolution.no_pays


def _components(payoff: Payoff) -> Iterator[Payoff]:
    """The markets that relations connect, each set with its relations."""
    binding: dict[MarketId, list[Relation]] = {market.id: [] for market in payoff.markets}
    for relation in payoff.relations:
        for member in relation.markets:
            binding[member].append(relation)
    left = {market.id: market for market in payoff.markets}
    while left:
        component = [left.pop(next(iter(left)))]
        relations: dict[Relation, None] = {}
        for market in component:
            for relation in binding[market.id]:
                if relation not in relations:
                    relations[relation] = None
                    component += [left.pop(m) for m in relation.markets if m in left]
        yield Payoff(tuple(component), tuple(relations))


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
