"""Liquidations on a chain of our own, with Aave v3's and Uniswap v3's published contracts."""

import asyncio
import contextlib
import json
import socket
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, upgrade
from arb.adapters.storage.attempts import SqlAttempts
from arb.domain.attempt import AttemptStep
from arb.domain.errors import Unavailable
from arb.domain.halt import Standing, TradingState
from arb.domain.money import Usd
from arb.net.rpc import TransactionRefused
from arb.onchain.chain import Chain
from arb.onchain.liquidations import liquidator as looking
from arb.onchain.liquidations.aave_market import AaveMarket, AaveOptions
from arb.onchain.liquidations.liquidator import Liquidator
from arb.onchain.liquidations.memory import Memory
from arb.onchain.liquidations.options import LiquidationOptions
from arb.onchain.liquidations.planner import Refusal
from arb.onchain.liquidations.positions import PriceSource
from arb.onchain.liquidations.sending import Relay, Wallet
from arb.onchain.liquidations.swaps import UniswapOptions, UniswapV3
from tests.anvil import CHAIN_ID, World, options
from tests.onchain import aave
from tests.onchain.aave import MOST, POOL_FEE, USD8, USDC_UNIT, WETH_UNIT

US, ANN, LENDER = 0, 1, 2
"""The liquidator, who borrows, who lends and competes."""
OWED = 15_500 * USDC_UNIT
HALF = OWED // 2
FUNDS = 50_000 * USDC_UNIT


@pytest.fixture(scope="module")
def built(anvil):
    """The market, once for the file: a loan of 15,500 on ten coins at 2,000."""

    async def make():
        world = World(anvil)
        try:
            market = await aave.build(world)
            await market.lend("usdc", 1_000_000 * USDC_UNIT, LENDER)
            await market.lend("weth", 10 * WETH_UNIT, ANN)
            await market.borrow("usdc", OWED, ANN)
            await market.mint("usdc", FUNDS, US)
            return market
        finally:
            await world.chain.close()

    return asyncio.run(make())


@pytest.fixture
async def market(built, world):
    return aave.Market(world, dict(built.at), built.kinds, built.linked)


@contextlib.asynccontextmanager
async def liquidator(
    market,
    tmp_path,
    *,
    live=True,
    urls=(),
    relay=None,
    swaps=True,
    feeds=None,
    memory=None,
    **changed,
):
    """One over the market, with a ledger of its own; what it has told is in `told`."""
    at = market.at
    said = []
    chain = Chain(
        options(*(urls or (market.world.server.url,))), clock=SystemClock(), tell=said.append
    )
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/arb.db")
    await upgrade(database)
    ledger = SqlAttempts(database, "liquidations:test")
    settings = replace(
        LiquidationOptions(pool=at["pool"], interval=0.05, small_debt_usd=0), **changed
    )
    terms = AaveOptions(
        pool=at["pool"], small_debt_usd=0, feeds=feeds or {}, feed_age_seconds_max=3600,
        coin=at["weth"],
    )  # fmt: skip
    pools = UniswapOptions(
        quoter=at["quoter"], router=at["router"], deadline=True, pool_fees=(POOL_FEE, 3000)
    )
    one = Liquidator(
        chain=chain,
        market=AaveMarket(chain, terms),
        swaps=UniswapV3(chain, pools) if swaps else None,
        ledger=ledger,
        clock=SystemClock(),
        options=settings,
        wallet=Wallet(chain, market.world.owner) if live else None,
        relay=relay,
        memory=memory,
        live=live,
        tell=said.append,
    )
    one.told, one.ledger, one.chain = said, ledger, chain
    try:
        await one.start()
        yield one
    finally:
        await ledger.close()
        await chain.close()


def ann(market):
    return market.world.signers[ANN].address


async def steps(one):
    return [fact.step for fact in await one.ledger.facts()]


