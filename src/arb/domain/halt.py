"""The three states of trading."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStatus:
    """Whether a cycle may trade, and all the reasons if not."""

    can_trade: bool
    state: TradingState
    reasons: tuple[str, ...] = ()
