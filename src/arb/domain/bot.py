"""What happens with external bots, as it is kept."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from arb.domain.money import Usd
from arb.domain.order import PlanId


class BotDeed(StrEnum):
    """One thing that happened with a bot."""

    ASKED = "asked"
    """A plan was put to it."""
    AGREED = "agreed"
    DECLINED = "declined"
    SILENT = "silent"
    """It did not answer in time, or could not be reached."""
    IMPOSSIBLE = "impossible"
    """Its answer was not accepted."""
    RUNNING = "running"
    RESTARTING = "restarting"
    """Its process ended by itself and is started again."""
    STOPPED = "stopped"
    FAILED = "failed"
    """Its process ended by itself too often and stays down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotEvent:
    """One thing that happened with a bot, and when."""

    bot: str
    deed: BotDeed
    at: datetime
    plan: PlanId | None = None
    """What it was asked about."""
    detail: str = ""
    said_profit: Usd | None = None
    """USD that the bot says it has made: its word, never booked."""
    said_transaction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSums:
    """What a bot has done in a period."""

    bot: str
    asked: int
    agreed: int
    declined: int
    silent: int
    impossible: int
    restarts: int
    successes: int
    """Plans that it agreed to and that were filled."""
    failures: int
    """Plans that it agreed to and that were unwound."""
    realised: Usd
    """USD of profit that plans which it agreed to have realised."""
    last_at: datetime
    """When something happened with it last."""
