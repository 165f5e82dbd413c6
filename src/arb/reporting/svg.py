"""Plots as SVG text, drawn here so that a report is one file that loads nothing; pure.

Colours come from the page's style by class, so that they follow the reader's light or dark mode;
every value is shown by a label or a position as well, never by colour alone.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape

Point = tuple[datetime, Decimal]

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 12, 30
BAR, LABEL_WIDTH, VALUE_WIDTH = 24, 220, 104
POINTS_MAX = 800
DAY = timedelta(days=1)


def steps(name: str, line: Sequence[Point], unit: str, style: str) -> str:
    """An amount over time that holds its value until it changes."""
    return _over_time(name, line, unit, style, joined=True)


def dots(name: str, points: Sequence[Point], unit: str, style: str) -> str:
    """Single amounts over time, around zero."""
    return _over_time(name, points, unit, style, joined=False)


def bars(name: str, rows: Sequence[tuple[str, Decimal, str]], style: str) -> str:
    """Amounts by name, each with its own label: name, length, what is written beside it."""
    if not rows:
        return _nothing(name)
    amounts = [float(amount) for _, amount, _ in rows]
    low, high = min(0.0, *amounts), max(0.0, *amounts)
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    scale = room / ((high - low) or 1.0)
    zero = LABEL_WIDTH - low * scale
    height = BAR * len(rows) + 8
    parts = []
    for place, ((label, _, shown), amount) in enumerate(zip(rows, amounts, strict=True)):
        top = 4 + place * BAR
        begin, length = zero + min(0.0, amount) * scale, abs(amount) * scale
        parts.append(
            f'<text class="name" x="{LABEL_WIDTH - 8}" y="{top + 15}">{escape(label)}</text>'
            f'<rect class="{style}" x="{begin:.1f}" y="{top + 4}" width="{max(length, 1):.1f}"'
            f' height="{BAR - 8}"><title>{escape(label)}: {escape(shown)}</title></rect>'
            f'<text x="{max(begin + length, zero) + 6:.1f}" y="{top + 15}">{escape(shown)}</text>'
        )
    parts.append(f'<line class="axis" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{height}"></line>')
    return _svg(name, height, parts)


def thinned(points: Sequence[Point], most: int = POINTS_MAX) -> list[Point]:
    """A bounded number of points that still reach every low and every high."""
    if len(points) <= most:
        return list(points)
    width = -(-len(points) * 4 // most)
    kept: list[Point] = []
    for begin in range(0, len(points), width):
        part = range(begin, min(begin + width, len(points)))
        ends = {part[0], part[-1]}
        ends |= {min(part, key=lambda n: points[n][1]), max(part, key=lambda n: points[n][1])}
        kept += [points[number] for number in sorted(ends)]
    return kept


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`."""
    step = 10.0 ** math.floor(math.log10((high - low) / about))
    step *= next((by for by in (1, 2, 5) if (high - low) / (step * by) <= about), 10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _over_time(name: str, line: Sequence[Point], unit: str, style: str, *, joined: bool) -> str:
    if not line:
        return _nothing(name)
    shown = thinned(line)
    amounts = [float(amount) for _, amount in shown]
    low, high = min(0.0, *amounts), max(0.0, *amounts)
    marks = ticks(low, high if high > low else low + 1.0)
    bottom, top = marks[0], marks[-1]
    begin = shown[0][0]
    span = (shown[-1][0] - begin).total_seconds() or 1.0

    def across(at: datetime) -> float:
        return LEFT + (at - begin).total_seconds() / span * (WIDTH - LEFT - RIGHT)

    def up(amount: float) -> float:
        return HEIGHT - BOTTOM - (amount - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM)

    places = [(across(at), up(amount)) for (at, _), amount in zip(shown, amounts, strict=True)]
    parts = [_mark(up(mark), mark, unit) for mark in marks]
    parts += _times(shown)
    if joined:
        path = _staircase(places)
        floor = up(0.0)
        area = f"{path} V{floor:.1f} H{places[0][0]:.1f} Z"
        parts += [
            f'<path class="{style} area" d="{area}"></path>',
            f'<path class="{style} line" d="{path}"></path>',
        ]
    if not joined or len(places) == 1:
        parts += [
            f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="3"></circle>' for x, y in places
        ]
    return _svg(name, HEIGHT, parts)


def _staircase(places: Sequence[tuple[float, float]]) -> str:
    first, *rest = places
    return f"M{first[0]:.1f} {first[1]:.1f}" + "".join(f" H{x:.1f} V{y:.1f}" for x, y in rest)


def _mark(y: float, amount: float, unit: str) -> str:
    style = "axis" if amount == 0 else "grid"
    return (
        f'<line class="{style}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"></line>'
        f'<text class="name" x="{LEFT - 8}" y="{y + 4:.1f}">{amount:,.10g} {escape(unit)}</text>'
    )


def _times(shown: Sequence[Point]) -> list[str]:
    begin, end = shown[0][0], shown[-1][0]
    pattern = "%Y-%m-%d" if end - begin > 3 * DAY else "%m-%d %H:%M:%S"
    places = [("start", float(LEFT), begin)]
    if end > begin:
        middle = (LEFT + WIDTH - RIGHT) / 2
        places += [
            ("middle", middle, begin + (end - begin) / 2),
            ("end", float(WIDTH - RIGHT), end),
        ]
    return [
        f'<text style="text-anchor:{anchor}" x="{x:.0f}" y="{HEIGHT - 8}">{at:{pattern}}</text>'
        for anchor, x, at in places
    ]


def _svg(name: str, height: int, parts: Iterable[str]) -> str:
    inner = "".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(name)}">{inner}</svg>'
    )


def _nothing(name: str) -> str:
    return f'<p class="nothing">{escape(name)}: nothing yet.</p>'
