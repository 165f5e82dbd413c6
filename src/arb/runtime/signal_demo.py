"""Statistical strategies on made-up prices: days of them within seconds, by virtual time.

The exchange is the embedded one, read by the protocol of the real one; what moves is its clock and
the quotes of four markets, a random walk. Whatever a strategy makes of that is luck.
"""

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from arb.adapters.storage import Database
from arb.adapters.storage.queries import LedgerReads
from arb.bootstrap import paper_context
from arb.config.sources import Loaded, load, reach_directly
from arb.domain.money import MICRO
from arb.exchange.api.server import serve
from arb.exchange.in_process import VirtualClock
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.scenario import build
from arb.operations.logs import set_up_logs
from arb.runtime.signal_trading import signals_over
from arb.views.ledger import Plan
from arb.views.shape import as_json

DAYS = 7
PAST_DAYS = 30
HOUR = 3600
CENT = MICRO // 100
SHARES = 5000 * MICRO
"""On offer at each quote."""
INSTANCES: tuple[tuple[str, str, dict[str, int]], ...] = (
    ("MACrossoverStrategy", "plain-1", {"fast_period": 5, "slow_period": 15}),
    ("RSIStrategy", "plain-2", {}),
    ("GridTradingStrategy", "plain-3", {"grid_levels": 6, "grid_spacing_pct": 5}),
    ("MACDBollingerStrategy", "plain-4", {}),
)
QUICK = 1_000_000
"""Requests within ten seconds: virtual time asks for days of them at once."""


@dataclass(frozen=True, slots=True)
class SignalDemo:
    """What the account did."""

    account: dict[str, Any]
    """The document of `GET /signals`."""
    plans: Sequence[Plan]
    """The oldest first."""
    hours: int


async def run_signal_demo(seed: int, tell: Callable[[str], None]) -> SignalDemo:
    """Let four strategies trade through days of a random walk, an hour at a time.

    Raises:
        ConfigError: The extra for indicators is not installed.
    """
    clock, chance = VirtualClock(), random.Random(f"signals/{seed}")
    exchange = build("quiet", seed, clock)
    quotes = {market: chance.randint(30, 70) for _, market, _ in INSTANCES}
    _quote(exchange, quotes)
    exchange.history.imagine(PAST_DAYS, str(seed))
    reach_directly("127.0.0.1")
    async with serve(exchange) as address:
        tell(f"The embedded exchange listens at {address}, with {PAST_DAYS} days of past prices.")
        tell(f"{DAYS} days of a random walk follow, an hour at a time, in virtual time…")
        with tempfile.TemporaryDirectory(prefix="arb-demo-") as folder:
            loaded = _loaded(address, folder)
            set_up_logs(loaded, level="CRITICAL")
            async with (
                paper_context(loaded.settings, clock=clock) as beside,
                signals_over(loaded.settings, beside) as trader,
            ):
                for strategy, market, params in INSTANCES:
                    await trader.add(strategy, market, "1h", dict(params))
                for hour in range(DAYS * 24):
                    clock.seconds = (hour + 1) * HOUR
                    _walk(quotes, chance)
                    _quote(exchange, quotes)
                    await trader.watch()
                    await trader.follow()
                    if hour % 6 == 0:
                        await trader.value()
                await trader.value()
                account = as_json(await trader.shown())
                reads = LedgerReads(
                    Database(loaded.settings.database.url), loaded.settings.signals.account
                )
                try:
                    plans = (await reads.plans(limit=1000))[::-1]
                finally:
                    await reads.close()
    return SignalDemo(account, plans, DAYS * 24)


def _loaded(address: str, folder: str) -> Loaded:
    return load(
        flags={
            "polymarket.gamma_url": address,
            "polymarket.clob_url": address,
            "polymarket.data_url": address,
            "polymarket.quarantine_folder": "",
            "polymarket.universe_max_age_seconds": 366 * 86_400,
            "polymarket.requests_per_10_seconds.default": QUICK,
            "polymarket.requests_per_10_seconds.books": QUICK,
            "polymarket.requests_per_10_seconds.clob-markets": QUICK,
            "database.url": f"sqlite+aiosqlite:///{folder}/demo.db",
            "logging.folder": "",
            "trading.account": "paper:demo",
            "signals.enabled": True,
            "signals.account": "paper:signals",
            "signals.warm_up": 100,
        },
        folder=Path(folder),
    )


def _walk(quotes: dict[str, int], chance: random.Random) -> None:
    for market, bid in quotes.items():
        quotes[market] = min(max(bid + chance.randint(-2, 2), 5), 94)


def _quote(exchange: Exchange, quotes: dict[str, int]) -> None:
    """A cent between bid and ask, in whole cents."""
    for slug, bid in quotes.items():
        market = exchange.by_slug(slug)
        assert market is not None
        market.tick, market.fee_rate = Decimal("0.01"), Decimal("0.04")
        bids, asks = ((bid * CENT, SHARES),), (((bid + 1) * CENT, SHARES),)
        exchange.set_book(market.yes, bids, asks)
