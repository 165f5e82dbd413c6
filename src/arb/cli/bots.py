"""External bots: which there are, how they do, and which plan goes to whom."""

from decimal import Decimal
from typing import Annotated, Literal

import typer

from arb.cli.common import Json, Profile, load, wait
from arb.cli.table import print_table

bots = typer.Typer(
    help="External bots: supervised, with a mailbox for messages.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The bot's name in config/bots.toml.")]
Amount = Annotated[str, typer.Option(metavar="X")]


@bots.command("list")
def bots_list(json: Json = False, profile: Profile = None) -> None:
    """Every bot and its state, from its files; works while nothing runs."""
    from arb.cli.output import print_json, print_line
    from arb.operations.bot_files import list_bots, supervised

    loaded = load(profile)
    rows = wait(list_bots(loaded))
    watched = supervised(loaded)
    if json:
        print_json({"schema": 1, "supervised": watched, "bots": rows})
        return
    if not rows:
        print_line(f"{loaded.settings.bots.definitions or 'bots.definitions'} names no bot.")
        return
    columns = ("bot", "does", "state", "pid", "restarts", "heartbeat", "says", "last exit")
    names = ("bot_id", "does", "state", "pid", "restarts", "heartbeat", "says", "last_exit")
    cells = [tuple(str("" if row[n] is None else row[n]) for n in names) for row in rows]
    print_table("Bots", columns, cells)
    if not watched:
        print_line("Nothing watches them now: `arb run` and `arb bots run` do.")


@bots.command("start")
def bots_start(name: Name, profile: Profile = None) -> None:
    """Start a bot and reset its count of restarts."""
    _ask(name, "start", profile)


@bots.command("stop")
def bots_stop(name: Name, profile: Profile = None) -> None:
    """Stop a bot: SIGTERM, then SIGKILL after its grace."""
    _ask(name, "stop", profile)


@bots.command("restart")
def bots_restart(name: Name, profile: Profile = None) -> None:
    """Stop a bot and start it again."""
    _ask(name, "restart", profile)


@bots.command("logs")
def bots_logs(
    name: Name,
    lines: Annotated[int, typer.Option("--lines", min=1, max=10_000, help="How many.")] = 50,
    profile: Profile = None,
) -> None:
    """The last lines that a bot printed."""
    from arb.cli.output import print_line
    from arb.operations.bot_files import bot_logs

    for line in bot_logs(load(profile), name, lines):
        print_line(line)


@bots.command("run")
def bots_run(profile: Profile = None) -> None:
    """Run and watch the bots alone, until SIGINT or SIGTERM."""
    from arb.cli.output import print_error
    from arb.runtime.bots import run_bots

    wait(run_bots(load(profile), print_error))


@bots.command("route")
def bots_route(
    plan: Annotated[str | None, typer.Argument(help="A plan's id, or its beginning.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Every rule that was evaluated.")
    ] = False,
    kind: Annotated[
        str, typer.Option("--kind", help="Kind of the hypothetical plan.")
    ] = "negrisk_no",
    risk: Amount = "0",
    profit: Amount = "0",
    profit_percent: Amount = "0",
    cost: Amount = "0",
    outlay: Amount = "0",
    legs: Amount = "2",
    gas: Amount = "0",
    mev_risk: Amount = "0",
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Which bot a plan goes to: a plan of the ledger, or one with the given measures."""
    from arb.cli.output import print_json, print_line
    from arb.domain.money import text
    from arb.operations.bot_files import explain_route

    given = {
        "risk": _number("risk", risk),
        "profit": _number("profit", profit),
        "profit_percent": _number("profit-percent", profit_percent),
        "cost": _number("cost", cost),
        "outlay": _number("outlay", outlay),
        "legs": _number("legs", legs),
        "gas": _number("gas", gas),
        "mev_risk": _number("mev-risk", mev_risk),
    }
    chosen, found = wait(explain_route(load(profile), plan, kind, given))
    rows = [
        (v.rule.name, v.rule.condition, v.rule.bot or "-", v.holds, v.why) for v in chosen.verdicts
    ]
    if json:
        names = ("rule", "condition", "bot", "holds", "why")
        print_json(
            {
                "schema": 1,
                "bot": chosen.bot or None,
                "rule": chosen.rule or None,
                "measures": {name: text(value) for name, value in found.items()},
                "verdicts": [dict(zip(names, row, strict=True)) for row in rows],
            }
        )
        return
    who = chosen.bot or "the orchestrator itself"
    print_line(f"It goes to {who}" + (f", by rule {chosen.rule}." if chosen.rule else "."))
    if explain:
        measured = ", ".join(f"{name} {text(round(value, 6))}" for name, value in found.items())
        print_line(f"Measured: {measured}.")
        shown = [(n, c, b, "yes" if holds else "no", why) for n, c, b, holds, why in rows]
        print_table("Rules, in order", ("rule", "when", "bot", "holds", "why"), shown)


def _ask(name: str, wish: Literal["start", "stop", "restart"], profile: str | None) -> None:
    from arb.cli.output import print_line
    from arb.operations.bot_files import ask_supervisor

    print_line(wait(ask_supervisor(load(profile), name, wish)))


def _number(name: str, given: str) -> Decimal:
    from arb.domain import bounds
    from arb.domain.errors import ConfigError

    try:
        return bounds.number(given)
    except bounds.OutOfBounds:
        raise ConfigError(f"--{name} {given[:40]}: a number") from None
