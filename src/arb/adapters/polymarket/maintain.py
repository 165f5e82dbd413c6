"""One token's book kept from the market channel: a snapshot, then absolute sizes per level.

The channel numbers nothing and repeats nothing (docs/venue-polymarket.md §2.1), so the venue's hash
is how a book kept this way is checked. The hash covers the levels as text, best last, and the
market's last trade price in three decimals in terms of its YES outcome: for a book sent because of
a trade that is the price of the very trade whose own message arrives some 40 ms later (recorded
2026-02-28).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

import msgspec

from arb.adapters.polymarket.payloads import LevelPayload
from arb.domain import bounds
from arb.domain.errors import BadVenueData
from arb.domain.market import Side
from arb.domain.money import Price, complement

Levels = dict[Decimal, LevelPayload]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTerms:
    """What of a market goes into its books' hash besides the levels."""

    min_order_size: str = "5"
    tick_size: str = "0.01"
    neg_risk: bool = False
    last_trade_price: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBook:
    """A book after some messages. Each message makes a new one."""

    market: str
    token: str
    timestamp: str
    terms: BookTerms
    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)
    epoch: int = 0
    """Counts tick changes: levels of different epochs are on different grids."""

    def reset(
        self, timestamp: str, bids: Iterable[LevelPayload], asks: Iterable[LevelPayload]
    ) -> "KeptBook":
        """The book after a `book` message."""
        return replace(self, timestamp=timestamp, bids=_keyed(bids), asks=_keyed(asks))

    def change(self, timestamp: str, side: Side, price: str, size: str) -> "KeptBook":
        """The book after one entry of a `price_change` message; size 0 removes the level."""
        level = LevelPayload(price, size)
        levels = {**(self.bids if side is Side.BUY else self.asks), **_keyed([level])}
        levels = {key: kept for key, kept in levels.items() if _number(kept.size) != 0}
        if side is Side.BUY:
            return replace(self, timestamp=timestamp, bids=levels)
        return replace(self, timestamp=timestamp, asks=levels)

    def traded(self, price: Price, *, of_yes: bool) -> "KeptBook":
        """The book after a `last_trade_price` message about either outcome of the market."""
        yes_price = price if of_yes else complement(price)
        return replace(self, terms=replace(self.terms, last_trade_price=f"{yes_price:.3f}"))

    def new_tick(self, tick_size: str) -> "KeptBook":
        """The book after a `tick_size_change` message: empty until the next snapshot."""
        return replace(
            self,
            terms=replace(self.terms, tick_size=tick_size),
            bids={},
            asks={},
            epoch=self.epoch + 1,
        )

    def hash(self) -> str:
        """The venue's hash of the book as it stands."""
        document = {
            "market": self.market,
            "asset_id": self.token,
            "timestamp": self.timestamp,
            "hash": "",
            "bids": [self.bids[price] for price in sorted(self.bids)],
            "asks": [self.asks[price] for price in sorted(self.asks, reverse=True)],
            "min_order_size": self.terms.min_order_size,
            "tick_size": self.terms.tick_size,
            "neg_risk": self.terms.neg_risk,
            "last_trade_price": self.terms.last_trade_price,
        }
        return hashlib.sha1(msgspec.json.encode(document), usedforsecurity=False).hexdigest()


def _keyed(levels: Iterable[LevelPayload]) -> Levels:
    keyed: Levels = {}
    for level in levels:
        _number(level.size)
        keyed[_number(level.price)] = level
    return keyed


def _number(text: str) -> Decimal:
    try:
        number = bounds.number(text)
    except bounds.OutOfBounds as error:
        raise BadVenueData("level", str(error)) from None
    if number < 0:
        raise BadVenueData("level", f"{text[:40]!r} is not an amount")
    return number
