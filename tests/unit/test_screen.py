"""What a strategy's screen is shown, and what `find` is shown after it."""

from datetime import timedelta

import numpy as np
import pytest

from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.domain.book import BookMap
from arb.domain.errors import StrategyFailed
from arb.domain.market import EventId, Implies, Same, Universe, united
from arb.domain.money import Usd
from arb.domain.report import Completeness
from arb.domain.sweep import around
from arb.engine.decide import find, proposals
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions, GuardOptions
from arb.engine.scanner import Scanner
from arb.ports import Venue
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from arb.strategies.screen import Layout
from arb.testing import builders as make


def _event(name, count, *, rate="0.04", relations=()):
    """An event of so many markets; exclusive where there are several."""
    markets = [make.market(f"{name}{i}", event=name, rate=rate) for i in range(count)]
    group = [make.exclusive(markets)] if count > 1 else []
    return make.universe(markets, [*group, *relations])


def _all(*listed):
    seen = Universe({})
    for each in listed:
        seen = united(seen, each)
    return seen


def _seen(universe, **asks):
    """YES and NO asks in cents by market; a market that is not named has no book."""
    pairs = []
    for market in universe.markets.values():
        if quotes := asks.get(market.slug):
            yes, no = quotes
            bids = [(f"0.{100 - no:02}", "50")] if no else []
            pairs.append(make.books(market, bids, [(f"0.{yes:02}", "50")] if yes else []))
    return make.snapshot(universe, *pairs)


class _Screened:
    """Nominates what it is made with, and notes what it is shown."""

    name = "noting"

    def __init__(self, answer=()):
        self.answer, self.columns, self.walked = answer, [], []

    def screen(self, columns):
        self.columns.append(columns)
        return self.answer

    def find(self, snapshot):
        self.walked.append(snapshot)
        return []


class _Plain:
    """The same without a screen."""

    name = "plain"

    def __init__(self):
        self.walked = []

    def find(self, snapshot):
        self.walked.append(snapshot)
        return []


def test_the_columns_hold_every_market_groups_first():
    universe = _all(_event("one", 1, rate=None), _event("race", 3), _event("pair", 2, rate="0.07"))
    snapshot = _seen(universe, race1=(40, 65), pair0=(0, 30), one0=(55, 48))
    seen = Layout(universe).columns(snapshot.books)
    slugs = [market.slug for market in seen.markets]
    assert slugs == ["race0", "race1", "race2", "pair0", "pair1", "one0"]
    assert seen.yes.tolist() == [0, 400_000, 0, 0, 0, 550_000]
    assert seen.no.tolist() == [0, 650_000, 0, 300_000, 0, 480_000]
    assert seen.rates.tolist() == [40_000] * 3 + [70_000] * 2 + [0]
    assert (seen.starts.tolist(), seen.grouped, len(seen.groups)) == ([0, 3], 5, 2)
    assert seen.sums(seen.no).tolist() == [650_000, 300_000]


def test_a_market_without_groups_has_columns_too():
    universe = _event("one", 1)
    seen = Layout(universe).columns(_seen(universe, one0=(40, 55)).books)
    assert (seen.yes.tolist(), seen.sums(seen.yes).tolist()) == ([400_000], [])
    assert list(proposals([NegRiskNo(), NegRiskYes()], _seen(universe, one0=(40, 55)))) == []


