"""Pools, and what a constant-product pool gives for an amount: exact integers, as its contract.

Amounts are in the smallest unit of each token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

MILLION = 10**6
Q96 = 1 << 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, as far as it is shown and counted."""

    address: str
    """In small letters."""
    symbol: str
    decimals: int

    def shown(self, amount: int) -> Decimal:
        """An amount in whole tokens."""
        return Decimal(amount).scaleb(-self.decimals)


class Pool(Protocol):
    """Two tokens that are exchanged for each other, at one block."""

    @property
    def address(self) -> str:
        """Its contract."""
        ...

    @property
    def tokens(self) -> tuple[Token, Token]:
        """As the contract orders them."""
        ...

    @property
    def fee(self) -> int:
        """Millionths of the input that it keeps."""
        ...

    @property
    def name(self) -> str:
        """For people."""
        ...

    def price(self, sold: str) -> Fraction:
        """What a smallest unit of `sold` costs of the other token, without fee or impact."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPool:
    """A pool like Uniswap v2's, which keeps the product of its reserves."""

    address: str
    tokens: tuple[Token, Token]
    reserves: tuple[int, int]
    fee: int = 3000

    @property
    def name(self) -> str:
        """See `Pool`."""
        return _named(self, "v2")

    def price(self, sold: str) -> Fraction:
        """See `Pool`."""
        x, y = self.sides(sold)
        return Fraction(y, x)

    def sides(self, sold: str) -> tuple[int, int]:
        """The reserves of what is sold and of what is bought."""
        first, second = self.reserves
        return (first, second) if sold == self.tokens[0].address else (second, first)

    def out(self, sold: str, amount: int) -> int:
        """What the contract gives for an amount."""
        x, y = self.sides(sold)
        kept = amount * (MILLION - self.fee)
        return y * kept // (x * MILLION + kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class TickPool:
    """A pool like Uniswap v3's, whose liquidity depends on the price: its quoter is asked."""

    address: str
    tokens: tuple[Token, Token]
    fee: int
    root: int
    """The square root of the price of the first token in the second, in 1/2^96."""
    quoter: str

    @property
    def name(self) -> str:
        """See `Pool`."""
        return _named(self, "v3")

    def price(self, sold: str) -> Fraction:
        """See `Pool`."""
        forwards = Fraction(self.root * self.root, Q96 * Q96)
        return forwards if sold == self.tokens[0].address else 1 / forwards


@dataclass(frozen=True, slots=True)
class Hop:
    """One swap: a token is sold to a pool."""

    pool: PairPool | TickPool
    sold: str

    @property
    def bought(self) -> str:
        """The other token."""
        first, second = self.pool.tokens
        return second.address if self.sold == first.address else first.address

    @property
    def tokens(self) -> tuple[Token, Token]:
        """What is sold, and what is bought."""
        first, second = self.pool.tokens
        return (first, second) if self.sold == first.address else (second, first)


@dataclass(frozen=True, slots=True)
class Way:
    """Swaps one after the other that end in the token they began with, each pool once."""

    hops: tuple[Hop, ...]

    @property
    def token(self) -> Token:
        """In which it begins and ends."""
        return self.hops[0].tokens[0]

    @property
    def spread(self) -> Fraction:
        """By which part more would come back than was given, without fees and impact."""
        product = Fraction(1)
        for hop in self.hops:
            product *= hop.pool.price(hop.sold)
        return product - 1

    @property
    def first_unit(self) -> Fraction:
        """The same for a first smallest unit with fees: at most 0 where nothing can be gained."""
        product = self.spread + 1
        for hop in self.hops:
            product *= Fraction(MILLION - hop.pool.fee, MILLION)
        return product - 1

    @property
    def title(self) -> str:
        """Tokens and pools, for people."""
        symbols = [self.token.symbol, *(hop.tokens[1].symbol for hop in self.hops)]
        return f"{' > '.join(symbols)}: {', '.join(hop.pool.name for hop in self.hops)}"


def amounts(way: Sequence[Hop], amount: int) -> list[int]:
    """What goes in, and what comes out of each pool in turn; all of them like Uniswap v2's."""
    found = [amount]
    for hop in way:
        if not isinstance(hop.pool, PairPool):
            raise TypeError(f"{hop.pool.name} is asked on the chain")
        found.append(hop.pool.out(hop.sold, found[-1]))
    return found


def _named(pool: Pool, kind: str) -> str:
    return f"{kind} {pool.address[:8]} {Decimal(pool.fee).scaleb(-4).normalize():f} %"
