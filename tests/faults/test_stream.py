"""docs/fault-catalogue.md §D: the user stream and the session. Nothing of ours depends on the stream."""

import asyncio

import pytest

from arb.exchange.api.user_channel import UserChannel
from arb.interlocks import no_opening
from tests.faults.world import DONE, OPEN, SOON, UNWOUND


@pytest.fixture
def listened(monkeypatch):
    """Who has listened to the user channel."""
    seen = []
    serve = UserChannel.serve

    async def noted(self, socket):
        seen.append(socket)
        await serve(self, socket)

    monkeypatch.setattr(UserChannel, "serve", noted)
    return seen


async def all_the_same(at, listened, **knobs):
    """The knobs of the stream change nothing for us: we ask, and do not listen."""
    await at.conduct(**knobs)
    await at.fault("/orders", "accept_then_drop")
    report, _ = await at.trade()
    assert report.state is DONE
    assert listened == []
    await at.check()


async def test_d01_what_a_reconnect_does_not_replay_is_asked_for(at, listened):
    await at.control(disconnect=True)
    await all_the_same(at, listened, lose=1)


async def test_d01_a_new_life_asks_for_what_it_has_missed(at):
    """The ledger's word before, the venue's trades and orders since: then trading begins."""
    report, _ = await at.trade()
    assert report.state is DONE
    at.asked.clear()
    await at.restart()
    assert at.asked["GET /data/trades"] >= 1
    assert at.asked["GET /data/orders"] >= 1
    assert no_opening(at.orchestrator.reconciler.interlocks) is None
    await at.check()


async def test_d02_trades_that_the_stream_does_not_tell_are_polled(at, listened):
    await all_the_same(at, listened, suppress="trade")


async def test_d03_the_order_of_events_is_of_no_account(at, listened):
    await all_the_same(at, listened, reorder=1)


async def test_d04_events_that_come_twice_are_of_no_account(at, listened):
    await all_the_same(at, listened, duplicate=1)


async def test_d05_an_end_that_is_never_told_is_asked_for(at, listened):
    await all_the_same(at, listened, suppress="terminal")


@pytest.mark.parametrize(
    "reason", ["CANCELED_MARKET_RESOLVED", "CANCELED_NOT_ENOUGH_BALANCE", "INVALID", "SOMETHING"]
)
@pytest.mark.parametrize("shows", [True, False])
async def test_d06_a_cancelled_order_is_over_whatever_the_reason_is_called(at, reason, shows):
    await at.conduct(
        matching_delay=0.1, delayed_end="cancel", cancel_reason=reason, hides_terminal=not shows
    )
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert len(at.sent) == 3
    await at.check()


async def test_d07_a_key_that_has_expired_is_derived_again_and_loses_no_order(at):
    at.orchestrator.executor.options = _short(at.options)
    await at.fault("/orders", "accept_then_drop")
    await at.fault("/data/trades", status=500, times=-1)
    report, _ = await at.trade()
    assert report.state is OPEN
    await at.control(clear=True)
    await at.expire()
    await at.ended()
    assert len(at.sent) == 3
    await at.check()


async def test_d07_a_post_with_an_expired_key_is_a_refusal_and_the_next_one_is_taken(at):
    at.before_post = lambda _: at.expire()  # a coroutine, which is waited for
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert (await at.truth())["orders"] == []
    await asyncio.sleep(SOON.total_seconds())
    (report,) = (await at.cycle()).plans
    assert report.state is DONE
    await at.check()


async def test_d07_a_key_that_is_refused_for_good_is_derived_once_and_trading_stands_still(at):
    before = at.live.client
    at.orchestrator.reconciler.done_at = None  # as after a start
    await at.fault("/data/orders", status=401, times=-1)
    await at.fault("/data/trades", status=401, times=-1)
    for _ in range(3):
        assert not (await at.cycle()).plans
    renewed = at.live.client
    assert renewed is not before
    assert not (await at.cycle()).plans
    assert at.live.client is renewed
    await at.control(clear=True)
    await at.check()


@pytest.mark.parametrize("offset", [-30, 30])
async def test_d08_a_clock_that_is_wrong_is_refused_before_and_loses_nothing_after(at, offset):
    await at.conduct(clock_offset=offset)
    failed = {c.name for c in await at.venue.health.checks() if not c.passed}
    assert failed == {"clock"}
    at.before_post = lambda _: at.calm_down()
    await at.cycle()
    assert (await at.truth())["orders"] == []
    await at.conduct(clock_offset=0)
    await at.check()


async def test_d09_news_of_before_a_reconnect_is_of_no_account(at, listened):
    await all_the_same(at, listened, stale_replay=50)


async def test_d10_a_connection_that_dies_of_silence_is_none_of_ours(at, listened):
    await all_the_same(at, listened, idle_kill=0.05)


async def test_d10_a_connection_that_was_cut_while_idle_is_made_anew(at):
    report, _ = await at.trade()
    assert report.state is DONE
    for transport in ("secure_clob", "clob"):
        pool = getattr(at.live.client._ctx, transport)._client._transport._pool
        for connection in pool.connections:
            await connection.aclose()
    await at.check()


def _short(options):
    import dataclasses
    from datetime import timedelta

    return dataclasses.replace(options, answer_wait=timedelta(seconds=0.2))
