"""Looking at the pools of the settings: once, again and again, and beside the orchestrator."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from loguru import logger

from arb.adapters.bots.definition import NO_BOTS, SPREAD, Bots
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.status import BotState
from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, SqlLedger, open_attempts
from arb.adapters.telemetry.wording import say
from arb.bootstrap import chain as open_chain
from arb.bootstrap import need_onchain
from arb.config.sources import Loaded
from arb.domain.attempt import AttemptStep
from arb.domain.errors import ConfigError, LedgerError, VenueError
from arb.domain.halt import TradingState
from arb.domain.news import Attempted
from arb.operations.bot_files import some_bots
from arb.operations.halt_file import sentinel_of
from arb.operations.leader import one_leader
from arb.operations.logs import set_up_logs
from arb.ports import Clock
from arb.publisher import Publisher
from arb.runtime.bots import opened, supervised
from arb.runtime.bots_at_work import BotsAtWork
from arb.runtime.signals import stoppable

if TYPE_CHECKING:
    from arb.onchain.chain import Chain
    from arb.onchain.spreads.desk import Desk
    from arb.onchain.spreads.hints import HintReader
    from arb.onchain.spreads.scan import Look, SpreadScanner

FINISH_SECONDS, FINISH_STEP = 5.0, 0.1
"""How long bots may still answer once it is stopped."""
PRICE_DIGITS = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """What looks at the chain, and beside it."""

    chain: "Chain"
    scanner: "SpreadScanner"
    hints: "HintReader"
    loaded: Loaded

    async def look(self) -> tuple["Look", Mapping[str, Any]]:
        """What is seen now, also as a document.

        Raises:
            VenueError: No node answers.
        """
        look = await self.scanner.look()
        return look, await self._document(look)

    async def _document(self, look: "Look") -> Mapping[str, Any]:
        options = self.scanner.options
        known = {token.address: token for pool in look.pools for token in pool.tokens}
        found = await self.hints.read(known)
        pools = _pool_prices(look, frozenset(one.lower() for one in options.dollars))
        elsewhere = [
            {
                "source": hint.source,
                "token": hint.token,
                "symbol": known[hint.token].symbol,
                "usd": f"{hint.usd:f}",
                "pools_usd": f"{pools[hint.token]:f}" if hint.token in pools else None,
            }
            for hint in found.prices
        ]
        return {
            "schema": 1,
            "chain": self.loaded.settings.chain.name,
            "block": look.block.number,
            "block_hash": look.block.hash,
            "pools": len(look.pools),
            "ways": look.ways,
            "problem": look.problem or None,
            "unread": dict(look.unread),
            "spreads": [one.document(options) for one in look.certificates],
            "elsewhere": elsewhere,
            "problems": list(found.problems),
        }


@contextlib.asynccontextmanager
async def eyes(loaded: Loaded) -> AsyncIterator[Eyes]:
    """What looks, while the block runs.

    Raises:
        ConfigError: No chain is set, the extra is not installed, or a setting cannot be used.
    """
    need_onchain()
    from arb.onchain.spreads.hints import HintReader  # noqa: PLC0415  # of an extra
    from arb.onchain.spreads.scan import SpreadScanner  # noqa: PLC0415  # of an extra

    settings, clock = loaded.settings, SystemClock()
    options = settings.spreads.options
    async with open_chain(settings) as chain:
        hints = HintReader(
            options,
            chain=settings.chain.name,
            chain_id=settings.chain.chain_id,
            monotonic=clock.monotonic,
            now=clock.now,
        )
        try:
            scanner = SpreadScanner(chain, options, clock)
            yield Eyes(chain=chain, scanner=scanner, hints=hints, loaded=loaded)
        finally:
            await hints.close()


async def look(loaded: Loaded, show: Callable[[Mapping[str, Any]], None], *, watch: bool) -> None:
    """One look, or one each `spreads.interval` until SIGINT or SIGTERM; nothing is kept.

    Args:
        loaded: The settings.
        show: Gets what was seen.
        watch: Whether to go on. A node that fails then costs one look.

    Raises:
        ConfigError: A setting cannot be used.
        VenueError: No node answers.
    """
    set_up_logs(loaded, level="ERROR")
    stopped = asyncio.Event()

    async def looking() -> None:
        async with eyes(loaded) as found:
            await _again_and_again(found, _showing(show), stopped, watch=watch)

    await stoppable(looking(), stopped.set)


async def account(loaded: Loaded, limit: int) -> Mapping[str, Any]:
    """What the account of spreads has: its sums, and its latest steps.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    kept = await open_attempts(loaded.settings.database.url, loaded.settings.spreads.account)
    try:
        facts = await kept.facts()
    finally:
        await kept.close()
    counts = Counter(fact.step for fact in facts)
    returned = [Decimal(fact.values.get("returned_usd", "0")) for fact in facts]
    return {
        "schema": 1,
        "account": kept.account,
        "found": counts[AttemptStep.FOUND],
        "submitted": counts[AttemptStep.SUBMITTED],
        "included": counts[AttemptStep.INCLUDED],
        "reverted": counts[AttemptStep.REVERTED],
        "failed": counts[AttemptStep.FAILED],
        "dropped": counts[AttemptStep.DROPPED],
        "gained_usd": f"{sum((one for one in returned if one > 0), Decimal(0)):f}",
        "lost_usd": f"{-sum((one for one in returned if one < 0), Decimal(0)):f}",
        "returned_usd": f"{sum(returned, Decimal(0)):f}",
        "steps": [
            {
                "id": fact.attempt,
                "at": fact.at.isoformat(),
                "step": fact.step.value,
                "block": fact.block,
                "way": fact.subject,
                "detail": fact.detail,
                "figures": dict(fact.values),
            }
            for fact in reversed(facts[-limit:])
        ],
    }


