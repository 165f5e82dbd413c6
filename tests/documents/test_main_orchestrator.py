"""The main orchestrator's document, typed line by line in a checkout of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment_for
from tests.programs import END_SECONDS, exchange_program

LINE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| "
IMPORTS = """\
from config import settings

# Access configuration
scan_interval = settings.arbitrage.scan_interval  # 30
max_position = settings.trading.max_position_size  # 1000.0
min_profit = settings.trading.min_profit_threshold  # 0.02
assert (scan_interval, max_position, min_profit) == (30, 1000, Decimal("0.02"))

from src.utils.kelly import calculate_kelly_fraction
from src.utils.logger import setup_logger, get_logger
from src.utils.logger import log_opportunity_found, log_execution_start
from src.utils.logger import log_execution_success, log_execution_failure, log_risk_check
from src.utils.logger import log_scan_cycle_start, log_scan_cycle_complete
from src.utils import DatabaseManager, setup_logger, calculate_kelly_fraction
from src.analyzer import IntraMarketArbitrageDetector
from src.strategy import ArbitrageExecutor
from src.api import PolymarketClient, PolymarketTrader
from main import ArbitrageOrchestrator
import src

assert src.__version__
assert not {"data", "logs", "arb.db"} & set(os.listdir())  # an import starts nothing
"""
USES = """
logger = get_logger("mine")


async def main():
    async with PolymarketClient() as client:
        detector = IntraMarketArbitrageDetector(client)
        opportunities = await detector.scan_all_markets()
    for opportunity in opportunities:
        log_opportunity_found(opportunity)
        kelly_fraction = calculate_kelly_fraction(
            win_probability=opportunity.confidence_score,
            profit_ratio=opportunity.net_profit_pct,
            max_fraction=0.25,
            conservative_factor=0.5  # Half-Kelly for safety
        )
        assert 0 <= kelly_fraction <= Decimal("0.25")
    logger.info("{} looked at", len(opportunities))
    self = ArbitrageOrchestrator(dry_run=True)
    await self.setup()
    risk_status = await self.check_risk_limits()
    if not risk_status["can_trade"]:
        logger.warning("Risk limits exceeded - skipping this cycle")
        return
    size = await self.calculate_position_size(opportunities[0])
    assert 0 < size <= 1000
    log_scan_cycle_start(1)
    log_scan_cycle_complete(await self.run_once())
    log_risk_check(risk_status)
    assert list(self.stats) == [
        "total_opportunities",
        "total_trades",
        "successful_trades",
        "failed_trades",
        "total_profit_usd",
    ]
    assert self.stats["total_opportunities"] == len(opportunities)
    async with DatabaseManager() as database:
        assert len(await database.plans()) == self.stats["total_trades"]
    try:
        PolymarketTrader()
    except Exception as error:
        logger.info("{}", error)
    await self.shutdown()


setup_logger()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with exchange_program(tmp_path_factory.mktemp("exchange"), seed=7) as address:
        yield address


@pytest.fixture
def checkout(tmp_path):
    """The files that a clone has, with its environment where `make demo` makes it."""
    here = tmp_path / "checkout"
    here.mkdir()
    shutil.copy(ROOT / "main.py", here)
    for name in ("src", "config", "tests", "pyproject.toml", "requirements.txt"):
        (here / name).symlink_to(ROOT / name)
    (here / ".venv").symlink_to(sys.prefix)
    return here


def _environment(market, here, **more):
    """With the plain Python of the machine first, which has none of the libraries."""
    plain = here / "plain"
    plain.mkdir(exist_ok=True)
    for name in ("python", "python3"):
        link = plain / name
        if not link.exists():
            link.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" -I -S "$@"\n')
            link.chmod(0o755)
    env = environment_for(market, here)
    return {**env, "PATH": f"{plain}{os.pathsep}{env['PATH']}", **more}


def _typed(line, market, here, **more):
    return subprocess.run(
        line,
        shell=True,
        cwd=here,
        env=_environment(market, here, **more),
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
    )


def _until(line, text, market, here, number, **more):
    """The command, told to stop once its log has this text; what it printed, and its log."""
    with (here / "err").open("w") as err:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {line}"],
            cwd=here,
            env=_environment(market, here, **more),
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
    try:
        while process.poll() is None and text not in (here / "err").read_text():
            time.sleep(0.05)
        process.send_signal(number)
        out, _ = process.communicate(timeout=END_SECONDS)
    finally:
        process.kill()
    log = (here / "err").read_text()
    assert process.returncode == 0, log
    return out, log


def _has_in_order(log, *lines):
    place = 0
    for line in lines:
        found = re.compile(f"^{LINE}{line}", re.MULTILINE).search(log, place)
        assert found, f"no line {line} in\n{log[place:]}"
        place = found.end()


