"""Findings as rows and documents: what `arb explain` later shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from arb.adapters.storage.codec import dump
from arb.domain.book import Level, OrderBook
from arb.domain.decision import Approved, Finding, Refused
from arb.domain.market import OutcomeId
from arb.domain.money import text
from arb.domain.opportunity import Opportunity, Skipped, Unproven, identity
from arb.domain.snapshot import Snapshot

BOOK_LEVELS = 5


def finding_row(finding: Finding, snapshot: Snapshot) -> dict[str, Any]:
    """The row of one finding, with the books it was judged by."""
    match finding:
        case Approved(opportunity=opportunity):
            return _proven_row(finding, opportunity, snapshot, "approved", "", "")
        case Refused(opportunity=opportunity, reason=reason, detail=detail):
            return _proven_row(finding, opportunity, snapshot, "refused", reason.value, detail)
        case Unproven(candidate=candidate, reason=reason, detail=detail):
            outcomes = [leg.outcome for leg in candidate.legs]
            legs = [
                {"token": leg.outcome.token, "limit": text(leg.limit), "size": text(leg.size)}
                for leg in candidate.legs
            ]
            return _other_row("unproven", candidate, reason.value, detail, snapshot, outcomes, legs)
        case Skipped(outcomes=outcomes, reason=reason, detail=detail):
            return _other_row("skipped", finding, str(reason), detail, snapshot, outcomes, [])


def _proven_row(
    finding: Approved | Refused,
    opportunity: Opportunity,
    snapshot: Snapshot,
    decision: str,
    reason: str,
    detail: str,
) -> dict[str, Any]:
    legs = [
        {
            "market": proven.market.slug,
            "condition_id": proven.market.id,
            "token": proven.leg.outcome.token,
            "outcome": proven.market.outcome(proven.leg.outcome),
            "side": proven.leg.side.value,
            "limit": text(proven.leg.limit),
            "size": text(proven.leg.size),
            "spend": text(proven.spend),
            "fills": _levels(proven.fills),
            "cost": text(proven.value),
            "fee": text(proven.fee),
            "closes_at": proven.market.closes_at.isoformat() if proven.market.closes_at else None,
        }
        for proven in opportunity.legs
    ]
    world = {
        snapshot.universe.markets[market].slug: resolution.name.lower()
        for market, resolution in opportunity.worst_world.items()
    }
    outcomes = [proven.leg.outcome for proven in opportunity.legs]
    verdicts = [
        {"gate": verdict.gate, "passed": verdict.passed, "detail": verdict.detail}
        for verdict in finding.verdicts
    ]
    certificate = {
        "legs": legs,
        "worst_world": world,
        "verdicts": verdicts,
        "books": _books(outcomes, snapshot),
    }
    return {
        "id": opportunity.id,
        "at": snapshot.taken_at,
        "decision": decision,
        "kind": str(opportunity.kind),
        "event": opportunity.event.slug,
        "title": opportunity.event.title,
        "exit": opportunity.exit.value,
        "size": opportunity.size,
        "available": opportunity.available,
        "cost": opportunity.cost,
        "fees": opportunity.fees,
        "payoff_worst": opportunity.payoff_worst,
        "profit": opportunity.profit,
        "reason": reason or None,
        "detail": detail,
        "certificate": dump(certificate),
    }


def _other_row(
    decision: str,
    found: Any,
    reason: str,
    detail: str,
    snapshot: Snapshot,
    outcomes: Sequence[OutcomeId],
    legs: list[dict[str, str]],
) -> dict[str, Any]:
    parts = [reason, *map(str, outcomes)]
    named: Mapping[str, Any] = {
        "legs": legs,
        "worst_world": {},
        "verdicts": [{"gate": reason, "passed": False, "detail": detail}],
        "books": _books(outcomes, snapshot),
    }
    return {
        "id": identity(found.kind, found.event, parts, snapshot),
        "at": snapshot.taken_at,
        "decision": decision,
        "kind": str(found.kind),
        "event": found.event.slug,
        "title": found.event.title,
        "exit": None,
        "size": None,
        "available": None,
        "cost": None,
        "fees": None,
        "payoff_worst": None,
        "profit": None,
        "reason": reason,
        "detail": detail,
        "certificate": dump(named),
    }


def _books(outcomes: Sequence[OutcomeId], snapshot: Snapshot) -> list[dict[str, Any]]:
    books = ((outcome, snapshot.books.get(outcome)) for outcome in outcomes)
    return [_book(outcome, book, snapshot) for outcome, book in books if book is not None]


def _book(outcome: OutcomeId, book: OrderBook, snapshot: Snapshot) -> dict[str, Any]:
    market = snapshot.universe.market_of(outcome)
    return {
        "market": market.slug,
        "outcome": market.outcome(outcome),
        "bids": _levels(book.bids[:BOOK_LEVELS]),
        "asks": _levels(book.asks[:BOOK_LEVELS]),
        "stamped_at": book.stamped_at.isoformat() if book.stamped_at else None,
        "hash": book.hash,
    }


def _levels(levels: Sequence[Level]) -> list[list[str]]:
    return [[text(level.price), text(level.size)] for level in levels]
