"""Access to the relayer: relayer keys, or builders' signatures."""

import base64
import hashlib
import hmac

import msgspec
from starlette.requests import Request

SKEW_SECONDS = 60


class Keys(msgspec.Struct, forbid_unknown_fields=True):
    """The known keys; when there are none, no caller needs one."""

    own: dict[str, str] = {}
    """Relayer keys with their owners' addresses."""
    builders: dict[str, tuple[str, str]] = {}
    """Builder keys with secret and passphrase."""

    def admit(self, request: Request, body: bytes, now: float) -> bool:
        """Whether a request shows a key."""
        if not self.own and not self.builders:
            return True
        headers = request.headers
        if "RELAYER_API_KEY" in headers:
            owner = self.own.get(headers["RELAYER_API_KEY"], "")
            said = headers.get("RELAYER_API_KEY_ADDRESS", "")
            return bool(owner) and owner.lower() == said.lower()
        return self._signed_by_a_builder(request, body, now)

    def _signed_by_a_builder(self, request: Request, body: bytes, now: float) -> bool:
        headers = request.headers
        name, stamp = (
            headers.get("POLY_BUILDER_API_KEY", ""),
            headers.get("POLY_BUILDER_TIMESTAMP", ""),
        )
        secret, passphrase = self.builders.get(name, ("", ""))
        if not secret or not stamp.isdigit() or abs(now - int(stamp)) > SKEW_SECONDS:
            return False
        # The path as signed has no query.
        text = f"{stamp}{request.method}{request.url.path}".encode() + body
        made = hmac.new(base64.urlsafe_b64decode(secret), text, hashlib.sha256).digest()
        signature = headers.get("POLY_BUILDER_SIGNATURE", "")
        return passphrase == headers.get("POLY_BUILDER_PASSPHRASE") and hmac.compare_digest(
            base64.urlsafe_b64encode(made), signature.encode()
        )
