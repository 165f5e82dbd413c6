"""News as documents: what goes over the WebSocket. Pure."""

from typing import Any

from arb.domain.decision import Approved, Refused
from arb.domain.money import text
from arb.domain.news import (
    Attempted,
    AttemptsChanged,
    AttemptsLooked,
    BooksFetched,
    BotChanged,
    ChainSeen,
    Contradicted,
    CycleEnded,
    CycleFailed,
    CycleSkipped,
    CycleStarted,
    Decided,
    KindResumed,
    News,
    PaidOut,
    PlanEnded,
    PlanResolved,
    PlanStarted,
    QualityAlarm,
    Ready,
    RiskChecked,
    Running,
    SignalSeen,
    Started,
    StateChanged,
    Stopped,
    Trouble,
    cause,
)
from arb.domain.report import CycleReport
from arb.views.detail import contradiction
from arb.views.shape import as_json


def wanted(news: News) -> bool:
    """Whether it is published: candidates that were never proved are not, one by one."""
    return not isinstance(news, Decided) or isinstance(news.finding, Approved | Refused)


def document(  # noqa: PLR0911, PLR0912  # one for each kind
    news: News,
) -> tuple[str, dict[str, Any]]:
    """The type of the news and its content. Amounts are decimal strings."""
    match news:
        case Started(mode=mode, account=account, every_seconds=every):
            return "started", {"mode": mode, "account": account, "every_seconds": every}
        case Ready():
            return "ready", {}
        case Running(every_seconds=every):
            return "running", {"every_seconds": every}
        case RiskChecked(run=run, status=status):
            return "risk_checked", {
                **_numbered(run),
                "can_trade": status.can_trade,
                "state": status.state.value,
                "reasons": list(status.reasons),
            }
        case CycleStarted(run=run, at=at):
            return "cycle_started", {**_numbered(run), "at": at.isoformat()}
        case BooksFetched(run=run):
            return "books_fetched", {
                **_numbered(run),
                "events": news.events,
                "markets": news.markets,
                "books": news.books,
                "opportunities": news.opportunities,
            }
        case Decided():
            return "opportunity", _decided(news)
        case QualityAlarm(run=run, problem=alarm):
            return "data_quality", {
                **_numbered(run),
                "market": alarm.market,
                "problem": alarm.problem,
                "detail": alarm.detail,
            }
        case PlanStarted(plan=plan):
            return "plan_started", {
                "id": plan.id,
                "kind": str(plan.kind),
                "event": plan.event_slug,
                "legs": len(plan.legs),
                "outlay": text(plan.outlay),
            }
        case PlanEnded(plan=plan, report=report, reason=reason):
            return "plan_ended", {
                "id": plan.id,
                "kind": str(plan.kind),
                "event": plan.event_slug,
                "state": report.state.value,
                "realised": text(report.realised),
                "locked": text(report.locked),
                "reason": reason.value,
                "alarm": report.alarm,
            }
        case PaidOut(plan=plan, market=market, outcome=outcome, shares=shares, cash=cash):
            return "paid_out", {
                "plan": plan.id,
                "event": plan.event_slug,
                "market": market,
                "outcome": outcome,
                "shares": text(shares),
                "cash": text(cash),
            }
        case PlanResolved(plan=plan, report=report):
            return "plan_resolved", {
                "id": plan.id,
                "kind": str(plan.kind),
                "event": plan.event_slug,
                "state": report.state.value,
                "realised": text(report.realised),
            }
        case BotChanged(bot=bot, state=how, detail=detail):
            return "bot", {"bot": bot, "state": how, "detail": detail}
        case Trouble(problem=problem):
            told = {"kind": problem.kind.value, "where": problem.where, "what": problem.what}
            return "trouble", told
        case StateChanged(state=state):
            now = news.standing
            return "state", {"state": state.value, "reason": now.text, "paused": now.paused}
        case Contradicted(found=found):
            return "contradiction", as_json(contradiction(found))
        case KindResumed(kind=kind, venue=venue, reason=reason):
            return "kind_resumed", {"kind": str(kind), "venue": venue, "reason": reason}
        case Attempted(account=account, fact=fact):
            return "attempt", {
                "account": account,
                "attempt": fact.attempt,
                "step": fact.step.value,
                "at": fact.at.isoformat(),
                "block": fact.block,
                "subject": fact.subject,
                "detail": fact.detail,
                "figures": dict(fact.values),
            }
        case AttemptsLooked(account=account, sums=sums):
            return "attempts", {
                "account": account,
                "block": sums.block,
                "watched": sums.watched,
                "near": sums.near,
                "within_reach": sums.within_reach,
                "submissions": sums.submissions,
                "inclusion_rate": None
                if sums.inclusion_rate is None
                else f"{sums.inclusion_rate:.4f}",
                "simulation_accuracy": None if sums.accuracy is None else f"{sums.accuracy:.4f}",
                "consecutive_failures": sums.failures_in_row,
                "returned_usd": text(sums.returned),
                "volume_today_usd": text(sums.volume_today),
            }
        case AttemptsChanged(account=account, standing=now):
            return "attempts_state", {
                "account": account,
                "state": now.state.value,
                "reason": now.reason,
                "paused": now.paused,
            }
        case ChainSeen(venue=venue, state=chain):
            return "chain", {
                "venue": venue,
                "block": chain.block,
                "gas": None if chain.gas is None else text(chain.gas),
                "gas_least": text(chain.gas_least),
                "coin": chain.coin,
            }
        case SignalSeen(strategy=strategy, symbol=symbol, side=side, why=why, done=done):
            return "signal", {
                "strategy_name": strategy,
                "symbol": symbol,
                "signal": side.value,
                "why": why,
                "done": done,
            }
        case CycleEnded(report=report):
            return "cycle_ended", summary(report)
        case CycleFailed(run=run, error=error):
            return "cycle_failed", {**_numbered(run), "what": cause(error)}
        case CycleSkipped(reason=reason):
            return "cycle_skipped", {"reason": reason}
        case Stopped(statistics=statistics):
            return "stopped", {"cycles": statistics.cycles}


def _numbered(run: int | None) -> dict[str, Any]:
    """A run's number, and the same by its name before runs."""
    return {"run": run, "cycle": run}


def summary(report: CycleReport) -> dict[str, Any]:
    """A cycle in counts."""
    funnel = report.funnel
    return {
        **_numbered(report.run),
        "started_at": report.started_at.isoformat(),
        "duration_ms": report.duration_ms,
        "reachable": report.reachable,
        "events": report.events,
        "markets": report.markets,
        "books": report.books,
        "data_quality": report.data_quality_count,
        "errors": len(report.errors),
        "state": report.risk.state.value,
        "can_trade": report.risk.can_trade,
        "funnel": {name: getattr(funnel, name) for name in funnel.__dataclass_fields__},
        "reasons": {str(reason): count for reason, count in report.reasons},
    }


def _decided(news: Decided) -> dict[str, Any]:
    finding = news.finding
    assert isinstance(finding, Approved | Refused)
    found = finding.opportunity
    refused = finding.reason.value if isinstance(finding, Refused) else None
    return {
        "id": found.id,
        **_numbered(news.run),
        "kind": str(found.kind),
        "event": found.event.slug,
        "title": found.event.title,
        "exit": found.exit.value,
        "legs": len(found.legs),
        "size": text(found.size),
        "cost": text(found.cost),
        "fees": text(found.fees),
        "profit": text(found.profit),
        "decision": "approved" if refused is None else "refused",
        "reason": refused,
    }
