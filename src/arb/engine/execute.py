"""The shell around the saga: write down, act, write down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from arb.domain.book import BookMap, Books
from arb.domain.contradiction import stopped
from arb.domain.errors import InvariantBroken, VenueError
from arb.domain.fact import (
    Answered,
    Confirmed,
    Fact,
    OperationRequested,
    Submitted,
    Voided,
    ended,
)
from arb.domain.money import NO_USD
from arb.domain.operation import OperationAnswer, OperationId
from arb.domain.order import Answer, Final, NotFound, Order, OrderId, TradeState, Unknown
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.engine.account import fills_of, read
from arb.engine.contradict import examine
from arb.engine.guard import Guard
from arb.engine.options import CycleOptions
from arb.engine.saga import (
    GRACE,
    AwaitConfirmation,
    ChooseUnwind,
    Finished,
    QueryOperation,
    QueryOrder,
    RequestOperation,
    Step,
    Submit,
    next_step,
    unwind_step,
)
from arb.ports import Desk

STEPS_MAX = 1000
"""More steps than any plan can need."""

OPEN_MINUTES_MAX = 10
"""A plan that is open for longer raises an alarm."""


@dataclass(slots=True, kw_only=True)
class Executor:
    """Runs plans to their end, or takes them up where a crash left them."""

    desk: Desk
    options: CycleOptions
    guard: Guard
    held_back: str = field(default="", init=False)
    """Why the last orders were not sent."""
    _until: dict[OrderId, float] = field(default_factory=dict, init=False)
    """When orders expire that this process sent and has no answer for, in monotonic seconds."""

    def repeats(self, plan: Plan) -> str:
        """Why the plan's first orders would be taken for a mistake; empty: they would not."""
        step = next_step(plan, (), self.desk.clock.now())
        return self.guard.repeats(step.orders) if isinstance(step, Submit) else ""

    async def execute(self, plan: Plan, books: Books | None = None) -> ExecutionReport:
        """Take every step that the plan still needs; its end is in the ledger when this returns.

        A plan that waits for an answer, for a trade to settle or for leave to send is reported
        open, and taken up again later.

        Args:
            plan: What was approved.
            books: Fresh ones, which the first orders are held against; read anew when absent.
        """
        ledger, clock = self.desk.ledger, self.desk.clock
        started, self.held_back = clock.monotonic(), ""
        for _ in range(STEPS_MAX):
            step = next_step(plan, await ledger.facts(plan.id), clock.now())
            if isinstance(step, ChooseUnwind):
                books = await self._look(plan)
                if books:
                    step = unwind_step(plan, await ledger.facts(plan.id), books, clock.now())
            if isinstance(step, Finished):
                await examine(self.desk, plan)  # a crash may have prevented the check
                await ledger.close_plan(step.report, clock.now())
                return step.report
            if await self._take(plan, step, books):
                continue
            if self.held_back and not (await self._begun(plan)):
                report = _not_begun(plan, self.held_back)
                await ledger.close_plan(report, clock.now())
                return report
            waited = clock.monotonic() - started
            if waited > self.options.answer_wait.total_seconds():
                return _still_open(plan, step, self.held_back, clock.now())
            await clock.sleep(self.options.ask_pause_seconds)
        raise InvariantBroken(f"plan {plan.id} does not end")

    async def _take(  # noqa: PLR0911  # one case a kind of step
        self, plan: Plan, step: Step, books: Books | None
    ) -> bool:
        """Take one step; false when it changed nothing."""
        ledger, clock = self.desk.ledger, self.desk.clock
        venue = plan.legs[0].outcome.venue
        match step:
            case Submit(orders):
                return await self._send(plan, orders, books)
            case QueryOrder(order):
                answer = await self.desk.trading[venue].query(order)
                return await self._write_answers(plan, (order,), (answer,))
            case AwaitConfirmation(order, trades):
                states = await self.desk.trading[venue].trade_states(order, trades)
                return await self._write_states(plan, order, states)
            case RequestOperation(id_, operation):
                try:
                    ref = await self.desk.operations[venue].prepare(id_, operation)
                except VenueError:
                    return False
                requested = OperationRequested(id=id_, operation=operation, ref=ref, at=clock.now())
                await ledger.append(plan.id, [requested])
                said = await self.desk.operations[venue].submit(id_, operation, ref)
                return await self._write_effect(plan, id_, said)
            case QueryOperation(id_, operation, ref):
                said = await self.desk.operations[venue].query(id_, operation, ref)
                return await self._write_effect(plan, id_, said)
            case _:
                return False

    async def _send(self, plan: Plan, orders: tuple[Order, ...], books: Books | None) -> bool:
        """Write the intents down with the venue's own ids, then send."""
        trading = self.desk.trading[plan.legs[0].outcome.venue]
        if books is None:
            books = await self._look(plan)
        self.held_back = await self._stopped(plan)
        if self.held_back:
            return False
        self.held_back = self.guard.forbids(orders, books)
        if self.held_back:
            return False
        try:
            prepared = await trading.prepare(orders)
        except VenueError as error:
            self.held_back = str(error)
            return False
        clock = self.desk.clock
        intents = [Submitted(order=order, at=clock.now()) for order in prepared]
        await self.desk.ledger.append(plan.id, intents)
        self.held_back = self.guard.forbids(prepared, books)
        if self.held_back:
            # Recorded and certainly not sent: a refusal fact closes it.
            refused = [Final((), f"not sent: {self.held_back}") for _ in prepared]
            await self._write_answers(plan, prepared, refused)
            return True
        self.guard.passed(prepared)
        for order in prepared:
            left = (order.expires_at - clock.now()).total_seconds()
            self._until[order.id] = clock.monotonic() + left
        answers = await trading.submit(prepared)
        written = await self._write_answers(plan, prepared, answers)
        closed = [a for a in answers if isinstance(a, Final) and a.again]
        if len(closed) == len(answers):
            # It makes no sense to ask again at once: the venue is closed (faults E01 to E03).
            self.held_back = closed[0].reason
            return False
        return written

    async def _look(self, plan: Plan) -> Books:
        """Fresh books of both outcomes of every leg; empty when they cannot be fetched."""
        outcomes = [leg.outcome for leg in plan.legs]
        outcomes += [leg.terms.opposite for leg in plan.legs if leg.terms]
        try:
            return await self.desk.books.fetch(list(dict.fromkeys(outcomes)))
        except VenueError:
            return BookMap()

    async def _stopped(self, plan: Plan) -> str:
        """Why a plan that has sent nothing yet may not begin; one that has is completed."""
        found = stopped(plan.kind, plan.venue, await self.desk.ledger.contradictions())
        if found is None or await self._begun(plan):
            return ""
        return found.sentence

    async def _begun(self, plan: Plan) -> bool:
        return bool(read(await self.desk.ledger.facts(plan.id)).orders)

    async def _write_answers(
        self, plan: Plan, orders: Sequence[Order], answers: Sequence[Answer]
    ) -> bool:
        """Write down what is final. "Not found" is final only long after the order's time."""
        now = self.desk.clock.now()
        facts: list[Fact] = []
        for order, answer in zip(orders, answers, strict=True):
            if isinstance(answer, NotFound) and self._is_over(order, now):
                answer = Final((), "it was never placed")  # noqa: PLW2901  # the same answer, now proven
            if isinstance(answer, Final):
                facts.append(Answered(order=order.id, answer=answer, at=now))
                self._until.pop(order.id, None)
        if facts:
            await self.desk.ledger.append(plan.id, facts)
        return bool(facts)

    def _is_over(self, order: Order, now: datetime) -> bool:
        """Whether the order's time is over: by the steady clock, if this process sent it."""
        until = self._until.get(order.id)
        if until is None:
            return now > order.expires_at + GRACE
        return self.desk.clock.monotonic() > until + GRACE.total_seconds()

    async def _write_states(
        self, plan: Plan, order: Order, states: Mapping[str, TradeState]
    ) -> bool:
        now, facts = self.desk.clock.now(), list[Fact]()
        known = await self.desk.ledger.facts(plan.id)
        for trade, state in states.items():
            if state is TradeState.CONFIRMED:
                facts.append(Confirmed(order=order.id, trade=trade, at=now))
            elif state is TradeState.VOIDED:
                lost = tuple(fill for fill in fills_of(known, order.id) if fill.trade == trade)
                facts.append(Voided(order=order.id, fills=lost, at=now))
        if facts:
            await self.desk.ledger.append(plan.id, facts)
        return bool(facts)

    async def _write_effect(self, plan: Plan, id_: OperationId, answer: OperationAnswer) -> bool:
        if isinstance(answer, Unknown):
            return False
        await self.desk.ledger.append(plan.id, [ended(id_, answer, self.desk.clock.now())])
        await examine(self.desk, plan)
        return True


def _not_begun(plan: Plan, why: str) -> ExecutionReport:
    return ExecutionReport(
        plan=plan.id, state=PlanState.UNWOUND, realised=NO_USD, locked=NO_USD, reason=why
    )


def _still_open(plan: Plan, step: Step, held_back: str, now: datetime) -> ExecutionReport:
    waits = {
        QueryOrder: "an order is still without an answer",
        AwaitConfirmation: "a trade has not settled yet",
        QueryOperation: "an operation has not ended yet",
        ChooseUnwind: "there are no fresh books",
    }
    reason = held_back or waits.get(type(step), "the venue cannot be queried")
    waited = int((now - plan.approved_at).total_seconds() // 60)
    return ExecutionReport(
        plan=plan.id,
        state=PlanState.OPEN,
        realised=NO_USD,
        locked=plan.outlay,
        reason=reason,
        alarm=f"open for {waited} minutes: {reason}" if waited >= OPEN_MINUTES_MAX else "",
    )
