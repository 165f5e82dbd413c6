"""The trading floor of the embedded exchange: orders of accounts, their trades, and settlement.

Matching is at once and off chain; the chain moves when a trade is mined, and a trade may fail
(PLATFORM.md §3.8, §7.4). Amounts are millionths, times are seconds of the exchange's clock.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from arb.adapters.simulator.bank import Bank, NotPossible
from arb.adapters.simulator.exchange import Exchange
from arb.adapters.simulator.listing import SimMarket
from arb.adapters.simulator.matching import Incoming, Life, MarketBook, in_yes_terms
from arb.domain.market import Side
from arb.domain.money import MICRO, from_micro, text, to_micro

HOUSE = "0x00000000000000000000000000000000000000ee"
"""The wallet behind all liquidity that no account has placed; its cash has no bottom."""
HOUSE_CASH = 10**18

CENT = MICRO // 100
FOK_NOT_FILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_NOT_FILLED = (
    "no orders found to match with FAK order. "
    "FAK orders are partially filled or killed if no match is found."
)
POST_ONLY_CROSSES = "invalid post-only order: order crosses book"
NOT_READY = "the market is not yet ready to process new orders"
NO_BALANCE = "not enough balance / allowance"
CANCEL_ONLY = (
    "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
)
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
POST_ONLY_MODE = "post-only mode: only post-only orders and cancels are allowed"
PRECISION = (
    "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
    "taker amount a max of 5 decimals"
)


class TradeStatus(StrEnum):
    """A trade's life; the last two are final."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


