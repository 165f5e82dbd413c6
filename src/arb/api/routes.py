"""Commands, and the state that they change."""

from collections.abc import Awaitable, Callable, Collection
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Path
from fastapi.exceptions import RequestValidationError

from arb.api import schemas
from arb.api.auth import Principal, Role
from arb.api.guarded import GuardedRoute, needs
from arb.api.state import TICKET_SECONDS, Served, asking, here
from arb.domain.halt import TradingState
from arb.domain.market import VenueId
from arb.domain.money import text
from arb.domain.opportunity import Kind
from arb.domain.report import CycleReport
from arb.engine.control import ControlStatus, Looking, Refusal, Unfit, UnknownTarget
from arb.statistical.names import SIGNAL_STRATEGIES
from arb.views import sidecars, signals
from arb.views.detail import contradiction

router = APIRouter(prefix="/api/v1", route_class=GuardedRoute)
arbitrage = APIRouter(prefix="/arbitrage", route_class=GuardedRoute)
"""Answers at `/api/v1/arbitrage/…`, and at `/api/arbitrage/…` as well."""

Here = Annotated[Served, Depends(here)]
Who = Annotated[Principal, Depends(asking)]
Why = Annotated[schemas.Command, Body(default_factory=schemas.Command)]
What = Annotated[schemas.Resume, Body(default_factory=schemas.Resume)]
Begin = Annotated[schemas.Start, Body(default_factory=schemas.Start)]
Id = Annotated[str, Path(pattern=r"^[\w.:-]{1,120}$", examples=["57cc4279b1f971ea"])]
BotId = Annotated[str, Path(pattern=schemas.BOT_ID, examples=["atom"])]
SymbolPath = Annotated[schemas.Symbol, Path(examples=["cheap-yes-1"])]
StrategyName = Annotated[str, Path(pattern=r"^[\w.:-]{1,120}$", examples=["negrisk_no"])]


def shown(status: ControlStatus, here: Served) -> schemas.Status:
    """The status as it goes over the wire."""
    standing = status.standing
    return schemas.Status(
        running=status.running,
        paused=standing.state is TradingState.HALTED,
        paper_trading=status.mode != "live",
        exchange=here.exchange,
        open_on_loopback=here.open_on_loopback,
        account=status.account,
        mode=status.mode,
        state=standing.state.value,
        reason=standing.text,
        since=standing.since.isoformat() if standing.since else None,
        by_operator=standing.by_operator,
        contradictions=[contradiction(found) for found in status.contradictions],
        started_at=status.started_at.isoformat() if status.started_at else None,
        busy=status.busy,
        last_cycle=status.cycle,
        active_strategies=len(status.strategies),
        strategies=[active(one) for one in status.strategies],
    )


def active(one: Looking) -> schemas.Strategy:
    """A strategy that looks."""
    return schemas.Strategy(
        name=one.name,
        symbol=one.symbol or None,
        timeframe=one.timeframe or None,
        is_active=True,
    )


async def _command(
    here: Served, who: Principal, action: str, reason: str, work: Callable[[], Any], **details: Any
) -> schemas.Outcome:
    """Carry out a command, on record, and return the state after it."""
    before = await here.control.status()

    async def run() -> Any:
        result = work()
        return await result if isinstance(result, Awaitable) else result

    await here.carry_out(who, action, run, reason=reason, **details)
    after = await here.control.status()
    changed = _essence(before) != _essence(after)
    return schemas.Outcome(changed=changed, status=shown(after, here))


def _essence(status: ControlStatus) -> object:
    stops = [found.key for found in status.contradictions]
    return (status.running, status.standing.state, status.standing.text, status.strategies, stops)


@router.get("/bot/status", tags=["bot"], **needs(Role.READ))
async def get_status(here: Here) -> schemas.Status:
    """Whether it runs, trades, and with which strategies."""
    return shown(await here.control.status(here.standing), here)


