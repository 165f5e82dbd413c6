"""The three states of trading."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PAUSED = "paused"
"""How the reason of a pause begins: a halt that an operator means to end soon."""
OUTAGE = f"{PAUSED}: the venue was away"
"""How the reason of a pause begins that ends by itself when the venue is back."""


class TradingState(StrEnum):
    """How much may be done."""

    NORMAL = "normal"
    THROTTLED = "throttled"
    """Half the size and half the plans."""
    HALTED = "halted"
    """Nothing is traded until an operator resumes; scanning goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state, why, and since when; kept in the ledger."""

    state: TradingState = TradingState.NORMAL
    reason: str = ""
    since: datetime | None = None
    by_operator: bool = False
    """Set by a person: failures before a resumption are not held against trading again."""

    @property
    def paused(self) -> bool:
        """Whether no new plan may start although nothing has called for a halt."""
        return self.state is TradingState.HALTED and self.reason.startswith(PAUSED)

    @property
    def outage(self) -> bool:
        """Whether nobody but the venue holds trading back: the pause ends when it is back."""
        return self.paused and not self.by_operator and self.reason.startswith(OUTAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStatus:
    """Whether a cycle may trade, and all the reasons if not."""

    can_trade: bool
    state: TradingState
    reasons: tuple[str, ...] = ()
