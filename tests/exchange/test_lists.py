"""Lists of the embedded exchange: what they let through, in which order, and how they refuse."""

from decimal import Decimal

import pytest

from tests.exchange.venue import venue


async def ids(at, path, **asked):
    answer = await at.http.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


async def test_lists_by_offset_are_the_keyset_lists_in_parts():
    async with venue("demo") as at:
        for path, name in (("/events", "events"), ("/markets", "markets")):
            whole = (await at.http.get(f"{path}/keyset", params={"limit": 100})).json()[name]
            parts = []
            while page := await ids(at, path, limit=30, offset=len(parts)):
                parts += page
            assert parts[: len(whole)] == [one["id"] for one in whole]
            assert len(parts) == len(set(parts)) >= len(whole) > 30


async def test_liquidity_is_what_rests_in_the_books():
    async with venue() as at:
        market = at.market(bid="0.40", ask="0.43", size=100)
        (one,) = (await at.http.get("/markets", params={"slug": market.slug})).json()
        assert Decimal(one["liquidity"]) == 100 * Decimal("0.40") + 100 * (1 - Decimal("0.43"))
        of = {"slug": market.slug}
        assert await ids(at, "/markets", liquidity_num_min=97, **of) == [market.id]
        assert await ids(at, "/markets", liquidity_num_min="97.01", **of) == []
        assert await ids(at, "/events", liquidity_min=97, **of)
        assert await ids(at, "/events", liquidity_min="97.01", **of) == []


async def test_trades_add_to_the_volume():
    async with venue() as at:
        market = at.market()
        before = market.volume
        hit = {"token": market.yes, "side": "BUY", "price": "0.43", "shares": "50"}
        await at.control(trade=hit)
        (one,) = (await at.http.get("/markets", params={"slug": market.slug})).json()
        assert Decimal(one["volume"]) == before + Decimal("21.5")
        assert (one["volume24hr"], one["lastTradePrice"]) == (21.5, 0.43)


async def test_orders_by_text_and_by_number_differ_as_at_the_venue():
    async with venue() as at:
        everything = (await at.http.get("/markets", params={"limit": 100})).json()
        by_text = await ids(at, "/markets", order="volume", limit=100)
        by_number = await ids(at, "/markets", order="volumeNum", limit=100)
        volume = {one["id"]: one["volume"] for one in everything}
        assert by_text == sorted(by_text, key=lambda id_: volume[id_])
        assert by_number == sorted(by_number, key=lambda id_: Decimal(volume[id_])) != by_text
        falling = await ids(at, "/markets", order="volumeNum", ascending="false", limit=100)
        assert falling == by_number[::-1]


async def test_what_nothing_here_has_finds_nothing_and_what_nobody_knows_is_ignored():
    async with venue() as at:
        every = await ids(at, "/events", limit=100)
        assert await ids(at, "/events", limit=100, colour="red") == every
        for name, value in (("featured", "true"), ("live", "true"), ("game_id", "1")):
            assert await ids(at, "/events", **{name: value}) == []
        assert await ids(at, "/events", limit=100, featured="false") == every


REFUSED = [
    ("/events", {"order": "volume_24hr"}, 422, "order fields are not valid"),
    (
        "/events",
        {"offset": "2001"},
        422,
        "offset too large, use /events/keyset for deeper pagination",
    ),
    (
        "/markets",
        {"offset": "2001"},
        422,
        "offset too large, use /markets/keyset for deeper pagination",
    ),
    ("/events/keyset", {"offset": "1"}, 422, "offset is not supported on keyset endpoints"),
    ("/events", {"tag_id": "1", "exclude_tag_id": "1"}, 422, "tag_id overlaps with exclude_tag_id"),
    ("/events", {"volume_min": "much"}, 422, "volume_min is invalid"),
    ("/events", {"start_date_min": "soon"}, 422, "start_date_min is invalid"),
    ("/events/one", {}, 422, "id is invalid"),
    ("/events/1", {}, 404, "id not found"),
    ("/markets/slug/none", {}, 404, "slug not found"),
    ("/comments", {}, 422, "required query parameter is missing"),
    ("/markets", {"next_cursor": "LTE="}, 400, "next item should be greater than or equal to 0"),
    ("/markets/0x" + "1" * 64, {}, 404, "market not found"),
    ("/prices-history", {}, 400, "invalid filters: the 'market' (asset id) is mandatory"),
    ("/midpoints", {"token_ids": "1"}, 400, "Invalid payload"),
    ("/v2/trades", {"filter_amount": "much"}, 400, "invalid filter_amount"),
    ("/v2/positions", {}, 400, "user or exactly one condition_id is required"),
]