@router.get("/bot/health", tags=["bot"], **needs(Role.READ))
async def get_health(here: Here) -> schemas.Health:
    """healthy, degraded (5 failed cycles in a row), unhealthy (5 minutes without one that
    succeeded, or halted by itself), paused, stopped.
    """
    report, venues, options = (
        await here.control.health(here.standing),
        here.control.venues,
        here.control.watch.options,
    )
    circuits = dict(venues.circuits())
    return schemas.Health(
        status=report.status.value,
        reasons=list(report.reasons),
        blocked_by=[
            schemas.Blocked(code=found.code.value, reason=found.reason, stops=found.stops.value)
            for found in report.blocked_by
        ],
        is_running=report.running,
        is_paused=report.paused,
        last_successful_update=report.last_success.isoformat() if report.last_success else None,
        time_since_update_seconds=report.seconds_since,
        consecutive_errors=report.consecutive_errors,
        pause_after=options.pause_after,
        circuit_breaker_state=_worst(circuits.values()),
        circuits=circuits,
        error_counts=report.errors,
        error_window_seconds=options.window.total_seconds(),
        requests=dict(venues.traffic()),
    )


def _worst(states: Collection[str]) -> Literal["closed", "open", "half_open"]:
    if "open" in states:
        return "open"
    return "half_open" if "half_open" in states else "closed"


@router.post("/bot/start", tags=["bot"], **needs(Role.OPERATE))
async def start(here: Here, who: Who, wanted: Begin) -> schemas.Outcome:
    """Run cycles; with `exchange` or `initial_balance` only where that is so."""

    async def run() -> bool:
        await _must_be_so(here, wanted)
        return here.control.start()

    given = {"exchange": wanted.exchange, "initial_balance": wanted.initial_balance}
    details = {name: str(value) for name, value in given.items() if value is not None}
    return await _command(here, who, "start", wanted.reason, run, **details)


async def _must_be_so(here: Served, wanted: schemas.Start) -> None:
    """Require what the caller of `start` takes for granted.

    Raises:
        Unfit: That venue is not enabled.
        Refusal: The account was opened with another balance, or has one of its own.
    """
    exchange, balance = wanted.exchange, wanted.initial_balance
    enabled = sorted(here.control.venues)
    if exchange is not None and exchange not in enabled:
        raise Unfit(
            f"exchange: {exchange} is not enabled here ({', '.join(enabled)}); see venues.enabled"
        )
    if balance is None:
        return
    account = here.control.ledger.account
    if here.control.mode == "live":
        raise Refusal(f"initial_balance: the balance of {account} is the wallet's own")
    opened = {one.account: one.openings for one in await here.reads.accounts()}.get(account)
    if opened is None:
        raise Refusal(f"initial_balance: {account} is not open yet; try again in a moment")
    theirs = [cash for venue, cash in opened.items() if exchange in (None, venue)]
    if (cash := sum(theirs, Decimal(0))) != balance:
        raise Refusal(
            f"initial_balance: {account} was opened with ${text(cash)}, which is never changed; "
            f"another account is opened by a start with ARB_TRADING__ACCOUNT=paper:NAME and "
            f"ARB_TRADING__BANKROLL_USD={text(balance)}"
        )


@router.post("/bot/stop", tags=["bot"], **needs(Role.OPERATE))
async def stop(here: Here, who: Who, why: Why) -> schemas.Outcome:
    """Finish the step at work and run no more cycles; the API stays."""
    return await _command(here, who, "stop", why.reason, here.control.stop)


@router.post("/bot/pause", tags=["bot"], **needs(Role.OPERATE))
async def pause(here: Here, who: Who, why: Why) -> schemas.Outcome:
    """Start no new plan; scanning goes on, plans at work are completed."""
    return await _command(here, who, "pause", why.reason, lambda: here.control.pause(why.reason))


@router.post("/bot/resume", tags=["bot"], **needs(Role.OPERATE))
async def resume(here: Here, who: Who, why: What) -> schemas.Outcome:
    """Trade again after a pause or a halt; with `kind`, that kind after a contradiction."""
    if (kind := why.kind) is None:
        return await _command(
            here, who, "resume", why.reason, lambda: here.control.resume(why.reason)
        )
    if kind not in {*Kind, *here.control.installed}:
        wrong = {"loc": ("body", "kind"), "msg": f"there is no kind {kind}", "type": "kind"}
        raise RequestValidationError([wrong])
    venue, ended = VenueId(why.venue) if why.venue else None, list[VenueId]()

    async def run() -> None:
        ended.extend(await here.control.resume_kind(kind, why.reason, venue))

    details = {"kind": kind, **({"venue": venue} if venue else {})}
    answer = await _command(here, who, "resume", why.reason, run, **details)
    answer.resumed_at = [*ended]
    return answer


