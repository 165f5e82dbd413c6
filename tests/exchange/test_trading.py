"""The official client trades at the embedded exchange: every kind of wallet, every step."""

import asyncio
import dataclasses
from decimal import Decimal

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from polymarket._internal.actions.orders.typed_data import _build_standard_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket.errors import OrderHeartbeatMismatchError, RequestRejectedError
from polymarket.streams import UserSpec

from arb.exchange.market.addresses import (
    EXCHANGE_V3,
    NEG_RISK_EXCHANGE,
    STANDARD_EXCHANGE,
)
from tests.exchange.venue import WALLETS, listed, place, signed, venue


@pytest.mark.parametrize("wallet", ["eoa", "proxy", "safe", "deposit"])
async def test_each_kind_of_wallet_buys_and_the_chain_moves(wallet):
    async with venue() as at, at.client(wallet) as client:
        market = at.market()
        orders = [await signed(client, market.yes, "0.43", 10, life="FOK")]
        (answer,) = await client.post_orders(orders)
        assert (answer.ok, answer.status) == (True, "matched")
        assert (answer.making_amount, answer.taking_amount) == (Decimal("4.3"), 10)
        assert answer.transactions_hashes == ()
        before = await at.account(WALLETS[wallet])
        assert before == {"usd": 1_000_000_000, "tokens": {}}
        (trade,) = await listed(client.list_account_trades())
        assert (trade.status, trade.id, trade.trader_side) == (
            "MATCHED",
            answer.trade_ids[0],
            "TAKER",
        )
        assert trade.taker_order_id == answer.order_id
        await at.settle()
        (trade,) = await listed(client.list_account_trades())
        assert trade.status == "CONFIRMED"
        assert trade.transaction_hash
        after = await at.account(WALLETS[wallet])
        fee = int(Decimal("0.04") * 10 * Decimal("0.43") * Decimal("0.57") * 10**5) * 10
        assert after == {
            "usd": 1_000_000_000 - 4_300_000 - fee,
            "tokens": {market.yes: 10_000_000},
        }
        truth = await at.truth()
        assert truth["problems"] == []
        assert truth["requests"]["POST /orders"] == 1


def hash_of(order, exchange, version):
    """As the standard typed data of the official client hashes."""
    fields = {field.name for field in dataclasses.fields(UnsignedOrder)}
    common = {k: v for k, v in dataclasses.asdict(order).items() if k in fields}
    unsigned = UnsignedOrder(
        **common, chain_id=137, exchange_address=exchange, protocol_version=version
    )
    typed = _build_standard_typed_data(unsigned, protocol_version=version)
    return "0x" + _hash_eip191_message(encode_typed_data(full_message=typed)).hex()


@pytest.mark.parametrize("wallet", ["eoa", "deposit"])
async def test_the_id_of_an_order_is_its_hash_at_the_markets_exchange(wallet):
    async with venue("demo") as at, at.client(wallet) as client:
        markets = list(at.exchange.markets())
        cases = (
            (at.market("plain-1"), STANDARD_EXCHANGE, "2"),
            (next(m for m in markets if m.neg_risk and m.version == "v1"), NEG_RISK_EXCHANGE, "2"),
            (next(m for m in markets if m.neg_risk and m.version == "v2"), EXCHANGE_V3, "3"),
        )
        for market, exchange, version in cases:
            order = await signed(client, market.yes, "0.02", 10)
            answer = await client.post_order(order)
            assert answer.ok, answer
            assert answer.order_id == hash_of(order, exchange, version)
            shown = await client.get_order(order_id=answer.order_id)
            assert (shown.price, shown.condition_id) == (Decimal("0.02"), market.padded_id)


async def test_a_resting_order_rests_shows_fills_in_part_and_is_cancelled():
    async with venue() as at, at.client("deposit") as client:
        market = at.market()
        answer = await place(client, market.yes, "0.41", 20)
        assert (answer.status, answer.trade_ids) == ("live", ())
        (order,) = await listed(client.list_open_orders(market=market.padded_id))
        assert (order.id, order.original_size, order.status) == (answer.order_id, 20, "LIVE")
        book = await client.get_order_book(asset_id=market.yes)
        assert max(level.price for level in book.bids) == Decimal("0.41")
        await at.control(
            trade={"token": market.yes, "side": "SELL", "price": "0.41", "shares": "7"}
        )
        order = await client.get_order(order_id=answer.order_id)
        assert (order.size_matched, len(order.associate_trades)) == (7, 1)
        (trade,) = await listed(client.list_account_trades())
        (mine,) = trade.maker_orders
        assert (trade.trader_side, mine.order_id, mine.matched_amount) == (
            "MAKER",
            answer.order_id,
            7,
        )
        done = await client.cancel_order(order_id=answer.order_id)
        assert done.canceled == (answer.order_id,)
        again = await client.cancel_order(order_id=answer.order_id)
        assert "already canceled or matched" in again.not_canceled[answer.order_id]
        assert await listed(client.list_open_orders()) == []
        with pytest.raises(RequestRejectedError) as error:
            await client.get_order(order_id=answer.order_id)
        assert error.value.status == 404
        await at.settle()
        assert (await at.account(client.wallet))["tokens"] == {market.yes: 7_000_000}


