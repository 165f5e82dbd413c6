"""A `/books` answer to exact integers, fast.

Nearly all of the answer is price levels, and all levels look alike:
`{"price":"0.48","size":"100.00"}`. They are cut out and read together as columns, with every byte
of their punctuation checked; what remains is small and is decoded as ordinary typed JSON. Anything
unusual (white space, another key order, an escape, more digits) sends the whole answer down the
other path. It decodes book by book, reads the numbers of all books as columns again, looks at
single levels only of books that hold an odd one, and loses only what is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np

from arb.adapters.polymarket import columns
from arb.adapters.polymarket.columns import PAD, Flags, Ints
from arb.adapters.polymarket.payloads import BookPayload, LevelPayload, decode, decode_nested
from arb.domain.bounds import OutOfBounds, check_nesting
from arb.domain.bounds import number as bounded_number
from arb.domain.errors import BadVenueData
from arb.domain.money import from_micro, micro_down, to_micro
from arb.domain.report import Problem, ProblemKind

QUOTES_PER_LEVEL = 8
DIRECTIONS = {b'"bids":': 1, b'"asks":': -1}
"""Bids are sent rising and asks falling, so the best is last in both.

See docs/venue-polymarket.md §1.4.
"""
BIDS_ASKS = np.array([*DIRECTIONS.values()])
PRICE_KEY = np.uint64(int.from_bytes(b'"price":', "little"))
SIZE_KEY = np.uint64(int.from_bytes(b',"size":', "little"))
NEXT_LEVEL = np.uint64(int.from_bytes(b'"},{"', "little"))
LAST_LEVEL = np.uint64(int.from_bytes(b'"},0', "little"))
FOUR_BYTES, FIVE_BYTES = (np.uint64((1 << 8 * n) - 1) for n in (4, 5))
NO_LEVELS = np.zeros(0, dtype=np.int64)
SIZE_MAX = 10**8
"""More shares than exist; a larger number is not a size."""
DOUBTS_NAMED = 3
"""How many levels of a book are named that could not be taken as they are."""


class RawBook(NamedTuple):
    """One book as rows of shared columns of micro-units: best level last, no price twice."""

    token: str
    prices: Ints
    sizes: Ints
    bids: tuple[int, int]
    """First row and the row after the last."""
    asks: tuple[int, int]
    timestamp: str
    digest: str
    """The venue's hash of the book."""

    @property
    def best_ask(self) -> int:
        """The lowest ask in millionths; 0 where there is none."""
        first, end = self.asks
        return int(self.prices[end - 1]) if end > first else 0

    def side(self, rows: tuple[int, int]) -> tuple[list[int], list[int]]:
        """Prices and sizes of some rows, best first."""
        where = slice(*rows)
        return self.prices[where].tolist()[::-1], self.sizes[where].tolist()[::-1]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The books of one answer, and what was wrong with the others."""

    books: tuple[RawBook, ...]
    problems: tuple[tuple[Problem, bytes], ...] = ()


class _Skeleton(msgspec.Struct, gc=False):
    """A book whose level arrays are replaced by their number in the answer."""

    asset_id: str
    bids: list[int]
    asks: list[int]
    timestamp: str = ""
    hash: str = ""


class _Unusual(Exception):  # a signal within this module
    """The fast path cannot vouch for the answer."""


def decode_books(body: bytes) -> Decoded:
    """The books of a `/books` answer.

    Raises:
        BadVenueData: The answer is not a list.
    """
    try:
        return Decoded(_fast(body))
    except (_Unusual, OutOfBounds, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return slow(body)


def slow(body: bytes) -> Decoded:
    """The same, one book at a time, for whatever the fast path does not know.

    Raises:
        BadVenueData: The answer is not a list.
    """
    payloads: list[BookPayload] = []
    raws: list[msgspec.Raw] = []
    problems: list[tuple[Problem, bytes]] = []
    for raw in decode(body, list[msgspec.Raw], "books"):
        try:
            payloads.append(decode_nested(raw, BookPayload, "book"))
            raws.append(raw)
        except BadVenueData as error:
            problems.append(
                (Problem(kind=ProblemKind.BOOK, where=error.where, what=error.what), bytes(raw))
            )
    books: list[RawBook] = []
    for payload, raw, read in zip(payloads, raws, _tables(payloads), strict=True):
        doubts: list[str] = []
        try:
            books.append(read if isinstance(read, RawBook) else _odd_book(payload, read, doubts))
        except BadVenueData as error:
            problems.append(
                (Problem(kind=ProblemKind.BOOK, where=error.where, what=error.what), bytes(raw))
            )
        if doubts:
            named = "; ".join(doubts[:DOUBTS_NAMED])
            what = f"{named} ({len(doubts)} levels in doubt)"
            problems.append((Problem(kind=ProblemKind.BOOK, where="level", what=what), bytes(raw)))
    return Decoded(tuple(books), tuple(problems))


Read: TypeAlias = Iterator[tuple[int, int, bool]]
"""Price and size of the levels of a book in micro-units, and whether they could be read."""


def _tables(payloads: list[BookPayload]) -> Iterator[RawBook | Read]:
    """Each book, its levels read with those of all others; only the numbers where it is odd."""
    sides = [side for payload in payloads for side in (payload.bids, payload.asks)]
    levels = [level for side in sides for level in side]
    prices, price_sound = columns.prices(*columns.spread([level.price for level in levels]))
    sizes, size_sound = columns.sizes(*columns.spread([level.size for level in levels]))
    sound = price_sound & size_sound
    lengths = np.fromiter(map(len, sides), np.int64, len(sides))
    odd = ~sound
    odd[1:] |= ~_best_last(prices, lengths, np.resize(BIDS_ASKS, len(sides)))
    odd_before = np.concatenate(([0], np.cumsum(odd))).tolist()
    ends = np.cumsum(lengths).tolist()
    first = 0
    for payload, middle, end in zip(payloads, ends[::2], ends[1::2], strict=True):
        if odd_before[first] == odd_before[end]:
            yield RawBook(
                payload.asset_id,
                prices,
                sizes,
                (first, middle),
                (middle, end),
                payload.timestamp,
                payload.hash,
            )
        else:
            rows = (column[first:end].tolist() for column in (prices, sizes, sound))
            yield zip(*rows, strict=True)
        first = end


def _odd_book(payload: BookPayload, read: Read, doubts: list[str]) -> RawBook:
    where = f"book {payload.asset_id}"
    bids = _odd_side(payload.bids, read, f"{where}.bids", doubts)
    asks = _odd_side(payload.asks, read, f"{where}.asks", doubts)
    rows = np.array([*sorted(bids.items()), *sorted(asks.items(), reverse=True)], dtype=np.int64)
    table = rows.reshape(-1, 2)
    return RawBook(
        payload.asset_id,
        table[:, 0],
        table[:, 1],
        (0, len(bids)),
        (len(bids), len(table)),
        payload.timestamp,
        payload.hash,
    )


def _odd_side(
    levels: list[LevelPayload], read: Read, where: str, doubts: list[str]
) -> dict[int, int]:
    """The sizes of a side by price. What is odd makes liquidity smaller, never larger.

    Of a size finer than a share can be the rest is left out, down to nothing. A price finer than
    any tick loses its level. Of two levels at one price the smaller counts: they may be two orders
    or one that is listed twice. A price or a size that no level can have loses the book.
    """
    sizes: dict[int, int] = {}
    for number, (level, (at, whole, sound)) in enumerate(zip(levels, read, strict=False)):
        place = f"{where}[{number}]"
        price, size = (at, whole) if sound else _exact(level, place, doubts)
        if size and price in sizes:
            doubts.append(f"{place}: a price that is there twice")
            sizes[price] = min(size, sizes[price])
        elif size:
            sizes[price] = size
    return sizes


def _exact(level: LevelPayload, place: str, doubts: list[str]) -> tuple[int, int]:
    """Price and size of a level that is written in an unusual way; size 0: it does not count."""
    price, size = _number(level.price, place), _number(level.size, place)
    if not 0 < price < 1 or not 0 <= size <= SIZE_MAX:
        raise BadVenueData(place, f"{level.size[:40]} @ {level.price[:40]}")
    at, whole = to_micro(micro_down(price)), to_micro(micro_down(size))
    if from_micro(at) == price:
        return at, whole
    doubts.append(f"{place}: {level.price[:40]} is finer than any tick")
    return at, 0


def _number(text: str, where: str) -> Decimal:
    try:
        return bounded_number(text)
    except ValueError:
        raise BadVenueData(where, f"{text[:40]!r} is not an amount") from None


def _fast(body: bytes) -> tuple[RawBook, ...]:
    if b"\\" in body:
        raise _Unusual
    skeleton, regions, rising = _cut(body)
    if b'"price"' in skeleton:  # levels that look different
        raise _Unusual
    check_nesting(skeleton)  # within a region every byte of punctuation is checked
    books = msgspec.json.decode(skeleton, type=list[_Skeleton])
    prices, sizes, ends = _levels(regions)
    starts = [0, *ends][:-1]
    used = sorted(number for book in books for number in (*book.bids, *book.asks))
    empty = skeleton.count(b'"bids":[]') + skeleton.count(b'"asks":[]')
    once_each = used == list(range(len(regions))) and 2 * len(books) == len(regions) + empty
    if not once_each or any(len(book.bids) > 1 or len(book.asks) > 1 for book in books):
        raise _Unusual
    lengths = np.array(ends, dtype=np.int64) - np.array(starts, dtype=np.int64)
    if not _best_last(prices, lengths, np.array(rising, dtype=np.int64)).all():
        raise _Unusual

    rows = list(zip(starts, ends, strict=True))
    nowhere = (0, 0)
    return tuple(
        RawBook(
            book.asset_id,
            prices,
            sizes,
            rows[book.bids[0]] if book.bids else nowhere,
            rows[book.asks[0]] if book.asks else nowhere,
            book.timestamp,
            book.hash,
        )
        for book in books
    )


def _best_last(prices: Ints, lengths: Ints, rising: Ints) -> Flags:
    """For each level but the first whether it is better than the one before, in its own side."""
    better: Flags = np.diff(prices) * np.repeat(rising, lengths)[1:] > 0
    ends = np.cumsum(lengths)
    better[ends[(ends > 0) & (ends < len(prices))] - 1] = True  # another side begins
    return better


def _cut(body: bytes) -> tuple[bytes, list[bytes], list[int]]:
    """The answer with each array of levels replaced by its number, the arrays, their direction."""
    pieces: list[bytes] = []
    regions: list[bytes] = []
    rising: list[int] = []
    done = 0
    while (start := body.find(b'[{"price":"', done)) >= 0:
        end = body.find(b"]", start)
        key = body[start - 7 : start]
        if end < 0 or key not in DIRECTIONS:
            raise _Unusual
        pieces.append(body[done : start + 1])
        pieces.append(b"%d" % len(regions))
        regions.append(body[start + 1 : end])
        rising.append(DIRECTIONS[key])
        done = end
    pieces.append(body[done:])
    return b"".join(pieces), regions, rising


def _levels(regions: list[bytes]) -> tuple[Ints, Ints, list[int]]:
    """Prices and sizes of all levels in micro-units, and where each region's levels end."""
    if not regions:
        return NO_LEVELS, NO_LEVELS, []
    buffer = PAD + b",".join(regions) + b"," + PAD
    data = np.frombuffer(buffer, dtype=np.uint8)
    words = columns.words_of(buffer)
    quotes = np.flatnonzero(data == ord('"'))
    if len(quotes) % QUOTES_PER_LEVEL:
        raise _Unusual
    # The quotes of one level: "price" : "…" , "size" : "…"
    marks = np.ascontiguousarray(quotes.reshape(-1, QUOTES_PER_LEVEL).T)
    key, price_from, price_to, size_from, size_to = marks[[0, 2, 3, 6, 7]]
    level_as_sent = (
        (words[key] == PRICE_KEY)
        & (price_from - key == 8)
        & (words[price_to + 1] == SIZE_KEY)
        & (size_from - price_to == 9)
    )
    next_as_sent = (words[size_to[:-1]] & FIVE_BYTES == NEXT_LEVEL) & (key[1:] - size_to[:-1] == 4)
    # Before the first level and after the last one stands the padding.
    ends_as_sent = (
        key[0] == len(PAD) + 1
        and data[key[0] - 1] == ord("{")
        and words[size_to[-1]] & FOUR_BYTES == LAST_LEVEL
        and size_to[-1] + 3 == len(buffer) - len(PAD)
    )
    if not (ends_as_sent and level_as_sent.all() and next_as_sent.all()):
        raise _Unusual
    prices, price_sound = columns.prices(words, price_from + 1, price_to)
    sizes, size_sound = columns.sizes(words, size_from + 1, size_to)
    if not (price_sound & size_sound).all():
        raise _Unusual
    ends = np.cumsum([len(region) + 1 for region in regions]) + len(PAD)
    return prices, sizes, np.searchsorted(key, ends).tolist()
