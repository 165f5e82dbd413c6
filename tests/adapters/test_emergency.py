"""Taking orders back by hand, against the embedded exchange."""

import asyncio
import re
import subprocess
import sys
import time
from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from arb.adapters.polymarket import emergency
from arb.adapters.polymarket.emergency import cancel_all, signature
from arb.domain.errors import BadVenueData, ConfigError, Unavailable
from arb.net.serve import listening
from tests.exchange.venue import place, venue


def _by_hand(at, client, **other):
    keys = client.credentials
    given = {
        "clob_url": at.address,
        "address": str(client.signer),
        "api_key": keys.key,
        "secret": keys.secret,
        "passphrase": keys.passphrase,
        "now": lambda: int(time.time()),
        "monotonic": time.monotonic,
    }
    return asyncio.to_thread(partial(cancel_all, **{**given, **other}))


async def _resting(client):
    page = await client.list_open_orders().first_page()
    return [order.id for order in page.items]


@pytest.mark.parametrize("wallet", ["eoa", "deposit"])
async def test_resting_orders_are_really_taken_back(wallet):
    async with venue() as at, at.client(wallet) as client:
        token = at.market().yes
        for price in ("0.30", "0.31"):
            answer = await place(client, token, price, "20", post_only=True)
            assert answer.ok
        assert len(await _resting(client)) == 2
        assert await _by_hand(at, client) == []
        assert await _resting(client) == []
        assert await _by_hand(at, client) == []  # nothing rests: that is no error


async def test_what_could_not_be_taken_back_is_named():
    async with venue() as at, at.client() as client:
        answer = await place(client, at.market().yes, "0.30", "20", post_only=True)
        await at.conduct(cancel_fails=1.0)
        assert await _by_hand(at, client) == [answer.order_id]
        await at.conduct(cancel_fails=0.0)
        assert await _by_hand(at, client) == []


async def test_a_refusal_an_outage_and_a_strange_answer_are_told_apart():
    async with venue() as at, at.client() as client:
        with pytest.raises(BadVenueData, match="401"):
            await _by_hand(at, client, passphrase="wrong")
        with pytest.raises(BadVenueData, match="401"):
            await _by_hand(at, client, now=lambda: int(time.time()) - 3600)
        for status in (503, 429):
            await at.fault("/cancel-all", status=status, times=1)
            with pytest.raises(Unavailable, match=str(status)):
                await _by_hand(at, client)
        await at.fault("/cancel-all", body="garbage", times=1)
        with pytest.raises(BadVenueData):
            await _by_hand(at, client)
        with pytest.raises(Unavailable, match="Connect"):
            await _by_hand(at, client, clob_url="http://127.0.0.1:9")
        with pytest.raises(ConfigError):
            await _by_hand(at, client, secret="x")


async def test_an_answer_in_drips_does_not_keep_the_next_try_waiting(monkeypatch):
    monkeypatch.setattr(emergency, "ANSWER_SECONDS_MAX", 0.5)

    async def drip(_request):
        async def pieces():
            while True:
                yield b" "
                await asyncio.sleep(0.02)

        return StreamingResponse(pieces(), media_type="application/json")

    app = Starlette(routes=[Route("/cancel-all", drip, methods=["DELETE"])])
    async with venue() as at, at.client() as client, listening(app, "127.0.0.1", 0) as dripping:
        with pytest.raises(Unavailable, match="has no end"):
            await _by_hand(at, client, clob_url=dripping)


def test_the_signature_is_that_of_the_official_client():
    from polymarket._internal.hmac import build_hmac_signature

    secret = "c2VjcmV0LV9-fn4_Pz8_"
    theirs = build_hmac_signature(
        secret=secret, timestamp=1_763_700_000, method="POST", path="/orders", body='[{"a":1}]'
    )
    assert signature(secret, 1_763_700_000, "POST", "/orders", '[{"a":1}]') == theirs


def test_it_needs_neither_the_official_client_nor_a_signing_library():
    code = "import arb.adapters.polymarket.emergency, sys; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not re.search(r"'(polymarket|eth_\w+|coincurve|web3)['.]", done.stdout)
