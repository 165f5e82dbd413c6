"""The unmodified official client against the embedded exchange, and a way to order it about."""

import contextlib
import dataclasses
import os
from decimal import Decimal
from pathlib import Path

import httpx
from eth_account import Account
from polymarket import PRODUCTION, AsyncSecureClient
from polymarket._internal.environment import create_environment, get_environment_config
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
)

from tests.conftest import exchange_at

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
# Nothing here speaks TLS, and reading all certificates takes longer than most tests.
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)
KEY = "0x" + "11" * 32
OWNER = Account.from_key(KEY)
DERIVATION = get_environment_config(PRODUCTION).wallet_derivation
WALLETS = {
    "eoa": OWNER.address,
    "proxy": derive_proxy_wallet_address(OWNER.address, DERIVATION),
    "safe": derive_safe_wallet_address(OWNER.address, DERIVATION),
    "deposit": derive_beacon_deposit_wallet_address(OWNER.address, DERIVATION),
}


def environment(address):
    """Every address of the client is the exchange's own: nothing can leave the machine."""
    ws = address.replace("http", "ws")
    config = get_environment_config(PRODUCTION)
    names = [field.name for field in dataclasses.fields(config)]
    urls = {name: address for name in names if name.endswith("_url")}
    urls |= {name: f"{ws}/ws/none" for name in names if name.endswith("_ws_url")}
    urls |= {
        "rpc_url": f"{address}/rpc",
        "clob_market_ws_url": f"{ws}/ws/market",
        "clob_user_ws_url": f"{ws}/ws/user",
    }
    return create_environment(name="embedded", config=dataclasses.replace(config, **urls))


class Venue:
    """One exchange, with the means to set it up."""

    def __init__(self, exchange, address, http):
        self.exchange, self.address, self.http = exchange, address, http

    async def control(self, **order):
        answer = await self.http.post("/_control", json=order)
        assert answer.status_code == 200, answer.text

    async def conduct(self, **knobs):
        await self.control(conduct=knobs)

    async def fault(self, endpoint, kind="", **more):
        await self.control(fault={"endpoint": endpoint, "kind": kind, "exact": True, **more})

    async def fund(self, wallet, usd="1000"):
        await self.control(deposit={"wallet": wallet, "usd": usd}, allow={"wallet": wallet})

    async def truth(self):
        return (await self.http.get("/_truth")).json()

    async def account(self, wallet):
        none = {"usd": 0, "tokens": {}}
        return (await self.truth())["accounts"].get(wallet.lower(), none)

    async def settle(self):
        """Everything on its way arrives."""
        await self.control(advance=60)

    def market(self, slug="plain-1", bid="0.40", ask="0.43", size=100, **fields):
        market = self.exchange.by_slug(slug)
        cents = int(Decimal(bid) * 10**6), int(Decimal(ask) * 10**6)
        market.tick, market.fee_rate = Decimal("0.01"), Decimal("0.04")
        for name, value in fields.items():
            setattr(market, name, value)
        self.exchange.set_book(market.yes, ((cents[0], size * 10**6),), ((cents[1], size * 10**6),))
        return market

    @contextlib.asynccontextmanager
    async def client(self, wallet="eoa", usd="1000", key=KEY, **more):
        wallet = WALLETS.get(wallet, wallet)
        if usd:
            await self.fund(wallet, usd)
        client = await AsyncSecureClient.create(
            private_key=key, wallet=wallet, environment=environment(self.address), **more
        )
        try:
            yield client
        finally:
            await client.close()


@contextlib.asynccontextmanager
async def venue(scenario="quiet", **more):
    async with (
        exchange_at(scenario, 1, **more) as (exchange, address),
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as http,
    ):
        yield Venue(exchange, address, http)


async def signed(client, token, price, size, side="BUY", life="GTC", **more):
    """An order of exactly so many shares, whatever its life."""
    order = await client.create_limit_order(
        asset_id=token, price=Decimal(price), size=Decimal(size), side=side, **more
    )
    return order if life in ("GTC", "GTD") else dataclasses.replace(order, order_type=life)


async def place(client, *args, **more):
    return await client.post_order(await signed(client, *args, **more))


async def spend(client, token, limit, dollars, life="FOK"):
    """A BUY of so many dollars, as the official client makes it."""
    order = await client.create_market_order(
        asset_id=token, side="BUY", amount=dollars, max_price=limit, order_type=life
    )
    return await client.post_order(order)


async def listed(paginator):
    return [item async for item in paginator.iter_items()]
