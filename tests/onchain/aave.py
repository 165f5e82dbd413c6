"""An Aave v3 market and a Uniswap v3 pool on the tests' chain, of published contracts."""

from dataclasses import dataclass, field
from functools import cache
from math import isqrt
from pathlib import Path
from typing import Any

from arb.onchain.abi import Contract
from arb.onchain.chain import ERC20
from tests import npm
from tests.anvil import World

AAVE = "@aave/core-v3/artifacts/contracts"
PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
CORE = "@uniswap/v3-core/artifacts/contracts"
NOTHING = "0x" + "0" * 40
USD8, RAY = 10**8, 10**27
WETH_UNIT, USDC_UNIT = 10**18, 10**6
PRICE = 2000
POOL_FEE = 500
FAR = 10**12
MOST = 2**255


@cache
def _libraries() -> dict[str, Path]:
    folder = npm.installed(npm.CHAIN) / AAVE / "protocol/libraries/logic"
    return {path.stem: path for path in folder.glob("*/*.json") if ".dbg" not in path.name}


@dataclass
class Market:
    """Where everything is."""

    world: World
    at: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, Contract] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)

    async def do(self, name: str, what: str, *args: Any, by: int = 0) -> Any:
        call = self.kinds[name].call(self.at[name], what, *args)
        return await self.world.do(call, self.world.signers[by])

    async def ask(self, name: str, what: str, *args: Any) -> Any:
        return await self.world.chain.ask(self.kinds[name].view(self.at[name], what, *args))

    async def put(self, name: str, path: str, *args: Any) -> str:
        """Deploy a published contract, its libraries linked."""
        found = npm.artifact(path)
        code = found["bytecode"]
        for libraries in found.get("linkReferences", {}).values():
            for library, places in libraries.items():
                if library not in self.linked:
                    own = _libraries()[library]
                    self.linked[library] = await self.put(
                        library, str(own.relative_to(npm.installed(npm.CHAIN)))
                    )
                for place in places:
                    begins = 2 + 2 * place["start"]
                    address = self.linked[library][2:]
                    code = code[:begins] + address + code[begins + len(address) :]
        contract = Contract(*found["abi"])
        receipt = await self.world.do(contract.deploy(code, *args))
        self.at[name], self.kinds[name] = receipt.contract.lower(), contract
        return self.at[name]

    async def price(self, token: str, dollars: int) -> None:
        """Let the oracle say another price."""
        feed = f"feed {token} {dollars}"
        if feed not in self.at:
            await self.put(
                feed, f"{AAVE}/mocks/oracle/CLAggregators/MockAggregator.sol/MockAggregator.json",
                dollars * USD8,
            )  # fmt: skip
        await self.do("oracle", "setAssetSources", [self.at[token]], [self.at[feed]])

    async def mint(self, token: str, amount: int, by: int) -> None:
        await self.do(token, "mint(uint256)", amount, by=by)

    async def lend(self, token: str, amount: int, by: int) -> None:
        await self.mint(token, amount, by)
        await self.do(token, "approve", self.at["pool"], amount, by=by)
        who = self.world.signers[by].address
        await self.do("pool", "supply", self.at[token], amount, who, 0, by=by)

    async def borrow(self, token: str, amount: int, by: int) -> None:
        who = self.world.signers[by].address
        await self.do("pool", "borrow", self.at[token], amount, 2, 0, who, by=by)

    async def balance(self, token: str, who: str) -> int:
        return await self.world.chain.ask(ERC20.view(self.at[token], "balanceOf", who))


