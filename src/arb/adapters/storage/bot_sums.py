"""What bots did, summed up."""

from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from arb.adapters.storage.tables import bot_events, plans
from arb.domain.bot import BotDeed, BotSums
from arb.domain.money import NO_USD, ZERO, Usd
from arb.domain.plan import PlanState


async def read_bots(db: AsyncConnection, account: str, since: datetime | None) -> list[BotSums]:
    """Each bot of which something is known since a moment, or at all, by its id."""
    mine = [bot_events.c.account == account]
    if since is not None:
        mine.append(bot_events.c.at >= since)
    counted = (
        select(bot_events.c.bot, bot_events.c.deed, func.count(), func.max(bot_events.c.at))
        .where(*mine)
        .group_by(bot_events.c.bot, bot_events.c.deed)
    )
    deeds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    last: dict[str, datetime] = {}
    for bot, deed, times, at in await db.execute(counted):
        deeds[bot][deed] = times
        last[bot] = max(at, last.get(bot, at))
    ended = (
        select(bot_events.c.bot, plans.c.state, func.count(), func.sum(plans.c.realised))
        .join(plans, plans.c.id == bot_events.c.plan)
        .where(*mine, bot_events.c.deed == BotDeed.AGREED.value)
        .group_by(bot_events.c.bot, plans.c.state)
    )
    ends: defaultdict[str, Counter[str]] = defaultdict(Counter)
    realised: defaultdict[str, Decimal] = defaultdict(lambda: NO_USD)
    for bot, state, times, made in await db.execute(ended):
        ends[bot][state] = times
        realised[bot] += made or ZERO
    return [
        BotSums(
            bot=bot,
            asked=done[BotDeed.ASKED],
            agreed=done[BotDeed.AGREED],
            declined=done[BotDeed.DECLINED],
            silent=done[BotDeed.SILENT],
            impossible=done[BotDeed.IMPOSSIBLE],
            restarts=done[BotDeed.RESTARTING],
            successes=ends[bot][PlanState.DONE.value],
            failures=ends[bot][PlanState.UNWOUND.value],
            realised=Usd(realised[bot]),
            last_at=last[bot],
        )
        for bot, done in sorted(deeds.items())
    ]
