"""The last hop: every limit refuses on its own, and what passes is remembered."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.book import OrderBook
from arb.domain.market import MarketId, OutcomeId, Side, VenueId
from arb.domain.money import Price, Shares, Usd
from arb.domain.order import Order, OrderId
from arb.domain.venue import TimeInForce
from arb.engine.guard import Guard
from arb.engine.options import GuardOptions
from arb.exchange.in_process import VirtualClock
from arb.interlocks import BlockCode, Blocked, Interlock, Stops, closed, no_opening
from arb.testing import builders as make

TOKEN = OutcomeId(POLYMARKET, "1")


def order(number=1, price="0.40", size="10", side=Side.BUY, ref=""):
    return Order(
        id=OrderId(f"p/{number}/BUY/1"),
        outcome=TOKEN,
        market=MarketId("m"),
        side=side,
        limit=Price(Decimal(price)),
        size=Shares(Decimal(size) + number),
        time_in_force=TimeInForce.FOK,
        expires_at=VirtualClock().now(),
        ref=ref,
    )


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def books(clock):
    book = OrderBook(
        outcome=TOKEN,
        bids=make.levels([("0.38", "100")]),
        asks=make.levels([("0.40", "100")]),
        received_at=clock.now(),
    )
    return {TOKEN: book}


@pytest.fixture
def guard(clock):
    return Guard(
        GuardOptions(
            max_orders_per_second=3,
            max_orders_per_minute=5,
            max_position_size=Usd(Decimal(100)),
            price_collar=Price(Decimal("0.05")),
            max_book_age=timedelta(seconds=15),
        ),
        clock,
        (),
    )


def test_an_ordinary_order_passes(guard, books):
    assert guard.forbids([order()], books) is None
    assert guard.forbids([order(side=Side.SELL, price="0.38")], books) is None


@pytest.mark.parametrize(
    ("wrong", "code", "why"),
    [
        (order(size="1000"), "order_value", "in one order"),
        (order(price="0.46"), "price_collar", "more than 0.05 from 0.4"),
        (order(price="0.34"), "price_collar", "more than 0.05 from 0.4"),
        (order(side=Side.SELL, price="0.30"), "price_collar", "more than 0.05 from 0.38"),
        (replace(order(), outcome=OutcomeId(POLYMARKET, "2")), "no_book", "no book"),
    ],
)
def test_each_limit_refuses(guard, books, wrong, code, why):
    found = guard.forbids([wrong], books)
    assert found.code == code
    assert why in found.reason


def test_one_bad_order_holds_back_all(guard, books):
    assert guard.forbids([order(1), order(2, price="0.90")], books)


async def test_a_stale_book_refuses(guard, books, clock):
    await clock.sleep(16)
    assert "s old" in guard.forbids([order()], books).reason


def test_nobody_to_trade_with_refuses(guard, books):
    empty = {TOKEN: replace(books[TOKEN], asks=())}
    assert "no orders to trade with" in guard.forbids([order()], empty).reason


async def test_the_rate_is_capped_per_second_and_per_minute(guard, books, clock):
    guard.passed([order(n) for n in range(3)])
    assert "in a second" in guard.forbids([order(9)], books).reason
    await clock.sleep(10)
    books = {TOKEN: replace(books[TOKEN], received_at=clock.now())}
    assert guard.forbids([order(9)], books) is None
    guard.passed([order(n) for n in range(10, 12)])
    await clock.sleep(10)
    assert "in a minute" in guard.forbids([order(9)], books).reason
    await clock.sleep(50)
    books = {TOKEN: replace(books[TOKEN], received_at=clock.now())}
    assert guard.forbids([order(9)], books) is None


async def test_the_same_order_again_is_a_mistake_for_a_while(guard, books, clock):
    guard.passed([order()])
    assert "a moment ago" in guard.forbids([order()], books).reason
    await clock.sleep(6)
    assert guard.forbids([order()], books) is None


async def test_the_same_signature_is_never_sent_twice(guard, books, clock):
    guard.passed([order(ref="0xabc")])
    await clock.sleep(10)
    assert "sent already" in guard.forbids([order(2, ref="0xabc")], books).reason


def test_what_is_killed_sends_nothing(clock, books, guard):
    halt = Interlock(BlockCode.HALTED_BY_OPERATOR, lambda: "halted by the operator")
    guard.interlocks = (halt,)
    assert guard.forbids([order()], books) == Blocked(halt.code, "halted by the operator")


def test_an_interlock_that_stops_new_plans_only_lets_the_rest_out(books, guard):
    differs = Interlock(BlockCode.LEDGER_DIFFERS, lambda: "by a cent", Stops.OPENING)
    guard.interlocks = (differs,)
    assert guard.forbids([order()], books) is None
    assert no_opening(guard.interlocks) == Blocked(differs.code, "by a cent", Stops.OPENING)


def test_the_first_closed_interlock_is_named_and_even_one_without_a_text_is_closed(books, guard):
    halt = Interlock(BlockCode.HALTED_BY_COMMAND, lambda: "")
    later = Interlock(BlockCode.LEAD_IN_DOUBT, lambda: "in doubt")
    guard.interlocks = (halt, later)
    assert guard.forbids([order()], books) == Blocked(halt.code, "")
    assert [each.code for each in closed(guard.interlocks)] == [halt.code, later.code]


def test_a_clock_that_was_set_back_makes_no_book_fresh(guard, books, clock):
    (book,) = books.values()
    later = replace(book, received_at=clock.now() + timedelta(hours=1))
    assert "set back" in guard.forbids([order()], {TOKEN: later}).reason
    assert not guard.forbids([order()], {TOKEN: replace(book, received_at=clock.now())})


async def test_each_venue_has_a_rate_of_its_own(guard, books, clock):
    """Two in a second at the one, whatever is sent to the other."""
    guard.rates = {TOKEN.venue: 2, VenueId("elsewhere"): 1}
    assert (
        "more than 2 orders in a second at"
        in guard.forbids([order(n) for n in range(3)], books).reason
    )
    guard.passed([order(1), order(2)])
    assert "more than 2 orders" in guard.forbids([order(3)], books).reason
    await clock.sleep(1)
    assert guard.forbids([order(3)], books) is None
