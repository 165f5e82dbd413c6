"""What Polymarket lists: events, markets, resolutions, and the exchange's word on a market."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from arb.adapters.polymarket import parse
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import (
    ClobMarket,
    EventPage,
    EventPayload,
    MarketPage,
    decode,
)
from arb.adapters.polymarket.quarantine import Quarantine
from arb.domain.confirmation import Confirmation
from arb.domain.errors import BadVenueData, Unavailable
from arb.domain.fees import FREE, FeeSchedule
from arb.domain.market import Event, EventId, Market, MarketId, OutcomeId, Relation, Universe
from arb.domain.money import Usd, text
from arb.domain.report import Completeness, Problem
from arb.net.http import HttpReader, Params

BOTH_VERSIONS = ["v1", "v2"]
"""List endpoints answer with v1 markets only unless asked for both (PLATFORM.md §0)."""
MARKETS_PER_PAGE = 100


@dataclass(slots=True)
class _Listing:
    """A universe being gathered."""

    markets: dict[MarketId, Market] = field(default_factory=dict)
    events: dict[EventId, Event] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    listed: int = 0
    unreadable: int = 0

    def universe(self) -> Universe:
        return Universe(self.markets, self.events, tuple(self.relations))


class PolymarketCatalog:
    """The `Catalog` port over Gamma and the exchange's market endpoint."""

    def __init__(
        self,
        options: PolymarketOptions,
        reader: HttpReader,
        quarantine: Quarantine,
        monotonic: Callable[[], float],
    ) -> None:
        self._options, self._reader = options, reader
        self._quarantine, self._monotonic = quarantine, monotonic
        self._cached: tuple[float, Universe] | None = None
        self._completeness = Completeness()
        self._confirmed: dict[MarketId, tuple[float, Confirmation]] = {}

    async def universe(self) -> Universe:
        """See `arb.ports.Catalog`."""
        now = self._monotonic()
        if self._cached and now - self._cached[0] < self._options.universe_max_age_seconds:
            return self._cached[1]
        listing = _Listing()
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(self._options.pages_max):
            page = await self._page(cursor)
            for raw in page.events:
                self._add(raw, listing)
            cursor = page.next_cursor
            if cursor is None:
                break
            if not cursor or cursor in seen:
                raise BadVenueData("events.next_cursor", f"{cursor!r} leads nowhere")
            seen.add(cursor)
        self._completeness = Completeness(
            markets_listed=listing.listed, markets_unreadable=listing.unreadable
        )
        universe = listing.universe()
        self._cached = (now, universe)
        return universe

    async def event(self, slug: str) -> Universe:
        """See `arb.ports.Catalog`."""
        params: Params = {"slug": slug, "version": BOTH_VERSIONS, "limit": 1}
        body = await self._reader.get("events", self._gamma("/events/keyset"), params)
        listing = _Listing()
        for raw in decode(body, EventPage, "events").events:
            self._add(raw, listing)
        self._completeness = Completeness(
            markets_listed=listing.listed, markets_unreadable=listing.unreadable
        )
        if not listing.events:
            raise BadVenueData(f"event {slug}", "there is no such event")
        return listing.universe()

    async def payouts(self, markets: Sequence[MarketId]) -> Mapping[OutcomeId, Usd]:
        """See `arb.ports.Catalog`."""
        paid: dict[OutcomeId, Usd] = {}
        for chunk in _chunks(list(dict.fromkeys(markets)), MARKETS_PER_PAGE // 2):
            params: Params = {
                "condition_ids": [name for market in chunk for name in _gamma_names(market)],
                "closed": "true",
                "version": BOTH_VERSIONS,
                "limit": MARKETS_PER_PAGE,
            }
            body = await self._reader.get("markets", self._gamma("/markets/keyset"), params)
            for raw in decode(body, MarketPage, "markets").markets:
                self._add_payout(raw, paid)
        return paid

    async def confirm(self, markets: Sequence[Market]) -> Mapping[MarketId, Confirmation]:
        """See `arb.ports.Catalog`. Answers are kept for a while; silence is not."""
        gate = asyncio.Semaphore(self._options.concurrency)

        async def ask(market: Market) -> Confirmation:
            async with gate:
                return await self._confirm(market)

        return {word.market: word for word in await asyncio.gather(*map(ask, markets))}

    def completeness(self) -> Completeness:
        """See `arb.ports.Catalog`."""
        return self._completeness

    def problems(self) -> Sequence[Problem]:
        """See `arb.ports.Catalog`."""
        return self._quarantine.drain()

    def _gamma(self, path: str) -> str:
        return self._options.gamma_url.rstrip("/") + path

    async def _page(self, cursor: str | None) -> EventPage:
        params: dict[str, str | int | list[str]] = {
            "closed": "false",
            "version": BOTH_VERSIONS,
            "limit": self._options.events_per_page,
        }
        if cursor is not None:
            params["after_cursor"] = cursor
        if self._options.tag_slug:
            params["tag_slug"] = self._options.tag_slug
        if self._options.liquidity_min is not None:
            params["liquidity_min"] = self._options.liquidity_min
        body = await self._reader.get("events", self._gamma("/events/keyset"), params)
        try:
            return decode(body, EventPage, "events")
        except BadVenueData as error:
            self._quarantine.keep("events", error.what, body)
            raise

    def _add(self, raw: msgspec.Raw, listing: _Listing) -> None:
        """Add one event. What cannot be read of it is left out, kept and counted."""
        try:
            payload = decode(raw, EventPayload, "event")
        except BadVenueData as error:
            self._quarantine.keep("event", str(error), bytes(raw))
            listing.unreadable += 1
            return
        readable: list[Market] = []
        for part in payload.markets:
            listing.listed += 1
            try:
                readable.append(parse.market(part, EventId(payload.id)))
            except BadVenueData as error:
                self._quarantine.keep("market", str(error), bytes(part))
                listing.unreadable += 1
        # A market that two events list belongs to the first: its liquidity exists once.
        fresh = [market for market in readable if market.id not in listing.markets]
        missing = len(payload.markets) - len(fresh)
        parsed = parse.event(payload, fresh, missing)
        listing.events[parsed.event.id] = parsed.event
        listing.markets.update((market.id, market) for market in parsed.markets)
        if parsed.exclusive:
            listing.relations.append(parsed.exclusive)

    def _add_payout(self, raw: msgspec.Raw, paid: dict[OutcomeId, Usd]) -> None:
        try:
            market, ended = parse.market(raw, EventId("")), parse.resolution(raw)
        except BadVenueData as error:
            self._quarantine.keep("market", str(error), bytes(raw))
            return
        if ended is not None:
            paid[market.yes] = Usd(ended.yes_pays)
            paid[market.no] = Usd(ended.no_pays)

    async def _confirm(self, market: Market) -> Confirmation:
        now = self._monotonic()
        known = self._confirmed.get(market.id)
        if known and now - known[0] < self._options.confirmation_max_age_seconds:
            return known[1]
        url = f"{self._options.clob_url.rstrip('/')}/clob-markets/{market.id}"
        try:
            body = await self._reader.get("clob-markets", url)
            word = _compare(market, decode(body, ClobMarket, "clob-market"))
        except (Unavailable, BadVenueData) as error:
            self._quarantine.keep("clob-market", str(error), b"")
            return Confirmation(market=market.id, known=False)
        self._confirmed[market.id] = (now, word)
        return word


def _compare(market: Market, word: ClobMarket) -> Confirmation:
    differences: list[str] = []
    if {token.t for token in word.t} != {market.yes.token, market.no.token}:
        differences.append(f"{market.slug}: other token ids")
    if word.mts != market.rules.tick:
        differences.append(f"{market.slug}: tick {text(word.mts)}, not {text(market.rules.tick)}")
    if word.mos > market.rules.min_size:
        differences.append(
            f"{market.slug}: at least {text(word.mos)} shares, not {text(market.rules.min_size)}"
        )
    fees = fees_of(word)
    if fees != market.fees and not (_free(fees) and _free(market.fees)):
        differences.append(f"{market.slug}: fee {_say(fees)}, not {_say(market.fees)}")
    return Confirmation(
        market=market.id,
        known=True,
        accepting=word.ao,
        delayed=bool(word.itode) or bool(word.sd),
        differences=tuple(differences),
    )


def fees_of(word: ClobMarket) -> FeeSchedule | None:
    """What takers pay; `None` where the exchange says it in a way that nobody can read."""
    if word.fd is None:
        return FREE
    try:
        return FeeSchedule(word.fd.r, int(word.fd.e)) if word.fd.e == int(word.fd.e) else None
    except ValueError:
        return None


def _free(fees: FeeSchedule | None) -> bool:
    return fees is not None and fees.rate == 0


def _say(fees: FeeSchedule | None) -> str:
    return "unknown" if fees is None else f"{text(Decimal(fees.rate))}^{fees.exponent}"


def _gamma_names(market: MarketId) -> list[str]:
    """Gamma knows v2 markets by their 31-byte id; which one this is, the id alone does not say."""
    perhaps_v2 = market.startswith(("0x01", "0x02")) and market.endswith("00")
    return [market, market[:-2]] if perhaps_v2 else [market]


def _chunks(items: Sequence[MarketId], size: int) -> Iterable[Sequence[MarketId]]:
    return (items[start : start + size] for start in range(0, len(items), size))
