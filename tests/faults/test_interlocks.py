"""Every reason why nothing may be sent stops what it must: the guard, the cycle, the unwinding."""

import dataclasses
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.storage.lead import Lead
from arb.domain.plan import PlanState
from arb.domain.report import RunCause
from arb.domain.statement import Difference
from arb.interlocks import BlockCode, Stops, closed
from arb.operations.halt_file import sentinel_of
from arb.runtime import running
from arb.runtime.killswitch import DEAD, kill_switch
from arb.runtime.server import controlled
from tests.faults.world import SOON, eventually

LEGS = 3
ORDER = [
    (BlockCode.HALTED_BY_COMMAND, Stops.SENDING),
    (BlockCode.HALTED_BY_OPERATOR, Stops.SENDING),
    (BlockCode.HALT_WATCH_ENDED, Stops.SENDING),
    (BlockCode.LEAD_IN_DOUBT, Stops.SENDING),
    (BlockCode.NOT_RECONCILED, Stops.SENDING),
    (BlockCode.LEDGER_DIFFERS, Stops.OPENING),
    (BlockCode.RECONCILIATION_OLD, Stops.OPENING),
]
SAID = {
    BlockCode.HALTED_BY_COMMAND: "halted: by a test",
    BlockCode.HALTED_BY_OPERATOR: "stopped by the operator: by a test",
    BlockCode.HALT_WATCH_ENDED: DEAD,
    BlockCode.LEAD_IN_DOUBT: "another orchestrator led meanwhile",
    BlockCode.NOT_RECONCILED: "the ledger is not reconciled with the venue yet",
    BlockCode.LEDGER_DIFFERS: "ledger and venue differ in 1 points: cash USD: 2 here, 1 there; "
    "see `arb reconcile`",
    BlockCode.RECONCILIATION_OLD: "s old",
}


class Interlocked:
    """What trades live, with every interlock that `arb run --live` gives it; each can be closed."""

    def __init__(self, at, switch):
        self.at, self.switch = at, switch
        url, account = at.settings.database.url, at.ledger.account
        self.sentinel = sentinel_of(url)
        self.lead = Lead(url=url, account=account, holder="a test", clock=SystemClock())
        self.lead.token, self.lead._sure_until = 1, float("inf")
        context = dataclasses.replace(at.context, interlocks=running._interlocks(switch, self.lead))
        self.found = controlled(SimpleNamespace(settings=at.settings), context)
        options = dataclasses.replace(at.options, answer_wait=SOON)
        orchestrator = self.found.orchestrator
        orchestrator.executor.options = options
        guard = orchestrator.executor.guard
        guard.options = dataclasses.replace(guard.options, duplicate_window=SOON)
        at.orchestrator = self.orchestrator = orchestrator

    def close(self, code):
        reconciler = self.orchestrator.reconciler
        match code:
            case BlockCode.HALTED_BY_COMMAND:
                self.found.control.switch.reason = SAID[code]
            case BlockCode.HALTED_BY_OPERATOR:
                self.sentinel.put(self.at.ledger.account, "by a test")
            case BlockCode.HALT_WATCH_ENDED:
                self.switch._stop.set()
                self.switch._thread.join()
            case BlockCode.LEAD_IN_DOUBT:
                self.lead.lost = SAID[code]
            case BlockCode.NOT_RECONCILED:
                reconciler.done_at = None
            case BlockCode.LEDGER_DIFFERS:
                reconciler.differences = (
                    Difference(
                        what="cash", about="USD", ledger="2", venue="1", at=self.at.venue.bundle.id
                    ),
                )
            case BlockCode.RECONCILIATION_OLD:
                reconciler.done_ticks -= 1_000_000

    async def open(self):
        self.found.control.switch.reason, self.lead.lost = None, ""
        self.sentinel.lift(self.at.ledger.account)
        if self.switch._stop.is_set():
            self.switch._stop.clear()
            self.switch.__enter__()
        self.switch._look()
        await self.orchestrator.reconciler.run()
        assert closed(self.orchestrator.interlocks) == ()

    async def blocked(self):
        """What the guard says to no orders at all, and what health shows."""
        guard = self.orchestrator.executor.guard
        return guard.forbids([], {}), (await self.found.control.health()).blocked_by

    async def cycle(self):
        """A cycle that does not reconcile first."""
        number = await self.at.ledger.begin_run(self.at.context.clock.now(), RunCause.CYCLE)
        return await self.orchestrator._cycle.run(number, stopping=lambda: False)

    async def completed(self):
        """Take up what is open; whether nothing is any more."""
        await self.orchestrator._take_up()
        return not await self.at.ledger.open_plans()


@contextmanager
def interlocked(at):
    with kill_switch(at.settings.database.url, at.ledger.account, at.news.append) as switch:
        yield Interlocked(at, switch)


async def test_the_interlocks_of_a_live_run_are_these_in_this_order(at):
    with interlocked(at) as ours:
        orchestrator = ours.orchestrator
        assert [(each.code, each.stops) for each in orchestrator.interlocks] == ORDER
        assert orchestrator.executor.guard.interlocks == orchestrator.interlocks
        assert orchestrator._cycle._interlocks == orchestrator.interlocks


@pytest.mark.parametrize(("code", "stops"), ORDER)
async def test_a_closed_interlock_stops_guard_cycle_and_unwinding(at, code, stops):
    with interlocked(at) as ours:
        await ours.open()
        ours.close(code)

        refused, shown = await ours.blocked()
        assert [(each.code, each.stops) for each in shown] == [(code, stops)]
        assert SAID[code] in shown[0].reason
        assert refused == (shown[0] if stops is Stops.SENDING else None)

        report = await ours.cycle()
        assert not report.risk.can_trade
        assert SAID[code] in "; ".join(report.risk.reasons)
        assert (report.plans, at.bodies) == ((), [])
        assert report.funnel.proved > 0

        await ours.open()
        at.lose_a_leg()
        lose = at.before_post

        def lose_and_close(request):
            lose(request)
            ours.close(code)

        at.before_post = lose_and_close
        (plan,) = (await ours.cycle()).plans
        if stops is Stops.SENDING:
            assert (plan.state, plan.code) == (PlanState.OPEN, code)
            assert SAID[code] in plan.reason
            assert len(at.bodies) == LEGS
        else:
            await eventually(ours.completed)
            assert [each.code for each in closed(ours.orchestrator.interlocks)] == [code]
            assert len(at.bodies) > LEGS

        await ours.open()
        await at.ended()
        assert len(at.bodies) > LEGS
        await at.check()
