"""The bot coordination document's own lines: its bots, its files, its questions to the database."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
import sys
from textwrap import indent

import pytest

from arb.adapters.bots.definition import read
from arb.adapters.clock import SystemClock
from arb.config.sources import read_toml
from arb.domain.errors import ConfigError
from arb.domain.plan import PlanState
from arb.operations.bot_files import bots_of, list_bots
from arb.reporting.report import read_report
from arb.runtime.bots import run_bots
from arb.runtime.reports import with_reports
from arb.runtime.running import run_once
from tests.conftest import exchange_at, settings_for

HEARTBEAT = """\
# Every 30 seconds
heartbeat_data = {
    "bot_name": "ATOM",
    "status": "running",
    "timestamp": time.time(),
    "pid": os.getpid()
}
with open("comm/heartbeats/atom_heartbeat.json", "w") as f:
    json.dump(heartbeat_data, f)
"""
COMMANDS = """\
# Check every 5 seconds
if os.path.exists("comm/commands/atom_command.json"):
    with open("comm/commands/atom_command.json", "r") as f:
        command = json.load(f)
    os.remove("comm/commands/atom_command.json")
    
    if command["command"] == "execute_arbitrage":
        # Execute the opportunity
        execute_arbitrage(command["opportunity"])
"""  # noqa: W293  # as it stands in the document
QUESTIONS = """\
-- Check opportunities
SELECT * FROM opportunities ORDER BY detected_at DESC LIMIT 10;

-- Check bot performance
SELECT * FROM bot_performance ORDER BY timestamp DESC LIMIT 10;

-- Check executions
SELECT * FROM executions ORDER BY execution_time DESC LIMIT 10;
"""
RESULT = """\
# After execution
result = {
    "bot_name": "ATOM",
    "success": True,
    "timestamp": time.time(),
    "data": {
        "profit": 25.50,
        "tx_hash": "0x123..."
    }
}
with open("comm/results/atom_result.json", "w") as f:
    json.dump(result, f)
"""


def _bot(result=RESULT):
    """The document's three pieces, in the loop that they are meant for."""
    return (
        "import json, os, time\n\n\ndef execute_arbitrage(opportunity):\n"
        + indent(result, "    ")
        + "\n\nbeaten = 0\nwhile True:\n    if time.monotonic() - beaten > 30:\n"
        + indent(HEARTBEAT, "        ")
        + "        beaten = time.monotonic()\n"
        + indent(COMMANDS, "    ")
        + "    time.sleep(0.05)\n"
    )


def _loaded(address, folder, definition, route="atom", **settings):
    (folder / "bots.toml").write_text(f'{definition}\n[[route]]\nbot = "{route}"\n')
    return settings_for(
        address,
        folder,
        **{
            "bots.definitions": str(folder / "bots.toml"),
            "bots.folder": str(folder / "comm"),
            "bots.logs": str(folder / "logs"),
            **settings,
        },
    )


async def _one_cycle(folder, does, source, more="", **settings):
    """A cycle whose plans go to the bot; its report, and what is open after it."""
    (folder / "ATOM.py").write_text(source)
    definition = (
        f'[bot.atom]\ncommand = ["{sys.executable}", "ATOM.py"]\nfolder = "{folder}"\n'
        f'does = "{does}"\n{more}'
    )
    async with exchange_at("demo", 7) as (_, address):
        loaded = _loaded(address, folder, definition, **{"bots.supervise": False, **settings})
        async with _bots_run(folder, loaded):
            report, _, still_open = await run_once(loaded)
    return report, still_open, loaded


@contextlib.asynccontextmanager
async def _bots_run(folder, loaded):
    """`arb bots run`, until the bot has shown that it is alive, and for the block."""
    work = asyncio.create_task(run_bots(loaded, lambda _: None))
    try:
        status = folder / "comm" / "run" / "atom.json"
        while not (status.exists() and json.loads(status.read_text()).get("beat_at")):
            assert not work.done()
            await asyncio.sleep(0.02)
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


def _ledger(folder, line):
    with contextlib.closing(sqlite3.connect(folder / "arb.db")) as ledger:
        ledger.row_factory = sqlite3.Row
        return [dict(row) for row in ledger.execute(line)]


