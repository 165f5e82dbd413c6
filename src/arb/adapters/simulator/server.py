"""Gamma, CLOB, Data and the market channel of the embedded exchange, on one loopback port."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from arb.adapters.simulator import wire
from arb.adapters.simulator.auth import Keys
from arb.adapters.simulator.bank import Bank, NotPossible
from arb.adapters.simulator.chain import ChainApi
from arb.adapters.simulator.channel import MarketChannel
from arb.adapters.simulator.control import Control, Controls
from arb.adapters.simulator.exchange import Exchange
from arb.adapters.simulator.faults import Faults, FaultyAnswers
from arb.adapters.simulator.floor import Floor
from arb.adapters.simulator.portfolio import Portfolio
from arb.adapters.simulator.trading import Trading
from arb.adapters.simulator.user_channel import UserChannel
from arb.domain.money import from_micro, text
from arb.net.serve import listening

EVENTS_PER_PAGE_MAX, MARKETS_PER_PAGE_MAX, BOOKS_MAX = 500, 100, 500
SETTLING_STEP = 0.02
NO_BOOK = {"error": "No orderbook exists for the requested token id"}


class Api:
    """The endpoints over one exchange."""

    def __init__(
        self, exchange: Exchange, bank: Bank | None = None, floor: Floor | None = None
    ) -> None:
        self.exchange, self.faults = exchange, Faults()
        self.bank = bank or (floor.bank if floor else Bank())
        self.floor = floor or Floor(exchange, self.bank, _same_chance(exchange))
        self.keys = Keys(self.floor)
        self.trading = Trading(self.floor, self.keys, self.faults)
        self.portfolio = Portfolio(self.floor)
        self.user = UserChannel(self.floor, self.keys)
        self.controls = Controls(exchange, self.floor, self.faults, self.trading.door)
        self.channel = MarketChannel(exchange)
        exchange.changed = self.channel.tell
        self.chain = ChainApi(exchange, self.bank)

    def app(self) -> ASGIApp:
        """The application, with faults in front."""
        get = [
            ("/events/keyset", self.events),
            ("/markets/keyset", self.markets),
            ("/events/slug/{key}", self.event),
            ("/events/{key}", self.event),
            ("/markets/slug/{key}", self.market),
            ("/markets/{key}", self.market),
            ("/book", self.book),
            ("/clob-markets/{condition}", self.clob_market),
            ("/markets-by-token/{token}", self.market_by_token),
            ("/tick-size", self.tick_size),
            ("/neg-risk", self.neg_risk),
            ("/fee-rate", self.fee_rate),
            ("/midpoint", self.midpoint),
            ("/spread", self.spread),
            ("/price", self.price),
            ("/time", self.time),
            ("/ok", self.ok),
            ("/version", self.version),
            ("/v2/resolutions", self.resolutions),
            ("/api/geoblock", self.geoblock),
            ("/_truth", self.truth),
        ]
        routes: list[Any] = [Route(path, handler, methods=["GET"]) for path, handler in get]
        routes += [
            Route("/books", self.books, methods=["POST"]),
            Route("/_control", self.control, methods=["POST"]),
            *self.keys.routes(),
            *self.trading.routes(),
            *self.portfolio.routes(),
            WebSocketRoute("/ws/market", self.market_channel),
            WebSocketRoute("/ws/user", self.user_channel),
            *self.chain.routes(),
        ]
        return FaultyAnswers(Starlette(routes=routes), self.faults)

    async def events(self, request: Request) -> Response:
        """`GET /events/keyset`."""
        asked = request.query_params
        closed, versions = _flag(asked.get("closed")), _versions(request)
        slugs, ids = asked.getlist("slug"), asked.getlist("id")
        found = [
            event
            for event in self.exchange.events
            if event.version in versions
            and (closed is None or event.closed == closed)
            and (not slugs or event.slug in slugs)
            and (not ids or event.id in ids)
        ]
        return _page(request, "events", found, wire.event, EVENTS_PER_PAGE_MAX)

    async def markets(self, request: Request) -> Response:
        """`GET /markets/keyset`."""
        asked = request.query_params
        closed, versions = _flag(asked.get("closed")), _versions(request)
        conditions, tokens = asked.getlist("condition_ids"), asked.getlist("clob_token_ids")
        found = [
            market
            for market in self.exchange.markets()
            if market.version in versions
            and market.closed == bool(closed)
            and (not conditions or market.condition_id in conditions)
            and (not tokens or {market.yes, market.no} & set(tokens))
        ]
        return _page(request, "markets", found, wire.market, MARKETS_PER_PAGE_MAX)

    async def event(self, request: Request) -> Response:
        """`GET /events/{id}` and `/events/slug/{slug}`."""
        key = request.path_params["key"]
        found = next((e for e in self.exchange.events if key in (e.id, e.slug)), None)
        return _json(wire.event(found)) if found else _error("not found", 404)

    async def market(self, request: Request) -> Response:
        """`GET /markets/{id}` and `/markets/slug/{slug}`."""
        key = request.path_params["key"]
        found = next((m for m in self.exchange.markets() if key in (m.id, m.slug)), None)
        return _json(wire.market(found)) if found else _error("not found", 404)

    async def book(self, request: Request) -> Response:
        """`GET /book`."""
        self.exchange.go_on()
        book = self.exchange.book(request.query_params.get("token_id", ""))
        return JSONResponse(NO_BOOK, 404) if book is None else _raw(book)

    async def books(self, request: Request) -> Response:
        """`POST /books`: in no order, unknown tokens left out."""
        self.exchange.go_on()
        try:
            asked = msgspec.json.decode(await request.body(), type=list[dict[str, str]])
        except msgspec.MsgspecError:
            return _error("Invalid payload", 400)
        if len(asked) > BOOKS_MAX:
            return _error("Payload exceeds the limit", 400)
        books = [self.exchange.book(one.get("token_id", "")) for one in asked]
        present = [book for book in books if book is not None]
        self.exchange.random.shuffle(present)
        return _raw(b"[" + b",".join(present) + b"]")

    async def clob_market(self, request: Request) -> Response:
        """`GET /clob-markets/{condition_id}`: 32-byte ids only."""
        found = self.exchange.by_condition(request.path_params["condition"])
        return _json(wire.clob_market(found)) if found else _error("market not found", 404)

    async def market_by_token(self, request: Request) -> Response:
        """`GET /markets-by-token/{token_id}`."""
        found = self.exchange.market_of(request.path_params["token"])
        return _json({"condition_id": found.padded_id}) if found else _error("not found", 404)

    async def tick_size(self, request: Request) -> Response:
        """`GET /tick-size`."""
        return self._of_token(request, lambda m: {"minimum_tick_size": wire.number(m.tick)})

    async def neg_risk(self, request: Request) -> Response:
        """`GET /neg-risk`."""
        return self._of_token(request, lambda m: {"neg_risk": m.neg_risk})

    async def fee_rate(self, request: Request) -> Response:
        """`GET /fee-rate`: only a flag."""
        return self._of_token(request, lambda m: {"base_fee": 1000 if m.fees_enabled else 0})

    async def midpoint(self, request: Request) -> Response:
        """`GET /midpoint`."""
        return self._of_quotes(request, lambda bid, ask: {"mid": text((bid + ask) / 2)})

    async def spread(self, request: Request) -> Response:
        """`GET /spread`."""
        return self._of_quotes(request, lambda bid, ask: {"spread": text(ask - bid)})

    async def price(self, request: Request) -> Response:
        """`GET /price`: BUY the lowest ask, SELL the highest bid."""
        buys = request.query_params.get("side") == "BUY"
        return self._of_quotes(request, lambda bid, ask: {"price": text(ask if buys else bid)})

    async def time(self, _request: Request) -> Response:
        """`GET /time`."""
        return PlainTextResponse(str(int(self.floor.wall())))

    async def ok(self, _request: Request) -> Response:
        """`GET /ok`."""
        return JSONResponse("OK")

    async def version(self, _request: Request) -> Response:
        """`GET /version`."""
        return _json({"version": 2})

    async def resolutions(self, request: Request) -> Response:
        """`GET /v2/resolutions`: payouts as an e6 pair."""
        wanted = request.query_params.get("condition_ids", "").split(",")
        rows = [
            {"condition_id": market.padded_id, "payouts": _payouts(market.resolution)}
            for market in self.exchange.markets()
            if market.resolution is not None and market.padded_id in wanted
        ]
        return _json(_envelope(rows))

    async def geoblock(self, _request: Request) -> Response:
        """`GET /api/geoblock`."""
        where = {"open": "XX", "blocked": "US", "close_only": "PL"}[self.floor.conduct.geo]
        blocked = self.floor.conduct.geo == "blocked"
        return _json({"blocked": blocked, "ip": "127.0.0.1", "country": where, "region": ""})

    async def truth(self, _request: Request) -> Response:
        """What is really there."""
        accounts = {**self.controls.truth(), "requests": self.trading.requests}
        return _json({**self.exchange.truth(), **accounts})

    async def control(self, request: Request) -> Response:
        """Faults, money, markets and time, at run time: see `control.Control`."""
        try:
            order = msgspec.json.decode(await request.body(), type=Control)
            done = self.controls.carry_out(order)
        except (msgspec.MsgspecError, ValueError, ArithmeticError, NotPossible) as error:
            return _error(str(error), 400)
        if order.chain is not None:
            try:
                self.chain.order(order.chain)
            except ValueError as error:
                return _error(str(error), 400)
        if order.disconnect:
            await self.user.disconnect()
        return _json({"done": True}) if done else _error("not found", 404)

    async def user_channel(self, socket_: WebSocket) -> None:
        """`/ws/user`."""
        await self.user.serve(socket_)

    async def market_channel(self, socket_: WebSocket) -> None:
        """`/ws/market`."""
        await self.channel.serve(socket_)

    def _of_token(self, request: Request, answer: Any) -> Response:
        found = self.exchange.market_of(request.query_params.get("token_id", ""))
        return _json(answer(found)) if found else _error("Invalid token id", 400)

    def _of_quotes(self, request: Request, answer: Any) -> Response:
        token = request.query_params.get("token_id", "")
        found = self.exchange.market_of(token)
        bids, asks = found.view(token) if found else ((), ())
        if not bids or not asks:
            return JSONResponse(NO_BOOK, 404)
        return _json(answer(from_micro(bids[0][0]), from_micro(asks[0][0])))


@contextlib.asynccontextmanager
async def serve(exchange: Exchange, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve while the block runs; gives the address, which answers already.

    Raises:
        Unavailable: The port is taken.
    """
    api = Api(exchange)
    async with listening(api.app(), host, port, timeout_graceful_shutdown=1) as address:
        moving = asyncio.create_task(_keep_moving(exchange))
        settling = asyncio.create_task(_keep_settling(api.floor))
        try:
            yield address
        finally:
            moving.cancel()
            settling.cancel()
            await asyncio.gather(moving, settling, return_exceptions=True)


