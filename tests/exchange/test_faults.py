"""Faults on the way of writes: processed or not, and what of the answer arrives.

See docs/fault-catalogue.md §A, §E.
"""

import asyncio
import time

import pytest
from polymarket.errors import (
    PolymarketError,
    RateLimitError,
    RequestRejectedError,
    TransportError,
    UnexpectedResponseError,
)

from tests.exchange.venue import listed, place, signed, venue


async def count(at):
    return len((await at.truth())["orders"])


@pytest.mark.parametrize(
    ("kind", "error", "landed"),
    [
        ("accept_then_drop", TransportError, 1),
        ("accept_then_rst", TransportError, 1),
        ("accept_then_5xx", RequestRejectedError, 1),
        ("truncate", UnexpectedResponseError, 1),
        ("html_200", UnexpectedResponseError, 1),
        ("refuse", TransportError, 0),
        ("rst", TransportError, 0),
    ],
)
async def test_a01_a02_a03_an_answer_that_does_not_come(kind, error, landed):
    async with venue() as at, at.client() as client:
        order = await signed(client, at.market().yes, "0.30", 10)
        await at.fault("/order", kind, method="POST")
        with pytest.raises(error):
            await client.post_order(order)
        assert await count(at) == landed
        if landed:
            with pytest.raises(RequestRejectedError, match="Duplicated"):
                await client.post_order(order)
        else:
            assert (await client.post_order(order)).ok
        assert len(await listed(client.list_open_orders())) == 1


async def test_a02_a_gateway_says_520():
    async with venue() as at, at.client() as client:
        order = await signed(client, at.market().yes, "0.30", 10)
        await at.fault("/order", "accept_then_5xx", status=520)
        with pytest.raises(RequestRejectedError) as error:
            await client.post_order(order)
        assert error.value.status == 520
        assert await count(at) == 1


async def test_a01_an_answer_that_never_comes_and_one_that_comes_late():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.fault("/order", "accept_then_hang")
        never = asyncio.create_task(place(client, market.yes, "0.30", 10))
        while not await count(at):
            await asyncio.sleep(0.02)
        assert not (await asyncio.wait([never], timeout=0.2))[0]
        never.cancel()
        await at.fault("/order", "accept_then_hang", delay=0.4)
        began = time.monotonic()
        assert (await place(client, market.yes, "0.31", 10)).ok
        assert time.monotonic() - began >= 0.4
        assert await count(at) == 2
        await at.fault("/order", "hang")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(place(client, market.yes, "0.30", 10), 0.3)
        assert await count(at) == 2


async def test_a04_the_read_after_a_post_fails():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.fault("/data/trades", status=500, after_post=True)
        assert await listed(client.list_account_trades()) == []
        assert (await place(client, market.yes, "0.43", 10, life="FOK")).ok
        with pytest.raises(RequestRejectedError):
            await listed(client.list_account_trades())
        assert len(await listed(client.list_account_trades())) == 1


async def test_a09_batches_of_which_too_little_is_said():
    async with venue() as at, at.client() as client:
        market = at.market()
        orders = [await signed(client, market.yes, "0.30", 10) for _ in range(3)]
        await at.fault("/orders", "batch_partial", rows=1)
        answers = await client.post_orders(orders)
        assert [answer.ok for answer in answers] == [True, False, False]
        assert {answer.code for answer in answers[1:]} == {"unknown"}
        assert await count(at) == 1
        await at.fault("/orders", "batch_unknown")
        answers = await client.post_orders(orders[1:])
        assert [answer.ok for answer in answers] == [False, False]
        assert await count(at) == 3


async def test_a09_a_whole_batch_without_an_answer():
    async with venue() as at, at.client() as client:
        market = at.market()
        orders = [await signed(client, market.yes, "0.30", 10) for _ in range(3)]
        await at.fault("/orders", "accept_then_drop")
        with pytest.raises(TransportError):
            await client.post_orders(orders)
        assert await count(at) == 3


async def test_a18_a19_cancels_and_heartbeats_lose_their_answers_too():
    async with venue() as at, at.client() as client:
        answer = await place(client, at.market().yes, "0.30", 10)
        await at.fault("/v1/heartbeats", "accept_then_drop")
        with pytest.raises(TransportError):
            await client.send_order_heartbeat()
        with pytest.raises(PolymarketError):
            await client.send_order_heartbeat()
        await at.fault("/order", "accept_then_drop", method="DELETE")
        with pytest.raises(TransportError):
            await client.cancel_order(order_id=answer.order_id)
        assert (await at.truth())["orders"][0]["status"] == "CANCELED"


async def test_e06_answers_get_slower_before_they_are_refused():
    async with venue() as at:
        await at.fault("/ok", "throttle", delay=0.05, times=-1)
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert (await at.http.get("/ok")).is_success
            took.append(time.monotonic() - began)
        assert took[2] > took[0]
        assert took[2] >= 0.15


async def test_e07_e12_a_firewall_and_an_endpoint_that_is_no_more():
    async with venue() as at, at.client() as client:
        for status in (403, 429):
            await at.fault("/data/orders", status=status, body="html", retry_after=7)
            with pytest.raises((RequestRejectedError, RateLimitError)) as error:
                await listed(client.list_open_orders())
            assert error.value.retry_after == 7
        await at.fault("/v2/positions", status=410, times=-1)
        for _ in range(2):
            assert (await at.http.get("/v2/positions?user=0x1")).status_code == 410
        await at.control(clear=True)
        assert (await at.http.get("/v2/positions?user=0x1")).is_success


async def test_a_fault_hits_its_method_and_path_only():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.fault("/order", "refuse", method="DELETE", times=-1)
        answers = await client.post_orders([await signed(client, market.yes, "0.30", 10)])
        assert (await place(client, market.yes, "0.31", 10)).ok
        with pytest.raises(TransportError):
            await client.cancel_order(order_id=answers[0].order_id)
        assert (await client.cancel_all()).not_canceled == {}


async def test_connections_cannot_be_cut_where_there_are_none():
    from arb.exchange.api.faults import Fault, Faults, FaultyAnswers

    async def nothing(*_):
        return {"type": "http.disconnect"}

    faults = Faults()
    faults.add(Fault(endpoint="/x", kind="refuse"))
    scope = {"type": "http", "path": "/x", "method": "POST"}
    with pytest.raises(ConnectionAbortedError):
        await FaultyAnswers(nothing, faults)(scope, nothing, nothing)
