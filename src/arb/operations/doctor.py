"""Checks of everything that a run needs: network, clock, disk, settings, ledger."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database
from arb.adapters.storage.database import file_of
from arb.adapters.storage.maintenance import check, revision
from arb.api.auth import must_not_be_open
from arb.bootstrap import (
    build_strategies,
    liquidator,
    need_shards,
    open_venues,
    process_name,
    shared_budgets,
)
from arb.checks import Check, tried
from arb.config.keys import source
from arb.config.schema import ApiSettings, Settings
from arb.config.sources import Loaded, inherited
from arb.domain.errors import ArbError, ConfigError
from arb.net import way
from arb.operations.logs import check_log_room, check_logs
from arb.ports import Venue

DISK_FREE_MIN = 500 * 1024 * 1024


async def examine(loaded: Loaded) -> list[Check]:
    """Run every check, the venues' first. A dry run needs no credentials, so none are asked for."""
    settings = loaded.settings
    async with open_venues(settings, settings.venues.enabled, live=False) as venues:
        checks = [_way_out(settings), *await checks_of(venues)]
    fix = "see `arb db check`, or set ARB_DATABASE__URL to a place that can be written to"
    checks.append(await tried("ledger", lambda: _ledger(loaded), fix))
    checks.append(await tried("settings", lambda: _settings(loaded), "see `arb config check`"))
    checks.append(
        await tried("logs", lambda: _logs(loaded), "set ARB_LOGGING__FOLDER to a writable folder")
    )
    checks.append(_disk(loaded))
    if settings.api.open_on_loopback:
        checks.append(_open(settings.api))
    if settings.liquidations.enabled:
        checks += await _liquidations(settings)
    return [*checks, *await _helpers(loaded.settings)]


async def _liquidations(settings: Settings) -> list[Check]:
    """Nodes and contracts of the chain, and where something may be sent the wallet."""
    options = settings.liquidations
    try:
        async with liquidator(settings, live=options.live) as watching:
            return list(await watching.checks())
    except ConfigError as error:
        fix = "see `arb config check`"
        return [Check(name="liquidations", passed=False, detail=str(error), fix=fix)]


async def checks_of(venues: Sequence[Venue]) -> list[Check]:
    """What each venue checks of itself, named by its venue where there are several."""
    found: list[Check] = []
    for venue in venues:
        try:
            own = await venue.checks()
        except Exception as error:  # noqa: BLE001  # one venue's bug hides no other check
            what = f"its checks failed: {type(error).__name__}: {error}"
            own = [Check(name=str(venue.id), passed=False, detail=what, fix="see the plugin")]
        several = len(venues) > 1
        found += [replace(one, name=f"{venue.id}: {one.name}") if several else one for one in own]
    return found


def _way_out(settings: Settings) -> Check:
    """The proxy by which requests leave; an unusable one was refused when settings were read."""
    detail = way.sentence(inherited(), settings.polymarket.clob_url)
    return Check(name="way out", passed=True, detail=detail)


def _open(options: ApiSettings) -> Check:
    """An API that asks for no token is told of, though it may be meant so."""
    against = must_not_be_open(options.host, options.allowed_hosts, live=False)
    detail = "every program on this machine may operate it without a token (api.open_on_loopback)"
    fix = "set api.open_on_loopback = false"
    return Check(name="control API", passed=not against, detail=against or detail, fix=fix)


async def _helpers(settings: Settings) -> list[Check]:
    """The optional servers of a run, where the settings name any."""
    clock = SystemClock()

    async def redis() -> str:
        budgets = shared_budgets(settings, clock)
        try:
            return f"answers in {await budgets.answer_seconds() * 1000:.1f} ms"
        finally:
            await budgets.close()

    async def shards() -> str:
        need_shards()
        from arb.adapters.shards.link import reach  # noqa: PLC0415  # an extra

        await reach(settings.shards.url, process_name(clock))
        return "answers, with JetStream"

    steps = (
        ("redis", settings.redis.url, redis, "each process counts its own requests until then"),
        ("shards", settings.shards.url, shards, "this process reads all books until then"),
    )
    return [
        await tried(
            name, work, f"start the server, or set ARB_{name.upper()}__URL to its address; {else_}"
        )
        for name, url, work, else_ in steps
        if url
    ]


def unsettled(error: ConfigError) -> list[Check]:
    """The only check that can be made without usable settings."""
    return [Check(name="settings", passed=False, detail=str(error), fix="see `arb config check`")]


async def _settings(loaded: Loaded) -> str:
    build_strategies(loaded.settings)
    check_logs(loaded)
    source(loaded.settings)
    return f"{len(loaded.all())} settings are sound"


async def _logs(loaded: Loaded) -> str:
    folder = loaded.settings.logging.folder
    if folder:
        _must_take_files(Path(folder))
        check_log_room(loaded)
    return folder or "console only"


def _must_take_files(folder: Path) -> None:
    """Require that files can be made in the folder, or that the folder itself can be made.

    Raises:
        ArbError: They cannot.
    """
    existing = _existing(folder.resolve())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ArbError(f"{existing} cannot be written to")


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path


async def _ledger(loaded: Loaded) -> str:
    url = loaded.settings.database.url
    file = file_of(url)
    if file is not None and not file.exists():
        _must_take_files(file.parent)
        return "none yet; the first run makes one"
    database = Database(url)
    try:
        problems = await check(database)
        if problems:
            raise ArbError(problems[0])
        current, newest = await revision(database)
        return f"sound, schema {current} of {newest}"
    finally:
        await database.close()


def _disk(loaded: Loaded) -> Check:
    file = file_of(loaded.settings.database.url)
    folder = file.parent if file is not None else Path.cwd()
    free = shutil.disk_usage(_existing(folder)).free
    return Check(
        name="disk",
        passed=free >= DISK_FREE_MIN,
        detail=f"{free // 1024**2} MB free",
        fix="" if free >= DISK_FREE_MIN else "free some space",
    )
