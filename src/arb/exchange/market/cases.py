"""The cases that a truthful scanner must get right: opportunities, and what only looks like one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from arb.exchange.market import oracle
from arb.exchange.market.builder import Builder, ladder
from arb.exchange.market.listing import Decoy, Planted, Rewards, Series, SimEvent

CENT = Decimal("0.01")
WEEKLY = Series(1, "plain-weekly", "Plain, every week")
KEEN = Decimal("0.005")
"""Least net edge per set of what is planted: no truth hangs on a rounding."""


@dataclass(slots=True)
class Cases:
    """Events gathered so far, with what is really there."""

    build: Builder
    events: list[SimEvent] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    decoys: list[Decoy] = field(default_factory=list)

    def plant(self, event: SimEvent, find: Callable[[SimEvent], Planted | None]) -> bool:
        """Add an opportunity, if it is one beyond doubt."""
        found = find(event)
        if found is None or found.profit < KEEN * found.size:
            return False
        self.events.append(event)
        self.planted.append(found)
        return True

    def decoy(self, event: SimEvent, why: str) -> None:
        """Add an event that is none."""
        self.events.append(event)
        self.decoys.append(Decoy(event.slug, why))


def six(cases: Cases) -> None:
    """The six named cases, on which public bots fail."""
    build = cases.build
    mirrored = build.market("six-1-mirrored", [("0.49", 500)], [("0.51", 400)])
    cases.decoy(build.event("six-1-mirrored", [mirrored]), "a mirrored binary, 2 cents of spread")

    stale = build.market("six-2-stale-no", [("0.49", 300)], [("0.50", 300)])
    stale.stale_no = (ladder([("0.40", 200)]), ladder([("0.42", 200)]))
    cases.decoy(build.event("six-2-stale-no", [stale]), "a NO book of another moment, sum 0.92")

    bids = [Decimal(p) for p in ("0.30", "0.20", "0.15", "0.12", "0.10", "0.08", "0.06", "0.05")]
    whole = build.exclusive("six-3-bids-106", [(bid, 60) for bid in bids])
    cases.plant(build.event("six-3-bids-106", whole, neg_risk=True), oracle.no_set)

    thin = build.exclusive("six-4-thin-leg", [(bid, 60) for bid in bids])
    first = thin[0]
    first.bids = ladder([("0.30", 3), ("0.29", 40), ("0.20", 200)])
    cases.plant(build.event("six-4-thin-leg", thin, neg_risk=True), oracle.no_set)

    tops = [(Decimal(p) - CENT, 200) for p in ("0.30", "0.25", "0.15", "0.10")]
    grown = build.exclusive("six-5-augmented", tops)
    for market, ask in zip(grown, ("0.30", "0.25", "0.15", "0.10"), strict=True):
        market.asks = ladder([(ask, 200), (Decimal(ask) + 5 * CENT, 200)])
    event = build.event("six-5-augmented", grown, neg_risk=True, augmented=True)
    cases.decoy(event, "YES asks add up to 0.80, but the event may grow")

    tops = [(Decimal(p), 100) for p in ("0.40", "0.32", "0.30")]
    costly = build.exclusive("six-6-fees", tops, fee_rate=Decimal("0.05"))
    cases.decoy(build.event("six-6-fees", costly, neg_risk=True), "bids 1.02, fees 0.032")


def opportunities(cases: Cases) -> None:
    """True ones of each kind: cheap NO sets (one of them v2), cheap YES sets, a crossed book."""
    for number in range(1, 4):
        _until(partial(_cheap_no, cases, f"cheap-no-{number}", version="v1"))
    _until(lambda: _cheap_no(cases, "cheap-no-v2", version="v2"))
    for number in range(1, 3):
        _until(partial(_cheap_yes, cases, f"cheap-yes-{number}", version="v1"))
    _until(lambda: _crossed(cases, "crossed-book"))


def cashed_at_once(cases: Cases) -> None:
    """A full set of YES that protocol v2 turns into cash."""
    _until(lambda: _cheap_yes(cases, "cheap-yes-v2", version="v2"))


def _cheap_no(cases: Cases, slug: str, *, version: str) -> bool:
    build, chance = cases.build, cases.build.chance
    outcomes = chance.randint(2, 5)
    tick = Decimal(chance.choice(["0.01", "0.01", "0.001"]))
    rate = Decimal(chance.choice(["0", "0.04", "0.05", "0.07"]))
    total = 1 + CENT * chance.randint(12, 22)
    prices = build.split(total, outcomes, least=Decimal("0.15"), tick=tick)
    if max(prices) > Decimal("0.9"):
        return False
    tops = [(price, chance.choice([20, 30, 40, 50, 60])) for price in prices]
    markets = build.exclusive(slug, tops, fee_rate=rate, tick=tick, version=version)
    return cases.plant(build.event(slug, markets, neg_risk=True), oracle.no_set)


def _cheap_yes(cases: Cases, slug: str, *, version: str) -> bool:
    build, chance = cases.build, cases.build.chance
    outcomes = chance.randint(3, 5)
    rate = Decimal(chance.choice(["0", "0.04", "0.05", "0.07"]))
    total = 1 - CENT * chance.randint(9, 15)
    asks = build.split(total, outcomes, least=Decimal("0.08"), tick=CENT)
    markets = []
    for number, ask in enumerate(asks):
        size = chance.choice([20, 30, 40, 50])
        markets.append(
            build.market(
                f"{slug}-{number + 1}",
                [(ask - 2 * CENT, 80), (ask - 5 * CENT, 200)],
                [(ask, size), (ask + 15 * CENT, 300)],
                fee_rate=rate,
                version=version,
            )
        )
    return cases.plant(build.event(slug, markets, neg_risk=True), oracle.yes_set)


def _crossed(cases: Cases, slug: str) -> bool:
    build, chance = cases.build, cases.build.chance
    ask = CENT * chance.randint(30, 60)
    bid = ask + CENT * chance.randint(7, 10)
    market = build.market(
        slug,
        [(bid, chance.choice([20, 30, 40])), (ask - 10 * CENT, 100)],
        [(ask, chance.choice([20, 30, 40])), (bid + 10 * CENT, 100)],
    )
    return cases.plant(build.event(slug, [market]), oracle.pair)


def decoys(cases: Cases) -> None:
    """Everything that looks like a profit and is none."""
    build, chance = cases.build, cases.build.chance

    late = build.market("decoy-unequal-time", [("0.55", 80)], [("0.57", 80)])
    late.stale_no = (ladder([("0.30", 90)]), ladder([("0.33", 90)]))
    cases.decoy(build.event("decoy-unequal-time", [late]), "snapshots of two moments")

    for slug, why, spoil in (
        ("decoy-augmented", "the event may grow", _augment),
        ("decoy-missing-outcome", "an outcome has three outcomes itself", _hide_outcome),
        ("decoy-closed-sibling", "an outcome is closed", _close_one),
        ("decoy-not-accepting", "an outcome takes no orders", _stop_one),
        ("decoy-delayed", "an outcome holds orders back", _delay_one),
        ("decoy-no-schedule", "fees without a schedule", _hide_fees),
        ("decoy-missing-book", "a book never comes", _lose_book),
    ):
        asks = build.split(Decimal("0.85"), 4, least=Decimal("0.1"), tick=CENT)
        markets = [
            build.market(f"{slug}-{n + 1}", [(ask - 3 * CENT, 60)], [(ask, 60)])
            for n, ask in enumerate(asks)
        ]
        event = build.event(slug, markets, neg_risk=True)
        spoil(event)
        cases.decoy(event, why)

    tops = [(price, 50) for price in build.split(Decimal("1.01"), 4, least=CENT * 15, tick=CENT)]
    killed = build.exclusive("decoy-fee-killed", tops, fee_rate=Decimal("0.07"))
    cases.decoy(build.event("decoy-fee-killed", killed, neg_risk=True), "fees exceed the edge")

    tops = [(price, 4) for price in build.split(Decimal("1.15"), 3, least=CENT * 20, tick=CENT)]
    tiny = build.exclusive("decoy-below-minimum", tops)
    for market in tiny:
        market.bids = market.bids[:1]
    cases.decoy(build.event("decoy-below-minimum", tiny, neg_risk=True), "4 shares, at least 5")

    # Bids below a dollar, asks (a tick above at least) not below it.
    fair = build.split(Decimal("0.97"), 3, least=CENT * 20, tick=CENT)
    stale = build.exclusive("decoy-stale-gamma", [(price, 100) for price in fair])
    for market in stale:
        market.listed_quotes = (Decimal("0.50"), Decimal("0.20"))
    cases.decoy(build.event("decoy-stale-gamma", stale, neg_risk=True), "only Gamma shows an edge")

    v2 = build.market("decoy-v2-31-byte-id", [("0.44", 100)], [("0.46", 100)], version="v2")
    cases.decoy(build.event("decoy-v2-31-byte-id", [v2]), "an ordinary market of the new protocol")

    three = build.event("decoy-three-outcomes", [])
    three.unreadable.append(three_outcomes(f"three-{chance.randrange(1000)}"))
    cases.decoy(three, "a market with three outcomes")


def ordinary(cases: Cases, number: int) -> None:
    """Plain binaries without any edge."""
    build, chance = cases.build, cases.build.chance
    for place in range(number):
        bid = chance.randint(6, 90)
        slug = f"plain-{place + 1}"
        quotes = [(CENT * (bid - step), chance.randint(5, 900)) for step in range(5)]
        asks = [(CENT * (bid + 1 + step), chance.randint(5, 900)) for step in range(5)]
        market = build.market(slug, quotes, asks)
        if place % 4 == 0:
            market.rewards = Rewards(
                place + 1, Decimal(20), Decimal(3 + place % 3), Decimal(10 + place)
            )
        event = build.event(slug, [market])
        event.series = WEEKLY if place % 5 == 0 else None
        cases.events.append(event)


def three_outcomes(slug: str) -> dict[str, object]:
    """A market that is not binary, as Gamma would list it."""
    return {
        "id": "1",
        "conditionId": "0x" + "ab" * 32,
        "slug": slug,
        "question": "Home, draw or away?",
        "outcomes": '["Home", "Draw", "Away"]',
        "outcomePrices": '["0.3", "0.3", "0.3"]',
        "clobTokenIds": '["11", "12", "13"]',
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "negRisk": True,
        "marketMakerAddress": "",
    }


def _augment(event: SimEvent) -> None:
    event.augmented = True


def _hide_outcome(event: SimEvent) -> None:
    event.unreadable.append(three_outcomes(f"{event.slug}-hidden"))


def _close_one(event: SimEvent) -> None:
    event.markets[-1].closed, event.markets[-1].accepting = True, False


def _stop_one(event: SimEvent) -> None:
    event.markets[1].accepting = False


def _delay_one(event: SimEvent) -> None:
    event.markets[0].delay_seconds = 3


def _hide_fees(event: SimEvent) -> None:
    event.markets[0].fee_rate = None


def _lose_book(event: SimEvent) -> None:
    event.markets[2].no_book = True


def _until(attempt: Callable[[], bool]) -> None:
    while not attempt():
        pass


PARTS: Sequence[Callable[[Cases], None]] = (opportunities, decoys, six, cashed_at_once)
