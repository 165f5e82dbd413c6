"""Order books from the CLOB, in batches."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from arb.adapters.polymarket.decode import Decoded, RawBook, decode_books
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.quarantine import Quarantine
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.book import Books, Levels, OrderBook
from arb.domain.errors import BadVenueData, Unavailable, VenueError
from arb.domain.market import OutcomeId
from arb.domain.report import Problem, ProblemKind
from arb.net.http import HttpReader, Refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGE_BYTES = 256 * 1024
PAIR = 2
ONE_TOKEN = (400, 404)
"""Refusals that one unknown token of a batch can cause."""
SPLITS_MAX = 64
"""How often refused batches are split in one reading of all books."""


class BookTable(Books):
    """Books as integer columns; an `OrderBook` is built only when one is asked for."""

    def __init__(self, rows: Mapping[str, tuple[RawBook, datetime]]) -> None:
        self._rows = rows
        self._built: dict[str, OrderBook] = {}

    def __getitem__(self, outcome: OutcomeId) -> OrderBook:
        built = self._built.get(outcome.token)
        if built is None:
            row, received_at = self._rows[outcome.token]
            built = self._built[outcome.token] = _build(outcome, row, received_at)
        return built

    def __iter__(self) -> Iterator[OutcomeId]:
        return (OutcomeId(POLYMARKET, token) for token in self._rows)

    def __contains__(self, outcome: object) -> bool:
        return isinstance(outcome, OutcomeId) and outcome.token in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def best_asks(self, outcomes: Sequence[OutcomeId]) -> Sequence[int]:
        """See `Books.best_asks`."""
        rows = self._rows
        return [rows[o.token][0].best_ask if o.token in rows else 0 for o in outcomes]


class PolymarketBooks:
    """The `BookSource` port over `POST /books` (docs/venue-polymarket.md §1.4).

    The answer is in no order, leaves unknown tokens out, and is not one instant across tokens. The
    two tokens of a market travel in one request when they stand side by side in what is asked for.
    """

    def __init__(
        self,
        options: PolymarketOptions,
        reader: HttpReader,
        quarantine: Quarantine,
        now: Callable[[], datetime],
    ) -> None:
        self._options, self._reader = options, reader
        self._quarantine, self._now = quarantine, now
        self._decoding = asyncio.Lock()

    async def fetch(self, outcomes: Sequence[OutcomeId]) -> Books:
        """See `arb.ports.BookSource`."""
        rows: dict[str, tuple[RawBook, datetime]] = {}
        per_request = max(self._options.books_per_request // 2 * 2, 1)
        chunks = [outcomes[i : i + per_request] for i in range(0, len(outcomes), per_request)]
        gate = asyncio.Semaphore(self._options.concurrency)

        splits = SPLITS_MAX

        async def read(chunk: Sequence[OutcomeId]) -> VenueError | None:
            nonlocal splits
            try:
                async with gate:
                    rows.update(await self._read(chunk))
            except Refused as error:
                # One token can have a whole batch refused; the others have done nothing wrong.
                if error.status in ONE_TOKEN and len(chunk) > PAIR and splits > 0:
                    splits -= 1
                    middle = len(chunk) // 2 // PAIR * PAIR or PAIR
                    first, second = await asyncio.gather(read(chunk[:middle]), read(chunk[middle:]))
                    return first and second
                tokens = ", ".join(outcome.token for outcome in chunk[:PAIR])
                self._quarantine.keep(ProblemKind.BOOKS, f"{error} (tokens {tokens})", b"")
                return error
            except VenueError as error:
                body = error.body if isinstance(error, _Unreadable) else b""
                self._quarantine.keep(ProblemKind.BOOKS, str(error), body)
                return error
            return None

        failures = await asyncio.gather(*map(read, chunks))
        if outcomes and not rows:
            why = next((str(failure) for failure in failures if failure), "the answer held none")
            raise Unavailable(f"none of {len(outcomes)} books could be read: {why}")
        return BookTable(rows)

    def problems(self) -> Sequence[Problem]:
        """See `arb.ports.BookSource`."""
        return self._quarantine.drain()

    async def _read(self, chunk: Sequence[OutcomeId]) -> dict[str, tuple[RawBook, datetime]]:
        asked = {outcome.token for outcome in chunk}
        request = msgspec.json.encode([{"token_id": outcome.token} for outcome in chunk])
        url = f"{self._options.clob_url.rstrip('/')}/books"
        body = await self._reader.query("books", url, request)
        received_at = self._now()
        try:
            decoded = await self._decode(body)
        except BadVenueData as error:
            raise _Unreadable(error.where, error.what, body) from error
        for problem, payload in decoded.problems:
            self._quarantine.keep(ProblemKind.BOOK, f"{problem.where}: {problem.what}", payload)
        return {book.token: (book, received_at) for book in decoded.books if book.token in asked}

    async def _decode(self, body: bytes) -> Decoded:
        """The books of an answer; a large one beside the loop, which others wait for.

        One after the other: threads that compute at the same time only take turns.
        """
        if len(body) < LARGE_BYTES:
            return decode_books(body)
        async with self._decoding:
            return await asyncio.to_thread(decode_books, body)


class _Unreadable(BadVenueData):
    """An answer that holds no books, as it came."""

    def __init__(self, where: str, what: str, body: bytes) -> None:
        super().__init__(where, what)
        self.body = body


def _build(outcome: OutcomeId, row: RawBook, received_at: datetime) -> OrderBook:
    return OrderBook(
        outcome=outcome,
        bids=Levels(*row.side(row.bids)),
        asks=Levels(*row.side(row.asks)),
        received_at=received_at,
        stamped_at=_stamp(row.timestamp),
        hash=row.digest,
    )


def _stamp(milliseconds: str) -> datetime | None:
    if not (milliseconds.isascii() and milliseconds.isdigit()) or len(milliseconds) > 14:
        return None
    return EPOCH + timedelta(milliseconds=int(milliseconds))
