"""A `/books` answer to exact integers, fast.

Nearly all of the answer is price levels, and all levels look alike:
`{"price":"0.48","size":"100.00"}`. They are cut out and read together as columns, with every byte
of their punctuation checked; what remains is small and is decoded as ordinary typed JSON. Anything
unusual (white space, another key order, an escape, more digits) sends the whole answer down the
plain path, which reads book by book and loses only the books that are wrong.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from arb.adapters.polymarket.payloads import BookPayload, LevelPayload, decode
from arb.domain.errors import BadVenueData
from arb.domain.money import MICRO, to_micro
from arb.domain.report import Problem

Ints: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]

PAD = b"0" * 16
QUOTES_PER_LEVEL = 8
DIRECTIONS = {b'"bids":': 1, b'"asks":': -1}
"""Bids are sent rising and asks falling, so the best is last in both (PLATFORM.md §1.4)."""
PRICE_KEY = int.from_bytes(b'"price":', "little")
SIZE_KEY = int.from_bytes(b'"size":"', "little")
ZEROS = np.uint64(0x3030303030303030)
SIXES = np.uint64(0x0606060606060606)
HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
EVERY_BIT = np.uint64(0xFFFFFFFFFFFFFFFF)
TENS = np.array([10**n for n in range(7)], dtype=np.int64)
NO_LEVELS = np.zeros(0, dtype=np.int64)
SIZE_MICRO_MAX = 10**15
"""More shares than exist; a larger number is not a size."""


@dataclass(frozen=True, slots=True)
class RawBook:
    """One book as (price, size) columns of micro-units: best level last, no price twice."""

    token: str
    bid_prices: Ints
    bid_sizes: Ints
    ask_prices: Ints
    ask_sizes: Ints
    timestamp: str
    hash: str


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
    except (_Unusual, msgspec.MsgspecError, UnicodeDecodeError):
        return slow(body)


def slow(body: bytes) -> Decoded:
    """The same, one book at a time, for whatever the fast path does not know.

    Raises:
        BadVenueData: The answer is not a list.
    """
    books: list[RawBook] = []
    problems: list[tuple[Problem, bytes]] = []
    for raw in decode(body, list[msgspec.Raw], "books"):
        try:
            books.append(_plain_book(decode(raw, BookPayload, "book")))
        except BadVenueData as error:
            problems.append((Problem(where=error.where, what=error.what), bytes(raw)))
    return Decoded(tuple(books), tuple(problems))


def _plain_book(payload: BookPayload) -> RawBook:
    where = f"book {payload.asset_id}"
    return RawBook(
        payload.asset_id,
        *_plain_side(payload.bids, f"{where}.bids", rising=True),
        *_plain_side(payload.asks, f"{where}.asks", rising=False),
        timestamp=payload.timestamp,
        hash=payload.hash,
    )


def _plain_side(levels: list[LevelPayload], where: str, *, rising: bool) -> tuple[Ints, Ints]:
    pairs: list[tuple[int, int]] = []
    for number, level in enumerate(levels):
        place = f"{where}[{number}]"
        price, size = _micro(level.price, place), _micro(level.size, place)
        if not 0 < price < MICRO or not 0 <= size <= SIZE_MICRO_MAX:
            raise BadVenueData(place, f"{level.size[:40]} @ {level.price[:40]}")
        if size:
            pairs.append((price, size))
    pairs.sort(reverse=not rising)
    if len({price for price, _ in pairs}) != len(pairs):
        raise BadVenueData(where, "a price is there twice")
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _micro(number: str, where: str) -> int:
    try:
        exact = Decimal(number)
        if not exact.is_finite():
            raise BadVenueData(where, f"{number!r} is not a number")
        return to_micro(exact)
    except (InvalidOperation, ValueError, OverflowError):
        raise BadVenueData(where, f"{number[:40]!r} is not an amount") from None


def _fast(body: bytes) -> tuple[RawBook, ...]:
    if b"\\" in body:
        raise _Unusual
    skeleton, regions, rising = _cut(body)
    books = msgspec.json.decode(skeleton, type=list[_Skeleton])
    prices, sizes, ends = _levels(regions)
    starts = [0, *ends[:-1]]
    used = sorted(number for book in books for number in (*book.bids, *book.asks))
    empty = skeleton.count(b'"bids":[]') + skeleton.count(b'"asks":[]')
    if used != list(range(len(regions))) or 2 * len(books) != len(regions) + empty:
        raise _Unusual
    if not _best_last(prices, starts, ends, rising):
        raise _Unusual

    def columns(numbers: list[int]) -> tuple[Ints, Ints]:
        if not numbers:
            return prices[:0], sizes[:0]
        if len(numbers) != 1:
            raise _Unusual
        where = slice(starts[numbers[0]], ends[numbers[0]])
        return prices[where], sizes[where]

    return tuple(
        RawBook(
            book.asset_id,
            *columns(book.bids),
            *columns(book.asks),
            timestamp=book.timestamp,
            hash=book.hash,
        )
        for book in books
    )


def _best_last(prices: Ints, starts: list[int], ends: list[int], rising: list[int]) -> bool:
    """Whether every side is in strict order, as the venue sends it."""
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
        pieces += (body[done : start + 1], b"%d" % len(regions))
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
    marks = quotes.reshape(-1, QUOTES_PER_LEVEL)
    key, price_from, price_to, size_key = marks[:, 0], marks[:, 2], marks[:, 3], marks[:, 4]
    size_from, size_to = marks[:, 6], marks[:, 7]
    following = np.append(key[1:], len(buffer) - len(PAD) + 1)
    as_sent = (
        (words[key] == PRICE_KEY)
        & (price_from - key == 8)
        & (size_key - price_to == 2)
        & (data[price_to + 1] == ord(","))
        & (words[size_key] == SIZE_KEY)
        & (size_from - size_key == 7)
        & (data[key - 1] == ord("{"))
        & (data[size_to + 1] == ord("}"))
        & (data[size_to + 2] == ord(","))
        & (following - size_to == 4)
    )
    if not as_sent.all() or key[0] != len(PAD) + 1:
        raise _Unusual
    prices = _numbers(words, data, price_from + 1, price_to)
    sizes = _numbers(words, data, size_from + 1, size_to)
    possible = (prices > 0) & (prices < MICRO) & (sizes > 0) & (sizes <= SIZE_MICRO_MAX)
    if not possible.all():
        raise _Unusual
    ends = np.cumsum([len(region) + 1 for region in regions]) + len(PAD)
    return prices, sizes, np.searchsorted(key, ends).tolist()


def _numbers(words: Words, data: npt.NDArray[np.uint8], start: Ints, end: Ints) -> Ints:
    """Plain decimals of at most eight digits on either side of the point, as micro-units."""
    dots = np.flatnonzero(data == ord("."))
    next_dot = np.append(dots, len(data))[np.searchsorted(dots, start)]
    whole_end = np.minimum(next_dot, end)
    whole_digits, part_digits = whole_end - start, np.maximum(end - whole_end - 1, 0)
    pointless = next_dot >= end
    sound = (whole_digits >= 1) & (whole_digits <= 8) & (part_digits <= 6)
    if not (sound & (pointless | (part_digits >= 1))).all():
        raise _Unusual
    whole = _digits(words[whole_end - 8], whole_digits)
    # Six places after the point: the digits there, then zeros.
    part = _digits(words[end - 8], part_digits) * TENS[6 - part_digits]
    return whole * MICRO + part


def _digits(word: Words, count: Ints) -> Ints:
    """The number that the last `count` (0 to 8) bytes of each word spell."""
    # A shift by the whole width is undefined, so the empty number shifts by nothing and is masked.
    shift = np.where(count > 0, 64 - 8 * count, 0).astype(np.uint64)
    wanted = np.where(count > 0, (EVERY_BIT >> shift) << shift, np.uint64(0))
    digits: Words = (word & wanted) - (ZEROS & wanted)
    if ((digits | (digits + SIXES)) & HIGH_NIBBLES).any():
        raise _Unusual
    # Eight decimal digits in one word, halved three times: by twos, by fours, by eights.
    pairs = (digits * np.uint64(10) + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(100) + (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    eight = (fours * np.uint64(10_000) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return eight.astype(np.int64)
