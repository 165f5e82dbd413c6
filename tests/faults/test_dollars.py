"""docs/venue-polymarket.md §3.1: a BUY that takes spends dollars. What plans over several levels come to."""

import random
from decimal import Decimal

import pytest

from arb.adapters.polymarket.trading import PolymarketTrading
from arb.cli.output import render_report
from arb.domain.money import CENT, notional, to_micro
from arb.domain.order import Order
from arb.domain.plan import PlannedLeg
from arb.runtime.running import run_once
from tests.conftest import settings_for
from tests.faults.world import DONE, OPEN, UNWOUND

WALLETS = ("eoa", "proxy", "safe", "deposit")
LEVELS = {
    2: [("0.45", Decimal("19.69")), ("0.43", Decimal("24.37"))],
    3: [("0.45", Decimal("19.69")), ("0.44", Decimal("14.37")), ("0.41", Decimal("9.5"))],
}
"""Bids of the leg that ends the plan, in sizes that come out even nowhere."""
FLOOR = ("0.05", 500)
"""Somebody always bids: a surplus finds a buyer."""


def deep(at, levels, up="0"):
    """A leg of so many levels; the whole book may stand higher by some cents."""
    rise = Decimal(up)
    bids = [(str(Decimal(price) + rise), size) for price, size in LEVELS[levels]]
    more = [(str(Decimal(LEVELS[levels][-1][0])), 300)] if rise else []
    at.book("race-1", [*bids, *more, FLOOR], [(str(Decimal("0.47") + rise), 300)])
    for slug, bid in (("race-2", "0.40"), ("race-3", "0.35")):
        at.book(slug, [(bid, 90), FLOOR], [(str(Decimal(bid) + Decimal("0.02")), 300)])


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("wallet", WALLETS)
async def test_standing_books_bring_exactly_what_was_proved(make, wallet, levels):
    at = await make(wallet=wallet)
    deep(at, levels)
    report, plan = await at.trade()
    walked = next(leg for leg in plan.legs if leg.market_slug == "race-1")
    assert len({fill.price for fill in await _fills(at, walked)}) == levels
    assert walked.spend < notional(walked.limit, walked.size)
    assert (report.state, report.alarm) == (DONE, "")
    assert report.realised == plan.profit
    await at.check()


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("wallet", WALLETS)
async def test_better_books_bring_more(make, wallet, levels):
    at = await make(wallet=wallet)
    deep(at, levels)
    at.before_post = lambda _request: deep(at, levels, up="0.02")
    report, plan = await at.trade()
    assert (report.state, report.alarm) == (DONE, "")
    assert report.realised > plan.profit
    await at.check()


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("wallet", WALLETS)
async def test_worse_books_bring_no_less_than_the_plans_bound(make, wallet, levels):
    at = await make(wallet=wallet)
    deep(at, levels)
    worst = LEVELS[levels][-1][0]

    def worse(_request):
        at.book("race-1", [(worst, 300), FLOOR], [("0.47", 300)])

    at.before_post = worse
    report, plan = await at.trade()
    assert report.state is not OPEN
    assert plan.profit_least <= report.realised - report.locked < plan.profit
    await at.check()


async def test_on_paper_the_same_books_bring_the_same(at, tmp_path):
    for levels in LEVELS:
        deep(at, levels)
        folder = tmp_path / f"paper-{levels}"
        folder.mkdir()
        flags = {"trading.max_position_size": 200, "arbitrage.plans_per_cycle": 1}
        report, _, _ = await run_once(settings_for(at.address, folder, **flags))
        (found,) = render_report(report)["opportunities"]
        (plan,) = report.plans
        assert (plan.state, plan.alarm) == (DONE, "")
        assert plan.realised == Decimal(found["profit"]) > 0


async def test_what_each_leg_spends_is_what_it_was_proved_with(at):
    deep(at, 3)
    _, plan = await at.trade()
    spent = {b["order"]["tokenId"]: int(b["order"]["makerAmount"]) for b in at.bodies}
    assert spent == {leg.outcome.token: to_micro(leg.spend) for leg in plan.legs}
    assert all(cents % to_micro(CENT) == 0 for cents in spent.values())
    await at.check()


async def test_size_times_the_worst_price_realises_less_than_was_proved(at, monkeypatch):
    """The old way, planted: the dollars that are left buy shares that no set needs."""
    old = property(lambda leg: notional(leg.limit, leg.size))
    monkeypatch.setattr(PlannedLeg, "dollars", old)
    at.book("race-1", [("0.45", 20), ("0.41", 300), FLOOR], [("0.47", 300)])
    report, plan = await at.trade()
    assert plan.size > 20  # it takes both levels
    assert report.realised - report.locked < plan.profit - Decimal("0.01")


async def test_an_order_that_is_signed_for_other_dollars_is_never_sent(at, monkeypatch):
    """The old way one layer further down: what was signed is not what was meant."""

    async def sign(self, order: Order):
        return await self._session.client.create_limit_order(
            asset_id=order.outcome.token,
            price=order.limit,
            size=order.size,
            side=order.side.value,
        )

    monkeypatch.setattr(PolymarketTrading, "_sign", sign)
    deep(at, 2)
    (report,) = (await at.cycle()).plans
    assert (report.state, report.realised) == (UNWOUND, 0)
    assert "was signed as" in report.reason
    assert not at.bodies


@pytest.mark.parametrize("tick", ["0.01", "0.005", "0.0025", "0.001", "0.0001"])
async def test_amounts_of_a_plan_over_levels_fit_every_tick(at, tick):
    step, chance = Decimal(tick), random.Random(tick)
    for slug, bid in (("race-1", "0.4400"), ("race-2", "0.4000"), ("race-3", "0.3500")):
        prices = [Decimal(bid) - n * step for n in range(3)]
        bids = [(str(price), chance.randint(1000, 3000) * CENT) for price in prices]
        at.market(slug).tick = step
        at.book(slug, bids, [(str(Decimal(bid) + 4 * step), 300)])
    report, plan = await at.trade()
    assert report.state is DONE, report.reason
    assert report.realised == plan.profit
    assert all(int(b["order"]["takerAmount"]) % 100 == 0 for b in at.bodies)
    await at.check()


async def _fills(at, leg):
    return [
        fill
        for answer in (await at.account((await at.plans())[0])).answers.values()
        for fill in answer.fills
        if fill.outcome == leg.outcome
    ]