@pytest.mark.parametrize("does", ["decides", "executes"])
async def test_the_bot_as_it_stands_in_the_document_is_worked_with(does, tmp_path):
    report, still_open, loaded = await _one_cycle(tmp_path, does, _bot())
    assert still_open == 0
    assert [plan for plan in report.plans if plan.state is PlanState.DONE]
    assert not list((tmp_path / "comm" / "quarantine").iterdir())
    opportunities, performance, executions = [
        _ledger(tmp_path, line) for line in QUESTIONS.strip().split("\n\n")
    ]
    assert opportunities[0]["detected_at"] > "2026"
    assert {row["bot_name"] for row in executions} == {"atom"}
    # Its 25.50 is its word: what is booked is what the books gave.
    agreed = [row for row in performance if row["deed"] == "agreed"]
    assert {(row["said_profit"], row["tx_hash"]) for row in agreed} == {(25.5, "0x123...")}
    made = sum(row["profit"] for row in _ledger(tmp_path, "SELECT profit FROM executions"))
    assert performance[0]["profit"] == pytest.approx(made)
    assert performance[0]["agreed"] == performance[0]["asked"] == len(report.plans)
    (sums,) = (await read_report(loaded)).document()["by_bot"].values()
    assert (sums["agreed"], float(sums["realised"])) == (len(report.plans), pytest.approx(made))
    (bot,) = await list_bots(loaded)
    assert (bot["opportunities_found"], bot["total_profit"]) == (sums["asked"], sums["realised"])


@pytest.mark.parametrize("does", ["decides", "executes"])
async def test_its_no_is_a_no(does, tmp_path):
    no = RESULT.replace('"success": True', '"success": False')
    report, still_open, _ = await _one_cycle(tmp_path, does, _bot(no))
    assert report.plans
    assert {plan.state for plan in report.plans} == {PlanState.UNWOUND}
    assert still_open == 0
    assert _ledger(tmp_path, "select * from fills") == []


async def test_a_bot_that_executes_and_never_answers_holds_no_cycle_up(tmp_path):
    """Plans that wait for an answer would be waited for an hour here."""
    waits = {"trading.answer_wait": 3600, "arbitrage.plans_per_cycle": 1}
    async with asyncio.timeout(600):
        report, still_open, _ = await _one_cycle(
            tmp_path, "executes", _bot("pass\n"), "answer_seconds = 0.5\n", **waits
        )
    assert {plan.state for plan in report.plans} == {PlanState.OPEN}
    assert still_open == 1


NAMES = """\
[bot.live_monitor]
name = "Live Arbitrage Monitor"
command = ["python3", "live_arbitrage_monitor.py"]
heartbeat_timeout = 0

[bot.real_executor]
command = ["python3", "real_arbitrage_executor.py"]

[bot.layer2_arbitrage]
command = ["python3", "layer2_arbitrage.py"]

[bot.ATOM]
command = ["python3", "backend/bots/ATOM.py"]

[[route]]
bot = "ATOM"
"""


async def test_bots_are_named_as_in_the_documents(tmp_path):
    (tmp_path / "bots.toml").write_text(NAMES)
    bots = read(read_toml(tmp_path / "bots.toml"), "bots.toml")
    assert list(bots.definitions) == ["live_monitor", "real_executor", "layer2_arbitrage", "atom"]
    assert bots.rules[0].bot == "atom"
    with pytest.raises(ConfigError, match="there is a bot atom already"):
        read({"bot": {"ATOM": {"command": ["x"]}, "atom": {"command": ["x"]}}}, "bots.toml")


async def test_a_plain_script_is_watched_by_its_process_alone(tmp_path):
    """The status is that of the arbitrage service document, field by field."""
    (tmp_path / "live_arbitrage_monitor.py").write_text("import time\n\ntime.sleep(600)\n")
    script = NAMES.partition("\n[bot.real")[0].replace("python3", sys.executable)
    loaded = _loaded(
        "http://127.0.0.1:9",
        tmp_path,
        f'{script}folder = "{tmp_path}"',
        route="live_monitor",
        **{"bots.monitor_interval": 0.1},
    )
    status = tmp_path / "comm" / "run" / "live_monitor.json"

    def stands():
        return json.loads(status.read_text()) if status.exists() else {"state": "", "pid": 0}

    work = asyncio.create_task(run_bots(loaded, lambda _: None))
    try:
        while stands()["state"] != "running":
            assert not work.done()
            await asyncio.sleep(0.02)
        first = stands()["pid"]
        await asyncio.sleep(0.5)  # many looks: each would end a bot whose heartbeat is missed
        assert stands()["pid"] == first
        (shown,) = await list_bots(loaded)
        os.kill(first, signal.SIGKILL)
        while stands()["pid"] in (0, first):
            await asyncio.sleep(0.02)
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    asked = {
        "bot_id": "live_monitor",
        "name": "Live Arbitrage Monitor",
        "status": "running",
        "script_path": str(tmp_path / "live_arbitrage_monitor.py"),
        "process_id": first,
        "start_time": shown["since"],
        "last_activity": None,
        "opportunities_found": 0,
        "total_profit": None,
        "error_message": None,
    }
    assert asked.items() <= shown.items()


