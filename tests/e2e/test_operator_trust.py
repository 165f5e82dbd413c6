"""What an operator must be able to rely on: which ledger was halted, whether anything runs."""

import asyncio
import fcntl
import json
import os
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from starlette.responses import Response

from arb.adapters.clock import SystemClock
from arb.adapters.notify.courier import Courier
from arb.adapters.notify.rules import AlertOptions
from arb.adapters.telemetry.wording import say
from arb.bootstrap import engine_options, paper_context
from arb.cli.common import ExitCode
from arb.cli.output import render_report
from arb.cli.run import _code as exit_code
from arb.domain.halt import Pause, TradingState
from arb.domain.money import Usd
from arb.domain.news import PlanStarted, StateChanged
from arb.domain.plan import PlanState
from arb.domain.reason import Reason
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.interlocks import no_sending
from arb.operations.account_views import Status
from arb.operations.lock import holder, one_instance
from arb.operations.trading_state import write_down
from arb.publisher import Publisher
from arb.runtime.alerts import Watch
from arb.runtime.killswitch import kill_switch
from arb.runtime.running import run_once
from arb.testing.fakes import MemoryLedger
from tests.conftest import ROOT, environment_for, exchange_at, settings_for
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
        assert "no process runs on this ledger" in wrong.stderr
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
    assert "no process runs on it" in status
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


PAGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
UNREADABLE = {
    "a page, 200": ("/books", Response(PAGE, 200)),
    "a page, 403": ("/books", Response(PAGE, 403)),
    "nothing, 405": ("/books", Response("", 405)),
    "an error, 200": ("/books", {"error": "No orderbook exists for the requested token id"}),
    # Ours.
    "books of other tokens": ("/books", [{"asset_id": "1", "bids": [], "asks": []}] * 3),
    "half an answer": ("/books", Response('[{"asset_id":"1","bids":[', 200)),
    "nothing, 204": ("/books", Response(status_code=204)),
    "a listing as a page, 200": ("/events/keyset", Response(PAGE, 200)),
    "a listing without events": ("/events/keyset", {"data": []}),
    "a listing that is null": ("/events/keyset", None),
    "a listing that is empty": ("/events/keyset", {"events": []}),
    "a listing without markets": ("/events/keyset", {"events": [{"id": "1", "markets": []}]}),
    "a listing of holes": ("/events/keyset", {"events": [None, {}, {"id": "1", "slug": "a"}]}),
}


@pytest.mark.parametrize("answer", UNREADABLE)
async def test_an_answer_that_is_none_never_passes_for_a_quiet_market(tmp_path, answer):
    where, sent = UNREADABLE[answer]

    def edit(path, query, document):
        return sent if path == where else document

    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        once = {"polymarket.attempts": 1}
        report, _, still_open = await run_once(settings_for(front, tmp_path, **once))
    assert not report.reachable
    assert report.errors[0].where == "venue"
    assert exit_code(report, still_open) is ExitCode.UNREACHABLE


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


