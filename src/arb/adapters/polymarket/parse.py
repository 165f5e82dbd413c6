"""Payload to domain, once, at the door (docs/venue-polymarket.md §0, §1.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from arb.adapters.polymarket import position
from arb.adapters.polymarket.payloads import (
    EventPayload,
    FeePayload,
    MarketPayload,
    Tag,
    decode,
    decode_named,
    number,
    words,
)
from arb.adapters.polymarket.position import PositionSystem
from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.domain.errors import BadVenueData
from arb.domain.fees import FREE, CurveFees
from arb.domain.market import (
    Event,
    EventId,
    Exclusive,
    Market,
    MarketId,
    OrderRules,
    OutcomeId,
    Resolution,
)
from arb.domain.money import ZERO, Price, Shares

OUTCOMES = 2
CONDITION_ID_V2 = 64  # 0x and 31 bytes
CONDITION_ID = 66  # 0x and 32 bytes
DEFAULT_TICK = Decimal("0.01")
DEFAULT_MIN_SIZE = Decimal(5)
NOT_RESOLVING = ("", "requested", "inactive")
"""Words of the oracle and of protocol V2 while no resolution of a market is proposed."""
RESOLVED = ("resolved", "settled")
STRINGS: Any = str | list[str]
"""A list that the venue may send as JSON within a string."""


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event, its markets, and how they exclude each other."""

    event: Event
    markets: tuple[Market, ...]
    exclusive: tuple[Exclusive, ...]


@dataclass(frozen=True, slots=True)
class ListedMarket:
    """A market, and whether it stands for outcomes that are still to be named."""

    market: Market
    other: bool


def listed_market(
    raw: bytes | msgspec.Raw, event: EventId, *, is_open: bool = True
) -> ListedMarket:
    """One Gamma market of an event's list.

    Args:
        raw: The market as sent.
        event: The event that lists it.
        is_open: Whether that event is neither closed nor archived.

    Raises:
        BadVenueData: It does not have what trading needs; names the market and the field.
    """
    payload = decode_named(raw, MarketPayload, "market")
    found = _market(payload, event)
    if not is_open:
        found = replace(found, accepting=False)
    return ListedMarket(found, bool(payload.neg_risk_other))


def market(raw: bytes | msgspec.Raw, event: EventId) -> Market:
    """See `listed_market`."""
    return listed_market(raw, event).market


def _market(payload: MarketPayload, event: EventId) -> Market:
    slug = payload.name
    where = f"market {slug}"
    if payload.outcomes is None:
        raise BadVenueData(f"{where}.outcomes", "missing")
    names = _strings(payload.outcomes, f"{where}.outcomes")
    if len(names) != OUTCOMES:
        raise BadVenueData(f"{where}.outcomes", f"{len(names)} outcomes, not two")
    system = _system(payload.version, where)
    yes, no = _tokens(payload, system, where)
    return Market(
        terms=TERMS,
        id=condition_id(payload.condition_id, where),
        event=event,
        slug=slug,
        question=words(payload.question) or slug,
        yes=OutcomeId(POLYMARKET, yes),
        no=OutcomeId(POLYMARKET, no),
        yes_name=names[0],
        no_name=names[1],
        rules=_rules(payload, where),
        fees=_fees(payload),
        accepting=_accepting(payload),
        closed=bool(payload.closed or payload.archived),
        delay_seconds=number(payload.seconds_delay, f"{where}.secondsDelay", ZERO),
        can_split=not payload.neg_risk,  # docs/venue-polymarket.md §7.2
        group=payload.neg_risk_market_id or "",
        resolving=_resolving(payload),
        count_in_ids=system is PositionSystem.V2,
        closes_at=_instant(payload.end_date),
    )


def _resolving(payload: MarketPayload) -> str:
    """The status of a resolution that has begun; an unknown word counts as begun."""
    stated = (payload.uma_resolution_status or "", payload.resolution_status or "")
    return next((word for word in stated if word not in NOT_RESOLVING), "")


