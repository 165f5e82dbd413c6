"""Rows of trades and orders: what is read, what is made up for, and what is set aside by name."""

import json
from decimal import Decimal

import msgspec
import pytest

from arb.adapters.polymarket import rows

YES, NO = "11", "22"


def _maker(**fields):
    return {
        "order_id": "0xm1",
        "asset_id": NO,
        "owner": "m",
        "maker_address": "0xm",
        "side": "BUY",
        "price": "0.27",
        "matched_amount": "20",
        **fields,
    }


def _row(makers=None, **fields):
    """30 YES for 0.77 on average: 20 at 0.73, 10 at 0.85."""
    second = _maker(order_id="0xm2", price="0.15", matched_amount="10")
    return {
        "id": "t1",
        "taker_order_id": "0xours",
        "market": "0xmarket",
        "asset_id": YES,
        "side": "BUY",
        "trader_side": "TAKER",
        "price": "0.77",
        "size": "30",
        "status": "TRADE_STATUS_MINED",
        "bucket_index": 0,
        "transaction_hash": "0xhash",
        "match_time": "1795711052",
        "last_update": "1795711053",
        "maker_orders": [_maker(), second] if makers is None else makers,
        **fields,
    }


def _read(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return rows.trade(msgspec.Raw(raw), "trades[4]")


WHOLE = _read(_row())


@pytest.mark.parametrize(
    "document",
    [
        _row([_maker(price=""), *_row()["maker_orders"][1:]]),
        _row([_maker(price=None), *_row()["maker_orders"][1:]]),
        _row([_maker(matched_amount=""), *_row()["maker_orders"][1:]]),
        _row([_maker(matched_amount=20), *_row()["maker_orders"][1:]]),
        _row(size=30.0),
        _row(size=""),
        _row(price=""),
        _row(match_time="", last_update="1795711052"),
        _row(match_time=1795711052),
        _row(asset_id=None, token_id=YES),
    ],
)
def test_what_follows_from_the_rest_is_made_up_for(document):
    found = _read(document)
    assert isinstance(found, rows.TradeRow)
    assert (found.price, found.size, found.matched_at) == (
        WHOLE.price,
        WHOLE.size,
        WHOLE.matched_at,
    )
    worth = [(rows._seen(piece, YES), piece.matched_amount) for piece in found.maker_orders]
    assert worth == [(Decimal("0.73"), 20), (Decimal("0.85"), 10)]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (_row(side="HOLD"), "trade t1.side"),
        (_row(asset_id=7), "trade t1.asset_id"),
        (_row(market=""), "trade t1.market"),
        (_row(match_time=None, last_update="soon"), "trade t1.match_time"),
        (_row([], size="", price="0.5"), "trade t1.size"),
        (_row([], price="0"), "trade t1.price"),
        (_row([], size="-3"), "trade t1.size"),
        (_row([], size="NaN"), "trade t1.size"),
        (_row([], size="1e400"), "trade t1.size"),
        # Dearer than the whole: the trade's price may have been the order's limit.
        (_row([_maker(), _maker(price="", matched_amount="10")]), "trade t1.maker_orders[1].price"),
        (_row([_maker(price=""), _maker(price="")]), "trade t1.maker_orders[0].price"),
        (_row([_maker(price=""), _maker(price="0.3")]), "trade t1.maker_orders[0].price"),
        (_row([_maker(matched_amount=""), _maker(matched_amount="")]), "maker_orders[0].matched"),
        (_row(None, maker_orders={}), "trade t1.maker_orders"),
        ({}, "trades[4]"),
        (b"5", "trades[4]"),
        (b'{"id": "\xff"}', "trades[4]"),
    ],
)
def test_what_does_not_follow_is_set_aside_with_its_row_and_field(document, field):
    found = _read(document)
    assert isinstance(found, rows.LostRow)
    assert field in found.what


def test_a_row_set_aside_says_whose_it_can_be_and_where_it_stands():
    taker = _read(_row(side="HOLD", status="TRADE_STATUS_FAILED"))
    assert taker.refs == {"0xours"}
    assert taker.status == "FAILED"
    assert taker.matched_at == WHOLE.matched_at
    assert _read(_row(side="HOLD", trader_side="MAKER")).refs == {"0xm1", "0xm2"}
    assert _read(_row(side="HOLD", trader_side=None)).refs == {"0xours", "0xm1", "0xm2"}
    nameless = _read(_row(side="HOLD", taker_order_id=""))
    assert nameless.refs is None
    assert nameless.may_be_about("0xanybodys")
    assert not taker.may_be_about("0xanybodys")


def _sent(*documents):
    return [msgspec.Raw(json.dumps(one).encode()) for one in documents]


def test_a_trade_told_twice_is_one_in_its_later_state():
    found, lost = rows.trades(_sent(_row(), _row(status="CONFIRMED")))
    assert ([row.status for row in found], lost) == (["CONFIRMED"], [])
    parts, _ = rows.trades(_sent(_row(), _row(bucket_index=1)))
    assert len(parts) == 2


def test_a_trade_told_in_two_ways_is_none():
    found, lost = rows.trades(_sent(_row(), _row(size="31"), _row(), _row(id="t2")))
    assert [row.id for row in found] == ["t2"]
    assert [row.id for row in lost] == ["t1"]
    assert "differently" in lost[0].what


def test_an_order_is_its_id():
    found, lost = rows.order_ids(_sent({"id": "0x1", "price": ""}, {"id": 1}, 4, {"id": "0x1"}))
    assert found == ["0x1"]
    assert [what.partition(":")[0] for what in lost] == ["orders[1].id", "orders[2]"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", None),
        (b"null", None),
        (b"{}", None),
        (b'{"error": "no such order"}', None),
        (b'{"id": "0x1", "status": "live", "price": ""}', "LIVE"),
        (b'{"id": "0x1", "status": "DELAYED", "created_at": null}', "DELAYED"),
    ],
)
def test_where_an_order_stands(body, status):
    assert rows.order_status(body) == status


@pytest.mark.parametrize("body", [b'{"id": "0x1"}', b'{"id": "0x1", "status": 3}', b"5", b"<html>"])
def test_an_order_that_does_not_say_where_it_stands_is_not_taken_for_gone(body):
    with pytest.raises(rows.BadVenueData):
        rows.order_status(body)


@pytest.mark.parametrize(
    "body", [b"[]", b"5", b'{"data": null}', b'{"data": [], "next_cursor": ""}', b'{"data": {}}']
)
def test_what_is_no_page_is_said(body):
    with pytest.raises(rows.BadVenueData):
        rows.page(body, "trades")
