"""API keys of the embedded exchange: who may have one, and who asks (PLATFORM.md §6.1-6.2)."""

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arb.adapters.simulator import signatures
from arb.adapters.simulator.floor import Floor

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
    """Who has asked."""

    address: str
    key: str


class Refused(Exception):
    """The request is answered with this."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Keys:
    """All API keys."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._known: dict[str, Credentials] = {}
        self._since: dict[str, float] = {}
        """When a key was given out last."""

    def routes(self) -> list[Route]:
        """The endpoints for keys."""
        return [
            Route("/auth/api-key", self.create, methods=["POST"]),
            Route("/auth/derive-api-key", self.derive, methods=["GET"]),
            Route("/auth/api-keys", self.listed, methods=["GET"]),
            Route("/auth/api-key", self.delete, methods=["DELETE"]),
        ]

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

    async def caller(self, request: Request) -> Caller:
        """Who signs a request with an API key.

        Raises:
            Refused: Nobody, or not now.
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


def _credentials(address: str, nonce: int) -> Credentials:
    def of(what: str) -> bytes:
        return hmac.new(SEED, f"{what}/{address}/{nonce}".encode(), hashlib.sha256).digest()

    secret = base64.urlsafe_b64encode(of("secret")).decode()
    return Credentials(address, str(uuid.UUID(bytes=of("key")[:16])), secret, of("pass").hex())


def _sign(secret: str, message: bytes) -> bytes:
    digest = hmac.new(base64.urlsafe_b64decode(secret), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest)
