"""Tables on a terminal of 80 columns, in a pipe, and in full."""

import io
import re
import sys

import pytest

from arb.cli.table import Column, fitting, local_times, print_table, short_hashes, short_ids

ID, HASH = "64e19dc9d4ae5137", "0x" + "ab" * 32
SENTENCE = "a sentence that goes on well beyond what one line of a narrow terminal can hold"
COLUMNS = (
    Column("id", short=short_ids),
    Column("kind", rank=2),
    "event",
    Column("size", rank=3),
    "profit $",
    Column("market", rank=4, short=short_hashes),
    Column("why", rank=1, running_text=True),
)
ROWS = [
    (ID, "binary_complement", "an-event-with-a-long-slug", "1000", "75.6", HASH, SENTENCE),
    (ID, "negrisk_no", "short", "5", "-26.13492", HASH, "none"),
]


class Terminal(io.StringIO):
    def isatty(self):
        return True

    @property
    def shown(self):
        """What was written, without what makes it bold."""
        return re.sub(r"\x1b\[[\d;]*m", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch):
    def at(width):
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        return screen

    return at


def test_a_narrow_terminal_keeps_ids_whole_and_says_what_is_left_out(terminal):
    screen = terminal(80)
    print_table("Found", COLUMNS, ROWS)
    lines = screen.shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(ID[:8] in line for line in lines) == len(ROWS)
    assert sum("an-event-with-a-long-slug" in line for line in lines) == 1
    assert lines[-1] == "Left out: kind, size, market; --wide or --json shows all."


def test_running_text_alone_is_folded_and_only_at_blanks(terminal):
    screen = terminal(80)
    print_table("Reasons", ("reason", Column("meaning", running_text=True)), [("r" * 30, SENTENCE)])
    text = screen.shown
    assert "r" * 30 in text
    assert all(word in text for word in SENTENCE.split())


def test_wide_shows_every_column_in_full(terminal):
    screen = terminal(400)
    print_table("Found", COLUMNS, ROWS, wide=True)
    assert ID in screen.shown
    assert HASH in screen.shown
    assert "Left out" not in screen.shown


def test_a_pipe_gets_everything_with_decimal_points_below_each_other(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    print_table("Found", ("profit $", "id"), [("75.6", ID), ("-26.13492", ID), ("8", ID)])
    title, *rows = pipe.getvalue().splitlines()
    assert title == "Found"
    assert [row.split()[-1] for row in rows] == ["id", ID, ID, ID]
    assert rows[1].index(".") == rows[2].index(".")
    assert rows[3].index("8") == rows[1].index(".") - 1


def test_columns_are_left_out_by_rank_and_never_the_ones_without():
    columns = [Column("a"), Column("b", rank=1), Column("c", rank=2)]
    assert fitting(columns, [10, 10, 10], 40) == [0, 1, 2]
    assert fitting(columns, [10, 10, 10], 30) == [0, 1]
    assert fitting(columns, [10, 10, 10], 5) == [0]


def test_times_of_one_day_are_shown_without_the_date():
    same = local_times(["2026-11-26T12:26:17.783Z", "2026-11-26T12:27:00Z"])
    assert all(len(shown) == len("12:26:17") for shown in same)
    apart = local_times(["2026-11-26T12:26:17Z", "2026-11-20T12:27:00Z"])
    assert all(len(shown) == len("11-26 12:26:17") for shown in apart)
    assert local_times(["never"]) == ["never"]
