"""Loans of lending markets: what each borrower has supplied and owes, kept in step with the chain.

Amounts are integers in a token's smallest unit, prices integers in the market's own base unit.
Balances are kept *scaled*, as the contracts keep them: interest moves the indices of a reserve,
and no position has to be read again for it.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from arb.net.rpc import Block

WAD = 10**18
RAY = 10**27
BASIS = 10_000
"""Hundredths of a percent in a whole."""
BLOCKS_KEPT = 128
"""How many blocks a reorganisation may undo before every position is read again."""


class PriceSource(StrEnum):
    """Where a price came from."""

    ORACLE = "oracle"
    """The market's own: the price that its contracts liquidate at."""
    FALLBACK = "fallback"
    """A feed that the settings name, since the oracle failed: good for a look, not for a trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """A token that can be supplied and borrowed, as of one block."""

    asset: str
    """Address of the token, in lower case."""
    symbol: str
    decimals: int
    price: int
    """Of a whole token, in the market's base unit."""
    source: PriceSource = PriceSource.ORACLE
    threshold: int
    """The part of its value that counts as collateral: basis points, or of 10^18 (Compound)."""
    bonus: int
    """What a liquidator receives for what is repaid: basis points, 10,500 is five percent more;
    or of 10^18 (Compound).
    """
    protocol_fee: int = 0
    """The part of the bonus that the market keeps: basis points; of what is seized, of 10^18
    (Compound).
    """
    income_index: int
    """Turns scaled supply into an amount: a ray, or an exchange rate of 10^18 (Compound)."""
    debt_index: int
    """Turns scaled debt into an amount."""
    category: int = 0
    """The efficiency mode that it belongs to; 0: none."""
    active: bool = True
    """Whether it may be liquidated: neither paused nor switched off."""
    receipt: str = ""
    """Address of the token that stands for a supply; of the market itself at Compound."""

    @property
    def unit(self) -> int:
        """A whole token in its smallest unit."""
        return int(10**self.decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """An efficiency mode of Aave: better terms among assets of one kind."""

    threshold: int
    bonus: int
    price: int = 0
    """Of all its assets, where the mode has an oracle of its own; 0: each has its own price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """What a borrower has in one reserve."""

    supplied: int = 0
    """Scaled."""
    owed: int = 0
    """Scaled, at a variable rate."""
    owed_fixed: int = 0
    """At a stable rate, as it is now."""
    owed_index: int = 0
    """The index at which `owed` was written down (Compound); 0: scaled by the reserve's alone."""
    collateral: bool = False
    """Whether the supply is collateral."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A borrower's loans, as of the block at which they were read."""

    borrower: str
    block: int
    loans: Mapping[str, Loan]
    """By asset."""
    mode: int = 0
    """The efficiency mode that the borrower is in; 0: none."""

    @property
    def owes(self) -> bool:
        """Whether anything is owed: who owes nothing cannot be liquidated."""
        return any(loan.owed or loan.owed_fixed for loan in self.loans.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A position's value by the market's own arithmetic."""

    collateral: int
    """In the market's base unit, all of it."""
    debt: int
    """In the market's base unit."""
    factor: int | None
    """Of 10^18; below it the position may be liquidated. `None`: nothing is owed."""

    @property
    def liquidatable(self) -> bool:
        """Whether it may be liquidated."""
        return self.factor is not None and self.factor < WAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Seizure:
    """What a liquidation takes and gives, in the smallest units."""

    repaid: int
    """Of the debt's token, paid by the liquidator."""
    received: int
    """Of the collateral's token, received by the liquidator."""
    fee: int = 0
    """Of the collateral's token, kept by the market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """A log that says that a borrower's position has changed."""

    block: int
    borrower: str


@dataclass(slots=True)
class Tracker:
    """Which borrowers are known and which must be read again. Reorganisations undo its blocks.

    It never computes a balance from an event: an event says *whom* to read again, and the read is
    the truth. So a log that is unknown, reordered or undone can make a position late, never wrong.
    """

    positions: dict[str, Position] = field(default_factory=dict)
    """Those that owe anything, by borrower."""
    stale: set[str] = field(default_factory=set)
    """Borrowers who must be read again."""
    head: Block | None = None
    """The last block whose logs were taken in."""
    _seen: deque[tuple[Block, frozenset[str]]] = field(
        default_factory=lambda: deque(maxlen=BLOCKS_KEPT)
    )
    """The last blocks that were looked from, with those whom their logs named."""

    def anchors(self) -> Sequence[Block]:
        """The blocks that may be undone, the newest first: compare them with the chain."""
        return [header for header, _ in reversed(self._seen)]

    def undo_after(self, kept: Block | None) -> None:
        """The chain was reorganised: forget what followed the block that both chains share.

        Args:
            kept: The newest anchor that is still in the chain; `None`: none is, so every position
                is read again.
        """
        if kept is None:
            self.stale.update(self.positions)
        while self._seen and self._seen[-1][0] != kept:
            self.stale.update(self._seen.pop()[1])
        self.head = kept

    def advance(self, head: Block, touches: Iterable[Touch]) -> None:
        """Take in the logs up to a block."""
        named = frozenset(touch.borrower for touch in touches)
        self.stale.update(named)
        self._seen.append((head, named))
        self.head = head

    def resume(self, head: Block, borrowers: Iterable[str]) -> None:
        """Go on from a block up to which the borrowers are known; all are read again."""
        self.stale.update(borrowers)
        self._seen.append((head, frozenset()))
        self.head = head

    def read(self, positions: Iterable[Position]) -> None:
        """Take in positions that were read; of one that is newer already the newer one stays."""
        for position in positions:
            known = self.positions.get(position.borrower)
            if known is not None and known.block > position.block:
                continue
            self.stale.discard(position.borrower)
            if position.owes:
                self.positions[position.borrower] = position
            else:
                self.positions.pop(position.borrower, None)

    def read_all_again(self) -> None:
        """Mark every position: the slow check beside the events."""
        self.stale.update(self.positions)
