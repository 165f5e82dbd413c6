"""What all venues list and quote, read as one market. One venue's failure never hides another's."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from arb.domain.book import Books, OrderBook
from arb.domain.confirmation import Confirmation
from arb.domain.errors import BadVenueData, Unavailable, VenueError
from arb.domain.market import Market, MarketId, OutcomeId, Universe, VenueId, WholeGroup, united
from arb.domain.money import Usd
from arb.domain.position import Position
from arb.domain.report import Completeness, Problem, ProblemKind
from arb.ports import Venue

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K")
V = TypeVar("V")


class MarketData:
    """Reads the venues side by side."""

    def __init__(self, venues: Iterable[Venue]) -> None:
        """Read these venues; one alone is passed through as it is."""
        self._venues = {venue.id: venue for venue in venues}
        self._failed: list[Problem] = []

    @property
    def venues(self) -> Collection[VenueId]:
        """Which venues are read."""
        return self._venues.keys()

    async def universe(self) -> Universe:
        """Everything that is listed; a venue that cannot be read is missing, with a problem.

        Raises:
            VenueError: No venue could be read.
        """
        read = await self._side_by_side(
            dict.fromkeys(self._venues), lambda venue, _: venue.listing.universe()
        )
        whole, *others = read.items()
        universe = whole[1]
        for venue, listed in others:
            try:
                universe = united(universe, listed)
            except ValueError as error:
                self._failed.append(
                    Problem(
                        kind=ProblemKind.VENUE, where=f"venue {venue}", what=f"left out: {error}"
                    )
                )
        return universe

    async def event(self, slug: str) -> Universe:
        """One event and its markets, from the first venue that lists it.

        Raises:
            BadVenueData: No venue lists it.
            Unavailable: The venues that might could not be read.
        """
        missing: VenueError | None = None
        for venue in self._venues.values():
            try:
                return await venue.listing.event(slug)
            except (BadVenueData, Unavailable) as error:
                # That one could not be asked says more than that another does not have it.
                if missing is None or isinstance(error, Unavailable):
                    missing = error
        raise missing or BadVenueData("event", f"no venue lists {slug}")

    async def books(self, outcomes: Sequence[OutcomeId]) -> Books:
        """The books of these outcomes; those that did not come are absent.

        Raises:
            VenueError: None could be read.
        """
        wanted: defaultdict[VenueId, list[OutcomeId]] = defaultdict(list)
        for outcome in outcomes:
            wanted[outcome.venue].append(outcome)
        if not wanted and len(self._venues) == 1:
            wanted[next(iter(self._venues))] = []
        read = await self._side_by_side(wanted, lambda venue, of: venue.books.fetch(of))
        return next(iter(read.values())) if len(read) == 1 else ManyBooks(read)

    async def confirm(self, markets: Sequence[Market]) -> Mapping[MarketId, Confirmation]:
        """What each market's own venue says of its rules; without an answer it is absent."""
        wanted: defaultdict[VenueId, list[Market]] = defaultdict(list)
        for market in markets:
            wanted[market.venue].append(market)
        return await self._answers(wanted, lambda venue, of: venue.listing.confirm(of))

    async def count(self, groups: Sequence[WholeGroup], *, anew: bool = False) -> Mapping[str, int]:
        """How many outcomes the venues count, by group; a group without a count is absent."""
        wanted: defaultdict[VenueId, list[WholeGroup]] = defaultdict(list)
        for group in dict.fromkeys(groups):
            wanted[group.venue].append(group)
        return await self._answers(wanted, lambda venue, of: venue.listing.count(of, anew=anew))

    async def payouts(self, positions: Sequence[Position]) -> Mapping[OutcomeId, Usd]:
        """What one share of each outcome pays, for those of the positions that have resolved.

        Raises:
            VenueError: A venue could not be asked.
        """
        found: dict[OutcomeId, Usd] = {}
        for venue in {held.outcome.venue: None for held in positions}:
            markets = [held.market for held in positions if held.outcome.venue == venue]
            found |= await self._of(venue).listing.payouts(markets)
        return found

    def completeness(self) -> Completeness:
        """What the last listings promised and what could be read of them."""
        each = [venue.listing.completeness() for venue in self._venues.values()]
        return Completeness(
            markets_listed=sum(one.markets_listed for one in each),
            markets_unreadable=sum(one.markets_unreadable for one in each),
        )

    def problems(self) -> list[Problem]:
        """What went wrong since the last call, without having stopped anything."""
        failed, self._failed = self._failed, []
        for venue in self._venues.values():
            failed += [*venue.listing.problems(), *venue.books.problems()]
        return failed

    def _of(self, venue: VenueId) -> Venue:
        try:
            return self._venues[venue]
        except KeyError:
            raise Unavailable(f"the venue {venue} is not enabled") from None

    async def _answers(
        self, wanted: Mapping[VenueId, T], ask: Callable[[Venue, T], Awaitable[Mapping[K, V]]]
    ) -> Mapping[K, V]:
        """What the venues return to small questions; one that cannot be asked returns nothing."""
        found: dict[K, V] = {}
        for id_, about in wanted.items():
            with contextlib.suppress(VenueError):
                found |= await ask(self._of(id_), about)
        return found

    async def _side_by_side(
        self, wanted: Mapping[VenueId, T], read: Callable[[Venue, T], Awaitable[R]]
    ) -> dict[VenueId, R]:
        """What was read of each venue; one that could not be read is missing, with a problem.

        Raises:
            VenueError: None could be read.
        """
        found: dict[VenueId, R] = {}
        failed: list[tuple[VenueId, VenueError]] = []

        async def one(id_: VenueId, of: T) -> None:
            try:
                found[id_] = await read(self._of(id_), of)
            except VenueError as error:
                failed.append((id_, error))

        if len(wanted) == 1:
            for id_, of in wanted.items():
                return {id_: await read(self._of(id_), of)}
        await asyncio.gather(*(one(id_, of) for id_, of in wanted.items()))
        if failed and not found:
            raise failed[0][1]
        self._failed += [
            Problem(
                kind=ProblemKind.VENUE,
                where=f"venue {id_}",
                what=str(error),
                away=isinstance(error, Unavailable),
            )
            for id_, error in failed
        ]
        return {id_: found[id_] for id_ in wanted if id_ in found}


