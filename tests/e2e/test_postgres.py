"""Several orchestrators on one server: one trades, another takes over, nothing is lost."""

import asyncio
import itertools
import re
import signal
import time

import httpx
import pytest
from typer.testing import CliRunner

from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import open_ledger
from arb.adapters.storage.maintenance import check
from arb.cli.app import app
from arb.domain.errors import LedgerError
from arb.domain.plan import PlanState
from arb.runtime.running import run_once
from arb.testing.builders import NOON
from tests.adapters.test_ledger import _facts, _plan
from tests.conftest import environment_for
from tests.e2e.worlds import differences, live_settings, live_world
from tests.programs import Program, exchange_program

HALTED = 4
WAIT_SECONDS = 180
TOKEN = "token-of-the-tests-0123456789abcdef"


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    with exchange_program(tmp_path_factory.mktemp("moving"), scenario="moving", seed=5) as address:
        yield address


@pytest.fixture
def start(moving, tmp_path):
    started = []

    def one(url: str, *more: str, **settings: str) -> Program:
        folder = tmp_path / str(len(started))
        env = environment_for(moving, folder) | {
            "ARB_DATABASE__URL": url,
            "ARB_TRADING__MIN_PROFIT_THRESHOLD": "0.001",
            **settings,
        }
        run = ("run", "--interval", "0.2", "--json", *more)
        started.append(Program(folder, *run, env=env))
        return started[-1]

    yield one
    for orchestrator in started:
        orchestrator.kill()


def _until(true, *, seconds=WAIT_SECONDS, what=""):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


def _leader(pair):
    return _until(lambda: next((o for o in pair if o.plans), None), what=pair[0].err.read_text())


def _one_of_two_trades(start, url, **settings):
    """The one that trades, and the other."""
    pair = [start(url, **settings) for _ in range(2)]
    leader = _leader(pair)
    (other,) = (o for o in pair if o is not leader)
    _until(lambda: "this one waits" in other.err.read_text())
    after = len(leader.reports) + 2
    _until(lambda: len(leader.reports) >= after)
    assert not other.reports
    return leader, other


@pytest.mark.full
def test_of_two_that_start_together_exactly_one_trades_two_hundred_times(start, postgres):
    for _ in range(200):
        url = postgres.database()
        for orchestrator in _one_of_two_trades(start, url):
            orchestrator.kill()
        assert postgres.sql(url, "select token from leaders") == ["1"]


@pytest.mark.parametrize("lease", [2, pytest.param(4, marks=pytest.mark.full)])
def test_one_of_two_trades_and_when_it_was_stopped_it_is_fenced_when_it_wakes(
    lease, start, postgres
):
    url = postgres.database()
    first, second = _one_of_two_trades(start, url, ARB_DATABASE__LEASE=str(lease))
    assert postgres.sql(url, "select token from leaders") == ["1"]
    first.send(signal.SIGSTOP)
    stopped_at = time.monotonic()
    _until(lambda: second.reports, what=second.err.read_text())
    assert lease / 2 < time.monotonic() - stopped_at < lease + 120
    cycles = postgres.sql(url, "select max(run) from runs")
    first.send(signal.SIGCONT)
    assert first.process.wait(WAIT_SECONDS) == HALTED, first.err.read_text()
    assert "another orchestrator" in first.err.read_text()
    assert postgres.sql(url, "select token from leaders order by 1") == ["1", "2"]
    seen = len(second.reports)
    _until(lambda: len(second.reports) >= seen + 2)
    # What the first one reports is from before the second: none of it is from after it woke.
    assert {r["cycle"] for r in first.reports}.isdisjoint(r["cycle"] for r in second.reports)
    assert max(r["cycle"] for r in first.reports) <= int(cycles[0])
    assert set(first.plans).isdisjoint(second.plans)
    assert second.stop() == 0, second.err.read_text()
    _sound(url)


@pytest.mark.parametrize("seconds", [0.5, pytest.param(600, marks=pytest.mark.full)])
def test_a_server_that_is_away_for_a_while_costs_cycles_and_nothing_else(seconds, start, postgres):
    url = postgres.database()
    alone = start(url)
    _leader([alone])
    postgres.stop()
    try:
        before = len(alone.reports)
        _until(lambda: "cycle is left out" in alone.err.read_text())
        time.sleep(seconds)
    finally:
        postgres.start()
    _until(lambda: len(alone.reports) >= before + 3, what=alone.err.read_text())
    known = len(alone.plans)
    _until(lambda: len(alone.plans) > known, what=alone.err.read_text())
    assert alone.stop() == 0, alone.err.read_text()
    written = set(postgres.sql(url, "select id from plans"))
    assert set(alone.plans) <= written
    assert postgres.sql(url, "select count(*) from plans where state = 'open'") == ["0"]
    assert postgres.sql(url, "select token from leaders") == ["1"]
    assert "secret-word" not in alone.err.read_text() + alone.out.read_text()
    _sound(url)


