"""A market's trading rules as the exchange itself confirms them, compared with the listing's."""

from dataclasses import dataclass

from arb.domain.market import MarketId


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The exchange's word on one market."""

    market: MarketId
    known: bool
    """Whether the exchange knows the market and answered."""
    accepting: bool = True
    delayed: bool = False
    """Taking orders are held back before they are matched."""
    differences: tuple[str, ...] = ()
    """Every rule that differs from the listing's, in words."""
    contradictions: tuple[str, ...] = ()
    """Of those: what the proof itself rests on, as which token is which outcome."""
