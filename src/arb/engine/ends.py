"""Ends of plans are reported once they are recorded, and those of a process that died before."""

from arb.domain.news import PlanEnded
from arb.domain.plan import ExecutionReport, PlanState
from arb.domain.reason import Reason
from arb.ports import Ledger
from arb.publisher import Publisher


async def tell_ends(ledger: Ledger, publisher: Publisher) -> None:
    """Report every end that has not been reported yet.

    At least once: a crash in between reports an end twice. Alarms have no other path.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    for plan, report in await ledger.untold_ends():
        reason = outcome_of(report)
        await ledger.record_outcome(plan.id, reason, report.reason)
        publisher.publish(PlanEnded(plan, report, reason))
        await ledger.mark_told(plan.id)


def outcome_of(report: ExecutionReport) -> Reason:
    """What became of the opportunity behind the plan."""
    return Reason.FILLED if report.state is PlanState.DONE else Reason.EXECUTION_FAILED
