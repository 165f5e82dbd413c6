"""A venue that only a package of somebody else's knows: nothing of `arb` changes for it."""

import asyncio
import json
from decimal import Decimal
from functools import partial

import pytest

from arb import plugins
from arb.adapters.clock import SystemClock
from arb.adapters.storage import open_ledger
from arb.bootstrap import engine_options, open_venues, scanner
from arb.config.sources import load
from arb.domain.market import VenueId
from arb.domain.opportunity import Exit, Kind
from arb.domain.plan import PlanState
from arb.engine.context import TradingContext
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.venues import Venues
from arb.exchange.market.builder import ladder
from arb.publisher import Publisher
from arb.testing.fakes import MemoryLedger
from tests.conftest import ROOT, environment_for, exchange_at, settings_for
from tests.programs import arb

STRANGER = ROOT / "tests" / "stranger"
TOY = VenueId("toy")


def _market(name, yes, no, size="40"):
    """A market whose asks are these; a bid three cents below each."""

    def book(ask):
        bid = Decimal(ask) - Decimal("0.03")
        return {"asks": [[ask, size]], "bids": [[str(bid), size]]}

    return {"id": name, "yes": book(yes), "no": book(no), "resolved": None}


def world(**more):
    """A pair for less than a dollar, a set of three for less than one, and a calm market."""
    events = [
        {"id": "pair", "complete": False, "markets": [_market("rain", "0.45", "0.48")]},
        {
            "id": "race",
            "complete": True,
            "markets": [
                _market("red", "0.30", "0.75"),
                _market("green", "0.30", "0.75"),
                _market("blue", "0.30", "0.75"),
            ],
        },
        {"id": "calm", "complete": False, "markets": [_market("snow", "0.50", "0.55")]},
    ]
    start = {"cash": "500", "shares": {}, "orders": {}, "redeemed": {}, "silent": 0}
    return start | {"events": events} | more


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(STRANGER)
    plugins.fee_schedule.cache_clear()
    made = tmp_path / "toy.json"
    made.write_text(json.dumps(world()))
    return made


def _environment(address, folder, file):
    return environment_for(address, folder) | {
        "PYTHONPATH": str(STRANGER),
        "ARB_VENUES__ENABLED": '["polymarket", "toy"]',
        "ARB_VENUES__TOY__FILE": str(file),
    }