class Mode(StrEnum):
    """What the venue takes (PLATFORM.md §3.5)."""

    NORMAL = "normal"
    RESTARTING = "restarting"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order as signed and posted. The hash is its id."""

    hash: str
    wallet: str
    owner: str
    """The API key that posted it."""
    token: str
    side: Side
    maker_amount: int
    taker_amount: int
    life: Literal["GTC", "GTD", "FOK", "FAK"]
    post_only: bool = False
    expires: int = 0
    """Unix seconds; 0: never."""

    @property
    def size(self) -> int:
        """Shares."""
        return self.taker_amount if self.side is Side.BUY else self.maker_amount

    @property
    def price(self) -> int:
        """The limit that the amounts imply, rounded for the order's owner."""
        if self.side is Side.BUY:
            return self.maker_amount * MICRO // self.taker_amount
        return -(-self.taker_amount * MICRO // self.maker_amount)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The order was not taken; `status` is the HTTP status that says so."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The order was taken. Amounts are what was matched at once."""

    status: Literal["live", "matched", "delayed", "unmatched"]
    making: int = 0
    taking: int = 0
    trades: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class OrderState:
    """An order of an account and what became of it."""

    order: NewOrder
    placed_at: float
    matched: int = 0
    status: str = "LIVE"
    """LIVE, MATCHED, DELAYED, UNMATCHED, or CANCELED with a reason."""
    trades: list[str] = field(default_factory=list)
    due: float | None = None
    """When a delayed order is matched."""

    @property
    def open(self) -> bool:
        """Whether it rests in the book."""
        return self.status == "LIVE"


@dataclass(frozen=True, slots=True)
class Piece:
    """What one maker gave of a trade, in the maker's own token."""

    maker: str
    """Order hash; of the house's liquidity a made-up one."""
    wallet: str
    owner: str
    token: str
    side: Side
    price: int
    size: int


@dataclass(slots=True, kw_only=True)
class Trade:
    """One taker order against one or more makers."""

    id: str
    taker: NewOrder
    market: SimMarket
    pieces: tuple[Piece, ...]
    fees: tuple[int, ...]
    """What the taker pays for each piece."""
    at: float
    plan: list[tuple[float, TradeStatus]]
    """Steps still to come, by time."""
    status: TradeStatus = TradeStatus.MATCHED
    moved: bool = False
    """Whether the chain has moved."""
    transaction: str = ""
    updated: float = 0

    @property
    def size(self) -> int:
        """Shares that the taker trades."""
        return sum(piece.size for piece in self.pieces)

    @property
    def value(self) -> int:
        """Dollars for them, before fees."""
        return sum(self.taker_price(piece) * piece.size // MICRO for piece in self.pieces)

    def taker_price(self, piece: Piece) -> int:
        """The piece's price in terms of the taker's token."""
        return piece.price if piece.token == self.taker.token else MICRO - piece.price


@dataclass(slots=True, kw_only=True)
class Conduct:
    """How the floor behaves: faults and frictions, changeable at run time."""

    mode: Mode = Mode.NORMAL
    retry_after: int = 1
    mined_after: float = 0.2
    confirmed_after: float = 0.4
    fail: float = 0.0
    """Share of trades that never settle."""
    fail_mined: bool = False
    """Whether failing trades are mined first and then rolled back."""
    split_trades: bool = False
    """A trade for every maker instead of one for all, so that an order can fail in part."""
    improvement: Literal["shares", "cash"] = "shares"
    """What a taking BUY caps when it gets a better price."""
    rivals: float = 0.0
    """Chance that somebody takes the best level just before an order arrives."""
    matching_delay: float = 0.0
    """Seconds that every taking order waits as `delayed`."""
    hidden: float = 0.0
    """Seconds for which orders and trades do not show in the account's reads."""
    balance_lag: float = 0.0
    """Seconds for which the balance that orders are checked against stays the old one."""
    cancel_fails: float = 0.0
    """Share of cancels that are not carried out."""
    allowances_checked: bool = True


Listener = Callable[[str, str, "OrderState | Trade"], None]
"""Told of (`order` or `trade`, wallet, what changed)."""


class Floor:
    """All accounts' orders at one exchange."""

    def __init__(self, exchange: Exchange, bank: Bank, chance: random.Random) -> None:
        self.exchange, self.bank, self.chance = exchange, bank, chance
        self.conduct = Conduct()
        self.orders: dict[str, OrderState] = {}
        self.trades: dict[str, Trade] = {}
        self.listeners: list[Listener] = []
        self._settling: list[Trade] = []
        self._waiting: list[OrderState] = []
        self._counter = 0
        bank.deposit(HOUSE, HOUSE_CASH)

    def now(self) -> float:
        """Seconds, as the exchange counts them."""
        return self.exchange.clock.monotonic()

    def place(self, order: NewOrder) -> Receipt | Refusal:
        """Check an order and match it."""
        self.advance()
        refusal = self._mode_forbids(order) or self._rules_forbid(order)
        if refusal is not None:
            return refusal
        market = self.exchange.market_of(order.token)
        assert market is not None
        state = OrderState(order=order, placed_at=self.now())
        delay = self.conduct.matching_delay or (
            market.delay_seconds if order.life in ("FOK", "FAK") else 0
        )
        if delay:
            state.status, state.due = "DELAYED", self.now() + delay
            self.orders[order.hash] = state
            self._waiting.append(state)
            self._tell("order", order.wallet, state)
            return Receipt("delayed")
        return self._match(market, state)

    def cancel(self, hash_: str, wallet: str, reason: str = "CANCELED") -> str | None:
        """Take an order out of the book; says why not when that is not possible."""
        self.advance()
        state = self.orders.get(hash_)
        if state is None or state.order.wallet.lower() != wallet.lower():
            return "order not found"
        if self.conduct.mode is Mode.DISABLED or self.chance.random() < self.conduct.cancel_fails:
            return DISABLED
        if not state.open:
            return "order can't be found - already canceled or matched"
        self._end(state, reason)
        return None

    def open_orders(self, wallet: str) -> list[OrderState]:
        """What rests in the books for a wallet."""
        self.advance()
        return [s for s in self._orders_of(wallet) if s.open and self._shows(s.placed_at)]

    def order(self, hash_: str) -> OrderState | None:
        """An order by its hash, once it shows."""
        self.advance()
        state = self.orders.get(hash_)
        return state if state is not None and self._shows(state.placed_at) else None

    def trades_of(self, wallet: str) -> list[Trade]:
        """The trades that a wallet is part of, oldest first."""
        self.advance()
        key = wallet.lower()
        return [
            trade
            for trade in self.trades.values()
            if self._shows(trade.at)
            and (
                trade.taker.wallet.lower() == key
                or any(piece.wallet.lower() == key for piece in trade.pieces)
            )
        ]

    def spendable(self, wallet: str) -> int:
        """Dollars that no open order and no unsettled trade has a claim on."""
        claimed = sum(
            state.order.price * (state.order.size - state.matched) // MICRO
            for state in self._orders_of(wallet)
            if state.open and state.order.side is Side.BUY
        )
        for trade in self._unmoved(wallet):
            if trade.taker.wallet.lower() == wallet.lower() and trade.taker.side is Side.BUY:
                claimed += trade.value + sum(trade.fees)
            claimed += sum(
                piece.price * piece.size // MICRO
                for piece in trade.pieces
                if piece.wallet.lower() == wallet.lower() and piece.side is Side.BUY
            )
        return self.bank.usd(wallet) - claimed

    def sellable(self, wallet: str, token: str) -> int:
        """Shares on chain that no open order and no unsettled trade has a claim on."""
        claimed = sum(
            state.order.size - state.matched
            for state in self._orders_of(wallet)
            if state.open and state.order.side is Side.SELL and state.order.token == token
        )
        for trade in self._unmoved(wallet):
            taker = trade.taker
            if (taker.wallet.lower(), taker.token) == (wallet.lower(), token):
                claimed += trade.size if taker.side is Side.SELL else 0
            claimed += sum(
                piece.size
                for piece in trade.pieces
                if (piece.wallet.lower(), piece.token) == (wallet.lower(), token)
                and piece.side is Side.SELL
            )
        return self.bank.shares(wallet, token) - claimed

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        now = self.now()
        for state in [s for s in self._waiting if s.due is not None and s.due <= now]:
            self._waiting.remove(state)
            market = self.exchange.market_of(state.order.token)
            assert market is not None
            state.due = None
            if isinstance(self._match(market, state), Refusal):
                self._end(state, "UNMATCHED")
        for trade in list(self._settling):
            while trade.plan and trade.plan[0][0] <= now:
                self._step(trade, *trade.plan.pop(0))
            if not trade.plan:
                self._settling.remove(trade)
        unix = int(self.exchange.clock.now().timestamp())
        for state in self.orders.values():
            # A GTD order effectively ends a minute before its stated time (PLATFORM.md §3.1).
            if state.open and state.order.life == "GTD" and state.order.expires - 60 <= unix:
                self._end(state, "CANCELED_EXPIRED_ORDER")

    def unsettled(self) -> bool:
        """Whether something is still on its way."""
        self.advance()
        return bool(self._settling or self._waiting)

    def _mode_forbids(self, order: NewOrder) -> Refusal | None:
        match self.conduct.mode:
            case Mode.RESTARTING:
                return Refusal(425, "matching engine is restarting")
            case Mode.CANCEL_ONLY:
                return Refusal(503, CANCEL_ONLY)
            case Mode.DISABLED:
                return Refusal(503, DISABLED)
            case Mode.POST_ONLY if not order.post_only:
                return Refusal(503, POST_ONLY_MODE)
            case _:
                return None

    def _rules_forbid(self, order: NewOrder) -> Refusal | None:  # noqa: PLR0911  # one line a rule
        market = self.exchange.market_of(order.token)
        if market is None:
            return Refusal(400, "Invalid token id")
        if market.closed:
            return Refusal(404, "No orderbook exists for the requested token id")
        if not market.accepting or not market.active:
            return Refusal(400, NOT_READY)
        if order.hash in self.orders:
            return Refusal(400, f"order {order.hash} is invalid. Duplicated.")
        if order.maker_amount <= 0 or order.taker_amount <= 0:
            return Refusal(400, "Invalid order payload")
        taking = order.life in ("FOK", "FAK")
        price, size, tick = order.price, order.size, to_micro(market.tick)
        dollars = order.maker_amount if order.side is Side.BUY else order.taker_amount
        if taking and order.side is Side.BUY and (dollars % CENT or size % 10):
            return Refusal(400, PRECISION)
        exact = dollars * MICRO % size == 0 and price % tick == 0
        if not tick <= price <= MICRO - tick or not (exact or taking):
            shown = text(Decimal(dollars) / Decimal(size))
            what = f"Price ({shown}) breaks minimum tick size rule: {text(market.tick)}"
            return Refusal(400, f"order {order.hash} is invalid. {what}")
        if size < to_micro(market.min_size):
            what = (
                f"Size ({text(from_micro(size))}) lower than the minimum: {text(market.min_size)}"
            )
            return Refusal(400, f"order {order.hash} is invalid. {what}")
        if taking and order.side is Side.BUY and dollars < MICRO:
            what = f"invalid amount for a marketable BUY order (${text(from_micro(dollars))})"
            return Refusal(400, f"{what}, min size: $1")
        if order.post_only and taking:
            return Refusal(400, "Invalid order payload")
        if order.life == "GTD" and order.expires < self.exchange.clock.now().timestamp() + 60:
            return Refusal(400, "invalid expiration")
        return self._funds_forbid(order, market)

    def _funds_forbid(self, order: NewOrder, market: SimMarket) -> Refusal | None:
        if order.side is Side.BUY:
            need = order.maker_amount
            if order.life in ("FOK", "FAK"):
                price = from_micro(order.price)
                need += to_micro(market.schedule.taker(price, from_micro(order.size)))  # type: ignore[arg-type]  # plain decimals of the right unit
            have = self.spendable(order.wallet)
        else:
            need, have = order.maker_amount, self.sellable(order.wallet, order.token)
        if have < need:
            return Refusal(
                400,
                f"{NO_BALANCE}: the balance is not enough -> balance: {have}, order amount: {need}",
            )
        return None

    def _match(self, market: SimMarket, state: OrderState) -> Receipt | Refusal:
        order = state.order
        if self.chance.random() < self.conduct.rivals:
            self._rival(market, order)
        book = self._book(market)
        incoming = self._incoming(order, market, book)
        if order.post_only and self._crosses(book, incoming):
            return Refusal(400, POST_ONLY_CROSSES)
        result = book.submit(incoming)
        if order.life == "FOK" and not result.matches:
            return Refusal(400, FOK_NOT_FILLED)
        if order.life == "FAK" and not result.matches:
            return Refusal(400, FAK_NOT_FILLED)
        self.orders[order.hash] = state
        pieces = [
            self._piece(market, match.maker, match.price, match.size) for match in result.matches
        ]
        state.matched = sum(piece.size for piece in pieces)
        state.status = "LIVE" if result.resting else "MATCHED"
        self._store(market, book)
        trades = self._make_trades(market, order, pieces)
        state.trades += [trade.id for trade in trades]
        self._tell("order", order.wallet, state)
        for trade in trades:
            self._announce(trade)
        if not trades:
            return Receipt("live")
        value = sum(trade.value for trade in trades)
        making, taking = (
            (value, state.matched) if order.side is Side.BUY else (state.matched, value)
        )
        return Receipt("matched", making, taking, tuple(trade.id for trade in trades))

    def _incoming(self, order: NewOrder, market: SimMarket, book: MarketBook) -> Incoming:
        life = {"FOK": Life.ALL_OR_NOTHING, "FAK": Life.KILL_REST}.get(order.life, Life.REST)
        size = order.size
        incoming = Incoming(order.hash, order.side, order.price, size, life)
        if order.token == market.no:
            incoming = in_yes_terms(incoming)
        takes_cash = order.side is Side.BUY and life is not Life.REST
        if takes_cash and self.conduct.improvement == "cash":
            incoming = replace(incoming, size=max(size, self._for_cash(order, market, book)))
        return incoming

    def _for_cash(self, order: NewOrder, market: SimMarket, book: MarketBook) -> int:
        """Shares that the whole amount buys, in hundredths of a share."""
        levels = book.asks() if order.token == market.yes else _flipped(book.bids())
        left, got = order.maker_amount, 0
        for price, size in levels:
            if price > order.price:
                break
            take = min(size, left * MICRO // price // 10_000 * 10_000)
            got, left = got + take, left - price * take // MICRO
        return got

    def _crosses(self, book: MarketBook, incoming: Incoming) -> bool:
        if incoming.side is Side.BUY:
            asks = book.asks()
            return bool(asks) and asks[0][0] <= incoming.price
        bids = book.bids()
        return bool(bids) and bids[0][0] >= incoming.price

    def _rival(self, market: SimMarket, order: NewOrder) -> None:
        """Somebody else takes the level that the order wants."""
        mine = in_yes_terms(self._plain(order)) if order.token == market.no else self._plain(order)
        levels = market.asks if mine.side is Side.BUY else market.bids
        if levels:
            price, size = levels[0]
            market.trade(Incoming("rival", mine.side, price, size, Life.KILL_REST))
            self.exchange.touch([market])

    def _plain(self, order: NewOrder) -> Incoming:
        return Incoming(order.hash, order.side, order.price, order.size)

    def _book(self, market: SimMarket) -> MarketBook:
        """The house's ladders with the resting orders of accounts, the house first."""
        book = MarketBook()
        for side, levels in ((Side.BUY, market.bids), (Side.SELL, market.asks)):
            own: dict[int, int] = {}
            for state in self._resting(market):
                incoming = self._resting_order(market, state)
                if incoming.side is side:
                    own[incoming.price] = own.get(incoming.price, 0) + incoming.size
            for price, size in levels:
                if size > own.get(price, 0):
                    rest = size - own.get(price, 0)
                    book.submit(Incoming(f"house/{side}/{price}", side, price, rest))
        for state in self._resting(market):
            book.submit(self._resting_order(market, state))
        return book

    def _resting_order(self, market: SimMarket, state: OrderState) -> Incoming:
        order = state.order
        incoming = Incoming(order.hash, order.side, order.price, order.size - state.matched)
        return in_yes_terms(incoming) if order.token == market.no else incoming

    def _store(self, market: SimMarket, book: MarketBook) -> None:
        """Ladders show everything that rests, whose ever it is."""
        market.bids, market.asks = book.bids(), book.asks()
        market.stale_no = None
        self.exchange.touch([market])

    def _piece(self, market: SimMarket, maker: str, price: int, size: int) -> Piece:
        state = self.orders.get(maker)
        if state is None:
            side = Side.BUY if "/BUY/" in maker else Side.SELL
            return Piece(maker, HOUSE, "house", market.yes, side, price, size)
        order = state.order
        state.matched += size
        if state.matched >= order.size:
            state.status = "MATCHED"
        own_price = price if order.token == market.yes else MICRO - price
        return Piece(maker, order.wallet, order.owner, order.token, order.side, own_price, size)

    def _make_trades(self, market: SimMarket, order: NewOrder, pieces: list[Piece]) -> list[Trade]:
        groups = [[piece] for piece in pieces] if self.conduct.split_trades else [pieces]
        return [self._make_trade(market, order, tuple(group)) for group in groups if group]

    def _make_trade(self, market: SimMarket, order: NewOrder, pieces: tuple[Piece, ...]) -> Trade:
        self._counter += 1
        at, conduct = self.now(), self.conduct
        id_ = f"{self.chance.getrandbits(32):08x}-0000-4000-8000-{self._counter:012d}"
        trade = Trade(
            id=id_, taker=order, market=market, pieces=pieces, fees=(), at=at, plan=[], updated=at
        )
        trade.fees = tuple(
            to_micro(
                market.schedule.taker(
                    from_micro(trade.taker_price(piece)),  # type: ignore[arg-type]  # a price
                    from_micro(piece.size),  # type: ignore[arg-type]  # shares
                )
            )
            for piece in pieces
        )
        mined, confirmed = at + conduct.mined_after, at + conduct.confirmed_after
        if self.chance.random() < conduct.fail:
            first = TradeStatus.MINED if conduct.fail_mined else TradeStatus.RETRYING
            trade.plan = [(mined, first), (confirmed, TradeStatus.FAILED)]
        else:
            trade.plan = [(mined, TradeStatus.MINED), (confirmed, TradeStatus.CONFIRMED)]
        self.trades[id_] = trade
        self._settling.append(trade)
        for piece in pieces:
            if piece.maker in self.orders:
                self.orders[piece.maker].trades.append(id_)
        return trade

    def _step(self, trade: Trade, at: float, status: TradeStatus) -> None:
        trade.updated = at
        if status in (TradeStatus.MINED, TradeStatus.CONFIRMED) and not trade.moved:
            try:
                self._settle(trade)
            except NotPossible:
                status, trade.plan = TradeStatus.FAILED, []
        elif status is TradeStatus.FAILED and trade.moved:
            self._settle(trade, back=True)
        trade.status = status
        if trade.moved and not trade.transaction:
            trade.transaction = f"0x{self.chance.getrandbits(256):064x}"
        self._announce(trade)

    def _settle(self, trade: Trade, *, back: bool = False) -> None:
        """Move dollars and tokens of a trade, all of it or nothing."""
        for piece, fee in zip(trade.pieces, trade.fees, strict=True):
            self._move(trade, piece, fee, back=back)
        trade.moved = not back

    def _move(self, trade: Trade, piece: Piece, fee: int, *, back: bool) -> None:
        bank, taker, market = self.bank, trade.taker, trade.market
        price = trade.taker_price(piece)
        value = price * piece.size // MICRO
        wallet, maker, size = taker.wallet, piece.wallet, piece.size
        other = market.no if taker.token == market.yes else market.yes
        if taker.side is Side.BUY:
            opposite = piece.side is Side.BUY or maker == HOUSE
            if back:
                bank.give(wallet, HOUSE, taker.token, size)
                bank.pay(HOUSE, wallet, value + fee)
            elif opposite and bank.shares(maker, taker.token) < size:
                # MINT: both buy, and the pair is split out of what both pay.
                bank.pay(wallet, HOUSE, value + fee)
                bank.pay(maker, HOUSE, size - value)
                bank.split(HOUSE, (taker.token, other), size)
                bank.give(HOUSE, wallet, taker.token, size)
                bank.give(HOUSE, maker, other, size)
            else:
                bank.pay(wallet, maker, value)
                bank.pay(wallet, HOUSE, fee)
                bank.give(maker, wallet, taker.token, size)
            return
        if back:
            if bank.shares(HOUSE, taker.token) < size:
                bank.split(HOUSE, (taker.token, other), size)
            bank.give(HOUSE, wallet, taker.token, size)
            bank.pay(wallet, HOUSE, value - fee)
        elif piece.side is Side.SELL and piece.token != taker.token and maker != HOUSE:
            # MERGE: both sell, and the pair becomes the dollar that both are paid from.
            bank.give(wallet, HOUSE, taker.token, size)
            bank.give(maker, HOUSE, other, size)
            bank.merge(HOUSE, (taker.token, other), size)
            bank.pay(HOUSE, wallet, value - fee)
            bank.pay(HOUSE, maker, size - value)
        else:
            bank.give(wallet, maker, taker.token, size)
            bank.pay(maker, wallet, value - fee)
            bank.pay(maker, HOUSE, fee)

    def _end(self, state: OrderState, status: str) -> None:
        market = self.exchange.market_of(state.order.token)
        was_open = state.open
        if was_open and market is not None:
            book = self._book(market)
            book.cancel(state.order.hash)
            state.status = status
            self._store(market, book)
        state.status = status
        self._tell("order", state.order.wallet, state)

    def _announce(self, trade: Trade) -> None:
        for wallet in {trade.taker.wallet, *(piece.wallet for piece in trade.pieces)} - {HOUSE}:
            self._tell("trade", wallet, trade)

    def _tell(self, what: str, wallet: str, changed: "OrderState | Trade") -> None:
        for listener in self.listeners:
            listener(what, wallet, changed)

    def _orders_of(self, wallet: str) -> Iterator[OrderState]:
        key = wallet.lower()
        return (s for s in self.orders.values() if s.order.wallet.lower() == key)

    def _resting(self, market: SimMarket) -> list[OrderState]:
        return [
            s for s in self.orders.values() if s.open and s.order.token in (market.yes, market.no)
        ]

    def _unmoved(self, wallet: str) -> Iterator[Trade]:
        key = wallet.lower()
        return (
            trade
            for trade in self._settling
            if not trade.moved
            and trade.status is not TradeStatus.FAILED
            and (
                trade.taker.wallet.lower() == key
                or any(piece.wallet.lower() == key for piece in trade.pieces)
            )
        )

    def _shows(self, at: float) -> bool:
        return self.now() - at >= self.conduct.hidden


def _flipped(levels: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((MICRO - price, size) for price, size in levels)
