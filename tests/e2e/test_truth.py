"""The embedded exchange over real HTTP: what is reported is what is really there."""

from decimal import Decimal

import pytest

from arb.cli.output import render_report
from arb.runtime.running import run_once, scan
from tests.conftest import exchange_at, settings_for

SEEDS = [*range(15), *(pytest.param(n, marks=pytest.mark.full) for n in range(15, 50))]


def _reported(report):
    return {
        (one["event"], one["kind"], one["available_size"], one["profit"])
        for one in render_report(report)["opportunities"]
    }


def _planted(exchange):
    return {
        (one["event"], one["kind"], one["size"], one["profit"])
        for one in exchange.truth()["opportunities"]
    }


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_report_equals_the_planted_truth(seed, tmp_path):
    async with exchange_at("demo", seed) as (exchange, address):
        # Nothing waits between plans here: more orders go out in a second than usual.
        loaded = settings_for(address, tmp_path, **{"risk.max_orders_per_second": 200})
        report, statistics, still_open = await run_once(loaded)
    document = render_report(report)
    assert _reported(report) == _planted(exchange)
    assert {"negrisk_no", "negrisk_yes", "binary_complement"} == {
        one["kind"] for one in document["opportunities"]
    }
    exits = {one["event"]: one["exit"] for one in document["opportunities"]}
    assert (exits["cheap-no-v2"], exits["cheap-yes-v2"]) == ("now", "now")
    decoys = {decoy.event for decoy in exchange.decoys}
    assert not decoys & {one["event"] for one in document["opportunities"]}
    assert all(one["size"] == one["available_size"] for one in document["opportunities"])
    approved = [one for one in document["opportunities"] if one["decision"] == "approved"]
    assert len(approved) == len(document["plans"]) == statistics.trades > 0
    assert still_open == 0
    assert report.funnel.candidates == sum(count for _, count in report.reasons)


async def test_the_six_cases(tmp_path):
    async with exchange_at("six") as (exchange, address):
        report = await scan(settings_for(address, tmp_path))
    document = render_report(report)
    found = {one["event"]: one for one in document["opportunities"]}
    skipped = {one["event"]: one["reason"] for one in document["skipped"]}
    assert document["passed"] == document["skipped"]  # the old name of the same list
    assert set(found) == {"six-3-bids-106", "six-4-thin-leg"}
    assert [a["market"] for a in document["data_quality"]] == ["six-2-stale-no"]
    assert skipped == {
        "six-2-stale-no": "mirror_mismatch",
        "six-5-augmented": "augmented",
        "six-6-fees": "fees_exceed_edge",
    }
    whole = found["six-3-bids-106"]
    per_set = Decimal(whole["profit"]) / Decimal(whole["size"])
    assert len(whole["legs"]) == 8
    assert Decimal("0.025") < per_set < Decimal("0.031")
    thin = found["six-4-thin-leg"]
    fills = Decimal(thin["profit"]) / Decimal(thin["size"])
    assert fills < per_set
    assert _reported(report) == _planted(exchange)


async def test_a_quiet_market_has_nothing(tmp_path):
    async with exchange_at("quiet") as (_, address):
        report, statistics, _ = await run_once(settings_for(address, tmp_path))
    assert not report.findings
    assert not report.data_quality
    assert (statistics.cycles, statistics.trades) == (1, 0)


async def test_the_same_liquidity_is_not_taken_twice_by_later_runs(tmp_path):
    async with exchange_at("demo", 3) as (_, address):
        loaded = settings_for(address, tmp_path)
        first, _, _ = await run_once(loaded)
        again, statistics, _ = await run_once(loaded)
    taken = {f.opportunity.event.slug for f in first.findings if hasattr(f, "plan")}
    seen_again = {one["event"] for one in render_report(again)["opportunities"]}
    assert taken
    assert not taken & seen_again
    assert statistics.trades == len(first.plans)


async def test_every_refusal_of_a_proved_opportunity_names_its_reason(tmp_path):
    flags = {"trading.min_profit_threshold": "0.05"}
    async with exchange_at("demo", 5) as (_, address):
        report, _, _ = await run_once(settings_for(address, tmp_path, **flags))
    for one in render_report(report)["opportunities"]:
        refused = one["decision"] == "refused"
        assert refused == (one["reason"] is not None)
        if one["reason"] == "below_min_profit":
            assert Decimal(one["profit_pct"]) < 5


async def test_a_small_budget_takes_a_smaller_size_that_is_proved_anew(tmp_path):
    flags = {"trading.max_position_size": "15"}
    async with exchange_at("demo", 2) as (_, address):
        report, statistics, _ = await run_once(settings_for(address, tmp_path, **flags))
    approved = [
        one for one in render_report(report)["opportunities"] if one["decision"] == "approved"
    ]
    assert approved
    for one in approved:
        paid = Decimal(one["cost"]) + Decimal(one["fees"])
        assert paid <= 15
        assert Decimal(one["size"]) < Decimal(one["available_size"])
        assert Decimal(one["payoff_worst"]) - paid == Decimal(one["profit"]) > 0
    assert statistics.trades == len(approved)
