"""The JSON documents of the mailbox, versioned (INTERFACE_SPEC.md section 11).

What comes from a bot is a stranger's text: size, depth and every field are checked before use.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from arb.domain.bounds import OutOfBounds, check_nesting, number
from arb.domain.market import Side
from arb.domain.money import micro_down
from arb.domain.order import Fill, Order
from arb.domain.plan import Plan

SCHEMA = 1
BYTES_MAX = 65_536
"""Of one document."""
DEPTH_MAX = 8
"""Brackets within brackets: our own documents need four."""
PID_MAX = 2**22
"""The kernel's own limit."""
PROFIT_MAX = Decimal(10**9)
"""USD: what a bot says beyond this is not kept."""
TRANSACTION_MAX = 200
"""Characters of a transaction's name that are kept."""
NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

Amount = Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$")]
BotName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9:/_.-]{1,200}$")]
GivenId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9:/_.-]{0,200}$")]
Words = Annotated[str, msgspec.Meta(max_length=2_000)]
Stamp = float | str | None
"""The bot's own clock, in the user's way (seconds) or as text; shown, never relied on."""


class BadDocument(Exception):
    """A document that is not what it must be; `reason` is one of a few words for counting."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One order that the plan needs, as it is sent to a bot."""

    id: str
    venue: str
    market: str
    token: str
    side: str
    limit: Amount
    shares: Amount
    spend: Amount | None = None
    """Dollars that a BUY spends; they buy the shares at the books at hand."""


class Opportunity(msgspec.Struct, frozen=True, kw_only=True):
    """What the orders are for."""

    plan: str
    kind: str
    event: str
    title: str
    exit: str
    outlay: str
    payoff_worst: str
    profit: str


class Swapped(msgspec.Struct, frozen=True, kw_only=True):
    """One swap of a spread; amounts are in the smallest unit of each token."""

    pool: str
    sold: str
    bought: str
    units_in: str
    units_out: str


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that is not signed yet; amounts are in wei."""

    chain_id: int
    sender: str
    to: str
    data: str
    value: int
    gas: int
    max_fee: int
    """The most for a unit of gas."""
    tip: int | None
    """Of it to the maker of the block; null where the chain has one price alone."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A price difference between pools as it is handed to a bot: calculated for one block."""

    chain: str
    block: int
    block_hash: str
    token: str
    decimals: int
    units_gained: str
    """Of the token: with less the executor undoes everything."""
    flash: bool
    """Whether the first pool lends what goes in."""
    if_the_block_stands: str
    """USD."""
    if_not: str
    """USD: the most that is lost, below zero."""
    mev_risk: str
    swaps: tuple[Swapped, ...]
    transaction: Prepared


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one order."""

    order: str
    state: Literal["filled", "refused", "unknown"]
    shares: str = "0"
    paid: str = "0"
    reason: str = ""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command to a bot."""

    schema: int = SCHEMA
    id: str
    command: Literal["execute_arbitrage", "report", "execution_result"]
    bot_name: str
    issued_at: datetime
    expires_at: datetime
    opportunity: Opportunity | None = None
    orders: tuple[Leg, ...] = ()
    ended: tuple[Ended, ...] = ()
    spread: Spread | msgspec.UnsetType = msgspec.UNSET
    """Only where it is handed over."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An order that the bot wants sent."""

    id: Id
    price: Amount
    shares: Amount


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A fill that a bot with an account of its own reports."""

    order: Id
    price: Amount
    shares: Amount
    fee: Amount = "0"
    trade: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9:/_.-]{0,200}$")] = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A bot's answer to a command. Fields that are not named here are ignored.

    In the user's own shape it has `bot_name`, `success`, `timestamp` and `data` alone.
    """

    schema: Literal[1] = 1
    id: GivenId = ""
    """The command's; empty: of the one command that is out to the bot."""
    bot_name: BotName
    success: bool
    timestamp: Stamp = None
    reason: Words = ""
    orders: Annotated[tuple[Intent, ...], msgspec.Meta(max_length=100)] | None = None
    """`None`: every order as it was asked for."""
    fills: Annotated[tuple[Reported, ...], msgspec.Meta(max_length=1_000)] | None = None
    """`None`: it does not say what was filled."""
    data: Any = None
    """What the bot says of it in its own words; see `word`."""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """That a bot is alive, in the user's own shape; `schema` may be left out."""

    bot_name: BotName
    status: Annotated[str, msgspec.Meta(max_length=200)] = "running"
    timestamp: Stamp = None
    pid: Annotated[int, msgspec.Meta(ge=1, le=PID_MAX)] | None = None
    schema: Literal[1] = 1


