"""Bots beside the orchestrator, or by themselves."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from arb.adapters.bots.definition import NO_BOTS, Bots, read
from arb.adapters.bots.executor import BotTrading
from arb.adapters.bots.files import Folder
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.output import tail
from arb.adapters.bots.process import hide_ourselves
from arb.adapters.bots.routing import Route, measures, route
from arb.adapters.bots.supervisor import (
    BotState,
    Status,
    Supervisor,
    SupervisorOptions,
    read_status,
    runs,
    stop_leftover,
    write_wish,
)
from arb.adapters.clock import SystemClock
from arb.config.schema import Settings
from arb.config.sources import Loaded, inherited, read_toml
from arb.domain.errors import ConfigError, NotReady
from arb.domain.market import VenueId
from arb.domain.news import News, Trouble
from arb.domain.report import Problem
from arb.engine.control import Refusal, Unheard
from arb.ports import Clock, Desk, Observer
from arb.runtime.reads import find_plan
from arb.runtime.signals import on_stop

DELIVER_SECONDS = 0.5
STARTED_SECONDS = 2.0


def bots_of(settings: Settings) -> Bots:
    """The bots of the definition file; none where there is no file.

    Raises:
        ConfigError: Something in the file is wrong.
    """
    named = settings.bots.definitions
    path = Path(named)
    if not named or not path.exists():
        return NO_BOTS
    return read(read_toml(path), named)


@contextlib.asynccontextmanager
async def with_bots(
    loaded: Loaded, desk: Desk, observers: list[Observer]
) -> AsyncIterator[tuple[Desk, "BotsAtWork | None"]]:
    """The desk with bots before its trading, where there are any; they run as long as the block.

    Args:
        loaded: The settings.
        desk: The desk without them.
        observers: The list that the desk, and its ledger, tell news to.

    Raises:
        ConfigError: The definitions are wrong, or a bot with its own account is to trade live.
        NotReady: Another process runs the bots of this folder.
    """
    bots = bots_of(loaded.settings)
    if not bots.definitions:
        yield desk, None
        return
    own = [name for name, found in bots.definitions.items() if found.does == "executes"]
    if own and desk.mode == "live":
        raise ConfigError(f"bot.{own[0]}.does = 'executes': such bots work on paper only")

    def tell(who: str, what: str) -> None:
        _say(observers, who, what)

    async with _opened(loaded, tell) as mailbox, contextlib.AsyncExitStack() as stack:
        ready, supervisor = _ready_by_files(mailbox, bots), None
        if loaded.settings.bots.supervise:
            supervisor = await stack.enter_async_context(_supervised(loaded, bots, mailbox, tell))
            ready = supervisor.ready
        trading: dict[VenueId, BotTrading] = {
            venue: BotTrading(
                inner=inner,
                bots=bots,
                mailbox=mailbox,
                clock=desk.clock,
                ready=ready,
                base=Path.cwd(),
                inherited=inherited(),
                tell=tell,
            )
            for venue, inner in desk.trading.items()
        }
        deliverer = asyncio.create_task(_deliver(list(trading.values())))
        stack.callback(deliverer.cancel)
        observers += [found.observe for found in trading.values()]
        at_work = BotsAtWork(loaded, bots, desk.clock, list(trading.values()), supervisor)
        yield replace(desk, trading={**trading}), at_work


@dataclass(frozen=True, slots=True)
class BotsAtWork:
    """See `arb.api.reads.Bots`: this process's bots, or those that another one runs."""

    loaded: Loaded
    bots: Bots
    clock: Clock
    trading: Sequence[BotTrading]
    supervisor: Supervisor | None
    """`None` where another process runs them: it is asked by file, as by the shell."""

    async def list(self) -> Sequence[dict[str, Any]]:
        """See `Bots`."""
        if self.supervisor is None:
            return [self._document(row) for row in list_bots(self.loaded)]
        known = {status.bot_name: status for status in self.supervisor.statuses()}
        return [
            self._document(_row(self.bots, name, known.get(name))) for name in self.bots.definitions
        ]

    async def start(self, id_: str) -> dict[str, Any]:
        """See `Bots`. Waits a little, so that what is answered is how it runs."""
        self._must_be_a_process(id_)
        if self.supervisor is None:
            await ask_supervisor(self.loaded, id_, "start")
        else:
            self.supervisor.start(id_)
            for _ in range(int(STARTED_SECONDS / 0.02)):
                if self.supervisor.status(id_).state in (BotState.RUNNING, BotState.RESTARTING):
                    break
                await self.clock.sleep(0.02)
        return await self._one(id_)

    async def stop(self, id_: str) -> dict[str, Any]:
        """See `Bots`. Waits until it has ended: its grace, at most."""
        self._must_be_a_process(id_)
        if self.supervisor is None:
            await ask_supervisor(self.loaded, id_, "stop")
        else:
            await self.supervisor.stop(id_)
        return await self._one(id_)

    async def _one(self, id_: str) -> dict[str, Any]:
        return next(one for one in await self.list() if one["bot_id"] == id_)

    def _must_be_a_process(self, id_: str) -> None:
        found = self.bots.definitions.get(id_)
        if found is None:
            raise Unheard(f"there is no bot {id_} ({', '.join(self.bots.definitions)})")
        if found.does == "prints":
            raise Refusal(f"{id_} is a script: it is run once a command")

    def _document(self, row: dict[str, Any]) -> dict[str, Any]:
        name, state, beat = row["name"], row["state"], row["heartbeat"]
        counts = [one.counts for one in self.trading]
        age = (self.clock.now() - datetime.fromisoformat(beat)).total_seconds() if beat else None
        return {
            "bot_id": name,
            "does": row["does"],
            "status": state,
            "is_running": row["pid"] is not None,
            "gave_up": state == BotState.FAILED.value,
            "pid": row["pid"],
            "since": row["since"],
            "restarts": row["restarts"],
            "restarts_max": self.bots.definitions[name].restarts_max,
            "heartbeat_at": beat,
            "heartbeat_age_seconds": None if age is None else max(age, 0.0),
            "says": row["status"] if row["pid"] is not None else "",
            "last_exit": row["last_exit"],
            "work": [
                {"plan": plan, "event": event}
                for one in self.trading
                for plan, event in one.work(name)
            ],
            "asked": sum(one[f"asked:{name}"] for one in counts),
            "agreed": sum(one[f"agreed:{name}"] for one in counts),
        }


