"""The venue's contracts on Polygon, in lower case (docs/venue-polymarket.md §7.1)."""

from arb.exchange.market.listing import SimMarket

CHAIN_ID = 137
COLLATERAL = "0xc011a7e12a19f7b1f670d46f03b03f3342e82dfb"
CONDITIONAL_TOKENS = "0x4d97dcd97ec945f40cf65f87097ace5ea0476045"
POSITION_MANAGER = "0x006f54f7f9a22e0000cc2ab60031000000ae9fef"
STANDARD_EXCHANGE = "0xe111180000d2663c0091e4f400237545b87b996b"
NEG_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310f59"
EXCHANGE_V3 = "0xe3333700ca9d93003f00f0f71f8515005f6c00aa"
COLLATERAL_ADAPTER = "0xada100db00ca00073811820692005400218fce1f"
NEG_RISK_COLLATERAL_ADAPTER = "0xada2005600dec949baf300f4c6120000bdb6eaab"
ROUTER = "0x12121212006e4cd160d18e3f00711da5c3372600"
AUTO_REDEEMER = "0xa1200000d0002264c9a1698e001292d00e1b00af"
BINARY_MODULE = "0x1000008dd9001b968442c1000017eae6e0da00ba"
NEG_RISK_MODULE = "0x200000900045e3b6259600682756002200028933"
PERPS_DEPOSIT = "0xdca4af75705dbb50f62437045aff9921947917d2"

SPENDERS = (
    STANDARD_EXCHANGE,
    NEG_RISK_EXCHANGE,
    COLLATERAL_ADAPTER,
    NEG_RISK_COLLATERAL_ADAPTER,
    ROUTER,
    EXCHANGE_V3,
    PERPS_DEPOSIT,
)
"""Spenders that may be allowed to take dollars."""
OPERATORS = (
    *(
        (CONDITIONAL_TOKENS, operator)
        for operator in (
            STANDARD_EXCHANGE,
            NEG_RISK_EXCHANGE,
            COLLATERAL_ADAPTER,
            NEG_RISK_COLLATERAL_ADAPTER,
            AUTO_REDEEMER,
            BINARY_MODULE,
            NEG_RISK_MODULE,
        )
    ),
    *((POSITION_MANAGER, operator) for operator in (ROUTER, EXCHANGE_V3, AUTO_REDEEMER)),
)
"""Token contract and the operators that may be allowed to move its tokens."""
RESERVED_BITS = ((1 << 64) - 1) << 40


def is_position(token: str) -> bool:
    """Whether an id belongs to protocol v2 (docs/venue-polymarket.md §6.3)."""
    return int(token) & RESERVED_BITS == 0


def exchange_of(market: SimMarket) -> str:
    """The contract that settles a market's trades."""
    if is_position(market.yes):
        return EXCHANGE_V3
    return NEG_RISK_EXCHANGE if market.neg_risk else STANDARD_EXCHANGE


def token_contract(token: str) -> str:
    """The contract that keeps a token's balances."""
    return POSITION_MANAGER if is_position(token) else CONDITIONAL_TOKENS
