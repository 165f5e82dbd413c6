"""What a lending market is asked, whatever its kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from arb.checks import Check
from arb.net.rpc import Block, Call
from arb.onchain.liquidations.planner import LiquidationPlan, Rules
from arb.onchain.liquidations.positions import Health, Position, PriceSource, Reserve, Touch


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A market's rules and reserves as of one block."""

    rules: Rules
    reserves: Mapping[str, Reserve]
    """By asset."""
    coin_price: int | None
    """Of the chain's own coin, in the market's base unit; `None`: not known."""
    coin_source: PriceSource


class LendingMarket(Protocol):
    """One market. Every question may raise `VenueError`."""

    name: str
    spender: str
    """The contract that takes the debt's token from the wallet."""

    async def terms(self, block: Block) -> Terms:
        """Rules, reserves and prices at a block."""
        ...

    async def touched(self, first: int, last: int) -> Sequence[Touch]:
        """Whose positions the logs of these blocks name, both ends included."""
        ...

    async def read(self, borrowers: Sequence[str], block: Block) -> Sequence[Position]:
        """What these borrowers have, at a block."""
        ...

    async def health(self, borrower: str, block: Block) -> Health:
        """What the contracts themselves compute at a block."""
        ...

    def liquidate(self, plan: LiquidationPlan) -> Call:
        """The call that carries a plan out."""
        ...

    async def checks(self) -> Sequence[Check]:
        """Whether its contracts are there and answer. Never raises for what it finds."""
        ...
