"""What a wallet must have allowed before it can trade, and the calls that allow exactly that."""

from collections.abc import Sequence
from dataclasses import dataclass

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.holdings import BALANCE_MAX
from arb.domain.money import Usd, from_micro, text, to_micro
from arb.net.rpc import Call, Rpc


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One permission: a contract may take dollars, or move outcome tokens."""

    token: str
    spender: str
    what_for: str
    amount: int | None
    """Millionths of a dollar allowed now; `None` for tokens, which are allowed as a whole."""
    granted: bool

    def document(self) -> dict[str, object]:
        """For scripts."""
        allowed = "all" if self.granted else "none"
        if self.amount is not None:
            bounded = self.amount <= BALANCE_MAX
            allowed = text(from_micro(self.amount)) if bounded else "unlimited"
        return {
            "what_for": self.what_for,
            "token": self.token,
            "spender": self.spender,
            "allowed": allowed,
            "enough": self.granted,
        }


class Approvals:
    """The permissions of one wallet."""

    def __init__(self, rpc: Rpc, contracts: Contracts, wallet: str) -> None:
        self._rpc, self._contracts, self._wallet = rpc, contracts, wallet

    async def read(self, least: Usd) -> Sequence[Approval]:
        """Every permission that trading needs; dollars must be allowed up to `least`.

        Raises:
            VenueError: No node answered.
        """
        found = []
        for spender, what_for in self._spenders():
            amount = await self._rpc.call(calls.allowance(self._contracts, self._wallet, spender))
            found.append(
                Approval(
                    token=self._contracts.collateral,
                    spender=spender,
                    what_for=what_for,
                    amount=amount,
                    granted=amount >= to_micro(least),
                )
            )
        for token, operator, what_for in self._operators():
            granted = await self._rpc.call(calls.is_approved_for_all(token, self._wallet, operator))
            found.append(
                Approval(
                    token=token, spender=operator, what_for=what_for, amount=None, granted=granted
                )
            )
        return found

    def grant(self, missing: Sequence[Approval], amount: Usd) -> list[Call]:
        """The calls that grant what is missing: these dollars to each spender, never more."""
        return [
            calls.approve(self._contracts, one.spender, to_micro(amount))
            if one.amount is not None
            else calls.set_approval_for_all(one.token, one.spender)
            for one in missing
        ]

    def _spenders(self) -> list[tuple[str, str]]:
        places = self._contracts
        return [
            (places.exchange, "buy in plain v1 markets"),
            (places.neg_risk_exchange, "buy in neg-risk v1 markets"),
            (places.exchange_v3, "buy in v2 markets"),
        ]

    def _operators(self) -> list[tuple[str, str, str]]:
        places = self._contracts
        v1, v2 = places.conditional_tokens, places.position_manager
        return [
            (v1, places.exchange, "sell in plain v1 markets"),
            (v1, places.neg_risk_exchange, "sell in neg-risk v1 markets"),
            (v1, places.collateral_adapter, "merge and redeem in plain v1 markets"),
            (v1, places.neg_risk_collateral_adapter, "merge, convert, redeem in neg-risk markets"),
            (v2, places.exchange_v3, "sell in v2 markets"),
            (v2, places.router, "merge, convert and redeem in v2 markets"),
        ]
