"""Commands around real money: the ladder of self-tests, permissions, reconciliation, redemption."""

from decimal import Decimal
from typing import Annotated

import typer

from arb.cli.common import ExitCode, Json, Profile, load, wait
from arb.cli.table import print_table

Accept = Annotated[
    str | None,
    typer.Option(
        "--accept", metavar="REASON", help="Book the venue's figures; the reason is recorded."
    ),
]


def preflight(json: Json = False, profile: Profile = None) -> None:
    """Sign what would be sent, and send nothing."""
    from arb.cli.tools import show_checks
    from arb.operations.preflight import preflight as sign

    show_checks("Preflight", wait(sign(load(profile)), "Signing…"), json=json)


def livetest(json: Json = False, profile: Profile = None) -> None:
    """Place one minimal post-only order far from the market, see it rest, cancel it."""
    from arb.cli.tools import show_checks
    from arb.operations.preflight import livetest as rehearse

    show_checks("Live test", wait(rehearse(load(profile)), "Testing…"), json=json)


def reconcile(accept: Accept = None, json: Json = False, profile: Profile = None) -> None:
    """Compare the ledger with the venue and the chain; differences keep trading halted."""
    from arb.cli.output import print_error, print_json, print_line
    from arb.operations.live import reconcile as compare

    differences, booked = wait(compare(load(profile), accept), "Asking the venue…")
    if json:
        print_json({"agree": not differences, "differences": differences, "booked": booked})
    else:
        for line in booked:
            print_line(f"Booked: {line}.")
        if not differences:
            print_line("Ledger and venue agree.")
    for line in differences:
        print_error(line)
    if differences:
        raise typer.Exit(ExitCode.HALTED)


def approvals(
    grant: Annotated[bool, typer.Option("--set", help="Grant what is missing.")] = False,
    amount: Annotated[
        str | None, typer.Option("--amount", metavar="USD", help="Dollars per contract.")
    ] = None,
    json: Json = False,
    profile: Profile = None,
) -> None:
    """What the wallet allows the venue's contracts; grants the given amount and never more."""
    from arb.cli.output import print_json
    from arb.domain.errors import ConfigError
    from arb.operations.live import grant_approvals

    if grant != (amount is not None):
        raise ConfigError("--set and --amount USD belong together")
    rows = wait(grant_approvals(load(profile), _dollars(amount)), "Asking the chain…")
    if json:
        print_json(rows)
    else:
        columns = ("what_for", "allowed", "enough", "spender", "token")
        print_table("Approvals", columns, [[row[name] for name in columns] for row in rows])
    if not all(row["enough"] for row in rows):
        raise typer.Exit(ExitCode.USAGE)


def redeem(json: Json = False, profile: Profile = None) -> None:
    """Turn the shares of resolved markets into cash; `arb run` does so regularly, too."""
    from arb.cli.output import print_error, print_json, print_line
    from arb.operations.live import redeem as collect

    troubles, waiting = wait(collect(load(profile)), "Redeeming…")
    if json:
        print_json({"waiting": waiting, "troubles": troubles})
    else:
        print_line(f"{waiting} plans still wait for their resolution.")
    for line in troubles:
        print_error(line)
    if troubles:
        raise typer.Exit(ExitCode.UNREACHABLE)


def _dollars(amount: str | None) -> Decimal | None:
    from arb.domain import bounds
    from arb.domain.errors import ConfigError

    try:
        found = None if amount is None else bounds.number(amount)
    except bounds.OutOfBounds:
        raise ConfigError(
            f"--amount {amount[:40] if amount else ''}: a number of dollars, such as 500"
        ) from None
    if found is not None and found <= 0:
        raise ConfigError(f"--amount {amount}: more than nothing")
    return found
