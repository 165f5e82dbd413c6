"""What contradicts a proof stops its kind of trade until an operator has looked."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.halt import TradingState
from arb.domain.market import VenueId
from arb.domain.news import Contradicted
from arb.domain.opportunity import Kind
from arb.domain.reason import Reason
from arb.engine import reconcile
from arb.engine.contradict import end_of_kind
from tests.faults.world import DONE, UNWOUND, eventually


def cheap_yes(at):
    """The full set of YES is cheap, and NO is not."""
    for slug in ("race-1", "race-2", "race-3"):
        at.book(slug, [("0.25", 300)], [("0.29", 300), ("0.45", 500)])


def told(at):
    return [news.found for news in at.news if isinstance(news, Contradicted)]


async def stopped(at):
    return [(c.kind, c.venue) for c in await at.ledger.contradictions()]


async def refused(at):
    """A cycle that begins nothing; the reasons of what was proved."""
    report = await at.cycle()
    assert not report.plans
    return {found.reason for found in report.findings if hasattr(found, "opportunity")}


async def resolve(at, *ends):
    for slug, yes in zip(("race-1", "race-2", "race-3"), ends, strict=True):
        await at.control(resolve={"market": slug, "yes": yes})

    async def released():
        at.orchestrator._resolutions_asked_at = None
        await at.orchestrator.collect_resolutions()
        return not await at.ledger.locked_plans()

    await eventually(released)


async def revoke(at):
    """Trades settle, but no contract may move our shares any more."""
    await at.conduct(allowance_at_entry=False, allowances_checked=False)
    await at.control(allow={"wallet": at.wallet, "all": False})


async def charge(at):
    await at.chain(fee_bips=100)


REFUSALS = [("eoa", revoke), ("safe", revoke), ("deposit", revoke), ("eoa", charge)]


@pytest.mark.parametrize(("wallet", "refuse"), REFUSALS)
async def test_an_exit_that_the_contract_refuses_stops_its_kind(make, wallet, refuse):
    at = await make(wallet=wallet)
    at.before_post = lambda _: refuse(at)
    report, plan = await at.trade()
    assert report.locked > 0
    (found,) = await at.ledger.contradictions()
    assert (found.kind, found.venue, found.about) == (plan.kind, "polymarket", plan.id)
    assert plan.kind == Kind.EXCLUSIVE_NO
    assert "convert" in found.believed
    assert "refuses" in found.seen or "otherwise" in found.seen
    # Three times refused, and once told of.
    assert [each.key for each in told(at)] == [found.key]
    at.open_again()
    assert await refused(at) == {Reason.CONTRADICTED}
    assert await refused(at) == {Reason.CONTRADICTED}
    assert len(told(at)) == 1


async def test_the_stop_outlives_a_restart_and_an_operator_ends_it(make):
    at = await make()
    at.before_post = lambda _: charge(at)
    await at.trade()
    await at.restart()
    at.open_again()
    assert await refused(at) == {Reason.CONTRADICTED}
    assert len(told(at)) == 1
    report = at.reports[-1]
    assert report.risk.can_trade
    assert "negrisk_no at polymarket is stopped" in report.risk.reasons[0]
    assert (await at.ledger.standing()).state is TradingState.NORMAL

    ended = await end_of_kind(at.ledger, Kind.EXCLUSIVE_NO, "looked", SystemClock().now())
    assert ended == [POLYMARKET]
    await at.chain(fee_bips=0)
    at.open_again()
    report = await at.cycle()
    assert [plan.state for plan in report.plans] == [DONE]
    # What was ended is found no more: the same facts say it still.
    assert await stopped(at) == []
    assert len(told(at)) == 1


async def test_another_kind_goes_on_and_the_end_of_another_ends_nothing(make):
    at = await make()
    at.before_post = lambda _: charge(at)
    await at.trade()
    cheap_yes(at)
    report = await at.cycle()
    (found,) = [f.opportunity for f in report.findings if hasattr(f, "opportunity")]
    assert found.kind == Kind.EXHAUSTIVE_YES
    assert [plan.state for plan in report.plans] == [DONE]
    now = SystemClock().now()
    assert await end_of_kind(at.ledger, Kind.EXHAUSTIVE_YES, "", now) == []
    assert await end_of_kind(at.ledger, Kind.EXCLUSIVE_NO, "", now, VenueId("elsewhere")) == []
    assert await stopped(at) == [(Kind.EXCLUSIVE_NO, "polymarket")]


async def test_a_second_plan_of_the_same_cycle_is_not_begun(make):
    at = await make(**{"arbitrage.plans_per_cycle": 5})
    at.before_post = lambda _: charge(at)
    other = at.twin()
    report = await at.cycle()
    assert len(report.plans) == 1
    ends = dict(report.outcomes)
    assert sorted(ends.values()) == [Reason.CONTRADICTED, Reason.FILLED]
    assert other in {f.opportunity.event.slug for f in report.findings if hasattr(f, "opportunity")}


async def test_a_plan_of_a_stopped_kind_that_has_sent_nothing_never_begins(make):
    at = await make()
    at.before_post = lambda _: charge(at)
    _, plan = await at.trade()
    at.open_again()
    waiting = replace(plan, id=f"{plan.id}w", approved_at=at.context.clock.now())
    await at.ledger.open_plan(1, waiting)
    sent = len(at.sent)
    await at.restart()
    assert len(at.sent) == sent
    assert not await at.ledger.open_plans()


@pytest.mark.parametrize("where", ["execute.examine", "contradict.tell_contradictions"])
async def test_what_a_crash_kept_back_is_found_and_told_by_the_next_life(make, monkeypatch, where):
    async def dies(*_):
        raise asyncio.CancelledError

    at = await make()
    at.before_post = lambda _: charge(at)
    with monkeypatch.context() as killed:
        killed.setattr(f"arb.engine.{where}", dies)
        with pytest.raises(asyncio.CancelledError):
            await at.trade()
    assert told(at) == []
    await at.restart()
    await at.ended()
    (found,) = await at.ledger.contradictions()
    assert [each.key for each in told(at)] == [found.key]


AWAY = [
    ("eoa", {"rpc_down": True}),
    ("eoa", {"rpc_429": 1.0}),
    ("safe", {"relayer_fail": "precheck"}),
    ("deposit", {"relayer_fail": "failed"}),
    ("safe", {"relayer_429": 1.0}),
]


@pytest.mark.parametrize(("wallet", "conduct"), AWAY)
async def test_a_network_that_is_away_contradicts_nothing(make, wallet, conduct):
    at = await make(wallet=wallet, options={"answer_wait": timedelta(seconds=1.5)})
    at.before_post = lambda _: at.chain(**conduct)
    report, _ = await at.trade()
    assert report.state is not UNWOUND
    assert await stopped(at) == []
    assert told(at) == []


@pytest.mark.parametrize(
    ("ends", "paid"),
    [(("0", "0", "0"), "0"), (("0.5", "0", "0"), "0.5"), (("0", "0", "0.5"), "0.5")],
)
async def test_a_full_set_that_pays_less_stops_its_kind(make, ends, paid):
    at = await make()
    cheap_yes(at)
    report, plan = await at.trade()
    assert (report.state, plan.kind) == (DONE, Kind.EXHAUSTIVE_YES)
    await resolve(at, *ends)
    (found,) = await at.ledger.contradictions()
    assert (found.kind, found.about) == (Kind.EXHAUSTIVE_YES, plan.id)
    held = min(leg.expected for leg in plan.legs)
    assert found.seen.startswith(f"it paid ${int(Decimal(paid) * held)}")
    assert [each.key for each in told(at)] == [found.key]


async def test_a_set_of_no_that_pays_less_stops_its_kind(make):
    at = await make(wallet="safe")
    await at.chain(relayer_fail="precheck")
    report, plan = await at.trade()
    assert report.locked > 0
    assert await stopped(at) == []
    await at.chain(relayer_fail="no")
    await resolve(at, "1", "1", "0")
    (found,) = await at.ledger.contradictions()
    assert (found.kind, found.about) == (Kind.EXCLUSIVE_NO, plan.id)


@pytest.mark.parametrize("ends", [("1", "0", "0"), ("0", "1", "0"), ("0", "0", "1")])
@pytest.mark.parametrize("kind", [Kind.EXHAUSTIVE_YES, Kind.EXCLUSIVE_NO])
async def test_what_pays_as_proved_contradicts_nothing(make, kind, ends):
    at = await make(wallet="safe")
    if kind is Kind.EXHAUSTIVE_YES:
        cheap_yes(at)
    await at.chain(relayer_fail="precheck")
    report, plan = await at.trade()
    assert (report.locked > 0, plan.kind) == (True, kind)
    await at.chain(relayer_fail="no")
    await resolve(at, *ends)
    assert await stopped(at) == []
    await at.check()


async def more_shares(at, plan):
    leg = plan.legs[0]
    await at.control(give={"wallet": at.wallet, "token": leg.outcome.token, "shares": "3"})


async def more_cash(at, _plan):
    await at.control(deposit={"wallet": at.wallet, "usd": "1.5"})


async def less_cash(at, _plan):
    await at.control(deposit={"wallet": at.wallet, "usd": "-0.4"})


async def more_of_the_other_side(at, plan):
    """Of the other side of a leg, which the plan itself never moved."""
    opposite = plan.legs[1].terms.opposite
    await at.control(give={"wallet": at.wallet, "token": opposite.token, "shares": "0.5"})


MOVES = [more_shares, more_cash, less_cash, more_of_the_other_side]


@pytest.mark.parametrize("move", MOVES)
async def test_more_moved_than_booked_stops_the_kind_that_moved_it(make, monkeypatch, move):
    monkeypatch.setattr(reconcile, "LAG_MAX", timedelta(0))
    at = await make()
    report, plan = await at.trade()
    assert report.state is DONE
    await at.check()
    assert await stopped(at) == []
    await move(at, plan)
    at.open_again()
    await at.cycle()
    (found,) = await at.ledger.contradictions()
    assert (found.kind, found.about) == (Kind.EXCLUSIVE_NO, plan.id)
    # It is found again in every cycle, and in the next life.
    await at.cycle()
    await at.restart()
    await at.cycle()
    assert [each.key for each in told(at)] == [found.key]
    # Who accounts for the numbers has looked at what they stopped.
    await at.orchestrator.reconciler.accept("a gift")
    assert await stopped(at) == []
    at.open_again()
    report = await at.cycle()
    assert [plan.state for plan in report.plans] == [DONE]


async def test_fees_that_were_taken_in_shares_and_not_told_stop_their_kind(make, monkeypatch):
    monkeypatch.setattr(reconcile, "LAG_MAX", timedelta(0))
    at = await make()
    await at.conduct(fee_in_shares=True)
    await at.cycle()
    await at.cycle()
    (plan,) = await at.plans()
    assert {found.about for found in await at.ledger.contradictions()} == {plan.id}
    assert len(told(at)) <= 2  # the numbers, and the exit that they make impossible


async def test_what_is_explained_by_a_venue_that_lags_stops_nothing_yet(make):
    at = await make()
    _, plan = await at.trade()
    await more_shares(at, plan)  # as many as the plan itself has just moved, and fewer
    await at.cycle()
    assert at.orchestrator.reconciler.differences
    assert await stopped(at) == []
    await at.control(
        give={"wallet": at.wallet, "token": plan.legs[0].outcome.token, "shares": "99"}
    )
    await at.cycle()
    assert await stopped(at) == [(Kind.EXCLUSIVE_NO, "polymarket")]


async def test_numbers_that_no_plan_has_moved_stop_no_kind(make, monkeypatch):
    monkeypatch.setattr(reconcile, "LAG_MAX", timedelta(0))
    at = await make()
    await at.control(deposit={"wallet": at.wallet, "usd": "5"})
    report = await at.cycle()
    assert not report.risk.can_trade
    assert await stopped(at) == []


@pytest.mark.parametrize("conduct", [{"overfill": 12_345}, {"overfill": -9_999}, {"fail": 1.0}])
async def test_what_the_venue_does_to_fills_and_tells_contradicts_nothing(
    make, monkeypatch, conduct
):
    monkeypatch.setattr(reconcile, "LAG_MAX", timedelta(0))
    at = await make()
    await at.conduct(**conduct)
    await at.cycle()
    await at.ended()
    await at.cycle()
    assert await stopped(at) == []
