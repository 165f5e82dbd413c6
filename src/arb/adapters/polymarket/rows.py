"""Rows of the account's trades and orders, each read on its own: a broken one spoils no other.

Only what money rests on is read. A missing value is filled in where only one is
possible; otherwise the row is set aside, with its id and the field, and with what is still
known: which orders it may be about, and its state
(docs/venue-polymarket.md §1.5).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from arb.adapters.polymarket.payloads import decode
from arb.adapters.polymarket.payloads import number as sent_number
from arb.domain.errors import BadVenueData
from arb.domain.money import ONE, ZERO

Field = TypeVar("Field")

STATUS_PREFIX = "TRADE_STATUS_"
EPOCH_DIGITS_MAX = 11
SIDES = ("BUY", "SELL")
FINEST_TICK = Decimal("0.0001")
AVERAGE_STEP = Decimal("0.000001")
"""The step of reported average prices."""
END = "LTE="
"""The cursor after the last page."""
NOTHING = (b"", b"null")


class _TradePayload(msgspec.Struct, gc=False):
    id: msgspec.Raw = msgspec.Raw()
    taker_order_id: msgspec.Raw = msgspec.Raw()
    market: msgspec.Raw = msgspec.Raw()
    asset_id: msgspec.Raw = msgspec.Raw()
    token_id: msgspec.Raw = msgspec.Raw()
    """The same, in later answers."""
    side: msgspec.Raw = msgspec.Raw()
    trader_side: msgspec.Raw = msgspec.Raw()
    price: msgspec.Raw = msgspec.Raw()
    size: msgspec.Raw = msgspec.Raw()
    status: msgspec.Raw = msgspec.Raw()
    bucket_index: msgspec.Raw = msgspec.Raw()
    transaction_hash: msgspec.Raw = msgspec.Raw()
    match_time: msgspec.Raw = msgspec.Raw()
    last_update: msgspec.Raw = msgspec.Raw()
    maker_orders: msgspec.Raw = msgspec.Raw()


class _PiecePayload(msgspec.Struct, gc=False):
    order_id: msgspec.Raw = msgspec.Raw()
    asset_id: msgspec.Raw = msgspec.Raw()
    token_id: msgspec.Raw = msgspec.Raw()
    owner: msgspec.Raw = msgspec.Raw()
    maker_address: msgspec.Raw = msgspec.Raw()
    side: msgspec.Raw = msgspec.Raw()
    price: msgspec.Raw = msgspec.Raw()
    matched_amount: msgspec.Raw = msgspec.Raw()


class _OrderPayload(msgspec.Struct, gc=False):
    id: msgspec.Raw = msgspec.Raw()
    status: msgspec.Raw = msgspec.Raw()


class _Page(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one maker's order gave in a trade."""

    order_id: str
    asset_id: str
    owner: str
    maker_address: str
    side: str
    price: Decimal
    matched_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """A trade of the account; the upper level is the taker's."""

    id: str
    taker_order_id: str
    condition_id: str
    asset_id: str
    side: str
    trader_side: str
    price: Decimal
    size: Decimal
    status: str
    """Without its prefix; a word that is not known is kept as it is."""
    transaction_hash: str
    matched_at: datetime
    maker_orders: tuple[Piece, ...]
    bucket: bytes = b""
    """Which part of a match it is, as sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRow:
    """A trade that could not be read, and what is known of it all the same."""

    id: str
    what: str
    """The row and the field, and what stands there."""
    refs: frozenset[str] | None
    """Orders that it may be about; `None`: any."""
    status: str = ""
    matched_at: datetime | None = None

    def may_be_about(self, ref: str) -> bool:
        """Whether it could be a trade of this order."""
        return self.refs is None or ref in self.refs


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows as sent, and where the next ones are; `None`: nowhere."""

    rows: tuple[msgspec.Raw, ...]
    next_cursor: str | None


def page(body: bytes, where: str) -> Page:
    """A page of `/data/trades` or `/data/orders`.

    Raises:
        BadVenueData: It is no page.
    """
    found = decode(body, _Page, where)
    if found.next_cursor == "":
        raise BadVenueData(f"{where}.next_cursor", "empty")
    cursor = None if found.next_cursor == END else found.next_cursor
    return Page(tuple(found.data), cursor)


def trades(rows: Sequence[msgspec.Raw]) -> tuple[list[TradeRow], list[LostRow]]:
    """The trades that can be read, and what is known of the others; duplicates once."""
    found: dict[tuple[str, str, bytes], TradeRow] = {}
    spoiled: set[tuple[str, str, bytes]] = set()
    lost: list[LostRow] = []
    for number, raw in enumerate(rows):
        row = trade(raw, f"trades[{number}]")
        if isinstance(row, LostRow):
            lost.append(row)
            continue
        key = row.id, row.trader_side, row.bucket
        before = found.setdefault(key, row)
        if _same(before, row):
            found[key] = row  # its status may have moved while the pages were read
        elif key not in spoiled:
            spoiled.add(key)
            what = f"trade {row.id}: listed twice, differently"
            lost.append(_lost(row.id, what, (*_refs(before), *_refs(row)), row))
    return [row for key, row in found.items() if key not in spoiled], lost


