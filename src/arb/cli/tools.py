"""Looking closer: one event, the fees, the state of the world, and an exchange of one's own."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arb.cli.common import ExitCode, Json, Profile, load, wait
from arb.cli.table import Column, print_table
from arb.domain.reason import sentence_of

if TYPE_CHECKING:
    from arb.checks import Check
    from arb.domain.fees import FeeSchedule

exchange = typer.Typer(help="The embedded exchange.", no_args_is_help=True)

RATES = ("0.04", "0.05", "0.07")
PRICES = ("0.01", "0.02", "0.05", "0.1", "0.2", "0.3", "0.4", "0.5")
SET_SIZES = (2, 3, 4, 6, 8, 12)


def preview(
    event: Annotated[str, typer.Argument(help="The event's slug, as in its address.")],
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Evaluate one event now: fills, fees, and every rule's verdict."""
    from arb.cli.output import free_when, print_json, print_line, render_report
    from arb.domain.decision import Refused
    from arb.domain.money import text
    from arb.domain.opportunity import Skipped, Unproven
    from arb.operations.logs import set_up_logs
    from arb.runtime.running import preview as look_at

    loaded = load(profile)
    set_up_logs(loaded, level="ERROR")
    look, report = wait(look_at(loaded, event), f"Reading {event}…")
    if json:
        print_json(render_report(report))
        return
    quotes = []
    for market in look.snapshot.universe.markets.values():
        yes = look.snapshot.books.get(market.yes)
        bid, ask = (yes.best_bid, yes.best_ask) if yes else (None, None)
        quotes.append(
            (
                market.slug,
                f"{text(bid.size)} @ {text(bid.price)}" if bid else "-",
                f"{text(ask.size)} @ {text(ask.price)}" if ask else "-",
                _rate(market.fees),
                text(market.rules.tick),
                "yes" if market.accepting else "no",
            )
        )
    print_table("YES quotes", ("market", "bid", "ask", "fee rate", "tick", "accepting"), quotes)
    if not report.findings:
        print_line()
        print_line("No edge: the best quotes of no set add up to a profit, even before fees.")
    for finding in report.findings:
        print_line()
        if isinstance(finding, Skipped | Unproven):
            print_line(f"{finding.reason!s}: {sentence_of(finding.reason)} ({finding.detail})")
        elif isinstance(finding, Refused):
            found = finding.opportunity
            legs = [
                (
                    proven.market.slug,
                    proven.market.outcome(proven.leg.outcome),
                    ", ".join(f"{text(f.size)} @ {text(f.price)}" for f in proven.fills),
                    proven.value,
                    proven.fee,
                )
                for proven in found.legs
            ]
            title = (
                f"{found.kind}: {text(found.size)} shares per leg, profit ${text(found.profit)} "
                f"on ${text(found.outlay)}, cash free {free_when(found.exit)}"
            )
            print_table(title, ("market", "outcome", "takes", "cost", "fee"), legs)
            gates = [("pass" if v.passed else "FAIL", v.gate, v.detail) for v in finding.verdicts]
            print_table("Gates", ("", "gate", Column("detail", running_text=True)), gates)


def _rate(fees: "FeeSchedule | None") -> str:
    """The rate of a curve; another schedule shows its fields."""
    from arb.domain.fees import CurveFees
    from arb.domain.money import text

    if fees is None:
        return "unknown"
    return text(fees.rate) if isinstance(fees, CurveFees) else str(fees)


