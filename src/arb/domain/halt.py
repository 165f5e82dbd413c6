"""The three states of trading."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

PAUSED = "paused"
AWAY = "the venue was away"
"""How the reason of a pause begins that ends by itself when the venue is back."""


class TradingState(StrEnum):
    """How much may be done."""

    NORMAL = "normal"
    THROTTLED = "throttled"
    """Half the size and half the plans."""
    HALTED = "halted"
    """Nothing new is traded until an operator resumes, or a pause ends; scanning goes on."""


class Pause(StrEnum):
    """What ends a pause: a halt that nothing has called for, and that is meant to end soon."""

    UNTIL_RESUMED = "until_resumed"
    """An operator, with `arb resume`."""
    UNTIL_REACHABLE = "until_reachable"
    """It ends by itself when the venue is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state, why, and since when; kept in the ledger."""

    state: TradingState = TradingState.NORMAL
    reason: str = ""
    since: datetime | None = None
    by_operator: bool = False
    """Set by a person: failures before a resumption are not held against trading again."""
    pause: Pause | None = None
    """Which pause a halt is, if any: it holds back new plans as every halt does."""

    @property
    def paused(self) -> bool:
        """Whether no new plan may start although nothing has called for a halt."""
        return self.state is TradingState.HALTED and self.pause is not None

    @property
    def outage(self) -> bool:
        """Whether the venue's outage is the only cause: the pause ends when the venue is back."""
        away = self.pause is Pause.UNTIL_REACHABLE
        return self.paused and away and not self.by_operator

    @property
    def word(self) -> str:
        """The state as people call it: a pause is no halt."""
        return PAUSED if self.paused else self.state.value

    @property
    def text(self) -> str:
        """The reason as it is stored and published, where no field says that it is a pause's.

        `parse_standing` makes the same standing of it, however the reason itself is worded.
        """
        if self.state is not TradingState.HALTED:
            return self.reason
        if not self.paused:
            return f"halt: {self.reason}" if _is_pause(self.reason) else self.reason
        reason = self.reason
        if self.outage and not reason.startswith(AWAY):
            reason = f"{AWAY}: {reason}"
        elif not self.outage and not self.by_operator and reason.startswith(AWAY):
            reason = f"pause: {reason}"
        return f"{PAUSED}: {reason}" if reason else PAUSED


def parse_standing(
    state: str, text: str, *, by_operator: bool, since: datetime | None = None
) -> Standing:
    """A standing from what is stored or published of it.

    Raises:
        ValueError: There is no such state.
    """
    known, pause, reason = TradingState(state), None, text
    if known is TradingState.HALTED and _is_pause(text):
        reason = text.removeprefix(PAUSED).removeprefix(": ")
        away = reason.startswith(AWAY) and not by_operator
        pause = Pause.UNTIL_REACHABLE if away else Pause.UNTIL_RESUMED
    return Standing(state=known, reason=reason, since=since, by_operator=by_operator, pause=pause)


def reason_of_halt(reason: str) -> str:
    """An operator's reason of a halt, marked so that it is never read as a pause's."""
    return f"halt: {reason}" if reason.startswith(PAUSED) else reason


def _is_pause(text: str) -> bool:
    return text == PAUSED or text.startswith(f"{PAUSED}: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStatus:
    """Whether a cycle may trade, and all the reasons if not."""

    can_trade: bool
    state: TradingState
    reasons: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """A field by its name.

        Raises:
            KeyError: There is no such field.
        """
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)
