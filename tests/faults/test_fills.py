"""docs/fault-catalogue.md §B: fills, settlement and accounting."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from eth_account import Account

from arb.adapters.storage import accounting
from arb.domain.fact import Confirmed, Voided
from arb.domain.market import Side
from arb.domain.money import to_micro
from arb.risk import halt
from tests.exchange.venue import environment, place
from tests.faults.world import DONE, SOON, UNWOUND, eventually

OTHER = "0x" + "22" * 32


async def test_b01_a_fill_that_settles_late_is_not_turned_into_cash_before(at):
    await at.conduct(mined_after=0.3, confirmed_after=0.6, settle_spread=0.2)
    trading = asyncio.create_task(at.trade())
    await eventually(lambda: at.asked["GET /data/trades"] > 6)
    (plan,) = await at.plans()
    account = await at.account(plan)
    assert account.pending
    assert not account.requests
    assert not any(account.confirmed.values())
    report, _ = await trading
    assert report.state is DONE
    await at.check()


async def test_b02_a_fill_that_fails_was_never_had(at):
    await at.conduct(fail=1)
    report, plan = await at.trade()
    assert report.state is UNWOUND
    assert report.realised == 0
    assert len({f.trade for f in await at.ledger.facts(plan.id) if isinstance(f, Voided)}) >= 3
    await at.check()


async def test_b02_mined_and_then_rolled_back(at):
    await at.conduct(fail=1, fail_mined=True)
    report, _ = await at.trade()
    assert (report.state, report.realised) == (UNWOUND, 0)
    await at.check()


async def test_b02_retrying_is_neither_here_nor_there(at):
    await at.conduct(retries=3, confirmed_after=0.4)
    report, plan = await at.trade()
    assert report.state is DONE
    assert not any(isinstance(f, Voided) for f in await at.ledger.facts(plan.id))
    assert len(at.sent) == 3
    await at.check()


async def test_b02_a_leg_is_not_bought_again_while_its_fill_may_still_settle(at):
    """The leg that fails is completed only after it has failed, and once."""
    seen = []

    async def all_settle(_request):
        seen.append([t["status"] for t in (await at.truth())["trades"]])
        await at.conduct(fail=0)

    async def the_missing_leg_fails(_request):
        await at.conduct(fail=1, mined_after=0.2, confirmed_after=0.3)
        at.before_post = all_settle

    at.lose_a_leg()
    lose = at.before_post

    def first(request):
        lose(request)
        at.before_post = the_missing_leg_fails

    at.before_post = first
    report, _ = await at.trade()
    assert report.state is DONE
    assert seen[0].count("FAILED") == 1
    assert "MATCHED" not in seen[0]
    assert len(at.sent) == 5
    await at.check()


async def test_b03_fills_that_fail_when_they_would_gain(at):
    await at.conduct(fail_gaining=1, mined_after=0.3, confirmed_after=0.4)
    trading = asyncio.create_task(at.trade())

    async def matched():
        return len((await at.truth())["trades"]) == 3

    await eventually(matched)
    at.calm_down()
    _, plan = await trading
    await at.ended()
    assert not any((await at.account(plan)).held.values())
    await at.check()


async def test_b03_settlement_that_fails_again_and_again_stops_trading(make):
    at = await make(**{"risk.max_consecutive_failures": 2})
    await at.conduct(fail=1)
    for _ in range(2):
        assert [plan.state for plan in (await at.cycle()).plans] == [UNWOUND]
        at.open_again()
        await asyncio.sleep(0.1)
    report = await at.cycle()
    assert not report.plans
    assert not report.risk.can_trade
    await at.check()


async def test_b03_trades_that_fail_to_settle_among_good_ones_stop_trading(at, monkeypatch):
    for module in (accounting, halt):
        monkeypatch.setattr(module, "ENDED_TRADES_KEPT", 6)
    assert [plan.state for plan in (await at.cycle()).plans] == [DONE]
    await at.conduct(fail=1)
    at.open_again()
    await asyncio.sleep(SOON.total_seconds())
    assert [plan.state for plan in (await at.cycle()).plans] == [UNWOUND]
    at.open_again()
    await asyncio.sleep(SOON.total_seconds())
    report = await at.cycle()
    assert not report.plans
    assert "of the latest 6 trades failed to settle" in " ".join(report.risk.reasons)
    await at.check()


async def test_b04_a_maker_that_moves_its_funds_away(at):
    await at.conduct(maker_rug=1)
    report, _ = await at.trade()
    assert (report.state, report.realised) == (UNWOUND, 0)
    await at.check()


@pytest.mark.parametrize(
    "statuses",
    [
        ("CONFIRMED",),
        ("RETRYING", "MATCHED", "MINED", "CONFIRMED"),
        ("MATCHED_NOT_BROADCASTED", "MINED", "MATCHED", "CONFIRMED"),
        ("MINED", "RETRYING", "MINED", "CONFIRMED"),
    ],
)
async def test_b05_any_way_to_confirmed(at, statuses):
    await at.conduct(statuses=statuses)
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


@pytest.mark.parametrize("statuses", [("FAILED",), ("RETRYING", "MINED", "RETRYING", "FAILED")])
async def test_b05_any_way_to_failed(at, statuses):
    await at.conduct(statuses=statuses)
    report, _ = await at.trade()
    assert (report.state, report.realised) == (UNWOUND, 0)
    await at.check()


async def test_b05_confirmed_and_then_failed_stops_trading(at):
    await at.conduct(statuses=("CONFIRMED", "FAILED"), mined_after=4)
    await at.chain(fee_bips=100)
    _, plan = await at.trade()
    await at.ended()
    await eventually(at._settled)
    await at.cycle()
    assert {d.what for d in at.orchestrator.reconciler.differences} == {"cash", "shares"}
    assert not (await at.cycle()).risk.can_trade
    assert not any(isinstance(f, Voided) for f in await at.ledger.facts(plan.id))
    await at.orchestrator.reconciler.accept("a confirmed trade was undone")
    await at.check()


async def test_b06_the_same_trade_told_many_times_is_one_fill(at):
    await at.conduct(page_size=1)
    report, plan = await at.trade()
    before = await at.ledger.facts(plan.id)
    for _ in range(5):
        await at.orchestrator.reconciler.run()
    assert await at.ledger.facts(plan.id) == before
    assert report.state is DONE
    await at.check()


async def other(at):
    """Another account at the same exchange."""
    from polymarket import AsyncSecureClient

    wallet = Account.from_key(OTHER).address
    await at.control(deposit={"wallet": wallet, "usd": "1000"}, allow={"wallet": wallet})
    return await AsyncSecureClient.create(
        private_key=OTHER, wallet=wallet, environment=environment(at.address)
    )


async def test_b07_one_trade_of_several_orders_of_ours_is_told_apart_by_order(at):
    calm = at.market("calm")
    refs = {
        (await place(at.live.client, calm.yes, price, 10)).order_id for price in ("0.41", "0.42")
    }
    taker = await other(at)
    await place(taker, calm.no, "0.60", 20, life="FAK")
    await taker.close()
    trades = await at.live.trading.trades_since(await at.ledger.opened_at())
    assert len({t.id for t in trades}) == 1
    assert {t.ref for t in trades} == refs
    assert sum(f.size for t in trades for f in t.fills) == 20


async def test_b08_a_match_with_the_other_outcome_is_ours_in_our_outcome_and_side(at):
    maker = await other(at)
    at.book("race-1", [("0.05", 500)], [("0.47", 300)])
    await place(maker, at.market("race-1").yes, "0.45", 40)
    report, plan = await at.trade()
    assert report.state is DONE
    await maker.close()
    mint = next(
        t
        for t in (await at.truth())["trades"]
        if any(p["wallet"].lower() == str(maker.wallet).lower() for p in t["makers"])
    )
    assert mint["makers"][0]["token"] == at.market("race-1").yes
    assert mint["token"] == at.market("race-1").no
    fills = [
        f
        for f in (await at.ledger.fills(plan.approved_at - timedelta(seconds=5)))
        if f.outcome.token == mint["token"]
    ]
    assert {f.side for f in fills} == {Side.BUY}
    assert {f.price for f in fills} == {Decimal("0.55")}
    await at.check()


@pytest.mark.parametrize("dust", [1, 9_999, 12_345, -1, -9_999])
async def test_b09_a_trifle_more_or_less_is_booked_as_it_is(at, dust):
    await at.conduct(overfill=dust)
    report, plan = await at.trade()
    assert report.state is DONE
    assert len(at.sent) == 3
    assert all(n <= Decimal("0.013") for n in (await at.account(plan)).held.values())
    await at.check()


async def test_b10_a_better_price_may_buy_more_shares(at):
    """What is spent is capped by dollars, not by shares: the trades say what was had."""
    at.before_post = lambda _: at.book("race-1", [("0.47", 300), ("0.05", 500)], [("0.49", 300)])
    report, plan = await at.trade()
    size = plan.size
    assert max(o["matched"] for o in (await at.truth())["orders"]) > to_micro(size)
    assert report.state is DONE
    assert report.realised > plan.profit
    await at.ended()
    await at.check()


@pytest.mark.parametrize("shown", ["0", "1000"])
async def test_b11_the_fee_is_the_markets_not_what_the_trade_shows(at, shown):
    await at.conduct(fee_shown=shown)
    report, plan = await at.trade()
    assert report.state is DONE
    assert sum(f.fee for f in await at.ledger.fills(plan.approved_at - timedelta(seconds=5))) > 0
    await at.check()


async def test_b12_a_fee_in_shares_is_noticed_and_stops_trading(at):
    await at.conduct(fee_in_shares=True)
    await at.trade()
    await at.ended()
    assert not any(o["side"] == "SELL" for o in (await at.truth())["orders"])
    await at.cycle()
    assert {d.what for d in at.orchestrator.reconciler.differences} >= {"shares"}
    assert not (await at.cycle()).risk.can_trade
    await at.orchestrator.reconciler.accept("the fee was taken in shares")
    await at.check()


async def test_b13_a_fee_that_changes_at_the_last_moment_is_booked_as_it_is(at):
    def dearer(_request):
        at.market("race-1").fee_rate = Decimal("0.05")

    at.before_post = dearer
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


async def test_b13_a_fee_that_we_do_not_know_of_yet_stops_trading(make):
    at = await make()
    first, _ = await at.trade()
    assert first.state is DONE
    await at.check()
    at.open_again()
    for slug in ("race-1", "race-2", "race-3"):
        at.market(slug).fee_rate = Decimal("0.07")
    await asyncio.sleep(0.1)
    await at.cycle()
    await at.orchestrator.reconciler.run()
    traded = len((await at.truth())["trades"]) > 3
    assert traded == bool(at.orchestrator.reconciler.differences)
    if traded:
        assert not (await at.cycle()).risk.can_trade
        await at.orchestrator.reconciler.accept("the fee has changed")
    await at.check()


@pytest.mark.parametrize("shown", [False, True])
async def test_b14_transaction_hashes_are_not_needed(at, shown):
    await at.conduct(tx_hashes=shown)
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


@pytest.mark.parametrize("knobs", [{"positions_zero": True}, {"positions_lag": 30}])
async def test_b15_what_the_data_api_says_of_positions_moves_nothing(at, knobs):
    await at.conduct(**knobs)
    for endpoint in ("/positions", "/v2/positions", "/value"):
        await at.fault(endpoint, status=500, times=-1)
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


async def test_b16_a_phantom_lock_ends_in_a_halt_not_in_a_loop(make):
    at = await make(**{"risk.max_consecutive_failures": 2})
    await at.conduct(phantom_lock=10**10)
    for _ in range(4):
        await at.cycle()
        await asyncio.sleep(0.1)
    assert not (await at.cycle()).risk.can_trade
    assert at.asked["POST /orders"] == 2
    assert (await at.truth())["orders"] == []
    await at.check()


async def test_b17_a_sale_waits_until_the_venue_knows_what_was_settled(at):
    """A sale that is refused since the venue remembers an older balance is sent again later."""
    await at.conduct(balance_lag=0.5)

    def worthless(_request):
        at.book("race-1", [("0.02", 300)], [("0.03", 300)])
        at.book("race-2", [("0.38", 300), ("0.05", 500)], [("0.39", 300)])

    at.before_post = worthless
    await at.trade()
    await at.ended()
    await at.check()


async def test_b18_trades_of_one_transaction_are_told_apart(at):
    await at.conduct(same_transaction=True, split_trades=True)
    report, plan = await at.trade()
    assert report.state is DONE
    facts = await at.ledger.facts(plan.id)
    confirmed = [f.trade for f in facts if isinstance(f, Confirmed)]
    assert len(confirmed) == len(set(confirmed)) == len((await at.truth())["trades"]) > 3
    await at.check()


async def held(at):
    """A plan whose exit failed: its legs wait for the resolution."""
    await at.chain(fee_bips=100)
    report, plan = await at.trade()
    assert report.alarm
    assert report.locked > 0
    await at.check()
    return plan


async def collect(at):
    at.orchestrator._resolutions_asked_at = None
    await at.cycle()


async def test_b19_a_half_and_half_resolution_pays_half(at):
    plan = await held(at)
    for slug in ("race-1", "race-2", "race-3"):
        await at.control(resolve={"market": slug, "yes": "0.5"})
    await eventually(lambda: _released(at, plan))
    await at.check()


async def test_b20_only_what_the_chain_pays_counts_whatever_the_oracle_had_proposed(at):
    plan = await held(at)
    before = (await at.held())["usd"]
    for status, yes in (("proposed", "1"), ("disputed", "1"), ("proposed", "0")):
        await at.control(oracle={"market": "race-1", "status": status, "yes": yes})
        await collect(at)
        assert (await at.held())["usd"] == before
        assert await at.ledger.locked_plans() == [plan]
    for slug, yes in (("race-1", "0"), ("race-2", "1"), ("race-3", "0")):
        await at.control(resolve={"market": slug, "yes": yes})
    await eventually(lambda: _released(at, plan))
    await at.check()


async def _released(at, plan):
    await collect(at)
    return not await at.ledger.locked_plans()
