"""Budgets shared over a real Redis: by two processes, and by nobody while it is away or wrong."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import httpx
import pytest

import redis
from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.redis.budgets import OPEN_SECONDS, WAIT_MAX_SECONDS, SharedBudgets
from arb.bootstrap import paper_context, polymarket
from arb.cli.output import render_report
from arb.domain.errors import ConfigError
from arb.domain.news import Trouble
from arb.net.http import HttpOptions, HttpReader
from arb.publisher import Publisher
from arb.runtime.running import run_once
from tests.conftest import exchange_at, settings_for

KEYS = {"used": "arb:1:here:used:books", "wait": "arb:1:here:wait:books"}
TAKER = """
import asyncio, sys
from arb.adapters.clock import SystemClock
from arb.adapters.redis.budgets import SharedBudgets

class Clock(SystemClock):
    slept = 0.0

    async def sleep(self, seconds):
        self.slept += seconds
        await super().sleep(seconds)

async def main(url, number, rate):
    clock = Clock()
    budgets = SharedBudgets(url, "here", clock, print)
    await budgets.take("warm", 1000)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(number):
        await budgets.take("books", rate)
    print(clock.slept)
    await budgets.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


class Clock(SystemClock):
    """The machine's, and ahead of it where a test says so; it knows how long was slept by it."""

    ahead = slept = 0.0

    def monotonic(self):
        return super().monotonic() + self.ahead

    async def sleep(self, seconds):
        self.slept += seconds
        await super().sleep(seconds)


@contextlib.asynccontextmanager
async def _budgets(url, name="here"):
    told = []
    clock = Clock()
    budgets = SharedBudgets(url, name, clock, told.append)
    try:
        yield SimpleNamespace(
            take=budgets.take, hold=budgets.hold, of=budgets, told=told, clock=clock
        )
    finally:
        await budgets.close()


async def _slept(budgets, work):
    """How long the work was made to wait, however long the machine took over it."""
    before = budgets.clock.slept
    await work
    return budgets.clock.slept - before


async def _takes(budgets, number, rate=1000):
    for _ in range(number):
        await budgets.take("books", rate)


@pytest.fixture
def inside(redis_server):
    client = redis.Redis.from_url(redis_server.url)
    yield client
    client.close()


