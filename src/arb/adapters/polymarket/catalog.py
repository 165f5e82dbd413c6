"""What Polymarket lists: events, markets, resolutions, and the exchange's word on a market."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from arb.adapters.polymarket import parse
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import (
    ClobMarket,
    EventPage,
    EventPayload,
    MarketPage,
    decode,
    decode_named,
    label,
    number,
)
from arb.adapters.polymarket.quarantine import Quarantine
from arb.adapters.polymarket.questions import Questions
from arb.domain.confirmation import Confirmation
from arb.domain.errors import BadVenueData, NotAskedFor, Unavailable
from arb.domain.fees import FREE, CurveFees, FeeSchedule
from arb.domain.market import (
    Event,
    EventId,
    Market,
    MarketId,
    OutcomeId,
    Relation,
    Universe,
    WholeGroup,
)
from arb.domain.money import ZERO, Usd, text
from arb.domain.report import Completeness, Problem, ProblemKind
from arb.net.http import HttpReader, Params

BOTH_VERSIONS = ["v1", "v2"]
"""List endpoints answer with v1 markets only unless asked for both.

See docs/venue-polymarket.md §0.
"""
MARKETS_PER_PAGE = 100
LISTED_TWICE = "listed twice, differently"
UNASKED_NAMED = 3
"""How many of the events that were not asked for are named."""


@dataclass(slots=True)
class _Listed:
    """One event as it is listed."""

    payload: EventPayload
    markets: dict[MarketId, parse.ListedMarket]
    """Those that could be read."""
    lost: set[str]
    """What the others are called."""
    moved: bool = False
    """Whether it was listed again with other markets."""


@dataclass(slots=True)
class _Listing:
    """A universe being gathered. What is listed more than once is taken once."""

    events: dict[EventId, _Listed] = field(default_factory=dict)
    unread: int = 0
    """Events that could not be read at all."""
    unasked: list[str] = field(default_factory=list)
    """Events that the filters should have kept out."""

    def completeness(self) -> Completeness:
        """What is listed and what could be read of it; a market in two events is one market."""
        lost = len({name for event in self.events.values() for name in event.lost}) + self.unread
        read = len({id_ for event in self.events.values() for id_ in event.markets})
        return Completeness(markets_listed=read + lost, markets_unreadable=lost)

    def universe(self, quarantine: Quarantine) -> Universe:
        """Every market in one event: in the one that lists most of the market's own group."""
        owners = self._owners()
        versions = self._versions()
        markets: dict[MarketId, Market] = {}
        events: dict[EventId, Event] = {}
        relations: list[Relation] = []
        for event, listed in self.events.items():
            own = [found for id_, found in listed.markets.items() if owners[id_] == event]
            elsewhere = len(listed.markets) - len(own)
            parsed = parse.event(
                listed.payload,
                [_marked(found.market, versions, quarantine) for found in own],
                len(listed.lost) + elsewhere + listed.moved,
                other=any(found.other for found in own),
            )
            if parsed.event.contradiction:
                what = f"event {parsed.event.slug}: {parsed.event.contradiction}"
                quarantine.keep(ProblemKind.EVENT, what, b"")
            events[event] = parsed.event
            markets.update((market.id, market) for market in parsed.markets)
            relations += parsed.exclusive
        return Universe(markets, events, tuple(relations))

    def _owners(self) -> dict[MarketId, EventId]:
        best: dict[MarketId, tuple[int, EventId]] = {}
        for event, listed in self.events.items():
            groups = Counter(found.market.group for found in listed.markets.values())
            for id_, found in listed.markets.items():
                kin = groups[found.market.group] if found.market.group else 0
                if id_ not in best or kin > best[id_][0]:
                    best[id_] = (kin, event)
        return {id_: event for id_, (_, event) in best.items()}

    def _versions(self) -> dict[MarketId, set[parse.ListedMarket]]:
        """Of each market of more than one event, the ways in which they list it."""
        times = Counter(id_ for listed in self.events.values() for id_ in listed.markets)
        versions: dict[MarketId, set[parse.ListedMarket]] = {}
        for listed in self.events.values():
            for id_, found in listed.markets.items():
                if times[id_] > 1:
                    versions.setdefault(id_, set()).add(_traded(found))
        return versions


