"""Tables for people: whole in a pipe, fitted to the terminal where there is one.

On a terminal ids and times are shortened, columns of low rank are left out until the rest fits, and
only running text is ever folded. `--wide` shows everything; scripts use `--json`.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from arb.cli.output import print_line
from arb.domain.money import text

GAP = 2
ID_SHOWN = 8
TEXT_WIDTH_MIN = 24
_COLOURS = {"PASS": "green", "pass": "green", "FAIL": "bold red", "SKIP": "yellow"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and how it is shown on a narrow terminal."""

    name: str
    rank: int = 0
    """0: always shown; otherwise the highest rank is left out first."""
    short: Callable[[Sequence[str]], list[str]] | None = None
    """How its cells are shortened on a terminal."""
    running_text: bool = False
    """Whether cells are sentences, which may be folded at blanks."""


def short_ids(ids: Sequence[str]) -> list[str]:
    """The beginning of each id: commands that take an id accept it."""
    return [id_[:ID_SHOWN] for id_ in ids]


def short_hashes(hashes: Sequence[str]) -> list[str]:
    """Both ends of each long hash or token number."""
    return [one if len(one) <= 2 * ID_SHOWN else f"{one[:ID_SHOWN]}…{one[-4:]}" for one in hashes]


def local_times(stamps: Sequence[str]) -> list[str]:
    """The time of day by this machine's time zone, with the date where it is not one for all."""
    try:
        times = [datetime.fromisoformat(stamp).astimezone() for stamp in stamps]
    except ValueError:
        return list(stamps)
    form = "%H:%M:%S" if len({at.date() for at in times}) == 1 else "%m-%d %H:%M:%S"
    return [at.strftime(form) for at in times]


def print_table(
    title: str,
    columns: Sequence[Column | str],
    rows: Iterable[Sequence[Any]],
    *,
    wide: bool = False,
) -> None:
    """Print a table to standard output.

    Args:
        title: What the rows are.
        columns: Headings; a plain string is a column that is always shown.
        rows: Cells in the order of the columns; `None` is shown as nothing.
        wide: Show every column in full on a terminal, too.
    """
    from arb.operations.redaction import printable, safe

    headed = [each if isinstance(each, Column) else Column(each) for each in columns]
    filled = [
        ["" if cell is None else printable(safe(_cell(cell))) for cell in row] for row in rows
    ]
    if sys.stdout.isatty():
        _print_fitted(title, headed, filled, wide=wide)
    else:
        _print_plain(title, headed, filled)


def _print_plain(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    names = [column.name for column in columns]
    cells, right = _aligned(rows, len(columns))
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    print_line(title)
    for row in (names, *cells):
        padded = [
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        ]
        print_line((" " * GAP).join(padded).rstrip())


def _print_fitted(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, wide: bool
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not wide:
        rows = _shortened(columns, rows)
    cells, right = _aligned(rows, len(columns))
    widths = [_width(column, cells, place) for place, column in enumerate(columns)]
    kept = list(range(len(columns))) if wide else fitting(columns, widths, console.width)
    table = Table(title=title, title_justify="left", show_edge=False, box=SIMPLE_HEAD)
    for place in kept:
        folded = columns[place].running_text or wide
        table.add_column(
            columns[place].name,
            justify="right" if right[place] else "left",
            no_wrap=not folded,
            overflow="fold" if folded else "ellipsis",
            min_width=None if folded else min(widths[place], console.width),
        )
    for row in cells:
        table.add_row(*(Text(row[place], style=_COLOURS.get(row[place], "")) for place in kept))
    console.print(table)
    if left_out := [columns[place].name for place in range(len(columns)) if place not in kept]:
        console.print(f"Left out: {', '.join(left_out)}; --wide or --json shows all.", style="dim")


def fitting(columns: Sequence[Column], widths: Sequence[int], available: int) -> list[int]:
    """The places of the columns that fit side by side into the available characters."""
    kept = list(range(len(columns)))
    while sum(widths[place] + GAP + 1 for place in kept) > available:
        worst = max(kept, key=lambda place: (columns[place].rank, place))
        if columns[worst].rank == 0:
            break
        kept.remove(worst)
    return kept


def _width(column: Column, cells: Sequence[Sequence[str]], place: int) -> int:
    widest = max((len(row[place]) for row in cells), default=0)
    if column.running_text:
        widest = min(widest, TEXT_WIDTH_MIN)
    return max(len(column.name), widest)


def _shortened(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    by_column = [[row[place] for row in rows] for place in range(len(columns))]
    shown = [
        column.short(cells) if column.short else cells
        for column, cells in zip(columns, by_column, strict=True)
    ]
    return [list(row) for row in zip(*shown, strict=True)]


def _aligned(rows: Sequence[Sequence[str]], count: int) -> tuple[list[list[str]], list[bool]]:
    """Cells with decimal points below each other, and which columns hold numbers only."""
    by_column = [[row[place] for row in rows] for place in range(count)]
    right = [
        any(column) and all(not cell or _is_number(cell) for cell in column) for column in by_column
    ]
    padded = [
        _points_aligned(column) if numeric else column
        for column, numeric in zip(by_column, right, strict=True)
    ]
    return [list(row) for row in zip(*padded, strict=True)] if rows else [], right


def _points_aligned(cells: Sequence[str]) -> list[str]:
    places = [len(cell.partition(".")[2]) + ("." in cell) for cell in cells]
    most = max(places)
    return [cell + " " * (most - count) for cell, count in zip(cells, places, strict=True)]


def _cell(value: Any) -> str:
    return text(value) if isinstance(value, Decimal) else str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).lstrip("+-").isdigit()
