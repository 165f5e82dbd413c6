"""Commands that read the ledger."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arb.cli.common import API_IS_OPEN, ExitCode, Json, Limit, Profile, Wide, load, wait
from arb.cli.table import Column, local_times, print_table, short_hashes, short_ids

if TYPE_CHECKING:
    from arb.domain.halt import Standing
    from arb.operations.account_views import Status

Everything = Annotated[
    bool, typer.Option("--all", help="Also candidates that were never proved, with their reason.")
]


def status(
    json: Json = False,
    fresh: Annotated[
        float | None,
        typer.Option(
            "--fresh",
            metavar="SECONDS",
            help="Exit 5 unless the last cycle started within SECONDS.",
        ),
    ] = None,
    profile: Profile = None,
) -> None:
    """The state of trading, the account, the last cycle, the totals."""
    from arb.cli.output import print_error, print_json, print_line, statistics_rows
    from arb.cli.strategies import print_signals
    from arb.operations.account_views import read_status, workplace
    from arb.operations.control_client import live_status
    from arb.views.shape import as_json

    loaded = load(profile)
    found, live = wait(read_status(loaded)), wait(live_status(loaded))
    place = workplace(loaded)
    if fresh is not None and not found.fresh(fresh):
        print_error(f"the last cycle began {found.cycle_at or 'never'}; see `arb doctor`")
        raise typer.Exit(ExitCode.INTERNAL)
    if json:
        process = {"process": place.process, "ledger": place.ledger}
        print_json({**found.document(), **process, "orchestrator": live})
        return
    if live is not None:
        told = live["health"]
        about = "; ".join(told["reasons"]) or f"{len(live['strategies'])} strategies look"
        print_line(f"The orchestrator is {told['status']}: {about}.")
        for blocked in told.get("blocked_by", ()):
            what = "sends no order" if blocked["stops"] == "sending" else "begins no plan"
            print_line(f"It {what}: {blocked['reason']} ({blocked['code']}).")
        if live.get("open_on_loopback"):
            print_line(API_IS_OPEN)
    print_line(f"{place.sentence} {_last_cycle(found)}")
    print_line(f"Trading is {_told(found.standing)}.")
    for stop in found.contradictions:
        print_line(f"{stop.sentence}. Once you have looked: `{stop.command}`")
    for note in found.notes:
        print_line(note)
    print_table("Account", ("", ""), found.account_rows())
    print_line()
    print_table("All cycles", ("", ""), statistics_rows(found.statistics))
    if found.signals is not None:
        print_line()
        print_signals(as_json(found.signals))
    if found.funnel:
        print_line()
        print_table(f"Cycle #{found.cycle}", ("step", "count"), list(found.funnel.items()))


def _told(standing: "Standing") -> str:
    return f"{standing.word}: {standing.reason}" if standing.reason else standing.word


def _last_cycle(found: "Status") -> str:
    age = found.cycle_age
    if age is None:
        return "No cycle has begun yet."
    if age < 0:
        return f"The last cycle, #{found.cycle}, began in the future: the clock was set back."
    units = ((3600, "h"), (60, "min"), (1, "s"))
    seconds, unit = next(one for one in units if age >= 2 * one[0] or one[0] == 1)
    said = f"{age / seconds:.0f} {unit}"
    return f"The last cycle, #{found.cycle}, began {said} ago."


def opportunities(
    json: Json = False,
    limit: Limit = 50,
    everything: Everything = False,
    wide: Wide = False,
    profile: Profile = None,
) -> None:
    """The latest proven opportunities and their outcomes."""
    from arb.operations.account_views import read

    rows = wait(
        read(load(profile), lambda reads: reads.certified(limit=limit, everything=everything))
    )
    columns = (
        Column("id", short=short_ids),
        Column("run", rank=2),
        Column("kind", rank=3),
        "event",
        Column("exit", rank=5),
        Column("size", rank=4),
        "profit",
        Column("decision", rank=1),
        "reason",
    )
    _show("Opportunities", columns, rows, json=json, wide=wide)


def plans(
    json: Json = False,
    limit: Limit = 50,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only plans that have not ended.")
    ] = False,
    wide: Wide = False,
    profile: Profile = None,
) -> None:
    """The latest plans; `held`: filled, waits for its resolution."""
    from arb.cli.output import stand_of
    from arb.operations.account_views import read

    rows = wait(read(load(profile), lambda reads: reads.plans(limit=limit, only_open=only_open)))
    columns = (
        Column("id", short=short_ids),
        Column("run", rank=5),
        Column("kind", rank=4),
        "event",
        "state",
        Column("outlay", rank=2),
        "realised",
        "locked",
        Column("reason", rank=3, running_text=True),
    )
    states = [stand_of(row.state, row.locked) for row in rows]
    _show("Plans", columns, rows, json=json, wide=wide, state=states)


def fills(
    json: Json = False, limit: Limit = 50, wide: Wide = False, profile: Profile = None
) -> None:
    """The latest fills."""
    from arb.operations.account_views import read

    rows = wait(read(load(profile), lambda reads: reads.fills(limit=limit)))
    columns = (
        Column("at", short=local_times),
        Column("plan", rank=3, short=short_ids),
        "slug",
        "outcome",
        "side",
        "price",
        "size",
        Column("fee", rank=2),
        Column("state", rank=1),
    )
    _show("Fills", columns, rows, json=json, wide=wide)


def accounts(json: Json = False, profile: Profile = None) -> None:
    """The accounts of the ledger, with what each was opened with."""
    from arb.operations.account_views import read

    rows = wait(read(load(profile), lambda reads: reads.accounts()))
    columns = ("account", Column("opened_at", short=local_times), "opening_cash")
    _show("Accounts", columns, rows, json=json, wide=False)


def positions(json: Json = False, wide: Wide = False, profile: Profile = None) -> None:
    """What is held: what it cost, when its market closes, and what each plan pays at least."""
    from arb.cli.output import print_line
    from arb.operations.account_views import read

    rows = wait(read(load(profile), lambda reads: reads.positions()))
    columns = (
        Column("venue", rank=6),
        Column("plan", short=short_ids),
        "slug",
        "outcome",
        "shares",
        "cost",
        Column("closes_at", rank=1, short=local_times),
        Column("event", rank=3),
        Column("market", rank=5, short=short_hashes),
    )
    _show("Positions", columns, rows, json=json, wide=wide)
    held = {row.plan: row for row in rows if row.plan_paid is not None}
    if json or not held:
        return
    print_line()
    sums = [
        (row.plan, row.event, row.plan_paid, row.plan_pays, row.plan_profit, row.closes_at)
        for row in held.values()
    ]
    print_table(
        "Held until they are resolved",
        (
            Column("plan", short=short_ids),
            "event",
            "paid $",
            "pays at least $",
            "profit then $",
            Column("closes", rank=1, short=local_times),
        ),
        [(*row[:5], "" if row[5] is None else f"{row[5]:%Y-%m-%dT%H:%M:%SZ}") for row in sums],
        wide=wide,
    )


def explain(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An opportunity, or its beginning.")],
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Why an opportunity was, or was not, taken: legs, books, every gate's verdict."""
    from arb.cli.output import free_when, print_json, print_line
    from arb.operations.account_views import read
    from arb.views.shape import as_json

    story = as_json(wait(read(load(profile), lambda reads: reads.explained(id_))))
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
            f"of fees: profit ${story['profit']}, cash free {free_when(story['exit'])}"
        )
    print_line(f"What {story['kind']} and {story['reason'] or 'the gates'} mean: docs/glossary.md")
    if story["legs"]:
        print_line()
        legs = [_leg(leg) for leg in story["legs"]]
        names = ("market", "outcome", "limit", "size", "spend", "cost", "fee", "takes")
        print_table("Legs", names, legs)
    print_line()
    verdicts = [
        ("pass" if v["passed"] else "FAIL", v["gate"], v["detail"]) for v in story["verdicts"]
    ]
    print_table("Gates", ("", "gate", Column("detail", running_text=True)), verdicts)
    print_line()
    books = [
        (b["market"], b["outcome"], _levels(b["bids"]), _levels(b["asks"])) for b in story["books"]
    ]
    print_table("Books at the time, best first", ("market", "outcome", "bids", "asks"), books)
    if story["facts"]:
        print_line()
        print_table("Facts", ("at", "fact", "about"), story["facts"])


def _leg(leg: dict[str, Any]) -> tuple[Any, ...]:
    names = ("market", "outcome", "limit", "size", "spend", "cost", "fee")
    return (*(leg.get(name, "") for name in names), _levels(leg.get("fills", [])))


def _levels(levels: Sequence[Sequence[str]]) -> str:
    return ", ".join(f"{size} @ {price}" for price, size in levels)


def _show(
    title: str,
    columns: Sequence[Column | str],
    rows: Sequence[Any],
    *,
    json: bool,
    wide: bool,
    **instead: Sequence[str],
) -> None:
    """Rows as JSON, or as a table; `instead` has the cells that the table words otherwise."""
    from arb.cli.output import print_json
    from arb.views.shape import as_json

    documents = as_json(rows)
    if json:
        print_json(documents)
        return
    names = [column if isinstance(column, str) else column.name for column in columns]
    cells = [
        [instead[name][at] if name in instead else document[name] for name in names]
        for at, document in enumerate(documents)
    ]
    print_table(title, columns, cells, wide=wide)
