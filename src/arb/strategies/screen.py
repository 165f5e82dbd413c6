"""A scan of the whole market at once, on integer columns.

The screen only nominates, and generously: whatever could have a proved profit is nominated, since
the first share of every leg is the cheapest one and fees are rounded down here. Every nominee is
then walked and proved exactly. Prices are in millionths, sums in 10^-12 USD.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from arb.domain.fees import CurveFees
from arb.domain.market import Exclusive, Market, OutcomeId, Universe
from arb.domain.money import MICRO
from arb.domain.snapshot import Snapshot

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
PICO = MICRO * MICRO


@dataclass(frozen=True, slots=True)
class Columns:
    """The parts of a universe that do not change between looks, laid out for arithmetic.

    The members of each exclusive group stand side by side from `starts[g]` on; the markets of all
    groups come first, the others after them.
    """

    markets: tuple[Market, ...]
    yes: tuple[OutcomeId, ...]
    no: tuple[OutcomeId, ...]
    rates: Ints
    """Fee rate of each market in millionths; 0 where it is unknown or not of the common form."""
    groups: tuple[Exclusive, ...]
    starts: Ints
    grouped: int
    """How many of the markets are in groups."""


@dataclass(frozen=True, slots=True)
class Nominees:
    """Where prices before fees leave an edge: indices into `markets` and `groups`."""

    binary: Sequence[int]
    buy_no: Sequence[int]
    buy_yes: Sequence[int]
    no_survives_fees: Flags
    """For each group, whether the best quotes for NO leave something after fees."""
    yes_survives_fees: Flags


_columns: WeakKeyDictionary[Universe, Columns] = WeakKeyDictionary()
_nominees: WeakKeyDictionary[Snapshot, Nominees] = WeakKeyDictionary()


def columns(universe: Universe) -> Columns:
    """The universe's columns, laid out once per universe."""
    laid_out = _columns.get(universe)
    if laid_out is None:
        laid_out = _columns[universe] = _lay_out(universe)
    return laid_out


def nominate(snapshot: Snapshot) -> Nominees:
    """Every market and group whose best quotes show an edge before fees; worked out once."""
    found = _nominees.get(snapshot)
    if found is None:
        laid_out = columns(snapshot.universe)
        yes = np.asarray(snapshot.books.best_asks(laid_out.yes), dtype=np.int64)
        no = np.asarray(snapshot.books.best_asks(laid_out.no), dtype=np.int64)
        found = screen(yes, no, laid_out.rates, laid_out.starts, laid_out.grouped)
        _nominees[snapshot] = found
    return found


def screen(yes: Ints, no: Ints, rates: Ints, starts: Ints, grouped: int) -> Nominees:
    """The screen proper, on columns: best asks of YES and NO (0: none) and fee rates."""
    binary = np.flatnonzero((yes > 0) & (no > 0) & (yes + no < MICRO))
    nothing = np.zeros(0, dtype=np.bool_)
    if not grouped:
        return Nominees(binary.tolist(), [], [], nothing, nothing)

    yes, no, rates = yes[:grouped], no[:grouped], rates[:grouped]
    no_gain = np.where(no > 0, MICRO - no, 0)
    no_edge = np.add.reduceat(no_gain, starts) > MICRO
    yes_edge = np.add.reduceat(yes, starts) < MICRO
    # Fees: rate · p · (1 - p), in 10^-12 USD and rounded down.
    no_net = np.where(no > 0, PICO - no * MICRO - rates * no // MICRO * (MICRO - no), 0)
    yes_cost = yes * MICRO + rates * yes // MICRO * (MICRO - yes)
    return Nominees(
        binary.tolist(),
        np.flatnonzero(no_edge).tolist(),
        np.flatnonzero(yes_edge).tolist(),
        np.add.reduceat(np.maximum(no_net, 0), starts) > PICO,
        np.add.reduceat(yes_cost, starts) < PICO,
    )


def _lay_out(universe: Universe) -> Columns:
    groups = [
        relation
        for relation in universe.relations
        if isinstance(relation, Exclusive) and len(relation.markets) > 1
    ]
    ordered = [universe.markets[member] for group in groups for member in group.markets]
    inside = {market.id for market in ordered}
    ordered_all = [*ordered, *(m for m in universe.markets.values() if m.id not in inside)]
    lengths = np.array([0, *(len(group.markets) for group in groups)], dtype=np.int64)
    return Columns(
        markets=tuple(ordered_all),
        yes=tuple(market.yes for market in ordered_all),
        no=tuple(market.no for market in ordered_all),
        rates=np.array([_rate(market) for market in ordered_all], dtype=np.int64),
        groups=tuple(groups),
        starts=np.cumsum(lengths)[:-1] if groups else np.zeros(0, dtype=np.int64),
        grouped=len(ordered),
    )


def _rate(market: Market) -> int:
    if not isinstance(market.fees, CurveFees) or market.fees.exponent != 1:
        return 0  # nothing is left out for a fee that the columns cannot hold
    return int(market.fees.rate * MICRO)
