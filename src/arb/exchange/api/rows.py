"""Orders and trades as the venue shows them: rows of reads, events of the user channel.

docs/venue-polymarket.md §1.5 and §2.2.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from arb.domain.market import Side
from arb.domain.money import MICRO, from_micro, text
from arb.exchange.market.listing import SimMarket
from arb.exchange.trading.orders import HOUSE, NewOrder, OrderState, Piece, Receipt, Trade


def receipt(order_id: str, given: Receipt, status: str, hashes: list[str]) -> dict[str, Any]:
    """The answer to an order that was taken."""
    return {
        "success": True,
        "errorMsg": "",
        "orderID": order_id,
        "status": status,
        "makingAmount": _amount(given.making) if given.making else "",
        "takingAmount": _amount(given.taking) if given.taking else "",
        "tradeIDs": list(given.trades),
        "transactionsHashes": hashes,
    }


def rejected(message: str, *, success: bool = False) -> dict[str, Any]:
    """A row of a batch that was not accepted, or not reported."""
    return {
        "success": success,
        "errorMsg": message,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }


def order(state: OrderState, market: SimMarket) -> dict[str, Any]:
    """An order of `GET /data/orders`."""
    posted = state.order
    return {
        "id": posted.hash,
        "market": market.padded_id,
        "asset_id": posted.token,
        "owner": posted.owner,
        "maker_address": posted.wallet,
        "side": posted.side.value,
        "price": _amount(posted.price),
        "original_size": _amount(posted.size),
        "size_matched": _amount(state.matched),
        "outcome": _outcome(market, posted.token),
        "order_type": posted.life,
        "status": state.status,
        "associate_trades": list(state.trades),
        "created_at": state.placed_unix,
        "expiration": str(posted.expires),
    }


def order_event(state: OrderState, market: SimMarket, unix_ms: int) -> dict[str, Any]:
    """An order as the user channel reports it."""
    kind = "UPDATE" if state.told else "PLACEMENT"
    if not state.open and state.status not in ("MATCHED", "DELAYED"):
        kind = "CANCELLATION"
    return {
        "event_type": "order",
        **order(state, market),
        # For a BUY that never rests the venue reports dollars here.
        "original_size": _amount(_stated(state.order)),
        "type": kind,
        "order_owner": state.order.owner,
        "created_at": str(state.placed_unix),
        "timestamp": str(unix_ms),
    }


def _stated(posted: NewOrder) -> int:
    spends = posted.takes and posted.side is Side.BUY
    return posted.dollars if spends else posted.size


def trade(one: Trade, owner: str, fee_shown: str) -> dict[str, Any]:
    """A trade as an API key sees it; the upper level is always the taker's."""
    taker, market = one.taker, one.market
    return {
        "id": one.id,
        "taker_order_id": taker.hash,
        "market": market.padded_id,
        "asset_id": taker.token,
        "owner": taker.owner,
        "maker_address": taker.wallet,
        "side": taker.side.value,
        "trader_side": "TAKER" if taker.owner == owner else "MAKER",
        "price": text(average(one)),
        "size": _amount(one.size),
        "outcome": _outcome(market, taker.token),
        "status": f"TRADE_STATUS_{one.status.value}",
        "fee_rate_bps": fee_shown,
        "bucket_index": 0,
        "transaction_hash": one.transaction,
        "match_time": str(one.unix),
        "last_update": str(one.updated),
        "maker_orders": [_maker(piece, market) for piece in one.pieces],
    }


def trade_event(one: Trade, owner: str, fee_shown: str, unix_ms: int) -> dict[str, Any]:
    """A trade as the user channel reports it."""
    return {
        "event_type": "trade",
        "type": "TRADE",
        **trade(one, owner, fee_shown),
        "status": one.status.value,
        "trade_owner": owner,
        "timestamp": str(unix_ms),
    }


def _maker(piece: Piece, market: SimMarket) -> dict[str, Any]:
    return {
        "order_id": _maker_id(piece, market),
        "asset_id": piece.token,
        "maker_address": piece.wallet,
        "owner": piece.owner,
        "side": piece.side.value,
        "price": _amount(piece.price),
        "matched_amount": _amount(piece.size),
        "outcome": _outcome(market, piece.token),
        "fee_rate_bps": "0",
    }


def _maker_id(piece: Piece, market: SimMarket) -> str:
    """An order hash; of the house's liquidity at a price one that looks like it."""
    if piece.wallet != HOUSE:
        return piece.maker
    return "0x" + hashlib.sha256(f"{market.yes}/{piece.maker}".encode()).hexdigest()


def builder_trades(
    one: Trade, orders: Mapping[str, OrderState], code: str
) -> Iterator[dict[str, Any]]:
    """The parts of a trade that a builder's code is on."""
    makers = ((piece, orders.get(piece.maker)) for piece in one.pieces)
    sides = [(one.taker, one.size, one.value, sum(one.fees), "TAKER")]
    sides += [
        (state.order, piece.size, piece.price * piece.size // MICRO, 0, "MAKER")
        for piece, state in makers
        if state is not None
    ]
    for order, size, dollars, fee, kind in sides:
        if order.builder.lower() != code:
            continue
        yield {
            "id": one.id,
            "tradeType": kind,
            "takerOrderHash": one.taker.hash,
            "builder": "",
            "builderCode": order.builder,
            "builderFee": "0",
            "market": one.market.padded_id,
            "assetId": order.token,
            "side": order.side.value,
            "size": _amount(size),
            "sizeUsdc": _amount(dollars),
            "price": text(round(from_micro(dollars) / from_micro(size), 6)),
            "status": f"TRADE_STATUS_{one.status.value}",
            "outcome": _outcome(one.market, order.token),
            "outcomeIndex": 0 if order.token == one.market.yes else 1,
            "owner": order.owner,
            "maker": order.wallet,
            "transactionHash": one.transaction,
            "matchTime": str(one.unix),
            "bucketIndex": 0,
            "fee": _amount(fee),
            "feeUsdc": _amount(fee),
            "err_msg": None,
            "createdAt": _iso(one.unix),
            "updatedAt": _iso(one.updated),
        }


def _iso(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat().replace("+00:00", "Z")


def _outcome(market: SimMarket, token: str) -> str:
    return market.outcomes[0] if token == market.yes else market.outcomes[-1]


def _amount(micro: int) -> str:
    return text(from_micro(micro))


def live_trade(one: Trade, market: dict[str, Any]) -> dict[str, Any]:
    """A trade as the exchange's live activity shows it."""
    taker, yes = one.taker, one.taker.token == one.market.yes
    return {
        "event_type": "trade",
        "market": market,
        "user": {
            "address": taker.wallet,
            "username": taker.wallet,
            "profile_picture": "",
            "optimized_profile_picture": "",
            "pseudonym": f"Wallet {taker.wallet[:8]}",
        },
        "side": taker.side.value,
        "size": text(from_micro(one.size)),
        "fee_rate_bps": "0",
        "price": text(average(one)),
        "outcome": one.market.outcomes[0 if yes else -1],
        "outcome_index": 0 if yes else 1,
        "transaction_hash": one.transaction,
        "timestamp": str(one.unix),
    }


def average(one: Trade) -> Decimal:
    """What the taker pays or gets for a share, before fees, in six decimals."""
    return round(from_micro(one.value) / from_micro(one.size), 6) if one.size else Decimal(0)
