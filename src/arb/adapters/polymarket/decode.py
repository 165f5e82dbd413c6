"""A `/books` answer to exact integers, fast.

Nearly all of the answer is price levels, and all levels look alike:
`{"price":"0.48","size":"100.00"}`. They are cut out and read together as columns, with every byte
of their punctuation checked; what remains is small and is decoded as ordinary typed JSON. Anything
unusual (white space, another key order, an escape, more digits) sends the whole answer down the
plain path, which reads book by book and loses only the books and levels that are wrong.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from arb.adapters.polymarket.payloads import BookPayload, LevelPayload, decode
from arb.domain.bounds import OutOfBounds, check_nesting
from arb.domain.bounds import number as bounded_number
from arb.domain.errors import BadVenueData
from arb.domain.money import MICRO, from_micro, micro_down, to_micro
from arb.domain.report import Problem

Ints: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]

PAD = b"0" * 16
QUOTES_PER_LEVEL = 8
DIRECTIONS = {b'"bids":': 1, b'"asks":': -1}
"""Bids are sent rising and asks falling, so the best is last in both.

See docs/venue-polymarket.md §1.4.
"""
PRICE_KEY = np.uint64(int.from_bytes(b'"price":', "little"))
SIZE_KEY = np.uint64(int.from_bytes(b',"size":', "little"))
NEXT_LEVEL = np.uint64(int.from_bytes(b'"},{"', "little"))
LAST_LEVEL = np.uint64(int.from_bytes(b'"},0', "little"))
ZERO_POINT = np.uint64(int.from_bytes(b"0.", "little"))
TWO_BYTES, FOUR_BYTES, FIVE_BYTES = (np.uint64((1 << 8 * n) - 1) for n in (2, 4, 5))
POINTS = np.uint64(0x2E2E2E2E2E2E2E2E)
ONES = np.uint64(0x0101010101010101)
TOP_BITS = np.uint64(0x8080808080808080)
ZEROS = np.uint64(0x3030303030303030)
SIXES = np.uint64(0x0606060606060606)
HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
EVERY_BIT = np.uint64(0xFFFFFFFFFFFFFFFF)
TENS = np.array([10**n for n in range(7)], dtype=np.int64)
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
    books: list[RawBook] = []
    problems: list[tuple[Problem, bytes]] = []
    for raw in decode(body, list[msgspec.Raw], "books"):
        doubts: list[str] = []
        try:
            books.append(_plain_book(decode(raw, BookPayload, "book"), doubts))
        except BadVenueData as error:
            problems.append((Problem(where=error.where, what=error.what), bytes(raw)))
            continue
        if doubts:
            named = "; ".join(doubts[:DOUBTS_NAMED])
            what = f"{named} ({len(doubts)} levels in doubt)"
            problems.append((Problem(where="level", what=what), bytes(raw)))
    return Decoded(tuple(books), tuple(problems))


def _plain_book(payload: BookPayload, doubts: list[str]) -> RawBook:
    where = f"book {payload.asset_id}"
    bids = _plain_side(payload.bids, f"{where}.bids", doubts, rising=True)
    asks = _plain_side(payload.asks, f"{where}.asks", doubts, rising=False)
    columns = np.array([*bids, *asks], dtype=np.int64).reshape(-1, 2)
    return RawBook(
        payload.asset_id,
        columns[:, 0],
        columns[:, 1],
        (0, len(bids)),
        (len(bids), len(columns)),
        payload.timestamp,
        payload.hash,
    )


def _plain_side(
    levels: list[LevelPayload], where: str, doubts: list[str], *, rising: bool
) -> list[tuple[int, int]]:
    """The levels of a side, best last. What is odd makes liquidity smaller, never larger.

    Of a size finer than a share can be the rest is left out, down to nothing. A price finer than
    any tick loses its level. Of two levels at one price the smaller counts: they may be two orders
    or one that is listed twice. A price or a size that no level can have loses the book.
    """
    sizes: dict[int, int] = {}
    for number, level in enumerate(levels):
        place = f"{where}[{number}]"
        price, size = _number(level.price, place), _number(level.size, place)
        if not 0 < price < 1 or not 0 <= size <= SIZE_MAX:
            raise BadVenueData(place, f"{level.size[:40]} @ {level.price[:40]}")
        at, whole = to_micro(micro_down(price)), to_micro(micro_down(size))
        if from_micro(at) != price:
            doubts.append(f"{place}: {level.price[:40]} is finer than any tick")
        elif whole and at in sizes:
            doubts.append(f"{place}: a price that is there twice")
            sizes[at] = min(whole, sizes[at])
        elif whole:
            sizes[at] = whole
    return sorted(sizes.items(), reverse=not rising)


def _number(text: str, where: str) -> Decimal:
    try:
        return bounded_number(text)
    except ValueError:
        raise BadVenueData(where, f"{text[:40]!r} is not an amount") from None


def _fast(body: bytes) -> tuple[RawBook, ...]:
    if b"\\" in body:
        raise _Unusual
    skeleton, regions, rising = _cut(body)
    check_nesting(skeleton)  # within a region every byte of punctuation is checked
    books = msgspec.json.decode(skeleton, type=list[_Skeleton])
    prices, sizes, ends = _levels(regions)
    starts = [0, *ends][:-1]
    used = sorted(number for book in books for number in (*book.bids, *book.asks))
    empty = skeleton.count(b'"bids":[]') + skeleton.count(b'"asks":[]')
    once_each = used == list(range(len(regions))) and 2 * len(books) == len(regions) + empty
    if not once_each or any(len(book.bids) > 1 or len(book.asks) > 1 for book in books):
        raise _Unusual
    if not _best_last(prices, starts, ends, rising):
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


def _best_last(prices: Ints, starts: list[int], ends: list[int], rising: list[int]) -> bool:
    """Whether every side is in strict order, as the venue sends it."""
    if not rising:
        return True
    steps = np.diff(prices) * np.repeat(rising, np.subtract(ends, starts))[1:]
    between = np.asarray(starts[1:], dtype=np.int64) - 1
    steps[between] = 1
    return bool((steps > 0).all())


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
    words: Words = np.ndarray((len(buffer) - 7,), dtype="<u8", buffer=buffer, strides=(1,))
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
    prices = _prices(words, price_from + 1, price_to)
    sizes = _sizes(words, size_from + 1, size_to)
    ends = np.cumsum([len(region) + 1 for region in regions]) + len(PAD)
    return prices, sizes, np.searchsorted(key, ends).tolist()


def _prices(words: Words, start: Ints, end: Ints) -> Ints:
    """Prices of the form `0.` and one to six digits, in micro-units."""
    digits = end - start - 2
    if not ((words[start] & TWO_BYTES == ZERO_POINT) & (digits >= 1) & (digits <= 6)).all():
        raise _Unusual
    prices: Ints = _digits(words[end - 8], digits) * TENS[6 - digits]
    if not (prices > 0).all():
        raise _Unusual
    return prices


def _sizes(words: Words, start: Ints, end: Ints) -> Ints:
    """Sizes of up to eight digits, and up to six more after a point, in micro-units."""
    tail = words[end - 8]
    # The first byte of the last eight that is a point; what is left of it cannot be one.
    differs = tail ^ POINTS
    hits: Words = (differs - ONES) & ~differs & TOP_BITS
    below = (((hits & (~hits + np.uint64(1))) - np.uint64(1)) & ONES) * ONES >> np.uint64(56)
    part_digits = np.where(hits > 0, 8 - below.astype(np.int64), 0)
    whole_end = end - part_digits - (hits > 0)
    whole_digits = whole_end - start
    sound = (whole_digits >= 1) & (whole_digits <= 8) & (part_digits <= 6)
    if not (sound & ((hits == 0) | (part_digits >= 1))).all():
        raise _Unusual
    part = _digits(tail, part_digits) * TENS[6 - part_digits]
    sizes: Ints = _digits(words[whole_end - 8], whole_digits) * MICRO + part
    if not (sizes > 0).all():
        raise _Unusual
    return sizes


def _digits(word: Words, count: Ints) -> Ints:
    """The number that the last `count` (0 to 8) bytes of each word spell."""
    # A shift by the whole width is undefined, so the empty number shifts by nothing and is masked.
    shift = np.where(count > 0, 64 - 8 * count, 0).astype(np.uint64)
    wanted = np.where(count > 0, (EVERY_BIT >> shift) << shift, np.uint64(0))
    digits: Words = word & wanted
    digits -= ZEROS & wanted
    if ((digits | (digits + SIXES)) & HIGH_NIBBLES).any():
        raise _Unusual
    # Eight decimal digits in one word, added up by twos, by fours, by eights.
    digits = digits * np.uint64(10) + (digits >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    digits = digits * np.uint64(100) + (digits >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    digits = digits * np.uint64(10_000) + (digits >> np.uint64(32)) & np.uint64(0xFFFFFFFF)
    return digits.view(np.int64)
