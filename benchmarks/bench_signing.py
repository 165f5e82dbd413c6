"""Signing an order with and without coincurve, and from changed books to signed, sent orders.

The official client against the embedded exchange over loopback. Its plain use, leg by leg, beside
the same with all legs in one request, and beside ours: that client signing by `OrderSigner`, and
the adapter's `prepare` and `submit`, which also check what was signed and know each order's hash.
"""

import asyncio
import contextlib
import cProfile
import dataclasses
import gc
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import httpx
import orjson
from eth_account import Account
from polymarket import PRODUCTION, AsyncSecureClient
from polymarket._internal.environment import create_environment, get_environment_config
from polymarket._internal.wallet import derive_beacon_deposit_wallet_address
from polymarket.errors import RequestRejectedError
from polymarket.models.clob.orders import SignedOrder

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.client import LivePermit
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.decode import slow
from arb.adapters.polymarket.signer import quicken
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.polymarket.trading import PolymarketTrading
from arb.bootstrap import live_venue
from arb.config.schema import Settings
from arb.config.sources import load
from arb.domain.market import MarketId, OutcomeId, Side
from arb.domain.money import Price, Shares
from arb.domain.order import Order, OrderId
from arb.domain.venue import TimeInForce
from arb.exchange.market.scenario import build
from arb.runtime.demo import exchange_process

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
ROUNDS = 400
SIGNATURES = 300
KEY = "0x" + "11" * 32
OWNER = Account.from_key(KEY)
CONFIG = get_environment_config(PRODUCTION)
WALLETS = {
    "EOA": OWNER.address,
    "deposit wallet": derive_beacon_deposit_wallet_address(OWNER.address, CONFIG.wallet_derivation),
}
BACKENDS = {
    "without coincurve": "eth_keys.backends.NativeECCBackend",
    "with coincurve": "eth_keys.backends.CoinCurveECCBackend",
}
SIZE = Decimal(20)
GOAL_SECONDS = 0.001
"""From the books to signed orders, half of the time or more."""
Way = Callable[[bytes], Awaitable[Any]]
Send = Callable[[Any], Awaitable[object]]


def environment(address: str) -> Any:
    ws = address.replace("http", "ws")
    names = [field.name for field in dataclasses.fields(CONFIG)]
    urls = {name: address for name in names if name.endswith("_url")}
    urls |= {name: f"{ws}/ws/none" for name in names if name.endswith("_ws_url")}
    config = dataclasses.replace(CONFIG, **{**urls, "rpc_url": f"{address}/rpc"})
    return create_environment(name="embedded", config=config)


async def connect(address: str, wallet: str) -> AsyncSecureClient:
    return await AsyncSecureClient.create(
        private_key=KEY, wallet=wallet, environment=environment(address)
    )


async def fund(address: str, wallet: str) -> None:
    orders = {
        "deposit": {"wallet": wallet, "usd": "1000000"},
        "allow": {"wallet": wallet},
        "conduct": {"order_rate": 1_000_000, "order_burst": 1_000_000},
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        (await http.post(f"{address}/_control", json=orders)).raise_for_status()


def tokens() -> list[str]:
    exchange = build("quiet", 1, SystemClock())
    return [exchange.by_slug(f"plain-{number}").yes for number in (1, 2)]


# One signature, in a process of its own for each backend.


async def sign_here(address: str) -> None:
    """Print the seconds that each signature took, as JSON."""
    client, token, taken = await connect(address, WALLETS["EOA"]), tokens()[0], []
    try:
        for _ in range(SIGNATURES + 20):
            started = time.perf_counter()
            await client.create_limit_order(
                asset_id=token, price=Decimal("0.10"), size=SIZE, side="BUY"
            )
            taken.append(time.perf_counter() - started)
    finally:
        await client.close()
    print(json.dumps(taken[20:]))


async def signatures(address: str) -> None:
    print(f"one order signed by the official client, {SIGNATURES} times, EOA")
    for name, backend in BACKENDS.items():
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            address,
            env={**os.environ, "ECC_BACKEND_CLASS": backend},
            stdout=subprocess.PIPE,
        )
        out, _ = await child.communicate()
        print(f"  {name:<34} {figures(json.loads(out))}")


