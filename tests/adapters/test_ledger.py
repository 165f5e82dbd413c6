"""The ledger on real files and a real server: idempotent, exact, sound after anything."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, inspect, literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import Database, SqlLedger, maintenance, open_ledger
from arb.adapters.storage.codec import dump_fact, dump_plan, load_fact, load_plan
from arb.adapters.storage.columns import DecisionName, MicroUnits, UtcTime
from arb.adapters.storage.maintenance import backup, check, revision, upgrade
from arb.adapters.storage.queries import LedgerReads
from arb.domain.contradiction import Contradiction
from arb.domain.errors import LedgerError, LedgerLocked
from arb.domain.fact import Answered, OperationEnded, OperationRequested, Submitted
from arb.domain.halt import Standing, TradingState
from arb.domain.market import Implies, OutcomeId, Same, Side
from arb.domain.money import NO_USD
from arb.domain.news import PlanEnded
from arb.domain.operation import Convert, Merge, MergeSet, Redeem, effect
from arb.domain.opportunity import Exit, Kind
from arb.domain.order import Fill, Final, Order, order_id
from arb.domain.plan import ExecutionReport, Plan, PlannedLeg, PlanState
from arb.domain.position import Adjustment
from arb.domain.reason import Reason
from arb.domain.report import RunCause
from arb.domain.venue import TimeInForce
from arb.domain.worlds import Payoff
from arb.engine.ends import tell_ends
from arb.publisher import Publisher
from arb.testing import builders as make
from arb.testing.builders import NOON
from tests.property.test_payoff import universes

YES, NO = (OutcomeId(POLYMARKET, token) for token in ("1", "2"))


def _plan(name="p", *, exit_=Exit.NOW, outlay="9.5"):
    legs = tuple(
        PlannedLeg(
            outcome=outcome,
            outcome_name="Yes",
            market="m",
            market_slug="m",
            side=Side.BUY,
            limit=Decimal("0.47"),
            size=Decimal(10),
            value=Decimal("4.7"),
            fee=Decimal("0.05"),
        )
        for outcome in (YES, NO)
    )
    return Plan(
        id=name,
        kind=Kind.BINARY_COMPLEMENT,
        event="e",
        event_slug="e",
        event_title="E",
        exit=exit_,
        legs=legs,
        exit_operation=Merge(market="m", pair=(YES, NO), size=Decimal(10))
        if exit_ is Exit.NOW
        else None,
        outlay=Decimal(outlay),
        payoff_worst=Decimal(10),
        approved_at=NOON,
    )


def _facts(plan, *, settle=True):
    orders = [
        Order(
            id=order_id(plan.id, n, leg.side, 1),
            outcome=leg.outcome,
            market=leg.market,
            side=leg.side,
            limit=leg.limit,
            size=leg.size,
            time_in_force=TimeInForce.FOK,
            expires_at=NOON + timedelta(minutes=1),
        )
        for n, leg in enumerate(plan.legs)
    ]
    facts = [Submitted(order=order, at=NOON) for order in orders]
    facts += [
        Answered(
            order=order.id,
            answer=Final(
                (
                    Fill(
                        order=order.id,
                        outcome=order.outcome,
                        market="m",
                        side=order.side,
                        price=order.limit,
                        size=order.size,
                        fee=Decimal("0.05"),
                        shown=Decimal(40),
                        at=NOON,
                    ),
                )
            ),
            at=NOON,
        )
        for order in orders
    ]
    if settle:
        facts.append(
            OperationRequested(id=f"{plan.id}/exit", operation=plan.exit_operation, at=NOON)
        )
        facts.append(
            OperationEnded(id=f"{plan.id}/exit", effect=effect(plan.exit_operation), at=NOON)
        )
    return facts


def test_facts_and_plans_keep_the_names_they_are_stored_by():
    """A ledger of before is read by them, and one of today by the version before."""
    plan = _plan("p")
    requested, ended = _facts(plan)[-2:]
    assert json.loads(dump_fact(requested))["kind"] == "Requested"
    assert json.loads(dump_fact(ended))["kind"] == "Settled"
    assert load_fact(dump_fact(requested)) == requested
    assert load_fact(dump_fact(ended)) == ended
    assert json.loads(dump_plan(plan))["settlement"]["kind"] == "Merge"
    for each in (plan, _plan("p", exit_=Exit.RESOLUTION)):
        stored = json.loads(dump_plan(each))
        assert "settlement" in stored
        assert "exit_operation" not in stored
        assert load_plan(dump_plan(each)) == each


async def test_a_candidate_of_an_old_ledger_that_was_passed_over_is_skipped(tmp_path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/arb.db")
    try:
        async with database.read() as db:
            found = await db.execute(
                select(
                    literal_column("'passed'", DecisionName),
                    literal_column("'refused'", DecisionName),
                )
            )
            assert tuple(found.one()) == ("skipped", "refused")
    finally:
        await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/arb.db"
    return request.getfixturevalue("postgres").database()


@pytest.fixture
async def ledger(url):
    opened = await open_ledger(url, "paper:test")
    await opened.open_account({POLYMARKET: Decimal(1000)}, NOON)
    yield opened
    await opened.close()


def _report(plan, state=PlanState.DONE, realised="0.5", locked="0"):
    return ExecutionReport(
        plan=plan.id, state=state, realised=Decimal(realised), locked=Decimal(locked)
    )


async def test_a_merged_pair_is_booked_to_the_micro_unit(ledger):
    plan = _plan()
    await ledger.open_plan(1, plan)
    before = await ledger.portfolio(NOON)
    assert (before.cash, before.promised, before.busy) == (1000, Decimal("9.5"), {"m"})
    await ledger.append(plan.id, _facts(plan))
    await ledger.close_plan(_report(plan), NOON)
    after = await ledger.portfolio(NOON)
    assert (after.cash, after.promised, after.positions) == (Decimal("1000.5"), 0, {})
    assert after.volume_today == Decimal("9.4")
    assert not await ledger.open_plans()
    assert not await check(ledger._db)


async def test_appending_facts_again_changes_nothing(ledger):
    plan = _plan()
    await ledger.open_plan(1, plan)
    await ledger.open_plan(1, plan)
    for _ in range(3):
        await ledger.append(plan.id, _facts(plan))
    assert list(await ledger.facts(plan.id)) == _facts(plan)
    assert (await ledger.portfolio(NOON)).cash == Decimal("1000.5")
    with pytest.raises(LedgerError, match="another one"):
        await ledger.open_plan(1, _plan(outlay="9.6"))


async def test_what_is_held_is_locked_until_it_is_redeemed(ledger):
    plan = _plan(exit_=Exit.RESOLUTION)
    await ledger.open_plan(1, plan)
    await ledger.append(plan.id, _facts(plan, settle=False))
    await ledger.close_plan(_report(plan, realised="0", locked="9.5"), NOON)
    held = await ledger.portfolio(NOON)
    assert (held.locked, held.open_plans, held.equity) == (Decimal("9.5"), 1, 1000)
    statistics = await ledger.statistics()
    assert (statistics.realised, statistics.locked_profit) == (0, Decimal("0.5"))
    assert [p.id for p in await ledger.locked_plans()] == ["p"]
    for position in await ledger.holdings("p"):
        pays = Decimal(10) if position.outcome == YES else NO_USD
        redeem = Redeem(market="m", outcome=position.outcome, size=position.shares, pays=pays)
        await ledger.append(
            "p", [OperationEnded(id=f"p/{position.outcome}", effect=effect(redeem), at=NOON)]
        )
    await ledger.close_plan(_report(plan), NOON)
    assert not await ledger.locked_plans()
    assert (await ledger.statistics()).realised == Decimal("0.5")


async def test_an_end_is_told_once_and_after_a_crash_again(ledger):
    plan, heard = _plan(), []

    def dies(_news):
        raise KeyboardInterrupt

    await ledger.open_plan(1, plan)
    await tell_ends(ledger, Publisher([heard.append]))
    assert not heard
    left = replace(_report(plan, PlanState.UNWOUND, realised="-1"), reason="no", alarm="a rest")
    await ledger.close_plan(left, NOON)
    with pytest.raises(KeyboardInterrupt):
        await tell_ends(ledger, Publisher([dies]))
    for _ in range(2):
        await tell_ends(ledger, Publisher([heard.append]))
    assert heard == [PlanEnded(plan, left, Reason.EXECUTION_FAILED)]
    await ledger.close_plan(left, NOON)
    await ledger.close_plan(replace(left, realised=Decimal(0)), NOON)
    assert not await ledger.untold_ends()
    await ledger.reopen_plan(plan.id)
    assert not await ledger.untold_ends()
    await ledger.close_plan(_report(plan), NOON)
    await tell_ends(ledger, Publisher([heard.append]))
    assert [news.reason for news in heard] == [Reason.EXECUTION_FAILED, Reason.FILLED]
    assert not await SqlLedger(ledger._db, "paper:other").untold_ends()


async def test_accounts_share_tables_and_never_sums(ledger, tmp_path):
    other = SqlLedger(ledger._db, "paper:other")
    await other.open_account({POLYMARKET: Decimal(7)}, NOON)
    plan = _plan()
    await ledger.open_plan(1, plan)
    await ledger.append(plan.id, _facts(plan))
    assert (await other.portfolio(NOON)).cash == 7
    assert not await other.fills(NOON - timedelta(days=1))
    assert (
        await ledger.begin_run(NOON, RunCause.CYCLE)
        == await other.begin_run(NOON, RunCause.CYCLE)
        == 1
    )


async def test_failures_in_a_row_count_until_a_success_or_an_operator(ledger):
    for number in range(3):
        plan = _plan(f"f{number}")
        await ledger.open_plan(1, plan)
        await ledger.append(plan.id, _facts(plan)[:1])
        when = NOON + timedelta(seconds=number)
        await ledger.close_plan(_report(plan, PlanState.UNWOUND, realised="-1"), when)
    held = await ledger.portfolio(NOON)
    assert (held.consecutive_failures, held.loss_today) == (3, 3)
    assert (await ledger.portfolio(NOON + timedelta(days=1))).loss_today == 0
    resumed = Standing(
        state=TradingState.NORMAL, since=NOON + timedelta(minutes=1), by_operator=True
    )
    await ledger.set_standing(resumed)
    assert await ledger.standing() == resumed
    assert (await ledger.portfolio(NOON)).consecutive_failures == 0


async def test_a_plan_of_which_nothing_was_sent_is_no_failure(ledger):
    plan = _plan("unsent")
    await ledger.open_plan(1, plan)
    await ledger.close_plan(_report(plan, PlanState.UNWOUND), NOON)
    assert (await ledger.portfolio(NOON)).consecutive_failures == 0


async def test_the_highest_equity_is_that_of_plans_in_the_order_of_their_ends(ledger):
    async def end(name, realised, at, locked="0"):
        plan = _plan(name)
        await ledger.open_plan(1, plan)
        state = PlanState.DONE if Decimal(realised) >= 0 else PlanState.UNWOUND
        await ledger.close_plan(_report(plan, state, realised, locked), at)
        return plan

    before = NOON - timedelta(days=1)
    held = await end("held", "0", before - timedelta(days=1), locked="30")
    await end("won", "100", before)
    await end("lost", "-40", NOON)
    await end("won-again", "10", NOON + timedelta(hours=1))
    # It began before the gains and ends after them: its loss counts when it came.
    await ledger.close_plan(_report(held, PlanState.UNWOUND, "-30"), NOON + timedelta(hours=2))
    await ledger.adjust(
        [Adjustment(venue=POLYMARKET, outcome=None, market=None, delta=Decimal(500), reason="in")],
        NOON,
    )
    found = await ledger.portfolio(NOON + timedelta(hours=3))
    assert (found.capital, found.realised, found.realised_high) == (1_500, 40, 100)
    assert found.realised_before_today == 100
    assert found.loss_today == 70
    assert found.drawdown_pct == Decimal(60) / Decimal(1_600) * 100
    assert found.loss_today_pct == Decimal(70) / Decimal(1_600) * 100


def _contradiction(key="refused/p", **changes):
    found = Contradiction(
        key=key,
        venue=POLYMARKET,
        kind=Kind.EXCLUSIVE_NO,
        about="p",
        believed="be $80 by convert",
        seen="the contract refuses",
        at=NOON,
    )
    return replace(found, **changes)


async def test_a_contradiction_is_kept_once_until_an_operator_ends_it(ledger, url):
    first = _contradiction()
    other = _contradiction("paid/q", kind=Kind.EXHAUSTIVE_YES, at=NOON + timedelta(hours=1))
    for _ in range(3):
        await ledger.contradict(first)
        await ledger.contradict(replace(first, seen="again, in other words"))
        await ledger.contradict(other)
    again = await open_ledger(url, "paper:test")
    assert await again.contradictions() == [first, other]
    await again.close()
    stranger = await open_ledger(url, "paper:other")
    await stranger.open_account({POLYMARKET: Decimal(1)}, NOON)
    assert await stranger.contradictions() == []
    await stranger.end_contradictions([first.key, other.key], "not mine", NOON)
    await stranger.close()
    await ledger.mark_contradiction_told(first.key)
    assert await ledger.contradictions() == [replace(first, told=True), other]
    await ledger.end_contradictions([first.key], "looked", NOON)
    assert await ledger.contradictions() == [other]
    # The same facts are found again: an operator has accounted for them.
    await ledger.contradict(first)
    assert await ledger.contradictions() == [other]


async def test_what_was_booked_by_hand_counts_in_the_check(ledger):
    """Paid in, and spent; given, and sold: the ledger is sound. Taken back, it is not."""
    small = SqlLedger(ledger._db, "paper:small")
    await small.open_account({POLYMARKET: Decimal(5)}, NOON)
    paid_in = Adjustment(
        venue=POLYMARKET, outcome=None, market=None, delta=Decimal(10), reason="paid in"
    )
    await small.adjust([paid_in], NOON)
    plan = _plan()
    await small.open_plan(1, plan)
    await small.append(plan.id, _facts(plan, settle=False))
    given = Adjustment(venue=POLYMARKET, outcome=YES, market="m", delta=Decimal(4), reason="a gift")
    await small.adjust([given], NOON)
    sold = Redeem(market="m", outcome=YES, size=Decimal(14), pays=Decimal(0))
    await small.append(plan.id, [OperationEnded(id="p/sold", effect=effect(sold), at=NOON)])
    assert (await small.portfolio(NOON)).cash == Decimal("5.5")
    assert await check(ledger._db) == []
    await small.adjust([replace(each, delta=-each.delta) for each in (paid_in, given)], NOON)
    assert await check(ledger._db) == [
        "paper:small: cash at polymarket is -4.5",
        f"paper:small: fewer than no shares of {YES}",
    ]


async def test_candidates_without_a_profit_are_listed_in_one_order(ledger, url):
    """However the database keeps its rows: a page of them is the same at each look."""
    for id_ in "dbca":
        await _by_hand(
            url,
            "insert into findings (id, account, run, at, decision, kind, event, title, detail, "
            f"certificate) values ('{id_}', 'paper:test', 1, 0, 'skipped', 'group', 'e', 'E', '', "
            "'{}')",
        )
    reads = LedgerReads(ledger._db, "paper:test")
    for limit in (4, 2):
        found = await reads.opportunities(limit=limit, everything=True)
        assert [row.id for row in found] == list("abcd")[:limit]


async def _by_hand(url, statement):
    """What another program does to the database."""
    engine = create_async_engine(url)
    async with engine.begin() as db:
        await db.exec_driver_sql(statement)
    await engine.dispose()


async def test_tampering_is_found(ledger, url):
    plan = _plan()
    await ledger.open_plan(1, plan)
    await ledger.append(plan.id, _facts(plan))
    await _by_hand(
        url, "update entries set delta = delta + 1 where asset = 'polymarket/cash' and line = 0"
    )
    assert await check(ledger._db)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_the_files_settings_are_those_that_keep_promises(ledger):
    async with ledger._db.read() as db:
        found = [
            (await db.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 5000]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_silent_reader_is_left_alone_and_a_silent_writer_not_for_long(ledger):
    """A writer keeps the account's lock: it is given up before the others stop waiting for it."""

    async def limits(db):
        shown = [await db.scalar(text(f"show {name}")) for name in LIMITS]
        return [timedelta(minutes=1) if one == "1min" else _seconds(one) for one in shown]

    async with ledger._db.write("paper:test") as db:
        silent, waiting = await limits(db)
        assert timedelta(seconds=5) < silent < waiting
    async with ledger._db.read() as db:
        assert (await limits(db))[0] > waiting


