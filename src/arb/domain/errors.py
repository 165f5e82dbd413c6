"""What "could not" is called, grouped by what the caller does about it.

ArbError
├── ConfigError            name the setting and its source; exit 2
├── VenueError
│   ├── Unavailable        the circuit counts it; reads are retried, the cycle goes on without it
│   ├── RateLimited        carries `retry_after_seconds`
│   └── BadVenueData       the book or market is left out; the payload is kept
│       └── NotAskedFor    the venue takes no notice of what was asked: nothing is concluded
├── UnknownName            suggest the nearest name; exit 2
├── LedgerError            no trading without a ledger: halt
│   └── LedgerLocked       another instance owns it
├── NotReady               a check before live trading has failed: nothing is traded
├── StrategyFailed         a strategy's own error: the cycle ends, named and counted
└── InvariantBroken        a bug: halt, keep the plan open, alert a person

Expected outcomes (a refused opportunity, a rejected order) are values, not exceptions.
"""


def how_to_install(extra: str) -> str:
    """What to run so that an optional part works; the program is installed from its clone."""
    return f"in the clone, run .venv/bin/pip install -e '.[{extra}]'"


class ArbError(Exception):
    """Anything this program raises on purpose."""


class ConfigError(ArbError):
    """A setting is unknown or unusable; the message names it, its source and the fix."""


class VenueError(ArbError):
    """A venue could not serve us."""


class Unavailable(VenueError):
    """The venue did not answer, or answered that it cannot serve now; asking later may work."""


class RateLimited(Unavailable):
    """The venue asked us to wait."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BadVenueData(VenueError):
    """The venue's answer is not what it promises; carries where in the payload."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class NotAskedFor(BadVenueData):
    """The answer holds other items than were requested, so it proves nothing about those."""


class UnknownName(ArbError):
    """What was asked for by its name is not there; the message names what comes nearest."""


class LedgerError(ArbError):
    """The ledger cannot be read or written."""


class LedgerLocked(LedgerError):
    """Another instance works on this ledger."""


class NotReady(ArbError):
    """A precondition for live trading failed; the message says how to fix it."""


class StrategyFailed(ArbError):
    """A strategy raised an unexpected error; the message names both."""


class InvariantBroken(ArbError):
    """Something that cannot be true is; a bug, not a market condition."""
