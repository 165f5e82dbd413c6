"""Settings to assembled parts: the only place that knows all of them.

Dry-run is decided here and nowhere else: the same engine gets a paper venue instead of a live one.
"""

import contextlib
import importlib.util
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import stamina.instrumentation
from pydantic import ValidationError

from arb import plugins
from arb.adapters.clock import SystemClock
from arb.adapters.paper.venue import on_paper
from arb.adapters.polymarket.client import LivePermit
from arb.adapters.polymarket.live import PolymarketLive, open_live
from arb.adapters.polymarket.venue import PolymarketVenue, open_venue
from arb.adapters.storage import Database, ResilientLedger, open_attempts, open_ledger
from arb.adapters.storage.attempts import SqlAttempts
from arb.adapters.storage.signals import SqlSignals
from arb.config.keys import private_key
from arb.config.options import options_of
from arb.config.own import own_options
from arb.config.schema import Settings, StrategySettings
from arb.config.sources import inherited
from arb.domain.errors import ConfigError, how_to_install
from arb.domain.money import Usd
from arb.domain.news import Trouble
from arb.domain.report import Problem, ProblemKind
from arb.engine.context import TradingContext
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions, GuardOptions
from arb.engine.scanner import Scanner
from arb.engine.venues import Venues
from arb.net import way
from arb.net.budget import OwnBudgets
from arb.ports import Budgets, Clock, Scouts, Strategy, Venue, VenueContext
from arb.publisher import Publisher
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.options import StrategyOptions

if TYPE_CHECKING:
    from arb.adapters.redis.budgets import SharedBudgets
    from arb.adapters.shards.worker import NatsWorker
    from arb.engine.signals import SignalOptions
    from arb.onchain.chain import Chain
    from arb.onchain.liquidations.liquidator import Liquidator
    from arb.onchain.signer import Signer

REDIS_EXTRA = how_to_install("redis")
SIGNALS_EXTRA = how_to_install("signals")
SHARDS_EXTRA = how_to_install("shards")
ONCHAIN_EXTRA = how_to_install("onchain")
PAPER_MEMORY = timedelta(days=30)
"""How long paper fills keep the liquidity that they took."""


def engine_options(settings: Settings) -> EngineOptions:
    """The engine's options, from the settings of the same names."""
    return settings.options(
        EngineOptions,
        limits=settings.options(RiskLimits),
        sizing=settings.options(SizingOptions),
        guard=settings.options(GuardOptions),
    )


def build_strategies(settings: Settings) -> list[Strategy]:
    """The enabled strategies.

    Raises:
        ConfigError: One is not installed, or its own settings cannot be used.
    """
    enabled = settings.strategies.enabled
    made = zip(enabled, plugins.strategies(enabled), strict=True)
    return [build_strategy(settings, name, make) for name, make in made]


def build_strategy(
    settings: Settings, name: str, make: Any, params: Mapping[str, object] | None = None
) -> Strategy:
    """A strategy with its options: those of a class of its own are the table of its name.

    Args:
        settings: Where its options are.
        name: What it is called.
        make: Makes it of its options.
        params: Options in place of those of the settings, by name.

    Raises:
        ConfigError: They cannot be used.
    """
    own, given = getattr(make, "options", None), params or {}
    known = [field.name for field in fields(own or StrategyOptions)]
    for wrong in sorted(given.keys() - known):
        options = ", ".join(known) or "none"
        raise ConfigError(f"params: {wrong} is no option of {name} (its options: {options})")
    if own is None:
        built: Strategy = make(_bounds(settings, given))
    else:
        values = {**settings.strategies.own(name), **given}
        built = make(own_options(own, f"strategies.{name}", values))
    return built


def _bounds(settings: Settings, given: Mapping[str, object]) -> StrategyOptions:
    """The bounds of all strategies, some of which were given.

    Raises:
        ConfigError: One that was given cannot be used.
    """
    try:
        table = StrategySettings.model_validate({**dict(settings.strategies), **given})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ConfigError(f"params: {first['loc'][0]}: {first['msg']}") from None
    return settings.model_copy(update={"strategies": table}).options(StrategyOptions)


