"""What the embedded exchange refuses, in the venue's words, and who may speak to it at all."""

import dataclasses
import sys
import time
from decimal import Decimal

import pytest
from eth_account import Account
from polymarket._internal.l1_auth import sign_api_key_auth
from polymarket.errors import RateLimitError, RequestRejectedError

from arb.exchange.trading import signatures
from tests.exchange.venue import KEY, OWNER, WALLETS, listed, place, signed, venue


async def refused(client, order, status=400):
    with pytest.raises(RequestRejectedError) as error:
        await client.post_order(order)
    assert error.value.status == status
    return str(error.value)


def scaled(order, maker, taker):
    """Another pair of amounts; the signature is then another's, unless signatures are not asked."""
    return dataclasses.replace(order, maker_amount=maker, taker_amount=taker)


@pytest.fixture
def any_signature(monkeypatch):
    """Every signature is the owner's: for orders that the official client refuses to make."""

    def owner(*_):
        return signatures.Signed(OWNER.address.lower())

    monkeypatch.setattr(signatures, "order_signer", owner)


@pytest.mark.parametrize(
    ("maker", "taker", "life", "why"),
    [
        (4_305_000, 10_000_000, "GTC", "Price (0.4305) breaks minimum tick size rule: 0.01"),
        (9_990_000, 10_000_000, "GTC", "Price (0.999) breaks minimum tick size rule: 0.01"),
        (1_720_000, 4_000_000, "GTC", "Size (4) lower than the minimum: 5"),
        (990_000, 9_900_000, "FOK", "marketable BUY order ($0.99), min size: $1"),
        (
            4_303_000,
            10_007_000,
            "FOK",
            "market buy orders maker amount supports a max accuracy of 2",
        ),
        (4_300_000, 10_000_010, "FAK", "taker amount a max of 4 decimals"),
        (
            4_300_430,
            10_001_000,
            "GTC",
            "limit buy orders maker amount supports a max accuracy of 4",
        ),
        (0, 10_000_000, "GTC", "Invalid order payload"),
    ],
)
async def test_amounts(any_signature, maker, taker, life, why):
    async with venue() as at, at.client() as client:
        market = at.market()
        order = scaled(await signed(client, market.yes, "0.43", 10, life=life), maker, taker)
        assert why in await refused(client, order)


async def test_a_seller_of_finer_shares_than_hundredths(any_signature):
    async with venue() as at, at.client() as client:
        market = at.market()
        order = await signed(client, market.yes, "0.40", 10, side="SELL", life="FAK")
        why = await refused(client, scaled(order, 10_005_000, 4_002_000))
        assert "market sell orders maker amount supports a max accuracy of 2 decimals" in why


async def test_fine_ticks_allow_finer_amounts_and_odd_ones_only_their_grid(any_signature):
    async with venue() as at, at.client() as client:
        market = at.market(tick=Decimal("0.0025"))
        order = await signed(client, market.yes, "0.4025", 10)
        assert (await client.post_order(order)).ok
        why = await refused(client, scaled(order, 4_010_000, 10_000_000))
        assert "Price (0.401) breaks minimum tick size rule: 0.0025" in why


async def test_the_least_size_binds_what_rests_and_what_takes_only_by_a_knob():
    async with venue() as at, at.client() as client:
        market = at.market()
        order = await signed(client, market.yes, "0.43", 4, life="FAK")
        resting = await signed(client, market.yes, "0.40", 4)
        assert "Size (4) lower than the minimum: 5" in await refused(client, resting)
        await at.conduct(min_size_for_takers=True)
        assert "Size (4) lower than the minimum: 5" in await refused(client, order)
        await at.conduct(min_size_for_takers=False)
        assert (await client.post_order(order)).ok


async def test_a_buy_that_trades_at_once_spends_a_dollar_whatever_its_life():
    async with venue() as at, at.client() as client:
        market = at.market(ask="0.15", bid="0.13")
        small = await signed(client, market.yes, "0.15", 5)
        why = await refused(client, small)
        assert why == "invalid amount for a marketable BUY order ($0.75), min size: $1"
        assert (await client.post_order(await signed(client, market.yes, "0.14", 5))).ok


async def test_a_fifth_decimal_is_refused_at_fine_ticks_too():
    """As production does since 2026-07, though the official client signs it."""
    async with venue() as at, at.client() as client:
        market = at.market(tick=Decimal("0.001"), ask="0.985", bid="0.983")
        order = await client.create_market_order(
            asset_id=market.yes, side="BUY", amount="9.98", max_price="0.985", order_type="FAK"
        )
        assert order.taker_amount % 100
        why = await refused(client, order)
        assert "market buy orders maker amount supports a max accuracy of 2 decimals" in why
        assert "taker amount a max of 4 decimals" in why
        selling = await signed(client, market.yes, "0.983", "33.33", side="SELL", life="FAK")
        assert selling.taker_amount % 100
        assert "taker amount a max of 4 decimals" in await refused(client, selling)


