"""Every venue of ours, and a stranger's, keeps what the contracts of `arb.testing` ask."""

import contextlib
import json
import random
import re
from decimal import Decimal

import pytest

from arb import plugins
from arb.adapters.clock import SystemClock
from arb.adapters.paper.venue import on_paper
from arb.adapters.polymarket.plugin import PLUGIN
from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.exchange.api.server import serve
from arb.exchange.in_process import Odds
from arb.exchange.market.builder import ladder
from arb.exchange.market.exchange import Exchange
from arb.net.budget import OwnBudgets
from arb.ports import Venue, VenueContext
from arb.testing.contracts import TradingBench, TradingContract, VenueContract
from tests.conftest import settings_for
from tests.e2e import test_stranger
from tests.faults.world import quick, race, world
from tests.simulation.world import build_world

BIDS, ASKS = [("0.45", 40), ("0.44", 60)], [("0.47", 40), ("0.48", 300)]


@contextlib.asynccontextmanager
async def polymarket(folder):
    """Polymarket for reading, and the embedded exchange behind it."""
    exchange = Exchange(race(), SystemClock(), random.Random("contracts"), [], [])
    exchange.render_all()
    async with serve(exchange) as address:
        flags = {"polymarket.rpc_urls": [f"{address}/rpc"]}
        options = settings_for(address, folder, **flags).settings.polymarket
        context = VenueContext(clock=SystemClock(), budgets=OwnBudgets, live=False)
        async with PLUGIN.open(options, context) as venue:
            yield venue, exchange


@contextlib.asynccontextmanager
async def toy(file):
    from arb_toy.plugin import PLUGIN as TOY
    from arb_toy.plugin import ToyOptions

    there = test_stranger.world()
    rain = there["events"][0]["markets"][0]
    for name in ("yes", "no"):
        rain[name]["asks"].append(["0.60", "40"])
    file.write_text(json.dumps(there))
    context = VenueContext(clock=SystemClock(), budgets=OwnBudgets, live=True)
    async with TOY.open(ToyOptions(str(file)), context) as venue:
        yield venue


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where the stranger's exchange is; its package can be imported."""
    monkeypatch.syspath_prepend(test_stranger.STRANGER)
    plugins.fee_schedule.cache_clear()
    yield tmp_path / "toy.json"
    plugins.fee_schedule.cache_clear()


@contextlib.contextmanager
def edited(file):
    """The stranger's exchange, to change it by hand."""
    there = json.loads(file.read_text())
    yield there
    file.write_text(json.dumps(there))


async def bench(venue, slug, **more):
    listed = (await venue.listing.universe()).markets.values()
    market = next(market for market in listed if market.slug == slug)
    return TradingBench(venue=venue, clock=SystemClock(), market=market, **more)


class TestPolymarket(VenueContract):
    event_ids = re.compile(r"\d+")
    """Plain numbers: it was the first venue, and ledgers keep them. All others say whose they are."""

    @pytest.fixture
    async def there(self, tmp_path):
        async with polymarket(tmp_path) as (venue, exchange):
            yield venue, exchange

    @pytest.fixture
    def venue(self, there):
        return there[0]

    @pytest.fixture
    def resolve(self, there):
        async def resolve(market):
            assert there[1].resolve(market.slug, Decimal(1))

        return resolve


class TestStranger(VenueContract):
    @pytest.fixture
    async def venue(self, file):
        async with toy(file) as venue:
            yield venue

    @pytest.fixture
    def resolve(self, file):
        async def resolve(market):
            with edited(file) as there:
                markets = [each for event in there["events"] for each in event["markets"]]
                next(each for each in markets if each["id"] == market.slug)["resolved"] = "yes"

        return resolve


class TestStrangerOnPaper(TestStranger):
    @pytest.fixture
    async def venue(self, file):
        async with toy(file) as venue:
            yield on_paper(venue, SystemClock())


class TestTradingAtPolymarket(TradingContract):
    @pytest.fixture
    async def bench(self, tmp_path, monkeypatch):
        quick(monkeypatch)
        async with world(tmp_path) as at:
            at.book("race-1", BIDS, ASKS)

            @contextlib.asynccontextmanager
            async def losing():
                for endpoint in ("/order", "/orders"):
                    await at.fault(endpoint, "accept_then_drop", method="POST", times=-1)
                yield
                await at.control(clear=True)

            yield await bench(at.context.venues[POLYMARKET], "race-1", losing=losing)


class TestTradingAtAStrangers(TradingContract):
    @pytest.fixture
    async def bench(self, file):
        @contextlib.asynccontextmanager
        async def losing():
            with edited(file) as there:
                there["silent"] = 100
            yield
            with edited(file) as there:
                there["silent"] = 0

        async with toy(file) as venue:
            yield await bench(venue, "rain", losing=losing)


class TestTradingOnPaper(TradingContract):
    @pytest.fixture
    async def bench(self, tmp_path):
        async with polymarket(tmp_path) as (venue, exchange):
            exchange.set_book(exchange.by_slug("race-1").yes, ladder(BIDS), ladder(ASKS))
            yield await bench(on_paper(venue, SystemClock()), "race-1")


class TestTradingAtAStrangersOnPaper(TradingContract):
    @pytest.fixture
    async def bench(self, file):
        async with toy(file) as venue:
            yield await bench(on_paper(venue, SystemClock()), "rain")


class TestTradingInProcess(TradingContract):
    @pytest.fixture
    def bench(self):
        made = build_world(1, calm=True, legs=3)
        market = next(iter(made.universe.markets.values()))
        made.floor.exchange.set_book(market.yes.token, ladder(BIDS), ladder(ASKS))
        sim = made.venue

        @contextlib.asynccontextmanager
        async def losing():
            calm, sim.odds = sim.odds, Odds(lost_answer=1.0)
            yield
            sim.odds = calm

        venue = Venue(
            id=POLYMARKET, listing=None, books=sim, terms=TERMS, trading=sim, statements=sim
        )
        return TradingBench(venue=venue, clock=made.clock, market=market, losing=losing)
