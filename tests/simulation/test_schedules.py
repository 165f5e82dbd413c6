"""Random schedules of faults, competitors, crashes and restarts: the invariants hold in all of them.

A failure prints its seed: `python -m tests.simulation SEED` tells its story step by step.
"""

import pytest

from arb.adapters.storage import open_ledger
from arb.domain.errors import ArbError
from arb.domain.order import Final, NotFound, Unknown
from arb.engine import execute, saga
from tests.naive import send_then_write
from tests.simulation import world as world_of_tests
from tests.simulation.world import Crash, build_world, run

SCHEDULES, CHUNK = 250, 125
REGRESSIONS = (14, 105, 281, 376, 771, 852, 1607, 2031, 2370)


@pytest.mark.parametrize("first", range(0, SCHEDULES, CHUNK))
async def test_no_schedule_breaks_an_invariant(first):
    for seed in range(first, first + CHUNK):
        world = await run(build_world(seed))
        assert not world.problems, f"seed {seed}: {world.problems} {world.outcomes}"


@pytest.mark.full
@pytest.mark.parametrize("first", range(SCHEDULES, 20_000, 500))
async def test_no_schedule_of_many_more_breaks_an_invariant(first):
    for seed in range(first, first + 500):
        world = await run(build_world(seed))
        assert not world.problems, f"seed {seed}: {world.problems} {world.outcomes}"


@pytest.mark.parametrize("seed", REGRESSIONS)
async def test_what_once_broke_stays_fixed(seed):
    assert not (await run(build_world(seed))).problems


async def test_the_schedules_reach_every_end():
    ends = [tuple((await run(build_world(seed))).outcomes[-1:]) for seed in range(50)]
    assert {("done",), ("unwound",)} <= set(ends)


async def test_the_same_seed_is_the_same_schedule():
    for seed in range(20):
        one, two = await run(build_world(seed)), await run(build_world(seed))
        assert one.venue.posted == two.venue.posted
        assert one.clock.seconds == two.clock.seconds
        assert [str(t.status) for t in one.floor.trades.values()] == [
            str(t.status) for t in two.floor.trades.values()
        ]


@pytest.mark.parametrize(
    "first", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(10, 500, 10))]
)
async def test_the_real_ledger_keeps_the_same_invariants(first, tmp_path):
    for seed in range(first, first + 10):
        ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path}/{seed}.db", "paper:sim")
        try:
            world = await run(build_world(seed, ledger=ledger))
        finally:
            await ledger.close()
        assert not world.problems, f"seed {seed}: {world.problems} {world.outcomes}"


async def test_without_faults_the_profit_is_the_proven_one():
    done = 0
    for seed in range(60):
        world = build_world(seed, calm=True)
        world.chance.random = lambda: 1.0  # no competitors
        await run(world)
        assert not world.problems
        for plan, _ in await world.ledger.recent(None):
            report = world.ledger.report(plan.id)
            done += 1
            assert report.state == "done"
            assert report.alarm == ""
            if report.locked == 0:
                assert report.realised == plan.profit
    assert done > 10


@pytest.fixture
def impatient(monkeypatch):
    """A mistake can make a schedule go on and on: half an hour of it is enough."""
    monkeypatch.setattr(world_of_tests, "HOURS_MAX", 0.5)


async def _broken(seeds):
    """Whether one of these schedules, tried in turn, shows that something is wrong."""
    for seed in seeds:
        try:
            if (await run(build_world(seed))).problems:
                return True
        except Crash:
            raise
        except (AssertionError, ArbError):  # an assertion inside counts as caught too
            return True
    return False


async def test_taking_not_found_for_an_answer_at_once_is_caught(monkeypatch, impatient):
    monkeypatch.setattr(execute.Executor, "_is_over", lambda *_: True)
    assert await _broken(range(300))


async def test_sending_again_what_has_no_answer_is_caught(monkeypatch, impatient):
    ask = execute.Executor._take

    async def resend(self, plan, step, books):
        if isinstance(step, saga.QueryOrder):
            venue = self.venues.trading(step.order.outcome.venue)
            answers = await venue.submit([step.order])
            return await self._write_answers(plan, (step.order,), answers)
        return await ask(self, plan, step, books)

    monkeypatch.setattr(execute.Executor, "_take", resend)
    assert await _broken(range(150))


async def test_taking_an_unclear_answer_for_a_refusal_is_caught(monkeypatch, impatient):
    write = execute.Executor._write_answers

    async def naive(self, plan, orders, answers):
        sure = [Final((), "no answer") if isinstance(a, Unknown | NotFound) else a for a in answers]
        return await write(self, plan, orders, sure)

    monkeypatch.setattr(execute.Executor, "_write_answers", naive)
    monkeypatch.setattr("arb.engine.recover.Reconciler.try_run", _nothing)
    assert await _broken(range(150))


async def test_counting_what_has_not_settled_is_caught(monkeypatch, impatient):
    monkeypatch.setattr(saga, "_waiting", lambda _account: None)
    monkeypatch.setattr("arb.engine.recover.Reconciler.try_run", _nothing)
    assert await _broken(range(60))


async def test_sending_before_writing_is_caught(monkeypatch):
    monkeypatch.setattr(execute.Executor, "_send", send_then_write)
    assert await _breaks("I4", range(20))


async def test_sending_before_the_venue_was_heard_out_is_caught(monkeypatch):
    monkeypatch.setattr("arb.engine.recover.Reconciler.not_reconciled", lambda _self: None)
    assert await _breaks("I6", [376])


async def test_an_end_that_nobody_is_told_of_is_caught(monkeypatch):
    monkeypatch.setattr("tests.simulation.world.tell_ends", _tell_nobody)
    assert await _breaks("I7", range(20))


async def _breaks(invariant, seeds):
    """Whether one of these schedules shows that this very invariant is broken."""
    for seed in seeds:
        if any(p.startswith(invariant) for p in (await run(build_world(seed))).problems):
            return True
    return False


async def _tell_nobody(_ledger, _publisher):
    pass


async def _nothing(_self):
    return ""
