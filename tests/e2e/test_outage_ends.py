"""A venue that is away for a while needs nobody afterwards; what an operator has said stays."""

import signal
import time
from pathlib import Path

import pytest

from tests.conftest import environment_for
from tests.daemon import Daemon
from tests.programs import ARB, Program, arb


class Exchange(Daemon):
    """`arb exchange serve` on a port that stays the same; its market moves."""

    name = "exchange"

    def __init__(self):
        super().__init__(ARB[0])

    def options(self):
        served = ("--scenario", "moving", "--seed", "5", "--port", str(self.port))
        return [*ARB[1:], "exchange", "serve", *served]

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def exchange():
    found = Exchange()
    found.start()
    yield found
    found.remove()


def _wait(condition, program):
    until = time.monotonic() + 180
    while not condition():
        assert program.process.poll() is None, program.err.read_text()[-2000:]
        assert time.monotonic() < until, program.err.read_text()[-2000:]
        time.sleep(0.1)


def _environment(address, folder):
    return environment_for(address, folder) | {
        "ARB_TRADING__MIN_PROFIT_THRESHOLD": "0.001",
        "ARB_POLYMARKET__UNIVERSE_MAX_AGE_SECONDS": "0",
        "ARB_POLYMARKET__ATTEMPTS": "1",
    }


def _since(program, number):
    return [report for report in program.reports if report["cycle"] > number]


@pytest.mark.full
def test_trading_goes_on_by_itself_when_the_venue_is_back(exchange, tmp_path):
    env = _environment(exchange.address, tmp_path)
    program = Program(tmp_path / "run", "run", "--interval", "0.3", "--json", env=env)
    try:
        _wait(lambda: program.plans, program)
        exchange.kill()
        away = program.reports[-1]["cycle"]
        _wait(lambda: len(_since(program, away)) > 13, program)
        last = program.reports[-1]
        assert last["risk"]["state"] == "halted"
        assert "goes on by itself" in last["risk"]["reasons"][0]
        assert "the venue was away" in arb("status", env=env, cwd=tmp_path).stdout
        exchange.start()
        back = program.reports[-1]["cycle"]
        # The circuits stay open for a minute of their own; nobody commands anything meanwhile.
        _wait(lambda: any(report["plans"] for report in _since(program, back)), program)
    finally:
        program.send(signal.SIGTERM)
        assert program.stop() == 0
    assert "the venue is back" in program.err.read_text()
    assert arb("status", env=env, cwd=tmp_path).stdout.count("Trading is normal") == 1


def test_a_pause_of_the_operator_outlasts_the_outage_and_errors_are_reset_without_an_api(
    exchange, tmp_path
):
    env = _environment(exchange.address, tmp_path)
    program = Program(tmp_path / "run", "run", "--interval", "0.3", "--json", env=env)

    def said(name, *more):
        done = arb(name, *more, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        _wait(lambda: program.reports, program)
        exchange.kill()
        away = program.reports[-1]["cycle"]
        _wait(lambda: len(_since(program, away)) > 11, program)
        said("pause", "--reason", "lunch")
        exchange.start()
        # Without this the circuits would be open for up to a minute more.
        told = said("reset-errors")
        assert f"process {program.process.pid} runs on it" in told
        asked_at = program.reports[-1]["cycle"]
        _wait(lambda: len([r for r in _since(program, asked_at) if r["markets"]]) > 5, program)
        assert len([r for r in _since(program, asked_at) if not r["markets"]]) <= 3
        assert not any(report["plans"] for report in _since(program, away))
        assert "paused: lunch" in program.reports[-1]["risk"]["reasons"][0]
        said("resume")
        back = program.reports[-1]["cycle"]
        _wait(lambda: any(report["plans"] for report in _since(program, back)), program)
    finally:
        program.send(signal.SIGTERM)
        program.stop()
    assert not Path(tmp_path / "arb.db.reset").exists()
    assert "nothing to forget" in said("reset-errors").lower()


def test_single_cycles_end_an_outage_too(exchange, tmp_path):
    """A process that was ended while the venue was away leaves its pause in the ledger."""
    env = _environment(exchange.address, tmp_path)
    program = Program(tmp_path / "run", "run", "--interval", "0.2", "--json", env=env)
    try:
        _wait(lambda: program.reports, program)
        exchange.kill()
        _wait(lambda: program.reports[-1]["risk"]["state"] == "halted", program)
    finally:
        program.send(signal.SIGTERM)
        program.stop()
    assert arb("run", "--once", "--json", env=env, cwd=tmp_path).returncode == 3
    assert "the venue was away" in arb("status", env=env, cwd=tmp_path).stdout
    exchange.start()
    assert arb("run", "--once", "--json", env=env, cwd=tmp_path).returncode == 4
    assert arb("run", "--once", "--json", env=env, cwd=tmp_path).returncode == 0
