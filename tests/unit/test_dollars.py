"""What dollars buy, against what the venue answered, and what an order that takes is signed as."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arb.domain.book import walk
from arb.domain.dollars import fewest, most, spend, whole_cents
from arb.domain.fees import CurveFees
from arb.domain.market import Side
from arb.domain.money import CENT, Price, Shares, Usd, from_micro, notional
from arb.domain.order import Order, OrderId, OrderKey, PlanId, order_id
from arb.domain.venue import TimeInForce
from arb.testing import builders as make

MICRO = Decimal("0.000001")


@pytest.mark.parametrize(
    ("dollars", "limit", "price", "shares", "paid"),
    [
        # Live answers of the venue, quoted in public reports.
        ("1", "0.07", "0.07", "14.285713", "0.999999"),
        ("1.52", "0.71", "0.71", "2.140844", "1.519999"),
        ("2.5", "0.35", "0.35", "7.142856", "2.499999"),
        ("4.95", "0.99", "0.98", "5.051019", "4.949998"),
        # What comes out even is spent to the last cent.
        ("4.80", "0.96", "0.96", "5", "4.8"),
    ],
)
def test_dollars_buy_what_the_venue_answered(dollars, limit, price, shares, paid):
    bought = spend(make.levels([(price, "1000")]), Usd(Decimal(dollars)), Price(Decimal(limit)))
    assert (bought.shares, bought.value) == (Decimal(shares), Decimal(paid))
    assert bought.whole


def test_dollars_walk_down_the_levels_to_their_limit():
    levels = make.levels([("0.60", "20"), ("0.70", "20"), ("0.80", "50")])
    bought = spend(levels, Usd(Decimal("26")), Price(Decimal("0.70")))
    assert [(fill.price, fill.size) for fill in bought.fills] == [
        (Decimal("0.60"), 20),
        (Decimal("0.70"), 20),
    ]
    assert bought.whole
    beyond = spend(levels, Usd(Decimal("26.01")), Price(Decimal("0.70")))
    assert (beyond.shares, beyond.unspent, beyond.whole) == (40, CENT, False)


@st.composite
def ladders(draw):
    tick = Decimal(draw(st.sampled_from(["0.1", "0.01", "0.005", "0.001", "0.0001"])))
    places = draw(st.sets(st.integers(1, int(1 / tick) - 1), min_size=1, max_size=5))
    return make.levels(
        (str(place * tick), str(from_micro(draw(st.integers(1, 80_000_000)))))
        for place in sorted(places)
    )


cents = st.integers(100, 20_000).map(lambda n: Usd(n * CENT))


@settings(max_examples=500)
@given(ladders(), cents)
def test_no_more_is_bought_than_is_offered_or_paid_for(levels, dollars):
    limit = levels[-1].price
    bought = spend(levels, dollars, limit)
    assert bought.value + bought.unspent == dollars
    assert bought.value <= dollars
    assert all(f.size <= level.size for f, level in zip(bought.fills, levels, strict=False))
    # Every level but the last one is taken whole: the best liquidity first.
    assert all(f == level for f, level in zip(bought.fills[:-1], levels, strict=False))
    exact = sum(Fraction(f.price) * Fraction(f.size) for f in bought.fills)
    assert 0 <= exact - Fraction(bought.value) < len(bought.fills) * Fraction(1, 10**6)
    if bought.whole:
        assert bought.shares >= fewest(dollars, limit)
        assert bought.shares <= most(dollars, levels[0].price) + len(bought.fills) * MICRO


@settings(max_examples=500)
@given(ladders(), st.integers(1, 6000))
def test_the_whole_cents_of_some_shares_buy_those_shares(levels, hundredths):
    size = Shares(hundredths * CENT)
    walked = list(walk(levels, size))
    if sum(piece.size for piece in walked) < size:
        return
    dollars = whole_cents(Usd(sum(notional(piece.price, piece.size) for piece in walked)))
    bought = spend(levels, dollars, levels[-1].price)
    if bought.whole:
        assert bought.shares >= size
        rest = bought.value - sum(notional(piece.price, piece.size) for piece in walked)
        assert rest < CENT


@settings(max_examples=300)
@given(ladders(), cents, st.integers(0, 4))
def test_a_better_book_buys_no_fewer_shares(levels, dollars, place):
    better = list(levels)
    number = min(place, len(levels) - 1)
    cheaper = Price(levels[number].price / 2)
    if (number and cheaper <= levels[number - 1].price) or cheaper < Decimal("0.0001"):
        return
    cheaper = Price(cheaper.quantize(MICRO))
    better[number] = type(levels[0])(cheaper, levels[number].size)
    before = spend(levels, dollars, levels[-1].price)
    after = spend(better, dollars, levels[-1].price)
    if before.whole and after.whole:
        assert after.shares >= before.shares - len(levels) * MICRO


@settings(max_examples=500)
@given(
    cents,
    st.sampled_from(["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"]),
    st.integers(1, 9999),
    st.sampled_from([Side.BUY, Side.SELL]),
)
def test_what_is_signed_reaches_its_limit_and_no_next_price(dollars, tick, place, side):
    limit = Price(Decimal(tick) * (place % (int(1 / Decimal(tick)) - 1) + 1))
    order = Order(
        id=OrderId("p/0/BUY/1"),
        outcome=make.market("m").yes,
        market=make.market("m").id,
        side=side,
        limit=limit,
        size=Shares(dollars),
        time_in_force=TimeInForce.FOK,
        expires_at=make.NOON,
        spend=dollars if side is Side.BUY else None,
    )
    given_, asked = order.amounts
    assert given_ % CENT == 0
    assert asked % (Decimal("0.001") if tick == "0.1" else Decimal("0.0001")) == 0
    price = (
        Fraction(given_) / Fraction(asked)
        if side is Side.BUY
        else Fraction(asked) / Fraction(given_)
    )
    if side is Side.BUY:
        assert Fraction(limit) <= price < Fraction(limit) + Fraction(tick)
    else:
        assert Fraction(limit) - Fraction(tick) < price <= Fraction(limit)


@settings(max_examples=300)
@given(
    cents,
    st.sampled_from(["0", "0.04", "0.07", "0.25"]),
    st.integers(0, 3),
    st.integers(1, 99),
    st.integers(1, 99),
)
def test_no_price_within_the_limit_is_charged_more_than_the_most(
    dollars, rate, exponent, limit, price
):
    fees = CurveFees(Decimal(rate), exponent)
    limit, price = sorted((limit, price), reverse=True)
    bought = spend(make.levels([(str(price * CENT), "10000000")]), dollars, Price(limit * CENT))
    charged = sum(fees.taker(fill.price, fill.size) for fill in bought.fills)
    assert charged <= fees.most(dollars, Price(limit * CENT), Price(CENT))


def test_an_orders_id_has_parts_and_they_make_it():
    key = OrderKey(PlanId("57cc4279b1f971ea"), 3, Side.BUY, 2)
    assert key.id == order_id(key.plan, 3, Side.BUY, 2) == "57cc4279b1f971ea/3/BUY/2"
    assert OrderKey.parse(key.id) == key
    for wrong in ("", "p/3/BUY", "p/x/BUY/1", "p/3/HOLD/1", "p/3/BUY/one"):
        with pytest.raises(ValueError):
            OrderKey.parse(OrderId(wrong))
