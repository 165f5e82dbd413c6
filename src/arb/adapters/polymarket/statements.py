"""The account at Polymarket and on chain."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from arb.adapters.polymarket.holdings import Holdings
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.market import OutcomeId
from arb.domain.statement import Statement

if TYPE_CHECKING:
    from arb.adapters.polymarket.trading import PolymarketTrading


class PolymarketStatements:
    """See `arb.ports.Statements`."""

    def __init__(
        self, trading: "PolymarketTrading", holdings: Holdings, now: Callable[[], datetime]
    ) -> None:
        self._trading, self._holdings, self._now = trading, holdings, now

    async def statement(self, outcomes: Sequence[OutcomeId], since: datetime) -> Statement:
        """See `arb.ports.Statements`. Trades first: a balance read later holds all of them."""
        trades = await self._trading.trades_since(since)
        open_orders = await self._trading.open_orders()
        return Statement(
            venue=POLYMARKET,
            at=self._now(),
            cash=await self._holdings.cash(),
            shares=await self._holdings.of(outcomes),
            open_orders=open_orders,
            trades=tuple(trades),
        )