@contextlib.asynccontextmanager
async def polymarket(
    settings: Settings, news: Publisher | None = None
) -> AsyncIterator[PolymarketVenue]:
    """Polymarket, for reading; `news` gets a Redis that is unreachable.

    Raises:
        ConfigError: The budgets are to be shared, and the extra for it is not installed; or the
            environment names a proxy that cannot be used.
    """
    _ready_to_read()
    clock = SystemClock()
    budgets = _budgets(settings, clock, news)
    venue = open_venue(settings.polymarket, clock, budgets=budgets, tell=_telling(news))
    try:
        yield venue
    finally:
        await venue.close()


@contextlib.asynccontextmanager
async def open_venues(
    settings: Settings,
    names: Sequence[str],
    news: Publisher | None = None,
    *,
    live: bool,
    clock: Clock | None = None,
) -> AsyncIterator[list[Venue]]:
    """These venues, by their entry points.

    Args:
        settings: Among them each venue's own.
        names: Which venues.
        news: Gets a Redis that is unreachable.
        live: Whether orders are to be sent with real money.
        clock: Time; the system's without one.

    Raises:
        ConfigError: One is not installed, its settings or the environment's proxy cannot be used,
            or the extra for shared budgets is not installed.
    """
    _ready_to_read()
    clock = clock or SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        found: list[Venue] = []
        for name in names:
            plugin = plugins.venue(name)
            budgets = partial(_budgets, settings, clock, news)
            context = VenueContext(clock=clock, budgets=budgets, live=live, tell=_telling(news))
            options = venue_options(settings, name, plugin.options)
            venue: Venue = await stack.enter_async_context(plugin.open(options, context))
            if venue.id != name:
                raise ConfigError(f"the plugin of the venue {name} calls it {venue.id}")
            if live and venue.trading is None:
                raise ConfigError(f"the venue {name} is only read: take it out of venues.enabled")
            found.append(venue)
        yield found


def _ready_to_read() -> None:
    """Check the way out, once for all that is read.

    Raises:
        ConfigError: The environment names a proxy that cannot be used.
    """
    way.check(inherited())
    # Retries are counted by the reader; the library's own log lines would repeat them.
    stamina.instrumentation.set_on_retry_hooks([])


def venue_options(settings: Settings, name: str, kind: type[Any]) -> Any:
    """A venue's own settings: its section, or its table under `[venues]`.

    Raises:
        ConfigError: They cannot be used; names the first that is wrong.
    """
    section = getattr(settings, name, None)
    if isinstance(section, kind):
        return section
    return own_options(kind, f"venues.{name}", settings.venues.own(name))


