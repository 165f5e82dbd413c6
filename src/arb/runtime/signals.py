"""Being told to stop: finish the step, write down, leave."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator


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
