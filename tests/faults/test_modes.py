"""docs/fault-catalogue.md §E: what the venue takes, and when; limits; places."""

import asyncio

import pytest

from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.errors import VenueError
from arb.engine.options import GuardOptions
from arb.operations.live import money_checks
from tests.faults.world import DONE, UNWOUND, eventually


async def refused(at, *, reason=""):
    """The first orders are turned away, nothing is sent again, and the account is as it was."""
    at_first = await at.held()
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert reason in report.reason
    assert at.asked["POST /orders"] == 1
    assert (await at.truth())["orders"] == []
    assert await at.held() == at_first
    await at.check()


async def test_e01_a_restarting_engine_takes_nothing_and_later_it_does(at):
    await at.control(restart={"seconds": 60, "post_only": 0})
    await refused(at, reason="restarting")
    await at.control(advance=61)
    await asyncio.sleep(1.1)  # so long the venue has asked us to keep away
    report = await at.cycle()
    assert [plan.state for plan in report.plans] == [DONE]
    await at.check()


@pytest.mark.parametrize(
    "restart", [{"seconds": 1.2, "post_only": 0}, {"seconds": 0.3, "post_only": 0.9}]
)
async def test_e01_a_restart_while_part_is_held_is_waited_out(at, restart):
    """What is missing is bought once orders are taken again, however often that was refused."""
    at.lose_a_leg()
    lose = at.before_post

    async def restarts(_request):
        await at.control(restart=restart)

    def first(request):
        lose(request)
        at.before_post = restarts

    at.before_post = first
    await at.cycle()
    await at.ended(8)
    (plan,) = await at.plans()
    assert {r.operation for r in (await at.account(plan)).requests.values()} == {
        plan.exit_operation
    }
    await at.check()


async def test_e02_post_only_mode_takes_no_taker(at):
    await at.conduct(mode="post_only")
    await refused(at)


async def test_e03_cancel_only_mode_takes_no_order(at):
    await at.conduct(mode="cancel_only")
    await refused(at)


async def test_e04_disabled_trading_takes_no_order_and_what_is_held_is_shown(at):
    await at.conduct(mode="disabled")
    await at.trade()
    assert (await at.truth())["orders"] == []
    await at.control(clear=True)
    await at.check()


async def test_e05_an_order_version_that_is_no_more_ends_in_a_halt_not_in_a_loop(make):
    at = await make(**{"risk.max_consecutive_failures": 2})
    await at.conduct(version_mismatch=True)
    for _ in range(4):
        await at.cycle()
        await asyncio.sleep(0.1)
    report = await at.cycle()
    assert not report.risk.can_trade
    assert at.asked["POST /orders"] <= 2
    assert (await at.truth())["orders"] == []
    await at.check()


async def test_e06_answers_that_get_slower_are_waited_for_once(at):
    await at.fault("/orders", "throttle", delay=0.4, times=-1)
    await at.fault("/data/trades", "throttle", delay=0.01, times=-1)
    report, _ = await at.trade()
    assert report.state is DONE
    assert at.asked["POST /orders"] == 1
    await at.check()


@pytest.mark.parametrize("status", [403, 429])
async def test_e07_a_firewall_turns_orders_away_and_is_not_asked_again_at_once(at, status):
    await at.fault("/orders", status=status, body="html", retry_after=60)
    await refused(at)


@pytest.mark.parametrize("status", [403, 429])
async def test_e07_a_ban_of_all_reads_leaves_the_plan_open_and_begins_nothing(at, status):
    await at.fault("/orders", "accept_then_drop")
    for endpoint in ("/data/trades", "/data/orders"):
        await at.fault(endpoint, status=status, body="html", times=-1)
    trading = asyncio.create_task(at.trade())
    await eventually(lambda: at.asked["GET /data/trades"] + at.asked["GET /data/order"] > 4)
    await at.control(clear=True)
    report, _ = await trading
    assert report.state is DONE
    assert len(at.sent) == 3
    await at.check()


async def test_e08_our_own_limits_are_below_the_venues():
    options = GuardOptions(max_position_size=1, price_collar=1, max_book_age=1)
    assert options.max_orders_per_second < 40
    assert options.max_orders_per_minute <= 60 * 40


async def test_e08_a_limit_that_is_tighter_than_we_know_is_a_refusal(at):
    await at.conduct(order_rate=1, order_burst=2)
    await refused(at, reason="rate limited")


async def test_e08_orders_beyond_our_own_limit_never_leave(make):
    at = await make(**{"risk.max_orders_per_second": 2})
    report = await at.cycle()
    assert [plan.state for plan in report.plans] == [UNWOUND]
    assert at.asked["POST /orders"] == 0
    await at.check()


async def test_e09_a_blocked_place_is_found_before_anything_is_traded(at):
    await at.conduct(geo="blocked")
    failed = {c.name for c in await at.venue.health.checks() if not c.passed}
    assert failed == {"geoblock"}


async def test_e10_a_banned_account_loses_nothing(at):
    await at.conduct(banned=True)
    await refused(at)


async def test_e10_an_account_that_may_only_close_is_found_before_and_loses_nothing_after(at):
    await at.conduct(closed_only=True)
    failed = {c.name for c in await money_checks(at.live, at.settings) if not c.passed}
    assert failed == {"account"}
    await refused(at)


@pytest.mark.parametrize("endpoint", ["/data/trades", "/data/orders"])
async def test_e12_a_read_that_is_no_more_stops_trading(at, endpoint):
    await at.fault(endpoint, status=410, times=-1)
    at.orchestrator.reconciler.done_at = None  # as after a start
    report = await at.cycle()
    assert not report.plans
    assert not report.risk.can_trade
    assert at.asked["POST /orders"] == 0
    with pytest.raises(VenueError):
        await at.context.venues.statements[POLYMARKET].statement([], at.context.clock.now())
    await at.control(clear=True)
    await at.check()


async def test_e12_an_order_endpoint_that_is_no_more_loses_nothing(at):
    await at.fault("/orders", status=410)
    at.before_post = lambda _: at.calm_down()
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert len(at.sent) == 3
    await at.check()
