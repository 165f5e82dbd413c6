"""What the sockets say: trades, ticks and best quotes to everybody, killed orders to their owner."""

import asyncio
import contextlib
import json
import time

import pytest
import websockets
from polymarket.errors import RequestRejectedError

from tests.exchange.test_stream import listening
from tests.exchange.venue import place, venue


@contextlib.asynccontextmanager
async def watching(at, *tokens, **more):
    """The market channel, after the first books."""
    async with websockets.connect(at.address.replace("http", "ws") + "/ws/market") as socket:
        first = {"type": "market", "assets_ids": list(tokens), **more}
        await socket.send(json.dumps(first))
        yield socket, json.loads(await socket.recv())


async def said(socket, kind):
    """The next message of a kind."""
    async with asyncio.timeout(120):
        while True:
            message = json.loads(await socket.recv())
            if message["event_type"] == kind:
                return message


async def all_said(socket):
    """Everything up to an answer to a ping: what was to be said has been said."""
    await socket.send("PING")
    heard = []
    async with asyncio.timeout(120):
        while (text := await socket.recv()) != "PONG":
            heard.append(json.loads(text))
    return heard


async def test_books_on_the_channel_have_less_than_books_that_are_asked_for():
    async with venue() as at:
        market = at.market()
        async with watching(at, market.yes, "1") as (_, books):
            (book,) = books
            asked = (await at.http.get("/book", params={"token_id": market.yes})).json()
            assert asked.keys() - book.keys() == {"min_order_size", "neg_risk"}
            assert book == {
                "event_type": "book",
                **{k: asked[k] for k in asked.keys() & book.keys()},
            }
        async with watching(at, "1") as (_, books):
            assert books == []


async def test_a_trade_is_told_of_in_terms_of_what_its_taker_traded():
    async with venue() as at:
        market = at.market()
        hit = {"token": market.no, "side": "BUY", "price": "0.60", "shares": "7"}
        async with watching(at, market.yes, market.no) as (socket, _):
            await at.control(trade=hit)
            news = await said(socket, "last_trade_price")
        told = {k: news[k] for k in ("market", "asset_id", "price", "size", "side")}
        assert told == {
            "market": market.padded_id,
            "asset_id": market.no,
            "price": "0.6",
            "size": "7",
            "side": "BUY",
        }
        last = {token: f"/last-trade-price?token_id={token}" for token in (market.yes, market.no)}
        assert (await at.http.get(last[market.no])).json() == {"price": "0.6", "side": "BUY"}
        assert (await at.http.get(last[market.yes])).json() == {"price": "0.4", "side": "SELL"}
        for token in (market.yes, market.no):
            book = (await at.http.get("/book", params={"token_id": token})).json()
            assert book["last_trade_price"] == "0.400"


async def test_trades_of_accounts_are_told_of_one_by_one():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.control(
            book={
                "token": market.yes,
                "bids": [["0.4", "9"]],
                "asks": [["0.43", "4"], ["0.44", "9"]],
            }
        )
        async with watching(at, market.yes) as (socket, _):
            await place(client, market.yes, "0.44", 10)
            found = [await said(socket, "last_trade_price") for _ in range(2)]
        assert [(one["price"], one["size"], one["side"]) for one in found] == [
            ("0.43", "4", "BUY"),
            ("0.44", "6", "BUY"),
        ]


async def test_a_change_bears_the_time_that_its_hash_covers():
    async with venue() as at:
        market, tell = at.market(), at.exchange.changed

        def slowly(markets):
            time.sleep(0.01)
            tell(markets)

        at.exchange.changed = slowly
        async with watching(at, market.yes) as (socket, _):
            book = {"token": market.yes, "bids": [["0.41", "100"]], "asks": [["0.43", "100"]]}
            await at.control(book=book)
            change = await said(socket, "price_change")
        asked = (await at.http.get("/book", params={"token_id": market.yes})).json()
        assert change["timestamp"] == asked["timestamp"]
        assert {one["hash"] for one in change["price_changes"]} == {asked["hash"]}


async def test_a_new_tick_is_told_of_for_both_outcomes():
    async with venue() as at:
        market = at.market()
        async with watching(at, market.yes, market.no) as (socket, _):
            await at.control(market={"slug": "plain-1", "tick": "0.001"})
            found = [await said(socket, "tick_size_change") for _ in range(2)]
        assert {one["asset_id"] for one in found} == {market.yes, market.no}
        assert {(one["old_tick_size"], one["new_tick_size"]) for one in found} == {
            ("0.01", "0.001")
        }


async def test_best_quotes_and_ends_are_told_to_those_who_asked_for_them():
    async with venue() as at:
        market = at.market()
        book = {"token": market.yes, "bids": [["0.41", "100"]], "asks": [["0.43", "100"]]}
        async with (
            watching(at, market.yes) as (plain, _),
            watching(at, market.yes, custom_feature_enabled=True) as (custom, _),
        ):
            await at.control(book=book)
            news = await said(custom, "best_bid_ask")
            assert (news["best_bid"], news["best_ask"], news["spread"]) == ("0.41", "0.43", "0.02")
            # More behind the best price is no other best price.
            await at.control(book={**book, "bids": [["0.41", "100"], ["0.3", "5"]]})
            await said(custom, "price_change")
            await at.control(resolve={"market": "plain-1", "yes": "0"})
            end = await said(custom, "market_resolved")
            assert (end["winning_asset_id"], end["winning_outcome"]) == (market.no, "No")
            assert {one["event_type"] for one in await all_said(plain)} == {"price_change"}
            assert await all_said(custom) == []


async def test_an_empty_side_has_no_best_price():
    async with venue() as at:
        market = at.market()
        async with watching(at, market.yes) as (socket, _):
            for bids, asks, best in (
                ([["0.41", "100"]], [], ("0.41", "")),
                ([], [["0.45", "100"]], ("", "0.45")),
            ):
                await at.control(book={"token": market.yes, "bids": bids, "asks": asks})
                changes = (await said(socket, "price_change"))["price_changes"]
                assert {(one["best_bid"], one["best_ask"]) for one in changes} == {best}


async def test_a_killed_order_is_told_to_its_owner_in_dollars_and_kept_nowhere():
    async with venue() as at, at.client() as client:
        market = at.market()
        async with listening(at, client) as ears:
            await ears.ready()
            with pytest.raises(RequestRejectedError, match="couldn't be fully filled"):
                await place(client, market.yes, "0.43", 200, life="FOK")
            (told,) = [e for e in await ears.all() if e["event_type"] == "order"]
        assert told["type"] == "CANCELLATION"
        assert told["status"] == (
            "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
        )
        assert (told["original_size"], told["size_matched"]) == ("86", "0")
        assert (await at.truth())["orders"] == []


async def test_a_taking_buy_is_stated_in_dollars_and_a_resting_one_in_shares():
    async with venue() as at, at.client() as client:
        market = at.market()
        async with listening(at, client) as ears:
            await ears.ready()
            await place(client, market.yes, "0.43", 10, life="FOK")
            await place(client, market.yes, "0.30", 10)
            events = [e for e in await ears.all() if e["event_type"] == "order"]
        assert [e["original_size"] for e in events] == ["4.3", "10"]