@pytest.mark.parametrize("seconds", [0.3, pytest.param(600, marks=pytest.mark.full)])
async def test_what_was_acknowledged_outlives_a_server_that_dies_under_load(seconds, postgres):
    """Class A is never half there, and never lost: all of a plan was written down, or it was refused."""
    url = postgres.database()
    ledger = await open_ledger(url, "paper:test")
    await ledger.open_account({POLYMARKET: 100_000 * _plan().outlay}, NOON)
    acknowledged, refused, enough, numbers = [], [], 10**9, itertools.count()

    async def write():
        while len(acknowledged) < enough:
            plan = _plan(f"p{next(numbers)}")
            try:
                await ledger.open_plan(1, plan)
                await ledger.append(plan.id, _facts(plan))
            except LedgerError:
                refused.append(plan.id)
                await asyncio.sleep(0.1)
            else:
                acknowledged.append(plan.id)

    load = asyncio.gather(*(write() for _ in range(3)))
    while len(acknowledged) < 20:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(postgres.stop, "immediate")
    try:
        await asyncio.sleep(seconds)
        before = len(acknowledged)
    finally:
        await asyncio.to_thread(postgres.start)
    enough = before + 20
    await load
    assert len(refused) > seconds
    for plan in acknowledged:
        assert list(await ledger.facts(plan)) == _facts(_plan(plan))
    known = set(postgres.sql(url, "select id from plans"))
    for plan in known & set(refused):
        # The answer was lost, not the transaction: it is whole, or only its first step is there.
        assert list(await ledger.facts(plan)) in ([], _facts(_plan(plan)))
    assert set(acknowledged) <= known
    assert not await check(ledger._db)
    await ledger.close()


def _in(folder, monkeypatch, url):
    """Commands of this process work in this folder, on this database."""
    monkeypatch.chdir(folder)
    for name, value in environment_for("http://127.0.0.1:9", folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARB_DATABASE__URL", url)


def test_a_halt_from_another_folder_is_heard_within_a_moment(
    start, postgres, tmp_path, monkeypatch
):
    url = postgres.database()
    alone = start(url)
    _leader([alone])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _in(elsewhere, monkeypatch, url)
    assert CliRunner().invoke(app, ["halt"]).exit_code == 0
    _until(lambda: "stopped by the operator" in alone.err.read_text(), seconds=2)
    known = len(alone.plans)
    seen = len(alone.reports)
    _until(lambda: len(alone.reports) >= seen + 3)
    assert len(alone.plans) <= known + 1  # the one under way


def test_the_care_of_the_database_works_on_a_server(postgres, tmp_path, monkeypatch):
    _in(tmp_path, monkeypatch, postgres.database())
    upgraded = CliRunner().invoke(app, ["db", "upgrade"])
    assert upgraded.exit_code == 0, upgraded.stderr
    assert CliRunner().invoke(app, ["db", "check"]).exit_code == 0
    with pytest.raises(LedgerError, match="pg_dump") as refused:
        CliRunner().invoke(app, ["db", "backup", "copy"], catch_exceptions=False)
    assert "secret-word" not in str(refused.value)


async def test_a_copy_by_the_servers_own_tools_is_the_ledger(postgres):
    url, copy = postgres.database(), postgres.database()
    ledger = await open_ledger(url, "paper:default")
    await ledger.open_account({POLYMARKET: 2 * _plan().outlay}, NOON)
    await ledger.open_plan(1, _plan())
    await ledger.append("p", _facts(_plan()))
    held = await ledger.portfolio(NOON)
    await ledger.close()
    await asyncio.to_thread(postgres.copy, url, copy)
    ledger = await open_ledger(copy, "paper:default")
    assert await ledger.portfolio(NOON) == held
    assert list(await ledger.facts("p")) == _facts(_plan())
    assert not await check(ledger._db)
    await ledger.close()


async def _fetched(orchestrator, *asked, method="GET"):
    """What the API of a running orchestrator answers, once it can be reached."""
    (where,) = re.findall(r"http://127\.0\.0\.1:\d+", orchestrator.err.read_text())[:1]
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=where, headers=headers, trust_env=False) as client:
        for path in asked:
            answer = await client.request(method, f"/api/v1{path}")
            assert answer.status_code == 200, answer.text
            yield answer.json()


async def test_the_api_works_on_a_server_and_a_waiting_orchestrator_does_not_serve(start, postgres):
    url = postgres.database()
    api = {"ARB_API__PORT": "0", "ARB_API__TOKEN": TOKEN}
    leader = start(url, "--api", **api)
    _leader([leader])
    standby = start(url, "--api", **api)
    portfolio, plans, cycles = [
        one async for one in _fetched(leader, "/portfolio", "/plans", "/cycles")
    ]
    assert portfolio["statistics"]["trades"] > 0
    assert plans[0]["id"] in postgres.sql(url, "select id from plans")
    assert cycles
    async for halted in _fetched(leader, "/bot/halt", method="POST"):
        assert halted["changed"]
    latest = "select state from standings order by id desc limit 1"
    assert postgres.sql(url, latest) == ["halted"]
    _until(lambda: "this one waits" in standby.err.read_text())
    assert "http://" not in standby.err.read_text()
    assert leader.stop() == 0, leader.err.read_text()
    _until(lambda: standby.reports, what=standby.err.read_text())
    (status,) = [one async for one in _fetched(standby, "/bot/health")]
    # A halt is the account's: it holds for the next leader, too.
    assert status["status"] == "paused"
    assert not standby.plans


@pytest.mark.parametrize(
    ("only", "plans"), [("cheap-no-2", 1), pytest.param(None, 7, marks=pytest.mark.full)]
)
async def test_live_trading_on_a_server_keeps_a_ledger_that_is_the_exchanges_truth(
    only, plans, tmp_path, postgres
):
    url = postgres.database()
    async with live_world("deposit", only=only) as (at, wallet):
        loaded = live_settings(at.address, tmp_path, wallet, **{"database.url": url})
        report, _, still_open = await run_once(loaded, live=True)
        assert (report.mode, still_open) == ("live", 0)
        assert [plan.state for plan in report.plans] == [PlanState.DONE] * plans
        ledger = await open_ledger(url, f"polymarket:{wallet.lower()}")
        assert not await differences(at, wallet, ledger)
        assert not await check(ledger._db)
        await ledger.close()


def _sound(url):
    async def problems():
        ledger = await open_ledger(url, "paper:default")
        try:
            return await check(ledger._db)
        finally:
            await ledger.close()

    assert not asyncio.run(problems())
