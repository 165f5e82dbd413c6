"""What every target is made of: its contract, and the naive reading that it is held against."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

EXACT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
RECURSION_MAX = 1000


class ReadWrong(AssertionError):
    """What was read is not what is there."""


def must(holds, what):
    if not holds:
        raise ReadWrong(what)


@dataclass(frozen=True, kw_only=True)
class Target:
    name: str
    seeds: Callable[[], list[bytes]]
    contract: tuple[type[BaseException], ...]
    read: Callable[[bytes, Path], object]
    """Reads; may use the folder."""


def naive(raw, number=str):
    """The document by the standard library, numbers as they are written; `None`: it is none.

    Some libraries raise the limit of recursion so far that the standard library dies of a deep
    document before it raises.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(min(limit, RECURSION_MAX))
    try:
        text = raw.decode("utf-8", "surrogateescape")
        return json.loads(text, parse_int=number, parse_float=number, strict=False)
    except (ValueError, RecursionError):
        return None
    finally:
        sys.setrecursionlimit(limit)


def exact(text):
    """The number that a text spells in plain digits, by other means than the program's."""
    if not isinstance(text, str) or len(text) > 200 or not EXACT.fullmatch(text):
        return None
    return Fraction(text)