def test_no_strategy_can_change_what_the_next_one_is_shown():
    universe = _event("race", 2)
    seen = Layout(universe).columns(_seen(universe, race0=(40, 65)).books)
    for column in (seen.yes, seen.no, seen.rates, seen.starts):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_one_laying_out_serves_all_strategies_and_find_walks_what_each_nominates():
    universe = _all(_event("race", 2), _event("rain", 1), _event("snow", 1))
    snapshot, laid_out = _seen(universe, rain0=(40, 65)), []

    def lay_out(seen):
        laid_out.append(seen)
        return Layout(seen)

    rain, none, race, plain = _Screened([2]), _Screened(), _Screened(np.array([1])), _Plain()
    assert find([plain, rain, none, race], snapshot, lay_out).opportunities == ()
    assert laid_out == [universe]
    assert rain.columns == none.columns == race.columns
    assert len(rain.columns[0].markets) == 4
    assert plain.walked == [snapshot]
    assert none.walked == []
    (of_rain,), (of_race,) = rain.walked, race.walked
    assert of_rain.universe.markets.keys() == {"rain0"}
    assert of_race.universe.markets.keys() == {"race0", "race1"}
    assert of_race.universe.relations == universe.relations
    assert (of_rain.books, of_rain.taken_at) == (snapshot.books, snapshot.taken_at)


def test_where_no_strategy_has_a_screen_nothing_is_laid_out():
    def lay_out(_seen):
        raise AssertionError

    assert not list(proposals([_Plain()], _seen(_event("rain", 1)), lay_out))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (np.array([True, False]), "not bool"),
        ([0.0, 1.0], "not float64"),
        (["race0"], "not <U5"),
        ([0, 2], "IndexError"),
        ([-1], "IndexError"),
    ],
)
def test_an_answer_that_is_no_index_names_the_strategy(answer, says):
    strategy = _Screened(answer)
    with pytest.raises(StrategyFailed, match=f"strategy noting raised .*{says}"):
        list(proposals([strategy], _seen(_event("race", 2))))
    assert strategy.walked == []


def test_what_relations_bind_is_walked_together():
    day, week, year = (_event(name, 1) for name in ("day", "week", "year"))
    bound = (Implies("day0", "week0"), Same("week0", "year0"))
    chained = _all(day, week, year, _event("race", 2))
    universe = Universe(chained.markets, chained.events, (*chained.relations, *bound))
    part = around(universe, ["year0"])
    assert part.events.keys() == {"day", "week", "year"}
    assert set(part.relations) == set(bound)
    assert around(universe, ["race1"]).relations == chained.relations
    assert around(universe, []).markets == {}


def test_a_market_of_two_events_brings_the_event_it_is_of():
    one, two = _event("one", 1), _event("two", 1)
    both = _all(one, two)
    twice = make.universe([*two.markets.values(), *one.markets.values()]).events[EventId("two")]
    universe = Universe(both.markets, both.events | {EventId("two"): twice})
    part = around(universe, ["two0"])
    assert part.events.keys() == {"one", "two"}


class _Listing:
    def __init__(self, snapshot):
        self.seen = snapshot

    async def universe(self):
        return self.seen.universe

    async def fetch(self, outcomes):
        books = self.seen.books
        return BookMap(books[outcome] for outcome in outcomes if outcome in books)

    def problems(self):
        return ()

    def completeness(self):
        return Completeness()


class _Noon:
    def now(self):
        return make.NOON

    def monotonic(self):
        return 0.0


async def test_a_listing_is_laid_out_once_for_many_scans():
    strategy = _Screened()
    listing = _Listing(_seen(_event("race", 2), race0=(40, 65)))
    venue = Venue(id=POLYMARKET, listing=listing, books=listing, terms=TERMS)
    guard = GuardOptions(max_position_size=Usd(0), max_book_age=timedelta(seconds=15))
    limits = RiskLimits(max_book_age=guard.max_book_age)
    scanner = Scanner(
        market_data=MarketData([venue]),
        strategies=[strategy],
        clock=_Noon(),
        options=EngineOptions(limits=limits, sizing=SizingOptions(), guard=guard),
    )
    for _ in range(2):
        await scanner.scan()
    listing.seen = _seen(_event("race", 2), race1=(30, 75))
    await scanner.scan()
    first, again, other = strategy.columns
    assert first.rates is again.rates
    assert first.yes is not again.yes
    assert other.rates is not first.rates
    assert [columns.yes.tolist() for columns in (first, again, other)] == [
        [400_000, 0],
        [400_000, 0],
        [0, 300_000],
    ]
