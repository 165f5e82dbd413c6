"""When to throttle, when to halt, and what may resume."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from arb.domain.contradiction import Contradiction
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.money import Usd, text
from arb.domain.position import ENDED_TRADES_KEPT, Portfolio
from arb.risk.limits import RiskLimits


def judge(standing: Standing, portfolio: Portfolio, limits: RiskLimits, now: datetime) -> Standing:
    """The state of trading that the account's record calls for. Only an operator ends a halt."""
    if standing.state is TradingState.HALTED:
        return standing
    failures = portfolio.consecutive_failures
    if failures >= limits.max_consecutive_failures:
        return Standing(
            state=TradingState.HALTED, reason=f"{failures} plans in a row failed", since=now
        )
    voided, ended = portfolio.trades_voided, portfolio.trades_ended
    if ended >= ENDED_TRADES_KEPT and voided > limits.max_voided * ended:
        reason = f"{voided} of the latest {ended} trades failed to settle"
        return Standing(state=TradingState.HALTED, reason=reason, since=now)
    near = _near_limits(portfolio, limits)
    state = TradingState.THROTTLED if near else TradingState.NORMAL
    reason = "; ".join(near)
    if (state, reason) == (standing.state, standing.reason):
        return standing
    return Standing(state=state, reason=reason, since=now)


def status(
    standing: Standing,
    portfolio: Portfolio,
    limits: RiskLimits,
    contradictions: Sequence[Contradiction] = (),
) -> RiskStatus:
    """Whether this cycle may trade, with every reason against; kinds that are stopped are named."""
    against: list[str] = []
    if standing.state is TradingState.HALTED:
        against.append(f"{standing.word}: {standing.reason}".removesuffix(": "))
    if portfolio.loss_today >= limits.max_daily_loss:
        against.append(
            f"daily loss ${text(portfolio.loss_today)} has reached ${text(limits.max_daily_loss)}"
        )
    for lost, most, of in _percents(portfolio, limits):
        if most is not None and lost >= most:
            against.append(_of_limit(lost, most, of))
    if portfolio.open_plans >= limits.max_open_positions:
        against.append(
            f"{portfolio.open_plans} open positions, at most {limits.max_open_positions}"
        )
    if portfolio.volume_today >= limits.max_daily_volume:
        against.append(
            f"daily volume ${text(portfolio.volume_today)} has reached "
            f"${text(limits.max_daily_volume)}"
        )
    reasons = against or ([standing.reason] if standing.reason else [])
    reasons += [found.sentence for found in contradictions]
    return RiskStatus(can_trade=not against, state=standing.state, reasons=tuple(reasons))


def _near_limits(portfolio: Portfolio, limits: RiskLimits) -> list[str]:
    share = limits.throttle_at
    near: list[str] = []
    if portfolio.loss_today >= share * limits.max_daily_loss > 0:
        near.append(_near("daily loss", portfolio.loss_today, limits.max_daily_loss))
    for lost, most, of in _percents(portfolio, limits):
        if most is not None and lost >= share * most > 0:
            near.append(_of_limit(lost, most, of))
    if portfolio.volume_today >= share * limits.max_daily_volume > 0:
        near.append(_near("daily volume", portfolio.volume_today, limits.max_daily_volume))
    if portfolio.consecutive_failures >= share * limits.max_consecutive_failures > 0:
        near.append(f"{portfolio.consecutive_failures} plans in a row failed")
    return near


def _of_limit(lost: Decimal, most: Decimal, of: str) -> str:
    return f"{lost:.2f} % {of}, the limit is {text(most)} %"


def _percents(
    portfolio: Portfolio, limits: RiskLimits
) -> tuple[tuple[Decimal, Decimal | None, str], ...]:
    """Losses in percent, their limits, and what they are."""
    return (
        (portfolio.loss_today_pct, limits.max_daily_loss_pct, "of the day's opening equity lost"),
        (portfolio.drawdown_pct, limits.max_drawdown_pct, "below the highest equity"),
    )


def _near(what: str, value: Usd, limit: Usd) -> str:
    how = "has reached" if value >= limit else "is near"
    return f"{what} ${text(value)} {how} its limit"
