"""A front before the exchange that edits answers on their way: what other venues' bugs look like."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arb.net.serve import listening

Edit = Callable[[str, dict[str, str], Any], Any]
"""Path, query (with the request's own body) and document of an answer; gives what is sent instead:
a document, or a whole response."""

OUR_OWN = ("host", "content-length", "accept-encoding")
"""Headers of a request that the front makes itself."""


@contextlib.asynccontextmanager
async def edited(upstream: str, edit: Edit, deaf: Sequence[str] = ()) -> AsyncIterator[str]:
    """The exchange with its JSON answers edited; gives the address of the front.

    What is asked for by a parameter of a name in `deaf` is not passed on.
    """
    async with httpx.AsyncClient(base_url=upstream, trust_env=False, timeout=60) as client:

        async def forward(request: Request) -> Response:
            answer = await client.request(
                request.method,
                request.url.path,
                params=[one for one in request.query_params.multi_items() if one[0] not in deaf],
                content=await request.body(),
                headers={k: v for k, v in request.headers.items() if k not in OUR_OWN},
            )
            body = answer.content
            if answer.is_success and body[:1] in (b"{", b"["):
                path, query = request.url.path, dict(request.query_params)
                query["body"] = (await request.body()).decode()
                told = edit(path, query, json.loads(body))
                if isinstance(told, Response):
                    return told
                body = json.dumps(told).encode()
            return Response(body, answer.status_code, media_type="application/json")

        app = Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST", "DELETE"])])
        async with listening(app, "127.0.0.1", 0) as address:
            yield address
