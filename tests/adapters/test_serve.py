"""What is served in one's own loop: connections outlive the patience of usual clients."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from arb.net.serve import listening

USUAL_PATIENCE_SECONDS = 5
"""For which common clients keep an idle connection."""
REQUEST = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


async def hello(_request):
    return PlainTextResponse("hello")


async def test_an_idle_connection_is_kept_for_longer_than_clients_use_it():
    """Else both end it at about the same time, and a request that is on its way is lost."""
    async with listening(Starlette(routes=[Route("/", hello)]), "127.0.0.1", 0) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        for pause in (0, USUAL_PATIENCE_SECONDS + 1):
            await asyncio.sleep(pause)
            writer.write(REQUEST)
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
