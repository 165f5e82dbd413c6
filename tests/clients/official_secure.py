"""The operations of the official client that need a key: orders, account, keys and chain."""

from decimal import Decimal

import pytest
from eth_utils.address import to_checksum_address
from polymarket.calls import TransactionCall, erc20_approval_call
from polymarket.errors import RequestRejectedError

from arb.exchange.market.addresses import COLLATERAL, CONDITIONAL_TOKENS, STANDARD_EXCHANGE
from tests.clients.official import check
from tests.clients.world import BUILDER

OTHER = "0x" + "77" * 20
TODAY = "2026-11-01"
ONE = 1_000_000


async def limit(c, w, price="0.35", **more):
    return await c.call(
        "place_limit_order", asset_id=w.market.yes, price=price, size=10, side="BUY", **more
    )


@check
async def get_order(c, w):
    order = await c.call("get_order", order_id=w.resting)
    assert (order.price, order.original_size, order.status) == (Decimal("0.39"), 30, "LIVE")


@check
async def list_open_orders(c, w):
    orders = await c.items("list_open_orders", market=w.market.padded_id)
    assert [one.id for one in orders] == [w.resting]


@check
async def list_account_trades(c, w):
    (trade,) = await c.items("list_account_trades", market=w.market.padded_id)
    assert (trade.taker_order_id, trade.size, trade.status) == (w.filled, 40, "CONFIRMED")
    assert trade.price * 40 * ONE == w.fill["value"]
    (maker,) = trade.maker_orders
    assert len(bytes.fromhex(maker.order_id.removeprefix("0x"))) == 32


@check
async def get_balance_allowance(c, w):
    told = await c.call("get_balance_allowance", asset_type="COLLATERAL")
    assert Decimal(told.balance) == w.cash() * ONE


@check
async def get_closed_only_mode(c, w):
    assert await c.call("get_closed_only_mode") is False
    await w.at.conduct(closed_only=True)
    assert await c.call("get_closed_only_mode") is True
    await w.at.conduct(closed_only=False)


@check
async def get_order_scoring(c, w):
    # 30 shares at 0.39, a cent and a half from the middle: within the market's terms.
    assert w.market.rewards.max_spread == 3
    assert await c.call("get_order_scoring", order_id=w.resting) is True
    assert await c.call("get_order_scoring", order_id=w.filled) is False


@check
async def get_orders_scoring(c, w):
    told = await c.call("get_orders_scoring", order_ids=[w.resting, w.filled])
    assert told == {w.resting: True, w.filled: False}


@check
async def get_reward_percentages(c, w):
    assert await c.call("get_reward_percentages") == {w.market.padded_id: 100}


@check
async def list_user_earnings_for_day(c, w):
    assert await c.items("list_user_earnings_for_day", date=TODAY) == []


@check
async def get_total_earnings_for_user_for_day(c, w):
    assert await c.call("get_total_earnings_for_user_for_day", date=TODAY) == ()


@check
async def list_user_earnings_and_markets_config(c, w):
    rows = await c.items("list_user_earnings_and_markets_config", date=TODAY)
    mine = {row.condition_id: row.earning_percentage for row in rows}
    assert len(mine) == sum(bool(m.rewards) and not m.closed for m in w.exchange.markets())
    assert [one for one in mine.items() if one[1]] == [(w.market.padded_id, 100)]


@check
async def get_notifications(c, w):
    told = await c.call("get_notifications")
    fills = {one.payload.order_id for one in told if one.type == 2}
    assert w.filled in fills and w.resting not in fills
    (ended,) = [one for one in told if one.type == 4]
    assert ended.payload.condition_id == w.ended.padded_id
    assert {t.asset_id: t.winner for t in ended.payload.tokens} == {
        w.ended.yes: True,
        w.ended.no: False,
    }


@check
async def drop_notifications(c, w):
    told = await c.call("get_notifications")
    await c.call("drop_notifications", ids=[told[0].id])
    assert [one.id for one in await c.call("get_notifications")] == [one.id for one in told[1:]]


@check
async def get_builder_fee_rates(c, w):
    rates = await c.call("get_builder_fee_rates", BUILDER)
    assert (rates.maker, rates.taker) == (0, 0)


