"""The ledger compared with the venue's statement: proven corrections, and the rest.

Pure and idempotent: a correction is a fact with a key of its own, so applying it twice changes
nothing. What is still on its way widens what may be true instead of counting as a difference.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from arb.domain.dollars import most
from arb.domain.fact import Confirmed, Discovered, Fact, OperationEnded, Voided
from arb.domain.market import OutcomeId, Side, VenueId
from arb.domain.money import NO_SHARES, ZERO, Price, Shares, Usd, text
from arb.domain.operation import Effect, effect, venue_of
from arb.domain.order import Fill, Order, PlanId, TradeState
from arb.domain.plan import Plan
from arb.domain.position import Portfolio
from arb.domain.statement import Difference, Statement, VenueTrade
from arb.domain.venue import PairExit
from arb.engine.account import PlanAccount, fills_of, read

Recent = Sequence[tuple[Plan, Sequence[Fact]]]

LAG_MAX = timedelta(minutes=2)
"""What was booked so lately may not be in all that the venue and its nodes show (G03)."""
FEE_RATE_MOST = Decimal("0.25")
"""More than any fee rate: how far an unanswered order can reach beyond its dollars."""
PRICE_LEAST = Price(Decimal("0.0001"))
"""The finest tick: what an unanswered order may find at best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The result of comparing the two."""

    corrections: tuple[tuple[PlanId, Fact], ...] = ()
    """Facts that the venue has proved and the ledger lacks."""
    differences: tuple[Difference, ...] = ()
    """What cannot be explained."""
    lasting: tuple[Difference, ...] = ()
    """Those in cash and shares that a venue which lags behind does not explain either."""


@dataclass(slots=True)
class _Range:
    """What a balance may be, given what is on its way."""

    low: Decimal
    high: Decimal

    def may_move(self, delta: Decimal) -> None:
        self.low += min(delta, ZERO)
        self.high += max(delta, ZERO)

    def holds(self, value: Decimal, tolerance: Decimal) -> bool:
        return self.low - tolerance <= value <= self.high + tolerance


def reconcile(
    portfolio: Portfolio,
    recent: Recent,
    statement: Statement,
    tolerance: Usd,
    explained_until: datetime | None = None,
) -> Review:
    """Compare cash, holdings, orders and trades at one venue.

    Args:
        portfolio: The account in the ledger, provisional fills included.
        recent: Every plan that is open or was touched in the time that the statement covers.
        statement: The account at one venue; what the ledger has elsewhere is left out.
        tolerance: USD, or shares, by which the two may differ without an alarm.
        explained_until: An operator has accounted for what strangers did up to here.
    """
    venue = statement.venue
    orders = {
        order.ref: (plan.id, order, facts)
        for plan, facts in recent
        for order in read(facts).orders.values()
        if order.ref and order.outcome.venue == venue
    }
    portfolio = portfolio.at(venue)
    corrections: list[tuple[PlanId, Fact]] = []
    differences: list[Difference] = []
    booked = {
        fill.trade for _, order, facts in orders.values() for fill in fills_of(facts, order.id)
    }
    for trade in statement.trades:
        ref = trade.ref or next((ref for ref in trade.refs if ref in orders), "")
        if ref not in orders:
            # A failed trade moved nothing, ours or not; the balances are compared below.
            explained = explained_until is not None and _last(trade) <= explained_until
            known = trade.state is TradeState.VOIDED or (trade.unread and trade.id in booked)
            if not explained and not known:
                differences.append(_unknown(venue, trade))
            continue
        plan, order, facts = orders[ref]
        if trade.unread and _missed(trade, order, facts, booked):
            differences.append(_unknown(venue, trade))
            continue
        corrections += [(plan, fact) for fact in _proved(trade, order, facts, statement)]
    differences += [
        Difference(at=venue, what="order", about=ref, ledger="none", venue="rests in the book")
        for ref in statement.open_orders
        if ref not in orders
    ]
    lasting: tuple[Difference, ...] = ()
    if not corrections:
        differences += _balances(portfolio, recent, statement, tolerance)
        late = statement.at - LAG_MAX
        lasting = tuple(_balances(portfolio, recent, statement, tolerance, late))
    return Review(corrections=tuple(corrections), differences=tuple(differences), lasting=lasting)


def _proved(
    trade: VenueTrade, order: Order, facts: Sequence[Fact], statement: Statement
) -> Iterator[Fact]:
    """What the ledger lacks of a trade of a known order; the saga asks for unanswered orders."""
    account = read(facts)
    if order.id not in account.answers:
        return
    known = [fill for fill in fills_of(facts, order.id) if fill.trade == trade.id]
    ours = tuple(replace(fill, order=order.id, market=order.market) for fill in trade.fills)
    if not known and ours and trade.state is not TradeState.VOIDED:
        yield Discovered(order=order.id, fills=ours, at=statement.at)
        known = list(ours)
    settled = any(
        isinstance(fact, Confirmed | Voided) and (fact.order, fact.trade) == (order.id, trade.id)
        for fact in facts
    )
    if known and not settled and trade.state is TradeState.CONFIRMED:
        yield Confirmed(order=order.id, trade=trade.id, at=statement.at)
    if known and not settled and trade.state is TradeState.VOIDED:
        yield Voided(order=order.id, fills=tuple(known), at=statement.at)


def _missed(
    trade: VenueTrade, order: Order, facts: Sequence[Fact], booked: AbstractSet[str]
) -> bool:
    """Whether the ledger lacks a trade that cannot be read, and no open query covers its order."""
    had = trade.id in booked or trade.state is TradeState.VOIDED
    return not had and order.id in read(facts).answers


def _last(trade: VenueTrade) -> datetime:
    until = trade.at or datetime.max.replace(tzinfo=UTC)
    return max((fill.at for fill in trade.fills), default=until)


def _unknown(venue: VenueId, trade: VenueTrade) -> Difference:
    bought = ", ".join(
        f"{fill.side} {text(fill.size)} @ {text(fill.price)}" for fill in trade.fills
    )
    return Difference(
        at=venue,
        what="trade",
        about=trade.id,
        ledger="none",
        venue=bought or trade.unread or trade.ref,
    )


def _balances(
    portfolio: Portfolio,
    recent: Recent,
    statement: Statement,
    tolerance: Usd,
    late: datetime | None = None,
) -> Iterator[Difference]:
    """What is beyond all that is on its way, and that was booked since `late`."""
    venue = statement.venue
    cash = _Range(portfolio.cash, portfolio.cash)
    shares: defaultdict[OutcomeId, _Range] = defaultdict(lambda: _Range(ZERO, ZERO))
    for held in portfolio.positions.values():
        shares[held.outcome] = _Range(held.shares, held.shares)
    for plan, facts in recent:
        account = read(facts)
        lately = _lately(facts, late) if late is not None else ()
        netted = _netted(plan, account)
        for where, delta, moved in (*_on_the_way(account, facts), *lately, *netted):
            if where != venue:
                continue
            cash.may_move(delta)
            for outcome, change in moved:
                shares[outcome].may_move(change)
    if not cash.holds(statement.cash, tolerance):
        yield Difference(
            at=venue, what="cash", about="USD", ledger=_said(cash), venue=text(statement.cash)
        )
    for outcome in sorted({*shares, *statement.shares}):
        there = statement.shares.get(outcome)
        if there is not None and not shares[outcome].holds(there, tolerance):
            yield Difference(
                at=venue,
                what="shares",
                about=str(outcome),
                ledger=_said(shares[outcome]),
                venue=text(there),
            )


Move = tuple[VenueId, Decimal, Iterable[tuple[OutcomeId, Shares]]]
"""Where, what of cash, and what of shares."""


def _netted(plan: Plan, account: PlanAccount) -> Iterator[Move]:
    """Pairs that a venue has netted by itself and that are not written down as netted yet."""
    for leg in plan.legs:
        if leg.terms is None:
            continue
        venue, other = leg.outcome.venue, leg.terms.opposite
        pairs = min(account.shares(leg.outcome), account.shares(other))
        first = other not in {leg.outcome for leg in plan.legs} or leg.outcome < other
        if pairs > 0 and first and plan.terms_at(venue).pair_exit is PairExit.AUTOMATIC:
            yield venue, pairs, ((leg.outcome, Shares(-pairs)), (other, Shares(-pairs)))


def _on_the_way(account: PlanAccount, facts: Sequence[Fact]) -> Iterator[Move]:
    """What may or may not have reached the chain yet, as changes of the ledger's balance."""
    for order, trades in account.pending:
        for fill in fills_of(facts, order.id):
            if fill.trade in trades:
                # Booked already: the chain may still be where it was before.
                yield _back(fill)
    for id_, order in account.orders.items():
        if id_ not in account.answers:
            if order.side is Side.BUY:
                # A better price buys more shares for the same dollars; a share's fee is at most
                # its price times the rate.
                reach = Usd(-order.dollars * (1 + FEE_RATE_MOST))
                reached = ((order.outcome, most(order.dollars, PRICE_LEAST)),)
                yield order.outcome.venue, reach, reached
            else:
                sold = ((order.outcome, Shares(-order.size)),)
                yield order.outcome.venue, Usd(order.size), sold
    for request in account.requests.values():
        if request.id not in account.ends:
            done = effect(request.operation)
            moved = [(outcome, delta) for outcome, _, delta in done.shares]
            yield venue_of(request.operation), done.cash, moved


