"""One random schedule: a market with an opportunity, faults, competitors, crashes, restarts.

Everything is a function of the seed. The production saga, executor, guard, gate and reconciliation
run over the exchange's own floor; only time is virtual.
"""

import random
from dataclasses import dataclass, field, replace
from decimal import Decimal

from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.domain.confirmation import Confirmation
from arb.domain.decision import Approved
from arb.domain.fees import CurveFees
from arb.domain.halt import Standing
from arb.domain.market import (
    Event,
    EventId,
    Exclusive,
    Market,
    MarketId,
    OrderRules,
    OutcomeId,
    Side,
    Universe,
)
from arb.domain.money import MICRO, Price, Shares, Usd, from_micro
from arb.domain.news import PlanEnded
from arb.domain.plan import ExecutionReport
from arb.domain.snapshot import Snapshot
from arb.engine.context import TradingContext
from arb.engine.ends import tell_ends
from arb.engine.execute import Executor
from arb.engine.guard import Guard
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions, GuardOptions
from arb.engine.recover import Reconciler
from arb.engine.venues import Venues
from arb.exchange.in_process import EPOCH, Odds, SimVenue, VirtualClock
from arb.exchange.market.builder import Builder
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import SimEvent, SimMarket
from arb.exchange.market.matching import Incoming, Life
from arb.exchange.trading.bank import Bank
from arb.exchange.trading.behaviour import Behaviour, Mode
from arb.exchange.trading.matching_service import MatchingService
from arb.interlocks import no_opening
from arb.ports import Venue
from arb.publisher import Publisher
from arb.risk.checks import Context
from arb.risk.gate import review
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from arb.strategies.options import StrategyOptions
from arb.testing import builders as make
from arb.testing.fakes import MemoryLedger
from tests.simulation.invariants import Watch

WALLET = "0x00000000000000000000000000000000000a11ce"
CASH = 100_000 * MICRO
LIFETIMES_MAX = 12
HOURS_MAX = 6


class Crash(BaseException):
    """The process is gone; what was not written is not known."""


@dataclass
class Crashes:
    """Kills the process at chosen steps: every write and every send counts one before, one after."""

    at: set[int]
    step: int = 0
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.step += 1
        self.names.append(name)
        if self.step in self.at:
            raise Crash(name)


class CrashingLedger:
    """The ledger of a process that may be killed right before or right after a write."""

    def __init__(self, inner, crash, watch):
        self._inner, self._crash, self._watch = inner, crash, watch

    def __getattr__(self, name):
        method = getattr(self._inner, name)
        if name not in ("append", "open_plan", "close_plan", "mark_told", "adjust"):
            return method

        async def call(*args, **kwargs):
            self._crash(f"before {name}")
            result = await method(*args, **kwargs)
            await self._watch.after_write()
            self._crash(f"after {name}")
            return result

        return call


class CrashingVenue:
    """The venue, or its chain, of the same process."""

    def __init__(self, inner, crash, before):
        self._inner, self._crash, self._before = inner, crash, before

    def __getattr__(self, name):
        method = getattr(self._inner, name)
        if name not in ("submit", "prepare"):
            return method

        async def call(*args, **kwargs):
            if name == "submit":
                await self._before(*args)
            self._crash(f"before {name}")
            result = await method(*args, **kwargs)
            self._crash(f"after {name}")
            return result

        return call


class WatchedBooks:
    """The books of the same process: somebody notes when they were read."""

    def __init__(self, inner, watch, clock):
        self._inner, self._watch, self._clock = inner, watch, clock

    async def fetch(self, outcomes):
        books = await self._inner.fetch(outcomes)
        self._watch.books_at |= dict.fromkeys(books, self._clock.seconds)
        return books


