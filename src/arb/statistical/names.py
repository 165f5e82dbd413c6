"""The names of the statistical strategies, for those who do not need their library."""

from typing import Final

SIGNAL_STRATEGIES: Final = (
    "MACrossoverStrategy",
    "RSIStrategy",
    "GridTradingStrategy",
    "MomentumStrategy",
    "MACDBollingerStrategy",
)
