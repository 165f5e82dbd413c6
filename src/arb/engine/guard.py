"""The last check of an order right before it is sent, whatever its origin.

Independent of the gate on purpose (SEC 15c3-5: pre-set limits, no erroneous or duplicate orders,
at one choke point). It remembers what went through it, and nothing else.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from arb.domain.book import OrderBook
from arb.domain.market import OutcomeId, Side, VenueId
from arb.domain.money import text
from arb.domain.order import Order
from arb.engine.options import GuardOptions
from arb.interlocks import BlockCode, Blocked, Interlock, no_sending
from arb.ports import Clock

DUPLICATES_REMEMBERED = 10_000
CLOCK_SET = timedelta(seconds=2)
"""A book that is newer than now by more shows that the clock was set; its age is not known."""


@dataclass(slots=True)
class Guard:
    """Decides whether orders may be sent, with the reason if not. A refusal is for all of them."""

    options: GuardOptions
    clock: Clock
    interlocks: Sequence[Interlock]
    """Why nothing may be sent at all; those that stop only new plans are left out."""
    rates: Mapping[VenueId, int] = field(default_factory=dict)
    """Orders that each venue may be sent in a second."""
    _sent_at: deque[tuple[float, VenueId]] = field(default_factory=deque)
    _seen: deque[tuple[float, object]] = field(
        default_factory=lambda: deque(maxlen=DUPLICATES_REMEMBERED)
    )
    _refs: deque[str] = field(default_factory=lambda: deque(maxlen=DUPLICATES_REMEMBERED))

    def forbids(
        self, orders: Sequence[Order], books: Mapping[OutcomeId, OrderBook]
    ) -> Blocked | None:
        """Why these orders must not be sent; `None`: they may."""
        return (
            no_sending(self.interlocks)
            or self._too_many(orders)
            or next((why for o in orders if (why := self._wrong(o, books.get(o.outcome)))), None)
        )

    def repeats(self, orders: Sequence[Order]) -> str:
        """What of these orders was sent a moment ago and would not be let pass now."""
        return next((f"{_said(o)} was sent a moment ago" for o in orders if self._repeats(o)), "")

    def passed(self, orders: Sequence[Order]) -> None:
        """These orders are sent now."""
        ticks = self.clock.monotonic()
        for order in orders:
            self._sent_at.append((ticks, order.outcome.venue))
            self._seen.append((ticks, _content(order)))
            if order.ref:
                self._refs.append(order.ref)

    def _too_many(self, orders: Sequence[Order]) -> Blocked | None:
        ticks = self.clock.monotonic()
        while self._sent_at and ticks - self._sent_at[0][0] >= 60:
            self._sent_at.popleft()
        more = Counter(order.outcome.venue for order in orders)
        lately = Counter(venue for at, venue in self._sent_at if ticks - at < 1) + more
        limits = self.options
        if lately.total() > limits.max_orders_per_second:
            what = f"more than {limits.max_orders_per_second} orders in a second"
            return Blocked(BlockCode.ORDERS_PER_SECOND, what)
        for venue, most in self.rates.items():
            if more[venue] and lately[venue] > most:
                what = f"more than {most} orders in a second at {venue}"
                return Blocked(BlockCode.ORDERS_PER_SECOND, what)
        if len(self._sent_at) + len(orders) > limits.max_orders_per_minute:
            what = f"more than {limits.max_orders_per_minute} orders in a minute"
            return Blocked(BlockCode.ORDERS_PER_MINUTE, what)
        return None

    def _wrong(self, order: Order, book: OrderBook | None) -> Blocked | None:
        name, limits = _said(order), self.options
        if order.side is Side.BUY and order.dollars > limits.max_position_size:
            spent, most = text(order.dollars), text(limits.max_position_size)
            what = f"{name}: ${spent} in one order, at most ${most}"
            return Blocked(BlockCode.ORDER_VALUE, what)
        if order.ref and order.ref in self._refs:
            return Blocked(BlockCode.SENT_ALREADY, f"{name}: it was sent already")
        if self._repeats(order):
            what = f"{name}: the same order was sent a moment ago"
            return Blocked(BlockCode.SENT_BEFORE, what)
        if book is None:
            return Blocked(BlockCode.NO_BOOK, f"{name}: there is no book to check it against")
        return self._off(order, book, name, self.clock.now())

    def _off(self, order: Order, book: OrderBook, name: str, now: datetime) -> Blocked | None:
        age = now - book.received_at
        if age > self.options.max_book_age:
            what = f"{name}: its book is {age.total_seconds():.0f} s old"
            return Blocked(BlockCode.BOOK_OLD, what)
        if -age > CLOCK_SET:
            what = f"{name}: its book is from the future: the clock was set back"
            return Blocked(BlockCode.BOOK_FROM_FUTURE, what)
        best = book.best_ask if order.side is Side.BUY else book.best_bid
        if best is None:
            return Blocked(BlockCode.BOOK_EMPTY, f"{name}: the book has no orders to trade with")
        if abs(order.limit - best.price) > self.options.price_collar:
            what = f"{name}: more than {text(self.options.price_collar)} from {text(best.price)}"
            return Blocked(BlockCode.PRICE_COLLAR, what)
        return None

    def _repeats(self, order: Order) -> bool:
        ticks, window = self.clock.monotonic(), self.options.duplicate_window.total_seconds()
        return any(ticks - at < window and same == _content(order) for at, same in self._seen)


def _content(order: Order) -> object:
    return (order.outcome, order.side, order.limit, order.size, order.spend)


def _said(order: Order) -> str:
    return f"{order.side} {text(order.size)} @ {text(order.limit)}"
