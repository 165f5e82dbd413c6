"""The sum of all that an account has done."""

from datetime import datetime

from sqlalchemy import and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from arb.adapters.storage.tables import facts, plans, runs
from arb.domain.money import ZERO, Usd
from arb.domain.plan import PlanState
from arb.domain.report import FillRecord, Statistics


async def read_fill_records(db: AsyncConnection, account: str) -> dict[str, FillRecord]:
    """How plans of which an order was sent have ended, by kind."""
    sent = exists().where(facts.c.plan == plans.c.id, facts.c.key.like("submitted/%"))
    rows = await db.execute(
        select(plans.c.kind, plans.c.state, plans.c.realised, plans.c.outlay).where(
            plans.c.account == account, plans.c.state != PlanState.OPEN.value, sent
        )
    )
    found: dict[str, FillRecord] = {}
    for kind, state, realised, outlay in rows:
        before = found.get(kind, FillRecord())
        found[kind] = before.after(PlanState(state), realised, outlay)
    return found


async def read_statistics(
    db: AsyncConnection, account: str, since: datetime | None = None
) -> Statistics:
    """All runs and plans that ended, or those of them that did since a moment."""
    ended = and_(plans.c.account == account, plans.c.state != PlanState.OPEN.value)
    ran = and_(runs.c.account == account, runs.c.ended_at.is_not(None))
    if since is not None:
        ended, ran = and_(ended, plans.c.ended_at >= since), and_(ran, runs.c.ended_at >= since)
    count, found = (
        await db.execute(
            select(func.count(), func.coalesce(func.sum(runs.c.opportunities), 0)).where(ran)
        )
    ).one()
    by_state: dict[str, int] = dict(
        (
            await db.execute(
                select(plans.c.state, func.count()).where(ended).group_by(plans.c.state)
            )
        ).all()
    )
    realised, locked = (
        await db.execute(select(func.sum(plans.c.realised), func.sum(plans.c.locked)).where(ended))
    ).one()
    worst, outlay = (
        await db.execute(
            select(func.sum(plans.c.payoff_worst), func.sum(plans.c.outlay)).where(
                ended, plans.c.locked > ZERO, plans.c.state == PlanState.DONE.value
            )
        )
    ).one()
    successes = by_state.get(PlanState.DONE.value, 0)
    failures = by_state.get(PlanState.UNWOUND.value, 0)
    return Statistics(
        cycles=count,
        opportunities=int(found),
        trades=successes + failures,
        successes=successes,
        failures=failures,
        realised=Usd(realised or ZERO),
        locked=Usd(locked or ZERO),
        locked_profit=Usd((worst or ZERO) - (outlay or ZERO)),
    )
