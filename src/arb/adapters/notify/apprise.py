"""Everything that Apprise knows: Telegram, Slack, e-mail, webhooks and a hundred others."""

import re
from dataclasses import dataclass, field
from typing import Any

from arb.adapters.notify.rules import Alert, Level
from arb.domain.errors import ConfigError, how_to_install

EXTRA = how_to_install("notify")
_TYPES = {Level.CRITICAL: "failure", Level.HIGH: "warning", Level.MEDIUM: "warning"}


class NotSent(Exception):
    """The service did not take the alert."""


@dataclass(slots=True)
class Service:
    """A channel by its Apprise address."""

    url: str = field(repr=False)
    number: int = 1
    """Its place in the list: two of a kind have different names."""
    name: str = field(init=False)
    _notifier: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.name = f"{masked(self.url)} ({self.number})"
        try:
            import apprise
        except ImportError:
            raise ConfigError(f"alerts.urls need the library apprise; {EXTRA}") from None
        self._notifier = apprise.Apprise()
        if not self._notifier.add(self.url):
            raise ConfigError(
                f"alerts.urls: {self.name} is not an address that Apprise understands; "
                "correct ARB_ALERTS__URLS"
            )

    def send(self, alert: Alert) -> None:
        """See `Channel`."""
        kind = _TYPES.get(alert.level, "info")
        if not self._notifier.notify(title=alert.title, body=alert.sentence, notify_type=kind):
            raise NotSent(f"{self.name} did not accept it")


def masked(url: str) -> str:
    """An address by its kind alone: everything after that may be a secret."""
    scheme = re.match(r"[a-z][a-z0-9+.-]*(?=://)", url, re.IGNORECASE)
    return f"{scheme.group().lower() if scheme else '?'}://********"


def services(urls: str) -> list[Service]:
    """The channels of a list of addresses with blanks between them.

    Raises:
        ConfigError: One is not understood, or the library is missing.
    """
    return [Service(url, number) for number, url in enumerate(urls.split(), 1)]
