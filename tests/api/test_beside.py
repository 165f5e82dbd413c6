"""What works beside the engine, through real HTTP: bots as processes, alerts, keys over restarts."""

import asyncio
import json
import os
import signal
from decimal import Decimal

import pytest

from arb.adapters.bots.process import alive, identity
from arb.api.auth import Role
from arb.domain.news import Trouble
from arb.domain.report import Problem, ProblemKind
from arb.runtime.bots import run_bots
from tests.api.conftest import world
from tests.conftest import ROOT, settings_for

BOTS = f"""
[bot.atom]
command = ["python3", "atom.py"]
folder = "{ROOT}/examples/bots"
autostart = false
backoff_seconds = 30

[bot.broken]
command = ["/nowhere/bot"]
autostart = false
restarts_max = 0

[bot.plain]
command = ["./plain.sh"]
folder = "{ROOT}/examples/bots"
does = "prints"

[[route]]
bot = "atom"
"""


def _flags(folder):
    (folder / "bots.toml").write_text(BOTS)
    return {
        "bots.definitions": str(folder / "bots.toml"),
        "bots.folder": str(folder / "comm"),
        "bots.logs": str(folder / "logs"),
    }


async def _until(ask, holds):
    for _ in range(300):
        if holds(found := await ask()):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_a_bot_is_started_asked_watched_and_stopped_over_http(tmp_path, monkeypatch):
    flags = _flags(tmp_path)
    async with world(tmp_path, monkeypatch, **flags) as found, found.client() as client:

        async def bot(name="atom"):
            listed = (await client.get("/api/v1/arbitrage/bots")).json()
            return next(one for one in listed if one["bot_id"] == name)

        assert (await bot())["status"] == "stopped"
        assert (await bot("plain"))["status"] == "script"
        at = "/api/v1/arbitrage/bots"
        started = (await client.post(f"{at}/atom/start", json={"reason": "try it"})).json()
        assert (started["status"], started["is_running"]) == ("running", True)
        process = identity(started["pid"])
        assert alive(process)
        beating = await _until(bot, lambda one: one["heartbeat_at"] is not None)
        assert beating["says"] == "running"
        assert 0 <= beating["heartbeat_age_seconds"] < 30
        report = await found.found.orchestrator.scan_cycle()
        assert report.plans
        worked = await bot()
        assert worked["asked"] == worked["agreed"] == len(report.plans)
        assert worked["work"] == []
        kept = await _until(bot, lambda one: one["opportunities_found"] == len(report.plans))
        made = sum(plan.realised for plan in report.plans)
        assert Decimal(kept["total_profit"]) == made
        assert (kept["name"], kept["process_id"]) == ("atom", started["pid"])
        assert kept["script_path"].endswith("examples/bots/atom.py")
        assert kept["start_time"] <= kept["last_activity"]
        assert kept["error_message"] is None
        assert (await client.get("/api/v1/bot/status")).json()["last_cycle"] == report.run
        assert 'arb_bot_running{bot="atom"} 1.0' in (await client.get("/metrics")).text

        os.kill(started["pid"], signal.SIGKILL)
        fallen = await _until(bot, lambda one: one["status"] == "restarting")
        assert (fallen["restarts"], fallen["pid"]) == (1, None)
        assert "SIGKILL" in fallen["last_exit"]
        assert (await client.post(f"{at}/atom/stop", json={})).json()["status"] == "stopped"
        again = (await client.post(f"{at}/atom/start", json={})).json()
        process = identity(again["pid"])
        assert (await client.post(f"{at}/atom/stop", json={})).json()["pid"] is None
        assert not alive(process)

        assert (await client.post(f"{at}/nobody/start", json={})).status_code == 404
        assert (await client.post(f"{at}/plain/start", json={})).status_code == 409
        async with found.client(Role.READ) as looker:
            assert (await looker.post(f"{at}/atom/start", json={})).status_code == 403
        await client.post(f"{at}/broken/start", json={})
        given_up = await _until(lambda: bot("broken"), lambda one: one["gave_up"])
        assert (given_up["status"], given_up["restarts_max"]) == ("failed", 0)
        told = (await client.get("/api/v1/alerts")).json()
        assert {one["condition"] for one in told} == {"bot"}
        assert "broken" in told[0]["text"]
        low = [one["text"] for one in told if one["level"] == "low"]
        assert low[::-1][0].startswith("Bot atom is running: process ")
        assert low[::-1][1].startswith("Bot atom is stopped: ")
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    done = [(one["action"], one["bot"]) for one in lines if one["step"] == "done"]
    assert done[:2] == [("bot/start", "atom"), ("bot/stop", "atom")]


