"""A chain of the tests' own: an `anvil` on loopback, and what contracts are put on it."""

from typing import Any

from arb.adapters.clock import SystemClock
from arb.config.keys import PrivateKey
from arb.net.rpc import Call, TransactionReceipt
from arb.onchain.abi import Contract
from arb.onchain.chain import Chain
from arb.onchain.options import ChainOptions
from arb.onchain.signer import Signer
from tests import npm
from tests.daemon import Daemon

CHAIN_ID = 31337
KEYS = (
    # Public: the first of the words "test test test test test test test test test test test junk".
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
)


class Anvil(Daemon):
    """A chain whose blocks come with each transaction, or when they are asked for."""

    name = "anvil"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def options(self) -> list[str]:
        return ["--host", "127.0.0.1", "--port", str(self.port), "--silent", *self.more]

    more: tuple[str, ...] = ()


def started(*more: str) -> Anvil:
    """A new chain, with its first block."""
    server = Anvil(npm.anvil())
    server.more = more
    server.start()
    return server


def options(*urls: str, **more: Any) -> ChainOptions:
    return ChainOptions(name="local", chain_id=CHAIN_ID, rpc_urls=urls, poll_seconds=0.02, **more)


class World:
    """One chain, and accounts with coins that act on it."""

    def __init__(self, server: Anvil) -> None:
        self.server = server
        self.chain = Chain(options(server.url), clock=SystemClock())
        self.signers = tuple(Signer(PrivateKey(key)) for key in KEYS)
        self.owner = self.signers[0]

    async def do(self, call: Call, signer: Signer | None = None) -> TransactionReceipt:
        """Send a call and have it mined."""
        by = signer or self.owner
        signed = await self.chain.send(await self.chain.fill(call, by.address), by)
        receipt = await self.chain.wait(signed.hash)
        assert receipt is not None and receipt.succeeded
        return receipt

    async def make(self, path: str, *args: Any) -> tuple[Contract, str]:
        """Put a published contract on the chain: what it understands, and its address."""
        found = npm.artifact(path)
        contract = Contract(*found["abi"])
        receipt = await self.do(contract.deploy(found["bytecode"], *args))
        return contract, receipt.contract

    async def control(self, method: str, *params: Any) -> Any:
        """Use one of anvil's own methods, such as `evm_mine` or `anvil_setBalance`."""
        return await self.chain.rpc.ask(method, params)
