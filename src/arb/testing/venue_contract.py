"""What a venue that is read has to keep, as a test class: see `arb.testing.contracts`."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from arb.adapters.storage.codec import dump_plan, load_plan
from arb.domain.book import OrderBook
from arb.domain.errors import BadVenueData
from arb.domain.fees import FeeSchedule
from arb.domain.market import (
    Exclusive,
    Market,
    MarketId,
    OutcomeId,
    Side,
    Universe,
    VenueId,
    WholeGroup,
)
from arb.domain.money import ONE, ZERO, Price, Shares, Usd, micro_down, notional
from arb.domain.order import PlanId
from arb.domain.plan import Plan, PlannedLeg, Terms
from arb.ports import Venue
from arb.testing.builders import plan

HASH = re.compile(r"0x[0-9a-f]{64}")
"""An id that no two venues share: it is made of what it is of."""
SAMPLE = 40
"""Markets of a listing whose books and rules are looked at."""


class VenueContract:
    """What the engine relies on of what a venue lists and quotes: `arb.ports.Venue`.

    Fixtures: `venue`, with at least one open market with asks; `resolve`, a coroutine function that
    makes the venue resolve a market to YES, or raises `unittest.SkipTest` where nothing can.
    """

    event_ids = HASH
    """Event ids that no other venue has, beside those that begin with the venue's id."""
    market_ids = HASH
    """Market ids that no other venue has, beside those that begin with the venue's id."""

    async def test_every_id_is_of_this_venue_alone(self, venue: Venue) -> None:
        """Listings of all venues are one: an id twice ends the cycle."""
        listed = await venue.listing.universe()
        assert listed.markets, "nothing is listed"
        outcomes = Counter(listed.outcomes())
        assert max(outcomes.values()) == 1, outcomes.most_common(1)
        assert {outcome.venue for outcome in outcomes} == {venue.id}
        for id_ in listed.markets:
            assert self.market_ids.fullmatch(id_) or id_.startswith(f"{venue.id}:"), id_
        for event in listed.events:
            assert self.event_ids.fullmatch(event) or event.startswith(f"{venue.id}:"), event

    async def test_a_listing_agrees_with_itself(self, venue: Venue) -> None:
        """Proofs follow its links without looking whether they lead anywhere."""
        listed = await venue.listing.universe()
        for id_, market in listed.markets.items():
            assert (market.id, market.venue) == (id_, venue.id)
            assert market.id in listed.events[market.event].markets
            assert market.terms == venue.terms, "a plan keeps its markets' terms"
        for event_id, event in listed.events.items():
            assert (event.id, event.venue) == (event_id, venue.id)
            assert len(set(event.markets)) == len(event.markets)
        for relation in listed.relations:
            assert set(relation.markets) <= listed.markets.keys(), relation
            assert len(set(relation.markets)) == len(relation.markets), relation
        assert venue.listing.completeness().markets_listed >= len(listed.markets)

    async def test_rules_can_be_kept(self, venue: Venue) -> None:
        """Sizes and prices are computed by them; zero would divide by nothing."""
        for market in await _some(venue):
            rules = market.rules
            assert ZERO < rules.tick < ONE, market.slug
            assert ONE % rules.tick == 0, market.slug
            assert rules.size_step > 0, market.slug
            assert rules.min_size > 0, market.slug
            assert rules.min_value >= 0, market.slug
            assert rules.value_step > 0, market.slug

    async def test_terms_can_be_kept(self, venue: Venue) -> None:
        """How long an order may be under way decides when "not found" is an answer."""
        assert venue.terms.order_life >= timedelta(0)
        assert venue.terms.not_found_grace >= timedelta(0)
        assert venue.terms.dust >= 0
        assert len(set(venue.terms.times_in_force)) == len(venue.terms.times_in_force)

    async def test_fees_are_bounded_by_the_most_that_they_can_be(self, venue: Venue) -> None:
        """Cash is reserved by `most`: a fee above it would be spent without being there."""
        for fees, tick in {(m.fees, m.rules.tick) for m in await _some(venue) if m.fees}:
            _check_fees(fees, tick)

    async def test_a_plan_with_its_fees_and_terms_is_restored(self, venue: Venue) -> None:
        """After a restart the ledger is all there is: what it cannot read cannot be ended."""
        for market in {m.fees: m for m in await _some(venue) if m.fees}.values():
            made = _plan(market)
            assert load_plan(dump_plan(made)) == made

    async def test_books_are_of_what_was_asked(self, venue: Venue) -> None:
        """Levels in order, on the grid and within a dollar: limits and depth are read off them."""
        markets = {outcome: m for m in await _some(venue) for outcome in (m.yes, m.no)}
        found = await venue.books.fetch(list(markets))
        assert found.keys() <= markets.keys()
        assert any(found[outcome].asks for outcome in found), "there is nothing to buy"
        for outcome in found:
            _check_book(found[outcome], outcome, markets[outcome])

    async def test_books_of_one_market_are_mirrors_where_the_terms_say_so(
        self, venue: Venue
    ) -> None:
        """Where one order shows twice it can be taken once."""
        markets = await _some(venue)
        found = await venue.books.fetch([o for m in markets for o in (m.yes, m.no)])
        pairs = [(found[m.yes], found[m.no]) for m in markets if {m.yes, m.no} <= found.keys()]
        assert pairs, "no market has both books"
        if venue.terms.complement_shares_book:
            assert all(yes.mirrors(no) for yes, no in pairs)

    async def test_an_unknown_book_is_absent(self, venue: Venue) -> None:
        """One outcome that is gone costs the others nothing."""
        known = (await _some(venue))[0].yes
        unknown = OutcomeId(venue.id, "0")
        found = await venue.books.fetch([known, unknown])
        assert unknown not in found
        assert known in found
        assert not await venue.books.fetch([])

    async def test_one_event_is_read_alone(self, venue: Venue) -> None:
        """The same markets as in the whole listing, and no others."""
        listed = await venue.listing.universe()
        event = next(event for event in listed.events.values() if event.markets)
        alone = await venue.listing.event(event.slug)
        assert set(alone.events) == {event.id}
        assert set(alone.markets) == {id_ for id_ in event.markets if id_ in listed.markets}

    async def test_an_unknown_event_is_an_error(self, venue: Venue) -> None:
        """Nothing where something was asked for would look like a quiet market."""
        try:
            found = await venue.listing.event("there-is-no-such-event")
        except BadVenueData:
            return
        raise AssertionError(f"it was read as {found}")

    async def test_the_exchange_confirms_what_it_lists(self, venue: Venue) -> None:
        """Asked again before every trade; a difference keeps the trade from being made."""
        markets = [market for market in await _some(venue) if market.accepting][:3]
        found = await venue.listing.confirm(markets)
        assert set(found) == {market.id for market in markets}
        for id_, word in found.items():
            assert (word.market, word.known) == (id_, True)
            assert not word.differences, word.differences
            assert not word.contradictions, word.contradictions

    async def test_a_market_that_it_does_not_know_is_not_confirmed(self, venue: Venue) -> None:
        """Silence is no consent."""
        strange = replace((await _some(venue))[0], id=MarketId(f"{venue.id}:no-such-market"))
        found = await venue.listing.confirm([strange])
        assert strange.id not in found or not found[strange.id].known

    async def test_a_resolved_market_pays_by_outcome(
        self, venue: Venue, resolve: Callable[[Market], Awaitable[None]]
    ) -> None:
        """Both outcomes, of what was asked alone; what is open pays nothing yet."""
        market, other = (m for m, _ in zip(await _some(venue), range(2), strict=False))
        asked = [market.id, other.id]
        assert not await venue.listing.payouts(asked)
        await resolve(market)
        assert await venue.listing.payouts(asked) == {market.yes: 1, market.no: 0}
        assert not await venue.listing.payouts([other.id])

    async def test_counts_are_of_the_groups_asked(self, venue: Venue) -> None:
        """A group that is counted otherwise than listed is not bought whole."""
        listed = await venue.listing.universe()
        groups = _whole_groups(listed, venue.id)
        found = await venue.listing.count([*groups, WholeGroup("none", 2, venue.id)])
        assert found.keys() <= {group.group for group in groups}
        for group in groups:
            assert not group.miscount(found), group

    async def test_problems_are_told_once(self, venue: Venue) -> None:
        """They are shown to people as they come, and counted."""
        await venue.listing.universe()
        for part in (venue.listing, venue.books):
            part.problems()
            assert list(part.problems()) == []


