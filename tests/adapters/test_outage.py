"""An outage of the ledger: trades stop at once, records wait in order and are written once."""

import asyncio
import sqlite3
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import ResilientLedger, open_ledger
from arb.adapters.storage import database as storage
from arb.adapters.storage.outage import WAITING_MAX
from arb.bootstrap import engine_options, paper_context, scanner
from arb.domain.book import BookMap
from arb.domain.errors import LedgerError
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.market import Universe
from arb.domain.money import Usd
from arb.domain.news import Trouble
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, RunCause
from arb.domain.snapshot import Snapshot
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.tally import Tally
from arb.publisher import Publisher
from arb.testing.builders import NOON
from tests.adapters.test_ledger import _contradiction, _facts, _plan
from tests.conftest import exchange_at, settings_for

CLASS_A_WRITES = {
    "open_account": ({POLYMARKET: Usd(Decimal(1))}, NOON),
    "begin_run": (NOON, RunCause.CYCLE),
    "open_plan": (1, _plan()),
    "append": ("p", _facts(_plan())),
    "set_standing": (Standing(state=TradingState.HALTED),),
    "contradict": (_contradiction(),),
    "mark_contradiction_told": ("refused/p",),
    "end_contradictions": (["refused/p"], "looked", NOON),
}
CLASS_A_READS = {
    "facts": ("p",),
    "open_plans": (),
    "locked_plans": (),
    "holdings": ("p",),
    "fills": (NOON,),
    "portfolio": (NOON,),
    "standing": (),
    "contradictions": (),
    "statistics": (),
}
NOTHING = Snapshot(universe=Universe(markets={}), books=BookMap(), taken_at=NOON)


def _report(cycle):
    return CycleReport(
        run=cycle,
        mode="dry-run",
        account="paper:default",
        started_at=NOON,
        duration_ms=5,
        risk=RiskStatus(can_trade=True, state=TradingState.NORMAL),
    )


@pytest.fixture
async def ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_MS", 20)
    told = []
    inner = await open_ledger(f"sqlite+aiosqlite:///{tmp_path}/arb.db", "paper:default")
    made = ResilientLedger(inner, told.append)
    made.told = told
    await made.open_account({POLYMARKET: Usd(Decimal(1000))}, NOON)
    yield made
    await made.close()


