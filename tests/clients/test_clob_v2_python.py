"""The embedded exchange answers every operation of `py-clob-client-v2` as the venue does."""

import asyncio
import json
import traceback
from decimal import Decimal

import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    ApiCreds,
    BalanceAllowanceParams,
    BookParams,
    BuilderTradeParams,
    DropNotificationParams,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderArgsV2,
    OrderMarketCancelParams,
    OrderPayload,
    OrderScoringParams,
    OrdersScoringParams,
    OrderType,
    PostOrdersV2Args,
    PricesHistoryParams,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException
from py_clob_client_v2.http_helpers import helpers
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2

from tests.clients.world import BUILDER, KEY, WALLETS, world

CHECKS = {}
LOCAL = "asks nobody"
OUT_OF_SCOPE = {
    **dict.fromkeys(
        ("assert_level_1_auth", "assert_level_2_auth", "get_address", "set_api_creds"), LOCAL
    ),
}
"""The client's `rfq` is a service of its own, and no operation of this class."""
DAY = "2026-11-01"


def check(function):
    CHECKS[function.__name__] = function
    return function


def operations():
    return [name for name in dir(ClobClient) if not name.startswith("_")]


def buy(w, price, size=5.0, **more):
    return OrderArgsV2(token_id=w.market.yes, price=price, size=size, side="BUY", **more)


def both(w):
    return [BookParams(w.market.yes, "BUY"), BookParams(w.market.no, "SELL")]


@check
def get_ok(c, w):
    assert c.get_ok() == "OK"


@check
def get_version(c, w):
    assert c.get_version() == 2


@check
def get_server_time(c, w):
    assert int(c.get_server_time()) > 1_790_000_000


@check
def get_markets(c, w):
    page = c.get_markets()
    listed = {one["condition_id"]: one for one in page["data"]}
    assert listed.keys() == {m.padded_id for m in w.exchange.markets()}
    assert (page["next_cursor"], page["count"]) == ("LTE=", len(listed))
    ended = listed[w.ended.padded_id]
    assert (ended["closed"], [t["winner"] for t in ended["tokens"]]) == (True, [True, False])
    with pytest.raises(PolyApiException, match="next item should be greater"):
        c.get_markets("LTE=")


@check
def get_simplified_markets(c, w):
    page = c.get_simplified_markets()
    assert page["count"] == len(list(w.exchange.markets()))
    assert "question" not in page["data"][0]


@check
def get_sampling_markets(c, w):
    page = c.get_sampling_markets()
    paying = {m.padded_id for m in w.exchange.markets() if m.rewards and not m.closed}
    assert {one["condition_id"] for one in page["data"]} == paying
    rewards = next(o for o in page["data"] if o["condition_id"] == w.market.padded_id)["rewards"]
    assert rewards["rates"][0]["rewards_daily_rate"] == w.market.rewards.per_day


@check
def get_sampling_simplified_markets(c, w):
    page = c.get_sampling_simplified_markets()
    assert page["count"] == sum(bool(m.rewards) and not m.closed for m in w.exchange.markets())


@check
def get_market(c, w):
    market = c.get_market(w.market.padded_id)
    assert market["market_slug"] == w.market.slug
    prices = {one["token_id"]: Decimal(str(one["price"])) for one in market["tokens"]}
    middle = sum(w.view()) / 2
    assert prices == {w.market.yes: middle, w.market.no: 1 - middle}


@check
def get_clob_market_info(c, w):
    info = c.get_clob_market_info(w.market.padded_id)
    assert {one["t"] for one in info["t"]} == {w.market.yes, w.market.no}
    assert info["r"] == {"mi": w.market.rewards.min_size, "ma": w.market.rewards.max_spread}
    assert (info["ibce"], info["oas"]) == (False, 0)


@check
def get_order_book(c, w):
    book = c.get_order_book(w.market.yes)
    assert (book["bids"][-1]["price"], book["asks"][-1]["price"]) == tuple(map(str, w.view()))


@check
def get_order_book_hash(c, w):
    book = c.get_order_book(w.market.no)
    assert c.get_order_book_hash(dict(book)) == book["hash"]


@check
def get_order_books(c, w):
    books = c.get_order_books(both(w))
    assert {book["asset_id"] for book in books} == {w.market.yes, w.market.no}


@check
def get_tick_size(c, w):
    assert Decimal(str(c.get_tick_size(w.market.yes))) == w.market.tick


