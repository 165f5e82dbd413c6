"""What a venue charges the taker of a fill."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Protocol, runtime_checkable

from arb.domain.money import NO_USD, ONE, Price, Shares, Usd, micro_up

FEE_STEP = Decimal("0.00001")
"""To what a fee by the curve is truncated (21 of 21 fills on chain, 2026-09)."""
EXPONENT_MAX = 8


@runtime_checkable
class FeeSchedule(Protocol):
    """What the taker of a fill pays: on top of a BUY, out of a SELL.

    A venue's own schedule is a frozen dataclass: a plan keeps it, and its fields are stored.
    """

    def taker(self, price: Price, size: Shares) -> Usd:
        """The fee of one fill, as the venue rounds it; in whole millionths of a dollar."""
        ...

    def exact(self, price: Price, size: Shares) -> Decimal:
        """The fee of one fill before rounding: proportional to its size."""
        ...

    def most(self, dollars: Usd, limit: Price, tick: Price) -> Usd:
        """The most that spending an amount of dollars is charged, at prices up to the limit."""
        ...


@dataclass(frozen=True, slots=True)
class CurveFees:
    """A market's own schedule: `shares · rate · (p · (1 - p)) ^ exponent`, paid by the taker.

    On top of a BUY, out of a SELL; makers pay nothing.

    Raises:
        ValueError: The rate is not within [0, 1] or the exponent is not a small whole number.
    """

    rate: Decimal
    exponent: int = 1

    def __post_init__(self) -> None:
        if not (self.rate.is_finite() and 0 <= self.rate <= 1):
            raise ValueError(f"fee rate {self.rate} is not within 0..1")
        if not 0 <= self.exponent <= EXPONENT_MAX:
            raise ValueError(f"fee exponent {self.exponent} is not within 0..{EXPONENT_MAX}")

    def taker(self, price: Price, size: Shares) -> Usd:
        """The fee of one fill, truncated."""
        return Usd(self.exact(price, size).quantize(FEE_STEP, rounding=ROUND_DOWN))

    def exact(self, price: Price, size: Shares) -> Decimal:
        """The fee of one fill before truncation."""
        return size * self.rate * (price * (ONE - price)) ** self.exponent

    def most(self, dollars: Usd, limit: Price, tick: Price) -> Usd:
        """The most that spending an amount of dollars is charged, rounded up to 0.000001.

        A dollar buys `1 / p` shares, so its fee is `rate · p^(e - 1) · (1 - p)^e`: the largest of
        it for any price from one tick to the limit. With the usual exponent of 1 the fee *grows*
        as the price gets better.
        """
        if not self.rate:
            return NO_USD
        prices = [tick, limit]
        if self.exponent > 1:
            peak = Price(Decimal(self.exponent - 1) / (2 * self.exponent - 1))
            prices.append(min(max(peak, tick), limit))
        return Usd(micro_up(max(self.exact(price, Shares(dollars / price)) for price in prices)))


FREE = CurveFees(Decimal(0))
