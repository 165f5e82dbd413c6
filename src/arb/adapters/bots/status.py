"""How bots are seen and asked for by file: what others read of a supervisor and tell it.

`run/{bot}.json` shows a bot, `control/{bot}.json` asks for something.
"""

import signal
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from arb.adapters.bots.files import Folder
from arb.adapters.bots.messages import BadDocument
from arb.adapters.bots.process import Identity, alive, group_of, signal_group


class BotState(StrEnum):
    """Where a bot stands."""

    RUNNING = "running"
    RESTARTING = "restarting"
    """It ended by itself and waits for its next start."""
    STOPPED = "stopped"
    FAILED = "failed"
    """Its restarts are used up: a person has to look."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One bot as `run/{bot}.json` shows it."""

    bot_name: str
    state: BotState
    since: datetime
    pid: int = 0
    started: int = 0
    restarts: int = 0
    last_exit: str = ""
    beat: str = ""
    beat_at: datetime | None = None
    """When a new heartbeat was seen last, by our clock."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks of the supervisor: `control/{bot}.json`."""

    wish: str
    """`start`, `stop` or `restart`."""


def read_status(run: Folder, name: str) -> Status | None:
    """What was last written about a bot."""
    try:
        found = run.read(f"{name}.json")
        return msgspec.json.decode(found.raw, type=Status) if found else None
    except (BadDocument, msgspec.MsgspecError):
        return None


def write_wish(folder: Path, name: str, wish: str) -> None:
    """Ask the supervisor that works on this folder for something."""
    control = Folder(folder / "control")
    try:
        control.write(f"{name}.json", msgspec.json.encode(Wish(wish=wish)))
    finally:
        control.close()


def take_wish(control: Folder, name: str) -> str:
    """What is asked for a bot, once; empty where nothing is, or nothing that can be read."""
    try:
        found = control.read(f"{name}.json")
        wish = msgspec.json.decode(found.raw, type=Wish).wish if found else ""
    except (BadDocument, msgspec.MsgspecError):
        wish = ""
    control.remove(f"{name}.json")
    return wish


def stop_leftover(status: Status) -> bool:
    """End a bot that no supervisor watches; false where it does not run."""
    who = Identity(status.pid, status.started)
    if not status.pid or not alive(who) or group_of(who.pid) != who.pid:
        return False
    signal_group(who.pid, signal.SIGTERM)
    return True


def runs(status: Status) -> bool:
    """Whether the process that the file tells of is there."""
    return bool(status.pid) and alive(Identity(status.pid, status.started))
