"""One event of which at most one outcome comes true: NO of several, or YES of all.

Buying NO of any k outcomes pays at least k - 1 and needs exclusivity only. Buying YES of all pays
1 and needs the list of outcomes to be exhaustive (docs/venue-polymarket.md §8.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from arb.domain.basket import Basket, Best, Ladder
from arb.domain.market import Event, Exclusive, Market, OutcomeId, Side
from arb.domain.money import MICRO, ONE, ZERO, text
from arb.domain.opportunity import Candidate, Kind, Leg, Skipped
from arb.domain.reason import Reason
from arb.domain.snapshot import Snapshot
from arb.domain.tradable import Obstacle, asks_of, obstacle
from arb.strategies.options import StrategyOptions
from arb.strategies.screen import PICO, Columns, Ints, exclusive_groups, fee_least, fee_rate


@dataclass(frozen=True, slots=True)
class _Set:
    """The members of an exclusive group that can be bought now, and what bars the others."""

    outcomes: tuple[OutcomeId, ...]
    ladders: tuple[Ladder, ...]
    obstacles: tuple[Obstacle, ...]


class NegRiskNo:
    """Finds exclusive events whose NOs cost less than they are sure to pay."""

    name = "negrisk_no"

    def __init__(self, options: StrategyOptions | None = None) -> None:
        self._options = options or StrategyOptions()

    def screen(self, columns: Columns) -> Ints:
        """See `arb.strategies.screen.Screened`."""
        gains = columns.sums(np.where(columns.no > 0, MICRO - columns.no, 0))
        return columns.starts[gains > MICRO]

    def find(self, snapshot: Snapshot) -> Sequence[Candidate | Skipped]:
        """See `arb.ports.Strategy`."""
        found = []
        for group in exclusive_groups(snapshot.universe):
            members = [snapshot.universe.markets[market] for market in group.markets]
            asks = snapshot.books.best_asks([market.no for market in members])
            if sum(MICRO - ask for ask in asks if ask) > MICRO:
                survives_fees = _no_gain(members, asks) > PICO
                found.append(self._look(group, snapshot, survives_fees=survives_fees))
        return found

    def _look(
        self, group: Exclusive, snapshot: Snapshot, *, survives_fees: bool
    ) -> Candidate | Skipped:
        members = [snapshot.universe.markets[market] for market in group.markets]
        event = snapshot.universe.events[members[0].event]
        gross = _no_edge(members, snapshot)
        skipped = Skipped(
            kind=Kind.EXCLUSIVE_NO,
            event=event,
            outcomes=tuple(market.no for market in members),
            reason=Reason.FEES_EXCEED_EDGE,
            detail=f"before fees {text(gross)} per set",
            gross_edge=gross,
        )
        if not survives_fees:
            return skipped
        buyable = _buyable(members, snapshot, outcome="no")
        basket = Basket(base=-1, per_leg=1, optional=True, legs_max=self._options.max_legs)
        best = basket.best(buyable.ladders)
        if best is not None:
            return _candidate(Kind.EXCLUSIVE_NO, event, best, buyable)
        if buyable.obstacles:
            return _barred(skipped, buyable.obstacles[0])
        if basket.edge(buyable.ladders) <= 0:
            return skipped
        return replace(
            skipped, reason=Reason.BELOW_MIN_SIZE, detail="no acceptable size keeps the edge"
        )


class NegRiskYes:
    """Finds exhaustive events whose YESes cost less than the dollar that one of them pays."""

    name = "negrisk_yes"

    def __init__(self, options: StrategyOptions | None = None) -> None:
        self._options = options or StrategyOptions()

    def screen(self, columns: Columns) -> Ints:
        """See `arb.strategies.screen.Screened`."""
        return columns.starts[columns.sums(columns.yes) < MICRO]

    def find(self, snapshot: Snapshot) -> Sequence[Candidate | Skipped]:
        """See `arb.ports.Strategy`."""
        found = []
        for group in exclusive_groups(snapshot.universe):
            members = [snapshot.universe.markets[market] for market in group.markets]
            asks = snapshot.books.best_asks([market.yes for market in members])
            if sum(asks) < MICRO:
                survives_fees = _yes_cost(members, asks) < PICO
                found.append(self._look(group, snapshot, survives_fees=survives_fees))
        return found

    def _look(
        self, group: Exclusive, snapshot: Snapshot, *, survives_fees: bool
    ) -> Candidate | Skipped:
        members = [snapshot.universe.markets[market] for market in group.markets]
        event = snapshot.universe.events[members[0].event]
        gross = _yes_edge(members, snapshot)
        skipped = Skipped(
            kind=Kind.EXHAUSTIVE_YES,
            event=event,
            outcomes=tuple(market.yes for market in members),
            reason=Reason.FEES_EXCEED_EDGE,
            detail=f"before fees {text(gross)} per set",
            gross_edge=gross,
        )
        if speaks_against := _not_exhaustive(group, event, members):
            return replace(skipped, reason=speaks_against[0], detail=speaks_against[1])
        buyable = _buyable(members, snapshot, outcome="yes")
        if buyable.obstacles:
            return _barred(skipped, buyable.obstacles[0])
        if len(members) > self._options.max_legs:
            return replace(skipped, reason=Reason.TOO_MANY_LEGS, detail=f"{len(members)} legs")
        if not survives_fees:
            return skipped
        best = Basket(base=1, per_leg=0, optional=False, legs_max=self._options.max_legs).best(
            buyable.ladders
        )
        if best is None:
            return replace(
                skipped, reason=Reason.BELOW_MIN_SIZE, detail="no acceptable size keeps the edge"
            )
        return _candidate(Kind.EXHAUSTIVE_YES, event, best, buyable)


def _candidate(kind: Kind, event: Event, best: Best, buyable: _Set) -> Candidate:
    return Candidate(
        kind=kind,
        event=event,
        legs=tuple(
            Leg(buyable.outcomes[chosen.ladder], Side.BUY, chosen.limit, best.size)
            for chosen in best.chosen
        ),
        available=best.size,
    )


def _buyable(members: Sequence[Market], snapshot: Snapshot, *, outcome: str) -> _Set:
    outcomes: list[OutcomeId] = []
    ladders: list[Ladder] = []
    obstacles: list[Obstacle] = []
    for market in members:
        token = market.yes if outcome == "yes" else market.no
        if speaks_against := obstacle(market, snapshot):
            obstacles.append(speaks_against)
        elif rungs := asks_of(market, token, snapshot):
            outcomes.append(token)
            ladders.append(rungs)
        elif outcome == "yes":
            unsold = f"no YES of {market.slug} is on offer"
            obstacles.append(Obstacle(Reason.NOT_ENOUGH_DEPTH, unsold, market))
    return _Set(tuple(outcomes), tuple(ladders), tuple(obstacles))


def _barred(skipped: Skipped, by: Obstacle) -> Skipped:
    return replace(skipped, reason=by.reason, detail=by.detail, market=by.market)


def _not_exhaustive(
    group: Exclusive, event: Event, members: Sequence[Market]
) -> tuple[Reason, str] | None:
    if event.open_ended:
        return Reason.OPEN_ENDED, f"{event.slug} may grow new outcomes"
    if event.missing:
        return Reason.MISSING_OUTCOME, f"{event.missing} outcomes could not be read"
    closed = [market.slug for market in members if market.closed]
    if closed:
        return Reason.CLOSED_SIBLING, f"{closed[0]} is closed"
    if not group.complete:
        return Reason.MISSING_OUTCOME, "the venue does not say that the list is complete"
    return None


def _no_gain(members: Sequence[Market], asks: Sequence[int]) -> int:
    """What the best asks for NO leave of a dollar each after the least fees, in 10^-12 USD."""
    return sum(
        max(PICO - ask * MICRO - fee_least(ask, fee_rate(market)), 0)
        for market, ask in zip(members, asks, strict=True)
        if ask
    )


def _yes_cost(members: Sequence[Market], asks: Sequence[int]) -> int:
    """What one share of each costs at the best asks with the least fees, in 10^-12 USD."""
    return sum(
        ask * MICRO + fee_least(ask, fee_rate(market))
        for market, ask in zip(members, asks, strict=True)
    )


def _no_edge(members: Sequence[Market], snapshot: Snapshot) -> Decimal:
    asks = [_best_ask(market.no, snapshot) for market in members]
    return Decimal(sum((ONE - ask for ask in asks if ask is not None), ZERO) - ONE)


def _yes_edge(members: Sequence[Market], snapshot: Snapshot) -> Decimal:
    asks = [_best_ask(market.yes, snapshot) for market in members]
    return Decimal(ONE - sum((ask for ask in asks if ask is not None), ZERO))


def _best_ask(outcome: OutcomeId, snapshot: Snapshot) -> Decimal | None:
    book = snapshot.books.get(outcome)
    return book.best_ask.price if book and book.best_ask else None
