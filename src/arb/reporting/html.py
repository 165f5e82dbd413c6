"""A report as one HTML file: no script, nothing from the network; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import escape

from arb.domain.money import text
from arb.operations.redaction import printable, safe
from arb.reporting.summary import Durations, Summary, Sums
from arb.reporting.svg import bars, dots, steps
from arb.views.signals import LABEL

SIGNAL_COLUMNS = ("strategy", "bought", "refused", "paid $", "realised $", "held $")
SLIPS_SHOWN_MAX = 200
BARS_SHOWN_MAX = 20

# Colours of Okabe and Ito, which colour-blind people can tell apart; lighter ones in the dark.
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #57606a; --paper: #fff; --edge: #d0d7de;
  --blue: #0072b2; --orange: #b45f00; --green: #007a5a; --purple: #a14d82; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --quiet: #9da7b1; --paper: #12161c;
  --edge: #343c46; --blue: #56b4e9; --orange: #e69f00; --green: #2cc295; --purple: #e29ac6; } }
body { margin: 0 auto; max-width: 1360px; padding: 1.5rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; } h2 { margin: 0 0 .5rem; font-size: 1rem; }
.about, .nothing { color: var(--quiet); }
.tiles, .plots { display: grid; gap: 1rem; margin: 1.25rem 0; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); }
.plots { grid-template-columns: repeat(auto-fit, minmax(min(100%, 32rem), 1fr)); }
.tiles div, figure { margin: 0; padding: .8rem 1rem; border: 1px solid var(--edge);
  border-radius: 8px; }
dt { color: var(--quiet); font-size: .85rem; } dd { margin: 0; font-size: 1.25rem;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figcaption { color: var(--quiet); font-size: .85rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
svg .name { text-anchor: end; } svg .axis { stroke: var(--quiet); }
svg .grid { stroke: var(--edge); stroke-dasharray: 2 3; }
svg .blue { fill: var(--blue); stroke: var(--blue); }
svg .orange { fill: var(--orange); stroke: var(--orange); }
svg .green { fill: var(--green); stroke: var(--green); }
svg .purple { fill: var(--purple); stroke: var(--purple); }
svg rect { stroke: none !important; } svg .line { fill: none; stroke-width: 2; }
svg .area { fill-opacity: .15; stroke: none; }
.table { overflow-x: auto; margin: 1.25rem 0; } table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--edge); text-align: right;
  font-variant-numeric: tabular-nums; } th { color: var(--quiet); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
@media (max-width: 40rem) { body { padding: .75rem; } dd { font-size: 1.05rem; }
  svg text { font-size: 17px; } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a report is of."""

    account: str
    since: datetime | None
    until: datetime
    cash: Decimal
    in_use: Decimal
    """Cash reserved for open plans, and cash that waits for resolution, now."""


def render_page(
    about: About,
    summary: Summary,
    signals: Sequence[Sequence[str]] = (),
    signal_account: str = "",
) -> str:
    """The whole file.

    Args:
        about: What it is of.
        summary: Its figures.
        signals: Rows of statistical strategies, apart from all other figures.
        signal_account: Whose those are.
    """
    since = "the beginning" if about.since is None else _stamp(about.since)
    period = f"Account {about.account}, from {since} to {_stamp(about.until)}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>arb report: {_text(about.account)}</title>",
        f"<style>{STYLE}</style></head><body>",
        f'<h1>arb report</h1><p class="about">{_text(period)}</p>',
        _tiles(about, summary),
        f'<div class="plots">{"".join(_plots(summary))}</div>',
        *_tables(summary),
        *(
            [_table(f"{LABEL.capitalize()}: {signal_account}", SIGNAL_COLUMNS, signals)]
            if signals
            else []
        ),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def percent(part: Decimal | None) -> str:
    """A share for people; a dash when there is nothing to divide by."""
    return "-" if part is None else f"{part * 100:.1f} %"


def _tiles(about: About, summary: Summary) -> str:
    sums = summary.all
    tiles = [
        ("Profit, realised", f"${text(sums.realised)}"),
        ("Profit at resolution, at least", f"${text(sums.locked_profit)}"),
        ("Bound until resolution", f"${text(sums.locked)}"),
        ("Hit rate", f"{percent(sums.hit_rate)} of {sums.trades}"),
        ("Cash", f"${text(about.cash)}"),
        ("Capital in use now", f"${text(about.in_use)}"),
        ("Capital in use, at most", f"${text(summary.capital_peak)}"),
        ("Slippage against proof", f"${text(summary.slippage)}"),
        ("Cycles", str(summary.cycles)),
        ("Opportunities", str(sums.opportunities)),
    ]
    inner = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in tiles
    )
    return f'<dl class="tiles">{inner}</dl>'