class ManyBooks(Books):
    """The books of several venues as one mapping."""

    def __init__(self, books: Mapping[VenueId, Books]) -> None:
        self._books = books

    def __getitem__(self, outcome: OutcomeId) -> OrderBook:
        return self._books[outcome.venue][outcome]

    def __contains__(self, outcome: object) -> bool:
        return (
            isinstance(outcome, OutcomeId)
            and outcome.venue in self._books
            and outcome in self._books[outcome.venue]
        )

    def __iter__(self) -> Iterator[OutcomeId]:
        for books in self._books.values():
            yield from books

    def __len__(self) -> int:
        return sum(map(len, self._books.values()))

    def best_asks(self, outcomes: Sequence[OutcomeId]) -> Sequence[int]:
        """See `Books.best_asks`."""
        best = [0] * len(outcomes)
        for venue, books in self._books.items():
            places = [place for place, outcome in enumerate(outcomes) if outcome.venue == venue]
            asks = books.best_asks([outcomes[place] for place in places])
            for place, ask in zip(places, asks, strict=True):
                best[place] = int(ask)
        return best

    def before_ours(self) -> tuple[Books, frozenset[OutcomeId]] | None:
        """See `Books.before_ours`."""
        before = {venue: books.before_ours() for venue, books in self._books.items()}
        if not any(before.values()):
            return None
        inner = {venue: ours[0] if ours else self._books[venue] for venue, ours in before.items()}
        touched = [ours[1] for ours in before.values() if ours]
        return ManyBooks(inner), frozenset().union(*touched)
