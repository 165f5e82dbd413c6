"""The ladder of self-tests before money: sign and send nothing; place one order, cancel it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.live import PolymarketLive
from arb.adapters.polymarket.venue import PolymarketVenue
from arb.checks import Check, tried
from arb.config.sources import Loaded
from arb.domain.errors import ArbError, NotReady
from arb.domain.market import Market, Side
from arb.domain.money import Price, text
from arb.domain.order import Order, OrderId, PlanId, order_id
from arb.domain.venue import TimeInForce
from arb.operations.doctor import checks_of
from arb.operations.live import money_checks, signed_in

FAR = Decimal("0.05")
"""A test order bids at least this much below the best ask, and at the least price there is."""


async def money(loaded: Loaded) -> list[Check]:
    """`arb doctor --money`: checks of wallet and venue; reads only."""
    async with signed_in(loaded) as (venue, live):
        return [
            *await checks_of([venue.bundle]),
            *await money_checks(live, loaded.settings),
        ]


async def preflight(loaded: Loaded) -> list[Check]:
    """`arb preflight`: signs what would be sent, and sends nothing."""
    async with signed_in(loaded) as (venue, live):
        checks = await money_checks(live, loaded.settings)
        market = await _quiet_market(venue)

        async def sign() -> str:
            prepared = await live.trading.prepare([_bid(market, f"preflight/{market.slug}")])
            return f"{market.slug}: order {prepared[0].ref}, not sent"

        async def unseen() -> str:
            open_orders = await live.trading.open_orders()
            return f"{len(open_orders)} orders rest, none of them from here"

        steps = (
            ("signature", sign, "check the key, the wallet and ARB_POLYMARKET__WALLET_TYPE"),
            (
                "account reads",
                unseen,
                "check ARB_POLYMARKET__API_KEY, __API_SECRET and __API_PASSPHRASE",
            ),
        )
        return [*checks, *[await tried(name, work, fix) for name, work, fix in steps]]


async def livetest(loaded: Loaded) -> list[Check]:
    """`arb livetest`: one minimal post-only order far from the market, seen, and cancelled.

    Raises:
        NotReady: A check before it has failed; nothing was sent.
    """
    async with signed_in(loaded) as (venue, live):
        before = [
            *await checks_of([venue.bundle]),
            *await money_checks(live, loaded.settings),
        ]
        if failed := [check for check in before if not check.passed]:
            names = ", ".join(check.name for check in failed)
            raise NotReady(f"nothing was sent, since these fail: {names}; see `arb doctor --money`")
        market = await _quiet_market(venue)
        order = _bid(market, f"livetest/{market.slug}")
        return [*before, *await _rehearse(live, market, order)]


async def _rehearse(live: PolymarketLive, market: Market, order: Order) -> Sequence[Check]:
    placed: list[str] = []

    async def post() -> str:
        ref = await live.trading.post_resting(order)
        placed.append(ref)
        return f"{text(order.size)} @ {text(order.limit)} in {market.slug}: {ref}"

    async def rests() -> str:
        if placed[0] not in await live.trading.open_orders():
            raise ArbError(f"{placed[0]} is not among the open orders")
        return "it rests in the book"

    async def take_back() -> str:
        left = await live.trading.cancel(placed)
        if left:
            raise ArbError(f"{', '.join(left)} could not be cancelled: cancel it by hand")
        return "cancelled"

    async def gone() -> str:
        if placed[0] in await live.trading.open_orders():
            raise ArbError(f"{placed[0]} still rests: cancel it by hand")
        return "nothing rests any more"

    steps: tuple[tuple[str, Callable[[], Awaitable[str]], str], ...] = (
        ("post", post, "see `arb doctor --money`"),
        ("open orders", rests, "look at your orders at the venue"),
        ("cancel", take_back, "look at your orders at the venue"),
        ("gone", gone, "look at your orders at the venue"),
    )
    done: list[Check] = []
    for name, work, fix in steps:
        done.append(await tried(name, work, fix))
        if not placed:
            break
    return done


async def _quiet_market(venue: PolymarketVenue) -> Market:
    """An open market in which a bid at the least price is far from being hit.

    Raises:
        NotReady: There is none.
    """
    universe = await venue.catalog.universe()
    candidates = [m for m in universe.markets.values() if m.accepting and not m.delay_seconds][:50]
    books = await venue.books.fetch([market.yes for market in candidates])
    for market in candidates:
        book = books.get(market.yes)
        if book and book.best_ask and book.best_ask.price - market.rules.tick >= FAR:
            return market
    raise NotReady("no open market is fit for a test order")


def _bid(market: Market, name: str) -> Order:
    """The smallest bid at the least price: a few cents, far from the market."""
    return Order(
        id=OrderId(order_id(PlanId(name), 0, Side.BUY, 1)),
        outcome=market.yes,
        market=market.id,
        side=Side.BUY,
        limit=Price(market.rules.tick),
        size=market.rules.min_size,
        time_in_force=TimeInForce.FAK,
        expires_at=SystemClock().now() + timedelta(minutes=1),
    )
