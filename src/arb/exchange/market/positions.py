"""Ids of exclusive events of protocol v2, as the embedded chain makes them.

An event: the module, 16 bytes of hash, the arity, eight zero bytes, the chain. A condition: the
event and its index. A position: the condition and 00 for YES or 01 for NO. Indices go from 0 to the
arity, whose outcome is "Other".
"""

import hashlib

MODULE, CHAIN = b"\x02", 137
ARITY = slice(17, 19)
YES, NO = 0, 1


def event_id(name: str, arity: int) -> bytes:
    """29 bytes; the same name gives the same id."""
    hash_ = hashlib.sha256(name.encode()).digest()[:16]
    return MODULE + hash_ + arity.to_bytes(2, "big") + bytes(8) + CHAIN.to_bytes(2, "big")


def outcomes_of(event: bytes) -> int:
    """How many outcomes an event has, "Other" included."""
    return int.from_bytes(event[ARITY], "big") + 1


def condition(event: bytes, index: int) -> str:
    """31 bytes as hex."""
    return "0x" + (event + index.to_bytes(2, "big")).hex()


def position(event: bytes, index: int, outcome: int) -> str:
    """A token id, decimal."""
    return str(int.from_bytes(event + index.to_bytes(2, "big") + bytes([outcome]), "big"))
