"""What contradicts a proof: refused exits, payments that fall short, numbers that differ.

A contract that is away, a node that lags, a trade that is still on its way contradict nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from arb.domain.contradiction import Contradiction
from arb.domain.fact import Answered, Discovered, Fact, OperationEnded, OperationRequested, Voided
from arb.domain.market import OutcomeId, VenueId
from arb.domain.money import CENT, NO_SHARES, NO_USD, ZERO, Shares, Usd, text
from arb.domain.news import Contradicted
from arb.domain.operation import Redeem, contradicts, effect, venue_of
from arb.domain.order import PlanId
from arb.domain.plan import Plan
from arb.domain.statement import Difference
from arb.engine.account import read
from arb.engine.reconcile import Recent
from arb.ports import Ledger
from arb.publisher import Publisher

BALANCE = "balance/"
"""How the key of a contradiction begins that a reconciliation found."""


async def tell_contradictions(ledger: Ledger, publisher: Publisher) -> None:
    """Report every contradiction that has not been reported yet.

    At least once: a crash in between reports one twice.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    for found in await ledger.contradictions():
        if not found.told:
            publisher.publish(Contradicted(found))
            await ledger.mark_contradiction_told(found.key)


async def examine(ledger: Ledger, publisher: Publisher, plan: Plan) -> None:
    """Stop the plan's kind if its facts contradict what was proved, and report it.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    for found in of_plan(plan, await ledger.facts(plan.id)):
        await ledger.contradict(found)
    await tell_contradictions(ledger, publisher)


async def end_of_kind(
    ledger: Ledger, kind: str, why: str, at: datetime, venue: VenueId | None = None
) -> Sequence[VenueId]:
    """Let a kind be traded again, on an operator's word.

    Args:
        ledger: Where it is written down.
        kind: Which.
        why: The operator's reason.
        at: When.
        venue: Where; without it wherever it is stopped.

    Returns:
        The venues at which it was stopped, and is traded again.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    found = [
        each
        for each in await ledger.contradictions()
        if each.kind == kind and venue in (None, each.venue)
    ]
    await ledger.end_contradictions([each.key for each in found], why, at)
    return sorted({each.venue for each in found})


def of_plan(plan: Plan, facts: Sequence[Fact]) -> Iterator[Contradiction]:
    """Contradictions between a plan's facts and its proof: at most one of each sort."""
    refused = _refused(facts)
    if refused is not None:
        request, end = refused
        gains = text(effect(request.operation).cash)
        yield _of_plan(
            plan,
            "refused",
            venue_of(request.operation),
            believed=f"be ${gains} by {type(request.operation).__name__.lower()}",
            seen=end.reason,
            at=end.at,
        )
    if (short := _short(plan, facts)) is not None:
        paid, proved = short
        yield _of_plan(
            plan,
            "paid",
            plan.legs[0].outcome.venue,
            believed=f"pay at least ${text(proved)}",
            seen=f"it paid ${text(paid)}",
            at=max(fact.at for fact in facts if isinstance(fact, OperationEnded)),
        )


def _of_plan(
    plan: Plan, sort: str, venue: VenueId, *, believed: str, seen: str, at: datetime
) -> Contradiction:
    return Contradiction(
        key=f"{sort}/{plan.id}",
        venue=venue,
        kind=plan.kind,
        about=plan.id,
        believed=believed,
        seen=seen,
        at=at,
    )


def _refused(facts: Sequence[Fact]) -> tuple[OperationRequested, OperationEnded] | None:
    """The first exit that the contract itself would not make.

    What a resolved market pays is the venue's word and no part of the proof: a redemption that
    comes before the chain has the resolution is requested again.
    """
    account = read(facts)
    for end in account.ends.values():
        request = account.requests[end.id]
        cash_operations = not isinstance(request.operation, Redeem)
        if cash_operations and end.effect is None and contradicts(end.reason):
            return request, end
    return None


def _short(plan: Plan, facts: Sequence[Fact]) -> tuple[Usd, Usd] | None:
    """What was paid for the shares that have been given, and what was proved of them, if more.

    Rounding takes less than a cent: each operation is cut to a millionth. The other side of a
    leg, where an exit gave it and it has not been given again, is counted as if it won: so much
    may still be paid.
    """
    paid, moved = NO_USD, defaultdict[OutcomeId, Shares](lambda: NO_SHARES)
    for end in read(facts).ends.values():
        if end.effect is not None:
            paid = Usd(paid + end.effect.cash)
            for outcome, _, delta in end.effect.shares:
                moved[outcome] = Shares(moved[outcome] + delta)
    given = [Shares(max(-moved[leg.outcome], ZERO)) for leg in plan.legs]
    got = sum((max(moved[leg.terms.opposite], ZERO) for leg in plan.legs if leg.terms), ZERO)
    proved = plan.guaranteed(given)
    return (paid, proved) if paid + got < proved - CENT else None


def of_balances(
    differences: Sequence[Difference], recent: Recent, agreed_at: datetime | None, at: datetime
) -> list[Contradiction]:
    """Contradictions from unexplained numbers, for the plans that moved them last: one each.

    Args:
        differences: Of cash and shares, beyond what is on its way or has only just arrived.
        recent: Plans with their facts, as the reconciliation had them.
        agreed_at: When ledger and venue last agreed, as far as this process knows.
        at: When they were found to differ.
    """
    found: dict[PlanId, Contradiction] = {}
    for difference in differences:
        where = "in the account" if difference.what == "cash" else f"of {difference.about}"
        for plan, moved_at in _movers(difference, recent, agreed_at):
            contradiction = Contradiction(
                key=f"{of_balance(plan.id)}{moved_at.isoformat()}",
                venue=difference.at,
                kind=plan.kind,
                about=plan.id,
                believed=f"leave {difference.ledger} {where}",
                seen=f"{difference.venue} are there",
                at=at,
            )
            found.setdefault(plan.id, contradiction)
    return list(found.values())


def of_balance(plan: str) -> str:
    """How the key of a contradiction begins that a reconciliation found after this plan."""
    return f"{BALANCE}{plan}/"


def _movers(
    difference: Difference, recent: Recent, agreed_at: datetime | None
) -> list[tuple[Plan, datetime]]:
    """The plans that may have moved it, and when: the last, for cash all since the last accord."""
    moved: list[tuple[Plan, datetime]] = []
    for plan, facts in recent:
        times = [fact.at for fact in facts if _moves(fact)]
        if difference.what == "cash":
            touched = difference.at in plan.venues
        else:
            touched = difference.about in map(str, plan.outcomes)
        if times and touched:
            moved.append((plan, max(times)))
    moved.sort(key=lambda one: one[1])
    if difference.what == "cash" and agreed_at is not None:
        return [(plan, at) for plan, at in moved if at >= agreed_at] or moved[-1:]
    return moved[-1:]


def _moves(fact: Fact) -> bool:
    """Whether a fact records shares and dollars that changed hands."""
    match fact:
        case Answered(answer=answer):
            return bool(answer.fills)
        case OperationEnded():
            return fact.effect is not None
        case _:
            return isinstance(fact, Discovered | Voided)
