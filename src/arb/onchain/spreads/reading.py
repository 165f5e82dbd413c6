"""Pools as they are at one block, and what they would give for an amount there."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arb.domain.errors import BadVenueData, ConfigError
from arb.net.rpc import Block, Reverted
from arb.onchain.abi import Contract, function
from arb.onchain.chain import ERC20, Chain
from arb.onchain.spreads.options import SpreadOptions
from arb.onchain.spreads.pools import Hop, PairPool, TickPool, Token

PAIR = Contract(
    function("token0", returns=("address",)),
    function("token1", returns=("address",)),
    function("getReserves", returns=("uint112", "uint112")),
    function("swap", "uint256", "uint256", "address", "bytes"),
)
"""A pool like Uniswap v2's."""
POOL = Contract(
    function("token0", returns=("address",)),
    function("token1", returns=("address",)),
    function("fee", returns=("uint24",)),
    function("slot0", returns=("uint160", "int24")),
    function("swap", "address", "bool", "int256", "uint160", "bytes", returns=("int256", "int256")),
)
"""A pool like Uniswap v3's."""
QUOTER = Contract(
    function(
        "quoteExactInputSingle",
        "(address,address,uint256,uint24,uint160)",
        returns=("uint256", "uint160", "uint32", "uint256"),
    ),
)
"""Uniswap's QuoterV2."""
SPEC = re.compile(
    r"(?P<kind>v2|v3):(?P<pool>0x[0-9a-fA-F]{40})"
    r"(/(?P<fee>[0-9]{1,4}(\.[0-9]{1,2})?))?(@(?P<quoter>0x[0-9a-fA-F]{40}))?"
)
PER_POINT = 100
"""Millionths in a basis point."""
FEE_USUAL = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A pool as the settings name it."""

    kind: str
    address: str
    fee: int
    """Millionths; of v2-likes alone."""
    quoter: str


def specs(options: SpreadOptions) -> list[Spec]:
    """The pools of the settings.

    Raises:
        ConfigError: One is not written as it must be, or stands there twice; names it.
    """
    found: dict[str, Spec] = {}
    for text in options.pools:
        match = SPEC.fullmatch(text)
        kind = match and match["kind"]
        if match is None or (kind == "v2" and match["quoter"]) or (kind == "v3" and match["fee"]):
            raise ConfigError(
                f"spreads.pools: {text!r}: v2:ADDRESS, v2:ADDRESS/BASIS POINTS, v3:ADDRESS or "
                "v3:ADDRESS@QUOTER"
            )
        quoter = (match["quoter"] or options.quoter).lower()
        if kind == "v3" and not quoter:
            raise ConfigError(f"spreads.pools: {text}: set spreads.quoter, or name one: @QUOTER")
        address = match["pool"].lower()
        if address in found:
            raise ConfigError(f"spreads.pools: {text}: the pool is there twice")
        fee = round(float(match["fee"]) * PER_POINT) if match["fee"] else FEE_USUAL
        if fee >= 10**6:
            raise ConfigError(f"spreads.pools: {text}: a fee below 10000 basis points")
        found[address] = Spec(kind=match["kind"], address=address, fee=fee, quoter=quoter)
    return list(found.values())


class PoolReader:
    """Reads pools. What never changes of them is asked for once."""

    def __init__(self, chain: Chain, wanted: Sequence[Spec]) -> None:
        self._chain, self._wanted = chain, wanted
        self._tokens: dict[str, Token] = {}
        self._pairs: dict[str, tuple[Token, Token]] = {}
        self._fees: dict[str, int] = {}

    async def token(self, address: str, block: Block) -> Token:
        """A token by its address.

        Raises:
            BadVenueData: It does not say how many decimals it has.
        """
        address = address.lower()
        if address not in self._tokens:
            decimals = await self._ask(address, "decimals", block)
            try:
                symbol = str(await self._chain.ask(ERC20.view(address, "symbol"), at=block))
            except (BadVenueData, Reverted):
                symbol = address[:8]  # some old tokens have none that is text
            self._tokens[address] = Token(address=address, symbol=symbol[:16], decimals=decimals)
        return self._tokens[address]

    async def read(self, block: Block) -> tuple[list[PairPool | TickPool], Mapping[str, str]]:
        """All pools at a block, and those that could not be read with the reason."""
        answers = await asyncio.gather(
            *(self._pool(spec, block) for spec in self._wanted), return_exceptions=True
        )
        pools: list[PairPool | TickPool] = []
        problems: dict[str, str] = {}
        for spec, answer in zip(self._wanted, answers, strict=True):
            if isinstance(answer, BadVenueData | Reverted):
                problems[spec.address] = str(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                pools.append(answer)
        return pools, problems

    async def quote(self, hop: Hop, amount: int, block: Block) -> int:
        """What a swap would bring at a block; 0 where the pool refuses it."""
        if isinstance(hop.pool, PairPool):
            return hop.pool.out(hop.sold, amount)
        asked = (hop.sold, hop.bought, amount, hop.pool.fee, 0)
        view = QUOTER.view(hop.pool.quoter, "quoteExactInputSingle", asked)
        try:
            out: int = (await self._chain.ask(view, at=block))[0]
        except Reverted:
            return 0
        return out

    async def amounts(self, hops: Sequence[Hop], amount: int, block: Block) -> list[int]:
        """What goes in, and what comes out of each pool in turn."""
        found = [amount]
        for hop in hops:
            found.append(await self.quote(hop, found[-1], block) if found[-1] else 0)
        return found

    async def _pool(self, spec: Spec, block: Block) -> PairPool | TickPool:
        tokens = await self._pair(spec, block)
        if spec.kind == "v2":
            view = PAIR.view(spec.address, "getReserves")
            first, second = await self._chain.ask(view, at=block)
            if not first or not second:
                raise BadVenueData(spec.address, "the pool is empty")
            return PairPool(
                address=spec.address, tokens=tokens, reserves=(first, second), fee=spec.fee
            )
        if spec.address not in self._fees:
            fee: int = await self._chain.ask(POOL.view(spec.address, "fee"), at=block)
            self._fees[spec.address] = fee
        root, _ = await self._chain.ask(POOL.view(spec.address, "slot0"), at=block)
        if not root:
            raise BadVenueData(spec.address, "the pool has no price yet")
        return TickPool(
            address=spec.address,
            tokens=tokens,
            fee=self._fees[spec.address],
            root=root,
            quoter=spec.quoter,
        )

    async def _pair(self, spec: Spec, block: Block) -> tuple[Token, Token]:
        if spec.address not in self._pairs:
            first: str = await self._chain.ask(PAIR.view(spec.address, "token0"), at=block)
            second: str = await self._chain.ask(PAIR.view(spec.address, "token1"), at=block)
            self._pairs[spec.address] = (
                await self.token(first, block),
                await self.token(second, block),
            )
        return self._pairs[spec.address]

    async def _ask(self, address: str, name: str, block: Block) -> int:
        found: int = await self._chain.ask(ERC20.view(address, name), at=block)
        return found
