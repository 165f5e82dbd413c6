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
        pause = self.reason == PAUSED or self.reason.startswith(f"{PAUSED}: ")
        return self.state is TradingState.HALTED and pause

    @property
    def word(self) -> str:
        """The state as people call it: a pause is no halt."""
        return PAUSED if self.paused else self.state.value

    @property
    def why(self) -> str:
        """The reason without the word."""
        return self.reason[len(PAUSED) :].removeprefix(": ") if self.paused else self.reason

    @property
    def outage(self) -> bool:
        """Whether the venue's outage is the only cause: the pause ends when the venue is back."""
        return self.paused and not self.by_operator and self.reason.startswith(OUTAGE)


def reason_of_halt(reason: str) -> str:
    """A halt's reason, marked so that it is never read as a pause's, however it is worded."""
    return f"halt: {reason}" if reason.startswith(PAUSED) else reason


def reason_of_pause(reason: str) -> str:
    """A reason, marked as a pause's."""
    return f"{PAUSED}: {reason}" if reason else PAUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStatus:
    """Whether a cycle may trade, and all the reasons if not."""

    can_trade: bool
    state: TradingState
    reasons: tuple[str, ...] = ()