LIMITS = ("idle_in_transaction_session_timeout", "lock_timeout")


def _seconds(shown):
    return timedelta(seconds=int(shown.removesuffix("s")))


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_the_servers_settings_are_those_that_keep_promises(ledger):
    names = ("TimeZone", "synchronous_commit", "lock_timeout", "transaction_isolation")
    async with ledger._db.read() as db:
        found = [(await db.exec_driver_sql(f"show {name}")).scalar() for name in names]
        with pytest.raises(DBAPIError, match="read-only"):
            await db.exec_driver_sql("delete from plans")
    assert found == ["UTC", "on", "12s", "repeatable read"]


async def test_a_newer_schema_is_refused(ledger, url):
    await _by_hand(url, "update alembic_version set version_num = '9999'")
    with pytest.raises(LedgerError, match="9999"):
        await open_ledger(url, "paper:test")


async def test_many_writers_of_one_account_take_turns(ledger, url):
    others = [await open_ledger(url, "paper:test") for _ in range(4)]
    numbers = await asyncio.gather(
        *(o.begin_run(NOON, RunCause.CYCLE) for o in others for _ in range(5))
    )
    assert sorted(numbers) == list(range(1, 21))
    for other in others:
        await other.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_writer_that_was_stopped_holds_nobody_up_for_long(ledger, url):
    stopped = Database(url)
    with pytest.raises(LedgerError):
        async with stopped.write("paper:test") as db:
            # Nothing is said any more, as by a stopped process; the other one's turn comes anyway.
            assert await ledger.begin_run(NOON, RunCause.CYCLE) == 1
            await db.exec_driver_sql("delete from runs")
    await stopped.close()
    assert await ledger.begin_run(NOON, RunCause.CYCLE) == 2


