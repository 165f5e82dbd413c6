"""Keeping secrets out of every sink: by their registered values, and by how they are written."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "********"
SHORTEST = 6
"""Shorter values would mask ordinary words."""

_PATTERNS = (
    re.compile(r"(?i)(bearer\s+)[\w.~+/=-]{6,}"),
    re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?\w+\s+)[^\s\"',}]{4,}"),
    re.compile(r"\b()eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    re.compile(r"(?i)(\bPOLY[_-][\w-]+[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]{4,}"),
    re.compile(
        r"(?i)((?:private[_-]?key|secret|passphrase|api[_-]?key|token)[\"']?\s*[=:]\s*"
        r"[\"']?)(?!0x[0-9a-f]{64}\b|\d{20,}\b)[^\s\"',}]{6,}"
    ),
    re.compile(r"(?i)(private[_-]?key[\"']?\s*[=:]\s*[\"']?)[^\s\"',}]{6,}"),
    re.compile(r"(\w://[^/\s:@?#]*:)[^@/\s]+(?=@)"),
    re.compile(r"(\w://)[^/\s:@?#]{6,}(?=@)"),
    re.compile(r"(?i)([?&][\w-]*(?:key|token|auth|secret|password)=)[^&#\s\"']{4,}"),
)
# Control characters and those that turn the direction of writing: a venue's text must not be able
# to forge a line of the log or to speak to the terminal.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text on one line, with what terminals obey written out: a line feed as `\\n`."""
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class Redactor:
    """Masks secrets in text. Hashes of orders and transactions stay readable."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these from now on, too."""
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        new = {form for form in forms if len(form) >= SHORTEST} - self._forms
        if new:
            self._forms |= new
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def known(self, text: str) -> str:
        """The text without the secrets that were learned."""
        return self._known.sub(MASK, text) if self._known else text

    def __call__(self, text: str) -> str:
        """The text without these, and without what is written like a secret."""
        text = self.known(text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{MASK}", text)
        return text


redact = Redactor()
"""This process's own: what is learned here, no log and no error shows."""


def _forms(secret: str) -> Iterable[str]:
    """The ways in which a secret gets written."""
    bare = secret.removeprefix("0x")
    for value in {secret, bare}:
        raw = value.encode()
        yield value
        yield json.dumps(value)[1:-1]
        yield json.dumps(value, ensure_ascii=False)[1:-1]
        yield repr(value)[1:-1]
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