@contextlib.asynccontextmanager
async def paper_context(
    settings: Settings,
    news: Publisher | None = None,
    token: int | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[TradingContext]:
    """What reads the real venues and trades on paper; a leader's with its token.

    Raises:
        LedgerError: The ledger cannot be used.
        ConfigError: A strategy is not installed, or the account is not one on paper.
    """
    account = settings.trading.account
    if not account.startswith("paper:"):
        raise ConfigError(f"trading.account = {account!r}: dry-run needs one that begins paper:")
    clock = clock or SystemClock()
    enabled, news = build_strategies(settings), news or Publisher()
    async with (
        _ledger(settings, account, news, token) as ledger,
        open_venues(settings, settings.venues.enabled, news, live=False, clock=clock) as venues,
        _scouts(settings, clock) as scouts,
    ):
        history = await ledger.fills(clock.now() - PAPER_MEMORY)
        yield TradingContext(
            mode="dry-run",
            clock=clock,
            venues=Venues(on_paper(venue, clock, history) for venue in venues),
            strategies=enabled,
            ledger=ledger,
            scouts=scouts,
            news=news,
        )


@contextlib.asynccontextmanager
async def live_context(
    settings: Settings,
    live: PolymarketLive,
    venue: PolymarketVenue,
    news: Publisher | None = None,
    token: int | None = None,
) -> AsyncIterator[TradingContext]:
    """What trades with real money, over a signed-in venue; a leader's with its token.

    Raises:
        LedgerError: The ledger cannot be used.
        ConfigError: A strategy is not installed.
    """
    enabled, news = build_strategies(settings), news or Publisher()
    clock: Clock = SystemClock()
    async with (
        _ledger(settings, live.account, news, token) as ledger,
        open_venues(settings, _others(settings, venue.bundle), news, live=True) as others,
        _scouts(settings, clock) as scouts,
    ):
        yield TradingContext(
            mode="live",
            clock=clock,
            venues=Venues([live.trading_at(venue.bundle), *others]),
            strategies=enabled,
            ledger=ledger,
            scouts=scouts,
            news=news,
        )


def signal_options(settings: Settings) -> "tuple[EngineOptions, SignalOptions]":
    """How the account that follows signals is run: the limits of `[risk]`, counted by itself, with
    those of `[signals]` in the place of what they replace.
    """
    from arb.engine.signals import SignalOptions  # noqa: PLC0415  # an extra
    from arb.statistical.rules import PositionRules  # noqa: PLC0415

    chosen, engine = settings.signals, engine_options(settings)
    most = Usd(chosen.max_position)
    limits = replace(
        engine.limits,
        max_position_size=most,
        max_daily_loss_pct=chosen.max_daily_loss * 100 or None,
        max_drawdown_pct=None,  # theirs is of what is held, too, and ends with a resumption
        risk_per_trade=chosen.risk_per_trade,
    )
    engine = replace(
        engine,
        limits=limits,
        guard=replace(engine.guard, max_position_size=most),
        bankroll_usd=Usd(chosen.bankroll_usd),
        answer_wait=timedelta(0),  # on paper answers come at once; what is held back waits its turn
        scan_interval=chosen.strategy_interval,
    )
    values = dict(chosen)
    return engine, options_of(SignalOptions, values, rules=options_of(PositionRules, values))


def need_signals() -> None:
    """Raise with the install command when the library of the indicators is missing.

    Raises:
        ConfigError: It is.
    """
    try:
        import talipp  # noqa: F401, PLC0415  # an extra
    except ImportError as error:
        raise ConfigError(
            f"signals.enabled needs the library {error.name}: {SIGNALS_EXTRA}"
        ) from None


@contextlib.asynccontextmanager
async def signal_context(
    settings: Settings, beside: TradingContext, news: Publisher
) -> AsyncIterator[tuple[TradingContext, SqlSignals]]:
    """What the account that follows signals trades with: on paper, whatever the run does.

    Args:
        settings: Among them the account's.
        beside: The run's own: its venues are read here, less what it has taken of them on paper.
        news: Gets what happens in this account.

    Raises:
        ConfigError: The account is the run's own.
        LedgerError: The ledger cannot be used.
    """
    account, clock = settings.signals.account, beside.clock
    if account == beside.ledger.account:
        raise ConfigError(
            f"signals.account = {account!r} is the account of what is proved: name another"
        )
    async with _ledger(settings, account, news, None) as ledger:
        memory = SqlSignals(Database(settings.database.url), account)
        try:
            history = await ledger.fills(clock.now() - PAPER_MEMORY)
            yield (
                replace(
                    beside,
                    mode="dry-run",
                    venues=Venues(on_paper(one, clock, history) for one in beside.venues.values()),
                    strategies=(),
                    ledger=ledger,
                    scouts=None,
                    news=news,
                    forgive=lambda: None,
                ),
                memory,
            )
        finally:
            await memory.close()


def _others(settings: Settings, signed_in: Venue) -> list[str]:
    """The enabled venues beside the one whose wallet has signed in."""
    if signed_in.id not in settings.venues.enabled:
        raise ConfigError(f"venues.enabled lacks {signed_in.id}, whose wallet is to trade")
    return [name for name in settings.venues.enabled if name != signed_in.id]


@contextlib.asynccontextmanager
async def live_venue(
    settings: Settings, permit_: LivePermit, news: Publisher | None = None
) -> AsyncIterator[tuple[PolymarketVenue, PolymarketLive]]:
    """Polymarket, for reading and for trading.

    Raises:
        ConfigError: The key, the wallet or the credentials do not fit.
        Unavailable: The venue could not be reached.
    """
    key = private_key(settings)
    options, clock = settings.polymarket, SystemClock()
    async with (
        polymarket(settings, news) as venue,
        open_live(options, permit_, key.reveal, venue, clock) as live,
    ):
        yield venue, live


@contextlib.asynccontextmanager
async def _ledger(
    settings: Settings, account: str, news: Publisher, token: int | None
) -> AsyncIterator[ResilientLedger]:
    inner = await open_ledger(settings.database.url, account, token)
    ledger = ResilientLedger(inner, news.publish)
    try:
        yield ledger
    finally:
        await ledger.close()


def _budgets(settings: Settings, clock: Clock, news: Publisher | None) -> Budgets:
    return shared_budgets(settings, clock, news) if settings.redis.url else OwnBudgets()


def shared_budgets(
    settings: Settings, clock: Clock, news: Publisher | None = None
) -> "SharedBudgets":
    """The budgets at the Redis that the settings name; it is not asked yet.

    Raises:
        ConfigError: The extra for it is not installed, or the address is none.
    """
    options = settings.redis
    try:
        from arb.adapters.redis.budgets import SharedBudgets  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise ConfigError(f"redis.url needs the library {error.name}: {REDIS_EXTRA}") from None
    try:
        return SharedBudgets(options.url, options.name, clock, _telling(news))
    except ValueError:
        # Without the cause: it quotes what stands where a port was looked for, a password's part.
        raise ConfigError(
            "ARB_REDIS__URL is not the address of a Redis server; a special character in its "
            "password is written as %XX"
        ) from None


def _telling(news: Publisher | None) -> Callable[[Problem], None]:
    publisher = news or Publisher()
    return lambda problem: publisher.publish(Trouble(problem))


@contextlib.asynccontextmanager
async def _scouts(settings: Settings, clock: Clock) -> AsyncIterator[Scouts | None]:
    """The workers that read books for this process, where the settings name a server for them."""
    options = settings.shards
    if not options.url:
        yield None
        return
    need_shards()
    from arb.adapters.shards.link import linked  # noqa: PLC0415  # an extra
    from arb.adapters.shards.messages import Names  # noqa: PLC0415
    from arb.adapters.shards.scouts import NatsScouts  # noqa: PLC0415

    identity = process_name(clock)
    async with linked(options.url, identity) as link:
        yield NatsScouts(
            link,
            Names(prefix=options.name),
            clock,
            identity=identity,
            markets_per_part=options.markets_per_part,
            patience_seconds=options.patience,
        )


@contextlib.asynccontextmanager
async def worker(settings: Settings, news: Publisher | None = None) -> "AsyncIterator[NatsWorker]":
    """A worker that reads parts of the listing for a leader: no account, no ledger, no key.

    Raises:
        ConfigError: There is no address to work for, the extra or a strategy is not installed.
    """
    options, clock = settings.shards, SystemClock()
    if not options.url:
        raise ConfigError("shards.url is empty: set ARB_SHARDS__URL to the NATS server's address")
    need_shards()
    from arb.adapters.shards.link import linked  # noqa: PLC0415  # an extra
    from arb.adapters.shards.messages import Names  # noqa: PLC0415
    from arb.adapters.shards.worker import NatsWorker  # noqa: PLC0415

    identity = process_name(clock)
    async with scanner(settings, news) as eyes, linked(options.url, identity) as link:
        yield NatsWorker(
            link,
            Names(prefix=options.name),
            identity=identity,
            patience_seconds=options.patience,
            look=eyes.glimpse,
            tell=_telling(news),
        )


def process_name(clock: Clock) -> str:
    """A name that no other process has, on any machine, nor this one's successor."""
    started = round(clock.now().timestamp() * 1000)
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{socket.gethostname()}-{os.getpid()}-{started}")


def need_shards() -> None:
    """Raise with the install command when the library is missing.

    Raises:
        ConfigError: It is.
    """
    try:
        import nats  # noqa: F401, PLC0415  # an extra
    except ImportError as error:
        raise ConfigError(f"shards.url needs the library {error.name}: {SHARDS_EXTRA}") from None


@contextlib.asynccontextmanager
async def chain(settings: Settings, news: Publisher | None = None) -> AsyncIterator["Chain"]:
    """The chain of `[chain]`; `news` gets a node that fails and which is asked instead.

    Raises:
        ConfigError: No node is set, the extra is not installed, or the environment names a proxy
            that cannot be used.
    """
    if not settings.chain.rpc_urls:
        raise ConfigError(
            "no chain is set: ARB_CHAIN__RPC_URLS takes the addresses of its nodes, the primary "
            "first, and ARB_CHAIN__CHAIN_ID its number"
        )
    need_onchain()
    from arb.onchain.chain import Chain  # noqa: PLC0415  # an extra, and slow to import

    _ready_to_read()
    publisher = news or Publisher()

    def tell(what: str) -> None:
        publisher.publish(Trouble(Problem(kind=ProblemKind.CHAIN, where="node", what=what)))

    opened = Chain(settings.chain.options, clock=SystemClock(), tell=tell)
    try:
        yield opened
    finally:
        await opened.close()


def chain_signer(settings: Settings) -> "Signer":
    """What signs transactions with the key of `[chain]`. A dry run never calls it.

    Raises:
        ConfigError: There is no key, or its source cannot be used.
    """
    need_onchain()
    from arb.onchain.signer import Signer  # noqa: PLC0415  # an extra, and slow to import

    return Signer(private_key(settings.chain.options))


@contextlib.asynccontextmanager
async def liquidator(
    settings: Settings,
    news: Publisher | None = None,
    *,
    kept: bool = False,
    live: bool = False,
    blocked: Callable[[], str] = lambda: "",
) -> AsyncIterator["Liquidator"]:
    """What watches the loans of `[liquidations]` on the chain of `[chain]`.

    Args:
        settings: Among them both sections.
        news: Gets steps, figures and states.
        kept: Whether facts are kept in the ledger; otherwise a look leaves nothing.
        live: The second of the two keys for sending.
        blocked: Why nothing may be sent now; empty: nothing stands against it.

    Raises:
        ConfigError: A setting is missing or cannot be used, or the extra is not installed.
        LedgerError: The ledger cannot be used.
    """
    options, publisher = settings.liquidations.options, news or Publisher()
    if not options.pool:
        raise ConfigError(
            "no lending market is set: ARB_LIQUIDATIONS__POOL takes the address of its Pool"
        )
    sends = live and options.live
    if live and not sends:
        raise ConfigError(
            "liquidations are sent with two keys: ARB_LIQUIDATIONS__LIVE=true and --live"
        )
    async with chain(settings, news) as opened, contextlib.AsyncExitStack() as stack:
        from arb.onchain.liquidations.assembly import assemble  # noqa: PLC0415  # an extra

        ledger: SqlAttempts | None = None
        if kept:
            ledger = await open_attempts(settings.database.url, options.account)
            stack.push_async_callback(ledger.close)
        signer = chain_signer(settings) if sends else None
        made = assemble(opened, options, ledger, SystemClock(), signer, publisher.publish, blocked)
        stack.push_async_callback(made.close)
        yield made


def need_onchain() -> None:
    """Raise with the install command when the library is missing.

    Raises:
        ConfigError: It is.
    """
    if importlib.util.find_spec("web3") is None:
        raise ConfigError(f"a chain needs the library web3: {ONCHAIN_EXTRA}")


@contextlib.asynccontextmanager
async def scanner(settings: Settings, news: Publisher | None = None) -> AsyncIterator[Scanner]:
    """What `arb scan` looks through, and workers: no account, no ledger, no key.

    Raises:
        ConfigError: A strategy is not installed.
    """
    async with open_venues(settings, settings.venues.enabled, news, live=False) as venues:
        yield scanner_of(settings, venues)


def scanner_of(settings: Settings, venues: Sequence[Venue]) -> Scanner:
    """A scanner of venues that are open.

    Raises:
        ConfigError: A strategy is not installed.
    """
    return Scanner(
        market_data=MarketData(venues),
        strategies=build_strategies(settings),
        clock=SystemClock(),
        options=engine_options(settings),
    )
