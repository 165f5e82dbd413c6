"""From a position below health factor 1 to a plan: what to repay, what to seize, what it returns.

Pure. A plan is a calculation at one block: what it returns if the block stands, and what it costs
if it does not. It is no proof of the kind that sets of outcomes have.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from arb.domain.money import Usd, micro_down, micro_up
from arb.net.rpc import Block
from arb.onchain.liquidations.positions import (
    BASIS,
    Health,
    Position,
    PriceSource,
    Reserve,
    Seizure,
)

WEI = 10**18


class Rules(Protocol):
    """The arithmetic of one market."""

    def health(self, position: Position, reserves: Mapping[str, Reserve]) -> Health:
        """What the position is worth, as the contracts compute it."""
        ...

    def close_most(
        self, position: Position, reserves: Mapping[str, Reserve], debt: str, collateral: str
    ) -> int:
        """The most of a debt that one liquidation may repay, in the smallest unit."""
        ...

    def seize(
        self,
        position: Position,
        reserves: Mapping[str, Reserve],
        debt: str,
        collateral: str,
        repay: int,
    ) -> Seizure:
        """What repaying an amount takes and gives."""
        ...

    def worth(self, reserve: Reserve, amount: int) -> int:
        """An amount at the oracle's price, in the base unit."""
        ...

    @property
    def base_unit(self) -> int:
        """A dollar in the base unit."""
        ...


class Refusal(StrEnum):
    """Why a position below 1 is left alone."""

    FALLBACK_PRICE = "fallback_price"
    """A price is the fall-back's: the contracts liquidate at the oracle's alone."""
    ORACLE_DOUBTFUL = "oracle_doubtful"
    """The oracle's price and the pool's differ by more than is allowed."""
    UNPRICED = "unpriced"
    """A price is neither the oracle's nor the fall-back's: its health is not known."""
    DIFFERS = "differs"
    """The contract computes another health factor from the same block."""
    NOTHING_TO_SEIZE = "nothing_to_seize"
    """No collateral or debt of it may be liquidated."""
    NO_FUNDS = "no_funds"
    """The wallet has nothing of the debt's token."""
    NO_QUOTE = "no_quote"
    """No pool that the settings name takes the collateral for the debt's token."""
    GAS_UNPRICED = "gas_unpriced"
    """The price of the chain's coin is not known, so costs are not."""
    GAS_DEAR = "gas_dear"
    """A unit of gas costs more than `chain.fee_gwei_max`."""
    BELOW_MIN_PROFIT = "below_min_profit"
    """It returns less than the settings ask for, at the least that the swap may return."""
    DAILY_VOLUME = "daily_volume"
    """The day's volume is used up."""
    SIMULATION = "simulation"
    """The transaction fails or returns less when it is simulated: nothing is sent."""
    HALTED = "halted"
    """Liquidations are halted or paused."""
    THROTTLED = "throttled"
    """Half of the positions are left alone while liquidations are throttled."""
    LOOK_ONLY = "look_only"
    """It is not switched on that anything is sent."""
    BUSY = "busy"
    """An attempt is under way whose end is not known: its nonce is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What is worth a transaction."""

    min_profit_usd: Usd
    max_repay_usd: Usd
    """The most that one liquidation repays."""
    max_daily_usd: Usd
    """The most that a UTC day's liquidations repay."""
    slippage_bps: int
    """By how much less than quoted the swap may return."""
    oracle_deviation_bps: int
    """By how much the pool's price may be below the oracle's."""
    pairs_max: int = 3
    """How many pairs of debt and collateral are quoted for one position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A debt that might be repaid for a collateral, at the oracle's prices."""

    debt: Reserve
    collateral: Reserve
    seizure: Seizure
    gain: int
    """Received less repaid, in the base unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GasTerms:
    """What gas costs at a block."""

    units: int
    """Gas of the whole sequence of transactions."""
    base_fee: int
    """Wei per gas, as high as it may get until the next block."""
    coin_price: int | None
    """Of the chain's coin, in the market's base unit; `None`: not known."""
    coin_source: PriceSource = PriceSource.ORACLE
    headroom: Decimal = Decimal(1)
    """How much more gas than `units` the transactions may use."""
    fee_most: int | None = None
    """Wei that is paid for a unit of gas at most (`chain.fee_gwei_max`): the bribe ends there."""
    bundled: bool = False
    """Whether they are included together or not at all: then a failure costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationPlan:
    """One liquidation, calculated at one block."""

    id: str
    borrower: str
    block: Block
    health: Health
    debt: Reserve
    collateral: Reserve
    seizure: Seizure
    swap_out: int
    """Of the debt's token, as the pool quotes it for what is received."""
    swap_least: int
    """The least that the swap may return, or it does not happen."""
    gas: int
    priority_fee: int
    """Wei per gas to the maker of the block: the bribe."""
    bribe_share: Decimal
    returns: Usd
    """If the block stands, after gas and bribe."""
    returns_least: Usd
    """The same with the least that the swap may return."""
    costs: Usd
    """If the block does not stand, at most: all gas that may be used, at twice the base fee.
    A bundle that fails is not included and costs nothing.
    """
    repays: Usd
    """What is repaid, at the oracle's price."""
    coin_source: PriceSource

    @property
    def gain(self) -> int:
        """Of the debt's token, before gas and bribe."""
        return self.swap_out - self.seizure.repaid