async def test_a_leaders_writes_are_refused_once_another_leads(ledger, url):
    await _by_hand(url, "insert into leaders values ('paper:test', 1, 'a', 0)")
    first = await open_ledger(url, "paper:test", 1)
    plan = _plan()
    await first.open_plan(1, plan)
    await _by_hand(url, "insert into leaders values ('paper:test', 2, 'b', 0)")
    with pytest.raises(LedgerLocked, match="another orchestrator leads"):
        await first.append(plan.id, _facts(plan))
    with pytest.raises(LedgerLocked):
        await first.begin_run(NOON, RunCause.CYCLE)
    assert not await ledger.facts(plan.id)
    await first.close()


async def test_a_new_ledger_is_what_the_migrations_make(url):
    """To the names of constraints: a later migration finds the same, however a ledger began."""
    database = Database(url)
    newest = await upgrade(database)
    assert await revision(database) == (newest, newest)
    async with database.read() as db:
        found = await db.run_sync(_schema)
    # The same database again, this time from the first revision on.
    async with database.write() as db:
        await db.run_sync(_drop_all)
        await db.run_sync(maintenance._migrate)
        expected = await db.run_sync(_schema)
    assert await revision(database) == (newest, newest)
    await database.close()
    assert found == expected


async def test_a_new_ledger_takes_no_table_that_was_there(url):
    await _by_hand(url, "create table plans (id integer)")
    with pytest.raises(LedgerError, match="plans"):
        await open_ledger(url, "paper:test")


