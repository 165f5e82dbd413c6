"""Which outcomes of a basket to buy, and how many shares of each, for the most profit.

Every leg is bought in the same number of shares `q`. With `K_i(q)` what `q` shares of leg `i` cost
along its ladder, fees included,

    profit(S, q) = base · q + Σ_{i in S} (per_leg · q - K_i(q))

where buying NO on a set S of an exclusive event has base -1 and per_leg 1 (it pays |S| - 1), and
a fixed set that pays 1 has base 1 and per_leg 0 (SCIENCE.md §2.1-2.2).

For a given `q` the legs do not interact: a leg is worth taking if the venue accepts `q` shares at
its limit price and its own term is positive. Between two breakpoints of the ladders every term is
linear in `q`, so the best `q` of each grid of acceptable sizes lies at an end. Looking at the ends
of every interval, for every grid that the legs' whole-cent steps can form, finds the optimum.

Integers throughout: sizes in micro-shares, prices per share in 10^-18 USD. Fees are taken before
their truncation, which can only make the true profit larger, by less than 0.00001 USD per fill.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import gcd, lcm

from arb.domain.book import Level
from arb.domain.fees import FeeSchedule
from arb.domain.market import OrderRules
from arb.domain.money import MICRO, ONE, Price, Shares, Usd, from_micro, to_micro

ATTO = 10**18


@dataclass(frozen=True, slots=True)
class Ladder:
    """One outcome's asks as running integer sums, with the venue's rules for taking them."""

    prices: tuple[Price, ...]
    depths: tuple[int, ...]
    """Micro-shares on offer down to and including each level."""
    costs: tuple[int, ...]
    """What those cost with fees, in 10^-24 USD."""
    unit: tuple[int, ...]
    """Cost of one share at each level with its fee, in 10^-18 USD, rounded up."""
    steps: tuple[int, ...]
    """Whole-cent step of the size, in micro-shares, when the limit is that level's price."""
    least: tuple[int, ...]
    """Least acceptable micro-shares when the limit is that level's price."""

    def at(self, size: int) -> int | None:
        """The level that the last share of `size` comes from; `None` beyond the depth."""
        level = bisect_left(self.depths, size)
        return level if level < len(self.depths) else None

    def cost(self, size: int, level: int) -> int:
        """What `size` micro-shares cost whose last comes from `level`, in 10^-24 USD."""
        before = self.depths[level - 1] if level else 0
        spent = self.costs[level - 1] if level else 0
        return spent + (size - before) * self.unit[level]


