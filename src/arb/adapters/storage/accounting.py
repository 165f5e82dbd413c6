"""What facts do to an account, and what the account is then worth."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from arb.adapters.storage.codec import load_plan
from arb.adapters.storage.tables import (
    adjustments,
    entries,
    facts,
    fills,
    plans,
    pockets,
    standings,
)
from arb.domain.fact import Answered, Confirmed, Discovered, Fact, OperationEnded, Voided
from arb.domain.halt import TradingState
from arb.domain.market import MarketId, OutcomeId, VenueId
from arb.domain.money import NO_USD, ZERO, Shares, Usd
from arb.domain.operation import Effect
from arb.domain.order import Fill, PlanId, TradeState
from arb.domain.plan import Plan, PlanState
from arb.domain.position import ENDED_TRADES_KEPT, Pocket, Portfolio, Position

CASH = "/cash"
"""What follows the venue in the name of its cash; shares are `venue:token`."""
FAILURES_COUNTED_MAX = 1000

Rows = list[dict[str, Any]]
Line = tuple[str, str | None, Decimal]
"""Asset, market and change."""


def cash_at(venue: VenueId) -> str:
    """What the ledger calls the cash at a venue."""
    return f"{venue}{CASH}"


def is_cash(asset: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether an asset is cash, at whatever venue."""
    return asset.not_like("%:%")


def consequences(plan: PlanId, seq: int, fact: Fact) -> tuple[Rows, Rows]:
    """The fills and the double-entry lines that follow from one fact, without their account."""
    fill_rows: Rows = []
    lines: list[Line] = []
    match fact:
        case Answered(answer=answer, order=order):
            fill_rows = [
                _fill_row(plan, seq, f"{order}/{number}", fill)
                for number, fill in enumerate(answer.fills)
            ]
            lines = [line for fill in answer.fills for line in _lines(fill)]
        case Discovered(fills=found, order=order, trade=trade):
            fill_rows = [
                _fill_row(plan, seq, f"{order}/{trade}/{number}", fill)
                for number, fill in enumerate(found)
            ]
            lines = [line for fill in found for line in _lines(fill)]
        case Voided(fills=lost):
            # The way back of what was booked; nothing that is written is ever changed.
            lines = [
                (asset, market, -delta) for fill in lost for asset, market, delta in _lines(fill)
            ]
        case OperationEnded(effect=Effect() as done):
            lines = [(cash_at(done.venue), None, done.cash)]
            lines += [(str(outcome), market, delta) for outcome, market, delta in done.shares]
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


def new_state(fact: Fact) -> tuple[str, str, TradeState] | None:
    """The order and trade whose fills have changed state, and to which."""
    match fact:
        case Confirmed(order=order, trade=trade):
            return order, trade, TradeState.CONFIRMED
        case Voided(order=order, trade=trade):
            return order, trade, TradeState.VOIDED
        case _:
            return None


def balances(which: ColumnElement[bool]) -> Select[Any]:
    """Share balances that are not zero, by outcome."""
    held = func.sum(entries.c.delta)
    return (
        select(entries.c.asset, func.max(entries.c.market).label("market"), held.label("shares"))
        .where(which, ~is_cash(entries.c.asset))
        .group_by(entries.c.asset)
        .having(held != ZERO)
        .order_by(entries.c.asset)
    )


def position(row: Row[Any]) -> Position:
    """A row of `balances` as a position."""
    return _position(row.asset, row.market, row.shares)


async def account_positions(db: AsyncConnection, account: str) -> list[Position]:
    """Everything the account holds: what its plans left, and what was booked by hand."""
    held = {
        row.asset: (row.market, row.shares)
        for row in await db.execute(balances(entries.c.account == account))
    }
    booked = (
        select(adjustments.c.asset, adjustments.c.market, func.sum(adjustments.c.delta))
        .where(adjustments.c.account == account, ~is_cash(adjustments.c.asset))
        .group_by(adjustments.c.asset, adjustments.c.market)
    )
    for asset, market, delta in await db.execute(booked):
        before = held.get(asset, (market, ZERO))
        held[asset] = (before[0] or market, before[1] + delta)
    return [
        _position(asset, market, shares)
        for asset, (market, shares) in sorted(held.items())
        if shares != ZERO
    ]


