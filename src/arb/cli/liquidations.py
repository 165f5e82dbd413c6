"""`arb liquidations`: loans near health factor 1, and liquidating them."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arb.cli.common import Json, Profile, Wide, load, wait
from arb.cli.table import Column, print_table, short_hashes

if TYPE_CHECKING:
    from arb.domain.attempt import AttemptSums
    from arb.domain.halt import Standing
    from arb.onchain.liquidations.liquidator import Finding, Look

COLUMNS: tuple[Column | str, ...] = (
    Column("borrower", short=short_hashes),
    "health",
    "debt $",
    Column("collateral $", rank=1),
    Column("repay", rank=2),
    Column("for", rank=2),
    "returns $",
    Column("costs $", rank=3),
    Column("prices", rank=4),
    "outcome",
)
LABEL = "calculated at one block; it may cost its gas"


def liquidations(
    watch: Annotated[
        bool, typer.Option("--watch", help="Look until SIGINT or SIGTERM, each look as it comes.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="With --watch: send what is worth it, for real.")
    ] = False,
    halt: Annotated[
        str | None, typer.Option("--halt", metavar="REASON", help="Send no more liquidations.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="REASON", help="End a halt of them.")
    ] = None,
    json: Json = False,
    wide: Wide = False,
    profile: Profile = None,
) -> None:
    """Loans near health factor 1 on the chain of `[chain]`, the least healthy first."""
    from arb.cli.output import print_line
    from arb.domain.errors import ConfigError
    from arb.domain.halt import TradingState
    from arb.operations.logs import set_up_logs
    from arb.runtime import liquidations as running

    if live and not watch:
        raise ConfigError("--live goes with --watch: a single look sends nothing")
    if halt is not None and resume is not None:
        raise ConfigError("--halt and --resume contradict each other")
    loaded = load(profile)
    if halt is not None or resume is not None:
        state = TradingState.NORMAL if halt is None else TradingState.HALTED
        wait(running.command(loaded, state, halt or resume or ""))
        print_line(f"Liquidations are {state.value} from the next look on.")
        return
    if not watch:
        seen, sums, standing = wait(running.look_once(loaded))
        _show(seen, sums, standing, json=json, wide=wide)
        return
    set_up_logs(loaded)

    def shown(seen: "Look", sums: "AttemptSums") -> None:
        _show(seen, sums, seen.standing, json=json, wide=wide)

    wait(running.watch(loaded, shown, live=live))


def _show(
    seen: "Look", sums: "AttemptSums", standing: "Standing", *, json: bool, wide: bool
) -> None:
    from arb.cli.output import print_json, print_line
    from arb.domain.money import text

    if json:
        print_json(document(seen, sums, standing))
        return
    rows = [_row(one, seen.base_unit) for one in seen.findings]
    print_table(f"Loans near health factor 1 ({LABEL})", COLUMNS, rows, wide=wide)
    why = f": {standing.reason}" if standing.reason else ""
    print_line(
        f"Block {seen.block.number}: {seen.positions} borrowers, {seen.liquidatable} below 1. "
        f"Liquidations are {standing.word}{why}. {sums.submissions} sent, "
        f"${text(sums.returned)} returned."
    )


def document(seen: "Look", sums: "AttemptSums", standing: "Standing") -> dict[str, Any]:
    """A look as `--json` prints it."""
    from arb.domain.money import text

    return {
        "schema": 1,
        "block": seen.block.number,
        "borrowers": seen.positions,
        "below_one": seen.liquidatable,
        "coin_price": seen.coin_source.value,
        "state": standing.state.value,
        "reason": standing.reason or None,
        "submissions": sums.submissions,
        "inclusion_rate": _rate(sums.inclusion_rate),
        "simulation_accuracy": _rate(sums.accuracy),
        "returned_usd": text(sums.returned),
        "volume_today_usd": text(sums.volume_today),
        "loans": [_loan(one, seen.base_unit) for one in seen.findings],
    }


def _loan(one: "Finding", unit: int) -> dict[str, Any]:
    from arb.domain.money import text

    plan = one.plan
    return {
        "borrower": one.borrower,
        "health": _health(one),
        "debt_usd": _dollars(one.health.debt, unit),
        "collateral_usd": _dollars(one.health.collateral, unit),
        "prices": [source.value for source in one.sources],
        "refusal": None if one.refusal is None else one.refusal.value,
        "detail": one.detail or None,
        "attempt": one.attempt or None,
        "plan": None
        if plan is None
        else {
            "debt": plan.debt.symbol,
            "collateral": plan.collateral.symbol,
            "repaid": str(plan.seizure.repaid),
            "received": str(plan.seizure.received),
            "swapped_for": str(plan.swap_out),
            "swapped_for_least": str(plan.swap_least),
            "gain": str(plan.gain),
            "repays_usd": text(plan.repays),
            "returns_usd": text(plan.returns),
            "returns_least_usd": text(plan.returns_least),
            "costs_usd": text(plan.costs),
        },
    }


def _row(one: "Finding", unit: int) -> tuple[Any, ...]:
    plan = one.plan
    health = _health(one)
    return (
        one.borrower,
        "unknown" if health is None else f"{Decimal(health):.4f}",
        _dollars(one.health.debt, unit),
        _dollars(one.health.collateral, unit),
        None if plan is None else plan.debt.symbol,
        None if plan is None else plan.collateral.symbol,
        None if plan is None else f"{plan.returns:.2f}",
        None if plan is None else f"{plan.costs:.2f}",
        " ".join(one.sources),
        one.refusal or ("attempted" if one.attempt else "healthy"),
    )


def _health(one: "Finding") -> str | None:
    factor = one.health.factor
    return None if factor is None else format(Decimal(factor).scaleb(-18), "f")


def _dollars(base: int, unit: int) -> str:
    return f"{Decimal(base) / unit:.2f}"


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None else f"{rate:.4f}"
