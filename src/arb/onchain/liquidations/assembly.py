"""The settings `[liquidations]` to a liquidator."""

from collections.abc import Callable
from pathlib import Path

from loguru import logger

from arb.domain.attempt import AttemptFact
from arb.domain.errors import ArbError
from arb.domain.halt import Standing
from arb.domain.news import Attempted, AttemptsChanged, AttemptsLooked, News, Trouble, cause
from arb.domain.report import Problem, ProblemKind
from arb.onchain.chain import Chain
from arb.onchain.liquidations.aave_market import AaveMarket, AaveOptions
from arb.onchain.liquidations.liquidator import Liquidator, Look, LookFailed, Seen
from arb.onchain.liquidations.memory import Memory
from arb.onchain.liquidations.options import LiquidationOptions
from arb.onchain.liquidations.sending import Relay, Wallet
from arb.onchain.liquidations.swaps import UniswapOptions, UniswapV3
from arb.onchain.signer import Signer
from arb.ports import Attempts, Clock


def assemble(
    chain: Chain,
    options: LiquidationOptions,
    ledger: Attempts | None,
    clock: Clock,
    signer: Signer | None,
    publish: Callable[[News], None],
    blocked: Callable[[], str],
) -> Liquidator:
    """A liquidator over a chain.

    Args:
        chain: Where the market is.
        options: The settings.
        ledger: Where facts are kept; `None`: nowhere.
        clock: Time.
        signer: Whose money it is; `None`: it is only looked.
        publish: Hears steps, figures and states.
        blocked: Why nothing may be sent now.
    """
    price = options.native_price_usd
    market = AaveMarket(
        chain,
        AaveOptions(
            pool=options.pool,
            small_debt_usd=options.small_debt_usd,
            feeds=dict(_feed(pair) for pair in options.price_feeds),
            feed_age_seconds_max=options.feed_age_max,
            coin=options.native_asset,
            coin_price_usd=None if price is None else int(price * 10**6),
        ),
    )
    swaps = None
    if options.quoter and options.router:
        swaps = UniswapV3(
            chain,
            UniswapOptions(
                quoter=options.quoter,
                router=options.router,
                deadline=options.router_deadline,
                pool_fees=options.pool_fees,
            ),
        )

    def tell(seen: Seen) -> None:
        match seen:
            case AttemptFact():
                publish(Attempted(options.account, seen))
            case Standing():
                publish(AttemptsChanged(options.account, seen))
            case Look():
                publish(AttemptsLooked(options.account, made.sums(seen)))
            case LookFailed(error=error):
                if not isinstance(error, ArbError):  # the traceback, in the file
                    logger.opt(exception=error).debug("{}: a look has failed", options.account)
                what = cause(error)
                problem = Problem(kind=ProblemKind.CHAIN, where=options.account, what=what)
                publish(Trouble(problem))

    made = Liquidator(
        chain=chain,
        market=market,
        swaps=swaps,
        ledger=ledger,
        clock=clock,
        options=options,
        wallet=None if signer is None else Wallet(chain, signer),
        relay=Relay(options.relay_url) if options.relay_url and signer is not None else None,
        memory=_memory(chain, options),
        live=signer is not None,
        blocked=blocked,
        tell=tell,
    )
    return made


def _memory(chain: Chain, options: LiquidationOptions) -> Memory | None:
    if not options.borrowers_file:
        return None
    return Memory(Path(options.borrowers_file), f"{chain.options.chain_id}/{options.pool}")


def _feed(pair: str) -> tuple[str, str]:
    token, _, feed = pair.partition("=")
    return token, feed
