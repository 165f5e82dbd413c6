"""The bound on partial fills: nothing can be worse, and it is not a cent too careful."""

import itertools
from decimal import Decimal

import highspy
from hypothesis import given, settings
from hypothesis import strategies as st

from arb.domain.money import Price, Usd
from arb.engine.decide import find
from arb.risk.partial import Exposure, bound, worst_partial
from arb.strategies.negrisk import NegRiskNo
from arb.testing import builders as make

cents = st.integers(0, 2000).map(lambda n: Decimal(n) / 100)
legs = st.lists(st.builds(Exposure, cents, cents), min_size=1, max_size=5)


def result(profit, exposures, filled):
    """What is left when so much of each leg was filled and the better way out is taken."""
    flat = -sum(f * e.flatten for f, e in zip(filled, exposures, strict=True))
    whole = profit - sum((1 - f) * e.complete for f, e in zip(filled, exposures, strict=True))
    return max(flat, whole)


@settings(max_examples=60)
@given(cents, legs)
def test_no_pattern_of_fills_ends_below_the_bound(profit, exposures):
    least = bound(Usd(profit), exposures)
    steps = [Decimal(n) / 4 for n in range(5)]
    worst = min(
        result(profit, exposures, filled)
        for filled in itertools.product(steps, repeat=len(exposures))
    )
    # The bound divides: exact to the digits that a Decimal here has, and no further.
    assert worst >= least - Decimal("1e-40")


@settings(max_examples=50)
@given(cents, legs)
def test_the_bound_is_the_worst_fractional_pattern(profit, exposures):
    """The same number from a linear programme: minimise t with t above both ways out."""
    solver = highspy.Highs()
    solver.silent()
    top = solver.addVariable(lb=-1e9, ub=1e9, obj=1.0)
    parts = [solver.addVariable(lb=0.0, ub=1.0) for _ in exposures]
    flat = sum(-float(str(e.flatten)) * f for e, f in zip(exposures, parts, strict=True))
    missing = sum(float(str(e.complete)) * (1 - f) for e, f in zip(exposures, parts, strict=True))
    solver.addConstr(top - flat >= 0)
    solver.addConstr(top + missing >= float(str(profit)))
    solver.minimize()
    assert abs(solver.val(top) - float(str(bound(Usd(profit), exposures)))) < 1e-6


def test_a_leg_that_is_not_for_sale_leaves_selling_back_alone():
    stuck = [Exposure(Decimal(3), None), Exposure(Decimal(4), Decimal(1))]
    assert bound(Usd(Decimal(100)), stuck) == -7


def world(asks):
    markets = [make.market(f"m{i}", can_split=False, rate="0") for i in range(3)]
    universe = make.universe(markets, [make.exclusive(markets)])
    bids = ("0.50", "0.40", "0.30")
    pairs = [
        make.books(m, [(bid, "50")], [(asks, "50")] if asks else [])
        for m, bid in zip(markets, bids, strict=True)
    ]
    return make.snapshot(universe, *pairs)


def test_wider_spreads_and_larger_moves_make_it_worse():
    narrow, wide = world("0.51"), world("0.90")
    costs = []
    for snapshot in (narrow, wide):
        (found,) = find([NegRiskNo()], snapshot).opportunities
        small, large = (worst_partial(found, snapshot, Price(Decimal(m))) for m in ("0.01", "0.05"))
        assert large <= small
        costs.append(small)
    assert costs[1] <= costs[0]


def test_without_bids_everything_that_was_paid_may_be_lost():
    snapshot = world(None)
    (found,) = find([NegRiskNo()], snapshot).opportunities
    assert worst_partial(found, snapshot, Price(Decimal("0.60"))) == -found.outlay
