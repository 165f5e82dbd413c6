"""Paper trading: a venue's own listing and books, less what we took, and our own fills.

An account on paper must not take the same resting order twice. What our fills took stays taken
until the venue shows that the liquidity at that price is new: when the level shrinks, others are
taken to have traded with what we took; when it grows, the growth is new; when it is gone, so is
the memory of it. Filled and settled are the same here: nothing can fail on chain. Nothing is under
way either: an order is filled when it is submitted, or never.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from arb.domain.book import Books, Level, OrderBook, depth, mirrored, walk
from arb.domain.confirmation import Confirmation
from arb.domain.dollars import spend
from arb.domain.market import (
    Market,
    MarketId,
    OutcomeId,
    Side,
    Universe,
    WholeGroup,
)
from arb.domain.money import ZERO, Price, Shares, Usd, complement, text, to_micro
from arb.domain.order import Answer, Fill, Final, NotFound, Order, OrderId, TradeState
from arb.domain.report import Completeness, Problem
from arb.domain.venue import TimeInForce
from arb.ports import Clock, OperationsAtOnce, Venue

ANSWERS_KEPT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """What we took at one price, and what the venue showed there when last read."""

    shares: Shares
    shown: Shares

    def seen(self, shown: Shares) -> "Taken":
        """What is still ours of a level that now shows so much."""
        traded_by_others = max(self.shown - shown, ZERO)
        return Taken(Shares(max(self.shares - traded_by_others, ZERO)), shown)


Key = tuple[OutcomeId, Side, Price]
"""A level that a trade of this side takes. Where YES and NO share a book, a bid of one is an ask of
the other: there every level is called by the ask that it is."""


def on_paper(venue: Venue, clock: Clock, history: Iterable[Fill] = ()) -> Venue:
    """A venue whose orders are filled here, against its own books.

    Args:
        venue: What is listed and quoted.
        clock: Time.
        history: The account's fills, which keep the liquidity that they took.
    """
    paper = PaperVenue(venue, clock, history)
    return replace(
        venue,
        listing=paper,
        books=paper,
        trading=paper,
        operations=OperationsAtOnce(),
        statements=None,
    )


class PaperVenue:
    """The ports of a venue over another venue's reads. Implements `Catalog`, `BookSource`,
    `Trading` and `TokenOperations`.
    """

    def __init__(self, venue: Venue, clock: Clock, history: Iterable[Fill] = ()) -> None:
        self.venue = venue.id
        self._one_book = venue.terms.complement_shares_book
        self._grace = venue.terms.not_found_grace
        self._catalog, self._books, self._clock = venue.listing, venue.books, clock
        self._universe = Universe({})
        self._view: PaperBooks | None = None
        self._taken: dict[Key, Taken] = {}
        self._answers: dict[OrderId, Final] = {}
        for fill in history:
            if fill.outcome.venue == venue.id:
                self._take(fill)

    async def universe(self) -> Universe:
        """See `arb.ports.Catalog`."""
        self._universe = await self._catalog.universe()
        return self._universe

    async def event(self, slug: str) -> Universe:
        """See `arb.ports.Catalog`."""
        self._universe = await self._catalog.event(slug)
        return self._universe

    async def payouts(self, markets: Sequence[MarketId]) -> Mapping[OutcomeId, Usd]:
        """See `arb.ports.Catalog`."""
        return await self._catalog.payouts(markets)

    async def confirm(self, markets: Sequence[Market]) -> Mapping[MarketId, Confirmation]:
        """See `arb.ports.Catalog`."""
        return await self._catalog.confirm(markets)

    async def count(self, groups: Sequence[WholeGroup], *, anew: bool = False) -> Mapping[str, int]:
        """See `arb.ports.Catalog`."""
        return await self._catalog.count(groups, anew=anew)

    def completeness(self) -> Completeness:
        """See `arb.ports.Catalog`."""
        return self._catalog.completeness()

    def problems(self) -> Sequence[Problem]:
        """See `arb.ports.Catalog`."""
        return [*self._catalog.problems(), *self._books.problems()]

    async def fetch(self, outcomes: Sequence[OutcomeId]) -> Books:
        """The venue's books less what we took of them.

        A plan that another process left open is taken up before the first listing is read: which
        outcomes share a book, and what they charge, is read then.
        """
        if outcomes and not self._universe.markets:
            await self.universe()
        books = await self._books.fetch(outcomes)
        self._notice(books)
        self._view = PaperBooks(books, dict(self._taken), self._other_side)
        return self._view

    async def prepare(self, orders: Sequence[Order]) -> Sequence[Order]:
        """See `arb.ports.Trading`. Nothing is signed, and "not found" means "never placed" at once:
        fills are written with their answer, so one that is not known was not booked.
        """
        over = self._clock.now() - self._grace
        return [replace(order, ref=str(order.id), expires_at=over) for order in orders]

    async def submit(self, orders: Sequence[Order]) -> Sequence[Answer]:
        """Fill each order against the books last fetched, once: submitted again it is answered."""
        for order in orders:
            if order.id not in self._answers:
                self._answers[order.id] = self._fill(order)
        answers = [self._answers[order.id] for order in orders]
        while len(self._answers) > ANSWERS_KEPT_MAX:
            self._answers.pop(next(iter(self._answers)))
        return answers

    async def trade_states(self, _order: Order, _trades: Sequence[str]) -> Mapping[str, TradeState]:
        """See `arb.ports.Trading`. On paper fills settle as they happen: there are no trades."""
        return {}

    async def cancel_all(self) -> Sequence[str]:
        """See `arb.ports.Trading`. Paper orders never rest."""
        return ()

    async def query(self, order: Order) -> Answer:
        """See `arb.ports.Trading`. What an earlier process submitted is not found."""
        return self._answers.get(order.id, NotFound())

    def _fill(self, order: Order) -> Final:
        book = self._view.get(order.outcome) if self._view is not None else None
        if book is None:
            return Final((), "there is no book")
        taken, refusal = _match(order, book.against(order.side))
        if refusal:
            return Final((), refusal)
        try:
            fees = self._universe.market_of(order.outcome).fees
        except KeyError:
            return Final((), "its market is not listed any more")
        if fees is None:
            return Final((), "the fee is unknown")
        assert self._view is not None
        fills = tuple(
            Fill(
                order=order.id,
                outcome=order.outcome,
                market=order.market,
                side=order.side,
                price=level.price,
                size=level.size,
                fee=fees.taker(level.price, level.size),
                shown=self._shown(order, level.price),
                at=self._clock.now(),
            )
            for level in taken
        )
        for fill in fills:
            self._take(fill)
        self._view = PaperBooks(self._view.inner, dict(self._taken), self._other_side)
        return Final(fills)

    def _shown(self, order: Order, price: Price) -> Shares:
        assert self._view is not None
        return self._view.shown(self._level(order.outcome, order.side, price))

    def _level(self, outcome: OutcomeId, side: Side, price: Price) -> Key:
        """The level that a fill takes."""
        other = self._other_side(outcome) if side is Side.SELL else None
        if other is None:
            return (outcome, side, price)
        return (other, Side.BUY, complement(price))

    def _take(self, fill: Fill) -> None:
        key = self._level(fill.outcome, fill.side, fill.price)
        before = self._taken.get(key)
        still = before.seen(fill.shown).shares if before else Shares(ZERO)
        self._taken[key] = Taken(Shares(still + fill.size), fill.shown)

    def _notice(self, books: Books) -> None:
        """Look what the venue now shows at the prices where we took something."""
        for key, taken in list(self._taken.items()):
            outcome, side, price = key
            book = books.get(outcome)
            if book is None:
                continue
            now = taken.seen(_size_at(book.against(side), price))
            if now.shares > 0:
                self._taken[key] = now
            else:
                del self._taken[key]

    def _other_side(self, outcome: OutcomeId) -> OutcomeId | None:
        """The outcome whose book shows the same orders; `None`: there is none, or none is known."""
        if not self._one_book:
            return None
        try:
            market = self._universe.market_of(outcome)
        except KeyError:
            return None
        return market.no if outcome == market.yes else market.yes


class PaperBooks(Books):
    """A venue's books less what we took."""

    def __init__(
        self,
        inner: Books,
        taken: Mapping[Key, Taken],
        other_side: Callable[[OutcomeId], OutcomeId | None],
    ) -> None:
        self.inner = inner
        self._taken = taken
        self._touched: dict[OutcomeId, OrderBook] = {}
        outcomes = {outcome for outcome, _, _ in taken}
        pairs = {outcome: other_side(outcome) for outcome in outcomes}
        for outcome, other in pairs.items():
            for affected in (outcome, other):
                book = inner.get(affected) if affected is not None else None
                if book is not None:
                    self._touched[book.outcome] = book
        self._other = {**pairs, **{other: o for o, other in pairs.items() if other is not None}}
        for outcome, book in list(self._touched.items()):
            self._touched[outcome] = self._less(book)

    def __getitem__(self, outcome: OutcomeId) -> OrderBook:
        return self._touched.get(outcome) or self.inner[outcome]

    def __iter__(self) -> Iterator[OutcomeId]:
        return iter(self.inner)

    def __contains__(self, outcome: object) -> bool:
        return outcome in self.inner

    def __len__(self) -> int:
        return len(self.inner)

    def best_asks(self, outcomes: Sequence[OutcomeId]) -> Sequence[int]:
        """See `Books.best_asks`."""
        asks = list(self.inner.best_asks(outcomes))
        if self._touched:
            for place, outcome in enumerate(outcomes):
                if outcome in self._touched:
                    best = self._touched[outcome].best_ask
                    asks[place] = to_micro(best.price) if best else 0
        return asks

    def before_ours(self) -> tuple[Books, frozenset[OutcomeId]] | None:
        """See `Books.before_ours`."""
        return (self.inner, frozenset(self._touched)) if self._touched else None

    def shown(self, level: Key) -> Shares:
        """What the venue itself shows at this level."""
        outcome, side, price = level
        return _size_at(self.inner[outcome].against(side), price)

    def _less(self, book: OrderBook) -> OrderBook:
        outcome, other = book.outcome, self._other.get(book.outcome)
        bids: Sequence[Level]
        if other is None:
            bids = self._rest(outcome, Side.SELL, book.bids)
        else:
            bids = mirrored(self._rest(other, Side.BUY, mirrored(book.bids)))
        return replace(book, asks=self._rest(outcome, Side.BUY, book.asks), bids=bids)

    def _rest(self, outcome: OutcomeId, side: Side, levels: Iterable[Level]) -> tuple[Level, ...]:
        """What is left of levels that a trade of this side takes."""
        rest = (
            Level(level.price, Shares(level.size - self._of((outcome, side, level.price))))
            for level in levels
        )
        return tuple(level for level in rest if level.size > 0)

    def _of(self, level: Key) -> Shares:
        taken = self._taken.get(level)
        return taken.shares if taken else Shares(ZERO)


def _match(order: Order, levels: Sequence[Level]) -> tuple[Sequence[Level], str]:
    """What an order takes of the levels, or why it takes nothing: a BUY spends dollars."""
    whole = order.time_in_force is TimeInForce.FOK
    if order.side is Side.BUY:
        bought = spend(levels, order.dollars, order.limit)
        if not bought.fills or (whole and not bought.whole):
            return (
                (),
                f"${text(bought.unspent)} of ${text(order.dollars)} find no seller "
                "within the limit",
            )
        return bought.fills, ""
    deep = depth(levels, limit=order.limit, side=order.side)
    if not deep or (whole and deep < order.size):
        return (), f"only {text(deep)} shares within the limit"
    return tuple(walk(levels, Shares(min(order.size, deep)))), ""


def _size_at(levels: Iterable[Level], price: Price) -> Shares:
    return next((level.size for level in levels if level.price == price), Shares(ZERO))
