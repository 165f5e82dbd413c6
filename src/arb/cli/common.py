"""What all commands share: options, exit codes, settings."""

import asyncio
import contextlib
import gc
import os
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from arb.config.sources import Loaded

T = TypeVar("T")

API_IS_OPEN = "Every program on this machine may operate it without a token (api.open_on_loopback)."
THREADS_SECONDS = 0.5
"""For threads that are about to end, when everything else has ended."""

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Profile = Annotated[
    str | None, typer.Option("--profile", help="Settings of config/NAME.toml.", metavar="NAME")
]
Wide = Annotated[
    bool, typer.Option("--wide", help="Every column in full, however narrow the terminal.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many rows.")]


class ExitCode(IntEnum):
    """The meaning of each exit code (INTERFACE_SPEC.md section 2)."""

    DONE = 0
    USAGE = 2
    UNREACHABLE = 3
    HALTED = 4
    INTERNAL = 5
    PLAN_OPEN = 6


def load(
    profile: str | None = None, flags: dict[str, Any] | None = None, *, notes: bool = False
) -> "Loaded":
    """The settings in force; with `notes` also what of the environment has no setting is named."""
    from arb.config.sources import load as read
    from arb.operations.redaction import learn

    loaded = read(profile, flags)
    learn(loaded.secrets())
    warn(loaded, notes=notes)
    return loaded


def warn(loaded: "Loaded", *, notes: bool = False) -> None:
    """Warn of names that look like settings and are not read."""
    from arb.cli.output import print_error

    for warning in (*loaded.warnings, *(loaded.notes if notes else ())):
        print_error(f"warning: {warning}")


def wait(work: Coroutine[Any, Any, T], doing: str | None = None) -> T:
    """Run a coroutine to its end; on a terminal, show what is being done."""
    if doing is None or not sys.stderr.isatty():
        return _run(work)
    from rich.console import Console

    with Console(stderr=True).status(doing):
        return _run(work)


def _run(work: Coroutine[Any, Any, T]) -> T:
    threads = _Threads(thread_name_prefix="arb")
    _of_all_runs.append(threads)
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(threads)
        return runner.run(work)


def leave(code: int) -> NoReturn:
    """End the process, also where a thread still waits for something that may never come."""
    until = time.monotonic() + THREADS_SECONDS
    if not all(threads.ended_within(until - time.monotonic()) for threads in _of_all_runs):
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    # All that is left ends with the process: it is not looked through for garbage before.
    gc.freeze()
    sys.exit(code)


class _Threads(ThreadPoolExecutor):
    """The loop's threads: name look-ups cannot be cancelled, so the exit does not wait."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  # the library's signature
        """Let go of the threads."""
        super().shutdown(wait=False, cancel_futures=True)

    def ended_within(self, seconds: float) -> bool:
        """Whether every thread has ended within a time."""
        for thread in list(self._threads):
            began = time.monotonic()
            thread.join(max(seconds, 0))
            seconds -= time.monotonic() - began
            if thread.is_alive():
                return False
        return True


_of_all_runs: list[_Threads] = []
"""A loop's threads take no more work once it has ended, and a command may run several."""
