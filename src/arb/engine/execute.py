"""The shell around the saga: write down, act, write down."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from arb.domain.market import VenueId
from arb.domain.money import NO_USD
from arb.domain.operation import (
    Merge,
    Operation,
    OperationAnswer,
    venue_of,
)
from arb.domain.order import Answer, Final, NotFound, Order, OrderId, TradeState, Unknown
from arb.domain.plan import ExecutionReport, Plan, PlanState
from arb.domain.venue import PairExit
from arb.engine.account import fills_of, read
from arb.engine.contradict import examine
from arb.engine.guard import Guard
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions
from arb.engine.saga import (
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
from arb.engine.venues import Venues
from arb.interlocks import BlockCode, Blocked
from arb.ports import Clock, Ledger, OperationsAtOnce, TokenOperations
from arb.publisher import Publisher

STEPS_MAX = 1000
"""More steps than any plan can need."""

OPEN_MINUTES_MAX = 10
"""A plan that is open for longer raises an alarm."""


@dataclass(slots=True, kw_only=True)
class Executor:
    """Runs plans to their end, or takes them up where a crash left them."""

    venues: Venues
    ledger: Ledger
    clock: Clock
    news: Publisher
    options: EngineOptions
    guard: Guard
    market_data: MarketData
    held_back: Blocked | None = field(default=None, init=False)
    """Why the last orders were not sent."""
    _put_off: bool = field(default=False, init=False)
    """The last order that was asked about will not be known soon."""
    _until: dict[OrderId, float] = field(default_factory=dict, init=False)
    """When orders expire that this process sent and has no answer for, in monotonic seconds."""

    def repeats(self, plan: Plan) -> str:
        """Why the plan's first orders would be taken for a mistake; empty: they would not."""
        step = next_step(plan, (), self.clock.now())
        return self.guard.repeats(step.orders) if isinstance(step, Submit) else ""

    async def execute(self, plan: Plan, books: Books | None = None) -> ExecutionReport:
        """Take every step that the plan still needs; its end is in the ledger when this returns.

        A plan that waits for an answer, for a trade to settle or for leave to send is reported
        open, and taken up again later.

        Args:
            plan: What was approved.
            books: Fresh ones, which the first orders are held against; read anew when absent.
        """
        self.held_back = None
        if away := [venue for venue in sorted(plan.venues) if not self.venues.trades_at(venue)]:
            # Nothing is concluded about orders at a venue that cannot be asked.
            why = f"there is no trading at {away[0]}: enable it"
            return _still_open(plan, why, self.clock.now())
        return await self._run(plan, books)

    async def _run(self, plan: Plan, books: Books | None) -> ExecutionReport:
        ledger, clock = self.ledger, self.clock
        started, self._put_off = clock.monotonic(), False
        for _ in range(STEPS_MAX):
            step = next_step(plan, await ledger.facts(plan.id), clock.now())
            if isinstance(step, ChooseUnwind):
                books = await self._look(plan)
                if books:
                    step = unwind_step(plan, await ledger.facts(plan.id), books, clock.now())
            if isinstance(step, Finished):
                await examine(self.ledger, self.news, plan)  # a crash may have prevented the check
                report = replace(step.report, code=_code(self.held_back))
                await ledger.close_plan(report, clock.now())
                return report
            if await self._take(plan, step, books):
                continue
            if self.held_back and not (await self._begun(plan)):
                report = _not_begun(plan, self.held_back)
                await ledger.close_plan(report, clock.now())
                return report
            waited = clock.monotonic() - started
            if self._put_off or waited > self.options.answer_wait.total_seconds():
                reason = self.held_back.reason if self.held_back else _waits_for(step)
                report = _still_open(plan, reason, clock.now())
                return replace(report, code=_code(self.held_back))
            await clock.sleep(self.options.ask_pause_seconds)
        raise InvariantBroken(f"plan {plan.id} does not end")

    async def _take(self, plan: Plan, step: Step, books: Books | None) -> bool:
        """Take one step; false when it changed nothing."""
        match step:
            case Submit(orders):
                return await self._send(plan, orders, books)
            case QueryOrder(order):
                answer = await self.venues.trading(order.outcome.venue).query(order)
                self._put_off = isinstance(answer, Unknown) and answer.later
                return await self._write_answers(plan, (order,), (answer,))
            case AwaitConfirmation(order, trades):
                trading = self.venues.trading(order.outcome.venue)
                states = await trading.trade_states(order, trades)
                return await self._write_states(plan, order, states)
            case RequestOperation() | QueryOperation():
                try:
                    outcome = await self.carry_out(plan, step)
                except VenueError:
                    return False
                return not isinstance(outcome, Unknown)
            case _:
                return False

    async def carry_out(
        self, plan: Plan, step: RequestOperation | QueryOperation
    ) -> OperationAnswer:
        """Request an operation, or query it; an end that is known is written down.

        Raises:
            VenueError: It could not be prepared, and nothing has left.
        """
        ledger, clock = self.ledger, self.clock
        operations = self._operations(plan, step.operation)
        if isinstance(step, QueryOperation):
            answer = await operations.query(step.id, step.operation, step.ref)
        else:
            ref = await operations.prepare(step.id, step.operation)
            request = OperationRequested(
                id=step.id, operation=step.operation, ref=ref, at=clock.now()
            )
            await ledger.append(plan.id, [request])
            answer = await operations.submit(step.id, step.operation, ref)
        if not isinstance(answer, Unknown):
            await ledger.append(plan.id, [ended(step.id, answer, clock.now())])
            await examine(self.ledger, self.news, plan)
        return answer

    async def _send(self, plan: Plan, orders: tuple[Order, ...], books: Books | None) -> bool:
        """Write the intents down with the venues' own ids, then send."""
        if books is None:
            books = await self._look(plan)
        self.held_back = await self._stopped(plan)
        if self.held_back:
            return False
        self.held_back = self.guard.forbids(orders, books)
        if self.held_back:
            return False
        try:
            prepared = await self._prepare(orders)
        except VenueError as error:
            self.held_back = Blocked(BlockCode.NOT_PREPARED, str(error))
            return False
        clock = self.clock
        intents = [Submitted(order=order, at=clock.now()) for order in prepared]
        await self.ledger.append(plan.id, intents)
        self.held_back = self.guard.forbids(prepared, books)
        if self.held_back:
            # Recorded and certainly not sent: a refusal fact closes it.
            refused = [Final((), f"not sent: {self.held_back.reason}") for _ in prepared]
            await self._write_answers(plan, prepared, refused)
            return True
        self.guard.passed(prepared)
        for order in prepared:
            left = (order.expires_at - clock.now()).total_seconds()
            self._until[order.id] = clock.monotonic() + left
        answers = await self._submit(prepared)
        written = await self._write_answers(plan, prepared, answers)
        closed = [a for a in answers if isinstance(a, Final) and a.again]
        if len(closed) == len(answers):
            # It makes no sense to ask again at once: the venue is closed (faults E01 to E03).
            self.held_back = Blocked(BlockCode.VENUE_CLOSED, closed[0].reason)
            return False
        return written

    async def _prepare(self, orders: Sequence[Order]) -> list[Order]:
        """The orders with the ids that their venues will know them by, in the same order."""
        prepared: dict[OrderId, Order] = {}
        for venue, theirs in _by_venue(orders).items():
            for order in await self.venues.trading(venue).prepare(theirs):
                prepared[order.id] = order
        return [prepared[order.id] for order in orders]

    async def _submit(self, orders: Sequence[Order]) -> list[Answer]:
        """Send each venue its orders, all venues at the same time; one answer each, in order."""
        by_venue = _by_venue(orders)
        if len(by_venue) == 1:
            return list(await self.venues.trading(orders[0].outcome.venue).submit(orders))
        answers: dict[OrderId, Answer] = {}

        async def send(venue: VenueId, theirs: Sequence[Order]) -> None:
            got = await self.venues.trading(venue).submit(theirs)
            answers.update(zip((order.id for order in theirs), got, strict=True))

        await asyncio.gather(*(send(*each) for each in by_venue.items()))
        return [answers[order.id] for order in orders]

    def _operations(self, plan: Plan, operation: Operation) -> TokenOperations:
        """What carries the operation out: the venue by itself where it nets pairs."""
        venue = venue_of(operation)
        by_itself = plan.terms_at(venue).pair_exit is PairExit.AUTOMATIC
        if by_itself and isinstance(operation, Merge):
            return NETTING
        return self.venues.operations(venue)

    async def _look(self, plan: Plan) -> Books:
        """Fresh books of both outcomes of every leg; empty when they cannot be fetched."""
        outcomes = [leg.outcome for leg in plan.legs]
        outcomes += [leg.terms.opposite for leg in plan.legs if leg.terms]
        try:
            return await self.market_data.books(list(dict.fromkeys(outcomes)))
        except VenueError:
            return BookMap()

    async def _stopped(self, plan: Plan) -> Blocked | None:
        """Why a plan that has sent nothing yet may not begin; one that has is completed."""
        found = stopped(plan.kind, plan.venues, await self.ledger.contradictions())
        if found is None or await self._begun(plan):
            return None
        return Blocked(BlockCode.CONTRADICTED, found.sentence)

    async def _begun(self, plan: Plan) -> bool:
        return bool(read(await self.ledger.facts(plan.id)).orders)

    async def _write_answers(
        self, plan: Plan, orders: Sequence[Order], answers: Sequence[Answer]
    ) -> bool:
        """Write down what is final. "Not found" is final only long after the order's time."""
        now = self.clock.now()
        facts: list[Fact] = []
        for order, answer in zip(orders, answers, strict=True):
            if isinstance(answer, NotFound) and self._is_over(plan, order, now):
                answer = Final((), "it was never placed")  # noqa: PLW2901  # the same answer, now proven
            if isinstance(answer, Final):
                facts.append(Answered(order=order.id, answer=answer, at=now))
                self._until.pop(order.id, None)
        if facts:
            await self.ledger.append(plan.id, facts)
        return bool(facts)

    def _is_over(self, plan: Plan, order: Order, now: datetime) -> bool:
        """Whether the order's time is over: by the steady clock, if this process sent it."""
        grace = plan.terms_at(order.outcome.venue).not_found_grace
        until = self._until.get(order.id)
        if until is None:
            return now > order.expires_at + grace
        return self.clock.monotonic() > until + grace.total_seconds()

    async def _write_states(
        self, plan: Plan, order: Order, states: Mapping[str, TradeState]
    ) -> bool:
        now, facts = self.clock.now(), list[Fact]()
        known = await self.ledger.facts(plan.id)
        for trade, state in states.items():
            if state is TradeState.CONFIRMED:
                facts.append(Confirmed(order=order.id, trade=trade, at=now))
            elif state is TradeState.VOIDED:
                lost = tuple(fill for fill in fills_of(known, order.id) if fill.trade == trade)
                facts.append(Voided(order=order.id, fills=lost, at=now))
        if facts:
            await self.ledger.append(plan.id, facts)
        return bool(facts)