async def run_bots(loaded: Loaded, said: Callable[[str], None]) -> None:
    """The bots alone, until SIGINT or SIGTERM.

    Raises:
        ConfigError: There are none, or the definitions are wrong.
        NotReady: Another process runs the bots of this folder.
    """
    bots = _some(loaded)
    stopped = asyncio.Event()

    def tell(who: str, what: str) -> None:
        said(f"{who}: {what}")

    async with (
        _opened(loaded, tell) as mailbox,
        _supervised(loaded, bots, mailbox, tell) as supervisor,
    ):
        said(f"{len(supervisor.statuses())} bots are watched; Ctrl-C stops them.")
        with on_stop(stopped.set):
            await stopped.wait()


def list_bots(loaded: Loaded) -> list[dict[str, Any]]:
    """Every bot as its files tell; nothing has to run for this."""
    bots = bots_of(loaded.settings)
    path = _folder(loaded)
    found: dict[str, Status | None] = dict.fromkeys(bots.definitions)
    if (path / "run").is_dir():
        run = Folder(path / "run")
        found = {name: read_status(run, name) for name in found}
        run.close()
    return [_row(bots, name, status) for name, status in found.items()]


def supervised(loaded: Loaded) -> bool:
    """Whether a process runs the bots of this folder."""
    path = _folder(loaded) / "supervisor.lock"
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


async def ask_supervisor(loaded: Loaded, name: str, wish: str) -> str:
    """Start, stop or restart a bot; says what came of it.

    Raises:
        ConfigError: There is no such bot.
        NotReady: Nothing runs that could start it.
    """
    bots = _some(loaded)
    if name not in bots.definitions:
        raise ConfigError(f"there is no bot {name!r}; one of {', '.join(bots.definitions)}")
    if bots.definitions[name].does == "prints":
        raise ConfigError(f"{name} is a script: it is run once a command")
    if supervised(loaded):
        before = _status(loaded, name)
        write_wish(_folder(loaded), name, wish)
        return await _outcome(loaded, name, wish, before)
    if wish != "stop":
        raise NotReady("nothing runs the bots: start `arb bots run`, or `arb run`")
    status = _status(loaded, name)
    ended = status is not None and stop_leftover(status)
    return f"{name} is told to stop." if ended else f"{name} does not run."