async def test_resting_orders_of_an_account_survive_changes_from_outside_and_trade_when_crossed():
    async with venue() as at, at.client() as client:
        market = at.market()
        low = await place(client, market.yes, "0.35", 10)
        high = await place(client, market.no, "0.55", 10)
        book = {"token": market.yes, "bids": [["0.30", "5"]], "asks": [["0.50", "5"]]}
        await at.control(book=book)
        open_ = {order.id for order in await listed(client.list_open_orders())}
        assert open_ == {low.order_id, high.order_id}
        assert (350_000, 10_000_000) in market.bids
        assert (450_000, 10_000_000) in market.asks
        await at.control(book={**book, "bids": [["0.46", "4"]], "asks": [["0.50", "5"]]})
        order = await client.get_order(order_id=high.order_id)
        assert order.size_matched == 4
        assert market.asks[0] == (450_000, 6_000_000)
        await at.settle()
        assert (await at.account(client.wallet))["tokens"] == {market.no: 4_000_000}
        assert (await at.truth())["problems"] == []


async def test_two_accounts_mint_and_merge_against_each_other():
    other = "0x" + "22" * 32
    from eth_account import Account

    theirs = Account.from_key(other).address
    async with venue() as at, at.client() as one, at.client(theirs, key=other) as two:
        market = at.market()
        resting = await place(two, market.no, "0.59", 10)
        answer = await place(one, market.yes, "0.41", 10, life="FOK")
        assert answer.ok
        (trade,) = await listed(two.list_account_trades())
        assert (trade.trader_side, trade.asset_id, trade.side) == ("MAKER", market.yes, "BUY")
        assert trade.maker_orders[0].asset_id == market.no
        assert trade.maker_orders[0].order_id == resting.order_id
        assert await listed(two.list_account_trades(asset_id=market.no)) == []
        await at.settle()
        assert (await at.account(one.wallet))["tokens"] == {market.yes: 10_000_000}
        assert (await at.account(theirs))["tokens"] == {market.no: 10_000_000}
        await place(two, market.no, "0.58", 10, side="SELL")
        assert (await place(one, market.yes, "0.42", 10, side="SELL", life="FOK")).ok
        await at.settle()
        truth = await at.truth()
        assert truth["problems"] == []
        assert [a["tokens"] for a in truth["accounts"].values()] == [{}, {}]


async def test_cancelling_all_and_by_market():
    async with venue() as at, at.client() as client:
        one, two = at.market(), at.market("plain-2")
        ids = [(await place(client, m.yes, "0.30", 10)).order_id for m in (one, one, two, two)]
        done = await client.cancel_market_orders(market=two.padded_id)
        assert set(done.canceled) == set(ids[2:])
        done = await client.cancel_orders(order_ids=[ids[0], "0xabc"])
        assert done.canceled == (ids[0],)
        assert done.not_canceled == {"0xabc": "order not found"}
        assert (await client.cancel_all()).canceled == (ids[1],)


async def test_pages_and_filters_of_account_reads():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(page_size=2)
        for _ in range(5):
            await place(client, market.yes, "0.43", 5, life="FAK")
            await place(client, market.yes, "0.30", 5)
        trades = await listed(client.list_account_trades())
        assert len({trade.id for trade in trades}) == 5
        assert len(await listed(client.list_open_orders())) == 5
        assert [t.id for t in await listed(client.list_account_trades(id=trades[0].id))] == [
            trades[0].id
        ]
        now = int(at.exchange.clock.now().timestamp())
        assert await listed(client.list_account_trades(after=str(now + 100))) == []
        assert len(await listed(client.list_account_trades(before=str(now + 100)))) == 5
        mine = listed(client.list_account_trades(maker_address=client.wallet))
        assert len(await mine) == 5


