"""Bounds on what comes from outside, checked before anything is computed with it.

A number of a few characters can cost seconds (`1e99999`), a few thousand brackets the stack of the
process. Readers of venues, nodes, workers, settings and our own files share these bounds.
"""

import re
from decimal import Decimal

DIGITS_MAX = 30
EXPONENT_MAX = 18
"""No price, size, amount or rate has more digits, or is larger or finer."""
TEXT_MAX = 64
"""Characters of a number within these bounds."""
NESTING_MAX = 64
"""Brackets within brackets: no document that is read here has more than a dozen."""
FLAT = 8
"""How often pairs of brackets are taken out before nesting is counted bracket by bracket."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_TEXT = re.compile(rb'"[^"]*"?')


class OutOfBounds(ValueError):
    """It is larger, finer or nested deeper than anything that is meant here."""


def bounded(number: Decimal) -> Decimal:
    """The same number, once it is known to be an ordinary one. Costs nothing, however large it is.

    Raises:
        OutOfBounds: It is not finite, has more digits, or is larger or finer than any amount.
    """
    _, digits, exponent = number.as_tuple() if number.is_finite() else (0, (), "none")
    if not isinstance(exponent, int) or len(digits) > DIGITS_MAX or abs(exponent) > EXPONENT_MAX:
        raise OutOfBounds("a number beyond all bounds")
    return number


def number(text: str) -> Decimal:
    """The number that a text from outside spells in plain digits.

    Raises:
        OutOfBounds: It is beyond all bounds, or no number in decimal digits.
    """
    if len(text) > TEXT_MAX or not _NUMBER.fullmatch(text):
        raise OutOfBounds(f"{text[:40]!r} is not a number within bounds")
    return bounded(Decimal(text))


def check_nesting(raw: bytes, most: int = NESTING_MAX) -> None:
    """Refuse a JSON text that nests too deep, before a decoder that calls itself sees it.

    Brackets within strings do not count. A text that is no JSON may pass: the decoder refuses it.

    Raises:
        OutOfBounds: Brackets stand within more brackets than that.
    """
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in raw else raw
    structure = plain.translate(None, _NO_STRUCTURE).replace(b'""', b"")
    brackets = _TEXT.sub(b"", structure)
    if brackets.count(b"[") + brackets.count(b"{") <= most:
        return
    flat = brackets
    for _ in range(min(FLAT, most // 2)):  # each time one or two levels less
        flat = flat.replace(b"{}", b"").replace(b"[]", b"")
        if not flat:
            return
    depth = 0
    for byte in brackets:
        depth += 1 if byte in b"[{" else -1
        if depth > most:
            raise OutOfBounds(f"nested deeper than {most} levels")
