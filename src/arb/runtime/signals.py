"""Stopping at a signal: finish the step, record it, exit; pending reads are cancelled."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 1.0
"""For the step at work. Whatever it still waits for then is given up, as in a crash: an order is
written down before it is sent, and asked about at the next start."""
AGAIN_SECONDS = 0.25


@contextlib.contextmanager
def on_stop(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` at SIGINT or SIGTERM while the block runs."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, tell)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def stoppable(work: Coroutine[Any, Any, T], tell: Callable[[], None]) -> T | None:
    """Do the work to its end, or until a moment after SIGINT or SIGTERM.

    Args:
        work: What is done. Cancelled where it has not ended a moment after the signal; at once when
            the signal comes again.
        tell: Called at the signal.

    Returns:
        What the work gives; `None` where it was cut short.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    cutting: asyncio.TimerHandle | None = None

    def cut() -> None:
        nonlocal cutting
        task.cancel()
        cutting = loop.call_later(AGAIN_SECONDS, cut)

    def told() -> None:
        nonlocal cutting
        if cutting is None:
            tell()
            cutting = loop.call_later(GRACE_SECONDS, cut)
        else:
            cutting.cancel()
            cut()

    with on_stop(told):
        try:
            return await task
        except asyncio.CancelledError:
            if cutting is None:  # the task that waits for us was cancelled
                raise
            return None
        finally:
            if cutting is not None:
                cutting.cancel()
