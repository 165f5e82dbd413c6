"""Documents that are made of more than one row: the account, a plan, a candidate. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from arb.domain.book import OrderBook
from arb.domain.contradiction import Contradiction
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
from arb.domain.market import MarketId, Side
from arb.domain.money import Shares, text
from arb.domain.plan import Plan, PlannedLeg
from arb.domain.position import Portfolio
from arb.domain.reason import sentence_of
from arb.domain.report import Statistics
from arb.views import ledger
from arb.views.shape import iso


def portfolio(account: str, held: Portfolio, sums: Statistics) -> ledger.Portfolio:
    """The account: what it holds and has done today, and the totals of all its cycles."""
    return ledger.Portfolio(
        account=account,
        cash=held.cash,
        free=held.free,
        promised=held.promised,
        pockets={
            str(venue): ledger.Pocket(cash=pocket.cash, promised=pocket.promised, free=pocket.free)
            for venue, pocket in sorted(held.pockets.items())
        },
        locked=held.locked,
        equity=held.equity,
        provisional=held.provisional,
        open_plans=held.open_plans,
        volume_today=held.volume_today,
        loss_today=held.loss_today,
        consecutive_failures=held.consecutive_failures,
        trades_ended=held.trades_ended,
        trades_voided=held.trades_voided,
        by_event={**held.by_event},
        statistics=totals(sums),
    )


def priced(held: ledger.Position, book: OrderBook | None) -> ledger.Position:
    """A position at the highest bid of its book as it was last read."""
    if book is None:
        return replace(held, no_value="its book has not been read since this process began")
    bid, at = book.best_bid, book.received_at
    if bid is None:
        return replace(held, priced_at=at, no_value="there is no bid for it")
    value = bid.price * held.shares
    return replace(held, price=bid.price, value=value, priced_at=at, no_value="")


def totals(sums: Statistics) -> ledger.Totals:
    """The sum of all cycles."""
    return ledger.Totals(
        cycles=sums.cycles,
        opportunities=sums.opportunities,
        trades=sums.trades,
        successes=sums.successes,
        failures=sums.failures,
        total_profit=sums.realised,
        locked_profit=sums.locked_profit,
    )


def contradiction(found: Contradiction) -> ledger.Contradiction:
    """What stops a kind of trade, and what ends that."""
    return ledger.Contradiction(
        kind=str(found.kind),
        venue=found.venue,
        plan=found.about,
        believed=found.believed,
        seen=found.seen,
        at=found.at.isoformat(),
        command=found.command,
    )


def opportunity_detail(found: ledger.Certified, facts: Sequence[Fact]) -> ledger.OpportunityDetail:
    """A candidate with its certificate and the facts of its plan, if it led to one."""
    kept = found.certificate
    return ledger.OpportunityDetail(
        **_fields(ledger.Opportunity, found),
        meaning=sentence_of(found.reason) if found.reason else "every gate passed",
        legs=kept["legs"],
        worst_world=kept["worst_world"],
        verdicts=kept["verdicts"],
        books=kept["books"],
        facts=[fact_line(fact) for fact in facts],
    )


def plan_detail(row: ledger.Plan, approved: Plan, facts: Sequence[Fact]) -> ledger.PlanDetail:
    """A plan with its legs and all its facts."""
    names = {leg.market: leg.market_slug for leg in approved.legs}
    return ledger.PlanDetail(
        **_fields(ledger.Plan, row),
        title=approved.event_title,
        profit_least=approved.profit_least,
        legs=[_leg(leg, f"{row.id}/{number}/", facts) for number, leg in enumerate(approved.legs)],
        facts=[_named(fact, approved.legs, names) for fact in facts],
    )


def fact_line(fact: Fact) -> ledger.FactLine:
    """When, what kind, and about what."""
    match fact:
        case Submitted(order=order):
            about = f"{order.side} {text(order.size)} @ {text(order.limit)} of {order.market}"
        case Answered(answer=answer):
            filled = sum((fill.size for fill in answer.fills), Decimal(0))
            about = f"{text(filled)} filled {answer.reason}".strip()
        case Confirmed(trade=trade):
            about = f"trade {trade} has settled"
        case Voided(trade=trade):
            about = f"trade {trade} has failed"
        case Discovered(fills=fills):
            about = f"{text(sum((fill.size for fill in fills), Decimal(0)))} filled after all"
        case OperationRequested(operation=operation):
            about = type(operation).__name__.lower()
        case OperationEnded(effect=effect, reason=reason):
            about = f"${text(effect.cash)} in cash" if effect else reason
        case SaleOrdered(why=why):
            about = why
    return [iso(fact.at), type(fact).__name__.lower(), about]


def _fields(kind: type[Any], document: Any) -> dict[str, Any]:
    """The fields that a document shares with the kind that it extends."""
    return {name: getattr(document, name) for name in kind.__dataclass_fields__}


def _leg(leg: PlannedLeg, order: str, facts: Sequence[Fact]) -> ledger.PlanLeg:
    """A leg, and how far it has come by the facts of its orders, whose ids begin with `order`."""
    state, bought, sold = _progress(order, leg.size, facts)
    return ledger.PlanLeg(
        market=leg.market_slug,
        outcome=leg.outcome_name,
        side=leg.side.value,
        limit=leg.limit,
        size=leg.size,
        spend=leg.dollars,
        shares_least=leg.least,
        cost=leg.value,
        fee=leg.fee,
        token=leg.outcome.token,
        state=state,
        bought=bought,
        sold=sold,
    )


def _progress(order: str, wanted: Shares, facts: Sequence[Fact]) -> tuple[str, Decimal, Decimal]:
    state, shares = "planned", {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
    for fact in facts:
        match fact:
            case Submitted(order=sent) if sent.id.startswith(order):
                state = "sent"
            case Answered(order=id_, answer=answer) if id_.startswith(order):
                state = "answered"
                for fill in answer.fills:
                    shares[fill.side] += fill.size
            case Discovered(order=id_, fills=fills) if id_.startswith(order):
                for fill in fills:
                    shares[fill.side] += fill.size
            case Voided(order=id_, fills=fills) if id_.startswith(order):
                for fill in fills:
                    shares[fill.side] -= fill.size
            case _:
                pass
    bought = shares[Side.BUY]
    if state == "answered":
        state = "filled" if bought >= wanted else "partial" if bought else "refused"
    return state, bought, shares[Side.SELL]


def _named(
    fact: Fact, legs: Sequence[PlannedLeg], names: Mapping[MarketId, str]
) -> ledger.FactLine:
    """A fact with the market's name where it had its id, or none."""
    at, kind, about = fact_line(fact)
    for market, name in names.items():
        about = about.replace(market, name)
    order = getattr(fact, "order", None)
    if isinstance(order, str):
        about = f"{legs[int(order.split('/')[1])].market_slug}: {about}"
    return [at, kind, about]
