"""How much of a gain goes to the maker of the block, learned from what was included.

The dearer a transaction, the likelier it is first; what is kept is `(1 - share) x gain` if it is
included and nothing otherwise. After every hundred submissions the model compares the share in use
with the next lower and the next higher one and takes the one that is expected to keep the most.
Deterministic: the same history gives the same share.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

SHARES = tuple(
    Decimal(share) for share in ("0.05", "0.1", "0.2", "0.3", "0.45", "0.6", "0.75", "0.9")
)
"""The shares that are tried."""
RENEWED_EVERY = 100
"""Submissions between two renewals."""
START = 2
"""Which of the shares is tried first."""
PRIOR_WEIGHT = 10
"""How many submissions a neighbour's guess counts for."""
RISE = Decimal("0.1")
"""By how much the next higher share is guessed to be included more often, before it was tried."""
KEPT = Decimal("0.5")
"""The weight that what was seen keeps at each renewal: others change what they pay."""


@dataclass(slots=True)
class BribeModel:
    """Shares, and how often each was included."""

    at: int = START
    submissions: int = 0
    """Since the last renewal."""
    renewals: int = 0
    _sent: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * len(SHARES))
    _included: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * len(SHARES))

    @property
    def share(self) -> Decimal:
        """The part of a gain after gas that is paid now."""
        return SHARES[self.at]

    def ended(self, share: Decimal, *, included: bool) -> None:
        """Count a submission whose end is known; of an unknown share only that there was one."""
        if share in SHARES:
            at = SHARES.index(share)
            self._sent[at] += 1
            self._included[at] += included
        self.submissions += 1
        if self.submissions >= RENEWED_EVERY:
            self._renew()

    def rate(self, at: int) -> Decimal:
        """How often a share is expected to be included: what was seen, and a guess besides."""
        here = self._seen(self.at)
        guess = min(max(here + RISE * (at - self.at), Decimal(0)), Decimal(1))
        sent, included = self._sent[at], self._included[at]
        return (included + PRIOR_WEIGHT * guess) / (sent + PRIOR_WEIGHT)

    def _seen(self, at: int) -> Decimal:
        sent = self._sent[at]
        return self._included[at] / sent if sent else Decimal("0.5")

    def _renew(self) -> None:
        near = range(max(self.at - 1, 0), min(self.at + 2, len(SHARES)))
        self.at = max(near, key=lambda at: ((1 - SHARES[at]) * self.rate(at), -at))
        self._sent = [count * KEPT for count in self._sent]
        self._included = [count * KEPT for count in self._included]
        self.submissions, self.renewals = 0, self.renewals + 1


def learned(ends: Iterable[tuple[Decimal, bool]]) -> BribeModel:
    """The model after these submissions, in order: each with its share, and whether included."""
    model = BribeModel()
    for share, included in ends:
        model.ended(share, included=included)
    return model
