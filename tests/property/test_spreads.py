"""The input that brings the most through pools, against trying every input."""

import asyncio
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from arb.onchain.spreads.pools import Hop, PairPool, Token, Way, amounts
from arb.onchain.spreads.routes import best_by_asking, best_of_pairs, ways

TOKENS = [Token(address=f"0x{n:040x}", symbol=f"T{n}", decimals=18) for n in range(3)]
FEES = st.sampled_from([0, 100, 500, 2500, 3000, 10_000])


def closed(reserves, fees):
    """A way through two or three pools with these reserves, in the order of the swaps."""
    hops = []
    for at, ((sold, bought), fee) in enumerate(zip(reserves, fees, strict=True)):
        one, other = TOKENS[at], TOKENS[(at + 1) % len(reserves)]
        pool = PairPool(
            address=f"0x{at + 9:040x}", tokens=(one, other), reserves=(sold, bought), fee=fee
        )
        hops.append(Hop(pool, one.address))
    return tuple(hops)


def several(low, high):
    pair = st.tuples(st.integers(low, high), st.integers(low, high))
    return st.integers(2, 3).flatmap(
        lambda hops: st.builds(
            closed,
            st.lists(pair, min_size=hops, max_size=hops),
            st.lists(FEES, min_size=hops, max_size=hops),
        )
    )


def gain(hops, amount):
    return amounts(hops, amount)[-1] - amount


def rounding(hops):
    """What is lost by rounding at most: a unit of each token, as it is worth in the end."""
    lost = Fraction(0)
    for at in range(len(hops) + 1):
        worth = Fraction(1)
        for hop in hops[at:]:
            worth *= hop.pool.price(hop.sold)
        lost += worth
    return lost


@given(several(1, 500), st.integers(1, 500))
def test_no_input_brings_more_than_the_closed_form_but_for_what_is_rounded(hops, most):
    found = best_of_pairs(hops, most)
    best = max(gain(hops, amount) for amount in range(most + 1))
    assert 0 <= found <= most
    assert gain(hops, found) >= max(best - rounding(hops), 0)
    if found:
        assert gain(hops, found) > 0
        assert amounts(hops, found - 1)[-1] < amounts(hops, found)[-1]


@given(several(10**6, 10**27), st.integers(1, 10**27), st.fractions(0, 2))
def test_nor_where_amounts_are_as_large_as_on_a_chain(hops, most, part):
    found = best_of_pairs(hops, most)
    other = min(int(found * part), most)
    assert gain(hops, other) <= max(gain(hops, found), 0) + rounding(hops)


@given(several(10**18, 10**27), st.integers(10**18, 10**27))
def test_a_search_by_asking_comes_as_near_as_a_hundredth_of_a_percent(hops, most):
    exact = best_of_pairs(hops, most)

    async def gains(inputs):
        return [gain(hops, amount) for amount in inputs]

    found = asyncio.run(best_by_asking(gains, most))
    best = gain(hops, exact)
    assert gain(hops, found) >= best - best // 10_000 - 2 * rounding(hops)


@given(several(1, 10**9), st.integers(1, 10**9))
def test_what_a_pool_gives_keeps_its_product(hops, amount):
    given, out = amount, amounts(hops, amount)[1]
    pool = hops[0].pool
    x, y = pool.sides(hops[0].sold)
    kept = given * (10**6 - pool.fee)
    assert (x * 10**6 + kept) * (y - out) >= x * y * 10**6
    assert (x * 10**6 + kept) * (y - out - 1) < x * y * 10**6


@given(several(10**3, 10**9))
def test_where_the_first_unit_loses_nothing_is_swapped(hops):
    if Way(hops).first_unit <= 0:
        assert best_of_pairs(hops, 10**12) == 0


def test_every_way_is_found_once_and_in_both_directions():
    pools = [
        PairPool(address=f"0x{at + 9:040x}", tokens=(TOKENS[a], TOKENS[b]), reserves=(5, 5))
        for at, (a, b) in enumerate([(0, 1), (0, 1), (1, 2), (0, 2)])
    ]
    found = list(ways(pools, [TOKENS[0].address], 3))
    names = {tuple(hop.pool.address[-1] for hop in way.hops) for way in found}
    assert len(names) == len(found)
    assert names == {("9", "a"), ("a", "9")} | {
        way for first in "9a" for way in ((first, "b", "c"), ("c", "b", first))
    }
    # Entered at another token, a way is the same.
    assert len(list(ways(pools, [one.address for one in TOKENS], 3))) == len(found)
    assert len(list(ways(pools, [TOKENS[0].address], 2))) == 2
