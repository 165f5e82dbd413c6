"""Orders, fills, and all that can be answered about an order."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import NewType

from arb.domain.market import MarketId, OutcomeId, Side
from arb.domain.money import Price, Shares, Usd, micro_down, notional
from arb.domain.venue import TimeInForce

PlanId = NewType("PlanId", str)
OrderId = NewType("OrderId", str)
TENTH, COARSE_STEP, FINE_STEP = Decimal("0.1"), Decimal("0.001"), Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order; the id `plan/leg/side/attempt` is the same for the same step, restart or not."""

    id: OrderId
    outcome: OutcomeId
    market: MarketId
    side: Side
    limit: Price
    size: Shares
    """Shares to sell, or that a BUY is meant to buy: at the books at hand it buys them."""
    time_in_force: TimeInForce
    expires_at: datetime
    """When "not found" begins to mean "never placed"."""
    ref: str = ""
    """The venue's own id, known before the order is sent where it can be: then the order's hash."""
    spend: Usd | None = None
    """The whole cents that a BUY is sent to spend; `None` in orders of ledgers before dollars."""

    @property
    def dollars(self) -> Usd:
        """What a BUY spends: it is filled when that is spent, however many shares it brought."""
        return notional(self.limit, self.size) if self.spend is None else self.spend

    @property
    def amounts(self) -> tuple[Decimal, Decimal]:
        """What it gives and what it asks for, as an order that takes is signed.

        A BUY gives whole cents, and asks for the shares that those are at its limit: a price, not
        a number of shares. What is asked for has at most four decimals whatever the tick, three
        at the coarsest (docs/proof.md §4). They are cut, which leaves the price a hair
        on the side of the limit that still reaches it, and far from the next one.
        """
        asked = self.dollars / self.limit if self.side is Side.BUY else self.size * self.limit
        given = self.dollars if self.side is Side.BUY else self.size
        step = FINE_STEP if self.limit % TENTH else COARSE_STEP
        return given, asked.quantize(step, rounding=ROUND_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A piece of an order that was matched."""

    order: OrderId
    outcome: OutcomeId
    market: MarketId
    side: Side
    price: Price
    size: Shares
    fee: Usd
    shown: Shares
    """What the book showed at this price when the fill took from it."""
    at: datetime
    trade: str = ""
    """The venue's trade that it is a piece of; empty where fills settle as they happen."""

    @property
    def cash(self) -> Usd:
        """What the fill does to the account: negative when it pays.

        Dust of shares is worth parts of a micro-dollar, which are never paid (fault B09).
        """
        value = micro_down(notional(self.price, self.size))
        return Usd(-value - self.fee if self.side is Side.BUY else value - self.fee)

    @property
    def shares(self) -> Shares:
        """What the fill does to the holding: negative when it sells."""
        return self.size if self.side is Side.BUY else Shares(-self.size)


@dataclass(frozen=True, slots=True)
class Final:
    """The order's end is known. Without fills it is a refusal, and `reason` gives the cause."""

    fills: tuple[Fill, ...]
    reason: str = ""
    again: bool = False
    """Refused since the venue takes no orders now, whatever they are: it will again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The venue gave no clear answer: the order may or may not exist. Ask; never send again."""

    later: bool = False
    """Nothing more will be known soon: it is asked about again in another cycle."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """Asked about an order, the venue shows neither it nor a trade of it. It may still come."""


Answer = Final | Unknown | NotFound


class TradeState(StrEnum):
    """Where a trade stands between the match and the chain."""

    PROVISIONAL = "provisional"
    """Matched, perhaps mined: it may still fail."""
    CONFIRMED = "settled"
    """Confirmed on chain."""
    VOIDED = "voided"
    """Failed for good: what it filled was never had."""


@dataclass(frozen=True, slots=True)
class OrderKey:
    """What an order is for: the parts of its id, which is a function of the step alone."""

    plan: PlanId
    leg: int
    """The leg's place; a hedge of it, bought at its other outcome, has the number of legs more."""
    side: Side
    attempt: int
    """The round of orders that it belongs to, from 1."""

    @property
    def id(self) -> OrderId:
        """`plan/leg/side/attempt`."""
        return OrderId(f"{self.plan}/{self.leg}/{self.side.value}/{self.attempt}")

    @classmethod
    def parse(cls, order: OrderId) -> "OrderKey":
        """The parts of an id.

        Raises:
            ValueError: It is not the id of a plan's order.
        """
        plan, leg, side, attempt = order.rsplit("/", 3)
        return cls(PlanId(plan), int(leg), Side(side), int(attempt))


def order_id(plan: PlanId, leg: int, side: Side, attempt: int) -> OrderId:
    """The id of a step's order."""
    return OrderKey(plan, leg, side, attempt).id
