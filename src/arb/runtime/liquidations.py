"""Liquidations beside the run, or alone: a look every few seconds, in an account of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from arb.adapters.clock import SystemClock
from arb.adapters.storage.database import file_of
from arb.adapters.telemetry.logs import log_news
from arb.bootstrap import liquidator
from arb.config.schema import Settings
from arb.config.sources import Loaded
from arb.domain.attempt import AttemptSums
from arb.domain.errors import NotReady, VenueError
from arb.domain.halt import Standing, TradingState
from arb.domain.market import VenueId
from arb.domain.news import AttemptsChanged, ChainSeen
from arb.engine.context import TradingContext
from arb.engine.control import Control
from arb.interlocks import BlockCode, Interlock, no_sending
from arb.operations.halt_file import sentinel_of
from arb.operations.leader import one_leader
from arb.publisher import Publisher
from arb.runtime.signals import stoppable

if TYPE_CHECKING:
    from arb.onchain.liquidations.liquidator import Liquidator, Look

GAS_EVERY = 12
"""Looks between two looks at what the wallet has for gas."""


@contextlib.asynccontextmanager
async def with_liquidations(
    loaded: Loaded, context: TradingContext, control: Control, *, live: bool
) -> AsyncIterator[None]:
    """The loans of `[liquidations]` watched while the block runs, where that is enabled.

    Args:
        loaded: The settings.
        context: What the run trades with; its news get these, too.
        control: The run's commands: a halt of the run halts this.
        live: The second of the two keys for sending.

    Raises:
        ConfigError: A setting is missing, or the extra is not installed.
        LedgerError: The ledger cannot be used.
        NotReady: Something is to be sent, and a check has failed.
    """
    settings = loaded.settings
    if not settings.liquidations.enabled:
        yield
        return
    halted = Interlock(BlockCode.HALTED_BY_COMMAND, control.switch.check)
    interlocks = (halted, *context.interlocks)

    def blocked() -> str:
        found = no_sending(interlocks)
        return "" if found is None else found.reason or found.code.sentence

    sends = live and settings.liquidations.live
    async with liquidator(
        settings, context.news, kept=True, live=sends, blocked=blocked
    ) as watching:
        await ready(watching)
        stop = asyncio.Event()
        task = asyncio.create_task(_look_on(watching, context.news, settings, stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(task, return_exceptions=True)


async def watch(
    loaded: Loaded, on_look: Callable[["Look", AttemptSums], None], *, live: bool
) -> None:
    """Look until SIGINT or SIGTERM, without a run beside it.

    Args:
        loaded: The settings.
        on_look: Gets each look, and how the account stands then.
        live: The second of the two keys for sending.

    Raises:
        LedgerLocked: Another process works on the ledger.
        NotReady: Something is to be sent, and a check has failed.
    """
    settings = loaded.settings
    account, stop = settings.liquidations.account, asyncio.Event()
    sentinel = sentinel_of(settings.database.url)

    def blocked() -> str:
        accounts = (account, *settings.accounts)
        reasons = (sentinel.reason(one) for one in accounts) if sentinel else ()
        return next((reason for reason in reasons if reason), "")

    news = Publisher([log_news])
    async with (
        one_leader(settings.database, account),
        liquidator(settings, news, kept=True, live=live, blocked=blocked) as watching,
    ):
        await ready(watching)

        async def work() -> None:
            await _look_on(watching, news, settings, stop, on_look)

        await stoppable(work(), stop.set)


async def look_once(loaded: Loaded) -> tuple["Look", AttemptSums, Standing]:
    """One look; nothing is sent or kept. With how the account stands in the ledger.

    Raises:
        VenueError: The chain cannot be read.
        ConfigError: A setting is missing, or the extra is not installed.
    """
    file = file_of(loaded.settings.database.url)
    kept = file is None or file.exists()
    async with liquidator(loaded.settings, kept=kept) as watching:
        await watching.recall()
        seen = await watching.look(keep=False)
        return seen, watching.sums(seen), watching.standing


async def command(loaded: Loaded, state: TradingState, reason: str) -> None:
    """An operator's word on liquidations alone: halted, or going on.

    Raises:
        LedgerError: It could not be written down.
    """
    now = SystemClock().now()
    async with liquidator(loaded.settings, kept=True) as watching:
        standing = Standing(state=state, reason=reason, since=now, by_operator=True)
        await watching.command(standing)


async def ready(watching: "Liquidator") -> None:
    """Read the account; where something is to be sent, check what that takes.

    Raises:
        NotReady: A check has failed.
    """
    if watching.live:
        failed = [one for one in await watching.checks() if not one.passed]
        if failed:
            first = failed[0]
            raise NotReady(f"{first.name}: {first.detail}; {first.fix}")
    await watching.start()


async def _look_on(
    watching: "Liquidator",
    news: Publisher,
    settings: Settings,
    stop: asyncio.Event,
    on_look: Callable[["Look", AttemptSums], None] | None = None,
) -> None:
    news.publish(AttemptsChanged(watching.account, watching.standing))
    looks = 0

    async def after(seen: "Look | None") -> None:
        nonlocal looks
        if seen is not None and on_look is not None:
            on_look(seen, watching.sums(seen))
        if seen is not None and looks % GAS_EVERY == 0:
            with contextlib.suppress(VenueError):
                state = await watching.gas()
                if state is not None:
                    news.publish(ChainSeen(VenueId(settings.chain.name), state))
        looks += 1

    await watching.run(stop, after)
