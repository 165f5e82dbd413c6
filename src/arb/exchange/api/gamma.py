"""Gamma: events, markets, tags, series and search (docs/venue-polymarket.md §1.3).

The venue's CLOB is another host; here both share one, so a request for the CLOB on a path
of both is recognised by what only the CLOB takes: `next_cursor` on `/markets`, a 0x-id on
`/markets/{id}`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arb.exchange.api import gamma_filters
from arb.exchange.api.answers import (
    Invalid,
    document,
    flag,
    guarded,
    invalid,
    listed,
    missing,
    whole,
)
from arb.exchange.api.gamma_filters import EVENT_ORDERS, MARKET_ORDERS
from arb.exchange.market import payloads
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import Series, SimEvent, SimMarket, Tag
from arb.exchange.trading.bank import Bank

T = TypeVar("T")
EVENTS_PER_PAGE_MAX, MARKETS_PER_PAGE_MAX, LISTED_MAX = 500, 100, 500
SERIES_MAX, TAGS_MAX = 50, 100
OFFSET_MAX = 2000
DEFAULT_LIMIT = 20
TOO_DEEP = "offset too large, use /{name}/keyset for deeper pagination"
NO_OFFSET = "offset is not supported on keyset endpoints"
PARENTS = ("Event", "Series", "PerpsAsset")
Handler = Callable[[Request], Response]


class Gamma:
    """The endpoints over what the exchange lists."""

    def __init__(self, exchange: Exchange, bank: Bank) -> None:
        self._exchange, self._bank = exchange, bank

    def routes(self) -> list[Route]:
        """All but `/markets` and `/markets/{id}`, which the CLOB has as well."""
        get: list[tuple[str, Handler]] = [
            ("/events/keyset", self.events),
            ("/events", self.event_list),
            ("/events/slug/{slug}", self.event),
            ("/events/{id}", self.event),
            ("/events/{id}/tags", self.event_tags),
            ("/markets/keyset", self.markets),
            ("/markets/slug/{slug}", self.market),
            ("/markets/{id}/tags", self.market_tags),
            ("/tags", self.tags),
            ("/tags/slug/{slug}", self.tag),
            ("/tags/{id}", self.tag),
            ("/tags/slug/{slug}/related-tags", self.related),
            ("/tags/{id}/related-tags", self.related),
            ("/tags/slug/{slug}/related-tags/tags", self.related_tags),
            ("/tags/{id}/related-tags/tags", self.related_tags),
            ("/series", self.series_list),
            ("/series/{id}", self.series),
            ("/public-search", self.search),
            ("/public-profile", self.profile),
            ("/sports", self.nothing),
            ("/sports/market-types", self.sports_types),
            ("/teams", self.nothing),
            ("/comments", self.comments),
            ("/comments/keyset", self.comments_page),
            ("/comments/user_address/{address}", self.nothing),
            ("/comments/{id}", self.nothing),
            ("/market-clarifications", self.nothing),
        ]
        return [Route(path, guarded(act, invalid), methods=["GET"]) for path, act in get]

    def events(self, request: Request) -> Response:
        """`GET /events/keyset`."""
        return _keyset(request, "events", self._events(request), self._event, EVENTS_PER_PAGE_MAX)

    def event_list(self, request: Request) -> Response:
        """`GET /events`: by offset."""
        found = self._events(request)
        return document([self._event(one) for one in _slice(request, found, LISTED_MAX, "events")])

    def markets(self, request: Request) -> Response:
        """`GET /markets/keyset`."""
        found = self._markets(request)
        return _keyset(request, "markets", found, self._market, MARKETS_PER_PAGE_MAX)

    def market_list(self, request: Request) -> Response:
        """`GET /markets`: by offset."""
        found = _slice(request, self._markets(request), LISTED_MAX, "markets")
        return document([self._market(one) for one in found])

    def event(self, request: Request) -> Response:
        """`GET /events/{id}` and `/events/slug/{slug}`."""
        return _one(request, self._exchange.events, self._event)

    def market(self, request: Request) -> Response:
        """`GET /markets/{id}` and `/markets/slug/{slug}`."""
        return _one(request, self._exchange.markets(), self._market)

    def event_tags(self, request: Request) -> Response:
        """`GET /events/{id}/tags`."""
        return _one(request, self._exchange.events, lambda e: [payloads.tag(one) for one in e.tags])

    def market_tags(self, request: Request) -> Response:
        """`GET /markets/{id}/tags`: its event's."""

        def tags(market: SimMarket) -> list[dict[str, Any]]:
            event = self._exchange.event_of(market)
            return [payloads.tag(one) for one in event.tags] if event else []

        return _one(request, self._exchange.markets(), tags)

    def tags(self, request: Request) -> Response:
        """`GET /tags`."""
        keys = {
            "id": lambda one, _: one.id,
            "slug": lambda one, _: one.slug,
            "label": lambda one, _: one.label,
        }
        found = gamma_filters.ordered(self._tags(), request.query_params, keys, 0)
        return document([payloads.tag(one) for one in _slice(request, found, TAGS_MAX)])

    def tag(self, request: Request) -> Response:
        """`GET /tags/{id}` and `/tags/slug/{slug}`."""
        return _one(request, self._tags(), payloads.tag)

    def related(self, request: Request) -> Response:
        """`GET /tags/{id}/related-tags`: which tags events have beside this one."""

        def links(tag: Tag) -> list[dict[str, Any]]:
            return [
                {
                    "id": str(tag.id * 1000 + other.id),
                    "tagID": tag.id,
                    "relatedTagID": other.id,
                    "rank": rank,
                }
                for rank, other in enumerate(self._beside(tag), start=1)
            ]

        return _one(request, self._tags(), links)

    def related_tags(self, request: Request) -> Response:
        """`GET /tags/{id}/related-tags/tags`: those tags themselves."""

        def tags(tag: Tag) -> list[dict[str, Any]]:
            return [
                {**payloads.tag(other), "activeEventsCount": self._open_events(other)}
                for other in self._beside(tag)
            ]

        return _one(request, self._tags(), tags)

    def series_list(self, request: Request) -> Response:
        """`GET /series`."""
        asked, found = request.query_params, self._all_series()
        slugs, recurrence = listed(asked, "slug"), asked.get("recurrence")
        bare = bool(flag(asked, "exclude_events"))
        kept = [
            one
            for one in found
            if (not slugs or one.slug in slugs)
            and recurrence in (None, one.recurrence)
            and not flag(asked, "closed")
        ]
        keys = {"id": lambda one, _: one.id, "slug": lambda one, _: one.slug}
        kept = gamma_filters.ordered(kept, asked, keys, 0)
        shown = _slice(request, kept, SERIES_MAX)
        return document([self._series(one, bare=bare) for one in shown])

    def series(self, request: Request) -> Response:
        """`GET /series/{id}`."""
        return _one(request, self._all_series(), lambda one: self._series(one, bare=False))

    def search(self, request: Request) -> Response:
        """`GET /public-search`: words in titles and questions; no profiles are public here."""
        asked = request.query_params
        words = asked.get("q", "").lower()
        if not words:
            raise Invalid("required query parameter is missing")
        size, page = whole(asked, "limit_per_type", DEFAULT_LIMIT), whole(asked, "page", 1)
        closed = {"active": False, "resolved": True}.get(asked.get("events_status", ""))
        labels = set(listed(asked, "events_tag"))
        found = [
            event
            for event in self._exchange.events
            if (words in event.title.lower() or any(words in m.slug for m in event.markets))
            and closed in (None, event.closed)
            and (not labels or labels & {one.slug for one in event.tags})
        ]
        keys = {**EVENT_ORDERS, "end_date": EVENT_ORDERS["endDate"]}
        keys |= {"start_date": EVENT_ORDERS["startDate"], "volume_24hr": EVENT_ORDERS["volume24hr"]}
        sort = asked.get("sort", "volume")
        if sort in keys:
            now, falling = self._exchange.unix(), flag(asked, "ascending") is not True
            found = sorted(found, key=lambda one: keys[sort](one, now), reverse=falling)
        start = max(page - 1, 0) * size
        tags = [one for one in self._tags() if words in one.label.lower()]
        counted = [{**payloads.tag(one), "event_count": self._open_events(one)} for one in tags]
        more = start + size < len(found)
        return document(
            {
                "events": [self._event(one) for one in found[start : start + size]],
                "tags": counted if flag(asked, "search_tags") else [],
                "profiles": [],
                "pagination": {"hasMore": more, "totalResults": len(found)},
            }
        )

    def profile(self, request: Request) -> Response:
        """`GET /public-profile`: of a wallet that has ever had anything."""
        address = request.query_params.get("address", "")
        bank = self._bank
        known = {wallet for wallet, held in bank.dollars.items() if held}
        known |= {wallet for (wallet, _), held in bank.tokens.items() if held}
        if address.lower() not in known:
            return missing("profile not found")
        return document(
            {
                "proxyWallet": address,
                "name": address,
                "pseudonym": f"Wallet {address[:8]}",
                "bio": "",
                "profileImage": "",
                "displayUsernamePublic": False,
                "verifiedBadge": False,
                "users": [],
            }
        )

    def comments(self, request: Request) -> Response:
        """`GET /comments`: there are none here."""
        self._check_parent(request)
        return document([])

    def comments_page(self, request: Request) -> Response:
        """`GET /comments/keyset`."""
        self._check_parent(request)
        return document({"comments": []})

    def nothing(self, _request: Request) -> Response:
        """Lists of what the exchange has none of: sports, teams, comments, clarifications."""
        return document([])

    def sports_types(self, _request: Request) -> Response:
        """`GET /sports/market-types`: no market here is of a sport."""
        return document({"marketTypes": []})

    def _check_parent(self, request: Request) -> None:
        asked = request.query_params
        if not asked.get("parent_entity_type") or not asked.get("parent_entity_id"):
            raise Invalid("required query parameter is missing")
        if asked["parent_entity_type"] not in PARENTS:
            raise Invalid(f'expected value to be one of "{", ".join(PARENTS)}"')

    def _events(self, request: Request) -> list[SimEvent]:
        asked = request.query_params
        found = gamma_filters.events(self._exchange.events, asked)
        return gamma_filters.ordered(found, asked, EVENT_ORDERS, self._exchange.unix())

    def _markets(self, request: Request) -> list[SimMarket]:
        asked = request.query_params
        pairs = ((event, market) for event in self._exchange.events for market in event.markets)
        found = gamma_filters.markets(pairs, asked)
        return gamma_filters.ordered(found, asked, MARKET_ORDERS, self._exchange.unix())

    def _event(self, event: SimEvent) -> dict[str, Any]:
        return payloads.event(event, self._exchange.unix())

    def _market(self, market: SimMarket) -> dict[str, Any]:
        return payloads.market(market, self._exchange.unix())

    def _tags(self) -> list[Tag]:
        found = {one.id: one for event in self._exchange.events for one in event.tags}
        return [found[id_] for id_ in sorted(found)]

    def _beside(self, tag: Tag) -> list[Tag]:
        """The tags that events have beside this one, the most frequent first."""
        counts: dict[Tag, int] = {}
        for event in self._exchange.events:
            if tag in event.tags:
                for other in event.tags:
                    counts[other] = counts.get(other, 0) + 1
        counts.pop(tag, None)
        return sorted(counts, key=lambda other: (-counts[other], other.id))

    def _open_events(self, tag: Tag) -> int:
        return sum(tag in event.tags and not event.closed for event in self._exchange.events)

    def _all_series(self) -> list[Series]:
        found = {one.series.id: one.series for one in self._exchange.events if one.series}
        return [found[id_] for id_ in sorted(found)]

    def _series(self, one: Series, *, bare: bool) -> dict[str, Any]:
        if bare:
            return payloads.series(one)
        own = [event for event in self._exchange.events if event.series == one]
        return {**payloads.series(one), "events": [self._event(event) for event in own]}


