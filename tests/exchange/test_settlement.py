"""Knobs of fills, settlement and accounting reproduce their rows.

See docs/fault-catalogue.md §B, G07.
"""

import json
from decimal import Decimal

import pytest
from polymarket.errors import (
    RequestRejectedError,
)

from tests.exchange.venue import listed, place, signed, spend, venue


async def refused(client, order, status=400):
    with pytest.raises(RequestRejectedError) as error:
        await client.post_order(order)
    assert error.value.status == status
    return error.value


async def statuses(client):
    return [trade.status for trade in await listed(client.list_account_trades())]


async def test_b01_settlement_takes_its_time():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(mined_after=10, confirmed_after=20)
        await place(client, market.yes, "0.43", 10, life="FOK")
        sell = await signed(client, market.yes, "0.40", 10, side="SELL", life="FOK")
        assert "balance: 0" in str(await refused(client, sell))
        seen = await statuses(client)
        for seconds in (11, 11):
            await at.control(advance=seconds)
            seen += await statuses(client)
        assert seen == ["MATCHED", "MINED", "CONFIRMED"]
        assert (await client.post_order(sell)).ok
        await at.conduct(settle_spread=1.5)
        for _ in range(6):
            await place(client, market.yes, "0.43", 10, life="FAK")
        await at.control(advance=15)
        assert len(set(await statuses(client))) > 1


@pytest.mark.parametrize(
    ("knobs", "path"),
    [
        ({"fail": 1}, ["RETRYING", "FAILED"]),
        ({"fail": 1, "fail_mined": True}, ["MINED", "FAILED"]),
        ({"retries": 2}, ["RETRYING", "RETRYING", "MINED", "CONFIRMED"]),
        ({"fail": 1, "retries": 2}, ["RETRYING", "RETRYING", "FAILED"]),
        ({"maker_rug": 1}, ["FAILED"]),
        (
            {"statuses": ["MATCHED_NOT_BROADCASTED", "RETRYING", "MINED", "CONFIRMED"]},
            ["MATCHED_NOT_BROADCASTED", "RETRYING", "MINED", "CONFIRMED"],
        ),
        ({"statuses": ["CONFIRMED", "FAILED"]}, ["CONFIRMED", "FAILED"]),
    ],
)
async def test_b02_b04_b05_trades_that_fail_or_take_odd_ways(knobs, path):
    async with venue() as at, at.client() as client:
        seen = []
        await at.conduct(mined_after=10, confirmed_after=30, **knobs)
        await place(client, at.market().yes, "0.43", 10, life="FOK")
        for _ in range(24):
            await at.control(advance=2.5)
            (trade,) = await listed(client.list_account_trades())
            moment = (trade.status, trade.updated_at)
            if trade.status != "MATCHED" and moment not in seen:
                seen.append(moment)
        assert [status for status, _ in seen] == path
        account = await at.account(client.wallet)
        failed = path[-1] == "FAILED"
        assert bool(account["tokens"]) is not failed
        assert (account["usd"] == 1_000_000_000) is failed
        assert (await at.truth())["problems"] == []


async def test_b02_only_a_part_of_an_order_fails():
    async with venue() as at, at.client() as client:
        market = at.market()
        book = {"token": market.yes, "bids": [["0.4", "9"]], "asks": [["0.42", "5"], ["0.43", "5"]]}
        await at.control(book=book)
        await at.conduct(split_trades=True, fail=0.5, mined_after=1, confirmed_after=2)
        ends = set()
        for _ in range(12):
            await at.control(book=book)
            answer = await spend(client, market.yes, "0.43", "4.25")
            assert len(answer.trade_ids) == 2
            await at.settle()
            trades = {t.id: t.status for t in await listed(client.list_account_trades())}
            ends.add(tuple(sorted(trades[id_] for id_ in answer.trade_ids)))
            if ("CONFIRMED", "FAILED") in ends:
                break
        assert ("CONFIRMED", "FAILED") in ends
        assert (await at.truth())["problems"] == []


async def test_b03_gains_fail():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(fail_gaining=1, mined_after=5, confirmed_after=6)
        await place(client, market.yes, "0.43", 10, life="FOK")
        at.market(bid="0.60", ask="0.62")
        await place(client, market.yes, "0.62", 10, life="FOK")
        at.market(bid="0.55", ask="0.57")
        await at.settle()
        prices = {t.price: t.status for t in await listed(client.list_account_trades())}
        assert prices == {Decimal("0.43"): "FAILED", Decimal("0.62"): "CONFIRMED"}


async def test_b07_one_trade_with_many_of_ones_orders():
    from eth_account import Account

    other = "0x" + "22" * 32
    theirs = Account.from_key(other).address
    async with venue() as at, at.client() as taker, at.client(theirs, key=other) as maker:
        market = at.market()
        await at.control(give={"wallet": theirs, "token": market.yes, "shares": "50"})
        mine = [
            (await place(maker, market.yes, price, 5, side="SELL")).order_id
            for price in ("0.41", "0.41", "0.42")
        ]
        answer = await spend(taker, market.yes, "0.42", "6.20")
        (trade,) = await listed(maker.list_account_trades())
        assert (trade.id,) == answer.trade_ids
        assert [order.order_id for order in trade.maker_orders] == mine
        assert {order.matched_amount for order in trade.maker_orders} == {Decimal(5)}
        await at.settle()
        assert (await at.truth())["problems"] == []


