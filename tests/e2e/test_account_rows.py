"""One odd field in one row of the account's trades spoils neither a plan nor a run: live, over HTTP.

The first inputs are made after public bug reports of neighbouring software; the others are ours.
"""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arb.adapters.polymarket.client import permit
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import open_ledger
from arb.bootstrap import live_venue
from arb.domain.halt import TradingState
from arb.domain.market import MarketId, OutcomeId, Side
from arb.domain.money import Price, Shares
from arb.domain.order import Final, Order, OrderId, Unknown
from arb.domain.plan import PlanState
from arb.domain.venue import TimeInForce
from arb.runtime.running import run_once
from tests.e2e.worlds import differences, live_settings, live_world
from tests.editing import edited

EVENT = "cheap-no-2"


def _trades(change, only_with=None):
    """An edit of each page of trades, or of those whose query has or lacks `market`."""

    def edit(path, query, document):
        asked = only_with is None or ("market" in query) is only_with
        if path == "/data/trades" and asked and isinstance(document, dict):
            change(document["data"])
        return document

    return edit


def _first(**fields):
    """Each page's first row with these fields; `...` takes one away."""

    def change(rows):
        for row in rows[:1]:
            for name, value in fields.items():
                if value is ...:
                    row.pop(name, None)
                else:
                    row[name] = value(row) if callable(value) else value

    return change


def _maker(**fields):
    def change(rows):
        for row in rows[:1]:
            _first(**fields)(row["maker_orders"][:1])

    return change


def _twice(rows):
    rows += [dict(row) for row in rows]


def _with(*more):
    return lambda rows: rows.extend(json.loads(json.dumps(more)))


READABLE = {
    "fee blank": _first(fee_rate_bps=""),
    "size a number": _first(size=lambda row: float(row["size"])),
    "no bucket": _first(bucket_index=...),
    "a maker's price blank": _maker(price=""),
    "a maker's fee blank": _maker(fee_rate_bps=""),
    "a new status": _first(status="TRADE_STATUS_PENDING"),
    "no owner": _first(owner=None),
    "no hash": _first(transaction_hash=...),
    # Ours.
    "price blank": _first(price=""),
    "size null": _first(size=None),
    "a maker's amount blank": _maker(matched_amount=""),
    "a maker's price and token away": _maker(price=..., asset_id=...),
    "a maker's owner a number": _maker(owner=7, outcome=[], side=None),
    "no match time": _first(match_time=None),
    "a time in words": _first(match_time=..., last_update="2026-11-26T12:00:00Z"),
    "no side of ours": _first(trader_side=None),
    "odd rest": _first(outcome=5, bucket_index="none", maker_address=None, last_update={}),
    "everything twice": _twice,
}


async def _run(tmp_path, edit, runs=2):
    """What came of some runs, and where ledger and exchange differ in the end."""
    async with (
        live_world("eoa", "demo", "5000", EVENT) as (at, wallet),
        edited(at.address, edit) as front,
    ):
        settings = live_settings(front, tmp_path, wallet)
        reports = [await run_once(settings, live=True) for _ in range(runs)]
        ledger = await open_ledger(
            f"sqlite+aiosqlite:///{tmp_path}/arb.db", f"polymarket:{wallet.lower()}"
        )
        try:
            apart = await differences(at, wallet, ledger)
        finally:
            await ledger.close()
    return [(report, still_open) for report, _, still_open in reports], apart


@pytest.mark.parametrize("how", READABLE)
async def test_the_plan_ends_and_the_ledger_is_the_truth(tmp_path, how):
    ((first, still_open), (second, _)), apart = await _run(tmp_path, _trades(READABLE[how]))
    (plan,) = first.plans
    assert (plan.state, plan.alarm, still_open) == (PlanState.DONE, "", 0)
    assert plan.realised > 0
    assert second.risk.state is TradingState.NORMAL
    assert apart == []


def _stranger(**fields):
    now = str(int(time.time()))
    return {
        "id": "old-1",
        "taker_order_id": "0x" + "cd" * 32,
        "market": "0x" + "ab" * 32,
        "asset_id": "123456",
        "side": "BUY",
        "size": "5",
        "fee_rate_bps": "0",
        "price": "0.5",
        "status": "FAILED",
        "outcome": "Yes",
        "bucket_index": 0,
        "owner": "o",
        "maker_orders": [],
        "maker_address": "0x0000000000000000000000000000000000000001",
        "trader_side": "TAKER",
        "match_time": now,
        "last_update": now,
        **fields,
    }


