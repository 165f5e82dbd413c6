"""The embedded exchange as a process."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from arb.adapters.clock import SystemClock
from arb.domain.errors import ConfigError, Unavailable
from arb.exchange.api.server import serve
from arb.exchange.market.replay import load_replay
from arb.exchange.market.scenario import build
from arb.runtime.signals import on_stop


async def serve_until_stopped(
    scenario: str,
    *,
    seed: int,
    markets: int | None,
    replay: Path | None,
    past_days: int,
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` gets the address once requests are answered.

    Raises:
        ConfigError: There is no such scenario, the recording cannot be read, the port is taken.
    """
    clock = SystemClock()
    exchange = (
        load_replay(replay, clock) if replay else build(scenario, seed, clock, markets=markets)
    )
    exchange.history.imagine(past_days, str(seed))
    stop = asyncio.Event()
    try:
        async with serve(exchange, host=host, port=port) as address:
            with on_stop(stop.set):
                ready(address)
                await stop.wait()
    except Unavailable as error:
        raise ConfigError(f"{error}; choose another --port, or 0 for any free one") from error