def _has_statistics(out):
    rule = "=" * 80
    labels = (
        r"Total scan cycles: \d+",
        r"Total opportunities: \d+",
        r"Total trades: \d+",
        r"Successful trades: \d+",
        r"Failed trades: \d+",
        r"Success rate: \d+\.\d%",
        r"Total profit: \$\d+\.\d\d+",
    )
    block = "\n".join((rule, "FINAL STATISTICS", rule, *labels))
    assert re.search(rf"^{block}$", out, re.MULTILINE), out
    assert out.endswith(f"{rule}\n")


def test_python_main_py_dry_run(market, checkout):
    out, log = _until("python main.py --dry-run", "ended after", market, checkout, signal.SIGINT)
    _has_in_order(
        log,
        r"INFO     \| Orchestrator initialized \(dry_run=True\)",
        r"SUCCESS  \| ✓ All components initialized successfully$",
        r"SUCCESS  \| ✓ Arbitrage system started! Scanning every 30s$",
        r"INFO     \| Starting scan cycle #1$",
        r"INFO     \| Found 10 opportunities",
        r"INFO     \| \[DRY RUN\] Would execute trade here",
    )
    _has_statistics(out)


def test_python_main_py_once_is_the_readme_s_output(market, checkout):
    """Times, ids and how long it took differ; every other word is the program's."""

    def plain(text):
        text = re.sub(rf"(?m)^{LINE}", "", text)
        return re.sub(r"\b[0-9a-f]{16}\b|\d+ ms", "*", text).splitlines()

    logs = (ROOT / "README_ORCHESTRATOR.md").read_text().partition("\n## Logs\n")[2]
    lines, _, statistics = logs.split("```")[1:4]
    done = _typed("python main.py --once", market, checkout, ARB_LOGGING__LEVEL="DEBUG")
    assert done.returncode == 0, done.stderr
    _has_in_order(done.stderr, r"DEBUG    \| Risk check passed: trading is normal$")
    assert "Arbitrage system started" not in done.stderr
    once = {line.replace(", one cycle", ", scanning every 30 s") for line in plain(done.stderr)}
    scheduled = "SUCCESS  | ✓ Arbitrage system started! Scanning every 30s"
    shown = plain(lines.removeprefix("text\n"))
    assert len(shown) >= 10
    assert not set(shown) - once - {scheduled}, done.stderr
    assert done.stdout.endswith(statistics.removeprefix("text\n"))
    _has_statistics(done.stdout)


def test_python_main_py_runs_on_paper_until_both_keys_are_there(market, checkout):
    out, log = _until(
        "python main.py",
        "Starting scan cycle #2",
        market,
        checkout,
        signal.SIGTERM,
        ARB_TRADING__LIVE="true",
        ARB_ARBITRAGE__SCAN_INTERVAL="0.5",
    )
    assert "(dry_run=True)" in log
    _has_in_order(
        log, r"INFO     \| Starting scan cycle #1$", r"INFO     \| Starting scan cycle #2$"
    )
    _has_statistics(out)
    refused = _typed("python main.py --live --once", market, checkout)
    assert refused.returncode == 2
    assert "ARB_TRADING__LIVE=true" in refused.stderr


def test_main_py_takes_commands_too_and_says_what_is_missing(market, checkout):
    version = _typed("python main.py --version", market, checkout)
    assert version.stdout.startswith("arb 0.")
    assert "Usage: arb" in _typed("python main.py --help", market, checkout).stdout
    (checkout / ".venv").unlink()
    lost = _typed("python main.py --once", market, checkout)
    assert (lost.returncode, lost.stdout) == (2, "")
    assert lost.stderr == "arb: its libraries are not installed here; run `make demo` first\n"


def test_the_document_s_python_works_from_the_folder_of_the_clone(market, checkout):
    code = f"import asyncio\nimport os\nfrom decimal import Decimal\n{IMPORTS}{USES}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        env=_environment(market, checkout),
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    _has_in_order(
        done.stderr,
        r"INFO     \| Opportunity \w+: \w+ on [\w-]+, .* shares",
        r"INFO     \| mine: 10 looked at$",
        r"INFO     \| Orchestrator initialized \(dry_run=True\)",
        r"INFO     \| Starting scan cycle #1$",
        r"INFO     \| mine: orders are sent by a run alone, behind its gates: `arb run --live`",
    )
    _has_statistics(done.stdout)


def test_the_document_s_tests_run_with_coverage(checkout):
    pytest.importorskip("pytest_cov", reason="the development libraries are older than the lock")
    program = Path(sys.executable).with_name("pytest")
    typed = "pytest tests/test_orchestrator.py --cov=main --cov-report=html"
    done = subprocess.run(
        [program, *typed.split()[1:], "-v", "-k", "initialization"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "main.py" in (checkout / "htmlcov" / "index.html").read_text()


@pytest.mark.parametrize("name", ["apscheduler", "loguru", "httpx", "sqlalchemy"])
def test_requirements_txt_lists_the_packages(name):
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if re.match(rf"{name}(\[\w+\])?>=", line)]
