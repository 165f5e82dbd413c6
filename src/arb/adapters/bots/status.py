"""Bots by file: what other processes read of a supervisor and request of it.

`run/{bot}.json` shows a bot, `control/{bot}.json` asks for something.
"""

import signal
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from arb.adapters.bots.files import Folder
from arb.adapters.bots.messages import PID_MAX, BadDocument, BotName, Words, parse
from arb.adapters.bots.process import Identity, alive, group_of, signal_group

Asked: TypeAlias = Literal["start", "stop", "restart"]
"""What a supervisor can be asked to do with a bot."""


class BotState(StrEnum):
    """Where a bot stands."""

    RUNNING = "running"
    RESTARTING = "restarting"
    """It ended by itself and waits for its next start."""
    STOPPED = "stopped"
    FAILED = "failed"
    """Its restarts are used up: a person has to look."""
    UNKNOWN = "unknown"
    """Its file cannot be read: whether it runs is not known."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One bot as `run/{bot}.json` shows it."""

    bot_name: BotName
    state: BotState
    since: datetime | None
    pid: Annotated[int, msgspec.Meta(ge=0, le=PID_MAX)] = 0
    started: Annotated[int, msgspec.Meta(ge=0)] = 0
    restarts: Annotated[int, msgspec.Meta(ge=0)] = 0
    last_exit: Words = ""
    beat: Words = ""
    beat_at: datetime | None = None
    """When a new heartbeat was seen last, by our clock."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the supervisor: `control/{bot}.json`."""

    wish: Asked


def read_status(run: Folder, name: str) -> Status | None:
    """What was last written about a bot; `None` where nothing was.

    A file that is not what a supervisor writes about this bot gives `unknown`, and why.
    """
    try:
        found = run.read(f"{name}.json")
        status = parse(found.raw, Status) if found else None
        if status is not None and status.bot_name != name:
            raise BadDocument("wrong_name")  # noqa: TRY301  # reported as every other fault of the file
    except BadDocument as error:
        why = f"its status file cannot be read: {error.reason}"
        return Status(bot_name=name, state=BotState.UNKNOWN, since=None, last_exit=why)
    return status


def write_wish(folder: Path, name: str, wish: Asked) -> None:
    """Ask the supervisor that works on this folder for something."""
    control = Folder(folder / "control")
    try:
        control.write(f"{name}.json", msgspec.json.encode(Wish(wish=wish)))
    finally:
        control.close()


def take_wish(control: Folder, name: str) -> str:
    """What is asked for a bot, once; empty where nothing is.

    Raises:
        BadDocument: There is one that cannot be read; it has been removed.
    """
    try:
        found = control.read(f"{name}.json")
        return parse(found.raw, Wish).wish if found else ""
    finally:
        control.remove(f"{name}.json")


def stop_leftover(status: Status) -> bool:
    """End a bot that no supervisor watches; false where it does not run."""
    who = Identity(status.pid, status.started)
    if not status.pid or not alive(who) or group_of(who.pid) != who.pid:
        return False
    signal_group(who.pid, signal.SIGTERM)
    return True


def runs(status: Status) -> bool:
    """Whether the process that the file names is running."""
    return bool(status.pid) and alive(Identity(status.pid, status.started))
