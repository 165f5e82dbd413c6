"""What the ledger knows about a plan: a list of these. Everything else is derived."""

from dataclasses import dataclass
from datetime import datetime

from arb.domain.operation import Carried, Declined, Effect, Operation, OperationId
from arb.domain.order import Fill, Final, Order, OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """About to be sent: written before anything leaves."""

    order: Order
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The order's end is known."""

    order: OrderId
    answer: Final
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A trade of the order has settled."""

    order: OrderId
    trade: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided:
    """A trade of the order has failed: its fills are reversed."""

    order: OrderId
    fills: tuple[Fill, ...]
    """The trade's fills, as they were written down; all of one trade."""
    at: datetime

    @property
    def trade(self) -> str:
        """The trade's id."""
        return self.fills[0].trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """The venue shows fills of an order that had been taken for ended without them."""

    order: OrderId
    fills: tuple[Fill, ...]
    """All of one trade."""
    at: datetime

    @property
    def trade(self) -> str:
        """The trade's id."""
        return self.fills[0].trade


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequested:
    """An operation on tokens is about to be requested."""

    id: OperationId
    operation: Operation
    at: datetime
    ref: str = ""
    """By which the chain is asked about it later; known before anything is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEnded:
    """The operation's end is known: what it did, or nothing and why."""

    id: OperationId
    effect: Effect | None
    reason: str = ""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleOrdered:
    """What the plan holds is to be sold at the bids, whatever that brings: no proof speaks for it.

    Plans that were proved hold what they have until it pays; those that follow a signal end so.
    """

    number: int
    """Of the plan's sales, from 1: what found no bid may be ordered to be sold again."""
    why: str
    at: datetime


def ended(id_: OperationId, answer: Carried | Declined, at: datetime) -> OperationEnded:
    """The end that an answer reports."""
    match answer:
        case Carried(effect=effect):
            return OperationEnded(id=id_, effect=effect, at=at)
        case Declined(reason=reason):
            return OperationEnded(id=id_, effect=None, reason=reason, at=at)


Fact = (
    Submitted
    | Answered
    | Confirmed
    | Voided
    | Discovered
    | OperationRequested
    | OperationEnded
    | SaleOrdered
)
