"""docs/fault-catalogue.md §H: the schedule, the clock and the loop. Bots have a folder of tests of their own."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace

import httpx
import pytest

from arb.adapters.clock import SystemClock
from arb.domain.fact import Answered
from arb.domain.news import CycleSkipped, Trouble
from arb.domain.order import NotFound
from arb.domain.plan import PlanState
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.interlocks import no_opening
from arb.runtime.loop_monitor import Pulse, beating
from arb.runtime.running import run_scheduled
from arb.runtime.scheduled import Schedule
from arb.runtime.server import controlled
from tests.conftest import exchange_at, settings_for
from tests.faults.world import SOON, orders_live


class Wall(SystemClock):
    """The machine's clock, which somebody may set."""

    off = timedelta(0)

    def now(self):
        return super().now() + self.off


async def _scheduled(block, *, every=0.3, runs=4):
    """When the runs began, beside a loop that stands still during the first; and what was told."""
    news, began = [], []
    schedule = Schedule(every, SystemClock(), news.append, ticks_max=runs)

    async def tick():
        began.append(time.monotonic())
        if len(began) == 1:
            block()
            await asyncio.sleep(0)

    await asyncio.wait_for(schedule(tick), 120)
    return began, news


async def test_h01_a_run_that_is_late_is_run_and_one_that_is_left_out_is_told():
    began, _ = await _scheduled(lambda: time.sleep(0.5))
    assert began[1] - began[0] < 1.2
    news = []
    schedule = Schedule(0.2, SystemClock(), news.append, ticks_max=2)
    await schedule(lambda: asyncio.sleep(0.7))
    assert [one for one in news if isinstance(one, CycleSkipped)]


async def test_h02_a_venue_that_hangs_ends_the_cycle_and_not_the_schedule(tmp_path):
    flags = {"arbitrage.scan_interval": 0.3, "polymarket.attempts": 1}
    hang = {"fault": {"endpoint": "/events", "kind": "hang", "times": -1}}
    reports = []

    def after_one(report):
        reports.append(report)
        ended.set()

    ended = asyncio.Event()
    async with exchange_at("demo", 4) as (_, address), httpx.AsyncClient(trust_env=False) as http:
        await http.post(f"{address}/_control", json=hang)
        loaded = settings_for(address, tmp_path, **flags)
        running = asyncio.create_task(run_scheduled(loaded, after_one, cycles=2))
        await asyncio.wait_for(ended.wait(), 120)
        await http.post(f"{address}/_control", json={"clear": True})
        statistics, _ = await asyncio.wait_for(running, 120)
    assert [report.reachable for report in reports] == [False, True]
    assert statistics.trades > 0


async def test_h03_runs_that_were_missed_are_not_made_up_for():
    began, _ = await _scheduled(lambda: time.sleep(1.5), runs=4)
    pauses = [later - sooner for sooner, later in pairwise(began[1:])]
    assert min(pauses) > 0.2


async def test_h05_a_way_out_that_is_refused_is_no_success(at):
    async def refuse(_request):
        await at.conduct(banned=True)

    def take(_request):
        at.book("race-1", [("0.20", 300)], [("0.90", 300)])
        at.before_post = refuse

    at.before_post = take
    report, plan = await at.trade()
    assert report.alarm
    assert report.realised <= 0
    assert any((await at.account(plan)).held.values())
    await at.check()


async def test_h06_a_loss_counts_whichever_way_it_came(make):
    at = await make(**{"risk.max_daily_loss": "0.01"})
    at.lose_a_leg(deep="0.20")
    report, _ = await at.trade()
    assert report.realised < 0
    await at.restart()
    at.open_again()
    await asyncio.sleep(SOON.total_seconds())
    report = await at.cycle()
    assert not report.plans
    assert "daily loss" in " ".join(report.risk.reasons)
    assert (await at.ledger.portfolio(at.context.clock.now())).loss_today > Decimal("0.01")


async def test_h06_a_loss_is_measured_by_the_equity_that_was_there(make):
    at = await make(**{"risk.max_daily_loss_pct": "0.01", "risk.max_drawdown_pct": "0.01"})
    at.lose_a_leg(deep="0.20")
    report, _ = await at.trade()
    assert report.realised < 0
    await at.restart()
    at.open_again()
    await asyncio.sleep(SOON.total_seconds())
    report = await at.cycle()
    assert not report.plans
    assert [reason.partition(" % ")[2] for reason in report.risk.reasons] == [
        "of the day's opening equity lost, the limit is 0.01 %",
        "below the highest equity, the limit is 0.01 %",
    ]
    held = await at.ledger.portfolio(at.context.clock.now())
    assert held.realised == -held.loss_today < 0
    assert held.drawdown_pct == held.loss_today / held.capital * 100


async def _beats(act, pause=None):
    clock, told = Wall(), []
    async with beating(Pulse(clock=clock, tell=told.append, pause=pause, beat_seconds=0.05)):
        await asyncio.sleep(0.1)
        act(clock)
        await asyncio.sleep(0.2)
    assert all(isinstance(news, Trouble) for news in told)
    return [(news.problem.where, news.problem.what) for news in told]


