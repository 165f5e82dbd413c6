"""What turns outcome tokens into cash, as values."""

from dataclasses import dataclass
from typing import NewType

from arb.domain.market import EventId, MarketId, OutcomeId, VenueId
from arb.domain.money import Shares, Usd
from arb.domain.order import Unknown

OperationId = NewType("OperationId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """YES and NO of one market, in equal shares, become that many dollars now."""

    market: MarketId
    pair: tuple[OutcomeId, OutcomeId]
    size: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Convert:
    """NO of k markets of an exclusive event become k - 1 dollars and YES of the other markets.

    On v1 one call does it. On v2 one NO becomes YES of all others, and each of the other NOs makes
    a pair with one of them: the pairs are dollars. Both give the same result.
    """

    event: EventId
    gives: tuple[tuple[OutcomeId, MarketId], ...]
    """NO outcomes with their markets."""
    receives: tuple[tuple[OutcomeId, MarketId], ...]
    """YES outcomes of all other markets of the event."""
    size: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeSet:
    """YES of every outcome of an event, in equal shares, become that many dollars now."""

    event: EventId
    gives: tuple[tuple[OutcomeId, MarketId], ...]
    """YES outcomes with their markets: all that the event has."""
    size: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """Shares of a resolved market become what they are worth."""

    market: MarketId
    outcome: OutcomeId
    size: Shares
    pays: Usd
    """USD in all."""


Operation = Merge | Convert | MergeSet | Redeem


def venue_of(operation: Operation) -> VenueId:
    """Where an operation takes place."""
    match operation:
        case Merge(pair=(outcome, _)) | Redeem(outcome=outcome):
            return outcome.venue
        case Convert(gives=((outcome, _), *_)) | MergeSet(gives=((outcome, _), *_)):
            return outcome.venue
        case _:
            raise ValueError("an operation gives at least one outcome")


CONTRACT_REFUSES = "the contract refuses: "
"""How a reason begins that is the contract's own word; others could not be asked or sent."""


CHAIN_DIFFERS = "the chain says otherwise: "
"""How a reason begins when what the proof took from the listing is not so on chain."""


def refused_by_contract(reason: str) -> bool:
    """Whether an operation did not happen because the contract itself will not do it."""
    return reason.startswith(CONTRACT_REFUSES)


def contradicts(reason: str) -> bool:
    """Whether an operation did not happen for what the chain is, not because it was away."""
    return reason.startswith((CONTRACT_REFUSES, CHAIN_DIFFERS))


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation did to the account: cash in, and shares of each outcome in or out."""

    cash: Usd
    shares: tuple[tuple[OutcomeId, MarketId, Shares], ...]
    """At least one: every operation gives something."""

    @property
    def venue(self) -> VenueId:
        """Where it happened."""
        return self.shares[0][0].venue


@dataclass(frozen=True, slots=True)
class Carried:
    """The operation happened, and what it did."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Declined:
    """The operation certainly did not happen, and why."""

    reason: str


OperationAnswer = Carried | Declined | Unknown


def effect(operation: Operation) -> Effect:
    """What the operation does when it succeeds."""
    match operation:
        case Merge(market=market, pair=pair, size=size):
            return Effect(Usd(size), tuple((outcome, market, Shares(-size)) for outcome in pair))
        case Convert(gives=gives, receives=receives, size=size):
            out = tuple((outcome, market, Shares(-size)) for outcome, market in gives)
            into = tuple((outcome, market, size) for outcome, market in receives)
            return Effect(Usd(size * (len(gives) - 1)), out + into)
        case MergeSet(gives=gives, size=size):
            return Effect(Usd(size), tuple((o, market, Shares(-size)) for o, market in gives))
        case Redeem(market=market, outcome=outcome, size=size, pays=pays):
            return Effect(pays, ((outcome, market, Shares(-size)),))
