"""`arb top`: the ledger, and the orchestrator that answers, at a glance, again and again."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arb.cli.common import ExitCode, Profile, load, wait

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from arb.config.sources import Loaded
    from arb.operations.top_view import Glance

REFRESH_SECONDS = 1.0
FILLING = ("reason", "alarm")
"""Columns that take the width that is left; the others are as wide as what is in them."""


def top(
    once: Annotated[bool, typer.Option("--once", help="One frame, then stop.")] = False,
    profile: Profile = None,
) -> None:
    """State, account, last cycle, opportunities and plans, every second; q or Ctrl-C leaves."""
    from rich.console import Console

    from arb.cli.output import print_error

    loaded, console = load(profile), Console()
    if not once and not (console.is_terminal and sys.stdin.isatty()):
        print_error("this is no terminal; `arb top --once` prints one frame")
        raise typer.Exit(ExitCode.USAGE)
    wait(show(loaded, console, once=once))


async def show(loaded: "Loaded", console: "Console", *, once: bool) -> None:
    """Draw until the viewer quits, or once."""
    from rich.live import Live

    from arb.operations.top_view import glances

    async with glances(loaded) as look:
        if once:
            console.print(frame(await look()))
            return
        left = asyncio.Event()
        with _keys(left), Live(console=console, screen=True, auto_refresh=False) as live:
            while not left.is_set():
                live.update(frame(await look()), refresh=True)
                try:
                    await asyncio.wait_for(left.wait(), REFRESH_SECONDS)
                except TimeoutError:
                    continue


def frame(glance: "Glance") -> "RenderableType":
    """One frame."""
    from rich.console import Group
    from rich.text import Text

    from arb.cli.output import stand_of

    standing = glance.status.standing
    colours = {"normal": "bold green", "halted": "bold red"}
    head = Text.assemble(
        ("arb ", "bold"),
        f"{glance.status.account}  trading is ",
        (standing.word, colours.get(standing.word, "bold yellow")),
        f"  {_plain(standing.reason)}  {_clock(glance.at)} UTC",
    )
    stops = [
        Text(_plain(f"{stop.sentence}. Once you have looked: {stop.command}"), style="bold red")
        for stop in glance.status.contradictions
    ]
    return Group(
        head,
        *stops,
        *(_orchestrator(glance.live) if glance.live else ()),
        Text(""),
        _pairs(glance),
        Text(""),
        _table(
            "Opportunities",
            ("run", "kind", "event", "profit $", "decision", "reason"),
            [
                (o.run, o.kind, o.event, o.profit, o.decision, o.reason)
                for o in glance.opportunities
            ],
        ),
        Text(""),
        _table(
            "Plans",
            ("approved", "kind", "event", "state", "outlay $", "realised $", "locked $", "alarm"),
            [
                (
                    _clock(p.approved_at),
                    p.kind,
                    p.event,
                    stand_of(p.state, p.locked),
                    p.outlay,
                    p.realised,
                    p.locked,
                    p.alarm or p.reason,
                )
                for p in glance.plans
            ],
        ),
    )


def _orchestrator(live: "dict[str, Any]") -> "list[RenderableType]":
    """Health, errors, bots and alerts of the orchestrator whose API answers."""
    from rich.text import Text

    health = live["health"]
    colours = {"healthy": "bold green", "degraded": "bold yellow", "unhealthy": "bold red"}
    errors = ", ".join(f"{where} {count}" for where, count in health["error_counts"].items())
    apart = [host for host, state in health["circuits"].items() if state != "closed"]
    found: list[RenderableType] = [
        Text.assemble(
            "orchestrator is ",
            (health["status"], colours.get(health["status"], "bold")),
            f"  {_plain('; '.join(health['reasons']))}  errors: {_plain(errors) or 'none'}",
            (f"  left alone: {_plain(', '.join(apart))}" if apart else "", "red"),
        )
    ]
    rows = [
        (
            bot["name"],
            "gave up" if bot["gave_up"] else bot["status"],
            ", ".join(work["event"] or work["plan"] for work in bot["work"]),
            f"{bot['agreed']} of {bot['asked']}",
            f"{bot['restarts']} of {bot['restarts_max']}",
        )
        for bot in live["bots"]
    ]
    if rows:
        columns = ("bot", "state", "at work on", "agreed", "restarts")
        found += [Text(""), _table("Bots", columns, rows)]
    for alert in live["alerts"]:
        style = "red" if alert["level"] in ("critical", "high") else ""
        said = f"{_time(alert['last_at'])}  {alert['level'].upper()}  {_plain(alert['text'])}"
        if alert["ended_at"] is not None:
            said, style = f"{said}  (ended {_time(alert['ended_at'])})", "dim strike"
        found.append(Text(said, style))
    return found


def _pairs(glance: "Glance") -> "Table":
    """Account, sums and the last cycle side by side."""
    from rich.table import Table

    from arb.cli.output import statistics_rows

    cycle = glance.cycle
    last = (
        []
        if cycle is None
        else [
            ("Cycle", f"#{cycle.cycle} at {_clock(cycle.started_at)}"),
            ("Took", f"{cycle.duration_ms} ms"),
            ("Markets, books", f"{cycle.markets}, {cycle.books}"),
            *((name, str(count)) for name, count in glance.status.funnel.items()),
        ]
    )
    grid = Table.grid(padding=(0, 4))
    grid.add_row(
        _column(glance.status.account_rows()[1:]),
        _column(statistics_rows(glance.status.statistics)),
        _column(last),
    )
    return grid


def _column(rows: "list[tuple[str, str]]") -> "Table":
    from rich.table import Table

    column = Table.grid(padding=(0, 2))
    column.add_column(style="dim")
    column.add_column(justify="right")
    for name, value in rows:
        column.add_row(_shown(name), _shown(value))
    return column


def _table(title: str, columns: tuple[str, ...], rows: "list[tuple[Any, ...]]") -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_edge=False, expand=True)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name.endswith("$") else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if name in FILLING else None,
        )
    for row in rows:
        table.add_row(*map(_shown, row))
    return table


def _shown(cell: Any) -> str:
    """A cell as text that neither the terminal nor the markup obeys."""
    from rich.markup import escape

    return escape(_plain(cell))


def _plain(cell: Any) -> str:
    """A cell as text that the terminal does not obey."""
    from decimal import Decimal

    from arb.domain.money import text
    from arb.operations.redaction import printable, safe

    words = text(cell) if isinstance(cell, Decimal) else "" if cell is None else str(cell)
    return printable(safe(words))


def _time(stamp: str) -> str:
    """The time of day in a stamp of the API's."""
    return _clock(datetime.fromisoformat(stamp))


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


@contextmanager
def _keys(left: asyncio.Event) -> Iterator[None]:
    """Read single keys while the block lasts: `q`, Ctrl-C and the input's end leave."""
    import os
    import signal
    import termios
    import tty

    keyboard, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(keyboard)

    def pressed() -> None:
        keys = os.read(keyboard, 64)
        if not keys or b"q" in keys.lower():
            left.set()

    tty.setcbreak(keyboard)
    loop.add_reader(keyboard, pressed)
    loop.add_signal_handler(signal.SIGINT, left.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
