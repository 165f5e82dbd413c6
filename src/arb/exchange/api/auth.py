"""API keys of the embedded exchange: issuing them, and authenticating requests.

See docs/venue-polymarket.md §6.1, §6.2.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arb.exchange.trading import signatures
from arb.exchange.trading.matching_service import MatchingService

UNAUTHORIZED = {"error": "Unauthorized/Invalid api key"}
BAD_KEY_REQUEST = {"error": "Invalid L1 Request headers"}
EXISTS = {"error": "Could not create api key"}
NO_CRYPTO = {
    "error": "this exchange cannot check signatures: the `live` extra (eth-account) is missing"
}
SEED = b"embedded exchange"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key of a signer. The same signer and nonce have the same one."""

    address: str
    key: str
    secret: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller."""

    address: str
    key: str


class Refused(Exception):
    """The request is answered with this."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


Handler = Callable[[Request, Caller], Awaitable[Response]]


class Keys:
    """All API keys."""

    def __init__(self, floor: MatchingService) -> None:
        self._floor = floor
        self._known: dict[str, Credentials] = {}
        self._since: dict[str, float] = {}
        """When a key was given out last."""
        self._builders: dict[str, tuple[Credentials, float]] = {}
        """Keys of builders, and when (Unix seconds) they were given out."""
        self._readers: dict[str, str] = {}
        """Keys that may only read, and whose they are."""
        self._counts: dict[str, int] = {}

    def routes(self) -> list[Route]:
        """The endpoints for keys."""
        return [
            Route("/auth/api-key", self.create, methods=["POST"]),
            Route("/auth/derive-api-key", self.derive, methods=["GET"]),
            Route("/auth/api-keys", self.listed, methods=["GET"]),
            Route("/auth/api-key", self.delete, methods=["DELETE"]),
            Route("/auth/builder-api-key", self.signed(self.create_builder), methods=["POST"]),
            Route("/auth/builder-api-key", self.signed(self.builders), methods=["GET"]),
            Route("/auth/builder-api-key", self.revoke_builder, methods=["DELETE"]),
            Route("/auth/readonly-api-key", self.signed(self.create_reader), methods=["POST"]),
            Route("/auth/readonly-api-keys", self.signed(self.readers), methods=["GET"]),
            Route("/auth/readonly-api-key", self.signed(self.delete_reader), methods=["DELETE"]),
        ]

    def signed(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A handler that needs an API key, as an endpoint."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request, await self.caller(request))
            except Refused as refused:
                return refused.response

        return endpoint

    async def create(self, request: Request) -> Response:
        """`POST /auth/api-key`: once; then it can be derived."""
        try:
            made = self._asked_for(request)
        except Refused as refused:
            return refused.response
        if made.key in self._known:
            return JSONResponse(EXISTS, 400)
        return self._give(made)

    async def derive(self, request: Request) -> Response:
        """`GET /auth/derive-api-key`: the one that was created."""
        try:
            made = self._asked_for(request)
        except Refused as refused:
            return refused.response
        if made.key not in self._known:
            return JSONResponse({"error": "Could not derive api key!"}, 400)
        return self._give(made)

    async def listed(self, request: Request) -> Response:
        """`GET /auth/api-keys`."""
        try:
            caller = await self.caller(request)
        except Refused as refused:
            return refused.response
        mine = [one.key for one in self._known.values() if one.address == caller.address]
        return JSONResponse({"apiKeys": mine})

    async def delete(self, request: Request) -> Response:
        """`DELETE /auth/api-key`."""
        try:
            caller = await self.caller(request)
        except Refused as refused:
            return refused.response
        del self._known[caller.key]
        return JSONResponse("OK")

    async def create_builder(self, _request: Request, caller: Caller) -> Response:
        """`POST /auth/builder-api-key`: another one each time."""
        made = _credentials(caller.address, self._count("builder"), "builder")
        self._builders[made.key] = (made, self._floor.unix())
        return JSONResponse({"key": made.key, "secret": made.secret, "passphrase": made.passphrase})

    async def builders(self, _request: Request, caller: Caller) -> Response:
        """`GET /auth/builder-api-key`: those that were not revoked."""
        mine = [
            (one.key, at) for one, at in self._builders.values() if one.address == caller.address
        ]
        return JSONResponse([{"key": key, "createdAt": _iso(at)} for key, at in mine])

    async def revoke_builder(self, request: Request) -> Response:
        """`DELETE /auth/builder-api-key`: the key that signs, or all of an account's."""
        try:
            await self._revoke(request)
        except Refused as refused:
            return refused.response
        return JSONResponse("OK")

    async def create_reader(self, _request: Request, caller: Caller) -> Response:
        """`POST /auth/readonly-api-key`."""
        made = _credentials(caller.address, self._count("reader"), "reader")
        self._readers[made.key] = caller.address
        return JSONResponse({"apiKey": made.key})

    async def readers(self, _request: Request, caller: Caller) -> Response:
        """`GET /auth/readonly-api-keys`."""
        mine = [key for key, address in self._readers.items() if address == caller.address]
        return JSONResponse(mine)

    async def delete_reader(self, request: Request, caller: Caller) -> Response:
        """`DELETE /auth/readonly-api-key`."""
        try:
            asked = msgspec.json.decode(await request.body(), type=dict[str, str])
        except msgspec.MsgspecError:
            asked = {}
        known = self._readers.get(asked.get("key", "")) == caller.address
        if known:
            del self._readers[asked["key"]]
        return JSONResponse(known)

    async def caller(self, request: Request) -> Caller:
        """The caller that signed a request with an API key.

        Raises:
            Refused: No valid caller, or not now.
        """
        if not signatures.available():
            raise Refused(JSONResponse(NO_CRYPTO, 501))
        headers = request.headers
        known = self._known.get(headers.get("POLY_API_KEY", ""))
        said, stamp = headers.get("POLY_SIGNATURE", ""), headers.get("POLY_TIMESTAMP", "")
        if known is None or not self.valid(known.key) or not self._timely(stamp):
            raise Refused(JSONResponse(UNAUTHORIZED, 401))
        message = f"{stamp}{request.method}{request.url.path}".encode() + await request.body()
        fits = (
            hmac.compare_digest(_sign(known.secret, message), said.encode())
            and headers.get("POLY_PASSPHRASE") == known.passphrase
            and headers.get("POLY_ADDRESS", "").lower() == known.address
        )
        if not fits:
            raise Refused(JSONResponse(UNAUTHORIZED, 401))
        return Caller(known.address, known.key)

    def owner(self, key: str, secret: str, passphrase: str) -> str | None:
        """The API key that these three are, if they are one."""
        known = self._known.get(key)
        if known is None or not self.valid(key):
            return None
        return key if (known.secret, known.passphrase) == (secret, passphrase) else None

    def address_of(self, key: str) -> str | None:
        """Whose key it is."""
        known = self._known.get(key)
        return None if known is None else known.address

    def valid(self, key: str) -> bool:
        """Whether a key was given out recently enough."""
        life = self._floor.conduct.auth_ttl
        return not life or self._floor.now() - self._since[key] < life

    async def _revoke(self, request: Request) -> None:
        headers = request.headers
        if "POLY_BUILDER_API_KEY" not in headers:
            caller = await self.caller(request)
            mine = [k for k, (one, _) in self._builders.items() if one.address == caller.address]
            for key in mine:
                del self._builders[key]
            return
        known, _ = self._builders.get(headers["POLY_BUILDER_API_KEY"], (None, 0.0))
        stamp = headers.get("POLY_BUILDER_TIMESTAMP", "")
        message = f"{stamp}{request.method}{request.url.path}".encode() + await request.body()
        said = headers.get("POLY_BUILDER_SIGNATURE", "").encode()
        if known is None or not hmac.compare_digest(_sign(known.secret, message), said):
            raise Refused(JSONResponse(UNAUTHORIZED, 401))
        del self._builders[known.key]

    def _count(self, what: str) -> int:
        self._counts[what] = self._counts.get(what, 0) + 1
        return self._counts[what]

    def _give(self, made: Credentials) -> Response:
        self._known[made.key], self._since[made.key] = made, self._floor.now()
        answer = {"apiKey": made.key, "secret": made.secret, "passphrase": made.passphrase}
        return JSONResponse(answer)

    def _asked_for(self, request: Request) -> Credentials:
        if not signatures.available():
            raise Refused(JSONResponse(NO_CRYPTO, 501))
        headers = request.headers
        address, stamp = headers.get("POLY_ADDRESS", ""), headers.get("POLY_TIMESTAMP", "")
        try:
            nonce = int(headers.get("POLY_NONCE", "0"))
            said = bytes.fromhex(headers.get("POLY_SIGNATURE", "").removeprefix("0x"))
            signer = signatures.key_signer(address, stamp, nonce, said)
        except (ValueError, signatures.BadSignature):
            raise Refused(JSONResponse(BAD_KEY_REQUEST, 401)) from None
        if signer != address.lower() or not self._timely(stamp):
            raise Refused(JSONResponse(BAD_KEY_REQUEST, 401))
        return _credentials(signer, nonce)

    def _timely(self, stamp: str) -> bool:
        if not stamp.isdecimal():
            return False
        conduct = self._floor.conduct
        return abs(int(stamp) - self._floor.wall()) <= conduct.clock_tolerance


def _iso(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat()


def _credentials(address: str, nonce: int, kind: str = "") -> Credentials:
    def of(what: str) -> bytes:
        said = f"{kind}{what}/{address}/{nonce}"
        return hmac.new(SEED, said.encode(), hashlib.sha256).digest()

    secret = base64.urlsafe_b64encode(of("secret")).decode()
    return Credentials(address, str(uuid.UUID(bytes=of("key")[:16])), secret, of("pass").hex())


def _sign(secret: str, message: bytes) -> bytes:
    digest = hmac.new(base64.urlsafe_b64decode(secret), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest)