# From a changed book to orders.


def changed(token_ids: Sequence[str], number: int) -> bytes:
    """The books of both legs as the exchange sends them, with new best prices."""
    cents = 2 + number % 8
    books = [
        {
            "market": "0x" + "ab" * 32,
            "asset_id": token,
            "timestamp": str(1_763_700_000_000 + number),
            "hash": "ab" * 20,
            "bids": [{"price": "0.01", "size": "500"}],
            "asks": [{"price": f"{(cents + deep) / 100:g}", "size": "500"} for deep in (9, 6, 3)],
            "min_order_size": "5",
            "tick_size": "0.01",
            "neg_risk": False,
            "last_trade_price": "0.42",
        }
        for token in token_ids
    ]
    return json.dumps(books, separators=(",", ":")).encode()


def plain(client: AsyncSecureClient) -> tuple[Way, Send]:
    """Leg by leg, as the official client's examples do it."""

    async def sign(answer: bytes) -> list[SignedOrder]:
        made = []
        for book in orjson.loads(answer):
            best = min(Decimal(level["price"]) for level in book["asks"])
            order = await client.create_limit_order(
                asset_id=book["asset_id"], price=best, size=SIZE, side="BUY"
            )
            made.append(dataclasses.replace(order, order_type="FOK"))
        return made

    async def send(orders: list[SignedOrder]) -> None:
        for order in orders:
            # Nobody sells that low: after every check, "not filled" is the answer each way.
            with contextlib.suppress(RequestRejectedError):
                await client.post_order(order)

    return sign, send


def best_asks(answer: bytes) -> list[tuple[str, Decimal]]:
    # The column decoder is for hundreds of books; for two, the plain one is quicker.
    return [(book.token, Decimal(book.best_ask).scaleb(-6)) for book in slow(answer).books]


def batched(client: AsyncSecureClient) -> tuple[Way, Send]:
    """The official client with all legs in one request."""

    async def sign(answer: bytes) -> list[SignedOrder]:
        made = [
            await client.create_limit_order(asset_id=token, price=best, size=SIZE, side="BUY")
            for token, best in best_asks(answer)
        ]
        return [dataclasses.replace(order, order_type="FOK") for order in made]

    async def send(orders: list[SignedOrder]) -> None:
        await client.post_orders(orders)

    return sign, send


def ours(trading: PolymarketTrading) -> tuple[Way, Send]:
    """What an executor calls."""
    clock = SystemClock()

    async def sign(answer: bytes) -> Sequence[Order]:
        return await trading.prepare(
            [
                Order(
                    id=OrderId(f"plan/{leg}/BUY/1"),
                    outcome=OutcomeId(POLYMARKET, token),
                    market=MarketId("m"),
                    side=Side.BUY,
                    limit=Price(best),
                    size=Shares(SIZE),
                    time_in_force=TimeInForce.FOK,
                    expires_at=clock.now(),
                )
                for leg, (token, best) in enumerate(best_asks(answer))
            ]
        )

    return sign, trading.submit


def settings(address: str, wallet: str) -> Settings:
    ws = address.replace("http", "ws")
    names = ("gamma_url", "clob_url", "data_url", "relayer_url")
    flags = {f"polymarket.{name}": address for name in names} | {
        "polymarket.geoblock_url": f"{address}/api/geoblock",
        "polymarket.rpc_urls": [f"{address}/rpc"],
        "polymarket.market_ws_url": f"{ws}/ws/market",
        "polymarket.user_ws_url": f"{ws}/ws/user",
        "polymarket.wallet": wallet,
        "polymarket.private_key": KEY,
    }
    return load(flags=flags).settings


