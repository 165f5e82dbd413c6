"""Answers as each of the venue's services words them: documents, pages, refusals.

docs/venue-polymarket.md §1.2; what Gamma refuses with was recorded from the live service, 2026-10.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from arb.exchange.market import payloads

T = TypeVar("T")
LAST_PAGE = "LTE="
PAST_THE_END = "next item should be greater than or equal to 0"


class Invalid(ValueError):
    """A parameter is invalid; the message is the venue's."""


def document(content: Any) -> Response:
    """A JSON document, as compact as the venue writes it."""
    return raw(payloads.compact(content))


def raw(body: bytes) -> Response:
    """JSON that is written already."""
    return Response(body, media_type="application/json")


def refused(what: str, status: int, headers: dict[str, str] | None = None) -> Response:
    """A refusal of the CLOB or of the Data API."""
    return JSONResponse({"error": what}, status, headers)


def invalid(what: str) -> Response:
    """Gamma's word for a parameter that is none."""
    return JSONResponse({"type": "validation error", "error": what}, 422)


def missing(what: str) -> Response:
    """Gamma's word for what it does not have."""
    return JSONResponse({"type": "not found error", "error": what}, 404)


def clob_page(
    request: Request, rows: Sequence[T], size: int, render: Callable[[T], Any] = lambda row: row
) -> Response:
    """A page of the CLOB: the cursor is base64 of where the next one starts."""
    cursor = request.query_params.get("next_cursor") or "MA=="
    if cursor == LAST_PAGE:
        return refused(PAST_THE_END, 400)
    try:
        start = int(base64.b64decode(cursor))
    except (ValueError, binascii.Error):
        return refused("invalid next_cursor", 400)
    page, end = [render(row) for row in rows[start : start + size]], start + size
    more = base64.b64encode(str(end).encode()).decode() if end < len(rows) else LAST_PAGE
    return document({"data": page, "next_cursor": more, "limit": size, "count": len(page)})


def data_page(request: Request, rows: Sequence[Any], most: int = 1000) -> Response:
    """A page of the Data API's envelope."""
    asked = request.query_params
    try:
        start = int(asked.get("cursor", "c0").removeprefix("c"))
        size = min(int(asked.get("limit", "100")), most)
    except ValueError:
        return refused("invalid limit or cursor", 400)
    more = f"c{start + size}" if start + size < len(rows) else None
    pagination = {
        "limit": size,
        "offset": start,
        "has_more": more is not None,
        "next_cursor": more,
    }
    return document({"data": rows[start : start + size], "pagination": pagination})


def enveloped(content: Any) -> Response:
    """A response of the Data API, without pages."""
    return document({"data": content})


def flag(asked: QueryParams, name: str) -> bool | None:
    """A truth value of the query.

    Raises:
        Invalid: It is neither.
    """
    value = asked.get(name)
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise Invalid(f"{name} is invalid")
    return value.lower() == "true"


def whole(asked: QueryParams, name: str, default: int) -> int:
    """A count of the query.

    Raises:
        Invalid: It is none.
    """
    try:
        value = int(asked.get(name, default))
    except ValueError:
        raise Invalid(f"{name} is invalid") from None
    if value < 0:
        raise Invalid(f"{name} is invalid")
    return value


def listed(asked: QueryParams, name: str) -> list[str]:
    """The values of a parameter that may be repeated or joined by commas."""
    return [one for value in asked.getlist(name) for one in value.split(",") if one]


def guarded(
    handler: Callable[[Request], Response], refuse: Callable[[str], Response]
) -> Callable[[Request], Any]:
    """The handler as an endpoint whose `Invalid` parameters are answered in the service's words."""

    async def endpoint(request: Request) -> Response:
        try:
            return handler(request)
        except Invalid as error:
            return refuse(str(error))

    return endpoint
