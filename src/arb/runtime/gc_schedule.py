"""Collecting cyclic garbage when no task waits, and not in the middle of a cycle.

A full collection over the objects of 20,000 markets holds everything up for some 300 ms.
"""

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass

from arb.domain.news import CycleEnded, News

YOUNG = 5_000
"""New objects between two collections; each takes a millisecond or two."""
MIDDLE = 1_000
"""Such looks between two at what has survived one."""
NEVER = 1_000_000
FULL_EVERY = 100
"""Cycles between two full collections."""


@dataclass(slots=True)
class Housekeeping:
    """An `Observer` that sets aside what has survived a cycle, and looks through it now and then.

    What is not in a cycle of references is freed at once all the same.
    """

    cycles: int = 0

    def __call__(self, news: News) -> None:
        """Do what is due when a cycle has ended."""
        if not isinstance(news, CycleEnded):
            return
        self.cycles += 1
        if self.cycles % FULL_EVERY == 0:
            gc.unfreeze()
            gc.collect()
        gc.freeze()


@contextlib.contextmanager
def quiet() -> Iterator[Housekeeping]:
    """No full collection by itself while the block runs; the observer sees to them."""
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, MIDDLE, NEVER)
    try:
        yield Housekeeping()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
