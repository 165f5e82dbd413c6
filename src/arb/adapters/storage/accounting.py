"""What facts do to an account, and what the account is then worth."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from arb.adapters.storage.codec import load_plan
from arb.adapters.storage.tables import accounts, entries, fills, plans, standings
from arb.domain.fact import Answered, Fact, Settled
from arb.domain.halt import TradingState
from arb.domain.market import MarketId, OutcomeId, VenueId
from arb.domain.money import NO_USD, ZERO, Shares, Usd
from arb.domain.order import PlanId
from arb.domain.plan import PlanState
from arb.domain.position import Portfolio, Position
from arb.domain.settlement import Effect

CASH = "USD"
FAILURES_COUNTED_MAX = 1000

Rows = list[dict[str, Any]]


def consequences(plan: PlanId, seq: int, fact: Fact) -> tuple[Rows, Rows]:
    """The fills and the double-entry lines that follow from one fact, without their account."""
    fill_rows: Rows = []
    lines: list[tuple[str, str | None, Usd | Shares]] = []
    match fact:
        case Answered(answer=answer, order=order):
            for number, fill in enumerate(answer.fills):
                fill_rows.append(
                    {
                        "id": f"{order}/{number}",
                        "plan": plan,
                        "seq": seq,
                        "order_id": order,
                        "venue": fill.outcome.venue,
                        "token": fill.outcome.token,
                        "market": fill.market,
                        "side": fill.side.value,
                        "price": fill.price,
                        "size": fill.size,
                        "fee": fill.fee,
                        "shown": fill.shown,
                        "at": fill.at,
                    }
                )
                lines.append((CASH, None, fill.cash))
                lines.append((str(fill.outcome), fill.market, fill.shares))
        case Settled(effect=Effect(cash=cash, shares=moved)):
            lines.append((CASH, None, cash))
            lines += [(str(outcome), market, delta) for outcome, market, delta in moved]
        case _:
            pass
    entry_rows = [
        {
            "plan": plan,
            "seq": seq,
            "line": line,
            "asset": asset,
            "market": market,
            "delta": delta,
        }
        for line, (asset, market, delta) in enumerate(lines)
    ]
    return fill_rows, entry_rows


def balances(which: ColumnElement[bool]) -> Select[Any]:
    """Share balances that are not zero, by outcome."""
    held = func.sum(entries.c.delta)
    return (
        select(entries.c.asset, func.max(entries.c.market).label("market"), held.label("shares"))
        .where(which, entries.c.asset != CASH)
        .group_by(entries.c.asset)
        .having(held != ZERO)
        .order_by(entries.c.asset)
    )


def position(row: Row[Any]) -> Position:
    """A row of `balances` as a position."""
    venue, token = row.asset.split(":", 1)
    return Position(
        outcome=OutcomeId(VenueId(venue), token),
        market=MarketId(row.market),
        shares=Shares(row.shares),
    )


async def read_portfolio(db: AsyncConnection, account: str, now: datetime) -> Portfolio:
    """The account as the next decision sees it."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    mine = plans.c.account == account
    opening = await db.scalar(select(accounts.c.opening_cash).where(accounts.c.account == account))
    moved = await db.scalar(
        select(func.sum(entries.c.delta)).where(
            entries.c.account == account, entries.c.asset == CASH
        )
    )
    ended = plans.c.state != PlanState.OPEN.value
    locked, waiting = (
        await db.execute(
            select(func.sum(plans.c.locked), func.count()).where(mine, ended, plans.c.locked > ZERO)
        )
    ).one()
    loss = await db.scalar(
        select(func.sum(plans.c.realised)).where(
            mine, ended, plans.c.realised < ZERO, plans.c.ended_at >= today
        )
    )
    spent = [
        fill.price * fill.size
        for fill in await db.execute(
            select(fills.c.price, fills.c.size).where(
                fills.c.account == account, fills.c.at >= today
            )
        )
    ]
    unfinished = [
        load_plan(stored)
        for stored in await db.scalars(
            select(plans.c.plan).where(mine, plans.c.state == PlanState.OPEN.value)
        )
    ]
    held = [
        position(row) for row in (await db.execute(balances(entries.c.account == account))).all()
    ]
    return Portfolio(
        cash=Usd((opening or ZERO) + (moved or ZERO)),
        promised=await _promised(db, [(plan.id, plan.outlay) for plan in unfinished]),
        locked=Usd(locked or ZERO),
        open_plans=len(unfinished) + waiting,
        volume_today=Usd(sum(spent, ZERO)),
        loss_today=Usd(-(loss or ZERO)),
        consecutive_failures=await _failures_in_a_row(db, account),
        busy=frozenset(market for plan in unfinished for market in plan.markets),
        positions={each.outcome: each for each in held},
    )


async def _promised(db: AsyncConnection, unfinished: Sequence[tuple[PlanId, Usd]]) -> Usd:
    """What open plans will still spend: their outlay less what their fills have cost already."""
    total = ZERO
    for plan, outlay in unfinished:
        paid = await db.scalar(
            select(func.sum(case((entries.c.delta < ZERO, -entries.c.delta), else_=0))).where(
                entries.c.plan == plan, entries.c.asset == CASH
            )
        )
        total += max(outlay - (paid or ZERO), ZERO)
    return Usd(total) if total else NO_USD


async def _failures_in_a_row(db: AsyncConnection, account: str) -> int:
    """Plans that failed since the last success, or since an operator last resumed trading."""
    resumed = await db.scalar(
        select(func.max(standings.c.since)).where(
            standings.c.account == account,
            standings.c.state == TradingState.NORMAL.value,
            standings.c.by_operator == 1,
        )
    )
    wanted = (
        select(plans.c.state)
        .where(plans.c.account == account, plans.c.state != PlanState.OPEN.value)
        .order_by(plans.c.ended_at.desc(), plans.c.id)
        .limit(FAILURES_COUNTED_MAX)
    )
    if resumed is not None:
        wanted = wanted.where(plans.c.ended_at > resumed)
    failures = 0
    for state in await db.scalars(wanted):
        if state != PlanState.UNWOUND.value:
            break
        failures += 1
    return failures
