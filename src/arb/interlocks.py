"""Why nothing may be sent: one ordered list, checked by the guard, the cycle and health."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class BlockCode(StrEnum):
    """What kept orders from being sent: interlocks in their order, then what else may."""

    HALTED_BY_COMMAND = "halted_by_command"
    HALTED_BY_OPERATOR = "halted_by_operator"
    HALT_WATCH_ENDED = "halt_watch_ended"
    LEAD_IN_DOUBT = "lead_in_doubt"
    NOT_RECONCILED = "not_reconciled"
    LEDGER_DIFFERS = "ledger_differs"
    RECONCILIATION_OLD = "reconciliation_old"
    ORDERS_PER_SECOND = "orders_per_second"
    ORDERS_PER_MINUTE = "orders_per_minute"
    ORDER_VALUE = "order_value"
    SENT_ALREADY = "sent_already"
    SENT_BEFORE = "sent_before"
    NO_BOOK = "no_book"
    BOOK_OLD = "book_old"
    BOOK_FROM_FUTURE = "book_from_future"
    BOOK_EMPTY = "book_empty"
    PRICE_COLLAR = "price_collar"
    CONTRADICTED = "contradicted"
    NOT_PREPARED = "not_prepared"
    VENUE_CLOSED = "venue_closed"

    @property
    def sentence(self) -> str:
        """The code in words."""
        return SENTENCES[self]


SENTENCES = {
    BlockCode.HALTED_BY_COMMAND: "this process was halted through its API",
    BlockCode.HALTED_BY_OPERATOR: "an operator has halted it, by the halt file or the ledger",
    BlockCode.HALT_WATCH_ENDED: "the thread that watches for a halt does not run",
    BlockCode.LEAD_IN_DOUBT: "another process may lead the account",
    BlockCode.NOT_RECONCILED: "this process has not compared the ledger with the venue yet",
    BlockCode.LEDGER_DIFFERS: "the last reconciliation has found differences",
    BlockCode.RECONCILIATION_OLD: "the last reconciliation that succeeded is too long ago",
    BlockCode.ORDERS_PER_SECOND: "too many orders within a second, in all or at one venue",
    BlockCode.ORDERS_PER_MINUTE: "too many orders within a minute",
    BlockCode.ORDER_VALUE: "one order would spend more than its limit",
    BlockCode.SENT_ALREADY: "the very same signed order was sent before",
    BlockCode.SENT_BEFORE: "an order of the same content was sent a moment ago",
    BlockCode.NO_BOOK: "there is no book to check an order against",
    BlockCode.BOOK_OLD: "the book of an order is too old",
    BlockCode.BOOK_FROM_FUTURE: "the book of an order is from the future: the clock was set back",
    BlockCode.BOOK_EMPTY: "the book of an order has nothing to trade with",
    BlockCode.PRICE_COLLAR: "the limit of an order is too far from the best price",
    BlockCode.CONTRADICTED: "a contradiction has stopped the plan's kind before its first order",
    BlockCode.NOT_PREPARED: "the venue did not give what an order needs before it is sent",
    BlockCode.VENUE_CLOSED: "the venue accepts no orders now",
}


class Stops(StrEnum):
    """What a closed interlock stops."""

    SENDING = "sending"
    """Every order, whatever its origin: plans at work are not even unwound."""
    OPENING = "opening"
    """New plans; those at work are completed."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why something may not be sent now."""

    code: BlockCode
    reason: str
    """For people."""
    stops: Stops = Stops.SENDING


@dataclass(frozen=True, slots=True)
class Interlock:
    """One reason why nothing may be sent, for as long as its check returns a text."""

    code: BlockCode
    check: Callable[[], str | None]
    """Why it is closed; `None`: it is open. Any text closes it, even an empty one."""
    stops: Stops = Stops.SENDING

    def blocked(self) -> Blocked | None:
        """Why it is closed now; `None`: it is open."""
        reason = self.check()
        return None if reason is None else Blocked(self.code, reason, self.stops)


def closed(interlocks: Iterable[Interlock]) -> tuple[Blocked, ...]:
    """Every interlock that is closed now, in the order of the list."""
    return tuple(found for each in interlocks if (found := each.blocked()) is not None)


def no_sending(interlocks: Iterable[Interlock]) -> Blocked | None:
    """The first interlock that stops every order; `None`: orders may be sent."""
    return no_opening(each for each in interlocks if each.stops is Stops.SENDING)


def no_opening(interlocks: Iterable[Interlock]) -> Blocked | None:
    """The first closed interlock, whatever it stops; `None`: new plans may begin."""
    for each in interlocks:
        if (found := each.blocked()) is not None:
            return found
    return None