def trade(raw: msgspec.Raw, place: str) -> TradeRow | LostRow:
    """One row of `/data/trades`.

    Args:
        raw: The row as sent.
        place: What it is called by where it has no id.
    """
    try:
        payload = decode(raw, _TradePayload, place)
    except BadVenueData as error:
        return LostRow(id="", what=f"{error.where}: {error.what}", refs=None)
    id_ = _or(payload.id, _word, "")
    where = f"trade {id_}" if id_ else place
    try:
        pieces = decode(payload.maker_orders, list[_PiecePayload], f"{where}.maker_orders")
    except BadVenueData as error:
        return LostRow(id=id_, what=f"{error.where}: {error.what}", refs=None)
    stated = [payload.taker_order_id, *(piece.order_id for piece in pieces)]
    side = _or(payload.trader_side, _word, "")
    if side in ("TAKER", "MAKER"):
        stated = stated[:1] if side == "TAKER" else stated[1:]
    names = [_or(each, _word, "") for each in stated]
    refs = frozenset(names) if all(names) else None
    status = _or(payload.status, _word, "").removeprefix(STATUS_PREFIX)
    matched_at = _or(payload.match_time, _instant, None) or _or(payload.last_update, _instant, None)
    try:
        return _trade(payload, pieces, where, status, matched_at)
    except BadVenueData as error:
        what = f"{error.where}: {error.what}"
        return LostRow(id=id_, what=what, refs=refs, status=status, matched_at=matched_at)


def order_ids(rows: Sequence[msgspec.Raw]) -> tuple[list[str], list[str]]:
    """Ids of open orders, and what stands where there is none."""
    found: list[str] = []
    lost: list[str] = []
    for number, raw in enumerate(rows):
        where = f"orders[{number}]"
        try:
            found.append(_word(decode(raw, _OrderPayload, where).id, f"{where}.id"))
        except BadVenueData as error:
            lost.append(f"{error.where}: {error.what}")
    return list(dict.fromkeys(found)), lost


def order_status(body: bytes) -> str | None:
    """Where one order stands; `None`: there is no such open order.

    Raises:
        BadVenueData: There is an answer without it.
    """
    if body.strip() in (*NOTHING, b"{}", b'""', b"[]"):
        return None
    found = decode(body, _OrderPayload, "order")
    if bytes(found.id) in NOTHING and bytes(found.status) in NOTHING:
        return None  # something else than an order, such as an error's text
    return _word(found.status, "order.status").upper()


def _trade(
    payload: _TradePayload,
    pieces: Sequence[_PiecePayload],
    where: str,
    status: str,
    matched_at: datetime | None,
) -> TradeRow:
    if matched_at is None:
        raise BadVenueData(f"{where}.match_time", _said(payload.match_time))
    token = _token(payload) or _word(payload.asset_id, f"{where}.asset_id")
    price = _or(payload.price, _price, None)
    size = _or(payload.size, _amount, None)
    side = _word(payload.side, f"{where}.side")
    if side not in SIDES:
        raise BadVenueData(f"{where}.side", _said(payload.side))
    parts = _pieces(pieces, where, token, price, size, side)
    if size is None and not parts:
        raise BadVenueData(f"{where}.size", _said(payload.size))
    size = size if size is not None else sum((each.matched_amount for each in parts), ZERO)
    if price is None:
        # It is needed only where the pieces do not add up to the whole.
        if not parts or sum((each.matched_amount for each in parts), ZERO) != size:
            raise BadVenueData(f"{where}.price", _said(payload.price))
        price = sum((_seen(each, token) * each.matched_amount for each in parts), ZERO) / size
    return TradeRow(
        id=_word(payload.id, f"{where}.id"),
        taker_order_id=_word(payload.taker_order_id, f"{where}.taker_order_id"),
        condition_id=_word(payload.market, f"{where}.market"),
        asset_id=token,
        side=side,
        trader_side=_or(payload.trader_side, _word, ""),
        price=price,
        size=size,
        status=status,
        transaction_hash=_or(payload.transaction_hash, _word, ""),
        matched_at=matched_at,
        maker_orders=parts,
        bucket=bytes(payload.bucket_index),
    )


