"""The user channel: who is let in, what is told, and how news get lost.

See docs/fault-catalogue.md §D.
"""

import asyncio
import contextlib
import json

import pytest
import websockets
from polymarket.streams import UserSpec

from tests.exchange.venue import place, venue


@contextlib.asynccontextmanager
async def listening(at, client, **more):
    keys = client.credentials
    auth = {"apiKey": keys.key, "secret": keys.secret, "passphrase": keys.passphrase}
    async with websockets.connect(at.address.replace("http", "ws") + "/ws/user") as socket:
        await socket.send(
            json.dumps({"type": "user", "auth": {**auth, **more.pop("auth", {})}, **more})
        )
        yield Ears(socket)


class Ears:
    def __init__(self, socket):
        self.socket = socket

    async def ready(self):
        await self.socket.send("PING")
        assert await self.socket.recv() == "PONG"

    async def all(self, quiet=0.25):
        """Everything that is told until nothing is any more."""
        heard = []
        with contextlib.suppress(TimeoutError):
            while True:
                heard.append(json.loads(await asyncio.wait_for(self.socket.recv(), quiet)))
        return heard


def kinds(events):
    return [
        (event["event_type"], event["status"] if event["event_type"] == "trade" else event["type"])
        for event in events
    ]


async def story(at, client, market):
    """A resting order that is cancelled and a taking one that settles."""
    resting = await place(client, market.yes, "0.30", 10)
    await place(client, market.yes, "0.43", 10, life="FOK")
    await client.cancel_order(order_id=resting.order_id)
    await at.settle()


WHOLE = [
    ("order", "PLACEMENT"),
    ("order", "PLACEMENT"),
    ("trade", "MATCHED"),
    ("order", "CANCELLATION"),
    ("trade", "MINED"),
    ("trade", "CONFIRMED"),
]


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, WHOLE),
        ({"lose": 1}, []),
        ({"freeze": True}, []),
        ({"duplicate": 1}, [event for event in WHOLE for _ in range(2)]),
        ({"suppress": "trade"}, [event for event in WHOLE if event[0] == "order"]),
        ({"suppress": "order"}, [event for event in WHOLE if event[0] == "trade"]),
        (
            {"suppress": "terminal"},
            [("order", "PLACEMENT"), ("trade", "MATCHED"), ("trade", "MINED")],
        ),
        ({"reorder": 1}, [WHOLE[place] for place in (1, 0, 3, 2, 5, 4)]),
    ],
)
async def test_what_is_told_and_what_is_not(knobs, expected):
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(mined_after=20, confirmed_after=40, **knobs)
        async with listening(at, client) as ears:
            await ears.ready()
            await story(at, client, market)
            assert kinds(await ears.all()) == expected
            await ears.ready()


async def test_a13_news_that_come_late():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(stream_lag=0.4)
        async with listening(at, client) as ears:
            await ears.ready()
            await place(client, market.yes, "0.30", 10)
            assert await ears.all(quiet=0.15) == []
            assert kinds(await ears.all(quiet=0.6)) == [("order", "PLACEMENT")]


async def test_d01_d09_no_replay_after_a_drop_unless_it_is_a_stale_one():
    async with venue() as at, at.client() as client:
        market = at.market()
        async with listening(at, client) as ears:
            await ears.ready()
            await at.control(disconnect=True)
            with pytest.raises(websockets.ConnectionClosed):
                await ears.socket.recv()
        await place(client, market.yes, "0.30", 10)
        async with listening(at, client) as ears:
            assert await ears.all() == []
        await at.conduct(stale_replay=5)
        async with listening(at, client) as ears:
            assert kinds(await ears.all()) == [("order", "PLACEMENT")]


async def test_d10_who_does_not_ping_is_dropped():
    async with venue() as at, at.client() as client:
        await at.conduct(idle_kill=0.2)
        async with listening(at, client) as ears:
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(ears.socket.recv(), 60)


@pytest.mark.parametrize("wrong", [{"secret": "x"}, {"passphrase": "x"}, {"apiKey": "x"}])
async def test_wrong_keys_are_shown_out(wrong):
    async with venue() as at, at.client() as client, listening(at, client, auth=wrong) as ears:
        with pytest.raises(websockets.ConnectionClosed) as error:
            await ears.socket.recv()
        assert error.value.rcvd.code == 1008


async def test_markets_are_asked_for_by_condition():
    async with venue() as at, at.client() as client:
        one, two = at.market(), at.market("plain-2")
        async with listening(at, client, markets=[one.padded_id]) as ears:
            await ears.ready()
            await place(client, one.yes, "0.30", 10)
            await place(client, two.yes, "0.30", 10)
            assert [event["market"] for event in await ears.all()] == [one.padded_id]
            later = {"operation": "subscribe", "markets": [two.padded_id]}
            await ears.socket.send(json.dumps(later))
            await ears.socket.send(json.dumps({**later, "operation": "unsubscribe"}))
            await ears.socket.send(json.dumps(later))
            await ears.ready()
            await place(client, two.yes, "0.31", 10)
            assert [event["market"] for event in await ears.all()] == [two.padded_id]
            await ears.socket.send("{")
            assert await ears.socket.recv() == "INVALID OPERATION"


async def test_a17_news_before_the_answer():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.fault("/order", "accept_then_hang", delay=0.4)
        stream = await client.subscribe(UserSpec())
        await asyncio.sleep(0.2)
        posting = asyncio.create_task(place(client, market.yes, "0.43", 10, life="FOK"))
        async with asyncio.timeout(120):
            event = await anext(aiter(stream))
        assert not posting.done()
        assert event.payload.id == (await posting).order_id


async def test_makers_are_told_of_fills_of_their_orders():
    async with venue() as at, at.client() as client:
        market = at.market()
        async with listening(at, client) as ears:
            await ears.ready()
            await place(client, market.no, "0.57", 10)
            hit = {"token": market.yes, "side": "BUY", "price": "0.43", "shares": "104"}
            await at.control(trade=hit)
            events = [e for e in await ears.all() if e["event_type"] == "order"]
            assert [(e["type"], e["size_matched"], e["status"]) for e in events] == [
                ("PLACEMENT", "0", "LIVE"),
                ("UPDATE", "4", "LIVE"),
            ]
