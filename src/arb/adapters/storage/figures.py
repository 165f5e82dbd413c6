"""What a report is made of: cycles, plans and counted candidates of one account, in one view."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from arb.adapters.storage.accounting import is_cash, read_portfolio
from arb.adapters.storage.bot_sums import read_bots
from arb.adapters.storage.database import Database
from arb.adapters.storage.tables import entries, facts, findings, plans, runs
from arb.domain.bot import BotSums
from arb.domain.money import ZERO
from arb.domain.position import Portfolio


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFigure:
    """One completed run."""

    run: int
    started_at: datetime
    ended_at: datetime
    duration_ms: int
    opportunities: int
    reasons: dict[str, int]
    """How many candidates ended for each reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFigure:
    """One plan with the result of its orders."""

    id: str
    run: int
    kind: str
    event: str
    state: str
    approved_at: datetime
    ended_at: datetime | None
    answered_at: datetime | None
    """When the venue's last word on an order of the plan came."""
    outlay: Decimal
    payoff_worst: Decimal
    realised: Decimal
    locked: Decimal
    paid: Decimal
    """Cash that the plan's fills took, fees included, less what sold shares brought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateCount:
    """The number of candidates with one kind, decision and reason."""

    kind: str
    decision: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One consistent view of an account since some moment."""

    cycles: Sequence[CycleFigure]
    plans: Sequence[PlanFigure]
    candidates: Sequence[CandidateCount]
    bots: Sequence[BotSums]
    portfolio: Portfolio
    """The account now, whatever the period."""


async def read_figures(database: Database, account: str, since: datetime, now: datetime) -> Figures:
    """Cycles begun, plans approved and candidates seen since a moment, oldest first."""
    async with database.read() as db:
        return Figures(
            cycles=await _cycles(db, account, since),
            plans=await _plans(db, account, since),
            candidates=await _candidates(db, account, since),
            bots=await read_bots(db, account, since),
            portfolio=await read_portfolio(db, account, now),
        )


async def _cycles(db: AsyncConnection, account: str, since: datetime) -> list[CycleFigure]:
    wanted = (
        select(runs)
        .where(
            runs.c.account == account,
            runs.c.started_at >= since,
            runs.c.ended_at.is_not(None),
        )
        .order_by(runs.c.run)
    )
    return [
        CycleFigure(
            run=row.run,
            started_at=row.started_at,
            ended_at=row.ended_at,
            duration_ms=row.duration_ms,
            opportunities=row.opportunities,
            reasons=dict(msgspec.json.decode(row.summary)["reasons"]),
        )
        for row in await db.execute(wanted)
    ]


async def _plans(db: AsyncConnection, account: str, since: datetime) -> list[PlanFigure]:
    mine = (plans.c.account == account, plans.c.approved_at >= since)
    # What an exit moves is the plan's income; everything else in cash is what its orders cost.
    moved = (
        select(entries.c.plan, func.sum(entries.c.delta))
        .join(facts, (facts.c.plan == entries.c.plan) & (facts.c.seq == entries.c.seq))
        .join(plans, plans.c.id == entries.c.plan)
        .where(*mine, is_cash(entries.c.asset), facts.c.key.not_like("settled/%"))
        .group_by(entries.c.plan)
    )
    answered = (
        select(facts.c.plan, func.max(facts.c.at))
        .join(plans, plans.c.id == facts.c.plan)
        .where(*mine, or_(facts.c.key.like("answered/%"), facts.c.key.like("discovered/%")))
        .group_by(facts.c.plan)
    )
    cash: dict[str, Decimal] = dict((await db.execute(moved)).all())
    answers: dict[str, datetime] = dict((await db.execute(answered)).all())
    wanted = select(plans).where(*mine).order_by(plans.c.approved_at, plans.c.id)
    return [_plan(row, cash, answers) for row in await db.execute(wanted)]


def _plan(row: Any, cash: dict[str, Decimal], answers: dict[str, datetime]) -> PlanFigure:
    return PlanFigure(
        id=row.id,
        run=row.run,
        kind=row.kind,
        event=row.event,
        state=row.state,
        approved_at=row.approved_at,
        ended_at=row.ended_at,
        answered_at=answers.get(row.id),
        outlay=row.outlay,
        payoff_worst=row.payoff_worst,
        realised=row.realised,
        locked=row.locked,
        paid=-cash.get(row.id, ZERO),
    )


async def _candidates(db: AsyncConnection, account: str, since: datetime) -> list[CandidateCount]:
    named = (findings.c.kind, findings.c.decision, findings.c.reason)
    wanted = (
        select(*named, func.count())
        .where(findings.c.account == account, findings.c.at >= since)
        .group_by(*named)
        .order_by(*named)
    )
    return [
        CandidateCount(kind=kind, decision=decision, reason=reason or "", count=count)
        for kind, decision, reason, count in await db.execute(wanted)
    ]