async def trade(
    loaded: Loaded, show: Callable[[Mapping[str, Any]], None], said: Callable[[str], None]
) -> None:
    """Looks, and hands what is found to the bots of `bots.definitions`, until SIGINT or SIGTERM.

    Args:
        loaded: The settings.
        show: Gets what was seen.
        said: Gets what happens with bots.

    Raises:
        ConfigError: A setting is missing or cannot be used, or no bot takes spreads.
        NotReady: Another process runs the bots of this folder.
        LedgerError: The ledger cannot be used, or another process works on this account.
        VenueError: No node answers.
    """
    set_up_logs(loaded, level="ERROR")
    bots, stopped = some_bots(loaded), asyncio.Event()
    news = Publisher([lambda one: said(say(one)[1])])

    def tell(who: str, what: str) -> None:
        said(f"{who}: {what}")

    def changed(bot: str, state: BotState, how: str) -> None:
        said(f"{bot} is {state.value}: {how}")

    async def trading() -> None:
        async with (
            one_leader(loaded.settings.database, loaded.settings.spreads.account),
            opened(loaded, tell) as mailbox,
            supervised(loaded, bots, mailbox, tell, changed) as supervisor,
            desk(loaded, Bound(bots, mailbox, supervisor.ready), tell, news) as found,
        ):
            seen = _showing(show)

            async def one(look: "Look", document: Mapping[str, Any]) -> None:
                await seen(look, document)
                await found.step(look)

            await _again_and_again(found.eyes, one, stopped, watch=True)
            await found.finish()

    await stoppable(trading(), stopped.set)


