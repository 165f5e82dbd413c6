"""News as sentences: one wording for every channel. Pure."""

from arb.domain.decision import Approved, Refused
from arb.domain.halt import TradingState
from arb.domain.money import text
from arb.domain.news import (
    BooksFetched,
    CycleEnded,
    CycleSkipped,
    CycleStarted,
    Decided,
    News,
    PlanEnded,
    PlanStarted,
    QualityAlarm,
    StateChanged,
    Stopped,
    Trouble,
)
from arb.domain.opportunity import Opportunity, Passed, ProvenLeg, Unproven
from arb.domain.plan import PlanState
from arb.domain.reason import Reason
from arb.domain.report import CycleReport

_LIMITS = frozenset(
    {
        Reason.HALTED,
        Reason.DAILY_LOSS,
        Reason.OPEN_POSITIONS,
        Reason.POSITION_SIZE,
        Reason.DAILY_VOLUME,
        Reason.CASH,
        Reason.CONSECUTIVE_FAILURES,
    }
)
_THIN = frozenset({Reason.NOT_ENOUGH_DEPTH, Reason.SIZED_BELOW_MIN, Reason.EDGE_VANISHED})


def say(news: News) -> tuple[str, str]:  # noqa: PLR0911  # one line for each kind of news
    """The level at which news is logged, and the sentence."""
    match news:
        case CycleStarted(cycle=cycle):
            return "INFO", f"Starting scan cycle #{cycle}"
        case BooksFetched(events=events, markets=markets, books=books):
            return "INFO", f"Read {events} events, {markets} markets, {books} books"
        case Decided():
            return _decided(news)
        case QualityAlarm(problem=problem):
            return "WARNING", f"Data quality: {problem.problem}: {problem.detail}"
        case PlanStarted(plan=plan):
            return "INFO", (
                f"Executing {plan.kind} on {plan.event_slug}: {len(plan.legs)} legs, "
                f"${text(plan.outlay)}, plan {plan.id}"
            )
        case PlanEnded():
            return _ended(news)
        case Trouble(problem=problem):
            return "ERROR", f"{problem.where}: {problem.what}"
        case StateChanged(state=state, reason=reason):
            level = "CRITICAL" if state is TradingState.HALTED else "WARNING"
            return level, f"Trading is {state}: {reason or 'all limits are far away again'}"
        case CycleEnded(report=report):
            return "INFO", _cycle(report)
        case CycleSkipped(reason=reason):
            return "WARNING", f"A cycle was skipped: {reason}"
        case Stopped(statistics=statistics):
            return "INFO", f"Stopped after {statistics.cycles} cycles"


def details(news: News) -> tuple[str, ...]:
    """What only somebody who looks for a cause wants to read: the prices of each leg."""
    if not isinstance(news, Decided) or not isinstance(news.finding, Approved | Refused):
        return ()
    id_ = news.finding.opportunity.id
    return tuple(f"{id_}: {_leg(proven)}" for proven in news.finding.opportunity.legs)


def _leg(proven: ProvenLeg) -> str:
    leg, market = proven.leg, proven.market
    taken = ", ".join(f"{text(fill.size)} @ {text(fill.price)}" for fill in proven.fills)
    return (
        f"{leg.side} {market.outcome(leg.outcome)} of {market.slug}, limit {text(leg.limit)}: "
        f"{taken}, ${text(proven.value)} and ${text(proven.fee)} fee"
    )


def _decided(news: Decided) -> tuple[str, str]:
    finding = news.finding
    match finding:
        case Approved(opportunity=opportunity):
            return "INFO", f"{_found(opportunity)}, approved"
        case Refused(opportunity=opportunity, reason=reason):
            level = "WARNING" if reason in _LIMITS | _THIN else "INFO"
            return level, f"{_found(opportunity)}, refused: {reason}"
        case Unproven(candidate=candidate, reason=reason, detail=detail):
            level = "WARNING" if reason in _THIN else "DEBUG"
            return level, f"Passed over {candidate.event.slug}: {reason}: {detail}"
        case Passed(event=event, reason=reason, detail=detail):
            return "DEBUG", f"Passed over {event.slug}: {reason}: {detail}"


def _found(opportunity: Opportunity) -> str:
    return (
        f"Opportunity {opportunity.id}: {opportunity.kind} on {opportunity.event.slug}, "
        f"{text(opportunity.size)} shares x {len(opportunity.legs)} legs, "
        f"profit ${text(opportunity.profit)} ({opportunity.profit_fraction * 100:.2f} %)"
    )


def _ended(news: PlanEnded) -> tuple[str, str]:
    report = news.report
    if report.state is PlanState.DONE and report.locked > 0:
        return "SUCCESS", (
            f"Plan {report.plan} filled: ${text(report.locked)} bound until resolution, "
            f"then at least ${text(news.plan.payoff_worst)}"
        )
    if report.state is PlanState.DONE:
        return "SUCCESS", f"Plan {report.plan} done: profit ${text(report.realised)}"
    return "ERROR", f"Plan {report.plan} is {report.state}: {report.reason}"


def _cycle(report: CycleReport) -> str:
    funnel = report.funnel
    if not report.reachable:
        return f"Cycle #{report.cycle} ended after {report.duration_ms} ms: the venue is away"
    return (
        f"Cycle #{report.cycle} ended after {report.duration_ms} ms: {funnel.events} events, "
        f"{funnel.candidates} candidates, {funnel.proved} proved, {funnel.approved} approved, "
        f"{funnel.filled} filled"
    )
