"""Taker fees as the exchange charges them."""

import json
from decimal import Decimal

import pytest

from arb.domain.fees import FREE, CurveFees
from arb.domain.money import Price, Shares


def test_the_fees_charged_on_chain_are_reproduced_21_of_21(recording):
    fills = json.loads(
        recording("fees/chain_order_filled_taker_fees.json").read_text(), parse_float=Decimal
    )
    matched = 0
    for fill in fills:
        shares = fill["taker_amount_filled" if fill["side"] == "BUY" else "maker_amount_filled"]
        schedule = CurveFees(Decimal(fill["fee_rate"]))
        fee = schedule.taker(Price(Decimal(fill["price"])), Shares(Decimal(shares) / 1_000_000))
        matched += fee * 1_000_000 == Decimal(fill["fee"])
    assert matched == len(fills) == 21


@pytest.mark.parametrize(
    ("price", "size", "rate", "fee"),
    [
        ("0.337", "7", "0.04", "0.06256"),
        ("0.41", "13.33", "0.05", "0.16122"),
        ("0.5", "100", "0.07", "1.75"),
        ("0.01", "100", "0.05", "0.0495"),
    ],
)
def test_worked_examples(price, size, rate, fee):
    schedule = CurveFees(Decimal(rate))
    assert schedule.taker(Price(Decimal(price)), Shares(Decimal(size))) == Decimal(fee)


def test_yes_at_p_costs_the_same_fee_as_no_at_one_minus_p():
    schedule = CurveFees(Decimal("0.05"))
    size = Shares(Decimal("12.34"))
    assert schedule.taker(Price(Decimal("0.3")), size) == schedule.taker(
        Price(Decimal("0.7")), size
    )


def test_free_is_free():
    assert FREE.taker(Price(Decimal("0.5")), Shares(Decimal(1000))) == 0


@pytest.mark.parametrize(("rate", "exponent"), [("-0.01", 1), ("1.01", 1), ("0.04", -1), ("0", 9)])
def test_an_impossible_schedule_is_refused(rate, exponent):
    with pytest.raises(ValueError, match="fee"):
        CurveFees(Decimal(rate), exponent)


@pytest.mark.parametrize("rate", ["NaN", "sNaN", "Infinity", "-1", "1.1", "1e99999"])
def test_a_rate_that_is_no_share_is_refused_by_name(rate):
    with pytest.raises(ValueError, match="not within"):
        CurveFees(Decimal(rate))