async def test_a_position_falls_below_one_is_found_and_liquidated_for_what_was_quoted(
    market, tmp_path
):
    async with liquidator(market, tmp_path) as one:
        seen = await one.look()
        (near,) = seen.findings
        assert (near.borrower, seen.positions, seen.liquidatable) == (ann(market), 1, 0)
        # Debt grows by the second: 1.0645 and 0.9847 to four digits.
        assert Decimal(near.health.factor).scaleb(-18).quantize(Decimal("1.0000")) == Decimal(
            "1.0645"
        )
        await market.price("weth", 1850)
        before = await market.balance("usdc", market.world.owner.address)
        coins = await market.world.chain.balance("", market.world.owner.address)
        pledged = await market.balance("weth", market.world.owner.address)

        seen = await one.look()

        (found,) = seen.findings
        assert found.health.liquidatable
        assert Decimal(found.health.factor).scaleb(-18).quantize(Decimal("1.0000")) == Decimal(
            "0.9847"
        )
        assert (found.sources, found.refusal) == ((PriceSource.ORACLE,), None)
        assert HALF <= found.plan.seizure.repaid < HALF + USDC_UNIT
        worth = found.plan.seizure.received * 1850 * USDC_UNIT // WETH_UNIT
        assert worth - found.plan.seizure.repaid * 105 // 100 in (-2, -1, 0, 1)  # the bonus
        gained = await market.balance("usdc", market.world.owner.address) - before
        assert gained == found.plan.gain > 380 * USDC_UNIT  # quoted = realised, to the last unit
        assert await market.balance("weth", market.world.owner.address) == pledged
        assert await steps(one) == [
            AttemptStep.FOUND, AttemptStep.SIMULATED, AttemptStep.SUBMITTED,
            AttemptStep.CONTINUED, AttemptStep.CONTINUED, AttemptStep.CONTINUED,
            AttemptStep.INCLUDED,
        ]  # fmt: skip
        end = (await one.ledger.facts())[-1]
        assert int(end.values["gain"]) == gained
        paid = coins - await market.world.chain.balance("", market.world.owner.address)
        assert int(end.values["gas_wei"]) == paid
        stated = found.plan.returns
        assert abs(Decimal(end.values["returned_usd"]) - stated) < stated / 100
        assert one.record.inclusion_rate == 1
        assert abs(one.record.accuracy - 1) < Decimal("0.01")
        healthy = (await one.look()).findings
        assert not healthy or healthy[0].health.factor > 10**18


async def test_it_goes_on_with_the_backup_when_the_primary_node_is_dead(market, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{probe.getsockname()[1]}"
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path, urls=(dead, market.world.server.url)) as one:
        seen = await one.look()
        assert seen.findings[0].refusal is None
        assert (await steps(one))[-1] is AttemptStep.INCLUDED
        assert any("is asked instead" in str(said) for said in one.told)


async def test_without_any_node_it_pauses_and_goes_on_once_one_is_back(market, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{probe.getsockname()[1]}"
    async with liquidator(market, tmp_path, urls=(dead,)) as one:
        for _ in range(2):
            assert await one.try_look() is None
        assert (one.standing.state, one.standing.outage) == (TradingState.HALTED, True)
        assert (await one.ledger.standing()).outage
        for _ in range(8):
            assert await one.try_look() is None
        assert (one.standing.state, one.standing.pause) == (TradingState.HALTED, None)
        assert one.standing.reason == "10 errors in a row"
    async with liquidator(market, tmp_path) as one:  # a restart forgets no halt
        await market.price("weth", 1850)
        assert (await one.try_look()).findings[0].refusal is Refusal.HALTED
        resumed = Standing(since=datetime.now(UTC), by_operator=True)
        await one.ledger.set_standing(resumed)
        assert (await one.try_look()).findings[0].refusal is None
        assert one.standing == resumed


async def rival(market):
    """Somebody else liquidates first: the call is made and not mined yet."""
    at = market.at
    call = market.kinds["pool"].call(
        at["pool"], "liquidationCall", at["weth"], at["usdc"], ann(market), MOST, False, gas=900_000
    )
    signer = market.world.signers[LENDER]
    filled = await market.world.chain.fill(call, signer.address)
    dearer = replace(filled, fee=200 * 10**9, tip=100 * 10**9)
    return await market.world.chain.send(dearer, signer)


async def prepare_rival(market):
    await market.mint("usdc", FUNDS, LENDER)
    await market.do("usdc", "approve", market.at["pool"], FUNDS, by=LENDER)


async def test_when_a_rival_was_first_the_simulation_refuses_and_nothing_is_sent(
    market, tmp_path, monkeypatch
):
    await prepare_rival(market)
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path) as one:
        simulate = one._wallet.simulate

        async def late(calls, block):
            await market.world.chain.wait((await rival(market)).hash)
            return await simulate(calls, await one.chain.head())

        monkeypatch.setattr(Wallet, "simulate", lambda _self, calls, block: late(calls, block))
        coins = await market.world.chain.balance("", market.world.owner.address)
        (found,) = (await one.look()).findings
        assert found.refusal is Refusal.SIMULATION
        assert found.detail == "45"  # HEALTH_FACTOR_NOT_BELOW_THRESHOLD
        assert await steps(one) == [AttemptStep.FOUND, AttemptStep.REFUSED]
        assert await market.world.chain.balance("", market.world.owner.address) == coins


