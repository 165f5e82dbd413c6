"""The embedded exchange over real HTTP and WebSocket: as the venue behaves, traps included."""

import asyncio
import json
import sys
from decimal import Decimal

import httpx
import pytest
import websockets

from arb.adapters.polymarket.maintain import BookTerms, KeptBook
from arb.adapters.polymarket.payloads import LevelPayload
from arb.domain.market import Side
from tests.conftest import exchange_at


@pytest.fixture
async def demo():
    async with (
        exchange_at("demo", 1) as (exchange, address),
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
    ):
        yield exchange, client


async def test_listings_come_in_keyset_pages_and_without_v2_unless_asked(demo):
    exchange, client = demo
    both = {"version": ["v1", "v2"], "closed": "false"}
    seen, cursor = [], None
    while True:
        params = {**both, "limit": 30, **({"after_cursor": cursor} if cursor else {})}
        page = (await client.get("/events/keyset", params=params)).json()
        assert len(page["events"]) <= 30
        seen += [event["slug"] for event in page["events"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            assert "next_cursor" not in page
            break
    assert sorted(seen) == sorted(event.slug for event in exchange.events)
    plain = (await client.get("/events/keyset", params={"limit": 500})).json()["events"]
    assert {event["version"] for event in plain} == {"v1"}
    assert (await client.get("/events/keyset", params={"offset": 5})).status_code == 422


async def test_a_request_looks_for_no_library(demo, monkeypatch):
    """One that is not installed would be searched for on the whole path, at every request."""
    _, client = demo
    await client.get("/markets/slug/cheap-no-1-1")
    looked_for = []

    class Finder:
        def find_spec(self, name, *_):
            looked_for.append(name)

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    await client.get("/markets/slug/cheap-no-1-1")
    assert looked_for == []


async def test_the_shapes_of_both_protocol_versions(demo):
    _, client = demo
    v1 = (await client.get("/markets/slug/cheap-no-1-1")).json()
    assert len(json.loads(v1["clobTokenIds"])) == 2
    assert json.loads(v1["outcomes"]) == ["Yes", "No"]
    assert isinstance(v1["orderPriceMinTickSize"], float)
    v2 = (await client.get("/markets/slug/cheap-no-v2-1")).json()
    assert len(v2["conditionId"]) == 64
    assert v2["clobTokenIds"] is None
    assert len(v2["positionIds"]) == 2
    short, padded = v2["conditionId"], v2["conditionId"] + "00"
    assert (await client.get(f"/clob-markets/{short}")).status_code == 404
    word = (await client.get(f"/clob-markets/{padded}")).json()
    assert {token["t"] for token in word["t"]} == set(v2["positionIds"])


async def test_books_come_in_no_order_best_last_mirrored_and_without_the_unknown(demo):
    exchange, client = demo
    event = next(e for e in exchange.events if e.slug == "cheap-no-1")
    tokens = [token for m in event.markets for token in (m.yes, m.no)]
    asked = [{"token_id": token} for token in [*tokens, "12345"]]
    answers = [(await client.post("/books", json=asked)).json() for _ in range(4)]
    assert all({b["asset_id"] for b in answer} == set(tokens) for answer in answers)
    assert len({tuple(b["asset_id"] for b in answer) for answer in answers}) > 1
    books = {b["asset_id"]: b for b in answers[0]}
    for market in event.markets:
        yes, no = books[market.yes], books[market.no]
        bids = [Decimal(level["price"]) for level in yes["bids"]]
        assert bids == sorted(bids)
        assert [(1 - Decimal(x["price"]), x["size"]) for x in yes["bids"]] == [
            (Decimal(x["price"]), x["size"]) for x in no["asks"]
        ]
    assert (await client.post("/books", json=asked * 60)).status_code == 400
    assert (await client.get("/book", params={"token_id": "12345"})).status_code == 404


async def test_small_reads(demo):
    exchange, client = demo
    market = next(m for m in exchange.markets() if m.slug == "plain-1")
    token = {"token_id": market.yes}
    assert (await client.get("/version")).json() == {"version": 2}
    assert (await client.get("/ok")).json() == "OK"
    assert int((await client.get("/time")).text) > 1_700_000_000
    assert (await client.get("/tick-size", params=token)).json() == {"minimum_tick_size": 0.01}
    assert (await client.get("/neg-risk", params=token)).json() == {"neg_risk": False}
    assert (await client.get("/fee-rate", params=token)).json() == {"base_fee": 1000}
    buy = (await client.get("/price", params={**token, "side": "BUY"})).json()["price"]
    sell = (await client.get("/price", params={**token, "side": "SELL"})).json()["price"]
    spread = (await client.get("/spread", params=token)).json()["spread"]
    assert Decimal(sell) - Decimal(buy) == Decimal(spread) > 0
    page = (await client.get("/v2/positions", params={"user": "0x0"})).json()
    assert page == {
        "data": [],
        "pagination": {"limit": 100, "offset": 0, "has_more": False, "next_cursor": None},
    }


async def test_a_resolved_market_closes_and_tells_its_payout(demo):
    _, client = demo
    order = {"resolve": {"market": "plain-1", "yes": "0.5"}}
    assert (await client.post("/_control", json=order)).json() == {"done": True}
    market = (await client.get("/markets/slug/plain-1")).json()
    assert (market["closed"], market["umaResolutionStatus"]) == (True, "resolved")
    assert json.loads(market["outcomePrices"]) == ["0.5", "0.5"]
    rows = await client.get("/v2/resolutions", params={"condition_ids": market["conditionId"]})
    assert rows.json()["data"][0]["payouts"] == [500000, 500000]
    assert (await client.post("/_control", json={"nonsense": 1})).status_code == 400


async def test_the_market_channel_dumps_books_and_tells_changes_that_keep_a_book_right():
    async with exchange_at("quiet", 1) as (exchange, address):
        market = next(exchange.markets().__iter__())
        ws = address.replace("http", "ws") + "/ws/market"
        async with websockets.connect(ws) as socket:
            await socket.send("PING")
            assert await socket.recv() == "PONG"
            tokens = [market.yes, market.no]
            await socket.send(json.dumps({"type": "market", "assets_ids": tokens}))
            kept = {}
            for book in json.loads(await socket.recv()):
                assert book["event_type"] == "book"
                terms = BookTerms(last_trade_price=book["last_trade_price"])
                kept[book["asset_id"]] = KeptBook(
                    market=book["market"], token=book["asset_id"], timestamp="", terms=terms
                ).reset(
                    book["timestamp"],
                    [LevelPayload(x["price"], x["size"]) for x in book["bids"]],
                    [LevelPayload(x["price"], x["size"]) for x in book["asks"]],
                )
                assert kept[book["asset_id"]].hash() == book["hash"]
            assert set(kept) == set(tokens)
            best = market.bids[0]
            assert exchange.set_book(
                market.yes, ((best[0], best[1] + 10**6), *market.bids[1:]), market.asks
            )
            message = json.loads(await asyncio.wait_for(socket.recv(), 60))
            assert message["event_type"] == "price_change"
            assert {c["asset_id"] for c in message["price_changes"]} == set(tokens)
            for change in message["price_changes"]:
                book = kept[change["asset_id"]].change(
                    message["timestamp"], Side(change["side"]), change["price"], change["size"]
                )
                assert book.hash() == change["hash"]
            await socket.send(json.dumps({"operation": "unsubscribe", "assets_ids": tokens}))
            await socket.send("nonsense")
            assert await socket.recv() == "INVALID OPERATION"


async def test_the_same_seed_makes_the_same_market_and_another_seed_another():
    from arb.adapters.clock import SystemClock
    from arb.exchange.market.scenario import build

    one, same, other = (build("demo", seed, SystemClock()).truth() for seed in (3, 3, 4))
    assert one == same != other
