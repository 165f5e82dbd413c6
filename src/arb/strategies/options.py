"""What may be chosen about how strategies look for candidates."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyOptions:
    """Bounds that every strategy keeps."""

    max_legs: int = 15
    """Most legs of one candidate: the venue takes that many orders in one request."""
