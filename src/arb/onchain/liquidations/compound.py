"""The arithmetic of Compound v2 and its forks, Moonwell among them: every product is truncated.

A reserve's asset is the underlying token and its `receipt` the cToken; thresholds, bonuses and fees
are parts of 10^18. Prices are as the market's oracle has them: of 10^(36 - decimals).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from arb.onchain.liquidations.positions import WAD, Health, Loan, Position, Reserve, Seizure


def mul(a: int, b: int) -> int:
    """`Exponential.mul_` of two parts of 10^18: truncated."""
    return a * b // WAD


@dataclass(frozen=True, slots=True, kw_only=True)
class CompoundRules:
    """The rules of one Comptroller."""

    close_factor: int
    """The part of a debt that one liquidation may repay, of 10^18."""
    base_unit: int = WAD
    """A dollar in the unit that values are computed in."""

    def worth(self, reserve: Reserve, amount: int) -> int:
        """An amount at the oracle's price, in the base unit."""
        return mul(amount, reserve.price)

    def health(self, position: Position, reserves: Mapping[str, Reserve]) -> Health:
        """`getAccountLiquidity`: collateral is counted at its factor already, as there."""
        collateral = debt = 0
        for asset, loan in position.loans.items():
            reserve = reserves[asset]
            if loan.collateral:
                weight = mul(mul(reserve.threshold, reserve.income_index), reserve.price)
                collateral += mul(weight, loan.supplied)
            debt += mul(reserve.price, owed(loan, reserve))
        factor = collateral * WAD // debt if debt else None
        return Health(collateral=collateral, debt=debt, factor=factor)

    def close_most(
        self, position: Position, reserves: Mapping[str, Reserve], debt: str, _collateral: str
    ) -> int:
        """The most of a debt that one liquidation may repay."""
        return mul(self.close_factor, owed(position.loans[debt], reserves[debt]))

    def seize(
        self,
        position: Position,
        reserves: Mapping[str, Reserve],
        debt: str,
        collateral: str,
        repay: int,
    ) -> Seizure:
        """`liquidateBorrow`, and the redemption of what was seized.

        The contract refuses what would seize more than there is, so the amount is lowered to what
        the collateral covers.
        """
        owing, pledge = reserves[debt], reserves[collateral]
        ratio = mul(pledge.bonus, owing.price) * WAD // mul(pledge.price, pledge.income_index)
        held = position.loans[collateral].supplied
        if mul(ratio, repay) > held:
            repay = held * WAD // ratio
        seized = mul(ratio, repay)
        kept = mul(seized, pledge.protocol_fee)
        return Seizure(
            repaid=repay,
            received=mul(seized - kept, pledge.income_index),
            fee=mul(kept, pledge.income_index),
        )


def owed(loan: Loan, reserve: Reserve) -> int:
    """`borrowBalanceStored`: the debt with its interest."""
    if not loan.owed or not loan.owed_index:
        return loan.owed
    return loan.owed * reserve.debt_index // loan.owed_index


def supplied(loan: Loan, reserve: Reserve) -> int:
    """What the supply can be redeemed for."""
    return mul(loan.supplied, reserve.income_index)