def _drop_all(connection):
    for view in inspect(connection).get_view_names():
        connection.exec_driver_sql(f"drop view {view}")
    found = MetaData()
    found.reflect(connection)
    found.drop_all(connection)


def _schema(connection):
    inspector = inspect(connection)

    def named(found):
        return sorted(found, key=lambda one: one["name"])

    tables = {
        table: (
            [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in columns],
            inspector.get_pk_constraint(table),
            named(inspector.get_foreign_keys(table)),
            named(inspector.get_indexes(table)),
            named(inspector.get_unique_constraints(table)),
            named(inspector.get_check_constraints(table)),
        )
        for table in inspector.get_table_names()
        for columns in [inspector.get_columns(table)]
    }
    views = {name: inspector.get_view_definition(name) for name in inspector.get_view_names()}
    return tables, views


async def test_a_ledger_on_a_server_is_copied_by_the_servers_tool(tmp_path):
    with pytest.raises(LedgerError, match="pg_dump"):
        await backup("postgresql+asyncpg://arb:secret-word@127.0.0.1/arb", tmp_path / "copy")


async def test_a_server_that_is_away_is_told_plainly_and_without_its_password():
    pytest.importorskip("asyncpg")
    with pytest.raises(LedgerError, match="database server running") as caught:
        await open_ledger("postgresql+asyncpg://arb:secret-word@127.0.0.1:9/arb", "paper:test")
    assert "secret-word" not in str(caught.value)