@check
def get_neg_risk(c, w):
    exclusive = next(m for m in w.exchange.markets() if m.neg_risk)
    assert (c.get_neg_risk(w.market.yes), c.get_neg_risk(exclusive.yes)) == (False, True)


@check
def get_fee_rate_bps(c, w):
    assert c.get_fee_rate_bps(w.market.yes) == 1000


@check
def get_fee_exponent(c, w):
    assert c.get_fee_exponent(w.market.yes) == 1


@check
def get_midpoint(c, w):
    assert Decimal(c.get_midpoint(w.market.yes)["mid"]) == sum(w.view()) / 2


@check
def get_midpoints(c, w):
    middle = sum(w.view()) / 2
    told = c.get_midpoints(both(w))
    assert {k: Decimal(v) for k, v in told.items()} == {
        w.market.yes: middle,
        w.market.no: 1 - middle,
    }


@check
def get_price(c, w):
    bid, ask = w.view()
    assert Decimal(c.get_price(w.market.yes, "BUY")["price"]) == bid
    assert Decimal(c.get_price(w.market.yes, "SELL")["price"]) == ask


@check
def get_prices(c, w):
    bid, _ = w.view()
    told = c.get_prices([*both(w), BookParams(w.market.yes)])
    assert Decimal(told[w.market.yes]["BUY"]) == bid
    assert Decimal(told[w.market.yes]["SELL"]) == w.view()[1]  # nothing said is SELL
    assert Decimal(told[w.market.no]["SELL"]) == 1 - bid


@check
def get_spread(c, w):
    bid, ask = w.view()
    assert Decimal(c.get_spread(w.market.yes)["spread"]) == ask - bid


@check
def get_spreads(c, w):
    bid, ask = w.view()
    assert set(map(Decimal, c.get_spreads(both(w)).values())) == {ask - bid}


@check
def get_last_trade_price(c, w):
    told, last = c.get_last_trade_price(w.market.yes), w.market.last
    assert (Decimal(told["price"]) * 10**6, told["side"]) == (last.price, last.side)
    quiet = next(m for m in w.exchange.markets() if not m.prints and not m.closed)
    assert c.get_last_trade_price(quiet.yes) == {"price": "0.5", "side": ""}


@check
def get_last_trades_prices(c, w):
    told = c.get_last_trades_prices(both(w))
    last = Decimal(w.market.last.price) / 10**6
    assert {one["token_id"]: Decimal(one["price"]) for one in told} == {
        w.market.yes: last,
        w.market.no: 1 - last,
    }


@check
def get_prices_history(c, w):
    told = c.get_prices_history(PricesHistoryParams(market=w.market.yes, interval="1d"))
    assert Decimal(str(told["history"][-1]["p"])) == sum(w.view()) / 2
    with pytest.raises(PolyApiException, match="minimum 'fidelity' for '1m' range is 10"):
        c.get_prices_history(PricesHistoryParams(market=w.market.yes, interval="1m"))
    with pytest.raises(PolyApiException, match="'interval' value is unknown"):
        c.get_prices_history(PricesHistoryParams(market=w.market.yes, interval="2m"))


@check
def calculate_market_price(c, w):
    assert Decimal(str(c.calculate_market_price(w.market.yes, "BUY", 2.0))) == w.view()[1]


@check
def get_current_rewards(c, w):
    paying = {m.padded_id for m in w.exchange.markets() if m.rewards and not m.closed}
    assert {one["condition_id"] for one in c.get_current_rewards()} == paying


@check
def get_raw_rewards_for_market(c, w):
    (row,) = c.get_raw_rewards_for_market(w.market.padded_id)
    assert row["rewards_max_spread"] == w.market.rewards.max_spread


@check
def get_market_trades_events(c, w):
    (row,) = c.get_market_trades_events(w.market.padded_id)
    assert (row["market"]["id"], row["size"], row["side"]) == (int(w.market.id), "40", "BUY")


@check
def get_builder_trades(c, w):
    told = c.get_builder_trades(BuilderTradeParams(builder_code=BUILDER))
    (row,) = told["trades"]
    assert (row["builder"], row["builderCode"], row["size"]) == ("", BUILDER, "40")
    assert Decimal(row["sizeUsdc"]) * 10**6 == w.fill["value"]


# What needs a key.


@check
def create_api_key(c, w):
    made = c.create_api_key(nonce=7)
    assert c.derive_api_key(nonce=7) == made


@check
def derive_api_key(c, w):
    assert c.derive_api_key() == c.creds


