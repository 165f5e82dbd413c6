"""Routes that cannot be made without a role."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from arb.api.auth import Role
from arb.api.schemas import Failure

NEEDS = "x-role"
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": why}
    for status, why in (
        (400, "The request cannot be understood."),
        (401, "No valid token."),
        (403, "The token's role does not cover this, or the request is from another site."),
        (404, "Not found."),
        (409, "It is not possible in the present state."),
        (413, "The body is too large."),
        (415, "The body is not JSON."),
        (421, "The host name is not served here."),
        (422, "The request does not fit its schema."),
        (429, "Too many requests; see Retry-After."),
        (503, "The ledger, the venue or the record of commands cannot be used."),
    )
}


def needs(role: Role) -> dict[str, Any]:
    """A route's declaration: its role, and its refusals."""
    return {"openapi_extra": {NEEDS: role.value}, "responses": FAILURES}


class GuardedRoute(APIRoute):
    """A route with a role: the caller's role is checked before the request is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the check."""
        inner = super().get_route_handler()
        role = Role((self.openapi_extra or {})[NEEDS])

        async def handler(request: Request) -> Response:
            who = getattr(request.state, "principal", None)
            if who is None or not who.role.covers(role):
                raise HTTPException(403, f"this needs the role {role.value}")
            return await inner(request)

        return handler