@router.post("/bot/halt", tags=["bot"], **needs(Role.OPERATE))
async def halt(here: Here, who: Who, why: Why) -> schemas.Outcome:
    """Send nothing more at once, cancel every resting order, until resumed."""
    reason = why.reason or f"by {who.name}"

    async def run() -> Any:
        return await here.control.halt(reason)

    result: Any = await here.carry_out(who, "halt", run, reason=reason)
    status = await here.control.status()
    return schemas.Outcome(changed=result is not None, status=shown(status, here))


@router.post("/bot/reset-errors", tags=["bot"], **needs(Role.OPERATE))
async def reset_errors(here: Here, who: Who, why: Why) -> schemas.Errors:
    """Forget the errors of the last hour, close circuits, put bots back on their routes."""

    async def run() -> dict[str, int]:
        return here.control.reset_errors()

    forgotten = await here.carry_out(who, "reset-errors", run, reason=why.reason)
    return schemas.Errors(forgotten=forgotten)


@router.get(
    "/bot/strategies/available",
    tags=["strategies"],
    **needs(Role.READ),
)
async def available(here: Here) -> list[schemas.Strategy]:
    """Every installed strategy, and whether it is active and where."""
    looking = (await here.control.status()).strategies
    every = {*here.control.installed, *(SIGNAL_STRATEGIES if here.control.signals else ())}
    idle = sorted(every - {one.name for one in looking})
    return [
        *map(active, sorted(looking)),
        *(schemas.Strategy(name=name, is_active=False) for name in idle),
    ]


@router.post("/bot/strategy/add", tags=["strategies"], **needs(Role.OPERATE))
async def add_strategy(here: Here, who: Who, wanted: schemas.AddStrategy) -> schemas.Outcome:
    """Activate an installed strategy from the next cycle on, at one event or market if named.

    A statistical one looks at one market's price, on paper and in an account of its own.
    """
    given = wanted.model_dump(exclude={"strategy_name", "reason"}, exclude_none=True)
    name = wanted.strategy_name
    work = lambda: here.control.add_strategy(name, **given)  # noqa: E731
    return await _command(here, who, "strategy/add", wanted.reason, work, strategy=name, **given)


@router.delete(
    "/bot/strategy/remove/{name}",
    tags=["strategies"],
    **needs(Role.OPERATE),
)
async def remove_strategy(here: Here, who: Who, name: StrategyName) -> schemas.Outcome:
    """Deactivate a strategy wherever it looks."""
    work = lambda: here.control.remove_strategy(name)  # noqa: E731
    return await _command(here, who, "strategy/remove", "", work, strategy=name)


@router.delete(
    "/bot/strategy/remove/{name}/{symbol:path}",
    tags=["strategies"],
    **needs(Role.OPERATE),
)
async def remove_strategy_at(
    here: Here, who: Who, name: StrategyName, symbol: SymbolPath
) -> schemas.Outcome:
    """Deactivate a strategy that is confined to this event or market."""
    work = lambda: here.control.remove_strategy(name, symbol)  # noqa: E731
    details = {"strategy": name, "symbol": symbol}
    return await _command(here, who, "strategy/remove", "", work, **details)


@router.get("/signals", tags=["strategies"], **needs(Role.READ))
async def get_signals(here: Here) -> signals.SignalAccount:
    """Statistical strategies, not guaranteed: what each says, holds and has made."""
    return await here.control.statistical("signals").shown()


@router.post("/signals/resume", tags=["strategies"], **needs(Role.OPERATE))
async def resume_signals(here: Here, who: Who, why: Why) -> signals.SignalAccount:
    """Buy on signals again after a pause or a halt of their account."""
    statistical = here.control.statistical("signals")

    async def run() -> None:
        await statistical.resume(why.reason)

    await here.carry_out(who, "signals/resume", run, reason=why.reason)
    return await statistical.shown()


