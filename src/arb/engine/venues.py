"""The venues that a run trades at: what each one sends orders, operations and statements with."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from arb.domain.errors import Unavailable
from arb.domain.market import VenueId
from arb.ports import Statements, TokenOperations, Trading, Venue


class Venues(Mapping[VenueId, Venue]):
    """Venues by id. What several of them quote is read by `arb.engine.market_data.MarketData`."""

    def __init__(self, venues: Iterable[Venue]) -> None:
        self._venues = {venue.id: venue for venue in venues}

    def __getitem__(self, venue: VenueId) -> Venue:
        return self._venues[venue]

    def __iter__(self) -> Iterator[VenueId]:
        return iter(self._venues)

    def __len__(self) -> int:
        return len(self._venues)

    @property
    def statements(self) -> Mapping[VenueId, Statements]:
        """Where an account can be queried; empty on paper."""
        found = ((id_, venue.statements) for id_, venue in self._venues.items())
        return {id_: statements for id_, statements in found if statements is not None}

    def cancel_all_blocking(self) -> Sequence[str]:
        """Cancel every resting order at each venue that can do so without the event loop.

        Every venue is asked, whatever another one answers.

        Returns:
            Orders that could not be cancelled.

        Raises:
            Unavailable: At a venue it failed; names each with its reason.
        """
        left: list[str] = []
        failed: list[str] = []
        for id_, venue in self._venues.items():
            if venue.cancel_all_blocking is None:
                continue
            try:
                left += venue.cancel_all_blocking()
            except Exception as error:  # noqa: BLE001  # the other venues' orders are cancelled all the same
                failed.append(f"{id_}: {type(error).__name__}: {error}")
        if failed:
            raise Unavailable("; ".join([*failed, *(f"{order} not cancelled" for order in left)]))
        return left

    def trades_at(self, venue: VenueId) -> bool:
        """Whether orders can be sent to a venue."""
        return venue in self._venues and self._venues[venue].trading is not None

    def trading(self, venue: VenueId) -> Trading:
        """What sends orders to a venue.

        Raises:
            Unavailable: The venue is not enabled, or is only read.
        """
        found = self._venues[venue].trading if venue in self._venues else None
        if found is None:
            raise Unavailable(f"there is no trading at {venue}: it is not enabled")
        return found

    def operations(self, venue: VenueId) -> TokenOperations:
        """What turns shares at a venue into cash.

        Raises:
            Unavailable: The venue is not enabled, or has no such operations.
        """
        found = self._venues[venue].operations if venue in self._venues else None
        if found is None:
            raise Unavailable(f"nothing turns shares at {venue} into cash: it is not enabled")
        return found

    def circuits(self) -> Mapping[str, str]:
        """The state of each host's circuit breaker."""
        return {host: s for venue in self._venues.values() for host, s in venue.circuits().items()}

    def close_circuits(self) -> None:
        """Close every circuit at once."""
        for venue in self._venues.values():
            venue.close_circuits()

    def traffic(self) -> Mapping[str, int]:
        """See `arb.ports.Venue.traffic`; the sum over all venues."""
        counts: Counter[str] = Counter()
        for venue in self._venues.values():
            counts.update(venue.traffic())
        return counts
