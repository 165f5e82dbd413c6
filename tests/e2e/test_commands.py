"""The commands as a user types them."""

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest
from typer.testing import CliRunner

from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import open_ledger
from arb.cli.app import app
from arb.cli.output import render_report
from arb.domain.contradiction import Contradiction
from arb.domain.opportunity import Kind
from arb.runtime.running import run_once
from arb.testing.builders import NOON
from tests.conftest import environment_for, exchange_at, settings_for
from tests.programs import arb, exchange_program


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with exchange_program(folder, seed=9) as address:
        env = environment_for(address, folder)
        done = arb("run", "--once", "--json", env=env, cwd=folder)
        assert done.returncode == 0, done.stderr
        yield env, folder, json.loads(done.stdout)


def _json(served, *args):
    env, folder, _ = served
    done = arb(*args, "--json", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _text(served, *args):
    env, folder, _ = served
    done = arb(*args, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout
    return done.stdout


def test_the_report_has_the_shape_that_scripts_rely_on(served):
    report = served[2]
    assert report["schema"] == 1
    assert report["mode"] == "dry-run"
    assert report["started_at"].endswith("Z")
    one = report["opportunities"][0]
    assert set(one) == {
        "id",
        "kind",
        "event",
        "title",
        "exit",
        "legs",
        "size",
        "cost",
        "fees",
        "payoff_worst",
        "profit",
        "profit_pct",
        "available_size",
        "decision",
        "reason",
    }
    assert set(one["legs"][0]) == {
        "venue",
        "market",
        "condition_id",
        "token_id",
        "outcome",
        "side",
        "price",
        "size",
        "spend",
        "cost",
        "fee",
    }
    assert all(isinstance(one[name], str) for name in ("size", "cost", "profit", "profit_pct"))


def test_the_ledger_can_be_read(served):
    report = served[2]
    found = {one["id"]: one for one in _json(served, "opportunities")}
    assert {one["id"]: one["decision"] for one in report["opportunities"]} == {
        id_: one["decision"] for id_, one in found.items()
    }
    assert len(_json(served, "opportunities", "--all")) == report["funnel"]["candidates"]
    plans = _json(served, "plans")
    assert {plan["id"] for plan in plans} == {plan["id"] for plan in report["plans"]}
    legs = [
        leg
        for one in report["opportunities"]
        if one["decision"] == "approved"
        for leg in one["legs"]
    ]
    bought = {(leg["market"], leg["outcome"]) for leg in legs}
    fills = _json(served, "fills", "--limit", "500")
    assert len(fills) >= len(legs)
    assert {(fill["slug"], fill["outcome"]) for fill in fills} == bought
    assert _json(served, "status")["statistics"]["trades"] == len(plans)
    held = _json(served, "positions")
    assert held
    assert {(one["slug"], one["outcome"]) for one in held} <= bought
    events = {one["event"] for one in report["opportunities"]}
    assert {one["event"] for one in held} <= events
    for command in ("status", "opportunities", "plans", "fills", "positions"):
        assert _text(served, command)


def test_every_candidate_can_be_explained(served, monkeypatch):
    env, folder, _ = served
    monkeypatch.chdir(folder)
    for one in _json(served, "opportunities", "--all"):
        told = CliRunner().invoke(app, ["explain", one["id"][:12], "--json"], env=env)
        story = json.loads(told.stdout)
        assert story["meaning"]
        assert story["books"] or story["reason"] in ("missing_book", "missing_outcome")
        assert [v for v in story["verdicts"] if not v["passed"]] or story["decision"] == "approved"
    text = _text(served, "explain", served[2]["opportunities"][0]["id"])
    for word in ("Legs", "Gates", "Books at the time"):
        assert word in text
    assert "no candidate" in arb("explain", "zzzz", env=env, cwd=folder).stderr


def test_an_event_can_be_previewed(served):
    env, folder, _ = served
    text = _text(served, "preview", "six-3-bids-106")
    assert "FAIL  profit_fraction" in text
    assert "augmented" in _text(served, "preview", "six-5-augmented")
    assert "No edge" in _text(served, "preview", "plain-1")
    pasted = "https://polymarket.com/en/event/Plain-1/any-market?tid=1"
    assert "No edge" in _text(served, "preview", pasted)
    missing = arb("preview", "plain-one", env=env, cwd=folder)
    assert missing.returncode == 2
    assert re.search(r"^arb: no event plain-one; nearest: plain-\d", missing.stderr)


def test_the_doctor_finds_all_well_and_says_what_is_not(served, tmp_path):
    assert all(check["passed"] for check in _json(served, "doctor"))
    env = environment_for("http://127.0.0.1:9", tmp_path) | {"ARB_POLYMARKET__ATTEMPTS": "1"}
    ill = arb("doctor", env=env, cwd=tmp_path)
    assert ill.returncode == 3
    assert "FAIL" in ill.stdout
    assert "ARB_POLYMARKET__CLOB_URL" in ill.stdout


def test_settings_are_shown_with_their_sources(served):
    shown = _json(served, "config", "show")
    assert shown["database.url"]["source"] == "environment"
    assert shown["risk.max_daily_loss"] == {"value": "500", "source": "config/default.toml"}
    assert "sound" in _text(served, "config", "check")


def test_fees_are_told_offline(tmp_path):
    env = environment_for("http://127.0.0.1:9", tmp_path)
    table = json.loads(arb("fees", "--json", env=env, cwd=tmp_path).stdout)
    assert table["per_share"]["0.5"] == {"0.04": "0.01", "0.05": "0.0125", "0.07": "0.0175"}
    assert table["per_set_of_equal_prices"]["2"]["0.04"] == "0.02"


def test_scan_writes_nothing_down(served, tmp_path):
    env, _, _ = served
    env = {**env, "ARB_DATABASE__URL": f"sqlite+aiosqlite:///{tmp_path}/none.db"}
    done = arb(
        "scan", "--json", "--kind", "negrisk_no", "--min-profit", "0.05", env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for one in json.loads(done.stdout)["opportunities"]:
        assert one["kind"] == "negrisk_no"
        assert float(one["profit_pct"]) >= 5
    assert not (tmp_path / "none.db").exists()


TRACED = """
import sys
seen = []
sys.addaudithook(lambda event, args: event == "sqlite3.connect" and seen.append(args))
from arb.cli.app import main
try:
    main()
finally:
    print(f"{len(seen)} databases opened", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("args", "opened"),
    [(("scan",), False), (("preview", "six-3-bids-106"), False), (("run", "--once"), True)],
    ids=["scan", "preview", "run"],
)
def test_looking_opens_no_database(args, opened, served, tmp_path):
    env, _, _ = served
    env = {**env, "ARB_DATABASE__URL": f"sqlite+aiosqlite:///{tmp_path}/none.db"}
    done = subprocess.run(
        [sys.executable, "-c", TRACED, *args],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ("\n0 databases opened" not in "\n" + done.stderr) == opened
    assert (tmp_path / "none.db").exists() == opened


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "--live"), "ARB_TRADING__LIVE"),
        (("run", "--nonsense"), "--nonsense"),
        (("exchange", "serve", "--scenario", "nothing"), "one of demo"),
        (("scan", "--kind", "nothing"), "one of binary_complement"),
        (("run", "--once", "--profile", "nothing"), "no profile nothing"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(args, said, tmp_path):
    done = arb(*args, env=environment_for("http://127.0.0.1:9", tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_stopped_kind_is_shown_with_the_command_that_ends_it(tmp_path):
    async with exchange_at("demo", 1) as (_, address):
        loaded = settings_for(address, tmp_path)
        ledger = await open_ledger(loaded.settings.database.url, loaded.settings.account)
        await ledger.open_account({POLYMARKET: Decimal(10_000)}, NOON)
        found = Contradiction(
            key="refused/57cc",
            venue=POLYMARKET,
            kind=Kind.EXCLUSIVE_NO,
            about="57cc",
            believed="be $80 by convert",
            seen="the contract refuses",
            at=NOON,
        )
        await ledger.contradict(found)
        await ledger.contradict(replace(found, key="refused/elsewhere", venue="elsewhere"))

        async def run(*args):
            env = environment_for(address, tmp_path)
            return await asyncio.to_thread(arb, *args, env=env, cwd=tmp_path)

        status = await run("status")
        assert status.returncode == 0
        said = " ".join(status.stdout.split())
        assert "negrisk_no at polymarket is stopped: plan 57cc was to be $80 by convert" in said
        assert "the contract refuses. Once you have looked: `arb resume --kind negrisk_no " in said
        assert "--venue polymarket`" in said
        assert "negrisk_no at elsewhere is stopped" in said
        shown, _ = json.loads((await run("status", "--json")).stdout)["contradictions"]
        assert (shown["kind"], shown["plan"], shown["seen"]) == ("negrisk_no", "57cc", found.seen)
        report = await run("run", "--once", "--json")
        assert report.returncode == 0
        listed = json.loads(report.stdout)["opportunities"]
        assert "contradicted" in {o["reason"] for o in listed if o["kind"] == "negrisk_no"}
        assert {o["kind"] for o in listed if o["decision"] == "approved"} == {"negrisk_yes"}
        assert "CRITICAL" in report.stderr

        assert (await run("resume", "--kind", "negrisk_maybe")).returncode == 2
        assert "not stopped" in (await run("resume", "--kind", "negrisk_yes")).stdout
        assert "not stopped" not in (await run("resume")).stdout
        assert len(await ledger.contradictions()) == 2
        kind = ("resume", "--kind", "negrisk_no")
        third = await run(*kind, "--venue", "third")
        assert third.stdout == "negrisk_no was not stopped at third.\n"
        ended = await run(*kind, "--venue", "elsewhere")
        assert ended.stdout == "negrisk_no is traded again at elsewhere.\n"
        assert [c.venue for c in await ledger.contradictions()] == [POLYMARKET]
        alone = await run("resume", "--venue", "polymarket")
        assert (alone.returncode, "goes with --kind" in alone.stderr) == (2, True)
        await ledger.contradict(replace(found, key="refused/again", venue="elsewhere"))
        ended = await run(*kind, "--reason", "the listing was wrong")
        assert ended.stdout == (
            "negrisk_no is traded again at elsewhere.\nnegrisk_no is traded again at polymarket.\n"
        )
        assert await ledger.contradictions() == []
        await ledger.close()


def test_reading_a_ledger_that_is_not_there_says_so(tmp_path):
    done = arb("status", env=environment_for("http://127.0.0.1:9", tmp_path), cwd=tmp_path)
    assert done.returncode == 5
    assert "arb run --once" in done.stderr


async def test_what_is_held_is_collected_when_it_resolves(tmp_path):
    flags = {"arbitrage.resolution_check_interval": 0, "strategies.enabled": ["negrisk_yes"]}
    async with exchange_at("demo", 1) as (_, address):
        loaded = settings_for(address, tmp_path, **flags)
        report, before, _ = await run_once(loaded)
        taken = [o for o in render_report(report)["opportunities"] if o["decision"] == "approved"]
        at_once = sum(plan.realised for plan in report.plans if not plan.locked)
        assert (before.realised, before.locked > 0) == (at_once, True)
        taken = [one for one in taken if one["exit"] == "resolution"]
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            for one in taken:
                for number, leg in enumerate(one["legs"]):
                    order = {"resolve": {"market": leg["market"], "yes": "0" if number else "1"}}
                    assert (await client.post("/_control", json=order)).json() == {"done": True}
        _, after, _ = await run_once(loaded)
    assert after.locked == 0
    assert after.realised - at_once == before.locked_profit > 0
    assert (after.trades, after.successes) == (before.trades, before.successes)