@pytest.mark.parametrize("dust", [12_345, -9_999])
async def test_b09_a_trifle_more_or_less(dust):
    async with venue() as at, at.client() as client:
        await at.conduct(overfill=dust)
        answer = await place(client, at.market().yes, "0.43", 10, life="FOK")
        assert answer.taking_amount == 10 + Decimal(dust).scaleb(-6)
        await at.settle()
        account = await at.account(client.wallet)
        assert list(account["tokens"].values()) == [10_000_000 + dust]
        assert (await at.truth())["problems"] == []


@pytest.mark.parametrize(
    ("knobs", "shares", "paid"),
    [({}, "10.75", "4.3"), ({"improvement": "shares"}, "10", "4")],
)
async def test_b10_what_a_better_price_brings(knobs, shares, paid):
    async with venue() as at, at.client() as client:
        market = at.market(ask="0.40", bid="0.30")
        await at.conduct(**knobs)
        answer = await place(client, market.yes, "0.43", 10, life="FOK")
        assert (answer.taking_amount, answer.making_amount) == (Decimal(shares), Decimal(paid))


@pytest.mark.parametrize(
    ("dollars", "limit", "ask", "shares", "paid"),
    [
        ("1", "0.07", "0.07", "14.285713", "0.999999"),
        ("1.52", "0.71", "0.71", "2.140844", "1.519999"),
        ("2.5", "0.35", "0.35", "7.142856", "2.499999"),
        ("4.95", "0.99", "0.98", "5.051019", "4.949998"),
    ],
)
async def test_b10_dollars_buy_what_they_bought_live(dollars, limit, ask, shares, paid):
    """Answers of production, quoted in public reports."""
    async with venue() as at, at.client() as client:
        market = at.market(ask=ask, bid="0.02")
        answer = await spend(client, market.yes, limit, dollars)
        assert (answer.taking_amount, answer.making_amount) == (Decimal(shares), Decimal(paid))
        await at.settle()
        assert (await at.truth())["problems"] == []


async def test_b10_dollars_that_find_nobody_within_their_limit():
    """FOK is killed, FAK takes what there is; GTC is in shares."""
    async with venue() as at, at.client() as client:
        market = at.market()
        book = {
            "token": market.yes,
            "bids": [],
            "asks": [["0.42", "5"], ["0.43", "5"], ["0.9", "9"]],
        }
        await at.control(book=book)
        with pytest.raises(RequestRejectedError, match="couldn't be fully filled"):
            await spend(client, market.yes, "0.43", "4.26")
        answer = await spend(client, market.yes, "0.43", "4.26", life="FAK")
        assert (answer.taking_amount, answer.making_amount) == (10, Decimal("4.25"))
        await at.control(book=book)
        resting = await place(client, market.yes, "0.43", "9.5")
        assert (resting.taking_amount, resting.making_amount) == (Decimal("9.5"), Decimal("4.035"))


async def test_b11_b12_fees_that_are_elsewhere():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(fee_shown="1000", fee_in_shares=True)
        await place(client, market.yes, "0.43", 10, life="FOK")
        assert (await listed(client.list_account_trades()))[0].fee_rate_bps == 1000
        await at.settle()
        account = await at.account(client.wallet)
        assert account["usd"] == 1_000_000_000 - 4_300_000
        assert account["tokens"][market.yes] == 10_000_000 - 98_040 * 10**6 // 430_000
        assert (await at.truth())["problems"] == []


async def test_b13_c11_terms_that_change_later():
    async with venue() as at:
        market = at.market()
        change = {"slug": market.slug, "fee_rate": "0.05", "tick": "0.001", "after": 10}
        await at.control(market=change)
        before = (await at.http.get(f"/clob-markets/{market.padded_id}")).json()
        await at.control(advance=11)
        after = (await at.http.get(f"/clob-markets/{market.padded_id}")).json()
        assert (before["fd"]["r"], before["mts"]) == (0.04, 0.01)
        assert (after["fd"]["r"], after["mts"]) == (0.05, 0.001)


async def test_b14_b18_transaction_hashes():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(tx_hashes=True, same_transaction=True)
        answers = [await place(client, market.yes, "0.43", 5, life="FOK") for _ in range(2)]
        assert all(answer.transactions_hashes for answer in answers)
        await at.settle()
        trades = await listed(client.list_account_trades())
        assert len({trade.transaction_hash for trade in trades}) == 1


