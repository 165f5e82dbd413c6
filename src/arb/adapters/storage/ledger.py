"""The `Ledger` port over SQL: one account's memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from arb.adapters.storage.accounting import (
    balances,
    cash_at,
    consequences,
    is_cash,
    new_state,
    position,
    read_portfolio,
)
from arb.adapters.storage.codec import dump, dump_fact, dump_plan, fact_key, load_fact, load_plan
from arb.adapters.storage.database import Database
from arb.adapters.storage.render import finding_row
from arb.adapters.storage.sums import read_fill_records, read_statistics
from arb.adapters.storage.tables import (
    accounts,
    adjustments,
    bot_events,
    contradictions,
    entries,
    facts,
    fills,
    findings,
    leaders,
    plans,
    pockets,
    runs,
    standings,
)
from arb.domain.bot import BotEvent
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Approved, Finding, Refused
from arb.domain.errors import LedgerError, LedgerLocked
from arb.domain.fact import Fact
from arb.domain.halt import Standing, parse_standing
from arb.domain.market import MarketId, OutcomeId, Side, VenueId
from arb.domain.money import NO_USD, ZERO, Price, Shares, Usd, total
from arb.domain.opportunity import Skipped
from arb.domain.order import Fill, OrderId, PlanId, TradeState
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.position import Adjustment, Portfolio, Position
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, FillRecord, RunCause, Statistics
from arb.domain.snapshot import Snapshot

SKIPPED_KEPT_MAX = 500
"""Candidates without a proof that are kept one by one per run; the run counts them all."""

RENDERED_AT_ONCE = 10
"""Findings written out before others in the loop get their turn: some two milliseconds."""


class SqlLedger:
    """See `arb.ports.Ledger`. One writer at a time; every write is one transaction."""

    def __init__(self, database: Database, account: str, token: int | None = None) -> None:
        self._db = database
        self.account = account
        self._token = token
        """What proves that its holder leads the account; `None`: it writes beside the leader."""

    async def open_account(self, opening: Mapping[VenueId, Usd], at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        mine = accounts.c.account == self.account
        async with self._write() as db:
            if await db.scalar(select(accounts.c.account).where(mine)) is None:
                cash = total(opening.values())
                row = {"account": self.account, "opened_at": at, "opening_cash": cash}
                await db.execute(insert(accounts).values(row))
            wanted = select(pockets.c.venue).where(pockets.c.account == self.account)
            known = set(await db.scalars(wanted))
            new = [
                {
                    "account": self.account,
                    "venue": venue,
                    "currency": "USD",
                    "opened_at": at,
                    "opening_cash": cash,
                }
                for venue, cash in opening.items()
                if venue not in known
            ]
            if new:
                await db.execute(insert(pockets), new)

    async def opened_at(self) -> datetime | None:
        """See `arb.ports.Ledger`."""
        wanted = select(accounts.c.opened_at).where(accounts.c.account == self.account)
        async with self._db.read() as db:
            opened: datetime | None = await db.scalar(wanted)
            return opened

    async def begin_run(self, at: datetime, cause: RunCause) -> int:
        """See `arb.ports.Ledger`."""
        async with self._write() as db:
            last = await db.scalar(
                select(func.max(runs.c.run)).where(runs.c.account == self.account)
            )
            run = int(last or 0) + 1
            row = {"account": self.account, "run": run, "cause": cause.value, "started_at": at}
            await db.execute(insert(runs).values(row))
            return run

    async def record_findings(self, run: int, found: Sequence[Finding], snapshot: Snapshot) -> None:
        """See `arb.ports.Ledger`."""
        proven = [f for f in found if not isinstance(f, Skipped)]
        others = [f for f in found if isinstance(f, Skipped)][:SKIPPED_KEPT_MAX]
        rows: dict[str, dict[str, Any]] = {}
        for place, finding in enumerate((*proven, *others)):
            row = finding_row(finding, snapshot)
            rows[row["id"]] = {**row, "account": self.account, "run": run}
            if place % RENDERED_AT_ONCE == RENDERED_AT_ONCE - 1:
                await asyncio.sleep(0)
        async with self._write() as db:
            known = set(await db.scalars(select(findings.c.id).where(findings.c.id.in_(rows))))
            fresh = [row for id_, row in rows.items() if id_ not in known]
            if fresh:
                await db.execute(insert(findings), fresh)

    async def record_outcome(self, opportunity: str, reason: Reason, detail: str) -> None:
        """See `arb.ports.Ledger`."""
        decision = "approved" if reason is Reason.FILLED else "refused"
        async with self._write() as db:
            await db.execute(
                update(findings)
                .where(findings.c.id == opportunity)
                .values(decision=decision, reason=reason.value, detail=detail)
            )

    async def record_run(self, report: CycleReport) -> None:
        """See `arb.ports.Ledger`."""
        proven = sum(isinstance(f, Approved | Refused) for f in report.findings)
        summary = {
            "funnel": report.funnel,
            "reasons": [[str(reason), count] for reason, count in report.reasons],
            "completeness": report.completeness,
            "errors": report.errors,
            "data_quality": report.data_quality_count,
            "mode": report.mode,
        }
        values = {
            "ended_at": report.started_at + timedelta(milliseconds=report.duration_ms),
            "duration_ms": report.duration_ms,
            "markets": report.markets,
            "books": report.books,
            "opportunities": proven,
            "reachable": int(report.reachable),
            "summary": dump(summary),
        }
        async with self._write() as db:
            await db.execute(
                update(runs)
                .where(runs.c.account == self.account, runs.c.run == report.run)
                .values(values)
            )

    async def record_bot(self, event: BotEvent) -> None:
        """See `arb.ports.Ledger`."""
        row = {
            "account": self.account,
            "bot": event.bot,
            "deed": event.deed.value,
            "at": event.at,
            "plan": event.plan,
            "detail": event.detail,
            "said_profit": event.said_profit,
            "said_transaction": event.said_transaction,
        }
        async with self._write() as db:
            await db.execute(insert(bot_events).values(row))

    async def open_plan(self, run: int, plan: Plan) -> None:
        """See `arb.ports.Ledger`."""
        stored = dump_plan(plan)
        async with self._write() as db:
            known = await db.scalar(select(plans.c.plan).where(plans.c.id == plan.id))
            if known == stored:
                return
            if known is not None:
                raise LedgerError(f"plan {plan.id} is there already, and it is another one")
            row = {
                "id": plan.id,
                "account": self.account,
                "run": run,
                "kind": str(plan.kind),
                "event": plan.event_slug,
                "state": PlanState.OPEN.value,
                "approved_at": plan.approved_at,
                "outlay": plan.outlay,
                "payoff_worst": plan.payoff_worst,
                "realised": NO_USD,
                "locked": NO_USD,
                "reason": "",
                "plan": stored,
            }
            await db.execute(insert(plans).values(row))

    async def append(self, plan: PlanId, new: Sequence[Fact]) -> None:
        """See `arb.ports.Ledger`."""
        async with self._write() as db:
            known = set(await db.scalars(select(facts.c.key).where(facts.c.plan == plan)))
            seq = len(known)
            for fact in new:
                if fact_key(fact) in known:
                    continue
                known.add(fact_key(fact))
                await db.execute(insert(facts).values(_fact_row(plan, seq, fact)))
                for table, rows in self._consequences(plan, seq, fact):
                    if rows:
                        await db.execute(insert(table), rows)
                if (changed := new_state(fact)) is not None:
                    order, trade, state = changed
                    await db.execute(
                        update(fills)
                        .where(fills.c.order_id == order, fills.c.trade == trade)
                        .values(state=state.value)
                    )
                seq += 1

    async def facts(self, plan: PlanId) -> Sequence[Fact]:
        """See `arb.ports.Ledger`."""
        wanted = select(facts.c.fact).where(facts.c.plan == plan).order_by(facts.c.seq)
        async with self._db.read() as db:
            return [load_fact(stored) for stored in await db.scalars(wanted)]

    async def close_plan(self, report: ExecutionReport, at: datetime) -> None:
        """See `arb.ports.Ledger`. A plan that held something may be closed again with its worth."""
        async with self._write() as db:
            row = (await db.execute(select(plans).where(plans.c.id == report.plan))).one_or_none()
            if row is None:
                raise LedgerError(f"there is no plan {report.plan}")
            values = {
                "state": report.state.value,
                "realised": report.realised,
                "locked": report.locked,
                "reason": report.reason,
                "alarm": report.alarm,
            }
            if all(getattr(row, name) == value for name, value in values.items()):
                return
            untold = row.untold or row.state == PlanState.OPEN.value
            await db.execute(
                update(plans)
                .where(plans.c.id == report.plan)
                .values(**values, ended_at=at, untold=int(untold))
            )

    async def untold_ends(self) -> Sequence[tuple[Plan, ExecutionReport]]:
        """See `arb.ports.Ledger`."""
        wanted = (
            select(plans)
            .where(plans.c.account == self.account, plans.c.untold == 1)
            .order_by(plans.c.approved_at, plans.c.id)
        )
        async with self._db.read() as db:
            return [(load_plan(row.plan), _report(row)) for row in await db.execute(wanted)]

    async def mark_told(self, plan: PlanId) -> None:
        """See `arb.ports.Ledger`."""
        async with self._write() as db:
            await db.execute(update(plans).where(plans.c.id == plan).values(untold=0))

    async def recent(self, since: datetime) -> Sequence[tuple[Plan, Sequence[Fact]]]:
        """See `arb.ports.Ledger`."""
        touched = select(facts.c.plan).where(facts.c.at >= since)
        still_open = plans.c.state == PlanState.OPEN.value
        found = await self._plans(or_(plans.c.id.in_(touched), still_open))
        return [(plan, await self.facts(plan.id)) for plan in found]

    async def adjusted_at(self) -> datetime | None:
        """See `arb.ports.Ledger`."""
        wanted = select(func.max(adjustments.c.at)).where(adjustments.c.account == self.account)
        async with self._db.read() as db:
            last: datetime | None = await db.scalar(wanted)
            return last

    async def adjust(self, changes: Sequence[Adjustment], at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        rows = [
            {
                "account": self.account,
                "at": at,
                "asset": cash_at(change.venue) if change.outcome is None else str(change.outcome),
                "market": change.market,
                "delta": change.delta,
                "reason": change.reason,
            }
            for change in changes
        ]
        if rows:
            async with self._write() as db:
                await db.execute(insert(adjustments), rows)

    async def reopen_plan(self, plan: PlanId) -> None:
        """See `arb.ports.Ledger`."""
        values = {
            "state": PlanState.OPEN.value,
            "realised": NO_USD,
            "locked": NO_USD,
            "reason": "",
            "alarm": "",
            "ended_at": None,
            "untold": 0,
        }
        async with self._write() as db:
            await db.execute(update(plans).where(plans.c.id == plan).values(values))

    async def open_plans(self) -> Sequence[Plan]:
        """See `arb.ports.Ledger`."""
        return await self._plans(plans.c.state == PlanState.OPEN.value)

    async def locked_plans(self) -> Sequence[Plan]:
        """See `arb.ports.Ledger`."""
        holding = (
            select(entries.c.plan)
            .where(entries.c.account == self.account, ~is_cash(entries.c.asset))
            .group_by(entries.c.plan, entries.c.asset)
            .having(func.sum(entries.c.delta) > ZERO)
        )
        return await self._plans(
            and_(plans.c.state != PlanState.OPEN.value, plans.c.id.in_(holding))
        )

    async def holdings(self, plan: PlanId) -> Sequence[Position]:
        """See `arb.ports.Ledger`."""
        async with self._db.read() as db:
            rows = (await db.execute(balances(entries.c.plan == plan))).all()
        return [position(row) for row in rows]

    async def fills(self, since: datetime) -> Sequence[Fill]:
        """See `arb.ports.Ledger`."""
        wanted = (
            select(fills)
            .where(
                fills.c.account == self.account,
                fills.c.at >= since,
                fills.c.state != TradeState.VOIDED.value,
            )
            .order_by(fills.c.at, fills.c.id)
        )
        async with self._db.read() as db:
            return [_fill(row) for row in await db.execute(wanted)]

    async def portfolio(self, now: datetime) -> Portfolio:
        """See `arb.ports.Ledger`."""
        async with self._db.read() as db:
            return await read_portfolio(db, self.account, now)

    async def standing(self) -> Standing:
        """See `arb.ports.Ledger`."""
        async with self._db.read() as db:
            row = (await db.execute(self._last_standing())).one_or_none()
        if row is None:
            return Standing()
        return parse_standing(
            row.state, row.reason, by_operator=bool(row.by_operator), since=row.since
        )

    async def set_standing(self, standing: Standing) -> None:
        """See `arb.ports.Ledger`."""
        row = {
            "account": self.account,
            "state": standing.state.value,
            "reason": standing.text,
            "since": standing.since,
            "by_operator": int(standing.by_operator),
        }
        async with self._write() as db:
            await db.execute(insert(standings).values(row))

    async def contradict(self, found: Contradiction) -> None:
        """See `arb.ports.Ledger`."""
        known = and_(contradictions.c.account == self.account, contradictions.c.key == found.key)
        row = {
            "account": self.account,
            "key": found.key,
            "venue": found.venue,
            "kind": str(found.kind),
            "about": found.about,
            "believed": found.believed,
            "seen": found.seen,
            "at": found.at,
            "told": int(found.told),
        }
        async with self._write() as db:
            if await db.scalar(select(contradictions.c.key).where(known)) is None:
                await db.execute(insert(contradictions).values(row))

    async def contradictions(self) -> Sequence[Contradiction]:
        """See `arb.ports.Ledger`."""
        wanted = (
            select(contradictions)
            .where(self._not_ended())
            .order_by(contradictions.c.at, contradictions.c.key)
        )
        async with self._db.read() as db:
            return [_contradiction(row) for row in await db.execute(wanted)]

    async def mark_contradiction_told(self, key: str) -> None:
        """See `arb.ports.Ledger`."""
        async with self._write() as db:
            await db.execute(
                update(contradictions)
                .where(contradictions.c.account == self.account, contradictions.c.key == key)
                .values(told=1)
            )

    async def end_contradictions(self, keys: Sequence[str], why: str, at: datetime) -> None:
        """See `arb.ports.Ledger`."""
        async with self._write() as db:
            await db.execute(
                update(contradictions)
                .where(self._not_ended(), contradictions.c.key.in_(keys))
                .values(ended_at=at, ended_why=why)
            )

    async def fill_records(self) -> Mapping[str, FillRecord]:
        """See `arb.ports.Ledger`."""
        async with self._db.read() as db:
            return await read_fill_records(db, self.account)

    async def statistics(self, since: datetime | None = None) -> Statistics:
        """See `arb.ports.Ledger`."""
        async with self._db.read() as db:
            return await read_statistics(db, self.account, since)

    async def close(self) -> None:
        """See `arb.ports.Ledger`."""
        await self._db.close()

    @contextlib.asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction, refused when another orchestrator has taken the lead meanwhile."""
        async with self._db.write(self.account) as db:
            if self._token is not None:
                # A new leader waits for the account's lock: this stays true until the commit.
                newest = await db.scalar(
                    select(func.max(leaders.c.token)).where(leaders.c.account == self.account)
                )
                if newest != self._token:
                    raise LedgerLocked(
                        f"another orchestrator leads {self.account} (token {newest}, this one has "
                        f"{self._token}); nothing is written by this one"
                    )
            yield db

    def _not_ended(self) -> ColumnElement[bool]:
        return and_(contradictions.c.account == self.account, contradictions.c.ended_at.is_(None))

    def _last_standing(self) -> Select[Any]:
        return (
            select(standings)
            .where(standings.c.account == self.account)
            .order_by(standings.c.id.desc())
            .limit(1)
        )

    async def _plans(self, which: ColumnElement[bool]) -> Sequence[Plan]:
        wanted = (
            select(plans.c.plan)
            .where(plans.c.account == self.account, which)
            .order_by(plans.c.approved_at, plans.c.id)
        )
        async with self._db.read() as db:
            return [load_plan(stored) for stored in await db.scalars(wanted)]

    def _consequences(
        self, plan: PlanId, seq: int, fact: Fact
    ) -> list[tuple[Table, list[dict[str, Any]]]]:
        """The rows that follow from a fact: fills, and what they do to the account."""
        fill_rows, entry_rows = consequences(plan, seq, fact)
        owner = {"account": self.account}
        return [
            (fills, [{**row, **owner} for row in fill_rows]),
            (entries, [{**row, **owner} for row in entry_rows]),
        ]


def _fact_row(plan: PlanId, seq: int, fact: Fact) -> dict[str, Any]:
    return {
        "plan": plan,
        "seq": seq,
        "key": fact_key(fact),
        "at": fact.at,
        "fact": dump_fact(fact),
    }


def _report(row: Row[Any]) -> ExecutionReport:
    return ExecutionReport(
        plan=PlanId(row.id),
        state=PlanState(row.state),
        realised=Usd(row.realised),
        locked=Usd(row.locked),
        reason=row.reason,
        alarm=row.alarm,
    )


def _contradiction(row: Row[Any]) -> Contradiction:
    return Contradiction(
        key=row.key,
        venue=VenueId(row.venue),
        kind=row.kind,
        about=row.about,
        believed=row.believed,
        seen=row.seen,
        at=row.at,
        told=bool(row.told),
    )


def _fill(row: Row[Any]) -> Fill:
    return Fill(
        order=OrderId(row.order_id),
        outcome=OutcomeId(VenueId(row.venue), row.token),
        market=MarketId(row.market),
        side=Side(row.side),
        price=Price(row.price),
        size=Shares(row.size),
        fee=Usd(row.fee),
        shown=Shares(row.shown),
        at=row.at,
        trade=row.trade,
    )
