"""The document on the liquidation bot: what it says of connections, figures and alerts."""

import json
import re
import signal
import sqlite3
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from arb.adapters.notify.wording import summary
from arb.adapters.storage import open_ledger
from arb.domain.attempt import AttemptSums
from arb.domain.halt import Pause, Standing, TradingState
from arb.domain.money import Usd
from arb.domain.news import AttemptsChanged, AttemptsLooked, ChainSeen, PlanEnded, PlanResolved
from arb.domain.plan import ExecutionReport, PlanState
from arb.domain.reason import Reason
from arb.domain.record import PlanRecord
from arb.domain.venue import ChainState
from arb.runtime.alerts import Watch, alert_options
from arb.runtime.narrator import portfolio_line
from arb.testing import builders as make
from tests import anvil
from tests.conftest import settings_for
from tests.e2e.worlds import live_environment, live_world
from tests.faults.world import eventually
from tests.onchain import aave
from tests.programs import Program

DEAD = "http://127.0.0.1:9/rpc"
WAIT_SECONDS = 120


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

                return await eventually(look)

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

                assert await eventually(block) > 0
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


def test_liquidations_alert_at_the_levels_of_the_document(tmp_path):
    """CRITICAL: HALTED. HIGH: THROTTLED, two failures in a row. MEDIUM: volume above 80 %."""
    settings = settings_for("http://127.0.0.1:9", tmp_path).settings
    watch = Watch(alert_options(settings), _NoChannel(), None, _Clock())
    account = "liquidations:default"

    def told(news):
        before = len(watch.latest(99))
        watch.observe(news)
        fresh = watch.latest(99)[: len(watch.latest(99)) - before]
        return [(one.level, one.text) for one in reversed(fresh)]

    def looked(failures, volume):
        sums = AttemptSums(
            block=7, watched=3, near=1, within_reach=1, submissions=9, inclusion_rate=None,
            accuracy=None, failures_in_row=failures, errors_in_row=0, returned=Usd(Decimal(0)),
            volume_today=Usd(Decimal(volume)), volume_max=Usd(Decimal(100)),
        )  # fmt: skip
        return AttemptsLooked(account, sums)

    def changed(state, reason, **more):
        return AttemptsChanged(account, Standing(state=state, reason=reason, **more))

    few = "4 of the latest 10 submissions were included"
    assert told(changed(TradingState.THROTTLED, few)) == [
        (
            "high",
            f"{account}: throttled: {few}. It does half the work and recovers by itself.",
        )
    ]
    assert told(changed(TradingState.NORMAL, "")) == []
    assert told(changed(TradingState.HALTED, "10 errors in a row")) == [
        (
            "critical",
            f"{account}: halted: 10 errors in a row. `arb liquidations --resume REASON` ends it.",
        )
    ]
    away = changed(TradingState.HALTED, "no node answers", pause=Pause.UNTIL_REACHABLE)
    told(changed(TradingState.NORMAL, ""))
    assert [level for level, _ in told(away)] == ["high"]
    assert told(looked(1, 80)) == []
    assert [level for level, _ in told(looked(2, 80))] == ["high"]
    assert [level for level, _ in told(looked(0, 81))] == ["medium"]


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


def _on_the_chain(market, url):
    """The settings of liquidations on the tests' chain, with a primary node that is dead."""
    at = market.at
    return {
        "ARB_CHAIN__NAME": "local",
        "ARB_CHAIN__CHAIN_ID": str(anvil.CHAIN_ID),
        "ARB_CHAIN__RPC_URLS": json.dumps([DEAD, url]),
        "ARB_CHAIN__PRIVATE_KEY": anvil.KEYS[0],
        "ARB_CHAIN__POLL_SECONDS": "0.05",
        "ARB_LIQUIDATIONS__POOL": at["pool"],
        "ARB_LIQUIDATIONS__QUOTER": at["quoter"],
        "ARB_LIQUIDATIONS__ROUTER": at["router"],
        "ARB_LIQUIDATIONS__ROUTER_DEADLINE": "true",
        "ARB_LIQUIDATIONS__NATIVE_ASSET": at["weth"],
        "ARB_LIQUIDATIONS__SMALL_DEBT_USD": "0",
        "ARB_LIQUIDATIONS__INTERVAL": "0.2",
    }