async def read_portfolio(db: AsyncConnection, account: str, now: datetime) -> Portfolio:
    """The account as the next decision sees it."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    mine = plans.c.account == account
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
    unfinished = [
        load_plan(stored)
        for stored in await db.scalars(
            select(plans.c.plan).where(mine, plans.c.state == PlanState.OPEN.value)
        )
    ]
    realised, before_today, high = await _realised(db, account, today)
    resumed = await _resumed_at(db, account)
    trades_ended, trades_voided = await _ended_trades(db, account, resumed)
    return Portfolio(
        pockets=await _pockets(db, account, unfinished),
        locked=Usd(locked or ZERO),
        open_plans=len(unfinished) + waiting,
        volume_today=await _volume(db, account, fills.c.at >= today),
        loss_today=Usd(-(loss or ZERO)),
        capital=await _capital(db, account),
        realised=realised,
        realised_before_today=before_today,
        realised_high=high,
        consecutive_failures=await _failures_in_a_row(db, account, resumed),
        trades_ended=trades_ended,
        trades_voided=trades_voided,
        busy=frozenset(market for plan in unfinished for market in plan.markets),
        by_event=await _by_event(db, account, unfinished),
        provisional=await _volume(db, account, fills.c.state == TradeState.PROVISIONAL.value),
        positions={each.outcome: each for each in await account_positions(db, account)},
    )


async def _pockets(
    db: AsyncConnection, account: str, unfinished: Sequence[Plan]
) -> dict[VenueId, Pocket]:
    """The account's cash at each venue, and what of it open plans may still spend."""
    wanted = select(pockets.c.venue, pockets.c.opening_cash).where(pockets.c.account == account)
    cash = {
        VenueId(venue): opening
        for venue, opening in await db.execute(wanted.order_by(pockets.c.venue))
    }
    for table in (entries, adjustments):
        moved = (
            select(table.c.asset, func.sum(table.c.delta))
            .where(table.c.account == account, is_cash(table.c.asset))
            .group_by(table.c.asset)
        )
        for asset, delta in await db.execute(moved):
            venue = VenueId(asset.removesuffix(CASH))
            cash[venue] = cash.get(venue, ZERO) + delta
    promised = await _promised(db, unfinished)
    return {
        venue: Pocket(Usd(amount), promised.get(venue, NO_USD)) for venue, amount in cash.items()
    }


async def _capital(db: AsyncConnection, account: str) -> Usd:
    """Cash that came from outside: what pockets were opened with and what was booked by hand."""
    opened = select(func.sum(pockets.c.opening_cash)).where(pockets.c.account == account)
    booked = select(func.sum(adjustments.c.delta)).where(
        adjustments.c.account == account, is_cash(adjustments.c.asset)
    )
    return Usd((await db.scalar(opened) or ZERO) + (await db.scalar(booked) or ZERO))


async def _realised(db: AsyncConnection, account: str, today: datetime) -> tuple[Usd, Usd, Usd]:
    """What ended plans have realised in all, and before today, and the most that it has been."""
    so_far = func.sum(plans.c.realised).over(order_by=(plans.c.ended_at, plans.c.id))
    each = (
        select(plans.c.ended_at, plans.c.realised, so_far.label("so_far"))
        .where(
            plans.c.account == account,
            plans.c.state != PlanState.OPEN.value,
            plans.c.realised != ZERO,
        )
        .subquery()
    )
    before = case((each.c.ended_at < today, each.c.realised), else_=ZERO)
    wanted = select(func.sum(each.c.realised), func.sum(before), func.max(each.c.so_far))
    realised, before_today, high = (await db.execute(wanted)).one()
    return (
        Usd(realised or ZERO),
        Usd(before_today or ZERO),
        Usd(max(high or ZERO, ZERO)),
    )


async def _volume(db: AsyncConnection, account: str, which: ColumnElement[bool]) -> Usd:
    """Value of the fills that were not reversed."""
    wanted = select(fills.c.price, fills.c.size).where(
        fills.c.account == account, fills.c.state != TradeState.VOIDED.value, which
    )
    return Usd(sum((fill.price * fill.size for fill in await db.execute(wanted)), ZERO))