def bot_logs(loaded: Loaded, name: str, lines: int) -> list[str]:
    """The last lines that a bot printed.

    Raises:
        ConfigError: There is no such bot.
    """
    if name not in _some(loaded).definitions:
        raise ConfigError(f"there is no bot {name!r}")
    return tail(Path(loaded.settings.bots.logs) / f"{name}.log", lines)


async def explain_route(
    loaded: Loaded, plan: str | None, kind: str, given: dict[str, Any]
) -> tuple[Route, dict[str, Any]]:
    """Where a plan of the ledger, or one with the given measures, goes, and by which rule.

    Raises:
        ConfigError: The definitions are wrong.
        LedgerError: There is no such plan.
    """
    bots = _some(loaded)
    found = dict(given)
    if plan is not None:
        chosen = await find_plan(loaded, plan)
        kind, found = chosen.kind.value, measures(chosen)
    return route(bots.rules, bots.definitions, kind, found), found


@contextlib.asynccontextmanager
async def _opened(loaded: Loaded, tell: Callable[[str, str], None]) -> AsyncIterator[Mailbox]:
    def aside(reason: str, name: str) -> None:
        tell("mailbox", f"{name} is put aside: {reason}")

    mailbox = Mailbox(_folder(loaded), SystemClock(), aside)
    try:
        yield mailbox
    finally:
        mailbox.close()


@contextlib.asynccontextmanager
async def _supervised(
    loaded: Loaded, bots: Bots, mailbox: Mailbox, tell: Callable[[str, str], None]
) -> AsyncIterator[Supervisor]:
    settings = loaded.settings.bots
    options = SupervisorOptions(
        base=Path.cwd(), logs=Path(settings.logs), monitor_seconds=settings.monitor_interval
    )
    # A bot of the same user could read our environment, with the keys in it, from /proc.
    hide_ourselves()
    with _only_one(_folder(loaded)):
        supervisor = Supervisor(
            bots.definitions, mailbox, options, SystemClock(), inherited(), alarm=tell
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
            if status is not None and status.beat_at is not None and runs(status)
        )

    return ready


async def _deliver(trading: Sequence[BotTrading]) -> None:
    while True:
        await asyncio.sleep(DELIVER_SECONDS)
        for one in trading:
            one.deliver()


async def _outcome(loaded: Loaded, name: str, wish: str, before: Status | None) -> str:
    """Wait a little for what was asked for to be seen."""
    grace = _some(loaded).definitions[name].grace_seconds
    for _ in range(int((grace + 3) / 0.1)):
        await asyncio.sleep(0.1)
        now = _status(loaded, name)
        if now is None:
            continue
        running = now.state is BotState.RUNNING
        other = before is None or now.pid != before.pid
        if (wish == "stop" and now.state is BotState.STOPPED) or (
            running and (wish == "start" or (wish == "restart" and other))
        ):
            return f"{name} is {now.state.value}."
    return f"{name} was told; see `arb bots list`."


def _status(loaded: Loaded, name: str) -> Status | None:
    path = _folder(loaded) / "run"
    if not path.is_dir():
        return None
    run = Folder(path)
    try:
        return read_status(run, name)
    finally:
        run.close()


def _row(bots: Bots, name: str, status: Status | None) -> dict[str, Any]:
    definition = bots.definitions[name]
    running = status is not None and runs(status)
    state = status.state.value if status else BotState.STOPPED.value
    if definition.does == "prints":
        state = "script"
    elif state == BotState.RUNNING.value and not running:
        state = "gone"
    return {
        "name": name,
        "does": definition.does,
        "state": state,
        "pid": status.pid if status and running else None,
        "restarts": status.restarts if status else 0,
        "heartbeat": _time(status.beat_at) if status else None,
        "status": status.beat if status else "",
        "last_exit": status.last_exit if status else "",
        "since": _time(status.since) if status else None,
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def _some(loaded: Loaded) -> Bots:
    bots = bots_of(loaded.settings)
    if not bots.definitions:
        raise ConfigError(f"{loaded.settings.bots.definitions or 'bots.definitions'} names no bot")
    return bots


def _folder(loaded: Loaded) -> Path:
    return Path(loaded.settings.bots.folder)


def _say(observers: Sequence[Observer], who: str, what: str) -> None:
    news: News = Trouble(Problem(where=f"bot {who}", what=what))
    for observe in observers:
        observe(news)
