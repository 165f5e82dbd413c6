"""What every part of a kind has to keep, as test classes to subclass: strategies, venues, ledgers.

A contract is a plain class; `pytest` collects its tests where a module of yours subclasses it under
a name that begins with `Test`. What it tests comes from fixtures of these names, which your class
or module defines. Tests and fixtures are coroutines: set `asyncio_mode = "auto"`. For readable
failures, say `pytest.register_assert_rewrite("arb.testing")` in your `conftest.py`.

    class TestMine(VenueContract):
        @pytest.fixture
        async def venue(self, tmp_path):
            async with PLUGIN.open(MyOptions(), context) as opened:
                yield opened
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from arb.domain.book import BookMap, Level, OrderBook
from arb.domain.market import Market, MarketId, Side, Universe
from arb.domain.money import ONE, ZERO, Price
from arb.domain.opportunity import OWN_KIND, Candidate, Opportunity, Skipped, prove
from arb.domain.reason import Reason
from arb.domain.snapshot import Snapshot
from arb.engine.decide import proposals
from arb.ports import Strategy
from arb.testing.ledger_contract import LedgerContract
from arb.testing.trading_contract import TradingBench, TradingContract
from arb.testing.venue_contract import VenueContract

__all__ = ["LedgerContract", "StrategyContract", "TradingBench", "TradingContract", "VenueContract"]


class StrategyContract:
    """What the engine relies on of a `arb.ports.Strategy`.

    Fixtures: `strategy`, and `paying`, a `Snapshot` in which it has something to find.
    """

    def test_its_name_can_be_a_setting(self, strategy: Strategy) -> None:
        """It names the section `[strategies.<name>]` and the label of what is found."""
        assert OWN_KIND.fullmatch(strategy.name), strategy.name

    def test_it_finds_what_can_be_proved(self, strategy: Strategy, paying: Snapshot) -> None:
        """A strategy of which nothing survives the proof is of no use."""
        proved = [prove(found, paying) for found in _candidates(strategy, paying)]
        assert any(isinstance(found, Opportunity) for found in proved), proved

    def test_it_proposes_nothing_where_nothing_pays(
        self, strategy: Strategy, paying: Snapshot
    ) -> None:
        """Every proposal is proved: one for each calm market would cost the cycle its time."""
        assert _candidates(strategy, _dear(paying)) == []

    def test_its_findings_are_well_formed(self, strategy: Strategy, paying: Snapshot) -> None:
        """The engine, the ledger and the page take them as they are."""
        for seen in (paying, *_spoilt(paying)):
            found = strategy.find(seen)
            assert isinstance(found, Sequence), "an iterator is used up by the first look"
            for each in found:
                _check_finding(each, seen)

    def test_it_raises_in_no_world(self, strategy: Strategy, paying: Snapshot) -> None:
        """What a strategy raises ends the cycle for all others, too."""
        for seen in (*_spoilt(paying), _nothing(paying)):
            strategy.find(seen)

    def test_it_is_pure(self, strategy: Strategy, paying: Snapshot) -> None:
        """The same snapshot has the same findings, however often and in whatever order."""
        first = list(strategy.find(paying))
        for seen in _spoilt(paying):
            strategy.find(seen)
        assert list(strategy.find(paying)) == first

    def test_its_screen_leaves_out_nothing_that_can_be_proved(
        self, strategy: Strategy, paying: Snapshot
    ) -> None:
        """A screen nominates generously; the engine walks nothing else (`Screened`)."""
        for seen in (paying, *_spoilt(paying)):
            assert _proved(proposals([strategy], seen), seen) == _proved(strategy.find(seen), seen)

    def test_it_changes_nothing_of_what_it_reads(
        self, strategy: Strategy, paying: Snapshot
    ) -> None:
        """All strategies and the proof read one snapshot."""
        universe = paying.universe
        before = (dict(paying.books), dict(universe.markets), dict(universe.events))
        strategy.find(paying)
        assert before == (dict(paying.books), dict(universe.markets), dict(universe.events))


def _candidates(strategy: Strategy, seen: Snapshot) -> list[Candidate]:
    return [found for found in strategy.find(seen) if isinstance(found, Candidate)]


def _proved(found: Iterable[Candidate | Skipped], seen: Snapshot) -> set[str]:
    results = (prove(each, seen) for each in found if isinstance(each, Candidate))
    return {result.id for result in results if isinstance(result, Opportunity)}


def _check_finding(found: Candidate | Skipped, seen: Snapshot) -> None:
    universe = seen.universe
    assert universe.events.get(found.event.id) == found.event
    assert found.kind, found
    if isinstance(found, Skipped):
        known = found.reason in set(Reason)
        assert known or (OWN_KIND.fullmatch(found.reason) and found.detail), found
        assert found.outcomes, found
        assert set(found.outcomes) <= set(universe.outcomes()), found
        return
    assert found.legs, found
    assert found.available > 0, found
    outcomes = [leg.outcome for leg in found.legs]
    assert len(set(outcomes)) == len(outcomes), "one resting order would be taken twice"
    for leg in found.legs:
        rules = universe.market_of(leg.outcome).rules
        assert leg.outcome in seen.books, leg
        assert leg.side is Side.BUY, "selling is buying the complement"
        assert ZERO < leg.limit < ONE, leg
        assert leg.limit % rules.tick == 0, leg
        assert leg.size >= rules.min_size, leg
        assert leg.size % rules.size_step == 0, leg


def _spoilt(seen: Snapshot) -> Iterator[Snapshot]:
    """The same world as it looks when something of it is missing."""
    books = list(seen.books.values())
    yield replace(seen, books=BookMap())
    yield replace(seen, books=BookMap(replace(book, asks=()) for book in books))
    yield replace(seen, books=BookMap(replace(book, bids=()) for book in books))
    for missing in books:
        yield replace(seen, books=BookMap(book for book in books if book is not missing))
    yield replace(seen, taken_at=seen.taken_at + seen.book_age_max * 2)
    for field, value in (("fees", None), ("accepting", False), ("closed", True)):
        yield _with_markets(seen, **{field: value})
    yield replace(seen, universe=Universe(seen.universe.markets, seen.universe.events))


def _nothing(seen: Snapshot) -> Snapshot:
    return replace(seen, universe=Universe({}), books=BookMap())


def _dear(seen: Snapshot) -> Snapshot:
    """The same world with all outcomes for a dollar less a tick."""
    books: list[OrderBook] = []
    for book in seen.books.values():
        most = Price(ONE - seen.universe.market_of(book.outcome).rules.tick)
        asks = tuple(Level(most, level.size) for level in book.asks[:1])
        books.append(replace(book, bids=(), asks=asks))
    return replace(seen, books=BookMap(books))


def _with_markets(seen: Snapshot, **changes: object) -> Snapshot:
    markets = {
        id_: replace(market, **changes)  # type: ignore[arg-type]  # named fields of Market
        for id_, market in seen.universe.markets.items()
    }
    return replace(seen, universe=_universe(seen.universe, markets))


def _universe(of: Universe, markets: Mapping[MarketId, Market]) -> Universe:
    return Universe(markets, of.events, of.relations)
