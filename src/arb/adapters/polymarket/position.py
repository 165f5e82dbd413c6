"""What the ids of protocol v2 encode.

An event's id is 29 bytes: the module (1 plain, 2 exclusive), 16 bytes of hash, the arity as two
bytes, eight zero bytes, the chain as two bytes. A condition's id is the event's and two bytes of
index; a position's is the condition's and one byte, 00 for YES and 01 for NO. An exclusive event
has one outcome more than its arity: the last one, whose index is the arity, is "Other".
"""

from collections.abc import Sequence
from enum import StrEnum

EVENT_BYTES, CONDITION_BYTES, POSITION_BYTES = 29, 31, 32
ARITY, ZEROS = slice(17, 19), slice(19, 27)
EXCLUSIVE = 2
"""The module whose events turn into each other: convert, split and merge across outcomes."""


class PositionSystem(StrEnum):
    """Which position system a market settles on: decides how a set is cashed.

    See docs/venue-polymarket.md §0.
    """

    V1 = "v1"
    V2 = "v2"


def event_of(condition: str) -> tuple[bytes, int] | None:
    """The exclusive event that a v2 condition belongs to and its place there.

    Args:
        condition: `0x` and 31 bytes, or 32 of which the last one names an outcome.

    Returns:
        `None` where the id is not that of an exclusive event's condition.
    """
    try:
        raw = bytes.fromhex(condition.removeprefix("0x"))
    except ValueError:
        return None
    if len(raw) not in (CONDITION_BYTES, POSITION_BYTES):
        return None
    event, index = raw[:EVENT_BYTES], int.from_bytes(raw[EVENT_BYTES:CONDITION_BYTES], "big")
    if event[0] != EXCLUSIVE or any(event[ZEROS]) or index > arity(event):
        return None
    return event, index


def siblings(conditions: Sequence[str]) -> bytes | None:
    """The one event that all conditions belong to, each at a place of its own; else `None`."""
    places = [event_of(condition) for condition in conditions]
    known = [place for place in places if place is not None]
    if not known or len(known) != len(places) or len(set(known)) != len(known):
        return None
    return known[0][0] if len({event for event, _ in known}) == 1 else None


def whole(conditions: Sequence[str]) -> bool:
    """Whether the conditions are all outcomes of one event, "Other" included."""
    event = siblings(conditions)
    return event is not None and len(conditions) == arity(event) + 1


def arity(event: bytes) -> int:
    """How many named outcomes an event has; "Other" is one more."""
    return int.from_bytes(event[ARITY], "big")


def position(event: bytes, index: int, outcome: int) -> str:
    """The token id, decimal, of one outcome's YES (0) or NO (1)."""
    return str(int.from_bytes(event + index.to_bytes(2, "big") + bytes([outcome]), "big"))
