"""What the ledger knows about a plan: a list of these. Everything else is derived."""

from dataclasses import dataclass
from datetime import datetime

from arb.domain.order import Final, Order, OrderId
from arb.domain.settlement import Effect, Operation, OperationId


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
class Requested:
    """A settlement operation is about to be asked for."""

    id: OperationId
    operation: Operation
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The operation's end is known: what it did, or nothing and why."""

    id: OperationId
    effect: Effect | None
    reason: str = ""
    at: datetime


Fact = Submitted | Answered | Requested | Settled
