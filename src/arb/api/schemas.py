"""What goes over the wire, with an example of each."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from arb.domain.opportunity import Kind

Printable = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
Reason = Annotated[
    str, Field(max_length=200, pattern=Printable, description="Kept with the command.")
]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w.-]+$")]
Amount = Annotated[str, Field(description="A decimal number as text.", examples=["12.34"])]


class Model(BaseModel):
    """A document."""

    model_config = ConfigDict(extra="forbid")


class Loose(BaseModel):
    """A document that may grow."""

    model_config = ConfigDict(extra="allow")


class Command(Model):
    """Why a command is given."""

    reason: Reason = Field("", examples=["maintenance of the host"])


class Resume(Command):
    """What may be traded again."""

    kind: Kind | None = Field(
        None,
        description="A kind that a contradiction has stopped; without it all that a halt stopped.",
        examples=["negrisk_no"],
    )
    venue: Name | None = Field(
        None,
        description="Where the kind is stopped; without it at every venue. Goes with `kind`.",
        examples=["polymarket"],
    )

    @model_validator(mode="after")
    def _venue_of_a_kind(self) -> Self:
        if self.venue is not None and self.kind is None:
            raise ValueError("a venue goes with a kind")
        return self


class AddStrategy(Command):
    """Which strategy shall look."""

    strategy_name: Name = Field(examples=["negrisk_no"])


class Execute(Command):
    """What to trade: its event is scanned again, and every gate decides again."""

    opportunity_id: Annotated[str, Field(pattern=r"^[0-9a-f]{4,64}$")] = Field(
        examples=["5d41402abc4b2a76"]
    )


class Problem(Model):
    """What is wrong."""

    code: str = Field(examples=["token"])
    message: str = Field(examples=["a bearer token is needed"])


class Failure(Model):
    """The answer to a request that was not carried out."""

    error: Problem


class Strategy(Model):
    """A strategy that looks, or could."""

    name: str = Field(examples=["negrisk_no"])
    is_active: bool


class Contradiction(Model):
    """What was believed of a trade and what was seen: its kind is stopped until someone looks."""

    kind: str = Field(examples=["negrisk_no"])
    venue: str = Field(examples=["polymarket"])
    plan: str
    believed: str
    seen: str
    at: str
    command: str = Field(
        description="The command that ends it.",
        examples=["arb resume --kind negrisk_no --venue polymarket"],
    )


class Status(Model):
    """The orchestrator at a glance."""

    running: bool
    paused: bool = Field(description="No new trades; scanning goes on.")
    paper_trading: bool
    exchange: str = Field(examples=["polymarket"])
    account: str = Field(examples=["paper:default"])
    mode: str = Field(examples=["dry-run"])
    state: Literal["normal", "throttled", "halted"]
    reason: str
    since: str | None
    by_operator: bool
    contradictions: list[Contradiction]
    started_at: str | None
    busy: bool = Field(description="A cycle is at work.")
    last_cycle: int | None
    active_strategies: int
    strategies: list[Strategy]


class Outcome(Model):
    """The result of a command."""

    changed: bool = Field(description="Whether anything is different now.")
    resumed_at: list[str] = Field(
        [],
        description="Venues at which the kind that was named is traded again.",
        examples=[["polymarket"]],
    )
    status: Status


class Health(Model):
    """How it is, and by what that is judged."""

    status: Literal["healthy", "degraded", "unhealthy", "paused", "stopped"]
    reasons: list[str]
    is_running: bool
    is_paused: bool
    last_successful_update: str | None
    time_since_update_seconds: float | None
    consecutive_errors: int
    circuit_breaker_state: Literal["closed", "open", "half_open"]
    pause_after: int = Field(description="Failed cycles in a row after which trading pauses.")
    circuits: dict[str, str] = Field(description="By host.")
    error_counts: dict[str, int] = Field(description="Within the window, by where.")
    error_window_seconds: float
    requests: dict[str, int] = Field(
        description="So far, by endpoint: `requests:books`, `retries:books`, `failures:books`, "
        "and `waited_ms:books` for the rate limiter."
    )


class Errors(Model):
    """What the forgotten errors were."""

    forgotten: dict[str, int]


class Opportunity(Loose):
    """One candidate and its outcome; with its certificate when asked for alone."""

    id: str
    cycle: int
    at: str
    decision: str = Field(examples=["approved"])
    kind: str = Field(examples=["negrisk_no"])
    event: str
    title: str
    exit: str | None
    size: Amount | None
    available: Amount | None
    cost: Amount | None
    fees: Amount | None
    payoff_worst: Amount | None
    profit: Amount | None
    reason: str | None
    detail: str


class Plan(Loose):
    """One plan; with its legs and facts when asked for alone."""

    id: str
    cycle: int
    kind: str
    event: str
    state: Literal["open", "done", "unwound"]
    approved_at: str
    ended_at: str | None
    outlay: Amount
    payoff_worst: Amount
    realised: Amount
    locked: Amount
    reason: str
    alarm: str


class Fill(Model):
    """One fill."""

    id: str
    plan: str
    slug: str
    outcome: str
    market: str
    token: str
    side: str
    price: Amount
    size: Amount
    fee: Amount
    at: str
    state: str


class Cycle(Model):
    """One cycle with its counts."""

    cycle: int
    started_at: str
    ended_at: str | None
    duration_ms: int | None
    markets: int | None
    books: int | None
    opportunities: int | None
    summary: dict[str, Any]


class Portfolio(Model):
    """The account."""

    account: str
    cash: Amount
    free: Amount
    promised: Amount
    locked: Amount
    equity: Amount
    provisional: Amount
    open_plans: int
    volume_today: Amount
    loss_today: Amount
    consecutive_failures: int
    trades_ended: int
    trades_voided: int
    by_event: dict[str, Amount]
    statistics: dict[str, Any]


class Position(Model):
    """Shares of one outcome, named as the plan that bought them names them."""

    venue: str
    event: str
    slug: str
    outcome: str
    market: str
    token: str
    shares: Amount
    plan: str = Field(description="The latest plan that traded it; empty: none did.")
    cost: Amount | None = Field(description="What these shares cost, fee included.")
    closes_at: str | None = Field(description="When the market was to close when it was bought.")
    plan_paid: Amount | None = Field(description="What the plan has bound until its resolution.")
    plan_pays: Amount | None = Field(description="What the plan pays in the worst world.")
    plan_profit: Amount | None = Field(description="Certain, and not realised yet.")


class Profit(Model):
    """How one plan ended."""

    at: str
    plan: str
    kind: str
    state: str
    realised: Amount
    locked: Amount


class Setting(Model):
    """One setting; secrets are masked."""

    name: str
    value: str
    source: str


class AlertChannel(Model):
    """What became of an alert on one channel, named by its kind alone."""

    channel: str
    state: Literal["waiting", "sent", "failed"]
    detail: str


class Alert(Model):
    """Something to look at, whether it was sent, and where."""

    at: str
    last_at: str = Field(description="When the same came again last.")
    ended_at: str | None = Field(description="When it was over: trading was resumed.")
    level: Literal["critical", "high", "medium", "low"]
    condition: str
    text: str
    again: int = Field(description="How often the same came again, without being sent again.")
    verdict: Literal["sent", "no_channel", "below_level", "repeated", "quiet_hours", "too_many"] = (
        Field(description="`sent`, or why not.")
    )
    channels: list[AlertChannel]


class BotWork(Model):
    """A plan that is in a bot's hands."""

    plan: str
    event: str = Field(description="Empty for a plan of before the last start.")


