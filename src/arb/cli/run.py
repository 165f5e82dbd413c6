"""`arb run`, `arb scan`, `arb demo`."""

import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arb.cli.common import API_IS_OPEN, ExitCode, Json, Profile, load, wait
from arb.cli.table import Column, print_table, short_ids
from arb.domain.reason import sentence_of

if TYPE_CHECKING:
    from arb.domain.report import CycleReport, Statistics

OPPORTUNITY_COLUMNS: tuple[Column | str, ...] = (
    Column("id", short=short_ids),
    Column("kind", rank=3),
    "event",
    Column("legs", rank=4),
    Column("size", rank=5),
    Column("paid $", rank=2),
    "profit $",
    Column("%", rank=1),
    Column("exit", rank=6),
    "decision",
)


@dataclass(slots=True)
class RunSum:
    """The result of one run; the statistics are the account's, over all its runs."""

    cycles: int = 0
    plans: int = 0
    realised: Decimal = Decimal(0)

    def add(self, report: "CycleReport") -> None:
        """One more cycle."""
        self.cycles += 1
        self.plans += sum(plan.state.value != "open" for plan in report.plans)
        self.realised += sum((plan.realised for plan in report.plans), Decimal(0))

    @property
    def sentence(self) -> str:
        """For people."""
        from arb.cli.output import counted
        from arb.domain.money import text

        ended = counted(self.plans, "plan")
        return f"This run: {counted(self.cycles, 'cycle')}, {ended} ended, ${text(self.realised)}."


def run(
    once: Annotated[bool, typer.Option("--once", help="One cycle, then stop.")] = False,
    live: Annotated[
        bool, typer.Option("--live/--dry-run", help="Trade on paper (the default), or for real.")
    ] = False,
    json: Json = False,
    interval: Annotated[
        float | None, typer.Option("--interval", min=0.1, help="Seconds between cycles.")
    ] = None,
    cycles: Annotated[
        int | None, typer.Option("--cycles", min=1, help="Stop after N cycles.", metavar="N")
    ] = None,
    api: Annotated[
        bool | None,
        typer.Option("--api/--no-api", help="Serve the control API and its page meanwhile."),
    ] = None,
    profile: Profile = None,
) -> None:
    """Run the orchestrator until SIGINT or SIGTERM, or once."""
    from arb.operations.logs import set_up_logs
    from arb.runtime.running import CutShort, run_once, run_scheduled

    flags: dict[str, Any] = {}
    if interval is not None:
        flags["arbitrage.scan_interval"] = interval
    if api is not None:
        flags["api.enabled"] = api
    loaded = load(profile, flags, notes=True)
    set_up_logs(loaded)
    if once:
        try:
            report, statistics, still_open = wait(run_once(loaded, live=live))
        except CutShort as cut:
            _show_end(cut.statistics, json=json)
            raise typer.Exit(_open(cut.still_open)) from None
        run = RunSum()
        run.add(report)
        _show(report, statistics, json=json, run=run)
        raise typer.Exit(_code(report, still_open))
    from arb.cli.output import print_json, render_report

    whole = RunSum()

    def hand_over(report: "CycleReport") -> None:
        whole.add(report)
        if json:
            print_json(render_report(report))

    def say(address: str, token: str | None) -> None:
        _say_where(address, token, is_open=loaded.settings.api.open_on_loopback)

    statistics, still_open = wait(run_scheduled(loaded, hand_over, cycles, live=live, ready=say))
    _show_end(statistics, json=json, run=whole)
    raise typer.Exit(_open(still_open))


def shard(json: Json = False, profile: Profile = None) -> None:
    """Read books for an orchestrator elsewhere until SIGINT or SIGTERM; trades nothing."""
    from dataclasses import asdict

    from arb.cli.output import print_json, print_line
    from arb.operations.logs import set_up_logs
    from arb.runtime.scan_worker import work

    loaded = load(profile)
    set_up_logs(loaded)
    done = wait(work(loaded))
    if json:
        print_json({"schema": 1, **asdict(done)})
    else:
        print_line(
            f"Scanned {done.parts} parts; {done.failed} could not be scanned, "
            f"{done.unreadable} messages were none."
        )


