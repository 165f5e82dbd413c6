"""Bots beside the orchestrator, or by themselves."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from arb.adapters.bots.definition import Bots
from arb.adapters.bots.executor import BotTrading
from arb.adapters.bots.files import Folder
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.process import hide_ourselves
from arb.adapters.bots.status import BotState, Status, read_status, runs
from arb.adapters.bots.supervisor import Changed, Supervisor, SupervisorOptions
from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database
from arb.adapters.storage.queries import LedgerReads
from arb.config.sources import Loaded, inherited
from arb.domain.bot import BotDeed, BotEvent
from arb.domain.errors import ConfigError, NotReady
from arb.domain.market import VenueId
from arb.domain.news import BotChanged, Trouble
from arb.domain.report import Problem, ProblemKind
from arb.engine.context import TradingContext
from arb.engine.venues import Venues
from arb.operations.bot_files import bots_of, comm_folder, some_bots
from arb.runtime.bots_at_work import BotsAtWork
from arb.runtime.bots_kept import kept
from arb.runtime.signals import on_stop

DELIVER_SECONDS = 0.5


@contextlib.asynccontextmanager
async def with_bots(
    loaded: Loaded, context: TradingContext
) -> AsyncIterator[tuple[TradingContext, "BotsAtWork | None"]]:
    """The context with bots before its trading, where there are any; they run with the block.

    Args:
        loaded: The settings.
        context: The context without them.

    Raises:
        ConfigError: The definitions are wrong, or a bot with its own account is to trade live.
        NotReady: Another process runs the bots of this folder.
    """
    bots = bots_of(loaded.settings)
    if not bots.definitions:
        yield context, None
        return
    own = [name for name, found in bots.definitions.items() if found.does == "executes"]
    if own and context.mode == "live":
        raise ConfigError(f"bot.{own[0]}.does = 'executes': such bots work on paper only")

    def tell(who: str, what: str) -> None:
        context.news.publish(Trouble(Problem(kind=ProblemKind.BOT, where=f"bot {who}", what=what)))

    trading: dict[VenueId, BotTrading] = {}
    states: dict[str, BotState] = {}

    def changed(bot: str, state: BotState, how: str) -> None:
        by_itself = states.get(bot) is BotState.RESTARTING
        states[bot] = state
        if state is BotState.RUNNING and not by_itself:  # a person has started it
            for one in trading.values():
                one.forgive(bot)
        context.news.publish(BotChanged(bot, state.value, how))
        if state is not BotState.UNKNOWN:
            at = context.clock.now()
            record(BotEvent(bot=bot, deed=BotDeed(state.value), at=at, detail=how))

    async with (
        kept(context.ledger) as record,
        opened(loaded, tell) as mailbox,
        contextlib.AsyncExitStack() as stack,
    ):
        ready, supervisor = _ready_by_files(mailbox, bots), None
        if loaded.settings.bots.supervise:
            supervisor = await stack.enter_async_context(
                supervised(loaded, bots, mailbox, tell, changed)
            )
            ready = supervisor.ready
        else:
            following = asyncio.create_task(_follow(mailbox, bots, changed))
            stack.callback(following.cancel)
        trading |= {
            venue: BotTrading(
                inner=inner,
                bots=bots,
                mailbox=mailbox,
                clock=context.clock,
                ready=ready,
                base=Path.cwd(),
                inherited=inherited(),
                tell=tell,
                record=record,
                look=at.books.fetch if context.mode != "live" else None,
            )
            for venue, at in context.venues.items()
            if (inner := at.trading) is not None
        }
        deliverer = asyncio.create_task(_deliver(list(trading.values())))
        stack.callback(deliverer.cancel)
        for found in trading.values():
            context.news.subscribe(found.observe)
        reads = LedgerReads(Database(loaded.settings.database.url), context.ledger.account)
        stack.push_async_callback(reads.close)
        at_work = BotsAtWork(
            loaded, bots, context.clock, list(trading.values()), supervisor, reads.bots
        )

        def forgive() -> None:
            for found in trading.values():
                found.forgive()

        venues = Venues(
            replace(venue, trading=trading.get(id_)) for id_, venue in context.venues.items()
        )
        yield replace(context, venues=venues, forgive=forgive), at_work


async def run_bots(loaded: Loaded, said: Callable[[str], None]) -> None:
    """The bots alone, until SIGINT or SIGTERM.

    Raises:
        ConfigError: There are none, or the definitions are wrong.
        NotReady: Another process runs the bots of this folder.
    """
    bots = some_bots(loaded)
    stopped = asyncio.Event()

    def tell(who: str, what: str) -> None:
        said(f"{who}: {what}")

    def changed(bot: str, state: BotState, how: str) -> None:
        said(f"{bot} is {state.value}: {how}")

    async with (
        opened(loaded, tell) as mailbox,
        supervised(loaded, bots, mailbox, tell, changed) as supervisor,
    ):
        said(f"{len(supervisor.statuses())} bots are watched; Ctrl-C stops them.")
        with on_stop(stopped.set):
            await stopped.wait()


@contextlib.asynccontextmanager
async def opened(loaded: Loaded, tell: Callable[[str, str], None]) -> AsyncIterator[Mailbox]:
    """The bots' mailbox; `tell` gets what is set aside."""

    def aside(reason: str, name: str) -> None:
        tell("mailbox", f"{name} is set aside: {reason}")

    mailbox = Mailbox(comm_folder(loaded), SystemClock(), aside)
    try:
        yield mailbox
    finally:
        mailbox.close()


