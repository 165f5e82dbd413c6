"""A strategy that looks at one outcome's price."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from arb.domain.market import MarketId, OutcomeId


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyInstance:
    """A statistical strategy, the outcome that it buys and sells, and how it looks at its price."""

    strategy: str
    symbol: str
    """As it was named: the market's slug, and perhaps `/` and the outcome."""
    market: MarketId
    outcome: OutcomeId
    timeframe: str
    """The length of its bars, as `1h`."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Those of its parameters that were given, as text."""
    added_at: datetime
    followed: datetime | None = None
    """The start of the last bar whose signal was followed, or refused."""

    @property
    def key(self) -> tuple[str, OutcomeId]:
        """By what it is known: a strategy has one instance for each outcome."""
        return (self.strategy, self.outcome)

    def __str__(self) -> str:
        return f"{self.strategy} at {self.symbol}"
