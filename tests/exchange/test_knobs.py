"""Every knob of the floor reproduces its row of the catalogue (docs/fault-catalogue.md)."""

import time

import pytest
from polymarket.errors import (
    OrderHeartbeatMismatchError,
    RequestRejectedError,
    UnexpectedResponseError,
)

from tests.exchange.venue import listed, place, signed, venue


async def refused(client, order, status=400):
    with pytest.raises(RequestRejectedError) as error:
        await client.post_order(order)
    assert error.value.status == status
    return error.value


async def statuses(client):
    return [trade.status for trade in await listed(client.list_account_trades())]


async def test_a05_the_answer_says_something_else():
    async with venue() as at, at.client() as client:
        market = at.market()
        for status in ("queued", "unmatched"):
            await at.conduct(answers_as=status)
            assert not (await place(client, market.yes, "0.30", 10)).ok
        assert len(await listed(client.list_open_orders())) == 2


async def test_a07_the_same_order_again():
    async with venue() as at, at.client() as client:
        order = await signed(client, at.market().yes, "0.43", 10, life="FOK")
        first = await client.post_order(order)
        assert "Duplicated" in str(await refused(client, order))
        await at.conduct(duplicates="same")
        assert await client.post_order(order) == first
        assert len((await at.truth())["trades"]) == 1


@pytest.mark.parametrize(
    ("end", "status", "trades"),
    [("match", "MATCHED", 1), ("unmatch", "UNMATCHED", 0), ("cancel", "CANCELED", 0)],
)
async def test_a10_delayed(end, status, trades):
    async with venue() as at, at.client() as client:
        await at.conduct(matching_delay=5, delayed_end=end)
        answer = await place(client, at.market().yes, "0.43", 10, life="FOK")
        assert (answer.status, answer.making_amount, answer.trade_ids) == ("delayed", 0, ())
        assert (await client.get_order(order_id=answer.order_id)).status == "DELAYED"
        done = await client.cancel_order(order_id=answer.order_id)
        assert list(done.not_canceled) == [answer.order_id]
        await at.control(advance=6)
        truth = await at.truth()
        assert (truth["orders"][0]["status"], len(truth["trades"])) == (status, trades)


async def test_a10_sports_and_crypto_markets_delay_takers():
    async with venue() as at, at.client() as client:
        market = at.market(delay_seconds=3)
        assert (await place(client, market.yes, "0.43", 10, life="FAK")).status == "delayed"
        assert (await place(client, market.yes, "0.30", 10)).status == "live"
        fast = at.market("plain-2", taker_delay=True)
        assert (await place(client, fast.yes, "0.43", 10, life="FAK")).status == "delayed"


async def test_a11_a_fak_is_live_and_fills_later():
    async with venue() as at, at.client() as client:
        await at.conduct(fak_async=3)
        answer = await place(client, at.market().yes, "0.43", 10, life="FAK")
        assert (answer.status, answer.taking_amount) == ("live", 0)
        assert await statuses(client) == []
        await at.control(advance=4)
        assert len(await statuses(client)) == 1


async def test_a12_what_reads_do_not_show():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(trades_lag=30, missing_order="null")
        done = await place(client, market.yes, "0.43", 10, life="FOK")
        with pytest.raises(UnexpectedResponseError):
            await client.get_order(order_id=done.order_id)
        assert await statuses(client) == []
        await at.conduct(hides_terminal=False)
        assert (await client.get_order(order_id=done.order_id)).status == "MATCHED"
        await at.control(advance=31)
        assert await statuses(client) == ["CONFIRMED"]
        await at.conduct(hidden=40)
        await place(client, market.yes, "0.30", 10)
        assert await listed(client.list_open_orders()) == []
        await at.control(advance=41)
        assert len(await listed(client.list_open_orders())) == 1


async def test_a14_a_cancel_comes_too_late():
    async with venue() as at, at.client() as client:
        answer = await place(client, at.market().yes, "0.30", 10)
        await at.conduct(fill_before_cancel=1)
        done = await client.cancel_order(order_id=answer.order_id)
        assert "already canceled or matched" in done.not_canceled[answer.order_id]
        (trade,) = await listed(client.list_account_trades())
        assert trade.maker_orders[0].matched_amount == 10
        await at.settle()
        assert list((await at.account(client.wallet))["tokens"].values()) == [10_000_000]


async def test_a18_cancels_that_fail_and_e04_trading_disabled():
    async with venue() as at, at.client() as client:
        market = at.market()
        ids = [(await place(client, market.yes, "0.30", 10)).order_id for _ in range(2)]
        await at.conduct(cancel_fails=1)
        assert set((await client.cancel_all()).not_canceled) == set(ids)
        await at.conduct(cancel_fails=0, mode="disabled")
        assert set((await client.cancel_all()).not_canceled) == set(ids)
        error = await refused(client, await signed(client, market.yes, "0.30", 10), 503)
        assert "Trading is currently disabled" in str(error)
        await at.control(clear=True)
        assert len((await client.cancel_all()).canceled) == 2