def _marked(
    market: Market,
    versions: Mapping[MarketId, set[parse.ListedMarket]],
    quarantine: Quarantine,
) -> Market:
    """The market; not to be traded where another event lists it otherwise."""
    if len(versions.get(market.id, ())) > 1 and not market.contradiction:
        market = replace(market, contradiction="listed differently in two events")
    if market.contradiction:
        quarantine.keep(ProblemKind.MARKET, f"market {market.slug}: {market.contradiction}", b"")
    return market


def _traded(listed: parse.ListedMarket) -> parse.ListedMarket:
    """What trading rests on: not the event, nor what is there for people."""
    market = replace(listed.market, event=EventId(""), question="", closes_at=None)
    return replace(listed, market=market)


class PolymarketCatalog:
    """The `Catalog` port over Gamma and the exchange's market endpoint."""

    def __init__(
        self,
        options: PolymarketOptions,
        reader: HttpReader,
        quarantine: Quarantine,
        monotonic: Callable[[], float],
        questions: Questions,
    ) -> None:
        self._options, self._reader, self._questions = options, reader, questions
        self._quarantine, self._monotonic = quarantine, monotonic
        self._cached: tuple[float, Universe] | None = None
        self._completeness = Completeness()
        self._words: dict[MarketId, tuple[float, ClobMarket]] = {}

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
                self._add(raw, listing, filtered=True)
            cursor = page.next_cursor
            if cursor is None:
                break
            if not cursor or cursor in seen:
                raise BadVenueData("events.next_cursor", f"{cursor!r} leads nowhere")
            seen.add(cursor)
        if listing.unasked:
            named = ", ".join(listing.unasked[:UNASKED_NAMED])
            ignored = f"{len(listing.unasked)} answered that were not asked for: {named}"
            self._quarantine.keep(ProblemKind.EVENTS, ignored, b"")
        self._completeness = listing.completeness()
        listed = self._completeness.markets_listed
        if listed and listed == self._completeness.markets_unreadable:
            raise BadVenueData("events", f"none of {listed} markets could be read")
        if not listed and not self._filtered:
            raise BadVenueData("events", "the venue lists no market at all")
        universe = listing.universe(self._quarantine)
        self._cached = (now, universe)
        return universe

    async def event(self, slug: str) -> Universe:
        """See `arb.ports.Catalog`."""
        params: Params = {"slug": slug, "version": BOTH_VERSIONS, "limit": 1}
        body = await self._reader.get("events", self._gamma("/events/keyset"), params)
        listing = _Listing()
        for raw in decode(body, EventPage, "events").events:
            self._add(raw, listing)
        others = [id_ for id_, listed in listing.events.items() if listed.payload.name != slug]
        for event in others:
            del listing.events[event]
        self._completeness = listing.completeness()
        if others and not listing.events:
            what = "there is no such event in the answer, which holds others"
            raise NotAskedFor(f"event {slug}", what)
        if not listing.events:
            raise BadVenueData(f"event {slug}", "there is no such event")
        return listing.universe(self._quarantine)

    async def payouts(self, markets: Sequence[MarketId]) -> Mapping[OutcomeId, Usd]:
        """See `arb.ports.Catalog`."""
        paid: dict[OutcomeId, Usd] = {}
        wanted = frozenset(markets)
        for chunk in _chunks(list(dict.fromkeys(markets)), MARKETS_PER_PAGE // 2):
            params: Params = {
                "condition_ids": [name for market in chunk for name in _gamma_names(market)],
                "closed": "true",
                "version": BOTH_VERSIONS,
                "limit": MARKETS_PER_PAGE,
            }
            body = await self._reader.get("markets", self._gamma("/markets/keyset"), params)
            for raw in decode(body, MarketPage, "markets").markets:
                await self._add_payout(raw, wanted, paid)
        return paid

    async def confirm(self, markets: Sequence[Market]) -> Mapping[MarketId, Confirmation]:
        """See `arb.ports.Catalog`. Answers are kept for a while; silence is not."""
        gate = asyncio.Semaphore(self._options.concurrency)

        async def ask(market: Market) -> Confirmation:
            async with gate:
                return await self._confirm(market)

        return {word.market: word for word in await asyncio.gather(*map(ask, markets))}

    async def count(self, groups: Sequence[WholeGroup], *, anew: bool = False) -> Mapping[str, int]:
        """See `arb.ports.Catalog`."""
        return await self._questions.count(groups, anew=anew)

    def completeness(self) -> Completeness:
        """See `arb.ports.Catalog`."""
        return self._completeness

    def problems(self) -> Sequence[Problem]:
        """See `arb.ports.Catalog`."""
        return self._quarantine.drain()

    def _gamma(self, path: str) -> str:
        return self._options.gamma_url.rstrip("/") + path

    @property
    def _filtered(self) -> bool:
        """Whether the settings ask for a part of the market, which may be empty."""
        return bool(self._options.tag_slug) or self._options.liquidity_min is not None

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
            self._quarantine.keep(ProblemKind.EVENTS, error.what, body)
            raise

    def _add(self, raw: msgspec.Raw, listing: _Listing, *, filtered: bool = False) -> None:
        """Add one event. What cannot be read of it is left out, kept and counted."""
        try:
            payload = decode_named(raw, EventPayload, "event")
        except BadVenueData as error:
            self._quarantine.keep(ProblemKind.EVENT, str(error), bytes(raw))
            listing.unread += 1
            return
        if filtered and not self._asked_for(payload):
            listing.unasked.append(payload.name)
            return
        event = EventId(str(payload.id))
        found = self._read(payload, event)
        before = listing.events.setdefault(event, found)
        if before is found:
            return
        # The listing moved while its pages were read, or lists the event twice.
        before.moved |= (before.markets.keys(), before.lost) != (found.markets.keys(), found.lost)
        if _flags(before.payload) != _flags(payload):
            twice = "of an event that is listed twice, differently"
            before.markets = {id_: _doubtful(m, twice) for id_, m in before.markets.items()}
        for id_, market in found.markets.items():
            if before.markets.get(id_, market) != market:
                before.markets[id_] = _doubtful(before.markets[id_], LISTED_TWICE)

    def _read(self, payload: EventPayload, event: EventId) -> _Listed:
        """An event's markets, each read on its own."""
        is_open = not (payload.closed or payload.archived)
        listed = _Listed(payload, {}, set())
        for part in payload.markets:
            try:
                found = parse.listed_market(part, event, is_open=is_open)
            except BadVenueData as error:
                self._quarantine.keep(ProblemKind.MARKET, str(error), bytes(part))
                listed.lost.add(label(part) or bytes(part).hex())
                continue
            first = listed.markets.setdefault(found.market.id, found)
            if first != found:
                listed.markets[found.market.id] = _doubtful(first, LISTED_TWICE)
        return listed

    def _asked_for(self, payload: EventPayload) -> bool:
        """Whether an event matches the filters, as far as its fields show."""
        return parse.has_tag(payload, self._options.tag_slug) and parse.is_liquid(
            payload, self._options.liquidity_min
        )

    async def _add_payout(
        self, raw: msgspec.Raw, wanted: frozenset[MarketId], paid: dict[OutcomeId, Usd]
    ) -> None:
        """Take a payout whose market was asked for and whose outcomes the exchange names alike."""
        try:
            market, ended = parse.market(raw, EventId("")), parse.resolution(raw)
        except BadVenueData as error:
            self._quarantine.keep(ProblemKind.MARKET, str(error), bytes(raw))
            return
        if market.id not in wanted:
            unasked = f"market {market.slug}: answered, and was not asked for"
            self._quarantine.keep(ProblemKind.MARKET, unasked, bytes(raw))
            return
        if ended is None:
            return
        word = await self._word(market.id)
        if word is not None and (misnamed := _misnamed(market, word)):
            self._quarantine.keep(
                ProblemKind.MARKET, f"market {market.slug}: {misnamed}", bytes(raw)
            )
            return
        paid[market.yes] = Usd(ended.yes_pays)
        paid[market.no] = Usd(ended.no_pays)

    async def _confirm(self, market: Market) -> Confirmation:
        word = await self._word(market.id)
        if word is None:
            return Confirmation(market=market.id, known=False)
        return _compare(market, word)

    async def _word(self, market: MarketId) -> ClobMarket | None:
        """The exchange's own word on a market, kept for a while; `None`: it gave none."""
        now = self._monotonic()
        known = self._words.get(market)
        if known and now - known[0] < self._options.confirmation_max_age_seconds:
            return known[1]
        url = f"{self._options.clob_url.rstrip('/')}/clob-markets/{market}"
        try:
            body = await self._reader.get("clob-markets", url)
            word = decode(body, ClobMarket, f"clob-market {market}")
            for name, sent in (("mts", word.mts), ("mos", word.mos)):
                number(sent, f"clob-market {market}.{name}")
            number(word.sd, f"clob-market {market}.sd", ZERO)
        except (Unavailable, BadVenueData) as error:
            self._quarantine.keep(ProblemKind.CONFIRMATION, str(error), b"")
            return None
        self._words[market] = (now, word)
        return word


def _doubtful(found: parse.ListedMarket, why: str) -> parse.ListedMarket:
    """A market of which there are two versions; the one that was listed first."""
    return replace(found, market=replace(found.market, contradiction=why))


def _flags(event: EventPayload) -> tuple[object, ...]:
    """How an event's own fields relate its markets."""
    return (
        event.neg_risk,
        event.enable_neg_risk,
        event.neg_risk_augmented,
        event.neg_risk_market_id,
        bytes(event.neg_risk_fee_bips),
        event.cumulative_markets,
    )


def _misnamed(market: Market, word: ClobMarket) -> str:
    """How the exchange's names of the two tokens differ from the listing's; empty: they agree."""
    pair = {market.yes.token, market.no.token}
    if len(word.t) != len(pair) or {token.t for token in word.t} != pair:
        return "other token ids"
    named = {token.t: token.o for token in word.t}
    for outcome in (market.yes, market.no):
        name, listed = named[outcome.token], market.outcome(outcome)
        if name is None or name.strip().lower() != listed.strip().lower():
            return f"the exchange names token {outcome.token[:12]}… {name}, the listing {listed}"
    return ""


def _compare(market: Market, word: ClobMarket) -> Confirmation:
    contradictions: list[str] = []
    if misnamed := _misnamed(market, word):
        contradictions.append(f"{market.slug}: {misnamed}")
    neg_risk = not market.can_split
    if word.nr != neg_risk:
        contradictions.append(f"{market.slug}: neg risk {word.nr}, not {neg_risk}")
    differences = [*contradictions]
    tick, least = number(word.mts, "mts"), number(word.mos, "mos")
    if tick != market.rules.tick:
        differences.append(f"{market.slug}: tick {text(tick)}, not {text(market.rules.tick)}")
    if least > market.rules.min_size:
        differences.append(
            f"{market.slug}: at least {text(least)} shares, not {text(market.rules.min_size)}"
        )
    fees = fees_of(word)
    if fees != market.fees and not (_free(fees) and _free(market.fees)):
        differences.append(f"{market.slug}: fee {_say(fees)}, not {_say(market.fees)}")
    return Confirmation(
        market=market.id,
        known=True,
        accepting=word.ao,
        delayed=bool(word.itode) or number(word.sd, "sd", ZERO) != 0,
        differences=tuple(differences),
        contradictions=tuple(contradictions),
    )


def fees_of(word: ClobMarket) -> CurveFees | None:
    """What takers pay; `None` where the exchange states it in an unreadable way."""
    if word.fd is None:
        return FREE
    try:
        rate, exponent = number(word.fd.r, "fd.r"), number(word.fd.e, "fd.e")
        return CurveFees(rate, int(exponent)) if exponent == int(exponent) else None
    except (BadVenueData, ValueError):
        return None


def _free(fees: FeeSchedule | None) -> bool:
    return isinstance(fees, CurveFees) and fees.rate == 0


def _say(fees: FeeSchedule | None) -> str:
    return f"{text(fees.rate)}^{fees.exponent}" if isinstance(fees, CurveFees) else "unknown"


def _gamma_names(market: MarketId) -> list[str]:
    """Gamma knows v2 markets by their 31-byte id; which one this is, the id alone does not show."""
    perhaps_v2 = market.startswith(("0x01", "0x02", "0x04")) and market.endswith("00")
    return [market, market[:-2]] if perhaps_v2 else [market]


def _chunks(items: Sequence[MarketId], size: int) -> Iterable[Sequence[MarketId]]:
    return (items[start : start + size] for start in range(0, len(items), size))
