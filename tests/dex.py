"""Two exchanges on a chain of the tests' own: pools like Uniswap v2's and v3's, from its contracts."""

from dataclasses import replace

from arb.adapters.clock import SystemClock
from arb.net.rpc import Call
from arb.onchain.abi import Contract, function
from arb.onchain.chain import ERC20
from arb.onchain.spreads.executor import EXECUTOR, EXECUTOR_CODE, do
from arb.onchain.spreads.options import SpreadOptions
from arb.onchain.spreads.scan import SpreadScanner
from tests.anvil import World

V2 = "@uniswap/v2-core/build"
V3 = "@uniswap/v3-core/artifacts/contracts"
PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
TOKEN = "@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json"
ONE = 10**18
NOBODY = "0x" + "00" * 20
FOREVER = 2**63
MINT = "(address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256)"
MANAGER = Contract(
    function("mint", MINT, returns=("uint256", "uint128", "uint256", "uint256")),
)


class Dex:
    """Tokens, pools, an executor whose owner is the world's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.owner = world.owner.address
        self.tokens: dict[str, str] = {}
        self.quoter = self.manager = self.executor = ""

    async def token(self, symbol: str) -> str:
        supply = 10**12 * ONE
        _, at = await self.world.make(TOKEN, symbol, symbol, supply, self.owner)
        self.tokens[symbol] = at
        return at

    async def pair(self, one: str, some: int, other: str, more: int) -> str:
        """A v2-like pool of its own factory, with these reserves in whole tokens."""
        contract, factory = await self.world.make(f"{V2}/UniswapV2Factory.json", NOBODY)
        first, second = self.tokens[one], self.tokens[other]
        await self.world.do(contract.call(factory, "createPair", first, second))
        pair: str = await self.world.chain.ask(contract.view(factory, "getPair", first, second))
        for token, amount in ((first, some), (second, more)):
            await self.world.do(ERC20.call(token, "transfer", pair, amount * ONE))
        mint = Contract(function("mint", "address", returns=("uint256",)))
        await self.world.do(mint.call(pair, "mint", self.owner))
        return pair

    async def exchange(self) -> None:
        """A v3-like exchange: its factory, its manager of positions, its quoter."""
        self.factory, self._factory = await self.world.make(
            f"{V3}/UniswapV3Factory.sol/UniswapV3Factory.json"
        )
        made = (self._factory, NOBODY)
        path = f"{PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
        _, self.manager = await self.world.make(path, *made, NOBODY)
        path = f"{PERIPHERY}/lens/QuoterV2.sol/QuoterV2.json"
        _, self.quoter = await self.world.make(path, *made)

    async def pool(self, one: str, other: str, fee: int, price: float, amount: int) -> str:
        """A v3-like pool at about a price of `one` in `other`, with liquidity around it."""
        first, second = self.tokens[one], self.tokens[other]
        most = (amount * ONE, int(amount * price) * ONE)
        if int(first, 16) > int(second, 16):
            first, second, price, most = second, first, 1 / price, most[::-1]
        call = self.factory.call(self._factory, "createPool", first, second, fee)
        await self.world.do(call)
        view = self.factory.view(self._factory, "getPool", first, second, fee)
        pool: str = await self.world.chain.ask(view)
        root = int(price**0.5 * 2**96)
        await self.world.do(
            Contract(function("initialize", "uint160")).call(pool, "initialize", root)
        )
        for token in (first, second):
            await self.world.do(ERC20.call(token, "approve", self.manager, 2**255))
        spacing = {500: 10, 3000: 60}[fee]
        edge = 887272 // spacing * spacing
        wanted = (first, second, fee, -edge, edge, *most, 0, 0, self.owner, FOREVER)
        await self.world.do(MANAGER.call(self.manager, "mint", wanted))
        return pool

    async def make_executor(self) -> str:
        self.executor = (await self.world.do(EXECUTOR.deploy(EXECUTOR_CODE))).contract
        return self.executor

    async def fund(self, symbol: str, amount: int) -> None:
        call = ERC20.call(self.tokens[symbol], "transfer", self.executor, amount * ONE)
        await self.world.do(call)

    async def take_out(self, symbol: str, amount: int) -> Call:
        return do(self.executor, ERC20.call(self.tokens[symbol], "transfer", self.owner, amount))

    def options(self, *pools: str, **more: object) -> SpreadOptions:
        plain = SpreadOptions(
            pools=pools,
            quoter=self.quoter,
            dollars=(self.tokens["USD"],),
            wrapped=self.tokens["WETH"],
            executor=self.executor,
            sender=self.owner if self.executor else "",
            max_block_age=10**9,
        )
        return replace(plain, **more)

    def scanner(self, *pools: str, **more: object) -> SpreadScanner:
        return SpreadScanner(self.world.chain, self.options(*pools, **more), SystemClock())

    async def held(self, symbol: str, owner: str) -> int:
        return await self.world.chain.balance(self.tokens[symbol], owner)
