"""What goes wrong on purpose: faults of reads, set at run time, by endpoint."""

import asyncio
from dataclasses import dataclass, field

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GARBAGE = b"\xff\xfe<html>not what you asked for</html>"
WRONG_TYPES = b'[{"asset_id": 12, "bids": "none", "asks": {"price": 1}}, 7, null, "x"]'
HUGE_PIECE = b"[" + b"0," * 500_000


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `times` answers get it; -1 until it is cleared."""

    endpoint: str
    """Path of the endpoint, or its beginning."""
    status: int = 200
    retry_after: int | None = None
    delay: float = 0
    body: str | None = None
    """`garbage`, `truncated`, `huge`, `wrong_types`, `empty`; absent: the true answer."""
    drop: bool = False
    """Break the connection in the middle of the answer."""
    times: int = 1


@dataclass(slots=True)
class Faults:
    """The faults in force."""

    left: dict[Fault, int] = field(default_factory=dict)

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self.left[fault] = fault.times

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.left.clear()

    def take(self, path: str) -> Fault | None:
        """The fault that this request gets, if any."""
        for fault, times in self.left.items():
            if path.startswith(fault.endpoint) and times:
                self.left[fault] = times - 1
                return fault
        return None


class FaultyAnswers:
    """ASGI middleware that spoils answers as the faults in force say."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app, self._faults = app, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, spoiled or not."""
        fault = self._faults.take(scope.get("path", "")) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(fault.delay)
        if fault.status != 200 or fault.body not in (None, "truncated") or fault.drop:
            await _answer(fault, send)
            return
        await self._app(scope, receive, _cut_short(send) if fault.body == "truncated" else send)


async def _answer(fault: Fault, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    if fault.retry_after is not None:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
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
