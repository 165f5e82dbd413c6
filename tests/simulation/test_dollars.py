"""What a plan comes to when the books move between the look and the orders.

Standing books bring the proved profit, better ones no less, and books that are worse within the
legs' limits no less than the plan's bound.
"""

from decimal import Decimal

import pytest

from arb.domain.money import MICRO, notional, to_micro
from arb.domain.opportunity import Opportunity
from arb.domain.plan import PlannedLeg
from arb.domain.venue import TimeInForce
from arb.engine.account import read
from tests.simulation import world as world_of_tests
from tests.simulation.world import build_world, run

SCHEDULES, CHUNK = 2000, 250
CENT = MICRO // 100


async def _came_to(monkeypatch, seed, move):
    """The plan of a schedule without faults, and what it surely comes to after such a move."""
    world = build_world(seed, calm=True)
    moved = []

    def change(world):
        (plan, _), *_ = world.made
        for leg in plan.legs:
            market = next(m for m in world.floor.exchange.markets() if m.condition_id == leg.market)
            move(world.chance, market, leg)
            moved.append(market)
        world.floor.exchange.touch(moved)

    planned = world.plan
    world.made = []

    async def plan():
        made = await planned()
        if made is not None:
            world.made.append(made)
        return made

    world.plan = plan
    monkeypatch.setattr(world_of_tests, "_rivals", change)
    await run(world)
    assert not world.problems, f"seed {seed}: {world.problems}"
    if not world.made:
        return None
    (plan_, _), *_ = world.made
    account = read(await world.ledger.facts(plan_.id))
    bill = -sum(fill.cash for fill in _first_fills(account))
    if bill > min(plan_.outlay_max, world.limits.max_position_size):
        raise TooMuch(f"seed {seed}: {bill} was paid")
    return plan_, account.cash + plan_.guaranteed(account.legs(plan_)), account


class TooMuch(Exception):
    """A plan has cost more than its bound or the account's limit."""


def _first_fills(account):
    for id_, answer in account.answers.items():
        if account.orders[id_].time_in_force is TimeInForce.FOK:
            yield from answer.fills


def _stand(_chance, _market, _leg):
    pass


def _improve(chance, market, leg):
    """The whole book moves our way by some cents, on some legs only, and the dollars find takers.

    Whoever sells less, if at a better price, can have a FOK order killed: that is no better book.
    """
    no = _buys_no(market, leg)
    up = chance.choice((0, 1, 2, 3)) * CENT * (1 if no else -1)
    bids = market.bids or ((market.asks[0][0] - 2 * CENT, 500 * MICRO),)
    asks = market.asks or ((market.bids[0][0] + 2 * CENT, 500 * MICRO),)
    if not up or any(not CENT <= price + up <= MICRO - CENT for price, _ in (*bids, *asks)):
        return
    bids = {price + up: size for price, size in bids}
    asks = {price + up: size for price, size in asks}
    taken, limit = (bids, MICRO - to_micro(leg.limit)) if no else (asks, to_micro(leg.limit))
    taken[limit] = taken.get(limit, 0) + 500 * MICRO
    market.bids = tuple(sorted(bids.items(), reverse=True))
    market.asks = tuple(sorted(asks.items()))


def _worsen(chance, market, leg):
    """Some of every better level is taken, and offered anew at the leg's limit."""
    no = _buys_no(market, leg)
    limit = MICRO - to_micro(leg.limit) if no else to_micro(leg.limit)
    levels = dict(market.bids if no else market.asks)
    for price in [p for p in levels if (p > limit if no else p < limit)]:
        part = levels[price] * chance.randint(0, 10) // 10
        levels[price] -= part
        levels[limit] = levels.get(limit, 0) + part
    kept = sorted(((p, s) for p, s in levels.items() if s), reverse=no)
    if no:
        market.bids = tuple(kept)
    else:
        market.asks = tuple(kept)


def _buys_no(market, leg: PlannedLeg) -> bool:
    return leg.outcome.token == market.no


async def test_standing_books_bring_the_proved_profit_to_the_micro_unit(monkeypatch):
    deep = 0
    for seed in range(200):
        if (came := await _came_to(monkeypatch, seed, _stand)) is None:
            continue
        plan, _, account = came
        # What is left of a cent may pay as well: the proof does not count on it.
        sets = [
            min(have, leg.size) for have, leg in zip(account.legs(plan), plan.legs, strict=True)
        ]
        cashed = bool(account.requests)
        result = account.cash + (0 if cashed else plan.guaranteed(sets))
        assert result == plan.profit, f"seed {seed}"
        deep += any(notional(leg.limit, leg.size) > leg.dollars for leg in plan.legs)
        # The bill is what was to be spent, but for what no millionth can be paid with.
        for leg in plan.legs:
            fills = (fill for fill in _first_fills(account) if fill.outcome == leg.outcome)
            paid = sum(fill.size * fill.price for fill in fills)
            assert Decimal(0) <= leg.dollars - paid < Decimal("0.00001")
    assert deep > 20  # plans whose legs take more than one level


@pytest.mark.parametrize(
    "first", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(CHUNK, SCHEDULES, CHUNK))]
)
async def test_better_books_bring_no_less_than_was_proved(monkeypatch, first):
    more = 0
    for seed in range(first, first + CHUNK):
        if (came := await _came_to(monkeypatch, seed, _improve)) is not None:
            plan, result, _ = came
            assert result >= plan.profit, f"seed {seed}: {result} of {plan.profit}"
            more += result > plan.profit
    assert more > 20


@pytest.mark.parametrize(
    "first",
    [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(CHUNK, SCHEDULES, CHUNK))],
)
async def test_worse_books_bring_no_less_than_the_bound(monkeypatch, first):
    less = 0
    for seed in range(first, first + CHUNK):
        if (came := await _came_to(monkeypatch, seed, _worsen)) is not None:
            plan, result, _ = came
            assert result >= plan.profit_least, f"seed {seed}: {result}, {plan.profit_least}"
            less += result < plan.profit
    assert less > 5


async def test_signing_size_times_the_worst_price_is_caught(monkeypatch):
    """The old way: dollars that the profit was not proved with."""
    old = property(lambda leg: notional(leg.limit, leg.size))
    monkeypatch.setattr(PlannedLeg, "dollars", old)
    with pytest.raises((AssertionError, TooMuch)):
        await test_standing_books_bring_the_proved_profit_to_the_micro_unit(monkeypatch)


async def test_limits_that_do_not_reckon_with_a_better_price_are_caught(monkeypatch):
    """A better price buys more shares, and the fee grows with them."""
    monkeypatch.setattr(Opportunity, "outlay_max", Opportunity.outlay)
    with pytest.raises(TooMuch):
        for seed in range(3, 2000, 8):  # where the limit is what makes the plan small
            await _came_to(monkeypatch, seed, _improve)
