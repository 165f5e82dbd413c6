"""What one approval takes from the next: the order that is worth more in all is taken."""

import random
from decimal import Decimal

import pytest

from arb.bootstrap import engine_options, paper_context
from arb.domain.money import ZERO
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.exchange.market.builder import Builder
from tests.conftest import exchange_at, settings_for

RICH = ("0.45", "0.40", "0.35")
"""Bids of three exclusive outcomes: the three NO shares cost 1.80 and pay 2."""
THIN = ("0.40", "0.35", "0.30")
"""1.95, and 2."""


def event(build, slug, bids, size):
    markets = [
        build.market(
            f"{slug}-{n}",
            [(bid, size)],
            [(Decimal(bid) + Decimal("0.02"), 300)],
            fee_rate=Decimal(0),
        )
        for n, bid in enumerate(bids, start=1)
    ]
    return build.event(slug, markets, neg_risk=True)


async def cycle(folder, events, **flags):
    async with exchange_at("quiet", 1) as (exchange, address):
        exchange.show(events)
        settings = settings_for(
            address,
            folder,
            **{"sizing.max_fraction": "1", "sizing.conservative_factor": "1", **flags},
        ).settings
        async with paper_context(settings) as context:
            orchestrator = ArbitrageOrchestrator(context, engine_options(settings))
            await orchestrator.setup()
            report = await orchestrator.scan_cycle()
            plans = {
                plan.event_slug: plan for plan, _ in await context.ledger.recent(report.started_at)
            }
            return report, plans


@pytest.mark.parametrize(
    ("bankroll", "whole"),
    [
        ("1000", {"small-1", "small-2", "small-3"}),  # the large one gets what they leave
        ("5000", {"large", "small-1", "small-2", "small-3"}),  # there is enough for all
    ],
)
async def test_scarce_cash_goes_where_a_dollar_earns_most(tmp_path, bankroll, whole):
    """The large one alone brings $25 for $975; the three small ones $36 for $324."""
    sizes = {"large": 500, "small-1": 60, "small-2": 60, "small-3": 60}
    build = Builder(random.Random("allocation"))
    events = [event(build, slug, THIN if slug == "large" else RICH, n) for slug, n in sizes.items()]
    report, plans = await cycle(tmp_path, events, **{"trading.bankroll_usd": bankroll})
    assert {slug for slug, plan in plans.items() if plan.legs[0].size == sizes[slug]} == whole
    assert set(plans) == set(sizes)
    profit = sum((plan.payoff_worst - plan.outlay for plan in plans.values()), ZERO)
    assert profit > 50
    # The report keeps the order of profit, and everything that was found is in it once.
    found = [
        each.opportunity.event.slug for each in report.findings if hasattr(each, "opportunity")
    ]
    assert found[0] == "large"
    assert sorted(found) == sorted(sizes)


async def test_where_the_number_of_plans_is_what_is_scarce_profit_decides(tmp_path):
    """One plan only: $25 at 2.6 % is more than $12 at 11 %."""
    build = Builder(random.Random("allocation"))
    events = [event(build, "large", THIN, 500), event(build, "small", RICH, 60)]
    _, plans = await cycle(tmp_path, events, **{"arbitrage.plans_per_cycle": 1})
    assert set(plans) == {"large"}
