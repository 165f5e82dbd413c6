"""Documents of what works beside the engine: settings, alerts and bots."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from arb.views.shape import AT, PLAN_ID, shape

CHANNEL = {"channel": "tgram://******** (1)", "state": "sent", "detail": ""}
WORK = {"plan": PLAN_ID, "event": "cheap-yes-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting; secrets are masked."""

    name: str
    value: str
    source: str
    __pydantic_config__ = shape(name="api.token", value="********", source="ARB_API__TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChannel:
    """The outcome of an alert on one channel, named by its kind alone."""

    channel: str
    state: Literal["waiting", "sent", "failed"]
    detail: str
    __pydantic_config__ = shape(**CHANNEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something to look at, whether it was sent, and where."""

    at: str
    last_at: str
    """When the same came again last."""
    ended_at: str | None
    """When it was over: trading was resumed."""
    level: Literal["critical", "high", "medium", "low"]
    condition: str
    text: str
    again: int
    """How often the same came again, without being sent again."""
    verdict: Literal["sent", "no_channel", "below_level", "repeated", "quiet_hours", "too_many"]
    """`sent`, or why not."""
    channels: list[AlertChannel]
    __pydantic_config__ = shape(
        at=AT, last_at=AT, ended_at=AT, level="critical", condition="halted",
        text="Trading is halted: 10 plans in a row failed. `arb resume` ends it.", again=0,
        verdict="sent", channels=[CHANNEL],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BotWork:
    """A plan that is in a bot's hands."""

    plan: str
    event: str
    """Empty for a plan of before the last start."""
    __pydantic_config__ = shape(**WORK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """One external bot as it stands."""

    bot_id: str
    name: str
    """What people call it."""
    does: Literal["decides", "executes", "prints"]
    status: Literal["running", "restarting", "stopped", "failed", "unknown", "gone", "script"]
    is_running: bool
    gave_up: bool
    """Its restarts are used up: start it by hand."""
    script_path: str
    starts: str
    """When the calendar starts it, as in cron, in UTC; empty: never."""
    stops: str
    """What its command runs."""
    pid: int | None
    process_id: int | None
    """The same as `pid`."""
    since: str | None
    """When its state changed last."""
    start_time: str | None
    """When the process that runs was started."""
    restarts: int
    """Since it last ran long enough."""
    restarts_max: int
    heartbeat_at: str | None
    heartbeat_age_seconds: float | None
    says: str
    """The status in its last heartbeat."""
    last_exit: str
    error_message: str | None
    """Why it does not run, where it should."""
    last_activity: str | None
    """Its last heartbeat or answer."""
    opportunities_found: int
    """Plans sent to it in all, of this account."""
    total_profit: str | None
    """USD of profit that plans which it agreed to have realised; before the first none."""
    work: list[BotWork]
    asked: int
    """Plans sent to it since the start."""
    agreed: int
    """Plans that it agreed to."""
    failures: int
    """Plans in a row without a usable answer."""
    off_routes: bool
    """It has failed 10 in a row and gets no more plans: start it, or reset errors."""
    __pydantic_config__ = shape(
        bot_id="atom", name="ATOM", does="decides", status="running", is_running=True,
        gave_up=False, script_path="examples/bots/atom.py", starts="", stops="",
        pid=4711, process_id=4711, since=AT,
        start_time=AT, restarts=1, restarts_max=5, heartbeat_at=AT, heartbeat_age_seconds=12.0,
        says="running", last_exit="exit code 3", error_message="exit code 3", last_activity=AT,
        opportunities_found=42, total_profit="1250.75", work=[WORK], asked=12, agreed=11,
        failures=0, off_routes=False,
    )  # fmt: skip


class Alerts(Protocol):
    """What was decided on alerts."""

    def latest(self, limit: int) -> list[Alert]:
        """The latest, newest first: level, condition, text, and the outcome of each."""
        ...


class Bots(Protocol):
    """External bots under supervision. Unknown ids raise `UnknownTarget`."""

    async def list(self) -> Sequence[Bot]:
        """Every bot and how it does."""
        ...

    async def start(self, id_: str) -> Bot:
        """Start one."""
        ...

    async def stop(self, id_: str) -> Bot:
        """Stop one."""
        ...
