"""A chain through its nodes: asked at one block, simulated, sent to, and what is never shown."""

import socket
from decimal import Decimal

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.abi import function_signature_to_4byte_selector

from arb import bootstrap
from arb.adapters.clock import SystemClock
from arb.config.keys import PrivateKey
from arb.config.sources import load
from arb.domain.errors import BadVenueData, ConfigError, NotReady, Unavailable
from arb.net.rpc import Call, Reverted, TransactionRefused
from arb.onchain import chain as chains
from arb.onchain.abi import Contract, error, event, function
from arb.onchain.chain import ERC20, Chain
from arb.onchain.signer import Signer
from tests.anvil import CHAIN_ID, KEYS, World, options, started

TOKEN = "@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json"
COINS = 10**18
NOBODY = "0x" + "77" * 20


async def token(world, supply=1000 * COINS):
    return await world.make(TOKEN, "Token", "TKN", supply, world.owner.address)


async def test_answers_are_of_the_block_that_was_asked_about(world):
    contract, at = await token(world)
    before = await world.chain.head()
    await world.do(contract.call(at, "transfer", NOBODY, 7))
    assert await world.chain.balance(at, NOBODY) == 7
    assert await world.chain.balance(at, NOBODY, at=before) == 0
    assert await world.chain.balance(at, NOBODY, at=before.number) == 0
    assert await world.chain.ask(ERC20.view(at, "symbol"), at=before) == "TKN"
    assert await world.chain.has_code(at) and not await world.chain.has_code(at, at=0)


async def test_a_block_that_was_undone_answers_nothing_even_where_another_has_its_number(world):
    contract, at = await token(world)
    snapshot = await world.control("evm_snapshot")
    await world.do(contract.call(at, "transfer", NOBODY, 7))
    undone = await world.chain.head()
    assert await world.chain.stands(undone)
    await world.control("evm_revert", snapshot)
    await world.do(contract.call(at, "transfer", NOBODY, 8))
    assert (await world.chain.head()).number == undone.number
    assert not await world.chain.stands(undone)
    with pytest.raises(Unavailable):
        await world.chain.balance(at, NOBODY, at=undone)
    assert await world.chain.balance(at, NOBODY, at=undone.number) == 8


async def test_a_dead_node_and_one_of_another_chain_are_passed_over_and_said(world):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{probe.getsockname()[1]}"
    other = started("--chain-id", "5")
    said = []
    urls = (dead, other.url, world.server.url)
    chain = Chain(options(*urls), clock=SystemClock(), tell=said.append)
    try:
        block = await chain.head()
        assert block == await world.chain.head()
        assert len(said) == 1
        assert "does not answer" in said[0]
        assert f"is on chain 5, not {CHAIN_ID}" in said[0]
        assert said[0].endswith("is asked instead")
        world_first = await chain.balance("", world.owner.address, at=block)
        assert world_first == await world.chain.balance("", world.owner.address)
        assert len(said) == 1
    finally:
        other.remove()
        await chain.close()


async def test_a_simulation_is_the_transaction_itself_and_sends_nothing(world):
    contract, at = await token(world)
    call = contract.call(at, "transfer", NOBODY, 7)
    block = await world.chain.head()
    answer = await world.chain.simulate(call, world.owner.address, at=block)
    assert contract.read("transfer", answer) is True
    poor = world.signers[1].address
    with pytest.raises(Reverted, match=r"^ERC20: transfer amount exceeds balance$"):
        await world.chain.simulate(call, poor, at=block)
    with pytest.raises(Reverted, match="exceeds balance"):
        await world.chain.estimate(call, poor)
    with pytest.raises(Reverted, match="exceeds balance"):
        await world.chain.fill(call, poor)
    assert await world.chain.head() == block


async def test_what_was_sent_is_mined_and_costs_what_the_receipt_says(world):
    contract, at = await token(world)
    before = await world.chain.balance("", world.owner.address)
    filled = await world.chain.fill(contract.call(at, "transfer", NOBODY, 7), world.owner.address)
    signed = await world.chain.send(filled, world.owner)
    receipt = await world.chain.wait(signed.hash)
    assert receipt.succeeded and receipt.hash == signed.hash
    paid = before - await world.chain.balance("", world.owner.address)
    assert paid == receipt.gas_used * receipt.gas_price <= filled.cost_max
    (log,) = receipt.logs
    moved = contract.event(log)
    assert (moved.name, moved.values) == (
        "Transfer",
        {"from": world.owner.address, "to": NOBODY, "value": 7},
    )
    with pytest.raises(TransactionRefused, match="nonce"):
        await world.chain.send(filled, Signer(PrivateKey(KEYS[0])))


async def test_a_transaction_that_no_block_takes_is_waited_for_no_longer_than_said(world):
    filled = await world.chain.fill(Call(NOBODY, "0x", 1), world.owner.address)
    await world.control("evm_setAutomine", False)
    try:
        signed = await world.chain.send(filled, world.owner)
        await world.control("anvil_dropTransaction", signed.hash)
        block = await world.chain.head()
        waiting = world.chain.wait(signed.hash, blocks=0)
        assert await waiting is None
        await world.control("anvil_mine", "0x3")
        after = await world.chain.next_block(block)
        assert after.number == block.number + 3
        assert await world.chain.wait(signed.hash, blocks=0) is None
    finally:
        await world.control("evm_setAutomine", True)


