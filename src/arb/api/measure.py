"""Counts and times answers, by route and not by address."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arb.api.metrics import Metrics


@dataclass(slots=True)
class Measured:
    """ASGI middleware behind the gate."""

    app: ASGIApp
    metrics: Metrics
    monotonic: Callable[[], float]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and measure its result."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = self.monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(scope["method"], route, str(status)).inc()
            self.metrics.request_seconds.observe(self.monotonic() - began)
