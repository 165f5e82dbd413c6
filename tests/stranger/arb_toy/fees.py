"""Fees that are rounded up to a whole cent, fill by fill."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class ToyFees:
    """`rate · shares · p · (1 - p)`, rounded up to a cent."""

    per_share: Decimal

    def taker(self, price, size):
        """See `arb.domain.fees.FeeSchedule`."""
        return self.exact(price, size).quantize(CENT, rounding=ROUND_CEILING)

    def exact(self, price, size):
        """See `arb.domain.fees.FeeSchedule`."""
        return size * self.per_share * price * (1 - price)

    def most(self, dollars, limit, tick):
        """See `arb.domain.fees.FeeSchedule`. The cheapest shares pay most, and each level a cent."""
        levels = int(limit / tick)
        return self.taker(tick, dollars / tick) + levels * CENT