async def test_gas_dearer_than_the_limit_and_an_empty_wallet_send_nothing(world):
    dear = Chain(options(world.server.url, fee_gwei_max=Decimal("0.5")), clock=SystemClock())
    call = Call(NOBODY, "0x", 1)
    try:
        with pytest.raises(NotReady, match=r"chain\.fee_gwei_max is 0\.5"):
            await dear.fill(call, world.owner.address)
    finally:
        await dear.close()
    poor = "0x" + "78" * 20
    with pytest.raises(NotReady, match=f"{poor} has 0 wei on local; it takes"):
        await world.chain.fill(Call(NOBODY, "0x", gas=21000), poor)


async def test_a_chain_without_a_base_fee_is_paid_its_one_price():
    server = started("--hardfork", "berlin")
    world = World(server)
    try:
        assert (await world.chain.head()).base_fee is None
        filled = await world.chain.fill(Call(NOBODY, "0x", 1), world.owner.address)
        assert filled.tip is None and filled.fee == await world.chain.gas_price()
        signed = await world.chain.send(filled, world.owner)
        assert (await world.chain.wait(signed.hash)).succeeded
    finally:
        await world.chain.close()
        server.remove()


async def test_events_come_in_the_order_of_the_chain_from_as_many_questions_as_it_takes(
    world, monkeypatch
):
    contract, at = await token(world)
    first = (await world.chain.head()).number
    for amount in range(1, 6):
        await world.do(contract.call(at, "transfer", NOBODY, amount))
    await world.do(contract.call(at, "approve", NOBODY, 5))
    last = (await world.chain.head()).number

    async def amounts(names):
        found = await world.chain.events(contract, [at], names, first=first, last=last)
        return [(one.name, one.values["value"]) for one in found]

    made = [("Transfer", 1000 * COINS), *(("Transfer", amount) for amount in range(1, 6))]
    assert await amounts(["Transfer"]) == made
    monkeypatch.setattr(chains, "LOGS_BLOCKS_MAX", 2)
    before = world.chain.rpc.counts.total()
    assert await amounts(["Transfer", "Approval"]) == [*made, ("Approval", 5)]
    assert world.chain.rpc.counts.total() - before == 4


def selector(signature):
    return "0x" + function_signature_to_4byte_selector(signature).hex()


def test_structs_overloads_and_errors_are_written_and_read():
    contract = Contract(
        function("quote", "(address,uint24,(int8,bytes)[])", returns=("uint256", "address")),
        function("swap", "uint256"),
        function("swap", "uint256", "bytes"),
        event("Named", name="indexed string", by="indexed address", amount="int256"),
        error("TooLittle", "uint256", "uint256"),
    )
    call = contract.call(NOBODY, "quote", (NOBODY, 500, [(-1, b"ab")]))
    assert call.data[:10] == selector("quote((address,uint24,(int8,bytes)[]))")
    assert int(call.data[10:74], 16) == 32  # where the struct begins
    assert contract.encode("swap", 5) != contract.encode("swap(uint256,bytes)", 5, b"")[:74]
    with pytest.raises(TypeError, match="quote takes 1 arguments, not 2"):
        contract.encode("quote", 1, 2)
    word = f"{5:064x}"
    assert contract.read("quote", "0x" + word + NOBODY[2:].rjust(64, "0")) == (5, NOBODY)
    with pytest.raises(BadVenueData, match="quote"):
        contract.read("quote", "0x")
    refusals = {
        selector("TooLittle(uint256,uint256)") + word + word: "TooLittle(5, 5)",
        "0x4e487b71" + f"{0x11:064x}": "an amount over- or underflows",
        "0x4e487b71" + f"{0x51:064x}": "panic 0x51",
        selector("TooLittle(uint256,uint256)"): "execution reverted",
        "0x": "execution reverted",
    }
    for data, why in refusals.items():
        assert contract.why(Reverted("execution reverted", data)) == why


def test_a_key_is_shown_by_nothing_that_signs():
    signer = Signer(PrivateKey(KEYS[0], "ARB_CHAIN__PRIVATE_KEY"))
    shown = f"{signer!r} {signer} {options(private_key=KEYS[0])!r}"
    assert KEYS[0][2:12] not in shown
    assert signer.address == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    # What eth_account's own recovery says of the signature of a personal message.
    found = Account.recover_message(
        encode_defunct(text="bundle"), signature=signer.sign_text("bundle")
    )
    assert found.lower() == signer.address


async def test_the_settings_open_the_chain_and_name_what_is_missing(world, tmp_path, monkeypatch):
    def settings(**flags):
        return load(flags={f"chain.{k}": v for k, v in flags.items()}, folder=tmp_path).settings

    with pytest.raises(ConfigError, match="ARB_CHAIN__RPC_URLS"):
        async with bootstrap.chain(settings()):
            pass
    local = settings(chain_id=CHAIN_ID, rpc_urls=[world.server.url], private_key=KEYS[0])
    async with bootstrap.chain(local) as chain:
        assert await chain.head() == await world.chain.head()
    assert bootstrap.chain_signer(local).address == world.owner.address
    with pytest.raises(ConfigError, match=r"there is no private key.*ARB_CHAIN__KEYSTORE"):
        bootstrap.chain_signer(settings())
    with pytest.raises(ConfigError, match=r"chain\.rpc_urls.*no http or https address"):
        settings(rpc_urls=["wss://node.example"])
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"web3.*\.\[onchain\]"):
        async with bootstrap.chain(local):
            pass
