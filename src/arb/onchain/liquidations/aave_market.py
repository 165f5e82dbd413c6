"""An Aave v3 market on a chain: its logs, reserves, prices and positions."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arb.checks import Check, tried
from arb.domain.errors import BadVenueData
from arb.net.rpc import Block, Call, Reverted
from arb.onchain.abi import Contract, event, function
from arb.onchain.chain import ERC20, Chain
from arb.onchain.liquidations.aave import AaveRules
from arb.onchain.liquidations.market import Terms
from arb.onchain.liquidations.planner import LiquidationPlan
from arb.onchain.liquidations.positions import (
    Health,
    Loan,
    Mode,
    Position,
    PriceSource,
    Reserve,
    Touch,
)

NOTHING = "0x" + "0" * 40
AS_UNDERLYING = False
"""The collateral is received itself, not its receipt."""
CONCURRENT = 16
"""Questions under way at once."""
RESERVE = (
    "uint256", "uint128", "uint128", "uint128", "uint128", "uint128", "uint40", "uint16",
    "address", "address", "address", "address", "uint128", "uint128", "uint128",
)  # fmt: skip
POOL = Contract(
    function("ADDRESSES_PROVIDER", returns=("address",)),
    function("getReservesList", returns=("address[]",)),
    function("getReserveData", "address", returns=RESERVE),
    function("getReserveNormalizedIncome", "address", returns=("uint256",)),
    function("getReserveNormalizedVariableDebt", "address", returns=("uint256",)),
    function("getUserConfiguration", "address", returns=("uint256",)),
    function("getUserEMode", "address", returns=("uint256",)),
    function("getUserAccountData", "address", returns=("uint256",) * 6),
    function(
        "getEModeCategoryData", "uint8", returns=("(uint16,uint16,uint16,address,string)",)
    ),
    function("liquidationCall", "address", "address", "address", "uint256", "bool"),
    event(
        "Supply", reserve="indexed address", user="address", onBehalfOf="indexed address",
        amount="uint256", referralCode="indexed uint16",
    ),
    event(
        "Withdraw", reserve="indexed address", user="indexed address", to="indexed address",
        amount="uint256",
    ),
    event(
        "Borrow", reserve="indexed address", user="address", onBehalfOf="indexed address",
        amount="uint256", interestRateMode="uint8", borrowRate="uint256",
        referralCode="indexed uint16",
    ),
    event(
        "Repay", reserve="indexed address", user="indexed address", repayer="indexed address",
        amount="uint256", useATokens="bool",
    ),
    event(
        "LiquidationCall", collateralAsset="indexed address", debtAsset="indexed address",
        user="indexed address", debtToCover="uint256", liquidatedCollateralAmount="uint256",
        liquidator="address", receiveAToken="bool",
    ),
    event(
        "ReserveUsedAsCollateralEnabled", reserve="indexed address", user="indexed address"
    ),
    event(
        "ReserveUsedAsCollateralDisabled", reserve="indexed address", user="indexed address"
    ),
    event("UserEModeSet", user="indexed address", categoryId="uint8"),
)  # fmt: skip
RECEIPT = Contract(
    function("scaledBalanceOf", "address", returns=("uint256",)),
    event(
        "BalanceTransfer", **{"from": "indexed address"}, to="indexed address",
        value="uint256", index="uint256",
    ),
)  # fmt: skip
PROVIDER = Contract(function("getPriceOracle", returns=("address",)))
ORACLE = Contract(
    function("getAssetPrice", "address", returns=("uint256",)),
    function("BASE_CURRENCY_UNIT", returns=("uint256",)),
)
FEED = Contract(
    function("decimals", returns=("uint8",)),
    function("latestRoundData", returns=("uint80", "int256", "uint256", "uint256", "uint80")),
)
"""A feed as Chainlink has them."""
NAMED = {
    "Supply": ("onBehalfOf",),
    "Withdraw": ("user",),
    "Borrow": ("onBehalfOf",),
    "Repay": ("user", "repayer"),
    "LiquidationCall": ("user",),
    "ReserveUsedAsCollateralEnabled": ("user",),
    "ReserveUsedAsCollateralDisabled": ("user",),
    "UserEModeSet": ("user",),
    "BalanceTransfer": ("from", "to"),
}
"""Whose positions an event changes, by its parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AaveOptions:
    """One market, and what stands in where its oracle fails."""

    pool: str
    small_debt_usd: int = 2000
    """USD below which all of a debt may be repaid at once; 0: contracts before 3.3, which have no
    such rule.
    """
    feeds: Mapping[str, str]
    """By asset: the feed that stands in for the oracle."""
    feed_age_seconds_max: int
    """An older answer of a feed is no price."""
    coin: str
    """The asset that is the chain's own coin, wrapped; empty: none."""
    coin_price_usd: int | None = None
    """Millionths of a dollar for a coin where neither oracle nor feed has a price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """What of a reserve hardly ever changes."""

    id: int
    symbol: str
    receipt: str
    fixed_debt: str
    debt: str


class AaveMarket:
    """See `LendingMarket`."""

    def __init__(self, chain: Chain, options: AaveOptions) -> None:
        self._chain, self._options = chain, options
        self.name, self.spender = "aave", options.pool.lower()
        self._listed: dict[str, _Listed] = {}
        self._busy = asyncio.Semaphore(CONCURRENT)

    async def terms(self, block: Block) -> Terms:
        """See `LendingMarket`."""
        oracle = await self._oracle(block)
        unit = await self._ask(ORACLE.view(oracle, "BASE_CURRENCY_UNIT"), block)
        assets: Sequence[str] = await self._ask(POOL.view(self.spender, "getReservesList"), block)
        found = await asyncio.gather(
            *(self._reserve(asset.lower(), oracle, unit, block) for asset in assets)
        )
        reserves = {one.asset: one for one in found if one is not None}
        modes = {one.category for one in reserves.values() if one.category}
        terms = await asyncio.gather(*(self._mode(mode, oracle, block) for mode in sorted(modes)))
        rules = AaveRules(
            small_debt=self._options.small_debt_usd * unit,
            modes=dict(zip(sorted(modes), terms, strict=True)),
            base_unit=unit,
        )
        coin, source = reserves.get(self._options.coin), PriceSource.ORACLE
        price = None if coin is None else coin.price
        if coin is not None:
            source = coin.source
        elif self._options.coin_price_usd is not None:
            price, source = self._options.coin_price_usd * unit // 10**6, PriceSource.FALLBACK
        return Terms(rules=rules, reserves=reserves, coin_price=price, coin_source=source)

    async def touched(self, first: int, last: int) -> Sequence[Touch]:
        """See `LendingMarket`."""
        names = [name for name in NAMED if name != "BalanceTransfer"]
        found = await self._chain.events(POOL, [self.spender], names, first=first, last=last)
        receipts = [one.receipt for one in self._listed.values()]
        if receipts:
            found += await self._chain.events(
                RECEIPT, receipts, ["BalanceTransfer"], first=first, last=last
            )
        return [
            Touch(block=one.log.block, borrower=str(one.values[who]).lower())
            for one in found
            for who in NAMED[one.name]
        ]

    async def read(self, borrowers: Sequence[str], block: Block) -> Sequence[Position]:
        """See `LendingMarket`."""
        return await asyncio.gather(*(self._position(one, block) for one in borrowers))

    async def health(self, borrower: str, block: Block) -> Health:
        """See `LendingMarket`."""
        view = POOL.view(self.spender, "getUserAccountData", borrower)
        collateral, debt, _, _, _, factor = await self._ask(view, block)
        return Health(collateral=collateral, debt=debt, factor=factor if debt else None)

    def liquidate(self, plan: LiquidationPlan) -> Call:
        """See `LendingMarket`."""
        return POOL.call(
            self.spender,
            "liquidationCall",
            plan.collateral.asset,
            plan.debt.asset,
            plan.borrower,
            plan.seizure.repaid,
            AS_UNDERLYING,
        )

    async def checks(self) -> Sequence[Check]:
        """See `LendingMarket`."""

        async def answers() -> str:
            block = await self._chain.head()
            if not await self._chain.has_code(self.spender, at=block):
                raise BadVenueData("pool", f"there is no contract at {self.spender}")
            oracle = await self._oracle(block)
            assets = await self._ask(POOL.view(self.spender, "getReservesList"), block)
            await self._ask(ORACLE.view(oracle, "BASE_CURRENCY_UNIT"), block)
            return f"{len(assets)} reserves, oracle {oracle}, at block {block.number}"

        fix = "set ARB_LIQUIDATIONS__POOL to the market's Pool on this chain"
        return [await tried("liquidations: the market's contracts", answers, fix)]

    async def _oracle(self, block: Block) -> str:
        provider = await self._ask(POOL.view(self.spender, "ADDRESSES_PROVIDER"), block)
        found: str = await self._ask(PROVIDER.view(provider, "getPriceOracle"), block)
        return found

    async def _reserve(self, asset: str, oracle: str, unit: int, block: Block) -> Reserve | None:
        """One reserve; `None` where neither oracle nor feed has a price."""
        pool = self.spender
        data, income, debt, price = await asyncio.gather(
            self._ask(POOL.view(pool, "getReserveData", asset), block),
            self._ask(POOL.view(pool, "getReserveNormalizedIncome", asset), block),
            self._ask(POOL.view(pool, "getReserveNormalizedVariableDebt", asset), block),
            self._price(asset, oracle, unit, block),
        )
        bits, receipt, fixed, variable = data[0], data[8], data[9], data[10]
        listed = self._listed.get(asset)
        if listed is None:
            symbol = await self._symbol(asset, block)
            listed = _Listed(
                id=data[7], symbol=symbol, receipt=receipt, fixed_debt=fixed, debt=variable
            )
            self._listed[asset] = listed
        if price is None:
            return None
        amount, source = price
        return Reserve(
            asset=asset,
            symbol=listed.symbol,
            decimals=_bits(bits, 48, 8),
            price=amount,
            source=source,
            threshold=_bits(bits, 16, 16),
            bonus=_bits(bits, 32, 16),
            protocol_fee=_bits(bits, 152, 16),
            income_index=income,
            debt_index=debt,
            category=_bits(bits, 168, 8),
            active=bool(_bits(bits, 56, 1)) and not _bits(bits, 60, 1),
            receipt=listed.receipt,
        )

    async def _symbol(self, asset: str, block: Block) -> str:
        try:
            found: str = await self._ask(ERC20.view(asset, "symbol"), block)
        except (Reverted, BadVenueData):  # some old tokens answer with 32 bytes
            return asset[:8]
        return found

    async def _mode(self, mode: int, oracle: str, block: Block) -> Mode:
        view = POOL.view(self.spender, "getEModeCategoryData", mode)
        _, threshold, bonus, source, _ = await self._ask(view, block)
        price = 0
        if source != NOTHING:
            price = await self._ask(ORACLE.view(oracle, "getAssetPrice", source), block)
        return Mode(threshold=threshold, bonus=bonus, price=price)

    async def _price(
        self, asset: str, oracle: str, unit: int, block: Block
    ) -> tuple[int, PriceSource] | None:
        """The oracle's price, the feed's where it has none, or nothing."""
        try:
            price: int = await self._ask(ORACLE.view(oracle, "getAssetPrice", asset), block)
        except (Reverted, BadVenueData):
            price = 0
        if price:
            return price, PriceSource.ORACLE
        feed = self._options.feeds.get(asset)
        if feed is None:
            return None
        try:
            decimals: int = await self._ask(FEED.view(feed, "decimals"), block)
            _, answer, _, at, _ = await self._ask(FEED.view(feed, "latestRoundData"), block)
        except (Reverted, BadVenueData):
            return None
        if answer <= 0 or block.timestamp - at > self._options.feed_age_seconds_max:
            return None
        return answer * unit // 10**decimals, PriceSource.FALLBACK

    async def _position(self, borrower: str, block: Block) -> Position:
        pool = self.spender
        bits, mode = await asyncio.gather(
            self._ask(POOL.view(pool, "getUserConfiguration", borrower), block),
            self._ask(POOL.view(pool, "getUserEMode", borrower), block),
        )
        used = {
            asset: listed for asset, listed in self._listed.items() if _bits(bits, 2 * listed.id, 2)
        }
        loans = await asyncio.gather(
            *(self._loan(borrower, listed, bits, block) for listed in used.values())
        )
        return Position(
            borrower=borrower,
            block=block.number,
            loans=dict(zip(used, loans, strict=True)),
            mode=mode,
        )

    async def _loan(self, borrower: str, listed: _Listed, bits: int, block: Block) -> Loan:
        pledged, owes = _bits(bits, 2 * listed.id + 1, 1), _bits(bits, 2 * listed.id, 1)
        supplied = owed = fixed = 0
        if pledged:
            view = RECEIPT.view(listed.receipt, "scaledBalanceOf", borrower)
            supplied = await self._ask(view, block)
        if owes:
            owed = await self._ask(RECEIPT.view(listed.debt, "scaledBalanceOf", borrower), block)
            if listed.fixed_debt != NOTHING:
                fixed = await self._chain.balance(listed.fixed_debt, borrower, at=block)
        return Loan(supplied=supplied, owed=owed, owed_fixed=fixed, collateral=bool(pledged))

    async def _ask(self, view: Any, block: Block) -> Any:
        async with self._busy:
            return await self._chain.ask(view, at=block)


def _bits(word: int, first: int, count: int) -> int:
    return word >> first & ((1 << count) - 1)
