"""What a wallet has on chain: the last word on cash and shares."""

from collections.abc import Mapping, Sequence

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.domain.errors import BadVenueData
from arb.domain.market import OutcomeId
from arb.domain.money import Shares, Usd, from_micro
from arb.net.rpc import Rpc

V2_NAMESPACE = ((1 << 64) - 1) << 40
"""Bits that are zero in a position id of protocol v2 (docs/venue-polymarket.md §6.3)."""
BATCH_MAX = 100
BALANCE_MAX = 10**21
"""Millionths: a thousand times all dollars there are. A balance beyond is a node's mistake."""


def is_v2(token: str) -> bool:
    """Whether a token id is one of protocol v2."""
    return int(token) & V2_NAMESPACE == 0


def _possible(millionths: int) -> int:
    """A balance, before it is reckoned with."""
    if millionths > BALANCE_MAX:
        raise BadVenueData("balance", f"a number of {millionths.bit_length()} bits")
    return millionths


class Holdings:
    """Balances of one wallet."""

    def __init__(self, rpc: Rpc, contracts: Contracts, wallet: str) -> None:
        self._rpc, self._contracts, self.wallet = rpc, contracts, wallet

    async def cash(self) -> Usd:
        """Dollars.

        Raises:
            VenueError: No node answered.
        """
        held = await self._rpc.call(calls.dollars(self._contracts, self.wallet))
        return Usd(from_micro(_possible(held)))

    async def of(self, outcomes: Sequence[OutcomeId]) -> Mapping[OutcomeId, Shares]:
        """Shares of each outcome.

        Raises:
            VenueError: No node answered.
        """
        found: dict[OutcomeId, Shares] = {}
        for contract, group in self._by_contract(outcomes).items():
            for start in range(0, len(group), BATCH_MAX):
                part = group[start : start + BATCH_MAX]
                view = calls.shares_of_many(contract, self.wallet, [o.token for o in part])
                held = await self._rpc.call(view)
                found |= {
                    o: Shares(from_micro(_possible(n))) for o, n in zip(part, held, strict=True)
                }
        return found

    def _by_contract(self, outcomes: Sequence[OutcomeId]) -> Mapping[str, list[OutcomeId]]:
        groups: dict[str, list[OutcomeId]] = {}
        for outcome in outcomes:
            contract = (
                self._contracts.position_manager
                if is_v2(outcome.token)
                else self._contracts.conditional_tokens
            )
            groups.setdefault(contract, []).append(outcome)
        return groups
