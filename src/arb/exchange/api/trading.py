"""The trading endpoints: orders, cancels, and an account's own reads.

See docs/venue-polymarket.md §1.5, §3.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arb.exchange.api import rows
from arb.exchange.api.answers import clob_page
from arb.exchange.api.auth import Caller, Keys, Refused
from arb.exchange.api.faults import Faults
from arb.exchange.api.limits import Limits
from arb.exchange.api.order_intake import OrderIntake, Posted
from arb.exchange.market.addresses import (
    EXCHANGE_V3,
    NEG_RISK_EXCHANGE,
    STANDARD_EXCHANGE,
    token_contract,
)
from arb.exchange.trading.bank import UNLIMITED
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import Refusal
from arb.exchange.trading.rules import INVALID_PAYLOAD, POST_ONLY_MODE, VERSION

BATCH_MAX = 15
CANCELS_MAX = 1000
TOO_MANY = "Too many orders in payload"
V1_FIELDS = {"taker", "nonce", "feeRateBps"}
"""What orders for the first exchange have and later ones do not."""
EXCHANGES = (STANDARD_EXCHANGE, NEG_RISK_EXCHANGE, EXCHANGE_V3)

Handler = Callable[[Request, Caller], Awaitable[Response]]


class CancelOne(msgspec.Struct, rename={"order_id": "orderID"}):
    """The body of `DELETE /order`."""

    order_id: str


class CancelMarket(msgspec.Struct):
    """The body of `DELETE /cancel-market-orders`."""

    market: str = ""
    asset_id: str = ""


class Heartbeat(msgspec.Struct):
    """The body of `POST /v1/heartbeats`."""

    heartbeat_id: str = ""


class Trading:
    """The endpoints that need an API key."""

    def __init__(self, floor: MatchingService, keys: Keys, faults: Faults) -> None:
        self.floor, self.keys, self.faults = floor, keys, faults
        self.door, self.limits = OrderIntake(floor), Limits(floor)
        self.requests: dict[str, int] = {}
        """How many requests each endpoint has had, for the truth."""

    def routes(self) -> list[Route]:
        """All of them."""
        endpoints: list[tuple[str, str, Handler]] = [
            ("POST", "/order", self.post_order),
            ("POST", "/orders", self.post_orders),
            ("DELETE", "/order", self.cancel_order),
            ("DELETE", "/orders", self.cancel_orders),
            ("DELETE", "/cancel-all", self.cancel_all),
            ("DELETE", "/cancel-market-orders", self.cancel_market_orders),
            ("GET", "/data/orders", self.orders),
            ("GET", "/data/order/{id}", self.order),
            ("GET", "/data/trades", self.trades),
            ("GET", "/balance-allowance", self.balance),
            ("GET", "/balance-allowance/update", self.refresh),
            ("GET", "/data/pre-migration-orders", self.old_orders),
            ("POST", "/v1/heartbeats", self.heartbeat),
            ("POST", "/heartbeats", self.heartbeat),
            ("GET", "/auth/ban-status/closed-only", self.closed_only),
        ]
        return [
            *(
                Route(path, self._signed(f"{method} {path}", handler), methods=[method])
                for method, path, handler in endpoints
            ),
            Route("/builder/trades", self.builder_trades, methods=["GET"]),
        ]

    async def post_order(self, request: Request, caller: Caller) -> Response:
        """`POST /order`."""
        limit = self.limits.take(caller.address, "order", 1)
        if not limit.ok:
            return _error("Too Many Requests", 429, limit.headers)
        try:
            posted = msgspec.json.decode(await request.body(), type=Posted)
        except msgspec.MsgspecError:
            return _error(_unreadable(await request.body()), 400, limit.headers)
        result = self._place(posted, caller)
        if isinstance(result, Refusal):
            return self._refusal(result, limit.headers)
        return JSONResponse(result, headers=limit.headers)

    async def post_orders(self, request: Request, caller: Caller) -> Response:
        """`POST /orders`: each row has its own answer."""
        try:
            posted = msgspec.json.decode(await request.body(), type=list[Posted])
        except msgspec.MsgspecError:
            return _error(_unreadable(await request.body()), 400)
        if not posted or len(posted) > BATCH_MAX:
            return _error(TOO_MANY if posted else INVALID_PAYLOAD, 400)
        limit = self.limits.take(caller.address, "order", len(posted))
        if not limit.ok:
            return _error("Too Many Requests", 429, limit.headers)
        partial = self.faults.take_kind(request.url.path, "batch_partial")
        unknown = self.faults.take_kind(request.url.path, "batch_unknown")
        answers: list[dict[str, Any]] = []
        for number, row in enumerate(posted):
            if partial is not None and number >= partial.rows:
                answers.append(rows.rejected("", success=True))
                continue
            result = self._place(row, caller)
            if isinstance(result, Refusal):
                if result.status >= 425 and result.message != POST_ONLY_MODE:
                    return self._refusal(result, limit.headers)
                result = rows.rejected(result.message, success=result.status == 503)
            answers.append(rows.rejected("", success=True) if unknown is not None else result)
        return JSONResponse(answers, headers=limit.headers)

    async def cancel_order(self, request: Request, caller: Caller) -> Response:
        """`DELETE /order`."""
        return self._cancel(caller, [_body(await request.body(), CancelOne).order_id])

    async def cancel_orders(self, request: Request, caller: Caller) -> Response:
        """`DELETE /orders`."""
        ids = _body(await request.body(), list[str])
        return _error(TOO_MANY, 400) if len(ids) > CANCELS_MAX else self._cancel(caller, ids)

    async def cancel_all(self, _request: Request, caller: Caller) -> Response:
        """`DELETE /cancel-all`."""
        mine = [state.order.hash for state in self.floor.open_orders(caller.key)]
        return self._cancel(caller, mine, cost=1)

    async def cancel_market_orders(self, request: Request, caller: Caller) -> Response:
        """`DELETE /cancel-market-orders`."""
        asked = _body(await request.body(), CancelMarket)
        if not asked.market and not asked.asset_id:
            return _error(INVALID_PAYLOAD, 400)
        mine = [
            row["id"]
            for row in self._open_rows(caller)
            if asked.market in ("", row["market"]) and asked.asset_id in ("", row["asset_id"])
        ]
        return self._cancel(caller, mine, cost=1)

    async def orders(self, request: Request, caller: Caller) -> Response:
        """`GET /data/orders`: open ones."""
        return self._page(request, _matching(request, self._open_rows(caller)))

    async def order(self, request: Request, caller: Caller) -> Response:
        """`GET /data/order/{id}`."""
        state = self.floor.order(request.path_params["id"], caller.key)
        market = state and self.floor.exchange.market_of(state.order.token)
        if not state or not market:
            if self.floor.conduct.missing_order == "null":
                return JSONResponse(None)
            return _error("order not found", 404)
        return JSONResponse(rows.order(state, market))

    async def trades(self, request: Request, caller: Caller) -> Response:
        """`GET /data/trades`: the newest first."""
        asked, shown = request.query_params, self.floor.conduct.fee_shown
        found = [rows.trade(one, caller.key, shown) for one in self.floor.trades_of(caller.key)]
        try:
            after, before = (int(asked.get(key, "0")) for key in ("after", "before"))
        except ValueError:
            return _error("invalid after or before", 400)
        maker = asked.get("maker_address", "").lower()
        kept = [
            row
            for row in _matching(request, found)
            if int(row["match_time"]) >= after
            and (not before or int(row["match_time"]) <= before)
            and maker in ("", *(one["maker_address"].lower() for one in _sides(row)))
        ]
        return self._page(request, kept[::-1])

    async def old_orders(self, request: Request, _caller: Caller) -> Response:
        """`GET /data/pre-migration-orders`: none was ever posted to an older exchange."""
        return self._page(request, [])

    async def builder_trades(self, request: Request) -> Response:
        """`GET /builder/trades`: those whose order bears a builder's code, the newest first."""
        asked, code = request.query_params, request.query_params.get("builder_code", "").lower()
        if not code:
            return _error("builder_code is required", 400)
        self.floor.advance()
        found = [
            row
            for trade in self.floor.trades.values()
            for row in rows.builder_trades(trade, self.floor.orders, code)
        ]
        try:
            after, before = (int(asked.get(key, "0")) for key in ("after", "before"))
        except ValueError:
            return _error("invalid after or before", 400)
        maker = asked.get("maker_address", "").lower()
        kept = [
            row
            for row in found
            if asked.get("id", row["id"]) == row["id"]
            and asked.get("market", row["market"]) == row["market"]
            and asked.get("asset_id", row["assetId"]) == row["assetId"]
            and int(row["matchTime"]) >= after
            and (not before or int(row["matchTime"]) <= before)
            and maker in ("", row["maker"].lower())
        ]
        return self._page(request, kept[::-1])

    async def balance(self, request: Request, caller: Caller) -> Response:
        """`GET /balance-allowance`: as the venue remembers it."""
        asked = request.query_params
        self.floor.advance()
        wallet = self._wallet(request, caller)
        token, bank = asked.get("token_id") or asked.get("asset_id") or "", self.floor.bank
        if asked.get("asset_type") == "COLLATERAL":
            held = self.floor.known_dollars(wallet)
            allowed = {who: bank.allowances.get((wallet.lower(), who), 0) for who in EXCHANGES}
        elif self.floor.exchange.market_of(token) is not None:
            held, contract = self.floor.known_shares(wallet, token), token_contract(token)
            allowed = {
                who: UNLIMITED if bank.may_move(wallet, contract, who) else 0 for who in EXCHANGES
            }
        else:
            return _error("Invalid asset type", 400)
        allowances = {who: str(amount) for who, amount in allowed.items()}
        return JSONResponse({"balance": str(held), "allowances": allowances})

    async def refresh(self, request: Request, caller: Caller) -> Response:
        """`GET /balance-allowance/update`."""
        self.floor.refresh(self._wallet(request, caller))
        return JSONResponse({})

    async def heartbeat(self, request: Request, caller: Caller) -> Response:
        """`POST /v1/heartbeats`."""
        asked = _body(await request.body(), Heartbeat)
        fits, expected = self.floor.beat(caller.key, asked.heartbeat_id)
        if fits:
            return JSONResponse({"heartbeat_id": expected})
        return JSONResponse({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}, 400)

    async def closed_only(self, _request: Request, _caller: Caller) -> Response:
        """`GET /auth/ban-status/closed-only`."""
        return JSONResponse({"closed_only": self.floor.conduct.closed_only})

    def _signed(self, name: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.requests[name] = self.requests.get(name, 0) + 1
            try:
                return await handler(request, await self.keys.caller(request))
            except Refused as refused:
                return refused.response

        return endpoint

    def _place(self, posted: Posted, caller: Caller) -> dict[str, Any] | Refusal:
        order = self.door.admit(posted, caller)
        receipt = order if isinstance(order, Refusal) else self.floor.place(order)
        if isinstance(order, Refusal) or isinstance(receipt, Refusal):
            return receipt if isinstance(receipt, Refusal) else Refusal(400, INVALID_PAYLOAD)
        conduct = self.floor.conduct
        status = conduct.answers_as or receipt.status
        known = [self.floor.trades[id_] for id_ in receipt.trades]
        hashes = [f"0x{int(one.id[-12:]):064x}" for one in known] if conduct.tx_hashes else []
        return rows.receipt(order.hash, receipt, status, hashes)

    def _refusal(self, refusal: Refusal, headers: dict[str, str]) -> Response:
        if refusal.status < 425:
            return _error(refusal.message, refusal.status, headers)
        wait = self.floor.conduct.retry_after
        headers = {**headers, "Retry-After": str(wait)}
        if refusal.message == POST_ONLY_MODE:
            body = {"error": refusal.message, "code": "post_only_mode", "retry_after_seconds": wait}
            return JSONResponse(body, refusal.status, headers)
        return _error(refusal.message, refusal.status, headers)

    def _cancel(self, caller: Caller, ids: Sequence[str], cost: int | None = None) -> Response:
        limit = self.limits.take(caller.address, "cancel", len(ids) if cost is None else cost)
        if not limit.ok:
            return _error("Too Many Requests", 429, limit.headers)
        failed: dict[str, str] = {}
        done: list[str] = []
        for id_ in dict.fromkeys(ids):
            why = self.floor.cancel(id_, caller.key)
            if why is None:
                done.append(id_)
            else:
                failed[id_] = why
        return JSONResponse({"canceled": done, "not_canceled": failed}, headers=limit.headers)

    def _open_rows(self, caller: Caller) -> list[dict[str, Any]]:
        found = [
            (state, self.floor.exchange.market_of(state.order.token))
            for state in self.floor.open_orders(caller.key)
        ]
        return [rows.order(state, market) for state, market in found if market is not None]

    def _wallet(self, request: Request, caller: Caller) -> str:
        kind = request.query_params.get("signature_type", "0")
        return self.door.wallet_of(caller, int(kind) if kind.isdecimal() else 0)

    def _page(self, request: Request, found: list[dict[str, Any]]) -> Response:
        return clob_page(request, found, self.floor.conduct.page_size)


def _matching(request: Request, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose fields match the query. By the taker's asset only, as at the venue."""
    asked = request.query_params
    return [
        row
        for row in found
        if all(asked.get(key, row[key]) == row[key] for key in ("id", "market", "asset_id"))
    ]


def _sides(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [row, *row["maker_orders"]]


def _body(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        raise Refused(_error(INVALID_PAYLOAD, 400)) from None


def _unreadable(body: bytes) -> str:
    """Why a body is no order: clients sign again when theirs is refused as of another version."""
    try:
        posted = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return INVALID_PAYLOAD
    first = posted[0] if isinstance(posted, list) and posted else posted
    order = first.get("order") if isinstance(first, dict) else None
    old = isinstance(order, dict) and order.keys() >= V1_FIELDS and "timestamp" not in order
    return VERSION if old else INVALID_PAYLOAD


def _error(what: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": what}, status, headers)
