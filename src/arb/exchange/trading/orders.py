"""Orders, trades and answers of the embedded exchange, as the floor keeps them.

Amounts are millionths, times are seconds of the exchange's clock.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from arb.domain.market import Side
from arb.domain.money import MICRO
from arb.exchange.market.listing import SimMarket
from arb.exchange.trading.bank import Change

HOUSE = "0x00000000000000000000000000000000000000ee"
"""The wallet behind all liquidity that no account has placed; its cash has no bottom."""
HOUSE_OWNER = "00000000-0000-4000-8000-0000000000ee"


class TradeStatus(StrEnum):
    """A trade's life; the last two are final."""

    NOT_BROADCASTED = "MATCHED_NOT_BROADCASTED"
    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order as signed and posted. The hash is its id."""

    hash: str
    wallet: str
    owner: str
    """The API key that posted it."""
    token: str
    side: Side
    maker_amount: int
    taker_amount: int
    life: Literal["GTC", "GTD", "FOK", "FAK"]
    post_only: bool = False
    expires: int = 0
    """Unix seconds; 0: never."""
    builder: str = ""
    """The code of the builder that the order is attributed to."""

    @property
    def size(self) -> int:
        """Shares."""
        return self.taker_amount if self.side is Side.BUY else self.maker_amount

    @property
    def dollars(self) -> int:
        """Dollars at the limit."""
        return self.maker_amount if self.side is Side.BUY else self.taker_amount

    @property
    def price(self) -> int:
        """The limit that the amounts imply, rounded for the order's owner."""
        if self.side is Side.BUY:
            return self.maker_amount * MICRO // self.taker_amount
        return -(-self.taker_amount * MICRO // self.maker_amount)

    @property
    def takes(self) -> bool:
        """Whether it never rests."""
        return self.life in ("FOK", "FAK")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The order was not accepted; `status` is the HTTP status of the refusal."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The order was taken. Amounts are what was matched at once."""

    status: str
    """`live`, `matched`, `delayed` or `unmatched`."""
    making: int = 0
    taking: int = 0
    trades: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class OrderState:
    """An order of an account and its state."""

    order: NewOrder
    placed_at: float
    placed_unix: int = 0
    matched: int = 0
    status: str = "LIVE"
    """LIVE, MATCHED, DELAYED, UNMATCHED, or CANCELED with a reason."""
    trades: list[str] = field(default_factory=list)
    due: float | None = None
    """When a delayed order is matched."""
    receipt: Receipt = Receipt("live")
    """The answer to the client that posted it."""
    told: bool = False
    """Whether its placement was announced."""

    @property
    def open(self) -> bool:
        """Whether it rests in the book."""
        return self.status == "LIVE"

    @property
    def left(self) -> int:
        """Shares that are not matched; the dollars of a BUY that takes may bring more."""
        return max(self.order.size - self.matched, 0)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one maker gave of a trade, in the maker's own token."""

    maker: str
    """Order hash; of the house's liquidity a made-up one."""
    wallet: str
    owner: str
    token: str
    side: Side
    price: int
    size: int


@dataclass(slots=True, kw_only=True)
class Trade:
    """One taker order against one or more makers."""

    id: str
    taker: NewOrder
    market: SimMarket
    pieces: tuple[Piece, ...]
    fees: tuple[int, ...]
    """What the taker pays for each piece."""
    at: float
    unix: int
    plan: list[tuple[float, TradeStatus]]
    """Steps still to come, by time."""
    status: TradeStatus = TradeStatus.MATCHED
    moves: Change | None = None
    """What the chain has moved, while it stands."""
    transaction: str = ""
    mined_at: float = 0.0
    """When the chain moved, while it stands."""
    updated: int = 0
    """Unix seconds."""

    @property
    def moved(self) -> bool:
        """Whether the chain has moved."""
        return self.moves is not None

    @property
    def size(self) -> int:
        """Shares that the taker trades."""
        return sum(piece.size for piece in self.pieces)

    @property
    def value(self) -> int:
        """Dollars for them, before fees."""
        return sum(self.taker_price(piece) * piece.size // MICRO for piece in self.pieces)

    def taker_price(self, piece: Piece) -> int:
        """The piece's price in terms of the taker's token."""
        return piece.price if piece.token == self.taker.token else MICRO - piece.price

    def concerns(self, owner: str) -> bool:
        """Whether an API key is part of it."""
        return self.taker.owner == owner or any(piece.owner == owner for piece in self.pieces)
