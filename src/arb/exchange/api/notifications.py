"""Notifications of an account: orders filled, failed or cancelled, and markets that have ended."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arb.domain.money import from_micro, text
from arb.exchange.api.answers import document
from arb.exchange.api.auth import Caller, Keys
from arb.exchange.market import payloads
from arb.exchange.market.listing import SimMarket
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import NewOrder, OrderState, Trade, TradeStatus

CANCELLED, FILLED, RESOLVED, FAILED = 1, 2, 4, 8
"""The venue's numbers."""
KEPT = 1000
"""Of each API key; the oldest are forgotten."""
KINDS = {TradeStatus.MATCHED: FILLED, TradeStatus.FAILED: FAILED}


class Notifications:
    """What each API key has not dropped yet."""

    def __init__(self, floor: MatchingService, keys: Keys) -> None:
        self._floor, self._keys = floor, keys
        self._kept: dict[str, list[dict[str, Any]]] = {}
        self._count = 0
        floor.listeners.append(self.hear)
        floor.exchange.resolved.append(self.ended)

    def routes(self) -> list[Route]:
        """The endpoints."""
        return [
            Route("/notifications", self._keys.signed(self.listed), methods=["GET"]),
            Route("/notifications", self._keys.signed(self.drop), methods=["DELETE"]),
        ]

    async def listed(self, _request: Request, caller: Caller) -> Response:
        """`GET /notifications`: the newest first."""
        return document(self._kept.get(caller.key, [])[::-1])

    async def drop(self, request: Request, caller: Caller) -> Response:
        """`DELETE /notifications?ids=`: all without any named."""
        gone = {one for one in request.query_params.get("ids", "").split(",") if one}
        kept = self._kept.get(caller.key, [])
        self._kept[caller.key] = [one for one in kept if gone and str(one["id"]) not in gone]
        return JSONResponse("OK")

    def hear(self, _what: str, owner: str, changed: OrderState | Trade) -> None:
        """Something of an account has changed."""
        if isinstance(changed, OrderState):
            if changed.status.startswith("CANCELED"):
                self._note(owner, CANCELLED, self._order(changed.order, changed.matched, None))
            return
        kind = KINDS.get(changed.status)
        if kind is None:
            return
        if changed.taker.owner == owner:
            self._note(owner, kind, self._order(changed.taker, changed.size, changed))
        for piece in changed.pieces:
            state = self._floor.orders.get(piece.maker)
            if piece.owner == owner and state is not None:
                self._note(owner, kind, self._order(state.order, piece.size, changed))

    def ended(self, market: SimMarket) -> None:
        """A market was resolved: its holders are notified."""
        event = self._floor.exchange.event_of(market)
        for owner, wallet in self._wallets():
            if any(self._floor.bank.shares(wallet, token) for token in (market.yes, market.no)):
                row = {**payloads.clob_listed(market), "eventSlug": event.slug if event else ""}
                self._note(owner, RESOLVED, row)

    def _wallets(self) -> set[tuple[str, str]]:
        """API keys and the wallets that they have ordered for."""
        orders = (state.order for state in self._floor.orders.values())
        return {(one.owner, one.wallet) for one in orders}

    def _note(self, owner: str, kind: int, payload: dict[str, Any]) -> None:
        self._count += 1
        kept = self._kept.setdefault(owner, [])
        kept.append(
            {
                "id": self._count,
                "type": kind,
                "owner": owner,
                "timestamp": self._floor.unix(),
                "payload": payload,
            }
        )
        del kept[:-KEPT]

    def _order(self, order: NewOrder, matched: int, trade: Trade | None) -> dict[str, Any]:
        market = self._floor.exchange.market_of(order.token)
        event = self._floor.exchange.event_of(market) if market is not None else None
        first = market is not None and order.token == market.yes
        return {
            "asset_id": order.token,
            "market": market.padded_id if market else "",
            "order_id": order.hash,
            "side": order.side.value,
            "type": order.life,
            "price": text(from_micro(order.price)),
            "original_size": text(from_micro(order.size)),
            "matched_size": text(from_micro(matched)),
            "remaining_size": text(from_micro(max(order.size - matched, 0))),
            "outcome": market.outcomes[0 if first else -1] if market else "",
            "outcome_index": 0 if first else 1,
            "transaction_hash": trade.transaction if trade else "",
            "trade_id": trade.id if trade else "",
            "question": market.question if market else "",
            "market_slug": market.slug if market else "",
            "icon": "",
            "image": "",
            "eventSlug": event.slug if event else "",
            "seriesSlug": event.series.slug if event and event.series else "",
        }
