"""What became of each candidate: exactly one decision, with every gate's verdict."""

from dataclasses import dataclass

from arb.domain.opportunity import Opportunity, Skipped, Unproven
from arb.domain.plan import Plan
from arb.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one gate."""

    gate: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The opportunity may be executed, as planned."""

    opportunity: Opportunity
    """As sized: the plan's legs."""
    plan: Plan
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A proven opportunity that will not be executed."""

    opportunity: Opportunity
    reason: Reason
    detail: str
    verdicts: tuple[Verdict, ...] = ()


Decision = Approved | Refused
Finding = Approved | Refused | Unproven | Skipped
"""Everything that a cycle examined closely enough to give it a reason of its own."""
