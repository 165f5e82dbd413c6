"""What all commands share: options, exit codes, settings."""

import asyncio
import sys
from collections.abc import Coroutine
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from arb.config.sources import Loaded

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Profile = Annotated[
    str | None, typer.Option("--profile", help="Settings of config/NAME.toml.", metavar="NAME")
]
Wide = Annotated[
    bool, typer.Option("--wide", help="Every column in full, however narrow the terminal.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many rows.")]


class ExitCode(IntEnum):
    """What the exit code says (PRODUCT §4)."""

    DONE = 0
    USAGE = 2
    UNREACHABLE = 3
    HALTED = 4
    INTERNAL = 5
    PLAN_OPEN = 6


def load(profile: str | None = None, flags: dict[str, Any] | None = None) -> "Loaded":
    """The settings in force."""
    from arb.config.sources import load as read
    from arb.runtime.words import learn

    loaded = read(profile, flags)
    learn(loaded.secrets())
    return loaded


def wait(work: Coroutine[Any, Any, T], doing: str | None = None) -> T:
    """Run a coroutine to its end; on a terminal, say what is being done meanwhile."""
    if doing is None or not sys.stderr.isatty():
        return asyncio.run(work)
    from rich.console import Console

    with Console(stderr=True).status(doing):
        return asyncio.run(work)
