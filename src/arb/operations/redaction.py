"""Text that may leave the program: without secrets, and without what terminals obey."""

from typing import Any

from arb.adapters.telemetry.redact import printable, redact

learn = redact.learn
"""Mask these values in everything that is shown from here on."""


def shown(text: str) -> str:
    """An error's text as one printable line; what is written like a secret is masked, too."""
    return printable(redact(text))


def safe(value: Any) -> Any:
    """A result without the secrets that are known; names and numbers stay as they are."""
    match value:
        case str():
            return redact.known(value)
        case dict():
            return {name: safe(item) for name, item in value.items()}
        case list() | tuple():
            return [safe(item) for item in value]
        case _:
            return value


__all__ = ["learn", "printable", "safe", "shown"]
