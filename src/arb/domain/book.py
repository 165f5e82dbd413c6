"""Order books of one outcome token: best level first, exact."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from arb.domain.market import OutcomeId, Side
from arb.domain.money import NO_SHARES, Price, Shares, complement, to_micro


@dataclass(frozen=True, slots=True)
class Level:
    """A size at one price."""

    price: Price
    size: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """What is on offer for one outcome, as of one answer of the venue.

    Raises:
        ValueError: Levels are not strictly ordered best first, or a size or price is impossible.
    """

    outcome: OutcomeId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    received_at: datetime
    """When the answer reached us; the age of a book is counted from here."""
    stamped_at: datetime | None = None
    """The venue's own time stamp: when the book last changed."""
    hash: str = ""

    def __post_init__(self) -> None:
        for level in (*self.bids, *self.asks):
            if not (0 < level.price < 1 and level.size > 0):
                raise ValueError(f"impossible level {level.size} @ {level.price}")
        if any(better.price <= worse.price for better, worse in pairwise(self.bids)):
            raise ValueError("bids are not in falling order")
        if any(better.price >= worse.price for better, worse in pairwise(self.asks)):
            raise ValueError("asks are not in rising order")

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

    def against(self, side: Side) -> tuple[Level, ...]:
        """The levels that an order of this side trades against."""
        return self.asks if side is Side.BUY else self.bids

    def mirrors(self, other: "OrderBook") -> bool:
        """Whether the two books are the two views of one binary market, level by level."""
        return self.bids == mirrored(other.asks) and self.asks == mirrored(other.bids)


def mirrored(levels: Iterable[Level]) -> tuple[Level, ...]:
    """The same liquidity seen from the other outcome: a YES bid at p is a NO ask at 1 - p."""
    return tuple(Level(complement(level.price), level.size) for level in levels)


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
