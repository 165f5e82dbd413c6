"""Everything a strategy may read, as of one instant."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from arb.domain.book import Books
from arb.domain.market import Universe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """The universe, its books, and the instant of the view."""

    universe: Universe
    books: Books
    taken_at: datetime
    book_age_max: timedelta = timedelta(seconds=15)
    """A book received longer ago than this is stale: nothing is proved from it."""