def pairs(
    rules: Rules,
    position: Position,
    reserves: Mapping[str, Reserve],
    funds: Mapping[str, int],
    options: PlanOptions,
) -> Sequence[Pair] | Refusal:
    """What might be repaid for what, the most gainful first.

    Args:
        rules: The market's arithmetic.
        position: Below health factor 1.
        reserves: Every reserve of it, as of the same block.
        funds: What the wallet has of each token.
        options: The limits.
    """
    found: list[Pair] = []
    unfunded = False
    for debt, owed in position.loans.items():
        if not (owed.owed or owed.owed_fixed) or not reserves[debt].active:
            continue
        for asset, pledged in position.loans.items():
            pledge = reserves[asset]
            if not (pledged.collateral and pledged.supplied and pledge.threshold and pledge.active):
                continue
            most = rules.close_most(position, reserves, debt, asset)
            repay = min(most, _tokens(rules, reserves[debt], options.max_repay_usd))
            has = funds.get(debt, 0)
            unfunded = unfunded or not has
            repay = min(repay, has)
            if repay <= 0:
                continue
            seizure = rules.seize(position, reserves, debt, asset, repay)
            taken = rules.worth(pledge, seizure.received)
            gain = taken - rules.worth(reserves[debt], seizure.repaid)
            if seizure.repaid > 0 and seizure.received > 0:
                pair = Pair(debt=reserves[debt], collateral=pledge, seizure=seizure, gain=gain)
                found.append(pair)
    if not found:
        return Refusal.NO_FUNDS if unfunded else Refusal.NOTHING_TO_SEIZE
    found.sort(key=lambda one: (-one.gain, one.debt.asset, one.collateral.asset))
    return found[: options.pairs_max]


def plan(
    rules: Rules,
    position: Position,
    health: Health,
    block: Block,
    pair: Pair,
    quoted: int,
    gas: GasTerms,
    bribe_share: Decimal,
    options: PlanOptions,
) -> LiquidationPlan | Refusal:
    """One pair as a plan, or why not.

    Args:
        rules: The market's arithmetic.
        position: Below health factor 1.
        health: Of the position.
        block: At which everything was read.
        pair: What is repaid for what.
        quoted: What the pool returns for what is received, in the debt's token; of the same token
            what is received itself.
        gas: What gas costs.
        bribe_share: The part of the gain after gas that goes to the maker of the block.
        options: The limits.
    """
    if gas.coin_price is None:
        return Refusal.GAS_UNPRICED
    if gas.fee_most is not None and gas.base_fee > gas.fee_most:
        return Refusal.GAS_DEAR
    fair = rules.worth(pair.collateral, pair.seizure.received)
    returned = rules.worth(pair.debt, quoted)
    if returned * BASIS < fair * (BASIS - options.oracle_deviation_bps):
        return Refusal.ORACLE_DOUBTFUL
    same = pair.debt.asset == pair.collateral.asset
    least = quoted if same else quoted * (BASIS - options.slippage_bps) // BASIS
    repaid = rules.worth(pair.debt, pair.seizure.repaid)
    spent = _base_of_wei(gas.units * gas.base_fee, gas.coin_price)
    left = returned - repaid - spent
    bribe = int(max(left, 0) * bribe_share)
    priority = bribe * WEI // gas.coin_price // gas.units
    if gas.fee_most is not None:
        priority = min(priority, gas.fee_most - gas.base_fee)
    bribe = _base_of_wei(priority * gas.units, gas.coin_price)
    most = 0 if gas.bundled else int(gas.units * gas.headroom) * (2 * gas.base_fee + priority)
    least_left = rules.worth(pair.debt, least) - repaid - spent - bribe
    unit = rules.base_unit
    returns_least = Usd(micro_down(Decimal(least_left) / unit))
    if least_left <= 0 or returns_least < options.min_profit_usd:
        return Refusal.BELOW_MIN_PROFIT
    text = f"{block.hash} {position.borrower} {pair.debt.asset} {pair.collateral.asset}"
    return LiquidationPlan(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        borrower=position.borrower,
        block=block,
        health=health,
        debt=pair.debt,
        collateral=pair.collateral,
        seizure=pair.seizure,
        swap_out=quoted,
        swap_least=least,
        gas=gas.units,
        priority_fee=priority,
        bribe_share=bribe_share,
        returns=Usd(micro_down(Decimal(left - bribe) / unit)),
        returns_least=returns_least,
        costs=Usd(micro_up(Decimal(_base_of_wei(most, gas.coin_price)) / unit)),
        repays=Usd(micro_up(Decimal(repaid) / unit)),
        coin_source=gas.coin_source,
    )


def priced_by_oracle(position: Position, reserves: Mapping[str, Reserve]) -> bool:
    """Whether every price that the position rests on is the market's own."""
    return all(reserves[asset].source is PriceSource.ORACLE for asset in position.loans)


def _tokens(rules: Rules, reserve: Reserve, worth: Usd) -> int:
    """How many of a token's smallest units a sum of dollars is."""
    one = rules.worth(reserve, reserve.unit)
    return int(worth * rules.base_unit) * reserve.unit // one if one else 0


def _base_of_wei(wei: int, coin_price: int) -> int:
    """Wei in the base unit, rounded against us."""
    return -(-wei * coin_price // WEI)