@check
def create_or_derive_api_key(c, w):
    assert c.create_or_derive_api_key() == c.creds


@check
def get_api_keys(c, w):
    assert c.creds.api_key in c.get_api_keys()["apiKeys"]


@check
def get_closed_only_mode(c, w):
    assert c.get_closed_only_mode() == {"closed_only": False}


@check
def get_order(c, w):
    order = c.get_order(w.resting)
    assert (order["price"], order["original_size"], order["status"]) == ("0.39", "30", "LIVE")


@check
def get_open_orders(c, w):
    orders = c.get_open_orders(OpenOrderParams(market=w.market.padded_id))
    assert [one["id"] for one in orders] == [w.resting]


@check
def get_pre_migration_orders(c, w):
    assert c.get_pre_migration_orders() == []


@check
def get_trades(c, w):
    (trade,) = c.get_trades(TradeParams(market=w.market.padded_id))
    assert (trade["taker_order_id"], trade["size"]) == (w.filled, "40")


@check
def get_trades_paginated(c, w):
    page = c.get_trades_paginated()
    mine = [t for t in w.truth["trades"] if t["wallet"] == w.wallet]
    assert (page["count"], page["next_cursor"]) == (len(mine), "LTE=")


@check
def get_notifications(c, w):
    told = c.get_notifications()
    fills = {one["payload"]["order_id"] for one in told if one["type"] == 2}
    assert w.filled in fills


@check
def drop_notifications(c, w):
    told = c.get_notifications()
    c.drop_notifications(DropNotificationParams(ids=[str(told[0]["id"])]))
    assert [one["id"] for one in c.get_notifications()] == [one["id"] for one in told[1:]]


@check
def get_balance_allowance(c, w):
    told = c.get_balance_allowance(BalanceAllowanceParams(asset_type="COLLATERAL"))
    assert Decimal(told["balance"]) == w.cash() * 10**6


@check
def update_balance_allowance(c, w):
    assert c.update_balance_allowance(BalanceAllowanceParams(asset_type="COLLATERAL")) == {}


@check
def is_order_scoring(c, w):
    assert c.is_order_scoring(OrderScoringParams(orderId=w.resting)) == {"scoring": True}


@check
def are_orders_scoring(c, w):
    told = c.are_orders_scoring(OrdersScoringParams(orderIds=[w.resting, w.filled]))
    assert told == {w.resting: True, w.filled: False}


@check
def get_earnings_for_user_for_day(c, w):
    assert c.get_earnings_for_user_for_day(DAY) == []


@check
def get_total_earnings_for_user_for_day(c, w):
    assert c.get_total_earnings_for_user_for_day(DAY) == []


@check
def get_user_earnings_and_markets_config(c, w):
    rows = c.get_user_earnings_and_markets_config(DAY)
    mine = [o["condition_id"] for o in rows if o["earning_percentage"] == 100]
    assert mine == [w.market.padded_id]


@check
def get_reward_percentages(c, w):
    assert c.get_reward_percentages() == {w.market.padded_id: 100}


@check
def create_builder_api_key(c, w):
    made = c.create_builder_api_key()
    assert made["key"] in {one["key"] for one in c.get_builder_api_keys()}


@check
def get_builder_api_keys(c, w):
    before = len(c.get_builder_api_keys())
    c.create_builder_api_key()
    assert len(c.get_builder_api_keys()) == before + 1


@check
def revoke_builder_api_key(c, w):
    c.create_builder_api_key()
    assert c.revoke_builder_api_key() == "OK"
    assert c.get_builder_api_keys() == []


@check
def create_readonly_api_key(c, w):
    made = c.create_readonly_api_key()["apiKey"]
    assert made in c.get_readonly_api_keys()


@check
def get_readonly_api_keys(c, w):
    before = c.get_readonly_api_keys()
    made = c.create_readonly_api_key()["apiKey"]
    assert c.get_readonly_api_keys() == [*before, made]


@check
def delete_readonly_api_key(c, w):
    made = c.create_readonly_api_key()["apiKey"]
    assert c.delete_readonly_api_key(made) is True
    assert made not in c.get_readonly_api_keys()


@check
def post_heartbeat(c, w):
    first = c.post_heartbeat()["heartbeat_id"]
    assert c.post_heartbeat(first)["heartbeat_id"] != first


@check
def create_order(c, w):
    order = c.create_order(buy(w, 0.3))
    assert (int(order.makerAmount), int(order.takerAmount)) == (1_500_000, 5_000_000)


