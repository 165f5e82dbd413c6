"""Read models: what the command line and the API show of the ledger."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Select, func, select

from arb.adapters.storage.accounting import account_positions
from arb.adapters.storage.codec import load_fact, load_plan
from arb.adapters.storage.database import Database
from arb.adapters.storage.tables import accounts, cycles, facts, fills, findings, leaders, plans
from arb.domain.errors import UnknownName
from arb.domain.fact import Fact
from arb.domain.plan import Plan, PlannedLeg
from arb.domain.position import Position

LIKE_MAX = 5
"""Candidates shown where an id may mean several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRow:
    """One candidate and its outcome."""

    id: str
    cycle: int
    at: datetime
    decision: str
    kind: str
    event: str
    title: str
    exit: str | None
    size: Decimal | None
    available: Decimal | None
    cost: Decimal | None
    fees: Decimal | None
    payoff_worst: Decimal | None
    profit: Decimal | None
    reason: str | None
    detail: str


FOUND_COLUMNS = list(FoundRow.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow(FoundRow):
    """One candidate with its proof."""

    certificate: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One plan."""

    id: str
    cycle: int
    kind: str
    event: str
    state: str
    approved_at: datetime
    ended_at: datetime | None
    outlay: Decimal
    payoff_worst: Decimal
    realised: Decimal
    locked: Decimal
    reason: str
    alarm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """One fill."""

    id: str
    plan: str
    slug: str
    """The market as the venue's site names it; like `outcome`, from the plan."""
    outcome: str
    market: str
    token: str
    side: str
    price: Decimal
    size: Decimal
    fee: Decimal
    at: datetime
    state: str


FILL_COLUMNS = [name for name in FillRow.__dataclass_fields__ if name not in ("slug", "outcome")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRow:
    """One cycle with its counts."""

    cycle: int
    started_at: datetime
    ended_at: datetime | None
    duration_ms: int | None
    markets: int | None
    books: int | None
    opportunities: int | None
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitRow:
    """How one plan ended."""

    at: datetime
    plan: str
    kind: str
    state: str
    realised: Decimal
    locked: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRow:
    """Shares of one outcome. The names are of the latest plan that traded it, empty if none did."""

    venue: str
    event: str
    slug: str
    outcome: str
    market: str
    token: str
    shares: Decimal
    plan: str
    """That plan's id."""
    cost: Decimal | None
    """USD that these shares cost, fee included."""
    closes_at: datetime | None
    """When trading in the market is to end, by the listing at the time of buying."""
    plan_paid: Decimal | None
    """USD that the plan has bound until its resolution."""
    plan_pays: Decimal | None
    """USD that the plan pays in the worst world."""
    plan_profit: Decimal | None
    """The difference: certain, and not realised yet."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account of the ledger."""

    account: str
    opened_at: datetime
    opening_cash: Decimal


class LedgerReads:
    """Reads of one account, also while an orchestrator writes."""

    def __init__(self, database: Database, account: str) -> None:
        self._db, self._account = database, account

    @property
    def database(self) -> Database:
        """Where it reads."""
        return self._db

    async def opportunities(self, *, limit: int = 50, everything: bool = False) -> list[FoundRow]:
        """The latest proven opportunities, or every candidate kept, newest first."""
        wanted = select(*(findings.c[name] for name in FOUND_COLUMNS))
        rows = await self._rows(self._latest(wanted, limit, everything=everything))
        return [FoundRow(**row._mapping) for row in rows]

    async def certified(self, *, limit: int = 50, everything: bool = False) -> list[FindingRow]:
        """The same with their proofs, which are long."""
        rows = await self._rows(self._latest(select(findings), limit, everything=everything))
        return [_finding(row) for row in rows]

    async def finding(self, id_: str) -> FindingRow:
        """One candidate by its id, or by the beginning of it.

        Raises:
            UnknownName: None has it, or several have.
        """
        rows = await self.findings_like(id_)
        if not rows:
            what = f"no candidate has the id {id_}, and no event of the ledger has this slug"
            raise UnknownName(f"{what}; `arb opportunities --all` lists them")
        if len(rows) > 1:
            some = ", ".join(f"{row.id} ({row.event})" for row in rows[:LIKE_MAX])
            more = ", …" if len(rows) > LIKE_MAX else ""
            raise UnknownName(f"several candidates' ids begin with {id_}: {some}{more}")
        return rows[0]

    async def latest_of_event(self, slug: str) -> FindingRow | None:
        """The latest candidate of an event; a proved one, where the same cycle has others, too."""
        wanted = (
            select(findings)
            .where(findings.c.account == self._account, findings.c.event == slug)
            .order_by(findings.c.cycle.desc(), findings.c.profit.is_(None), findings.c.id)
            .limit(1)
        )
        return next((_finding(row) for row in await self._rows(wanted)), None)

    async def plans(self, *, limit: int = 50, only_open: bool = False) -> list[PlanRow]:
        """The latest plans, newest first."""
        wanted = select(plans).where(plans.c.account == self._account)
        if only_open:
            wanted = wanted.where(plans.c.state == "open")
        wanted = wanted.order_by(plans.c.approved_at.desc(), plans.c.id).limit(limit)
        names = PlanRow.__dataclass_fields__
        return [
            PlanRow(**{name: getattr(row, name) for name in names})
            for row in await self._rows(wanted)
        ]

    async def findings_like(self, id_: str) -> list[FindingRow]:
        """The candidates whose id begins so; one more than are shown, at most."""
        wanted = (
            select(findings)
            .where(findings.c.account == self._account, findings.c.id.startswith(id_))
            .limit(LIKE_MAX + 1)
        )
        return [_finding(row) for row in await self._rows(wanted)]

    async def plan(self, id_: str) -> tuple[PlanRow, Plan] | None:
        """One plan: its row, and what was approved."""
        wanted = select(plans).where(plans.c.account == self._account, plans.c.id == id_)
        for row in await self._rows(wanted):
            names = PlanRow.__dataclass_fields__
            values = {name: getattr(row, name) for name in names}
            return PlanRow(**values), load_plan(row.plan)
        return None

    async def profits(self, *, limit: int) -> list[ProfitRow]:
        """How the latest plans ended, oldest first."""
        wanted = (
            select(plans)
            .where(plans.c.account == self._account, plans.c.ended_at.is_not(None))
            .order_by(plans.c.ended_at.desc(), plans.c.id)
            .limit(limit)
        )
        return [
            ProfitRow(
                at=row.ended_at,
                plan=row.id,
                kind=row.kind,
                state=row.state,
                realised=row.realised,
                locked=row.locked,
            )
            for row in reversed(await self._rows(wanted))
        ]

    async def cycles(self, *, limit: int) -> list[CycleRow]:
        """The latest completed cycles, newest first."""
        wanted = (
            select(cycles)
            .where(cycles.c.account == self._account, cycles.c.ended_at.is_not(None))
            .order_by(cycles.c.cycle.desc())
            .limit(limit)
        )
        return [_cycle(row) for row in await self._rows(wanted)]

    async def facts(self, plan: str) -> list[Fact]:
        """A plan's facts, in order."""
        wanted = select(facts.c.fact).where(facts.c.plan == plan).order_by(facts.c.seq)
        return [load_fact(row.fact) for row in await self._rows(wanted)]

    async def fills(self, *, limit: int = 50) -> list[FillRow]:
        """The latest fills, newest first."""
        wanted = (
            select(fills)
            .where(fills.c.account == self._account)
            .order_by(fills.c.at.desc(), fills.c.id)
            .limit(limit)
        )
        rows = await self._rows(wanted)
        legs = {
            (plan.id, leg.outcome.token): leg
            for plan in await self._plans_of({row.plan for row in rows})
            for leg in plan.legs
        }
        named = [(row, legs.get((row.plan, row.token))) for row in rows]
        return [
            FillRow(
                slug=leg.market_slug if leg else "",
                outcome=leg.outcome_name if leg else "",
                **{name: getattr(row, name) for name in FILL_COLUMNS},
            )
            for row, leg in named
        ]

    async def positions(self) -> list[HeldRow]:
        """What is held."""
        async with self._db.read() as db:
            held = await account_positions(db, self._account)
        traded = (
            select(fills.c.plan)
            .where(
                fills.c.account == self._account,
                fills.c.token.in_([position.outcome.token for position in held]),
            )
            .distinct()
        )
        ids = {row.plan for row in await self._rows(traded)}
        plans_ = await self._plans_of(ids)
        known = {leg.outcome: (plan, leg) for plan in plans_ for leg in plan.legs}
        bound = select(plans.c.id, plans.c.locked).where(plans.c.id.in_(ids))
        locked = {row.id: row.locked for row in await self._rows(bound)}
        closing = await self._closing(ids)
        rows = [_held(position, known.get(position.outcome), locked, closing) for position in held]
        return sorted(rows, key=lambda row: (row.event, row.plan, row.slug))

    async def _closing(self, ids: Collection[str]) -> dict[str, datetime]:
        """When the markets of these plans were to close, by token, from their certificates."""
        wanted = select(findings.c.certificate).where(
            findings.c.account == self._account, findings.c.id.in_(ids)
        )
        legs = [
            leg
            for row in await self._rows(wanted)
            for leg in msgspec.json.decode(row.certificate).get("legs", [])
        ]
        return {
            leg["token"]: datetime.fromisoformat(leg["closes_at"])
            for leg in legs
            if leg.get("closes_at")
        }

    async def accounts(self) -> list[AccountRow]:
        """Every account of the ledger, not this one's alone."""
        rows = await self._rows(select(accounts).order_by(accounts.c.account))
        return [AccountRow(row.account, row.opened_at, row.opening_cash) for row in rows]

    async def last_cycle(self) -> CycleRow | None:
        """The latest completed cycle."""
        newest = select(func.max(cycles.c.cycle)).where(
            cycles.c.account == self._account, cycles.c.ended_at.is_not(None)
        )
        rows = await self._rows(
            select(cycles).where(
                cycles.c.account == self._account, cycles.c.cycle == newest.scalar_subquery()
            )
        )
        if not rows:
            return None
        return _cycle(rows[0])

    async def close(self) -> None:
        """Let go of the database."""
        await self._db.close()

    def _latest(self, wanted: Select[Any], limit: int, *, everything: bool) -> Select[Any]:
        wanted = wanted.where(findings.c.account == self._account)
        if not everything:
            wanted = wanted.where(findings.c.decision.in_(["approved", "refused"]))
        return wanted.order_by(
            findings.c.cycle.desc(), findings.c.profit.desc().nulls_last()
        ).limit(limit)

    async def _plans_of(self, ids: Collection[str]) -> list[Plan]:
        """These plans, the oldest first."""
        wanted = select(plans.c.plan).where(plans.c.id.in_(ids)).order_by(plans.c.approved_at)
        return [load_plan(row.plan) for row in await self._rows(wanted)] if ids else []

    async def _rows(self, wanted: Select[Any]) -> list[Any]:
        async with self._db.read() as db:
            return list((await db.execute(wanted)).all())


async def leader_of(database: Database, account: str) -> str:
    """The account's latest leader; empty: there was none."""
    wanted = (
        select(leaders.c.holder)
        .where(leaders.c.account == account)
        .order_by(leaders.c.token.desc())
        .limit(1)
    )
    async with database.read() as db:
        return str(await db.scalar(wanted) or "")


def _held(
    position: Position,
    bought: tuple[Plan, PlannedLeg] | None,
    locked: Mapping[str, Decimal],
    closing: Mapping[str, datetime],
) -> HeldRow:
    plan, leg = bought or (None, None)
    paid = locked.get(plan.id) if plan else None
    return HeldRow(
        venue=position.outcome.venue,
        event=plan.event_slug if plan else "",
        slug=leg.market_slug if leg else "",
        outcome=leg.outcome_name if leg else "",
        market=position.market,
        token=position.outcome.token,
        shares=position.shares,
        plan=plan.id if plan else "",
        cost=(leg.value + leg.fee) * position.shares / leg.size if leg else None,
        closes_at=closing.get(position.outcome.token),
        plan_paid=paid or None,
        plan_pays=plan.payoff_worst if plan and paid else None,
        plan_profit=plan.payoff_worst - paid if plan and paid else None,
    )


def _finding(row: Any) -> FindingRow:
    names = FindingRow.__dataclass_fields__
    values = {name: getattr(row, name) for name in names}
    return FindingRow(**{**values, "certificate": msgspec.json.decode(row.certificate)})


def _cycle(row: Any) -> CycleRow:
    values = {name: getattr(row, name) for name in CycleRow.__dataclass_fields__}
    return CycleRow(**{**values, "summary": msgspec.json.decode(row.summary)})
