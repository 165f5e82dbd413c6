"""docs/fault-catalogue.md §G: the node, the relayer and the chain."""

import asyncio

import pytest

from arb.domain.fact import OperationEnded
from arb.operations.live import money_checks
from tests.faults.world import DONE, OPEN, UNWOUND, eventually

RELAYED = ["safe", "deposit"]


async def _released(at, plan):
    at.orchestrator._resolutions_asked_at = None
    await at.cycle()
    return not await at.ledger.locked_plans()


@pytest.mark.parametrize("conduct", [{"rpc_down": True}, {"rpc_429": 1.0}], ids=["down", "429"])
async def test_g01_a_node_that_does_not_answer_holds_the_exit_up_and_loses_nothing(at, conduct):
    at.before_post = lambda _: at.chain(**conduct)
    trading = asyncio.create_task(at.trade())
    await eventually(lambda: at.asked["GET /data/trades"] > 6)
    await at.chain(rpc_down=False, rpc_429=0.0)
    at.live.rpc._nodes[0].rests_until = 0
    report, _ = await trading
    assert report.state is DONE
    await at.check()


async def test_g01_without_a_node_nothing_new_begins(at):
    await at.chain(rpc_down=True)
    at.orchestrator.reconciler.done_at = None  # as after a start
    report = await at.cycle()
    assert not report.plans
    assert not report.risk.can_trade
    await at.chain(rpc_down=False)
    at.live.rpc._nodes[0].rests_until = 0
    await at.check()


@pytest.mark.parametrize("wallet", ["eoa", "safe"])
async def test_g01_the_next_node_is_asked_and_sent_through(make, wallet):
    dead = "http://127.0.0.1:9/rpc"
    at = await make(nodes=(dead,), wallet=wallet)
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


async def test_g02_a_chain_that_finds_no_finality_is_waited_for(at):
    await at.conduct(mined_after=0.1, confirmed_after=0.8)
    await at.chain(finality_delay=0.6)
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


async def test_g03_a_node_that_lags_behind_is_not_taken_at_its_word(at):
    await at.chain(stale_reads=0.2)
    await at.cycle()
    await at.ended(8)
    (plan,) = await at.plans()
    ends = [f for f in await at.ledger.facts(plan.id) if isinstance(f, OperationEnded)]
    assert [end.effect is not None for end in ends] == [True]
    await at.chain(stale_reads=0.0)
    await at.check()


async def test_g03_a_block_that_is_undone_and_mined_again(at):
    report, _ = await at.trade()
    assert report.state is DONE
    await at.control(chain={"reorg": 1})
    await at.orchestrator.reconciler.run()
    await eventually(lambda: _agrees(at))
    await at.check()


async def _agrees(at):
    await at.orchestrator.reconciler.run()
    return not at.orchestrator.reconciler.differences


@pytest.mark.parametrize(
    ("wallet", "how"), [("safe", "precheck"), ("deposit", "failed"), ("safe", "invalid")]
)
async def test_g04_an_exit_that_the_relayer_refuses_is_held_and_redeemed_later(make, wallet, how):
    at = await make(wallet=wallet)
    await at.chain(relayer_fail=how)
    report, plan = await at.trade()
    assert report.state in (DONE, UNWOUND)
    assert report.alarm
    assert report.locked > 0
    ends = [f for f in await at.ledger.facts(plan.id) if isinstance(f, OperationEnded)]
    assert len(ends) == 3
    assert all(end.effect is None for end in ends)
    await at.check()
    for slug, yes in (("race-1", "0"), ("race-2", "1"), ("race-3", "0")):
        await at.control(resolve={"market": slug, "yes": yes})
    await at.chain(relayer_fail="no")
    await eventually(lambda: _released(at, plan))
    await at.check()


@pytest.mark.parametrize("wallet", RELAYED)
async def test_g05_a_relayer_that_never_says_what_became_of_it_is_found_out(make, wallet):
    at = await make(wallet=wallet)
    await at.chain(accept_then_timeout=True)
    report, plan = await at.trade()
    assert report.state is DONE
    assert len([f for f in await at.ledger.facts(plan.id) if isinstance(f, OperationEnded)]) == 1
    await at.check()


async def test_g05_an_exit_without_an_end_is_found_by_the_next_life(make):
    at = await make(wallet="safe")
    await at.fault("/submit", "accept_then_drop")
    at.before_post = None
    report, plan = await at.trade()
    assert report.state in (DONE, OPEN)
    await at.restart()
    await at.ended()
    assert len([f for f in await at.ledger.facts(plan.id) if isinstance(f, OperationEnded)]) == 1
    await at.check()


async def test_g06_what_has_resolved_is_redeemed_without_being_asked_for(at):
    await at.chain(fee_bips=100)
    report, plan = await at.trade()
    assert report.locked > 0
    for slug, yes in (("race-1", "1"), ("race-2", "0"), ("race-3", "0")):
        await at.control(resolve={"market": slug, "yes": yes})
    await at.restart()
    await eventually(lambda: _released(at, plan))
    assert (await at.held())["tokens"] == {}
    await at.check()


async def test_g07_missing_allowances_are_found_before_anything_is_traded(at):
    await at.control(allow={"wallet": at.wallet, "all": False})
    failed = {c.name for c in await money_checks(at.live, at.settings) if not c.passed}
    assert failed == {"allowances"}


async def test_g07_orders_that_match_and_that_the_chain_will_not_move(at):
    await at.conduct(allowance_at_entry=False)
    await at.control(allow={"wallet": at.wallet, "all": False})
    report, _ = await at.trade()
    assert (report.state, report.realised) == (UNWOUND, 0)
    await at.check()


async def test_g07_a_relayer_that_blocks_the_exit(make):
    at = await make(wallet="deposit")
    await at.chain(
        blocked=(
            "0xd91e80cf2e7be2e162c6513ced06f1dd0da35296",
            "0xada2005600dec949baf300f4c6120000bdb6eaab",
        )
    )
    report, _ = await at.trade()
    assert report.alarm
    assert report.locked > 0
    await at.check()
