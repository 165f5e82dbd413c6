"""What a way returns at one block, and what it costs if that block does not stand."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from arb.net.rpc import Block, Call
from arb.onchain.spreads.options import SpreadOptions
from arb.onchain.spreads.pools import MILLION, Way

BASIS_POINTS = 10_000
DOLLAR_DIGITS = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A way at a block. It holds at that block, and proves nothing of any other."""

    chain: str
    block: Block
    age: float
    """Seconds from the block's time to when it was looked at."""
    way: Way
    amounts: tuple[int, ...]
    """What goes in, and what comes out of each pool in turn."""
    gas: int
    """Units that the transaction uses; calculated where there is no executor to simulate with."""
    gas_limit: int
    """Units that it may use."""
    gas_price: int
    """Wei for a unit, now."""
    fee: int
    """The most wei that it pays for a unit."""
    tip: int | None
    """Of it to the maker of the block."""
    coin: Fraction
    """Smallest units of the way's token for a wei of the chain's own coin."""
    data_fee: int = 0
    """Wei that the layer below takes for the transaction's data."""
    flash: bool = False
    """Whether the first pool lends what goes in."""
    simulated: bool = False
    """Whether the very transaction was run on top of the block and gained the same."""
    problem: str = ""
    """Why it was not, or failed."""
    call: Call | None = None
    """The transaction."""

    @property
    def id(self) -> str:
        """The same for the same swaps at the same block."""
        hops = [f"{hop.pool.address}:{hop.sold}" for hop in self.way.hops]
        named = "\n".join((self.block.hash, str(self.amounts[0]), str(self.flash), *hops))
        return hashlib.sha256(named.encode()).hexdigest()[:32]

    @property
    def gain(self) -> int:
        """What comes out beyond what goes in, before gas, in the token's smallest unit."""
        return self.amounts[-1] - self.amounts[0]

    @property
    def spread(self) -> Decimal:
        """The difference of prices along the way, before fees, as a fraction."""
        return _decimal(self.way.spread)

    @property
    def input_usd(self) -> Decimal:
        """What goes in; a token of `spreads.dollars` is counted as a dollar."""
        return self._usd(self.amounts[0])

    @property
    def gain_usd(self) -> Decimal:
        """What is gained before gas."""
        return self._usd(self.gain)

    @property
    def gas_usd(self) -> Decimal:
        """What the gas costs if the block stands."""
        return self._usd((self.gas * self.gas_price + self.data_fee) * self.coin)

    @property
    def profit_usd(self) -> Decimal:
        """What is left if the block stands."""
        return self.gain_usd - self.gas_usd

    @property
    def loss_usd(self) -> Decimal:
        """The most that is lost if the block does not stand: all the gas that it may use."""
        return self._usd((self.gas_limit * self.fee + self.data_fee) * self.coin)

    @property
    def fees_usd(self) -> Decimal:
        """What the pools keep, at their prices."""
        kept, worth = Fraction(0), Fraction(1)
        for hop, amount in zip(self.way.hops, self.amounts, strict=False):
            kept += Fraction(amount * hop.pool.fee, MILLION) / worth
            worth *= hop.pool.price(hop.sold)
        return self._usd(kept)

    @property
    def impact(self) -> Decimal:
        """Basis points by which the worst of the swaps is worse than its pool's price.

        This is the measure `mev_risk`: the more a swap moves a pool, the more another gains
        who swaps just before it.
        """
        worst = Fraction(0)
        for at, hop in enumerate(self.way.hops):
            paid = self.amounts[at] * Fraction(MILLION - hop.pool.fee, MILLION)
            fair = paid * hop.pool.price(hop.sold)
            worst = max(worst, 1 - self.amounts[at + 1] / fair)
        return _decimal(worst * BASIS_POINTS).quantize(Decimal("0.01"))

    def measures(self) -> dict[str, Decimal]:
        """What the rules of `bots.definitions` can ask about it."""
        return {
            "profit": self.profit_usd,
            "profit_percent": self.profit_usd / self.input_usd * 100,
            "cost": self.fees_usd,
            "gas": self.gas_usd,
            "mev_risk": self.impact,
            "outlay": self.input_usd,
            "legs": Decimal(len(self.way.hops)),
            "risk": self.loss_usd,
        }

    def against(self, options: SpreadOptions) -> str:
        """What speaks against it; empty: nothing."""
        if self.age > options.max_block_age:
            return f"the block is {self.age:.0f} s old, more than {options.max_block_age:g}"
        if self.profit_usd < options.min_profit_usd:
            return f"a profit of {self.profit_usd} USD is below {options.min_profit_usd:f}"
        return self.problem

    def document(self, options: SpreadOptions) -> Mapping[str, object]:
        """The same as plain values; amounts are texts, in the smallest unit where so named."""
        against = self.against(options)
        return {
            "id": self.id,
            "chain": self.chain,
            "block": self.block.number,
            "block_hash": self.block.hash,
            "block_age": f"{self.age:.1f}",
            "title": self.way.title,
            "token": self.way.token.address,
            "swaps": [
                {
                    "pool": hop.pool.address,
                    "sold": hop.sold,
                    "bought": hop.bought,
                    "units_in": str(self.amounts[at]),
                    "units_out": str(self.amounts[at + 1]),
                }
                for at, hop in enumerate(self.way.hops)
            ],
            "spread": f"{self.spread:f}",
            "input": f"{self.input_usd:f}",
            "gain": f"{self.gain_usd:f}",
            "units_gained": str(self.gain),
            "pool_fees": f"{self.fees_usd:f}",
            "mev_risk": f"{self.impact:f}",
            "gas": self.gas,
            "gas_usd": f"{self.gas_usd:f}",
            "if_the_block_stands": f"{self.profit_usd:f}",
            "if_not": f"{-self.loss_usd:f}",
            "flash": self.flash,
            "simulated": self.simulated,
            "decision": "refused" if against else "approved",
            "reason": against or None,
        }

    def _usd(self, units: int | Fraction) -> Decimal:
        whole = Fraction(units) / 10**self.way.token.decimals
        return _decimal(whole).quantize(DOLLAR_DIGITS)


def _decimal(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(DOLLAR_DIGITS)