def resolution(raw: bytes | msgspec.Raw) -> Resolution | None:
    """How a Gamma market has resolved; `None` while it has not.

    Raises:
        BadVenueData: It has, and the prices do not show how; names the market and the field.
    """
    payload = decode_named(raw, MarketPayload, "market")
    resolved = {payload.uma_resolution_status, payload.resolution_status} & {*RESOLVED}
    if not (payload.closed and resolved):
        return None
    where = f"market {payload.name}.outcomePrices"
    stated = bytes(payload.outcome_prices)
    if not stated or stated == b"null":
        raise BadVenueData(where, "missing, and the market has resolved")
    listed = decode(stated, str, where).encode() if stated.startswith(b'"') else stated
    prices = [number(price, where) for price in decode(listed, list[msgspec.Raw], where)]
    try:
        if len(prices) == OUTCOMES and sum(prices) == 1:
            return Resolution(prices[0])
    except ValueError:
        pass  # neither side won, and it is no split
    said = ", ".join(str(price) for price in prices[: OUTCOMES + 1])
    raise BadVenueData(where, f"[{said}] does not say how the market has resolved")


def event(
    payload: EventPayload, markets: Sequence[Market], missing: int, *, other: bool = False
) -> ParsedEvent:
    """An event from its own fields and those of its markets that could be read.

    Which markets exclude each other follows from each market itself: those of one neg-risk group.
    An event may list the markets of several groups, and each group can have a winner.

    Args:
        payload: The event's own fields.
        markets: Its markets that could be read.
        missing: How many could not.
        other: Whether one of them stands for outcomes that are still to be named.
    """
    neg_risk = bool(payload.neg_risk or payload.enable_neg_risk)
    slug = payload.name
    groups = {m.group for m in markets} | ({payload.neg_risk_market_id or ""} - {""})
    one_group = len(groups) == 1 and "" not in groups
    v1 = all(not m.count_in_ids for m in markets)
    conditions = [m.id for m in markets if m.count_in_ids and _structured(m)]
    if len(conditions) != len(markets):
        conditions = []  # of two kinds, or ids that do not belong together: nothing is sure
    # An event of v2 whose ids are all there cannot grow: "Other" is one of them
    # (docs/venue-polymarket.md §7.2).
    open_ended = bool(payload.neg_risk_augmented) or (other and not position.whole(conditions))
    parsed = Event(
        id=EventId(str(payload.id)),
        slug=slug,
        title=words(payload.title) or slug,
        venue=POLYMARKET,
        markets=tuple(m.id for m in markets),
        open_ended=open_ended,
        convertible=neg_risk
        and one_group
        and ((_converts_free(payload) and v1) or position.siblings(conditions) is not None),
        mergeable=neg_risk and one_group and position.whole(conditions),
        missing=missing,
        closes_at=_instant(payload.end_date),
    )
    exclusive = (
        neg_risk and not payload.cumulative_markets and not any(m.can_split for m in markets)
    )
    if not exclusive or len(markets) < OUTCOMES:
        return ParsedEvent(parsed, tuple(markets), ())
    # Of protocol v2 the ids themselves encode how many outcomes an event has.
    counted = v1 or position.whole(conditions)
    whole = counted and not open_ended and missing == 0 and not any(m.closed for m in markets)
    relations: list[Exclusive] = []
    for group in dict.fromkeys(m.group for m in markets if m.group):
        members = tuple(m.id for m in markets if m.group == group)
        if len(members) >= OUTCOMES:
            relations.append(Exclusive(members, whole and one_group))
    if not one_group:
        parsed = replace(parsed, contradiction="not all of its markets are of one neg-risk group")
    return ParsedEvent(parsed, tuple(markets), tuple(relations))


def has_tag(payload: EventPayload, slug: str | None) -> bool:
    """Whether an event has a tag, as far as it lists its tags."""
    if not slug or bytes(payload.tags) in (b"", b"null"):
        return True
    try:
        return any(tag.slug == slug for tag in decode(payload.tags, list[Tag], "tags"))
    except BadVenueData:
        return True


