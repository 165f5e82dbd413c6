"""A strategy that looks at one event or market only."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from arb.domain.market import MarketId, Universe, named
from arb.domain.opportunity import Candidate, Skipped
from arb.domain.snapshot import Snapshot
from arb.domain.sweep import around
from arb.ports import Strategy


class Confined:
    """What a strategy finds about one event or market; the rest of the market it is not shown."""

    def __init__(self, inner: Strategy, symbol: str) -> None:
        """Confine a strategy.

        Args:
            inner: Who looks.
            symbol: An event's slug: all its markets; or a market's slug or id: whatever has a leg
                in that market.
        """
        self.name, self.symbol, self._inner = inner.name, symbol, inner

    def find(self, snapshot: Snapshot) -> Sequence[Candidate | Skipped]:
        """See `arb.ports.Strategy`."""
        markets = named(snapshot.universe, self.symbol)
        if not markets:
            return ()
        near = around(snapshot.universe, markets)
        found = self._inner.find(replace(snapshot, universe=near))
        return [proposal for proposal in found if _touches(proposal, markets, near)]


def _touches(
    proposal: Candidate | Skipped, markets: frozenset[MarketId], universe: Universe
) -> bool:
    if isinstance(proposal, Candidate):
        outcomes = [leg.outcome for leg in proposal.legs]
    elif proposal.outcomes:
        outcomes = list(proposal.outcomes)
    else:
        # It may be skipped because no outcome of it could be read: then there is only its event.
        return not markets.isdisjoint(proposal.event.markets)
    for outcome in outcomes:
        with contextlib.suppress(KeyError):
            if universe.market_of(outcome).id in markets:
                return True
    return False
