"""The orchestrator as the main orchestrator's document uses it, against the embedded exchange."""

import json
from decimal import Decimal

import httpx
import pytest
from loguru import logger
from main import ArbitrageOrchestrator
from src.analyzer import IntraMarketArbitrageDetector
from src.api import PolymarketClient
from src.utils import DatabaseManager
from src.utils.kelly import calculate_kelly_fraction

from arb.cli.output import render_report
from arb.domain.errors import ConfigError, VenueError
from arb.domain.halt import TradingState
from arb.domain.plan import PlanState
from tests.conftest import environment_for, exchange_at

FIVE = (
    "total_opportunities",
    "total_trades",
    "successful_trades",
    "failed_trades",
    "total_profit_usd",
)


@pytest.fixture
async def market(request, tmp_path, monkeypatch):
    """An exchange's address; the settings of the environment name it. `demo` without a parameter."""
    async with exchange_at(getattr(request, "param", "demo"), 7) as (_, address):
        for name, value in environment_for(address, tmp_path).items():
            if name.startswith("ARB_"):
                monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield address
    logger.remove()


@pytest.fixture
def said():
    """The log's lines, level first; whatever the orchestrator has set up stays as it is."""
    lines = []

    def listen():
        logger.add(lambda m: lines.append(f"{m.record['level'].name} {m.record['message']}"))
        return lines

    return listen


async def _resolve_all(address, report, *, yes):
    """Every market of the report resolves with this price of YES."""
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        for found in render_report(report)["opportunities"]:
            for leg in found["legs"]:
                order = {"resolve": {"market": leg["market"], "yes": yes}}
                await client.post("/_control", json=order)


async def test_initialization_is_a_dry_run_and_opens_nothing(market, tmp_path):
    orchestrator = ArbitrageOrchestrator()
    assert orchestrator.dry_run
    assert orchestrator.stats == dict.fromkeys(FIVE, 0)
    assert not (tmp_path / "arb.db").exists()
    assert await orchestrator.shutdown() == await orchestrator.shutdown()


async def test_setup_opens_the_components_and_says_so(market, said, tmp_path):
    orchestrator = ArbitrageOrchestrator(dry_run=True)
    lines = said()
    await orchestrator.setup()
    assert (tmp_path / "arb.db").exists()
    await orchestrator.setup()
    await orchestrator.shutdown()
    first, second = lines[:2]
    assert first.startswith("INFO Orchestrator initialized (dry_run=True)")
    assert second == "SUCCESS ✓ All components initialized successfully"
    assert len([line for line in lines if "initialized" in line]) == 2


async def test_real_money_needs_its_other_key_too(market):
    orchestrator = ArbitrageOrchestrator(dry_run=False)
    with pytest.raises(ConfigError, match="ARB_TRADING__LIVE=true"):
        await orchestrator.setup()


async def test_risk_limits_that_hold_let_it_trade(market, said):
    async with ArbitrageOrchestrator() as orchestrator:
        lines = said()
        risk_status = await orchestrator.check_risk_limits()
        assert risk_status["can_trade"] is True
        assert risk_status["state"] is TradingState.NORMAL
        with pytest.raises(KeyError):
            risk_status["max_loss"]
    assert lines[0] == "DEBUG Risk check passed: trading is normal"


async def test_a_daily_loss_beyond_its_limit_stops_trading(market, monkeypatch, said):
    monkeypatch.setenv("ARB_POLYMARKET__UNIVERSE_MAX_AGE_SECONDS", "0")
    monkeypatch.setenv("ARB_RISK__MAX_DAILY_LOSS", "1")
    monkeypatch.setenv("ARB_STRATEGIES__ENABLED", '["negrisk_yes"]')
    monkeypatch.setenv("ARB_ARBITRAGE__RESOLUTION_CHECK_INTERVAL", "0")
    async with ArbitrageOrchestrator() as orchestrator:
        report = await orchestrator.scan_cycle()
        await _resolve_all(market, report, yes="0")
        lines = said()
        await orchestrator.scan_cycle()
        over = "Risk limits exceeded: this cycle trades nothing: daily loss"
        assert [line for line in lines if over in line]
        risk_status = await orchestrator.check_risk_limits()
    assert not risk_status["can_trade"]
    assert any("daily loss" in reason for reason in risk_status["reasons"])


async def test_as_many_positions_as_allowed_stop_trading(market, monkeypatch):
    monkeypatch.setenv("ARB_RISK__MAX_OPEN_POSITIONS", "1")
    monkeypatch.setenv("ARB_STRATEGIES__ENABLED", '["negrisk_yes"]')
    async with ArbitrageOrchestrator() as orchestrator:
        await orchestrator.scan_cycle()
        risk_status = await orchestrator.check_risk_limits()
    assert not risk_status["can_trade"]
    assert risk_status["reasons"] == ("1 open positions, at most 1",)


