"""Standard output and standard error, which may be closed, full or without a reader.

What a command has done stands, whether or not it can be printed; lost output is reported.
"""

import contextlib
import errno
import os
import sys
from typing import Any, TextIO

CLOSED = "it is closed"
GONE = "its reader has gone"
DOING = frozenset(
    {
        "run",
        "shard",
        "demo",
        "halt",
        "pause",
        "resume",
        "reset-errors",
        "livetest",
        "redeem",
        "exchange",
        "bots",
    }
)
"""Commands whose exit code is about what they did; that of all others is about their output."""


class Enduring:
    """A text stream that drops what is written once it cannot be written to any more."""

    def __init__(self, stream: TextIO, lost: str = "") -> None:
        self._stream = stream
        self.lost = lost
        """Why something was not written; empty: all was."""

    def write(self, text: str) -> int:
        """Write it, if it can be written."""
        with self._losing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Send on what was written."""
        with self._losing():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _losing(self) -> Any:
        try:
            yield
        except (OSError, ValueError) as error:  # a closed stream is a ValueError
            number = getattr(error, "errno", None)
            gone = number in (errno.EPIPE, errno.ECONNRESET)
            self.lost = self.lost or (GONE if gone else getattr(error, "strerror", "") or CLOSED)
            self._let_go()

    def _let_go(self) -> None:
        """What is still in the buffer goes nowhere: it would fail once more at the end."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def make_whole() -> None:
    """Give every standard stream a place, and let none of them end the program.

    A number below three that is free would be the ledger's: what libraries write to standard error
    would then be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = _made(sys.stdout)
    sys.stderr = _made(sys.stderr)


def told(command: str) -> bool:
    """Whether all output of the command was written; reports it on standard error if not.

    A reader that has gone has read what it wanted.
    """
    sys.stdout.flush()
    lost = getattr(sys.stdout, "lost", "")
    if lost and lost != GONE:
        sys.stderr.write(f"arb: standard output cannot be written to: {lost}\n")
    sys.stderr.flush()
    return command in DOING or lost in ("", GONE)


def _made(stream: TextIO | None) -> Enduring:
    if stream is None:
        return Enduring(open(os.devnull, "w", encoding="utf-8"), CLOSED)  # noqa: PTH123  # as long as the process
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # of another code page: readable, not an error
    return Enduring(stream)
