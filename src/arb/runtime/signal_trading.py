"""Statistical strategies beside the run: three loops, on paper, in an account of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from arb.adapters.clock import SystemClock
from arb.adapters.telemetry.news_log import NewsLog
from arb.bootstrap import need_signals, signal_context, signal_options
from arb.config.schema import Settings
from arb.config.sources import Loaded
from arb.domain.news import News, SignalSeen
from arb.engine.context import TradingContext
from arb.engine.control import Control
from arb.interlocks import BlockCode, Interlock
from arb.publisher import Publisher
from arb.views.signals import LABEL

if TYPE_CHECKING:
    from arb.engine.signals import SignalTrader


@contextlib.asynccontextmanager
async def with_signals(
    loaded: Loaded, context: TradingContext, control: Control
) -> AsyncIterator[None]:
    """The strategies of `[signals]` at work while the block runs, where they are enabled.

    Args:
        loaded: The settings.
        context: What the run trades with; its venues are read here, and never traded at.
        control: The run's commands: an operator who pauses it pauses this, too.

    Raises:
        ConfigError: The extra is not installed, or the account is the run's own.
        LedgerError: The ledger cannot be used.
    """
    settings = loaded.settings
    if not settings.signals.enabled:
        yield
        return
    halted = Interlock(BlockCode.HALTED_BY_COMMAND, control.switch.check)
    interlocks = (halted, *context.interlocks)
    async with signals_over(
        settings, replace(context, interlocks=interlocks), forward=context.news.publish
    ) as trader:
        control.signals = trader
        try:
            async with _looping(trader):
                yield
        finally:
            control.signals = None


@contextlib.asynccontextmanager
async def signals_over(
    settings: Settings,
    context: TradingContext,
    forward: Callable[[News], None] = lambda _news: None,
) -> "AsyncIterator[SignalTrader]":
    """A trader that follows signals, set up and at rest.

    Args:
        settings: Among them `[signals]`.
        context: The venues that it reads, and the ledger of the account beside which it works.
        forward: Gets what its strategies say, as news of the run.

    Raises:
        ConfigError: The extra is not installed, or the account is the run's own.
        LedgerError: The ledger cannot be used.
    """
    need_signals()
    from arb.engine.signals import SignalTrader  # noqa: PLC0415  # an extra

    log = NewsLog(live=False, monotonic=SystemClock().monotonic, label=LABEL)

    def told(news: News) -> None:
        (forward if isinstance(news, SignalSeen) else log)(news)

    async with signal_context(settings, context, Publisher([told])) as (own, memory):
        engine, signals = signal_options(settings)
        trader = SignalTrader(own, engine, signals, memory, context.ledger.standing)
        await trader.setup()
        yield trader


@contextlib.asynccontextmanager
async def _looping(trader: "SignalTrader") -> AsyncIterator[None]:
    """The three loops; when the block ends, each finishes its turn."""
    stopped, options = asyncio.Event(), trader.options
    never = asyncio.Event()
    loops = [
        asyncio.create_task(_every(seconds, look, stopped, early))
        for seconds, look, early in (
            (options.strategy_interval, trader.follow, trader.added),
            (options.position_interval, trader.watch, never),
            (options.portfolio_interval, trader.value, never),
        )
    ]
    try:
        yield
    finally:
        stopped.set()
        await asyncio.gather(*loops)


async def _every(
    seconds: float,
    look: Callable[[], Awaitable[None]],
    stopped: asyncio.Event,
    early: asyncio.Event,
) -> None:
    """Look every so often, and early where that is asked for, until it is stopped."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while not stopped.is_set():
        await look()
        due = max(due + seconds, loop.time())
        waits = [asyncio.create_task(event.wait()) for event in (stopped, early)]
        await asyncio.wait(waits, timeout=due - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
