"""The wire's shapes, exactly as sent.

See docs/venue-polymarket.md §1.3, §1.4. Unknown fields are ignored.

Numbers stay as they were sent until `number` reads them: no float exists on the way in, and
nothing is computed with one before it is known to be within bounds.
"""

from decimal import Decimal
from typing import TypeVar

import msgspec

from arb.domain import bounds
from arb.domain.errors import BadVenueData

T = TypeVar("T")

WORDS_MAX = 200
"""Characters kept of a text for people that was sent as something else."""


ONE_RAW = msgspec.Raw(b"1")


class Wire(msgspec.Struct, gc=False, rename="camel"):
    """A Gamma object: camelCase keys."""


class FeePayload(Wire):
    """`feeSchedule` of a market."""

    rate: msgspec.Raw
    exponent: msgspec.Raw = ONE_RAW


class MarketPayload(Wire):
    """A Gamma market. What trading does not rest on stays raw, so that it can spoil nothing."""

    condition_id: str
    slug: msgspec.Raw = msgspec.Raw()
    outcomes: str | list[str] | None = None
    question: msgspec.Raw = msgspec.Raw()
    version: str | None = None
    clob_token_ids: msgspec.Raw = msgspec.Raw()
    position_ids: msgspec.Raw = msgspec.Raw()
    active: bool | None = None
    closed: bool | None = None
    archived: bool | None = None
    accepting_orders: bool | None = None
    enable_order_book: bool | None = None
    neg_risk: bool | None = None
    neg_risk_market_id: str | None = msgspec.field(name="negRiskMarketID", default=None)
    neg_risk_other: bool | None = None
    end_date: msgspec.Raw = msgspec.Raw()
    order_min_size: msgspec.Raw = msgspec.Raw()
    order_price_min_tick_size: msgspec.Raw = msgspec.Raw()
    seconds_delay: msgspec.Raw = msgspec.Raw()
    fees_enabled: msgspec.Raw = msgspec.Raw()
    fee_schedule: msgspec.Raw = msgspec.Raw()
    outcome_prices: msgspec.Raw = msgspec.Raw()
    uma_resolution_status: str | None = None
    resolution_status: str | None = None

    @property
    def name(self) -> str:
        """What the market is called by."""
        return words(self.slug) or self.condition_id


class Tag(Wire):
    """A tag of an event."""

    slug: str | None = None


class EventPayload(Wire):
    """A Gamma event; its markets are read one by one, so that one cannot spoil the others."""

    id: str | int
    slug: msgspec.Raw = msgspec.Raw()
    title: msgspec.Raw = msgspec.Raw()
    tags: msgspec.Raw = msgspec.Raw()
    liquidity: msgspec.Raw = msgspec.Raw()
    markets: list[msgspec.Raw] = []
    closed: bool | None = None
    archived: bool | None = None
    neg_risk: bool | None = None
    enable_neg_risk: bool | None = None
    neg_risk_augmented: bool | None = None
    neg_risk_market_id: str | None = msgspec.field(name="negRiskMarketID", default=None)
    neg_risk_fee_bips: msgspec.Raw = msgspec.Raw()
    cumulative_markets: bool | None = None
    end_date: msgspec.Raw = msgspec.Raw()

    @property
    def name(self) -> str:
        """What the event is called by."""
        return words(self.slug) or str(self.id)


class EventPage(msgspec.Struct, gc=False):
    """One page of `/events/keyset`."""

    events: list[msgspec.Raw]
    next_cursor: str | None = None


class MarketPage(msgspec.Struct, gc=False):
    """One page of `/markets/keyset`."""

    markets: list[msgspec.Raw]
    next_cursor: str | None = None


class LevelPayload(msgspec.Struct, gc=False):
    """A price level: decimal strings."""

    price: str
    size: str


class BookPayload(msgspec.Struct, gc=False):
    """One CLOB order book."""

    asset_id: str
    bids: list[LevelPayload]
    asks: list[LevelPayload]
    timestamp: str = ""
    hash: str = ""


class TokenPayload(msgspec.Struct, gc=False):
    """A token of `/clob-markets`, and its outcome as the exchange names it."""

    t: str
    o: str | None = None


