"""The bot coordination document's own lines: its bots, its files, its questions to the database."""

import asyncio
import contextlib
import json
import sqlite3
import sys
from textwrap import indent

import pytest

from arb.domain.plan import PlanState
from arb.runtime.bots import run_bots
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


def _loaded(address, folder, definition, **settings):
    (folder / "bots.toml").write_text(definition + '\n[[route]]\nbot = "atom"\n')
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
    return report, still_open


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
    report, still_open = await _one_cycle(tmp_path, does, _bot())
    assert still_open == 0
    assert [plan for plan in report.plans if plan.state is PlanState.DONE]
    assert not list((tmp_path / "comm" / "quarantine").iterdir())
    # Its 25.50 is its word: what is booked is what the books gave.
    realised = {row["realised"] for row in _ledger(tmp_path, "select realised from plans")}
    assert 25_500_000 not in realised


@pytest.mark.parametrize("does", ["decides", "executes"])
async def test_its_no_is_a_no(does, tmp_path):
    no = RESULT.replace('"success": True', '"success": False')
    report, still_open = await _one_cycle(tmp_path, does, _bot(no))
    assert report.plans
    assert {plan.state for plan in report.plans} == {PlanState.UNWOUND}
    assert still_open == 0
    assert _ledger(tmp_path, "select * from fills") == []


async def test_a_bot_that_executes_and_never_answers_holds_no_cycle_up(tmp_path):
    """Plans that wait for an answer would be waited for an hour here."""
    waits = {"trading.answer_wait": 3600, "arbitrage.plans_per_cycle": 1}
    async with asyncio.timeout(600):
        report, still_open = await _one_cycle(
            tmp_path, "executes", _bot("pass\n"), "answer_seconds = 0.5\n", **waits
        )
    assert {plan.state for plan in report.plans} == {PlanState.OPEN}
    assert still_open == 1