def scan(
    json: Json = False,
    min_profit: Annotated[
        str | None,
        typer.Option("--min-profit", help="Least profit as a fraction of cost.", metavar="X"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only this kind of opportunity.")
    ] = None,
    profile: Profile = None,
) -> None:
    """Detect only: nothing is sized, traded or recorded."""
    from dataclasses import replace

    from arb.cli.output import print_json, render_report
    from arb.domain.decision import Approved, Refused
    from arb.domain.errors import ConfigError
    from arb.operations.kinds import kinds_made
    from arb.operations.logs import set_up_logs
    from arb.runtime.running import scan as look

    kinds = kinds_made()
    if kind is not None and kind not in kinds:
        raise ConfigError(f"--kind {kind}: one of {', '.join(kinds)}")
    flags = {} if min_profit is None else {"trading.min_profit_threshold": min_profit}
    loaded = load(profile, flags)
    set_up_logs(loaded, level="ERROR")
    report = wait(look(loaded), "Reading the listing and its books…")
    least = loaded.settings.trading.min_profit_threshold if min_profit is not None else None
    kept = tuple(
        finding
        for finding in report.findings
        if not isinstance(finding, Approved | Refused)
        or (
            (kind in (None, finding.opportunity.kind))
            and (least is None or finding.opportunity.profit_fraction >= least)
        )
    )
    report = replace(report, findings=kept)
    if json:
        print_json(render_report(report))
    else:
        _show_report(report)


def demo(
    seed: Annotated[int, typer.Option("--seed", help="Which made-up market.")] = 7,
    signals: Annotated[
        bool,
        typer.Option("--signals", help="Statistical strategies on made-up days instead."),
    ] = False,
    onchain: Annotated[
        bool, typer.Option("--onchain", help="Two pools on a chain of its own instead.")
    ] = False,
) -> None:
    """One full cycle against the embedded exchange, over real loopback HTTP."""
    from arb.cli.output import print_line

    if onchain:
        from arb.runtime.demo_onchain import run_onchain_demo

        if not wait(run_onchain_demo(print_line)).as_stated:
            raise typer.Exit(ExitCode.INTERNAL)
        return
    if signals:
        _signal_demo(seed)
        return
    from arb.runtime.demo import run_demo

    outcome = wait(run_demo(seed, print_line))
    _show(outcome.report, outcome.statistics, json=False)
    print_line()
    found, planted = outcome.found, outcome.planted
    print_line(f"Planted by the exchange: {planted} opportunities and {outcome.decoys} decoys.")
    print_line(f"Found: {found} of {planted}; decoys taken for a profit: {outcome.phantoms}.")
    print_line("The data-quality alarms and errors above are planted, too.")
    print_line()
    if outcome.not_kept:
        print_line(f"Its ledger could not be kept ({outcome.not_kept}).")
    else:
        print_line(
            "Next: `arb explain six-3-bids-106 --profile demo`: why that one was not traded."
        )
    print_line("Then: `arb run --once` on live prices; it trades on paper and needs no key.")
    if found != planted or outcome.phantoms:
        raise typer.Exit(ExitCode.INTERNAL)


def _signal_demo(seed: int) -> None:
    from arb.cli.output import print_line
    from arb.cli.strategies import print_signals
    from arb.runtime.signal_demo import run_signal_demo

    found = wait(run_signal_demo(seed, print_line))
    rows = [
        (
            plan.kind,
            plan.event,
            f"{plan.approved_at:%m-%d %H:%M}",
            f"{plan.ended_at:%m-%d %H:%M}" if plan.ended_at and not plan.locked else "held",
            f"{plan.outlay:.2f}",
            f"{plan.realised:.2f}",
            plan.reason or "-",
        )
        for plan in found.plans
    ]
    columns = ("strategy", "market", "bought", "sold", "paid $", "made $")
    print_table("What it did", (*columns, Column("why sold", running_text=True)), rows)
    print_line()
    print_signals(found.account)
    print_line(
        f"The {found.hours} hours were a random walk: whatever it made is luck, and after fees all "
        "of them lose in the long run."
    )
    print_line("Then: `ARB_SIGNALS__ENABLED=true arb run --api`, on paper; docs/statistical.md.")


def _say_where(address: str, token: str | None, *, is_open: bool) -> None:
    """Show a token: once, and only to the person at this terminal."""
    sys.stderr.write(f"The control API and its page: {address}/\n")
    if is_open:
        sys.stderr.write(f"{API_IS_OPEN}\n")
    if token is not None:
        sys.stderr.write(
            f"Its token, shown this once: {token}\n"
            "Enter it in the page; for the shell commands set it as ARB_API__TOKEN.\n"
        )
    sys.stderr.flush()


def _show(
    report: "CycleReport", statistics: "Statistics", *, json: bool, run: RunSum | None = None
) -> None:
    from arb.cli.output import print_json, render_report, render_statistics

    if json:
        print_json({**render_report(report), "statistics": render_statistics(statistics)})
        return
    _show_report(report)
    _show_statistics(statistics, run)


def _show_report(report: "CycleReport") -> None:
    from arb.cli.output import counted, print_line

    rows = _opportunity_rows(report)
    if rows:
        print_table("Proved opportunities", OPPORTUNITY_COLUMNS, rows)
    else:
        print_line("No opportunity was proved.")
    print_line()
    funnel = report.funnel
    steps = [(name.replace("_", " "), getattr(funnel, name)) for name in _names(funnel)]
    print_table("Funnel", ("step", "count"), steps)
    print_line()
    if report.reasons:
        reasons = [(str(reason), count, sentence_of(reason)) for reason, count in report.reasons]
        print_table(
            "How the candidates ended",
            ("reason", "count", Column("meaning", running_text=True)),
            reasons,
        )
        print_line()
    seen = report.completeness
    print_line(
        f"Seen: {seen.markets_listed - seen.markets_unreadable} of {seen.markets_listed} markets "
        f"listed, {seen.books_received} of {seen.books_expected} books; "
        f"{counted(report.data_quality_count, 'data-quality alarm')}, "
        f"{counted(len(report.errors), 'error')}, "
        f"{report.duration_ms} ms."
    )


def _opportunity_rows(report: "CycleReport") -> list[list[Any]]:
    """Proven opportunities as rows for people."""
    from arb.cli.output import decision_of
    from arb.domain.decision import Approved, Refused

    ended = dict(report.outcomes)
    rows: list[list[Any]] = []
    for finding in report.findings:
        if not isinstance(finding, Approved | Refused):
            continue
        found, (decision, reason) = finding.opportunity, decision_of(finding, ended)
        rows.append(
            [
                found.id,
                str(found.kind),
                found.event.slug,
                len(found.legs),
                found.size,
                found.outlay,
                found.profit,
                f"{found.profit_fraction * 100:.2f}",
                found.exit.value,
                reason.value if reason else decision,
            ]
        )
    return rows


def _show_statistics(statistics: "Statistics", run: RunSum | None = None) -> None:
    from arb.cli.output import final_statistics, print_line

    print_line()
    if run is not None:
        print_line(f"{run.sentence} Below: the whole account.")
    for line in final_statistics(statistics):
        print_line(line)


def _show_end(statistics: "Statistics", *, json: bool, run: RunSum | None = None) -> None:
    """The summary at the end of a run of many cycles."""
    from arb.cli.output import print_json, render_statistics

    if json:
        print_json({"schema": 1, "statistics": render_statistics(statistics)})
    else:
        _show_statistics(statistics, run)


def _names(value: Any) -> list[str]:
    return list(value.__dataclass_fields__)


def _code(report: "CycleReport", still_open: int) -> ExitCode:
    from arb.cli.output import print_error

    if not report.reachable:
        what = report.errors[0].what if report.errors else "no answer"
        print_error(f"the venue could not be read: {what}. See `arb doctor`.")
        return ExitCode.UNREACHABLE
    if still_open:
        return _open(still_open)
    if not report.risk.can_trade:
        print_error(f"not trading: {'; '.join(report.risk.reasons)}")
        return ExitCode.HALTED
    return ExitCode.DONE


def _open(plans: int) -> ExitCode:
    from arb.cli.output import print_error

    if not plans:
        return ExitCode.DONE
    print_error(f"{plans} plans are still open; see `arb plans --open`")
    return ExitCode.PLAN_OPEN
