"""The market channel: books on subscription, changes as they happen (PLATFORM.md §2.1)."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from arb.adapters.simulator import wire
from arb.adapters.simulator.exchange import Exchange
from arb.adapters.simulator.listing import SimMarket
from arb.adapters.simulator.matching import Ladder
from arb.domain.money import from_micro, text

BACKLOG_MAX = 1000


class Subscription(msgspec.Struct):
    """What a client sends, first and later."""

    assets_ids: list[str] = []
    type: str | None = None
    operation: str | None = None
    initial_dump: bool = True


@dataclass(slots=True, eq=False)
class _Client:
    tokens: set[str] = field(default_factory=set)
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(BACKLOG_MAX))


class MarketChannel:
    """All clients of the channel."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._clients: set[_Client] = set()
        self._shown: dict[str, tuple[Ladder, Ladder]] = {}

    def tell(self, markets: Iterable[SimMarket]) -> None:
        """Send what has changed to those who asked for it; who cannot keep up loses news."""
        for market in markets:
            changes = [*self._diff(market, market.yes), *self._diff(market, market.no)]
            for client in self._clients:
                wanted = [change for change in changes if change["asset_id"] in client.tokens]
                if wanted:
                    message = {
                        "event_type": "price_change",
                        "market": market.padded_id,
                        "timestamp": str(market.stamp_ms),
                        "price_changes": wanted,
                    }
                    with contextlib.suppress(asyncio.QueueFull):
                        client.queue.put_nowait(wire.compact(message))

    async def serve(self, socket: WebSocket) -> None:
        """One client, until it leaves."""
        await socket.accept()
        client = _Client()
        self._clients.add(client)
        sending = asyncio.create_task(_send_all(socket, client))
        try:
            while True:
                await self._hear(socket, client, await socket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._clients.discard(client)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _hear(self, socket: WebSocket, client: _Client, frame: str) -> None:
        if frame == "PING":
            await socket.send_text("PONG")
            return
        try:
            asked = msgspec.json.decode(frame, type=Subscription)
        except msgspec.MsgspecError:
            await socket.send_text("INVALID OPERATION")
            return
        if asked.operation == "unsubscribe":
            client.tokens.difference_update(asked.assets_ids)
            return
        client.tokens.update(asked.assets_ids)
        if asked.initial_dump:
            books = [self._snapshot(token) for token in asked.assets_ids]
            await client.queue.put(wire.compact([book for book in books if book is not None]))

    def _snapshot(self, token: str) -> dict[str, Any] | None:
        market = self._exchange.market_of(token)
        if market is None or market.closed:
            return None
        self._shown[token] = market.view(token)
        return {"event_type": "book", **wire.book(market, token)}

    def _diff(self, market: SimMarket, token: str) -> list[dict[str, Any]]:
        before, now = self._shown.get(token), market.view(token)
        self._shown[token] = now
        if before is None:
            return []
        digest = wire.book(market, token)["hash"]
        bids, asks = now
        best = {
            "best_bid": text(from_micro(bids[0][0])) if bids else "0",
            "best_ask": text(from_micro(asks[0][0])) if asks else "1",
        }
        return [
            {
                "asset_id": token,
                "price": text(from_micro(price)),
                "size": text(from_micro(size)),
                "side": side,
                "hash": digest,
                **best,
            }
            for side, old, new in (("BUY", before[0], bids), ("SELL", before[1], asks))
            for price, size in _changed(old, new)
        ]


async def _send_all(socket: WebSocket, client: _Client) -> None:
    while True:
        await socket.send_text((await client.queue.get()).decode())


def _changed(old: Ladder, new: Ladder) -> list[tuple[int, int]]:
    """Levels whose absolute size is another now; 0 where the level is gone."""
    before, now = dict(old), dict(new)
    return [
        (price, now.get(price, 0))
        for price in sorted({*before, *now})
        if before.get(price, 0) != now.get(price, 0)
    ]
