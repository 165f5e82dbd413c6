"""The lead of an account: one session has it, a pause ends it, a token tells leaders apart."""

import asyncio
import time

import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, upgrade
from arb.adapters.storage import lead as module
from arb.adapters.storage.lead import Lead

END_SESSION = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where application_name = 'arb lead' and datname = current_database()"
)


class Skipping(SystemClock):
    """A clock that can jump, as it does for a process that was stopped."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture
async def run(postgres):
    url, started = postgres.database(), []
    database = Database(url)
    await upgrade(database)
    await database.close()

    def one(holder: str, account: str = "paper:test") -> Lead:
        lead = Lead(url=url, account=account, holder=holder, clock=Skipping())
        started.append(lead)
        lead.start()
        return lead

    one.url = url
    yield one
    for lead in started:
        await asyncio.to_thread(lead.stop)


async def _until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_one_leads_and_the_next_follows_with_a_higher_token(run, postgres):
    first = run("first")
    await _until(lambda: first.leading)
    second, elsewhere = run("second"), run("third", "paper:other")
    await _until(lambda: second.tried.is_set() and elsewhere.leading)
    assert not second.leading
    assert "not sure to lead" in second.doubt()
    await asyncio.to_thread(first.stop)
    assert first.doubt()
    await _until(lambda: second.leading)
    assert (first.token, second.token, second.doubt()) == (1, 2, None)
    found = postgres.sql(run.url, "select account, token, holder from leaders order by 1, 2")
    assert found == ["paper:other|1|third", "paper:test|1|first", "paper:test|2|second"]


async def test_a_session_that_ends_is_made_again_with_the_same_token(run, postgres):
    only = run("only")
    await _until(lambda: only.leading)
    await asyncio.to_thread(postgres.sql, run.url, END_SESSION)
    await _until(lambda: only.trouble)
    await _until(lambda: not only.trouble and only.leading)
    assert (only.token, only.lost) == (1, "")
    assert postgres.sql(run.url, "select count(*) from leaders") == ["1"]


async def test_whoever_was_followed_never_leads_again(run, postgres):
    first = run("first")
    await _until(lambda: first.leading)
    await asyncio.to_thread(
        postgres.sql, run.url, "insert into leaders values ('paper:test', 2, 'second', 0)"
    )
    await asyncio.to_thread(postgres.sql, run.url, END_SESSION)
    await _until(lambda: first.lost)
    assert not first.leading
    assert "another orchestrator led" in first.doubt()


async def test_who_wakes_after_the_lease_sends_nothing(run, monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 3600)
    only = run("only")
    await _until(lambda: only.leading)
    only.clock.ahead = module.LEASE_SECONDS
    assert not only.leading
    assert "took too long" in only.doubt()
