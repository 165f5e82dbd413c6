"""Bots as processes: started, watched by their heartbeats, restarted within a budget, stopped.

Each bot has a session and a process group of its own, so that what it forks goes with it. What
runs is written to `run/{bot}.json`; a supervisor that starts after a crash finds there what the
one before it left, by number and time of start, and ends it before it starts anything.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from pathlib import Path

import msgspec

from arb.adapters.bots.definition import Definition, environment, folder_of
from arb.adapters.bots.files import Folder
from arb.adapters.bots.hours import Hours
from arb.adapters.bots.mailbox import Beat, Mailbox
from arb.adapters.bots.messages import BadDocument, clean
from arb.adapters.bots.output import CHUNK, BotLog
from arb.adapters.bots.process import (
    Identity,
    alive,
    group_of,
    identity,
    launched,
    signal_group,
)
from arb.adapters.bots.status import BotState, Status, read_status, runs, stop_leftover, take_wish
from arb.ports import Clock

OUTPUT_SECONDS = 1.0
"""How long what a dead bot printed is read: a process that left its group may hold the pipe."""


Changed = Callable[[str, BotState, str], None]
"""Called when the state of a bot's process has changed, and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOptions:
    """How bots are watched."""

    base: Path
    """Relative working directories of bots begin here."""
    logs: Path
    monitor_seconds: float = 10.0
    control_seconds: float = 0.5
    log_size_max: int = 5_000_000
    logs_kept: int = 3


@dataclass(slots=True)
class _Watched:
    """A bot and what is known about its process."""

    definition: Definition
    log: BotLog
    state: BotState = BotState.STOPPED
    since: datetime | None = None
    process: Process | None = None
    identity: Identity | None = None
    task: "asyncio.Task[None] | None" = None
    restarts: int = 0
    """Since it last ran long enough."""
    last_exit: str = ""
    beat: Beat | None = None
    beat_at: datetime | None = None
    seen_at: float = 0.0
    """When it was last known to be alive, on the clock that only goes forward."""
    why_killed: str = ""
    hours: Hours | None = field(init=False)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hours = self.definition.hours

    def starts_at_once(self, now: datetime) -> bool:
        """Whether it is started with its supervisor."""
        if self.hours is None or self.hours.starts is None:
            return self.definition.autostart
        return self.hours.holds(now)