async def test_balance_allowance_and_claims_of_resting_orders():
    async with venue() as at, at.client(usd="") as client:
        market = at.market()
        order = await signed(client, market.yes, "0.40", 10)
        assert "the balance is not enough -> balance: 0" in await refused(client, order)
        await at.control(deposit={"wallet": client.wallet, "usd": "4.35"})
        assert "the allowance is not enough" in await refused(client, order)
        await at.control(allow={"wallet": client.wallet})
        taking = await signed(client, market.yes, "0.43", 10, life="FOK")
        why = await refused(client, taking)
        assert "not enough balance / allowance" in why
        assert "order amount: 4398040" in why
        assert (await client.post_order(order)).ok
        await refused(client, await signed(client, market.yes, "0.40", 10))
        sell = await signed(client, market.yes, "0.50", 10, side="SELL")
        assert "balance: 0, order amount: 10000000" in await refused(client, sell)


async def test_what_cannot_be_filled_and_what_would_cross():
    async with venue() as at, at.client() as client:
        market = at.market()
        why = await refused(client, await signed(client, market.yes, "0.43", 200, life="FOK"))
        assert why == "order couldn't be fully filled. FOK orders are fully filled or killed."
        why = await refused(client, await signed(client, market.yes, "0.42", 10, life="FAK"))
        assert why.startswith("no orders found to match with FAK order.")
        crossing = await signed(client, market.yes, "0.43", 10, post_only=True)
        assert await refused(client, crossing) == "invalid post-only order: order crosses book"
        assert (await place(client, market.yes, "0.43", 200, life="FAK")).taking_amount == 100


async def test_markets_that_do_not_trade():
    async with venue() as at, at.client() as client:
        market = at.market()
        order = await signed(client, market.yes, "0.40", 10)
        await at.control(market={"slug": market.slug, "accepting": False})
        why = await refused(client, order)
        assert why == "the market is not yet ready to process new orders"
        await at.control(resolve={"market": market.slug, "yes": "1"})
        assert "No orderbook exists" in await refused(client, order, 404)
        unknown = dataclasses.replace(order, token_id="123")
        assert await refused(client, unknown) == "Invalid token id"


async def test_orders_with_an_end():
    async with venue() as at, at.client() as client:
        market = at.market()
        now = int(time.time())
        order = await signed(client, market.yes, "0.40", 10, expiration=now + 600)
        soon = dataclasses.replace(order, expiration=now + 30)
        assert await refused(client, soon) == "invalid expiration"
        answer = await client.post_order(order)
        await at.control(advance=530)
        assert len(await listed(client.list_open_orders())) == 1
        await at.control(advance=15)
        (row,) = (await at.truth())["orders"]
        assert (row["id"], row["status"]) == (answer.order_id, "CANCELED_EXPIRED_ORDER")


async def test_signatures_owners_and_makers():
    async with venue() as at, at.client("safe") as client, at.client("deposit") as deposit:
        market = at.market()
        order = await signed(client, market.yes, "0.40", 10)
        market.neg_risk = True
        assert await refused(client, order) == "invalid signature"
        market.neg_risk = False
        assert await refused(client, scaled(order, 4_100_000, 10_000_000)) == "invalid signature"
        assert await refused(client, dataclasses.replace(order, signature="0x12")) == (
            "invalid signature"
        )
        other = dataclasses.replace(order, signer=WALLETS["proxy"])
        assert "signer address has to be the address of the API KEY" in await refused(client, other)
        nested = await signed(deposit, market.yes, "0.40", 10)
        cut = dataclasses.replace(nested, signature=nested.signature[:-2])
        assert await refused(deposit, cut) == "invalid signature"
        assert (await deposit.post_order(nested)).ok
        await at.conduct(signature_types=[3])
        assert "maker address not allowed" in await refused(client, order)


async def test_a_wallet_of_somebody_else_is_not_allowed():
    stranger = "0x" + "44" * 32
    async with venue() as at, at.client("safe") as client:
        market = at.market()
        order = await signed(client, market.yes, "0.40", 10)
        theirs = Account.from_key(stranger)
        async with at.client(theirs.address, key=stranger) as other:
            why = await refused(other, order)
            assert "signer address has to be" in why
            mine = await signed(other, market.yes, "0.40", 10)
            wrong = dataclasses.replace(mine, maker=client.wallet)
            assert await refused(other, wrong) == "invalid signature"


async def test_batches_have_an_answer_for_each_row():
    async with venue() as at, at.client() as client:
        market = at.market()
        good = await signed(client, market.yes, "0.43", 10, life="FOK")
        bad = await signed(client, market.yes, "0.43", 500, life="FOK")
        answers = await client.post_orders([good, bad, good])
        assert [answer.ok for answer in answers] == [True, False, False]
        assert answers[1].code == "fok_not_filled"
        assert "Duplicated" in answers[2].message
        rows = [client_row(order, client) for order in [good] * 16]
        answer = await raw(at, client, "POST", "/orders", rows)
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": "Too many orders in payload"},
        )
        answer = await raw(at, client, "POST", "/order", {"order": 1})
        assert answer.json() == {"error": "Invalid order payload"}


def client_row(order, client):
    from polymarket._internal.actions.orders.post import _build_send_order_payload

    return _build_send_order_payload(order, owner_api_key=client.credentials.key)


