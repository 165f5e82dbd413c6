"""What is kept of attempts on a chain: facts in order, written before and after each step.

An attempt is no plan: it is calculated at one block and may lose its gas. It belongs to an account
of its own, and nothing of it is ever added to an account of proven trades.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from arb.domain.money import Usd


class AttemptStep(StrEnum):
    """One step of an attempt."""

    FOUND = "found"
    REFUSED = "refused"
    """Nothing is sent, and why."""
    SIMULATED = "simulated"
    SUBMITTED = "submitted"
    """About to be sent: written before anything leaves, with the transactions' hashes."""
    CONTINUED = "continued"
    """A further transaction of the same sequence is about to be sent."""
    INCLUDED = "included"
    """In the chain, and what it has brought."""
    REVERTED = "reverted"
    """In the chain, and failed: its gas is lost."""
    DROPPED = "dropped"
    """Not in the chain, and it cannot get there any more: nothing is lost."""
    FAILED = "failed"
    """It could not be sent; nothing has left."""


ENDS = frozenset(
    {
        AttemptStep.REFUSED,
        AttemptStep.INCLUDED,
        AttemptStep.REVERTED,
        AttemptStep.DROPPED,
        AttemptStep.FAILED,
    }
)
"""After these nothing follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact:
    """One step of an attempt, and when."""

    attempt: str
    """Its id: the same borrower, debt and collateral at the same block have the same one."""
    step: AttemptStep
    at: datetime
    block: int
    """The latest block that was known."""
    subject: str
    """Whom or what it is about: of a liquidation the borrower's address."""
    detail: str = ""
    """In words."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Figures by name: integers and decimals as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSums:
    """How an account of attempts stands."""

    block: int
    """At which was looked last."""
    watched: int
    """What is looked at: of liquidations the borrowers who owe anything."""
    near: int
    """Those below the limit of the list."""
    within_reach: int
    """Those that an attempt may be made at: of liquidations below health factor 1."""
    submissions: int
    inclusion_rate: Decimal | None
    """The part of the latest submissions that was included; `None` before the first end."""
    accuracy: Decimal | None
    """What included attempts have brought, by what was calculated; `None` before any."""
    failures_in_row: int
    errors_in_row: int
    """Looks in a row that have failed."""
    returned: Usd
    """What attempts have brought after gas, lost gas taken off."""
    volume_today: Usd
    volume_max: Usd