def ladder(levels: Iterable[Level], fees: FeeSchedule, rules: OrderRules) -> Ladder:
    """The ladder of one outcome's asks, best first."""
    kept = list(levels)
    prices = tuple(level.price for level in kept)
    sizes = [to_micro(level.size) for level in kept]
    unit = tuple(_unit_cost(price, fees) for price in prices)
    return Ladder(
        prices=prices,
        depths=tuple(accumulate(sizes)),
        costs=tuple(accumulate(size * cost for size, cost in zip(sizes, unit, strict=True))),
        unit=unit,
        steps=tuple(size_step(price, rules) for price in prices),
        least=tuple(least_size(price, rules) for price in prices),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """One outcome of the best basket: which ladder, and the limit price to pay down to."""

    ladder: int
    limit: Price


@dataclass(frozen=True, slots=True)
class Best:
    """The most profitable basket: equal shares of each chosen outcome."""

    size: Shares
    chosen: tuple[Chosen, ...]
    profit: Usd
    """Before the truncation of fees, rounded down to a micro-unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """The terms on which a set of outcomes is bought."""

    base: int
    per_leg: int
    optional: bool
    """Whether outcomes may be left out."""
    legs_min: int = 2
    legs_max: int = 15
    outlay_max: Usd | None = None

    def best(self, ladders: Sequence[Ladder]) -> Best | None:
        """The most profitable set and size; `None` when none is acceptable and profitable.

        Of equally profitable baskets the one with fewer shares is taken: less capital.
        """
        if not self.optional and len(ladders) > self.legs_max:
            return None
        found: tuple[int, int, list[tuple[int, int]]] | None = None
        for size in sorted(self._sizes_to_try(ladders)):
            profit, chosen = self._at(size, ladders)
            if chosen and profit > (found[0] if found else 0):
                found = (profit, size, chosen)
        if found is None:
            return None
        profit, size, chosen = found
        return Best(
            size=Shares(from_micro(size)),
            chosen=tuple(Chosen(i, ladders[i].prices[level]) for i, level in chosen),
            profit=Usd(from_micro(profit // ATTO)),
        )

    def edge(self, ladders: Sequence[Ladder]) -> int:
        """Profit of the very first share of each outcome, in 10^-18 USD: the screen's figure."""
        terms = [self.per_leg * ATTO - rung.unit[0] for rung in ladders if rung.unit]
        if not self.optional:
            return self.base * ATTO + sum(terms) if len(terms) == len(ladders) else -ATTO
        return self.base * ATTO + sum(term for term in terms if term > 0)

    def _at(self, size: int, ladders: Sequence[Ladder]) -> tuple[int, list[tuple[int, int]]]:
        """Profit in 10^-24 USD and the (ladder, level) pairs bought; none if not acceptable."""
        terms: list[tuple[int, int, int]] = []
        for index, rung in enumerate(ladders):
            level = rung.at(size)
            acceptable = (
                level is not None and size >= rung.least[level] and size % rung.steps[level] == 0
            )
            if acceptable:
                assert level is not None
                gain = self.per_leg * size * ATTO - rung.cost(size, level)
                if gain > 0 or not self.optional:
                    terms.append((gain, index, level))
            elif not self.optional:
                return 0, []
        if self.optional and len(terms) > self.legs_max:
            terms = sorted(terms, key=lambda term: (-term[0], term[1]))[: self.legs_max]
            terms.sort(key=lambda term: term[1])
        if len(terms) < self.legs_min:
            return 0, []
        profit = self.base * size * ATTO + sum(gain for gain, _, _ in terms)
        outlay = sum(self.per_leg * size * ATTO - gain for gain, _, _ in terms)
        if self.outlay_max is not None and outlay > to_micro(self.outlay_max) * ATTO:
            return 0, []
        return profit, [(index, level) for _, index, level in terms]

    def _sizes_to_try(self, ladders: Sequence[Ladder]) -> set[int]:
        """Every size at which the optimum can lie."""
        depths = sorted({depth for rung in ladders for depth in rung.depths})
        if not depths:
            return set()
        ends = self._interval_ends(ladders, depths)
        sizes: set[int] = set()
        for low, high in zip([0, *ends], ends, strict=False):
            levels = [(rung, rung.at(high)) for rung in ladders]
            live = [(rung, level) for rung, level in levels if level is not None]
            grids = self._grids({rung.steps[level] for rung, level in live})
            least = {rung.least[level] for rung, level in live}
            for grid in grids:
                cuts = sorted({low, high, *(mark - 1 for mark in least if low < mark <= high)})
                for start, stop in pairwise(cuts):
                    first, last = (start // grid + 1) * grid, stop // grid * grid
                    sizes |= {size for size in (first, last) if start < size <= stop}
        return sizes

    def _interval_ends(self, ladders: Sequence[Ladder], depths: Sequence[int]) -> list[int]:
        """Breakpoints of the ladders, up to where no basket can still gain."""
        slack = lcm(*(step for rung in ladders for step in rung.steps))
        least = max((mark for rung in ladders for mark in rung.least), default=0)
        ends: list[int] = []
        stop = depths[-1]
        for depth in depths:
            ends.append(depth)
            if depth >= stop:
                break
            if stop == depths[-1] and depth >= least and self._slope_beyond(depth, ladders) <= 0:
                # No basket gains beyond this depth, so the next size that every grid accepts
                # is at least as good as any larger one.
                stop = depth + slack
        if self.outlay_max is not None:
            ends += self._affordable(ladders, ends)
        return sorted(set(ends))

    def _slope_beyond(self, size: int, ladders: Sequence[Ladder]) -> int:
        """An upper bound of the profit of one more share beyond `size`, in 10^-18 USD."""
        slope = self.base * ATTO
        for rung in ladders:
            level = rung.at(size + 1)
            if level is None:
                if not self.optional:
                    return -1
                continue
            term = self.per_leg * ATTO - rung.unit[level]
            slope += max(term, 0) if self.optional else term
        return slope

    def _affordable(self, ladders: Sequence[Ladder], ends: Sequence[int]) -> Iterator[int]:
        """The largest affordable size of each interval: the outlay is linear within it."""
        assert self.outlay_max is not None
        purse = to_micro(self.outlay_max) * ATTO
        for low, high in zip([0, *ends], ends, strict=False):
            live = [(r, level) for r in ladders if (level := r.at(high)) is not None]
            per_share = sum(rung.unit[level] for rung, level in live)
            spent = sum(rung.cost(high, level) for rung, level in live) - per_share * (high - low)
            if live and spent < purse:
                size = low + (purse - spent) // per_share
                if low < size < high:
                    yield size

    def _grids(self, steps: set[int]) -> set[int]:
        """Every grid of sizes on which some of the legs are acceptable."""
        if not self.optional:
            return {lcm(*steps)} if steps else set()
        grids: set[int] = set()
        for step in steps:
            grids |= {lcm(step, grid) for grid in grids} | {step}
        return grids


def _unit_cost(price: Price, fees: FeeSchedule) -> int:
    exact = (price + fees.exact(price, Shares(ONE))) * ATTO
    return -int(-exact // 1)


def size_step(price: Price, rules: OrderRules) -> int:
    """Least micro-shares whose multiples are acceptable sizes of a BUY at this limit price."""
    share_step, value_step = to_micro(rules.size_step), to_micro(rules.value_step) * MICRO
    per_step = to_micro(price) * share_step
    return share_step * (value_step // gcd(value_step, per_step))


def least_size(price: Price, rules: OrderRules) -> int:
    """Least micro-shares that a BUY at this limit price may ask for."""
    by_value = -(-to_micro(rules.min_value) * MICRO // to_micro(price))
    return max(to_micro(rules.min_size), by_value)
