"""What goes over the wire besides the documents of `arb.views`, with an example of each."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from arb.domain.opportunity import OWN_KIND
from arb.views import ledger, sidecars
from arb.views.shape import AT, PLAN_ID, example_of
from arb.views.signals import SignalAccount

Printable = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
Reason = Annotated[
    str, Field(max_length=200, pattern=Printable, description="Kept with the command.")
]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w.-]+$")]
Word = Annotated[str, Field(min_length=1, max_length=20, pattern=Printable)]
Scalar = (
    bool
    | int
    | Annotated[float, Field(allow_inf_nan=False)]
    | Annotated[str, Field(max_length=200, pattern=Printable)]
)
"""What an option of a strategy may be: text that can be kept on record, or a number."""
Symbol = Annotated[str, Field(min_length=1, max_length=200, pattern=Printable)]
BOT_ID = r"^[\w.:-]{1,120}$"

STRATEGY = {
    "name": "negrisk_no", "symbol": "cheap-yes-1", "timeframe": None, "is_active": True,
}  # fmt: skip
STATUS = {
    "running": True, "paused": True, "paper_trading": True, "exchange": "polymarket",
    "open_on_loopback": False, "account": "paper:default", "mode": "dry-run", "state": "halted",
    "reason": "paused: maintenance of the host", "since": AT, "by_operator": True,
    "contradictions": [example_of(ledger.Contradiction)], "started_at": AT, "busy": False,
    "last_cycle": 4711, "active_strategies": 1, "strategies": [STRATEGY],
}  # fmt: skip
BLOCKED = {
    "code": "reconciliation_old", "reason": "the last reconciliation is 1312 s old",
    "stops": "opening",
}  # fmt: skip
HEALTH = {
    "status": "degraded", "reasons": ["6 cycles in a row failed"], "blocked_by": [BLOCKED],
    "is_running": True,
    "is_paused": False, "last_successful_update": AT, "time_since_update_seconds": 181.2,
    "consecutive_errors": 6, "circuit_breaker_state": "open", "pause_after": 10,
    "circuits": {"clob.polymarket.com": "open", "gamma-api.polymarket.com": "closed"},
    "error_counts": {"venue": 6}, "error_window_seconds": 3600.0,
    "requests": {
        "requests:books": 1203, "retries:books": 14, "failures:books": 18, "waited_ms:books": 250,
    },
}  # fmt: skip
YOU = {"name": "grafana", "role": "read"}


def example(**fields: Any) -> ConfigDict:
    """The configuration of a document that has such an example."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Model(BaseModel):
    """A document."""

    model_config = ConfigDict(extra="forbid")


class Loose(BaseModel):
    """A document that may grow."""

    model_config = ConfigDict(extra="allow")


class Command(Model):
    """Why a command is given."""

    reason: Reason = Field("", examples=["maintenance of the host"])
    model_config = example(reason="maintenance of the host")


class Resume(Command):
    """What may be traded again."""

    kind: str | None = Field(
        None,
        pattern=OWN_KIND.pattern,
        max_length=40,
        description="A kind that a contradiction has stopped; without it all that a halt stopped.",
        examples=["negrisk_no"],
    )
    venue: Name | None = Field(
        None,
        description="Where the kind is stopped; without it at every venue. Goes with `kind`.",
        examples=["polymarket"],
    )
    model_config = example(
        reason="the listing was wrong and is right now", kind="negrisk_no", venue="polymarket"
    )

    @model_validator(mode="after")
    def _venue_of_a_kind(self) -> Self:
        if self.venue is not None and self.kind is None:
            raise ValueError("a venue goes with a kind")
        return self


class Start(Command):
    """What the caller takes for granted: nothing is started where it is not so."""

    exchange: Name | None = Field(
        None, description="One of the enabled venues.", examples=["polymarket"]
    )
    initial_balance: Annotated[Decimal, Field(gt=0, le=10**12, decimal_places=6)] | None = Field(
        None,
        description="USD with which the account on paper was opened, at `exchange` or in all.",
        examples=["10000"],
    )
    model_config = example(exchange="polymarket", initial_balance="10000")


class AddStrategy(Command):
    """Which strategy shall look, and at what."""

    strategy_name: Name = Field(examples=["negrisk_no"])
    symbol: Symbol | None = Field(
        None,
        description="The slug of an event, or the slug or condition id of a market, that it is "
        "confined to; without one, or `*`, it looks at all. A statistical one needs a market, and "
        "perhaps `/` and an outcome.",
        examples=["cheap-yes-1"],
    )
    timeframe: Word | None = Field(
        None,
        description="The length of a statistical strategy's bars, as `1h`; others have none, which "
        "`*` is too.",
        examples=["1h"],
    )
    params: dict[Name, Scalar | list[Scalar]] | None = Field(
        None, description="Its options, in place of the settings'.", examples=[{"max_legs": 8}]
    )
    model_config = example(
        strategy_name="negrisk_no", symbol="cheap-yes-1", params={"max_legs": 8},
        reason="back after a look at its fees",
    )  # fmt: skip


class BotCommand(Command):
    """What a client of the stream may ask for."""

    action: Literal["start_bot", "stop_bot"]
    bot_id: Annotated[str, Field(pattern=BOT_ID)] = Field(examples=["atom"])
    model_config = example(action="start_bot", bot_id="atom", reason="back after an update")


class Execute(Command):
    """What to trade: its event is scanned again, and every gate decides again."""

    opportunity_id: Annotated[str, Field(pattern=r"^[0-9a-f]{4,64}$")] = Field(
        examples=["5d41402abc4b2a76"]
    )
    model_config = example(opportunity_id="7de0fc2455416bb3", reason="by hand")


