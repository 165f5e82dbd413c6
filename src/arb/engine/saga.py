"""The next step of a plan, from what is written down about it.

Pure, so that starting, going on and recovering are the same call.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from arb.domain.book import OrderBook
from arb.domain.fact import Fact
from arb.domain.market import OutcomeId, VenueId
from arb.domain.money import NO_SHARES, NO_USD, ZERO, Shares, Usd, micro_down, text
from arb.domain.operation import Effect, Operation, OperationId, Redeem
from arb.domain.order import Order, order_id
from arb.domain.plan import ExecutionReport, Plan, PlannedLeg, PlanState
from arb.domain.position import Position
from arb.domain.venue import TimeInForce
from arb.engine.account import PlanAccount, read
from arb.engine.unwind import (
    UnwindOrder,
    best_unwind,
    cash_operations,
    disposals,
    sales,
    surplus,
    trifle,
)

PLAN_LIFE = timedelta(seconds=30)
"""A plan of which nothing was sent is given up after this: its books are history."""
ROUNDS_MAX = 6
"""Rounds of orders after the first legs; then what is held stays, with an alarm."""
NOBODY_TAKES = "shares are left that cannot be sold"
EXITS_MAX = 3
"""How often an operation that certainly did not happen is asked for again."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Write the intents down, then send these orders together."""

    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class QueryOrder:
    """Find out what became of an order. Never send it again."""

    order: Order


@dataclass(frozen=True, slots=True)
class AwaitConfirmation:
    """Find out whether an order's trades have settled."""

    order: Order
    trades: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChooseUnwind:
    """Read fresh books and unwind the best way: `unwind_step` names the step."""


@dataclass(frozen=True, slots=True)
class RequestOperation:
    """Write the request down, then ask the chain for it."""

    id: OperationId
    operation: Operation