class Supervisor:
    """Runs the bots of a definition file that have processes of their own."""

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        mailbox: Mailbox,
        options: SupervisorOptions,
        clock: Clock,
        inherited: Mapping[str, str],
        alarm: Callable[[str, str], None] = lambda _bot, _what: None,
        changed: Changed = lambda _bot, _state, _how: None,
    ) -> None:
        self._mailbox, self._options, self._clock = mailbox, options, clock
        self._inherited, self._alarm, self._changed = inherited, alarm, changed
        self._run = Folder(mailbox.path / "run")
        self._control = Folder(mailbox.path / "control")
        self._bots = {
            name: _Watched(definition, self._log(name))
            for name, definition in definitions.items()
            if definition.does != "prints"
        }
        self.hours_kept = clock.now()
        """Until when the calendar was followed."""
        self._tasks: list[asyncio.Task[None]] = []
        self._unread: dict[str, str] = {}
        """Why the request for a bot could not be read, as it was reported last."""

    async def open(self) -> None:
        """End what an earlier supervisor left, start every bot that starts by itself, watch."""
        for name in self._bots:
            await self._end_leftover(name)
            self._control.remove(f"{name}.json")
        for name, bot in self._bots.items():
            if bot.starts_at_once(self._clock.now()):
                self.start(name)
            else:
                self._write(bot)
        self._tasks = [
            asyncio.create_task(self._every(self._options.monitor_seconds, self._watch)),
            asyncio.create_task(self._every(self._options.control_seconds, self._obey)),
            asyncio.create_task(self._every(self._options.control_seconds, self._keep_hours)),
        ]

    async def close(self) -> None:
        """Stop every bot and let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self.stop(name) for name in self._bots))
        for bot in self._bots.values():
            bot.log.close()
        self._run.close()
        self._control.close()

    def start(self, name: str) -> None:
        """Start a bot with a fresh budget of restarts; nothing happens where it runs already."""
        bot = self._bots[name]
        if bot.task is not None and not bot.task.done():
            return
        bot.restarts, bot.last_exit, bot.stopping = 0, "", asyncio.Event()
        bot.task = asyncio.create_task(self._live(bot))

    async def stop(self, name: str) -> None:
        """Ask a bot to end, and end it after its grace."""
        bot = self._bots[name]
        bot.stopping.set()
        if bot.task is not None:
            await self._end(bot, "stopped")
            with contextlib.suppress(asyncio.CancelledError):
                await bot.task
            bot.task = None
        self._become(bot, BotState.STOPPED, bot.last_exit or "nothing ran")

    async def restart(self, name: str) -> None:
        """Stop a bot and start it anew."""
        await self.stop(name)
        self.start(name)

    def statuses(self) -> list[Status]:
        """All bots as they stand."""
        return [self._status(bot) for bot in self._bots.values()]

    def status(self, name: str) -> Status:
        """One bot as it stands."""
        return self._status(self._bots[name])

    def ready(self) -> frozenset[str]:
        """Bots that run and have shown it by a heartbeat, where they have one."""
        return frozenset(
            name
            for name, bot in self._bots.items()
            if bot.state is BotState.RUNNING and (bot.beat is not None or not bot.definition.beats)
        )

    async def _live(self, bot: _Watched) -> None:
        """Lives of a bot, one after the other, until its budget is used up or it is stopped."""
        definition = bot.definition
        while not bot.stopping.is_set():
            began = self._clock.monotonic()
            bot.last_exit = await self._one_life(bot)
            if bot.stopping.is_set():
                return
            if self._clock.monotonic() - began >= definition.stable_seconds:
                bot.restarts = 0
            if bot.restarts >= definition.restarts_max:
                self._become(bot, BotState.FAILED, f"it ended by itself, {bot.last_exit}")
                times = f"{bot.restarts + 1} times" if bot.restarts else "once"
                self._alarm(
                    definition.name, f"ended {times}, last: {bot.last_exit}; not started again"
                )
                return
            wait = min(definition.backoff_seconds * 2**bot.restarts, definition.backoff_max_seconds)
            bot.restarts += 1
            again = f"restart {bot.restarts} of {definition.restarts_max} in {wait:g} s"
            self._become(bot, BotState.RESTARTING, f"it ended by itself, {bot.last_exit}; {again}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bot.stopping.wait(), wait)

    async def _one_life(self, bot: _Watched) -> str:
        """Start the process and wait for its end; returns how it ended."""
        definition = bot.definition
        self._mailbox.forget_heartbeat(definition.name)
        bot.beat, bot.why_killed, bot.log.last = None, "", ""
        ours, theirs = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *launched(definition.command, definition.limits),
                stdin=DEVNULL,
                stdout=theirs,
                stderr=theirs,
                cwd=folder_of(definition, self._options.base),
                env={
                    **environment(definition, self._inherited),
                    "ARB_BOT_FOLDER": str(self._mailbox.path.resolve()),
                },
                start_new_session=True,
            )
        except OSError as error:
            os.close(ours)
            return f"cannot be started: {error.strerror}"
        finally:
            os.close(theirs)
        bot.process, bot.identity = process, identity(process.pid)
        bot.seen_at, bot.beat_at = self._clock.monotonic(), None
        bot.log.say(f"started as process {process.pid}")
        self._become(bot, BotState.RUNNING, f"process {process.pid}")
        output = asyncio.create_task(_keep(os.fdopen(ours, "rb", buffering=0), bot.log))
        try:
            code = await process.wait()
        finally:
            # What it forked goes with it, however it ended, and with that its output ends.
            signal_group(process.pid, signal.SIGKILL)
            await asyncio.wait((output,), timeout=OUTPUT_SECONDS)
            output.cancel()
            bot.process = bot.identity = None
        how = bot.why_killed or _ended(code)
        if not bot.why_killed and code and bot.log.last:
            how += f", having said: {bot.log.last}"
        bot.log.say(f"process {process.pid}: {how}")
        return how

    async def _end(self, bot: _Watched, why: str) -> None:
        """SIGTERM to the group, SIGKILL after the grace."""
        process, who = bot.process, bot.identity
        if process is None or process.returncode is not None:
            return
        bot.why_killed = why
        signal_group(process.pid, signal.SIGTERM)
        waited = 0.0
        while who is not None and alive(who) and waited < bot.definition.grace_seconds:
            await asyncio.sleep(0.05)
            waited += 0.05
        if who is not None and alive(who):
            bot.why_killed = f"{why}, killed after {bot.definition.grace_seconds:g} s"
        signal_group(process.pid, signal.SIGKILL)

    async def _watch(self) -> None:
        """Check heartbeats; end what has not shown one for too long."""
        self._mailbox.sweep(self._bots)
        for bot in self._bots.values():
            if bot.state is not BotState.RUNNING or bot.process is None:
                continue
            self._notice(bot)
            silent = self._clock.monotonic() - bot.seen_at
            if bot.definition.beats and silent > bot.definition.heartbeat_timeout:
                what = f"no heartbeat for {silent:.0f} s"
                bot.log.say(what)
                await self._end(bot, what)
            self._write(bot)

    def _notice(self, bot: _Watched) -> None:
        """Take a heartbeat that is new, and of this life."""
        beat = self._mailbox.heartbeat(bot.definition.name)
        if beat is None or (bot.beat is not None and beat.mark == bot.beat.mark):
            return
        pid = beat.heartbeat.pid
        if pid is not None and bot.process is not None and group_of(pid) != bot.process.pid:
            return
        first = bot.beat is None
        bot.beat, bot.seen_at = beat, self._clock.monotonic()
        bot.beat_at = self._clock.now()
        if first:
            # Others read from the file that the bot can be asked now.
            self._write(bot)

    async def _keep_hours(self) -> None:
        """Start and stop bots by their calendar; between its times a person's wish stands."""
        since, self.hours_kept = self.hours_kept, self._clock.now()
        for name, bot in self._bots.items():
            due = bot.hours.due(since, self.hours_kept) if bot.hours else ""
            if due == "start":
                self.start(name)
            elif due == "stop":
                await self.stop(name)

    async def _obey(self) -> None:
        """Do what was asked for through `control/`."""
        for name, bot in self._bots.items():
            if bot.state is BotState.RUNNING:
                self._notice(bot)
            wish = self._wish(name)
            if wish == "start":
                self.start(name)
            elif wish == "stop":
                await self.stop(name)
            elif wish == "restart":
                await self.restart(name)

    def _wish(self, name: str) -> str:
        """The request for a bot; one that cannot be read is reported once, and nothing is done."""
        try:
            wish = take_wish(self._control, name)
        except BadDocument as error:
            if self._unread.get(name) != error.reason:
                self._unread[name] = error.reason
                self._alarm(name, f"the request for it cannot be read: {error.reason}")
            return ""
        self._unread.pop(name, None)
        return wish

    async def _end_leftover(self, name: str) -> None:
        """End a process that an earlier supervisor started, if it is really that one."""
        left = read_status(self._run, name)
        if left is not None and left.state is BotState.UNKNOWN:
            self._alarm(name, f"{left.last_exit}; an earlier process may still run")
        if left is None or not stop_leftover(left):
            return
        for _ in range(20):
            if not runs(left):
                break
            await asyncio.sleep(0.05)
        signal_group(left.pid, signal.SIGKILL)

    async def _every(self, seconds: float, work: Callable[[], "object"]) -> None:
        while True:
            await self._clock.sleep(seconds)
            done = work()
            if asyncio.iscoroutine(done):
                await done

    def _become(self, bot: _Watched, state: BotState, how: str) -> None:
        before, bot.state, bot.since = bot.state, state, self._clock.now()
        self._write(bot)
        if before is not state:
            self._changed(bot.definition.name, state, how)

    def _write(self, bot: _Watched) -> None:
        document = msgspec.json.encode(self._status(bot)) + b"\n"
        with contextlib.suppress(OSError):
            self._run.write(f"{bot.definition.name}.json", document)

    def _status(self, bot: _Watched) -> Status:
        return Status(
            bot_name=bot.definition.name,
            state=bot.state,
            since=bot.since or self._clock.now(),
            pid=bot.identity.pid if bot.identity else 0,
            started=bot.identity.started if bot.identity else 0,
            restarts=bot.restarts,
            last_exit=clean(bot.last_exit),
            beat=clean(bot.beat.heartbeat.status) if bot.beat else "",
            beat_at=bot.beat_at,
        )

    def _log(self, name: str) -> BotLog:
        options = self._options
        return BotLog(options.logs / f"{name}.log", options.log_size_max, options.logs_kept)


async def _keep(pipe: FileIO, log: BotLog) -> None:
    """Keep what comes through the pipe until its end.

    The pipe is our own: asyncio's would have the process's end wait for every fork that holds it.
    """
    stream = asyncio.StreamReader(limit=CHUNK)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), pipe
    )
    try:
        while chunk := await stream.read(CHUNK):
            log.write(chunk)
            # A flood must not keep the loop from everything else.
            await asyncio.sleep(0)
    finally:
        transport.close()
        log.flush()


def _ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
