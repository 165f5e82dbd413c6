"""How plans have ended, summed up from the news."""

from dataclasses import dataclass
from decimal import Decimal

from arb.domain.money import NO_USD, Usd
from arb.domain.news import News, PlanEnded, PlanResolved
from arb.domain.reason import Reason


@dataclass(slots=True)
class PlanRecord:
    """Plans whose orders were sent. Itself an observer of the news."""

    ended: int = 0
    filled: int = 0
    """Those of which every leg was filled."""
    proved: Usd = NO_USD
    """Profit that filled plans with a result in cash were proved to make in the worst world."""
    realised: Usd = NO_USD
    """What these have made."""

    def __call__(self, news: News) -> None:
        """Count it."""
        match news:
            case PlanEnded(plan=plan, report=report, reason=reason) if report.code is None:
                self.ended += 1
                self.filled += reason is Reason.FILLED
                if reason is Reason.FILLED and not report.locked:
                    self._add(plan.profit, report.realised)
            case PlanResolved(plan=plan, report=report):
                self._add(plan.profit, report.realised)
            case _:
                pass

    @property
    def inclusion_rate(self) -> Decimal | None:
        """The part of the plans that was filled; `None` before the first has ended."""
        return Decimal(self.filled) / self.ended if self.ended else None

    @property
    def accuracy(self) -> Decimal | None:
        """Realised by proved profit: 1 where the proofs held exactly; `None` before a result."""
        return self.realised / self.proved if self.proved > 0 else None

    def _add(self, proved: Usd, realised: Usd) -> None:
        self.proved, self.realised = Usd(self.proved + proved), Usd(self.realised + realised)