async def test_a_plan_in_a_bots_hands_is_shown_until_it_ends(tmp_path, monkeypatch):
    flags = _flags(tmp_path)
    async with world(tmp_path, monkeypatch, **flags) as found, found.client() as client:

        async def bot():
            return (await client.get("/api/v1/arbitrage/bots")).json()[0]

        started = (await client.post("/api/v1/arbitrage/bots/atom/start", json={})).json()
        await _until(bot, lambda one: one["heartbeat_at"] is not None)
        os.killpg(started["pid"], signal.SIGSTOP)
        cycle = asyncio.create_task(found.found.orchestrator.scan_cycle())
        working = await _until(bot, lambda one: one["work"])
        assert working["work"][0]["event"]
        os.killpg(started["pid"], signal.SIGCONT)
        report = await cycle
        assert working["work"][0]["plan"] in [plan.plan for plan in report.plans]
        assert (await bot())["work"] == []


async def test_bots_that_another_process_runs_are_seen_and_commanded_by_file(tmp_path, monkeypatch):
    flags, said = _flags(tmp_path), []
    beside = asyncio.create_task(
        run_bots(settings_for("http://127.0.0.1:9", tmp_path, **flags), said.append)
    )
    while not said:
        await asyncio.sleep(0.02)
    flags["bots.supervise"] = False
    async with world(tmp_path, monkeypatch, **flags) as found, found.client() as client:
        at = "/api/v1/arbitrage/bots"
        assert (await client.get(at)).json()[0]["status"] == "stopped"
        started = (await client.post(f"{at}/atom/start", json={})).json()
        assert (started["status"], started["is_running"]) == ("running", True)
        process = identity(started["pid"])
        stopped = (await client.post(f"{at}/atom/stop", json={})).json()
        assert (stopped["status"], stopped["says"]) == ("stopped", "")
        assert not alive(process)
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        nobody = await client.post(f"{at}/atom/start", json={})
        assert (nobody.status_code, nobody.json()["error"]["code"]) == (503, "unable")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_alerts_are_what_was_decided_and_say_where_they_went(tmp_path, monkeypatch, webhook):
    pytest.importorskip("apprise")
    flags = {
        "alerts.urls": f"json://u:hunter2secret@127.0.0.1:{webhook.server_port}/",
        "alerts.level": "HIGH",
        "alerts.volume_part": "0.000001",
    }
    async with world(tmp_path, monkeypatch, **flags) as found, found.client() as client:

        async def alerts():
            return (await client.get("/api/v1/alerts")).json()

        for _ in range(2):
            found.found.control.news.publish(
                Trouble(Problem(kind=ProblemKind.BOT, where="bot atom", what="ended 6 times"))
            )
        await client.post("/api/v1/bot/halt", json={"reason": "fire"})
        sent = await _until(
            alerts,
            lambda some: (
                len(some) == 2 and all(one["channels"][0]["state"] == "sent" for one in some)
            ),
        )
        halted, bot = sent
        assert (halted["level"], halted["condition"], halted["again"]) == ("critical", "halted", 0)
        assert "fire" in halted["text"]
        assert (bot["condition"], bot["verdict"], bot["again"]) == ("bot", "sent", 1)
        assert bot["channels"][0]["channel"] == "json://******** (1)"
        assert len(webhook.got) == 2
        await client.post("/api/v1/bot/resume", json={})
        await found.found.orchestrator.scan_cycle()
        held = await _until(alerts, lambda some: some[0]["condition"] == "volume")
        assert (held[0]["verdict"], held[0]["channels"]) == ("below_level", [])
        assert "hunter2secret" not in json.dumps(held)