@dataclass(frozen=True, slots=True)
class Bound:
    """Bots that run, and how they are spoken to."""

    bots: Bots
    mailbox: Mailbox
    ready: Callable[[], Collection[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A desk with what looks for it."""

    eyes: Eyes
    desk: "Desk"

    async def step(self, look: "Look") -> None:
        """See what bots have answered, and hand over what was found."""
        await self.desk.step(look)

    async def finish(self) -> None:
        """Wait a little for what bots still have: the next run takes up what is left."""
        clock = SystemClock()
        for _ in range(int(FINISH_SECONDS / FINISH_STEP)):
            if not self.desk.waiting:
                return
            await clock.sleep(FINISH_STEP)
            with contextlib.suppress(VenueError):
                await self.desk.collect()


@contextlib.asynccontextmanager
async def desk(
    loaded: Loaded,
    bound: Bound,
    tell: Callable[[str, str], None],
    news: Publisher | None = None,
    *,
    hands_over: bool = True,
) -> AsyncIterator[AtWork]:
    """What hands spreads to bots while the block runs, over the account of `spreads.account`.

    Args:
        loaded: The settings.
        bound: The bots.
        tell: Gets a bot's name and what a person should know of it.
        news: Gets each step.
        hands_over: Whether anything is handed over: the second of the two keys. Otherwise what is
            found is written down.

    Raises:
        ConfigError: A setting is missing or cannot be used, or no bot takes spreads.
        LedgerError: The ledger cannot be used.
    """
    settings = loaded.settings
    if hands_over:
        need_two_keys(loaded)
        if not any(SPREAD in one.kinds for one in bound.bots.definitions.values()):
            raise ConfigError(f'{settings.bots.definitions}: no bot has kinds = ["{SPREAD}"]')
        if not settings.spreads.executor:
            raise ConfigError("bots swap by a contract: ARB_SPREADS__EXECUTOR takes its address")
    async with eyes(loaded) as found, contextlib.AsyncExitStack() as stack:
        from arb.onchain.spreads.desk import Desk  # noqa: PLC0415  # of an extra

        kept = await open_attempts(settings.database.url, settings.spreads.account)
        stack.push_async_callback(kept.close)
        publisher, database = news or Publisher(), Database(settings.database.url)
        stack.push_async_callback(database.close)

        async def blocked() -> str:
            if not hands_over:
                return "nothing is handed over without --live"
            return await _halted(loaded, database)

        made = Desk(
            chain=found.chain,
            scanner=found.scanner,
            bots=bound.bots,
            mailbox=bound.mailbox,
            ready=bound.ready,
            attempts=kept,
            clock=SystemClock(),
            tell=tell,
            blocked=blocked,
            observe=lambda fact: publisher.publish(Attempted(kept.account, fact)),
        )
        await made.open()
        yield AtWork(eyes=found, desk=made)


async def _halted(loaded: Loaded, database: Database) -> str:
    """Why an operator, or a limit, lets nothing new begin; empty: nothing does."""
    settings = loaded.settings
    for account in (*settings.accounts, settings.spreads.account):
        standing = await SqlLedger(database, account).standing()
        sentinel = sentinel_of(settings.database.url)
        if sentinel is not None and (why := sentinel.reason(account)) is not None:
            return f"halted: {why}"
        if standing.state is TradingState.HALTED:
            return f"{standing.word}: {standing.reason}"
    return ""


@contextlib.asynccontextmanager
async def with_spreads(
    loaded: Loaded, bots: BotsAtWork | None, news: Publisher, *, live: bool, clock: Clock
) -> AsyncIterator[None]:
    """Look for spreads while the block runs, where it is switched on; beside the orchestrator.

    What goes wrong costs a look, and never a cycle.

    Args:
        loaded: The settings.
        bots: The bots that run.
        news: Gets each step.
        live: Whether the orchestrator runs with `--live`: the second of the two keys.
        clock: Time.

    Raises:
        ConfigError: A setting is missing or cannot be used.
        LedgerError: The ledger cannot be used.
    """
    settings = loaded.settings.spreads
    if not settings.enabled:
        yield
        return
    async with contextlib.AsyncExitStack() as stack:
        if bots is not None and bots.trading:
            one = bots.trading[0]
            bound = Bound(bots.bots, one.mailbox, one.ready)
        else:
            mailbox = await stack.enter_async_context(opened(loaded, _say))
            bound = Bound(NO_BOTS, mailbox, frozenset)
        hands_over = live and settings.live
        found = await stack.enter_async_context(
            desk(loaded, bound, _say, news, hands_over=hands_over)
        )

        async def now_and_then() -> None:
            while True:
                try:
                    look = await found.eyes.scanner.look()
                    await found.step(look)
                except (VenueError, LedgerError) as error:
                    logger.warning("spreads: {}", error)
                except Exception as error:  # noqa: BLE001  # no reason to end the orchestrator
                    logger.error("spreads: {}: {}", type(error).__name__, error)
                await clock.sleep(settings.interval)

        task = asyncio.create_task(now_and_then())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await found.finish()


def _say(who: str, what: str) -> None:
    logger.warning("{}: {}", who, what)


def need_two_keys(loaded: Loaded) -> None:
    """Stop where the first of the two keys for swapping is missing.

    Raises:
        ConfigError: It is; names it.
    """
    if not loaded.settings.spreads.live:
        raise ConfigError("bots swap with two keys: ARB_SPREADS__LIVE=true and --live")


async def _again_and_again(
    found: Eyes,
    one: Callable[["Look", Mapping[str, Any]], Awaitable[None]],
    stopped: asyncio.Event,
    *,
    watch: bool,
) -> None:
    while not stopped.is_set():
        try:
            await one(*await found.look())
        except VenueError as error:
            if not watch:
                raise
            logger.warning("the chain could not be read: {}", error)
        if not watch:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), found.loaded.settings.spreads.interval)


def _showing(
    show: Callable[[Mapping[str, Any]], None],
) -> Callable[["Look", Mapping[str, Any]], Awaitable[None]]:
    async def one(_look: "Look", document: Mapping[str, Any]) -> None:
        show(document)

    return one


def remarks(seen: Mapping[str, Any]) -> Iterator[str]:
    """What people are told below the table."""
    if "block" in seen:
        yield (
            f"{seen['chain']}, block {seen['block']}: {seen['pools']} pools, {seen['ways']} ways. "
            "What stands here holds at this block and is no guarantee."
        )
    for pool, why in seen.get("unread", {}).items():
        yield f"{pool} could not be read: {why}"
    for one in seen.get("elsewhere", ()):
        here = f"; the pools: {one['pools_usd']}" if one["pools_usd"] else ""
        yield f"{one['symbol']} at {one['source']}: {one['usd']} USD{here}"
    yield from seen.get("problems", ())
    if seen["problem"]:
        yield seen["problem"]


def _pool_prices(look: "Look", dollars: frozenset[str]) -> dict[str, Decimal]:
    """The middle price of each token in its pools with a dollar token, the mean of several."""
    found: dict[str, list[Fraction]] = {}
    for pool in look.pools:
        for token, other in (pool.tokens, pool.tokens[::-1]):
            if other.address in dollars:
                whole = Fraction(10**token.decimals, 10**other.decimals)
                found.setdefault(token.address, []).append(pool.price(token.address) * whole)
    means = {token: sum(prices, Fraction(0)) / len(prices) for token, prices in found.items()}
    return {
        token: (Decimal(mean.numerator) / Decimal(mean.denominator)).quantize(PRICE_DIGITS)
        for token, mean in means.items()
    }
