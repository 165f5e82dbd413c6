"""Strategies of the running orchestrator: those of proved sets, and statistical ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arb.cli.common import Json, Profile, load, wait
from arb.cli.table import Column, print_table

if TYPE_CHECKING:
    from arb.config.sources import Loaded

strategies = typer.Typer(
    help="Strategies of the running orchestrator; statistical ones trade on paper.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The strategy's name.")]
Symbol = Annotated[
    str | None,
    typer.Argument(help="An event's or market's slug; of a statistical one a market's /OUTCOME."),
]


@strategies.command("list")
def strategies_list(json: Json = False, profile: Profile = None) -> None:
    """Every strategy; of statistical ones what each says, holds and has made."""
    from arb.cli.output import print_json, print_line
    from arb.operations.account_views import read
    from arb.operations.control_client import live_strategies
    from arb.operations.signal_views import signals_of
    from arb.views.shape import as_json

    loaded = load(profile)
    live = wait(live_strategies(loaded))
    if live is None:
        kept = wait(read(loaded, lambda reads: signals_of(loaded, reads)))
        looking, statistical = list[dict[str, Any]](), as_json(kept)
    else:
        looking, statistical = live
    if json:
        running = live is not None
        print_json({"schema": 1, "running": running, "strategies": looking, "signals": statistical})
        return
    if live is None:
        print_line("No orchestrator answers; this is what the ledger knows.")
    else:
        mine = {one["strategy_name"] for one in (statistical or {}).get("strategies", ())}
        rows = [
            (one["name"], one["symbol"] or "all markets")
            for one in looking
            if one["is_active"] and one["name"] not in mine
        ]
        print_table("Strategies of proved sets", ("strategy", "looks at"), rows)
        print_line()
    if statistical is None:
        print_line("No statistical strategies: ARB_SIGNALS__ENABLED=true has them trade on paper.")
        return
    print_signals(statistical)


def print_signals(found: dict[str, Any]) -> None:
    """The statistical strategies and their account, with the words that they guarantee nothing."""
    from arb.cli.output import print_line

    columns = (
        "strategy",
        "symbol",
        "bars",
        "signal",
        "shares",
        Column("paid", rank=2),
        Column("bid", rank=3),
        "profit $",
        Column("open $", rank=1),
    )
    print_table(f"Strategies on paper ({found['what']})", columns, _rows(found["strategies"]))
    why = f": {found['reason']}" if found["reason"] else ""
    print_line(
        f"Account {found['account']}, {found['state']}{why}; cash ${found['cash']}, held "
        f"${found['held']}, realised ${found['realised']}."
    )


def _rows(found: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in found:
        held = one["position"] or {}
        rows.append(
            (
                one["strategy_name"] if one["is_active"] else f"{one['strategy_name']} (removed)",
                one["symbol"],
                one["timeframe"],
                one["signal"] or "-",
                held.get("shares", "-"),
                held.get("price_paid") or "-",
                held.get("price") or "-",
                one["profit"],
                one["open_profit"] or "-",
            )
        )
    return rows


@strategies.command("add")
def strategies_add(
    name: Name,
    symbol: Symbol = None,
    timeframe: Annotated[
        str | None,
        typer.Option("--timeframe", help="Of a statistical one: 1m, 5m, 15m, 1h, 4h, 1d."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="A parameter of the strategy.", metavar="NAME=VALUE"),
    ] = None,
    profile: Profile = None,
) -> None:
    """Have the running orchestrator use a strategy; a statistical one also after a restart."""
    from arb.cli.backtest import read_params

    body = {
        "strategy_name": name,
        "symbol": symbol,
        "timeframe": timeframe,
        "params": read_params(param or []) or None,
    }
    given = {key: value for key, value in body.items() if value is not None}
    _ask(load(profile), "POST", "/bot/strategy/add", given, f"{name} is active")


@strategies.command("remove")
def strategies_remove(name: Name, symbol: Symbol = None, profile: Profile = None) -> None:
    """Have it use a strategy no more; what a statistical one holds is still watched."""
    from urllib.parse import quote

    where = f"/{quote(symbol, safe='')}" if symbol else ""
    path = f"/bot/strategy/remove/{quote(name, safe='')}{where}"
    _ask(load(profile), "DELETE", path, None, f"{name} is not active any more")


@strategies.command("resume")
def strategies_resume(
    reason: Annotated[str, typer.Option("--reason", help="Kept with the command.")] = "",
    profile: Profile = None,
) -> None:
    """Buy on signals again after a pause or a halt of their account."""
    done = "the account of statistical strategies is resumed"
    _ask(load(profile), "POST", "/signals/resume", {"reason": reason}, done)


def _ask(loaded: "Loaded", method: str, path: str, body: Any, done: str) -> None:
    from arb.cli.output import print_line
    from arb.operations.control_client import must_answer

    wait(must_answer(loaded, method, path, body))
    print_line(f"{done[0].upper()}{done[1:]}.")
