"""Several venues read as one market: one that fails, or lies, never hides another."""

from dataclasses import replace

import pytest

from arb.domain.book import BookMap
from arb.domain.errors import BadVenueData, Unavailable
from arb.domain.market import EventId, MarketId, OutcomeId, Universe, VenueId, WholeGroup
from arb.domain.report import Completeness, Problem, ProblemKind
from arb.domain.venue import VenueTerms
from arb.engine.market_data import ManyBooks, MarketData
from arb.ports import Venue
from arb.testing import builders as make


class _Listing:
    """A venue with one event of one market, or none that can be read."""

    def __init__(self, name, *, away=False, id_=None):
        self.name, self.away = name, away
        market = make.market(f"{name}-market")
        self.market = replace(
            market,
            id=MarketId(id_ or f"{name}:market"),
            event=EventId(f"{name}:event"),
            yes=OutcomeId(VenueId(name), "yes"),
            no=OutcomeId(VenueId(name), "no"),
        )
        self.asked = []
        self.told = [Problem(kind=ProblemKind.MARKET, where=name, what="a trifle")]

    def _listed(self):
        if self.away:
            raise Unavailable(f"{self.name} is away")
        event = replace(
            next(iter(make.universe([self.market]).events.values())),
            id=self.market.event,
            slug=f"{self.name}-event",
            venue=VenueId(self.name),
        )
        return Universe({self.market.id: self.market}, {event.id: event})

    async def universe(self):
        return self._listed()

    async def event(self, slug):
        listed = self._listed()
        if slug != f"{self.name}-event":
            raise BadVenueData("event", f"{self.name} lists no {slug}")
        return listed

    async def confirm(self, markets):
        self.asked.append([market.id for market in markets])
        self._listed()
        return {market.id: self.name for market in markets}

    async def count(self, groups, *, anew=False):
        self._listed()
        return {group.group: 3 for group in groups}

    async def fetch(self, outcomes):
        self._listed()
        yes, no = make.books(self.market, [("0.40", "10")], [("0.42", "10")])
        return BookMap(book for book in (yes, no) if book.outcome in outcomes)

    def completeness(self):
        return Completeness(markets_listed=2, markets_unreadable=1)

    def problems(self):
        told, self.told = self.told, []
        return told


def _data(*listings):
    return MarketData(
        Venue(id=VenueId(one.name), listing=one, books=one, terms=VenueTerms()) for one in listings
    )


async def test_all_that_is_listed_is_one_universe():
    data = _data(_Listing("a"), _Listing("b"))
    assert (await data.universe()).markets.keys() == {"a:market", "b:market"}
    assert data.completeness() == Completeness(markets_listed=4, markets_unreadable=2)
    assert [problem.where for problem in data.problems()] == ["a", "b"]


async def test_one_venue_alone_is_passed_through():
    listing = _Listing("a")
    universe = Universe({})
    listing._listed = lambda: universe
    assert await _data(listing).universe() is universe


async def test_a_venue_that_is_away_is_missing_and_named():
    data = _data(_Listing("a", away=True), _Listing("b"))
    assert (await data.universe()).markets.keys() == {"b:market"}
    books = await data.books([OutcomeId(VenueId("a"), "yes"), OutcomeId(VenueId("b"), "yes")])
    assert {outcome.venue for outcome in books} == {"b"}
    told = [problem for problem in data.problems() if problem.where == "venue a"]
    assert [(problem.what, problem.away) for problem in told] == [("a is away", True)] * 2


async def test_with_no_venue_to_be_read_there_is_an_error():
    data = _data(_Listing("a", away=True), _Listing("b", away=True))
    with pytest.raises(Unavailable, match="a is away"):
        await data.universe()


async def test_an_id_that_two_venues_use_leaves_the_second_out():
    data = _data(_Listing("a", id_="1"), _Listing("b", id_="1"), _Listing("c"))
    assert (await data.universe()).markets.keys() == {"1", "c:market"}
    (told,) = [problem for problem in data.problems() if problem.where == "venue b"]
    assert "market 1 is listed by another venue" in told.what


async def test_an_event_is_looked_for_at_every_venue():
    data = _data(_Listing("a"), _Listing("b"))
    assert (await data.event("b-event")).markets.keys() == {"b:market"}
    with pytest.raises(BadVenueData):
        await data.event("nowhere")
    with pytest.raises(Unavailable):  # the one that may have it cannot be asked
        await _data(_Listing("a", away=True), _Listing("b")).event("a-event")


async def test_each_venue_is_asked_about_its_own():
    a, b, away = _Listing("a"), _Listing("b"), _Listing("c", away=True)
    data = _data(a, b, away)
    said = await data.confirm([a.market, b.market, away.market])
    assert said == {"a:market": "a", "b:market": "b"}
    assert (a.asked, b.asked) == ([["a:market"]], [["b:market"]])
    groups = [WholeGroup("ga", 3, VenueId("a")), WholeGroup("gc", 3, VenueId("c"))]
    assert await data.count(groups) == {"ga": 3}


def test_many_books_are_one_mapping():
    a, b = _Listing("a"), _Listing("b")
    of = [make.books(one.market, [("0.40", "10")], [("0.42", "10")]) for one in (a, b)]
    many = ManyBooks({VenueId("a"): BookMap(of[0]), VenueId("b"): BookMap(of[1][:1])})
    assert len(many) == len(list(many)) == 3
    assert many[a.market.no] is of[0][1]
    assert b.market.no not in many
    assert OutcomeId(VenueId("nowhere"), "yes") not in many
    wanted = [b.market.yes, a.market.no, b.market.no, a.market.yes]
    assert list(many.best_asks(wanted)) == [420_000, 600_000, 0, 420_000]
    assert many.before_ours() is None
