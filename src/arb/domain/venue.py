"""What differs from venue to venue, as values: the core asks these and knows no venue by name."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from arb.domain.money import Shares


class TimeInForce(StrEnum):
    """How long an order may wait."""

    FOK = "FOK"
    """Filled whole or not at all."""
    FAK = "FAK"
    """Filled as far as possible at once; the rest is cancelled (elsewhere: IOC)."""


class PairExit(StrEnum):
    """How both outcomes of one market turn into their dollar."""

    MERGE = "merge"
    """At once, by an operation that has to be requested."""
    AUTOMATIC = "automatic"
    """The venue nets them by itself as soon as both are held."""
    RESOLUTION = "resolution"
    """Not before the market resolves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """What trading at a venue rests on beside the account, as a node of its chain tells it."""

    block: int
    """The number of the latest block."""
    gas: Decimal | None
    """What the wallet has for gas, in the chain's own coin; `None`: it pays none itself."""
    gas_least: Decimal
    coin: str
    """What that coin is called."""

    @property
    def low(self) -> bool:
        """Whether the wallet has too little for gas."""
        return self.gas is not None and self.gas < self.gas_least


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTerms:
    """A venue's terms of trade. Plans keep those that they were approved under.

    The defaults are what plans of ledgers before venue terms were carried out by.
    """

    batch_max: int = 15
    """Orders that the venue takes in one request."""
    order_life: timedelta = timedelta(seconds=60)
    """How long after it was sent an order may still be placed or be matched."""
    not_found_grace: timedelta = timedelta(seconds=15)
    """How much longer "not found" proves nothing: clocks differ and reads lag (fault A13)."""
    dust: Shares = Shares(Decimal("0.01"))  # noqa: RUF009  # a NewType call is free
    """Shares below this are not worth an order; the venue leaves such rests itself (fault B09)."""
    times_in_force: tuple[TimeInForce, ...] = (TimeInForce.FOK, TimeInForce.FAK)
    """What the venue takes of orders that do not rest; at least one."""
    orders_per_second_max: int = 40
    """Orders sent to the venue in one second, however many are allowed in all."""
    complement_shares_book: bool = True
    """Whether YES and NO of a market are two views of the same resting orders."""
    pair_exit: PairExit = PairExit.MERGE

    def __post_init__(self) -> None:
        if self.batch_max < 1 or self.orders_per_second_max < 1 or not self.times_in_force:
            raise ValueError("a venue takes at least one order at a time, of at least one kind")

    def nearest(self, wanted: TimeInForce) -> TimeInForce:
        """The time in force that is wanted, or what the venue has instead."""
        return wanted if wanted in self.times_in_force else self.times_in_force[0]
