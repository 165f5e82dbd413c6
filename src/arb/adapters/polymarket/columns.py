"""Prices and sizes as text to columns of micro-units, thousands at a time.

Each number is read from the eight bytes before its end. `Column.sound` says which numbers could be
read: only plain digits with at most one point, within the bounds that `prices` and `sizes` name.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from arb.domain.money import MICRO

Ints: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]
Flags: TypeAlias = npt.NDArray[np.bool_]

PAD = b"0" * 16
"""Stands before and after all numbers, so that eight bytes can be read anywhere."""
GAP = " " * 8
"""Stands between numbers that are read from texts; without a point, and as long as is read."""
TWO_BYTES = np.uint64((1 << 16) - 1)
ZERO_POINT = np.uint64(int.from_bytes(b"0.", "little"))
POINTS = np.uint64(0x2E2E2E2E2E2E2E2E)
ONES = np.uint64(0x0101010101010101)
TOP_BITS = np.uint64(0x8080808080808080)
ZEROS = np.uint64(0x3030303030303030)
SIXES = np.uint64(0x0606060606060606)
HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
EVERY_BIT = np.uint64(0xFFFFFFFFFFFFFFFF)
TENS = np.array([10**n for n in range(7)], dtype=np.int64)


class Column(NamedTuple):
    """Numbers in micro-units."""

    values: Ints
    sound: Flags
    """Which of them were read; the values of the others mean nothing."""


def words_of(buffer: bytes) -> Words:
    """The eight bytes from each place of a padded text on, as one word each."""
    return np.ndarray((len(buffer) - 7,), dtype="<u8", buffer=buffer, strides=(1,))


def spread(texts: list[str]) -> tuple[Words, Ints, Ints]:
    """Texts in a row: its words, and the places where each text starts and ends."""
    buffer = PAD + GAP.join(texts).encode("ascii", "replace") + PAD  # a byte for each character
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    ends = np.cumsum(lengths + len(GAP)) + (len(PAD) - len(GAP))
    return words_of(buffer), ends - lengths, ends


def prices(words: Words, start: Ints, end: Ints) -> Column:
    """Prices of the form `0.` and one to six digits, more than nothing."""
    digits = end - start - 2
    values, sound = _digits(words[end - 8], digits)
    sound &= (words[start] & TWO_BYTES == ZERO_POINT) & (digits >= 1) & (digits <= 6)
    values *= TENS.take(6 - digits, mode="clip")
    return Column(values, sound & (values > 0))


def sizes(words: Words, start: Ints, end: Ints) -> Column:
    """Sizes of up to eight digits, and up to six more after a point, more than nothing."""
    tail = words[end - 8]
    # The first byte of the last eight that is a point; what is left of it cannot be one.
    differs = tail ^ POINTS
    hits: Words = (differs - ONES) & ~differs & TOP_BITS
    below = (((hits & (~hits + np.uint64(1))) - np.uint64(1)) & ONES) * ONES >> np.uint64(56)
    part_digits = np.where(hits > 0, 8 - below.astype(np.int64), 0)
    whole_end = end - part_digits - (hits > 0)
    whole_digits = whole_end - start
    part, part_sound = _digits(tail, part_digits)
    whole, whole_sound = _digits(words[whole_end - 8], whole_digits)
    sound = (whole_digits >= 1) & (whole_digits <= 8) & (part_digits <= 6)
    sound &= ((hits == 0) | (part_digits >= 1)) & part_sound & whole_sound
    values = whole * MICRO + part * TENS.take(6 - part_digits, mode="clip")
    return Column(values, sound & (values > 0))


def _digits(word: Words, count: Ints) -> tuple[Ints, Flags]:
    """The number that the last `count` (0 to 8) bytes of each word spell, and whether they do."""
    # A shift by the whole width is undefined, so the empty number shifts by nothing and is masked.
    shift = np.where(count > 0, 64 - 8 * count, 0).astype(np.uint64)
    wanted = np.where(count > 0, (EVERY_BIT >> shift) << shift, np.uint64(0))
    digits: Words = word & wanted
    digits -= ZEROS & wanted
    sound: Flags = ((digits | (digits + SIXES)) & HIGH_NIBBLES) == 0
    # Eight decimal digits in one word, added up by twos, by fours, by eights.
    digits = digits * np.uint64(10) + (digits >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    digits = digits * np.uint64(100) + (digits >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    digits = digits * np.uint64(10_000) + (digits >> np.uint64(32)) & np.uint64(0xFFFFFFFF)
    return digits.view(np.int64), sound
