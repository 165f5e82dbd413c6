"""Price differences between pools on a chain."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from arb.cli.common import Json, Limit, Profile, Wide, load, wait
from arb.cli.table import Column, local_times, print_table, short_ids

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
    kept: Annotated[
        bool, typer.Option("--kept", help="What the account of spreads has; asks no chain.")
    ] = False,
    limit: Limit = 20,
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

    if kept:
        found = wait(looking.account(loaded, limit))
        if json:
            print_json(found)
        else:
            _steps(found, wide=wide)
    elif live:
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


def _steps(found: Mapping[str, Any], *, wide: bool) -> None:
    from arb.cli.output import print_line

    columns = (
        Column("at", 1, short=local_times),
        Column("id", 2, short=short_ids),
        "step",
        Column("bot", 1),
        "USD after gas",
        Column("transaction", 4),
        Column("detail", 3, running_text=True),
    )
    cells = [
        (
            one["at"],
            one["id"],
            one["step"],
            one["figures"].get("bot", ""),
            one["figures"].get("returned_usd", ""),
            one["figures"].get("transaction", ""),
            one["detail"],
        )
        for one in found["steps"]
    ]
    print_table(f"Spreads of {found['account']}", columns, cells, wide=wide)
    print_line(
        f"{found['submitted']} handed over: {found['included']} included, {found['reverted']} "
        f"reverted, {found['failed']} failed, {found['dropped']} dropped. Gained "
        f"{found['gained_usd']} USD, lost {found['lost_usd']} of gas: {found['returned_usd']} USD."
    )
