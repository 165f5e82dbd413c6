"""What a BUY that takes does: it spends dollars, level by level, as far as its limit allows.

Sent FOK or FAK, a BUY is an amount to spend and a worst price, not a number of shares: a better
price buys more shares and never makes the bill smaller (docs/proof.md §4). Live
answers are the model, to the last of six decimals: $1 at 0.07 were 14.285713 shares for 0.999999,
$1.52 at 0.71 were 2.140844 for 1.519999, $2.50 at 0.35 were 7.142856 for 2.499999. What the dollars
buy is cut to a millionth, one millionth less than that where it does not come out even, and paid in
whole millionths.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN

from arb.domain.book import Level
from arb.domain.money import (
    CENT,
    MICRO,
    NO_SHARES,
    Price,
    Shares,
    Usd,
    from_micro,
    micro_down,
    notional,
    to_micro,
    total,
)

UNSPENT_MAX = 2
"""Millionths of a dollar that may stay unspent of an order that was filled."""


@dataclass(frozen=True, slots=True)
class Bought:
    """What an amount of dollars buys."""

    fills: tuple[Level, ...]
    unspent: Usd
    """The dollars that found no seller within the limit, or were too few for a millionth."""

    @property
    def shares(self) -> Shares:
        """Shares bought in all."""
        return Shares(sum((fill.size for fill in self.fills), NO_SHARES))

    @property
    def value(self) -> Usd:
        """What they cost before fees, each fill in whole millionths."""
        return total(paid(fill) for fill in self.fills)

    @property
    def whole(self) -> bool:
        """Whether all was spent: a FOK order is killed when it cannot be."""
        return to_micro(self.unspent) <= UNSPENT_MAX


def spend(levels: Iterable[Level], dollars: Usd, limit: Price) -> Bought:
    """What an amount of dollars buys of the levels, best first, at no worse than the limit.

    Raises:
        ValueError: An amount is finer than a millionth.
    """
    left, fills = int(to_micro(dollars)), []
    for level in levels:
        if level.price > limit or not left:
            break
        price, offered = to_micro(level.price), to_micro(level.size)
        if price * offered <= left * MICRO:
            size = int(offered)
        else:
            size, uneven = divmod(left * MICRO, price)
            size -= bool(uneven)
        if size <= 0:
            break
        fills.append(Level(level.price, Shares(from_micro(size))))
        left -= price * size // MICRO
        if size < offered:
            break
    return Bought(tuple(fills), Usd(from_micro(left)))


def paid(fill: Level) -> Usd:
    """What a fill costs before its fee, in whole millionths."""
    return Usd(micro_down(notional(fill.price, fill.size)))


def whole_cents(value: Usd) -> Usd:
    """The least whole cents that are not less: what is signed to be spent."""
    return Usd(value.quantize(CENT, rounding=ROUND_CEILING))


def fewest(dollars: Usd, limit: Price) -> Shares:
    """The least shares that an amount of dollars buys, at any prices within the limit."""
    sure = to_micro(dollars) - UNSPENT_MAX
    return Shares(from_micro(max(sure * MICRO // to_micro(limit) - 1, 0)))


def most(dollars: Usd, price: Price) -> Shares:
    """The most shares that an amount of dollars buys where nothing is cheaper than this price."""
    return Shares((dollars / price).quantize(Shares(from_micro(1)), rounding=ROUND_DOWN))
