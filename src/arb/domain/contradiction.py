"""Where reality has shown that a proof was wrong, and what is stopped until a person has looked."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from arb.domain.market import VenueId


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """What was believed of a trade and what was seen instead.

    What one proof got wrong the next one of its kind gets wrong, too: nothing new of this kind is
    traded at this venue until an operator has looked. Other kinds go on.
    """

    key: str
    """The same for the same contradiction: found again it is not another one."""
    venue: VenueId
    kind: str
    about: str
    """The plan that it was seen in."""
    believed: str
    seen: str
    at: datetime
    told: bool = False
    """Whether the observers were notified of it; a crash can come in between."""

    @property
    def sentence(self) -> str:
        """All of it in one line, without what to do about it."""
        return (
            f"{self.kind} at {self.venue} is stopped: plan {self.about} was to {self.believed}, "
            f"but {self.seen}"
        )

    @property
    def command(self) -> str:
        """The command by which an operator ends it after a look."""
        return f"arb resume --kind {self.kind} --venue {self.venue}"


def stopped(
    kind: str, venues: Collection[VenueId], contradictions: Iterable[Contradiction]
) -> Contradiction | None:
    """The first contradiction that keeps the kind from being traded at one of the venues."""
    return next((c for c in contradictions if c.kind == kind and c.venue in venues), None)