async def test_when_a_rival_is_first_in_the_block_no_more_is_lost_than_was_stated(
    market, tmp_path, monkeypatch
):
    await prepare_rival(market)
    await market.do("usdc", "approve", market.at["pool"], FUNDS, by=US)
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path) as one:
        send = one._wallet.send

        async def beaten(_self, signed):
            await market.world.control("evm_setAutomine", False)
            await rival(market)
            await send(signed)
            await market.world.control("evm_mine")
            await market.world.control("evm_setAutomine", True)

        monkeypatch.setattr(Wallet, "send", beaten)
        (found,) = (await one.look()).findings
        end = (await one.ledger.facts())[-1]
        assert end.step is AttemptStep.REVERTED
        lost = -Decimal(end.values["returned_usd"])
        assert 0 < lost <= found.plan.costs
        assert (one.record.reverted, one.record.failures_in_row) == (1, 1)
        assert one.record.returned == -lost


async def test_an_approval_alone_is_no_liquidation(market, tmp_path, monkeypatch):
    """A rival comes between the approval and the call: what is lost is its gas."""
    await prepare_rival(market)
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path) as one:
        simulate, asked = Wallet.simulate, []

        async def beaten(self, calls, block):
            asked.append(len(calls))
            if len(asked) == 2:
                await market.world.chain.wait((await rival(market)).hash)
                block = await one.chain.head()
            return await simulate(self, calls, block)

        monkeypatch.setattr(Wallet, "simulate", beaten)
        await one.look()
        assert asked == [4, 3]
        end = (await one.ledger.facts())[-1]
        assert (end.step, one.record.included) == (AttemptStep.REVERTED, 0)
        assert "the rest was not sent: 45" in end.detail
        assert Decimal(end.values["returned_usd"]) < 0
        assert not one.record.open


async def test_a_swap_that_no_node_takes_leaves_the_collateral_on_record(
    market, tmp_path, monkeypatch
):
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path) as one:
        send, sent = Wallet.send, []

        async def refused(self, signed):
            sent.append(signed)
            if len(sent) == 4:
                raise TransactionRefused("not today")
            await send(self, signed)

        monkeypatch.setattr(Wallet, "send", refused)
        before = await market.balance("weth", market.world.owner.address)
        (found,) = (await one.look()).findings
        held = await market.balance("weth", market.world.owner.address) - before
        assert held == found.plan.seizure.received > 0
        end = (await one.ledger.facts())[-1]
        assert end.step is AttemptStep.INCLUDED
        assert "not today" in end.detail
        assert f"{held} of WETH are held" in end.detail
        assert (int(end.values["held"]), one.record.included) == (held, 1)


