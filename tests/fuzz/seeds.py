"""What is spoilt: the embedded exchange's own answers, and documents that the program writes."""

import asyncio
import functools
import json
from datetime import UTC, datetime

import httpx

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.venue import open_venue
from tests.conftest import exchange_at

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@functools.cache
def answers():
    """Answers of the embedded exchange by endpoint, small enough to be read a thousand times."""
    return asyncio.run(_captured())


async def _captured():
    async with (
        exchange_at("demo", 4) as (_, address),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        page = (
            await http.get(
                f"{address}/events/keyset", params={"limit": 500, "version": ["v1", "v2"]}
            )
        ).json()
        events = sorted(page["events"], key=lambda event: len(event["markets"]))
        small = [event for event in events if len(event["markets"]) <= 4]
        chosen = [small[0], *small[-3:]]
        tokens = []
        words, closed = [], []
        for event in chosen:
            for market in event["markets"]:
                named = (
                    market.get("positionIds")
                    if market.get("version") == "v2"
                    else market["clobTokenIds"]
                )
                tokens += json.loads(named) if isinstance(named, str) else named
                id_ = market["conditionId"]
                words.append(
                    (id_, (await http.get(f"{address}/clob-markets/{id_.ljust(66, '0')}")).content)
                )
        asked = [{"token_id": token} for token in tokens]
        books = (await http.post(f"{address}/books", json=asked)).content
        for number, market in enumerate(chosen[-1]["markets"]):
            order = {"market": market["slug"], "yes": "1" if number == 0 else "0"}
            await http.post(f"{address}/_control", json={"resolve": order})
        named = {
            "closed": "true",
            "version": ["v1", "v2"],
            "condition_ids": [m["conditionId"] for m in chosen[-1]["markets"]],
        }
        closed.append((await http.get(f"{address}/markets/keyset", params=named)).content)
        venue = open_venue(
            PolymarketOptions(gamma_url=address, quarantine_folder=""), SystemClock()
        )
        universe = await venue.catalog.universe()
        await venue.close()
        pages = [_page([event]) for event in chosen] + [_page(chosen)]
        return {
            "events": pages,
            "books": [books, *(json.dumps([one]).encode() for one in json.loads(books)[:3])],
            "words": words,
            "closed": closed,
            "universe": universe,
            "tokens": tokens,
        }


def _page(events):
    return json.dumps({"events": events, "next_cursor": None}, separators=(",", ":")).encode()
