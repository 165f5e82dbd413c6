"""Live trading against the embedded exchange, through the unmodified official client."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from eth_account import Account

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket import operations
from arb.adapters.polymarket.operations import PolymarketOperations
from arb.adapters.storage import open_ledger
from arb.cli.output import render_report
from arb.domain.errors import ConfigError, NotReady
from arb.domain.halt import TradingState
from arb.domain.operation import refused_by_contract
from arb.domain.plan import PlanState
from arb.net.rpc import Reverted, Rpc
from arb.operations.live import reconcile, redeem
from arb.runtime.running import run_once
from tests.e2e import worlds
from tests.e2e.worlds import live_environment, live_settings, live_world
from tests.exchange.venue import WALLETS

SESSION = "0x" + "22" * 32
STRANGER = "0x00000000000000000000000000000000000abcde"


async def account_of(folder, wallet):
    return await open_ledger(f"sqlite+aiosqlite:///{folder}/arb.db", f"polymarket:{wallet.lower()}")


async def differences(at, wallet, folder):
    """Where ledger and exchange do not agree, to the micro-unit."""
    ledger = await account_of(folder, wallet)
    try:
        return await worlds.differences(at, wallet, ledger)
    finally:
        await ledger.close()


@pytest.mark.parametrize("kind", ["eoa", "safe", "deposit"])
async def test_orders_are_signed_matched_settled_and_sets_turned_into_cash(kind, tmp_path):
    async with live_world(kind) as (at, wallet):
        report, statistics, still_open = await run_once(
            live_settings(at.address, tmp_path, wallet), live=True
        )
        assert report.mode == "live"
        assert still_open == 0
        assert {(plan.state, plan.reason) for plan in report.plans} == {(PlanState.DONE, "")}
        assert len(report.plans) == 7
        cashed = [plan for plan in report.plans if not plan.locked]
        assert len(cashed) == 5
        assert all(plan.realised > 0 for plan in cashed)
        assert statistics.realised == sum(plan.realised for plan in cashed)
        assert not await differences(at, wallet, tmp_path)
        truth = await at.truth()
        assert {trade["status"] for trade in truth["trades"]} == {"CONFIRMED"}


async def test_what_resolves_is_redeemed_and_the_capital_is_free(tmp_path):
    async with live_world("deposit", only="cheap-yes-1") as (at, wallet):
        loaded = live_settings(at.address, tmp_path, wallet)
        report, _, _ = await run_once(loaded, live=True)
        (plan,) = report.plans
        assert plan.locked > 0
        (event,) = at.exchange.events
        for number, market in enumerate(event.markets):
            await at.control(resolve={"market": market.slug, "yes": "0" if number else "1"})
        troubles, waiting = await redeem(loaded)
        assert (troubles, waiting) == ([], 0)
        assert not await differences(at, wallet, tmp_path)
        ledger = await account_of(tmp_path, wallet)
        portfolio = await ledger.portfolio(SystemClock().now())
        await ledger.close()
        assert (portfolio.locked, portfolio.positions) == (0, {})
        assert portfolio.cash > 5000


@pytest.mark.parametrize("kind", ["eoa", "safe", "deposit"])
@pytest.mark.parametrize("event", ["cheap-no-v2", "cheap-yes-v2"])
async def test_full_sets_of_protocol_v2_are_cash_at_once(event, kind, tmp_path):
    async with live_world(kind, only=event) as (at, wallet):
        report, _, _ = await run_once(live_settings(at.address, tmp_path, wallet), live=True)
        (plan,) = report.plans
        (found,) = render_report(report)["opportunities"]
        assert found["exit"] == "now"
        assert (plan.state, plan.locked, plan.alarm) == (PlanState.DONE, 0, "")
        assert plan.realised == Decimal(found["profit"])
        assert not await differences(at, wallet, tmp_path)


async def test_an_interrupted_sequence_of_calls_is_taken_up_from_the_balances(
    tmp_path, monkeypatch
):
    """An EOA's calls are not atomic: the process dies after the conversion, before the pairs."""
    sent = []

    async def dies(self, submission, what, really=PolymarketOperations._step):
        if sent:
            raise asyncio.CancelledError
        sent.append(what)
        return await really(self, submission, what)

    async with live_world("eoa", only="cheap-no-v2") as (at, wallet):
        loaded = live_settings(at.address, tmp_path, wallet)
        with monkeypatch.context() as killed:
            killed.setattr(PolymarketOperations, "_step", dies)
            with pytest.raises(asyncio.CancelledError):
                await run_once(loaded, live=True)
        assert sent == ["convert"]
        # Long enough after that nothing can be on its way any more.
        monkeypatch.setattr(operations, "timedelta", lambda **_: timedelta(0))
        _, _, still_open = await run_once(loaded, live=True)
        assert still_open == 0
        ledger = await account_of(tmp_path, wallet)
        portfolio = await ledger.portfolio(SystemClock().now())
        await ledger.close()
        assert (portfolio.locked, portfolio.positions) == (0, {})
        assert portfolio.cash > 5000
        assert not await differences(at, wallet, tmp_path)


