"""Closed ways through pools, and the input that brings the most. Pure."""

import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from math import isqrt

from arb.onchain.spreads.pools import MILLION, Hop, PairPool, TickPool, Way, amounts

POINTS = 9
"""Inputs that a search tries at once."""
ROUNDS_MAX = 24


def ways(
    pools: Sequence[PairPool | TickPool], starts: Collection[str], hops_max: int
) -> Iterator[Way]:
    """Every closed way of two or more hops that begins in one of some tokens.

    A way and the same way entered at another token are one, entered at the first of the tokens.
    """
    by_token: defaultdict[str, list[Hop]] = defaultdict(list)
    for pool in pools:
        for token in pool.tokens:
            by_token[token.address].append(Hop(pool, token.address))
    seen: set[frozenset[tuple[str, str]]] = set()
    for start in sorted(starts):
        for length in range(2, hops_max + 1):
            for hops in _closed(by_token, start, (), length):
                way = frozenset((hop.pool.address, hop.sold) for hop in hops)
                if way not in seen:
                    seen.add(way)
                    yield Way(hops)


def _closed(
    by_token: dict[str, list[Hop]], start: str, before: tuple[Hop, ...], length: int
) -> Iterator[tuple[Hop, ...]]:
    at = before[-1].bought if before else start
    passed = {hop.sold for hop in before}
    for hop in by_token[at]:
        if any(hop.pool.address == one.pool.address for one in before):
            continue
        if len(before) == length - 1:
            if hop.bought == start:
                yield (*before, hop)
        elif hop.bought not in passed and hop.bought != start:
            yield from _closed(by_token, start, (*before, hop), length)


def best_of_pairs(hops: Sequence[Hop], most: int) -> int:
    """The input that brings the most through pools like Uniswap v2's; 0: none brings anything.

    Through such pools x becomes a x / (b + c x), so the best x is (sqrt(a b) - b) / c. The
    contracts round down, so another input may be better by what is lost so: less than a smallest
    unit of each token on the way. The least input that brings as much out is taken.

    Args:
        hops: The way.
        most: The largest input.
    """
    a, b, c = 1, 1, 0
    for hop in hops:
        if not isinstance(hop.pool, PairPool):
            raise TypeError(f"{hop.pool.name} has no closed form")
        x, y = hop.pool.sides(hop.sold)
        kept = MILLION - hop.pool.fee
        a, b, c = y * kept * a, x * MILLION * b, x * MILLION * c + kept * a
    found = min((isqrt(a * b) - b) // c, most)
    if found <= 0 or amounts(hops, found)[-1] <= found:
        return 0
    return _least(hops, amounts(hops, found)[-1], found)


def _least(hops: Sequence[Hop], out: int, above: int) -> int:
    """The least input that brings `out`; `above` does."""
    low, high = 0, above
    while high - low > 1:
        middle = (low + high) // 2
        if amounts(hops, middle)[-1] >= out:
            high = middle
        else:
            low = middle
    return high


async def best_by_asking(
    gains: Callable[[Sequence[int]], Awaitable[Sequence[int]]], most: int
) -> int:
    """The input with the greatest gain, where each gain has to be asked for; 0: none gains.

    A gain rises to one peak and falls. Several inputs are asked about at once, then those around
    the best of them, until they are as close as a ten-thousandth of the input.

    Args:
        gains: The gain of each of some inputs; negative where it loses.
        most: The largest input.
    """
    low, high, best, best_gain = 0, most, 0, 0
    for _ in range(ROUNDS_MAX):
        step = max((high - low) // (POINTS + 1), 1)
        tried = list(itertools.islice(range(low + step, high + 1, step), POINTS + 1))
        if not tried:
            break
        found = list(zip(await gains(tried), tried, strict=True))
        gain, amount = max(found, key=lambda one: (one[0], -one[1]))
        if gain > best_gain:
            best, best_gain = amount, gain
        if step * 10_000 <= amount or step == 1:
            break
        centre = amount if gain >= best_gain or not best else best
        low, high = max(centre - step, 0), min(centre + step, most)
    return best
