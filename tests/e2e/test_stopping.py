"""SIGTERM and SIGINT are heard whatever hangs, and an order that is on its way is never lost."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time

import pytest
from starlette.responses import Response, StreamingResponse

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket import venue as made
from arb.adapters.storage import open_ledger
from arb.domain.fact import Submitted
from arb.domain.reason import Reason
from arb.net.http import HttpOptions
from arb.runtime.running import run_once
from tests.conftest import environment_for, exchange_at, settings_for
from tests.e2e.worlds import differences, live_environment, live_world
from tests.editing import edited
from tests.programs import ARB, arb

HEARD_SECONDS = 25
"""What hangs here hangs for longer. On a machine of its own it takes 1.3 s."""

NO_NAMES = """
import socket, time
def wait(*_args, **_kwargs):
    print("looking up", flush=True)
    time.sleep(600)
socket.getaddrinfo = wait
from arb.cli.app import main
main()
"""


def _drip(document):
    async def pieces():
        body = json.dumps(document).encode()
        yield body[:20]
        for place in range(20, len(body)):
            await asyncio.sleep(2)
            yield body[place : place + 1]

    return StreamingResponse(pieces(), media_type="application/json")


@contextlib.asynccontextmanager
async def program(command, env, folder):
    process = await asyncio.create_subprocess_exec(
        *command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _stopped(process, number):
    """How long it took to end, its exit code, and what it said on standard error."""
    began = time.monotonic()
    process.send_signal(number)
    _, said = await process.communicate()
    return time.monotonic() - began, process.returncode, said.decode()


@pytest.mark.parametrize("where", ["/events/keyset", "/books", "/clob-markets/"])
@pytest.mark.parametrize("how", ["--interval=1", "--once"])
async def test_a_request_in_drips_holds_nothing_up(tmp_path, where, how):
    number = signal.SIGTERM if how == "--once" else signal.SIGINT
    asked = asyncio.Event()

    def edit(path, query, document):
        if not path.startswith(where):
            return document
        asked.set()
        return _drip(document)

    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        env = environment_for(front, tmp_path)
        async with program([*ARB, "run", how], env, tmp_path) as process:
            await asked.wait()
            seconds, code, said = await _stopped(process, number)
    assert seconds < HEARD_SECONDS
    assert code == 0, said
    assert "Stopping. The step at work may finish." in said
    assert "ERROR" not in said
    assert "Cancelled" not in said


def _silence(document):
    """An answer that has begun, and of which nothing more ever comes."""

    async def pieces():
        yield json.dumps(document).encode()[:-1]
        await asyncio.Event().wait()

    return StreamingResponse(pieces(), media_type="application/json")


@pytest.mark.parametrize(
    ("where", "send"),
    [
        ("/events/keyset", _drip),
        ("/books", _drip),
        ("/clob-markets/", _drip),
        # Ours.
        ("/events/keyset", _silence),
        ("/clob-markets/", _silence),
    ],
)
async def test_an_answer_without_an_end_ends_the_read_and_the_cycle_says_so(
    tmp_path, monkeypatch, where, send
):
    """Half a minute by default; here as much as the other answers may take on a busy machine."""
    short = {"answer_seconds_max": 3, "read_timeout_seconds": 2.5}
    monkeypatch.setattr(made, "HttpOptions", lambda **more: HttpOptions(**more | short))

    def edit(path, query, document):
        return send(document) if path.startswith(where) else document

    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        once = {"polymarket.attempts": 1}
        report, _, still_open = await run_once(settings_for(front, tmp_path, **once))
    assert (report.plans, still_open) == ((), 0)
    said = " ".join(problem.what for problem in report.errors)
    assert "does not answer" in said
    assert where in said
    if where == "/clob-markets/":
        assert report.reachable
        assert dict(report.reasons)[Reason.MARKET_UNCONFIRMED] > 3
    else:
        assert not report.reachable


async def test_a_retry_that_sleeps_holds_nothing_up(tmp_path):
    asked = asyncio.Event()

    def edit(path, query, document):
        if path != "/events/keyset":
            return document
        asked.set()
        return Response("{}", 429, {"retry-after": "9"})

    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        env = environment_for(front, tmp_path) | {"ARB_POLYMARKET__PATIENCE_SECONDS": "600"}
        async with program([*ARB, "run", "--interval", "1"], env, tmp_path) as process:
            await asked.wait()
            seconds, code, said = await _stopped(process, signal.SIGTERM)
    assert seconds < HEARD_SECONDS
    assert code == 0, said


async def test_a_name_that_is_looked_up_for_ever_holds_nothing_up(tmp_path):
    """Nobody can cancel that: it hangs in a thread, which the process leaves behind."""
    env = environment_for("http://exchange.invalid", tmp_path)
    command = [sys.executable, "-c", NO_NAMES, "run", "--interval", "1"]
    async with program(command, env, tmp_path) as process:
        assert await process.stdout.readline() == b"looking up\n"
        seconds, code, said = await _stopped(process, signal.SIGTERM)
    assert seconds < HEARD_SECONDS
    assert code == 0, said


async def test_a_second_signal_does_not_wait_for_the_step_at_work(tmp_path):
    async with exchange_at("demo", 7) as (_, address):

        def edit(path, query, document):
            if path != "/events/keyset":
                return document
            asked.set()
            return _drip(document)

        asked = asyncio.Event()
        async with edited(address, edit) as front:
            env = environment_for(front, tmp_path)
            async with program([*ARB, "run", "--interval", "1"], env, tmp_path) as process:
                await asked.wait()
                process.send_signal(signal.SIGINT)
                seconds, code, _ = await _stopped(process, signal.SIGINT)
    assert seconds < HEARD_SECONDS
    assert code == 0


async def test_orders_on_their_way_at_the_stop_are_written_down_and_asked_about(tmp_path):
    """The venue has taken them and says nothing: their end is open, and found at the next start."""
    async with live_world("eoa", "demo", "5000", "cheap-no-2") as (at, wallet):
        env = live_environment(at.address, tmp_path, wallet)
        hang = {"endpoint": "/orders", "method": "POST", "kind": "accept_then_hang", "times": 1}
        await at.control(fault=hang)
        command = [*ARB, "run", "--live", "--once"]
        async with program(command, env, tmp_path) as process:
            while not (await at.truth())["accounts"].get(wallet.lower(), {}).get("tokens"):
                assert process.returncode is None, (await process.communicate())[1].decode()
                await asyncio.sleep(0.05)
            seconds, code, said = await _stopped(process, signal.SIGTERM)
        assert seconds < HEARD_SECONDS
        assert code == 6, said
        ledger = await open_ledger(
            f"sqlite+aiosqlite:///{tmp_path}/arb.db", f"polymarket:{wallet.lower()}"
        )
        try:
            (plan,) = await ledger.open_plans()
            sent = [f for f in await ledger.facts(plan.id) if isinstance(f, Submitted)]
            assert len(sent) == len(plan.legs)
            again = await asyncio.to_thread(
                arb, "run", "--live", "--once", "--json", env=env, cwd=tmp_path
            )
            assert again.returncode == 0, again.stderr
            assert await ledger.open_plans() == []
            assert len([f for f in await ledger.facts(plan.id) if isinstance(f, Submitted)]) == len(
                sent
            )
            assert await differences(at, wallet, ledger) == []
            assert (await ledger.portfolio(SystemClock().now())).cash > 5000
        finally:
            await ledger.close()
