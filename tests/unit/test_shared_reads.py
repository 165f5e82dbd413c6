"""Reads of the ledger that are shared by all who ask within a moment."""

import asyncio
from types import SimpleNamespace

import pytest

from arb.api.shared import FRESH_SECONDS, KEPT_MAX, OLD_SECONDS, SharedReads
from arb.domain.errors import LedgerError
from arb.domain.halt import TradingState
from arb.domain.news import PlanStarted, StateChanged


class Books:
    """A ledger whose answers are numbered."""

    def __init__(self):
        self.read, self.now, self.gate = 0, 100.0, asyncio.Event()
        self.gate.set()
        self.fails = False

    async def numbered(self, *asked, **more):
        return (await self.statistics())["number"], asked, more

    async def statistics(self):
        self.read += 1
        number = self.read
        await self.gate.wait()
        if self.fails:
            raise LedgerError("away")
        return {"number": number}


@pytest.fixture
async def world():
    books = Books()
    shared = SharedReads(lambda: books.now)
    yield books, shared
    await shared.close()


async def test_fifty_who_ask_at_once_cost_one_read(world):
    books, shared = world
    answers = await asyncio.gather(*(shared(books.statistics) for _ in range(50)))
    assert answers == [{"number": 1}] * 50


async def test_a_read_is_known_by_whose_it_is_and_by_what_is_asked(world):
    books, shared = world
    other = Books()
    asked = [((50,), {}), ((20,), {}), ((), {"limit": 20}), ((), {"limit": 20, "only_open": True})]
    answers = [await shared(books.numbered, *args, **more) for args, more in asked]
    assert answers == [(n, *both) for n, both in enumerate(asked, 1)]
    assert await shared(books.numbered, only_open=True, limit=20) == answers[-1]
    assert await shared(other.numbered, 50) == (1, (50,), {})
    assert (books.read, other.read) == (4, 1)


async def test_no_more_is_kept_than_so_many_answers(world):
    books, shared = world
    for limit in range(KEPT_MAX + 1):
        await shared(books.numbered, limit)
    assert (await shared(books.numbered, 1))[0] == 2
    assert (await shared(books.numbered, 0))[0] == KEPT_MAX + 2


async def test_what_is_a_little_old_is_given_out_and_read_anew_beside_that(world):
    books, shared = world
    await shared(books.statistics)
    books.now += FRESH_SECONDS
    assert await shared(books.statistics) == {"number": 1}
    await asyncio.sleep(0.01)
    assert await shared(books.statistics) == {"number": 2}


async def test_what_is_too_old_is_never_given_out(world):
    books, shared = world
    await shared(books.statistics)
    books.now += OLD_SECONDS
    assert await shared(books.statistics) == {"number": 2}


@pytest.mark.parametrize(
    "news",
    [StateChanged(TradingState.HALTED, "by the operator"), PlanStarted(SimpleNamespace(id="p"))],
    ids=["state", "plan"],
)
async def test_news_of_a_change_ends_what_was_read_before_it_even_while_it_is_read(world, news):
    books, shared = world
    await shared(books.statistics)
    books.now += FRESH_SECONDS
    books.gate.clear()
    await shared(books.statistics)  # a second read is under way, from before the news
    await asyncio.sleep(0)
    shared.observe(news)
    books.gate.set()
    await asyncio.sleep(0.01)
    assert await shared(books.statistics) == {"number": 3}


async def test_a_failure_is_told_and_not_kept(world):
    books, shared = world
    books.fails = True
    with pytest.raises(LedgerError):
        await shared(books.statistics)
    books.fails = False
    assert await shared(books.statistics) == {"number": 2}


async def test_who_goes_away_does_not_take_the_others_answer_with_him(world):
    books, shared = world
    books.gate.clear()
    first, second = (asyncio.create_task(shared(books.statistics)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    books.gate.set()
    assert await second == {"number": 1}
