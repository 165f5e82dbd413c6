"""Edges that the venue still shows and our own paper fills have taken: named, so that none is
missing without a reason. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from arb.domain.market import markets_of
from arb.domain.money import text
from arb.domain.opportunity import Opportunity, Skipped, Unproven
from arb.domain.reason import Reason
from arb.domain.snapshot import Snapshot
from arb.domain.sweep import part_of
from arb.engine.decide import Detection, find
from arb.ports import Strategy


def with_hidden(strategies: Sequence[Strategy], snapshot: Snapshot, found: Detection) -> Detection:
    """The findings, with `taken_before` in place of the reason for the rest of a taken edge."""
    ours = snapshot.books.before_ours()
    if ours is None:
        return found
    books, outcomes = ours
    touched = [
        event
        for event in snapshot.universe.events.values()
        if any(
            market.yes in outcomes or market.no in outcomes
            for market in markets_of(snapshot.universe, event)
        )
    ]
    if not touched:
        return found
    there = find(
        strategies,
        replace(snapshot, universe=part_of(snapshot.universe, touched), books=books),
    )
    known = {_place(one) for one in found.opportunities}
    hidden = [one for one in there.opportunities if _place(one) not in known]
    gone = {_place(one) for one in hidden}
    others = [one for one in found.others if _about(one) not in gone]
    return replace(found, others=(*others, *map(_taken, _each_once(hidden))))


def _each_once(opportunities: Iterable[Opportunity]) -> Iterable[Opportunity]:
    """The most profitable of each event and kind; they come in that order."""
    return {_place(one): one for one in reversed(list(opportunities))}.values()


def _place(one: Opportunity) -> tuple[str, str]:
    return (one.event.id, str(one.kind))


def _about(other: Skipped | Unproven) -> tuple[str, str]:
    """The event and kind of what was refused: a candidate's, or its own."""
    about = other.candidate if isinstance(other, Unproven) else other
    return (about.event.id, str(about.kind))


def _taken(one: Opportunity) -> Skipped:
    return Skipped(
        kind=one.kind,
        event=one.event,
        outcomes=tuple(proven.leg.outcome for proven in one.legs),
        reason=Reason.TAKEN_BEFORE,
        detail=f"{text(one.size)} shares at a profit of ${text(one.profit)} are shown; "
        "the account on paper took them before",
    )