async def test_a19_a_heartbeat_of_somebody_else_and_a_shorter_patience():
    async with venue() as at, at.client() as client:
        await place(client, at.market().yes, "0.30", 10)
        await at.conduct(heartbeat_mismatch=True)
        with pytest.raises(OrderHeartbeatMismatchError):
            await client.send_order_heartbeat()
        await at.conduct(heartbeat_mismatch=False, heartbeat_ttl=2)
        await client.send_order_heartbeat()
        await at.control(advance=3)
        assert await listed(client.list_open_orders()) == []


async def test_d06_reasons_of_cancels():
    async with venue() as at, at.client() as client:
        one, two = at.market(), at.market("plain-2")
        await place(client, one.yes, "0.30", 10)
        await at.control(resolve={"market": one.slug, "yes": "0"})
        first = await place(client, two.yes, "0.30", 10)
        await at.conduct(cancel_reason="CANCELED_ORDER_TIMED_OUT")
        await client.cancel_order(order_id=first.order_id)
        await place(client, two.yes, "0.30", 10)
        await at.control(deposit={"wallet": client.wallet, "usd": "-999"})
        seen = [order["status"] for order in (await at.truth())["orders"]]
        assert seen == [
            "CANCELED_MARKET_RESOLVED",
            "CANCELED_ORDER_TIMED_OUT",
            "CANCELED_NOT_ENOUGH_BALANCE",
        ]


async def test_d07_a_key_that_expires_until_it_is_derived_again():
    async with venue() as at, at.client() as client:
        await at.conduct(auth_ttl=100)
        await at.control(advance=101)
        with pytest.raises(RequestRejectedError) as error:
            await listed(client.list_open_orders())
        assert error.value.status == 401
        async with at.client(usd=""):
            assert await listed(client.list_open_orders()) == []


async def test_d08_a_clock_that_is_wrong():
    async with venue() as at, at.client() as client:
        await at.conduct(clock_offset=-30)
        assert abs(int((await at.http.get("/time")).text) + 30 - time.time()) < 3
        with pytest.raises(RequestRejectedError) as error:
            await listed(client.list_open_orders())
        assert error.value.status == 401
        await at.conduct(clock_tolerance=60)
        assert await listed(client.list_open_orders()) == []


@pytest.mark.parametrize(
    ("mode", "status", "restriction"),
    [("restarting", 425, "restarting"), ("cancel_only", 503, "cancel_only")],
)
async def test_e01_e03_restarting_and_cancel_only(mode, status, restriction):
    async with venue() as at, at.client() as client:
        market = at.market()
        await place(client, market.yes, "0.30", 10)
        await at.conduct(mode=mode, retry_after=3)
        order = await signed(client, market.yes, "0.31", 10)
        error = await refused(client, order, status)
        assert (error.restriction, error.retry_after) == (restriction, 3)
        with pytest.raises(RequestRejectedError):
            await client.post_orders([order])
        assert len((await client.cancel_all()).canceled) == 1


async def test_e02_post_only_after_a_restart():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.control(restart={"seconds": 90, "post_only": 120})
        taking = await signed(client, market.yes, "0.43", 10, life="FOK")
        assert (await refused(client, taking, 425)).restriction == "restarting"
        await at.control(advance=91)
        error = await refused(client, taking, 503)
        assert (error.restriction, error.code) == ("post_only", "post_only_mode")
        (answer,) = await client.post_orders([taking])
        assert answer.code == "post_only_mode"
        assert (await place(client, market.yes, "0.30", 10, post_only=True)).ok
        await at.control(advance=121)
        assert (await client.post_order(taking)).ok


async def test_e05_e10_accounts_and_schemas_that_may_not():
    async with venue() as at, at.client() as client:
        market = at.market()
        order = await signed(client, market.yes, "0.30", 10)
        await at.conduct(version_mismatch=True)
        assert str(await refused(client, order)) == "order_version_mismatch"
        await at.conduct(version_mismatch=False, banned=True)
        assert str(await refused(client, order)) == "address banned"
        await at.conduct(banned=False, closed_only=True)
        assert "closed only" in str(await refused(client, order))
        assert await client.get_closed_only_mode() is True
        await at.control(give={"wallet": client.wallet, "token": market.yes, "shares": "10"})
        assert (await place(client, market.yes, "0.50", 10, side="SELL")).ok


async def test_e09_places():
    async with venue() as at:
        for geo, blocked, country in (("blocked", True, "US"), ("close_only", False, "PL")):
            await at.conduct(geo=geo)
            answer = (await at.http.get("/api/geoblock")).json()
            assert (answer["blocked"], answer["country"]) == (blocked, country)


async def test_f04_a_timed_order_that_ends_too_early():
    async with venue() as at, at.client() as client:
        await at.conduct(expire_early=300)
        expiration = int(time.time()) + 400
        await place(client, at.market().yes, "0.30", 10, expiration=expiration)
        await at.control(advance=110)
        assert await listed(client.list_open_orders()) == []


async def test_f07_a_crossing_post_only_order_is_taken_and_then_invalid():
    async with venue() as at, at.client() as client:
        await at.conduct(post_only_invalid=True)
        assert (await place(client, at.market().yes, "0.43", 10, post_only=True)).status == "live"
        assert await listed(client.list_open_orders()) == []
        assert (await at.truth())["orders"][0]["status"] == "INVALID"
