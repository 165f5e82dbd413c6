"""A market, a book, a universe in one line each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.book import BookMap, Level, OrderBook, mirrored
from arb.domain.fees import CurveFees
from arb.domain.market import (
    Event,
    EventId,
    Exclusive,
    Market,
    MarketId,
    OrderRules,
    OutcomeId,
    Relation,
    Universe,
    VenueId,
)
from arb.domain.money import Price, Shares, Usd, total
from arb.domain.opportunity import Exit, Kind
from arb.domain.order import PlanId
from arb.domain.plan import Plan, PlannedLeg
from arb.domain.position import Pocket, Portfolio
from arb.domain.snapshot import Snapshot
from arb.domain.venue import VenueTerms
from arb.domain.worlds import Payoff

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
Quotes = Sequence[tuple[str, str]]
"""(price, shares) pairs, best first."""


def market(
    name: str,
    *,
    rate: str | None = "0.04",
    tick: str = "0.01",
    min_size: str = "5",
    can_split: bool = True,
    accepting: bool = True,
    closed: bool = False,
    delay: str = "0",
    event: str = "event",
) -> Market:
    """A market; `rate=None` means fees that are not stated."""
    return Market(
        id=MarketId(name),
        event=EventId(event),
        slug=name,
        question=f"{name}?",
        yes=OutcomeId(POLYMARKET, f"{name}-yes"),
        no=OutcomeId(POLYMARKET, f"{name}-no"),
        rules=OrderRules(tick=Price(Decimal(tick)), min_size=Shares(Decimal(min_size))),
        fees=None if rate is None else CurveFees(Decimal(rate)),
        can_split=can_split,
        accepting=accepting,
        closed=closed,
        delay_seconds=Decimal(delay),
    )


def universe(
    markets: Sequence[Market],
    relations: Sequence[Relation] = (),
    *,
    open_ended: bool = False,
    convertible: bool = True,
    missing: int = 0,
) -> Universe:
    """A universe in which all markets belong to one event."""
    event = Event(
        id=markets[0].event,
        slug=str(markets[0].event),
        title=str(markets[0].event),
        venue=POLYMARKET,
        markets=tuple(m.id for m in markets),
        open_ended=open_ended,
        convertible=convertible,
        missing=missing,
    )
    return Universe({m.id: m for m in markets}, {event.id: event}, tuple(relations))


def portfolio(
    cash: str | int | Decimal, promised: str | int | Decimal = 0, **rest: Any
) -> Portfolio:
    """An account with all its cash at the venue of these builders."""
    pocket = Pocket(Usd(Decimal(cash)), Usd(Decimal(promised)))
    return Portfolio(pockets={POLYMARKET: pocket}, **rest)


def plan(
    id_: PlanId,
    event: EventId,
    legs: Sequence[PlannedLeg],
    *,
    payoff_worst: str | Decimal,
    at: datetime = NOON,
    terms: Mapping[VenueId, VenueTerms] | None = None,
    payoff: Payoff | None = None,
) -> Plan:
    """A plan that holds its legs to their resolution; no gate has approved it."""
    return Plan(
        id=id_,
        kind=Kind.GROUP,
        event=event,
        event_slug=str(event),
        event_title=str(event),
        exit=Exit.RESOLUTION,
        legs=tuple(legs),
        exit_operation=None,
        outlay=total(Usd(leg.value + leg.fee) for leg in legs),
        payoff_worst=Usd(Decimal(payoff_worst)),
        approved_at=at,
        venue_terms=terms or {},
        payoff=payoff,
    )


def exclusive(markets: Sequence[Market], *, complete: bool = True) -> Exclusive:
    """At most one of the markets resolves YES."""
    return Exclusive(tuple(m.id for m in markets), complete)


def levels(quotes: Quotes) -> tuple[Level, ...]:
    """Quotes as levels."""
    return tuple(Level(Price(Decimal(p)), Shares(Decimal(s))) for p, s in quotes)


def books(
    of: Market,
    bids: Quotes,
    asks: Quotes,
    *,
    at: datetime = NOON,
    no_stamped_at: datetime | None = None,
) -> tuple[OrderBook, OrderBook]:
    """The YES and the NO book of one market, exact mirrors, from its YES quotes."""
    yes = OrderBook(
        outcome=of.yes, bids=levels(bids), asks=levels(asks), received_at=at, stamped_at=at
    )
    no = OrderBook(
        outcome=of.no,
        bids=mirrored(yes.asks),
        asks=mirrored(yes.bids),
        received_at=at,
        stamped_at=no_stamped_at or at,
    )
    return yes, no


def snapshot(of: Universe, *pairs: tuple[OrderBook, OrderBook]) -> Snapshot:
    """A snapshot of these books, taken at noon."""
    return Snapshot(
        universe=of, books=BookMap(book for pair in pairs for book in pair), taken_at=NOON
    )
