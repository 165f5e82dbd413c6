"""Proxies of the tests' own: they alone know where `exchange.test` is, which no name server knows."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

HOST = "exchange.test"
CHUNK = 65536


class Proxy:
    """Takes what is for any host to this machine, and counts it."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        """Requests by host, or connections where more cannot be seen."""
        self.paths: Counter[str] = Counter()
        self.address = ""

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        method, target, version = first.decode().split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            self.seen[host] += 1
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await self._through(reader, writer, int(port), b"")
            return
        url = urlsplit(target)
        self.seen[str(url.hostname)] += 1
        self.paths[url.path] += 1
        path = url.path + (f"?{url.query}" if url.query else "")
        kept = b"\r\n".join(
            line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:")
        )
        sent = f"{method} {path or '/'} {version}\r\nConnection: close\r\n".encode() + kept
        await self._through(reader, writer, url.port or 80, sent)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """SOCKS 5 without a password."""
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        length = 4 if kind == 1 else (await reader.readexactly(1))[0]
        host = await reader.readexactly(length)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.seen[host.decode(errors="replace")] += 1
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await self._through(reader, writer, port, b"")

    async def _through(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, begin: bytes
    ) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", port)
        out.write(begin)
        both = [asyncio.ensure_future(_copy(*pair)) for pair in ((reader, out), (there, writer))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:  # also when the proxy ends in the middle of it
            for one in both:
                one.cancel()
            for stream in (out, writer):
                stream.close()
            await asyncio.gather(*both, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(CHUNK):
            writer.write(piece)
            await writer.drain()


@contextlib.asynccontextmanager
async def proxy(kind: str) -> AsyncIterator[Proxy]:
    """`http` or `socks`, on loopback."""
    made, working = Proxy(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        working.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await getattr(made, kind)(reader, writer)
        finally:
            working.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    scheme = "http" if kind == "http" else "socks5h"
    made.address = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