@dataclass(frozen=True, slots=True)
class QueryOperation:
    """Find out what became of an operation."""

    id: OperationId
    operation: Operation
    ref: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing is left to do."""

    report: ExecutionReport


Step = (
    Submit
    | QueryOrder
    | AwaitConfirmation
    | ChooseUnwind
    | RequestOperation
    | QueryOperation
    | Finished
)


def next_step(plan: Plan, facts: Sequence[Fact], now: datetime) -> Step:  # noqa: PLR0911  # one line a case
    """What to do next for a plan about which these facts are known."""
    account = read(facts)
    if (request := account.unended) is not None:
        return QueryOperation(request.id, request.operation, request.ref)
    if (order := account.unanswered) is not None:
        return QueryOrder(order)
    if not account.orders:
        if now - plan.approved_at > PLAN_LIFE:
            return Finished(
                _ended(plan, account, "it was never sent, and its books are too old now")
            )
        return Submit(_first(plan, now))
    if account.sale is not None:
        if _nothing_left(plan, account):
            return _waiting(account) or Finished(_sold(plan, account))
        return _waiting(account) or ChooseUnwind()
    if _nothing_left(plan, account) and not _leftover_conversion(plan, account):
        return _waiting(account) or Finished(_ended(plan, account, _why(account)))
    if _complete(plan, account) and not _leftover_conversion(plan, account):
        end = ChooseUnwind() if _for_sale(plan, account) else Finished(_completed(plan, account))
        return _waiting(account) or end
    if _whole(plan, account):
        return _waiting(account) or _exit(plan, account)
    return ChooseUnwind()


def unwind_step(  # noqa: PLR0911  # one line a case
    plan: Plan, facts: Sequence[Fact], books: Mapping[OutcomeId, OrderBook], now: datetime
) -> Step:
    """The step that `ChooseUnwind` stands for, at these books."""
    account = read(facts)
    rounds = _rounds(plan)
    if account.sale is not None:
        return _sell_off(plan, account, books, now)
    if _complete(plan, account) and not _leftover_conversion(plan, account):
        orders = sales(plan, account, books)
        ended = Finished(_completed(plan, account))
        return _submit(plan, account, orders, now) if orders else ended
    way = best_unwind(plan, account, books, trade=account.tries < rounds)
    if way.orders and way.waits and (wait := _waiting(account)):
        return wait
    if way.orders:
        return _submit(plan, account, way.orders, now)
    if wait := _waiting(account):
        return wait
    operations = cash_operations(plan, account, way)
    if operations and account.failed_exits < EXITS_MAX:
        return RequestOperation(_operation_id(plan, account), operations[0])
    alarm = NOBODY_TAKES if way.left else ""
    if operations:
        alarm = "the exit failed again and again"
    return Finished(_ended(plan, account, _why(account), alarm))


def _sell_off(
    plan: Plan, account: PlanAccount, books: Mapping[OutcomeId, OrderBook], now: datetime
) -> Step:
    """An ordered sale: what has settled, at the bids at hand."""
    orders = disposals(plan, account, books) if account.sale_tries < _rounds(plan) else ()
    return _submit(plan, account, orders, now) if orders else Finished(_sold(plan, account))


def redemption(
    plan: Plan, facts: Sequence[Fact], held: Position, each: Usd
) -> RequestOperation | QueryOperation | None:
    """What turns resolved shares of a plan into cash; `None`: something else is under way.

    Args:
        plan: Which holds them.
        facts: What is written down about it.
        held: The shares.
        each: What one of them pays.
    """
    account = read(facts)
    under_way = account.unended
    if under_way is not None:
        if not isinstance(under_way.operation, Redeem):
            return None
        return QueryOperation(under_way.id, under_way.operation, under_way.ref)
    pays = Usd(micro_down(each * held.shares))
    operation = Redeem(market=held.market, outcome=held.outcome, size=held.shares, pays=pays)
    return RequestOperation(OperationId(f"{plan.id}/redeem/{len(account.requests) + 1}"), operation)


def cash_of(facts: Sequence[Fact]) -> Usd:
    """What a plan's facts have done to the account's cash so far."""
    return read(facts).cash


def _first(plan: Plan, now: datetime) -> tuple[Order, ...]:
    """The legs, the thinnest first: if one fails it fails early. What is more comes in stages."""

    def slack(numbered: tuple[int, PlannedLeg]) -> tuple[Decimal, int]:
        number, leg = numbered
        return (leg.terms.depth / leg.size if leg.terms else ZERO, number)

    legs = sorted(enumerate(plan.legs), key=slack)
    orders = [
        Order(
            id=order_id(plan.id, number, leg.side, 1),
            outcome=leg.outcome,
            market=leg.market,
            side=leg.side,
            limit=leg.limit,
            size=leg.size,
            time_in_force=plan.terms_at(leg.outcome.venue).nearest(TimeInForce.FOK),
            expires_at=now + plan.terms_at(leg.outcome.venue).order_life,
            spend=leg.dollars,
        )
        for number, leg in legs
    ]
    return _one_batch(plan, orders)


def _one_batch(plan: Plan, orders: Iterable[Order]) -> tuple[Order, ...]:
    """The first of the orders, as many as each venue takes in one request."""
    sent: Counter[VenueId] = Counter()
    kept: list[Order] = []
    for order in orders:
        venue = order.outcome.venue
        if sent[venue] < plan.terms_at(venue).batch_max:
            sent[venue] += 1
            kept.append(order)
    return tuple(kept)


def _submit(
    plan: Plan, account: PlanAccount, orders: Sequence[UnwindOrder], now: datetime
) -> Submit:
    number = account.round + 1
    return Submit(_one_batch(plan, (_unwinding(plan, order, number, now) for order in orders)))


def _unwinding(plan: Plan, order: UnwindOrder, attempt: int, now: datetime) -> Order:
    terms = plan.terms_at(order.outcome.venue)
    return Order(
        id=order_id(plan.id, order.leg, order.side, attempt),
        outcome=order.outcome,
        market=plan.leg_of(order.leg).market,
        side=order.side,
        limit=order.limit,
        size=order.size,
        time_in_force=terms.nearest(TimeInForce.FAK),
        expires_at=now + terms.order_life,
        spend=order.spend,
    )


def _waiting(account: PlanAccount) -> AwaitConfirmation | None:
    """What has to settle before anything else can be done."""
    if not account.pending:
        return None
    order, trades = account.pending[0]
    return AwaitConfirmation(order, trades)


def _exit(plan: Plan, account: PlanAccount) -> Step:
    """All legs are there and have settled: cash them."""
    assert plan.exit_operation is not None  # else the plan is complete
    if account.failed_exits < EXITS_MAX:
        return RequestOperation(
            _operation_id(plan, account), _fitting(plan, plan.exit_operation, account)
        )
    why = next(end.reason for end in reversed(list(account.ends.values())) if end.effect is None)
    return Finished(_ended(plan, account, f"held to resolution: {why}", "the exit failed"))


def _fitting(plan: Plan, exit_: Operation, account: PlanAccount) -> Operation:
    """The exit in what is really there.

    A full fill may lack a trifle (fault B09), and where every leg met a better book there are
    more sets. What is left of each leg's last cent is no set: the proof did not count on it.
    """
    there = [account.confirmed.get(leg.outcome, NO_SHARES) for leg in plan.legs]
    more = min(have - leg.expected for have, leg in zip(there, plan.legs, strict=True))
    return replace(exit_, size=min(Shares(exit_.size + max(more, ZERO)), *there))


def _rounds(plan: Plan) -> int:
    batch = min(plan.terms_at(venue).batch_max for venue in plan.venues)
    return ROUNDS_MAX + -(-len(plan.legs) // batch)


def _complete(plan: Plan, account: PlanAccount) -> bool:
    """Whether every leg is there in full, or was given for the exit: only a surplus is left."""
    if plan.exit_operation is None:
        return _whole(plan, account)
    given = [
        {outcome: delta for outcome, _, delta in exit_.shares} for exit_ in _exits(plan, account)
    ]
    full = plan.dust - plan.exit_operation.size
    return any(all(one.get(leg.outcome, ZERO) <= full for leg in plan.legs) for one in given)


def _for_sale(plan: Plan, account: PlanAccount) -> bool:
    """Whether there is a surplus that may still be sold; what found no bid is kept."""
    return account.tries < _rounds(plan) and any(
        more > plan.dust for more in surplus(plan, account)
    )


def _whole(plan: Plan, account: PlanAccount) -> bool:
    """Whether every leg is there in full."""
    return all(
        shares >= leg.size - plan.dust
        for shares, leg in zip(account.legs(plan), plan.legs, strict=True)
    )


def _exits(plan: Plan, account: PlanAccount) -> list[Effect]:
    """What the exit did each time that it was taken in full; interrupted, it did only a part."""
    return [
        end.effect
        for end in account.ends.values()
        if end.effect is not None
        and plan.exit_operation is not None
        and _same_exit(plan, account.requests[end.id].operation, plan.exit_operation)
    ]


def _operation_id(plan: Plan, account: PlanAccount) -> OperationId:
    return OperationId(f"{plan.id}/exit/{len(account.requests) + 1}")


def _nothing_left(plan: Plan, account: PlanAccount) -> bool:
    """Whether neither legs nor what hedged them are held; what an exit gave is a gift."""
    outcomes = {leg.terms.opposite: plan.dust for leg in plan.legs if leg.terms}
    outcomes |= {leg.outcome: trifle(plan, leg) for leg in plan.legs}
    gave = {
        outcome for request in account.requests.values() for outcome in _received(request.operation)
    }
    return all(
        account.shares(outcome) <= few for outcome, few in outcomes.items() if outcome not in gave
    )


def _leftover_conversion(plan: Plan, account: PlanAccount) -> bool:
    """Whether an exit in fewer legs gave outcomes that the plan's own would not: they are sold."""
    meant = set(_received(plan.exit_operation)) if plan.exit_operation else set()
    given = {
        outcome for request in account.requests.values() for outcome in _received(request.operation)
    }
    return any(account.shares(outcome) > plan.dust for outcome in given - meant)