class ClobFees(msgspec.Struct, gc=False):
    """`fd` of `/clob-markets`."""

    r: msgspec.Raw
    e: msgspec.Raw = ONE_RAW


class ClobMarket(msgspec.Struct, gc=False):
    """The exchange's own word on a market: `/clob-markets/{condition_id}`."""

    t: list[TokenPayload]
    mts: msgspec.Raw
    mos: msgspec.Raw
    ao: bool = True
    sd: msgspec.Raw = msgspec.Raw()
    itode: bool | None = None
    fd: ClobFees | None = None
    nr: bool = False
    v: str = "v1"


class HistoryPage(msgspec.Struct, gc=False):
    """An answer of `/prices-history`."""

    history: list[msgspec.Raw]


class HistoryRow(msgspec.Struct, gc=False):
    """One price of a history."""

    t: msgspec.Raw
    p: msgspec.Raw


class NextPage(msgspec.Struct, gc=False):
    """Where an answer of the Data API goes on."""

    next_cursor: str | None = None


class TradePage(msgspec.Struct, gc=False):
    """One page of `/v2/trades`, the newest first."""

    data: list[msgspec.Raw]
    pagination: NextPage = msgspec.field(default_factory=NextPage)


class TradedRow(msgspec.Struct, gc=False):
    """What was traded, and when."""

    size: msgspec.Raw
    timestamp: msgspec.Raw


class Geoblock(msgspec.Struct, gc=False):
    """Whether trading is allowed from here."""

    blocked: bool
    country: str = ""
    region: str = ""


class Label(Wire):
    """What a market or event that cannot be read is called by."""

    slug: msgspec.Raw = msgspec.Raw()
    condition_id: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()


def label(body: bytes | msgspec.Raw) -> str:
    """The name of a market or event of which nothing else may be readable; empty: it has none."""
    try:
        bounds.check_nesting(bytes(body))
        found = msgspec.json.decode(body, type=Label)
        names = [bytes(each) for each in (found.slug, found.condition_id, found.id)]
        named = next((name for name in names if name and name != b"null"), b"")
        return named.decode().strip('"')[:80]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""


def number(raw: msgspec.Raw, where: str, absent: Decimal | None = None) -> Decimal:
    """A number as it was sent, bare or as text.

    Args:
        raw: What was sent.
        where: What it is called.
        absent: What stands for one that was not sent; without it there must be one.

    Raises:
        BadVenueData: It is none, or has more digits, or is larger or finer, than any is.
    """
    sent = bytes(raw)
    if absent is not None and sent in (b"", b"null"):
        return absent
    said = decode(sent, str, where) if sent.startswith(b'"') else sent.decode("ascii", "replace")
    try:
        return bounds.number(said)
    except bounds.OutOfBounds as error:
        raise BadVenueData(where, str(error)) from error


def decode(body: bytes | msgspec.Raw, shape: type[T], where: str) -> T:
    """The answer as this shape.

    Raises:
        BadVenueData: It is something else; names the place within it.
    """
    try:
        bounds.check_nesting(bytes(body))
    except bounds.OutOfBounds as error:
        raise BadVenueData(where, str(error)) from error
    return decode_nested(body, shape, where)


def decode_nested(body: bytes | msgspec.Raw, shape: type[T], where: str) -> T:
    """The same of a part of an answer whose nesting has been checked.

    Raises:
        BadVenueData: It is something else; names the place within it.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise BadVenueData(where, str(error)) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise BadVenueData(where, f"not JSON ({type(error).__name__})") from error


def decode_named(raw: bytes | msgspec.Raw, shape: type[T], kind: str) -> T:
    """A market or event as this shape.

    Raises:
        BadVenueData: It is something else; names which one it is, and the place within it.
    """
    try:
        return decode(raw, shape, kind)
    except BadVenueData as error:
        raise BadVenueData(f"{kind} {label(raw) or 'without a name'}", error.what) from error


def words(raw: msgspec.Raw) -> str:
    """A text for people, whatever it was sent as; empty: none was."""
    sent = bytes(raw)
    if sent in (b"", b"null"):
        return ""
    try:
        return decode(sent, str, "text") if sent.startswith(b'"') else sent.decode()[:WORDS_MAX]
    except (BadVenueData, UnicodeDecodeError):
        return ""