def is_liquid(payload: EventPayload, least: int | None) -> bool:
    """Whether an event has at least this liquidity in USD, as far as it states any."""
    if least is None or bytes(payload.liquidity) in (b"", b"null"):
        return True
    try:
        return number(payload.liquidity, "liquidity") >= least
    except BadVenueData:
        return True


def _converts_free(payload: EventPayload) -> bool:
    """Whether the event states that a conversion costs nothing."""
    try:
        return number(payload.neg_risk_fee_bips, "negRiskFeeBips", ZERO) == 0
    except BadVenueData:
        return False


def _structured(market: Market) -> bool:
    """Whether the ids of a v2 market's tokens are those that its condition has on chain."""
    place = position.event_of(market.id)
    return place is not None and (market.yes.token, market.no.token) == (
        position.position(*place, 0),
        position.position(*place, 1),
    )


def condition_id(text: str, where: str) -> MarketId:
    """The id as the exchange wants it: 31-byte ids of v2 markets are padded on the right."""
    if len(text) == CONDITION_ID_V2 and text.startswith("0x"):
        return MarketId(text + "00")
    if len(text) != CONDITION_ID or not text.startswith("0x"):
        raise BadVenueData(f"{where}.conditionId", f"{text[:80]!r} is no condition id")
    return MarketId(text)


def _instant(raw: msgspec.Raw) -> datetime | None:
    try:
        return instant(decode(raw, str, "time")) if bytes(raw) else None
    except BadVenueData:
        return None


def instant(text: str | None) -> datetime | None:
    """A venue time stamp; `None` where it is absent or not a time."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _system(version: str | None, where: str) -> PositionSystem:
    try:
        return PositionSystem(version or "v1")
    except ValueError:
        raise BadVenueData(f"{where}.version", f"{version!r} is not known") from None


def _tokens(payload: MarketPayload, system: PositionSystem, where: str) -> tuple[str, str]:
    if system is PositionSystem.V1:
        field, listed = "clobTokenIds", payload.clob_token_ids
    else:
        field, listed = "positionIds", payload.position_ids
    if bytes(listed) in (b"", b"null"):
        raise BadVenueData(f"{where}.{field}", "missing")
    tokens = _strings(decode(listed, STRINGS, f"{where}.{field}"), f"{where}.{field}")
    if (
        len(tokens) != OUTCOMES
        or tokens[0] == tokens[1]
        or not all(t.isascii() and t.isdigit() for t in tokens)
    ):
        raise BadVenueData(f"{where}.{field}", "not two different token ids")
    return tokens[0], tokens[1]


def _rules(payload: MarketPayload, where: str) -> OrderRules:
    stated, least = payload.order_price_min_tick_size, payload.order_min_size
    tick = number(stated, f"{where}.orderPriceMinTickSize", DEFAULT_TICK)
    size = number(least, f"{where}.orderMinSize", DEFAULT_MIN_SIZE)
    if not 0 < tick < 1:
        raise BadVenueData(f"{where}.orderPriceMinTickSize", str(tick))
    if size < 0:
        raise BadVenueData(f"{where}.orderMinSize", str(size))
    return OrderRules(tick=Price(tick), min_size=Shares(size))


def _fees(payload: MarketPayload) -> CurveFees | None:
    """The schedule; free where no fees are charged; `None` where they are and it is not given."""
    stated = bytes(payload.fee_schedule)
    if not stated or stated == b"null":
        return FREE if bytes(payload.fees_enabled) in (b"", b"null", b"false") else None
    try:
        schedule = decode(stated, FeePayload, "feeSchedule")
        rate = number(schedule.rate, "feeSchedule.rate")
        exponent = number(schedule.exponent, "feeSchedule.exponent")
        return CurveFees(rate, int(exponent)) if exponent == int(exponent) else None
    except (BadVenueData, ValueError):
        return None


def _accepting(payload: MarketPayload) -> bool:
    return (
        payload.active is not False
        and not payload.closed
        and not payload.archived
        and payload.accepting_orders is not False
        and payload.enable_order_book is not False
    )


def _strings(value: str | list[str], where: str) -> list[str]:
    """See `STRINGS`."""
    if isinstance(value, list):
        return value
    return decode(value.encode(), list[str], where)