async def test_balances_allowances_positions_and_approvals():
    async with venue() as at, at.client("safe", usd="") as client:
        await at.control(deposit={"wallet": client.wallet, "usd": "12.5"})
        held = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert held.balance == 12_500_000
        assert set(held.allowances.values()) == {0}
        state = await client.get_trading_approvals_state(wallet=client.wallet)
        assert (len(state.missing.erc20), len(state.missing.erc1155)) == (7, 10)
        await at.control(allow={"wallet": client.wallet})
        state = await client.get_trading_approvals_state(wallet=client.wallet)
        assert state.is_fully_approved
        market = at.market()
        await at.control(give={"wallet": client.wallet, "token": market.no, "shares": "3"})
        held = await client.get_balance_allowance(asset_type="CONDITIONAL", asset_id=market.no)
        assert held.balance == 3_000_000
        assert held.allowances[STANDARD_EXCHANGE] == held.allowances[NEG_RISK_EXCHANGE] > 10**70
        assert held.allowances[EXCHANGE_V3] == 0
        (row,) = await listed(client.list_positions(user=client.wallet))
        assert (row.asset_id, row.current_size, row.status) == (market.no, 3, "OPEN")
        assert row.current_price == Decimal("0.57")
        assert (await at.truth())["problems"] == []


async def test_a_heartbeat_that_stops_cancels_everything():
    async with venue() as at, at.client() as client:
        market = at.market()
        answer = await place(client, market.yes, "0.30", 10)
        first = await client.send_order_heartbeat()
        second = await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
        with pytest.raises(OrderHeartbeatMismatchError) as error:
            await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
        assert error.value.heartbeat_id == second.heartbeat_id
        await at.control(advance=8)
        assert len(await listed(client.list_open_orders())) == 1
        await at.control(advance=8)
        assert await listed(client.list_open_orders()) == []
        (order,) = (await at.truth())["orders"]
        assert (order["id"], order["status"]) == (answer.order_id, "CANCELED")


async def test_the_user_stream_tells_each_change():
    async with venue() as at, at.client() as client:
        market = at.market()
        stream = await client.subscribe(UserSpec())
        await asyncio.sleep(0.2)
        resting = await place(client, market.yes, "0.30", 10)
        taken = await place(client, market.yes, "0.43", 10, life="FOK")
        await client.cancel_order(order_id=resting.order_id)
        seen = []
        async with asyncio.timeout(120):
            async for event in stream:
                payload = event.payload
                if event.type == "order":
                    seen.append((payload.id, payload.order_event_type, payload.status))
                else:
                    seen.append((payload.id, payload.status))
                if payload.status == "CONFIRMED":
                    break
        trade = taken.trade_ids[0]
        assert [one for one in seen if one[0] == trade] == [
            (trade, "MATCHED"),
            (trade, "MINED"),
            (trade, "CONFIRMED"),
        ]
        assert [one[1:] for one in seen if one[0] == resting.order_id] == [
            ("PLACEMENT", "LIVE"),
            ("CANCELLATION", "CANCELED"),
        ]
        assert (taken.order_id, "PLACEMENT", "MATCHED") in seen


async def test_a_session_key_must_be_registered():
    from eth_account import Account

    session = "0x" + "33" * 32
    address = Account.from_key(session).address
    async with venue() as at, at.client("deposit", key=session) as client:
        market = at.market()
        assert client.wallet == WALLETS["deposit"]
        with pytest.raises(RequestRejectedError, match="maker address not allowed"):
            await place(client, market.yes, "0.43", 10, life="FOK")
        await at.control(session={"wallet": client.wallet, "key": address})
        assert (await place(client, market.yes, "0.43", 10, life="FOK")).ok
        held = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert held.balance == 1_000_000_000
        async with at.client("deposit", usd="") as owner:
            assert await listed(owner.list_account_trades()) == []


async def test_a_synchronous_client_trades_from_a_thread():
    from polymarket import SecureClient

    from tests.exchange.venue import KEY, OWNER, environment

    async with venue() as at:
        market = at.market()
        await at.fund(OWNER.address)

        def trade():
            with SecureClient.create(
                private_key=KEY,
                wallet=OWNER.address,
                environment=environment(at.address),
            ) as client:
                order = client.create_limit_order(
                    asset_id=market.yes, price=Decimal("0.43"), size=Decimal(10), side="BUY"
                )
                return client.post_order(dataclasses.replace(order, order_type="FOK"))

        answer = await asyncio.to_thread(trade)
        assert answer.status == "matched"


async def test_what_was_bought_is_merged_on_the_same_chain():
    async with venue() as at, at.client() as client:
        market = at.market(fee_rate=Decimal(0))
        assert (await place(client, market.yes, "0.43", 10, life="FOK")).ok
        assert (await place(client, market.no, "0.60", 10, life="FOK")).ok
        await at.settle()
        handle = await client.merge_positions(condition_id=market.condition_id, amount=10_000_000)
        await handle.wait()
        account = await at.account(client.wallet)
        assert account == {"usd": 1_000_000_000 - 300_000, "tokens": {}}
        assert (await at.truth())["problems"] == []
