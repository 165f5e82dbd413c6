"""Payload to domain, once, at the door (PLATFORM.md §0, §1.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from arb.adapters.polymarket.payloads import EventPayload, FeePayload, MarketPayload, decode
from arb.domain.errors import BadVenueData
from arb.domain.fees import FREE, FeeSchedule
from arb.domain.market import (
    POLYMARKET,
    Event,
    EventId,
    Exclusive,
    Market,
    MarketId,
    OrderRules,
    OutcomeId,
    Protocol,
    Resolution,
)
from arb.domain.money import Price, Shares

OUTCOMES = 2
CONDITION_ID_V2 = 64  # 0x and 31 bytes
CONDITION_ID = 66  # 0x and 32 bytes
DEFAULT_TICK = Decimal("0.01")
DEFAULT_MIN_SIZE = Decimal(5)


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event, its markets, and how they exclude each other."""

    event: Event
    markets: tuple[Market, ...]
    exclusive: Exclusive | None


def market(raw: bytes | msgspec.Raw, event: EventId) -> Market:
    """One Gamma market.

    Raises:
        BadVenueData: It does not have what trading needs; names the field.
    """
    payload = decode(raw, MarketPayload, "market")
    where = f"market {payload.slug}"
    names = _strings(payload.outcomes, f"{where}.outcomes")
    if len(names) != OUTCOMES:
        raise BadVenueData(f"{where}.outcomes", f"{len(names)} outcomes, not two")
    protocol = _protocol(payload.version, where)
    yes, no = _tokens(payload, protocol, where)
    return Market(
        id=condition_id(payload.condition_id, where),
        event=event,
        slug=payload.slug,
        question=payload.question or payload.slug,
        yes=OutcomeId(POLYMARKET, yes),
        no=OutcomeId(POLYMARKET, no),
        yes_name=names[0],
        no_name=names[1],
        rules=_rules(payload, where),
        fees=_fees(payload),
        accepting=_accepting(payload),
        closed=payload.closed or bool(payload.archived),
        delay_seconds=payload.seconds_delay or Decimal(0),
        neg_risk=bool(payload.neg_risk),
        protocol=protocol,
        closes_at=instant(payload.end_date),
    )


def resolution(raw: bytes | msgspec.Raw) -> Resolution | None:
    """How a Gamma market has resolved; `None` while it has not, or not for certain."""
    payload = decode(raw, MarketPayload, "market")
    resolved = "resolved" in (payload.uma_resolution_status, payload.resolution_status)
    if not (payload.closed and resolved and payload.outcome_prices):
        return None
    prices = _strings(payload.outcome_prices, f"market {payload.slug}.outcomePrices")
    try:
        return Resolution(Decimal(prices[0]))
    except (ValueError, InvalidOperation, IndexError):
        return None


def event(payload: EventPayload, markets: Sequence[Market], missing: int) -> ParsedEvent:
    """An event from its own fields and those of its markets that could be read."""
    neg_risk = bool(payload.neg_risk or payload.enable_neg_risk)
    augmented = bool(payload.neg_risk_augmented)
    parsed = Event(
        id=EventId(payload.id),
        slug=payload.slug,
        title=payload.title or payload.slug,
        venue=POLYMARKET,
        markets=tuple(m.id for m in markets),
        neg_risk=neg_risk,
        augmented=augmented,
        convertible=neg_risk
        and not payload.neg_risk_fee_bips
        and all(m.protocol is Protocol.V1 for m in markets),
        missing=missing,
        closes_at=instant(payload.end_date),
    )
    exclusive = neg_risk and not payload.cumulative_markets and all(m.neg_risk for m in markets)
    if not exclusive or len(markets) < OUTCOMES:
        return ParsedEvent(parsed, tuple(markets), None)
    complete = not augmented and missing == 0 and not any(m.closed for m in markets)
    return ParsedEvent(parsed, tuple(markets), Exclusive(parsed.markets, complete))


def condition_id(text: str, where: str) -> MarketId:
    """The id as the exchange wants it: 31-byte ids of v2 markets are padded on the right."""
    if len(text) == CONDITION_ID_V2 and text.startswith("0x"):
        return MarketId(text + "00")
    if len(text) != CONDITION_ID or not text.startswith("0x"):
        raise BadVenueData(f"{where}.conditionId", f"{text[:80]!r} is no condition id")
    return MarketId(text)


def instant(text: str | None) -> datetime | None:
    """A venue time stamp; `None` where it is absent or not a time."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _protocol(version: str | None, where: str) -> Protocol:
    try:
        return Protocol(version or "v1")
    except ValueError:
        raise BadVenueData(f"{where}.version", f"{version!r} is not known") from None


def _tokens(payload: MarketPayload, protocol: Protocol, where: str) -> tuple[str, str]:
    if protocol is Protocol.V1:
        field, listed = "clobTokenIds", payload.clob_token_ids
    else:
        field, listed = "positionIds", payload.position_ids
    if not listed:
        raise BadVenueData(f"{where}.{field}", "missing")
    tokens = _strings(listed, f"{where}.{field}")
    if len(tokens) != OUTCOMES or tokens[0] == tokens[1] or not all(t.isdigit() for t in tokens):
        raise BadVenueData(f"{where}.{field}", "not two different token ids")
    return tokens[0], tokens[1]


def _rules(payload: MarketPayload, where: str) -> OrderRules:
    stated = payload.order_price_min_tick_size
    tick = DEFAULT_TICK if stated is None else stated
    size = DEFAULT_MIN_SIZE if payload.order_min_size is None else payload.order_min_size
    if not 0 < tick < 1:
        raise BadVenueData(f"{where}.orderPriceMinTickSize", str(tick))
    if size < 0:
        raise BadVenueData(f"{where}.orderMinSize", str(size))
    return OrderRules(tick=Price(tick), min_size=Shares(size))


def _fees(payload: MarketPayload) -> FeeSchedule | None:
    """The schedule; free where no fees are charged; `None` where they are and it is not given."""
    stated = bytes(payload.fee_schedule)
    if not stated or stated == b"null":
        return None if payload.fees_enabled else FREE
    try:
        schedule = decode(stated, FeePayload, "feeSchedule")
        if schedule.exponent != int(schedule.exponent):
            return None
        return FeeSchedule(schedule.rate, int(schedule.exponent))
    except (BadVenueData, ValueError, InvalidOperation):
        return None


def _accepting(payload: MarketPayload) -> bool:
    return (
        payload.active
        and not payload.closed
        and not payload.archived
        and payload.accepting_orders is not False
        and payload.enable_order_book is not False
    )


def _strings(value: str | list[str], where: str) -> list[str]:
    """A list of strings that the venue may send as JSON within a string."""
    if isinstance(value, list):
        return value
    return decode(value.encode(), list[str], where)
