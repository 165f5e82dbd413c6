"""The whole market at once, on integer columns, for strategies that look at all of it.

A strategy may have a screen (`Screened`): it is shown the best asks of every market side by side,
laid out once for all strategies, and names the markets that are worth a look. A screen only
nominates, and generously: whatever could have a proved profit is nominated, since the first share
of every leg is the cheapest one and fees are rounded down here. Every nominee is then walked and
proved exactly. Prices are in millionths, sums in 10^-12 USD.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from arb.domain.book import Books
from arb.domain.fees import CurveFees
from arb.domain.market import Exclusive, Market, MarketId, Universe
from arb.domain.money import MICRO

Ints: TypeAlias = npt.NDArray[np.int64]
PICO = MICRO * MICRO
Amount = TypeVar("Amount", int, Ints)


@dataclass(frozen=True, slots=True)
class Columns:
    """The best asks of all markets of a snapshot. The arrays are shared and cannot be written to.

    The members of each exclusive group stand side by side from `starts[g]` on; the markets of all
    groups come first, the others after them.
    """

    markets: Sequence[Market]
    yes: Ints
    """The lowest ask for YES of each market in millionths; 0 where there is none."""
    no: Ints
    rates: Ints
    """Fee rate of each market in millionths; 0 where it is unknown or not of the common form."""
    groups: Sequence[Exclusive]
    starts: Ints
    """At which market each group begins."""
    grouped: int
    """How many of the markets are in groups."""

    def sums(self, amounts: Ints) -> Ints:
        """For each group, the sum over its members of an amount that every market has."""
        if not self.grouped:
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(amounts[: self.grouped], self.starts)


@runtime_checkable
class Screened(Protocol):
    """A strategy that looks at the whole market in columns first."""

    def screen(self, columns: Columns) -> Sequence[int] | Ints:
        """The indices into `columns.markets` of the markets that are worth a look.

        `find` is then given a snapshot of the events of these markets alone, with all events that
        relations bind them to; where nothing is nominated it is not called.
        """
        ...


class Layout:
    """Where the markets of a universe stand in columns: the part that books do not change."""

    def __init__(self, universe: Universe) -> None:
        """Lay a universe out; takes a while for a whole market."""
        self.universe = universe
        groups = list(exclusive_groups(universe))
        ordered = [universe.markets[member] for group in groups for member in group.markets]
        inside = {market.id for market in ordered}
        self._grouped = len(ordered)
        ordered += (m for m in universe.markets.values() if m.id not in inside)
        lengths = np.array([0, *(len(group.markets) for group in groups)], dtype=np.int64)
        self._markets, self._groups = tuple(ordered), tuple(groups)
        self._yes = tuple(market.yes for market in ordered)
        self._no = tuple(market.no for market in ordered)
        self._rates = _fixed([fee_rate(market) for market in ordered])
        self._starts = _fixed(np.cumsum(lengths)[:-1])

    def columns(self, books: Books) -> Columns:
        """The columns with the best asks of these books."""
        return Columns(
            markets=self._markets,
            yes=_fixed(books.best_asks(self._yes)),
            no=_fixed(books.best_asks(self._no)),
            rates=self._rates,
            groups=self._groups,
            starts=self._starts,
            grouped=self._grouped,
        )


LayOut: TypeAlias = Callable[[Universe], Layout]


def nominated(strategy: Screened, columns: Columns) -> list[MarketId]:
    """The markets that a strategy nominates.

    Raises:
        TypeError: The answer holds something else than indices, for instance flags.
        IndexError: One is not of a market.
    """
    chosen = np.asarray(strategy.screen(columns))
    if not chosen.size:
        return []
    if chosen.dtype.kind not in "iu":
        raise TypeError(f"a screen names indices of markets, not {chosen.dtype}")
    if chosen.min() < 0 or chosen.max() >= len(columns.markets):
        raise IndexError(f"a screen named a market that is none of {len(columns.markets)}")
    return [columns.markets[index].id for index in chosen.tolist()]


def exclusive_groups(universe: Universe) -> Iterator[Exclusive]:
    """The groups of more than one market of which at most one comes true."""
    for relation in universe.relations:
        if isinstance(relation, Exclusive) and len(relation.markets) > 1:
            yield relation


def fee_rate(market: Market) -> int:
    """The rate in millionths of the common form of fees; 0 for every other form.

    Nothing is left out for a fee that the columns cannot hold.
    """
    if not isinstance(market.fees, CurveFees) or market.fees.exponent != 1:
        return 0
    return int(market.fees.rate * MICRO)


def fee_least(price: Amount, rate: Amount) -> Amount:
    """The fee of a share, rate · p · (1 - p), in 10^-12 USD and rounded down."""
    return rate * price // MICRO * (MICRO - price)


def _fixed(numbers: Sequence[int] | Ints) -> Ints:
    column = np.array(numbers, dtype=np.int64)
    column.flags.writeable = False
    return column