async def test_an_interrupted_sequence_is_closed_with_what_it_has_done(
    market, tmp_path, monkeypatch
):
    """The swap reached no block: it is replaced, and the collateral stays on record."""
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path) as one:
        send, wait, sent = Wallet.send, Chain.wait, []

        async def lost(self, signed):
            sent.append(signed.hash)
            if len(sent) != 4:
                await send(self, signed)

        async def impatient(self, hash_, *, blocks=None):
            return None if len(sent) == 4 else await wait(self, hash_, blocks=blocks)

        monkeypatch.setattr(Wallet, "send", lost)
        monkeypatch.setattr(Chain, "wait", impatient)
        before = await market.balance("weth", market.world.owner.address)
        await one.look()
        held = await market.balance("weth", market.world.owner.address) - before
        assert list(one.record.open) and held > 0
    async with liquidator(market, tmp_path) as one:  # another process, the same ledger
        assert list(one.record.open)
        for _ in range(20):
            await market.world.control("anvil_mine", "0x10")
            await one.look()
            if not one.record.open:
                break
        end = [fact for fact in await one.ledger.facts() if fact.step is AttemptStep.INCLUDED]
        assert [int(fact.values["held"]) for fact in end] == [held]
        assert f"{held} of WETH are held" in end[0].detail
        assert (one.record.included, one.record.dropped) == (1, 0)


def _feed(price, age=0):
    """A contract that answers whatever it is asked: 8 decimals, the price, as of so long ago."""
    words = ("6008", f"63{price >> 8 & 0xFFFFFFFF:08x}60081b60{price & 0xFF:02x}17")
    old = f"61{age:04x}4203"
    parts = [*words, old, old, "6001"]
    stored = (f"{part}60{32 * place:02x}52" for place, part in enumerate(parts))
    return "0x" + "".join(stored) + "60a06000f3"


async def test_an_oracle_that_the_pool_contradicts_and_one_that_fails_are_not_traded_on(
    market, tmp_path
):
    feed = "0x" + "fe" * 20
    feeds = {market.at["weth"]: feed}
    async with liquidator(market, tmp_path, feeds=feeds, watch_below=Decimal(3)) as one:
        # Below 1 by the oracle, and its price is 4 percent above what the pool pays.
        await market.borrow("usdc", 490 * USDC_UNIT, ANN)
        await market.price("weth", 1930)
        (found,) = (await one.look()).findings
        assert found.health.liquidatable
        assert found.refusal is Refusal.ORACLE_DOUBTFUL
        await market.put(
            "broken",
            f"{aave.AAVE}/mocks/oracle/CLAggregators/MockAggregator.sol/MockAggregator.json", 0,
        )  # fmt: skip
        await market.do("oracle", "setAssetSources", [market.at["weth"]], [market.at["broken"]])
        (found,) = (await one.look()).findings
        assert found.refusal is Refusal.UNPRICED  # there is nothing at the feed's address
        await market.world.control("anvil_setCode", feed, _feed(1850 * USD8))
        (found,) = (await one.look()).findings
        assert found.health.liquidatable
        assert set(found.sources) == {PriceSource.FALLBACK, PriceSource.ORACLE}
        assert found.refusal is Refusal.FALLBACK_PRICE
        await market.world.control("anvil_setCode", feed, _feed(1850 * USD8, age=3601))
        assert (await one.look()).findings[0].refusal is Refusal.UNPRICED
        kept = [fact.values for fact in await one.ledger.facts()]
        assert [fact["refusal"] for fact in kept] == ["oracle_doubtful", "fallback_price"]
        assert kept[1]["prices"] == "fallback oracle"


