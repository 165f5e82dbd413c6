"""Worlds for tests: the embedded exchange over loopback HTTP, and settings that point at it."""

import contextlib
import gzip
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from arb.adapters.clock import SystemClock
from arb.config.sources import Loaded, load
from arb.exchange.api.server import serve
from arb.exchange.market.scenario import build
from tests.daemon import Daemon
from tests.nats import NONE as NO_NATS
from tests.nats import NatsServer
from tests.nats import binary as nats_binary
from tests.postgres import NONE, Server, binaries
from tests.redis import NONE as NO_REDIS
from tests.redis import RedisServer
from tests.redis import binary as redis_binary
from tests.webhook import Webhook

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

D = TypeVar("D", bound=Daemon)
ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ARB_"):
            monkeypatch.delenv(name)


@pytest.fixture
def recording() -> Iterator[Any]:
    def find(name: str) -> Path:
        path = RECORDINGS / name
        if not path.exists():
            pytest.skip(f"the recording {name} is not beside this checkout (../shared/data)")
        return path

    yield find


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real server, started when the first test asks for it."""
    found = binaries()
    if found is None:
        pytest.skip(NONE)
    pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")
    server = Server(found)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """A real server with JetStream, for one test."""
    yield from _daemon(NatsServer, nats_binary(), NO_NATS, "nats", "shards")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real server, for one test."""
    yield from _daemon(RedisServer, redis_binary(), NO_REDIS, "redis", "redis")


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A receiver for one test."""
    server = Webhook()
    yield server
    server.stop()


def _daemon(
    make: Callable[[str], D], program: str | None, none: str, library: str, extra: str
) -> Iterator[D]:
    if program is None:
        pytest.skip(none)
    pytest.importorskip(library, reason=f"the extra `{extra}` is not installed")
    server = make(program)
    server.start()
    yield server
    server.remove()


@contextlib.asynccontextmanager
async def exchange_at(scenario: str, seed: int = 1, **more: Any) -> AsyncIterator[tuple[Any, str]]:
    exchange = build(scenario, seed, SystemClock(), **more)
    async with serve(exchange) as address:
        yield exchange, address


def settings_for(address: str, folder: Path, **flags: Any) -> Loaded:
    return load(
        flags={
            "polymarket.gamma_url": address,
            "polymarket.clob_url": address,
            "polymarket.data_url": address,
            "polymarket.geoblock_url": f"{address}/api/geoblock",
            "polymarket.quarantine_folder": str(folder / "quarantine"),
            "polymarket.universe_max_age_seconds": 0,
            "database.url": f"sqlite+aiosqlite:///{folder}/arb.db",
            "logging.folder": "",
            "arbitrage.execution_pause": 0,
            **flags,
        },
        folder=folder,
    )


def environment_for(address: str, folder: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARB_")}
    return {
        **inherited,
        "ARB_POLYMARKET__GAMMA_URL": address,
        "ARB_POLYMARKET__CLOB_URL": address,
        "ARB_POLYMARKET__DATA_URL": address,
        "ARB_POLYMARKET__GEOBLOCK_URL": f"{address}/api/geoblock",
        "ARB_POLYMARKET__QUARANTINE_FOLDER": str(folder / "quarantine"),
        "ARB_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/arb.db",
        "ARB_LOGGING__FOLDER": str(folder / "logs"),
        "ARB_ARBITRAGE__EXECUTION_PAUSE": "0",
    }


def ndjson(path: Path) -> list[Any]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.splitlines() if line]
