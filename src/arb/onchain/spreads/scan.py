"""One look at the chain: every way through the pools that may bring something, at one block."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from arb.domain.errors import BadVenueData, ConfigError, NotReady
from arb.net.rpc import Block, Call, Reverted
from arb.onchain.chain import Chain
from arb.onchain.spreads.certificate import Certificate
from arb.onchain.spreads.executor import EXECUTOR, swap_along
from arb.onchain.spreads.options import SpreadOptions
from arb.onchain.spreads.pools import PairPool, TickPool, Way, amounts
from arb.onchain.spreads.reading import PoolReader, specs
from arb.onchain.spreads.routes import best_by_asking, best_of_pairs, ways
from arb.ports import Clock

GAS_BASE, GAS_PAIR, GAS_TICKS = 60_000, 90_000, 150_000
"""Units that a transaction uses without a swap, and for a swap in each kind of pool, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at a block."""

    block: Block
    pools: Sequence[PairPool | TickPool]
    unread: Mapping[str, str]
    """Pools that could not be read, and why."""
    ways: int
    """How many ways there are through the pools."""
    certificates: Sequence[Certificate]
    """Of those whose prices differ by enough, the best first."""
    problem: str = ""
    """Why none could be made."""


@dataclass(slots=True)
class _Gas:
    """What gas costs at a block."""

    price: int
    fee: int
    tip: int | None
    coins: Mapping[str, Fraction] = field(default_factory=dict)
    """Smallest units of each dollar token for a wei."""


class SpreadScanner:
    """Looks at the pools of the settings.

    Raises from every method:
        VenueError: No node answers, or an answer is not what it promises.
    """

    def __init__(self, chain: Chain, options: SpreadOptions, clock: Clock) -> None:
        """Nothing is asked yet.

        Raises:
            ConfigError: A setting cannot be used; names it.
        """
        if not options.dollars:
            raise ConfigError("spreads.dollars is empty: name the tokens that count as a dollar")
        if options.executor and not options.sender:
            raise ConfigError("spreads.executor is set: spreads.sender names its owner")
        self._chain, self.options, self._clock = chain, options, clock
        self._reader = PoolReader(chain, specs(options))
        self._dollars = tuple(one.lower() for one in options.dollars)
        self._wrapped = options.wrapped.lower()

    async def look(self) -> Look:
        """Everything at the newest block."""
        block = await self._chain.head()
        pools, unread = await self._reader.read(block)
        here = {token.address for pool in pools for token in pool.tokens}
        starts = [one for one in self._dollars if one in here]
        found = list(ways(pools, starts, self.options.max_hops))
        look = Look(block=block, pools=pools, unread=unread, ways=len(found), certificates=())
        try:
            gas = await self._gas(block, pools)
        except NotReady as dear:
            return replace(look, problem=str(dear))
        worth = [way for way in found if way.spread >= self.options.min_spread]
        worth = [way for way in worth if way.first_unit > 0]
        if worth and not gas.coins:
            said = "the price of gas is not known: spreads.wrapped is in no pool with a dollar"
            return replace(look, problem=said)
        made = await asyncio.gather(*(self._certify(way, block, gas) for way in worth))
        best = sorted(filter(None, made), key=lambda one: one.profit_usd, reverse=True)
        return replace(look, certificates=best)

    async def again(self, found: Certificate, *, flash: bool) -> Certificate | None:
        """The same way at the same block, with a borrowed input or with the executor's own.

        `None`: the executor has nothing of the token.
        """
        if flash == found.flash:
            return found
        most = found.amounts[0]
        if not flash:
            token, executor = found.way.token.address, self.options.executor
            most = min(most, await self._chain.balance(token, executor, at=found.block))
        if not most:
            return None
        if most < found.amounts[0]:
            swapped = await self._reader.amounts(found.way.hops, most, found.block)
            found = replace(found, amounts=tuple(swapped))
        return await self._simulated(replace(found, flash=flash))

    async def _certify(self, way: Way, block: Block, gas: _Gas) -> Certificate | None:
        most = int(self.options.max_input_usd * 10**way.token.decimals)
        swapped = await self._best(way, block, most)
        if swapped is None or way.token.address not in gas.coins:
            return None
        units = GAS_BASE + sum(
            GAS_PAIR if isinstance(hop.pool, PairPool) else GAS_TICKS for hop in way.hops
        )
        plain = Certificate(
            chain=self._chain.options.name,
            block=block,
            age=max(self._clock.now().timestamp() - block.timestamp, 0.0),
            way=way,
            amounts=tuple(swapped),
            gas=units,
            gas_limit=int(units * self._chain.options.gas_headroom),
            gas_price=gas.price,
            fee=gas.fee,
            tip=gas.tip,
            coin=gas.coins[way.token.address],
            flash=True,
            problem="there is no spreads.executor to simulate it with",
        )
        return await self._simulated(plain) if self.options.executor else plain

    async def _best(self, way: Way, block: Block, most: int) -> list[int] | None:
        """What goes in and comes out with the best input; `None`: nothing can be gained."""
        if all(isinstance(hop.pool, PairPool) for hop in way.hops):
            best = best_of_pairs(way.hops, most)
            return amounts(way.hops, best) if best else None

        async def gains(inputs: Sequence[int]) -> Sequence[int]:
            tried = (self._reader.amounts(way.hops, one, block) for one in inputs)
            return [found[-1] - found[0] for found in await asyncio.gather(*tried)]

        best = await best_by_asking(gains, most)
        return await self._reader.amounts(way.hops, best, block) if best else None

    async def _simulated(self, found: Certificate) -> Certificate:
        """With what the very transaction does on top of the block."""
        options = self.options
        call = swap_along(
            options.executor, found.way.hops, found.amounts, found.gain, flash=found.flash
        )
        found = replace(found, call=call, simulated=False)
        try:
            answer = await self._chain.simulate(call, options.sender, at=found.block)
            gained = EXECUTOR.read("run", answer)
            gas = await self._chain.estimate(call, options.sender)
            data_fee = await self._chain.data_fee(call, at=found.block)
        except Reverted as refusal:
            return replace(found, problem=f"simulated: {EXECUTOR.why(refusal)}")
        except BadVenueData:
            return replace(found, problem=f"there is no executor at {options.executor}")
        limit = int(gas * self._chain.options.gas_headroom)
        call = Call(call.to, call.data, call.value, limit)
        found = replace(found, data_fee=data_fee)
        if gained != found.gain:
            said = f"simulated, it gains {gained}, not the {found.gain} that was calculated"
            return replace(found, problem=said)
        return replace(found, call=call, gas=gas, gas_limit=limit, simulated=True, problem="")

    async def _gas(self, block: Block, pools: Sequence[PairPool | TickPool]) -> _Gas:
        """The dearest price that a pool has of the coin decides: gas is never made too cheap."""
        fee, tip = await self._chain.fees(block)
        price = fee if block.base_fee is None else block.base_fee + (tip or 0)
        coins: dict[str, Fraction] = {}
        for pool in pools:
            first, second = (token.address for token in pool.tokens)
            for dollar, other in ((first, second), (second, first)):
                if other == self._wrapped and dollar in self._dollars:
                    coins[dollar] = max(pool.price(other), coins.get(dollar, Fraction(0)))
        if coins:
            await self._same_for_all(coins, block)
        return _Gas(price=price, fee=fee, tip=tip, coins=coins)

    async def _same_for_all(self, coins: dict[str, Fraction], block: Block) -> None:
        """A dollar token without such a pool takes the price of the others."""
        tokens = {one: await self._reader.token(one, block) for one in self._dollars}
        dearest = max(price / 10 ** tokens[one].decimals for one, price in coins.items())
        for one, token in tokens.items():
            coins.setdefault(one, dearest * 10**token.decimals)
