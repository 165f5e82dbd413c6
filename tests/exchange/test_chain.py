"""The embedded chain, through the unmodified official SDK and through our own calls."""

import asyncio
import copy
import dataclasses
import functools
import itertools
import random
import sys
import time

import httpx
import pytest
import pytest_asyncio

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.exchange.api.server import serve
from arb.exchange.chain.addresses import DEPLOYMENT
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.market.builder import Builder
from arb.exchange.market.exchange import Exchange
from arb.net.rpc import Call, Reverted, Rpc, RpcOptions, TransactionRefused

polymarket = pytest.importorskip("polymarket")
eth_account = pytest.importorskip("eth_account")

from polymarket import PRODUCTION, AsyncSecureClient  # noqa: E402
from polymarket._internal.environment import (  # noqa: E402
    create_environment,
    get_environment_config,
)
from polymarket._internal.wallet import (  # noqa: E402
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
    derive_uups_deposit_wallet_address,
)
from polymarket.auth import BuilderApiKey, RelayerApiKey  # noqa: E402
from polymarket.calls import TransactionCall  # noqa: E402
from polymarket.models.clob.api_key import ApiKeyCreds  # noqa: E402

STRANGER_KEY = "0x" + "5d" * 32
pytestmark = pytest.mark.asyncio(loop_scope="module")
BOOK = Contracts()
FAST = {"block_seconds": 0.02, "mined_after": 0.02, "finality_delay": 0.02, "executed_after": 0.01}
DERIVATION = get_environment_config(PRODUCTION).wallet_derivation
RELAYED = ["GNOSIS_SAFE", "POLY_PROXY", "DEPOSIT_WALLET"]
KINDS = ["EOA", *RELAYED]
ONE = 1_000_000
CREDENTIALS = ApiKeyCreds(
    key="00000000-0000-4000-8000-000000000001", secret="c2VjcmV0", passphrase="p"
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    # A dozen HTTP clients per session would each read all certificates, for plain HTTP.
    monkeypatch.setattr(httpx._transports.default, "create_ssl_context", _one_ssl_context)


@functools.cache
def _one_ssl_context(**_):
    return httpx.create_ssl_context(verify=False)


def _events():
    """One plain v1 market, one exclusive v1 event of four, one v2 market."""
    build = Builder(random.Random("chain"))
    quotes = [("0.4", 100)], [("0.5", 100)]
    four = [build.market(f"exclusive-{n}", *quotes) for n in range(1, 5)]
    return [
        build.event("plain", [build.market("plain-1", *quotes)]),
        build.event("exclusive", four, neg_risk=True),
        build.event("second", [build.market("second-1", *quotes, version="v2")]),
    ]


class World:
    """One exchange, one key, and helpers."""

    def __init__(self, exchange, address, client, number):
        self.exchange, self.address, self.http = exchange, address, client
        self.opened = []
        self.key = f"0x{number:064x}"
        self.owner = owner = eth_account.Account.from_key(self.key).address
        self.wallets = {
            "EOA": owner,
            "GNOSIS_SAFE": derive_safe_wallet_address(owner, DERIVATION),
            "POLY_PROXY": derive_proxy_wallet_address(owner, DERIVATION),
            "DEPOSIT_WALLET": derive_beacon_deposit_wallet_address(owner, DERIVATION),
        }
        self.api_key = RelayerApiKey(key="relayer-key", address=owner)

    async def control(self, **order):
        answer = await self.http.post("/_control", json={"chain": order})
        assert answer.status_code == 200, answer.text

    async def conduct(self, **fields):
        await self.control(conduct=fields)

    async def secure(self, kind, *, api_key=None):
        config = dataclasses.replace(
            get_environment_config(PRODUCTION),
            **dict.fromkeys(URLS, self.address),
            **{name: self.address.replace("http", "ws") + "/ws" for name in SOCKETS},
            rpc_url=self.address + "/rpc",
            relayer_poll_frequency_ms=20,
        )
        client = await AsyncSecureClient._create(
            private_key=self.key,
            wallet=self.wallets[kind],
            environment=create_environment(name="embedded", config=config),
            credentials=CREDENTIALS,
            api_key=api_key or self.api_key,
            validate_credentials=False,
        )
        self.opened.append(client)
        return client

    def rpc(self):
        options = RpcOptions(urls=(self.address + "/rpc",))
        rpc = Rpc(options, monotonic=time.monotonic)
        self.opened.append(rpc)
        return rpc

    async def ready(self, kind, dollars=100):
        """A client whose wallet has money and has permitted what is needed."""
        wallet = self.wallets[kind]
        await self.control(deposit={wallet: str(dollars)})
        client = await self.secure(kind)
        permissions = [
            calls.approve(BOOK, spender, dollars * ONE)
            for spender in (
                BOOK.collateral_adapter,
                BOOK.neg_risk_collateral_adapter,
                BOOK.router,
            )
        ]
        permissions += [
            calls.set_approval_for_all(BOOK.conditional_tokens, BOOK.collateral_adapter),
            calls.set_approval_for_all(BOOK.conditional_tokens, BOOK.neg_risk_collateral_adapter),
            calls.set_approval_for_all(BOOK.position_manager, BOOK.router),
        ]
        await self.do(client, *permissions)
        return client

    async def do(self, client, *wanted):
        handle = await client.execute_transaction(
            calls=[TransactionCall(to=c.to, data=c.data, value=c.value) for c in wanted]
        )
        return await handle.wait()

    async def truth(self, wallet):
        truth = (await self.http.get("/_chain")).json()
        assert truth["problems"] == []
        held = truth["wallets"].get(wallet.lower(), {"usd": "0", "tokens": {}})
        return float(held["usd"]), {k: float(v) for k, v in held["tokens"].items()}

    def market(self, *, version="v1", neg_risk=False):
        return next(
            m
            for e in self.exchange.events
            for m in e.markets
            if (m.version, e.neg_risk) == (version, neg_risk) and len(m.outcomes) == 2
        )


URLS = [
    "clob_url",
    "gamma_url",
    "data_url",
    "relayer_url",
    "rfq_url",
    "builder_gateway_url",
    "collateral_return_url",
    "perps_url",
]
SOCKETS = [
    "clob_market_ws_url",
    "clob_user_ws_url",
    "rtds_ws_url",
    "sports_ws_url",
    "realtime_ws_url",
    "perps_ws_url",
    "rfq_quoter_ws_url",
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served():
    exchange = Exchange(_events(), SystemClock(), random.Random(1))
    async with serve(exchange) as address:
        yield exchange, address, itertools.count(1000)


@pytest_asyncio.fixture(loop_scope="module")
async def world(served):
    """One server for all tests; each has its own owner, fresh markets and a chain that behaves."""
    exchange, address, numbers = served
    exchange.show(_events())
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        world = World(exchange, address, client, next(numbers))
        await world.conduct(**dataclasses.asdict(ChainBehaviour()) | FAST)
        await world.control(keys={})
        yield world
        for one in world.opened:
            await one.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("neg_risk", [False, True])
async def test_the_sdk_splits_merges_and_redeems(world, kind, neg_risk):
    market, wallet = world.market(neg_risk=neg_risk), world.wallets[kind]
    client = await world.ready(kind)
    handle = await client.split_position(condition_id=market.condition_id, amount=30 * ONE)
    assert (await handle.wait()).transaction_hash.startswith("0x")
    assert await world.truth(wallet) == (70, {market.yes: 30, market.no: 30})
    await (await client.merge_positions(condition_id=market.condition_id, amount=10 * ONE)).wait()
    assert await world.truth(wallet) == (80, {market.yes: 20, market.no: 20})
    yes = "1" if neg_risk else "0.5"
    await world.http.post("/_control", json={"resolve": {"market": market.slug, "yes": yes}})
    await (await client.redeem_positions(condition_id=market.condition_id)).wait()
    assert await world.truth(wallet) == (100, {})


@pytest.mark.parametrize("kind", ["EOA", "DEPOSIT_WALLET"])
async def test_the_router_splits_merges_and_redeems_v2(world, kind):
    market, wallet = world.market(version="v2"), world.wallets[kind]
    client, condition = await world.ready(kind), market.condition_id
    await world.do(client, calls.router_split(BOOK, condition, 30 * ONE))
    assert await world.truth(wallet) == (70, {market.yes: 30, market.no: 30})
    await world.do(client, calls.router_merge(BOOK, condition, 10 * ONE))
    await world.http.post("/_control", json={"resolve": {"market": market.slug, "yes": "0.5"}})
    await world.do(client, calls.router_redeem(BOOK, condition, 0, 5 * ONE))
    assert await world.truth(wallet) == (82.5, {market.yes: 15, market.no: 20})
    rpc = world.rpc()
    for book, held in ((BOOK.position_manager, 15 * ONE), (BOOK.conditional_tokens, 0)):
        assert await rpc.call(calls.shares(book, wallet, market.yes)) == held


async def test_the_sdk_merges_all_there_is_and_reads_balances_over_rpc(world):
    market = world.market(neg_risk=True)
    client = await world.ready("EOA")
    await (await client.split_position(condition_id=market.condition_id, amount=9 * ONE)).wait()
    rpc = world.rpc()
    view = calls.shares_of_many(BOOK.conditional_tokens, world.owner, [market.yes, market.no])
    assert await rpc.call(view) == (9 * ONE, 9 * ONE)
    assert await rpc.call(calls.dollars(BOOK, world.owner)) == 91 * ONE
    await (await client.merge_positions(condition_id=market.condition_id, amount="max")).wait()
    assert await rpc.call(view) == (0, 0)


def _exclusive(exchange):
    return next(e for e in exchange.events if e.neg_risk and e.version == "v1" and not e.closed)


@pytest.mark.parametrize("kind", ["EOA", "DEPOSIT_WALLET"])
async def test_a_conversion_gives_cash_and_the_other_yes_less_the_fee(world, kind):
    event = _exclusive(world.exchange)
    await world.conduct(fee_bips=100, questions="reversed")
    client, wallet = await world.ready(kind), world.wallets[kind]
    rpc = world.rpc()
    id_ = event.markets[0].neg_risk_id
    count = await rpc.call(calls.question_count(BOOK, id_))
    assert count == len(event.markets)
    assert await rpc.call(calls.fee_bips(BOOK, id_)) == 100
    assert (await rpc.call(calls.market_data(BOOK, id_))).questions == count
    where = {await rpc.call(calls.condition_of_question(BOOK, id_, at)): at for at in range(count)}
    assert where[event.markets[0].condition_id] == count - 1
    given = event.markets[:2]
    for market in given:
        split = calls.split(BOOK, market.condition_id, 10 * ONE, neg_risk=True)
        await world.do(client, split)
    indices = [where[market.condition_id] for market in given]
    await world.do(client, calls.convert(BOOK, id_, indices, 10 * ONE))
    usd, tokens = await world.truth(wallet)
    assert usd == pytest.approx(100 - 20 + 9.9)
    assert tokens == {m.yes: 10 for m in given} | {m.yes: 9.9 for m in event.markets[2:]}


async def test_a_full_no_set_is_cash_and_a_hidden_question_shows_in_the_count(world):
    event = _exclusive(world.exchange)
    client, rpc = await world.ready("EOA"), world.rpc()
    id_, count = event.markets[0].neg_risk_id, len(event.markets)
    for market in event.markets:
        await world.do(client, calls.split(BOOK, market.condition_id, ONE, neg_risk=True))
    await world.do(client, calls.convert(BOOK, id_, range(count), ONE))
    usd, tokens = await world.truth(world.owner)
    assert usd == 99
    assert tokens == {m.yes: 1 for m in event.markets}
    await world.conduct(hidden_questions=2)
    assert await rpc.call(calls.question_count(BOOK, id_)) == count + 2
    with pytest.raises(Reverted, match="InvalidIndexSet"):
        await rpc.call_raw(calls.convert(BOOK, id_, [count + 2], ONE), sender=world.owner)


async def test_a_node_says_what_would_revert_and_why(world):
    market = world.market()
    await world.control(deposit={world.owner: "5"})
    rpc = world.rpc()
    split = calls.split(BOOK, market.condition_id, 10 * ONE, neg_risk=False)
    with pytest.raises(Reverted, match="InsufficientAllowance"):
        await rpc.estimate_gas(split, world.owner)
    with pytest.raises(Reverted, match="other adapter"):
        wrong = calls.split(BOOK, market.condition_id, ONE, neg_risk=True)
        await rpc.call_raw(wrong, sender=world.owner)
    with pytest.raises(Reverted, match="result for condition not received yet"):
        redeem = calls.redeem(BOOK, market.condition_id, neg_risk=False)
        await rpc.call_raw(redeem, sender=world.owner)
    with pytest.raises(Reverted, match="not prepared"):
        unknown = calls.merge(BOOK, "0x" + "00" * 32, ONE, neg_risk=False)
        await rpc.call_raw(unknown, sender=world.owner)
    with pytest.raises(Reverted):
        await rpc.call_raw(Call(BOOK.router, "0xdeadbeef"), sender=world.owner)
    assert await rpc.call_raw(Call("0x" + "77" * 20, "0xdeadbeef"), sender=world.owner) == "0x"
    assert await rpc.code(BOOK.router) != "0x"
    assert await rpc.code(world.owner) == "0x"


def _signed(world, nonce=0, call=None, **changes):
    call = call or calls.approve(BOOK, BOOK.router, 5)
    fields = {
        "to": call.to,
        "data": call.data,
        "value": 0,
        "gas": 200_000,
        "gasPrice": 30 * 10**9,
        "nonce": nonce,
        "chainId": 137,
    } | changes
    if "maxFeePerGas" in changes:
        del fields["gasPrice"]
    signed = eth_account.Account.sign_transaction(fields, world.key)
    return "0x" + signed.raw_transaction.hex(), "0x" + signed.hash.hex()


async def _receipt(rpc, hash_):
    for _ in range(200):
        receipt = await rpc.receipt(hash_)
        if receipt is not None:
            return receipt
        await asyncio.sleep(0.01)
    raise AssertionError("never mined")


@pytest.mark.parametrize(
    "changes", [{}, {"type": 2, "maxFeePerGas": 40 * 10**9, "maxPriorityFeePerGas": 30 * 10**9}]
)
async def test_signed_transactions_of_both_kinds_are_mined_once(world, changes):
    rpc = world.rpc()
    raw, hash_ = _signed(world, **changes)
    before = await rpc.balance(world.owner)
    await rpc.send_raw(raw, hash_)
    await rpc.send_raw(raw, hash_)
    assert await rpc.transaction_count(world.owner) == 1
    receipt = await _receipt(rpc, hash_)
    assert receipt.succeeded
    assert (await rpc.block(receipt.block)).hash == receipt.block_hash
    assert await rpc.transaction_count(world.owner, block="latest") == 1
    assert await rpc.call(calls.allowance(BOOK, world.owner, BOOK.router)) == 5
    assert before - await rpc.balance(world.owner) >= receipt.gas_used * 30 * 10**9
    with pytest.raises(TransactionRefused, match="nonce too low"):
        await rpc.send_raw(*_signed(world, 0, calls.approve(BOOK, BOOK.router, 6)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chainId": 1}, "chain id"),
        ({"gas": 21_000}, "intrinsic gas"),
        ({"gasPrice": 10**15}, "insufficient funds"),
    ],
)
async def test_a_node_refuses_what_can_never_be_mined(world, changes, said):
    with pytest.raises(TransactionRefused, match=said):
        await world.rpc().send_raw(*_signed(world, **changes))


async def test_a_transaction_that_offers_too_little_waits_and_can_be_replaced(world):
    rpc = world.rpc()
    await world.conduct(gas_price_needed=40 * 10**9)
    raw, stuck = _signed(world)
    await rpc.send_raw(raw, stuck)
    with pytest.raises(TransactionRefused, match="underpriced"):
        await rpc.send_raw(
            *_signed(world, call=calls.approve(BOOK, BOOK.router, 6), gasPrice=31 * 10**9)
        )
    raw, better = _signed(world, call=calls.approve(BOOK, BOOK.router, 6), gasPrice=50 * 10**9)
    await rpc.send_raw(raw, better)
    assert (await _receipt(rpc, better)).succeeded
    assert await rpc.receipt(stuck) is None


async def test_too_little_gas_is_mined_and_fails(world):
    await world.conduct(gas_underestimated=True)
    client = await world.secure("EOA")
    with pytest.raises(polymarket.TransactionFailedError):
        await world.do(client, calls.approve(BOOK, BOOK.router, 5))
    rpc = world.rpc()
    assert await rpc.call(calls.allowance(BOOK, world.owner, BOOK.router)) == 0
    assert await rpc.transaction_count(world.owner) == 1


async def test_stale_reads_show_yesterday_and_a_block_number_makes_that_visible(world):
    from arb.domain.errors import Unavailable

    rpc = world.rpc()
    raw, hash_ = _signed(world)
    await rpc.send_raw(raw, hash_)
    mined = await _receipt(rpc, hash_)
    await world.conduct(stale_reads=30)
    view = calls.allowance(BOOK, world.owner, BOOK.router)
    assert await rpc.call(view) == 0
    with pytest.raises(Unavailable, match="header not found"):
        await rpc.call(view, block=mined.block)
    await world.conduct(stale_reads=0)
    assert await rpc.call(view, block=mined.block) == 5
    assert await rpc.call(view, block=mined.block - 1) == 0


@pytest.mark.parametrize("drops", [False, True])
async def test_a_reorganisation_undoes_what_was_mined(world, drops):
    rpc = world.rpc()
    await world.conduct(reorg_drops=drops, mined_after=0.1)
    raw, hash_ = _signed(world)
    await rpc.send_raw(raw, hash_)
    first = await _receipt(rpc, hash_)
    await world.control(reorg=100)
    assert await rpc.receipt(hash_) is None
    assert await rpc.call(calls.allowance(BOOK, world.owner, BOOK.router)) == 0
    assert (await rpc.block(first.block)).hash != first.block_hash
    if drops:
        assert await rpc.transaction_count(world.owner) == 0
    else:
        assert (await _receipt(rpc, hash_)).block >= first.block
        assert await rpc.call(calls.allowance(BOOK, world.owner, BOOK.router)) == 5


async def test_finality_lags_behind(world):
    rpc = world.rpc()
    await world.conduct(finality_delay=60)
    newest, final = await rpc.block(), await rpc.block("finalized")
    assert final.number < newest.number
    assert await rpc.block(newest.number + 10**6) is None


async def test_a_node_can_be_down_or_ask_to_wait(world):
    from arb.domain.errors import RateLimited, Unavailable

    rpc = world.rpc()
    await world.conduct(rpc_down=True)
    with pytest.raises(Unavailable):
        await rpc.gas_price()
    await world.conduct(rpc_down=False, rpc_429=1.0)
    with pytest.raises(RateLimited):
        await rpc.gas_price()
    await world.conduct(rpc_429=0.0)
    assert await rpc.gas_price() == 30 * 10**9


async def test_json_rpc_answers_batches_and_what_it_does_not_know(world):
    ask = {"jsonrpc": "2.0", "method": "eth_chainId", "params": []}
    batch = [ask | {"id": 1}, ask | {"id": 2, "method": "eth_coinbase"}, 7]
    answers = (await world.http.post("/rpc", json=batch)).json()
    assert answers[0]["result"] == "0x89"
    assert [a["error"]["code"] for a in answers[1:]] == [-32601, -32600]
    bad = {"id": 3, "method": "eth_getBalance", "params": []}
    assert (await world.http.post("/rpc", json=bad)).json()["error"]["code"] == -32602
    raw = {"id": 4, "method": "eth_sendRawTransaction", "params": ["0x01"]}
    assert (await world.http.post("/rpc", json=raw)).json()["error"]["code"] == -32000


async def test_the_sdk_sees_which_approvals_are_missing(world):
    from polymarket._internal.actions.relayer.approvals import get_trading_approvals_state

    client = await world.secure("EOA")
    config = get_environment_config(client.environment)
    state = await get_trading_approvals_state(client._ctx.rpc, wallet=world.owner, config=config)
    assert not state.is_fully_approved
    assert len(state.missing.erc20) == 7


@pytest.mark.parametrize("kind", RELAYED)
async def test_a_batch_happens_whole_or_not_at_all(world, kind):
    market = world.market()
    client, wallet = await world.ready(kind), world.wallets[kind]
    split = calls.split(BOOK, market.condition_id, 60 * ONE, neg_risk=False)
    with pytest.raises(polymarket.RequestRejectedError, match="simulation failed"):
        await world.do(client, split, split)
    assert await world.truth(wallet) == (100, {})
    await world.do(client, split, calls.merge(BOOK, market.condition_id, ONE, neg_risk=False))
    assert await world.truth(wallet) == (41, {market.yes: 59, market.no: 59})


@pytest.mark.parametrize("kind", RELAYED)
async def test_one_action_at_a_time(world, kind):
    client = await world.secure(kind)
    await world.conduct(mined_after=0.25)
    bare = await _submission(world, client)
    handle = await client.execute_transaction(calls=[_call()])
    refused = await world.http.post("/submit", json=bare)
    busy = "active action" if kind == "DEPOSIT_WALLET" else "in-flight action"
    assert refused.status_code == 400
    assert busy in refused.json()["error"]
    # The SDK itself waits for its turn.
    await (await client.execute_transaction(calls=[_call()])).wait()
    await handle.wait()
    stale = await world.http.post("/submit", json=bare)
    assert stale.json()["error"] == "batch nonce 0 does not match on-chain nonce 2"


def _call(amount=5):
    call = calls.approve(BOOK, BOOK.router, amount)
    return TransactionCall(to=call.to, data=call.data)


async def _submission(world, client, wanted=None):
    from polymarket._internal.actions.relayer.gasless import build_signed_payload_for_wallet_type

    return dict(
        await build_signed_payload_for_wallet_type(
            client._ctx, calls=wanted or [_call()], metadata=""
        )
    )


@pytest.mark.parametrize("kind", RELAYED)
async def test_only_the_owners_signature_over_the_very_calls_counts(world, kind):
    client = await world.secure(kind)
    good = await _submission(world, client)
    bent = copy.deepcopy(good)
    other = calls.approve(BOOK, BOOK.exchange_v3, 5).data
    if kind == "DEPOSIT_WALLET":
        bent["depositWalletParams"]["calls"][0]["data"] = other
    elif kind == "GNOSIS_SAFE":
        bent["data"] = other
    else:
        bent["data"] = bent["data"].replace(BOOK.router[2:].lower(), BOOK.exchange_v3[2:].lower())
    another_nonce = good | {"nonce": "7"}
    unsigned = good | {"signature": "0x" + "00" * 65}
    foreign = good | {"from": eth_account.Account.from_key(STRANGER_KEY).address}
    for wrong in (bent, another_nonce, unsigned, foreign):
        refused = await world.http.post("/submit", json=wrong)
        assert refused.status_code == 400, wrong
        assert "simulation" not in refused.json()["error"]
    assert (await world.http.post("/submit", json={"type": "SAFE"})).status_code == 400
    taken = await world.http.post("/submit", json=good)
    assert taken.json()["state"] == "STATE_NEW"


async def test_an_action_goes_through_its_states(world):
    client = await world.secure("DEPOSIT_WALLET")
    await world.conduct(executed_after=0.1, mined_after=0.1, finality_delay=0.2)
    handle = await client.execute_transaction(calls=[_call()])
    seen = []
    for _ in range(200):
        row = await world.http.get(f"/v1/account/transactions/{handle.transaction_id}")
        state, hash_ = row.json()["state"], row.json()["transaction_hash"]
        assert (hash_ is None) == (state == "STATE_NEW")
        if state not in seen:
            seen.append(state)
        if state == "STATE_CONFIRMED":
            break
        await asyncio.sleep(0.02)
    assert seen == ["STATE_NEW", "STATE_EXECUTED", "STATE_MINED", "STATE_CONFIRMED"]
    assert (await world.http.get("/v1/account/transactions/none")).status_code == 404


@pytest.mark.parametrize("consumes", [False, True])
async def test_an_action_can_fail_on_chain_and_use_its_nonce_up_or_not(world, consumes):
    client = await world.secure("GNOSIS_SAFE")
    await world.conduct(relayer_fail="failed", fail_consumes_nonce=consumes)
    with pytest.raises(polymarket.TransactionFailedError, match="reverted"):
        await (await client.execute_transaction(calls=[_call()])).wait()
    query = {"address": world.owner, "type": "SAFE"}
    params = (await world.http.get("/v1/account/transactions/params", params=query)).json()
    assert params["nonce"] == str(int(consumes))
    await world.conduct(relayer_fail="no")
    await (await client.execute_transaction(calls=[_call()])).wait()


async def test_the_relayer_can_be_wrong_blocking_or_unwilling(world):
    client = await world.secure("DEPOSIT_WALLET")
    await world.conduct(relayer_fail="precheck")
    with pytest.raises(polymarket.RequestRejectedError, match="zero position balance"):
        await client.execute_transaction(calls=[_call()])
    await world.conduct(relayer_fail="invalid")
    with pytest.raises(polymarket.TransactionFailedError):
        await (await client.execute_transaction(calls=[_call()])).wait()
    await world.conduct(relayer_fail="no", blocked=["0x095ea7b3"])
    with pytest.raises(polymarket.RequestRejectedError, match="call blocked"):
        await client.execute_transaction(calls=[_call()])
    await world.conduct(blocked=[])
    elsewhere = TransactionCall(to=DEPLOYMENT.relay_hub, data="0x")
    with pytest.raises(polymarket.RequestRejectedError, match="call blocked"):
        await client.execute_transaction(calls=[elsewhere])
    await world.conduct(any_target=True)
    await (await client.execute_transaction(calls=[elsewhere])).wait()


async def test_the_relayer_can_carry_out_what_it_never_confirmed(world):
    client = await world.secure("DEPOSIT_WALLET")
    await world.conduct(accept_then_timeout=True)
    with pytest.raises(polymarket.RequestRejectedError) as caught:
        await client.execute_transaction(calls=[_call(77)])
    assert caught.value.status == 504
    rpc = world.rpc()
    view = calls.allowance(BOOK, world.wallets["DEPOSIT_WALLET"], BOOK.router)
    assert await rpc.call(view) == 77
    query = {"address": world.owner, "type": "WALLET"}
    params = (await world.http.get("/v1/account/transactions/params", params=query)).json()
    assert params["nonce"] == "1"


async def test_keys_of_the_relayer_are_checked_when_there_are_any(world):
    builder = BuilderApiKey(key="builder", secret="c2VjcmV0", passphrase="word")
    await world.control(
        keys={"own": {"relayer-key": world.owner}, "builders": {"builder": ["c2VjcmV0", "word"]}}
    )
    for good in (world.api_key, builder):
        client = await world.secure("GNOSIS_SAFE", api_key=good)
        await (await client.execute_transaction(calls=[_call()])).wait()
    for bad in (
        RelayerApiKey(key="relayer-key", address=DEPLOYMENT.router),
        dataclasses.replace(builder, passphrase="other"),
        dataclasses.replace(builder, secret="b3RoZXI="),
    ):
        client = await world.secure("GNOSIS_SAFE", api_key=bad)
        with pytest.raises(polymarket.RequestRejectedError) as caught:
            await client.execute_transaction(calls=[_call()])
        assert caught.value.status == 401


async def test_the_sdk_deploys_a_default_wallet_that_is_not_there(world):
    await world.conduct(undeployed=True)
    client = await world.secure("DEPOSIT_WALLET")
    query = {"address": client.wallet, "type": "WALLET"}
    assert (await world.http.get("/deployed", params=query)).json() == {"deployed": False}
    with pytest.raises(polymarket.RequestRejectedError, match="not deployed"):
        await client.execute_transaction(calls=[_call()])
    await client._ensure_wallet_ready()
    assert (await world.http.get("/deployed", params=query)).json() == {"deployed": True}
    await (await client.execute_transaction(calls=[_call()])).wait()


async def test_wallets_are_where_the_sdk_says():
    from arb.exchange.chain.wallets import addresses

    for key in ("0x" + "4c" * 32, STRANGER_KEY):
        owner = eth_account.Account.from_key(key).address
        ours = addresses(owner.lower(), DEPLOYMENT)
        assert ours.safe == derive_safe_wallet_address(owner, DERIVATION).lower()
        assert ours.proxy == derive_proxy_wallet_address(owner, DERIVATION).lower()
        assert ours.deposit == derive_beacon_deposit_wallet_address(owner, DERIVATION).lower()
        old = derive_uups_deposit_wallet_address(owner, DERIVATION).lower()
        assert ours.old_deposit == old


async def test_the_simulators_addresses_are_the_bots():
    shared = {"collateral", "conditional_tokens", "exchange", "router", "position_manager"}
    shared |= {"collateral_adapter", "neg_risk_collateral_adapter", "neg_risk_adapter"}
    shared |= {"neg_risk_exchange", "exchange_v3"}
    assert {n: getattr(BOOK, n).lower() for n in shared} == {
        n: getattr(DEPLOYMENT, n) for n in shared
    }


async def test_without_the_libraries_the_rest_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "arb.exchange.chain.blocks", None)
    async with (
        serve(Exchange(_events(), SystemClock(), random.Random(1))) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
    ):
        assert (await client.post("/rpc", json={})).status_code == 501
        assert (await client.get("/deployed")).status_code == 501
        assert (await client.get("/ok")).status_code == 200


async def test_unknown_conduct_is_refused(world):
    for order in ({"conduct": {"nonsense": 1}}, {"deposit": {world.owner: "-5"}}, {"nonsense": 1}):
        answer = await world.http.post("/_control", json={"chain": order})
        assert answer.status_code == 400
