"""Taking all orders back without the event loop, the official client or a signing library."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

import httpx
import msgspec

from arb.adapters.polymarket.payloads import decode
from arb.domain.errors import BadVenueData, ConfigError, Unavailable
from arb.net import way

METHOD, PATH = "DELETE", "/cancel-all"
TIMEOUT = httpx.Timeout(2.0, connect=1.0)
"""Short: a try that hangs keeps the next one waiting."""
ANSWER_SECONDS_MAX = 4.0
BODY_BYTES_MAX = 1024 * 1024


class _Answer(msgspec.Struct):
    not_canceled: dict[str, str] = {}


def cancel_all(
    clob_url: str,
    address: str,
    api_key: str,
    secret: str,
    passphrase: str,
    now: Callable[[], int],
    monotonic: Callable[[], float],
) -> list[str]:
    """Take every resting order of an API key back; returns those that could not be.

    Blocking, for a thread. `now` gives Unix seconds, `monotonic` those of a steady clock.

    Raises:
        ConfigError: The secret is not one.
        Unavailable: The exchange did not answer, or cannot serve now.
        BadVenueData: It refuses, or its answer cannot be read; whether anything was done is open.
    """
    stamp = now()
    headers = {
        "POLY_ADDRESS": address,
        "POLY_API_KEY": api_key,
        "POLY_PASSPHRASE": passphrase,
        "POLY_SIGNATURE": signature(secret, stamp, METHOD, PATH),
        "POLY_TIMESTAMP": str(stamp),
    }
    try:
        with httpx.Client(timeout=TIMEOUT, **way.options()) as client:
            url = clob_url.rstrip("/") + PATH
            with client.stream(METHOD, url, headers=headers) as answer:
                body = _whole(answer, monotonic, monotonic() + ANSWER_SECONDS_MAX)
    except httpx.HTTPError as error:
        raise Unavailable(f"cancel-all: {type(error).__name__}: {error}") from error
    except (httpx.InvalidURL, ValueError) as error:
        raise BadVenueData("cancel-all", f"{type(error).__name__}: {error}") from error
    if answer.status_code >= 500 or answer.status_code in (425, 429):
        raise Unavailable(f"cancel-all: HTTP {answer.status_code}")
    if answer.status_code != 200:
        raise BadVenueData("cancel-all", f"HTTP {answer.status_code}")
    return list(decode(body, _Answer, "cancel-all").not_canceled)


def _whole(answer: httpx.Response, monotonic: Callable[[], float], until: float) -> bytes:
    """The body, which may not come in drips for ever."""
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if monotonic() > until or len(body) > BODY_BYTES_MAX:
            raise Unavailable("cancel-all: the answer has no end")
    return bytes(body)


def signature(secret: str, stamp: int, method: str, path: str, body: str = "") -> str:
    """What authenticates one request with an API key: HMAC-SHA256, in URL-safe base 64.

    Raises:
        ConfigError: The secret is not one.
    """
    try:
        key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except (binascii.Error, ValueError) as error:
        raise ConfigError("the API secret is not URL-safe base 64") from error
    message = f"{stamp}{method}{path}{body}".encode()
    return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
