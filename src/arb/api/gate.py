"""The gate that every request passes before anything else sees it: nothing is open by default."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arb.api.auth import LOOPBACK, Principal, Tokens, is_loopback
from arb.api.limits import LockOut, RateLimit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN = frozenset({"/", "/page/app.js", "/page/app.css", "/page/icon.svg", "/healthz", "/readyz"})
"""What a browser or a supervisor may see without a token: nothing about the account."""
METRICS = "/metrics"
FORWARDED = ("forwarded", "via", "x-real-ip")
"""Headers of a proxy, beside those that begin `x-forwarded-`: its own address says nothing."""
SECRET_NAMES = ("token", "secret", "password", "authorization", "api_key", "apikey")
BODY_BYTES_MAX = 64 * 1024
PATH_CHARS_MAX = 2000
PROTOCOL = "arb.v1"
TICKET = "ticket."

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """What the gate lets pass."""

    hosts: frozenset[str]
    requests_per_minute: float = 600
    """For each token; an address gets twice as many."""
    open_metrics: bool = False
    open_on_loopback: bool = False
    """Whether a program on this machine may operate without a token."""
    origins: frozenset[str] = frozenset()
    """Other sites whose pages may ask, with a token: `https://board.example`, without a path."""
    body_bytes_max: int = BODY_BYTES_MAX


@dataclass(frozen=True, slots=True)
class _No:
    """Why a request does not pass."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()


class TooLarge(HTTPException):
    """The body has more bytes than are taken."""

    def __init__(self) -> None:
        super().__init__(413, "the body is too large")


@dataclass(slots=True)
class Gate:
    """ASGI middleware: host, origin, token, rate, size and type of every request."""

    app: ASGIApp
    options: GateOptions
    tokens: Tokens
    tickets: Callable[[str], Principal | None]
    """Whose ticket it is; a ticket is good once."""
    monotonic: Callable[[], float]
    denied: Callable[[str], None] = lambda _: None
    """Called with the code of each refusal."""
    _by_token: RateLimit = field(init=False)
    _by_address: RateLimit = field(init=False)
    _lock_out: LockOut = field(init=False)

    def __post_init__(self) -> None:
        rate = self.options.requests_per_minute
        self._by_token = RateLimit(rate, self.monotonic)
        self._by_address = RateLimit(2 * rate, self.monotonic)
        self._lock_out = LockOut(self.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        no = self._examine(scope)
        if no is not None:
            self.denied(no.code)
            await _refuse(scope, receive, send, no)
            return
        guarded = _Guarded(send)
        try:
            await self.app(scope, _bounded(receive, self.options.body_bytes_max), guarded)
        except TooLarge:
            if not guarded.started:
                await _refuse(scope, receive, send, _No(413, "too_large", "the body is too large"))

    def _examine(self, scope: Scope) -> _No | None:
        headers = Headers(scope=scope)
        return (
            self._wrong_place(scope, headers)
            or self._wrong_caller(scope, headers)
            or self._wrong_shape(scope, headers)
        )

    def _wrong_place(self, scope: Scope, headers: Headers) -> _No | None:
        host = headers.get("host", "")
        if _name(host) not in self.options.hosts:
            return _No(421, "host", "this host name is not served here; see api.allowed_hosts")
        if not self._is_listed(headers):
            if _is_foreign(headers):
                return _No(403, "origin", "requests from other sites are refused")
            if headers.get("sec-fetch-site") == "cross-site" and scope["path"] != "/":
                return _No(403, "origin", "requests from other sites are refused")
        names = [name.lower() for name, _ in parse_qsl(scope["query_string"].decode("latin-1"))]
        if any(secret in name for name in names for secret in SECRET_NAMES):
            return _No(400, "secret_in_url", "secrets belong in the Authorization header")
        if len(scope["path"]) > PATH_CHARS_MAX:
            return _No(414, "path", "the address is too long")
        return None

    def _wrong_caller(self, scope: Scope, headers: Headers) -> _No | None:
        address = (scope.get("client") or ("unknown", 0))[0]
        if wait := self._by_address.wait(address):
            return _slower(wait)
        if scope["type"] == "http" and self._is_open(scope):
            return None
        found, presented = self._who(scope, headers, address)
        if found is None:
            if presented and (wait := self._lock_out.failed(address)):
                return _slower(wait)
            return _No(401, "token", "a bearer token is needed", (("www-authenticate", "Bearer"),))
        self._lock_out.succeeded(address)
        if wait := self._by_token.wait(found.name):
            return _slower(wait)
        scope.setdefault("state", {})["principal"] = found
        return None

    def _who(self, scope: Scope, headers: Headers, address: str) -> tuple[Principal | None, bool]:
        if scope["type"] == "websocket":
            offered = [one.strip() for one in headers.get("sec-websocket-protocol", "").split(",")]
            tickets = [one.removeprefix(TICKET) for one in offered if one.startswith(TICKET)]
            if tickets:
                return self.tickets(tickets[0]), True
        if "authorization" not in headers and self._is_at_hand(headers, address):
            return LOOPBACK, False
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            return None, False
        return self.tokens.find(token.strip()), True

    def _is_listed(self, headers: Headers) -> bool:
        return headers.get("origin") in self.options.origins

    def _is_at_hand(self, headers: Headers, address: str) -> bool:
        """Whether a program on this machine asks, or the page that is served here, and may.

        Neither another site's page nor what a proxy on this machine hands on.
        """
        if not self.options.open_on_loopback or not is_loopback(address) or _is_foreign(headers):
            return False
        return not any(name in FORWARDED or name.startswith("x-forwarded-") for name in headers)

    def _is_open(self, scope: Scope) -> bool:
        if scope["method"] not in ("GET", "HEAD"):
            return False
        path = scope["path"]
        return path in OPEN or (path == METRICS and self.options.open_metrics)

    def _wrong_shape(self, scope: Scope, headers: Headers) -> _No | None:
        if scope["type"] != "http":
            return None
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.options.body_bytes_max:
            return _No(413, "too_large", f"at most {self.options.body_bytes_max} bytes are taken")
        has_body = length != "0" or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] not in SAFE and (has_body or kind) and kind != "application/json":
            return _No(415, "content_type", "bodies must be application/json")
        return None


@dataclass(slots=True)
class _Guarded:
    """Adds the headers that every answer has, and knows whether one has begun."""

    send: Send
    started: bool = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = list(message["headers"])
            known = {name.lower() for name, _ in headers}
            message["headers"] = headers + [one for one in RAW_HEADERS if one[0] not in known]
        await self.send(message)


def _bounded(receive: Receive, most: int) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                raise TooLarge
        return message

    return bounded


def _is_foreign(headers: Headers) -> bool:
    """Whether the page of another site asks."""
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].strip("[").lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _slower(wait: float) -> _No:
    return _No(429, "rate", "too many requests", (("retry-after", str(max(1, round(wait)))),))


async def _refuse(scope: Scope, receive: Receive, send: Send, no: _No) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + no.status, "reason": no.message})
        return
    body = json.dumps({"error": {"code": no.code, "message": no.message}}).encode()
    named = {**HEADERS, "content-type": "application/json", "content-length": str(len(body))}
    headers = [*named.items(), *no.headers]
    raw = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": no.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
