"""The document on the liquidation bot: what it says of connections, figures and alerts."""

import asyncio
import re
import signal
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from arb.adapters.notify.wording import summary
from arb.adapters.storage import open_ledger
from arb.domain.news import ChainSeen, PlanEnded, PlanResolved
from arb.domain.plan import ExecutionReport, PlanState
from arb.domain.reason import Reason
from arb.domain.record import PlanRecord
from arb.domain.venue import ChainState
from arb.runtime.alerts import Watch, alert_options
from arb.runtime.narrator import portfolio_line
from arb.testing import builders as make
from tests.conftest import settings_for
from tests.e2e.worlds import live_environment, live_world
from tests.programs import Program

DEAD = "http://127.0.0.1:9/rpc"
WAIT_SECONDS = 120


async def _until(check):
    """Wait for the thing itself; what it came to."""
    end = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not (found := await check()):
        assert asyncio.get_running_loop().time() < end, "it never came to it"
        await asyncio.sleep(0.05)
    return found


async def test_a_live_run_shows_its_chain_and_says_what_changes(tmp_path):
    """Backup node, block number, gas while running, lines on health, venue and account."""
    async with live_world("eoa", scenario="quiet") as (at, wallet):
        env = live_environment(at.address, tmp_path, wallet) | {
            "ARB_POLYMARKET__RPC_URLS": f'["{DEAD}","{at.address}/rpc"]',
            "ARB_POLYMARKET__ATTEMPTS": "1",
            "ARB_POLYMARKET__UNIVERSE_MAX_AGE_SECONDS": "0",
            "ARB_TRADING__RECONCILE_INTERVAL": "0.2",
            "ARB_LOGGING__PORTFOLIO_EVERY": "0.2",
            "ARB_API__OPEN_METRICS": "true",
            "ARB_API__PORT": "0",
            "ARB_API__TOKEN": "the-token-of-this-test-alone",
        }
        run = Program(tmp_path / "run", "run", "--live", "--interval", "0.3", "--api", env=env)
        try:

            async def logged(pattern):
                async def look():
                    assert run.process.poll() is None, run.err.read_text()
                    return re.search(pattern, run.err.read_text() + run.out.read_text(), re.M)

                return await _until(look)

            where = (await logged(r"http://127\.0\.0\.1:\d+(?=/)"))[0]
            headers = {"authorization": "Bearer the-token-of-this-test-alone"}
            async with httpx.AsyncClient(
                base_url=where, headers=headers, trust_env=False, timeout=WAIT_SECONDS
            ) as api:

                async def figures():
                    text = (await api.get("/metrics")).text
                    rows = (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
                    return {name: float(value) for name, value in rows}

                async def block():
                    return (await figures()).get('arb_block_number{venue="polymarket"}')

                assert await _until(block) > 0
                found = await figures()
                assert found['arb_gas_balance{coin="POL",venue="polymarket"}'] == 1
                for name in ("volume_today_usd", "consecutive_failures", "drawdown_percent"):
                    assert found[f"arb_{name}"] == 0
                for name in ("inclusion_rate", "simulation_accuracy"):
                    assert found[f"arb_{name}"] != found[f"arb_{name}"]  # no plan, no rate
                await logged(r"ERROR .*127\.0\.0\.1:9 does not answer .* is asked instead")
                await logged(r"INFO .*Portfolio: cash \$5000, bound until resolution \$0, equity")

                await at.control(chain={"pol": {wallet: str(9 * 10**16)}})
                await logged(
                    r"CRITICAL .*Alert CRITICAL: The wallet has 0.09 POL for gas at polymarket, "
                    r"less than 0.1\."
                )
                await api.post("/api/v1/bot/pause", json={"reason": "a look"})
                await logged(r"WARNING .*Health: paused, was healthy: .*a look")
                await logged(r"WARNING .*Alert MEDIUM: Trading is paused")
                await api.post("/api/v1/bot/resume", json={})
                await logged(r"INFO .*Health: healthy, was paused")

                await at.control(fault={"endpoint": "/events/keyset", "status": 503, "times": -1})
                await logged(r"the venue is away")
                await at.control(clear=True)
                await api.post("/api/v1/bot/reset-errors", json={})
                await logged(r"INFO .*The venue is back after \d+ cycles without it")
            run.send(signal.SIGINT)
            assert run.process.wait(WAIT_SECONDS) == 0, run.err.read_text()
        finally:
            run.kill()


def _plan(name, proved):
    legs = ()
    return make.plan(name, "e", legs, payoff_worst=proved)


def _end(realised, *, locked="0", state=PlanState.DONE, code=None):
    return ExecutionReport(
        plan="p", state=state, realised=Decimal(realised), locked=Decimal(locked), code=code
    )


def test_inclusion_and_accuracy_are_of_plans_that_were_sent():
    record = PlanRecord()
    assert (record.inclusion_rate, record.accuracy) == (None, None)
    plan = _plan("p", "10")
    assert plan.profit == 10
    record(PlanEnded(plan, _end("9"), Reason.FILLED))
    record(PlanEnded(plan, _end("-2", state=PlanState.UNWOUND), Reason.EXECUTION_FAILED))
    record(PlanEnded(plan, _end("0", locked="30"), Reason.FILLED))  # its result comes later
    record(PlanEnded(plan, _end("0", code="orders_per_second"), Reason.EXECUTION_FAILED))
    assert record.inclusion_rate == Decimal(2) / 3
    assert record.accuracy == Decimal("0.9")
    record(PlanResolved(plan, _end("11")))
    assert record.accuracy == 1


class _NoChannel:
    lanes = ()

    def send(self, _alert, _arrived):
        """There is none to send through."""


class _Clock:
    def now(self):
        return make.NOON

    def monotonic(self):
        return 0.0


def test_low_gas_is_critical_once_and_anew_when_it_was_enough_between(tmp_path):
    settings = settings_for("http://127.0.0.1:9", tmp_path).settings
    watch = Watch(alert_options(settings), _NoChannel(), None, _Clock())

    def seen(gas):
        state = ChainState(
            block=7, gas=None if gas is None else Decimal(gas), gas_least=Decimal("0.1"), coin="POL"
        )
        watch.observe(ChainSeen("polymarket", state))
        return [(one.level, one.verdict, one.again) for one in watch.latest(9)]

    assert seen(None) == seen("0.1") == []  # a relayed wallet pays no gas
    assert seen("0.09") == [("critical", "no_channel", 0)]
    assert seen("0.08") == [("critical", "no_channel", 1)]
    seen("1")
    assert seen("0.09") == [("critical", "no_channel", 0), ("critical", "no_channel", 1)]


@pytest.fixture
async def ledger(tmp_path):
    opened = await open_ledger(f"sqlite+aiosqlite:///{tmp_path}/arb.db", "paper:test")
    await opened.open_account({make.POLYMARKET: Decimal(1000)}, make.NOON - timedelta(days=9))
    yield opened
    await opened.close()


async def test_the_daily_summary_is_of_the_day_also_after_a_restart(ledger):
    for name, realised, ago in (("old", "7", 30), ("new", "3", 5), ("newer", "-1", 1)):
        plan = _plan(name, "5")
        await ledger.open_plan(1, plan)
        state = PlanState.DONE if Decimal(realised) > 0 else PlanState.UNWOUND
        report = ExecutionReport(
            plan=plan.id, state=state, realised=Decimal(realised), locked=Decimal(0)
        )
        await ledger.close_plan(report, make.NOON - timedelta(hours=ago))
    day = await ledger.statistics(make.NOON - timedelta(days=1))
    assert (day.trades, day.successes, day.failures, day.realised) == (2, 1, 1, 2)
    held = await ledger.portfolio(make.NOON)
    said = summary(day, await ledger.statistics(), held)
    assert said.startswith("The last 24 hours: 0 cycles, 0 opportunities, 1 plans done, 1 failed.")
    assert "Profit realised $2, $9 since the account was opened" in said
    line = portfolio_line(held, await ledger.statistics())
    assert "today: volume $0, realised $2, losses $1; realised $9 since" in line