async def test_reports_are_written_while_it_runs_and_at_its_end(tmp_path):
    """The name is the document's: `performance_report_YYYYMMDD_HHMMSS.csv`."""
    folder = tmp_path / "reports"

    def written():
        return sorted(path.name for path in folder.glob("performance_report_*.csv"))

    async with exchange_at("quiet", 1) as (_, address):
        where = {"report.folder": str(folder)}
        await run_once(settings_for(address, tmp_path, **where, **{"report.csv_every": 0}))
        assert not folder.exists()
        loaded = settings_for(address, tmp_path, **where, **{"report.csv_every": 3600})
        await run_once(loaded)
    (name,) = written()
    assert re.fullmatch(r"performance_report_\d{8}_\d{6}\.csv", name)
    first, *rows = (folder / name).read_text().splitlines()
    assert first.startswith("timestamp,total_scan_cycles,total_opportunities,total_trades")
    assert len(rows) == 2
    (folder / name).unlink()
    often = settings_for(address, tmp_path, **where, **{"report.csv_every": 0.05})
    async with with_reports(often, "paper:default", SystemClock()):
        while not written():
            await asyncio.sleep(0.02)


BOT_PATHS = """\
{
  "bot_paths": {
    "atom": "backend/bots/ATOM.py",
    "adom": "backend/bots/ADOM.js"
  }
}
"""
ENDPOINTS = """\
{
  "dex_endpoints": {
    "uniswap_v3": "https://api.thegraph.com/subgraphs/name/uniswap/uniswap-v3",
    "curve": "https://api.curve.fi/api",
    "balancer": "https://api.balancer.fi",
    "1inch": "https://api.1inch.io/v5.0/8453"
  }
}
"""
RISK = """\
{
  "thresholds": {
    "min_spread_bps": 23,
    "min_profit_usd": 10.0,
    "flash_loan_threshold": 100.0
  },
  "risk_management": {
    "max_restarts": 5,
    "heartbeat_timeout": 120,
    "circuit_breaker": {
      "max_failures": 10
    }
  }
}
"""


def _config(folder, *parts, more=None, **settings):
    """The bots of `orchestrator_config.json` made of these parts."""
    whole = {key: value for part in parts for key, value in json.loads(part).items()}
    (folder / "orchestrator_config.json").write_text(json.dumps({**whole, **(more or {})}))
    named = str(folder / "orchestrator_config.json")
    where = {"bots.definitions": named, **settings}
    return bots_of(settings_for("http://127.0.0.1:9", folder, **where).settings)


def test_the_configuration_file_names_bots_and_routes(tmp_path):
    settings = {"trading.min_profit_threshold": "0.0023", "trading.min_profit_usd": 10}
    bots = _config(tmp_path, BOT_PATHS, RISK, **settings)
    assert {name: one.command for name, one in bots.definitions.items()} == {
        "atom": ("python3", "backend/bots/ATOM.py"),
        "adom": ("node", "backend/bots/ADOM.js"),
    }
    assert {
        (one.restarts_max, one.heartbeat_timeout, one.failures_max)
        for one in bots.definitions.values()
    } == {(5, 120, 10)}
    assert [(rule.condition, rule.bot) for rule in bots.rules] == [
        ("profit > 100", "adom"),
        ("always", "atom"),
    ]
    more = {"risk_management": {"max_restarts": 2, "circuit_breaker": {"max_failures": 3}}}
    other = _config(tmp_path, BOT_PATHS, more=more).definitions["atom"]
    assert (other.restarts_max, other.failures_max) == (2, 3)