@contextlib.asynccontextmanager
async def supervised(
    loaded: Loaded,
    bots: Bots,
    mailbox: Mailbox,
    tell: Callable[[str, str], None],
    changed: Changed,
) -> AsyncIterator[Supervisor]:
    """The bots' processes, watched while the block runs.

    Raises:
        NotReady: Another process runs the bots of this folder.
    """
    settings = loaded.settings.bots
    options = SupervisorOptions(
        base=Path.cwd(), logs=Path(settings.logs), monitor_seconds=settings.monitor_interval
    )
    # A bot of the same user could read our environment, with the keys in it, from /proc.
    hide_ourselves()
    with _only_one(comm_folder(loaded)):
        supervisor = Supervisor(
            bots.definitions,
            mailbox,
            options,
            SystemClock(),
            inherited(),
            alarm=tell,
            changed=changed,
        )
        await supervisor.open()
        try:
            yield supervisor
        finally:
            await supervisor.close()


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / "supervisor.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NotReady(
                f"another process runs the bots of {folder}; stop it, or set "
                "ARB_BOTS__SUPERVISE=false"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _ready_by_files(mailbox: Mailbox, bots: Bots) -> Callable[[], Collection[str]]:
    """Which bots run under another process, by their files."""
    run = Folder(mailbox.path / "run")

    def ready() -> Collection[str]:
        found = {name: read_status(run, name) for name in bots.definitions}
        return frozenset(
            name
            for name, status in found.items()
            if status is not None
            and (status.beat_at is not None or not bots.definitions[name].beats)
            and runs(status)
        )

    return ready


async def _follow(mailbox: Mailbox, bots: Bots, changed: Changed) -> None:
    """Report the state of bots that another process runs, from their files."""
    run = Folder(mailbox.path / "run")
    try:
        known = {name: read_status(run, name) for name in bots.definitions}
        while True:
            await asyncio.sleep(DELIVER_SECONDS)
            for name, before in known.items():
                now = known[name] = read_status(run, name)
                for state, how in _between(before, now):
                    changed(name, state, how)
    finally:
        run.close()


def _between(before: Status | None, now: Status | None) -> Iterator[tuple[BotState, str]]:
    """What has happened to a bot between two reads of its file."""
    if now is None or (before and (before.state, before.pid) == (now.state, now.pid)):
        return
    ended = f"it ended by itself, {now.last_exit}"
    running, by_itself = now.state is BotState.RUNNING, now.state is BotState.RESTARTING
    if running and before and before.state is BotState.RUNNING and now.restarts > before.restarts:
        yield BotState.RESTARTING, ended
    yield now.state, f"process {now.pid}" if running else ended if by_itself else now.last_exit


async def _deliver(trading: Sequence[BotTrading]) -> None:
    while True:
        await asyncio.sleep(DELIVER_SECONDS)
        for one in trading:
            one.deliver()