HARMLESS = {
    "failed, of a market without fees": (_stranger(), False),
    "failed, unreadable": (_stranger(side="HOLD"), False),
    "of this market, unreadable, another's order": (_stranger(side="HOLD"), None),
    "of this market, without a time": (_stranger(match_time="", last_update=None), None),
}


@pytest.mark.parametrize("how", HARMLESS)
async def test_a_row_that_is_no_concern_of_the_plan_stops_nothing(tmp_path, how):
    row, only_with = HARMLESS[how]
    ((first, still_open), (second, _)), apart = await _run(tmp_path, _trades(_with(row), only_with))
    (plan,) = first.plans
    assert (plan.state, still_open, apart) == (PlanState.DONE, 0, [])
    assert second.risk.state is TradingState.NORMAL
    named = [one.what for one in (*first.errors, *second.errors)]
    assert any("old-1" in what for what in named)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({}, "trades["),
        ("no row", "trades["),
        (_stranger(id=None, side="HOLD", status="CONFIRMED"), ".side"),
        (_stranger(status="CONFIRMED"), "old-1"),
    ],
)
async def test_a_trade_that_nobody_knows_is_named_and_trading_waits(tmp_path, row, named):
    """The plan had ended: the row shows only where the whole account is read."""
    ((first, still_open), (second, _)), apart = await _run(tmp_path, _trades(_with(row), False))
    assert (first.plans, still_open, apart) == ((), 0, [])
    assert second.risk.state is TradingState.HALTED
    assert named in second.risk.reasons[0] + str(second.errors)


async def test_a_row_of_ours_that_cannot_be_read_keeps_its_plan_open_until_it_can(tmp_path):
    broken = [True]

    def spoil(rows):
        if broken:
            _first(side="HOLD")(rows)

    async with (
        live_world("eoa", "demo", "5000", EVENT) as (at, wallet),
        edited(at.address, _trades(spoil)) as front,
    ):
        settings = live_settings(front, tmp_path, wallet, **{"trading.answer_wait": 2})
        first, _, still_open = await run_once(settings, live=True)
        assert still_open == 1
        assert any(".side" in one.what and "HOLD" in one.what for one in first.errors)
        broken.clear()
        _, _, still_open = await run_once(settings, live=True)
        assert still_open == 0
        ledger = await open_ledger(
            f"sqlite+aiosqlite:///{tmp_path}/arb.db", f"polymarket:{wallet.lower()}"
        )
        try:
            assert await differences(at, wallet, ledger) == []
        finally:
            await ledger.close()


ORDERS = {
    "odd fields": ({"id": "0x1", "price": "", "created_at": None, "order_type": 7}, "0x1"),
    "no id": ({"price": "0.5"}, "orders[0].id"),
    "no row": (5, "orders[0]"),
    "id a number": ({"id": 7}, "orders[0].id"),
}


@pytest.mark.parametrize("how", ORDERS)
async def test_an_open_order_is_its_id_and_one_without_is_named(tmp_path, how):
    row, named = ORDERS[how]

    def edit(path, query, document):
        if path == "/data/orders":
            document["data"] = [row]
        return document

    ((report, still_open),), apart = await _run(tmp_path, edit, runs=1)
    assert (still_open, apart) == (0, [])
    assert report.risk.state is TradingState.HALTED
    assert f"order {named}" in report.risk.reasons[0]


async def test_an_order_with_a_row_that_cannot_be_read_is_not_taken_for_never_placed(tmp_path):
    """What there is of its trades is not all, so nothing may be concluded of the order."""
    seen, broken = [], []

    def spoil(rows):
        seen.extend(rows[:1])
        if broken:
            _first(side="HOLD")(rows)

    async with (
        live_world("eoa", "demo", "5000", EVENT) as (at, wallet),
        edited(at.address, _trades(spoil, only_with=True)) as front,
    ):
        loaded = live_settings(front, tmp_path, wallet)
        await run_once(loaded, live=True)
        row = seen[-1]
        order = Order(
            id=OrderId("p/0/BUY/0"),
            outcome=OutcomeId(POLYMARKET, row["asset_id"]),
            market=MarketId(row["market"]),
            side=Side.BUY,
            limit=Price(Decimal("0.99")),
            size=Shares(Decimal(row["size"])),
            time_in_force=TimeInForce.FAK,
            expires_at=datetime.now(UTC),
            ref=row["taker_order_id"],
        )
        allowed = permit(setting=True, flag=True, wallet=wallet)
        async with live_venue(loaded.settings, allowed) as (_, live):
            assert isinstance(await live.trading.query(order), Final)
            broken.append(True)
            assert isinstance(await live.trading.query(order), Unknown)
