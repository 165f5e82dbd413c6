"""A look at a part of the listing for somebody else: which of its events are worth a proof."""

from collections.abc import Sequence
from datetime import timedelta

from arb.domain.market import Universe
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

    Candidates and what is passed over alike: whoever asked must come to the same reasons and the
    same alarms as if he had read all books himself.

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
        proposal.event.id for strategy in strategies for proposal in strategy.find(snapshot)
    )
    others = [event for event in part.events.values() if event.id not in nominated]
    rest = part_of(part, others)
    return Glimpse(
        nominated=nominated,
        fresh=fresh_events(rest, read),
        received=sum(outcome in read for outcome in outcomes_of(rest)),
    )
