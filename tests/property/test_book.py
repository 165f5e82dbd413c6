"""Books held as columns of micro-units: the same books, refused for the same reasons."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.book import Level, Levels, OrderBook, columns, mirrored, prices_of
from arb.domain.market import OutcomeId
from arb.domain.money import MICRO, Price, Shares, from_micro, plain

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
amounts = st.one_of(st.integers(-(10**20), 10**20), st.integers(-300, 300).map(lambda n: n * 10**5))
pairs = st.lists(
    st.tuples(
        st.one_of(st.integers(-2, MICRO + 2), st.integers(1, 9).map(lambda n: n * MICRO // 10)),
        st.one_of(st.integers(-2, 10**14), st.integers(1, 99).map(lambda n: n * MICRO)),
    ),
    max_size=6,
)
tidy = st.dictionaries(st.integers(1, MICRO - 1), st.integers(1, 10**14), max_size=8).map(
    lambda found: sorted(found.items())
)


def _levels(rows):
    return Levels([price for price, _ in rows], [size for _, size in rows])


def _tuple(rows):
    return tuple(Level(Price(from_micro(price)), Shares(from_micro(size))) for price, size in rows)


def _book(bids, asks):
    try:
        return OrderBook(
            outcome=OutcomeId(POLYMARKET, "1"), bids=bids, asks=asks, received_at=NOON
        ), ""
    except ValueError as error:
        return None, str(error)


@given(amounts)
def test_an_amount_has_the_digits_that_it_needs_and_no_others(micro):
    found = from_micro(micro)
    assert found.as_tuple() == plain(Decimal(micro) / MICRO).as_tuple()
    assert found * MICRO == micro


@given(pairs, pairs)
def test_columns_are_checked_as_strictly_as_levels(bids, asks):
    book, refused = _book(_levels(bids), _levels(asks))
    expected, why = _book(_tuple(bids), _tuple(asks))
    assert (book, refused) == (expected, why)
    assert _refused(bids, rising=False) or _refused(asks, rising=True) or book is not None


def _refused(rows, *, rising):
    prices = [price for price, _ in rows]
    fine = all(0 < price < MICRO and size > 0 for price, size in rows)
    return not fine or prices != sorted(set(prices), reverse=not rising)


@pytest.mark.parametrize("form", [_levels, _tuple])
@pytest.mark.parametrize(
    ("bids", "asks", "refused"),
    [
        ([(500_000, 1), (400_000, 1)], [(600_000, 1), (700_000, 1)], ""),
        ([(MICRO, 1), (400_000, 1)], [], "impossible level 0.000001 @ 1"),
        ([(500_000, 1), (0, 1)], [], "impossible level 0.000001 @ 0"),
        ([(500_000, 1), (400_000, 0), (300_000, 1)], [], "impossible level 0 @ 0.4"),
        ([(500_000, 1), (400_000, -MICRO)], [], "impossible level -1 @ 0.4"),
        ([(500_000, 1), (500_000, 1)], [], "bids are not in falling order"),
        ([(500_000, 1), (300_000, 1), (400_000, 1)], [], "bids are not in falling order"),
        ([], [(500_000, 1), (500_000, 1)], "asks are not in rising order"),
        ([], [(600_000, 1), (500_000, 1), (700_000, 1)], "asks are not in rising order"),
        ([], [(0, 1), (500_000, 1)], "impossible level 0.000001 @ 0"),
        ([], [(500_000, 1), (MICRO, 1)], "impossible level 0.000001 @ 1"),
    ],
)
def test_a_book_that_cannot_be_is_refused(form, bids, asks, refused):
    book, why = _book(form(bids), form(asks))
    assert (why, book is None) == (refused, bool(refused))


@given(tidy)
def test_columns_read_as_the_levels_they_stand_for(rows):
    levels, plain_levels = _levels(rows), _tuple(rows)
    assert levels == plain_levels and plain_levels == levels and hash(levels) == hash(plain_levels)
    assert levels == _levels(rows)
    assert [str(n) for level in levels for n in level] == [
        str(n) for level in plain_levels for n in level
    ]
    assert (len(levels), bool(levels), levels[:2]) == (len(rows), bool(rows), plain_levels[:2])
    assert [tuple(column) for column in columns(levels)] == [
        tuple(column) for column in columns(plain_levels)
    ]
    assert [str(price) for price in prices_of(levels)] == [str(x.price) for x in plain_levels]
    assert mirrored(levels) == mirrored(plain_levels)
    assert mirrored(mirrored(levels)) == levels


@given(tidy, tidy, st.data())
def test_books_mirror_each_other_in_either_form(bids, asks, data):
    yes, _ = _book(_levels(bids[::-1]), _levels(asks))
    for form in (_levels, _tuple):
        no, _ = _book(mirrored(form(asks)), mirrored(form(bids[::-1])))
        assert yes.mirrors(no) and no.mirrors(yes)
    if asks:
        at = data.draw(st.integers(0, len(asks) - 1))
        price, size = asks[at]
        other, _ = _book(
            _levels(bids[::-1]), _levels([*asks[:at], (price, size + 1), *asks[at + 1 :]])
        )
        assert not other.mirrors(no) and not no.mirrors(other)


def test_columns_of_different_length_are_no_levels():
    with pytest.raises(ValueError, match="2 prices of 1 sizes"):
        Levels([1, 2], [1])
