"""The embedded exchange on one loopback port: all services of the venue, put together."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from arb.exchange.api.accounting import Accounts
from arb.exchange.api.answers import document, guarded, invalid, refused
from arb.exchange.api.auth import Keys
from arb.exchange.api.clob import Clob
from arb.exchange.api.control import Control, Controls
from arb.exchange.api.data_api import Data
from arb.exchange.api.faults import Faults, FaultyAnswers
from arb.exchange.api.gamma import Gamma
from arb.exchange.api.market_channel import MarketChannel
from arb.exchange.api.notifications import Notifications
from arb.exchange.api.portfolio import Portfolio
from arb.exchange.api.rewards import RewardPages
from arb.exchange.api.trading import Trading
from arb.exchange.api.user_channel import UserChannel
from arb.exchange.chain.app import ChainApi
from arb.exchange.market.exchange import Exchange
from arb.exchange.trading.bank import Bank, NotPossible
from arb.exchange.trading.matching_service import MatchingService
from arb.net.serve import listening

SETTLING_STEP = 0.02


class Api:
    """The endpoints over one exchange: each service of the venue is a module of its own."""

    def __init__(
        self, exchange: Exchange, bank: Bank | None = None, floor: MatchingService | None = None
    ) -> None:
        self.exchange, self.faults = exchange, Faults()
        self.bank = bank or (floor.bank if floor else Bank())
        self.floor = floor or MatchingService(exchange, self.bank, _same_chance(exchange))
        self.bank.unix = self.floor.unix
        self.chain = ChainApi(exchange, self.bank, self.floor)
        self.keys = Keys(self.floor)
        self.trading = Trading(self.floor, self.keys, self.faults)
        self.gamma, self.clob = Gamma(exchange, self.bank), Clob(self.floor)
        accounts = Accounts(self.floor, self.chain.acts)
        self.portfolio = Portfolio(self.floor, accounts)
        self.data = Data(self.floor, accounts, self.portfolio)
        self.rewards = RewardPages(self.floor, self.keys)
        self.notifications = Notifications(self.floor, self.keys)
        self.user = UserChannel(self.floor, self.keys)
        self.controls = Controls(exchange, self.floor, self.faults, self.trading.door)
        self.channel = MarketChannel(exchange)
        exchange.changed = self.channel.tell

    def app(self) -> ASGIApp:
        """The application, with faults in front."""
        routes: list[Any] = [
            *self.gamma.routes(),
            *self.clob.routes(),
            # Gamma and the CLOB are two hosts of the venue and one here.
            Route("/markets", guarded(self.markets, invalid), methods=["GET"]),
            Route("/markets/{id}", guarded(self.market, invalid), methods=["GET"]),
            *self.data.routes(),
            *self.portfolio.routes(),
            *self.keys.routes(),
            *self.trading.routes(),
            *self.rewards.routes(),
            *self.notifications.routes(),
            *self.chain.routes(),
            WebSocketRoute("/ws/market", self.channel.serve),
            WebSocketRoute("/ws/user", self.user.serve),
            Route("/api/geoblock", self.geoblock, methods=["GET"]),
            Route("/_truth", self.truth, methods=["GET"]),
            Route("/_control", self.control, methods=["POST"]),
        ]
        return FaultyAnswers(Starlette(routes=routes), self.faults)

    def markets(self, request: Request) -> Response:
        """`GET /markets`: the CLOB's, which is paged by `next_cursor`, or Gamma's."""
        asked_of_clob = "next_cursor" in request.query_params
        return self.clob.markets(request) if asked_of_clob else self.gamma.market_list(request)

    def market(self, request: Request) -> Response:
        """`GET /markets/{id}`: the CLOB's by condition, Gamma's by number."""
        id_ = request.path_params["id"]
        return self.clob.market(id_) if id_.startswith("0x") else self.gamma.market(request)

    async def geoblock(self, _request: Request) -> Response:
        """`GET /api/geoblock`."""
        where = {"open": "XX", "blocked": "US", "close_only": "PL"}[self.floor.conduct.geo]
        blocked = self.floor.conduct.geo == "blocked"
        return document({"blocked": blocked, "ip": "127.0.0.1", "country": where, "region": ""})

    async def truth(self, _request: Request) -> Response:
        """What is really there."""
        accounts = {**self.controls.truth(), "requests": self.trading.requests}
        return document({**self.exchange.truth(), **accounts})

    async def control(self, request: Request) -> Response:
        """Faults, money, markets and time, at run time: see `control.Control`."""
        try:
            order = msgspec.json.decode(await request.body(), type=Control)
            done = self.controls.carry_out(order)
        except (msgspec.MsgspecError, ValueError, ArithmeticError, NotPossible) as error:
            return refused(str(error), 400)
        if order.chain is not None:
            try:
                self.chain.order(order.chain)
            except ValueError as error:
                return refused(str(error), 400)
        if order.disconnect:
            await self.user.disconnect()
        return document({"done": True}) if done else refused("not found", 404)


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


async def _keep_settling(floor: MatchingService) -> None:
    """Clients that only listen are notified of what becomes due, too."""
    while True:
        floor.advance()
        await asyncio.sleep(SETTLING_STEP)


def _same_chance(exchange: Exchange) -> random.Random:
    """Chance of its own that begins where the exchange's stands, and takes nothing from it."""
    chance = random.Random()
    chance.setstate(exchange.random.getstate())
    return chance