@pytest.mark.parametrize("event", ["cheap-no-v2", "cheap-yes-v2"])
async def test_a_v2_set_that_the_contract_will_not_cash_is_held_and_redeemed(
    event, tmp_path, monkeypatch
):
    async with live_world("deposit", only=event) as (at, wallet):
        loaded = live_settings(at.address, tmp_path, wallet)
        with monkeypatch.context() as paused:
            paused.setattr(Rpc, "call_raw", _reverting(Rpc.call_raw))
            report, _, _ = await run_once(loaded, live=True)
        (plan,) = report.plans
        assert plan.locked > 0
        assert plan.alarm == "the exit failed"
        assert refused_by_contract(plan.reason.removeprefix("held to resolution: "))
        (listed,) = at.exchange.events
        for number, market in enumerate(listed.markets):
            await at.control(resolve={"market": market.slug, "yes": "0" if number else "1"})
        assert await redeem(loaded) == ([], 0)
        assert not await differences(at, wallet, tmp_path)
        ledger = await account_of(tmp_path, wallet)
        portfolio = await ledger.portfolio(SystemClock().now())
        await ledger.close()
        assert (portfolio.locked, portfolio.positions) == (0, {})
        assert portfolio.cash > 5000


def _reverting(really):
    async def call_raw(self, call, *, sender=None, block="latest"):
        if sender is not None:
            raise Reverted("paused")
        return await really(self, call, sender=sender, block=block)

    return call_raw


async def test_a_session_key_trades_and_what_it_may_not_cash_is_held_with_an_alarm(tmp_path):
    async with live_world("deposit", only="cheap-no-2") as (at, wallet):
        await at.control(session={"wallet": wallet, "key": Account.from_key(SESSION).address})
        session = {"polymarket.private_key": SESSION, "polymarket.session_key": True}
        report, _, still_open = await run_once(
            live_settings(at.address, tmp_path, wallet, **session), live=True
        )
        (plan,) = report.plans
        assert (plan.state, still_open) == (PlanState.DONE, 0)
        assert plan.locked > 0
        assert plan.alarm == "the exit failed"
        assert not await differences(at, wallet, tmp_path)


REFUSALS = [
    ("geoblock", {"conduct": {"geo": "blocked"}}, {}),
    ("clock", {"conduct": {"clock_offset": 5}}, {}),
    ("allowances", {"allow": {"wallet": "WALLET", "all": False}}, {}),
    ("balance", {}, {"trading.min_balance_usd": "5001"}),
    ("account", {"conduct": {"closed_only": True}}, {}),
    ("wallet", {}, {"polymarket.wallet_type": "GNOSIS_SAFE"}),
    ("gas", {"chain": {"pol": {"WALLET": "1"}}}, {}),
    ("order version", {"fault": {"endpoint": "/version", "status": 200, "times": -1}}, {}),
]


@pytest.mark.parametrize(("what", "order", "flags"), REFUSALS, ids=[r[0] for r in REFUSALS])
async def test_live_trading_is_refused_with_a_reason_and_a_fix(what, order, flags, tmp_path):
    async with live_world("eoa") as (at, wallet):
        asked = json.loads(json.dumps(order).replace("WALLET", wallet))
        if what == "order version":
            asked["fault"]["body"] = "wrong_types"
        await at.control(**asked)
        with pytest.raises((NotReady, ConfigError)) as refused:
            await run_once(live_settings(at.address, tmp_path, wallet, **flags), live=True)
        assert what in str(refused.value) or what == "clock"
        assert not (await at.truth())["orders"]