async def test_an_alert_without_a_channel_says_so_and_each_halt_is_one(served):
    async with served.client() as client:
        for _ in range(2):
            await client.post("/api/v1/bot/halt", json={})
            await client.post("/api/v1/bot/resume", json={})
        told = (await client.get("/api/v1/alerts")).json()
        assert [(one["verdict"], one["channels"]) for one in told] == [("no_channel", [])] * 2


async def _listed(found, client):
    """Paused, and what a cycle found meanwhile."""
    await client.post("/api/v1/bot/pause", json={})
    await found.found.orchestrator.scan_cycle()
    return (await client.get("/api/v1/arbitrage/opportunities")).json()


async def test_a_key_holds_over_a_restart(tmp_path, monkeypatch):
    path, headers = "/api/v1/arbitrage/execute", {"idempotency-key": "one"}
    async with world(tmp_path, monkeypatch) as found, found.client() as client:
        listed = await _listed(found, client)
        wanted = next(one for one in listed if one["kind"] == "negrisk_no" and one["exit"] == "now")
        body = {"opportunity_id": wanted["id"]}
        # A refusal lets go of the key: nothing was done.
        assert (await client.post(path, json=body, headers=headers)).status_code == 409
        await client.post("/api/v1/bot/resume", json={})
        first = (await client.post(path, json=body, headers=headers)).json()
        assert first["filled"] == 1
    kept = tmp_path / "api-executed.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    known = json.loads(kept.read_text())
    ((key, one),) = known.items()
    known[key.replace("/one/", "/two/")] = {**one, "answer": None}  # killed in the middle
    known[key.replace("/one/", "/old/")] = {**one, "at": "2020-01-01T00:00:00+00:00"}
    kept.write_text(json.dumps(known))
    async with world(tmp_path, monkeypatch) as found, found.client() as client:

        async def again(name):
            return await client.post(path, json=body, headers={"idempotency-key": name})

        assert (await again("one")).json() == first
        unknown = await again("two")
        assert unknown.status_code == 409
        assert "its end is not known" in unknown.json()["error"]["message"]
        assert len((await client.get("/api/v1/plans")).json()) == 1
        assert (await again("old")).json()["cycle"] > first["cycle"]


async def test_what_cannot_be_written_down_is_not_begun(tmp_path, monkeypatch):
    path, headers = "/api/v1/arbitrage/execute", {"idempotency-key": "one"}
    async with world(tmp_path, monkeypatch) as found, found.client() as client:
        listed = await _listed(found, client)
        await client.post("/api/v1/bot/resume", json={})
        (tmp_path / "api-executed.json.tmp").mkdir()
        body = {"opportunity_id": listed[0]["id"]}
        answer = await client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "audit")
        assert (await client.get("/api/v1/plans")).json() == []


async def test_a_command_that_is_not_on_record_is_an_alert(served):
    (served.folder / "audit.jsonl").unlink(missing_ok=True)
    (served.folder / "audit.jsonl").mkdir()
    async with served.client() as client:
        assert (await client.post("/api/v1/bot/pause", json={})).status_code == 200
        told = (await client.get("/api/v1/alerts")).json()
    assert {one["condition"] for one in told} == {"audit", "paused"}


async def test_a_circuit_that_opens_is_seen_in_health_and_metrics(tmp_path, monkeypatch):
    flags = {"polymarket.gamma_url": "http://127.0.0.1:9"}  # nobody answers there
    async with world(tmp_path, monkeypatch, **flags) as found, found.client() as client:
        before = (await client.get("/api/v1/bot/health")).json()
        assert before["circuit_breaker_state"] == "closed"
        for _ in range(2):
            assert not (await found.found.orchestrator.scan_cycle()).reachable
        health = (await client.get("/api/v1/bot/health")).json()
        text = (await client.get("/metrics")).text
    assert health["circuits"] == {"127.0.0.1:9": "open"}
    assert health["circuit_breaker_state"] == "open"
    requests = health["requests"]
    assert sum(count for name, count in requests.items() if name.startswith("retries:")) > 0
    assert any(name.startswith("waited_ms:") for name in requests)
    assert health["error_counts"]["venue"] > 0
    assert (health["error_window_seconds"], health["pause_after"]) == (3600, 10)
    assert 'arb_circuit_open{host="127.0.0.1:9"} 1.0' in text
    assert 'arb_errors_recent{where="venue"}' in text
    assert 'what="retries"' in text
