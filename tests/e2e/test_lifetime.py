"""A process that is stopped, killed, started again, and left running."""

import json
import signal
import subprocess
import time
from decimal import Decimal

import psutil
import pytest

from tests.conftest import environment_for
from tests.programs import ARB, arb, exchange_program


@pytest.fixture
def moving(tmp_path):
    with exchange_program(tmp_path, scenario="moving", seed=5) as address:
        yield address


def _status(env, cwd):
    done = arb("status", "--json", env=env, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _sound(env, cwd):
    done = arb("db", "check", env=env, cwd=cwd)
    assert done.returncode == 0, done.stderr


def _run_until(words, interval, env, cwd):
    """`arb run`, going on, once it has said these words."""
    process = subprocess.Popen(
        [*ARB, "run", "--interval", str(interval)],
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if words in line:
            break
    return process


def test_sixty_cycles_do_not_overlap_grow_or_miscount(moving, tmp_path):
    env = environment_for(moving, tmp_path)
    env |= {"ARB_TRADING__MIN_PROFIT_THRESHOLD": "0.001"}
    process = subprocess.Popen(
        [*ARB, "run", "--interval", "0.3", "--cycles", "60", "--json"],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    memory, documents = [], []
    for line in process.stdout:
        documents.append(json.loads(line))
        if process.poll() is None:
            memory.append(psutil.Process(process.pid).memory_info().rss)
    errors = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert process.wait(120) == 0, errors
    *reports, last = documents
    assert [report["cycle"] for report in reports] == list(range(1, 61))
    starts = [report["started_at"] for report in reports]
    assert starts == sorted(starts)
    assert memory[-2] < memory[15] * 1.15
    total = last["statistics"]
    assert total["cycles"] == 60
    assert total["opportunities"] == sum(len(report["opportunities"]) for report in reports)
    assert total["trades"] == sum(len(report["plans"]) for report in reports) > 0
    profit = sum(Decimal(plan["profit"]) for report in reports for plan in report["plans"])
    assert Decimal(total["total_profit"]) == profit > 0
    _sound(env, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_told_to_stop_finishes_the_step_and_prints_the_statistics(number, moving, tmp_path):
    env = environment_for(moving, tmp_path)
    process = _run_until("ended after", 0.3, env, tmp_path)
    process.send_signal(number)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "\nFINAL STATISTICS\n" in out
    assert "Total scan cycles" in out
    _sound(env, tmp_path)


@pytest.mark.parametrize(
    "delay", [0.15, *(pytest.param(d, marks=pytest.mark.full) for d in (0, 0.05, 0.1, 0.2))]
)
def test_a_killed_process_leaves_a_sound_ledger_and_counting_goes_on(delay, moving, tmp_path):
    env = environment_for(moving, tmp_path)
    env |= {"ARB_TRADING__MIN_PROFIT_THRESHOLD": "0.001"}
    process = _run_until("ended after", 0.1, env, tmp_path)
    time.sleep(delay)
    process.kill()
    process.communicate()
    _sound(env, tmp_path)
    before = _status(env, tmp_path)
    done = arb("run", "--once", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _sound(env, tmp_path)
    after = _status(env, tmp_path)
    assert after["statistics"]["cycles"] >= before["statistics"]["cycles"] + 1
    plans = json.loads(arb("plans", "--json", "--limit", "999", env=env, cwd=tmp_path).stdout)
    assert len({plan["id"] for plan in plans}) == len(plans) == after["statistics"]["trades"]
    assert not [plan for plan in plans if plan["state"] == "open"]


def test_a_second_instance_on_one_ledger_is_refused(moving, tmp_path):
    env = environment_for(moving, tmp_path)
    first = _run_until("Starting scan cycle", 0.3, env, tmp_path)
    second = arb("run", "--once", env=env, cwd=tmp_path)
    assert second.returncode == 4
    assert str(first.pid) in second.stderr
    first.terminate()
    first.communicate(timeout=120)


def test_a_halt_stops_trading_until_an_operator_resumes(moving, tmp_path):
    env = environment_for(moving, tmp_path)
    assert arb("run", "--once", env=env, cwd=tmp_path).returncode == 0
    assert arb("halt", "--reason", "maintenance", env=env, cwd=tmp_path).returncode == 0
    halted = arb("run", "--once", "--json", env=env, cwd=tmp_path)
    assert halted.returncode == 4
    risk = json.loads(halted.stdout)["risk"]
    assert (risk["can_trade"], risk["state"]) == (False, "halted")
    assert "maintenance" in halted.stderr
    assert json.loads(halted.stdout)["plans"] == []
    assert arb("resume", env=env, cwd=tmp_path).returncode == 0
    assert arb("run", "--once", env=env, cwd=tmp_path).returncode == 0
