"""The WebSocket: a snapshot, then the news, numbered without a gap."""

import asyncio
import json
from collections import OrderedDict
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from arb.api.gate import PROTOCOL
from arb.api.render import document
from arb.api.routes import shown
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

    def __init__(self, queue_max: int = QUEUE_MAX) -> None:
        self._queue_max = queue_max
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def serve(self, socket: WebSocket) -> None:
        """One connection to its end. What the client sends is read and ignored."""
        here = served(socket)
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
        if here.bus.subscribers >= CLIENTS_MAX:
            await socket.close(TRY_AGAIN, "too many clients")
            return
        subscription = here.bus.subscribe(self._queue_max)
        telling = asyncio.create_task(self._tell(socket, here, subscription))
        listening = asyncio.create_task(_listen(socket))
        try:
            await asyncio.wait({telling, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            subscription.close()
            telling.cancel()
            listening.cancel()
            await asyncio.gather(telling, listening, return_exceptions=True)

    async def _tell(self, socket: WebSocket, here: Served, subscription: Subscription) -> None:
        snapshot = {"type": "snapshot", "seq": subscription.after, "data": await _snapshot(here)}
        await _send(socket, json.dumps(snapshot))
        try:
            while True:
                item = await subscription.next()
                async with self._turns:
                    await asyncio.sleep(0)
                await _send(socket, self._text(item))
        except (TooSlow, TimeoutError):
            await socket.close(TOO_SLOW, "too slow: connect again for a new snapshot")

    def _text(self, item: Numbered) -> str:
        found = self._texts.get(item.seq)
        if found is None:
            type_, data = document(item.news)
            found = json.dumps({"type": type_, "seq": item.seq, "data": data})
            self._texts[item.seq] = found
            if len(self._texts) > TEXTS_KEPT:
                self._texts.popitem(last=False)
        return found


async def _send(socket: WebSocket, text: str) -> None:
    async with asyncio.timeout(SEND_SECONDS_MAX):
        await socket.send_text(text)


async def _listen(socket: WebSocket) -> None:
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
    except WebSocketDisconnect:
        return


async def _snapshot(here: Served) -> dict[str, Any]:
    reads, shared = here.reads, here.shared
    health = await here.control.health(here.standing)
    status = shown(await here.control.status(here.standing), here.exchange)
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
