"""What Gamma's lists can be asked for: filters and orders of events and markets.

See docs/venue-polymarket.md §1.3.

A filter that is not known is ignored, a value that is none and an order by an unknown field are
refused with 422, as the venue does. Filters by what no event here has (games, parents, dates of
play) find nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from arb.domain.money import text
from arb.exchange.api.answers import Invalid, flag, listed
from arb.exchange.market import payloads
from arb.exchange.market.listing import SimEvent, SimMarket, Tag, traded

T = TypeVar("T")
Key = Callable[[T, float], Any]
"""What a list is ordered by, of an entry and the time in Unix seconds."""
Check = Callable[[Any], bool]
UNKNOWN_ORDER = "order fields are not valid"
ABSENT = (
    "series_slug",
    "game_id",
    "parent_event_id",
    "partner_slug",
    "event_date",
    "event_week",
    "start_time_min",
    "start_time_max",
    "sports_market_types",
    "onchain_event_ids",
    "request_ids",
)
"""Filters by what nothing here has."""
NEVER = ("featured", "live", "ended", "cyom", "archived", "rfq_enabled")
"""Flags that are false of everything here."""
DECIMALIZED = Decimal("0.001")

EVENT_ORDERS: dict[str, Key[SimEvent]] = {
    "id": lambda e, _: int(e.id),
    "slug": lambda e, _: e.slug,
    "ticker": lambda e, _: e.slug,
    "title": lambda e, _: e.title,
    "closed": lambda e, _: e.closed,
    "startDate": lambda e, _: payloads.event_dates(e)[0],
    "createdAt": lambda e, _: payloads.event_dates(e)[0],
    "endDate": lambda e, _: payloads.event_dates(e)[1],
    "volume": lambda e, now: payloads.event_figures(e, now)["volume"],
    "volume24hr": lambda e, now: payloads.event_figures(e, now)["volume24hr"],
    "liquidity": lambda e, now: payloads.event_figures(e, now)["liquidity"],
}
MARKET_ORDERS: dict[str, Key[SimMarket]] = {
    "id": lambda m, _: int(m.id),
    "slug": lambda m, _: m.slug,
    "question": lambda m, _: m.question,
    "closed": lambda m, _: m.closed,
    "startDate": lambda m, _: m.starts,
    "createdAt": lambda m, _: m.starts,
    "endDate": lambda m, _: m.ends,
    # The venue keeps this column as text and orders it as such.
    "volume": lambda m, _: text(m.volume),
    "volumeNum": lambda m, _: m.volume,
    "volume24hr": lambda m, now: traded(m.prints, now - payloads.DAY),
    "liquidity": lambda m, _: payloads.liquidity(m),
    "liquidityNum": lambda m, _: payloads.liquidity(m),
    "bestBid": lambda m, _: payloads.quotes(m)[0],
    "bestAsk": lambda m, _: payloads.quotes(m)[1],
    "spread": lambda m, _: payloads.quotes(m)[1] - payloads.quotes(m)[0],
    "lastTradePrice": lambda m, _: m.last.price if m.last else 0,
    "orderMinSize": lambda m, _: m.min_size,
    "orderPriceMinTickSize": lambda m, _: m.tick,
}


def events(found: Iterable[SimEvent], asked: QueryParams) -> list[SimEvent]:
    """Those that all filters let through.

    Raises:
        Invalid: The value of a filter is none.
    """
    checks: list[Check] = [
        *_common(asked, lambda e: (e.id, e.slug, e.version), payloads.event_dates),
        *_tags(asked, lambda e: e.tags),
        *_between(asked, "volume", lambda e: sum((m.volume for m in e.markets), Decimal(0))),
        *_between(asked, "liquidity", _event_liquidity),
        *_flagged(asked, "closed", lambda e: e.closed),
        *_flagged(asked, "active", lambda _: True),
        *_series(asked),
    ]
    words = asked.get("title_search", "").lower()
    if words:
        checks.append(lambda e: words in e.title.lower())
    for check in checks:
        found = [one for one in found if check(one)]
    return list(found)


def markets(found: Iterable[tuple[SimEvent, SimMarket]], asked: QueryParams) -> list[SimMarket]:
    """Those that all filters let through; without `closed` only open ones.

    Raises:
        Invalid: The value of a filter is none.
    """
    closed = bool(flag(asked, "closed"))
    checks: list[Check] = [
        *_common(asked, lambda m: (m.id, m.slug, m.version), lambda m: (m.starts, m.ends)),
        *_between(asked, "volume_num", lambda m: m.volume),
        *_between(asked, "liquidity_num", payloads.liquidity),
        *_flagged(asked, "active", lambda m: m.active),
        *_flagged(asked, "decimalized", lambda m: m.tick == DECIMALIZED),
        *_one_of(asked, "condition_ids", lambda m: {m.condition_id}),
        *_one_of(asked, "question_ids", lambda m: {m.condition_id}),
        *_one_of(asked, "clob_token_ids", lambda m: {m.yes, m.no}),
        *_one_of(asked, "position_ids", lambda m: {m.yes, m.no} if m.version == "v2" else set()),
        *_one_of(asked, "market_maker_address", lambda _: {""}),
        *_one_of(asked, "uma_resolution_status", lambda m: {payloads.oracle_status(m)}),
        *_one_of(asked, "resolution_status", lambda m: {payloads.resolution_status(m)}),
        lambda m: m.closed == closed,
    ]
    least = _number(asked, "rewards_min_size")
    if least is not None:
        checks.append(lambda m: m.rewards is not None and m.rewards.min_size >= least)
    for of_event in _tags(asked, lambda e: e.tags):
        found = [pair for pair in found if of_event(pair[0])]
    kept = [market for _, market in found]
    for check in checks:
        kept = [market for market in kept if check(market)]
    return kept


def ordered(found: list[T], asked: QueryParams, keys: dict[str, Key[T]], now: float) -> list[T]:
    """In the requested order, the first field first; ascending by default.

    Raises:
        Invalid: There is no such field.
    """
    names = [name.strip() for name in asked.get("order", "").split(",") if name.strip()]
    if not set(names) <= keys.keys():
        raise Invalid(UNKNOWN_ORDER)
    falling = flag(asked, "ascending") is False
    for name in reversed(names):
        found = _by(keys[name], found, now, falling=falling)
    return found


def _by(key: Key[T], found: list[T], now: float, *, falling: bool) -> list[T]:
    return sorted(found, key=lambda one: key(one, now), reverse=falling)


def _common(
    asked: QueryParams,
    names: Callable[[Any], tuple[str, str, str]],
    dates: Callable[[Any], tuple[str, str]],
) -> list[Check]:
    """Filters that events and markets have alike."""
    # v1 only, unless asked otherwise (docs/venue-polymarket.md §0).
    versions = set(asked.getlist("version")) or {"v1"}
    if not versions <= {"v1", "v2"}:
        raise Invalid("version is invalid")
    checks: list[Check] = [lambda one: names(one)[2] in versions]
    ids, slugs = listed(asked, "id"), listed(asked, "slug")
    if not all(one.isdecimal() for one in ids):
        raise Invalid("id is invalid")
    if ids:
        checks.append(lambda one: names(one)[0] in ids)
    if slugs:
        checks.append(lambda one: names(one)[1] in slugs)
    for place, name in enumerate(("start_date", "end_date")):
        least, most = _moment(asked, f"{name}_min"), _moment(asked, f"{name}_max")
        if least is not None:
            checks.append(partial(_since, dates, place, least))
        if most is not None:
            checks.append(partial(_until, dates, place, most))
    if any(asked.get(name) for name in ABSENT) or any(flag(asked, name) for name in NEVER):
        checks.append(lambda _: False)
    return checks


def _since(dates: Callable[[Any], tuple[str, str]], place: int, least: datetime, one: Any) -> bool:
    return datetime.fromisoformat(dates(one)[place]) >= least


def _until(dates: Callable[[Any], tuple[str, str]], place: int, most: datetime, one: Any) -> bool:
    return datetime.fromisoformat(dates(one)[place]) <= most


def _tags(asked: QueryParams, tags: Callable[[Any], Sequence[Tag]]) -> list[Check]:
    ids, without = listed(asked, "tag_id"), listed(asked, "exclude_tag_id")
    slug = asked.get("tag_slug", "")
    if not all(one.isdecimal() for one in (*ids, *without)):
        raise Invalid("tag_id is invalid")
    if set(ids) & set(without):
        raise Invalid("tag_id overlaps with exclude_tag_id")
    matches = {"any": any, "all": all}.get(asked.get("tag_match", "any"))
    if matches is None:
        raise Invalid("tag_match is invalid")

    def fits(event: SimEvent) -> bool:
        has = {str(one.id) for one in tags(event)}
        return (
            (not ids or matches(one in has for one in ids))
            and not has & set(without)
            and (not slug or slug in {one.slug for one in tags(event)})
        )

    return [fits] if ids or without or slug else []


def _series(asked: QueryParams) -> list[Check]:
    ids, recurrence = listed(asked, "series_id"), asked.get("recurrence")
    if recurrence not in (None, "daily", "weekly", "monthly"):
        raise Invalid("recurrence is invalid")

    def fits(event: SimEvent) -> bool:
        one = event.series
        return (
            one is not None
            and (not ids or str(one.id) in ids)
            and recurrence in (None, one.recurrence)
        )

    return [fits] if ids or recurrence else []


def _flagged(asked: QueryParams, name: str, value: Callable[[Any], bool]) -> list[Check]:
    wanted = flag(asked, name)
    return [] if wanted is None else [lambda one: value(one) == wanted]


def _one_of(asked: QueryParams, name: str, values: Callable[[Any], set[str]]) -> list[Check]:
    wanted = set(listed(asked, name))
    return [lambda market: bool(values(market) & wanted)] if wanted else []


def _between(asked: QueryParams, name: str, value: Callable[[Any], Decimal]) -> list[Check]:
    least, most = _number(asked, f"{name}_min"), _number(asked, f"{name}_max")
    checks: list[Check] = []
    if least is not None:
        checks.append(lambda one: value(one) >= least)
    if most is not None:
        checks.append(lambda one: value(one) <= most)
    return checks


def _number(asked: QueryParams, name: str) -> Decimal | None:
    value = asked.get(name)
    if value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise Invalid(f"{name} is invalid") from None
    if not number.is_finite():
        raise Invalid(f"{name} is invalid")
    return number


def _moment(asked: QueryParams, name: str) -> datetime | None:
    value = asked.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(f"{name} is invalid") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _event_liquidity(event: SimEvent) -> Decimal:
    return sum((payloads.liquidity(one) for one in event.markets), Decimal(0))
