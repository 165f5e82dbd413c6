"""Signing an order with and without coincurve, and from changed books to signed, sent orders.

The official client against the embedded exchange over loopback. The peers are its plain use, leg by
leg, and the same with all legs in one request. Ours is the adapter's `prepare` and `submit`, which
also check what was signed and know each order's hash; "signing alone" is the official client with
`OrderSigner` and nothing else of ours.
"""

import asyncio
import contextlib
import cProfile
import dataclasses
import gc
import json
import os
import pstats
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import httpx
import orjson
from common import Report, Row, run
from eth_account import Account
from polymarket import PRODUCTION, AsyncSecureClient
from polymarket._internal.environment import create_environment, get_environment_config
from polymarket._internal.wallet import derive_beacon_deposit_wallet_address
from polymarket.errors import RequestRejectedError
from polymarket.models.clob.orders import SignedOrder

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.client import LivePermit
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.decode import decode_books
from arb.adapters.polymarket.signer import quicken
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.polymarket.trading import PolymarketTrading
from arb.bootstrap import live_venue
from arb.config.schema import Settings
from arb.config.sources import load
from arb.domain.market import MarketId, OutcomeId, Side
from arb.domain.money import Price, Shares, from_micro
from arb.domain.order import Order, OrderId
from arb.domain.venue import TimeInForce
from arb.exchange.market.scenario import build
from arb.runtime.demo import exchange_process

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
WARM = 20
"""Rounds before those that count."""
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
GOAL = "goal: two legs signed in 1 ms, half of the time or more"
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


async def sign_here(address: str, rounds: int) -> None:
    """Print the seconds that each signature took, as JSON."""
    client, token, taken = await connect(address, WALLETS["EOA"]), tokens()[0], []
    try:
        for _ in range(rounds + WARM):
            started = time.perf_counter()
            await client.create_limit_order(
                asset_id=token, price=Decimal("0.10"), size=SIZE, side="BUY"
            )
            taken.append(time.perf_counter() - started)
    finally:
        await client.close()
    print(json.dumps(taken[WARM:]))


async def signatures(address: str, rounds: int) -> Row:
    found = []
    for backend in BACKENDS.values():
        child = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "sign", address, str(rounds),
            env={**os.environ, "ECC_BACKEND_CLASS": backend}, stdout=subprocess.PIPE,
        )  # fmt: skip
        out, _ = await child.communicate()
        found.append(json.loads(out))
    return Row("one signature, with coincurve", "without coincurve", *found)


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
    return [(book.token, from_micro(book.best_ask)) for book in decode_books(answer).books]


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


async def race(address: str, name: str, wallet: str, rounds: int) -> tuple[list[Row], list[str]]:
    async with (
        live_venue(settings(address, wallet), LivePermit(wallet)) as (_, live),
        await connect(address, wallet) as bare,
        await connect(address, wallet) as quick,
    ):
        assert quicken(quick, Contracts())
        ways = {
            "leg after leg": plain(bare),
            "one batch": batched(bare),
            "signing alone": batched(quick),
            "ours": ours(live.trading),
        }
        signed: dict[str, list[float]] = {way: [] for way in ways}
        answered: dict[str, list[float]] = {way: [] for way in ways}
        token_ids = tokens()
        gc.collect()
        gc.freeze()  # what is there for good is not walked through again
        try:
            for number in range(rounds + WARM):
                answer = changed(token_ids, number)
                turn = number % len(ways)  # nobody always comes after the same one
                for way, (sign, send) in [*ways.items()][turn:] + [*ways.items()][:turn]:
                    started = time.perf_counter()
                    orders = await sign(answer)
                    ready = time.perf_counter()
                    await send(orders)
                    answered[way].append(time.perf_counter() - started)
                    signed[way].append(ready - started)
            notes = await profile(live.trading, token_ids, name)
        finally:
            gc.unfreeze()

    def row(what: str, peer: str, taken: dict[str, list[float]], way: str = "ours") -> Row:
        return Row(f"{name}: {what}", f"client, {peer}", taken[peer][WARM:], taken[way][WARM:])

    return [
        row("two legs signed", "leg after leg", signed),
        row("two legs answered", "leg after leg", answered),
        row("two legs answered, batch", "one batch", answered),
        row("two legs signed, signing alone", "one batch", signed, "signing alone"),
    ], notes


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


async def profile(trading: PolymarketTrading, token_ids: Sequence[str], name: str) -> list[str]:
    """Shares of our way's time; the profiler slows small Python functions down most."""
    sign, send = ours(trading)
    lines = []
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
        lines.append(f"where the time goes, ours, {name}, {title}")
        lines += [f"  {part:<46} {took / whole:6.1%}" for part, took in spent.most_common(8)]
    return lines


def part_of(file: str, function: str) -> str:
    for part, names in PARTS.items():
        if any(f"/{one}/" in file or one in function for one in names):
            return part
    return "the rest (asyncio, decimal, json, …)"


async def measure(rounds: int) -> Report:
    async with exchange_process("quiet", 1) as address:
        for wallet in WALLETS.values():
            await fund(address, wallet)
        report = Report("from changed books to signed and answered orders", [])
        report.rows.append(await signatures(address, rounds))
        for name, wallet in WALLETS.items():
            rows, notes = await race(address, name, wallet, rounds)
            report.rows += rows
            report.notes += notes
    report.notes.append(GOAL)
    return report


if __name__ == "__main__":
    if sys.argv[1:2] == ["sign"]:
        asyncio.run(sign_here(sys.argv[2], int(sys.argv[3])))
    else:
        run(measure, rounds=400)
