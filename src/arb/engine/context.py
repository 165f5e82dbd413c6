"""What a run trades with, as one value: assembled once, then handed out part by part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from arb.engine.venues import Venues
from arb.interlocks import Interlock
from arb.ports import Clock, Ledger, Offload, Scouts, Strategy, inline
from arb.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingContext:
    """Everything that the orchestrator gives its parts; none of them takes it whole."""

    mode: str
    """`dry-run` or `live`."""
    clock: Clock
    venues: Venues
    strategies: Sequence[Strategy]
    ledger: Ledger
    scouts: Scouts | None = None
    """`None` where this process reads all books itself."""
    interlocks: Sequence[Interlock] = ()
    """Why nothing may be sent at all, from outside the engine; it adds its own."""
    news: Publisher = field(default_factory=Publisher)
    offload: Offload = inline
    forgive: Callable[[], None] = lambda: None
    """Gives bots that have failed too often plans again."""