def test_a_pause_is_no_halt_and_never_weakens_one(served, tmp_path):
    env = environment_for(served, tmp_path)

    def said(*args):
        done = arb(*args, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done

    def state():
        lines = said("status").stdout.splitlines()
        return next(line for line in lines if line.startswith("Trading is"))

    assert said("pause", "--reason", "lunch").stdout.startswith("Trading is paused.")
    assert state() == "Trading is paused: lunch."
    refused = arb("run", "--once", env=env, cwd=tmp_path)
    assert refused.returncode == 4
    assert refused.stderr.splitlines()[-1] == "arb: not trading: paused: lunch"
    assert said("halt", "--reason", "paused for good").stdout.startswith("Trading is halted.")
    assert state() == "Trading is halted: halt: paused for good."
    weaker = said("pause", "--reason", "tea")
    assert weaker.stdout.startswith("Trading is halted.")
    kept = "arb: trading is halted already (halt: paused for good); a pause would weaken the halt"
    assert weaker.stderr.splitlines() == [kept]
    assert state() == "Trading is halted: halt: paused for good."
    said("resume")
    assert state() == "Trading is normal."


async def test_a_pause_lets_plans_at_work_end_and_starts_none_in_the_cycle_at_work(tmp_path):
    """`arb pause` beside a cycle between two plans: the first is done, the next never begins."""
    heard = []
    async with exchange_at("demo", 7) as (_, address):
        loaded = settings_for(address, tmp_path)
        switch = kill_switch(loaded.settings.database.url, loaded.settings.account, heard.append)
        begun = []
        async with paper_context(loaded.settings, Publisher([heard.append])) as plain:

            def pause_after_the_first(news):
                if isinstance(news, PlanStarted) and not begun:
                    begun.append(news)
                    thread = threading.Thread(
                        target=lambda: asyncio.run(
                            write_down(loaded, TradingState.HALTED, "lunch", Pause.UNTIL_RESUMED)
                        )
                    )
                    thread.start()
                    thread.join()

            plain.news.subscribe(pause_after_the_first)
            context = replace(plain, interlocks=switch.interlocks)
            orchestrator = ArbitrageOrchestrator(context, engine_options(loaded.settings))
            with switch:
                report = await orchestrator.run_once()
                assert no_sending(switch.interlocks) is None
                await orchestrator.scan_cycle()
                await write_down(loaded, TradingState.NORMAL, "")
                await orchestrator.scan_cycle()
    (plan,) = report.plans
    assert plan.state is PlanState.DONE
    ends = Counter(reason for _, reason in report.outcomes)
    assert (ends[Reason.FILLED], ends[Reason.HALTED]) == (1, len(report.outcomes) - 1)
    told = [say(news)[1] for news in heard if isinstance(news, StateChanged)]
    assert told == ["Trading is paused: lunch", "Trading is normal: no limit is near any more"]


def _alerts_of(*changes):
    """What a watch of alerts shows after the changes, newest first."""
    clock = SystemClock()
    options = AlertOptions(balance_low=Usd(Decimal(1)), volume_max=Usd(Decimal(1)))
    watch = Watch(options, Courier([]), MemoryLedger(), clock)
    for change in changes:
        watch.observe(change)
    return watch.latest(10)


async def test_a_pause_alerts_at_medium_and_what_has_ended_is_marked():
    halted = TradingState.HALTED
    shown = _alerts_of(
        StateChanged(halted, "lunch", by_operator=True, pause=Pause.UNTIL_RESUMED),
        StateChanged(halted, "fire", by_operator=True),
    )
    assert [(one.level, one.condition) for one in shown] == [
        ("critical", "halted"), ("medium", "paused"),
    ]  # fmt: skip
    assert shown[1].text == "Trading is paused: lunch. `arb resume` ends it."
    assert (shown[0].ended_at, shown[1].ended_at is None) == (None, False)
    resumed = StateChanged(TradingState.NORMAL, "", by_operator=True)
    (ended,) = _alerts_of(StateChanged(halted, "fire", by_operator=True), resumed)
    assert ended.ended_at is not None
    by_itself = _alerts_of(StateChanged(halted, "10 failed", pause=Pause.UNTIL_RESUMED))
    assert by_itself[0].level == "critical"
    away = _alerts_of(StateChanged(halted, "no answer", pause=Pause.UNTIL_REACHABLE))
    assert (away[0].level, away[0].text) == ("high", "Trading is paused: no answer.")
    # The wording decides nothing: a halt that speaks of a pause is one all the same.
    halt = _alerts_of(StateChanged(halted, "paused: the venue was away", by_operator=True))
    assert (halt[0].level, halt[0].condition) == ("critical", "halted")


def test_the_doctor_says_what_it_could_not_ask(served, tmp_path):
    env = environment_for("http://127.0.0.1:9", tmp_path) | {"ARB_POLYMARKET__ATTEMPTS": "1"}
    done = arb("doctor", env=env, cwd=tmp_path)
    assert done.returncode == 3
    assert not re.search(r"chrony|another version|trading is not|speaks it", done.stdout)
    found = {
        one["check"]: one
        for one in json.loads(arb("doctor", "--json", env=env, cwd=tmp_path).stdout)
    }
    for name in ("clock", "order version", "geoblock"):
        one = found[name]
        assert (one["asked"], one["passed"], one["fix"]) == (False, False, "")
        assert one["detail"].startswith("not asked: ")
        assert re.search(rf"SKIP +{name}", done.stdout)
    for name in ("listing", "exchange", "data"):
        assert found[name]["fix"].startswith("check the network")
    assert all(one["mend"] == one["fix"] for one in found.values())  # its old name, one version
    # One that answers and says no is no silence.
    blocked = environment_for(served, tmp_path) | {
        "ARB_POLYMARKET__GEOBLOCK_URL": f"{served}/nothing-here"
    }
    found = {
        one["check"]: one
        for one in json.loads(arb("doctor", "--json", env=blocked, cwd=tmp_path).stdout)
    }
    assert found["clock"]["passed"]
    assert found["geoblock"]["asked"]


def test_the_doctor_looks_where_the_ledger_would_be_made(served, tmp_path):
    (tmp_path / "file").touch()
    env = environment_for(served, tmp_path) | {
        "ARB_DATABASE__URL": f"sqlite+aiosqlite:///{tmp_path}/file/arb.db",
        "ARB_LOGGING__FOLDER": str(tmp_path / "file" / "logs"),
    }
    done = arb("doctor", "--json", env=env, cwd=tmp_path)
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert [name for name in found if not found[name]["passed"]] == ["ledger", "logs"]
    assert str(tmp_path / "file") in found["ledger"]["detail"]
    assert "ARB_DATABASE__URL" in found["ledger"]["fix"]


@pytest.mark.parametrize(
    "command", [("doctor", "--money"), ("reconcile",), ("redeem",), ("preflight",)]
)
def test_what_needs_the_live_key_says_which_and_where(command, served, tmp_path):
    done = arb(*command, env=environment_for(served, tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert "ARB_TRADING__LIVE=true" in said
    assert "step 4" in said
    assert "config check" not in said


def test_a_backup_is_never_lost_to_a_newer_one_without_a_word(served, tmp_path):
    env = environment_for(served, tmp_path)
    assert arb("run", "--once", env=env, cwd=tmp_path).returncode == 0
    assert arb("db", "backup", "monday.db", env=env, cwd=tmp_path).returncode == 0
    before = (tmp_path / "monday.db").read_bytes()
    assert arb("run", "--once", env=env, cwd=tmp_path).returncode == 0
    refused = arb("db", "backup", "monday.db", env=env, cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "monday.db").read_bytes() == before
    # The weekly rotation that is shipped writes over last week's on purpose.
    for shipped in ("config/arb.cron", "config/systemd/arb-backup.service"):
        assert "db backup --force " in (ROOT / shipped).read_text()
    assert arb("db", "backup", "--force", "monday.db", env=env, cwd=tmp_path).returncode == 0
    assert (tmp_path / "monday.db").read_bytes() != before


def test_an_id_that_is_not_there_or_means_several_is_a_usage_error(served, tmp_path):
    env = environment_for(served, tmp_path)
    report = json.loads(arb("run", "--once", "--json", env=env, cwd=tmp_path).stdout)
    ids = [one["id"] for one in report["opportunities"]]
    none = arb("explain", "zzzz", env=env, cwd=tmp_path)
    assert (none.returncode, "no candidate has the id zzzz" in none.stderr) == (2, True)
    everything = json.loads(arb("opportunities", "--all", "--json", env=env, cwd=tmp_path).stdout)
    first = Counter(one["id"][0] for one in everything).most_common(1)[0][0]
    several = arb("explain", first, env=env, cwd=tmp_path)
    assert several.returncode == 2
    named = re.findall(r"[0-9a-f]{16} \([\w-]+\)", several.stderr)
    assert 2 <= len(named) <= 5
    assert {one.split()[0] for one in named} <= {one["id"] for one in everything}
    assert arb("explain", ids[0], env=env, cwd=tmp_path).returncode == 0


def test_only_kinds_that_a_strategy_makes_can_be_scanned_for(served, tmp_path):
    env = environment_for(served, tmp_path)
    refused = arb("scan", "--kind", "implication", env=env, cwd=tmp_path)
    assert refused.returncode == 2
    said = "--kind implication: one of binary_complement, negrisk_no, negrisk_yes"
    assert refused.stderr.strip() == f"arb: {said}"


def test_an_account_that_is_not_there_and_a_new_bankroll_are_said(served, tmp_path):
    env = environment_for(served, tmp_path)
    assert arb("run", "--once", env=env, cwd=tmp_path).returncode == 0
    mistyped = arb("status", env=env | {"ARB_TRADING__ACCOUNT": "paper:defualt"}, cwd=tmp_path)
    assert "There is no account paper:defualt yet" in mistyped.stdout
    assert "Here are: paper:default." in mistyped.stdout
    changed = arb("status", env=env | {"ARB_TRADING__BANKROLL_USD": "500"}, cwd=tmp_path).stdout
    assert "The account was opened with $10000: ARB_TRADING__BANKROLL_USD, now $500," in changed
    assert "opened with" not in arb("status", env=env, cwd=tmp_path).stdout
    (row,) = json.loads(arb("accounts", "--json", env=env, cwd=tmp_path).stdout)
    assert (row["account"], row["opening_cash"]) == ("paper:default", "10000")
