"""News as sentences: one wording for every channel. Pure."""

from arb.domain.attempt import AttemptFact, AttemptStep
from arb.domain.decision import Approved, Refused
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.money import Usd, text
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
from arb.domain.opportunity import Opportunity, ProvenLeg, Skipped, Unproven
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, ProblemKind

_LIMITS = frozenset(
    {
        Reason.HALTED,
        Reason.CONTRADICTED,
        Reason.DAILY_LOSS,
        Reason.DRAWDOWN,
        Reason.RISK_PER_TRADE,
        Reason.OPEN_POSITIONS,
        Reason.POSITION_SIZE,
        Reason.DAILY_VOLUME,
        Reason.CASH,
        Reason.CONSECUTIVE_FAILURES,
    }
)
_BOT_LEVELS = {"restarting": "WARNING", "failed": "ERROR"}
_TRADES = (PlanStarted, PlanEnded, PaidOut, PlanResolved)
LIVE = "live"
_THIN = frozenset({Reason.NOT_ENOUGH_DEPTH, Reason.SIZED_BELOW_MIN, Reason.EDGE_VANISHED})


def say(news: News) -> tuple[str, str]:  # noqa: PLR0911, PLR0912  # one for each kind
    """The level at which news is logged, and the sentence."""
    match news:
        case Started(mode=mode, account=account, every_seconds=every):
            rhythm = "one cycle" if every is None else f"scanning every {every:g} s"
            return "INFO", (
                f"Orchestrator initialized (dry_run={mode != LIVE}): account {account}, {rhythm}"
            )
        case Ready():
            return "SUCCESS", "✓ All components initialized successfully"
        case Running(every_seconds=every):
            rhythm = "" if every is None else f" Scanning every {every:g}s"
            return "SUCCESS", f"✓ Arbitrage system started!{rhythm}"
        case CycleStarted(run=run):
            return "INFO", f"Starting scan cycle #{run}"
        case RiskChecked(status=status):
            return _risk(status)
        case BooksFetched(events=events, markets=markets, books=books, opportunities=proved):
            return "INFO", (
                f"Found {proved} opportunities in {events} events, {markets} markets, {books} books"
            )
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
        case PaidOut(plan=plan, market=market, outcome=outcome, shares=shares, cash=cash):
            return "SUCCESS" if cash else "INFO", (
                f"Paid out: {text(shares)} {outcome} of {market} for ${text(cash)}, plan {plan.id}"
            )
        case PlanResolved(plan=plan, report=report):
            return _resolved(plan, report)
        case BotChanged(bot=bot, state=how, detail=detail):
            return _BOT_LEVELS.get(how, "INFO"), f"Bot {bot} is {how}: {detail}"
        case Trouble(problem=problem):
            return "ERROR", f"{problem.where}: {problem.what}"
        case StateChanged():
            return _state(news.standing)
        case Contradicted(found=found):
            return "CRITICAL", f"{found.sentence}; once you have looked, `{found.command}`"
        case KindResumed(kind=kind, venue=venue, reason=reason):
            why = reason or "an operator has looked"
            return "WARNING", f"{kind} is traded again at {venue}: {why}"
        case ChainSeen(venue=venue, state=chain):
            has = "" if chain.gas is None else f", {text(chain.gas)} {chain.coin} for gas"
            return "DEBUG", f"The chain of {venue} is at block {chain.block}{has}"
        case SignalSeen(strategy=strategy, symbol=symbol, side=side, why=why, done=done):
            return "INFO", f"{strategy} at {symbol} says {side}, since {why}: {done}"
        case Attempted(account=account, fact=fact):
            return _attempted(account, fact)
        case AttemptsLooked(account=account, sums=sums):
            return "DEBUG", (
                f"{account}: block {sums.block}, {sums.watched} watched, {sums.near} near, "
                f"{sums.within_reach} within reach"
            )
        case AttemptsChanged(account=account, standing=now):
            level = "INFO" if now.state is TradingState.NORMAL else _state(now)[0]
            why = f": {now.reason}" if now.reason else ""
            return level, f"{account}: attempts are {now.word}{why}"
        case CycleEnded(report=report):
            return "INFO", _cycle(report)
        case CycleFailed(run=number, error=error):
            return "ERROR", f"{_of(number)} failed and ends here: {cause(error)}"
        case CycleSkipped(reason=reason):
            return "WARNING", f"A cycle was skipped: {reason}"
        case Stopped(statistics=statistics):
            return "INFO", f"Stopped after {statistics.cycles} cycles"


def _risk(status: RiskStatus) -> tuple[str, str]:
    """A limit that is near, and a kind that is stopped, are reported when they get so."""
    reasons = "; ".join(status.reasons)
    if status.can_trade:
        return "DEBUG", f"Risk check passed: trading is {status.state}" + (
            reasons and f": {reasons}"
        )
    what = "check not passed" if status.state is TradingState.HALTED else "limits exceeded"
    return "WARNING", f"Risk {what}: this cycle trades nothing: {reasons}"