def _lately(facts: Sequence[Fact], since: datetime) -> Iterator[Move]:
    """What arrived so lately that it may not show yet, as changes back to where it was before."""
    for fact in facts:
        if fact.at < since:
            continue
        match fact:
            case Confirmed(order=order, trade=trade):
                fills = [fill for fill in fills_of(facts, order) if fill.trade == trade]
                yield from map(_back, fills)
            case Voided(fills=lost):
                for fill in lost:
                    yield fill.outcome.venue, fill.cash, ((fill.outcome, fill.shares),)
            case OperationEnded(effect=Effect() as done):
                back = [(outcome, Shares(-delta)) for outcome, _, delta in done.shares]
                yield done.venue, Usd(-done.cash), back
            case _:
                pass


def _back(fill: Fill) -> Move:
    """What was booked of a fill, taken back."""
    return fill.outcome.venue, Usd(-fill.cash), ((fill.outcome, Shares(-fill.shares)),)


def _said(range_: _Range) -> str:
    if range_.low == range_.high:
        return text(range_.low)
    return f"{text(range_.low)} to {text(range_.high)}"


def expected(portfolio: Portfolio, outcome: OutcomeId) -> Shares:
    """What is held of an outcome in the ledger."""
    held = portfolio.positions.get(outcome)
    return held.shares if held else NO_SHARES
