"""One market read by several processes: what is found stays the same, whoever dies meanwhile."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time

import pytest

from arb.adapters.shards.worker import WorkerTotals
from arb.adapters.storage import open_ledger
from arb.adapters.storage.maintenance import check
from arb.bootstrap import worker
from arb.cli.output import render_report
from arb.domain.errors import ConfigError
from arb.runtime import scan_worker
from arb.runtime.running import run_once
from arb.runtime.scan_worker import work
from tests.conftest import environment_for, exchange_at, settings_for
from tests.programs import Program

PATIENCE = 3
SHARDS = {"shards.patience": PATIENCE, "shards.markets_per_part": 10}
WAIT_SECONDS = 180


@pytest.fixture
def start(tmp_path, nats_server):
    started = []

    def one(address, *command):
        folder = tmp_path / f"process-{len(started)}"
        env = environment_for(address, folder) | {
            "ARB_SHARDS__URL": nats_server.url,
            "ARB_TRADING__MIN_PROFIT_THRESHOLD": "0.001",
            **{f"ARB_{k.upper().replace('.', '__')}": str(v) for k, v in SHARDS.items()},
        }
        started.append(Program(folder, *command, env=env))
        return started[-1]

    yield one
    for program in started:
        program.kill()


async def _until(true, *, seconds=WAIT_SECONDS, what=lambda: ""):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, what()
        await asyncio.sleep(0.05)
    return found


async def _stopped(program):
    """Its exit code; the exchange of these tests goes on answering while it ends."""
    return await asyncio.to_thread(program.stop)


async def _workers(start, address, number):
    started = [start(address, "shard", "--json") for _ in range(number)]
    for one in started:
        await _until(lambda w=one: "Reads books" in w.err.read_text())
    return started


def _found(report):
    """All that a report says apart from when, how long, and who read the books."""
    document = render_report(report)
    told = {
        key: document[key] for key in ("markets", "events", "skipped", "data_quality", "funnel")
    }
    trades = [
        (o["event"], o["kind"], o["size"], o["profit"], o["decision"], o["reason"])
        for o in document["opportunities"]
    ]
    return told, trades, document["reasons"], document["completeness"], len(document["plans"])


async def test_a_listing_read_in_parts_gives_what_one_process_finds(start, tmp_path, nats_server):
    async with exchange_at("demo", 5) as (_, address):
        alone, _, _ = await run_once(settings_for(address, tmp_path / "alone"))
        both = await _workers(start, address, 2)
        loaded = settings_for(
            address, tmp_path / "led", **SHARDS, **{"shards.url": nats_server.url}
        )
        led, _, _ = await run_once(loaded)
        assert _found(led) == _found(alone)
        assert len(alone.plans) > 3
        seen = led.coverage
        assert alone.coverage is None
        assert (seen.parts, seen.answered, seen.taken_over, seen.unreadable) == (15, 15, 0, 0)
        assert 0 < seen.nominated < led.events / 2
        assert led.books < alone.books
        assert seen.oldest_ms <= led.duration_ms
        # A worker that hangs holds what it was given; another one gets it, and nothing is missed.
        first = both[0]
        first.send(signal.SIGSTOP)
        again = settings_for(
            address, tmp_path / "again", **SHARDS, **{"shards.url": nats_server.url}
        )
        hanging, _, _ = await run_once(again)
        assert _found(hanging) == _found(alone)
        assert (hanging.coverage.answered, hanging.coverage.workers) == (15, 1)
        assert hanging.coverage.taken_over == 0
        assert hanging.duration_ms < (PATIENCE + 60) * 1000
        first.send(signal.SIGCONT)
        assert [await _stopped(w) for w in both] == [0, 0]
        done = [json.loads(w.out.read_text()) for w in both]
        assert sum(one["parts"] for one in done) >= 30
        assert not sum(one["unreadable"] + one["failed"] for one in done)
        assert "secret-word" not in "".join(w.err.read_text() for w in both)


async def test_a_worker_ends_also_where_a_cancellation_was_taken_for_another(monkeypatch, tmp_path):
    """The library loses one where an answer comes at the same moment, as after a SIGCONT."""
    ready = asyncio.Event()

    class Deaf:
        done = WorkerTotals()

        async def run(self, _ready):
            ready.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            await asyncio.sleep(3600)

    @contextlib.asynccontextmanager
    async def deaf(*_):
        yield Deaf()

    monkeypatch.setattr(scan_worker, "worker", deaf)
    working = asyncio.create_task(work(settings_for("http://127.0.0.1:9", tmp_path)))
    await ready.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(working, WAIT_SECONDS) is Deaf.done


async def test_three_processes_outlive_each_other_and_the_server(start, tmp_path, nats_server):
    """Two workers and a leader: each is killed or hangs, then the server, and trading goes on."""
    async with exchange_at("moving", 5) as (_, address):
        first, second = await _workers(start, address, 2)
        leader = start(address, "run", "--interval", "0.3", "--json")
        # Errors are told in the cycle after the one that they are noticed in at the latest.
        since = 0

        def shared(**wanted):
            for report in leader.reports[since:]:
                seen = report["shards"]
                whole = seen and seen["answered"] == seen["parts"] and not seen["taken_over"]
                if whole and all(seen[name] == value for name, value in wanted.items()):
                    return report
            return None

        def alone():
            return next((r for r in leader.reports[since:] if r["shards"] is None), None)

        async def soon(true, seconds):
            return await _until(true, seconds=seconds, what=leader.err.read_text)

        await soon(lambda: shared(workers=2), WAIT_SECONDS)
        await soon(lambda: any(r["plans"] for r in leader.reports), WAIT_SECONDS)

        since = len(leader.reports)
        first.send(signal.SIGKILL)
        await soon(lambda: shared(workers=1), PATIENCE + 3)
        told = [report["shards"] for report in leader.reports[since:] if report["shards"]]
        assert not [seen for seen in told if seen["taken_over"]]
        assert max(seen["oldest_ms"] for seen in told) < PATIENCE * 1000

        second.send(signal.SIGSTOP)
        since = len(leader.reports)
        await soon(alone, 3 * PATIENCE)
        seen = alone()["completeness"]
        assert seen["books_received"] >= seen["books_expected"] * 0.9
        second.send(signal.SIGCONT)
        since = len(leader.reports)
        await soon(lambda: shared(workers=1), 3 * PATIENCE)

        nats_server.kill()
        since = len(leader.reports)
        await soon(alone, 3 * PATIENCE)
        before = leader.err.read_text().count("NATS is away")
        assert before == 1
        three_more = len(leader.reports) + 3
        await soon(lambda: len(leader.reports) >= three_more, WAIT_SECONDS)
        assert leader.err.read_text().count("NATS is away") == 1
        nats_server.start()
        since = len(leader.reports)
        await soon(lambda: shared(workers=1), 3 * PATIENCE)

        nats_server.send(signal.SIGSTOP)
        since = len(leader.reports)
        await soon(alone, 3 * PATIENCE)
        nats_server.send(signal.SIGCONT)
        since = len(leader.reports)
        await soon(lambda: shared(workers=1), 3 * PATIENCE)

        assert await _stopped(leader) == 0, leader.err.read_text()
        plans = [plan["id"] for report in leader.reports for plan in report["plans"]]
        assert len(plans) == len(set(plans)) > 1
        blind = [r for r in leader.reports if not r["completeness"]["books_received"]]
        assert not blind, leader.err.read_text()
        assert "secret-word" not in leader.err.read_text() + leader.out.read_text()
        ledger = await open_ledger(
            f"sqlite+aiosqlite:///{leader.out.parent}/arb.db", "paper:default"
        )
        assert not await check(ledger._db)
        await ledger.close()


async def test_an_answer_delivered_again_and_again_trades_once(tmp_path, nats_server):
    import nats

    async with exchange_at("demo", 3) as (_, address):
        alone, alone_sum, _ = await run_once(settings_for(address, tmp_path / "alone"))
        loaded = settings_for(
            address, tmp_path / "led", **SHARDS, **{"shards.url": nats_server.url}
        )
        client = await nats.connect(nats_server.url)
        repeated = 0

        async def again(message):
            nonlocal repeated
            if message.headers:
                for _ in range(3):
                    repeated += 1
                    await client.publish(message.subject, message.data)

        await client.subscribe("arb.nominations.>", cb=again)
        async with worker(loaded.settings) as found:
            ready = asyncio.Event()
            working = asyncio.create_task(found.run(ready.set))
            await asyncio.wait_for(ready.wait(), 120)
            led, led_sum, _ = await run_once(loaded)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        await client.close()
    assert repeated >= 3 * led.coverage.answered > 0
    assert led.coverage.unreadable == 0
    assert _found(led) == _found(alone)
    assert (led_sum.trades, led_sum.realised) == (alone_sum.trades, alone_sum.realised)


async def test_without_a_worker_or_a_server_the_leader_reads_all_itself(tmp_path, nats_server):
    async with exchange_at("six") as (_, address):
        alone, _, _ = await run_once(settings_for(address, tmp_path / "alone"))
        for number, (url, why) in enumerate(
            [
                (nats_server.url, "no worker is running"),
                ("nats://127.0.0.1:9", "NATS is away"),
                (nats_server.url.replace("secret-word", "wrong"), "NATS is away"),
            ]
        ):
            folder = tmp_path / str(number)
            report, _, _ = await run_once(settings_for(address, folder, **{"shards.url": url}))
            assert _found(report) == _found(alone)
            assert report.coverage is None
            told = [problem.what for problem in report.errors if problem.where == "shards"]
            assert len(told) == 1
            assert why in told[0]


async def test_what_is_missing_or_wrong_is_named(tmp_path, monkeypatch):
    url = "nats://arb:secret-word@127.0.0.1:1"
    loaded = settings_for("http://127.0.0.1:9", tmp_path)
    with pytest.raises(ConfigError, match="ARB_SHARDS__URL"):
        await work(loaded)
    with pytest.raises(ConfigError, match="nats://"):
        settings_for("http://127.0.0.1:9", tmp_path, **{"shards.url": "http://here"})
    loaded = settings_for("http://127.0.0.1:9", tmp_path, **{"shards.url": url})
    (shown,) = [one.shown for one in loaded.all() if one.name == "shards.url"]
    assert shown.startswith("nats://arb:")
    assert "secret-word" not in shown
    assert "secret-word" in loaded.secrets()
    monkeypatch.setitem(sys.modules, "nats", None)
    for command in (work(loaded), run_once(loaded)):
        with pytest.raises(ConfigError, match=r"pip install -e '\.\[shards\]'"):
            await command
