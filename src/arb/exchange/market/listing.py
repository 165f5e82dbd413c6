"""What the embedded exchange lists: markets, events, and the state of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from arb.domain.fees import CurveFees
from arb.domain.market import Side
from arb.domain.money import MICRO, from_micro
from arb.exchange.market.matching import Incoming, Ladder, Life, MarketBook, Match, mirrored

NOTHING = Decimal(0)
START, END = "2026-01-01T00:00:00Z", "2026-12-31T12:00:00Z"


@dataclass(frozen=True, slots=True)
class Tag:
    """A label by which events are found."""

    id: int
    slug: str
    label: str


MADE_UP = Tag(1, "made-up", "Made up")
EXCLUSIVE = Tag(2, "exclusive", "Exclusive")
"""Of events of which one outcome comes true."""


@dataclass(frozen=True, slots=True)
class Series:
    """Events that come again and again."""

    id: int
    slug: str
    title: str
    recurrence: str = "weekly"


@dataclass(frozen=True, slots=True)
class Rewards:
    """What a market pays for resting orders: by distance from the midpoint, and size."""

    id: int
    min_size: Decimal
    """Shares."""
    max_spread: Decimal
    """Cents from the middle."""
    per_day: Decimal
    """Dollars."""


@dataclass(frozen=True, slots=True)
class Print:
    """A public trade, in YES terms."""

    side: Side
    """The taker's."""
    price: int
    size: int
    unix: float
    of_yes: bool = True
    """Whether the taker traded YES itself, or NO."""

    def seen_from(self, *, yes: bool) -> tuple[Side, int]:
        """The side and the price in terms of one outcome."""
        if yes:
            return self.side, self.price
        return Side.SELL if self.side is Side.BUY else Side.BUY, MICRO - self.price


@dataclass(slots=True, kw_only=True)
class SimMarket:
    """One market. Ladders are in YES terms, in millionths."""

    id: str
    slug: str
    question: str
    condition_id: str
    """As Gamma writes it: 31 bytes for v2."""
    yes: str
    no: str
    bids: Ladder
    asks: Ladder
    stamp_ms: int
    version: str = "v1"
    outcomes: tuple[str, ...] = ("Yes", "No")
    tick: Decimal = Decimal("0.01")
    min_size: Decimal = Decimal(5)
    fees_enabled: bool = True
    fee_rate: Decimal | None = Decimal("0.04")
    """`None`: fees are charged and the listing does not state them."""
    active: bool = True
    closed: bool = False
    accepting: bool = True
    delay_seconds: int = 0
    taker_delay: bool = False
    neg_risk: bool = False
    neg_risk_id: str = ""
    listed_quotes: tuple[Decimal, Decimal] | None = None
    """Best bid and ask that Gamma claims; the book's own where absent."""
    stale_no: tuple[Ladder, Ladder] | None = None
    """The NO view of another moment: bids and asks in NO terms."""
    no_book: bool = False
    resolution: Decimal | None = None
    """What YES paid, once resolved."""
    resolved_unix: float = 0.0
    """When that was."""
    oracle: str = ""
    """Where the oracle stands before that: `proposed`, `disputed`."""
    proposal: Decimal | None = None
    """What YES would pay if the oracle's last proposal stood."""
    starts: str = START
    ends: str = END
    volume_before: Decimal = Decimal("12345.67")
    """Dollars that were traded before the exchange was opened."""
    rewards: Rewards | None = None
    prints: list[Print] = field(default_factory=list)
    """Every trade since the exchange was opened, oldest first."""

    @property
    def padded_id(self) -> str:
        """The condition id as the exchange wants it."""
        return self.condition_id if self.version == "v1" else self.condition_id + "00"

    @property
    def last(self) -> Print | None:
        """The last trade."""
        return self.prints[-1] if self.prints else None

    @property
    def volume(self) -> Decimal:
        """Dollars that were traded."""
        return self.volume_before + traded(self.prints)

    @property
    def schedule(self) -> CurveFees:
        """What a taker is really charged."""
        return CurveFees(self.fee_rate or Decimal(0))

    def view(self, token: str) -> tuple[Ladder, Ladder]:
        """Bids and asks of one outcome, best first."""
        if token == self.yes:
            return self.bids, self.asks
        if self.stale_no is not None:
            return self.stale_no
        return mirrored(self.asks), mirrored(self.bids)

    def trade(self, order: Incoming) -> tuple[Match, ...]:
        """Let an order of someone else's arrive: it trades or rests by price and time."""
        book = MarketBook(self._resting())
        result = book.submit(order)
        self.bids, self.asks = book.bids(), book.asks()
        return result.matches

    def _resting(self) -> list[Incoming]:
        return [
            Incoming(f"{side}/{price}", side, price, size, Life.REST)
            for side, levels in ((Side.BUY, self.bids), (Side.SELL, self.asks))
            for price, size in levels
        ]


@dataclass(slots=True, kw_only=True)
class SimEvent:
    """One event."""

    id: str
    slug: str
    title: str
    markets: list[SimMarket]
    version: str = "v1"
    neg_risk: bool = False
    augmented: bool = False
    cumulative: bool = False
    closed: bool = False
    positions: bytes = b""
    """The id of an exclusive v2 event on chain."""
    unreadable: list[dict[str, object]] = field(default_factory=list)
    """Further markets, raw: shapes that a client must survive."""
    tags: tuple[Tag, ...] = (MADE_UP,)
    series: Series | None = None


def traded(prints: Sequence[Print], since: float = 0) -> Decimal:
    """The dollars of trades since a time in Unix seconds."""
    if not prints:
        return NOTHING
    worth = (one.price * one.size // MICRO for one in prints if one.unix >= since)
    return from_micro(sum(worth))


@dataclass(frozen=True, slots=True)
class Planted:
    """An opportunity that is really there."""

    event: str
    kind: str
    size: Decimal
    profit: Decimal


@dataclass(frozen=True, slots=True)
class Decoy:
    """An event that looks like an opportunity and is none."""

    event: str
    why: str