NETTING: TokenOperations = OperationsAtOnce()
"""Of a venue that nets pairs by itself: there is nothing to request."""


def _by_venue(orders: Sequence[Order]) -> dict[VenueId, list[Order]]:
    found: defaultdict[VenueId, list[Order]] = defaultdict(list)
    for order in orders:
        found[order.outcome.venue].append(order)
    return found


def _code(blocked: Blocked | None) -> str | None:
    return None if blocked is None else blocked.code.value


def _not_begun(plan: Plan, blocked: Blocked) -> ExecutionReport:
    return ExecutionReport(
        plan=plan.id,
        state=PlanState.UNWOUND,
        realised=NO_USD,
        locked=NO_USD,
        reason=blocked.reason,
        code=blocked.code.value,
    )


def _waits_for(step: Step) -> str:
    waits = {
        Submit: "an order is still without an answer",
        QueryOrder: "an order is still without an answer",
        AwaitConfirmation: "a trade has not settled yet",
        QueryOperation: "an operation has not ended yet",
        ChooseUnwind: "there are no fresh books",
    }
    return waits.get(type(step), "the venue cannot be queried")


def _still_open(plan: Plan, reason: str, now: datetime) -> ExecutionReport:
    waited = int((now - plan.approved_at).total_seconds() // 60)
    return ExecutionReport(
        plan=plan.id,
        state=PlanState.OPEN,
        realised=NO_USD,
        locked=plan.outlay,
        reason=reason,
        alarm=f"open for {waited} minutes: {reason}" if waited >= OPEN_MINUTES_MAX else "",
    )
