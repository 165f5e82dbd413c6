"""Order books of one outcome token: best level first, exact."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from operator import gt, lt
from typing import Any, NamedTuple, overload

from arb.domain.market import OutcomeId, Side
from arb.domain.money import (
    MICRO,
    NO_SHARES,
    Price,
    Shares,
    complement,
    fraction,
    from_micro,
    to_micro,
)


class Level(NamedTuple):
    """A size at one price. A plain tuple, which is built and compared quickly."""

    price: Price
    size: Shares


class Levels(Sequence[Level]):
    """Levels held as columns of micro-units; they are built when the first of them is read.

    Most books are only compared with their mirror image, for which whole numbers are enough.

    Raises:
        ValueError: There are not as many prices as sizes.
    """

    __slots__ = ("_built", "prices", "sizes")

    def __init__(self, prices: Sequence[int], sizes: Sequence[int]) -> None:
        if len(prices) != len(sizes):
            raise ValueError(f"{len(prices)} prices of {len(sizes)} sizes")
        self.prices, self.sizes = tuple(prices), tuple(sizes)
        self._built: tuple[Level, ...] | None = None

    def _levels(self) -> tuple[Level, ...]:
        if self._built is None:
            pairs = zip(map(fraction, self.prices), map(from_micro, self.sizes), strict=True)
            self._built = tuple(map(tuple.__new__, repeat(Level), pairs))
        return self._built

    @overload
    def __getitem__(self, at: int) -> Level: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Level, ...]: ...
    def __getitem__(self, at: int | slice) -> Level | tuple[Level, ...]:
        return self._levels()[at]

    def __iter__(self) -> Iterator[Level]:
        return iter(self._levels())

    def __len__(self) -> int:
        return len(self.prices)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Levels):
            return self.prices == other.prices and self.sizes == other.sizes
        return self._levels() == other

    def __hash__(self) -> int:
        return hash(self._levels())

    def __repr__(self) -> str:
        return repr(self._levels())


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """What is on offer for one outcome, as of one answer of the venue.

    Raises:
        ValueError: Levels are not strictly ordered best first, or a size or price is impossible.
    """

    outcome: OutcomeId
    bids: Sequence[Level]
    asks: Sequence[Level]
    received_at: datetime
    """When the answer reached us; the age of a book is counted from here."""
    stamped_at: datetime | None = None
    """The venue's own time stamp: when the book last changed."""
    hash: str = ""

    def __post_init__(self) -> None:
        _check(self.bids, gt, "bids are not in falling order")
        _check(self.asks, lt, "asks are not in rising order")

    @property
    def best_bid(self) -> Level | None:
        """The highest price that anyone pays."""
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> Level | None:
        """The lowest price that anyone takes."""
        return self.asks[0] if self.asks else None

    @property
    def crossed(self) -> bool:
        """Whether someone bids what another asks: a live engine would have matched them."""
        return bool(self.bids and self.asks and self.bids[0].price >= self.asks[0].price)

    def against(self, side: Side) -> Sequence[Level]:
        """The levels that an order of this side trades against."""
        return self.asks if side is Side.BUY else self.bids

    def mirrors(self, other: "OrderBook") -> bool:
        """Whether the two books are the two views of one binary market, level by level."""
        return self.bids == mirrored(other.asks) and self.asks == mirrored(other.bids)


def _check(levels: Sequence[Level], better: Callable[[Any, Any], bool], disorder: str) -> None:
    if not levels:
        return
    prices, sizes = (
        (levels.prices, levels.sizes) if isinstance(levels, Levels) else zip(*levels, strict=True)
    )
    one = MICRO if isinstance(levels, Levels) else 1
    ordered = all(map(better, prices, prices[1:]))
    # Of prices in order the first and the last are the bounds of all.
    if ordered and 0 < prices[0] < one and 0 < prices[-1] < one and min(sizes) > 0:
        return
    for level in levels:
        if not (0 < level.price < 1 and level.size > 0):
            raise ValueError(f"impossible level {level.size} @ {level.price}")
    raise ValueError(disorder)


def mirrored(levels: Sequence[Level]) -> Sequence[Level]:
    """The same liquidity seen from the other outcome: a YES bid at p is a NO ask at 1 - p."""
    if isinstance(levels, Levels):
        return Levels([MICRO - price for price in levels.prices], levels.sizes)
    return tuple(Level(complement(price), size) for price, size in levels)


def prices_of(levels: Sequence[Level]) -> tuple[Price, ...]:
    """The price of each level."""
    if isinstance(levels, Levels):
        return tuple(Price(fraction(price)) for price in levels.prices)
    return tuple(price for price, _ in levels)


def columns(levels: Sequence[Level]) -> tuple[Sequence[int], Sequence[int]]:
    """Prices and sizes in micro-units.

    Raises:
        ValueError: One of them is finer than a micro-unit.
    """
    if isinstance(levels, Levels):
        return levels.prices, levels.sizes
    return [to_micro(price) for price, _ in levels], [to_micro(size) for _, size in levels]


def walk(levels: Iterable[Level], size: Shares) -> Iterator[Level]:
    """The pieces of `levels`, best first, that an order of `size` would take.

    Yields less than `size` in all when the book is thinner.
    """
    left = size
    for level in levels:
        if left <= 0:
            return
        taken = Shares(min(left, level.size))
        yield Level(level.price, taken)
        left = Shares(left - taken)


def depth(levels: Iterable[Level], *, limit: Price, side: Side) -> Shares:
    """How many shares an order of `side` can take without passing its limit price."""
    within = (
        level.size
        for level in levels
        if (level.price <= limit if side is Side.BUY else level.price >= limit)
    )
    return Shares(sum(within, NO_SHARES))


class Books(Mapping[OutcomeId, OrderBook], ABC):
    """The books of one instant, by outcome; an outcome without an answer is not in it."""

    @abstractmethod
    def best_asks(self, outcomes: Sequence[OutcomeId]) -> Sequence[int]:
        """The lowest ask of each outcome in millionths of a dollar; 0 where there is none.

        For screens over the whole market: an implementation answers without building books.
        """

    def before_ours(self) -> tuple["Books", frozenset[OutcomeId]] | None:
        """The same with what was taken on paper put back, and of which outcomes that was.

        `None` where nothing was: the books are the venue's own.
        """
        return None


class BookMap(Books):
    """Books held one by one."""

    def __init__(self, books: Iterable[OrderBook] = ()) -> None:
        self._books = {book.outcome: book for book in books}

    def __getitem__(self, outcome: OutcomeId) -> OrderBook:
        return self._books[outcome]

    def __iter__(self) -> Iterator[OutcomeId]:
        return iter(self._books)

    def __len__(self) -> int:
        return len(self._books)

    def best_asks(self, outcomes: Sequence[OutcomeId]) -> Sequence[int]:
        """See `Books.best_asks`."""
        tops = (self._books[o].best_ask if o in self._books else None for o in outcomes)
        return [to_micro(top.price) if top else 0 for top in tops]