def _received(operation: Operation) -> tuple[OutcomeId, ...]:
    return tuple(outcome for outcome, _ in getattr(operation, "receives", ()))


def _completed(plan: Plan, account: PlanAccount) -> ExecutionReport:
    unsold = any(more > plan.dust for more in surplus(plan, account))
    return _ended(plan, account, _beyond(plan, account), NOBODY_TAKES if unsold else "")


def _ended(plan: Plan, account: PlanAccount, reason: str, alarm: str = "") -> ExecutionReport:
    """The report of an end. Profit is realised when nothing that was paid for is left."""
    kept = not _nothing_left(plan, account)
    # What is left after all was earned back costs nothing any more.
    bound = kept and account.cash < 0
    reached = _reached(plan, account)
    if kept and not reached and not alarm:
        alarm = "part of the legs is held to resolution"
    if reached and not alarm:
        reason = _beyond(plan, account)
    return ExecutionReport(
        plan=plan.id,
        state=PlanState.DONE if reached else PlanState.UNWOUND,
        realised=NO_USD if bound else account.cash,
        locked=Usd(-account.cash) if bound else NO_USD,
        reason=reason,
        alarm=alarm,
    )


def _sold(plan: Plan, account: PlanAccount) -> ExecutionReport:
    """The end of an ordered sale: its result is known once nothing is left."""
    assert account.sale is not None
    kept = not _nothing_left(plan, account)
    bound = kept and account.cash < 0
    return ExecutionReport(
        plan=plan.id,
        state=PlanState.DONE,
        realised=NO_USD if bound else account.cash,
        locked=Usd(-account.cash) if bound else NO_USD,
        reason=account.sale.why,
        alarm=NOBODY_TAKES if kept else "",
    )


def _beyond(plan: Plan, account: PlanAccount) -> str:
    """What is kept of each leg beyond whole sets, in words; empty where it is nothing."""
    held = list(zip(account.legs(plan), plan.legs, strict=True))
    sets = NO_SHARES if _exits(plan, account) else min(plan.level(leg, have) for have, leg in held)
    beyond = [(have - plan.target(leg, sets), leg) for have, leg in held]
    rest = [
        f"{text(more)} {leg.outcome_name} of {leg.market_slug}"
        for more, leg in beyond
        if more > plan.dust
    ]
    return f"kept beyond whole sets: {', '.join(rest)}" if rest else ""


def _reached(plan: Plan, account: PlanAccount) -> bool:
    """Whether every leg was had in full and, where there is an exit, it was taken in full."""
    if plan.exit_operation is None or account.failed_exits >= EXITS_MAX:
        return _whole(plan, account)
    return bool(_exits(plan, account))


def _same_exit(plan: Plan, done: Operation, meant: Operation) -> bool:
    return (
        type(done) is type(meant)
        and replace(done, size=meant.size) == meant
        and done.size >= meant.size - plan.dust
    )


def _why(account: PlanAccount) -> str:
    reasons = dict.fromkeys(answer.reason for answer in account.answers.values() if answer.reason)
    return "; ".join(reasons) or "not every leg was filled"
