"""Alerts on standard error."""

import sys
from dataclasses import dataclass, field
from typing import TextIO

from arb.adapters.notify.rules import Alert, Level

_COLOURS = {Level.CRITICAL: "\x1b[1;31m", Level.HIGH: "\x1b[31m", Level.MEDIUM: "\x1b[33m"}
_PLAIN = "\x1b[0m"


@dataclass(slots=True)
class Console:
    """A channel to the terminal of the run."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    name: str = "console"

    def send(self, alert: Alert) -> None:
        """See `Channel`."""
        text = "".join(c if c.isprintable() or c == "\n" else " " for c in alert.sentence)
        colour = _COLOURS.get(alert.level, "") if self.stream.isatty() else ""
        end = _PLAIN if colour else ""
        self.stream.write(f"{colour}ALERT {alert.level.name}: {text}{end}\n")
        self.stream.flush()
