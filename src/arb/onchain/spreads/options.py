"""Which pools are looked at, and what is worth handing over. Imports nothing of the extra."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadOptions:
    """The settings `[spreads]`."""

    enabled: bool = False
    """Whether `arb run` looks, too."""
    live: bool = False
    """The first of two keys for handing spreads to bots, which swap; the other is `--live`."""
    account: str = "spreads:default"
    """Which account of the ledger; nothing of it is ever added to another."""
    interval: float = 12.0
    """Seconds between two looks."""
    pools: tuple[str, ...] = ()
    """`v2:ADDRESS` or `v2:ADDRESS/FEE` with the fee in basis points, `v3:ADDRESS` or
    `v3:ADDRESS@QUOTER`."""
    quoter: str = ""
    """`QuoterV2` of v3-like pools that name none."""
    dollars: tuple[str, ...] = ()
    """Tokens that are counted as one dollar each; every route begins and ends in one."""
    wrapped: str = ""
    """The chain's own coin as a token: its price in the pools is that of gas."""
    min_spread: Decimal = Decimal("0.005")
    """The least difference of prices along a route, before fees, as a fraction."""
    min_profit_usd: Decimal = Decimal(10)
    """The least gain after pool fees, price impact and gas."""
    max_input_usd: Decimal = Decimal(10_000)
    """The most that one route may swap."""
    max_hops: int = 3
    """2: between two pools alone; 3: also triangles."""
    max_block_age: float = 30.0
    """Seconds; an older block proves nothing."""
    executor: str = ""
    """The contract that swaps; without one nothing is simulated or handed over."""
    sender: str = ""
    """The executor's owner: the wallet whose transactions the bots send."""
    flash_bots: tuple[str, ...] = ("adom",)
    """Bots whose transactions borrow the input from the first pool; others use the executor's."""
    answer_seconds: float = 60.0
    """How long a bot has for its answer."""
    curve_url: str = ""
    """Curve's API (version 1), such as https://api.curve.finance/v1; empty: not asked."""
    balancer_url: str = ""
    """Balancer's GraphQL API (version 3); empty: not asked."""
    oneinch_url: str = ""
    """1inch's price API (version 1.1); empty: not asked."""
    oneinch_key: str | None = field(default=None, repr=False)
    """Without one 1inch answers nothing."""
