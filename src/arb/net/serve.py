"""Serving an ASGI application in one's own loop: the control API, the embedded exchange."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from arb.domain.errors import Unavailable

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: much longer than clients keep theirs. Where both give it up
at about the same time, a request that is on its way then is lost."""


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, host: str, port: int, **options: Any) -> AsyncIterator[str]:
    """Serve while the block runs; gives the address, which answers already.

    Args:
        app: What is served.
        host: Where, by address.
        port: 0: any free one.
        options: Of `uvicorn.Config`.

    Raises:
        Unavailable: The port is taken, or not ours to have.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, asyncio turns Nagle's algorithm off; otherwise answers can wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}") from error
    options.setdefault("timeout_keep_alive", KEEP_ALIVE_SECONDS)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="websockets-sansio", **options
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready.wait()
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if config.is_ssl else "http"
        yield f"{scheme}://{shown}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


class _Server(uvicorn.Server):
    """Without signal handlers of its own: the caller decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Notify the waiting task that requests are served now."""
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield
