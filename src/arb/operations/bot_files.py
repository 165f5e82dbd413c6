"""What is known of bots from their files, and what the shell asks of them."""

import asyncio
import contextlib
import fcntl
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from arb.adapters.bots.definition import NO_BOTS, SPREAD, Bots, read
from arb.adapters.bots.files import Folder
from arb.adapters.bots.output import tail
from arb.adapters.bots.paths_file import definitions
from arb.adapters.bots.routing import OF_SPREADS, Route, measures, route
from arb.adapters.bots.status import (
    Asked,
    BotState,
    Status,
    read_status,
    runs,
    stop_leftover,
    write_wish,
)
from arb.config.schema import Settings
from arb.config.sources import Loaded, read_toml
from arb.domain.bot import BotSums
from arb.domain.errors import ConfigError, LedgerError, NotReady
from arb.domain.money import text
from arb.operations.account_views import find_plan, opened

AILING = ("restarting", "failed", "unknown", "gone")
"""States of a bot that has not been stopped and does not run."""


def bots_of(settings: Settings) -> Bots:
    """The bots of the definition file, or of the user's JSON; none where there is no file.

    Raises:
        ConfigError: Something in the file is wrong.
    """
    named = settings.bots.definitions
    path = Path(named)
    if not named or not path.exists():
        return NO_BOTS
    if path.suffix == ".json":
        trading, spreads = settings.trading, settings.spreads
        theirs = {
            "trading.min_profit_threshold": trading.min_profit_threshold,
            "trading.min_profit_usd": trading.min_profit_usd,
            "spreads.min_spread": spreads.min_spread,
            "spreads.min_profit_usd": spreads.min_profit_usd,
        }
        addresses = {
            "curve_url": spreads.curve_url,
            "balancer_url": spreads.balancer_url,
            "oneinch_url": spreads.oneinch_url,
        }
        return read(definitions(_json(path), theirs, addresses, named), named)
    return read(read_toml(path), named)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(found, Mapping):
        raise ConfigError(f"{path}: a table is expected")
    return found


def some_bots(loaded: Loaded) -> Bots:
    """The bots of the definition file.

    Raises:
        ConfigError: There are none, or something in the file is wrong.
    """
    bots = bots_of(loaded.settings)
    if not bots.definitions:
        raise ConfigError(f"{loaded.settings.bots.definitions or 'bots.definitions'} names no bot")
    return bots


def comm_folder(loaded: Loaded) -> Path:
    """Where bots and this program leave files for each other."""
    return Path(loaded.settings.bots.folder)


async def list_bots(loaded: Loaded) -> list[dict[str, Any]]:
    """Every bot's state, from its files and the ledger; works while nothing runs."""
    return bot_rows(loaded, await _sums(loaded))


async def _sums(loaded: Loaded) -> Mapping[str, BotSums]:
    """What each bot has done; nothing where no ledger can be read."""
    if bots_of(loaded.settings).definitions:
        with contextlib.suppress(LedgerError):
            async with opened(loaded) as (_, reads):
                return await reads.bots()
    return {}


def bot_rows(loaded: Loaded, sums: Mapping[str, BotSums]) -> list[dict[str, Any]]:
    """Every bot's state, from its files, with what it has done."""
    bots = bots_of(loaded.settings)
    path = comm_folder(loaded)
    found: dict[str, Status | None] = dict.fromkeys(bots.definitions)
    if (path / "run").is_dir():
        run = Folder(path / "run")
        found = {name: read_status(run, name) for name in found}
        run.close()
    return [row(bots, name, status, sums.get(name)) for name, status in found.items()]


def supervised(loaded: Loaded) -> bool:
    """Whether a process runs the bots of this folder."""
    path = comm_folder(loaded) / "supervisor.lock"
    if not path.exists():
        return False
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


async def ask_supervisor(loaded: Loaded, name: str, wish: Asked) -> str:
    """Start, stop or restart a bot; returns the result as a sentence.

    Raises:
        ConfigError: There is no such bot.
        NotReady: Nothing runs that could start it.
    """
    bots, name = some_bots(loaded), name.lower()
    if name not in bots.definitions:
        raise ConfigError(f"there is no bot {name!r}; one of {', '.join(bots.definitions)}")
    if bots.definitions[name].does == "prints":
        raise ConfigError(f"{name} is a script: it is run once for each command")
    if supervised(loaded):
        before = _status(loaded, name)
        write_wish(comm_folder(loaded), name, wish)
        return await _outcome(loaded, name, wish, before)
    if wish != "stop":
        raise NotReady("no process runs the bots: start `arb bots run`, or `arb run`")
    status = _status(loaded, name)
    ended = status is not None and stop_leftover(status)
    return f"{name} was asked to stop." if ended else f"{name} does not run."


def bot_logs(loaded: Loaded, name: str, lines: int) -> list[str]:
    """The last lines that a bot printed.

    Raises:
        ConfigError: There is no such bot.
    """
    if name.lower() not in some_bots(loaded).definitions:
        raise ConfigError(f"there is no bot {name!r}")
    return tail(Path(loaded.settings.bots.logs) / f"{name.lower()}.log", lines)


async def explain_route(
    loaded: Loaded, plan: str | None, kind: str, given: dict[str, Any]
) -> tuple[Route, dict[str, Any]]:
    """Where a plan of the ledger, or one with the given measures, goes, and by which rule.

    Raises:
        ConfigError: The definitions are wrong.
        LedgerError: There is no such plan.
    """
    bots = some_bots(loaded)
    found = {
        name: value for name, value in given.items() if kind == SPREAD or name not in OF_SPREADS
    }
    if plan is not None:
        chosen = await find_plan(loaded, plan)
        kind, found = str(chosen.kind), measures(chosen)
    return route(bots.rules, bots.definitions, kind, found), found


def row(bots: Bots, name: str, status: Status | None, sums: BotSums | None) -> dict[str, Any]:
    """A bot for the shell, by its definition, its supervisor's last report and the ledger."""
    definition = bots.definitions[name]
    running = status is not None and runs(status)
    state = status.state.value if status else BotState.STOPPED.value
    if definition.does == "prints":
        state = "script"
    elif state == BotState.RUNNING.value and not running:
        state = "gone"
    pid = status.pid if status and running else None
    since = _time(status.since) if status else None
    beat = _time(status.beat_at) if status else None
    acted = max(filter(None, (beat, _time(sums.last_at) if sums else None)), default=None)
    last_exit = status.last_exit if status else ""
    return {
        "bot_id": name,
        "name": definition.title or name,
        "does": definition.does,
        "status": state,
        "state": state,
        "script_path": definition.script,
        "starts": definition.starts,
        "stops": definition.stops,
        "process_id": pid,
        "pid": pid,
        "start_time": since if pid else None,
        "since": since,
        "restarts": status.restarts if status else 0,
        "last_activity": acted,
        "heartbeat": beat,
        "says": status.beat if status else "",
        "opportunities_found": sums.asked if sums else 0,
        "total_profit": text(sums.realised) if sums and sums.agreed else None,
        "error_message": (last_exit or None) if state in AILING else None,
        "last_exit": last_exit,
    }


async def _outcome(loaded: Loaded, name: str, wish: str, before: Status | None) -> str:
    """Wait a little for what was asked for to be seen."""
    grace = some_bots(loaded).definitions[name].grace_seconds
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
    return f"{name} was notified; see `arb bots list`."


def _status(loaded: Loaded, name: str) -> Status | None:
    path = comm_folder(loaded) / "run"
    if not path.is_dir():
        return None
    run = Folder(path)
    try:
        return read_status(run, name)
    finally:
        run.close()


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at else None
