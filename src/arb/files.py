"""Our own small files and JSON texts, read as if a stranger had written them."""

import json
import math
import os
import stat
from pathlib import Path
from typing import Any

from arb.domain.bounds import DIGITS_MAX, TEXT_MAX, OutOfBounds, check_nesting

SMALL = 16 * 1024 * 1024
"""Bytes; no file of ours that is read whole is larger."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_small(path: Path, most: int = SMALL) -> bytes:
    """The content of an ordinary file. A pipe or a device is never waited for.

    Raises:
        FileNotFoundError: There is nothing of that name.
        OSError: It is a link, a folder, a pipe or a device, too large, or cannot be read.
    """
    file = os.open(path, _READ)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(0, "it is no ordinary file")
        content = bytearray()
        while len(content) <= most and (piece := os.read(file, most + 1 - len(content))):
            content += piece
        if len(content) > most:
            raise OSError(0, f"it has more than {most} bytes")
    finally:
        os.close(file)
    return bytes(content)


def read_document(path: Path, most: int = SMALL) -> Any:
    """The JSON document in a file.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: See `read_small`.
        ValueError: It is no plain document; see `document`.
    """
    return document(read_small(path, most))


def document(raw: bytes) -> Any:
    """A small JSON text as plain values; for files that anybody may have written to.

    Raises:
        ValueError: It is not UTF-8, not JSON, nests too deep, has a name twice in one object, or a
            number that is not finite or beyond all bounds.
    """
    check_nesting(raw)
    found = json.loads(
        raw.decode("utf-8"),
        object_pairs_hook=_object,
        parse_int=_whole,
        parse_float=_part,
        parse_constant=_constant,
    )
    if b"\\u" in raw:
        json.dumps(found, ensure_ascii=False).encode()  # half of a character is no text
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _whole(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise OutOfBounds("a number beyond all bounds")
    return int(text)


def _part(text: str) -> float:
    if len(text) > TEXT_MAX or not math.isfinite(found := float(text)):
        raise OutOfBounds("a number beyond all bounds")
    return found


def _constant(text: str) -> None:
    raise ValueError(f"{text} is not a number")
