"""What the command line and the API read of the ledger, as the documents that they show."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Select, func, select

from arb.adapters.storage.accounting import account_positions
from arb.adapters.storage.bot_sums import read_bots
from arb.adapters.storage.codec import load_fact, load_plan
from arb.adapters.storage.database import Database
from arb.adapters.storage.tables import (
    accounts,
    attempt_facts,
    facts,
    fills,
    findings,
    leaders,
    plans,
    pockets,
    runs,
)
from arb.domain.bot import BotSums
from arb.domain.errors import UnknownName
from arb.domain.fact import Fact
from arb.domain.money import ZERO, micro_up
from arb.domain.plan import Plan, PlannedLeg
from arb.domain.position import Position
from arb.views import ledger
from arb.views.detail import opportunity_detail, plan_detail

LIKE_MAX = 5
"""Candidates shown where an id may mean several."""


def _columns(document: type[Any], *elsewhere: str) -> list[str]:
    """The fields of a document that are columns of the same name."""
    return [name for name in document.__dataclass_fields__ if name not in elsewhere]


FOUND_FIELDS = _columns(ledger.Opportunity, "cycle")
PLAN_FIELDS = _columns(ledger.Plan, "cycle")
FILL_FIELDS = _columns(ledger.Fill, "slug", "outcome")
RUN_FIELDS = _columns(ledger.Cycle, "cycle", "summary")


class LedgerReads:
    """See `arb.views.ledger.Reads`. Reads one account, also while an orchestrator writes."""

    def __init__(self, database: Database, account: str) -> None:
        self._db, self._account = database, account

    @property
    def database(self) -> Database:
        """Where it reads."""
        return self._db

    async def opportunities(
        self, *, limit: int = 50, everything: bool = False
    ) -> list[ledger.Opportunity]:
        """The latest proven opportunities, or every candidate kept, newest first."""
        wanted = select(*(findings.c[name] for name in FOUND_FIELDS))
        rows = await self._rows(self._latest(wanted, limit, everything=everything))
        return [ledger.Opportunity(**_values(row, FOUND_FIELDS), cycle=row.run) for row in rows]

    async def certified(
        self, *, limit: int = 50, everything: bool = False
    ) -> list[ledger.Certified]:
        """The same with their proofs, which are long."""
        rows = await self._rows(self._latest(select(findings), limit, everything=everything))
        return [_certified(row) for row in rows]

    async def opportunity(self, id_: str) -> ledger.OpportunityDetail | None:
        """One candidate by its id, or by the beginning of it; `None`: none has it, or several."""
        rows = await self._beginning(id_)
        return await self._detail(rows[0]) if len(rows) == 1 else None

    async def explained(self, name: str) -> ledger.OpportunityDetail:
        """The latest candidate of the event of this slug, or the one whose id begins so.

        Raises:
            UnknownName: None does, or several do.
        """
        latest = await self._latest_of_event(name)
        if latest is not None:
            return await self._detail(latest)
        rows = await self._beginning(name)
        if not rows:
            what = f"no candidate has the id {name}, and no event of the ledger has this slug"
            raise UnknownName(f"{what}; `arb opportunities --all` lists them")
        if len(rows) > 1:
            some = ", ".join(f"{row.id} ({row.event})" for row in rows[:LIKE_MAX])
            more = ", …" if len(rows) > LIKE_MAX else ""
            raise UnknownName(f"several candidates' ids begin with {name}: {some}{more}")
        return await self._detail(rows[0])

    async def plans(self, *, limit: int = 50, only_open: bool = False) -> list[ledger.Plan]:
        """The latest plans, newest first."""
        wanted = select(plans).where(plans.c.account == self._account)
        if only_open:
            wanted = wanted.where(plans.c.state == "open")
        wanted = wanted.order_by(plans.c.approved_at.desc(), plans.c.id).limit(limit)
        return [_plan(row) for row in await self._rows(wanted)]

    async def plan(self, id_: str) -> ledger.PlanDetail | None:
        """One plan with its legs and all its facts."""
        wanted = select(plans).where(plans.c.account == self._account, plans.c.id == id_)
        for row in await self._rows(wanted):
            return plan_detail(_plan(row), load_plan(row.plan), await self._facts(id_))
        return None

    async def profits(self, *, limit: int) -> list[ledger.Profit]:
        """How the latest plans ended, oldest first."""
        wanted = (
            select(plans)
            .where(plans.c.account == self._account, plans.c.ended_at.is_not(None))
            .order_by(plans.c.ended_at.desc(), plans.c.id)
            .limit(limit)
        )
        return [
            ledger.Profit(
                at=row.ended_at,
                plan=row.id,
                kind=row.kind,
                state=row.state,
                realised=row.realised,
                locked=row.locked,
            )
            for row in reversed(await self._rows(wanted))
        ]

    async def cycles(self, *, limit: int) -> list[ledger.Cycle]:
        """The latest completed runs, newest first."""
        wanted = (
            select(runs)
            .where(runs.c.account == self._account, runs.c.ended_at.is_not(None))
            .order_by(runs.c.run.desc())
            .limit(limit)
        )
        return [_cycle(row) for row in await self._rows(wanted)]

    async def attempts(self, *, limit: int) -> list[ledger.AttemptFact]:
        """The latest steps of attempts on a chain, newest first, of every account of attempts."""
        wanted = select(attempt_facts).order_by(attempt_facts.c.id.desc()).limit(limit)
        return [
            ledger.AttemptFact(
                account=row.account,
                attempt=row.attempt,
                step=row.step,
                at=row.at,
                block=row.block,
                subject=row.subject,
                detail=row.detail,
                figures=msgspec.json.decode(row.figures, type=dict[str, str]),
            )
            for row in await self._rows(wanted)
        ]

    async def fills(self, *, limit: int = 50) -> list[ledger.Fill]:
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
            ledger.Fill(
                slug=leg.market_slug if leg else "",
                outcome=leg.outcome_name if leg else "",
                **_values(row, FILL_FIELDS),
            )
            for row, leg in named
        ]

    async def positions(self) -> list[ledger.Position]:
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

    async def accounts(self) -> list[ledger.Account]:
        """Every account of the ledger, not this one's alone."""
        rows = await self._rows(select(accounts).order_by(accounts.c.account))
        openings: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
        for pocket in await self._rows(select(pockets).order_by(pockets.c.venue)):
            openings[pocket.account][pocket.venue] = pocket.opening_cash
        return [
            ledger.Account(
                account=row.account,
                opened_at=row.opened_at,
                opening_cash=sum(openings[row.account].values(), ZERO),
                openings=openings[row.account],
            )
            for row in rows
        ]

    async def bots(self) -> dict[str, BotSums]:
        """What each bot has done, by its id; those of which nothing is known are left out."""
        async with self._db.read() as db:
            return {sums.bot: sums for sums in await read_bots(db, self._account, None)}

    async def last_cycle(self) -> ledger.Cycle | None:
        """The latest completed run."""
        newest = select(func.max(runs.c.run)).where(
            runs.c.account == self._account, runs.c.ended_at.is_not(None)
        )
        rows = await self._rows(
            select(runs).where(
                runs.c.account == self._account, runs.c.run == newest.scalar_subquery()
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
            findings.c.run.desc(), findings.c.profit.desc().nulls_last(), findings.c.id
        ).limit(limit)

    async def _beginning(self, id_: str) -> list[ledger.Certified]:
        """The candidates whose id begins so; one more than are shown, at most."""
        wanted = (
            select(findings)
            .where(findings.c.account == self._account, findings.c.id.startswith(id_))
            .limit(LIKE_MAX + 1)
        )
        return [_certified(row) for row in await self._rows(wanted)]

    async def _latest_of_event(self, slug: str) -> ledger.Certified | None:
        """The latest candidate of an event; a proved one, where the same run has others, too."""
        wanted = (
            select(findings)
            .where(findings.c.account == self._account, findings.c.event == slug)
            .order_by(findings.c.run.desc(), findings.c.profit.is_(None), findings.c.id)
            .limit(1)
        )
        return next((_certified(row) for row in await self._rows(wanted)), None)

    async def _detail(self, found: ledger.Certified) -> ledger.OpportunityDetail:
        return opportunity_detail(found, await self._facts(found.id))

    async def _facts(self, plan: str) -> list[Fact]:
        """A plan's facts, in order."""
        wanted = select(facts.c.fact).where(facts.c.plan == plan).order_by(facts.c.seq)
        return [load_fact(row.fact) for row in await self._rows(wanted)]

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
) -> ledger.Position:
    plan, leg = bought or (None, None)
    paid = locked.get(plan.id) if plan else None
    each = micro_up((leg.value + leg.fee) / leg.size) if leg else None
    return ledger.Position(
        venue=position.outcome.venue,
        event=plan.event_slug if plan else "",
        slug=leg.market_slug if leg else "",
        outcome=leg.outcome_name if leg else "",
        market=position.market,
        token=position.outcome.token,
        shares=position.shares,
        plan=plan.id if plan else "",
        cost=(leg.value + leg.fee) * position.shares / leg.size if leg else None,
        price_paid=each,
        price=None,
        value=None,
        priced_at=None,
        no_value=ledger.NO_PRICES,
        closes_at=closing.get(position.outcome.token),
        plan_paid=paid or None,
        plan_pays=plan.payoff_worst if plan and paid else None,
        plan_profit=plan.payoff_worst - paid if plan and paid else None,
    )


def _values(row: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _certified(row: Any) -> ledger.Certified:
    return ledger.Certified(
        **_values(row, FOUND_FIELDS),
        cycle=row.run,
        certificate=msgspec.json.decode(row.certificate),
    )


def _plan(row: Any) -> ledger.Plan:
    return ledger.Plan(**_values(row, PLAN_FIELDS), cycle=row.run)


def _cycle(row: Any) -> ledger.Cycle:
    return ledger.Cycle(
        **_values(row, RUN_FIELDS), cycle=row.run, summary=msgspec.json.decode(row.summary)
    )
