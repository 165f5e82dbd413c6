"""Trading on paper right after a start: a plan left open is taken up before anything was listed."""

from decimal import Decimal

from arb.adapters.paper.venue import on_paper
from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.domain.market import Side
from arb.domain.order import Final, Order, OrderId
from arb.domain.venue import TimeInForce
from arb.ports import Venue
from arb.testing import builders as make
from tests.unit.test_sweep import _Clock, _Venue


def _order(outcome, market):
    return Order(
        id=OrderId("p/0/BUY/1"),
        outcome=outcome,
        market=market,
        side=Side.BUY,
        limit=Decimal("0.60"),
        size=Decimal(10),
        time_in_force=TimeInForce.FOK,
        expires_at=make.NOON,
        spend=Decimal(6),
    )


async def test_an_order_is_filled_before_the_first_listing_was_asked_for():
    clock = _Clock()
    venue = _Venue(clock, 0)
    paper = on_paper(Venue(id=POLYMARKET, listing=venue, books=venue, terms=TERMS), clock)
    market = venue.seen.markets["m0"]
    await paper.books.fetch([market.yes, market.no])
    (answer,) = await paper.trading.submit([_order(market.yes, market.id)])
    assert sum(fill.size for fill in answer.fills) == 10
    (mirrored,) = (await paper.books.fetch([market.no]))[market.no].bids
    assert (mirrored.price, mirrored.size) == (Decimal("0.40"), 40)


async def test_what_is_not_listed_any_more_is_refused_and_nothing_ends():
    clock = _Clock()
    venue = _Venue(clock, 0)
    paper = on_paper(Venue(id=POLYMARKET, listing=venue, books=venue, terms=TERMS), clock)
    listed = venue.seen
    market = listed.markets["m0"]
    await paper.books.fetch([market.yes])

    async def without():
        return make.universe([listed.markets["m1"], listed.markets["m2"]])

    venue.universe = without
    await paper.listing.universe()
    (answer,) = await paper.trading.submit([_order(market.yes, market.id)])
    assert answer == Final((), "its market is not listed any more")
