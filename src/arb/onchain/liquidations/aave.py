"""The arithmetic of Aave v3, to the last unit: `GenericLogic`, `LiquidationLogic`, `WadRayMath`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from arb.onchain.liquidations.positions import (
    BASIS,
    RAY,
    WAD,
    Health,
    Loan,
    Mode,
    Position,
    Reserve,
    Seizure,
)

CLOSE_HALF = 5_000
"""The part of a debt that may be repaid at once, in basis points."""
CLOSE_ALL_BELOW = 95 * WAD // 100
"""The health factor from which on (and below) all of it may be repaid."""


def ray_mul(a: int, b: int) -> int:
    """`WadRayMath.rayMul`: rounded half up."""
    return (a * b + RAY // 2) // RAY


def wad_div(a: int, b: int) -> int:
    """`WadRayMath.wadDiv`: rounded half up."""
    return (a * WAD + b // 2) // b


def percent_mul(value: int, basis: int) -> int:
    """`PercentageMath.percentMul`: rounded half up."""
    return (value * basis + BASIS // 2) // BASIS


def percent_div(value: int, basis: int) -> int:
    """`PercentageMath.percentDiv`: rounded half up."""
    return (value * BASIS + basis // 2) // basis


@dataclass(frozen=True, slots=True, kw_only=True)
class AaveRules:
    """The rules of one Aave v3 market."""

    small_debt: int = 0
    """In the base unit: where the debt or the collateral of a pair is worth less, all of the debt
    may be repaid (Aave 3.3 and later); 0: there is no such rule.
    """
    modes: Mapping[int, Mode] = field(default_factory=dict)
    base_unit: int = 10**8
    """A dollar in the unit of the oracle's prices."""

    def worth(self, reserve: Reserve, amount: int) -> int:
        """An amount at the oracle's price, in the base unit."""
        return amount * reserve.price // reserve.unit

    def health(self, position: Position, reserves: Mapping[str, Reserve]) -> Health:
        """`calculateUserAccountData` of a position."""
        collateral = debt = weighted = 0
        for asset, loan in position.loans.items():
            reserve = reserves[asset]
            price = self._price(reserve, position)
            if loan.collateral and reserve.threshold:
                value = supplied(loan, reserve) * price // reserve.unit
                collateral += value
                weighted += value * self._threshold(reserve, position)
            debt += owed(loan, reserve) * price // reserve.unit
        if not debt:
            return Health(collateral=collateral, debt=0, factor=None)
        threshold = weighted // collateral if collateral else 0
        factor = wad_div(percent_mul(collateral, threshold), debt)
        return Health(collateral=collateral, debt=debt, factor=factor)

    def close_most(
        self, position: Position, reserves: Mapping[str, Reserve], debt: str, collateral: str
    ) -> int:
        """The most of a debt that one liquidation may repay."""
        health = self.health(position, reserves)
        reserve = reserves[debt]
        whole = owed(position.loans[debt], reserve)
        if health.factor is None or health.factor <= CLOSE_ALL_BELOW:
            return whole
        if not self.small_debt:
            return percent_mul(whole, CLOSE_HALF)
        pledge = reserves[collateral]
        price = self._price(reserve, position)
        worth = whole * price // reserve.unit
        pledged = supplied(position.loans[collateral], pledge) * self._price(pledge, position)
        if min(worth, pledged // pledge.unit) < self.small_debt:
            return whole
        half = percent_mul(health.debt, CLOSE_HALF)
        return whole if worth <= half else half * reserve.unit // price

    def seize(
        self,
        position: Position,
        reserves: Mapping[str, Reserve],
        debt: str,
        collateral: str,
        repay: int,
    ) -> Seizure:
        """`liquidationCall`: what it takes and gives for an amount that may be repaid."""
        owing, pledge = reserves[debt], reserves[collateral]
        owing_price, pledge_price = self._price(owing, position), self._price(pledge, position)
        bonus, held = self._bonus(pledge, position), supplied(position.loans[collateral], pledge)
        base = (owing_price * repay * pledge.unit) // (pledge_price * owing.unit)
        seized, needed = percent_mul(base, bonus), repay
        if seized > held:
            seized = held
            needed = percent_div(
                (pledge_price * held * owing.unit) // (owing_price * pledge.unit), bonus
            )
        fee = 0
        if pledge.protocol_fee:
            fee = percent_mul(seized - percent_div(seized, bonus), pledge.protocol_fee)
        return Seizure(repaid=needed, received=seized - fee, fee=fee)

    def _within(self, reserve: Reserve, position: Position) -> Mode | None:
        if position.mode and reserve.category == position.mode:
            return self.modes.get(position.mode)
        return None

    def _price(self, reserve: Reserve, position: Position) -> int:
        mode = self._within(reserve, position)
        return mode.price if mode is not None and mode.price else reserve.price

    def _threshold(self, reserve: Reserve, position: Position) -> int:
        mode = self._within(reserve, position)
        return reserve.threshold if mode is None else mode.threshold

    def _bonus(self, reserve: Reserve, position: Position) -> int:
        mode = self._within(reserve, position)
        return reserve.bonus if mode is None else mode.bonus


def supplied(loan: Loan, reserve: Reserve) -> int:
    """The supply with its interest."""
    return ray_mul(loan.supplied, reserve.income_index)


def owed(loan: Loan, reserve: Reserve) -> int:
    """The debt with its interest, at both rates."""
    return ray_mul(loan.owed, reserve.debt_index) + loan.owed_fixed
