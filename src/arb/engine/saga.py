"""The next step of a plan, from what is written down about it.

Pure, so that starting, going on and recovering are the same call.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from arb.domain.fact import Answered, Fact, Requested, Settled, Submitted
from arb.domain.money import NO_USD, ZERO, Usd
from arb.domain.order import Fill, Final, Order, TimeInForce, order_id
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.settlement import Operation, OperationId

ORDER_LIFE = timedelta(seconds=60)
"""After this an order that the venue does not know was never placed."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Write the intents down, then send these orders together."""

    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Find out what became of an order. Never send it again."""

    order: Order


@dataclass(frozen=True, slots=True)
class Settle:
    """Write the request down, then ask the chain for it."""

    id: OperationId
    operation: Operation


@dataclass(frozen=True, slots=True)
class AskSettled:
    """Find out what became of an operation."""

    id: OperationId
    operation: Operation


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""

    report: ExecutionReport


Step = Submit | Ask | Settle | AskSettled | Done


def next_step(plan: Plan, facts: Sequence[Fact], now: datetime) -> Step:
    """What to do next for a plan about which these facts are known."""
    orders = {f.order.id: f.order for f in facts if isinstance(f, Submitted)}
    answers = {f.order: f.answer for f in facts if isinstance(f, Answered)}
    if not orders:
        return Submit(_orders(plan, now))
    for id_, order in orders.items():
        if id_ not in answers:
            return Ask(order)

    fills = [fill for answer in answers.values() for fill in answer.fills]
    if not _filled(plan, fills):
        return Done(_stopped_short(plan, fills, answers.values()))
    if plan.settlement is None:
        return Done(_held(plan, fills))
    return _settlement_step(plan, plan.settlement, facts, fills)


def cash_of(facts: Sequence[Fact]) -> Usd:
    """What a plan's facts have done to the account's cash so far."""
    fills = [fill for f in facts if isinstance(f, Answered) for fill in f.answer.fills]
    effects = [f.effect.cash for f in facts if isinstance(f, Settled) and f.effect]
    return Usd(_cash(fills) + sum(effects, ZERO))


def _orders(plan: Plan, now: datetime) -> tuple[Order, ...]:
    return tuple(
        Order(
            id=order_id(plan.id, number, leg.side, 1),
            outcome=leg.outcome,
            market=leg.market,
            side=leg.side,
            limit=leg.limit,
            size=leg.size,
            time_in_force=TimeInForce.FOK,
            expires_at=now + ORDER_LIFE,
        )
        for number, leg in enumerate(plan.legs)
    )


def _filled(plan: Plan, fills: Sequence[Fill]) -> bool:
    return all(
        sum((fill.size for fill in fills if fill.outcome == leg.outcome), ZERO) >= leg.size
        for leg in plan.legs
    )


def _settlement_step(
    plan: Plan, operation: Operation, facts: Sequence[Fact], fills: Sequence[Fill]
) -> Step:
    id_ = OperationId(f"{plan.id}/exit")
    ended = next((f for f in facts if isinstance(f, Settled) and f.id == id_), None)
    if ended is None:
        asked = any(isinstance(f, Requested) and f.id == id_ for f in facts)
        return AskSettled(id_, operation) if asked else Settle(id_, operation)
    if ended.effect is None:
        reason = f"held to resolution: {ended.reason}"
        return Done(replace(_held(plan, fills), reason=reason))
    realised = Usd(ended.effect.cash + _cash(fills))
    return Done(
        ExecutionReport(plan=plan.id, state=PlanState.DONE, realised=realised, locked=NO_USD)
    )


def _held(plan: Plan, fills: Sequence[Fill]) -> ExecutionReport:
    return ExecutionReport(
        plan=plan.id, state=PlanState.DONE, realised=NO_USD, locked=Usd(-_cash(fills))
    )


def _stopped_short(plan: Plan, fills: Sequence[Fill], answers: Iterable[Final]) -> ExecutionReport:
    reason = "; ".join(dict.fromkeys(a.reason for a in answers if a.reason))
    return ExecutionReport(
        plan=plan.id,
        state=PlanState.UNWOUND,
        realised=NO_USD,
        locked=Usd(-_cash(fills)) if fills else NO_USD,
        reason=reason or "not every leg was filled",
    )


def _cash(fills: Sequence[Fill]) -> Usd:
    return Usd(sum((fill.cash for fill in fills), ZERO))