async def raw(at, client, method, path, body, **headers):
    """A request with the client's key, its body and headers as they are given."""
    import json

    from polymarket._internal.hmac import build_hmac_signature

    text, keys, now = json.dumps(body), client.credentials, int(time.time())
    signature = build_hmac_signature(
        secret=keys.secret, timestamp=now, method=method, path=path, body=text
    )
    sent = {
        "POLY_ADDRESS": str(client.signer),
        "POLY_API_KEY": keys.key,
        "POLY_PASSPHRASE": keys.passphrase,
        "POLY_SIGNATURE": signature,
        "POLY_TIMESTAMP": str(now),
        **headers,
    }
    return await at.http.request(method, path, content=text, headers=sent)


@pytest.mark.parametrize(
    "header", ["POLY_ADDRESS", "POLY_API_KEY", "POLY_PASSPHRASE", "POLY_SIGNATURE"]
)
async def test_every_header_of_a_key_counts(header):
    async with venue() as at, at.client() as client:
        assert (await raw(at, client, "POST", "/v1/heartbeats", {})).status_code == 200
        answer = await raw(at, client, "POST", "/v1/heartbeats", {}, **{header: "x"})
        assert (answer.status_code, answer.json()) == (
            401,
            {"error": "Unauthorized/Invalid api key"},
        )
        answer = await raw(
            at, client, "POST", "/v1/heartbeats", {}, POLY_TIMESTAMP=str(int(time.time()) - 60)
        )
        assert answer.status_code == 401


async def test_keys_are_made_once_derived_listed_and_deleted():
    async with venue() as at, at.client() as client:
        headers = l1()
        again = await at.http.post("/auth/api-key", headers=headers)
        assert again.status_code == 400
        same = (await at.http.get("/auth/derive-api-key", headers=headers)).json()
        assert same["apiKey"] == client.credentials.key
        other = (await at.http.post("/auth/api-key", headers=l1(nonce=1))).json()
        assert other["apiKey"] != same["apiKey"]
        assert set(await client.fetch_api_keys()) == {same["apiKey"], other["apiKey"]}
        await client.delete_api_key()
        with pytest.raises(RequestRejectedError) as error:
            await client.fetch_api_keys()
        assert error.value.status == 401
        assert (await at.http.get("/auth/derive-api-key", headers=headers)).status_code == 400
        wrong = {**headers, "POLY_ADDRESS": WALLETS["safe"]}
        answer = await at.http.post("/auth/api-key", headers=wrong)
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid L1 Request headers"})


def l1(nonce=0):
    signature = sign_api_key_auth(
        Account.from_key(KEY), chain_id=137, timestamp=int(time.time()), nonce=nonce
    )
    return {
        "POLY_ADDRESS": signature.address,
        "POLY_NONCE": str(nonce),
        "POLY_SIGNATURE": signature.signature,
        "POLY_TIMESTAMP": str(signature.timestamp),
    }


async def test_limits_by_signer():
    async with venue() as at, at.client() as client:
        market = at.market()
        await at.conduct(order_rate=1, order_burst=3)
        orders = [await signed(client, market.yes, "0.30", 5) for _ in range(4)]
        with pytest.raises(RateLimitError) as error:
            await client.post_orders(orders)
        assert error.value.retry_after >= 1
        assert (error.value.rate_limit.tier, error.value.rate_limit.remaining) == ("standard", 3)
        assert await listed(client.list_open_orders()) == []
        assert all(answer.ok for answer in await client.post_orders(orders[:3]))
        await at.conduct(cancel_rate=1, cancel_burst=2)
        with pytest.raises(RateLimitError):
            await client.cancel_orders(order_ids=["0x1", "0x2", "0x3"])


async def test_without_the_crypto_libraries_the_market_is_still_shown(monkeypatch):
    async with venue() as at:
        signatures.available.cache_clear()
        monkeypatch.setitem(sys.modules, "eth_keys", None)
        try:
            assert (await at.http.get("/book", params={"token_id": at.market().yes})).is_success
            for method, path in (
                ("POST", "/auth/api-key"),
                ("POST", "/order"),
                ("GET", "/data/trades"),
            ):
                answer = await at.http.request(method, path, headers=l1())
                assert answer.status_code == 501
                assert "live" in answer.json()["error"]
            with pytest.raises(signatures.NoCrypto):
                signatures.keccak(b"")
        finally:
            signatures.available.cache_clear()


async def test_a_knob_that_does_not_exist_is_refused():
    async with venue() as at:
        for order in (
            {"conduct": {"failing": 1}},
            {"conduct": {"mode": "sometimes"}},
            {"deposit": {"wallet": "0x1", "usd": "-5"}},
            {"deposit": {"wallet": "0x1", "usd": "much"}},
            {"give": {"wallet": "0x1", "token": "1"}},
        ):
            answer = await at.http.post("/_control", json=order)
            assert answer.status_code == 400, order
        give = {"give": {"wallet": "0x1", "token": "1", "shares": "1"}}
        assert (await at.http.post("/_control", json=give)).status_code == 404