def _plots(summary: Summary) -> Iterable[str]:
    by_kind = [
        (f"{kind}{part}", amount, f"${text(amount)}")
        for kind, sums in summary.by_kind.items()
        for part, amount in ((", realised", sums.realised), (", locked", sums.locked_profit))
    ]
    slips = [(slip.at, slip.slippage) for slip in summary.slips]
    taken = [(point.at, Decimal(point.duration_ms)) for point in summary.points]
    yield _figure(
        "Realised profit",
        "Dollars, added up as plans end.",
        steps("Realised profit", summary.profit, "$", "green"),
    )
    yield _figure(
        "Capital in use",
        "Dollars bound by open plans and by what waits for its resolution.",
        steps("Capital in use", summary.capital, "$", "blue"),
    )
    yield _figure(
        "Profit by kind",
        "Realised, and locked: proven profit that waits for its resolution.",
        bars("Profit by kind", by_kind, "green"),
    )
    yield _figure(
        "Refusals by reason",
        "Proven opportunities that were not taken.",
        _counted("Refusals by reason", summary.refusals, "orange"),
    )
    yield _figure(
        "Slippage",
        "Dollars paid beyond the proof, for each plan that was filled; below zero: cheaper.",
        dots("Slippage", slips, "$", "purple"),
    )
    yield _figure(
        "Duration of cycles", "Milliseconds.", steps("Duration of cycles", taken, "ms", "blue")
    )
    yield _figure(
        "Where candidates end",
        "All candidates of all cycles by reason.",
        _counted("Where candidates end", summary.candidates, "blue"),
    )


def _counted(name: str, counts: Mapping[str, int], style: str) -> str:
    rows = [(reason, Decimal(count), str(count)) for reason, count in counts.items()]
    return bars(name, rows[:BARS_SHOWN_MAX], style)


def _tables(summary: Summary) -> Iterable[str]:
    kinds = [*summary.by_kind.items(), ("all", summary.all)]
    yield _table(
        "By kind",
        (
            "kind",
            "opportunities",
            "plans",
            "filled",
            "failed",
            "open",
            "hit rate",
            "outlay $",
            "realised $",
            "locked $",
            "profit then $",
        ),
        [_kind_row(kind, sums) for kind, sums in kinds],
    )
    yield _table(
        "Latency, ms",
        ("what", "count", "median", "95 %", "longest"),
        [
            _durations_row("cycle", summary.cycle_durations),
            _durations_row("plan, approval to last answer", summary.plan_durations),
        ],
    )
    yield _table(
        "Refusals", ("reason", "count"), [(r, str(n)) for r, n in summary.refusals.items()]
    )
    latest = list(reversed(summary.slips))[:SLIPS_SHOWN_MAX]
    yield _table(
        f"Paid against proof, the latest {len(latest)} of {len(summary.slips)} filled plans",
        ("plan", "kind", "event", "approved", "proof $", "paid $", "slippage $"),
        [
            (
                slip.plan[:16],
                slip.kind,
                slip.event,
                _stamp(slip.at),
                text(slip.proof),
                text(slip.paid),
                text(slip.slippage),
            )
            for slip in latest
        ],
    )


def _kind_row(kind: str, sums: Sums) -> Sequence[str]:
    counts = (sums.opportunities, sums.approved, sums.successes, sums.failures, sums.open)
    amounts = (sums.outlay, sums.realised, sums.locked, sums.locked_profit)
    return (kind, *map(str, counts), percent(sums.hit_rate), *map(text, amounts))


def _durations_row(what: str, taken: Durations) -> Sequence[str]:
    numbers = (taken.median, taken.p95, taken.longest)
    return (what, str(taken.count), *("-" if n is None else str(n) for n in numbers))


def _table(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>\n" for row in rows
    )
    return (
        f'<div class="table"><table><caption>{_text(name)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )


def _figure(name: str, about: str, plot: str) -> str:
    return f"<figure><h2>{_text(name)}</h2>{plot}<figcaption>{_text(about)}</figcaption></figure>\n"


def _text(value: str) -> str:
    return escape(printable(safe(value)))


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
