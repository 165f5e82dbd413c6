"""A look at a part of the listing for somebody else: which of its events are worth a proof."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta

from arb.domain.market import EventId, Universe
from arb.domain.opportunity import Candidate, Skipped
from arb.domain.snapshot import Snapshot
from arb.domain.sweep import Glimpse, outcomes_of, part_of
from arb.engine.decide import fresh_events
from arb.ports import BookSource, Clock, Strategy


async def glimpse(
    part: Universe,
    *,
    books: BookSource,
    strategies: Sequence[Strategy],
    clock: Clock,
    book_age_max: timedelta,
) -> Glimpse:
    """Read the part's books and name every event of which a strategy has something to say.

    Candidates and what is passed over alike: the leader must find the same reasons and the
    same alarms as if it had read all books itself.

    Raises:
        Unavailable: No book could be read.
    """
    began = clock.monotonic()
    read = await books.fetch(outcomes_of(part))
    snapshot = Snapshot(
        universe=part,
        books=read,
        taken_at=clock.now(),
        book_age_max=book_age_max + timedelta(seconds=clock.monotonic() - began),
    )
    nominated = frozenset(
        event
        for strategy in strategies
        for proposal in strategy.find(snapshot)
        for event in _events(proposal, part)
    )
    others = [event for event in part.events.values() if event.id not in nominated]
    rest = part_of(part, others)
    return Glimpse(
        nominated=nominated,
        fresh=fresh_events(rest, read),
        received=sum(outcome in read for outcome in outcomes_of(rest)),
    )


def _events(proposal: Candidate | Skipped, part: Universe) -> Iterator[EventId]:
    """The events of the outcomes' own markets; what a strategy calls its event is a label.

    A candidate of outcomes that the part does not have is no candidate. What is passed over may
    be an event without any outcome that could be read: then there is only the name.
    """
    outcomes = (
        proposal.outcomes
        if isinstance(proposal, Skipped)
        else [leg.outcome for leg in proposal.legs]
    )
    if not outcomes and proposal.event.id in part.events:
        yield proposal.event.id
    for outcome in outcomes:
        with contextlib.suppress(KeyError):
            yield part.market_of(outcome).event