async def build(world: World) -> Market:
    """A market of WETH and USDC with nobody in it, and a pool that trades the two at 1,850."""
    market = Market(world)
    me = world.owner.address
    put, do = market.put, market.do
    provider = await put(
        "provider",
        f"{AAVE}/protocol/configuration/PoolAddressesProvider.sol/PoolAddressesProvider.json",
        "tests", me,
    )  # fmt: skip
    await do("provider", "setACLAdmin", me)
    acl = await put(
        "acl", f"{AAVE}/protocol/configuration/ACLManager.sol/ACLManager.json", provider
    )
    await do("provider", "setACLManager", acl)
    await do("acl", "addPoolAdmin", me)
    tokens = f"{AAVE}/mocks/tokens/MintableERC20.sol/MintableERC20.json"
    weth = await put("weth", tokens, "Wrapped Ether", "WETH", 18)
    usdc = await put("usdc", tokens, "USD Coin", "USDC", 6)
    for token, dollars in (("weth", PRICE), ("usdc", 1)):
        await put(
            f"feed {token} {dollars}",
            f"{AAVE}/mocks/oracle/CLAggregators/MockAggregator.sol/MockAggregator.json",
            dollars * USD8,
        )
    sources = [market.at[f"feed weth {PRICE}"], market.at["feed usdc 1"]]
    oracle = await put(
        "oracle", f"{AAVE}/misc/AaveOracle.sol/AaveOracle.json",
        provider, [weth, usdc], sources, NOTHING, NOTHING, USD8,
    )  # fmt: skip
    await do("provider", "setPriceOracle", oracle)
    for name, kind in (("pool", "Pool"), ("configurator", "PoolConfigurator")):
        path = f"{AAVE}/protocol/pool/{kind}.sol/{kind}.json"
        made = await put(name, path, *((provider,) if kind == "Pool" else ()))
        await do("provider", f"set{kind}Impl", made)
        market.at[name] = str(await market.ask("provider", f"get{kind}")).lower()
    strategy = await put(
        "strategy",
        f"{AAVE}/protocol/pool/DefaultReserveInterestRateStrategy.sol/"
        "DefaultReserveInterestRateStrategy.json",
        provider, 8 * RAY // 10, 0, RAY // 25, 6 * RAY // 10, RAY // 50, RAY // 5, RAY // 50,
        RAY // 20, RAY // 5,
    )  # fmt: skip
    incentives = await put(
        "incentives", f"{AAVE}/mocks/helpers/MockIncentivesController.sol/"
        "MockIncentivesController.json",
    )  # fmt: skip
    pool = market.at["pool"]
    kinds = [
        await put(kind, f"{AAVE}/protocol/tokenization/{kind}.sol/{kind}.json", pool)
        for kind in ("AToken", "StableDebtToken", "VariableDebtToken")
    ]
    await do(
        "configurator", "initReserves",
        [
            (*kinds, decimals, strategy, token, me, incentives,
             f"a{name}", f"a{name}", f"v{name}", f"v{name}", f"s{name}", f"s{name}", b"\x10")
            for token, name, decimals in ((weth, "WETH", 18), (usdc, "USDC", 6))
        ],
    )  # fmt: skip
    await do("configurator", "configureReserveAsCollateral", weth, 8000, 8250, 10500)
    await do("configurator", "configureReserveAsCollateral", usdc, 8000, 8500, 10400)
    for token in (weth, usdc):
        await do("configurator", "setReserveBorrowing", token, True)
    await _pool(market, weth, usdc)
    return market


async def _pool(market: Market, weth: str, usdc: str) -> None:
    put, do, me = market.put, market.do, market.world.owner.address
    coin = await put("coin", f"{AAVE}/dependencies/weth/WETH9.sol/WETH9.json")
    factory = await put("factory", f"{CORE}/UniswapV3Factory.sol/UniswapV3Factory.json")
    await put("quoter", f"{PERIPHERY}/lens/QuoterV2.sol/QuoterV2.json", factory, coin)
    await put("router", f"{PERIPHERY}/SwapRouter.sol/SwapRouter.json", factory, coin)
    manager = await put(
        "manager",
        f"{PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
        factory, coin, NOTHING,
    )  # fmt: skip
    amounts = {weth: 100_000 * WETH_UNIT, usdc: 185_000_000 * USDC_UNIT}
    first, second = sorted(amounts)
    price = isqrt(amounts[second] * 2**192 // amounts[first])
    await do("manager", "createAndInitializePoolIfNecessary", first, second, POOL_FEE, price)
    for name in ("weth", "usdc"):
        amount = amounts[market.at[name]]
        await market.mint(name, amount, 0)
        await do(name, "approve", manager, amount)
    await do(
        "manager", "mint",
        (first, second, POOL_FEE, -887270, 887270, amounts[first], amounts[second], 0, 0, me, FAR),
    )  # fmt: skip