@check
async def fetch_api_keys(c, w):
    assert c.inner.credentials.key in await c.call("fetch_api_keys")


@check
async def create_builder_api_key(c, w):
    made = await c.call("create_builder_api_key")
    assert made.key in {one.key for one in await c.call("fetch_builder_api_keys")}


@check
async def fetch_builder_api_keys(c, w):
    before = await c.call("fetch_builder_api_keys")
    await c.call("create_builder_api_key")
    assert len(await c.call("fetch_builder_api_keys")) == len(before) + 1


@check
async def revoke_builder_api_key(c, w):
    made = await c.call("create_builder_api_key")
    other = await c.again(api_key=made)
    await other.call("revoke_builder_api_key")
    assert made.key not in {one.key for one in await c.call("fetch_builder_api_keys")}
    with pytest.raises(RequestRejectedError):
        await other.call("revoke_builder_api_key")
    await other.call("close")


@check
async def create_limit_order(c, w):
    order = await c.call(
        "create_limit_order", asset_id=w.market.yes, price="0.3", size=5, side="BUY"
    )
    assert (order.maker_amount, order.taker_amount) == (1_500_000, 5 * ONE)


@check
async def create_market_order(c, w):
    of = {"asset_id": w.market.yes, "side": "BUY", "order_type": "FOK"}
    order = await c.call("create_market_order", **of, amount=2)
    assert (order.maker_amount, order.order_type) == (2 * ONE, "FOK")


@check
async def place_limit_order(c, w):
    answer = await limit(c, w)
    await w.look()
    assert w.order(answer.order_id)["status"] == "LIVE"


@check
async def place_market_order(c, w):
    before = w.held()
    answer = await c.call("place_market_order", asset_id=w.market.yes, side="BUY", amount=4)
    assert (answer.ok, answer.status) == (True, "matched")
    await w.at.settle()
    await w.look()
    assert w.held() == before + answer.taking_amount


@check
async def post_order(c, w):
    order = await c.call(
        "create_limit_order", asset_id=w.market.yes, price="0.31", size=5, side="BUY"
    )
    answer = await c.call("post_order", order)
    assert answer.ok
    await w.look()
    assert w.order(answer.order_id)["price"] == 310_000


@check
async def post_orders(c, w):
    orders = [
        await c.call("create_limit_order", asset_id=w.market.yes, price=p, size=5, side="BUY")
        for p in ("0.31", "0.32")
    ]
    answers = await c.call("post_orders", orders)
    await w.look()
    assert [w.order(one.order_id)["price"] for one in answers] == [310_000, 320_000]


@check
async def cancel_order(c, w):
    placed = await limit(c, w)
    assert (await c.call("cancel_order", order_id=placed.order_id)).canceled == (placed.order_id,)
    await w.look()
    assert w.order(placed.order_id)["status"] == "CANCELED"


@check
async def cancel_orders(c, w):
    placed = [(await limit(c, w, price)).order_id for price in ("0.33", "0.34")]
    done = await c.call("cancel_orders", order_ids=placed)
    assert set(done.canceled) == set(placed)


@check
async def cancel_market_orders(c, w):
    placed = (await limit(c, w)).order_id
    done = await c.call("cancel_market_orders", market=w.market.padded_id)
    assert placed in done.canceled


@check
async def cancel_all(c, w):
    placed = (await limit(c, w)).order_id
    assert placed in (await c.call("cancel_all")).canceled
    await w.look()
    assert not [one for one in w.truth["orders"] if one["status"] == "LIVE"]


@check
async def send_order_heartbeat(c, w):
    first = await c.call("send_order_heartbeat")
    second = await c.call("send_order_heartbeat", heartbeat_id=first.heartbeat_id)
    assert second.heartbeat_id != first.heartbeat_id


@check
async def wait_for_order_fill_settlement(c, w):
    placed = await c.call("place_market_order", asset_id=w.market.yes, side="BUY", amount=4)
    settled = await c.call("wait_for_order_fill_settlement", placed, timeout_s=60)
    await w.look()
    (trade,) = [t for t in w.truth["trades"] if t["taker"] == placed.order_id]
    assert trade["moved"] and settled


# The chain.


