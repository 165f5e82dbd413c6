"""A price history in a file: CSV with a heading, or one JSON document a line."""

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from arb.domain import bounds
from arb.domain.errors import ConfigError
from arb.domain.history import PriceHistory, PricePoint
from arb.domain.money import Shares

NAMES = {"time": ("time", "t"), "price": ("price", "p"), "volume": ("volume", "v")}
"""What each field may be called."""
BROKEN = "cannot be read"
BYTES_MAX = 256 * 1024 * 1024
PROBLEMS_MAX = 20


def read_history(file: Path) -> PriceHistory:
    """The points of a file: `time` in Unix seconds or ISO 8601, `price`, and `volume` if known.

    Raises:
        ConfigError: It cannot be opened, is too large, or holds no point that can be read.
    """
    try:
        if file.stat().st_size > BYTES_MAX:
            raise ConfigError(f"{file} has more than {BYTES_MAX // 1024**2} MB")
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    points, problems = [], []
    try:
        for line, row in _rows(text):
            try:
                points.append(_point(row))
            except (ValueError, OverflowError, OSError) as error:
                problems.append(f"{file.name}, line {line}: {error}")
    except csv.Error as error:
        raise ConfigError(f"{file} is not CSV: {error}") from error
    if not points:
        why = problems[0] if problems else "it has no rows"
        raise ConfigError(f"{file} holds no price that can be read: {why}")
    return PriceHistory(tuple(points), tuple(problems[:PROBLEMS_MAX]))


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each row with its line; where it is none, with the one field `BROKEN`, which says why."""
    if text.lstrip().startswith("{"):
        for line, row in enumerate(text.splitlines(), 1):
            if row.strip():
                yield line, _document(row)
        return
    reader = csv.DictReader(text.splitlines())
    for one in reader:
        yield reader.line_num, one


def _document(row: str) -> Mapping[str, Any]:
    try:
        bounds.check_nesting(row.encode())
        found = json.loads(row, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        return {BROKEN: str(error)}
    return found if isinstance(found, dict) else {BROKEN: "not an object"}


def _point(row: Mapping[str, Any]) -> PricePoint:
    if BROKEN in row:
        raise ValueError(row[BROKEN])
    volume = _field(row, "volume", needed=False)
    return PricePoint(
        _time(_field(row, "time")),
        bounds.number(_field(row, "price")),
        Shares(bounds.number(volume) if volume else Decimal(0)),
    )


def _field(row: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    found = next((row[each] for each in NAMES[name] if row.get(each) not in (None, "")), None)
    if found is None and needed:
        raise ValueError(f"there is no {' or '.join(NAMES[name])}")
    return "" if found is None else str(found).strip()


def _time(words: str) -> datetime:
    """Unix seconds, or ISO 8601; a time without a zone is UTC."""
    try:
        return datetime.fromtimestamp(int(bounds.number(words)), UTC)
    except bounds.OutOfBounds:
        at = datetime.fromisoformat(words)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
