"""`arb report`: the figures of a period."""

from pathlib import Path
from typing import Annotated

import typer

from arb.cli.common import Json, Profile, load, wait
from arb.cli.table import print_table

CsvFile = Annotated[
    Path | None,
    typer.Option("--csv", help="One row per cycle; in a folder it is named by the time."),
]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", help="One page with plots; in a folder it is named by the time."),
]
Since = Annotated[
    str | None, typer.Option("--since", help="A date, a time, or how long ago: 24h, 7d, 4w.")
]


def report(
    csv: CsvFile = None,
    html: HtmlFile = None,
    since: Since = None,
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Profit, hit rate, refusals, slippage, capital in use, latency; optionally as files."""
    from arb.cli.output import print_json, print_line
    from arb.reporting.html import SIGNAL_COLUMNS
    from arb.reporting.report import read_report, write_file
    from arb.views.signals import LABEL

    found = wait(read_report(load(profile), since), "Reading the ledger…")
    files = {
        ending: str(write_file(target, ending, render(), found.about.until))
        for target, ending, render in ((csv, "csv", found.csv), (html, "html", found.page))
        if target is not None
    }
    if json:
        print_json({**found.document(), "files": files})
        return
    print_table(f"Report of {found.about.account}", ("", ""), found.rows())
    print_line()
    columns = ("kind", "opportunities", "filled", "failed", "realised $", "locked $", "then $")
    print_table("By kind", columns, found.kind_rows())
    if found.summary.bots:
        print_line()
        counts = ("asked", "agreed", "declined", "silent", "impossible", "filled")
        bot_columns = ("bot", *counts, "rate", "realised $", "restarts")
        print_table("By bot", bot_columns, found.bot_rows())
    if found.signals is not None:
        print_line()
        title = f"{LABEL.capitalize()}: {found.signals.about.account}"
        print_table(title, SIGNAL_COLUMNS, found.signals.signal_rows())
    if found.summary.refusals:
        print_line()
        refused = [(reason, str(count)) for reason, count in found.summary.refusals.items()]
        print_table("Refusals", ("reason", "count"), refused)
    for name in files.values():
        print_line(f"Written to {name}.")
