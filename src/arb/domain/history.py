"""What an outcome's price was, as a venue or a file tells it afterwards."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from arb.domain.money import NO_SHARES, ONE, ZERO, Shares


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price at a time: a midpoint or a last trade, so not one that could be traded at.

    Raises:
        ValueError: The time has no zone, the price is not within [0, 1], or the volume is negative.
    """

    at: datetime
    price: Decimal
    """US dollars per share; 0 and 1 stand in the history of what has resolved."""
    volume: Shares = NO_SHARES
    """Shares traded since the point before; 0 where it is not told."""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"{self.at} has no time zone")
        if not (self.price.is_finite() and ZERO <= self.price <= ONE):
            raise ValueError(f"price {self.price} is not within 0..1")
        if not (self.volume.is_finite() and self.volume >= 0):
            raise ValueError(f"volume {self.volume} is not an amount")


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """What is known of an outcome's past."""

    points: tuple[PricePoint, ...]
    """In any order."""
    problems: tuple[str, ...] = ()
    """What could not be read, each by its place."""
