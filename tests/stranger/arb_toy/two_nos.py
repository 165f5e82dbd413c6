"""A market-wide strategy of somebody else's: NO of two outcomes of which at most one comes true.

One NO at least pays its dollar, so two for less than a dollar together are a profit. One of the two
then costs less than half a dollar: that is all the screen asks, of all markets at once.
"""

import numpy as np

from arb.domain.market import Exclusive, Side
from arb.domain.opportunity import Candidate, Leg

HALF = 500_000


class TwoNos:
    """See `arb.ports.Strategy`, and `arb.strategies.screen.Screened` for its screen."""

    name = "two_nos"

    def __init__(self, options=None):
        pass

    def screen(self, columns):
        cheap = (columns.no > 0) & (columns.no < HALF)
        cheap[columns.grouped :] = False
        return np.flatnonzero(cheap)

    def find(self, snapshot):
        return list(self._look(snapshot))

    def _look(self, snapshot):
        universe, books = snapshot.universe, snapshot.books
        for group in universe.relations:
            if not isinstance(group, Exclusive):
                continue
            markets = [universe.markets[id_] for id_ in group.markets]
            read = [market for market in markets if market.no in books and market.accepting]
            asks = [(books[market.no].best_ask, market) for market in read]
            asks = sorted((ask, market.no, market) for ask, market in asks if ask)[:2]
            size = min((ask.size for ask, _, _ in asks), default=0)
            if len(asks) < 2 or sum(ask.price for ask, _, _ in asks) >= 1:
                continue
            if size < max(market.rules.min_size for _, _, market in asks):
                continue
            legs = tuple(Leg(no, Side.BUY, ask.price, size) for ask, no, _ in asks)
            event = universe.events[asks[0][2].event]
            yield Candidate(kind=self.name, event=event, legs=legs, available=size)