Document = TypeVar("Document", bound=msgspec.Struct)


def parse(raw: bytes, kind: type[Document]) -> Document:
    """The document in these bytes.

    Raises:
        BadDocument: It is too large, too deep, no JSON, or not of this kind.
    """
    if len(raw) > BYTES_MAX:
        raise BadDocument("too_large", f"{len(raw)} bytes")
    try:
        check_nesting(raw, DEPTH_MAX)
    except OutOfBounds:
        raise BadDocument("too_deep") from None
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise BadDocument("bad_fields", clean(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadDocument("no_json", clean(str(error))) from None


def dump(document: Command | Result | Heartbeat) -> bytes:
    """The document as text, with a line feed at its end."""
    return msgspec.json.encode(document) + b"\n"


def word(result: Result) -> tuple[Decimal | None, str]:
    """What a bot says that it has made, in USD, and in which transaction: its word, no more."""
    data = result.data if isinstance(result.data, dict) else {}
    profit, transaction = data.get("profit"), data.get("tx_hash")
    try:
        said = None if profit is None or isinstance(profit, bool) else number(str(profit))
        if said is not None:
            said = micro_down(said) if abs(said) < PROFIT_MAX else None
    except OutOfBounds:
        said = None
    return said, clean(transaction)[:TRANSACTION_MAX] if isinstance(transaction, str) else ""


def clean(text: str) -> str:
    """The text on one line, with what terminals obey written out."""
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def command_id(orders: Iterable[Order]) -> str:
    """The id of the command that hands these orders over: the same for the same orders."""
    names = "\n".join(sorted(order.id for order in orders))
    return hashlib.sha256(names.encode()).hexdigest()[:32]


def handed_over(
    bot: str, plan: Plan | None, orders: Iterable[Order], at: datetime, until: datetime
) -> Command:
    """The command that asks a bot to see to these orders."""
    orders = tuple(orders)
    return Command(
        id=command_id(orders),
        command="execute_arbitrage",
        bot_name=bot,
        issued_at=at.astimezone(UTC),
        expires_at=until.astimezone(UTC),
        opportunity=_opportunity(plan) if plan else None,
        orders=tuple(_leg(order) for order in orders),
    )


def _opportunity(plan: Plan) -> Opportunity:
    return Opportunity(
        plan=plan.id,
        kind=str(plan.kind),
        event=plan.event_slug,
        title=plan.event_title,
        exit=plan.exit.value,
        outlay=amount(plan.outlay),
        payoff_worst=amount(plan.payoff_worst),
        profit=amount(plan.profit),
    )


def _leg(order: Order) -> Leg:
    return Leg(
        id=order.id,
        venue=order.outcome.venue,
        market=order.market,
        token=order.outcome.token,
        side=order.side.value,
        limit=amount(order.limit),
        shares=amount(order.size),
        spend=amount(order.dollars) if order.side is Side.BUY else None,
    )


def ended(order: Order, fills: Iterable[Fill] | None, reason: str) -> Ended:
    """The report of an order to a bot; without fills, `None` means not known yet."""
    if fills is None:
        return Ended(order=order.id, state="unknown", reason=clean(reason))
    fills = tuple(fills)
    return Ended(
        order=order.id,
        state="filled" if fills else "refused",
        shares=amount(sum((fill.size for fill in fills), Decimal(0))),
        paid=amount(-sum((fill.cash for fill in fills), Decimal(0))),
        reason=clean(reason),
    )


def amount(value: Decimal) -> str:
    """A decimal as plain text, never in powers of ten."""
    return f"{value:f}"
