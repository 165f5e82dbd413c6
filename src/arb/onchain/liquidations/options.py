"""The settings `[liquidations]`. Imports nothing of the extra."""

from dataclasses import dataclass
from decimal import Decimal

from arb.domain.money import Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationOptions:
    """Which market is watched, what is worth a transaction, and when to stop."""

    enabled: bool = False
    """Whether `arb run` looks for liquidations beside its cycles."""
    live: bool = False
    """The first of the two keys for sending; the second is `--live`."""
    account: str = "liquidations:default"
    """Which account of the ledger; nothing of it is ever added to another."""
    pool: str = ""
    """The market's `Pool` (Aave v3)."""
    from_block: int = 0
    """From which block on borrowers are looked for: when the market began."""
    borrowers_file: str = "data/borrowers.json"
    """Who borrows, over a restart; empty: logs are read from `from_block` on at every start."""
    interval: float = 5.0
    """Seconds between two looks."""
    reread_every: int = 500
    """After how many looks every position is read again, whatever the logs have named."""
    small_debt_usd: int = 2000
    """USD below which all of a debt may be repaid at once; 0 for contracts before Aave 3.3."""
    watch_below: Decimal = Decimal("1.1")
    """Positions below this health factor are listed."""
    native_asset: str = ""
    """The wrapped coin of the chain, whose price gas is counted at."""
    native_price_usd: Decimal | None = None
    """What a coin counts for where the oracle has no price of it."""
    price_feeds: tuple[str, ...] = ()
    """`ASSET=FEED` of tokens whose price a feed tells where the oracle fails."""
    feed_age_max: int = 3600
    """Seconds after which the answer of a feed is no price."""
    quoter: str = ""
    """Uniswap v3's `QuoterV2`."""
    router: str = ""
    """Its `SwapRouter`, or `SwapRouter02`."""
    router_deadline: bool = False
    """Whether that takes a deadline, as `SwapRouter` does."""
    pool_fees: tuple[int, ...] = (500, 3000, 10000)
    """Pools that are asked, by their fees in millionths."""
    min_profit_usd: Usd = Usd(Decimal(10))  # noqa: RUF009  # a NewType call is free
    """Least profit after gas and bribe, at the least that the swap may return."""
    max_repay_usd: Usd = Usd(Decimal(10_000))  # noqa: RUF009
    """The most that one liquidation repays."""
    max_daily_usd: Usd = Usd(Decimal(100_000))  # noqa: RUF009
    """The most that a UTC day's liquidations repay."""
    slippage_bps: int = 50
    """Hundredths of a percent by which the swap may return less than quoted."""
    oracle_deviation_bps: int = 300
    """Hundredths of a percent by which the pool's price may be below the oracle's."""
    relay_url: str = ""
    """Where bundles are sent; empty: transactions are sent one by one."""
    bundle_blocks: int = 3
    """For how many blocks a bundle is offered."""
    min_inclusion: Decimal = Decimal("0.5")
    """With a smaller part of the latest submissions included liquidations are throttled."""
    inclusion_window: int = 10
    """How many submissions that looks back on."""
    max_errors: int = 10
    """Errors in a row after which liquidations halt."""
    min_gas: Decimal = Decimal("0.1")
    """Of the chain's coin, what the wallet must have."""