async def _keep_moving(exchange: Exchange) -> None:
    while exchange.move is not None:
        exchange.go_on()
        await asyncio.sleep(exchange.step_seconds / 4)


async def _keep_settling(floor: Floor) -> None:
    """Those who only listen are told of what becomes due, too."""
    while True:
        floor.advance()
        await asyncio.sleep(SETTLING_STEP)


def _same_chance(exchange: Exchange) -> random.Random:
    """Chance of its own that begins where the exchange's stands, and takes nothing from it."""
    chance = random.Random()
    chance.setstate(exchange.random.getstate())
    return chance


def _page(
    request: Request,
    name: str,
    found: list[Any],
    render: Any,
    most: int,
) -> Response:
    asked = request.query_params
    if "offset" in asked:
        return _error("offset is not supported on keyset endpoints", 422)
    try:
        limit = min(int(asked.get("limit", "20")), most)
        start = int(asked.get("after_cursor", "c0").removeprefix("c"))
    except ValueError:
        return _error("invalid limit or cursor", 422)
    page: dict[str, Any] = {name: [render(one) for one in found[start : start + limit]]}
    if start + limit < len(found):
        page["next_cursor"] = f"c{start + limit}"
    return _json(page)


def _versions(request: Request) -> Iterable[str]:
    """v1 only, unless asked otherwise (PLATFORM.md §0)."""
    return set(request.query_params.getlist("version")) or {"v1"}


def _flag(value: str | None) -> bool | None:
    return None if value is None else value == "true"


def _payouts(yes_pays: Decimal) -> list[str]:
    return [str(int(yes_pays * 1_000_000)), str(int((1 - yes_pays) * 1_000_000))]


def _envelope(rows: list[Any]) -> Mapping[str, Any]:
    return {"data": rows, "pagination": {"has_more": False, "next_cursor": None}}


def _json(document: Any) -> Response:
    return _raw(wire.compact(document))


def _raw(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _error(what: str, status: int) -> Response:
    return JSONResponse({"error": what}, status)