async def test_b15_positions_that_lag_or_are_not_there():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(positions_lag=100)
        assert await listed(client.list_positions(user=client.wallet)) == []
        await place(client, market.yes, "0.43", 10, life="FOK")
        await at.settle()
        assert await listed(client.list_positions(user=client.wallet)) == []
        await at.control(advance=101)
        (row,) = await listed(client.list_positions(user=client.wallet))
        assert (row.avg_price, row.entry_fees_usdc) == (Decimal("0.43"), Decimal("0.09804"))
        await at.conduct(positions_zero=True)
        assert await listed(client.list_positions(user=client.wallet)) == []


async def test_b16_a_lock_that_is_never_released():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(phantom_lock=10**9, phantom_lock_after=1)
        assert (await place(client, market.yes, "0.43", 10, life="FOK")).ok
        await at.settle()
        order = await signed(client, market.yes, "0.43", 10, life="FOK")
        assert "not enough balance" in str(await refused(client, order))
        held = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert held.balance > 990_000_000


async def test_b17_a_stale_balance_until_it_is_refreshed():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(balance_lag=1000)
        await client.get_balance_allowance(asset_type="CONDITIONAL", asset_id=market.yes)
        await place(client, market.yes, "0.43", 10, life="FOK")
        await at.settle()
        sell = await signed(client, market.yes, "0.40", 10, side="SELL", life="FOK")
        assert "balance: 0" in str(await refused(client, sell))
        asked = {"asset_type": "CONDITIONAL", "asset_id": market.yes, "signature_type": 0}
        await client._ctx.secure_clob.get_bytes("/balance-allowance/update", params=asked)
        assert (await client.post_order(sell)).ok


async def test_g07_orders_match_that_the_chain_will_not_move():
    async with venue() as at, at.client() as client:
        await at.control(allow={"wallet": client.wallet, "all": False})
        await at.conduct(allowance_at_entry=False)
        market = at.market()
        assert (await place(client, market.yes, "0.43", 10, life="FOK")).ok
        await at.control(give={"wallet": client.wallet, "token": market.yes, "shares": "10"})
        assert (await place(client, market.yes, "0.40", 10, side="SELL", life="FOK")).ok
        await at.settle()
        assert await statuses(client) == ["FAILED", "FAILED"]
        assert (await at.account(client.wallet))["usd"] == 1_000_000_000
        await at.conduct(allowances_checked=False)
        assert (await place(client, market.yes, "0.43", 10, life="FOK")).ok
        await at.settle()
        assert "CONFIRMED" in await statuses(client)


async def test_a_rival_takes_the_level_and_the_orders_of_accounts_in_it():
    from eth_account import Account

    other = "0x" + "22" * 32
    theirs = Account.from_key(other).address
    async with venue() as at, at.client() as taker, at.client(theirs, key=other) as maker:
        market = at.market(size=10)
        await at.control(give={"wallet": theirs, "token": market.yes, "shares": "50"})
        resting = await place(maker, market.yes, "0.43", 7, side="SELL")
        assert market.asks[0] == (430_000, 17_000_000)
        await at.conduct(rivals=1)
        order = await signed(taker, market.yes, "0.43", 10, life="FOK")
        assert "couldn't be fully filled" in str(await refused(taker, order))
        await at.conduct(rivals=0)
        assert market.asks == ()
        (trade,) = await listed(maker.list_account_trades())
        assert trade.maker_orders[0].order_id == resting.order_id
        await at.settle()
        assert (await at.account(theirs))["usd"] == 1_000_000_000 + 3_010_000
        assert (await at.truth())["problems"] == []


async def test_a_settlement_moves_all_of_a_trade_or_nothing():
    from eth_account import Account

    other = "0x" + "22" * 32
    theirs = Account.from_key(other).address
    async with venue() as at, at.client() as taker, at.client(theirs, key=other) as maker:
        market = at.market(size=10)
        await at.control(give={"wallet": theirs, "token": market.yes, "shares": "10"})
        await place(maker, market.yes, "0.43", 10, side="SELL")
        await at.conduct(mined_after=5, confirmed_after=6)
        answer = await place(taker, market.yes, "0.43", 20, life="FOK")
        assert answer.taking_amount == 20
        await at.control(allow={"wallet": theirs, "all": False})
        await at.settle()
        assert await statuses(taker) == ["FAILED"]
        assert (await at.account(taker.wallet)) == {"usd": 1_000_000_000, "tokens": {}}
        assert (await at.truth())["problems"] == []


async def test_b20_a_proposal_is_disputed_and_turned_round():
    async with venue() as at:
        market = at.market()
        path = f"/markets/slug/{market.slug}"
        for status, yes in (("proposed", "1"), ("disputed", "1"), ("proposed", "0")):
            await at.control(oracle={"market": market.slug, "status": status, "yes": yes})
            shown = (await at.http.get(path)).json()
            assert (shown["umaResolutionStatus"], shown["closed"]) == (status, False)
            assert json.loads(shown["outcomePrices"])[0] == yes
        await at.control(resolve={"market": market.slug, "yes": "0"})
        shown = (await at.http.get(path)).json()
        assert (shown["umaResolutionStatus"], shown["outcomePrices"]) == ("resolved", '["0", "1"]')
