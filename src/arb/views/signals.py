"""Documents of the account that follows signals: statistical, not guaranteed."""

from dataclasses import dataclass
from typing import Literal

from arb.views.shape import AT, Amount, Moment, shape

LABEL = "statistical, not guaranteed"
POSITION = {
    "shares": "120", "price_paid": "0.41", "cost": "50.21", "price": "0.44", "value": "52.8",
    "stop_at": "0.369", "take_at": "0.492",
}  # fmt: skip
INSTANCE = {
    "strategy_name": "MACrossoverStrategy", "symbol": "cheap-yes-1-1", "event": "cheap-yes-1",
    "outcome": "Yes", "timeframe": "1h", "params": {"fast_period": "10", "slow_period": "30"},
    "added_at": AT, "signal": "BUY", "signal_at": AT, "why": "the fast average crosses above",
    "followed": "bought 120 shares", "position": POSITION, "profit": "0", "open_profit": "2.59",
    "problem": "", "is_active": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPosition:
    """What a strategy holds of its outcome."""

    shares: Amount
    price_paid: Amount
    """On average, before fees."""
    cost: Amount
    """With fees."""
    price: Amount | None
    """The best bid when its book was last read."""
    value: Amount | None
    """What they are worth at that bid, before fees."""
    stop_at: Amount | None
    """At a bid as low as this they are sold."""
    take_at: Amount | None
    """At a bid as high as this they are sold."""
    __pydantic_config__ = shape(**POSITION)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalStrategy:
    """A statistical strategy that looks at an outcome."""

    strategy_name: str
    symbol: str
    event: str
    """Its event's slug; empty while that is not known."""
    outcome: str
    timeframe: str
    params: dict[str, str]
    """All of its parameters, by default or given."""
    added_at: Moment
    signal: Literal["BUY", "SELL"] | None
    """The last one since the process began."""
    signal_at: Moment | None
    """When the bar ended that it is of."""
    why: str
    followed: str
    """The outcome: bought, sold, or the reason why not."""
    position: SignalPosition | None
    profit: Amount
    """Realised by all that it has bought and sold."""
    open_profit: Amount | None
    """What would be realised besides if the position were sold at the bid, before fees."""
    problem: str
    """Why it cannot look just now; empty: it can."""
    is_active: bool
    """Whether it looks; of one that was removed only the position is left."""
    __pydantic_config__ = shape(**INSTANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAccount:
    """The account that follows signals."""

    what: str
    """`statistical, not guaranteed`."""
    account: str
    mode: str
    """`dry-run`: signals are followed on paper only."""
    state: str
    reason: str
    cash: Amount
    held: Amount
    """What is held, at its cost."""
    worth: Amount
    """Cash, and what is held at the last known bids."""
    realised: Amount
    trades: int
    """Purchases that have ended in a position, or in nothing."""
    open_positions: int
    loss_today: Amount
    consecutive_errors: int
    """Turns in a row that failed, of the loop with the most."""
    pause_after: int
    """As many pause the account."""
    strategies: list[SignalStrategy]
    __pydantic_config__ = shape(
        what=LABEL, account="paper:signals", mode="dry-run", state="normal", reason="",
        cash="9949.79", held="50.21", worth="10002.59", realised="0", trades=1, open_positions=1,
        loss_today="0", consecutive_errors=0, pause_after=10, strategies=[INSTANCE],
    )  # fmt: skip
