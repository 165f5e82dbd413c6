"""How results leave the program: one JSON document for scripts, tables for people."""

import json
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from arb.domain.decision import Approved, Finding, Refused
from arb.domain.money import text
from arb.domain.opportunity import ProvenLeg, Skipped, Unproven
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, Statistics

SCHEMA = 1
RULE = "=" * 80


def print_json(document: Any) -> None:
    """The one document on standard output."""
    from arb.operations.redaction import safe

    kept = safe(document)
    line = json.dumps(kept, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(kept)  # the same document, in any code page
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_line(line: str = "") -> None:
    """A line for people."""
    from arb.operations.redaction import printable, safe

    sys.stdout.write(printable(safe(line)) + "\n")
    sys.stdout.flush()


def print_error(line: str) -> None:
    """Print the error as one line."""
    from arb.operations.redaction import shown

    sys.stderr.write(f"arb: {shown(line)}\n")


def render_report(report: CycleReport) -> dict[str, Any]:
    """A cycle report as INTERFACE_SPEC.md section 3 has it; amounts are decimal strings."""
    ended = dict(report.outcomes)
    proven = [f for f in report.findings if isinstance(f, Approved | Refused)]
    skipped = [_skipped(f) for f in report.findings if isinstance(f, Skipped | Unproven)]
    return {
        "schema": SCHEMA,
        "run": report.run,
        "cycle": report.run,  # its name before runs
        "mode": report.mode,
        "account": report.account,
        "started_at": report.started_at.isoformat().replace("+00:00", "Z"),
        "duration_ms": report.duration_ms,
        "markets": report.markets,
        "events": report.events,
        "books": report.books,
        "opportunities": [_opportunity(finding, ended) for finding in proven],
        "skipped": skipped,
        "passed": skipped,  # the name of before, for one version
        "data_quality": [
            {"market": each.market, "problem": each.problem, "detail": each.detail}
            for each in report.data_quality
        ],
        "data_quality_count": report.data_quality_count,
        "plans": [
            {
                "id": plan.plan,
                "state": plan.state.value,
                "profit": text(plan.realised),
                "locked": text(plan.locked),
                "reason": plan.reason or None,
                "code": plan.code,
            }
            for plan in report.plans
        ],
        "errors": [
            {"kind": each.kind.value, "where": each.where, "what": each.what}
            for each in report.errors
        ],
        "risk": {
            "can_trade": report.risk.can_trade,
            "state": report.risk.state.value,
            "reasons": list(report.risk.reasons),
        },
        "funnel": {
            name: getattr(report.funnel, name) for name in report.funnel.__dataclass_fields__
        },
        "reasons": {str(reason): count for reason, count in report.reasons},
        "completeness": {
            name: getattr(report.completeness, name)
            for name in report.completeness.__dataclass_fields__
        },
        "shards": None
        if report.coverage is None
        else {
            name: getattr(report.coverage, name) for name in report.coverage.__dataclass_fields__
        },
    }


def free_when(exit_: str) -> str:
    """When the cash of an exit is free, to stand behind "cash free"."""
    return "now" if exit_ == "now" else f"at {exit_}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 error", "2 errors"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def stand_of(state: str, locked: Decimal) -> str:
    """A plan's state as shown: `held` when it is filled and waits for its resolution."""
    return "held" if state == "done" and locked > 0 else state


def decision_of(finding: Approved | Refused, ended: dict[str, Reason]) -> tuple[str, Reason | None]:
    """Approved or refused, and why; an approval that was not executed counts as refused."""
    if isinstance(finding, Refused):
        return "refused", finding.reason
    end = ended.get(finding.opportunity.id, Reason.EXECUTION_FAILED)
    return ("approved", None) if end is Reason.FILLED else ("refused", end)


def statistics_rows(statistics: Statistics) -> list[tuple[str, str]]:
    """The final table."""
    rate = statistics.success_rate
    rows = [
        ("Total scan cycles", str(statistics.cycles)),
        ("Total opportunities", str(statistics.opportunities)),
        ("Total trades", str(statistics.trades)),
        ("Successful trades", str(statistics.successes)),
        ("Failed trades", str(statistics.failures)),
        ("Success rate", "-" if rate is None else f"{rate * 100:.1f} %"),
        ("Total profit, realised", f"${text(statistics.realised)}"),
    ]
    if statistics.locked:
        rows += [
            ("Bound until resolution", f"${text(statistics.locked)}"),
            ("Profit then, at least", f"${text(statistics.locked_profit)}"),
        ]
    return rows


def final_statistics(statistics: Statistics) -> list[str]:
    """The lines that a run ends with. The profit is what is realised."""
    rate = statistics.success_rate
    lines = [
        f"Total scan cycles: {statistics.cycles}",
        f"Total opportunities: {statistics.opportunities}",
        f"Total trades: {statistics.trades}",
        f"Successful trades: {statistics.successes}",
        f"Failed trades: {statistics.failures}",
        f"Success rate: {'-' if rate is None else f'{rate:.1%}'}",
        f"Total profit: {_dollars(statistics.realised)}",
    ]
    if statistics.locked:
        lines += [
            f"Bound until resolution: {_dollars(statistics.locked)}",
            f"Profit then, at least: {_dollars(statistics.locked_profit)}",
        ]
    return [RULE, "FINAL STATISTICS", RULE, *lines, RULE]


def _dollars(amount: Decimal) -> str:
    """An exact amount with its cents."""
    exact = text(amount)
    return f"${exact if len(exact.partition('.')[2]) >= len('00') else f'{amount:.2f}'}"


def render_statistics(statistics: Statistics) -> dict[str, Any]:
    """The account's sum as JSON."""
    rate = statistics.success_rate
    return {
        "cycles": statistics.cycles,
        "opportunities": statistics.opportunities,
        "trades": statistics.trades,
        "successes": statistics.successes,
        "failures": statistics.failures,
        "success_rate": None if rate is None else str(round(rate, 4)),
        "total_profit": text(statistics.realised),
        "locked": text(statistics.locked),
        "locked_profit": text(statistics.locked_profit),
    }


def _opportunity(finding: Approved | Refused, ended: dict[str, Reason]) -> dict[str, Any]:
    found, (decision, reason) = finding.opportunity, decision_of(finding, ended)
    percent = (found.profit_fraction * 100).quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN)
    return {
        "id": found.id,
        "kind": str(found.kind),
        "event": found.event.slug,
        "title": found.event.title,
        "exit": found.exit.value,
        "legs": [_leg(proven) for proven in found.legs],
        "size": text(found.size),
        "cost": text(found.cost),
        "fees": text(found.fees),
        "payoff_worst": text(found.payoff_worst),
        "profit": text(found.profit),
        "profit_pct": text(percent),
        "available_size": text(found.available),
        "decision": decision,
        "reason": reason.value if reason else None,
    }


def _leg(proven: ProvenLeg) -> dict[str, str]:
    leg, market = proven.leg, proven.market
    return {
        "venue": leg.outcome.venue,
        "market": market.slug,
        "condition_id": market.id,
        "token_id": leg.outcome.token,
        "outcome": market.outcome(leg.outcome),
        "side": leg.side.value,
        "price": text(leg.limit),
        "size": text(leg.size),
        "spend": text(proven.spend),
        "cost": text(proven.value),
        "fee": text(proven.fee),
    }


def _skipped(finding: Finding) -> dict[str, Any]:
    if isinstance(finding, Skipped):
        kind, event, reason = finding.kind, finding.event, finding.reason
    else:
        assert isinstance(finding, Unproven)
        kind, event, reason = finding.candidate.kind, finding.candidate.event, finding.reason
    return {
        "kind": str(kind),
        "event": event.slug,
        "reason": str(reason),
        "detail": finding.detail,
    }