async def test_a_wallet_that_the_key_does_not_own_is_refused(tmp_path):
    """The official client would take a mistyped address for somebody's Deposit Wallet."""
    async with live_world("eoa") as (at, _):
        await at.fund(STRANGER, "5000")
        with pytest.raises((NotReady, ConfigError)):
            await run_once(live_settings(at.address, tmp_path, STRANGER), live=True)
        assert not (await at.truth())["orders"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"trading.live": False}, "ARB_TRADING__LIVE"),
        ({"polymarket.wallet": ""}, "ARB_POLYMARKET__WALLET"),
        ({"polymarket.private_key": ""}, "private key"),
    ],
)
async def test_both_keys_are_needed(flags, said, tmp_path):
    async with live_world("eoa") as (at, wallet):
        with pytest.raises(ConfigError, match=said):
            await run_once(live_settings(at.address, tmp_path, wallet, **flags), live=True)


async def test_money_that_moves_by_itself_stops_trading_until_an_operator_says_why(tmp_path):
    async with live_world("eoa", only="cheap-no-2") as (at, wallet):
        loaded = live_settings(at.address, tmp_path, wallet, **{"arbitrage.plans_per_cycle": 0})
        await run_once(loaded, live=True)
        await at.control(deposit={"wallet": wallet, "usd": "-7"})
        open_again = live_settings(at.address, tmp_path, wallet)
        report, _, _ = await run_once(open_again, live=True)
        assert report.risk.state is TradingState.HALTED
        assert "cash" in report.risk.reasons[0]
        assert not report.plans
        found, booked = await reconcile(open_again, "withdrawn")
        assert (found, booked) == ([], ["USD -7"])
        report, _, _ = await run_once(open_again, live=True)
        assert [plan.state for plan in report.plans] == [PlanState.DONE]
        assert not await differences(at, wallet, tmp_path)


async def arb(at, folder, wallet, *command):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "arb",
        *command,
        cwd=folder,
        env=live_environment(at.address, folder, wallet),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_ladder_from_a_new_wallet_to_a_trade(tmp_path):
    async with live_world("eoa", only="cheap-no-2") as (at, wallet):
        await at.control(allow={"wallet": wallet, "all": False})
        code, _, err = await arb(at, tmp_path, wallet, "run", "--once", "--live")
        assert (code, "allowances" in err) == (4, True)
        code, out, _ = await arb(
            at, tmp_path, wallet, "approvals", "--set", "--amount", "2000", "--json"
        )
        assert code == 0
        assert {row["allowed"] for row in json.loads(out)} == {"2000", "all"}
        code, out, _ = await arb(at, tmp_path, wallet, "preflight", "--json")
        assert code == 0
        assert all(check["passed"] for check in json.loads(out))
        assert not (await at.truth())["orders"]
        code, out, _ = await arb(at, tmp_path, wallet, "livetest", "--json")
        assert code == 0
        (order,) = (await at.truth())["orders"]
        assert order["status"].startswith("CANCELED")
        code, out, _ = await arb(at, tmp_path, wallet, "run", "--once", "--live", "--json")
        assert code == 0
        assert [plan["state"] for plan in json.loads(out)["plans"]] == ["done"]
        code, out, _ = await arb(at, tmp_path, wallet, "reconcile", "--json")
        assert (code, json.loads(out)["agree"]) == (0, True)
        assert not await differences(at, wallet, tmp_path)


async def test_an_approval_is_never_more_than_was_asked_for(tmp_path):
    async with live_world("safe") as (at, wallet):
        await at.control(allow={"wallet": wallet, "all": False})
        await arb(at, tmp_path, wallet, "approvals", "--set", "--amount", "123.45")
        _, out, _ = await arb(at, tmp_path, wallet, "approvals", "--json")
        assert {row["allowed"] for row in json.loads(out)} == {"123.45", "all"}


def test_the_wallets_are_different_places():
    assert len({*WALLETS.values()}) == len(WALLETS)
    assert os.environ.get("NO_PROXY")
