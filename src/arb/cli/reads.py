"""Commands that read the ledger."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from arb.cli.common import ExitCode, Json, Limit, Profile, load, wait

Everything = Annotated[
    bool, typer.Option("--all", help="Also candidates that were never proved, with their reason.")
]


def status(
    json: Json = False,
    fresh: Annotated[
        float | None,
        typer.Option(
            "--fresh", metavar="SECONDS", help="Fail unless the last cycle began within these."
        ),
    ] = None,
    profile: Profile = None,
) -> None:
    """The state of trading, the account, the last cycle, the sum of all."""
    from arb.cli.output import print_error, print_json, print_line, print_table, statistics_rows
    from arb.runtime.reads import read_status
    from arb.runtime.remote import live_status

    loaded = load(profile)
    found, live = wait(read_status(loaded)), wait(live_status(loaded))
    if fresh is not None and not found.fresh(fresh):
        print_error(f"the last cycle began {found.cycle_at or 'never'}; see `arb doctor`")
        raise typer.Exit(ExitCode.INTERNAL)
    if json:
        print_json({**found.document(), "orchestrator": live})
        return
    if live is not None:
        told = live["health"]
        about = "; ".join(told["reasons"]) or f"{len(live['strategies'])} strategies look"
        print_line(f"The orchestrator is {told['status']}: {about}.")
    print_line(f"Trading is {found.standing.state.value}. {found.standing.reason}".strip())
    print_table("Account", ("", ""), found.account_rows())
    print_line()
    print_table("All cycles", ("", ""), statistics_rows(found.statistics))
    if found.funnel:
        print_line()
        print_table(f"Cycle #{found.cycle}", ("step", "count"), list(found.funnel.items()))


def opportunities(
    json: Json = False, limit: Limit = 50, everything: Everything = False, profile: Profile = None
) -> None:
    """The latest proven opportunities and what became of them."""
    from arb.runtime.reads import read_opportunities

    rows = wait(read_opportunities(load(profile), limit=limit, everything=everything))
    columns = ("id", "cycle", "kind", "event", "exit", "size", "profit", "decision", "reason")
    _show("Opportunities", columns, rows, json=json)


def plans(
    json: Json = False,
    limit: Limit = 50,
    only_open: Annotated[bool, typer.Option("--open", help="Only those without an end.")] = False,
    profile: Profile = None,
) -> None:
    """The latest plans."""
    from arb.runtime.reads import read_plans

    rows = wait(read_plans(load(profile), limit=limit, only_open=only_open))
    columns = ("id", "cycle", "kind", "event", "state", "outlay", "realised", "locked", "reason")
    _show("Plans", columns, rows, json=json)


def fills(json: Json = False, limit: Limit = 50, profile: Profile = None) -> None:
    """The latest fills."""
    from arb.runtime.reads import read_fills

    rows = wait(read_fills(load(profile), limit=limit))
    columns = ("at", "plan", "slug", "outcome", "side", "price", "size", "fee", "state")
    _show("Fills", columns, rows, json=json)


def positions(json: Json = False, profile: Profile = None) -> None:
    """What is held."""
    from arb.runtime.reads import read_positions

    rows = wait(read_positions(load(profile)))
    columns = ("venue", "event", "slug", "outcome", "shares", "market")
    _show("Positions", columns, rows, json=json)


def explain(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An opportunity, or its beginning.")],
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Why an opportunity was, or was not, taken: legs, books, every gate's verdict."""
    from arb.cli.output import print_json, print_line, print_table
    from arb.runtime.reads import read_explanation

    story = wait(read_explanation(load(profile), id_))
    if json:
        print_json(story)
        return
    print_line(f"{story['id']}: {story['kind']} on {story['title']} ({story['event']})")
    print_line(f"{story['decision']}: {story['meaning']}")
    if story["detail"]:
        print_line(f"Nearest miss: {story['detail']}")
    if story["profit"] is not None:
        print_line(
            f"Pays at least ${story['payoff_worst']} for ${story['cost']} and ${story['fees']} "
            f"of fees: profit ${story['profit']}, cash free at {story['exit']}"
        )
    if story["legs"]:
        print_line()
        legs = [_leg(leg) for leg in story["legs"]]
        print_table("Legs", ("market", "outcome", "limit", "size", "cost", "fee", "takes"), legs)
    print_line()
    verdicts = [
        ("pass" if v["passed"] else "FAIL", v["gate"], v["detail"]) for v in story["verdicts"]
    ]
    print_table("Gates", ("", "gate", "detail"), verdicts)
    print_line()
    books = [
        (b["market"], b["outcome"], _levels(b["bids"]), _levels(b["asks"])) for b in story["books"]
    ]
    print_table("Books at the time, best first", ("market", "outcome", "bids", "asks"), books)
    if story["facts"]:
        print_line()
        print_table("Facts", ("at", "fact", "about"), story["facts"])


def _leg(leg: dict[str, Any]) -> tuple[Any, ...]:
    names = ("market", "outcome", "limit", "size", "cost", "fee")
    return (*(leg.get(name, "") for name in names), _levels(leg.get("fills", [])))


def _levels(levels: Sequence[Sequence[str]]) -> str:
    return ", ".join(f"{size} @ {price}" for price, size in levels)


def _show(title: str, columns: Sequence[str], rows: Sequence[Any], *, json: bool) -> None:
    from arb.cli.output import print_json, print_table
    from arb.runtime.reads import plain

    documents = [plain(asdict(row)) for row in rows]
    if json:
        print_json(documents)
    else:
        print_table(title, columns, [[doc[name] for name in columns] for doc in documents])
