"""Who borrows, over a restart: a file that may be lost or wrong without making a loan up.

It spares reading a market's logs from its beginning at every start. Loans themselves are never
kept: each is read from the chain again.
"""

import contextlib
import json
import os
import re
from collections.abc import Collection
from pathlib import Path

from arb.files import read_document
from arb.net.rpc import Block

SAVED_EVERY = 100
"""Blocks between two times that it is written."""
ADDRESS = re.compile(r"0x[0-9a-f]{40}")
HASH = re.compile(r"0x[0-9a-f]{64}")
BLOCK_MAX = 2**53


class Memory:
    """The borrowers of one market, up to a block."""

    def __init__(self, path: Path, market: str) -> None:
        """Nothing is read yet; `market` tells it from others that had the same file."""
        self._path, self._market = path, market
        self._saved: int | None = None

    def load(self) -> tuple[Block, frozenset[str]] | None:
        """The block up to which they are known, and who they are; `None`: nothing usable."""
        try:
            found = read_document(self._path)
        except (OSError, ValueError):
            return None
        match found:
            case {
                "schema": 1,
                "market": str(market),
                "block": int(number),
                "hash": str(hash_),
                "borrowers": list(borrowers),
            } if (
                market == self._market
                and 0 <= number <= BLOCK_MAX
                and HASH.fullmatch(hash_)
                and _addresses(borrowers)
            ):
                self._saved = number
                return Block(number=number, hash=hash_, timestamp=0), frozenset(borrowers)
            case _:
                return None

    def save(self, block: Block, borrowers: Collection[str]) -> None:
        """Write them down, where enough blocks have passed. What cannot be written is left out."""
        if self._saved is not None and abs(block.number - self._saved) < SAVED_EVERY:
            return
        document = {
            "schema": 1,
            "market": self._market,
            "block": block.number,
            "hash": block.hash,
            "borrowers": sorted(borrowers),
        }
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(document), encoding="utf-8")
            draft.replace(self._path)
            self._saved = block.number


def _addresses(borrowers: list[object]) -> bool:
    return all(isinstance(one, str) and ADDRESS.fullmatch(one) for one in borrowers)
