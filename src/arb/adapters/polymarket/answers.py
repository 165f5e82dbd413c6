"""What the venue's words prove: trades as fills, refusals, and errors of a post."""

from dataclasses import replace
from decimal import Decimal

import httpx
from polymarket.errors import (
    RateLimitError,
    RequestRejectedError,
    TransportError,
    UserInputError,
)

from arb.adapters.polymarket.rows import TradeRow
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.fees import CurveFees
from arb.domain.market import MarketId, OutcomeId, Side
from arb.domain.money import NO_USD, ONE, Price, Shares
from arb.domain.order import Answer, Fill, Final, OrderId, TradeState, Unknown

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""What happens before the first byte of a request is written."""
REFUSALS = frozenset(
    {
        "market_not_ready",
        "not_enough_balance",
        "invalid_nonce",
        "invalid_expiration",
        "post_only_would_cross",
        "post_only_mode",
        "fok_not_filled",
        "fak_not_filled",
    }
)
"""Codes of the client that prove that an order was not accepted."""
REFUSING = frozenset({400, 401, 403, 404, 405, 413, 422, 425, 429, 451})
"""HTTP statuses by which a request is turned away before it is carried out."""
STATES = {"CONFIRMED": TradeState.CONFIRMED, "FAILED": TradeState.VOIDED}
KNOWN_STATES = frozenset({*STATES, "MATCHED", "MATCHED_NOT_BROADCASTED", "MINED", "RETRYING"})


def made(trade: TradeRow, ref: str, market: MarketId) -> tuple[Fill, ...]:
    """The fills of a resting order of ours in a trade with another taker."""
    return tuple(
        _fill(trade, ref, market, piece.asset_id, piece.side, piece.price, piece.matched_amount)
        for piece in trade.maker_orders
        if piece.order_id == ref
    )


def taken(trade: TradeRow, ref: str, market: MarketId, schedule: CurveFees) -> tuple[Fill, ...]:
    """The taker's side, piece by piece, each at the price that its maker had asked."""
    pieces = [
        (
            piece.price if piece.asset_id == trade.asset_id else ONE - piece.price,
            piece.matched_amount,
        )
        for piece in trade.maker_orders
    ]
    if sum((size for _, size in pieces), Decimal(0)) != trade.size:
        pieces = [(trade.price, trade.size)]
    fills = (
        _fill(trade, ref, market, trade.asset_id, trade.side, price, size) for price, size in pieces
    )
    return tuple(replace(fill, fee=schedule.taker(fill.price, fill.size)) for fill in fills)


def _fill(
    trade: TradeRow,
    ref: str,
    market: MarketId,
    token: str,
    side: str,
    price: Decimal,
    size: Decimal,
) -> Fill:
    return Fill(
        order=OrderId(ref),
        outcome=OutcomeId(POLYMARKET, token),
        market=market,
        side=Side(side),
        price=Price(price),
        size=Shares(size),
        fee=NO_USD,
        shown=Shares(size),
        at=trade.matched_at,
        trade=trade.id,
    )


def key_expired(error: Exception) -> bool:
    """Whether the venue does not know our API key any more (fault D07)."""
    return isinstance(error, RequestRejectedError) and error.status == httpx.codes.UNAUTHORIZED


def state_of(trade: TradeRow) -> TradeState:
    """Where a trade stands between its match and the chain."""
    return STATES.get(trade.status, TradeState.PROVISIONAL)


def proven_by(error: Exception) -> Answer:  # noqa: PLR0911  # one line a kind of error
    """What an error of a post proves: only what certainly never got in is a refusal."""
    if isinstance(error, UserInputError):
        return Final((), str(error))
    if isinstance(error, RateLimitError):
        return Final((), f"rate limited: {error}")
    if isinstance(error, RequestRejectedError):
        if "duplicate" in str(error).lower():
            return Unknown()  # the venue has it: query its outcome (fault A07)
        if error.status in REFUSING or error.restriction is not None:
            return Final((), str(error), error.restriction is not None)
        return Unknown()
    if isinstance(error, TransportError) and isinstance(error.__cause__, UNSENT):
        return Final((), f"never sent: {error}")
    return Unknown()