def _pieces(
    payloads: Sequence[_PiecePayload],
    where: str,
    token: str,
    price: Decimal | None,
    size: Decimal | None,
    side: str,
) -> tuple[Piece, ...]:
    """The makers' parts. What is blank in one of them follows from the trade's own size and price.

    The price is taken for the average of the parts', as `taken` does: where that would make a part
    dearer than the whole, it may have been the order's limit, and nothing follows.
    """
    amounts = [_or(each.matched_amount, _amount, None) for each in payloads]
    if amounts.count(None) == 1 and size is not None:
        rest = size - sum((amount for amount in amounts if amount is not None), ZERO)
        amounts = [rest if amount is None and rest > 0 else amount for amount in amounts]
    found: list[Piece] = []
    unpriced: list[int] = []
    for number, (payload, amount) in enumerate(zip(payloads, amounts, strict=True)):
        place = f"{where}.maker_orders[{number}]"
        if amount is None:
            raise BadVenueData(f"{place}.matched_amount", _said(payload.matched_amount))
        own_token, own_price = _token(payload), _or(payload.price, _price, None)
        if not own_token or own_price is None:
            unpriced.append(number)
        found.append(
            Piece(
                order_id=_word(payload.order_id, f"{place}.order_id"),
                asset_id=own_token or token,
                owner=_or(payload.owner, _word, ""),
                maker_address=_or(payload.maker_address, _word, ""),
                side=_or(payload.side, _word, ""),
                price=own_price if own_price is not None else ZERO,
                matched_amount=amount,
            )
        )
    for number in unpriced:
        others = [each for n, each in enumerate(found) if n != number]
        follows = None
        if len(unpriced) == 1 and price is not None and size is not None:
            follows = _rest(found[number].matched_amount, others, token, price, size, side)
        if follows is None:
            broken = payloads[number]
            blank = _or(broken.price, _price, None) is None
            name, raw = ("price", broken.price) if blank else ("asset_id", broken.asset_id)
            raise BadVenueData(f"{where}.maker_orders[{number}].{name}", _said(raw))
        found[number] = replace(found[number], asset_id=token, price=follows)
    return tuple(found)


def _rest(
    amount: Decimal,
    others: Sequence[Piece],
    token: str,
    price: Decimal,
    size: Decimal,
    side: str,
) -> Decimal | None:
    """The price of the one part without one; `None`: it does not follow."""
    if amount + sum((each.matched_amount for each in others), ZERO) != size:
        return None
    value = sum((_seen(each, token) * each.matched_amount for each in others), ZERO)
    found = ((price * size - value) / amount).quantize(FINEST_TICK)
    rounded = AVERAGE_STEP * size
    if not 0 < found < 1 or abs(found * amount + value - price * size) > rounded:
        return None
    dearer = found > price if side == "BUY" else found < price
    return None if dearer else found


def _token(payload: _TradePayload | _PiecePayload) -> str:
    return _or(payload.asset_id, _word, "") or _or(payload.token_id, _word, "")


def _seen(piece: Piece, token: str) -> Decimal:
    """A maker's price as the taker of a token sees it."""
    return piece.price if piece.asset_id == token else ONE - piece.price


def _same(one: TradeRow, other: TradeRow) -> bool:
    """Whether two tellings of a trade differ in where it stands at most."""
    return replace(one, status="", transaction_hash="") == replace(
        other, status="", transaction_hash=""
    )


def _refs(row: TradeRow) -> list[str]:
    return [row.taker_order_id, *(piece.order_id for piece in row.maker_orders)]


def _lost(id_: str, what: str, refs: Sequence[str], row: TradeRow) -> LostRow:
    return LostRow(
        id=id_, what=what, refs=frozenset(refs), status=row.status, matched_at=row.matched_at
    )


def _or(raw: msgspec.Raw, read: Callable[[msgspec.Raw, str], Field], otherwise: Field) -> Field:
    """A field, or something else where it is not there or cannot be read."""
    try:
        return read(raw, "field")
    except BadVenueData:
        return otherwise


def _word(raw: msgspec.Raw, where: str) -> str:
    if bytes(raw) in NOTHING:
        raise BadVenueData(where, "missing")
    said = decode(raw, str, where)
    if not said:
        raise BadVenueData(where, "blank")
    return said


def _amount(raw: msgspec.Raw, where: str) -> Decimal:
    """A positive number, sent as text or as a number."""
    if bytes(raw) in NOTHING:
        raise BadVenueData(where, "missing")
    amount = sent_number(raw, where)
    if not amount > 0:
        raise BadVenueData(where, _said(raw))
    return amount


def _price(raw: msgspec.Raw, where: str) -> Decimal:
    price = _amount(raw, where)
    if price >= 1:
        raise BadVenueData(where, _said(raw))
    return price


def _instant(raw: msgspec.Raw, where: str) -> datetime | None:
    """Seconds since 1970, as text or number, or a time in ISO 8601."""
    said = bytes(raw).decode(errors="replace").strip('"')
    if said.isascii() and said.isdigit():
        if len(said) > EPOCH_DIGITS_MAX:
            raise BadVenueData(where, _said(raw))
        return datetime.fromtimestamp(int(said), tz=UTC)
    try:
        parsed = datetime.fromisoformat(said)
    except ValueError:
        raise BadVenueData(where, _said(raw)) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _said(raw: msgspec.Raw) -> str:
    """What stands in a field, for a message."""
    return bytes(raw).decode(errors="replace")[:40] or "missing"