async def test_health_is_what_the_contract_computes_and_only_whom_logs_name_is_read_again(
    market, tmp_path
):
    """Interest, two collaterals, a debt in each token, an efficiency mode."""
    await market.lend("usdc", 3_000 * USDC_UNIT, ANN)
    await market.lend("weth", 2 * WETH_UNIT, US)
    await market.borrow("usdc", 100 * USDC_UNIT, US)
    await market.borrow("weth", WETH_UNIT // 10, US)
    await market.do("configurator", "setEModeCategory", 1, 9000, 9300, 10100, aave.NOTHING, "coins")
    await market.do("configurator", "setAssetEModeCategory", market.at["weth"], 1)
    await market.lend("weth", 3 * WETH_UNIT, LENDER)
    await market.do("pool", "setUserEMode", 1, by=LENDER)
    await market.borrow("weth", WETH_UNIT, LENDER)

    async def later(days):
        await market.world.control("evm_increaseTime", 86_400 * days)
        await market.world.control("evm_mine")

    await later(200)
    async with liquidator(market, tmp_path, live=False, watch_below=Decimal(10**6)) as one:

        async def agreed():
            seen = await one.look()
            assert len(seen.findings) == 3
            for found in seen.findings:
                assert found.health == await one._market.health(found.borrower, seen.block)
            return dict(one._tracker.positions)

        first = await agreed()
        await later(30)
        assert await agreed() == first  # interest needs no read
        await market.borrow("usdc", USDC_UNIT, ANN)
        then = await agreed()
        others = first.keys() - {ann(market)}
        assert then[ann(market)] != first[ann(market)]
        assert all(then[who] is first[who] for who in others)


async def test_a_node_that_fails_while_it_catches_up_costs_no_more_than_a_piece(
    market, tmp_path, monkeypatch
):
    monkeypatch.setattr(looking, "LOGS_AT_ONCE", 9)
    async with liquidator(market, tmp_path, live=False, watch_below=Decimal(1000)) as one:
        read, asked = AaveMarket.touched, []

        async def fails_once(self, first, last):
            asked.append((first, last))
            if len(asked) == 3:
                raise Unavailable("away")
            return await read(self, first, last)

        monkeypatch.setattr(AaveMarket, "touched", fails_once)
        assert await one.try_look() is None
        seen = await one.try_look()
        assert asked[:4] == [(0, 9), (10, 19), (20, 29), (20, 29)]
        assert asked[-1][1] == seen.block.number
        assert [found.borrower for found in seen.findings] == [ann(market)]
        before = len(asked)
        await one.try_look()
        assert len(asked) == before  # of the same block nothing is asked again
        assert len(one._tracker.anchors()) == len({one.number for one in one._tracker.anchors()})


async def test_borrowers_are_remembered_over_a_restart_and_read_from_the_chain_again(
    market, tmp_path, monkeypatch
):
    file, name = tmp_path / "kept" / "borrowers.json", f"{CHAIN_ID}/{market.at['pool']}"
    read, asked = AaveMarket.touched, []

    async def counted(self, first, last):
        asked.append(first)
        return await read(self, first, last)

    monkeypatch.setattr(AaveMarket, "touched", counted)

    async def look():
        async with liquidator(
            market, tmp_path, live=False, watch_below=Decimal(1000), memory=Memory(file, name)
        ) as one:
            seen = await one.look()
            for found in seen.findings:
                assert found.health == await one._market.health(found.borrower, seen.block)
            return [found.borrower for found in seen.findings]

    assert await look() == [ann(market)]
    kept = json.loads(file.read_text())
    assert ann(market) in kept["borrowers"]
    await market.borrow("usdc", USDC_UNIT, ANN)
    assert await look() == [ann(market)]
    assert asked == [0, kept["block"] + 1]
    for wrong in ("", "[]", json.dumps({**kept, "market": "1/0x"}), json.dumps({**kept, "block": "7"}),
                  json.dumps({**kept, "hash": "0x" + "0" * 64})):  # fmt: skip
        file.write_text(wrong)
        assert await look() == [ann(market)]
        assert asked[-1] == 0
    made_up = "0x" + "9" * 40
    file.write_text(json.dumps({**kept, "borrowers": [ann(market), made_up]}))
    assert await look() == [ann(market)]


async def test_a_reorganisation_is_followed(market, tmp_path):
    async with liquidator(market, tmp_path, live=False, watch_below=Decimal(1000)) as one:
        first = (await one.look()).findings[0].health
        snapshot = await market.world.control("evm_snapshot")
        await market.borrow("usdc", 400 * USDC_UNIT, ANN)
        more = (await one.look()).findings[0].health
        assert more.debt > first.debt
        await market.world.control("evm_revert", snapshot)
        await market.world.control("anvil_mine", "0x2")
        seen = await one.look()
        (found,) = seen.findings
        assert found.health.debt < more.debt
        assert found.health == await one._market.health(found.borrower, seen.block)


class FakeRelay:
    """A relay on loopback that keeps what it is offered, and includes it or not."""

    def __init__(self):
        self.offers, self.answer = [], {"result": {"bundleHash": "0xb"}}
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                relay.offers.append((dict(self.headers), json.loads(body), body))
                content = json.dumps({"jsonrpc": "2.0", "id": 1, **relay.answer}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def relay():
    one = FakeRelay()
    yield one
    one.close()


@contextlib.asynccontextmanager
async def blocks(market, relay, *, include):
    """A block after each offer to the relay: what was offered is in it, or not."""
    await market.world.control("evm_setAutomine", False)

    async def mine():
        done = 0
        while True:
            await asyncio.sleep(0.01)
            for _, asked, _ in relay.offers[done:]:
                done += 1
                for raw in asked["params"][0]["txs"] if include else ():
                    await market.world.control("eth_sendRawTransaction", raw)
                await market.world.control("evm_mine")

    task = asyncio.create_task(mine())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await market.world.control("evm_setAutomine", True)


async def test_a_bundle_is_signed_offered_and_included_whole(market, tmp_path, relay):
    await market.price("weth", 1850)
    place = Relay(relay.url)
    async with (
        liquidator(market, tmp_path, relay=place) as one,
        blocks(market, relay, include=True),
    ):
        (found,) = (await one.look()).findings
        assert await steps(one) == [
            AttemptStep.FOUND, AttemptStep.SIMULATED, AttemptStep.SUBMITTED, AttemptStep.INCLUDED,
        ]  # fmt: skip
        assert found.plan.costs == 0  # a bundle that fails is not included
        headers, asked, body = relay.offers[0]
        assert asked["method"] == "eth_sendBundle"
        (bundle,) = asked["params"]
        assert len(bundle["txs"]) == 4
        assert int(bundle["blockNumber"], 16) > found.block
        from eth_account import Account
        from eth_account.messages import encode_defunct
        from web3 import Web3

        who, _, signature = {k.lower(): v for k, v in headers.items()}[
            "x-flashbots-signature"
        ].partition(":")
        digest = Web3.keccak(body).to_0x_hex()
        signer = Account.recover_message(encode_defunct(text=digest), signature=signature)
        assert signer == who == Web3.to_checksum_address(market.world.owner.address)
    await place.close()


async def test_below_half_included_it_is_throttled(market, tmp_path, relay):
    await market.price("weth", 1850)
    place = Relay(relay.url)
    async with (
        liquidator(market, tmp_path, relay=place, inclusion_window=3, bundle_blocks=1) as one,
        blocks(market, relay, include=False),
    ):
        for _ in range(3):
            await one.try_look()
        assert one.standing.state is TradingState.THROTTLED
        assert one.standing.reason == "0 of the latest 3 submissions were included"
        assert (await one.ledger.standing()).state is TradingState.THROTTLED
        assert await market.balance("usdc", market.world.owner.address) == FUNDS
        assert one.record.dropped == 3
    await place.close()


async def test_what_an_interruption_left_is_looked_up_by_the_next_process(
    market, tmp_path, monkeypatch
):
    await market.do("usdc", "approve", market.at["pool"], FUNDS, by=US)
    await market.price("weth", 1850)
    before = await market.balance("weth", market.world.owner.address)
    async with liquidator(market, tmp_path) as one:
        send = Wallet.send

        async def unheard(wallet, signed):
            await send(wallet, signed)
            raise Unavailable("the answer was lost")

        monkeypatch.setattr(Wallet, "send", unheard)
        assert await one.try_look() is None
        assert (await steps(one))[-1] is AttemptStep.SUBMITTED
        assert one.errors_in_row == 1
    monkeypatch.undo()
    async with liquidator(market, tmp_path) as one:
        assert len(one.record.open) == 1
        await one.look()
        end = (await one.ledger.facts())[-1]
        assert (end.step, one.record.open) == (AttemptStep.INCLUDED, {})
        held = await market.balance("weth", market.world.owner.address) - before
        assert int(end.values["held"]) == held > 4 * WETH_UNIT
        assert 340 < Decimal(end.values["returned_usd"]) < 388  # the bonus less gas and bribe


async def test_a_transaction_that_no_block_takes_gives_its_place_to_an_empty_one(
    market, tmp_path, monkeypatch
):
    await market.do("usdc", "approve", market.at["pool"], FUNDS, by=US)
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path) as one:

        async def lost(_wallet, _signed):
            raise Unavailable("it never left")

        monkeypatch.setattr(Wallet, "send", lost)
        assert await one.try_look() is None
        monkeypatch.undo()
        nonce = await one._wallet.nonce()
        assert (await one.try_look()).standing.state is TradingState.NORMAL  # a node answers
        (found,) = (await one.look()).findings
        assert found.refusal is Refusal.BUSY  # nothing else may take its nonce before
        await market.world.control("anvil_mine", hex(one.chain.options.wait_blocks + 1))
        assert (await one.look()).findings[0].refusal is Refusal.BUSY
        assert await one._wallet.nonce() == nonce + 1
        (found,) = (await one.look()).findings
        told = await steps(one)
        assert told[told.index(AttemptStep.SUBMITTED) + 1 :].count(AttemptStep.DROPPED) == 1
        assert (told[-1], found.refusal) == (AttemptStep.INCLUDED, None)
        assert (one.record.dropped, one.record.included) == (1, 1)


async def test_what_is_only_looked_at_sends_nothing(market, tmp_path):
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path, live=False) as one:
        (found,) = (await one.look()).findings
        assert found.refusal is Refusal.LOOK_ONLY
        assert 7750 <= found.plan.repays < 7751
        assert await steps(one) == [AttemptStep.REFUSED]
        await one.look()
        assert await steps(one) == [AttemptStep.REFUSED]  # the same refusal is kept once