def test_two_processes_use_one_budget_together(redis_server):
    def both(url):
        pair = [
            subprocess.Popen(
                [sys.executable, "-c", TAKER, url, "11", "20"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in pair:
            assert process.stdout.readline() == "ready\n"
        for process in pair:
            process.stdin.write("\n")
            process.stdin.flush()
        return max(float(process.communicate(timeout=30)[0].split()[-1]) for process in pair)

    # 22 requests where 20 are allowed at once and 2 a second after that: a second in all.
    assert 0 < both(redis_server.url) < 5
    redis_server.kill()
    assert not both(redis_server.url)  # each has its own 20


async def test_processes_at_other_addresses_share_nothing(redis_server):
    async with (
        _budgets(redis_server.url, "here") as one,
        _budgets(redis_server.url, "there") as two,
    ):
        await _takes(one, 8, 8)
        assert await _slept(two, two.take("books", 8)) == 0
        async with _budgets(redis_server.url, "here") as three:
            assert await _slept(three, three.take("books", 8)) > 0


async def test_a_wait_that_the_venue_asked_one_for_is_waited_by_all(redis_server, inside):
    answers = iter([httpx.Response(429, headers={"retry-after": "2"}), httpx.Response(200)])

    async with _budgets(redis_server.url) as one, _budgets(redis_server.url) as two:

        def reader(budgets, answer):
            return HttpReader(
                HttpOptions(attempts=1),
                monotonic=budgets.clock.monotonic,
                now=budgets.clock.now,
                transport=httpx.MockTransport(answer),
                budgets=budgets.of,
            )

        told, other = (
            reader(one, lambda _: next(answers)),
            reader(two, lambda _: httpx.Response(200)),
        )
        with pytest.raises(Exception, match="asks for a wait"):
            await told.get("books", "http://venue/books")
        assert 0 < inside.pttl(KEYS["wait"]) <= 2000
        assert 0 < await _slept(two, other.get("books", "http://venue/books")) <= 2
        assert not await _slept(two, other.get("events", "http://venue/events"))
        assert other.circuits() == {"venue": "closed", "redis": "closed"}
        assert not inside.exists(KEYS["wait"])


async def test_entries_end_by_themselves(redis_server, inside):
    async with _budgets(redis_server.url) as budgets:
        await budgets.take("books", 1000)
        await budgets.hold("other", 1)
        await budgets.hold("other", 0)
        assert all(0 < inside.pttl(key) <= 10_000 for key in inside.keys("*"))
        await budgets.hold("long", 10**9)
        assert inside.pttl("arb:1:here:wait:long") <= WAIT_MAX_SECONDS * 1000
        assert 0 < await _slept(budgets, budgets.take("other", 1000)) <= 1
        assert len(inside.keys("*")) == 3


async def test_a_server_killed_in_the_middle_costs_nothing_but_the_sharing(redis_server):
    async with _budgets(redis_server.url) as one, _budgets(redis_server.url) as two:
        await _takes(one, 10)
        redis_server.kill()
        assert not await _slept(one, _takes(one, 200))
        assert one.of.circuits() == {"redis": "open"}
        (problem,) = one.told
        assert problem.where == "redis"
        assert "own meanwhile" in problem.what
        assert "secret-word" not in problem.what
        redis_server.start()
        one.clock.ahead = OPEN_SECONDS + 1
        await _takes(one, 8, 8)
        assert one.of.circuits() == {"redis": "closed"}
        assert await _slept(two, two.take("books", 8)) > 0
        assert len(one.told) == 1
        redis_server.kill()
        await _takes(one, 10)
        assert len(one.told) == 2  # another outage is told again


async def test_a_server_that_hangs_is_left_alone_after_a_moment(redis_server):
    async with _budgets(redis_server.url) as budgets:
        await _takes(budgets, 5)
        redis_server.send(signal.SIGSTOP)
        assert not await _slept(budgets, _takes(budgets, 200))
        await budgets.hold("books", 5)
        assert len(budgets.told) == 1
        # Once in a while one request asks again.
        budgets.clock.ahead = OPEN_SECONDS + 1
        assert not await _slept(budgets, _takes(budgets, 200))
        assert len(budgets.told) == 1
        redis_server.send(signal.SIGCONT)
        budgets.clock.ahead = 2 * OPEN_SECONDS + 2
        await _takes(budgets, 5)
        assert budgets.of.circuits() == {"redis": "closed"}


GARBAGE = {
    "text": lambda r: r.set(KEYS["used"], "garbage"),
    "bytes": lambda r: r.set(KEYS["used"], b"\xff\x00" * 1000),
    "a list": lambda r: r.lpush(KEYS["used"], "1"),
    "another kind of number": lambda r: r.set(KEYS["used"], "nan"),
    "beyond all": lambda r: r.set(KEYS["used"], "inf"),
    "far ahead": lambda r: r.set(KEYS["used"], "9" * 17),
    "long ago": lambda r: r.set(KEYS["used"], "-5"),
    "a wait without end": lambda r: r.set(KEYS["wait"], "1"),
    "a wait of a year": lambda r: r.set(KEYS["wait"], "1", ex=365 * 86_400),
    "another kind of wait": lambda r: r.lpush(KEYS["wait"], "1"),
}


async def test_what_none_of_us_has_written_counts_for_nothing(redis_server, inside):
    async with _budgets(redis_server.url) as budgets:
        for what, write in GARBAGE.items():
            inside.flushall()
            write(inside)
            assert not await _slept(budgets, _takes(budgets, 3)), what
            assert 10**15 < int(inside.get(KEYS["used"])) < 10**17, what
        assert not budgets.told


async def test_full_memory_a_wrong_password_and_a_stranger_on_the_port_are_outages(
    redis_server, inside
):
    inside.config_set("maxmemory", "1")
    async with _budgets(redis_server.url) as budgets:
        assert not await _slept(budgets, _takes(budgets, 20))
        assert "memory" in budgets.told[0].what
    inside.config_set("maxmemory", "0")
    async with _budgets(redis_server.url.replace("secret-word", "wrong")) as budgets:
        assert not await _slept(budgets, _takes(budgets, 20))
        assert len(budgets.told) == 1

    async def stranger(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(stranger, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with _budgets(f"redis://127.0.0.1:{port}/0") as budgets:
            assert not await _slept(budgets, _takes(budgets, 20))
            assert len(budgets.told) == 1


async def test_the_poorest_sharing_slows_a_request_by_a_bounded_time(redis_server, inside):
    async with _budgets(redis_server.url) as budgets:
        slept = []

        async def sleep(seconds):
            slept.append(seconds)
            inside.set(KEYS["wait"], "1", px=20_000)  # somebody who never stops

        budgets.clock.sleep = sleep
        await budgets.take("books", 1000)
        await budgets.hold("books", 20)
        await budgets.take("books", 1000)
        assert 20 < sum(slept) <= WAIT_MAX_SECONDS


async def test_a_redis_that_forgets_makes_nobody_faster(redis_server, inside):
    async with _budgets(redis_server.url) as budgets:
        for _ in range(8):
            await budgets.take("books", 8)
            inside.flushall()
        began = time.monotonic()
        await budgets.take("books", 8)  # held up by its own budget, which asks no clock of ours
        assert time.monotonic() - began > 0.05


async def test_a_run_finds_the_same_with_redis_and_when_it_is_away(tmp_path, redis_server, inside):
    async with exchange_at("demo", 2) as (_, address):
        alone, _, _ = await run_once(settings_for(address, tmp_path / "alone"))
        found = []
        for number in range(2):
            loaded = settings_for(
                address, tmp_path / str(number), **{"redis.url": redis_server.url}
            )
            report, _, _ = await run_once(loaded)
            found.append(render_report(report))
            if not number:
                assert inside.keys("arb:1:arb:used:*")
                redis_server.kill()
        news = []
        async with paper_context(loaded.settings, Publisher([news.append])) as context:
            for _ in range(4):
                await context.venues[POLYMARKET].listing.universe()
            assert context.venues.circuits()["redis"] == "open"
        (trouble,) = [one for one in news if isinstance(one, Trouble)]
        assert trouble.problem.where == "redis"
    same = ("opportunities", "skipped", "funnel", "reasons", "completeness")
    for one in found:
        ids = [{**o, "id": ""} for o in one["opportunities"]]
        expected = render_report(alone)
        assert ids == [{**o, "id": ""} for o in expected["opportunities"]]
        assert [one[key] for key in same[1:]] == [expected[key] for key in same[1:]]


async def test_what_is_missing_or_wrong_is_named(tmp_path, monkeypatch):
    def settings(url):
        return settings_for("http://127.0.0.1:9", tmp_path, **{"redis.url": url}).settings

    for url in ("http://here", "127.0.0.1"):
        with pytest.raises(ConfigError, match="redis://"):
            settings(url)
    with pytest.raises(ConfigError, match="ARB_REDIS__URL") as wrong:
        async with polymarket(settings("redis://:pass/word@host:x/0")):
            pass
    assert "word" not in str(wrong.value).partition("password")[0]
    monkeypatch.delitem(sys.modules, "arb.adapters.redis.budgets")
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigError, match=r"\[redis\]"):
        async with polymarket(settings("redis://127.0.0.1:1/0")):
            pass
