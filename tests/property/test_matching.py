"""The exchange's matching core: nothing is made or lost, best price and oldest first."""

from hypothesis import given
from hypothesis import strategies as st

from arb.domain.market import Side
from arb.domain.money import MICRO
from arb.exchange.market.matching import (
    Incoming,
    Life,
    MarketBook,
    in_yes_terms,
    mirrored,
)

orders = st.lists(
    st.tuples(
        st.sampled_from(list(Side)),
        st.integers(1, 99).map(lambda cents: cents * 10_000),
        st.integers(1, 50).map(lambda shares: shares * MICRO),
        st.sampled_from(list(Life)),
        st.booleans(),
    ),
    max_size=40,
)


def _incoming(number, order):
    side, price, size, life, for_no = order
    made = Incoming(str(number), side, price, size, life)
    return in_yes_terms(made) if for_no else made


@given(orders)
def test_sizes_are_conserved_and_the_book_is_never_crossed(stream):
    book = MarketBook()
    offered = matched = killed = 0
    for number, order in enumerate(stream):
        incoming = _incoming(number, order)
        result = book.submit(incoming)
        traded = sum(match.size for match in result.matches)
        assert traded + result.resting + result.killed == incoming.size
        if incoming.life is Life.ALL_OR_NOTHING:
            assert traded in (0, incoming.size)
        for match in result.matches:
            better = match.price <= incoming.price
            assert better if incoming.side is Side.BUY else match.price >= incoming.price
        offered += incoming.size
        matched += traded
        killed += result.killed
        bids, asks = book.bids(), book.asks()
        assert not (bids and asks and bids[0][0] >= asks[0][0])
    resting = sum(size for side in (book.bids(), book.asks()) for _, size in side)
    assert offered == 2 * matched + killed + resting


@given(orders)
def test_makers_are_taken_by_price_and_then_by_time(stream):
    book = MarketBook()
    for number, order in enumerate(stream):
        incoming = _incoming(number, order)
        matches = book.submit(incoming).matches
        sign = 1 if incoming.side is Side.BUY else -1
        keys = [(sign * match.price, int(match.maker)) for match in matches]
        assert keys == sorted(keys)


@given(orders)
def test_cancelling_gives_back_exactly_what_rested(stream):
    book = MarketBook()
    resting = {}
    for number, order in enumerate(stream):
        result = book.submit(_incoming(number, order))
        resting[str(number)] = result.resting
        for match in result.matches:
            resting[match.maker] -= match.size
    assert all(book.cancel(id_) == size for id_, size in resting.items())
    assert not book.bids()
    assert not book.asks()


@given(orders)
def test_the_two_views_are_exact_mirrors(stream):
    book = MarketBook()
    for number, order in enumerate(stream):
        book.submit(_incoming(number, order))
    assert mirrored(mirrored(book.bids())) == book.bids()
    assert in_yes_terms(in_yes_terms(Incoming("a", Side.BUY, 300_000, 1))) == Incoming(
        "a", Side.BUY, 300_000, 1
    )
