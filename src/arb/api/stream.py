"""The WebSocket: a snapshot, then the news, numbered without a gap; answers in between."""

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from arb.api.auth import Principal
from arb.api.gate import PROTOCOL
from arb.api.limits import RateLimit
from arb.api.render import document
from arb.api.routes import shown
from arb.api.spoken import answer
from arb.api.state import Served, served
from arb.engine.bus import Numbered, Subscription, TooSlow
from arb.views.shape import as_json

QUEUE_MAX = 1000
TEXTS_KEPT = 2000
SEND_SECONDS_MAX = 10.0
AT_ONCE = 4
"""Clients that are written to in one turn of the loop; a burst of news leaves room for others."""
CLIENTS_MAX = 200
TRY_AGAIN = 1013
TOO_SLOW = 4408
LATEST = 20


class Stream:
    """All connections to `/ws/arbitrage`. News is written out once for all of them."""

    def __init__(self, queue_max: int, rate: RateLimit) -> None:
        """Serve connections.

        Args:
            queue_max: News that one client may leave unread.
            rate: How often one caller may ask for something.
        """
        self._queue_max, self._rate = queue_max, rate
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._asked: set[asyncio.Task[dict[str, Any]]] = set()

    async def serve(self, socket: WebSocket) -> None:
        """One connection to its end."""
        here = served(socket)
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
        if here.bus.subscribers >= CLIENTS_MAX:
            await socket.close(TRY_AGAIN, "too many clients")
            return
        subscription = here.bus.subscribe(self._queue_max)
        line = _Line(socket)
        telling = asyncio.create_task(self._tell(line, here, subscription))
        listening = asyncio.create_task(self._listen(line, here))
        try:
            done, _ = await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
            if listening in done:
                listening.result()
        finally:
            subscription.close()
            telling.cancel()
            listening.cancel()
            await asyncio.gather(telling, listening, return_exceptions=True)

    async def _tell(self, line: "_Line", here: Served, subscription: Subscription) -> None:
        snapshot = {"type": "snapshot", "seq": subscription.after, "data": await _snapshot(here)}
        await line.send(json.dumps(snapshot))
        line.begun.set()
        try:
            while True:
                item = await subscription.next()
                async with self._turns:
                    await asyncio.sleep(0)
                await line.send(self._text(item))
        except (TooSlow, TimeoutError):
            await line.socket.close(TOO_SLOW, "too slow: connect again for a new snapshot")

    async def _listen(self, line: "_Line", here: Served) -> None:
        """Answer what the client sends, one after the other."""
        who: Principal = line.socket.state.principal
        try:
            while True:
                message = await line.socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                said = message.get("text") or message.get("bytes") or ""
                work = asyncio.create_task(answer(here, who, said, self._rate))
                # A command that has begun is carried out, and its end put on record, though its
                # client goes away.
                self._asked.add(work)
                work.add_done_callback(self._asked.discard)
                told = json.dumps(await asyncio.shield(work))
                await line.begun.wait()
                await line.send(told)
        except (WebSocketDisconnect, TimeoutError):
            return

    def _text(self, item: Numbered) -> str:
        found = self._texts.get(item.seq)
        if found is None:
            type_, data = document(item.news)
            found = json.dumps({"type": type_, "seq": item.seq, "data": data})
            self._texts[item.seq] = found
            if len(self._texts) > TEXTS_KEPT:
                self._texts.popitem(last=False)
        return found


@dataclass(slots=True)
class _Line:
    """One connection, on which one message is sent after the other."""

    socket: WebSocket
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """The snapshot, which is the first message, has been sent."""
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, text: str) -> None:
        """Send a message.

        Raises:
            TimeoutError: The client does not take it.
        """
        async with self._one, asyncio.timeout(SEND_SECONDS_MAX):
            await self.socket.send_text(text)


async def _snapshot(here: Served) -> dict[str, Any]:
    reads, shared = here.reads, here.shared
    health = await here.control.health(here.standing)
    status = shown(await here.control.status(here.standing), here)
    portfolio = as_json(await shared(here.portfolio))
    del portfolio["statistics"]
    found = await shared(reads.opportunities, limit=LATEST, everything=False)
    plans = await shared(reads.plans, limit=LATEST, only_open=False)
    return {
        "status": status.model_dump(),
        "health": {"status": health.status.value, "reasons": list(health.reasons)},
        "portfolio": portfolio,
        "opportunities": as_json(found),
        "plans": as_json(plans),
    }
