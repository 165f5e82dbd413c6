"""Which outcomes of a basket to buy, and how many shares of each, for the most profit.

Every leg is bought in the same number of shares `q`. With `K_i(q)` what `q` shares of leg `i` cost
along its ladder, fees included,

    profit(S, q) = base · q + Σ_{i in S} (per_leg · q - K_i(q))

where buying NO on a set S of an exclusive event has base -1 and per_leg 1 (it pays |S| - 1), and
a fixed set that pays 1 has base 1 and per_leg 0 (docs/proof.md §2).

For a given `q` the legs do not interact: a leg is worth taking if the venue accepts to spend on it
what `q` shares cost, in whole cents, and its own term is positive. Between two breakpoints every
term is linear in `q`, so the best `q` lies at an end. Breakpoints are the depths of the ladders,
where a leg becomes dear enough to be accepted, and just above a depth's end, where the last cent
finds no seller any more. Evaluating both ends of every interval finds the optimum.

The cent is no part of `K_i`: what it buys is kept (see `arb.domain.dollars`), and the proof counts
what is really spent, at most a cent a leg more. Integers throughout: sizes in micro-shares, prices
per share in 10^-18 USD. Fees are taken before they are rounded: truncated ones make the true profit
larger, by less than 0.00001 USD per fill; those rounded up make it smaller, which the proof finds.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import lcm

from arb.domain.book import Level, columns, prices_of
from arb.domain.dollars import UNSPENT_MAX
from arb.domain.fees import FeeSchedule
from arb.domain.market import OrderRules
from arb.domain.money import MICRO, ONE, Price, Shares, Usd, from_micro, to_micro

ATTO = 10**18
PICO = 10**12
UNSPENT = UNSPENT_MAX * MICRO
"""What may stay unspent of an order that was filled, in 10^-12 USD."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """One outcome's asks as running integer sums, with the venue's rules for taking them."""

    prices: tuple[Price, ...]
    micros: tuple[int, ...]
    """The same in micro-dollars."""
    depths: tuple[int, ...]
    """Micro-shares on offer down to and including each level."""
    costs: tuple[int, ...]
    """What those cost with fees, in 10^-24 USD."""
    values: tuple[int, ...]
    """What those cost before fees, in 10^-12 USD."""
    unit: tuple[int, ...]
    """Cost of one share at each level with its fee, in 10^-18 USD, rounded up."""
    step: int
    """Step of acceptable sizes, in micro-shares."""
    least: int
    """Least acceptable micro-shares: what the venue's least amounts ask for."""
    cent: int
    """The step of what a BUY may spend, in 10^-12 USD."""

    def at(self, size: int) -> int | None:
        """The level that the last share of `size` comes from; `None` beyond the depth."""
        level = bisect_left(self.depths, size)
        return level if level < len(self.depths) else None

    def cost(self, size: int, level: int) -> int:
        """What `size` micro-shares cost whose last comes from `level`, in 10^-24 USD."""
        before = self.depths[level - 1] if level else 0
        spent = self.costs[level - 1] if level else 0
        return spent + (size - before) * self.unit[level]

    def change(self, size: int, level: int) -> int:
        """What is spent beyond their price to spend whole cents on them, in 10^-12 USD."""
        before = self.depths[level - 1] if level else 0
        value = self.values[level - 1] if level else 0
        return -(value + (size - before) * self.micros[level]) % self.cent

    def accepts(self, size: int, level: int) -> bool:
        """Whether the venue takes a BUY of so much: large enough, and every cent is spent."""
        rest = (self.depths[level] - size) * self.micros[level]
        return size >= self.least and self.change(size, level) <= rest + UNSPENT

    def edges(self) -> Iterator[int]:
        """Micro-shares up to which the same holds for every size: see the module's words."""
        if self.least > 0:
            yield self.least - 1
        for price, depth, value in zip(self.micros, self.depths, self.values, strict=True):
            yield depth
            # Beyond the last whole cent of a level the rest of the next cent finds no seller.
            beyond = max((value + UNSPENT) % self.cent - UNSPENT, 0)
            yield depth - -(-beyond // price)


def ladder(levels: Sequence[Level], fees: FeeSchedule, rules: OrderRules) -> Ladder:
    """The ladder of one outcome's asks, best first."""
    micros, sizes = columns(levels)
    prices = prices_of(levels)
    unit = tuple(_unit_cost(price, fees) for price in prices)
    depths = tuple(accumulate(sizes))
    values = tuple(accumulate(size * price for size, price in zip(sizes, micros, strict=True)))
    return Ladder(
        prices=prices,
        micros=tuple(micros),
        depths=depths,
        costs=tuple(accumulate(size * cost for size, cost in zip(sizes, unit, strict=True))),
        values=values,
        unit=unit,
        step=to_micro(rules.size_step),
        least=_least(micros, depths, values, rules),
        cent=to_micro(rules.value_step) * MICRO,
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
            if level is not None and rung.accepts(size, level):
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
        outlay += sum(ladders[i].change(size, level) * PICO for _, i, level in terms)
        if self.outlay_max is not None and outlay > to_micro(self.outlay_max) * ATTO:
            return 0, []
        return profit, [(index, level) for _, index, level in terms]

    def _sizes_to_try(self, ladders: Sequence[Ladder]) -> set[int]:
        """Every size at which the optimum can lie."""
        if not any(rung.depths for rung in ladders):
            return set()
        grid = lcm(*(rung.step for rung in ladders))
        edges = self._edges(ladders, grid)
        sizes: set[int] = set()
        for low, high in pairwise([0, *edges]):
            first, last = (low // grid + 1) * grid, high // grid * grid
            sizes |= {size for size in (first, last) if low < size <= high}
            if self.outlay_max is not None and first <= last:
                sizes.add(self._affordable(ladders, first, last, grid))
        return sizes

    def _edges(self, ladders: Sequence[Ladder], grid: int) -> list[int]:
        """The ends of the intervals, up to where no basket can still gain."""
        edges = sorted({edge for rung in ladders for edge in rung.edges() if edge > 0})
        least = max((rung.least for rung in ladders), default=0)
        stop = edges[-1]
        for number, edge in enumerate(edges):
            if edge >= stop:
                return edges[: number + 1]
            if stop == edges[-1] and edge >= least and self._slope_beyond(edge, ladders) <= 0:
                # No basket gains beyond, so the next size is at least as good as any larger one.
                stop = min(edge + grid, stop)
        return edges

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

    def _affordable(self, ladders: Sequence[Ladder], first: int, last: int, grid: int) -> int:
        """The largest of these sizes that all ladders together sell for the purse."""
        assert self.outlay_max is not None
        purse = to_micro(self.outlay_max) * ATTO
        low, high = first // grid, last // grid
        while low < high:
            middle = (low + high + 1) // 2
            size = middle * grid
            live = ((rung, level) for rung in ladders if (level := rung.at(size)) is not None)
            outlay = sum(r.cost(size, level) + r.change(size, level) * PICO for r, level in live)
            low, high = (middle, high) if outlay <= purse else (low, middle - 1)
        return low * grid


def _unit_cost(price: Price, fees: FeeSchedule) -> int:
    exact = (price + fees.exact(price, Shares(ONE))) * ATTO
    return -int(-exact // 1)


def _least(
    micros: Sequence[int], depths: Sequence[int], values: Sequence[int], rules: OrderRules
) -> int:
    """Least micro-shares that the venue takes: its least size, and its least value in cents."""
    # What is spent is rounded up to a cent, so it is enough to pass the cent below.
    short = to_micro(rules.min_value - rules.value_step) * MICRO
    for number, (price, value) in enumerate(zip(micros, values, strict=True)):
        if value > short:
            above, spent = (depths[number - 1], values[number - 1]) if number else (0, 0)
            return max(to_micro(rules.min_size), above + max(short - spent, 0) // price + 1)
    return (depths[-1] if depths else 0) + 1
