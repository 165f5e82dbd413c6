"""docs/fault-catalogue.md §F: orders that a venue refuses for their form, and what that costs."""

from decimal import Decimal

import pytest

from arb.adapters.polymarket.client import wallet_facts
from arb.domain.market import Side
from arb.domain.money import to_micro
from tests.faults.world import DONE, UNWOUND

TICKS = ["0.01", "0.005", "0.0025", "0.001"]


async def test_f01_no_order_of_ours_is_worse_than_meant_or_killed_by_rounding(at):
    report, plan = await at.trade()
    assert report.state is DONE
    for order in await at.orders(plan):
        posted = next(b["order"] for b in at.bodies if b["order"]["tokenId"] == order.outcome.token)
        leg = next(leg for leg in plan.legs if leg.outcome == order.outcome)
        assert int(posted["makerAmount"]) == to_micro(leg.spend)
        assert int(posted["takerAmount"]) == to_micro(order.amounts[1])
    assert {o["status"] for o in (await at.truth())["orders"]} == {"MATCHED"}
    await at.check()


@pytest.mark.parametrize("tick", TICKS)
async def test_f02_amounts_fit_every_tick(at, tick):
    for slug, bid in (("race-1", "0.4500"), ("race-2", "0.4000"), ("race-3", "0.3500")):
        price = Decimal(bid) + Decimal(tick)
        at.book(slug, [(price, 40)], [(price + 4 * Decimal(tick), 300)])
        at.market(slug).tick = Decimal(tick)
        at.exchange.touch([at.market(slug)])
    report = (await at.cycle()).plans[0]
    assert report.state is DONE, report.reason
    assert all(b["order"]["side"] == "BUY" for b in at.bodies)
    await at.check()


async def test_f03_nothing_below_the_least_size_is_sent(at):
    """A leg that can only be had in less is not sent at all."""
    at.book("race-1", [("0.45", 3), ("0.05", 500)], [("0.47", 300)])
    await at.cycle()
    sizes = {Decimal(b["order"]["takerAmount"]) / 10**6 for b in at.bodies}
    assert all(size >= 5 for size in sizes)
    await at.check()


@pytest.mark.parametrize("least", ["5", "20", "100"])
async def test_f03_the_markets_own_least_size_is_kept(at, least):
    for slug in ("race-1", "race-2", "race-3"):
        at.market(slug).min_size = Decimal(least)
    await at.cycle()
    orders = [order for plan in await at.plans() for order in await at.orders(plan)]
    assert all(order.size >= Decimal(least) for order in orders if order.side is Side.BUY)
    await at.ended()
    await at.check()


async def test_f04_no_order_of_ours_has_an_end_of_its_own(at):
    at.lose_a_leg()
    await at.conduct(expire_early=10**6)
    report, _ = await at.trade()
    assert report.state is DONE
    assert {b["orderType"] for b in at.bodies} == {"FOK", "FAK"}
    assert {b["order"]["expiration"] for b in at.bodies} == {"0"}
    await at.check()


async def test_f05_orders_are_signed_for_the_exchange_of_their_market(at):
    """The exchange takes a signature of the right contract only; both kinds of market trade."""
    at.lose_a_leg()
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


async def test_f05_a_listing_that_is_wrong_about_exclusivity_is_not_traded(at):
    at.before_post = None
    at.market("race-1").neg_risk = False
    report = await at.cycle()
    assert not [plan for plan in report.plans if plan.state is DONE]
    await at.check()


@pytest.mark.parametrize("wallet", ["eoa", "proxy", "safe", "deposit"])
async def test_f06_every_kind_of_wallet_trades_and_cashes(make, wallet):
    at = await make(wallet=wallet)
    report, _ = await at.trade()
    assert report.state is DONE
    kinds = {"eoa": 0, "proxy": 1, "safe": 2, "deposit": 3}
    assert {b["order"]["signatureType"] for b in at.bodies} == {kinds[wallet]}
    assert wallet_facts(at.live.client).by_session_key is False
    await at.check()


async def test_f06_a_kind_of_wallet_that_may_not_trade_loses_nothing(at):
    await at.conduct(signature_types=(3,))
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert (await at.truth())["orders"] == []
    await at.check()


async def test_f07_no_order_of_ours_is_post_only(at):
    await at.conduct(post_only_invalid=True)
    report, _ = await at.trade()
    assert report.state is DONE
    assert not any(b.get("postOnly") for b in at.bodies)
    await at.check()


async def test_f08_every_order_says_how_long_it_lives(at):
    at.lose_a_leg()
    _, plan = await at.trade()
    meant = [order.time_in_force.value for order in await at.orders(plan)]
    assert sorted(b["orderType"] for b in at.bodies) == sorted(meant)
    await at.check()


async def test_f09_salts_are_the_official_clients_and_never_the_same(at):
    at.lose_a_leg()
    await at.trade()
    salts = [b["order"]["salt"] for b in at.bodies]
    assert len(set(salts)) == len(salts) == 4
    assert max(salts) > 2**41
    await at.check()
