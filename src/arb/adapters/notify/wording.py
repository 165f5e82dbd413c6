"""The texts of alerts: one wording for every channel. Pure."""

from decimal import Decimal

from arb.domain.halt import TradingState
from arb.domain.money import Usd, text
from arb.domain.news import (
    AttemptsChanged,
    BotChanged,
    ChainSeen,
    Contradicted,
    CycleFailed,
    News,
    PaidOut,
    PlanEnded,
    PlanResolved,
    StateChanged,
    Trouble,
    cause,
)
from arb.domain.plan import ExecutionReport, Plan
from arb.domain.position import Portfolio
from arb.domain.report import Statistics


def say(news: News) -> str:  # noqa: PLR0911, PLR0912  # one sentence for each kind
    """The sentence for news that a person may have to act on; empty for all other news."""
    match news:
        case StateChanged(state=TradingState.HALTED):
            now = news.standing
            fix = "" if now.outage else " `arb resume` ends it."
            return f"Trading is {now.word}: {now.reason or 'no reason given'}.{fix}"
        case StateChanged(state=TradingState.THROTTLED, reason=reason):
            return f"Trading is throttled: {reason}. It does half the work and recovers by itself."
        case Contradicted(found=found):
            return f"{found.sentence}. Once you have looked, `{found.command}` ends it."
        case PlanEnded(plan=plan, report=report) if report.alarm:
            return f"Plan {plan.id} on {plan.event_slug} needs a look: {report.alarm}."
        case CycleFailed(error=error):
            return f"A cycle has failed: {cause(error)}. The traceback is in the log."
        case PlanResolved(plan=plan, report=report):
            kind = "a loss" if report.realised < 0 else "a profit"
            amount = text(abs(report.realised))
            return f"Plan {plan.id} on {plan.event_slug} is resolved with {kind} of ${amount}."
        case PaidOut(market=market, outcome=outcome, shares=shares, cash=cash):
            return f"{text(shares)} {outcome} of {market} are paid out: ${text(cash)}."
        case BotChanged(bot=bot, state=state, detail=detail):
            return f"Bot {bot} is {state}: {detail}."
        case AttemptsChanged(account=account, standing=now):
            fix = "It does half the work and recovers by itself."
            if now.state is TradingState.HALTED:
                fix = "" if now.outage else "`arb liquidations --resume REASON` ends it."
            return f"{account}: {now.word}: {now.reason or 'no reason given'}. {fix}".rstrip()
        case ChainSeen(venue=venue, state=chain) if chain.gas is not None and chain.low:
            has, least = text(chain.gas), text(chain.gas_least)
            return f"The wallet has {has} {chain.coin} for gas at {venue}, less than {least}."
        case Trouble(problem=problem):
            return f"{problem.where}: {problem.what}"
        case _:
            return ""


def filled(plan: Plan, report: ExecutionReport) -> str:
    """A trade was filled: what it has brought, or what it will."""
    trade = f"Plan {plan.id}, {plan.kind} on {plan.event_slug}, is filled:"
    if report.locked:
        least = f"then at least ${text(plan.payoff_worst)}"
        return f"{trade} ${text(report.locked)} bound until resolution, {least}."
    kind = "a loss" if report.realised < 0 else "a profit"
    return f"{trade} {kind} of ${text(abs(report.realised))}."


def balance_low(cash: Usd, least: Usd) -> str:
    """There is little cash left."""
    return f"The balance is low: ${text(cash)}, less than ${text(least)}."


def few_included(filled: int, plans: int) -> str:
    """Plans that are sent are rarely filled."""
    return f"Only {filled} of the last {plans} plans were filled ({100 * filled // plans} %)."


def failures(count: int) -> str:
    """Plans fail one after the other."""
    return f"{count} plans in a row have failed."


def attempts_failing(account: str, count: int) -> str:
    """Attempts fail one after the other."""
    return f"{account}: {count} attempts in a row have failed."


def volume_high(volume: Usd, limit: Usd) -> str:
    """The day's volume comes near its limit."""
    share = Decimal(volume) / limit * 100
    return f"The day's volume is ${text(volume)}, {share:.0f} % of the limit of ${text(limit)}."


def summary(day: Statistics, whole: Statistics, portfolio: Portfolio) -> str:
    """The day in a few lines.

    Args:
        day: Of the 24 hours that end now.
        whole: Since the account was opened.
        portfolio: As it is now.
    """
    lines = (
        f"The last 24 hours: {day.cycles} cycles, {day.opportunities} opportunities, "
        f"{day.successes} plans done, {day.failures} failed.",
        f"Profit realised ${text(day.realised)}, ${text(whole.realised)} since the account was "
        f"opened; bound until resolution ${text(whole.locked)}.",
        f"Cash ${text(portfolio.cash)}, {portfolio.open_plans} plans open.",
    )
    return "\n".join(lines)


def held_back(count: int, sentences: list[str]) -> str:
    """What waited for the end of the quiet hours."""
    more = [f"… and {count - len(sentences)} more."] if count > len(sentences) else []
    return "\n".join([f"While it was quiet, {count} alerts waited:", *sentences, *more])
