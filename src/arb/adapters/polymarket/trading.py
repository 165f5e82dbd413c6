"""Orders through the official client: created and signed, posted, and asked about by their hash.

Only `create_*` and `post_*`: the client's `place_*` may send an unlimited approval on its own
(docs/venue-polymarket.md §9). Nothing here retries a post: what is not clear is `Unknown`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

import msgspec
from polymarket._internal.actions.exchange_asset import resolve_asset_id
from polymarket._internal.actions.orders.context import resolve_order_exchange_address
from polymarket._internal.actions.orders.types import OrderDraft
from polymarket.errors import (
    PolymarketError,
    RateLimitError,
    RequestRejectedError,
)
from polymarket.types import EvmAddress

from arb.adapters.polymarket import rows
from arb.adapters.polymarket.answers import (
    KNOWN_STATES,
    REFUSALS,
    STATES,
    key_expired,
    made,
    proven_by,
    state_of,
    taken,
)
from arb.adapters.polymarket.client import Session, in_time, told
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.door import Door
from arb.adapters.polymarket.fees import FeeBook
from arb.adapters.polymarket.order_hash import order_hash
from arb.adapters.polymarket.quarantine import Quarantine
from arb.adapters.polymarket.signer import KnownOrder
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.book import Level
from arb.domain.dollars import paid
from arb.domain.errors import BadVenueData, VenueError
from arb.domain.market import MarketId, Side
from arb.domain.money import CENT, text, to_micro, total
from arb.domain.order import (
    Answer,
    Fill,
    Final,
    NotFound,
    Order,
    TradeState,
    Unknown,
)
from arb.domain.report import ProblemKind
from arb.domain.statement import VenueTrade
from arb.domain.venue import TimeInForce
from arb.net.rpc import Rpc

if TYPE_CHECKING:
    from polymarket import AsyncSecureClient
    from polymarket.models.clob.order_response import OrderResponse
    from polymarket.models.clob.orders import SignedOrder

T = TypeVar("T")

SIGNED_KEPT_MAX = 1000
LISTING_SECONDS_MAX = 300.0
"""For all pages of a list, each of which has a limit of its own."""
PAGES_MAX = 1000
OVERLAP = timedelta(minutes=2)
"""How much before an order's time its trades are looked for: clocks differ."""
RESTING = ("LIVE", "DELAYED")
DUST = Decimal("0.01")
"""How far a full fill may fall short of its order (fault B09)."""