def _one(request: Request, found: Iterable[T], render: Callable[[T], Any]) -> Response:
    """The one that the path names by id or slug."""
    path = request.path_params
    name = "id" if "id" in path else "slug"
    if name == "id" and not path["id"].isdecimal():
        raise Invalid("id is invalid")
    one = next((one for one in found if str(getattr(one, name)) == path[name]), None)
    return missing(f"{name} not found") if one is None else document(render(one))


def _slice(request: Request, found: Sequence[T], most: int, keyset: str = "") -> Sequence[T]:
    """The part of a list given by `limit` and `offset`."""
    asked = request.query_params
    size, start = whole(asked, "limit", DEFAULT_LIMIT), whole(asked, "offset", 0)
    if keyset and start > OFFSET_MAX:
        raise Invalid(TOO_DEEP.format(name=keyset))
    return found[start : start + min(size, most)]


def _keyset(
    request: Request, name: str, found: Sequence[T], render: Callable[[T], Any], most: int
) -> Response:
    asked = request.query_params
    if "offset" in asked:
        raise Invalid(NO_OFFSET)
    limit = min(whole(asked, "limit", DEFAULT_LIMIT), most)
    cursor = asked.get("after_cursor", "c0").removeprefix("c")
    if not cursor.isdecimal():
        raise Invalid("after_cursor is invalid")
    start = int(cursor)
    page: dict[str, Any] = {name: [render(one) for one in found[start : start + limit]]}
    if start + limit < len(found):
        page["next_cursor"] = f"c{start + limit}"
    return document(page)