class Problem(Model):
    """What is wrong."""

    code: str = Field(examples=["token"])
    message: str = Field(examples=["a bearer token is needed"])
    model_config = example(
        code="refused", message="a cycle is at work; try again when it has ended"
    )


class Failure(Model):
    """The answer to a request that was not carried out."""

    error: Problem
    model_config = example(error={"code": "token", "message": "a bearer token is needed"})


class Strategy(Model):
    """A strategy that looks, or could."""

    name: str = Field(examples=["negrisk_no"])
    symbol: str | None = Field(
        default=None,
        description="The event or market that it is confined to; null: it looks at all.",
        examples=["cheap-yes-1"],
    )
    timeframe: str | None = Field(
        default=None,
        description="The length of its bars; null: it looks at the books of every cycle.",
        examples=["1h"],
    )
    is_active: bool
    model_config = example(**STRATEGY)


class Status(Model):
    """The orchestrator at a glance."""

    running: bool
    paused: bool = Field(description="No new trades; scanning goes on.")
    paper_trading: bool
    exchange: str = Field(examples=["polymarket"])
    open_on_loopback: bool = Field(
        description="Programs on this machine may operate without a token."
    )
    account: str = Field(examples=["paper:default"])
    mode: str = Field(examples=["dry-run"])
    state: Literal["normal", "throttled", "halted"]
    reason: str
    since: str | None
    by_operator: bool
    contradictions: list[ledger.Contradiction]
    started_at: str | None
    busy: bool = Field(description="A cycle is at work.")
    last_cycle: int | None
    active_strategies: int
    strategies: list[Strategy]
    model_config = example(**STATUS)


class Outcome(Model):
    """The result of a command."""

    changed: bool = Field(description="Whether anything is different now.")
    resumed_at: list[str] = Field(
        default=[],
        description="Venues at which the kind that was named is traded again.",
        examples=[["polymarket"]],
    )
    status: Status
    model_config = example(changed=True, resumed_at=[], status=STATUS)


class Blocked(Model):
    """A reason why this process may not send orders now."""

    code: str
    reason: str
    stops: Literal["sending", "opening"] = Field(
        description="`sending`: every order; `opening`: new plans, those at work are completed."
    )
    model_config = example(**BLOCKED)


class Health(Model):
    """How it is, and by what that is judged."""

    status: Literal["healthy", "degraded", "unhealthy", "paused", "stopped"]
    reasons: list[str]
    blocked_by: list[Blocked] = Field(
        description="The interlocks that are closed: why this process may not send orders now."
    )
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
    model_config = example(**HEALTH)


class Errors(Model):
    """What the forgotten errors were."""

    forgotten: dict[str, int]
    model_config = example(forgotten={"venue": 6})


class You(Model):
    """Whose token it is, and what it may do."""

    name: str
    role: Literal["read", "operate", "trade"]
    model_config = example(**YOU)


class Overview(Model):
    """What the page shows."""

    you: You
    interval_seconds: float = Field(description="Between cycles.")
    cycle_age_seconds: float | None = Field(description="Since the last cycle ended.")
    status: Status
    health: Health
    portfolio: ledger.Portfolio
    plans: list[ledger.Plan]
    positions: list[ledger.Position]
    profit: list[ledger.Profit]
    cycles: list[ledger.Cycle]
    alerts: list[sidecars.Alert]
    bots: list[sidecars.Bot]
    signals: SignalAccount | None = Field(
        description="Statistical strategies, where they are enabled."
    )
    attempts: list[ledger.AttemptFact] = Field(
        description="The latest steps of attempts on a chain, where there are any."
    )
    model_config = example(
        you=YOU, interval_seconds=30.0, cycle_age_seconds=12.5, status=STATUS, health=HEALTH,
        portfolio=example_of(ledger.Portfolio), plans=[example_of(ledger.Plan)],
        positions=[example_of(ledger.Position)], profit=[example_of(ledger.Profit)],
        cycles=[example_of(ledger.Cycle)], alerts=[example_of(sidecars.Alert)],
        bots=[example_of(sidecars.Bot)], signals=example_of(SignalAccount),
        attempts=[example_of(ledger.AttemptFact)],
    )  # fmt: skip


class Executed(Model):
    """The result of scanning the event."""

    run: int
    cycle: int = Field(description="The same as `run`; its name before runs.")
    opportunities: int
    approved: int
    filled: int
    plans: list[dict[str, Any]]
    reasons: dict[str, int]
    model_config = example(
        run=4712, cycle=4712, opportunities=1, approved=1, filled=1,
        plans=[{"id": PLAN_ID, "state": "done", "realised": "2.13", "code": None}],
        reasons={"filled": 1},
    )  # fmt: skip


class Ticket(Model):
    """Opens one WebSocket, within seconds, as subprotocol `ticket.<ticket>` beside `arb.v1`."""

    ticket: str
    expires_in: int = Field(description="Seconds.", examples=[30])
    model_config = example(ticket="hYw1…", expires_in=30)


class AuditLine(Loose):
    """One line of the record of commands."""

    at: str
    who: str
    role: str
    action: str
    step: str
    hash: str
    model_config = example(
        at=AT, who="grafana", role="operate", action="pause", step="done",
        reason="maintenance of the host", previous="9f86d081884c7d65", hash="60303ae22b998861",
    )  # fmt: skip


class Alive(Model):
    """It answers."""

    status: Literal["ok"]
    model_config = example(status="ok")


class Ready(Model):
    """Whether it could trade."""

    ready: bool
    model_config = example(ready=True)
