"""YES and NO of one market below one dollar together: a crossed book, or bad data.

The two outcomes of a binary market are one book seen from two sides, so their asks add up to one
dollar plus the spread. When they seem not to, the first question is whether the two books are
mirrors at all.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from arb.domain.basket import Basket
from arb.domain.market import Market, Side
from arb.domain.money import MICRO
from arb.domain.opportunity import Candidate, Kind, Leg, Skipped
from arb.domain.reason import Reason
from arb.domain.snapshot import Snapshot
from arb.domain.tradable import asks_of, obstacle, of_one_instant
from arb.strategies.options import StrategyOptions
from arb.strategies.screen import Columns, Ints


class BinaryComplement:
    """Finds binary markets whose two asks add up to less than one dollar."""

    name = "binary_complement"

    def __init__(self, options: StrategyOptions | None = None) -> None:
        self._options = options or StrategyOptions()

    def screen(self, columns: Columns) -> Ints:
        """See `arb.strategies.screen.Screened`."""
        yes, no = columns.yes, columns.no
        return np.flatnonzero((yes > 0) & (no > 0) & (yes + no < MICRO))

    def find(self, snapshot: Snapshot) -> Sequence[Candidate | Skipped]:
        """See `arb.ports.Strategy`."""
        markets = list(snapshot.universe.markets.values())
        yes_asks = snapshot.books.best_asks([market.yes for market in markets])
        no_asks = snapshot.books.best_asks([market.no for market in markets])
        return [
            found
            for market, yes, no in zip(markets, yes_asks, no_asks, strict=True)
            if yes and no and yes + no < MICRO
            for found in self._look(market, snapshot)
        ]

    def _look(self, market: Market, snapshot: Snapshot) -> Iterator[Candidate | Skipped]:
        event = snapshot.universe.events[market.event]
        outcomes = (market.yes, market.no)

        def skipped(reason: Reason, detail: str) -> Skipped:
            return Skipped(
                kind=Kind.BINARY_COMPLEMENT,
                event=event,
                outcomes=outcomes,
                reason=reason,
                detail=detail,
                market=market,
            )

        if speaks_against := obstacle(market, snapshot):
            yield skipped(speaks_against.reason, speaks_against.detail)
            return
        if not of_one_instant(market, snapshot):
            yield skipped(
                Reason.MIRROR_MISMATCH, f"{market.slug}: the two books are not of one instant"
            )
            return
        ladders = [asks_of(market, outcome, snapshot) for outcome in outcomes]
        present = [rung for rung in ladders if rung is not None]
        basket = Basket(base=1, per_leg=0, optional=False)
        if basket.edge(present) <= 0:
            yield skipped(Reason.FEES_EXCEED_EDGE, f"{market.slug}: fees exceed the edge")
            return
        best = basket.best(present)
        if best is None:
            yield skipped(
                Reason.BELOW_MIN_SIZE, f"{market.slug}: no acceptable size keeps the edge"
            )
            return
        yield Candidate(
            kind=Kind.BINARY_COMPLEMENT,
            event=event,
            legs=tuple(
                Leg(outcomes[chosen.ladder], Side.BUY, chosen.limit, best.size)
                for chosen in best.chosen
            ),
            available=best.size,
        )