class PolymarketTrading:
    """See `arb.ports.Trading`."""

    venue = POLYMARKET

    def __init__(
        self,
        session: Session,
        contracts: Contracts,
        fees: FeeBook,
        door: Door,
        rpc: Rpc,
        quarantine: Quarantine,
    ) -> None:
        self._session, self._contracts = session, contracts
        self._fees, self._door, self._rpc = fees, door, rpc
        self._quarantine = quarantine
        self._signed: dict[str, SignedOrder] = {}

    async def prepare(self, orders: Sequence[Order]) -> Sequence[Order]:
        """See `arb.ports.Trading`. While the venue takes no orders, none are made."""
        self._door.pass_through(len(orders))
        try:
            async with in_time():
                signed = await asyncio.gather(*(self._sign(order) for order in orders))
        except PolymarketError as error:
            raise told(error) from error
        prepared: list[Order] = []
        for order, one in zip(orders, signed, strict=True):
            _check(order, one)
            ref = one.id if isinstance(one, KnownOrder) else order_hash(one, self._contracts)
            self._signed[ref] = one
            prepared.append(replace(order, ref=ref))
        while len(self._signed) > SIGNED_KEPT_MAX:
            self._signed.pop(next(iter(self._signed)))
        return prepared

    async def submit(self, orders: Sequence[Order]) -> Sequence[Answer]:
        """See `arb.ports.Trading`."""
        signed = [self._signed.pop(order.ref, None) for order in orders]
        ready = [one for one in signed if one is not None]
        if len(ready) < len(orders):
            # Signed by an earlier process: whether it was sent then is not known.
            return [Unknown() for _ in orders]
        client = self._session.client
        try:
            async with in_time():
                if len(ready) == 1:
                    rows: Sequence[OrderResponse] = [await client.post_order(ready[0])]
                else:
                    rows = await client.post_orders(ready)
        except Exception as error:  # noqa: BLE001  # whatever it is, the orders may be at the venue
            self._hear(error)
            if key_expired(error):
                await self._session.renew(client)  # for the next ones: these are not sent again
            return [proven_by(error)] * len(orders)
        if len(rows) != len(orders):
            return [Unknown() for _ in orders]
        return [await self._answer(order, row) for order, row in zip(orders, rows, strict=True)]

    async def query(self, order: Order) -> Answer:
        """See `arb.ports.Trading`. Order first, then trades: a terminal order shows no more."""
        try:
            if await self._rests(order.ref):
                return Unknown()
            return await self._from_trades(order)
        except (PolymarketError, VenueError):
            return Unknown()

    async def trade_states(self, order: Order, trades: Sequence[str]) -> Mapping[str, TradeState]:
        """See `arb.ports.Trading`."""
        try:
            found, _ = await self._trades(order)
            return {t.id: await self._state(t) for t in found if t.id in trades}
        except (PolymarketError, VenueError):
            return {}

    async def cancel_all(self) -> Sequence[str]:
        """See `arb.ports.Trading`."""
        try:
            answer = await self._asking(lambda client: client.cancel_all())
        except PolymarketError as error:
            raise told(error) from error
        return tuple(answer.not_canceled)

    async def cancel(self, refs: Sequence[str]) -> Sequence[str]:
        """Take these orders back; returns those that could not be.

        Raises:
            VenueError: The outcome is not known.
        """
        try:
            answer = await self._asking(lambda client: client.cancel_orders(order_ids=list(refs)))
        except PolymarketError as error:
            raise told(error) from error
        return tuple(answer.not_canceled)

    async def post_resting(self, order: Order) -> str:
        """Place an order that only rests, for a self-test; returns the venue's id.

        Raises:
            VenueError: It was not accepted, or the outcome is not known.
        """
        try:
            client = self._session.client
            async with in_time():
                signed = await client.create_limit_order(
                    asset_id=order.outcome.token,
                    price=order.limit,
                    size=order.size,
                    side=order.side.value,
                    post_only=True,
                )
                row = await client.post_order(signed)
        except PolymarketError as error:
            raise told(error) from error
        if not row.ok:
            raise BadVenueData("order", row.message)
        return str(row.order_id)

    async def trades_since(self, since: datetime) -> list[VenueTrade]:
        """Every trade of the account since then, our side of it.

        Raises:
            VenueError: They could not all be read.
        """
        try:
            found, lost = await self._account_trades(after=str(int(since.timestamp())))
        except PolymarketError as error:
            raise told(error) from error
        seen = [await self._venue_trade(trade, ref) for trade in found for ref in self._own(trade)]
        return seen + [
            VenueTrade(
                id=row.id,
                ref="",
                state=STATES.get(row.status, TradeState.PROVISIONAL),
                fills=(),
                unread=row.what,
                refs=tuple(sorted(row.refs or ())),
                at=row.matched_at,
            )
            for row in lost
        ]

    async def _venue_trade(self, trade: rows.TradeRow, ref: str) -> VenueTrade:
        fills: tuple[Fill, ...] = ()
        unread = ""
        try:
            fills = await self._fills(trade, ref)
        except VenueError as error:
            unread = f"fees of trade {trade.id}: {error}"
            self._quarantine.keep(ProblemKind.TRADES, unread, b"")
        return VenueTrade(
            id=trade.id,
            ref=ref,
            state=await self._state(trade),
            fills=fills,
            unread=unread,
            at=trade.matched_at,
        )

    async def open_orders(self) -> tuple[str, ...]:
        """Hashes of everything that rests; of an order without one, where it stood in the list.

        Raises:
            VenueError: They could not all be read.
        """
        try:
            async with in_time(LISTING_SECONDS_MAX):
                found, lost = rows.order_ids(await self._rows("orders", {}))
        except PolymarketError as error:
            raise told(error) from error
        for what in lost:
            self._quarantine.keep(ProblemKind.ORDERS, what, b"")
        return (*found, *lost)

    async def _rows(self, what: str, params: dict[str, str]) -> list[msgspec.Raw]:
        """All rows of `/data/trades` or `/data/orders`, as sent.

        The client reads a page as a whole and loses it for one field of one row; so it is asked
        for the bytes.
        """
        gathered: list[msgspec.Raw] = []
        asked: dict[str, str] = dict(params)
        seen: set[str] = set()
        for _ in range(PAGES_MAX):
            body = await self._get(f"/data/{what}", dict(asked))
            page = rows.page(body, what)
            gathered += page.rows
            if page.next_cursor is None:
                return gathered
            if page.next_cursor in seen:
                break
            seen.add(page.next_cursor)
            asked["next_cursor"] = page.next_cursor
        raise BadVenueData(f"{what}.next_cursor", "it leads nowhere")

    async def _get(self, path: str, params: dict[str, str]) -> bytes:
        return await self._asking(
            lambda client: client._ctx.secure_clob.get_bytes(path, params=params)
        )

    async def _account_trades(
        self, **params: str
    ) -> tuple[list[rows.TradeRow], list[rows.LostRow]]:
        async with in_time(LISTING_SECONDS_MAX):
            sent = await self._rows("trades", params)
        found, lost = rows.trades(sent)
        for row in lost:
            self._quarantine.keep(ProblemKind.TRADES, f"set aside: {row.what}", b"")
        return found, lost

    async def _state(self, trade: rows.TradeRow) -> TradeState:
        """Where a trade stands; of a word that is not known the chain is asked."""
        if trade.status in KNOWN_STATES or not trade.transaction_hash:
            return state_of(trade)
        try:
            receipt = await self._rpc.receipt(trade.transaction_hash)
            final = await self._rpc.block("finalized")
        except VenueError:
            return TradeState.PROVISIONAL
        if receipt is None or final is None or receipt.block > final.number:
            return TradeState.PROVISIONAL
        return TradeState.CONFIRMED if receipt.succeeded else TradeState.PROVISIONAL

    async def _asking(self, ask: "Callable[[AsyncSecureClient], Awaitable[T]]") -> T:
        """What may be asked twice: once more, signed in anew, if the API key has expired."""
        client = self._session.client
        try:
            async with in_time():
                return await ask(client)
        except RequestRejectedError as error:
            if not key_expired(error) or not await self._session.renew(client):
                raise
        async with in_time():
            return await ask(self._session.client)

    async def _sign(self, order: Order) -> "SignedOrder":
        """The order as one that takes: a BUY in dollars, with its limit as the worst price.

        The client makes the same of `create_market_order`, but asks for a fifth and a sixth
        decimal at fine ticks, which production refuses (docs/venue-polymarket.md §3.2).
        """
        context = self._session.client._ctx
        token = resolve_asset_id(asset_id=order.outcome.token, token_id=None)
        market = await context.order_metadata.resolve_market(context, token_id=token)
        if order.limit % market.tick_size:
            market = await context.order_metadata.fetch_current_market(context, token_id=token)
        given, asked = order.amounts
        draft = OrderDraft(
            chain_id=context.environment_config.chain_id,
            exchange_address=resolve_order_exchange_address(
                context.environment_config, asset_id=token, neg_risk=market.neg_risk
            ),
            expiration=0,
            funder_address=context.wallet,
            offered_amount=to_micro(given),
            order_type=order.time_in_force.value,
            side=order.side.value,
            signer=EvmAddress(context.signer.address),
            requested_amount=to_micro(asked),
            asset_id=token,
        )
        return await self._session.client._sign_order(draft, post_only=False)

    async def _answer(self, order: Order, row: "OrderResponse") -> Answer:
        if not row.ok:
            again = row.code == "post_only_mode"
            return Final((), row.message, again) if row.code in REFUSALS else Unknown()
        if row.status != "matched" or str(row.order_id).lower() != order.ref.lower():
            return Unknown()
        # The receipt has sums only. Fees are charged piece by piece, so the pieces are read.
        try:
            answer = await self._from_trades(order, set(row.trade_ids))
        except (PolymarketError, VenueError):
            return Unknown()
        return answer if isinstance(answer, Final) else Unknown()

    def _hear(self, error: Exception) -> None:
        """Learn from a refusal how long nothing more is to be sent (docs/fault-catalogue.md §E)."""
        if isinstance(error, RateLimitError):
            self._door.closed("rate limited", error.retry_after)
        elif isinstance(error, RequestRejectedError) and error.restriction is not None:
            self._door.closed(error.restriction, error.retry_after)

    async def _rests(self, ref: str) -> bool:
        """Whether the order still rests or waits; terminal orders are not shown any more."""
        try:
            body = await self._get(f"/data/order/{ref}", {})
        except RequestRejectedError as error:
            if error.status == 404:
                return False
            raise
        return rows.order_status(body) in RESTING

    async def _from_trades(self, order: Order, wanted: set[str] | None = None) -> Answer:
        trades, lost = await self._trades(order)
        found = {trade.id for trade in trades}
        if lost:
            return Unknown()  # one of them may be a fill: what there is, is not all
        if not trades:
            return NotFound()
        if wanted is not None and not wanted <= found:
            return Unknown()
        fills = [fill for trade in trades for fill in await self._fills(trade, order.ref)]
        ours = tuple(replace(fill, order=order.id, market=order.market) for fill in fills)
        if order.time_in_force is TimeInForce.FOK and not _filled(order, ours):
            return Unknown()  # not all of its trades show yet
        return Final(ours)

    async def _trades(self, order: Order) -> tuple[list[rows.TradeRow], list[rows.LostRow]]:
        """Trades of an order, whatever their token (fault B08), and rows that may be such."""
        # An order expires for us a minute after it was made, whatever its life at the venue.
        since = order.expires_at - timedelta(minutes=1) - OVERLAP
        after = str(int(since.timestamp()))
        found, lost = await self._account_trades(market=str(order.market), after=after)
        ours = [trade for trade in found if order.ref in self._own(trade)]
        return ours, [row for row in lost if row.may_be_about(order.ref)]

    def _own(self, trade: rows.TradeRow) -> list[str]:
        """Hashes of our orders in a trade; what does not name our side of it is looked through."""
        if trade.trader_side == "TAKER":
            return [trade.taker_order_id]
        client = self._session.client
        owner, wallet = client.credentials.key, str(client.wallet).lower()
        resting = [
            piece.order_id
            for piece in trade.maker_orders
            if piece.owner == owner or piece.maker_address.lower() == wallet
        ]
        return resting or ([] if trade.trader_side == "MAKER" else [trade.taker_order_id])

    async def _fills(self, trade: rows.TradeRow, ref: str) -> tuple[Fill, ...]:
        market = MarketId(trade.condition_id)
        if ref != trade.taker_order_id:
            return made(trade, ref, market)
        schedule = await self._fees.of(market)
        return taken(trade, ref, market, schedule)


def _filled(order: Order, fills: Sequence[Fill]) -> bool:
    """Whether these are all fills of an order that was filled or killed (fault B09)."""
    if order.side is Side.BUY:
        spent = total(paid(Level(fill.price, fill.size)) for fill in fills)
        return spent >= order.dollars - CENT
    return sum((fill.size for fill in fills), Decimal(0)) >= order.size - DUST


def _check(order: Order, signed: "SignedOrder") -> None:
    """What was signed is what was meant: its dollars or shares, and no worse price (fault F01)."""
    given = Decimal(signed.maker_amount) / 1_000_000
    asked = Decimal(signed.taker_amount) / 1_000_000
    if (given, asked) != order.amounts or signed.side != order.side.value:
        meant = " for ".join(text(amount) for amount in order.amounts)
        raise BadVenueData(
            "order", f"{order.side} of {meant} was signed as {signed.side} of {given} for {asked}"
        )