@check
def create_market_order(c, w):
    order = c.create_market_order(MarketOrderArgsV2(token_id=w.market.yes, amount=2, side="BUY"))
    assert int(order.makerAmount) == 2_000_000


@check
def post_order(c, w):
    answer = c.post_order(c.create_order(buy(w, 0.31)))
    assert (answer["success"], answer["status"]) == (True, "live")
    # An order for the first exchange, on which clients sign anew.
    old = order_to_json_v2(c.create_order(buy(w, 0.31)), c.creds.api_key, OrderType.GTC)
    for name in ("timestamp", "metadata", "builder"):
        del old["order"][name]
    old["order"] |= {"taker": WALLETS["eoa"], "nonce": "0", "feeRateBps": "0"}
    body = json.dumps(old, separators=(",", ":"))
    headers = c._l2_headers("POST", "/order", body=old, serialized_body=body)
    with pytest.raises(PolyApiException, match="order_version_mismatch"):
        c._post(f"{c.host}/order", headers=headers, data=body)


@check
def post_orders(c, w):
    orders = [
        PostOrdersV2Args(order=c.create_order(buy(w, price)), orderType=OrderType.GTC)
        for price in (0.31, 0.32)
    ]
    assert [one["status"] for one in c.post_orders(orders)] == ["live", "live"]


@check
def create_and_post_order(c, w):
    answer = c.create_and_post_order(buy(w, 0.33))
    assert c.get_order(answer["orderID"])["price"] == "0.33"


@check
def create_and_post_market_order(c, w):
    order = MarketOrderArgsV2(token_id=w.market.yes, amount=4, side="BUY")
    answer = c.create_and_post_market_order(order)
    assert answer["status"] == "matched"
    (trade,) = c.get_trades(TradeParams(id=answer["tradeIDs"][0]))
    assert trade["size"] == answer["takingAmount"]
    # The hash that the client has waited for is the trade's own.
    assert answer["transactionsHashes"] == [trade["transaction_hash"]]


@check
def cancel_order(c, w):
    placed = c.create_and_post_order(buy(w, 0.34))["orderID"]
    assert c.cancel_order(OrderPayload(orderID=placed)) == {
        "canceled": [placed],
        "not_canceled": {},
    }


@check
def cancel_orders(c, w):
    placed = [c.create_and_post_order(buy(w, price))["orderID"] for price in (0.33, 0.34)]
    assert set(c.cancel_orders(placed)["canceled"]) == set(placed)
    with pytest.raises(PolyApiException, match="Too many orders in payload"):
        c.cancel_orders([f"0x{n:064x}" for n in range(1001)])


@check
def cancel_market_orders(c, w):
    placed = c.create_and_post_order(buy(w, 0.34))["orderID"]
    done = c.cancel_market_orders(OrderMarketCancelParams(asset_id=w.market.yes))
    assert placed in done["canceled"]


@check
def cancel_all(c, w):
    placed = c.create_and_post_order(buy(w, 0.34))["orderID"]
    assert placed in c.cancel_all()["canceled"]
    assert c.get_open_orders() == []


@check
def delete_api_key(c, w):
    assert c.delete_api_key() == "OK"
    with pytest.raises(PolyApiException, match="Unauthorized"):
        c.get_api_keys()


def test_every_operation_is_checked_or_named_with_its_reason():
    assert not CHECKS.keys() & OUT_OF_SCOPE.keys()
    assert CHECKS.keys() | OUT_OF_SCOPE.keys() == set(operations())


@pytest.fixture
def _connections():
    """The client keeps its connections in a global, and never closes it."""
    yield
    helpers._http_client.close()


@pytest.mark.usefixtures("_connections")
async def test_every_operation_is_answered_with_what_the_exchange_holds():
    failed = {}
    async with world() as it:
        client = ClobClient(it.at.address, 137, key=KEY, signature_type=0)
        creds = await asyncio.to_thread(client.create_or_derive_api_key)
        assert isinstance(creds, ApiCreds)
        client.set_api_creds(creds)
        for name, act in CHECKS.items():
            await it.look()
            try:
                await asyncio.to_thread(act, client, it)
            except (Exception, pytest.fail.Exception):  # noqa: BLE001  # every one is told of
                failed[name] = traceback.format_exc(limit=-3)
    assert not failed, "\n".join(f"--- {name}\n{text}" for name, text in failed.items())
