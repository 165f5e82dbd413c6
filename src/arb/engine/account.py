"""A plan's account, from its facts: orders, holdings by outcome, cost. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arb.domain.fact import (
    Answered,
    Confirmed,
    Discovered,
    Fact,
    OperationEnded,
    OperationRequested,
    SaleOrdered,
    Submitted,
    Voided,
)
from arb.domain.market import OutcomeId, VenueId
from arb.domain.money import NO_SHARES, NO_USD, Shares, Usd, total
from arb.domain.order import Fill, Final, Order, OrderId, OrderKey, TradeState
from arb.domain.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAccount:
    """A plan's state as derived from its facts."""

    orders: Mapping[OrderId, Order]
    answers: Mapping[OrderId, Final]
    requests: Mapping[str, OperationRequested]
    ends: Mapping[str, OperationEnded]
    pending: tuple[tuple[Order, tuple[str, ...]], ...]
    """Orders with those of their trades that have not settled yet."""
    held: Mapping[OutcomeId, Shares]
    """Shares by outcome, provisional ones included."""
    confirmed: Mapping[OutcomeId, Shares]
    """Shares by outcome that are on chain: what may be sold."""
    cash_at: Mapping[VenueId, Usd]
    """What everything has done to the cash at each venue, provisional fills included."""
    sale: SaleOrdered | None = None
    """The last order to sell all that is held."""
    sale_after: int = 0
    """The rounds of orders that were sent before it."""

    @property
    def cash(self) -> Usd:
        """What everything has done to the account's cash."""
        return total(self.cash_at.values())

    @property
    def unanswered(self) -> Order | None:
        """The first order whose end is not known."""
        return next((o for id_, o in self.orders.items() if id_ not in self.answers), None)

    @property
    def unended(self) -> OperationRequested | None:
        """The operation whose end is not known."""
        return next((r for id_, r in self.requests.items() if id_ not in self.ends), None)

    @property
    def round(self) -> int:
        """How many rounds of orders have been sent; the attempt number of the last one."""
        return max((OrderKey.parse(id_).attempt for id_ in self.orders), default=0)

    @property
    def tries(self) -> int:
        """The rounds of which the venue took notice: it was not closed to all orders."""
        closed = {id_ for id_, answer in self.answers.items() if answer.again}
        return len({OrderKey.parse(id_).attempt for id_ in self.orders if id_ not in closed})

    @property
    def sale_tries(self) -> int:
        """The rounds of orders that were sent since the last order to sell."""
        return self.round - self.sale_after

    @property
    def failed_exits(self) -> int:
        """Operations that certainly did not happen."""
        return sum(end.effect is None for end in self.ends.values())

    def shares(self, outcome: OutcomeId) -> Shares:
        """Held of an outcome, provisional shares included."""
        return self.held.get(outcome, NO_SHARES)

    def legs(self, plan: Plan) -> list[Shares]:
        """Held of each leg."""
        return [self.shares(leg.outcome) for leg in plan.legs]


def read(facts: Sequence[Fact]) -> PlanAccount:  # noqa: PLR0912  # one case a kind of fact
    """Fold facts, in any order that the ledger keeps them."""
    orders: dict[OrderId, Order] = {}
    answers: dict[OrderId, Final] = {}
    states: dict[tuple[OrderId, str], TradeState] = {}
    requests: dict[str, OperationRequested] = {}
    ends: dict[str, OperationEnded] = {}
    held: defaultdict[OutcomeId, Shares] = defaultdict(lambda: NO_SHARES)
    confirmed: defaultdict[OutcomeId, Shares] = defaultdict(lambda: NO_SHARES)
    cash: defaultdict[VenueId, Usd] = defaultdict(lambda: NO_USD)
    fills: list[Fill] = []
    sale, sale_after = None, 0
    for fact in facts:
        match fact:
            case Submitted(order=order):
                orders[order.id] = order
            case Answered(order=id_, answer=answer):
                answers[id_] = answer
                fills += answer.fills
            case Discovered(fills=more):
                fills += more
            case Confirmed(order=id_, trade=trade):
                states[id_, trade] = TradeState.CONFIRMED
            case Voided(order=id_, trade=trade):
                states[id_, trade] = TradeState.VOIDED
            case OperationRequested(id=operation):
                requests[operation] = fact
            case OperationEnded(id=operation, effect=effect):
                ends[operation] = fact
                if effect is not None:
                    venue = effect.venue
                    cash[venue] = Usd(cash[venue] + effect.cash)
                    for outcome, _, delta in effect.shares:
                        held[outcome] = Shares(held[outcome] + delta)
                        confirmed[outcome] = Shares(confirmed[outcome] + delta)
            case SaleOrdered():
                sale, sale_after = fact, max((OrderKey.parse(o).attempt for o in orders), default=0)
    pending: dict[OrderId, dict[str, None]] = {}
    for fill in fills:
        state = states.get((fill.order, fill.trade), _unsettled(fill.trade))
        if state is TradeState.VOIDED:
            continue
        venue = fill.outcome.venue
        cash[venue] = Usd(cash[venue] + fill.cash)
        held[fill.outcome] = Shares(held[fill.outcome] + fill.shares)
        # What is sold is gone at once, what is bought is there when it has settled.
        if state is TradeState.CONFIRMED or fill.shares < 0:
            confirmed[fill.outcome] = Shares(confirmed[fill.outcome] + fill.shares)
        if state is TradeState.PROVISIONAL:
            pending.setdefault(fill.order, {})[fill.trade] = None
    return PlanAccount(
        orders=orders,
        answers=answers,
        requests=requests,
        ends=ends,
        pending=tuple((orders[id_], tuple(trades)) for id_, trades in pending.items()),
        held=dict(held),
        confirmed=dict(confirmed),
        cash_at=dict(cash),
        sale=sale,
        sale_after=sale_after,
    )


def _unsettled(trade: str) -> TradeState:
    """A fill without a trade settled as it happened."""
    return TradeState.PROVISIONAL if trade else TradeState.CONFIRMED


def fills_of(facts: Sequence[Fact], order: OrderId) -> list[Fill]:
    """Every fill of an order in the facts, voided or not."""
    found: list[Fill] = []
    for fact in facts:
        match fact:
            case Answered(order=id_, answer=answer) if id_ == order:
                found += answer.fills
            case Discovered(order=id_, fills=more) if id_ == order:
                found += more
    return found