@pytest.mark.parametrize(("path", "asked", "status", "words"), REFUSED)
async def test_refusals_have_the_venues_words(path, asked, status, words):
    async with venue() as at:
        answer = await at.http.get(path, params=asked)
        assert (answer.status_code, answer.json()["error"]) == (status, words)
        if status in (404, 422) and path != "/markets/0x" + "1" * 64:
            assert answer.json()["type"] in ("validation error", "not found error")


async def test_the_two_hosts_of_the_venue_share_one_path():
    async with venue() as at:
        market = at.market()
        gamma = (await at.http.get(f"/markets/{market.id}")).json()
        clob = (await at.http.get(f"/markets/{market.padded_id}")).json()
        assert gamma["slug"] == clob["market_slug"] == market.slug
        listed = (await at.http.get("/markets", params={"next_cursor": "MA=="})).json()
        assert market.padded_id in {one["condition_id"] for one in listed["data"]}
        assert (await at.http.get("/")).json() == "OK"


async def test_tokens_are_named_by_condition_whichever_is_asked_for():
    async with venue() as at:
        market = at.market()
        told = [
            (await at.http.get(f"/markets-by-token/{token}")).json()
            for token in (market.yes, market.no)
        ]
        assert told[0] == told[1]
        pair = {told[0]["primary_token_id"], told[0]["secondary_token_id"]}
        assert (told[0]["condition_id"], pair) == (market.padded_id, {market.yes, market.no})


async def test_the_history_of_a_price_is_kept_and_ends_with_now():
    async with venue() as at:
        market = at.market(bid="0.40", ask="0.44")
        asked = {"market": market.yes, "interval": "1h"}
        first = (await at.http.get("/prices-history", params=asked)).json()["history"]
        assert first[-1]["p"] == 0.42
        at.market(bid="0.10", ask="0.90")
        hit = {"token": market.yes, "side": "BUY", "price": "0.90", "shares": "5"}
        await at.control(trade=hit)
        # A middle that says little gives way to the last trade.
        wide = (await at.http.get("/prices-history", params=asked)).json()["history"]
        assert wide[-1]["p"] == 0.9
        asked["market"] = market.no
        mirrored = (await at.http.get("/prices-history", params=asked)).json()["history"]
        assert mirrored[-1]["p"] == 0.1
        late = {"market": market.yes, "startTs": 1, "endTs": 16 * 86_400 + 2}
        answer = await at.http.get("/prices-history", params=late)
        assert answer.json() == {
            "error": "invalid filters: 'startTs' and 'endTs' interval is too long"
        }


async def test_what_strict_schemas_of_others_need_is_there():
    async with venue("demo") as at:
        events = (await at.http.get("/events", params={"limit": 500, "version": "v1"})).json()
        for event in events:
            assert all(market["marketMakerAddress"] == "" for market in event["markets"])
        market = at.market()
        clob = (await at.http.get(f"/clob-markets/{market.padded_id}")).json()
        assert {"r", "ibce", "oas", "gst", "fd", "nr"} <= clob.keys()
        told = (await at.http.get("/v2/approvals", params={"user": "0x" + "1" * 40})).json()
        rows = told["data"]["contracts"]
        assert {row["feature"] for row in rows} == {"trading", "perps", "auto-redeem"}