async def test_the_event_loop_finds_simulates_and_liquidates_in_an_account_of_its_own(tmp_path):
    """Tasks 7.1 to 7.4: checks at the start, the loop, failover, figures, alerts, attempts kept."""
    server = anvil.started()
    world = anvil.World(server)
    try:
        market = await aave.build(world)
        usdc = aave.USDC_UNIT
        await market.lend("usdc", 1_000_000 * usdc, 2)
        await market.lend("weth", 10 * aave.WETH_UNIT, 1)
        await market.borrow("usdc", 15_500 * usdc, 1)
        await market.mint("usdc", 50_000 * usdc, 0)
        async with live_world("eoa", scenario="quiet") as (at, wallet):
            env = live_environment(at.address, tmp_path, wallet) | {
                **_on_the_chain(market, server.url),
                "ARB_LIQUIDATIONS__ENABLED": "true",
                "ARB_LIQUIDATIONS__LIVE": "true",
                "ARB_API__OPEN_METRICS": "true",
                "ARB_API__PORT": "0",
                "ARB_API__TOKEN": "the-token-of-this-test-alone",
            }
            look = Program(tmp_path / "look", "liquidations", "--json", env=env)
            assert look.process.wait(WAIT_SECONDS) == 0, look.err.read_text()
            (loan,) = json.loads(look.out.read_text())["loans"]
            assert (loan["health"][:6], loan["prices"]) == ("1.0645", ["oracle"])

            watch = Program(tmp_path / "watch", "liquidations", "--watch", env=env)

            async def looked():
                assert watch.process.poll() is None, watch.err.read_text()
                return watch.out.read_text().count("1 borrowers, 0 below 1.") >= 2

            await eventually(looked)
            watch.send(signal.SIGINT)
            assert watch.process.wait(WAIT_SECONDS) == 0, watch.err.read_text()
            assert "calculated at one block; it may cost its gas" in watch.out.read_text()

            run = Program(tmp_path / "run", "run", "--live", "--api", env=env)
            try:

                async def logged(pattern):
                    async def look():
                        assert run.process.poll() is None, run.err.read_text()
                        return re.search(pattern, run.err.read_text() + run.out.read_text(), re.M)

                    return await eventually(look)

                where = (await logged(r"http://127\.0\.0\.1:\d+(?=/)"))[0]
                async with httpx.AsyncClient(
                    base_url=where, trust_env=False, timeout=WAIT_SECONDS
                ) as api:

                    async def figure(what, name="arb_attempt_figures"):
                        text = (await api.get("/metrics")).text
                        found = re.search(rf"^{name}{{.*{what}.*}} (\S+)$", text, re.M)
                        return found and float(found[1])

                    await logged("local is asked instead|9 does not answer .* is asked instead")
                    await eventually(lambda: figure('"watched"'))
                    assert await figure('"within_reach"') == 0
                    await market.price("weth", 1850)
                    await logged(r"SUCCESS .*liquidations:default: attempt .*: included: returned")
                    assert await eventually(lambda: figure('"included"', "arb_attempts_total")) == 1
                    assert await eventually(lambda: figure('"inclusion_rate"')) == 1
                    assert await figure('"submissions"') == 1
                    assert await figure('"normal"', "arb_attempt_state") == 1
                    assert await figure('venue="local"', "arb_block_number") > 0
                    token = {"authorization": "Bearer the-token-of-this-test-alone"}
                    told = (await api.get("/api/v1/attempts?limit=1", headers=token)).json()
                    assert [(one["account"], one["step"]) for one in told] == [
                        ("liquidations:default", "included")
                    ]
                    # The account of proven trades has nothing of it.
                    assert "arb_profit_usd 0.0" in (await api.get("/metrics")).text

                    halt = Program(tmp_path / "halt", "liquidations", "--halt", "a look", env=env)
                    assert halt.process.wait(WAIT_SECONDS) == 0, halt.err.read_text()
                    await logged(r"CRITICAL .*Alert CRITICAL: liquidations:default: halted: a look")
                    assert await eventually(lambda: figure('"halted"', "arb_attempt_state")) == 1
                    await market.world.control("anvil_setBalance", world.owner.address, "0x1")
                    await logged(
                        r"CRITICAL .*Alert CRITICAL: The wallet has .* ETH for gas at local"
                    )
                run.send(signal.SIGINT)
                assert run.process.wait(WAIT_SECONDS) == 0, run.err.read_text()
            finally:
                run.kill()
            (file,) = tmp_path.rglob("*.db")
            with sqlite3.connect(file) as ledger:
                steps = ledger.execute(
                    "select step from attempt_facts where account = 'liquidations:default'"
                ).fetchall()
            assert [step for (step,) in steps] == [
                "found", "simulated", "submitted", "continued", "continued", "continued", "included",
            ]  # fmt: skip
    finally:
        await world.chain.close()
        server.remove()


async def test_sending_takes_two_keys_a_balance_for_gas_and_contracts(tmp_path):
    server = anvil.started()
    world = anvil.World(server)
    try:
        market = aave.Market(world)
        market.at = dict.fromkeys(("pool", "quoter", "router", "weth"), "0x" + "12" * 20)
        env = _on_the_chain(market, server.url) | {
            "ARB_DATABASE__URL": f"sqlite+aiosqlite:///{tmp_path}/arb.db"
        }
        for more, said in (
            ({}, "ARB_LIQUIDATIONS__LIVE=true and --live"),
            ({"ARB_LIQUIDATIONS__LIVE": "true"}, "there is no contract at 0x1212"),
        ):
            run = Program(tmp_path / said[:5], "liquidations", "--watch", "--live", env=env | more)
            assert run.process.wait(WAIT_SECONDS) == (4 if more else 2)
            assert said in run.err.read_text()
            assert anvil.KEYS[0][2:] not in run.err.read_text() + run.out.read_text()
    finally:
        await world.chain.close()
        server.remove()
