"""A strategy of somebody else's: what is implied may be cheap together with the other's failure.

If A implies B, then NO of A and YES of B pay a dollar in every world: A fails, or B comes true. The
two markets may be of two events, and as much is bought of each as its best offer has, so that the
legs are unequal: what the larger one has beyond the smaller is a bet that costs nothing in the worst
world but its price.
"""

from dataclasses import dataclass
from decimal import Decimal

from arb.domain.market import Implies, Side
from arb.domain.opportunity import Candidate, Leg, Skipped

KIND = "implied"
TOO_DEAR = "implied_too_dear"
"""A reason of its own: the two asks add up to more than `ceiling`."""


@dataclass(frozen=True)
class ImpliedOptions:
    """`[strategies.implied]`."""

    ceiling: Decimal = Decimal("0.95")
    """USD for both, at most."""


class Implied:
    """See `arb.ports.Strategy`."""

    name = KIND
    options = ImpliedOptions

    def __init__(self, options):
        self._options = options

    def find(self, snapshot):
        return list(self._look(snapshot))

    def _look(self, snapshot):
        universe = snapshot.universe
        for relation in universe.relations:
            if not isinstance(relation, Implies):
                continue
            premise, conclusion = (universe.markets[m] for m in relation.markets)
            outcomes = (premise.no, conclusion.yes)
            books = [snapshot.books.get(outcome) for outcome in outcomes]
            asks = [book.best_ask if book else None for book in books]
            event = universe.events[premise.event]
            if None in asks:
                continue
            both = sum(ask.price for ask in asks)
            if both > self._options.ceiling:
                yield Skipped(
                    kind=KIND,
                    event=event,
                    outcomes=outcomes,
                    reason=TOO_DEAR,
                    detail=f"{both} for both, at most {self._options.ceiling}",
                )
                continue
            legs = tuple(
                Leg(outcome, Side.BUY, ask.price, ask.size)
                for outcome, ask in zip(outcomes, asks, strict=True)
            )
            yield Candidate(
                kind=KIND, event=event, legs=legs, available=min(ask.size for ask in asks)
            )
