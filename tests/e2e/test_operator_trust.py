"""What an operator must be able to rely on: which ledger was halted, whether anything runs."""

import asyncio
import fcntl
import json
import os
import re
import signal
import threading
import time

import pytest
from starlette.responses import Response

from arb.cli.output import render_report
from arb.runtime.lock import holder, one_instance
from arb.runtime.reads import Status
from arb.runtime.running import run_once
from tests.conftest import environment_for, exchange_at, settings_for
from tests.editing import edited
from tests.programs import Program, arb, exchange_program


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with exchange_program(folder, seed=7) as address:
        yield address


def _wait(condition):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_halt_from_another_folder_says_that_nothing_runs_there(served, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    env = environment_for(served, here)
    program = Program(tmp_path / "run", "run", "--interval", "1", "--json", env=env)
    try:
        _wait(lambda: program.reports)
        wrong = arb("halt", env=environment_for(served, there), cwd=there)
        assert wrong.returncode == 0
        assert "nothing runs on this ledger" in wrong.stderr
        assert "there was no ledger here" in wrong.stderr
        assert str(there / "arb.db") in wrong.stdout
        right = arb("halt", env=env, cwd=there)
        assert right.stderr == ""
        assert f"process {program.process.pid} runs on it" in right.stdout
        assert str(here / "arb.db") in right.stdout
        status = arb("status", env=env, cwd=here)
        assert f"process {program.process.pid} runs on it" in status.stdout
        document = json.loads(arb("status", "--json", env=env, cwd=here).stdout)
        assert document["process"] == str(program.process.pid)
        assert document["last_cycle_at"].endswith("Z")
    finally:
        program.send(signal.SIGTERM)
        program.stop()
    status = arb("status", env=env, cwd=here).stdout.splitlines()[0]
    assert "nothing runs on it" in status
    assert "began" in status
    assert status.endswith("ago.")


def test_a_halt_is_carried_out_where_the_lock_cannot_be_looked_at(served, tmp_path):
    (tmp_path / "arb.db.lock").mkdir()
    done = arb("halt", env=environment_for(served, tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Trading is halted.")
    assert "cannot be seen from here" in done.stdout
    assert (tmp_path / "arb.db.halt").exists()


def test_looking_at_the_lock_keeps_nobody_from_starting(tmp_path):
    """Whoever looks holds the lock for a moment; who starts then waits for that moment."""
    ledger = tmp_path / "arb.db"
    lock = tmp_path / "arb.db.lock"
    lock.touch()
    with lock.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        timer = threading.Timer(0.1, fcntl.flock, (looking, fcntl.LOCK_UN))
        timer.start()
        with one_instance(ledger):
            assert holder(ledger) == str(os.getpid())
        timer.join()
    assert holder(ledger) is None


def test_a_last_cycle_of_the_future_is_not_fresh(monkeypatch):
    def aged(seconds):
        monkeypatch.setattr(Status, "cycle_age", seconds)
        return Status.fresh(object.__new__(Status), 600)

    assert aged(5.0)
    assert not aged(700.0)
    assert not aged(-3600.0)
    assert not aged(None)


BOOKS = {
    "an error": {"error": "try again"},
    "nothing": [],
    "null": None,
    "a list of errors": [{"error": "no"}] * 3,
    "a number": 7,
}


@pytest.mark.parametrize("answer", BOOKS)
async def test_a_cycle_that_could_read_no_book_has_failed(tmp_path, answer):
    def edit(path, query, document):
        return BOOKS[answer] if path == "/books" else document

    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        env = environment_for(front, tmp_path)
        done = await asyncio.to_thread(arb, "run", "--once", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 3
    assert "books could be read" in done.stderr
    report = json.loads(done.stdout)
    assert report["opportunities"] == []
    assert any(re.search(r"none of \d{3} books", one["what"]) for one in report["errors"])


async def test_one_token_without_a_book_does_not_spoil_its_batch(tmp_path):
    """The exchange refuses the whole batch for one token; all other sets are found as ever."""
    refused = []

    def edit(path, query, document):
        if path == "/events/keyset":
            bad.update(
                token
                for event in document["events"]
                if event["slug"] == "plain-1"
                for token in json.loads(event["markets"][0]["clobTokenIds"])
            )
        if path == "/books" and any(token in query["body"] for token in bad):
            refused.append(query["body"].count("token_id"))
            return Response('{"error":"No orderbook exists"}', 404)
        return document

    bad = set()
    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        report, _, _ = await run_once(settings_for(front, tmp_path))
    assert len(render_report(report)["opportunities"]) == 10
    assert report.completeness.books_received == report.completeness.books_expected - 3
    assert refused[-1] <= 2
    assert len(refused) < 12
    assert any(token in problem.what for problem in report.errors for token in bad)


async def test_a_listing_of_which_no_market_can_be_read_has_failed(tmp_path):
    def edit(path, query, document):
        if path == "/events/keyset":
            for event in document["events"]:
                for market in event["markets"]:
                    market["negRisk"] = "perhaps"
        return document

    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        env = environment_for(front, tmp_path)
        done = await asyncio.to_thread(arb, "run", "--once", env=env, cwd=tmp_path)
    assert done.returncode == 3
    assert "none of 134 markets could be read" in done.stderr