@contextmanager
def _held(folder):
    """Another connection that holds the file."""
    other = sqlite3.connect(folder / "arb.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def _full(ledger):
    """A disk without room: the file may have no more pages than it has."""
    engine = ledger._inner._db.engine.sync_engine
    full = [True]

    def limit(connection, *_):
        cursor = connection.cursor()
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count={pages if full[0] else 2**30}")
        cursor.close()

    event.listen(engine, "checkout", limit)
    try:
        yield
    finally:
        full[0] = False


async def _looked(folder):
    """A look at a made-up market, judged."""
    async with exchange_at("demo", 3) as (_, address):
        loaded = settings_for(address, folder)
        async with scanner(loaded.settings) as found:
            seen = await found.scan()
            tally = Tally.begin("dry-run", "paper:default", SystemClock())
            return found.judge(seen, tally).findings, seen.snapshot


def _rows(folder, query):
    with sqlite3.connect(folder / "arb.db") as db:
        return db.execute(query).fetchall()


async def test_records_wait_for_a_file_that_another_holds(ledger, tmp_path):
    first = await ledger.begin_run(NOON, RunCause.CYCLE)
    with _held(tmp_path):
        await ledger.record_findings(first, [], NOTHING)
        await ledger.record_outcome("x", Reason.FILLED, "")
        await ledger.record_run(_report(first))
        assert ledger.waiting == 3
        with pytest.raises(LedgerError, match="locked"):
            await ledger.begin_run(NOON, RunCause.CYCLE)
        assert _rows(tmp_path, "SELECT ended_at FROM runs") == [(None,)]
    assert await ledger.begin_run(NOON, RunCause.CYCLE) == first + 1
    assert ledger.waiting == ledger.dropped == 0
    assert (await ledger.statistics()).cycles == 1
    (trouble,) = ledger.told
    assert isinstance(trouble, Trouble)
    assert "locked" in trouble.problem.what


async def test_each_episode_is_told_once(ledger, tmp_path):
    cycle = await ledger.begin_run(NOON, RunCause.CYCLE)
    for episode in (1, 2):
        with _held(tmp_path):
            for _ in range(5):
                await ledger.record_run(_report(cycle))
        assert len(ledger.told) == episode
        await ledger.record_run(_report(cycle))
        assert ledger.waiting == 0


@pytest.mark.parametrize("name", CLASS_A_WRITES)
async def test_nothing_that_trading_depends_on_ever_waits(ledger, tmp_path, name):
    with _held(tmp_path):
        with pytest.raises(LedgerError):
            await getattr(ledger, name)(*CLASS_A_WRITES[name])
        await ledger.record_run(_report(1))
        with pytest.raises(LedgerError):
            await getattr(ledger, name)(*CLASS_A_WRITES[name])
        assert ledger.waiting == 1


@pytest.mark.parametrize("name", CLASS_A_READS)
async def test_reads_fail_at_once_and_pass_through(ledger, tmp_path, name):
    assert await getattr(ledger, name)(*CLASS_A_READS[name]) is not None
    await ledger._inner._db.close()
    for beside in ("arb.db", "arb.db-wal", "arb.db-shm"):
        (tmp_path / beside).unlink(missing_ok=True)
    (tmp_path / "arb.db").mkdir()
    with pytest.raises(LedgerError, match="unable to open"):
        await getattr(ledger, name)(*CLASS_A_READS[name])
    assert ledger.waiting == 0
    await asyncio.sleep(0.1)  # the driver's threads end after the error, and speak to the loop


async def test_records_wait_for_room_on_a_full_disk(ledger, tmp_path):
    cycle = await ledger.begin_run(NOON, RunCause.CYCLE)
    findings, seen = await _looked(tmp_path / "looked")
    with _full(ledger):
        for _ in range(2):
            await ledger.record_findings(cycle, findings, seen)
        with pytest.raises(LedgerError, match="full"):
            for _ in range(1000):
                await ledger.set_standing(Standing(state=TradingState.HALTED, reason="x" * 9000))
        assert ledger.waiting == 2
        assert _rows(tmp_path, "SELECT count(*) FROM findings") == [(0,)]
    assert len(ledger.told) == 1
    await ledger.set_standing(Standing())
    assert ledger.waiting == ledger.dropped == 0
    assert _rows(tmp_path, "SELECT count(*) FROM findings") != [(0,)]


async def test_findings_that_waited_are_the_same_as_those_that_did_not(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_MS", 20)
    findings, seen = await _looked(tmp_path)
    for waits in (False, True):
        folder = tmp_path / str(waits)
        folder.mkdir()
        inner = await open_ledger(f"sqlite+aiosqlite:///{folder}/arb.db", "paper:default")
        ledger = ResilientLedger(inner, lambda news: None)
        await ledger.open_account({POLYMARKET: Usd(Decimal(1))}, NOON)
        number = await ledger.begin_run(NOON, RunCause.CYCLE)
        with _held(folder) if waits else nullcontext():
            await ledger.record_findings(number, findings, seen)
            assert ledger.waiting == waits
        await ledger.close()
    rows = [
        _rows(tmp_path / str(waits), "SELECT id, decision, certificate FROM findings ORDER BY id")
        for waits in (False, True)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 20


async def test_what_cannot_be_written_by_the_end_is_counted_and_told(ledger, tmp_path):
    cycle = await ledger.begin_run(NOON, RunCause.CYCLE)
    with _held(tmp_path):
        await ledger.record_run(_report(cycle))
        await ledger.close()
    assert (ledger.waiting, ledger.dropped) == (0, 1)
    assert "1 records" in ledger.told[-1].problem.what


class _Memory:
    """A ledger that can be away, can refuse one record for good, and notes what it was told."""

    account = "paper:default"

    def __init__(self):
        self.away, self.poison = False, None
        self.kept, self.cycles = [], 0

    def _take(self, what):
        if self.away or what == self.poison:
            raise LedgerError("away")
        self.kept.append(what)

    async def record_findings(self, cycle, findings, snapshot):
        await asyncio.sleep(0)
        self._take(("findings", cycle))

    async def record_outcome(self, opportunity, reason, detail):
        await asyncio.sleep(0)
        self._take(("outcome", opportunity))

    async def record_run(self, report):
        await asyncio.sleep(0)
        self._take(("cycle", report.run))

    async def begin_run(self, at, cause):
        await asyncio.sleep(0)
        self._take(("begin", self.cycles))
        self.cycles += 1
        return self.cycles

    async def standing(self):
        if self.away:
            raise LedgerError("away")
        return Standing()

    async def close(self):
        pass


CALLS = ("findings", "outcome", "cycle", "begin", "standing", "away", "back")


async def _call(ledger, what, number):
    match what:
        case "findings":
            await ledger.record_findings(number, [], NOTHING)
        case "outcome":
            await ledger.record_outcome(number, Reason.FILLED, "")
        case "cycle":
            await ledger.record_run(replace(_report(1), run=number))
        case "begin":
            await ledger.begin_run(NOON, RunCause.CYCLE)
        case "standing":
            await ledger.standing()


@settings(max_examples=300)
@given(st.lists(st.sampled_from(CALLS), max_size=60), st.integers(0, 130))
def test_order_is_kept_and_class_a_never_waits(calls, burst):
    async def live():
        memory, told = _Memory(), []
        ledger = ResilientLedger(memory, told.append)
        asked, episodes, begun = [], 0, 0
        in_outage = False
        steps = [*calls, "away", *["findings", "cycle"] * (burst // 2), "back", "begin"]
        for number, what in enumerate(steps):
            if what in ("away", "back"):
                memory.away = what == "away"
                continue
            if what in ("begin", "standing"):
                if memory.away:
                    with pytest.raises(LedgerError):
                        await _call(ledger, what, number)
                else:
                    await _call(ledger, what, number)
                    if what == "begin":
                        in_outage, begun = False, begun + 1
                        assert ledger.waiting == 0
            else:
                asked.append((what, number))
                await _call(ledger, what, number)
                if memory.away:
                    episodes += not in_outage
                    in_outage = True
                else:
                    in_outage = False
                    assert ledger.waiting == 0
            assert ledger.waiting <= WAITING_MAX
        records = [one for one in memory.kept if one[0] != "begin"]
        assert len([one for one in memory.kept if one[0] == "begin"]) == begun
        # In the order in which they were asked for, each once, and only class C is missing
        # as long as there was some of it to drop.
        assert records == [one for one in asked if one in set(records)]
        missing = [one for one in asked if one not in set(records)]
        assert len(missing) == ledger.dropped
        if burst + len(calls) <= WAITING_MAX:
            assert not missing
        assert all(what == "findings" for what, _ in missing)
        started = [t for t in told if "wait in memory" in t.problem.what]
        assert len(started) == episodes
        assert len(told) == episodes + (1 if missing else 0)

    asyncio.run(live())


async def test_the_oldest_that_is_least_missed_goes_first():
    memory, told = _Memory(), []
    ledger = ResilientLedger(memory, told.append)
    memory.away = True
    for number in range(60):
        await _call(ledger, "findings", number)
    for number in range(90):
        await _call(ledger, "outcome", number)
    for number in range(20):
        await _call(ledger, "cycle", number)
    assert (ledger.waiting, ledger.dropped) == (100, 70)
    await _call(ledger, "findings", 99)
    assert (ledger.waiting, ledger.dropped) == (100, 71)
    memory.away = False
    await _call(ledger, "begin", 0)
    expected = [("outcome", n) for n in range(10, 90)] + [("cycle", n) for n in range(20)]
    assert memory.kept == [*expected, ("begin", 0)]
    assert "71 records" in told[-1].problem.what


async def test_a_record_that_is_refused_for_good_holds_nothing_up():
    memory, told = _Memory(), []
    ledger = ResilientLedger(memory, told.append)
    memory.poison = ("outcome", 1)
    for number in range(5):
        await _call(ledger, "outcome", number)
        await _call(ledger, "begin", number)
    assert memory.kept.count(("begin", 0)) == 1
    assert memory.cycles == 5
    assert [one for one in memory.kept if one[0] == "outcome"] == [
        ("outcome", number) for number in (0, 2, 3, 4)
    ]
    assert (ledger.waiting, ledger.dropped) == (0, 1)


async def test_a_bug_is_no_outage():
    memory, told = _Memory(), []
    ledger = ResilientLedger(memory, told.append)

    async def broken(report):
        raise TypeError("a bug")

    memory.record_run = broken
    with pytest.raises(TypeError):
        await _call(ledger, "cycle", 1)
    assert (ledger.waiting, told) == (0, [])


async def test_many_at_once_are_written_once_and_in_order():
    memory, told = _Memory(), []
    ledger = ResilientLedger(memory, told.append)
    memory.away = True
    await asyncio.gather(*(_call(ledger, "outcome", number) for number in range(40)))
    memory.away = False
    await asyncio.gather(*(_call(ledger, "cycle", number) for number in range(20)))
    assert memory.kept == [("outcome", n) for n in range(40)] + [("cycle", n) for n in range(20)]


async def test_a_cycle_survives_a_moment_without_the_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_MS", 20)
    told = []
    async with exchange_at("quiet", 3) as (_, address):
        loaded = settings_for(address, tmp_path)
        async with paper_context(loaded.settings, Publisher([told.append])) as context:
            orchestrator = ArbitrageOrchestrator(context, engine_options(loaded.settings))
            await orchestrator.setup()
            real = context.ledger.record_findings

            async def meanwhile(*args):
                with _held(tmp_path):
                    await real(*args)

            monkeypatch.setattr(context.ledger, "record_findings", meanwhile)
            report = await orchestrator.scan_cycle()
            assert report.reachable
            assert context.ledger.waiting == 0
    assert [t for t in told if isinstance(t, Trouble) and "locked" in t.problem.what]
    assert _rows(tmp_path, "SELECT count(*) FROM runs WHERE ended_at IS NOT NULL") == [(1,)]
