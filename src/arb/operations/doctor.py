"""Checks of everything that a run needs: network, clock, disk, settings, ledger."""

import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.venue import PolymarketVenue
from arb.adapters.storage import Database
from arb.adapters.storage.database import file_of
from arb.adapters.storage.maintenance import check, revision
from arb.bootstrap import (
    build_strategies,
    need_shards,
    polymarket,
    process_name,
    shared_budgets,
)
from arb.config.keys import source
from arb.config.schema import Settings
from arb.config.sources import Loaded, inherited
from arb.domain.errors import ArbError, ConfigError, Unavailable, VenueError
from arb.net import way
from arb.operations.logs import check_log_room, check_logs

CLOCK_OFFSET_MAX_SECONDS = 2
DISK_FREE_MIN = 500 * 1024 * 1024
ORDER_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that works or does not, and how to fix it."""

    name: str
    passed: bool
    detail: str
    fix: str = ""
    remote: bool = False
    """Whether it failed because the venue did not answer."""
    asked: bool = True
    """False: it could not be asked, so nothing is known; such a check has not passed."""

    @property
    def word(self) -> str:
        """The result in one word."""
        if not self.asked:
            return "SKIP"
        return "PASS" if self.passed else "FAIL"

    def document(self) -> dict[str, object]:
        """For scripts."""
        return {
            "check": self.name,
            "passed": self.passed,
            "asked": self.asked,
            "detail": self.detail,
            "fix": self.fix,
            "mend": self.fix,  # the old name of `fix`, kept for one version
        }


async def examine(loaded: Loaded) -> list[Check]:
    """Run every check, the venue's first. A dry run needs no credentials, so none are asked for."""
    async with polymarket(loaded.settings) as venue:
        checks = [_way_out(loaded.settings), *await venue_checks(venue, loaded.settings)]
    fix = "see `arb db check`, or set ARB_DATABASE__URL to a place that can be written to"
    checks.append(await tried("ledger", lambda: _ledger(loaded), fix))
    checks.append(await tried("settings", lambda: _settings(loaded), "see `arb config check`"))
    checks.append(
        await tried("logs", lambda: _logs(loaded), "set ARB_LOGGING__FOLDER to a writable folder")
    )
    checks.append(_disk(loaded))
    return [*checks, *await _helpers(loaded.settings)]


def _way_out(settings: Settings) -> Check:
    """The proxy by which requests leave; an unusable one was refused when settings were read."""
    detail = way.sentence(inherited(), settings.polymarket.clob_url)
    return Check(name="way out", passed=True, detail=detail)


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


async def venue_checks(venue: PolymarketVenue, settings: Settings) -> list[Check]:
    """Check the venue with small public reads."""
    health, options = venue.health, settings.polymarket

    async def clock() -> str:
        offset = await health.clock_offset_seconds()
        if abs(offset) > CLOCK_OFFSET_MAX_SECONDS:
            raise ArbError(f"the exchange is {offset} s ahead")
        return f"{offset} s"

    async def version() -> str:
        spoken = await health.version()
        if spoken != ORDER_VERSION:
            raise ArbError(f"it speaks order version {spoken}")
        return f"order version {spoken}"

    async def geoblock() -> str:
        place = await health.geoblock()
        if place.blocked:
            raise ArbError(f"{place.country} {place.region} is blocked".strip())
        return f"not blocked {place.country}".strip()

    async def gamma() -> str:
        await health.listing()
        return options.gamma_url

    async def clob() -> str:
        await health.exchange()
        return options.clob_url

    async def data() -> str:
        await health.data()
        return options.data_url

    hosts = (
        ("listing", gamma, "check the network and ARB_POLYMARKET__GAMMA_URL"),
        ("exchange", clob, "check the network and ARB_POLYMARKET__CLOB_URL"),
        ("data", data, "check the network and ARB_POLYMARKET__DATA_URL"),
    )
    found = [await tried(name, work, fix) for name, work, fix in hosts]
    away = next((c for c in found if c.name == "exchange" and c.remote), None)
    questions = (
        ("clock", clock, "set this machine's clock, for instance with chrony"),
        ("order version", version, "install a version of arb that speaks it"),
    )
    for name, work, fix in questions:
        found.append(_unasked(name) if away else await asked(name, work, fix))
    found.append(await asked("geoblock", geoblock, "reading is allowed from here, trading is not"))
    return found


def unsettled(error: ConfigError) -> list[Check]:
    """The only check that can be made without usable settings."""
    return [Check(name="settings", passed=False, detail=str(error), fix="see `arb config check`")]


async def tried(name: str, work: Callable[[], Awaitable[str]], fix: str) -> Check:
    """Run one check: its detail is what the work returns, or why it failed."""
    try:
        return Check(name=name, passed=True, detail=await work())
    except ArbError as error:
        away = isinstance(error, VenueError)
        return Check(name=name, passed=False, detail=str(error), fix=fix, remote=away)


async def asked(name: str, work: Callable[[], Awaitable[str]], fix: str) -> Check:
    """Run one check that asks a server: no answer is `SKIP`, not a failure."""
    try:
        return Check(name=name, passed=True, detail=await work())
    except Unavailable as error:
        return _unasked(name, str(error))
    except ArbError as error:
        return Check(name=name, passed=False, detail=str(error), fix=fix)


def _unasked(name: str, why: str = "the exchange does not answer") -> Check:
    return Check(name=name, passed=False, detail=f"not asked: {why}", remote=True, asked=False)


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