async def test_h09_a_clock_that_jumps_pauses_live_trading():
    reasons = []

    async def pause(reason):
        reasons.append(reason)

    def back(clock):
        clock.off = timedelta(hours=-1)

    ((where, what),) = await _beats(back, pause)
    assert (where, what) == ("clock", "the clock jumped by -3600.0 s")
    assert len(reasons) == 1

    def a_little(clock):
        clock.off = timedelta(seconds=1)

    assert await _beats(a_little, pause) == []
    assert len(reasons) == 1


async def test_h09_a_pause_for_the_clock_holds_until_an_operator_resumes(at):
    control = controlled(SimpleNamespace(settings=at.settings), at.context).control
    await control.pause("the clock jumped")
    assert not (await at.cycle()).plans
    await control.resume("set right")
    assert (await at.cycle()).plans
    await at.check()


async def test_h10_a_loop_that_stood_still_is_told_of():
    ((where, what),) = await _beats(lambda _: time.sleep(1.3))
    assert where == "loop"
    assert what.startswith("nothing else could run for 1.")


async def test_a_process_that_has_not_heard_the_venue_out_sends_nothing(at):
    async def close(_request):
        await at.conduct(mode="cancel_only")

    def take(_request):
        at.book("race-1", [("0.42", 300), ("0.05", 500)], [("0.47", 300)])
        at.before_post = close

    short = {"answer_wait": timedelta(seconds=1)}
    await at.restart(**short)
    at.before_post = take
    report, _ = await at.trade()
    assert report.state is PlanState.OPEN
    await at.conduct(mode="normal")
    await at.fault("/data/trades", status=410, times=-1)
    posts = sum(at.sent.values())
    (report,) = await at.restart(**short)
    assert "not reconciled" in report.reason
    assert sum(at.sent.values()) == posts
    await at.control(clear=True)
    await at.ended()
    assert sum(at.sent.values()) > posts
    await at.check()


@pytest.fixture
def wall(monkeypatch):
    """A wall clock that can be set, for the scheduler as for us; the steady one goes on."""
    clock = Wall()

    class Time(datetime):
        @classmethod
        def now(cls, tz=None):
            return clock.now().astimezone(tz)

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Time)
    return clock


@pytest.mark.parametrize(
    "step", [timedelta(hours=-1), timedelta(days=-400), timedelta(hours=1), timedelta(days=4000)]
)
async def test_h09_a_schedule_goes_on_when_the_clock_is_set(wall, step):
    began, news = [], []
    schedule = Schedule(0.4, wall, news.append, ticks_max=8)

    async def tick():
        began.append(time.monotonic())
        if len(began) == 3:
            wall.off += step

    await asyncio.wait_for(schedule(tick), 120)
    assert len(began) == 8
    assert news == []
    assert began[-1] - began[3] > 1.0  # four intervals of 0.4 s, of which a busy machine eats some


async def test_h09_the_clock_does_not_say_how_old_a_reconciliation_is(make):
    at = await make()
    reconciler = at.orchestrator.reconciler
    reconciler.clock = clock = Wall()
    await reconciler.run()
    for hours in (-5, 5):
        clock.off = timedelta(hours=hours)
        assert no_opening(reconciler.interlocks) is None
    # What came since is asked for by the clock as it stands, also if it was years ahead before.
    reconciler.done_at += timedelta(days=900)
    asked = []
    (statements,) = reconciler.venues.statements.values()
    statement = statements.statement

    async def noting(outcomes, since):
        asked.append(since)
        return await statement(outcomes, since)

    statements.statement = noting
    clock.off = timedelta(0)
    await reconciler.run()
    assert asked[0] <= clock.now()


async def test_h09_an_order_is_not_written_off_because_the_clock_was_set(make, monkeypatch):
    """Its trades do not show yet; by the wall clock its time has been over for an hour."""
    at = await make()
    clock, hidden, trading = Wall(), [4], type(at.live.trading)
    query = trading.query

    async def late(self, order):
        hidden[0] -= 1
        return NotFound() if hidden[0] >= 0 else await query(self, order)

    def set_forward(_request):
        clock.off = timedelta(hours=1)

    at.context = replace(at.context, clock=clock)
    at.orchestrator = ArbitrageOrchestrator(at.context, at.options)
    await at.orchestrator.setup()
    orders_live(monkeypatch, 60)
    monkeypatch.setattr(trading, "query", late)
    at.before_post = set_forward
    await at.fault("/orders", "accept_then_hang")
    await at.trade()
    assert hidden[0] < 0
    clock.off = timedelta(0)
    await at.ended()
    (plan,) = await at.plans()
    assert (await at.account(plan)).cash > 0
    facts = await at.ledger.facts(plan.id)
    assert not [f for f in facts if isinstance(f, Answered) and not f.answer.fills]
    await at.check()