@dataclass
class World:
    """A venue, a ledger, and a plan between them."""

    seed: int
    chance: random.Random
    clock: VirtualClock
    floor: MatchingService
    venue: SimVenue
    universe: Universe
    ledger: object
    crashes: Crashes
    limits: RiskLimits
    problems: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    heard: list[ExecutionReport] = field(default_factory=list)
    """The ends that a person was told of."""

    wallet: str = WALLET
    opening: Decimal = Decimal(CASH) / MICRO

    @property
    def alarms(self):
        return [report.alarm for report in self.heard if report.alarm]

    def context(self, watch):
        venue, chain, crash = self.venue, self.venue.chain(), self.crashes
        return TradingContext(
            mode="live",
            clock=self.clock,
            venues=Venues(
                [
                    Venue(
                        id=POLYMARKET,
                        listing=None,
                        books=WatchedBooks(venue, watch, self.clock),
                        terms=TERMS,
                        trading=CrashingVenue(venue, crash, watch.before_orders),
                        operations=CrashingVenue(chain, crash, watch.before_operation),
                        statements=venue,
                    )
                ]
            ),
            strategies=(),
            ledger=CrashingLedger(self.ledger, crash, watch),
            news=Publisher([self.hear]),
        )

    def hear(self, news):
        """What a person is told."""
        if isinstance(news, PlanEnded):
            self.heard.append(news.report)

    async def plan(self):
        """The plan that the real gate makes of the real strategies' best find; `None`: refused."""
        odds, self.venue.odds = self.venue.odds, Odds()
        books = await self.venue.fetch(list(self.universe.outcomes()))
        self.venue.odds = odds
        snapshot = Snapshot(universe=self.universe, books=books, taken_at=self.clock.now())
        strategies = [make(StrategyOptions(max_legs=40)) for make in (NegRiskNo, NegRiskYes)]
        from arb.engine.decide import find

        found = find(strategies, snapshot).opportunities
        context = Context(
            portfolio=make.portfolio(100_000),
            limits=replace(self.limits, min_profit_threshold=Decimal(0)),
            standing=Standing(),
            confirmations={m: Confirmation(market=m, known=True) for m in self.universe.markets},
            books_from=self.clock.now(),
            now=self.clock.now(),
            plans_left=1,
        )
        for opportunity in found:
            decision = review(opportunity, context, SizingOptions(), snapshot)
            if isinstance(decision, Approved):
                return decision.plan, books
            self.outcomes.append(decision.reason.value)
        return None


def build_world(
    seed: int,
    *,
    ledger=None,
    calm: bool = False,
    crashes: set[int] | None = None,
    legs: int | None = None,
) -> World:
    chance = random.Random(f"schedule/{seed}")
    clock = VirtualClock()
    events, universe = _market(chance, legs)
    exchange = Exchange(events, clock, chance)
    floor = MatchingService(exchange, Bank(), random.Random(f"floor/{seed}"))
    floor.bank.deposit(WALLET, CASH)
    floor.conduct.allowances_checked = floor.conduct.allowance_at_entry = False
    odds = Odds() if calm else _odds(chance)
    if not calm:
        odds = _trouble(floor.conduct, odds, chance)
    venue = SimVenue(
        venue=POLYMARKET,
        floor=floor,
        clock=clock,
        wallet=WALLET,
        chance=random.Random(f"venue/{seed}"),
        odds=odds,
    )
    clock.meanwhile = venue.advance
    points = crashes
    limits = RiskLimits(
        max_partial_loss=Usd(Decimal(400)),
        # Now and then the limit is what makes the plan small (I5).
        max_position_size=Usd(Decimal(90 if seed % 8 == 3 else 1000)),
    )
    if points is None:
        points = (
            set() if calm else {chance.randint(1, 40) for _ in range(chance.choice((0, 1, 2, 3)))}
        )
    return World(
        seed=seed,
        chance=chance,
        clock=clock,
        floor=floor,
        venue=venue,
        universe=universe,
        ledger=ledger or MemoryLedger(),
        crashes=Crashes(points),
        limits=limits,
    )


