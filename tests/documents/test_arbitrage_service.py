"""The arbitrage service's document: its routes and its WebSocket, as they stand."""

import json
import shutil
import sys

import pytest

from tests.documents.typed import heard, served

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

STREAM = "ws://localhost:8000/ws/arbitrage"
BEATS = """
import json, os, time
while True:
    with open("heartbeat", "w") as file:
        file.write("alive")
    time.sleep(0.2)
"""
BOT = """
[bot.watcher]
command = [{python}, "-c", {script}]
autostart = false
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    definitions = folder / "bots.toml"
    definitions.write_text(
        BOT.format(python=json.dumps(sys.executable), script=json.dumps(BEATS)), encoding="utf-8"
    )
    settings = {
        "ARB_BOTS__DEFINITIONS": str(definitions),
        "ARB_BOTS__FOLDER": str(folder / "comm"),
        "ARB_BOTS__LOGS": str(folder / "bot-logs"),
    }
    with served(folder, **settings) as found:
        with found.stream(STREAM) as socket:
            heard(socket, "cycle_ended")
        yield found


def request(method, path, body=""):
    data = f" -H 'Content-Type: application/json' -d '{body}'" if body else ""
    return f"curl -X {method} http://localhost:8000{path}{data}"


def test_every_route_answers_at_the_path_of_the_document(service):
    opportunities = service.answers(request("GET", "/api/arbitrage/opportunities"))
    assert opportunities[0]["id"]
    strategies = service.answers(request("GET", "/api/arbitrage/strategies"))
    assert {one["name"] for one in strategies} >= {"negrisk_no", "negrisk_yes"}
    bots = service.answers(request("GET", "/api/arbitrage/bots"))
    assert [one["bot_id"] for one in bots] == ["watcher"]
    started = service.answers(request("POST", "/api/arbitrage/bots/watcher/start"))
    assert started["status"] == "running"
    stopped = service.answers(request("POST", "/api/arbitrage/bots/watcher/stop"))
    assert stopped["status"] == "stopped"
    for verb, running in (("stop", False), ("start", True)):
        answer = service.answers(request("POST", f"/api/arbitrage/monitoring/{verb}"))
        assert answer["status"]["running"] is running
    # A trade needs a token of the role trade, though the program is open on loopback.
    body = json.dumps({"opportunity_id": opportunities[0]["id"]})
    answer = service.answers(request("POST", "/api/arbitrage/execute", body))
    assert "needs the role trade" in answer["error"]["message"]
    described = service.typed(request("GET", "/api/v1/openapi.json"))
    assert '"/api/v1/arbitrage/bots"' in described
    assert '"/api/arbitrage/bots"' not in described


def test_bots_are_registered_in_their_file_and_nowhere_else(service):
    body = json.dumps({"bot_id": "mine", "script_path": "mine.py"})
    answer = service.answers(request("POST", "/api/arbitrage/bots", body))
    assert answer["error"]["code"] == "method"


def test_the_stream_starts_and_stops_bots(service):
    def asked(socket, **message):
        socket.send(json.dumps(message))
        return heard(socket, "answer")["data"]

    def refused(socket, text):
        socket.send(text)
        return heard(socket, "error")["data"]

    with service.stream(STREAM) as socket:
        heard(socket, "snapshot")
        answer = asked(socket, action="start_bot", bot_id="watcher", reason="by the stream")
        assert (answer["action"], answer["bot_id"]) == ("start_bot", "watcher")
        assert answer["bot"]["status"] == "running"
        answer = asked(socket, action="stop_bot", bot_id="watcher")
        assert answer["bot"]["status"] == "stopped"
        unknown = refused(socket, '{"action": "start_bot", "bot_id": "nobody"}')
        assert (unknown["code"], unknown["bot_id"]) == ("unknown", "nobody")
        for text in ("hello", "{}", '{"action": "halt"}', '{"action": "stop_bot"}', b"\xff"):
            wrong = refused(socket, text)
            assert wrong["code"] == "invalid"
            assert '"start_bot" or "stop_bot"' in wrong["message"]
            assert "hello" not in wrong["message"]
    lines = service.answers(request("GET", "/api/v1/audit"))
    started = next(one for one in lines if one.get("reason") == "by the stream")
    assert (started["who"], started["action"], started["bot"]) == (
        "loopback",
        "bot/start",
        "watcher",
    )