def fees(json: Json = False) -> None:
    """The fee per share, by price and rate: a smaller edge is no profit."""
    from arb.cli.output import print_json
    from arb.domain.fees import CurveFees
    from arb.domain.money import Price, Shares, text

    one = Shares(Decimal(1))
    schedules = {rate: CurveFees(Decimal(rate)) for rate in RATES}
    legs = {
        price: {
            rate: text(schedule.exact(Price(Decimal(price)), one))
            for rate, schedule in schedules.items()
        }
        for price in PRICES
    }
    sets = {
        size: {
            rate: text((Decimal(rate) * (1 - Decimal(1) / size)).quantize(Decimal("0.00001")))
            for rate in RATES
        }
        for size in SET_SIZES
    }
    if json:
        print_json({"per_share": legs, "per_set_of_equal_prices": sets})
        return
    columns = ("price", *(f"rate {rate}" for rate in RATES))
    rows = [
        (f"{price} or {text(1 - Decimal(price))}", *fee.values()) for price, fee in legs.items()
    ]
    print_table("Fee per share, USD: rate x p x (1 - p)", columns, rows)
    set_rows = [(str(size), *fee.values()) for size, fee in sets.items()]
    print_table(
        "Fee per set of n equally likely outcomes, USD: the least gap that breaks even",
        ("n", *columns[1:]),
        set_rows,
    )


def doctor(
    money: Annotated[
        bool, typer.Option("--money", help="Also key, wallet, balance and allowances; reads only.")
    ] = False,
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Check everything a run needs; each failure says how to fix it."""
    from arb.checks import Check
    from arb.domain.errors import ConfigError
    from arb.operations.doctor import examine, unsettled

    async def all_of_it() -> "list[Check]":
        loaded = load(profile)
        checks = await examine(loaded)
        if money:
            from arb.operations.preflight import money as look_at_money

            known = {check.name for check in checks}
            try:
                found = await look_at_money(loaded)
            except ConfigError as error:
                found = [Check(name="money", passed=False, detail=str(error))]
            checks += [c for c in found if c.name not in known]
        return checks

    try:
        checks = wait(all_of_it(), "Examining…")
    except ConfigError as error:
        checks = unsettled(error)
    show_checks("Doctor", checks, json=json)


def show_checks(title: str, checks: "Sequence[Check]", *, json: bool) -> None:
    """Print the checks as a table or JSON; the exit code is that of the worst."""
    from arb.cli.output import print_json

    if json:
        print_json([check.document() for check in checks])
    else:
        rows = [(c.word, c.name, c.detail, c.fix) for c in checks]
        columns = (
            "",
            "check",
            Column("found", running_text=True),
            Column("fix", running_text=True),
        )
        print_table(title, columns, rows)
    unreachable = any(not c.passed and c.remote for c in checks)
    if unreachable:
        raise typer.Exit(ExitCode.UNREACHABLE)
    if any(not c.passed for c in checks):
        raise typer.Exit(ExitCode.USAGE)


@exchange.command("serve")
def exchange_serve(
    port: Annotated[int, typer.Option("--port", min=0, help="0: any free one.")] = 8900,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    scenario: Annotated[
        str, typer.Option("--scenario", help="demo, six, load, moving or quiet.")
    ] = "demo",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the made-up market.")] = 7,
    markets: Annotated[
        int | None, typer.Option("--markets", min=1, help="How many, for `load`.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", exists=True, help="Recorded books to serve.")
    ] = None,
    past: Annotated[
        int, typer.Option("--past", min=0, max=365, help="Days of made-up earlier prices.")
    ] = 0,
    json: Json = False,
) -> None:
    """Serve Gamma, CLOB, Data and the market channel on loopback until SIGINT or SIGTERM."""
    from arb.cli.output import print_json, print_line
    from arb.runtime.exchange import serve_until_stopped

    def ready(address: str) -> None:
        if json:
            print_json({"ready": address})
            return
        print_line(f"The exchange is ready at {address}")
        for name in ("GAMMA", "CLOB", "DATA"):
            print_line(f"  ARB_POLYMARKET__{name}_URL={address}")
        print_line(f"  ARB_POLYMARKET__GEOBLOCK_URL={address}/api/geoblock")
        print_line(f"The planted truth: {address}/_truth")

    wait(
        serve_until_stopped(
            scenario,
            seed=seed,
            markets=markets,
            replay=replay,
            past_days=past,
            host=host,
            port=port,
            ready=ready,
        )
    )
