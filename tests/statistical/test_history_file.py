"""Prices from a file: whatever can be read is, and the rest is named."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arb.domain.errors import ConfigError
from arb.domain.history import PricePoint
from arb.domain.money import Shares
from arb.operations.history_file import read_history

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
POINT = PricePoint(AT, Decimal("0.42"), Shares(Decimal(7)))


@pytest.mark.parametrize(
    "text",
    [
        "time,price,volume\n1793534400,0.42,7\n",
        "\ufeffvolume,price,time\r\n7,0.42,2026-11-01T12:00:00Z\r\n",
        "t,p,v\n2026-11-01 14:00+02:00,.42,7\n",
        "t,p,v\n2026-11-01T12:00,0.42,7.0\n",
        '{"t": 1793534400, "p": 0.42, "v": 7}\n\n',
        '{"time": "2026-11-01T12:00:00+00:00", "price": "0.42", "volume": "7"}',
    ],
)
def test_csv_and_json_lines_of_several_ways_to_say_it(tmp_path, text):
    file = tmp_path / "prices"
    file.write_text(text, newline="")
    assert read_history(file) == read_history(file)
    (point,) = read_history(file).points
    assert point == POINT
    assert str(point.price) != "0.419999999999999984"


def test_a_bad_row_spoils_no_other_and_is_named(tmp_path):
    file = tmp_path / "prices.csv"
    rows = ["1793534400,0.42,7", "1793534460,1.42,7", "x,0.4,7", "1793534460,,7", "1e99,0.4,7"]
    file.write_text("\n".join(["time,price,volume", *rows, "1793534520,0.43,"]))
    found = read_history(file)
    assert [point.price for point in found.points] == [Decimal("0.42"), Decimal("0.43")]
    assert [problem.partition(":")[0] for problem in found.problems] == [
        f"prices.csv, line {line}" for line in (3, 4, 5, 6)
    ]
    assert "0..1" in found.problems[0]
    assert "there is no price or p" in found.problems[2]


def test_json_lines_that_are_none(tmp_path):
    file = tmp_path / "prices.jsonl"
    file.write_text('{"t": 1793534400, "p": 0.42}\n[1]\n{"t": 1\n' + "[" * 100_000)
    found = read_history(file)
    assert len(found.points) == 1
    assert len(found.problems) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no rows"),
        (b"time,price\n", "no rows"),
        (b"time,price\nx,y\n", "line 2"),
        (b"\xff\xfe", "cannot be read"),
        (b"time,price\n1," + b"1" * 200_000, "is not CSV"),
    ],
)
def test_a_file_without_any_price_is_refused(tmp_path, content, words):
    file = tmp_path / "prices.csv"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_history(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_history(tmp_path / "missing.csv")
