"""Going live: two keys, a ladder of checks, and what trades with real money."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from arb.adapters.polymarket.approvals import Approvals
from arb.adapters.polymarket.client import in_time, permit, send, wallet_facts
from arb.adapters.polymarket.live import WEI_PER_POL, PolymarketLive
from arb.adapters.polymarket.venue import PolymarketVenue
from arb.bootstrap import engine_options, live_context, live_venue
from arb.checks import Check, asked
from arb.config.schema import Settings
from arb.config.sources import Loaded
from arb.domain.errors import ArbError, ConfigError, NotReady
from arb.domain.money import Usd, text
from arb.domain.news import News, Trouble
from arb.engine.context import TradingContext
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.recover import Reconciler, describe, describe_adjustment
from arb.operations.doctor import checks_of
from arb.operations.leader import one_leader, token_of
from arb.publisher import Publisher


@contextlib.asynccontextmanager
async def ready_to_trade(
    loaded: Loaded, news: Publisher | None, token: int | None = None
) -> AsyncIterator[TradingContext]:
    """What to trade with real money with, once every check has passed; a leader's with its token.

    Raises:
        NotReady: A check has failed; all that failed are named with their fixes.
        ConfigError: A key to live trading is missing, or the key, wallet or credentials do not fit.
        VenueError: The venue could not be reached.
    """
    settings = loaded.settings
    async with signed_in(loaded, news) as (venue, live):
        _must_pass([*await checks_of([venue.bundle]), *await money_checks(live, settings)])
        async with live_context(settings, live, venue, news, token) as context:
            if len(context.venues) > 1:
                _must_pass(await checks_of(list(context.venues.values())))
            yield context


def _must_pass(checks: Sequence[Check]) -> None:
    failed = [check for check in checks if not check.passed]
    if failed:
        said = "; ".join(f"{c.name}: {c.detail} ({c.fix})" for c in failed)
        raise NotReady(f"live trading is refused: {said}")


@contextlib.asynccontextmanager
async def signed_in(
    loaded: Loaded, news: Publisher | None = None
) -> AsyncIterator[tuple[PolymarketVenue, PolymarketLive]]:
    """The venue with its trading side, for a live command.

    Raises:
        ConfigError: A key to live trading is missing, or the key, wallet or credentials do not fit.
        VenueError: The venue could not be reached.
    """
    settings = loaded.settings
    if not settings.trading.live:
        raise ConfigError(
            "this needs ARB_TRADING__LIVE=true in .env; see README_ORCHESTRATOR.md, Going live, "
            "step 4 (`arb run` needs --live as well: both keys, or a dry run)"
        )
    granted = permit(setting=settings.trading.live, flag=True, wallet=settings.polymarket.wallet)
    async with live_venue(settings, granted, news) as both:
        yield both


async def money_checks(live: PolymarketLive, settings: Settings) -> list[Check]:
    """What must be in place before a cent is risked; reads only."""
    options = settings.polymarket

    async def wallet() -> str:
        facts = wallet_facts(live.client)
        if options.wallet_type and options.wallet_type != facts.kind:
            raise ArbError(f"it is a {facts.kind}, ARB_POLYMARKET__WALLET_TYPE says otherwise")
        if facts.by_session_key and not options.session_key:
            # The official client takes any unknown address for a Deposit Wallet of another owner.
            raise ArbError("the key does not own this wallet")
        return f"{facts.kind} {live.holdings.wallet}"

    async def account() -> str:
        async with in_time():
            closing_only = await live.client.get_closed_only_mode()
        if closing_only:
            raise ArbError("the account may only close positions")
        return "may trade"

    async def balance() -> str:
        cash, least = await live.holdings.cash(), settings.trading.min_balance_usd
        if cash < least:
            raise ArbError(f"${text(cash)}, at least ${text(least)}")
        return f"${text(cash)}"

    async def allowances() -> str:
        least = Usd(settings.trading.max_position_size)
        found = await Approvals(live.rpc, live.contracts, live.holdings.wallet).read(least)
        missing = [one for one in found if not one.granted]
        if missing:
            raise ArbError("missing to " + ", ".join(one.what_for for one in missing))
        return f"{len(found)} in place, each for at least ${text(least)}"

    async def contracts() -> str:
        places = live.contracts
        for place in (places.collateral, places.conditional_tokens, places.neg_risk_adapter):
            if len(await live.rpc.code(place)) <= len("0x"):
                raise ArbError(f"there is no contract at {place}")
        latest = await live.rpc.block()
        return f"chain {places.chain_id}, block {latest.number if latest else 'unknown'}"

    async def gas() -> str:
        if wallet_facts(live.client).kind != "EOA":
            return "none is needed: transactions are relayed"
        pol = Decimal(await live.rpc.balance(live.holdings.wallet)) / WEI_PER_POL
        if pol < options.min_gas_pol:
            raise ArbError(f"{text(pol)} POL, at least {text(options.min_gas_pol)}")
        return f"{text(pol)} POL"

    async def relayer() -> str:
        if wallet_facts(live.client).kind == "EOA":
            return "not used: the wallet sends its own transactions"
        if not (options.relayer_key or options.builder_key):
            raise ArbError("a wallet that is a contract needs a key for the relayer")
        return "a key is there"

    steps = (
        ("wallet", wallet, "check ARB_POLYMARKET__WALLET and the key"),
        ("account", account, "see your account at the venue"),
        ("balance", balance, "deposit, or lower ARB_TRADING__MIN_BALANCE_USD"),
        ("allowances", allowances, "`arb approvals --set --amount USD` sets exactly these"),
        ("contracts", contracts, "check ARB_POLYMARKET__RPC_URLS"),
        ("gas", gas, "send POL to the wallet"),
        ("relayer", relayer, "set ARB_POLYMARKET__RELAYER_KEY and __RELAYER_KEY_ADDRESS"),
    )
    return [await asked(name, work, fix) for name, work, fix in steps]


async def reconcile(loaded: Loaded, accept: str | None) -> tuple[list[str], list[str]]:
    """Ledger against venue: the differences, and what was booked when an operator accepts them.

    Raises:
        LedgerError: The ledger cannot be used.
        VenueError: The venue could not be asked.
    """
    settings = loaded.settings
    async with (
        one_leader(settings.database, settings.account) as lead,
        signed_in(loaded) as (venue, live),
        live_context(settings, live, venue, token=token_of(lead)) as context,
    ):
        reconciler = Reconciler(
            venues=context.venues,
            ledger=context.ledger,
            clock=context.clock,
            options=engine_options(settings),
        )
        now = context.clock.now()
        await context.ledger.open_account({venue.bundle.id: await live.holdings.cash()}, now)
        await reconciler.run()
        booked: list[str] = []
        if accept is not None and reconciler.differences:
            booked = [describe_adjustment(c) for c in await reconciler.accept(accept)]
            await reconciler.run()
        return [describe(one) for one in reconciler.differences], booked


async def redeem(loaded: Loaded) -> tuple[list[str], int]:
    """Cash everything that has resolved; returns troubles and how many plans still wait.

    Raises:
        LedgerError: The ledger cannot be used.
        VenueError: The venue could not be asked.
    """
    settings, troubles = loaded.settings, list[str]()

    def hear(news: News) -> None:
        if isinstance(news, Trouble):
            troubles.append(f"{news.problem.where}: {news.problem.what}")

    async with (
        one_leader(settings.database, settings.account) as lead,
        signed_in(loaded) as (venue, live),
        live_context(settings, live, venue, Publisher([hear]), token_of(lead)) as context,
    ):
        await ArbitrageOrchestrator(context, engine_options(settings)).collect_resolutions()
        return troubles, len(await context.ledger.locked_plans())


async def grant_approvals(loaded: Loaded, amount: Decimal | None) -> list[dict[str, object]]:
    """Every permission that trading needs; with an amount, what is missing is granted first.

    Raises:
        VenueError: A node or the relayer did not answer.
    """
    async with signed_in(loaded) as (_, live):
        approvals = Approvals(live.rpc, live.contracts, live.holdings.wallet)
        least = Usd(amount if amount is not None else loaded.settings.trading.max_position_size)
        found = await approvals.read(least)
        missing = [one for one in found if not one.granted]
        if amount is not None and missing:
            await send(live.client, approvals.grant(missing, Usd(amount)), "approvals")
            found = await approvals.read(least)
        return [one.document() for one in found]
