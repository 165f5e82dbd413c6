"""The user channel: orders and trades of an account at each change, once.

See docs/venue-polymarket.md §2.2.
"""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from arb.exchange.api import rows
from arb.exchange.api.auth import Keys
from arb.exchange.market import payloads
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import OrderState, Trade, TradeStatus

BACKLOG_MAX = 10_000
REMEMBERED = 100
HELD_AT_MOST = 0.5
"""Seconds until an event that waits for the next one is sent without it."""
FINAL = (TradeStatus.CONFIRMED, TradeStatus.FAILED)


class Auth(msgspec.Struct, rename="camel"):
    """The credentials that a client sends."""

    api_key: str
    secret: str
    passphrase: str


class UserFrame(msgspec.Struct):
    """What a client sends, first and later."""

    type: str | None = None
    auth: Auth | None = None
    markets: list[str] = []
    operation: str | None = None


@dataclass(slots=True, eq=False)
class _Listener:
    owner: str
    markets: set[str] | None
    """Condition ids; `None`: all."""
    heard: float
    queue: asyncio.Queue[tuple[float, bytes]] = field(
        default_factory=lambda: asyncio.Queue(BACKLOG_MAX)
    )
    held: tuple[float, bytes] | None = None
    """An event that is sent after the next one."""


class UserChannel:
    """All clients of the channel."""

    def __init__(self, floor: MatchingService, keys: Keys) -> None:
        self._floor, self._keys = floor, keys
        self._clients: dict[_Listener, WebSocket] = {}
        self._sent: dict[str, deque[bytes]] = {}
        """The last events of each API key."""
        floor.listeners.append(self.tell)

    def tell(self, _what: str, owner: str, changed: OrderState | Trade) -> None:
        """Notify an account's clients of changes, as far as the knobs let it."""
        conduct, unix_ms = self._floor.conduct, self._floor.unix() * 1000
        if isinstance(changed, Trade):
            event = rows.trade_event(changed, owner, conduct.fee_shown, unix_ms)
            last = changed.status in FINAL
        else:
            market = self._floor.exchange.market_of(changed.order.token)
            if market is None:
                return
            event = rows.order_event(changed, market, unix_ms)
            changed.told, last = True, not changed.open and changed.due is None
        suppressed = conduct.suppress == "terminal" if last else False
        if suppressed or conduct.suppress == event["event_type"]:
            return
        message = payloads.compact(event)
        self._sent.setdefault(owner, deque(maxlen=REMEMBERED)).append(message)
        for client in self._clients:
            wanted = client.markets is None or event["market"] in client.markets
            if client.owner == owner and wanted:
                self._send(client, message)

    async def disconnect(self) -> None:
        """Drop every client."""
        for socket in list(self._clients.values()):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(1001)

    async def serve(self, socket: WebSocket) -> None:
        """One client, until it leaves."""
        await socket.accept()
        client = await self._enter(socket)
        if client is None:
            return
        self._clients[client] = socket
        for message in self._stale(client.owner):
            client.queue.put_nowait((0.0, message))
        work = [
            asyncio.create_task(self._send_all(socket, client)),
            asyncio.create_task(self._watch(socket, client)),
        ]
        try:
            while True:
                await self._hear(socket, client, await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._clients.pop(client, None)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _enter(self, socket: WebSocket) -> _Listener | None:
        """The first frame authenticates the client; a wrong one closes the connection."""
        try:
            frame = await socket.receive_text()
            while frame == "PING":
                await socket.send_text("PONG")
                frame = await socket.receive_text()
            asked = msgspec.json.decode(frame, type=UserFrame)
        except (WebSocketDisconnect, RuntimeError):
            return None
        except msgspec.MsgspecError:
            asked = UserFrame()
        auth = asked.auth or Auth("", "", "")
        owner = self._keys.owner(auth.api_key, auth.secret, auth.passphrase)
        if asked.type != "user" or owner is None:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(1008)
            return None
        return _Listener(owner, set(asked.markets) or None, self._floor.now())

    async def _hear(self, socket: WebSocket, client: _Listener, frame: str) -> None:
        client.heard = self._floor.now()
        if frame == "PING":
            await socket.send_text("PONG")
            return
        try:
            asked = msgspec.json.decode(frame, type=UserFrame)
        except msgspec.MsgspecError:
            await socket.send_text("INVALID OPERATION")
            return
        if asked.operation == "subscribe":
            client.markets = {*(client.markets or ()), *asked.markets} or None
        elif asked.operation == "unsubscribe" and client.markets is not None:
            client.markets.difference_update(asked.markets)

    def _send(self, client: _Listener, message: bytes) -> None:
        conduct, chance = self._floor.conduct, self._floor.chance
        if conduct.freeze or chance.random() < conduct.lose:
            return
        due = self._floor.exchange.clock.monotonic() + conduct.stream_lag
        if client.held is None and chance.random() < conduct.reorder:
            client.held = (due, message)
            asyncio.get_running_loop().call_later(HELD_AT_MOST, _release, client)
            return
        twice = chance.random() < conduct.duplicate
        late, client.held = client.held, None
        for one in ((due, message), (due, message) if twice else None, late):
            if one is not None:
                # A client that cannot keep up loses news.
                with contextlib.suppress(asyncio.QueueFull):
                    client.queue.put_nowait(one)

    def _stale(self, owner: str) -> list[bytes]:
        count = self._floor.conduct.stale_replay
        return list(self._sent.get(owner, ()))[-count:] if count else []

    async def _send_all(self, socket: WebSocket, client: _Listener) -> None:
        clock = self._floor.exchange.clock
        while True:
            due, message = await client.queue.get()
            await asyncio.sleep(max(0.0, due - clock.monotonic()))
            await socket.send_text(message.decode())

    async def _watch(self, socket: WebSocket, client: _Listener) -> None:
        """Drop a silent client, where that is done."""
        while True:
            await asyncio.sleep(0.05)
            limit = self._floor.conduct.idle_kill
            if limit and self._floor.now() - client.heard > limit:
                await socket.close(1001)
                return


def _release(client: _Listener) -> None:
    late, client.held = client.held, None
    if late is not None:
        with contextlib.suppress(asyncio.QueueFull):
            client.queue.put_nowait(late)