async def run(world: World) -> World:
    """Live through the schedule, restarting after every crash, until all is quiet; then judge."""
    options = EngineOptions(
        limits=world.limits,
        sizing=SizingOptions(),
        guard=GuardOptions(
            max_position_size=Usd(Decimal(1000)),
            max_book_age=world.limits.max_book_age,
            price_collar=Price(Decimal("0.5")),
        ),
        bankroll_usd=Usd(Decimal(100_000)),
        execution_pause=0,
    )
    world.venue.witness = _witness(world)
    await world.ledger.open_account({POLYMARKET: Usd(from_micro(CASH))}, world.clock.now())
    made = await world.plan()
    if made is None:
        world.outcomes.append("refused")
        return world
    plan, books = made
    watch = Watch(world, plan, options, world.problems)
    watch.books_at |= dict.fromkeys(books, world.clock.seconds)
    began = False
    for _ in range(LIFETIMES_MAX):
        context = world.context(watch)
        reconciler = Reconciler(
            venues=context.venues, ledger=context.ledger, clock=context.clock, options=options
        )
        guard = _guard(world, options, reconciler)
        market_data = MarketData(context.venues.values())
        executor = Executor(
            venues=context.venues,
            ledger=context.ledger,
            clock=context.clock,
            news=context.news,
            options=options,
            guard=guard,
            market_data=market_data,
        )
        try:
            if not began:
                began = True
                # Before its first plan every process has reconciled.
                reconciler.done_at = world.clock.now()
                reconciler.done_ticks = world.clock.monotonic()
                await context.ledger.open_plan(1, plan)
                _rivals(world)
                await _execute(world, watch, executor, plan, books)
            await _go_on(world, watch, executor, reconciler)
            break
        except Crash as crash:
            world.outcomes.append(f"crash {crash}")
            watch.reconciled = False
            watch.books_at.clear()
            await world.clock.sleep(world.chance.uniform(0, 120))
    else:
        world.problems.append("more lifetimes than crashes")
    if await world.ledger.recent(EPOCH):  # else killed before the plan was written down
        await watch.at_end()
    # Nothing that this venue does is against a proof: what is late, lost or failed is no such thing.
    for found in await world.ledger.contradictions():
        world.problems.append(f"a false alarm: {found.sentence}")
    return world


async def _execute(world, watch, executor, plan, books):
    report = await executor.execute(plan, books)
    watch.after_work(report)
    world.outcomes.append(str(report.state))


async def _go_on(world, watch, executor, reconciler):
    """Recovery, and cycle after cycle until nothing is open."""
    while world.clock.seconds < HOURS_MAX * 3600:
        await reconciler.try_run()
        watch.reconciled = watch.reconciled or reconciler.done_at is not None
        watch.after_reconciliation(no_opening(reconciler.interlocks))
        unfinished = await world.ledger.open_plans()
        for plan in unfinished:
            await _execute(world, watch, executor, plan, None)
        await tell_ends(executor.ledger, executor.news)
        if not unfinished and world.venue.quiet and not no_opening(reconciler.interlocks):
            return
        await world.clock.sleep(30)
        if world.clock.seconds > 1800:
            # The faults end some time; the venue behaves from here on (I8).
            world.venue.odds = Odds()
            world.floor.conduct.mode = Mode.NORMAL
            watch.faults_over = True


def _witness(world):
    """I3: nothing reaches the wire twice."""
    seen: set[str] = set()

    def look(orders):
        for order in orders:
            if order.ref in seen:
                world.problems.append(f"I3: {order.ref} was sent twice")
            seen.add(order.ref)

    return look


def _guard(world, options, reconciler):
    return Guard(options.guard, world.clock, reconciler.interlocks)


def _odds(chance) -> Odds:
    def some(share):
        return chance.random() * share if chance.random() < 0.5 else 0.0

    return Odds(
        refused=some(0.3),
        lost_request=some(0.3),
        lost_answer=some(0.5),
        late=some(0.3),
        late_by=chance.uniform(1, 55),
        partial_batch=some(0.4),
        unreadable=some(0.6),
        chain_refused=some(0.4),
        chain_lost=some(0.5),
        latency=chance.choice((0.01, 0.05, 1.0)),
    )