@check
async def split_position(c, w):
    before = w.held(w.market.no)
    await c.done("split_position", condition_id=w.market.condition_id, amount=6 * ONE)
    await w.look()
    assert w.held(w.market.no) == before + 6
    rows = await c.items("list_activity", user=w.wallet, activity_types=["SPLIT"])
    assert [row.amount for row in rows] == [6]


@check
async def merge_positions(c, w):
    cash = w.cash()
    await c.done("merge_positions", condition_id=w.market.condition_id, amount=2 * ONE)
    await w.look()
    assert w.cash() == cash + 2


@check
async def merge_multiple_positions(c, w):
    cash, condition = w.cash(), w.market.condition_id
    wanted = [{"condition_id": condition, "amount": ONE}]
    await c.done("merge_multiple_positions", positions=wanted)
    await w.look()
    assert w.cash() == cash + 1
    rows = await c.items("list_activity", user=w.wallet, activity_types=["MERGE"])
    assert sorted(row.amount for row in rows) == [1, 2]


@check
async def redeem_positions(c, w):
    cash, held = w.cash(), w.held(w.ended.yes)
    await c.done("redeem_positions", condition_id=w.ended.condition_id)
    await w.look()
    assert w.cash() == cash + held
    (row,) = await c.items("list_activity", user=w.wallet, activity_types=["REDEEM"])
    assert (row.amount, row.condition_id) == (held, w.ended.padded_id)
    (left,) = await c.items("list_positions", user=w.wallet, status="CLOSED")
    assert (left.asset_id, left.current_size) == (w.ended.yes, 0)


@check
async def approve_erc20(c, w):
    await c.done(
        "approve_erc20", token_address=COLLATERAL, spender_address=STANDARD_EXCHANGE, amount=7
    )
    rows = (await w.at.http.get("/v2/approvals", params={"user": w.wallet})).json()
    rows = rows["data"]["contracts"]
    (row,) = [r for r in rows if (r["token"], r["spender"]) == (COLLATERAL, STANDARD_EXCHANGE)]
    assert (row["amount"], row["feature"]) == ("7", "trading")


@check
async def setup_trading_approvals(c, w):
    await w.at.control(allow={"wallet": w.wallet, "all": False})
    assert not (await c.call("get_trading_approvals_state")).is_fully_approved
    await c.call("setup_trading_approvals")
    assert (await c.call("get_trading_approvals_state")).is_fully_approved


@check
async def approve_erc1155_for_all(c, w):
    await c.done(
        "approve_erc1155_for_all",
        token_address=CONDITIONAL_TOKENS,
        operator_address=STANDARD_EXCHANGE,
        approved=False,
    )
    rows = (await w.at.http.get("/v2/approvals", params={"user": w.wallet})).json()
    rows = rows["data"]["contracts"]
    (row,) = [
        r for r in rows if (r["token"], r["spender"]) == (CONDITIONAL_TOKENS, STANDARD_EXCHANGE)
    ]
    assert row["approved"] is False


@check
async def transfer_erc20(c, w):
    await c.done(
        "transfer_erc20", token_address=COLLATERAL, recipient_address=OTHER, amount=3 * ONE
    )
    await w.look()
    assert w.truth["accounts"][OTHER]["usd"] == 3 * ONE


@check
async def execute_transaction(c, w):
    call = erc20_approval_call(
        token_address=to_checksum_address(COLLATERAL), spender=STANDARD_EXCHANGE, amount=9
    )
    await c.done("execute_transaction", calls=[TransactionCall(to=call.to, data=call.data)])
    rows = (await w.at.http.get("/v2/approvals", params={"user": w.wallet})).json()
    assert "9" in {row.get("amount") for row in rows["data"]["contracts"]}


# Keys, last.


@check
async def create(c, w):
    assert c.inner.credentials.key in await c.call("fetch_api_keys")


@check
async def delete_api_key(c, w):
    await c.call("delete_api_key")
    with pytest.raises(RequestRejectedError, match="Unauthorized"):
        await c.call("fetch_api_keys")


@check
async def end_authentication(c, w):
    public = await c.call("end_authentication")
    assert not hasattr(public, "post_order")
    closing = public.close()
    if c.is_async:
        await closing
    again = await c.again()
    assert await again.call("fetch_api_keys") == (again.inner.credentials.key,)
    await again.call("close")
