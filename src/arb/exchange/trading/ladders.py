"""Ladders of the embedded exchange: the house's levels and the orders of accounts in one book.

Prices and sizes are millionths, prices in terms of YES.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from arb.domain.market import Side
from arb.domain.money import MICRO
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import SimMarket
from arb.exchange.market.matching import Incoming, Life, MarketBook, in_yes_terms, mirrored
from arb.exchange.trading.orders import NewOrder, OrderState

Levels = dict[Side, dict[int, int]]
"""Sizes by price, by side."""
UNSPENT_MAX = 2
"""Millionths of a dollar that may stay unspent of a FOK order that is filled."""


class Ladders:
    """What a market's ladders show, and whose it is."""

    def __init__(self, exchange: Exchange, live: Mapping[str, OrderState]) -> None:
        """`live` are the orders of accounts that rest or wait, as they are at every call."""
        self._exchange, self._live = exchange, live

    def house(self, market: SimMarket) -> Levels:
        """Levels without what accounts have in them."""
        return {
            side: dict(self._house_levels(market, side, levels))
            for side, levels in ((Side.BUY, market.bids), (Side.SELL, market.asks))
        }

    def book(self, market: SimMarket) -> MarketBook:
        """The house's ladders with the resting orders of accounts, the house first."""
        return self.merged(market, self.house(market))

    def merged(self, market: SimMarket, house: Levels) -> MarketBook:
        """These levels of the house with the resting orders of accounts."""
        book = MarketBook()
        for side, levels in house.items():
            for price, size in levels.items():
                if size:
                    book.submit(Incoming(f"house/{side}/{price}", side, price, size))
        for mine in self._resting(market):
            book.submit(mine)
        return book

    def hide_an_order(self, market: SimMarket) -> bool:
        """Whether a resting order is not shown in full: a book was set from outside."""
        shown = {Side.BUY: dict(market.bids), Side.SELL: dict(market.asks)}
        return any(
            shown[mine.side].get(mine.price, 0) < mine.size for mine in self._resting(market)
        )

    def store(self, market: SimMarket, book: MarketBook) -> None:
        """Ladders show everything that rests, whose ever it is."""
        market.bids, market.asks = book.bids(), book.asks()
        market.stale_no = None
        self._exchange.touch([market])

    def _house_levels(
        self, market: SimMarket, side: Side, levels: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[int, int]]:
        own: dict[int, int] = {}
        for mine in self._resting(market):
            if mine.side is side:
                own[mine.price] = own.get(mine.price, 0) + mine.size
        for price, size in levels:
            if size > own.get(price, 0):
                yield price, size - own.get(price, 0)

    def _resting(self, market: SimMarket) -> Iterator[Incoming]:
        return (
            replace(in_yes(state.order, market), size=state.left)
            for state in resting(self._live.values(), market)
        )


def resting(orders: Iterable[OrderState], market: SimMarket) -> list[OrderState]:
    """Those that rest in a market."""
    pair = (market.yes, market.no)
    return [state for state in orders if state.open and state.order.token in pair]


def in_yes(order: NewOrder, market: SimMarket, life: Life = Life.REST) -> Incoming:
    """An order in YES terms."""
    incoming = Incoming(order.hash, order.side, order.price, order.size, life)
    return in_yes_terms(incoming) if order.token == market.no else incoming


def crosses(book: MarketBook, incoming: Incoming) -> bool:
    """Whether an order would trade at once."""
    if incoming.side is Side.BUY:
        asks = book.asks()
        return bool(asks) and asks[0][0] <= incoming.price
    bids = book.bids()
    return bool(bids) and bids[0][0] >= incoming.price


def for_dollars(order: NewOrder, market: SimMarket, book: MarketBook) -> tuple[int, bool]:
    """Shares that a BUY's dollars bring within its limit, and whether all of them are spent.

    To the last millionth as the venue answered: what does not come out even is one less, and a
    millionth or two stays unspent (docs/venue-polymarket.md §3.1).
    """
    levels = book.asks() if order.token == market.yes else mirrored(book.bids())
    left, got = order.maker_amount, 0
    for price, size in levels:
        if price > order.price or not left:
            break
        affordable, uneven = divmod(left * MICRO, price)
        take = min(size, affordable - 1 if uneven and affordable < size else affordable)
        got, left = got + take, left - price * take // MICRO
        if take < size:
            break
    return got, left <= UNSPENT_MAX