async def test_an_address_that_cannot_be_read_is_refused_without_its_password():
    with pytest.raises(LedgerError, match="%XX") as caught:
        await open_ledger("postgresql+asyncpg://arb:secret@word:x@127.0.0.1:so/arb", "paper:test")
    assert "word" not in str(caught.value).replace("password", "")
    assert caught.value.__cause__ is None


async def test_a_database_that_is_not_there_is_told_plainly(postgres):
    with pytest.raises(LedgerError, match=r"does not exist.*createdb") as caught:
        await open_ledger(postgres.database() + "_not", "paper:test")
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_backup_is_whole_private_and_made_while_in_use(ledger, tmp_path):
    plan = _plan()
    await ledger.open_plan(1, plan)
    target = tmp_path / "copies" / "arb.db"
    await backup(f"sqlite+aiosqlite:///{tmp_path}/arb.db", target)
    assert target.stat().st_mode & 0o777 == 0o600
    copy = await open_ledger(f"sqlite+aiosqlite:///{target}", "paper:test")
    assert [p.id for p in await copy.open_plans()] == ["p"]
    await copy.close()


async def test_a_file_that_is_no_database_is_said_to_be_one_in_one_line(tmp_path):
    (tmp_path / "arb.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(LedgerError, match="ARB_DATABASE__URL"):
        await open_ledger(f"sqlite+aiosqlite:///{tmp_path}/arb.db", "paper:test")


def test_plans_and_facts_come_back_as_they_were():
    convert = Convert(event="e", gives=((NO, "m"),), receives=((YES, "n"),), size=Decimal("2.5"))
    merge = MergeSet(event="e", gives=((YES, "m"), (NO, "n")), size=Decimal("2.5"))
    facts = [*_facts(_plan()), OperationRequested(id="x", operation=convert, at=NOON)]
    facts.append(OperationRequested(id="y", operation=merge, at=NOON))
    facts.append(OperationEnded(id="x", effect=None, reason="why", at=NOON))
    assert [load_fact(dump_fact(fact)) for fact in facts] == facts
    for plan in (_plan(), _plan(exit_=Exit.RESOLUTION)):
        assert load_plan(dump_plan(plan)) == plan


@settings(max_examples=200)
@given(universes(), st.data())
def test_what_a_plan_pays_comes_back_whole(universe, data):
    """Relations and markets that may end 50/50, of any universe: no part of it pays differently."""
    payoff = Payoff.of(universe, universe.markets)
    plan = replace(_plan(), payoff=payoff)
    again = load_plan(dump_plan(plan))
    assert again == plan
    sizes = st.integers(0, 9).map(Decimal)
    shares = [(outcome, data.draw(sizes)) for outcome in universe.outcomes()]
    assert again.payoff.guaranteed(shares) == payoff.guaranteed(shares)


def test_a_payoff_is_stored_by_these_names():
    """Ledgers are read by them for good; those of before have none, and their plans no payoff."""
    one, two = (make.market(name, can_split=name == "a") for name in ("a", "b"))
    relations = [make.exclusive([one, two]), Implies("a", "b"), Same("a", "b")]
    universe = make.universe([one, two], relations)
    plan = replace(_plan(), payoff=Payoff.of(universe, universe.markets))
    stored = json.loads(dump_plan(plan))
    a, b = ({"venue": POLYMARKET, "token": f"a-{side}"} for side in ("yes", "no"))
    assert stored["payoff"]["markets"][0] == {"id": "a", "yes": a, "no": b, "can_split": True}
    assert stored["payoff"]["relations"] == [
        {"kind": "Exclusive", "markets": ["a", "b"], "complete": True},
        {"kind": "Implies", "premise": "a", "conclusion": "b"},
        {"kind": "Same", "left": "a", "right": "b"},
    ]
    del stored["payoff"]
    before = load_plan(json.dumps(stored))
    assert before == replace(plan, payoff=None)
    assert before.guaranteed([Decimal(7), Decimal(9)]) == 7


@settings(max_examples=200)
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6, allow_nan=False))
def test_micro_units_lose_nothing(amount):
    column = MicroUnits()
    stored = column.process_bind_param(amount, None)
    assert isinstance(stored, int)
    assert column.process_result_value(stored, None) == amount


def test_finer_amounts_floats_and_times_without_a_zone_are_refused():
    with pytest.raises(ValueError, match="finer"):
        MicroUnits().process_bind_param(Decimal("0.0000001"), None)
    with pytest.raises(TypeError):
        MicroUnits().process_bind_param(0.1, None)
    with pytest.raises(ValueError, match="zone"):
        UtcTime().process_bind_param(NOON.replace(tzinfo=None), None)
