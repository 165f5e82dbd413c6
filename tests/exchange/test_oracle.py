"""The planted truth against the plainest search for it: every size, every leg of each asked."""

from hypothesis import given, settings
from hypothesis import strategies as st

from arb.exchange.market import oracle

PRICES = st.integers(15, 70).map(lambda cents: cents * 10_000)
SHARES = st.integers(10, 60).map(lambda tenths: tenths * 100_000 + tenths % 3 * 1_111)
LADDERS = st.dictionaries(PRICES, SHARES, min_size=1, max_size=3).map(
    lambda levels: tuple(sorted(levels.items()))
)
SIDES = st.builds(
    oracle._Side,
    ladder=LADDERS,
    rate=st.sampled_from([0, 40_000, 70_000]),
    least=st.sampled_from([10_000, 3_000_000]),
)
EVENTS = st.lists(SIDES, min_size=1, max_size=4).map(tuple)


def plain(sides, value, choose):
    """The most profitable size and its legs; of sizes that earn the same the least."""
    best = None
    for size in oracle._sizes(sides):
        worth = size * oracle.PICO
        legs = choose(oracle._legs(sides, size), worth)
        profit = value(legs) * worth - sum(leg.paid for leg in legs)
        if legs and profit > (best[0] if best else 0):
            best = (profit, size, legs)
    return best and best[1:]


@given(EVENTS)
@settings(max_examples=40)
def test_the_best_set_of_nos_is_that_of_the_plainest_search(sides):
    def choose(legs, worth):
        cheap = [leg for leg in legs if leg.accepted and leg.paid < worth]
        return sorted(cheap, key=lambda leg: (leg.paid, leg.market))

    assert oracle._best_no_set(sides) == plain(sides, lambda legs: len(legs) - 1, choose)


@given(EVENTS)
@settings(max_examples=40)
def test_the_best_size_of_all_legs_is_that_of_the_plainest_search(sides):
    def choose(legs, _worth):
        return legs if len(legs) == len(sides) and all(leg.accepted for leg in legs) else []

    assert oracle._best_fixed(sides) == plain(sides, lambda _legs: 1, choose)