async def test_it_is_scanned_and_traded_on_paper_beside_another(file, tmp_path):
    async with exchange_at("demo", 7) as (_, address):
        env = _environment(address, tmp_path, file)
        run = partial(asyncio.to_thread, arb, env=env, cwd=tmp_path)
        done = await run("scan", "--json")
        assert done.returncode == 0, done.stderr
        found = {(o["event"], o["kind"]) for o in json.loads(done.stdout)["opportunities"]}
        done = await run("run", "--once", "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        done = await run("status", "--json")
        pockets = json.loads(done.stdout)["pockets"]
        people = (await run("status")).stdout
        checked = await run("db", "check")
        plans = json.loads((await run("plans", "--json")).stdout)
    assert {("pair", "binary_complement"), ("race", "negrisk_yes")} <= found
    assert "calm" not in {event for event, _ in found}
    assert {plan["state"] for plan in report["plans"]} == {"done"}
    assert {"pair", "race"} <= {plan["event"] for plan in plans}
    assert pockets.keys() == {"polymarket", "toy"}
    spent = Decimal(10_000) - Decimal(pockets["toy"]["cash"])
    # 40 pairs for 0.93 are cashed at once, 40 sets for 0.90 are held: with their fees.
    assert spent == _race_cost() - _pair_gain()
    assert "Cash at toy" in people
    assert "Cash at polymarket" in people
    assert checked.returncode == 0, checked.stdout
    assert file.read_text() == json.dumps(world()), "paper touches nothing"


async def test_the_doctor_asks_it_too(file, tmp_path):
    """Each venue's checks by its name; one that fails is a failed check, with its fix."""

    async def checks():
        done = await asyncio.to_thread(arb, "doctor", "--json", env=env, cwd=tmp_path)
        found = json.loads(done.stdout)
        return done.returncode, {one["check"]: one for one in found}

    async with exchange_at("quiet") as (_, address):
        env = _environment(address, tmp_path, file)
        code, sound = await checks()
        assert (code, sound["toy: listing"]["passed"]) == (0, True)
        assert sound["polymarket: exchange"]["passed"]
        file.write_text("{")
        code, spoilt = await checks()
    assert (code, spoilt["toy: listing"]["passed"]) == (3, False)
    assert "ARB_VENUES__TOY__FILE" in spoilt["toy: listing"]["fix"]
    assert spoilt["polymarket: exchange"]["passed"]


def _fee(price, size=40):
    exact = Decimal("0.02") * size * Decimal(price) * (1 - Decimal(price))
    return exact.quantize(Decimal("0.01"), rounding="ROUND_CEILING")


def _pair_gain():
    return 40 - 40 * Decimal("0.93") - _fee("0.45") - _fee("0.48")


def _race_cost():
    return 40 * Decimal("0.90") + 3 * _fee("0.30")


async def _context(loaded, venues, news):
    from arb.adapters.clock import SystemClock
    from arb.bootstrap import build_strategies

    return TradingContext(
        mode="live",
        clock=SystemClock(),
        venues=Venues(venues),
        strategies=build_strategies(loaded.settings),
        ledger=MemoryLedger(account="toy:me"),
        news=Publisher([news.append]),
    )


@pytest.fixture
def loaded(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARB_VENUES__ENABLED", '["toy"]')
    monkeypatch.setenv("ARB_VENUES__TOY__FILE", str(file))
    return load()


@pytest.mark.parametrize("silent", [0, 1])
async def test_it_is_traded_reconciled_and_redeemed(loaded, file, silent):
    """The stand-in keeps the account; a lost answer is found out and nothing is sent twice."""
    file.write_text(json.dumps(world(silent=silent)))
    news = []
    async with open_venues(loaded.settings, ["toy"], live=True) as venues:
        context = await _context(loaded, venues, news)
        options = engine_options(loaded.settings)
        orchestrator = ArbitrageOrchestrator(context, options)
        report = await orchestrator.run_once()
        assert {plan.state for plan in report.plans} == {PlanState.DONE}
        there = json.loads(file.read_text())
        assert len(there["orders"]) == 5  # two legs and three, each once
        await orchestrator.reconciler.run()
        assert orchestrator.reconciler.differences == ()
        portfolio = await context.ledger.portfolio(context.clock.now())
        assert portfolio.pockets[TOY].cash == Decimal(there["cash"])
        assert Decimal(there["cash"]) == 500 + _pair_gain() - _race_cost()
        kinds = {f.opportunity.kind: f.opportunity for f in report.findings if hasattr(f, "plan")}
        assert kinds[Kind.BINARY_COMPLEMENT].exit is Exit.NOW
        assert kinds[Kind.EXHAUSTIVE_YES].exit is Exit.RESOLUTION

        for event in there["events"]:
            for market in event["markets"]:
                if event["id"] == "race":
                    market["resolved"] = "yes" if market["id"] == "green" else "no"
        file.write_text(json.dumps(there))
        orchestrator = ArbitrageOrchestrator(context, options)  # as after a restart
        await orchestrator.setup()
        await orchestrator.collect_resolutions()
        portfolio = await context.ledger.portfolio(context.clock.now())
        cash = Decimal(json.loads(file.read_text())["cash"])
        assert cash == 500 + _pair_gain() - _race_cost() + 40
        assert portfolio.pockets[TOY].cash == cash
        assert not portfolio.positions
        await orchestrator.reconciler.run()
        assert orchestrator.reconciler.differences == ()
    if silent:
        assert len(json.loads(file.read_text())["redeemed"]) == 3


def implied(price, **more):
    """Rain on Monday implies rain this week: NO of one and YES of the other, in two events."""
    monday, week = _market("monday", "0.60", price), _market("week", price, "0.60", "30")
    monday |= {"implies": "week"}
    events = [
        {"id": "days", "complete": False, "markets": [monday]},
        {"id": "weeks", "complete": False, "markets": [week]},
    ]
    return world(events=events, **more)


async def test_a_strategy_of_its_own_with_unequal_legs_over_two_events(file, tmp_path):
    file.write_text(json.dumps(implied("0.30")))
    async with exchange_at("quiet") as (_, address):
        env = _environment(address, tmp_path, file) | {
            "ARB_STRATEGIES__ENABLED": '["implied", "negrisk_no"]',
            "ARB_STRATEGIES__IMPLIED__CEILING": "0.9",
        }
        run = partial(asyncio.to_thread, arb, env=env, cwd=tmp_path)
        report = json.loads((await run("run", "--once", "--json")).stdout)
        (found,) = report["opportunities"]
        (plan,) = json.loads((await run("plans", "--json")).stdout)
        story = json.loads((await run("explain", plan["id"], "--json")).stdout)
        portfolio = json.loads((await run("positions", "--json")).stdout)
        checked = await run("db", "check")
    assert (found["kind"], found["exit"], found["decision"]) == (
        "implied",
        "resolution",
        "approved",
    )
    assert [leg["size"] for leg in found["legs"]] == ["40", "30"]
    assert found["payoff_worst"] == "30"
    assert plan["kind"] == "implied"
    assert (plan["state"], story["reason"]) == ("done", None) or story["reason"] == "filled"
    assert {(row["slug"], row["shares"]) for row in portfolio} == {("monday", "40"), ("week", "30")}
    assert checked.returncode == 0, checked.stdout


def cheap_nos():
    """Two of three NOs for less than a dollar together, and a calm event."""
    race = [_market("red", "0.58", "0.45"), _market("green", "0.55", "0.48")]
    calm = [_market("snow", "0.50", "0.55"), _market("sun", "0.50", "0.55")]
    events = [
        {"id": "race", "complete": False, "markets": [*race, _market("blue", "0.25", "0.80")]},
        {"id": "calm", "complete": False, "markets": calm},
        {"id": "rain", "complete": False, "markets": [_market("rain", "0.60", "0.45")]},
    ]
    return world(events=events)


async def test_a_strategy_of_its_own_with_a_screen_of_the_whole_market(file, tmp_path):
    file.write_text(json.dumps(cheap_nos()))
    async with exchange_at("quiet") as (_, address):
        env = _environment(address, tmp_path, file) | {"ARB_STRATEGIES__ENABLED": '["two_nos"]'}
        run = partial(asyncio.to_thread, arb, env=env, cwd=tmp_path)
        report = json.loads((await run("run", "--once", "--json")).stdout)
        checked = await run("db", "check")
    (found,) = report["opportunities"]
    # The proof knows the structure, and calls it by its own name.
    assert (found["kind"], found["event"]) == ("negrisk_no", "race")
    assert {leg["market"] for leg in found["legs"]} == {"red", "green"}
    assert found["payoff_worst"] == "40"
    assert [plan["state"] for plan in report["plans"]] == ["done"]
    assert checked.returncode == 0, checked.stdout


async def test_its_screen_sees_every_market_and_it_walks_what_it_nominates(
    file, tmp_path, monkeypatch
):
    file.write_text(json.dumps(cheap_nos()))
    monkeypatch.setenv("ARB_VENUES__ENABLED", '["polymarket", "toy"]')
    monkeypatch.setenv("ARB_VENUES__TOY__FILE", str(file))
    monkeypatch.setenv("ARB_STRATEGIES__ENABLED", '["two_nos", "negrisk_no"]')
    from arb_toy.two_nos import TwoNos

    shown, walked, theirs = [], [], (TwoNos.screen, TwoNos.find)
    monkeypatch.setattr(
        TwoNos, "screen", lambda self, seen: shown.append(seen) or theirs[0](self, seen)
    )
    monkeypatch.setattr(
        TwoNos, "find", lambda self, seen: walked.append(seen) or theirs[1](self, seen)
    )
    async with exchange_at("demo", 7) as (_, address):
        settings = settings_for(address, tmp_path).settings
        async with scanner(settings) as found:
            scan = await found.scan()
    (columns,), (part,) = shown, walked
    markets = scan.listed.markets
    assert len(columns.markets) == len(markets) > 20
    assert {market.id for market in columns.markets} == markets.keys()
    for name, side in (("yes", columns.yes), ("no", columns.no)):
        books = [scan.snapshot.books.get(getattr(market, name)) for market in columns.markets]
        asks = [book.best_ask.price if book and book.best_ask else 0 for book in books]
        assert [Decimal(int(ask)) / 10**6 for ask in side] == asks
    # Its own event and some of the demo's; not the calm one, nor the market that is in no group.
    slugs = {event.slug for event in part.universe.events.values()}
    assert "race" in slugs
    assert not slugs & {"calm", "rain"}
    assert len(slugs) < len(scan.listed.events)
    race = [one for one in scan.found.opportunities if one.event.slug == "race"]
    legs = [{proven.market.slug for proven in one.legs} for one in race]
    assert sorted(legs, key=len) == [{"red", "green"}, {"red", "green", "blue"}]


async def test_a_set_over_two_venues_takes_from_two_pockets(file, tmp_path):
    """What is listed at one venue is implied by what is listed at the other."""
    async with exchange_at("demo", 7) as (exchange, address):
        market = exchange.by_slug("cheap-no-1-1")  # one that cannot resolve 50/50
        exchange.set_book(market.yes, ladder([("0.20", 50)]), ladder([("0.30", 50)]))
        monday = _market("monday", "0.60", "0.30") | {"implies": market.condition_id}
        event = {"id": "days", "complete": False, "markets": [monday]}
        file.write_text(json.dumps(world(events=[event])))
        env = _environment(address, tmp_path, file) | {"ARB_STRATEGIES__ENABLED": '["implied"]'}
        run = partial(asyncio.to_thread, arb, env=env, cwd=tmp_path)
        report = json.loads((await run("run", "--once", "--json")).stdout)
        status = json.loads((await run("status", "--json")).stdout)
        checked = await run("db", "check")
        loaded = settings_for(address, tmp_path)
        ledger = await open_ledger(loaded.settings.database.url, "paper:default")
        portfolio = await ledger.portfolio(SystemClock().now())
        await ledger.close()
    (found,) = report["opportunities"]
    assert [leg["venue"] for leg in found["legs"]] == ["toy", "polymarket"]
    assert [leg["size"] for leg in found["legs"]] == ["40", "50"]
    assert [plan["state"] for plan in report["plans"]] == ["done"]
    spent = {name: 10_000 - Decimal(pocket["cash"]) for name, pocket in status["pockets"].items()}
    costs = {leg["venue"]: Decimal(leg["cost"]) + Decimal(leg["fee"]) for leg in found["legs"]}
    assert spent == costs
    assert portfolio.by_event.keys() == {"days", "cheap-no-1"}
    assert checked.returncode == 0, checked.stdout


async def test_a_strategy_skips_for_a_reason_of_its_own(file, tmp_path):
    file.write_text(json.dumps(implied("0.46")))
    async with exchange_at("quiet") as (_, address):
        env = _environment(address, tmp_path, file) | {
            "ARB_STRATEGIES__ENABLED": '["implied"]',
            "ARB_STRATEGIES__IMPLIED__CEILING": "0.9",
        }
        run = partial(asyncio.to_thread, arb, env=env, cwd=tmp_path)
        report = json.loads((await run("run", "--once", "--json")).stdout)
        people = (await run("scan")).stdout
        shown = (await run("config", "show")).stdout
        wrong = await run("scan", env=env | {"ARB_STRATEGIES__IMPLIED__CEILLING": "1"})
    (skipped,) = report["skipped"]
    assert (skipped["kind"], skipped["reason"]) == ("implied", "implied_too_dear")
    assert "0.92 for both" in skipped["detail"]
    assert report["reasons"] == {"implied_too_dear": 1}
    assert "implied_too_dear" in people
    assert "strategies.implied.ceiling" in shown
    assert wrong.returncode == 2
    assert "did you mean ceiling" in wrong.stderr


async def test_smaller_cash_makes_unequal_legs_smaller_in_proportion(loaded, file, monkeypatch):
    """Ten dollars at the venue are not enough for the legs as they are offered."""
    file.write_text(json.dumps(implied("0.30", cash="10")))
    monkeypatch.setenv("ARB_STRATEGIES__ENABLED", '["implied"]')
    monkeypatch.setenv("ARB_SIZING__MAX_FRACTION", "1")
    monkeypatch.setenv("ARB_SIZING__CONSERVATIVE_FACTOR", "1")
    loaded = load()
    async with open_venues(loaded.settings, ["toy"], live=True) as venues:
        context = await _context(loaded, venues, [])
        orchestrator = ArbitrageOrchestrator(context, engine_options(loaded.settings))
        report = await orchestrator.run_once()
        (plan,) = report.plans
        assert plan.state is PlanState.DONE
        await orchestrator.reconciler.run()
        assert orchestrator.reconciler.differences == ()
    held = json.loads(file.read_text())["shares"]
    no, yes = Decimal(held["monday/no"]), Decimal(held["week/yes"])
    assert 0 < yes < no < 40
    assert Decimal(json.loads(file.read_text())["cash"]) >= 0


@pytest.mark.parametrize("name", ["nowhere", "toy"])
def test_a_venue_that_cannot_be_opened_is_named(file, tmp_path, name):
    env = environment_for("http://127.0.0.1:9", tmp_path) | {
        "PYTHONPATH": str(STRANGER),
        "ARB_VENUES__ENABLED": json.dumps([name]),
    }
    done = arb("scan", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert {"nowhere": "venues.enabled: nowhere", "toy": "ARB_VENUES__TOY__FILE"}[
        name
    ] in done.stderr
