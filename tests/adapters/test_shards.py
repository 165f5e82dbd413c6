"""What leader and workers say to each other over a real server, and what strangers say."""

import asyncio
import contextlib
import itertools
import json
from dataclasses import replace

import msgspec
import nats.aio.client
import pytest

import nats
from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.venue import open_venue
from arb.adapters.shards import link
from arb.adapters.shards.link import linked
from arb.adapters.shards.messages import BadMessage, Names, dump_part, load_answer, load_part
from arb.adapters.shards.scouts import NatsScouts
from arb.adapters.shards.worker import NatsWorker
from arb.domain.errors import Unavailable
from arb.domain.market import Implies, Universe
from arb.domain.sweep import Glimpse, outcomes_of, part_of, parts
from tests.conftest import exchange_at

NAMES = Names(prefix="arb")
PATIENCE = 0.6
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def listing():
    async def read():
        async with exchange_at("demo", 4) as (_, address):
            options = PolymarketOptions(gamma_url=address, quarantine_folder="")
            venue = open_venue(options, SystemClock())
            universe = await venue.catalog.universe()
            await venue.close()
            return universe

    return asyncio.run(read())


def _everything(part):
    return Glimpse(nominated=frozenset(part.events), fresh=0, received=0)


def _nothing(part):
    return Glimpse(nominated=frozenset(), fresh=0, received=len(outcomes_of(part)))


async def test_a_link_ends_although_the_library_takes_a_cancellation_for_its_own(monkeypatch):
    """As it does while it closes: without another one the link would be kept up for ever."""
    closing, closed = asyncio.Event(), []

    class Client(nats.aio.client.Client):
        async def close(self):
            closing.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(600)
            closed.append(self)

    monkeypatch.setattr(link, "Client", Client)
    async with asyncio.timeout(60):
        async with linked("nats://127.0.0.1:9", "leader"):
            await closing.wait()
    assert closed


@contextlib.asynccontextmanager
async def _scouts(server, **more):
    async with linked(server.url, "leader") as made:
        options = {
            "identity": f"leader-{next(NUMBERS)}",
            "markets_per_part": 30,
            "patience_seconds": PATIENCE,
        }
        yield NatsScouts(made, NAMES, SystemClock(), **options | more)


@contextlib.asynccontextmanager
async def _worker(server, look, name="worker-1"):
    told, ready = [], asyncio.Event()
    async with linked(server.url, name) as made:
        worker = NatsWorker(
            made, NAMES, identity=name, patience_seconds=PATIENCE, look=look, tell=told.append
        )
        working = asyncio.create_task(worker.run(ready.set))
        try:
            await asyncio.wait_for(ready.wait(), 120)
            yield worker, told
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def _looking(answer):
    async def look(part):
        return answer(part)

    return look


def test_a_listing_in_parts_is_whole_and_survives_the_journey(listing):
    linked_too = Universe(
        listing.markets, listing.events, (*listing.relations, Implies(*list(listing.markets)[:2]))
    )
    for universe, size in ((listing, 1), (listing, 30), (listing, 10**6), (linked_too, 30)):
        divided = list(parts(universe, size))
        assert [e for part in divided for e in part.events] == list(universe.events)
        assert {m for part in divided for m in part.markets} == set(universe.markets)
        assert all(len(p.markets) <= max(size, 30) for p in divided)
        for number, part in enumerate(divided):
            message = dump_part("s", number, part)
            again = load_part(message, NAMES.parts("s"), NAMES).universe()
            assert (again.markets, again.events) == (part.markets, part.events)
            assert set(again.relations) == set(part.relations)
    exclusive = {r for part in parts(listing, 1) for r in part.relations}
    assert exclusive == set(listing.relations) != set()
    assert not part_of(listing, []).markets


async def test_every_part_is_read_once_by_whoever_is_there(listing, nats_server):
    read = []

    async def look(part):
        read.append(frozenset(part.events))
        await asyncio.sleep(0.01)
        return _nothing(part)

    async with (
        _worker(nats_server, look, "a"),
        _worker(nats_server, look, "b"),
        _scouts(nats_server) as scouts,
    ):
        for _ in range(3):
            sweep = await scouts.sweep(listing)
            assert sweep.coverage.answered == sweep.coverage.parts > 3
            assert sweep.coverage.workers == 2
            assert sweep.wanted == frozenset()
            assert sweep.received == len(outcomes_of(listing))
        assert not scouts.problems()
    assert len(read) == 3 * sweep.coverage.parts
    assert frozenset().union(*read) == frozenset(listing.events)


async def test_a_part_that_a_worker_cannot_read_is_read_by_another(listing, nats_server):
    async def cannot(_):
        raise Unavailable("the venue is away")

    async with _worker(nats_server, cannot, "a") as (bad, told), _scouts(nats_server) as scouts:

        async def can(part):
            while not bad.done.failed:  # it cannot take all: it takes two at once
                await asyncio.sleep(0.01)
            return _nothing(part)

        async with _worker(nats_server, can, "b"):
            sweep = await scouts.sweep(listing)
            assert not sweep.unseen
            assert bad.done.failed
            assert "the venue is away" in told[0].what
        # Alone it can answer for nothing: all of it is taken over, and that is said.
        sweep = await scouts.sweep(listing)
        assert sweep.wanted == sweep.unseen == frozenset(listing.events)
        assert (sweep.coverage.answered, sweep.coverage.taken_over) == (0, len(listing.events))
        (problem,) = scouts.problems()
        assert "had no answer" in problem.what


