"""The shell around the saga: write down, act, write down."""

from collections.abc import Sequence
from dataclasses import dataclass

from arb.domain.errors import InvariantBroken
from arb.domain.fact import Answered, Fact, Requested, Settled, Submitted
from arb.domain.money import NO_USD
from arb.domain.order import Answer, Final, Order
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.settlement import Effect, OperationId
from arb.engine.options import CycleOptions
from arb.engine.saga import Ask, AskSettled, Done, Settle, Submit, next_step
from arb.ports import Clock, Desk, Ledger

STEPS_MAX = 1000
"""More steps than any plan can need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Runs plans to their end, or takes them up where a crash left them."""

    desk: Desk
    options: CycleOptions

    async def execute(self, plan: Plan) -> ExecutionReport:
        """Take every step that the plan still needs; its end is in the ledger when this returns.

        A plan whose order stays without an answer is reported open, and taken up again later.
        """
        ledger, clock = self.desk.ledger, self.desk.clock
        started = clock.monotonic()
        for _ in range(STEPS_MAX):
            step = next_step(plan, await ledger.facts(plan.id), clock.now())
            if isinstance(step, Done):
                await ledger.close_plan(step.report, clock.now())
                return step.report
            moved = await self._take(plan, step)
            if not moved:
                waited = clock.monotonic() - started
                if waited > self.options.answer_wait.total_seconds():
                    return _still_open(plan)
                await clock.sleep(self.options.ask_pause_seconds)
        raise InvariantBroken(f"plan {plan.id} does not come to an end")

    async def _take(self, plan: Plan, step: Submit | Ask | Settle | AskSettled) -> bool:
        """Take one step; false when the venue gave no clear answer."""
        ledger, clock = self.desk.ledger, self.desk.clock
        venue = plan.legs[0].outcome.venue
        match step:
            case Submit(orders):
                await ledger.append(plan.id, [Submitted(order=o, at=clock.now()) for o in orders])
                answers = await self.desk.trading[venue].submit(orders)
                return await _write_answers(ledger, clock, plan, orders, answers)
            case Ask(order):
                answer = await self.desk.trading[venue].ask(order)
                return await _write_answers(ledger, clock, plan, (order,), (answer,))
            case Settle(id_, operation):
                requested = Requested(id=id_, operation=operation, at=clock.now())
                await ledger.append(plan.id, [requested])
                result = await self.desk.settlement[venue].submit(id_, operation)
                return await _write_effect(ledger, clock, plan, id_, result)
            case AskSettled(id_, operation):
                result = await self.desk.settlement[venue].ask(id_, operation)
                return await _write_effect(ledger, clock, plan, id_, result)


async def _write_answers(
    ledger: Ledger,
    clock: Clock,
    plan: Plan,
    orders: Sequence[Order],
    answers: Sequence[Answer],
) -> bool:
    facts: list[Fact] = [
        Answered(order=order.id, answer=answer, at=clock.now())
        for order, answer in zip(orders, answers, strict=True)
        if isinstance(answer, Final)
    ]
    if facts:
        await ledger.append(plan.id, facts)
    return bool(facts)


async def _write_effect(
    ledger: Ledger, clock: Clock, plan: Plan, id_: OperationId, result: Effect | str | None
) -> bool:
    if result is None:
        return False
    effect, reason = (None, result) if isinstance(result, str) else (result, "")
    settled = Settled(id=id_, effect=effect, reason=reason, at=clock.now())
    await ledger.append(plan.id, [settled])
    return True


def _still_open(plan: Plan) -> ExecutionReport:
    return ExecutionReport(
        plan=plan.id,
        state=PlanState.OPEN,
        realised=NO_USD,
        locked=plan.outlay,
        reason="an order is still without an answer",
    )
