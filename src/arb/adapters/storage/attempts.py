"""Facts of attempts on a chain, and the state of trading of their account."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import insert, select

from arb.adapters.storage.database import Database
from arb.adapters.storage.ledger import SqlLedger
from arb.adapters.storage.tables import attempt_facts
from arb.domain.attempt import AttemptFact, AttemptStep
from arb.domain.halt import Standing


class SqlAttempts:
    """See `arb.ports.Attempts`."""

    def __init__(self, database: Database, account: str) -> None:
        self._db = database
        self.account = account
        self._ledger = SqlLedger(database, account)

    async def open(self, at: datetime) -> None:
        """See `arb.ports.Attempts`."""
        await self._ledger.open_account({}, at)

    async def record(self, fact: AttemptFact) -> None:
        """See `arb.ports.Attempts`."""
        row = {
            "account": self.account,
            "attempt": fact.attempt,
            "step": fact.step.value,
            "at": fact.at,
            "block": fact.block,
            "subject": fact.subject,
            "detail": fact.detail,
            "figures": msgspec.json.encode(dict(fact.values)).decode(),
        }
        async with self._db.write(self.account) as db:
            await db.execute(insert(attempt_facts).values(row))

    async def facts(self, limit: int | None = None) -> Sequence[AttemptFact]:
        """See `arb.ports.Attempts`."""
        mine = attempt_facts.c.account == self.account
        wanted = select(attempt_facts).where(mine).order_by(attempt_facts.c.id.desc())
        if limit is not None:
            wanted = wanted.limit(limit)
        async with self._db.read() as db:
            rows = (await db.execute(wanted)).all()
        return [
            AttemptFact(
                attempt=row.attempt,
                step=AttemptStep(row.step),
                at=row.at,
                block=row.block,
                subject=row.subject,
                detail=row.detail,
                values=msgspec.json.decode(row.figures, type=dict[str, str]),
            )
            for row in reversed(rows)
        ]

    async def standing(self) -> Standing:
        """See `arb.ports.Attempts`."""
        return await self._ledger.standing()

    async def set_standing(self, standing: Standing) -> None:
        """See `arb.ports.Attempts`."""
        await self._ledger.set_standing(standing)

    async def close(self) -> None:
        """See `arb.ports.Attempts`."""
        await self._db.close()