def _trouble(conduct: Behaviour, odds: Odds, chance) -> Odds:
    conduct.mined_after = chance.choice((0.1, 2, 20))
    conduct.confirmed_after = conduct.mined_after + chance.choice((0.1, 2, 60))
    conduct.fail = chance.choice((0, 0, 0.1, 0.5, 1.0))
    conduct.fail_mined = chance.random() < 0.3
    conduct.split_trades = chance.random() < 0.5
    conduct.improvement = chance.choice(("dollars", "dollars", "shares"))
    conduct.rivals = chance.choice((0, 0, 0.3, 0.8))
    conduct.matching_delay = chance.choice((0, 0, 0, 3))
    conduct.hidden = chance.choice((0, 0, 5, 40))
    # Lateness of a request and of the reads together stay below the time that "not found" needs.
    late_by = min(odds.late_by, 70 - conduct.hidden)
    if chance.random() < 0.1:
        conduct.mode = chance.choice(list(Mode))
    return replace(odds, late_by=late_by)


def _rivals(world) -> None:
    """Competitors take a part of some legs between the look and the orders."""
    chance = world.chance
    for market in world.floor.exchange.markets():
        if chance.random() < 0.25 and market.bids:
            price, size = market.bids[0]
            part = max(size * chance.randint(1, 10) // 10 // 10_000 * 10_000, 10_000)
            market.trade(Incoming("rival", Side.SELL, price, part, Life.KILL_REST))
            world.floor.exchange.touch([market])


def _market(chance, legs: int | None):
    """An exclusive event whose bids add up to more than a dollar, with spread and depth."""
    number = legs or chance.choice((2, 3, 3, 4, 5, 6, 12, 18))
    build = Builder(chance)
    total = Decimal("1.02") + Decimal(chance.randint(0, 12)) / 100
    weights = [chance.randint(5, 20) for _ in range(number)]
    bids = [max(int(total * 100 * w / sum(weights)), 2) for w in weights]
    markets: list[SimMarket] = []
    for place, bid in enumerate(bids):
        token = chance.getrandbits(120)
        depth = chance.choice((1, 2, 3))
        spread = chance.randint(1, 3)
        market = SimMarket(
            id=str(place),
            slug=f"m{place}",
            question=f"m{place}?",
            condition_id=f"0x{chance.getrandbits(256):064x}",
            yes=str(token),
            no=str(token + 1),
            bids=tuple(
                ((bid - i) * 10_000, chance.randint(2, 12) * 10 * MICRO)
                for i in range(depth)
                if bid - i > 0
            ),
            asks=tuple(
                ((bid + spread + i) * 10_000, chance.randint(2, 12) * 10 * MICRO)
                for i in range(chance.choice((0, 1, 3)))
            ),
            stamp_ms=0,
            neg_risk=True,
            fee_rate=chance.choice((Decimal(0), Decimal("0.01"), Decimal("0.04"))),
        )
        markets.append(market)
    del build
    event = SimEvent(id="e", slug="e", title="e", markets=markets, neg_risk=True)
    listed = [_domain(m) for m in markets]
    universe = Universe(
        {m.id: m for m in listed},
        {
            EventId("e"): Event(
                id=EventId("e"),
                slug="e",
                title="e",
                venue=POLYMARKET,
                markets=tuple(m.id for m in listed),
                convertible=chance.random() < 0.8,
            )
        },
        (Exclusive(tuple(m.id for m in listed), complete=True),),
    )
    return [event], universe


def _domain(market: SimMarket) -> Market:
    return Market(
        id=MarketId(market.condition_id),
        event=EventId("e"),
        slug=market.slug,
        question=market.question,
        yes=OutcomeId(POLYMARKET, market.yes),
        no=OutcomeId(POLYMARKET, market.no),
        rules=OrderRules(tick=Price(market.tick), min_size=Shares(market.min_size)),
        fees=CurveFees(market.fee_rate),
        can_split=False,
    )