async def test_position_sizes_are_kelly_s_share_within_every_cap(market, monkeypatch):
    monkeypatch.setenv("ARB_TRADING__MAX_POSITION_SIZE", "50")
    async with PolymarketClient() as client, ArbitrageOrchestrator() as orchestrator:
        best, *_ = await IntraMarketArbitrageDetector(client).scan_all_markets()
        assert 0 < await orchestrator.calculate_position_size(best) <= 50
        assert await orchestrator.calculate_position_size(best.proven) <= 50
    fraction = calculate_kelly_fraction(
        win_probability=best.confidence_score,
        profit_ratio=best.net_profit_pct,
        max_fraction=0.25,
        conservative_factor=0.5,
    )
    assert fraction == 0  # the classical formula takes the whole stake to be lost
    assert calculate_kelly_fraction(0.9, 0.5) == Decimal("0.25")


@pytest.mark.parametrize("market", ["quiet"], indirect=True)
async def test_a_cycle_without_opportunities_trades_nothing(market, said):
    async with ArbitrageOrchestrator() as orchestrator:
        lines = said()
        report = await orchestrator.scan_cycle()
        assert orchestrator.stats == dict.fromkeys(FIVE, 0)
    assert report.plans == ()
    assert any(line.startswith("INFO Found 0 opportunities") for line in lines)


async def test_a_cycle_trades_its_opportunities_on_paper(market, said):
    async with ArbitrageOrchestrator(dry_run=True) as orchestrator:
        lines = said()
        report = await orchestrator.scan_cycle()
    assert report.mode == "dry-run"
    assert any(line.startswith("INFO Found 10 opportunities") for line in lines)
    done = [plan for plan in report.plans if plan.state is PlanState.DONE]
    would = [line for line in lines if "[DRY RUN] Would execute trade here" in line]
    assert len(would) == len(report.plans) >= len(done) > 0


async def test_trades_are_recorded_in_the_ledger(market):
    async with ArbitrageOrchestrator() as orchestrator:
        report = await orchestrator.scan_cycle()
        async with DatabaseManager() as database:
            rows = await database.plans()
            assert await database.opportunities()
    assert {row.id for row in rows} == {plan.plan for plan in report.plans}


async def test_an_exchange_that_fails_ends_its_cycle_and_never_the_run(market, monkeypatch):
    monkeypatch.setenv("ARB_POLYMARKET__ATTEMPTS", "1")
    async with ArbitrageOrchestrator() as orchestrator:
        async with httpx.AsyncClient(base_url=market, trust_env=False) as client:
            fault = {"endpoint": "/events", "status": 503, "times": -1}
            await client.post("/_control", json={"fault": fault})
            away = await orchestrator.scan_cycle()
            await client.post("/_control", json={"clear": True})
        back = await orchestrator.scan_cycle()
    assert not away.reachable
    assert back.reachable
    assert back.plans


async def test_without_an_exchange_nothing_is_detected(market, monkeypatch):
    monkeypatch.setenv("ARB_POLYMARKET__GAMMA_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ARB_POLYMARKET__ATTEMPTS", "1")
    with pytest.raises(VenueError):
        await IntraMarketArbitrageDetector().scan_all_markets()


async def test_statistics_are_the_account_s_and_survive_a_restart(market):
    async with ArbitrageOrchestrator() as orchestrator:
        report = await orchestrator.run_once()
    sums = orchestrator.stats
    assert tuple(sums) == FIVE
    assert sums["total_opportunities"] == report.funnel.proved
    assert sums["total_trades"] == len(report.plans)
    assert sums["successful_trades"] + sums["failed_trades"] == sums["total_trades"]
    assert sums["total_profit_usd"] == sum(plan.realised for plan in report.plans) > 0
    async with ArbitrageOrchestrator() as again:
        assert again.stats == sums


async def test_shutdown_lets_go_of_everything_and_shows_the_statistics(market, capsys):
    orchestrator = ArbitrageOrchestrator()
    await orchestrator.run_once()
    statistics = await orchestrator.shutdown()
    block = capsys.readouterr().out.splitlines()
    rule = "=" * 80
    assert block[:4] == [rule, "FINAL STATISTICS", rule, "Total scan cycles: 1"]
    assert f"Success rate: {statistics.success_rate:.1%}" in block
    assert any(line.startswith("Total profit: $") for line in block)
    assert block[-1] == rule
    async with ArbitrageOrchestrator():  # the ledger's lock was free again
        pass
    assert await orchestrator.shutdown() == statistics


async def test_a_run_of_cycles_from_start_to_end(market, monkeypatch, said):
    monkeypatch.setenv("ARB_ARBITRAGE__SCAN_INTERVAL", "0.2")
    orchestrator = ArbitrageOrchestrator()
    lines = said()
    statistics = await orchestrator.run(cycles=2)
    assert statistics.cycles == 2
    assert orchestrator.stats["total_trades"] == statistics.trades > 0
    started = "SUCCESS ✓ Arbitrage system started! Scanning every 0.2s"
    told = ["SUCCESS ✓ All components initialized successfully", started]
    told += ["INFO Starting scan cycle #1", "INFO Starting scan cycle #2"]
    assert [line for line in lines if line in told] == told
    assert json.dumps(orchestrator.stats, default=str)
