"""Two pools 3 % apart on a chain of one's own: what was quoted, what came, and what a loss costs.

The chain is `anvil`, and the pools are Uniswap's published v2 contracts; both are published on npm
and are no part of this program.
"""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arb.adapters.clock import SystemClock
from arb.bootstrap import need_onchain
from arb.config.keys import PrivateKey
from arb.config.sources import reach_directly
from arb.domain.errors import ConfigError, Unavailable
from arb.onchain.options import ChainOptions
from arb.onchain.spreads.options import SpreadOptions

if TYPE_CHECKING:
    from arb.net.rpc import Call, TransactionReceipt
    from arb.onchain.chain import Chain
    from arb.onchain.signer import Signer
    from arb.onchain.spreads.certificate import Certificate

FOLDER = Path("data") / "onchain"
PACKAGES = ("@foundry-rs/anvil@1.7.1", "@uniswap/v2-core@1.0.1", "@openzeppelin/contracts@4.9.6")
FACTORY = "@uniswap/v2-core/build/UniswapV2Factory.json"
TOKEN = "@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json"
CHAIN_ID = 31337
# Public: the first key of the words "test test test … junk", which every such chain gives coins.
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ONE = 10**18
NO_ONE = "0x" + "00" * 20
SECONDS_LATER = 2
START_SECONDS_MAX = 60.0
LISTENS = "Listening on "


@dataclass(frozen=True, slots=True, kw_only=True)
class OnchainOutcome:
    """What the demo saw."""

    certificate: "Certificate"
    realised: int
    """What the executor has more of the token, in its smallest unit."""
    stated: Decimal
    """USD that the second certificate said could be lost."""
    lost: Decimal
    """USD that its transaction, which came too late, has cost."""

    @property
    def as_stated(self) -> bool:
        """Whether the first brought what was quoted, and the second cost no more than was said."""
        return self.realised == self.certificate.gain and 0 < self.lost <= self.stated


def program(folder: Path = FOLDER) -> str:
    """The program of the chain, once all that is needed is there.

    Raises:
        ConfigError: Something is missing; says what, and how it is installed.
    """
    need_onchain()
    modules = folder / "node_modules"
    beside = sorted(modules.glob("@foundry-rs/anvil-*/bin/anvil*"))
    found = str(beside[0]) if beside else shutil.which("anvil")
    contracts = [path for path in (FACTORY, TOKEN) if not (modules / path).is_file()]
    missing = [*([] if found else ["anvil"]), *contracts]
    if missing or not found:
        install = f"npm install --prefix {folder} --ignore-scripts {' '.join(PACKAGES)}"
        raise ConfigError(f"the demo on a chain needs {', '.join(missing)}: {install}")
    return found


async def run_onchain_demo(tell: Callable[[str], None], folder: Path = FOLDER) -> OnchainOutcome:
    """Start a chain, put pools on it, swap once as quoted and once too late.

    Raises:
        ConfigError: Something is missing.
        Unavailable: The chain does not start.
    """
    anvil = program(folder)
    from arb.onchain.chain import Chain  # noqa: PLC0415  # of an extra
    from arb.onchain.signer import Signer  # noqa: PLC0415  # of an extra

    reach_directly("127.0.0.1")
    async with _chain_process(anvil) as address:
        tell(f"A chain of its own listens at {address}.")
        options = ChainOptions(
            name="local", chain_id=CHAIN_ID, rpc_urls=(address,), poll_seconds=0.05
        )
        chain = Chain(options, clock=SystemClock())
        try:
            stage = _Stage(chain, Signer(PrivateKey(KEY, "the demo")), folder / "node_modules")
            return await _play(stage, tell)
        finally:
            await chain.close()


@dataclass(slots=True)
class _Stage:
    """The chain, and one account that does everything on it."""

    chain: "Chain"
    signer: "Signer"
    modules: Path

    async def do(self, call: "Call") -> "TransactionReceipt":
        filled = await self.chain.fill(call, self.signer.address)
        return await self.mined((await self.chain.send(filled, self.signer)).hash)

    async def mined(self, hash_: str) -> "TransactionReceipt":
        receipt = await self.chain.wait(hash_)
        if receipt is None:
            raise Unavailable("the chain has mined nothing")
        return receipt

    async def make(self, path: str, *args: Any) -> tuple[Any, str]:
        """Put a published contract on the chain."""
        from arb.onchain.abi import Contract  # noqa: PLC0415  # of an extra

        content = await asyncio.to_thread((self.modules / path).read_text, "utf-8")
        found = json.loads(content)
        contract = Contract(*found["abi"])
        made = await self.do(contract.deploy(found["bytecode"], *args))
        return contract, made.contract

    async def pair(self, tokens: tuple[str, str], amounts: tuple[int, int]) -> str:
        """A pool of its own factory with these reserves."""
        from arb.onchain.abi import Contract, function  # noqa: PLC0415  # of an extra
        from arb.onchain.chain import ERC20  # noqa: PLC0415  # of an extra

        contract, factory = await self.make(FACTORY, NO_ONE)
        await self.do(contract.call(factory, "createPair", *tokens))
        pair: str = await self.chain.ask(contract.view(factory, "getPair", *tokens))
        for token, amount in zip(tokens, amounts, strict=True):
            await self.do(ERC20.call(token, "transfer", pair, amount * ONE))
        mint = Contract(function("mint", "address", returns=("uint256",)))
        await self.do(mint.call(pair, "mint", self.signer.address))
        return pair


