"""Kelly, both ways, and sizes that fit a purse."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arb.domain.opportunity import Exit
from arb.domain.report import FillRecord
from arb.sizing import (
    SizingOptions,
    arbitrage_kelly,
    calculate_kelly_fraction,
    growth_optimal,
    learned,
)


@pytest.mark.parametrize(
    ("p", "b", "fraction"),
    [
        (1, "0.02", "0.25"),
        ("0.9", "0.02", "0"),
        ("0.99", "0.02", "0.245"),
        ("0.6", "1", "0.1"),
        ("0.5", "0", "0"),
    ],
)
def test_the_classical_fraction_is_halved_and_capped(p, b, fraction):
    assert calculate_kelly_fraction(Decimal(p), Decimal(b)) == Decimal(fraction)


def test_floats_of_the_users_scripts_are_taken_at_their_word():
    assert calculate_kelly_fraction(0.6, 1.0, 0.25, 0.5) == Decimal("0.1")


@pytest.mark.parametrize("p", ["-0.1", "1.1"])
def test_a_probability_outside_its_range_is_refused(p):
    with pytest.raises(ValueError, match="win_probability"):
        calculate_kelly_fraction(Decimal(p), Decimal(1))


@pytest.mark.parametrize(
    ("r", "p_all", "loss", "tail", "best"),
    [
        # The table of docs/proof.md §6, with everything lost in the tail.
        ("0.02", "0.90", "0.03", "0.001", "0.94"),
        ("0.02", "0.90", "0.03", "0.005", "0.69"),
        ("0.01", "0.90", "0.03", "0.005", "0.24"),
        ("0.005", "0.90", "0.03", "0.005", "0"),
        ("0.02", "0.70", "0.03", "0.005", "0.27"),
        ("0.05", "0.50", "0.05", "0", "0"),
        ("0.02", "0.90", "0.03", "0", "25.0"),
    ],
)
def test_the_growth_optimal_fraction_of_an_arbitrage(r, p_all, loss, tail, best):
    p, e = Decimal(p_all), Decimal(tail)
    found = growth_optimal(
        [(p * (1 - e), Decimal(r)), (1 - p, -Decimal(loss)), (p * e, Decimal(-1))]
    )
    assert abs(found - Decimal(best)) < Decimal("0.01")


def test_what_is_cashed_at_once_has_no_tail():
    options = SizingOptions()
    thin = Decimal("0.0043")
    assert arbitrage_kelly(thin, Exit.NOW, options) == Decimal("0.25")
    assert arbitrage_kelly(thin, Exit.RESOLUTION, options) == 0


@settings(max_examples=200)
@given(st.integers(1, 200), st.integers(1, 200))
def test_the_fraction_is_bounded_and_grows_with_the_edge(a, b):
    low, high = sorted((Decimal(a) / 1000, Decimal(b) / 1000))
    options = SizingOptions()
    f_low, f_high = (arbitrage_kelly(r, Exit.RESOLUTION, options) for r in (low, high))
    assert 0 <= f_low <= f_high + Decimal("1e-12") <= Decimal("0.25") + Decimal("1e-12")


@pytest.mark.parametrize(
    ("filled", "unfilled", "lost", "chance", "loss"),
    [
        (19, 0, "0", "0.9", "0.03"),  # too few
        (20, 0, "0", "0.95", "0.03"),
        (60, 20, "2", "0.78", "0.065"),
        (0, 100, "90", "0.15", "0.755"),
        (980, 0, "0", "0.998", "0.03"),
    ],
)
def test_the_record_counts_beside_the_setting_from_enough_plans_on(
    filled, unfilled, lost, chance, loss
):
    """The settings weigh as much as 20 plans that ended as they say."""
    options = SizingOptions(learn_after=20)
    record = FillRecord(filled=filled, unfilled=unfilled, lost=Decimal(lost))
    found = learned(options, record)
    assert (found.fill_probability, found.partial_loss) == (Decimal(chance), Decimal(loss))


def test_without_the_setting_or_a_record_nothing_is_learned():
    record = FillRecord(filled=0, unfilled=1000, lost=Decimal(1000))
    assert learned(SizingOptions(), record) == SizingOptions()
    assert learned(SizingOptions(learn_after=1), None) == SizingOptions(learn_after=1)


def test_a_loss_is_never_more_than_all():
    record = FillRecord(filled=0, unfilled=10, lost=Decimal(50))
    assert learned(SizingOptions(learn_after=1), record).partial_loss == 1
