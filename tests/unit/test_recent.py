"""Reads of the ledger that are shared by all who ask within a moment."""

import asyncio
from types import SimpleNamespace

import pytest

from arb.domain.errors import LedgerError
from arb.domain.halt import TradingState
from arb.domain.news import PlanStarted, StateChanged
from arb.operations.shared_reads import FRESH_SECONDS, OLD_SECONDS, Recent


class Books:
    """A ledger whose answers are numbered."""

    def __init__(self):
        self.read, self.now, self.gate = 0, 100.0, asyncio.Event()
        self.gate.set()
        self.fails = False

    async def statistics(self):
        self.read += 1
        number = self.read
        await self.gate.wait()
        if self.fails:
            raise LedgerError("away")
        return {"number": number}


@pytest.fixture
async def shared():
    books = Books()
    recent = Recent(books, lambda: books.now)
    yield books, recent
    await recent.close()


async def test_fifty_who_ask_at_once_cost_one_read(shared):
    _, recent = shared
    answers = await asyncio.gather(*(recent.statistics() for _ in range(50)))
    assert answers == [{"number": 1}] * 50


async def test_what_is_a_little_old_is_given_out_and_read_anew_beside_that(shared):
    books, recent = shared
    await recent.statistics()
    books.now += FRESH_SECONDS
    assert await recent.statistics() == {"number": 1}
    await asyncio.sleep(0.01)
    assert await recent.statistics() == {"number": 2}


async def test_what_is_too_old_is_never_given_out(shared):
    books, recent = shared
    await recent.statistics()
    books.now += OLD_SECONDS
    assert await recent.statistics() == {"number": 2}


@pytest.mark.parametrize(
    "news",
    [StateChanged(TradingState.HALTED, "by the operator"), PlanStarted(SimpleNamespace(id="p"))],
    ids=["state", "plan"],
)
async def test_news_of_a_change_ends_what_was_read_before_it_even_while_it_is_read(shared, news):
    books, recent = shared
    await recent.statistics()
    books.now += FRESH_SECONDS
    books.gate.clear()
    await recent.statistics()  # a second read is under way, from before the news
    await asyncio.sleep(0)
    recent(news)
    books.gate.set()
    await asyncio.sleep(0.01)
    assert await recent.statistics() == {"number": 3}


async def test_a_failure_is_told_and_not_kept(shared):
    books, recent = shared
    books.fails = True
    with pytest.raises(LedgerError):
        await recent.statistics()
    books.fails = False
    assert await recent.statistics() == {"number": 2}


async def test_who_goes_away_does_not_take_the_others_answer_with_him(shared):
    books, recent = shared
    books.gate.clear()
    first, second = (asyncio.create_task(recent.statistics()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    books.gate.set()
    assert await second == {"number": 1}
