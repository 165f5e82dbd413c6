"""Swapping back what was seized: quotes and swaps of Uniswap v3 pools, one pool at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from arb.checks import Check, tried
from arb.domain.errors import BadVenueData
from arb.net.rpc import Block, Call, Reverted
from arb.onchain.abi import Contract, function
from arb.onchain.chain import Chain

QUOTER = Contract(
    function(
        "quoteExactInputSingle",
        "(address,address,uint256,uint24,uint160)",
        returns=("uint256", "uint160", "uint32", "uint256"),
    ),
)
ROUTER = Contract(
    function(
        "exactInputSingle",
        "(address,address,uint24,address,uint256,uint256,uint256,uint160)",
        returns=("uint256",),
    ),
)
"""`SwapRouter`: with a deadline."""
ROUTER_02 = Contract(
    function(
        "exactInputSingle",
        "(address,address,uint24,address,uint256,uint256,uint160)",
        returns=("uint256",),
    ),
)
"""`SwapRouter02`: without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a pool returns at a block."""

    out: int
    pool_fee: int
    """Of the pool, in millionths: which pool it is."""


class Swaps(Protocol):
    """Turns one token into another."""

    spender: str
    """The contract that takes the token from the wallet."""

    async def quote(self, sold: str, bought: str, amount: int, block: Block) -> Quote | None:
        """The best that a pool returns at a block; `None`: there is no such pool.

        Raises:
            VenueError: It could not be asked.
        """
        ...

    def swap(
        self, sold: str, bought: str, amount: int, least: int, quote: Quote, to: str, until: int
    ) -> Call:
        """The call that swaps, and fails where less than `least` would be returned."""
        ...

    async def checks(self) -> Sequence[Check]:
        """Whether its contracts are there. Never raises for what it finds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UniswapOptions:
    """Where is swapped."""

    quoter: str
    """`QuoterV2`."""
    router: str
    """`SwapRouter`, or `SwapRouter02`."""
    deadline: bool
    """Whether the router takes a deadline, as `SwapRouter` does."""
    pool_fees: tuple[int, ...]
    """Which pools are asked: their fees in millionths."""


class UniswapV3:
    """See `Swaps`."""

    def __init__(self, chain: Chain, options: UniswapOptions) -> None:
        self._chain, self._options = chain, options
        self.spender = options.router.lower()

    async def quote(self, sold: str, bought: str, amount: int, block: Block) -> Quote | None:
        """See `Swaps`."""
        found: list[Quote] = []
        for fee in self._options.pool_fees:
            asked = (sold, bought, amount, fee, 0)
            view = QUOTER.view(self._options.quoter, "quoteExactInputSingle", asked)
            try:
                out, *_ = await self._chain.ask(view, at=block)
            except Reverted:  # no such pool, or too little in it
                continue
            found.append(Quote(out=out, pool_fee=fee))
        return max(found, key=lambda one: one.out, default=None)

    def swap(
        self, sold: str, bought: str, amount: int, least: int, quote: Quote, to: str, until: int
    ) -> Call:
        """See `Swaps`."""
        first, last = (sold, bought, quote.pool_fee, to), (amount, least, 0)
        if self._options.deadline:
            return ROUTER.call(self.spender, "exactInputSingle", (*first, until, *last))
        return ROUTER_02.call(self.spender, "exactInputSingle", (*first, *last))

    async def checks(self) -> Sequence[Check]:
        """See `Swaps`."""

        async def there() -> str:
            for name, address in (
                ("quoter", self._options.quoter),
                ("router", self._options.router),
            ):
                if not await self._chain.has_code(address):
                    raise BadVenueData(name, f"there is no contract at {address}")
            return f"quoter {self._options.quoter}, router {self._options.router}"

        fix = "set ARB_LIQUIDATIONS__QUOTER and ARB_LIQUIDATIONS__ROUTER to those of this chain"
        return [await tried("liquidations: the pools' contracts", there, fix)]
