"""What goes wrong on purpose on the way: faults of answers, set at run time, by endpoint.

Faults of reads spoil the answer. Faults of writes decide whether the exchange acts at all, and what
of its answer arrives (docs/fault-catalogue.md §A).
"""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GARBAGE = b"\xff\xfe<html>not what you asked for</html>"
HTML = b"<!DOCTYPE html><html><head><title>%d</title></head><body>cloudflare</body></html>"
WRONG_TYPES = b'[{"asset_id": 12, "bids": "none", "asks": {"price": 1}}, 7, null, "x"]'
HUGE_PIECE = b"[" + b"0," * 500_000

Kind = Literal[
    "",
    "accept_then_hang",
    "accept_then_drop",
    "accept_then_rst",
    "accept_then_5xx",
    "truncate",
    "html_200",
    "refuse",
    "rst",
    "hang",
    "throttle",
    "batch_partial",
    "batch_unknown",
]
BATCH_KINDS = ("batch_partial", "batch_unknown")
"""Carried out by the endpoint itself."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `times` answers get it; -1 until it is cleared."""

    endpoint: str
    """Path of the endpoint, or its beginning."""
    method: str = ""
    """Only requests of this method."""
    exact: bool = False
    """Only this very path, not what begins with it."""
    kind: Kind = ""
    """Processed or not, and what of the answer arrives.

    `accept_then_hang` (A01, A17): processed; the answer comes `delay` seconds later, or never if 0.
    `accept_then_drop`, `accept_then_rst` (A01): processed; the connection ends without an answer.
    `accept_then_5xx` (A02): processed; HTML with `status`, 500 unless given.
    `truncate`, `html_200` (A02): processed; half of the answer, or a page of HTML.
    `refuse`, `rst` (A03): not processed; the connection ends before the body is read.
    `hang` (A03): not processed, and never answered.
    `throttle` (E06): each answer is `delay` seconds later than the one before.
    `batch_partial` (A09): only the first `rows` of a batch are processed, the others unexplained.
    `batch_unknown` (A09): the whole batch is processed, and no row is reported.
    """
    rows: int = 0
    after_post: bool = False
    """A04: waits until an order has been posted."""
    status: int = 200
    retry_after: int | None = None
    delay: float = 0
    body: str | None = None
    """`garbage`, `truncated`, `huge`, `wrong_types`, `empty`, `html`; absent: the true answer.

    E07: `html` with 403 or 429 is a firewall's; E12: `status` 410 is an endpoint that is no more.
    """
    drop: bool = False
    """Break the connection in the middle of the answer."""
    times: int = 1


@dataclass(slots=True)
class Faults:
    """The faults in force."""

    left: dict[Fault, int] = field(default_factory=dict)
    taken: dict[Fault, int] = field(default_factory=dict)
    posted: bool = False
    """Whether an order was posted since the last fault was added."""

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self.left[fault] = fault.times
        self.posted = False

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.left.clear()
        self.taken.clear()

    def take(self, path: str, method: str = "GET") -> Fault | None:
        """The fault that this request gets on its way, if any."""
        for fault in self.left:
            if fault.kind not in BATCH_KINDS and self._hits(fault, path, method):
                return self._use(fault)
        return None

    def take_kind(self, path: str, kind: Kind) -> Fault | None:
        """The fault of a kind that the endpoint itself has to carry out, if any."""
        for fault in self.left:
            if fault.kind == kind and self._hits(fault, path, "POST"):
                return self._use(fault)
        return None

    def _hits(self, fault: Fault, path: str, method: str) -> bool:
        there = path == fault.endpoint if fault.exact else path.startswith(fault.endpoint)
        ready = self.posted or not fault.after_post
        return there and ready and fault.method in ("", method) and self.left[fault] != 0

    def _use(self, fault: Fault) -> Fault:
        self.left[fault] -= 1
        self.taken[fault] = self.taken.get(fault, 0) + 1
        return fault


class FaultyAnswers:
    """ASGI application around another: spoils answers by the faults in force."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app, self._faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, spoiled or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        fault = self._faults.take(path, method)
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind:
            await self._on_the_way(fault, scope, receive, send)
        else:
            await self._spoiled(fault, scope, receive, send)
        if method == "POST" and path in ("/order", "/orders"):
            self._faults.posted = True

    async def _spoiled(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(fault.delay)
        if fault.status != 200 or fault.body not in (None, "truncated") or fault.drop:
            await _answer(fault, send)
            return
        await self._app(scope, receive, _cut_short(send) if fault.body == "truncated" else send)

    async def _on_the_way(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "refuse":
                await _hang_up(send)
            case "rst" | "accept_then_rst" | "accept_then_drop":
                if fault.kind != "rst":
                    await self._app(scope, receive, _nowhere)
                await _hang_up(send, hard=fault.kind.endswith("rst"))
            case "hang":
                await _until_left(receive)
            case "accept_then_hang":
                kept: list[Message] = []
                await self._app(scope, receive, _into(kept))
                if not fault.delay:
                    await _until_left(receive)
                    return
                await asyncio.sleep(fault.delay)
                for message in kept:
                    await send(message)
            case "accept_then_5xx" | "html_200":
                await self._app(scope, receive, _nowhere)
                status = 200 if fault.kind == "html_200" else max(fault.status, 500)
                await _page(status, fault, send)
            case "throttle":
                await asyncio.sleep(fault.delay * self._faults.taken[fault])
                await self._app(scope, receive, send)
            case _:
                await self._app(scope, receive, _cut_short(send))


async def _answer(fault: Fault, send: Send) -> None:
    if fault.body == "html":
        await _page(fault.status, fault, send)
        return
    headers = _headers(fault, b"application/json")
    bodies = {"garbage": GARBAGE, "wrong_types": WRONG_TYPES, "empty": b"", None: b'{"error":"-"}'}
    if fault.drop:
        # The server breaks the connection when less comes than was promised.
        await send(_start(fault.status, [*headers, (b"content-length", b"1000000")]))
        await send({"type": "http.response.body", "body": b"[", "more_body": False})
        return
    await send(_start(fault.status, headers))
    if fault.body == "huge":
        for _ in range(100):
            await send({"type": "http.response.body", "body": HUGE_PIECE, "more_body": True})
    body = bodies.get(fault.body, b"")
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _page(status: int, fault: Fault, send: Send) -> None:
    await send(_start(status, _headers(fault, b"text/html")))
    await send({"type": "http.response.body", "body": HTML % status, "more_body": False})


async def _hang_up(send: Send, *, hard: bool = False) -> None:
    """End the connection without a word; with a reset if hard."""
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionAbortedError("the server does not let its connections be cut")
    if hard:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    # The server learns of it in the next turns of the loop, and then misses no answer.
    for _ in range(3):
        await asyncio.sleep(0)


async def _until_left(receive: Receive) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass


async def _nowhere(_message: Message) -> None:
    pass


def _into(kept: list[Message]) -> Send:
    async def keep(message: Message) -> None:
        kept.append(message)

    return keep


def _headers(fault: Fault, kind: bytes) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", kind)]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    return headers


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _cut_short(send: Send) -> Send:
    async def cut(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [h for h in message["headers"] if h[0].lower() != b"content-length"]
            message = {**message, "headers": kept}
        elif message["type"] == "http.response.body":
            message = {**message, "body": message.get("body", b"")[: len(message["body"]) // 2]}
        await send(message)

    return cut
