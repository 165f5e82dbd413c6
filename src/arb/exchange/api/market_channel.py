"""The market channel: books on subscription, changes as they happen.

See docs/venue-polymarket.md §2.1.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from arb.domain.money import from_micro, text
from arb.exchange.market import payloads
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import Print, SimMarket
from arb.exchange.market.matching import Ladder

BACKLOG_MAX = 1000


class Subscription(msgspec.Struct):
    """What a client sends, first and later."""

    assets_ids: list[str] = []
    type: str | None = None
    operation: str | None = None
    initial_dump: bool = True
    custom_feature_enabled: bool = False


@dataclass(slots=True, eq=False)
class _Client:
    tokens: set[str] = field(default_factory=set)
    custom: bool = False
    """Whether it asked for best quotes and resolutions, too."""
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(BACKLOG_MAX))


class MarketChannel:
    """All clients of the channel."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._clients: set[_Client] = set()
        self._shown: dict[str, tuple[Ladder, Ladder]] = {}
        self._ticks: dict[str, Decimal] = {}
        exchange.printed.append(self.traded)
        exchange.resolved.append(self.ended)

    def tell(self, markets: Iterable[SimMarket]) -> None:
        """Send changes to their subscribers; a client that cannot keep up loses messages."""
        for market in markets:
            tick = self._ticks.get(market.yes, market.tick)
            if tick != market.tick:
                self._retick(market, tick)
            if any({market.yes, market.no} & client.tokens for client in self._clients):
                self._ticks[market.yes] = market.tick
            before = {token: self._shown.get(token) for token in (market.yes, market.no)}
            changes = [*self._diff(market, market.yes), *self._diff(market, market.no)]
            for client in self._clients:
                wanted = [change for change in changes if change["asset_id"] in client.tokens]
                if wanted:
                    self._put(client, market, "price_change", {"price_changes": wanted})
            for token, shown in before.items():
                self._quote(market, token, shown)

    def traded(self, market: SimMarket, one: Print) -> None:
        """Send a trade."""
        side, price = one.seen_from(yes=one.of_yes)
        news = {
            "price": text(from_micro(price)),
            "size": text(from_micro(one.size)),
            "side": side.value,
            "fee_rate_bps": "0",
            "timestamp": str(int(one.unix * 1000)),
        }
        token = market.yes if one.of_yes else market.no
        self._publish(market, token, "last_trade_price", news)

    def ended(self, market: SimMarket) -> None:
        """Send a resolution to every client that subscribed to such messages."""
        yes = market.resolution is not None and market.resolution * 2 >= 1
        news = {
            "id": market.id,
            "question": market.question,
            "slug": market.slug,
            "assets_ids": [market.yes, market.no],
            "outcomes": list(market.outcomes),
            "winning_asset_id": market.yes if yes else market.no,
            "winning_outcome": market.outcomes[0 if yes else -1],
            "timestamp": str(int(market.resolved_unix * 1000)),
        }
        for client in self._clients:
            if client.custom:
                self._put(client, market, "market_resolved", news)

    def _retick(self, market: SimMarket, old: Decimal) -> None:
        news = {"old_tick_size": text(old), "new_tick_size": text(market.tick)}
        for token in (market.yes, market.no):
            self._publish(market, token, "tick_size_change", news)

    def _quote(self, market: SimMarket, token: str, before: tuple[Ladder, Ladder] | None) -> None:
        """Send the best bid and ask where one of them is another now."""
        now = market.view(token)
        if before is None or [side[:1] for side in before] == [side[:1] for side in now]:
            return
        best = _best(now)
        bids, asks = now
        wide = text(from_micro(asks[0][0] - bids[0][0])) if bids and asks else ""
        self._publish(market, token, "best_bid_ask", {**best, "spread": wide}, custom=True)

    def _publish(
        self,
        market: SimMarket,
        token: str,
        kind: str,
        news: dict[str, Any],
        *,
        custom: bool = False,
    ) -> None:
        for client in self._clients:
            if token in client.tokens and (client.custom or not custom):
                self._put(client, market, kind, {"asset_id": token, **news})

    def _put(self, client: _Client, market: SimMarket, kind: str, news: dict[str, Any]) -> None:
        message = {
            "event_type": kind,
            "market": market.padded_id,
            # Of a change in the book the time that its hash covers.
            "timestamp": str(market.stamp_ms),
            **news,
        }
        with contextlib.suppress(asyncio.QueueFull):
            client.queue.put_nowait(payloads.compact(message))

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
        client.custom = client.custom or asked.custom_feature_enabled
        if asked.initial_dump:
            books = [self._snapshot(token) for token in asked.assets_ids]
            await client.queue.put(payloads.compact([book for book in books if book is not None]))

    def _snapshot(self, token: str) -> dict[str, Any] | None:
        market = self._exchange.market_of(token)
        if market is None or market.closed:
            return None
        self._shown[token] = market.view(token)
        self._ticks[market.yes] = market.tick
        return {"event_type": "book", **payloads.stream_book(market, token)}

    def _diff(self, market: SimMarket, token: str) -> list[dict[str, Any]]:
        before, now = self._shown.get(token), market.view(token)
        self._shown[token] = now
        if before is None:
            return []
        digest = payloads.book(market, token)["hash"]
        bids, asks = now
        best = _best(now)
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


def _best(view: tuple[Ladder, Ladder]) -> dict[str, str]:
    """The best prices; nothing for a side that is empty."""
    bids, asks = view
    return {
        "best_bid": text(from_micro(bids[0][0])) if bids else "",
        "best_ask": text(from_micro(asks[0][0])) if asks else "",
    }


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
