"""The control API in the orchestrator's loop, beside the schedule."""

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from starlette.types import ASGIApp

from arb.adapters.storage import Database
from arb.adapters.storage.queries import LedgerReads
from arb.bootstrap import build_strategies, build_strategy, engine_options
from arb.config.schema import ApiSettings
from arb.config.sources import Loaded
from arb.domain.errors import ConfigError, Unavailable, how_to_install
from arb.domain.news import Trouble
from arb.domain.report import Problem, ProblemKind
from arb.engine.bus import Bus
from arb.engine.context import TradingContext
from arb.engine.control import Control, Switch
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.watch import Watch
from arb.interlocks import BlockCode, Interlock
from arb.net.serve import listening
from arb.operations.redaction import safe
from arb.operations.reset_file import reset_file
from arb.plugins import installed
from arb.runtime.gc_schedule import quiet
from arb.views.sidecars import Alerts, Bots, Setting

T = TypeVar("T")

EXTRA = how_to_install("api")
STOP_SECONDS = 3
SWITCH_SECONDS = 0.0005
FIRST = "first"
EXECUTED = "api-executed.json"
"""Beside the record of commands."""


@dataclass(frozen=True, slots=True)
class Sidecars:
    """What works beside the engine, and is seen and commanded through the API."""

    alerts: Alerts | None = None
    bots: Bots | None = None


NO_SIDECARS = Sidecars()


@dataclass(frozen=True, slots=True)
class Controlled:
    """An orchestrator with its commands."""

    orchestrator: ArbitrageOrchestrator
    control: Control
    sidecars: Sidecars


def controlled(
    loaded: Loaded, context: TradingContext, sidecars: Sidecars = NO_SIDECARS
) -> Controlled:
    """An orchestrator, with the commands that may be given to it.

    Args:
        loaded: The settings.
        context: What it trades with; its strategies are those of the settings.
        sidecars: What the API shows besides.
    """
    settings = loaded.settings
    switch, watch, active = Switch(), Watch(context.clock), build_strategies(settings)
    halted = Interlock(BlockCode.HALTED_BY_COMMAND, switch.check)
    own = replace(context, strategies=active, interlocks=(halted, *context.interlocks))
    if settings.api.enabled:
        own = replace(own, offload=_in_thread)
    own.news.subscribe(watch)
    orchestrator = ArbitrageOrchestrator(own, engine_options(settings))
    asking = reset_file(settings.database.url)
    control = Control(
        mode=own.mode,
        orchestrator=orchestrator,
        venues=own.venues,
        ledger=own.ledger,
        clock=own.clock,
        news=own.news,
        watch=watch,
        switch=switch,
        active=active,
        installed={
            name: partial(build_strategy, settings, name, make)
            for name, make in installed().items()
        },
        forgive=own.forgive,
        reset_asked=asking.asked if asking else lambda: False,
    )
    return Controlled(orchestrator, control, sidecars)


async def _in_thread(work: Callable[[], T]) -> T:
    """See `arb.ports.Offload`."""
    return await asyncio.to_thread(work)


def need_api() -> None:
    """Raise with the install command when the API's libraries are missing.

    Raises:
        ConfigError: They are.
    """
    try:
        import fastapi  # noqa: F401, PLC0415  # an extra
        import prometheus_client  # noqa: F401, PLC0415
    except ImportError as error:
        raise ConfigError(f"the control API needs the library {error.name}: {EXTRA}") from None