@arbitrage.post("/execute", tags=["arbitrage"], **needs(Role.TRADE))
async def execute(
    here: Here,
    who: Who,
    wanted: schemas.Execute,
    idempotency_key: Annotated[
        str | None, Header(max_length=120, pattern=r"^[\w.:-]+$", examples=["2026-11-21-1"])
    ] = None,
) -> schemas.Executed:
    """Scan the opportunity's event now and trade what every gate approves.

    With an `Idempotency-Key` the same request again gets the first one's answer, for a day and
    over restarts; one whose end is not known is never carried out again.
    """
    key = f"{who.name}/{idempotency_key}/{wanted.opportunity_id}" if idempotency_key else ""
    if key and (before := here.executed.get(key)) is not None:
        if before.answer is None:
            raise Refusal(f"this was begun at {before.at}, its end is not known; see /plans")
        return schemas.Executed(**before.answer)
    found = await here.reads.opportunity(wanted.opportunity_id)
    if found is None:
        raise UnknownTarget(f"there is no opportunity {wanted.opportunity_id}")
    event = found.event

    async def run() -> CycleReport:
        return await here.control.execute(event)

    details = {"reason": wanted.reason, "opportunity": found.id, "event": event}
    async with here.executed.once(key) as done:
        report = await here.carry_out(who, "execute", run, **details)
        answer = executed(report)
        await done(answer.model_dump())
    return answer


def executed(report: CycleReport) -> schemas.Executed:
    """The result of scanning an event."""
    return schemas.Executed(
        run=report.run,
        cycle=report.run,
        opportunities=report.funnel.proved,
        approved=report.funnel.approved,
        filled=report.funnel.filled,
        plans=[
            {
                "id": plan.plan,
                "state": plan.state.value,
                "realised": text(plan.realised),
                "code": plan.code,
            }
            for plan in report.plans
        ],
        reasons={str(reason): count for reason, count in report.reasons},
    )


@arbitrage.post(
    "/monitoring/start",
    tags=["arbitrage"],
    **needs(Role.OPERATE),
)
async def start_monitoring(here: Here, who: Who, why: Why) -> schemas.Outcome:
    """Watch the market: the same as `/bot/start`."""
    return await _command(here, who, "monitoring/start", why.reason, here.control.start)


@arbitrage.post(
    "/monitoring/stop",
    tags=["arbitrage"],
    **needs(Role.OPERATE),
)
async def stop_monitoring(here: Here, who: Who, why: Why) -> schemas.Outcome:
    """Watch the market no more: the same as `/bot/stop`."""
    return await _command(here, who, "monitoring/stop", why.reason, here.control.stop)


@arbitrage.post(
    "/bots/{bot_id}/start",
    tags=["arbitrage"],
    **needs(Role.OPERATE),
)
async def start_bot(here: Here, who: Who, bot_id: BotId, why: Why) -> sidecars.Bot:
    """Start an external bot."""
    return await command_bot(here, who, "start", bot_id, why.reason)


@arbitrage.post(
    "/bots/{bot_id}/stop",
    tags=["arbitrage"],
    **needs(Role.OPERATE),
)
async def stop_bot(here: Here, who: Who, bot_id: BotId, why: Why) -> sidecars.Bot:
    """Stop an external bot."""
    return await command_bot(here, who, "stop", bot_id, why.reason)


async def command_bot(
    here: Served, who: Principal, verb: Literal["start", "stop"], bot_id: str, reason: str
) -> sidecars.Bot:
    """Start or stop an external bot, on record.

    Raises:
        UnknownTarget: There is no such bot.
        ArbError: It could not be done, or not be put on record.
    """
    bots = here.bots
    if bots is None:
        raise UnknownTarget("no bots are configured")
    work = (lambda: bots.start(bot_id)) if verb == "start" else (lambda: bots.stop(bot_id))
    return await here.carry_out(who, f"bot/{verb}", work, reason=reason, bot=bot_id)


@router.post("/stream/ticket", tags=["stream"], **needs(Role.READ))
async def make_ticket(here: Here, who: Who) -> schemas.Ticket:
    """A ticket for `/ws/arbitrage`, for browsers: they cannot send the token there."""
    return schemas.Ticket(ticket=here.tickets.make(who), expires_in=TICKET_SECONDS)