async def _by_event(
    db: AsyncConnection, account: str, unfinished: Sequence[Plan]
) -> dict[str, Usd]:
    """What open plans and what is held to resolution bind in each event."""
    held = select(plans.c.plan, plans.c.locked).where(
        plans.c.account == account, plans.c.state != PlanState.OPEN.value, plans.c.locked > ZERO
    )
    bound: defaultdict[str, Usd] = defaultdict(lambda: NO_USD)
    for stored, locked in await db.execute(held):
        # Of several events each is taken to bind all of it: which part is not kept.
        for slug in load_plan(stored).by_event:
            bound[slug] = Usd(bound[slug] + locked)
    for plan in unfinished:
        for slug, cost in plan.by_event.items():
            bound[slug] = Usd(bound[slug] + cost)
    return dict(bound)


async def _promised(db: AsyncConnection, unfinished: Sequence[Plan]) -> dict[VenueId, Usd]:
    """What open plans may still spend: the most they cost, less what their fills have cost."""
    totals: defaultdict[VenueId, Decimal] = defaultdict(lambda: ZERO)
    for plan in unfinished:
        for venue in plan.venues:
            paid = await db.scalar(
                select(func.sum(case((entries.c.delta < ZERO, -entries.c.delta), else_=0))).where(
                    entries.c.plan == plan.id, entries.c.asset == cash_at(venue)
                )
            )
            totals[venue] += max(plan.outlay_max_at(venue) - (paid or ZERO), ZERO)
    return {venue: Usd(amount) if amount else NO_USD for venue, amount in totals.items()}


async def _resumed_at(db: AsyncConnection, account: str) -> datetime | None:
    """When an operator last resumed trading."""
    found: datetime | None = await db.scalar(
        select(func.max(standings.c.since)).where(
            standings.c.account == account,
            standings.c.state == TradingState.NORMAL.value,
            standings.c.by_operator == 1,
        )
    )
    return found


async def _ended_trades(
    db: AsyncConnection, account: str, resumed: datetime | None
) -> tuple[int, int]:
    """How many of the latest trades have ended, and how many of those were voided."""
    voided = fills.c.state == TradeState.VOIDED.value
    wanted = (
        select(func.max(case((voided, 1), else_=0)))
        .where(
            fills.c.account == account,
            fills.c.trade != "",
            fills.c.state != TradeState.PROVISIONAL.value,
        )
        .group_by(fills.c.trade)
        .order_by(func.max(fills.c.at).desc(), fills.c.trade)
        .limit(ENDED_TRADES_KEPT)
    )
    if resumed is not None:
        wanted = wanted.where(fills.c.at > resumed)
    latest = list(await db.scalars(wanted))
    return len(latest), sum(latest)


async def _failures_in_a_row(db: AsyncConnection, account: str, resumed: datetime | None) -> int:
    """Plans that failed since the last success, or since an operator last resumed trading."""
    wanted = (
        select(plans.c.state)
        .where(
            plans.c.account == account,
            plans.c.state != PlanState.OPEN.value,
            # A plan of which nothing was sent proves nothing about how well sending works.
            plans.c.id.in_(select(facts.c.plan)),
        )
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


def _fill_row(plan: PlanId, seq: int, id_: str, fill: Fill) -> dict[str, Any]:
    state = TradeState.PROVISIONAL if fill.trade else TradeState.CONFIRMED
    return {
        "id": id_,
        "plan": plan,
        "seq": seq,
        "order_id": fill.order,
        "venue": fill.outcome.venue,
        "token": fill.outcome.token,
        "market": fill.market,
        "side": fill.side.value,
        "price": fill.price,
        "size": fill.size,
        "fee": fill.fee,
        "shown": fill.shown,
        "at": fill.at,
        "trade": fill.trade,
        "state": state.value,
    }


def _lines(fill: Fill) -> list[Line]:
    return [
        (cash_at(fill.outcome.venue), None, fill.cash),
        (str(fill.outcome), fill.market, fill.shares),
    ]


def _position(asset: str, market: str, shares: Shares) -> Position:
    venue, token = asset.split(":", 1)
    return Position(
        outcome=OutcomeId(VenueId(venue), token), market=MarketId(market), shares=shares
    )
