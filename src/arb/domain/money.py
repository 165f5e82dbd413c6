"""Exact money: `Price`, `Shares` and `Usd` over `Decimal`; a float raises wherever it meets one.

The unit is one millionth: dollars and shares have six decimals where they are kept on chain, so
every amount that can exist is a whole number of *micro-units*, and that integer is what is stored.
"""

import decimal
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from functools import lru_cache
from typing import NewType

Price = NewType("Price", Decimal)
"""US dollars per share, strictly between 0 and 1."""
Shares = NewType("Shares", Decimal)
"""Outcome tokens; one pays 1 USD if its outcome comes true."""
Usd = NewType("Usd", Decimal)
"""US dollars, in whatever form a venue keeps them."""
Micro = NewType("Micro", int)
"""Millionths of a share or of a dollar."""

MICRO = 1_000_000
FRACTIONS_KEPT = 1 << 14
"""More than there are prices at the finest tick, 0.0001."""
ZERO = Decimal(0)
ONE = Decimal(1)
NO_USD = Usd(ZERO)
NO_SHARES = Shares(ZERO)
CENT = Usd(Decimal("0.01"))
SHARE_STEP = Shares(Decimal("0.01"))
"""Order sizes have two decimals where a venue does not say otherwise."""


def _trap_floats() -> None:
    # Enough digits for any product of price, size, rate and probability to stay exact.
    for context in (decimal.DefaultContext, decimal.getcontext()):
        context.prec = 60
        context.traps[decimal.FloatOperation] = True


_trap_floats()


def to_micro(amount: Decimal) -> Micro:
    """The amount in micro-units.

    Raises:
        ValueError: The amount is finer than a micro-unit, so storing it would change it.
    """
    scaled = amount * MICRO
    micro = int(scaled)
    if micro != scaled:
        raise ValueError(f"{amount} is finer than one millionth")
    return Micro(micro)


def from_micro(micro: int) -> Decimal:
    """Micro-units as an amount, without trailing zeros."""
    return fraction(micro % MICRO) + micro // MICRO


@lru_cache(maxsize=FRACTIONS_KEPT)
def fraction(micro: int) -> Decimal:
    """Micro-units of less than a whole as an amount: `from_micro` for prices, which recur."""
    return plain(Decimal(micro).scaleb(-6))


def micro_up(amount: Decimal) -> Decimal:
    """The amount rounded up to a whole micro-unit: how a cost is rounded against ourselves."""
    return amount.quantize(Decimal("0.000001"), rounding=ROUND_CEILING)


def micro_down(amount: Decimal) -> Decimal:
    """The amount rounded down to a whole micro-unit: how a gain is rounded against ourselves."""
    return amount.quantize(Decimal("0.000001"), rounding=ROUND_DOWN)


def plain(amount: Decimal) -> Decimal:
    """The same number without trailing zeros or an exponent, as people and JSON show it."""
    normal = amount.normalize()
    return normal if normal.as_tuple().exponent <= 0 else normal.quantize(ONE)  # type: ignore[operator]  # finite, so an int


def text(amount: Decimal) -> str:
    """The amount as a plain decimal string: `0.61`, `40`, never `4E+1`."""
    return format(plain(amount), "f")


def notional(price: Price, size: Shares) -> Usd:
    """The cost of shares at a price, before fees."""
    return Usd(price * size)


def total(amounts: Iterable[Usd]) -> Usd:
    """The sum, zero when there is nothing to add."""
    return Usd(sum(amounts, ZERO))


def complement(price: Price) -> Price:
    """The price of the other side of a binary market: a YES bid at p is a NO ask at 1 - p."""
    return Price(ONE - price)