async def race(address: str, name: str, wallet: str) -> None:
    async with (
        live_venue(settings(address, wallet), LivePermit(wallet)) as (_, live),
        await connect(address, wallet) as bare,
        await connect(address, wallet) as quick,
    ):
        assert quicken(quick, Contracts())
        ways = {
            "plain: leg after leg": plain(bare),
            "the same in one batch": batched(bare),
            "ours, signing alone": batched(quick),
            "ours, as it trades": ours(live.trading),
        }
        signed: dict[str, list[float]] = {way: [] for way in ways}
        answered: dict[str, list[float]] = {way: [] for way in ways}
        token_ids = tokens()
        gc.collect()
        gc.freeze()  # what is there for good is not walked through again
        try:
            for number in range(ROUNDS + 20):
                answer = changed(token_ids, number)
                turn = number % len(ways)  # nobody always comes after the same one
                for way, (sign, send) in [*ways.items()][turn:] + [*ways.items()][:turn]:
                    started = time.perf_counter()
                    orders = await sign(answer)
                    ready = time.perf_counter()
                    await send(orders)
                    answered[way].append(time.perf_counter() - started)
                    signed[way].append(ready - started)
            await profile(live.trading, token_ids, name)
        finally:
            gc.unfreeze()
    print(f"changed books to two signed legs, {ROUNDS} rounds, {name}, goal p50 1 ms")
    for way, taken in signed.items():
        met = "" if statistics.median(taken[20:]) > GOAL_SECONDS else "   goal met"
        print(f"  {way:<22} signed      {figures(taken[20:])}{met}")
        print(f"  {'':<22} answered    {figures(answered[way][20:])}")


# Where the time goes.

PARTS = {
    "typed data (eth_account, eth_abi, eth_utils)": ("eth_account", "eth_abi", "eth_utils"),
    "curve (eth_keys, coincurve)": ("eth_keys", "coincurve", "secp256k1"),
    "keccak (eth_hash, pycryptodome)": ("eth_hash", "Crypto"),
    "pydantic": ("pydantic", "pydantic_core"),
    "HTTP (httpx, httpcore, h11, anyio)": ("httpx", "httpcore", "h11", "h2", "anyio", "sniffio"),
    "the official client itself": ("polymarket",),
    "decoding the books (arb, numpy)": ("arb", "numpy", "msgspec"),
    "waiting for the exchange": ("poll",),
}


async def profile(trading: PolymarketTrading, token_ids: Sequence[str], name: str) -> None:
    """Shares of our way's time; the profiler slows small Python functions down most."""
    sign, send = ours(trading)
    for title, sends in ("to signed", False), ("to answered", True):
        watch = cProfile.Profile()
        watch.enable()
        for number in range(100):
            orders = await sign(changed(token_ids, number))
            if sends:
                await send(orders)
        watch.disable()
        spent: Counter[str] = Counter()
        for (file, _, function), row in pstats.Stats(watch).stats.items():  # type: ignore[attr-defined]
            spent[part_of(file, function)] += row[2]
        whole = sum(spent.values())
        print(f"where the time goes, ours, {name}, {title}")
        for part, seconds in spent.most_common(8):
            print(f"  {part:<46} {seconds / whole:6.1%}")


def part_of(file: str, function: str) -> str:
    for part, names in PARTS.items():
        if any(f"/{one}/" in file or one in function for one in names):
            return part
    return "the rest (asyncio, decimal, json, …)"


def figures(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {statistics.median(seconds) * 1e3:7.3f} ms   p99 {cuts[98] * 1e3:7.3f} ms"


async def main() -> None:
    async with exchange_process("quiet", 1) as address:
        for wallet in WALLETS.values():
            await fund(address, wallet)
        await signatures(address)
        for name, wallet in WALLETS.items():
            await race(address, name, wallet)


if __name__ == "__main__":
    asyncio.run(sign_here(sys.argv[1]) if len(sys.argv) > 1 else main())