async def test_a_worker_at_work_for_long_keeps_its_part_and_one_with_a_bug_goes_on(
    listing, nats_server
):
    small = part_of(listing, list(listing.events.values())[:2])
    looks = 0

    async def slow(part):
        nonlocal looks
        looks += 1
        await asyncio.sleep(PATIENCE * 0.8)
        return _nothing(part)

    async with (
        _worker(nats_server, slow),
        _worker(nats_server, slow, "b"),
        _scouts(nats_server) as scouts,
    ):
        assert not (await scouts.sweep(small)).unseen
    assert looks == 1

    async def bug(_):
        raise ZeroDivisionError

    async with _worker(nats_server, bug) as (worker, told), _scouts(nats_server) as scouts:
        assert (await scouts.sweep(small)).unseen
        assert (await scouts.sweep(small)).unseen
        assert worker.done.failed >= 2
        assert "ZeroDivisionError" in told[0].what


LIES = {
    "bytes": lambda _: b"\xff\x00garbage",
    "nothing": lambda _: b"",
    "deep": lambda _: b"[" * 100_000,
    "a list": lambda _: b"[]",
    "another schema": lambda a: json.dumps(a | {"schema": 2}).encode(),
    "more fields": lambda a: json.dumps(a | {"profit": "9"}).encode(),
    "a number as text": lambda a: json.dumps(a | {"received": "1"}).encode(),
    "another sweep": lambda a: json.dumps(a | {"sweep": "x"}).encode(),
    "a part that is none": lambda a: json.dumps(a | {"part": 10**30}).encode(),
    "a part not given": lambda a: json.dumps(a | {"part": 999}).encode(),
    "a strange event": lambda a: json.dumps(a | {"nominated": ["stranger"]}).encode(),
    "too many books": lambda a: json.dumps(a | {"received": 10**6}).encode(),
    "fewer than none": lambda a: json.dumps(a | {"fresh": -1}).encode(),
    "too many events": lambda a: json.dumps(a | {"fresh": 10**6}).encode(),
}


async def test_an_answer_that_cannot_be_is_counted_and_its_part_taken_over(listing, nats_server):
    client = await nats.connect(nats_server.url)
    small = part_of(listing, list(listing.events.values())[:2])

    async def here(message):
        await message.respond(b"liar")

    await client.subscribe(NAMES.roll, cb=here)

    async def lie(message):
        part = msgspec.json.decode(message.data)
        truth = {"schema": 2, "sweep": part["sweep"], "part": part["part"], "worker": "liar"}
        truth |= {"nominated": [], "fresh": 0, "received": 0}
        for make in LIES.values():
            await client.publish(NAMES.answers(part["sweep"]), make(truth))

    await client.subscribe(NAMES.parts(), cb=lie)
    async with _scouts(nats_server) as scouts:
        sweep = await scouts.sweep(small)
        assert sweep.coverage.unreadable == len(LIES)
        assert sweep.unseen == frozenset(small.events)
        assert any(f"{len(LIES)} messages" in p.what for p in scouts.problems())
        # Beside them an honest worker is heard.
        async with _worker(nats_server, _looking(_everything)):
            sweep = await scouts.sweep(small)
            assert not sweep.unseen
            assert sweep.wanted == frozenset(small.events)
    await client.close()


async def test_a_worker_leaves_out_what_is_no_part(listing, nats_server):
    client = await nats.connect(nats_server.url)
    part = json.loads(dump_part("s", 0, part_of(listing, list(listing.events.values())[:1])))
    market = part["markets"][0]
    bad = [
        b"",
        b"\xff",
        b"[" * 100_000,
        json.dumps(part | {"schema": 2}).encode(),
        json.dumps(part | {"sweep": "another"}).encode(),
        json.dumps(part | {"markets": [market | {"fees": {"rate": "7"}}]}).encode(),
        json.dumps(part | {"exclusive": [{"markets": ["0x1"], "complete": True}]}).encode(),
    ]
    async with _worker(nats_server, _looking(_nothing)) as (worker, told):
        js = client.jetstream()
        for message in bad:
            await js.publish(NAMES.parts("s"), message)
        async with _scouts(nats_server) as scouts:
            assert not (await scouts.sweep(listing)).unseen
        await asyncio.sleep(PATIENCE)  # none of them is given out again
        assert worker.done.unreadable == len(bad)
        assert len(told) == 1
    await client.close()


async def test_an_event_too_large_for_a_message_is_read_by_the_leader(listing, nats_server):
    first = next(iter(listing.events.values()))
    huge = replace(first, title="x" * 2_000_000)
    universe = Universe(listing.markets, {**listing.events, first.id: huge}, listing.relations)
    async with _worker(nats_server, _looking(_nothing)), _scouts(nats_server) as scouts:
        sweep = await scouts.sweep(universe)
        assert first.id in sweep.unseen
        assert sweep.coverage.answered == sweep.coverage.parts - 1
        assert sweep.coverage.oldest_ms < PATIENCE * 1000  # nobody waits for what was not given out


async def test_an_empty_listing_asks_nobody(nats_server):
    async with _worker(nats_server, _looking(_nothing)), _scouts(nats_server) as scouts:
        sweep = await scouts.sweep(Universe({}, {}))
        assert (sweep.coverage.parts, sweep.wanted) == (0, frozenset())


async def test_two_leaders_share_the_workers(listing, nats_server):
    async with (
        _worker(nats_server, _looking(_everything)),
        _scouts(nats_server) as one,
        _scouts(nats_server) as two,
    ):
        for sweep in await asyncio.gather(one.sweep(listing), two.sweep(listing)):
            assert not sweep.unseen
            assert not sweep.coverage.unreadable


def test_what_is_no_answer_is_no_answer():
    with pytest.raises(BadMessage):
        load_answer(b"{}", "s")