class Bot(Model):
    """One external bot as it stands."""

    bot_id: str
    does: Literal["decides", "executes", "prints"]
    status: Literal["running", "restarting", "stopped", "failed", "unknown", "gone", "script"]
    is_running: bool
    gave_up: bool = Field(description="Its restarts are used up: start it by hand.")
    pid: int | None
    since: str | None
    restarts: int = Field(description="Since it last ran long enough.")
    restarts_max: int
    heartbeat_at: str | None
    heartbeat_age_seconds: float | None
    says: str = Field(description="The status in its last heartbeat.")
    last_exit: str
    work: list[BotWork]
    asked: int = Field(description="Plans sent to it since the start.")
    agreed: int = Field(description="Plans that it agreed to.")
    failures: int = Field(description="Plans in a row without a usable answer.")
    off_routes: bool = Field(
        description="It has failed 10 in a row and gets no more plans: start it, or reset errors."
    )


class You(Model):
    """Whose token it is, and what it may do."""

    name: str
    role: Literal["read", "operate", "trade"]


class Overview(Model):
    """What the page shows."""

    you: You
    interval_seconds: float = Field(description="Between cycles.")
    cycle_age_seconds: float | None = Field(description="Since the last cycle ended.")
    status: Status
    health: Health
    portfolio: Portfolio
    plans: list[Plan]
    positions: list[Position]
    profit: list[Profit]
    cycles: list[Cycle]
    alerts: list[Alert]
    bots: list[Bot]


class Executed(Model):
    """The result of scanning the event."""

    cycle: int
    opportunities: int
    approved: int
    filled: int
    plans: list[dict[str, Any]]
    reasons: dict[str, int]


class Ticket(Model):
    """Opens one WebSocket, within seconds, as subprotocol `ticket.<ticket>` beside `arb.v1`."""

    ticket: str
    expires_in: int = Field(description="Seconds.", examples=[30])


class AuditLine(Loose):
    """One line of the record of commands."""

    at: str
    who: str
    role: str
    action: str
    step: str
    hash: str


class Alive(Model):
    """It answers."""

    status: Literal["ok"]


class Ready(Model):
    """Whether it could trade."""

    ready: bool
