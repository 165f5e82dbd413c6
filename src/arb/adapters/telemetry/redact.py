"""Keeping secrets out of every sink: by their registered values, and by how they are written."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "********"
SHORTEST = 6
"""Shorter values would mask ordinary words."""

_PATTERNS = (
    re.compile(r"(?i)(bearer\s+)[\w.~+/=-]{6,}"),
    re.compile(r"(?i)(\bPOLY[_-][\w-]+[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]{4,}"),
    re.compile(
        r"(?i)((?:private[_-]?key|secret|passphrase|api[_-]?key|token)[\"']?\s*[=:]\s*"
        r"[\"']?)(?!0x[0-9a-f]{64}\b)[^\s\"',}]{6,}"
    ),
    re.compile(r"(?i)(private[_-]?key[\"']?\s*[=:]\s*[\"']?)[^\s\"',}]{6,}"),
    re.compile(r"(\w+://[^/\s:@]+:)[^@/\s]+(?=@)"),
)


class Redactor:
    """Masks secrets in text. Hashes of orders and transactions stay readable."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        longest_first = sorted((f for f in forms if len(f) >= SHORTEST), key=len, reverse=True)
        self._known = (
            re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
            if longest_first
            else None
        )

    def __call__(self, text: str) -> str:
        """The text with every secret masked."""
        if self._known:
            text = self._known.sub(MASK, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{MASK}", text)
        return text


def _forms(secret: str) -> Iterable[str]:
    """The ways in which a secret gets written."""
    bare = secret.removeprefix("0x")
    for value in {secret, bare}:
        raw = value.encode()
        yield value
        yield quote(value, safe="")
        yield quote_plus(value)
        yield raw.hex()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(raw).decode()
            yield encode(raw).decode().rstrip("=")
        yield value[::-1]
    if re.fullmatch(r"[0-9a-fA-F]+", bare) and len(bare) % 2 == 0:
        number = bytes.fromhex(bare)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(number).decode().rstrip("=")
