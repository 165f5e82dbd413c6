"""Price differences between pools on a chain."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from arb.cli.common import Json, Profile, Wide, load, wait
from arb.cli.table import Column, print_table, short_ids

COLUMNS = (
    Column("id", 2, short=short_ids),
    "route",
    "spread %",
    Column("input", 1),
    Column("gas", 3),
    "if the block stands",
    "if not",
    "decision",
)


def spreads(
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every spreads.interval, until Ctrl-C.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Hand them to bots, which swap; needs spreads.live.")
    ] = False,
    json: Json = False,
    wide: Wide = False,
    profile: Profile = None,
) -> None:
    """Price differences between pools, at one block: no guarantee beyond it."""
    from arb.cli.output import print_error, print_json, print_line
    from arb.runtime import spreads as looking

    loaded = load(profile)

    def show(seen: Mapping[str, Any]) -> None:
        if json:
            print_json(seen)
            return
        _table(seen["spreads"], wide=wide)
        for line in looking.remarks(seen):
            print_line(line)

    if live:
        looking.need_two_keys(loaded)
        wait(looking.trade(loaded, show, print_error))
    else:
        wait(looking.look(loaded, show, watch=watch))


def _table(rows: Sequence[Mapping[str, Any]], *, wide: bool) -> None:
    cells = [
        (
            row["id"],
            row["title"],
            f"{float(row['spread']) * 100:.2f}",
            row["input"],
            row["gas_usd"],
            row["if_the_block_stands"],
            row["if_not"],
            row["decision"] if row["reason"] is None else f"refused: {row['reason']}",
        )
        for row in rows
    ]
    print_table("Spreads", COLUMNS, cells, wide=wide)