async def _play(stage: _Stage, tell: Callable[[str], None]) -> OnchainOutcome:
    from arb.onchain.spreads.executor import EXECUTOR, EXECUTOR_CODE  # noqa: PLC0415  # an extra
    from arb.onchain.spreads.scan import SpreadScanner  # noqa: PLC0415  # of an extra

    owner = stage.signer.address
    supply = 10**9 * ONE
    _, usd = await stage.make(TOKEN, "Dollar", "USD", supply, owner)
    _, weth = await stage.make(TOKEN, "Wrapped coin", "WETH", supply, owner)
    cheap = await stage.pair((weth, usd), (1000, 2_000_000))
    dear = await stage.pair((weth, usd), (1000, 2_060_000))
    tell("Two Uniswap v2 pools hold 1000 WETH each, beside 2,000,000 and 2,060,000 USD.")
    executor = (await stage.do(EXECUTOR.deploy(EXECUTOR_CODE))).contract
    # The first swap of a later second takes more gas: such a second is what is calculated for.
    await stage.chain.rpc.ask("evm_increaseTime", [SECONDS_LATER])
    await stage.chain.rpc.ask("evm_mine", [])
    options = SpreadOptions(
        pools=(f"v2:{cheap}", f"v2:{dear}"),
        dollars=(usd,),
        wrapped=weth,
        executor=executor,
        sender=owner,
        max_input_usd=Decimal(100_000),
    )
    scanner = SpreadScanner(stage.chain, options, SystemClock())
    (found,) = (await scanner.look()).certificates
    tell(
        f"At block {found.block.number} a spread of {found.spread:.2%} brings "
        f"{found.gain_usd:.2f} USD for {found.input_usd:.2f}, or {found.profit_usd:.2f} after gas; "
        f"if the block does not stand it costs at most {found.loss_usd:.2f} USD."
    )
    first, late = await _filled(stage, found), await _filled(stage, found, later=1)
    receipts = [
        await stage.mined((await stage.chain.send(one, stage.signer)).hash) for one in (first, late)
    ]
    realised = await stage.chain.balance(usd, executor)
    gas = receipts[1].gas_used * receipts[1].gas_price * found.coin / 10**18
    lost = Decimal(gas.numerator) / Decimal(gas.denominator)
    tell(f"Quoted {found.gain} smallest units, realised {realised}.")
    tell(f"Sent once more, when the block had moved, it was undone and cost {lost:.2f} USD of gas.")
    return OnchainOutcome(certificate=found, realised=realised, stated=found.loss_usd, lost=lost)


async def _filled(stage: _Stage, found: "Certificate", later: int = 0) -> Any:
    """The transaction, `later` after the account's next one."""
    assert found.call is not None
    filled = await stage.chain.fill(found.call, stage.signer.address)
    return replace(filled, nonce=filled.nonce + later)


@contextlib.asynccontextmanager
async def _chain_process(anvil: str) -> AsyncIterator[str]:
    """The address of a new chain while the block runs."""
    process = await asyncio.create_subprocess_exec(
        *(anvil, "--host", "127.0.0.1", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    reading: asyncio.Task[None] | None = None
    try:
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                while line := (await process.stdout.readline()).decode(errors="replace"):
                    if line.startswith(LISTENS):
                        break
                else:
                    raise Unavailable("anvil has ended before it listened")
        except TimeoutError:
            raise Unavailable(f"anvil does not listen within {START_SECONDS_MAX:g} s") from None
        reading = asyncio.create_task(_read_away(process.stdout))
        yield f"http://{line.removeprefix(LISTENS).strip()}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if reading is not None:
            await reading


async def _read_away(stream: asyncio.StreamReader) -> None:
    """What it prints is of no interest, and must not fill its pipe."""
    while await stream.read(65536):
        pass