async def test_nodes_contracts_and_the_wallet_are_checked_before_anything_is_sent(market, tmp_path):
    async def failed(one):
        return [check.name for check in await one.checks() if not check.passed]

    async with liquidator(market, tmp_path) as one:
        block = (await one.chain.head()).number
        assert await failed(one) == []
        nodes = (await one.checks())[0]
        assert nodes.detail == f"block {block} of local; sequences are simulated"
        await market.world.control("anvil_setBalance", market.world.owner.address, hex(9 * 10**16))
        assert await failed(one) == ["liquidations: wallet"]
        assert "has 0.09 ETH, at least 0.1 is needed" in (await one.checks())[-1].detail
        await market.world.control("anvil_setCode", market.at["pool"], "0x")
        await market.world.control("anvil_setCode", market.at["router"], "0x")
        assert await failed(one) == [
            "liquidations: the market's contracts",
            "liquidations: the pools' contracts",
            "liquidations: wallet",
        ]


async def test_limits_hold(market, tmp_path):
    await market.price("weth", 1850)
    async with liquidator(market, tmp_path, max_daily_usd=Usd(Decimal(7000))) as one:
        assert (await one.look()).findings[0].refusal is Refusal.DAILY_VOLUME
    async with liquidator(market, tmp_path, min_profit_usd=Usd(Decimal(1000))) as one:
        assert (await one.look()).findings[0].refusal is Refusal.BELOW_MIN_PROFIT
    async with liquidator(market, tmp_path, swaps=False) as one:
        assert (await one.look()).findings[0].refusal is Refusal.NO_QUOTE
    async with liquidator(market, tmp_path) as one:
        await market.do("usdc", "transfer", ann(market), FUNDS)
        assert (await one.look()).findings[0].refusal is Refusal.NO_FUNDS
