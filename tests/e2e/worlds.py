"""Live worlds: a funded wallet at the embedded exchange, and settings that trade with it."""

import contextlib

from arb.adapters.clock import SystemClock
from arb.domain.money import from_micro
from tests.conftest import environment_for, settings_for
from tests.exchange.venue import KEY, WALLETS, venue

RELAYER_KEY = "relayer-key-of-the-tests"


@contextlib.asynccontextmanager
async def live_world(kind="eoa", scenario="demo", usd="5000", only=None):
    """The exchange, with a wallet that may trade at once; `only` keeps one event."""
    async with venue(scenario) as at:
        if only is not None:
            at.exchange.show([e for e in at.exchange.events if e.slug == only])
        wallet = WALLETS[kind]
        await at.fund(wallet, usd)
        await at.control(chain={"pol": {wallet: str(10**18)}})
        yield at, wallet


def live_settings(address, folder, wallet, **flags):
    ws = address.replace("http", "ws")
    return settings_for(
        address,
        folder,
        **{
            "polymarket.relayer_url": address,
            "polymarket.rpc_urls": [f"{address}/rpc"],
            "polymarket.market_ws_url": f"{ws}/ws/market",
            "polymarket.user_ws_url": f"{ws}/ws/user",
            "polymarket.wallet": wallet,
            "polymarket.private_key": KEY,
            "polymarket.relayer_key": RELAYER_KEY,
            "polymarket.relayer_key_address": WALLETS["eoa"],
            "polymarket.relayer_poll_ms": 50,
            "polymarket.settlement_quiet_seconds": 3,
            "trading.answer_wait": 20,
            "trading.live": True,
            **flags,
        },
    )


def live_environment(address, folder, wallet):
    ws = address.replace("http", "ws")
    return environment_for(address, folder) | {
        "ARB_POLYMARKET__RELAYER_URL": address,
        "ARB_POLYMARKET__RPC_URLS": f'["{address}/rpc"]',
        "ARB_POLYMARKET__MARKET_WS_URL": f"{ws}/ws/market",
        "ARB_POLYMARKET__USER_WS_URL": f"{ws}/ws/user",
        "ARB_POLYMARKET__WALLET": wallet,
        "ARB_POLYMARKET__PRIVATE_KEY": KEY,
        "ARB_POLYMARKET__RELAYER_KEY": RELAYER_KEY,
        "ARB_POLYMARKET__RELAYER_KEY_ADDRESS": WALLETS["eoa"],
        "ARB_POLYMARKET__RELAYER_POLL_MS": "50",
        "ARB_POLYMARKET__SETTLEMENT_QUIET_SECONDS": "3",
        "ARB_TRADING__LIVE": "true",
    }


async def differences(at, wallet, ledger):
    """Where a ledger and the exchange do not agree, to the micro-unit."""
    await at.settle()
    truth = await at.truth()
    portfolio = await ledger.portfolio(SystemClock().now())
    there = truth["accounts"][wallet.lower()]
    found = list(truth["problems"])
    if portfolio.cash != from_micro(there["usd"]):
        found.append(f"cash {portfolio.cash} != {from_micro(there['usd'])}")
    held = {o.token: p.shares for o, p in portfolio.positions.items() if p.shares}
    if held != {t: from_micro(n) for t, n in there["tokens"].items()}:
        found.append(f"shares {held} != {there['tokens']}")
    return found
