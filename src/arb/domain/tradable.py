"""Whether a market can be bought from at all right now, and the first reason why not."""

from dataclasses import dataclass

from arb.domain.basket import Ladder, ladder
from arb.domain.book import OrderBook
from arb.domain.market import Market, OutcomeId
from arb.domain.money import text
from arb.domain.reason import Reason
from arb.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What speaks against a market."""

    reason: Reason
    detail: str
    market: Market


def listing_obstacle(market: Market) -> Obstacle | None:
    """Why the listing forbids trading the market."""
    if market.contradiction:
        twice = f"{market.slug} is {market.contradiction}"
        return Obstacle(Reason.LISTED_DIFFERENTLY, twice, market)
    if market.closed or not market.accepting:
        return Obstacle(Reason.NOT_ACCEPTING, f"{market.slug} takes no orders", market)
    if market.resolving:
        stands = f"the resolution of {market.slug} is {market.resolving}"
        return Obstacle(Reason.BEING_RESOLVED, stands, market)
    if market.delay_seconds > 0:
        held = f"{market.slug} holds orders {text(market.delay_seconds)} s"
        return Obstacle(Reason.DELAYED, held, market)
    if market.fees is None:
        unstated = f"{market.slug} charges fees that are not stated"
        return Obstacle(Reason.NO_FEE_SCHEDULE, unstated, market)
    return None


def book_obstacle(market: Market, snapshot: Snapshot) -> Obstacle | None:
    """Why the market's two books are not to be trusted."""
    yes, no = snapshot.books.get(market.yes), snapshot.books.get(market.no)
    if yes is None or no is None:
        return Obstacle(Reason.MISSING_BOOK, f"{market.slug} has no book", market)
    oldest = min(yes.received_at, no.received_at)
    age = snapshot.taken_at - oldest
    if age > snapshot.book_age_max:
        old = f"{market.slug}: {age.total_seconds():.0f} s old"
        return Obstacle(Reason.STALE_BOOK, old, market)
    if market.terms.complement_shares_book and not yes.mirrors(no):
        return Obstacle(Reason.MIRROR_MISMATCH, f"{market.slug}: {_quotes(yes, no)}", market)
    return None


def obstacle(market: Market, snapshot: Snapshot) -> Obstacle | None:
    """The first thing that speaks against buying from the market now."""
    return listing_obstacle(market) or book_obstacle(market, snapshot)


def of_one_instant(market: Market, snapshot: Snapshot) -> bool:
    """Whether the market's two books are of one moment, where they are views of one book.

    Two pools of orders of their own need no common stamp: neither says anything of the other.
    """
    if not market.terms.complement_shares_book:
        return True
    yes, no = snapshot.books.get(market.yes), snapshot.books.get(market.no)
    if yes is None or no is None or yes.stamped_at is None:
        return False
    return yes.stamped_at == no.stamped_at


def _quotes(yes: OrderBook, no: OrderBook) -> str:
    def quote(book: OrderBook) -> str:
        bid = text(book.best_bid.price) if book.best_bid else "-"
        ask = text(book.best_ask.price) if book.best_ask else "-"
        return f"{bid}/{ask}"

    apart = ""
    if yes.stamped_at and no.stamped_at and yes.stamped_at != no.stamped_at:
        gap = abs((yes.stamped_at - no.stamped_at).total_seconds())
        apart = f", stamped {gap:.3f} s apart"
    return f"YES {quote(yes)}, NO {quote(no)} are not mirrors{apart}"


def asks_of(market: Market, outcome: OutcomeId, snapshot: Snapshot) -> Ladder | None:
    """The outcome's ladder; `None` where there are no asks or the fees are unknown."""
    book = snapshot.books.get(outcome)
    if book is None or not book.asks or market.fees is None:
        return None
    return ladder(book.asks, market.fees, market.rules)