async def _some(venue: Venue) -> list[Market]:
    """Open markets, as they are listed now."""
    listed = (await venue.listing.universe()).markets.values()
    found = [market for market in listed if not market.closed]
    assert found, "no market is open"
    return found[:SAMPLE]


def _check_fees(fees: FeeSchedule, tick: Price) -> None:
    dollars = Usd(Decimal(20))
    for limit in (tick, Price(tick * (Decimal("0.5") // tick)), Price(ONE - tick)):
        most = fees.most(dollars, limit, tick)
        for place in range(1, 11):
            price = max(Price(limit * place / 10 // tick * tick), tick)
            size = Shares(micro_down(dollars / price))
            charged = fees.taker(price, size)
            assert 0 <= charged <= most, (fees, price, limit)
            assert micro_down(charged) == charged, "money has six decimals"
            assert fees.exact(price, Shares(size * 2)) == 2 * fees.exact(price, size)


def _check_book(book: OrderBook, outcome: OutcomeId, market: Market) -> None:
    assert book.outcome == outcome
    assert book.received_at.utcoffset() == timedelta(0)
    for levels, better in ((book.bids, 1), (book.asks, -1)):
        prices = [level.price * better for level in levels]
        assert prices == sorted(set(prices), reverse=True), book
        for level in levels:
            assert ZERO < level.price < ONE, book
            assert level.price % market.rules.tick == 0, book
            assert level.size > 0, book


def _plan(market: Market) -> Plan:
    """A plan that buys one outcome of the market."""
    assert market.fees is not None
    limit, size = Price(ONE - market.rules.tick), Shares(market.rules.min_size * 10)
    cost = notional(limit, size)
    leg = PlannedLeg(
        outcome=market.yes,
        outcome_name=market.yes_name,
        market=market.id,
        market_slug=market.slug,
        side=Side.BUY,
        limit=limit,
        size=size,
        value=cost,
        fee=market.fees.taker(limit, size),
        terms=Terms(opposite=market.no, rules=market.rules, fees=market.fees, depth=size),
    )
    terms = {market.venue: market.terms}
    return plan(PlanId("contract"), market.event, [leg], payoff_worst=size, terms=terms)


def _whole_groups(listed: Universe, venue: VenueId) -> list[WholeGroup]:
    """Groups that are listed as complete."""
    return [
        WholeGroup(group, len(relation.markets), venue)
        for relation in _complete(listed.relations)
        if (group := listed.markets[relation.markets[0]].group)
    ]


def _complete(relations: Iterable[object]) -> Iterator[Exclusive]:
    for relation in relations:
        if isinstance(relation, Exclusive) and relation.complete:
            yield relation
