"""What a certificate says of money, with tokens of different decimals, worked out by hand."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from arb.net.rpc import Block
from arb.onchain.spreads.certificate import Certificate
from arb.onchain.spreads.options import SpreadOptions
from arb.onchain.spreads.pools import Hop, PairPool, TickPool, Token, Way, amounts

USDC = Token(address="0x" + "11" * 20, symbol="USDC", decimals=6)
WETH = Token(address="0x" + "22" * 20, symbol="WETH", decimals=18)
MILLION, ETHER, GWEI = 10**6, 10**18, 10**9


def pair(usd, weth, fee=3000):
    return PairPool(
        address=f"0x{usd:040x}",
        tokens=(USDC, WETH),
        reserves=(usd * MILLION, weth * ETHER),
        fee=fee,
    )


@pytest.fixture
def found():
    way = Way((Hop(pair(2_000_000, 1000), USDC.address), Hop(pair(2_060_000, 1000), WETH.address)))
    return Certificate(
        chain="base",
        block=Block(number=7, hash="0xab", timestamp=100, base_fee=GWEI),
        age=3.0,
        way=way,
        amounts=tuple(amounts(way.hops, 10_000 * MILLION)),
        gas=200_000,
        gas_limit=250_000,
        gas_price=2 * GWEI,
        fee=4 * GWEI,
        tip=GWEI,
        # A wei costs 2060e6 / 1e18 smallest units of USDC.
        coin=Fraction(2060 * MILLION, ETHER),
        simulated=True,
    )


def test_amounts_are_in_dollars_whatever_the_decimals(found):
    assert found.spread == Decimal("0.03")
    assert found.input_usd == 10_000
    assert found.gain_usd.quantize(Decimal("0.01")) == Decimal("137.37")
    # 200,000 at 2 gwei are 0.0004 ETH, at 2060 USD 0.824; at worst 250,000 at 4 gwei, 2.06.
    assert found.gas_usd == Decimal("0.824000")
    assert found.loss_usd == Decimal("2.060000")
    assert found.profit_usd == found.gain_usd - Decimal("0.824")
    # 0.3 % of 10,000 USD, and 0.3 % of 4.96027… WETH at the first pool's 2000 USD.
    assert found.fees_usd.quantize(Decimal("0.01")) == Decimal("59.76")
    # The worst swap: 9,970 USD after the fee into 2,000,000, so 1 - 1 / 1.004985.
    assert found.impact == Decimal("49.60")


def test_measures_and_thresholds(found):
    measures = found.measures()
    assert (measures["gas"], measures["mev_risk"], measures["legs"]) == (
        found.gas_usd,
        found.impact,
        2,
    )
    options = SpreadOptions()
    assert found.against(options) == ""
    assert "is below 137" in found.against(replace(options, min_profit_usd=Decimal(137)))
    assert "31 s old" in replace(found, age=31.0).against(options)
    assert replace(found, problem="simulated: no").against(options) == "simulated: no"
    said = found.document(options)
    assert Decimal(said["if_the_block_stands"]) == found.profit_usd
    assert Decimal(said["if_not"]) == -found.loss_usd
    assert said["decision"] == "approved" and said["swaps"][0]["units_in"] == str(10**10)


def test_the_id_is_of_the_block_the_swaps_and_the_input(found):
    ids = {
        found.id,
        replace(found, flash=True).id,
        replace(found, amounts=(1, *found.amounts[1:])).id,
        replace(found, block=replace(found.block, hash="0xac")).id,
    }
    assert len(ids) == 4
    assert replace(found, gas=1).id == found.id


def test_the_root_of_a_v3_pool_is_its_price():
    # 2000 USDC for a WETH: 5e8 wei for a smallest unit of USDC, the first token.
    root = int(Decimal(5 * 10**8).sqrt() * 2**96)
    pool = TickPool(address="0x" + "33" * 20, tokens=(USDC, WETH), fee=500, root=root, quoter="0x")
    price = pool.price(WETH.address) * ETHER / MILLION
    assert abs(price - 2000) < Fraction(1, 10**12)
    assert pool.price(USDC.address) * pool.price(WETH.address) == 1