@contextlib.asynccontextmanager
async def serving(
    loaded: Loaded, found: Controlled, ready: Callable[[str, str | None], None]
) -> AsyncIterator[Controlled]:
    """Serve the API while the block runs.

    Args:
        loaded: The settings.
        found: What is served.
        ready: Gets the address, and the first token where one had to be made: it is shown once.

    Raises:
        ConfigError: It must not, or cannot, listen there; a library is missing.
    """
    need_api()
    from arb.api.app import ApiOptions, create_app  # noqa: PLC0415  # an extra
    from arb.api.audit import Audit  # noqa: PLC0415
    from arb.api.auth import allowed_hosts, is_loopback, must_not_be_open  # noqa: PLC0415
    from arb.api.executed import ExecutedKeys  # noqa: PLC0415
    from arb.api.gate import GateOptions  # noqa: PLC0415
    from arb.api.metrics import Metrics  # noqa: PLC0415
    from arb.api.render import wanted  # noqa: PLC0415
    from arb.api.shared import SharedReads  # noqa: PLC0415

    options, control = loaded.settings.api, found.control
    if options.open_on_loopback and (
        against := must_not_be_open(
            options.host, options.allowed_hosts, live=control.mode == "live"
        )
    ):
        raise ConfigError(against)
    tokens, first = _tokens(
        options,
        lambda what: control.news.publish(
            Trouble(Problem(kind=ProblemKind.TOKENS, where="tokens", what=what))
        ),
    )
    metrics, bus = Metrics(), Bus(wanted)
    # Through connections of its own, which wait for no writer.
    reads = LedgerReads(Database(loaded.settings.database.url), control.ledger.account)
    shared = SharedReads(control.clock.monotonic)
    for observer in (shared.observe, metrics, bus):
        control.news.subscribe(observer)
    path = Path(options.audit_file) if options.audit_file else None
    audit = Audit(path, control.clock)
    app = create_app(
        control,
        reads,
        ApiOptions(
            interval_seconds=loaded.settings.arbitrage.scan_interval,
            gate=GateOptions(
                hosts=allowed_hosts(options.host, options.allowed_hosts),
                requests_per_minute=options.requests_per_minute,
                open_metrics=options.open_metrics and is_loopback(options.host),
                open_on_loopback=options.open_on_loopback,
                origins=frozenset(options.cors_origins),
            ),
        ),
        shared=shared,
        settings=lambda: _settings(loaded),
        tokens=tokens,
        bus=bus,
        metrics=metrics,
        audit=audit,
        executed=ExecutedKeys(path.with_name(EXECUTED) if path else None, control.clock),
        bots=found.sidecars.bots,
        alerts=found.sidecars.alerts,
    )
    switched = sys.getswitchinterval()
    # Answers go to and fro between threads; beside a long computation each way costs this much.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with quiet() as housekeeping:
            control.news.subscribe(housekeeping)
            async with _listening(app, options) as address:
                ready(address, first)
                yield found
    finally:
        sys.setswitchinterval(switched)
        await shared.close()
        await reads.close()


def _settings(loaded: Loaded) -> list[Setting]:
    return [
        Setting(name=one.name, value=safe(one.shown), source=one.source) for one in loaded.all()
    ]


def _tokens(options: ApiSettings, tell: Callable[[str], None]) -> tuple[Any, str | None]:
    from arb.api.auth import (  # noqa: PLC0415  # an extra
        Role,
        Tokens,
        add_token,
        chosen,
        must_not_listen,
        read_tokens,
    )

    path = Path(options.token_file)
    kept = read_tokens(path)
    own = [chosen(options.token.get_secret_value())] if options.token else []
    against = must_not_listen(options.host, configured=bool(own or kept))
    if against:
        raise ConfigError(against)
    first = None
    if not own and not kept:
        first = add_token(path, FIRST, Role.TRADE)
    return Tokens(own, path, tell), first


def _tls(options: ApiSettings) -> dict[str, str]:
    """What the server needs for TLS; nothing where there is no certificate.

    Raises:
        ConfigError: Certificate and key cannot be used.
    """
    certificate, key = options.tls_certificate, options.tls_key
    if not certificate and not key:
        return {}
    if not certificate or not key:
        raise ConfigError("api.tls_certificate and api.tls_key: set both, or neither")
    try:
        # An empty password: a key that has one is refused here instead of asking the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except OSError as error:  # and what OpenSSL says
        why = error.strerror or error
        raise ConfigError(f"api.tls_certificate {certificate}, api.tls_key {key}: {why}") from error
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


@contextlib.asynccontextmanager
async def _listening(app: ASGIApp, options: ApiSettings) -> AsyncIterator[str]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            address = await stack.enter_async_context(
                listening(
                    app,
                    options.host,
                    options.port,
                    ws_max_size=4096,
                    ws_per_message_deflate=False,  # every client's copy would be packed anew
                    server_header=False,
                    date_header=False,
                    h11_max_incomplete_event_size=16 * 1024,
                    limit_concurrency=500,
                    timeout_graceful_shutdown=STOP_SECONDS,
                    **_tls(options),
                )
            )
        except Unavailable as error:
            raise ConfigError(f"the API {error}; set ARB_API__PORT") from None
        yield address
