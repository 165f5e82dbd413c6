"""The `SignalMemory` port over SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update

from arb.adapters.storage.codec import dump
from arb.adapters.storage.database import Database
from arb.adapters.storage.tables import equity_marks, fills, plans, signal_strategies
from arb.domain.instance import StrategyInstance
from arb.domain.market import MarketId, OutcomeId, VenueId
from arb.domain.money import Usd


class SqlSignals:
    """See `arb.ports.SignalMemory`. Its account has been opened."""

    def __init__(self, database: Database, account: str) -> None:
        self._db, self._account = database, account

    async def instances(self) -> Sequence[StrategyInstance]:
        """See `arb.ports.SignalMemory`."""
        wanted = (
            select(signal_strategies)
            .where(signal_strategies.c.account == self._account)
            .order_by(signal_strategies.c.added_at, signal_strategies.c.strategy)
        )
        async with self._db.read() as db:
            return [_instance(row) for row in await db.execute(wanted)]

    async def keep(self, instance: StrategyInstance) -> None:
        """See `arb.ports.SignalMemory`."""
        values = {
            "market": instance.market,
            "symbol": instance.symbol,
            "timeframe": instance.timeframe,
            "params": dump(dict(instance.params)),
            "added_at": instance.added_at,
            "followed": instance.followed,
        }
        names = {
            "account": self._account,
            "strategy": instance.strategy,
            "venue": instance.outcome.venue,
            "token": instance.outcome.token,
        }
        async with self._db.write(self._account) as db:
            known = self._this(instance)
            if await db.scalar(select(signal_strategies.c.symbol).where(known)) is None:
                await db.execute(insert(signal_strategies).values(**names, **values))
            else:
                await db.execute(update(signal_strategies).where(known).values(values))

    async def forget(self, instance: StrategyInstance) -> None:
        """See `arb.ports.SignalMemory`."""
        async with self._db.write(self._account) as db:
            await db.execute(delete(signal_strategies).where(self._this(instance)))

    async def mark(self, worth: Usd, at: datetime) -> None:
        """See `arb.ports.SignalMemory`."""
        this = and_(equity_marks.c.account == self._account, equity_marks.c.at == at)
        async with self._db.write(self._account) as db:
            if await db.scalar(select(equity_marks.c.at).where(this)) is None:
                row = {"account": self._account, "at": at, "worth": worth}
                await db.execute(insert(equity_marks).values(row))

    async def highest(self, since: datetime | None) -> Usd | None:
        """See `arb.ports.SignalMemory`."""
        wanted = select(func.max(equity_marks.c.worth)).where(
            equity_marks.c.account == self._account
        )
        if since is not None:
            wanted = wanted.where(equity_marks.c.at >= since)
        async with self._db.read() as db:
            found: Usd | None = await db.scalar(wanted)
            return found

    async def realised(self) -> Mapping[tuple[str, OutcomeId], Usd]:
        """See `arb.ports.SignalMemory`."""
        traded = (
            select(fills.c.plan, fills.c.venue, fills.c.token)
            .where(fills.c.account == self._account)
            .distinct()
            .subquery()
        )
        names = (plans.c.kind, traded.c.venue, traded.c.token)
        wanted = (
            select(*names, func.sum(plans.c.realised))
            .join(traded, traded.c.plan == plans.c.id)
            .where(plans.c.account == self._account)
            .group_by(*names)
        )
        async with self._db.read() as db:
            return {
                (kind, OutcomeId(VenueId(venue), token)): Usd(made)
                for kind, venue, token, made in await db.execute(wanted)
            }

    async def first(self, since: datetime) -> Usd | None:
        """See `arb.ports.SignalMemory`."""
        wanted = (
            select(equity_marks.c.worth)
            .where(equity_marks.c.account == self._account, equity_marks.c.at >= since)
            .order_by(equity_marks.c.at)
            .limit(1)
        )
        async with self._db.read() as db:
            found: Usd | None = await db.scalar(wanted)
            return found

    async def close(self) -> None:
        """Let go of the database."""
        await self._db.close()

    def _this(self, instance: StrategyInstance) -> ColumnElement[bool]:
        table = signal_strategies.c
        return and_(
            table.account == self._account,
            table.strategy == instance.strategy,
            table.venue == instance.outcome.venue,
            table.token == instance.outcome.token,
        )


def _instance(row: Row[Any]) -> StrategyInstance:
    return StrategyInstance(
        strategy=row.strategy,
        symbol=row.symbol,
        market=MarketId(row.market),
        outcome=OutcomeId(VenueId(row.venue), row.token),
        timeframe=row.timeframe,
        params=msgspec.json.decode(row.params, type=dict[str, str]),
        added_at=row.added_at,
        followed=row.followed,
    )