def test_with_dex_endpoints_the_bots_take_spreads_and_nothing_else(tmp_path):
    """The document's file, with the addresses at which these APIs answer today."""
    now = {
        "curve": "https://api.curve.finance/v1",
        "balancer": "https://api-v3.balancer.fi",
        "1inch": "https://api.1inch.dev/price/v1.1",
    }
    settings = {
        "spreads.min_spread": "0.0023",
        "spreads.min_profit_usd": 10,
        "spreads.curve_url": now["curve"],
        "spreads.balancer_url": now["balancer"],
        "spreads.oneinch_url": now["1inch"],
    }
    bots = _config(tmp_path, BOT_PATHS, RISK, more={"dex_endpoints": now}, **settings)
    assert {one.kinds for one in bots.definitions.values()} == {("dex_spread",)}
    # High MEV risk, profit > $100 with a flash loan, else ATOM, as the document has it.
    assert [(rule.condition, rule.bot) for rule in bots.rules] == [
        ("mev_risk > 100", "adom"),
        ("profit > 100", "adom"),
        ("always", "atom"),
    ]
    known = settings_for("http://127.0.0.1:9", tmp_path).settings.spreads
    assert (str(known.min_spread), known.flash_bots) == ("0.005", ("adom",))  # "Minimum 0.5%"
    assert known.min_profit_usd == 10


@pytest.mark.parametrize(
    ("parts", "more", "named"),
    [
        ([BOT_PATHS, RISK], {}, "min_spread_bps = 23 .*ARB_TRADING__MIN_PROFIT_THRESHOLD=0.0023"),
        ([BOT_PATHS, RISK], {}, "min_profit_usd = 10.0 .*ARB_TRADING__MIN_PROFIT_USD=10 "),
        ([BOT_PATHS, ENDPOINTS], {}, "uniswap_v3 = .*no subgraph is asked; .*ARB_SPREADS__POOLS"),
        (
            [BOT_PATHS, ENDPOINTS],
            {},
            "curve.fi/api is a setting: ARB_SPREADS__CURVE_URL.* version 1",
        ),
        ([BOT_PATHS, ENDPOINTS], {}, "ARB_SPREADS__BALANCER_URL takes version 3"),
        ([BOT_PATHS, ENDPOINTS], {}, "1inch = .* ARB_SPREADS__ONEINCH_URL takes its price API"),
        ([BOT_PATHS, RISK, ENDPOINTS], {}, "min_spread_bps = 23 .*ARB_SPREADS__MIN_SPREAD=0.0023"),
        ([BOT_PATHS], {"dex_endpoints": {"sushi": "x"}}, "dex_endpoints.sushi means nothing here"),
        ([RISK], {}, "bot_paths is missing"),
        ([BOT_PATHS], {"redis": {}}, "redis means nothing here"),
        ([BOT_PATHS], {"thresholds": {"max_gas": 1}}, "thresholds.max_gas means nothing here"),
        ([BOT_PATHS], {"thresholds": {"min_profit_usd": "a"}}, "min_profit_usd = 'a': a number"),
        ([BOT_PATHS], {"risk_management": {"circuit_breaker": {"x": 1}}}, "circuit_breaker.x"),
        ([], {"bot_paths": {"atom": "ATOM.exe"}}, "ends in one of .py, .js, .sh"),
        (
            [],
            {"bot_paths": {"atom": "a.py"}, "thresholds": {"flash_loan_threshold": 5}},
            "bot_paths has none",
        ),
    ],
)
def test_what_the_configuration_file_cannot_say_is_refused_by_name(parts, more, named, tmp_path):
    with pytest.raises(ConfigError, match=named):
        _config(tmp_path, *parts, more=more)


async def test_a_bot_that_does_not_start_says_why(tmp_path):
    definition = (
        f'[bot.atom]\ncommand = ["{sys.executable}", "backend/bots/ATOM.py"]\n'
        f'folder = "{tmp_path}"\nrestarts_max = 0\n'
    )
    loaded, told = _loaded("http://127.0.0.1:9", tmp_path, definition), []
    work = asyncio.create_task(run_bots(loaded, told.append))
    try:
        while not any("is failed" in line for line in told):
            assert not work.done()
            await asyncio.sleep(0.02)
        (bot,) = await list_bots(loaded)
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    assert bot["status"] == "failed"
    assert "exit code 2, having said: " in bot["error_message"]
    assert "No such file or directory" in bot["error_message"]
    assert any("ended once, last: exit code 2, having said: " in line for line in told)
