"""What a scan or a cycle gathers on its way, and the report that it becomes."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from arb.domain.decision import Approved, Finding
from arb.domain.halt import RiskStatus
from arb.domain.plan import ExecutionReport
from arb.domain.reason import Reason
from arb.domain.report import Completeness, CycleReport, DataQuality, Funnel, Problem
from arb.engine.decide import count_reasons
from arb.engine.options import EngineOptions
from arb.engine.scan import Scan
from arb.ports import Clock


@dataclass(slots=True, kw_only=True)
class Tally:
    """Begun before the first read, so that the report's duration counts the reading, too."""

    mode: str
    account: str
    clock: Clock
    started_at: datetime
    ticks: float
    findings: list[Finding] = field(default_factory=list)
    ended: list[tuple[str, Reason]] = field(default_factory=list)
    plans: list[ExecutionReport] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    data_quality: list[DataQuality] = field(default_factory=list)
    """Alarms of what was queried again before a trade; those of the scan are in the scan."""

    @classmethod
    def begin(cls, mode: str, account: str, clock: Clock) -> Self:
        """A tally of what begins now."""
        return cls(
            mode=mode,
            account=account,
            clock=clock,
            started_at=clock.now(),
            ticks=clock.monotonic(),
        )

    def report(
        self, run: int, scan: Scan | None, risk: RiskStatus, options: EngineOptions
    ) -> CycleReport:
        """The report of the run or scan that ends now.

        Args:
            run: Its number in the ledger; 0 where there is none.
            scan: What was seen; `None` where the venue could not be read.
            risk: Whether trading was allowed at the end.
            options: How much a report lists.
        """
        alarms = (*(scan.found.data_quality if scan else ()), *self.data_quality)
        return CycleReport(
            run=run,
            mode=self.mode,
            account=self.account,
            started_at=self.started_at,
            duration_ms=round((self.clock.monotonic() - self.ticks) * 1000),
            markets=len(scan.listed.markets) if scan else 0,
            events=len(scan.listed.events) if scan else 0,
            books=len(scan.snapshot.books) if scan else 0,
            findings=tuple(self.findings),
            outcomes=tuple(self.ended),
            data_quality=tuple(alarms[: options.data_quality_listed_max]),
            data_quality_count=len(alarms),
            plans=tuple(self.plans),
            errors=tuple(self.errors),
            risk=risk,
            funnel=self._funnel(scan, options) if scan else Funnel(),
            reasons=count_reasons(self.findings, self.ended),
            completeness=scan.completeness if scan else Completeness(),
            coverage=scan.coverage if scan else None,
            reachable=scan is not None,
        )

    def _funnel(self, scan: Scan, options: EngineOptions) -> Funnel:
        least = options.limits.min_profit_threshold
        return replace(
            scan.counts,
            above_threshold=sum(o.profit_fraction >= least for o in scan.found.opportunities),
            approved=sum(isinstance(finding, Approved) for finding in self.findings),
            filled=sum(reason is Reason.FILLED for _, reason in self.ended),
        )