_ATTEMPT_LEVELS = {
    AttemptStep.FOUND: "INFO",
    AttemptStep.INCLUDED: "SUCCESS",
    AttemptStep.REVERTED: "ERROR",
    AttemptStep.DROPPED: "WARNING",
    AttemptStep.FAILED: "ERROR",
    AttemptStep.SUBMITTED: "INFO",
    AttemptStep.REFUSED: "INFO",
}


def _attempted(account: str, fact: AttemptFact) -> tuple[str, str]:
    """A step of an attempt, with the figures that matter at it."""
    shown = ("refusal", "repays_usd", "returns_usd", "costs_usd", "returned_usd", "hashes")
    figures = ", ".join(f"{name} {fact.values[name]}" for name in shown if name in fact.values)
    said = "; ".join(part for part in (fact.detail, figures) if part)
    sentence = f"{account}: attempt {fact.attempt} at {fact.subject}: {fact.step}"
    return _ATTEMPT_LEVELS.get(fact.step, "DEBUG"), f"{sentence}{said and ': '}{said}"


def _state(now: Standing) -> tuple[str, str]:
    """What needs a person to go on is critical; a pause that was meant, or that ends, is not."""
    bad = now.state is TradingState.HALTED and not now.outage
    level = "CRITICAL" if bad and not (now.paused and now.by_operator) else "WARNING"
    nothing = "no reason given" if bad else "no limit is near any more"
    return level, f"Trading is {now.word}: {now.reason or nothing}"


def spoken(news: News, *, live: bool) -> tuple[str, str]:
    """The same, with what concerns trades saying whether the money is real."""
    level, sentence = say(news)
    concerns = (
        isinstance(news, _TRADES)
        or (isinstance(news, Decided) and isinstance(news.finding, Approved))
        or (isinstance(news, Trouble) and news.problem.kind is ProblemKind.PLAN)
    )
    if isinstance(news, PlanStarted) and not live:
        sentence = f"Would execute trade here; on paper: {sentence}"
    return level, f"{mark(live=live)} {sentence}" if concerns else sentence


def mark(*, live: bool) -> str:
    """Whether the money is real, as lines begin."""
    return "[LIVE]" if live else "[DRY RUN]"


def details(news: News) -> tuple[str, ...]:
    """Details for debugging: the prices of each leg."""
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
            return "INFO", f"{in_one_line(opportunity)}, approved"
        case Refused(opportunity=opportunity, reason=reason):
            level = "WARNING" if reason in _LIMITS | _THIN else "INFO"
            return level, f"{in_one_line(opportunity)}, refused: {reason}"
        case Unproven(candidate=candidate, reason=reason, detail=detail):
            level = "WARNING" if reason in _THIN else "DEBUG"
            return level, f"Skipped over {candidate.event.slug}: {reason}: {detail}"
        case Skipped(event=event, reason=reason, detail=detail):
            return "DEBUG", f"Skipped over {event.slug}: {reason}: {detail}"


def in_one_line(opportunity: Opportunity) -> str:
    """An opportunity in one line."""
    return (
        f"Opportunity {opportunity.id}: {opportunity.kind} on {opportunity.event.slug}, "
        f"{text(opportunity.size)} shares x {len(opportunity.legs)} legs, "
        f"profit ${text(opportunity.profit)} ({opportunity.profit_fraction * 100:.2f} %)"
    )


def _ended(news: PlanEnded) -> tuple[str, str]:
    report = news.report
    if report.state is PlanState.DONE and report.locked > 0 and not news.plan.payoff_worst:
        return (
            "SUCCESS",
            f"Plan {report.plan} bought for ${text(report.locked)}, nothing guaranteed",
        )
    if report.state is PlanState.DONE and report.locked > 0:
        loss = report.locked > news.plan.payoff_worst
        return "WARNING" if loss else "SUCCESS", (
            f"Plan {report.plan} filled{' at a loss' if loss else ''}: ${text(report.locked)} "
            f"bound until resolution, then at least ${text(news.plan.payoff_worst)}"
        )
    if report.state is PlanState.DONE:
        return _gain(f"Plan {report.plan} done", report.realised)
    return "ERROR", f"Plan {report.plan} is {report.state}: {report.reason}"


def _resolved(plan: Plan, report: ExecutionReport) -> tuple[str, str]:
    return _gain(f"Plan {plan.id} on {plan.event_slug} is resolved", report.realised)


def _gain(what: str, realised: Usd) -> tuple[str, str]:
    """An end in cash: a loss is no success."""
    if realised < 0:
        return "WARNING", f"{what} at a loss of ${text(-realised)}"
    return "SUCCESS", f"{what}: profit ${text(realised)}"


def _of(run: int | None) -> str:
    return "A cycle" if run is None else f"Cycle #{run}"


def _cycle(report: CycleReport) -> str:
    funnel = report.funnel
    if not report.reachable:
        return f"Cycle #{report.run} ended after {report.duration_ms} ms: the venue is away"
    return (
        f"Cycle #{report.run} ended after {report.duration_ms} ms: {funnel.events} events, "
        f"{funnel.candidates} candidates, {funnel.proved} proved, {funnel.approved} approved, "
        f"{funnel.filled} filled"
    )
