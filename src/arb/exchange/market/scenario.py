"""Scenarios: whole made-up markets, each a function of its seed."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from arb.domain.errors import ConfigError
from arb.domain.market import Side
from arb.domain.money import MICRO
from arb.exchange.market import oracle
from arb.exchange.market.builder import Builder, ladder
from arb.exchange.market.cases import PARTS, Cases, ordinary, six
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import Planted, SimMarket
from arb.exchange.market.matching import Incoming, Life
from arb.ports import Clock

CENT = Decimal("0.01")
LOAD_MARKETS = 20_000
LOAD_OUTCOMES = 12
LOAD_LEVELS = 20
MOVING_EVENTS = 6


def build(name: str, seed: int, clock: Clock, *, markets: int | None = None) -> Exchange:
    """The exchange of a scenario.

    Args:
        name: `demo`, `six`, `load`, `moving` or `quiet`.
        seed: The same seed makes the same market.
        clock: Stamps books and moves them.
        markets: How many, for `load`.

    Raises:
        ConfigError: There is no such scenario.
    """
    if name not in SCENARIOS:
        raise ConfigError(f"--scenario {name}: one of {', '.join(SCENARIOS)}")
    chance = random.Random(f"{name}/{seed}")
    cases = Cases(Builder(chance))
    if name == "load":
        _load(cases, markets or LOAD_MARKETS)
    else:
        SCENARIOS[name](cases)
    exchange = Exchange(cases.events, clock, chance, cases.planted, cases.decoys)
    if name == "moving":
        exchange.move = _move
    exchange.render_all()
    return exchange


def _demo(cases: Cases) -> None:
    for part in PARTS:
        part(cases)
    ordinary(cases, 40)
    cases.build.chance.shuffle(cases.events)


def _quiet(cases: Cases) -> None:
    ordinary(cases, 40)


def _moving(cases: Cases) -> None:
    """Exclusive events at fair prices; `_move` opens and closes an edge in each."""
    build = cases.build
    for number in range(MOVING_EVENTS):
        slug = f"moving-{number + 1}"
        prices = build.split(Decimal("0.96"), 3, least=CENT * 20, tick=CENT)
        markets = build.exclusive(slug, [(price, 300) for price in prices])
        cases.events.append(build.event(slug, markets, neg_risk=True))
    ordinary(cases, 20)


def _move(exchange: Exchange, step: int) -> Iterable[SimMarket]:
    """Every other step a bidder pays 12 cents more in one market of an event, then is hit."""
    events = [event for event in exchange.events if event.neg_risk]
    event = events[step // 2 % len(events)]
    market = event.markets[step // 2 % len(event.markets)]
    if step % 2:
        price, size = market.bids[0][0] + 120_000, 30 * MICRO
        taken_out = market.asks
        market.asks = tuple((p + 130_000, s) for p, s in taken_out if p + 130_000 < MICRO)
        _arrives(exchange, market, Incoming(f"bid/{step}", Side.BUY, price, size))
    else:
        best, size = market.bids[0]
        if size <= 30 * MICRO:
            hit = Incoming(f"hit/{step}", Side.SELL, best, size, Life.KILL_REST)
            _arrives(exchange, market, hit)
            market.asks = tuple((p - 130_000, s) for p, s in market.asks)
    return [market]


def _arrives(exchange: Exchange, market: SimMarket, order: Incoming) -> None:
    """An order from outside: its trades are recorded."""
    for match in market.trade(order):
        exchange.trade(market, order.side, match.price, match.size)


def _load(cases: Cases, number: int) -> None:
    """Many markets with deep books: plain binaries and exclusive events, 2 % of them mispriced."""
    build, chance = cases.build, cases.build.chance
    shapes = [_deep_ladders(chance, bid) for bid in range(25, 75)]
    groups = number // (2 * LOAD_OUTCOMES)
    found: Planted | None = None
    for group in range(groups):
        slug = f"group-{group + 1}"
        top = "0.09" if chance.random() < 0.02 else "0.08"
        markets = []
        for outcome in range(LOAD_OUTCOMES):
            bids = _falling(top)
            asks = _rising("0.10")
            markets.append(build.listed(f"{slug}-{outcome + 1}", bids, asks, tick=CENT / 10))
        event = build.event(slug, markets, neg_risk=True)
        cases.events.append(event)
        if top == "0.09":
            # All mispriced groups have the same books, so they have the same oracle.
            found = found or oracle.no_set(event)
            assert found is not None
            cases.planted.append(replace(found, event=slug))
    for place in range(number - groups * LOAD_OUTCOMES):
        slug = f"plain-{place + 1}"
        bids, asks = chance.choice(shapes)
        cases.events.append(build.event(slug, [build.listed(slug, bids, asks)]))


def _falling(top: str) -> tuple[tuple[int, int], ...]:
    """One good level, then nineteen worse ones half a cent apart and below."""
    first = Decimal(top)
    rest = [(Decimal("0.07") - Decimal("0.001") * step, 100) for step in range(LOAD_LEVELS - 1)]
    return ladder([(first, 40), *rest])


def _rising(top: str) -> tuple[tuple[int, int], ...]:
    return ladder([(Decimal(top) + CENT * step, 50 + step) for step in range(LOAD_LEVELS)])


def _deep_ladders(
    chance: random.Random, bid: int
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    bids = [(CENT * (bid - step), chance.randint(5, 5000)) for step in range(LOAD_LEVELS)]
    asks = [(CENT * (bid + 1 + step), chance.randint(5, 5000)) for step in range(LOAD_LEVELS)]
    return ladder(bids), ladder(asks)


SCENARIOS: dict[str, Callable[[Cases], None]] = {
    "demo": _demo,
    "six": six,
    "load": lambda cases: _load(cases, LOAD_MARKETS),
    "moving": _moving,
    "quiet": _quiet,
}
