"""The messages between leader and workers (INTERFACE_SPEC.md section 15). Parsed at the door."""

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import msgspec

from arb.domain.bounds import OutOfBounds, bounded, check_nesting
from arb.domain.fees import CurveFees
from arb.domain.market import (
    Event,
    EventId,
    Exclusive,
    Implies,
    Market,
    Relation,
    Same,
    Universe,
    VenueId,
)
from arb.domain.money import ZERO
from arb.domain.sweep import Glimpse, outcomes_of
from arb.domain.venue import VenueTerms

SCHEMA = 2

R = TypeVar("R", Exclusive, Implies, Same)

_HINTS = get_type_hints(Market) | {"fees": CurveFees | None}
_FIELDS = [field for field in fields(Market) if field.name != "terms"]
# A market as it is sent: its venue's terms are in the part, once. A fee schedule that is no curve
# is left out: the leader reads the event again with it.
if TYPE_CHECKING:
    SentMarket = Market
else:
    SentMarket = msgspec.defstruct(
        "SentMarket",
        [
            (field.name, _HINTS[field.name])
            if field.default is MISSING
            else (field.name, _HINTS[field.name], field.default)
            for field in _FIELDS
        ],
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
    )


class BadMessage(Exception):
    """A message that no process of ours sends."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The leader's question: which of these events are worth a look?"""

    schema: int = SCHEMA
    sweep: str
    part: int
    events: tuple[Event, ...]
    markets: tuple[SentMarket, ...]
    exclusive: tuple[Exclusive, ...] = ()
    implies: tuple[Implies, ...] = ()
    same: tuple[Same, ...] = ()
    terms: dict[VenueId, VenueTerms] | msgspec.UnsetType = msgspec.UNSET
    """Of each venue whose terms are not the usual ones."""

    @property
    def key(self) -> str:
        """By which the part, and its answer, are known to the stream: it keeps each but once."""
        return f"{self.sweep}.{self.part}"

    def universe(self) -> Universe:
        """The events as a listing of their own."""
        relations: tuple[Relation, ...] = (*self.exclusive, *self.implies, *self.same)
        return Universe(
            {market.id: self._market(market) for market in self.markets},
            {event.id: event for event in self.events},
            relations,
        )

    def _market(self, sent: Any) -> Market:
        terms = self.terms.get(sent.yes.venue) if self.terms else None
        values = {field.name: getattr(sent, field.name) for field in _FIELDS}
        return Market(**values, terms=terms or VenueTerms())


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A worker's answer. Event ids and counts; no price, no proof, nothing that is acted upon."""

    schema: int = SCHEMA
    sweep: str
    part: int
    worker: str
    nominated: tuple[str, ...]
    fresh: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The subjects and streams of one deployment; several can share a server."""

    prefix: str

    @property
    def roll(self) -> str:
        """Where the leader asks whether any worker reads for it."""
        return f"{self.prefix}.roll"

    @property
    def parts_stream(self) -> str:
        """The work: each part is given to one worker at a time."""
        return f"{self.prefix}-parts"

    @property
    def answers_stream(self) -> str:
        """What workers nominate."""
        return f"{self.prefix}-nominations"

    def parts(self, sweep: str = ">") -> str:
        """The subject of a sweep's parts; of all sweeps' without one."""
        return f"{self.prefix}.parts.{sweep}"

    def answers(self, sweep: str = ">") -> str:
        """The subject of a sweep's answers; of all sweeps' without one."""
        return f"{self.prefix}.nominations.{sweep}"


def dump_part(sweep: str, number: int, part: Universe) -> bytes:
    """A part of the listing as a message."""
    terms = {market.venue: market.terms for market in part.markets.values()}
    unusual = {venue: each for venue, each in terms.items() if each != VenueTerms()}
    return msgspec.json.encode(
        Part(
            sweep=sweep,
            part=number,
            events=tuple(part.events.values()),
            markets=tuple(map(_sent, part.markets.values())),
            exclusive=_of(Exclusive, part.relations),
            implies=_of(Implies, part.relations),
            same=_of(Same, part.relations),
            terms=unusual or msgspec.UNSET,
        )
    )


def load_part(data: bytes, subject: str, names: Names) -> Part:
    """The part in a message.

    Raises:
        BadMessage: It is none, or none of the sweep that its subject names.
    """
    part = _load(data, Part)
    if subject != names.parts(part.sweep):
        raise BadMessage("the part is of another sweep than its subject says")
    known = {market.id for market in part.markets}
    relations: tuple[Relation, ...] = (*part.exclusive, *part.implies, *part.same)
    try:
        for market in part.markets:
            rate = market.fees.rate if isinstance(market.fees, CurveFees) else ZERO
            for number in (market.rules.tick, market.rules.min_size, market.delay_seconds, rate):
                bounded(number)
    except OutOfBounds as error:
        raise BadMessage(f"market {market.slug[:80]}: {error}") from error
    if not all(market in known for relation in relations for market in relation.markets):
        raise BadMessage("a relation names a market that is not in the part")
    return part


def dump_answer(part: Part, worker: str, glimpse: Glimpse) -> bytes:
    """What a worker saw of a part as a message."""
    return msgspec.json.encode(
        Answer(
            sweep=part.sweep,
            part=part.part,
            worker=worker,
            nominated=tuple(sorted(glimpse.nominated)),
            fresh=glimpse.fresh,
            received=glimpse.received,
        )
    )


def load_answer(data: bytes, sweep: str) -> Answer:
    """The answer in a message.

    Raises:
        BadMessage: It is none, or none to this sweep.
    """
    answer = _load(data, Answer)
    if answer.sweep != sweep:
        raise BadMessage("the answer is to another sweep")
    return answer


def glimpse_of(answer: Answer, part: Universe | None) -> Glimpse:
    """An answer's report on a part.

    Raises:
        BadMessage: It is impossible: there is no such part or event, or not as many of them.
    """
    if part is None:
        raise BadMessage("there is no such part")
    nominated = frozenset(EventId(event) for event in answer.nominated)
    if not nominated <= part.events.keys():
        raise BadMessage("an event is nominated that was not asked about")
    if not 0 <= answer.fresh <= len(part.events) - len(nominated):
        raise BadMessage("more events are fresh than there are")
    if not 0 <= answer.received <= len(outcomes_of(part)):
        raise BadMessage("more books were received than there are")
    return Glimpse(nominated=nominated, fresh=answer.fresh, received=answer.received)


M = TypeVar("M", Part, Answer)


def _load(data: bytes, kind: type[M]) -> M:
    try:
        check_nesting(data)
        message = msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadMessage(str(error)) from error
    if message.schema != SCHEMA:
        raise BadMessage(f"schema {message.schema}, not {SCHEMA}")
    if msgspec.json.encode(message) != data:
        # A name twice, digits of another script: whatever would be read otherwise than written.
        raise BadMessage("not written as we write")
    return message


def _sent(market: Market) -> Any:
    values = {field.name: getattr(market, field.name) for field in _FIELDS}
    if not isinstance(market.fees, CurveFees):
        values["fees"] = None
    return SentMarket(**values)


def _of(kind: type[R], relations: Iterable[Relation]) -> tuple[R, ...]:
    return tuple(relation for relation in relations if isinstance(relation, kind))
