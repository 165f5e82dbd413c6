"""The trading floor of the embedded exchange: orders of accounts and how they meet.

Matching is at once and off chain; the chain moves when a trade is mined, and a trade may fail
(docs/venue-polymarket.md §3.8, §7.4). Amounts are millionths, times are seconds of the exchange's
clock.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from arb.domain.market import Side
from arb.domain.money import MICRO
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import SimMarket
from arb.exchange.market.matching import Incoming, Life, MarketBook, Result, in_yes_terms
from arb.exchange.trading import rules
from arb.exchange.trading.bank import Bank
from arb.exchange.trading.behaviour import Behaviour, Mode
from arb.exchange.trading.ladders import Ladders, crosses, for_dollars, in_yes, resting
from arb.exchange.trading.orders import (
    HOUSE,
    HOUSE_OWNER,
    NewOrder,
    OrderState,
    Piece,
    Receipt,
    Refusal,
    Trade,
)
from arb.exchange.trading.trade_settlement import Chain

HOUSE_CASH = 10**18
TAKER_DELAY = 0.05
"""Seconds that takers wait in markets with a delay (docs/venue-polymarket.md §3.6)."""
NOT_FOUND = "order not found"
TOO_LATE = "order can't be found - already canceled or matched"
LIVES = {"FOK": Life.ALL_OR_NOTHING, "FAK": Life.KILL_REST}

Listener = Callable[[str, str, OrderState | Trade], None]
"""Called with (`order` or `trade`, API key, what changed)."""


@dataclass(slots=True)
class _Known:
    """What the venue believes a wallet has, since when."""

    at: float
    dollars: int
    shares: dict[str, int]


class MatchingService:
    """All accounts' orders at one exchange."""

    def __init__(self, exchange: Exchange, bank: Bank, chance: random.Random) -> None:
        self.exchange, self.bank, self.chance = exchange, bank, chance
        self.conduct = Behaviour()
        self.ahead = 0.0
        """Seconds by which the exchange's time was moved on."""
        self.orders: dict[str, OrderState] = {}
        self.trades: dict[str, Trade] = {}
        self.listeners: list[Listener] = []
        self.taken = 0
        """Orders taken so far."""
        self._chain = Chain(bank, chance, self._announce)
        self._live: dict[str, OrderState] = {}
        """Orders that rest or wait."""
        self._ladders = Ladders(exchange, self._live)
        self._beats: dict[str, tuple[float, str]] = {}
        self._known: dict[str, _Known] = {}
        self._agenda: list[tuple[float, Callable[[], None]]] = []
        self._counter = 0
        bank.deposit(HOUSE, HOUSE_CASH)

    def now(self) -> float:
        """Seconds, as the exchange counts them."""
        return self.exchange.clock.monotonic() + self.ahead

    def unix(self) -> int:
        """Unix seconds, as the exchange counts them."""
        return int(self.exchange.clock.now().timestamp() + self.ahead)

    def wall(self) -> float:
        """Unix seconds that the exchange reports and checks requests against."""
        return self.exchange.clock.now().timestamp() + self.conduct.clock_offset

    def place(self, order: NewOrder) -> Receipt | Refusal:
        """Check an order and match it."""
        self.advance()
        known = self.orders.get(order.hash)
        if known is not None and self.conduct.duplicates == "same":
            return known.receipt
        market = self.exchange.market_of(order.token)
        forbidden = self._forbids(order, market)
        if forbidden is not None or market is None:
            return forbidden or Refusal(400, rules.INVALID_TOKEN)
        state = OrderState(order=order, placed_at=self.now(), placed_unix=self.unix())
        waits = self._wait(order, market)
        if waits is None:
            result = self._match(market, state)
            if isinstance(result, Refusal) and result.message == rules.FOK_NOT_FILLED:
                # It was an order for a moment: its owner is notified, though it is not kept.
                state.status = f"CANCELED_{result.message}"
                self._tell("order", order.owner, state)
            return result
        seconds, status = waits
        state.status, state.due, state.receipt = "DELAYED", self.now() + seconds, Receipt(status)
        self._keep(state)
        self._tell("order", order.owner, state)
        return state.receipt

    def cancel(self, hash_: str, owner: str, reason: str = "") -> str | None:
        """Take an order out of the book; returns why not when that is not possible."""
        self.advance()
        state = self.orders.get(hash_)
        if state is None or state.order.owner != owner:
            return NOT_FOUND
        if self.conduct.mode is Mode.DISABLED or self.chance.random() < self.conduct.cancel_fails:
            return rules.DISABLED
        market = self.exchange.market_of(state.order.token)
        late = state.open and self.chance.random() < self.conduct.fill_before_cancel
        if late and market is not None:
            self._house_takes(market, state, state.left)
            self._ladders.store(market, self._ladders.book(market))
        if not state.open:
            return TOO_LATE
        self._end(state, reason or self.conduct.cancel_reason)
        return None

    def house_order(self, token: str, side: Side, price: int, size: int) -> bool:
        """Another trader's order: it takes what it crosses, accounts' orders too, and rests."""
        self.advance()
        market = self.exchange.market_of(token)
        if market is None or market.closed:
            return False
        incoming = Incoming("house", side, price, size)
        if token == market.no:
            incoming = in_yes_terms(incoming)
        book = self._ladders.book(market)
        result = book.submit(replace(incoming, id=f"house/{incoming.side}/{incoming.price}"))
        self._taken_by_house(market, incoming.side, result, of_yes=token == market.yes)
        self._ladders.store(market, book)
        return True

    def open_orders(self, owner: str) -> list[OrderState]:
        """What rests in the books for an API key."""
        self.advance()
        return [
            state
            for state in self._live.values()
            if state.open and state.order.owner == owner and self._shows(state.placed_at)
        ]

    def order(self, hash_: str, owner: str) -> OrderState | None:
        """An order by its hash, once it shows and as long as it does."""
        self.advance()
        state = self.orders.get(hash_)
        if state is None or state.order.owner != owner or not self._shows(state.placed_at):
            return None
        ended = not state.open and state.due is None
        return None if ended and self.conduct.hides_terminal else state

    def trades_of(self, owner: str) -> list[Trade]:
        """The trades that an API key is part of, oldest first."""
        self.advance()
        lag = self.conduct.trades_lag
        return [
            trade
            for trade in self.trades.values()
            if trade.concerns(owner) and self._shows(trade.at) and self.now() - trade.at >= lag
        ]

    def spendable(self, wallet: str) -> int:
        """Dollars that no open order and no unsettled trade has a claim on."""
        key, conduct = wallet.lower(), self.conduct
        claimed = conduct.phantom_lock if self.taken >= conduct.phantom_lock_after else 0
        for state in self._live_of(key):
            if state.order.side is Side.BUY:
                claimed += state.order.price * state.left // MICRO
        for trade in self._unmoved():
            if trade.taker.wallet.lower() == key and trade.taker.side is Side.BUY:
                claimed += trade.value + sum(trade.fees)
            claimed += sum(
                piece.price * piece.size // MICRO
                for piece in trade.pieces
                if piece.wallet.lower() == key and piece.side is Side.BUY
            )
        return self.known_dollars(wallet) - claimed

    def sellable(self, wallet: str, token: str) -> int:
        """Shares on chain that no open order and no unsettled trade has a claim on."""
        key, claimed = wallet.lower(), 0
        for state in self._live_of(key):
            if state.order.side is Side.SELL and state.order.token == token:
                claimed += state.left
        for trade in self._unmoved():
            taker = trade.taker
            if (taker.wallet.lower(), taker.token, taker.side) == (key, token, Side.SELL):
                claimed += trade.size
            claimed += sum(
                piece.size
                for piece in trade.pieces
                if (piece.wallet.lower(), piece.token, piece.side) == (key, token, Side.SELL)
            )
        return self.known_shares(wallet, token) - claimed

    def known_dollars(self, wallet: str) -> int:
        """Dollars of a wallet, as the venue remembers them."""
        memory = self._memory(wallet)
        return self.bank.usd(wallet) if memory is None else memory.dollars

    def known_shares(self, wallet: str, token: str) -> int:
        """Shares of a wallet, as the venue remembers them."""
        memory = self._memory(wallet)
        return self.bank.shares(wallet, token) if memory is None else memory.shares.get(token, 0)

    def refresh(self, wallet: str) -> None:
        """Forget what was remembered of a wallet's balances."""
        self._known.pop(wallet.lower(), None)

    def beat(self, owner: str, id_: str) -> tuple[bool, str]:
        """A heartbeat: whether its id was the expected one, and which is expected next."""
        self.advance()
        expected = self._beats.get(owner, (0.0, ""))[1]
        if id_ != expected or self.conduct.heartbeat_mismatch:
            return False, expected
        self._counter += 1
        next_id = f"{self.chance.getrandbits(32):08x}-{self._counter:04x}"
        self._beats[owner] = (self.now(), next_id)
        return True, next_id

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call something after a number of seconds."""
        self._agenda.append((self.now() + seconds, act))

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        now = self.now()
        due = [one for one in self._agenda if one[0] <= now]
        for one in due:
            self._agenda.remove(one)
            one[1]()
        for state in [s for s in self._live.values() if s.due is not None and s.due <= now]:
            self._end_of_wait(state)
        for market in self._markets_with_orders():
            self._reconcile(market)
        self._chain.advance(now, self.unix(), self.conduct)
        for owner, (at, _) in list(self._beats.items()):
            if now - at > self.conduct.heartbeat_ttl:
                del self._beats[owner]
                self._cancel_of(owner)
        for state in list(self._live.values()):
            reason = self._lapsed(state)
            if state.open and reason is not None:
                self._end(state, reason)

    def unsettled(self) -> bool:
        """Whether something is still on its way."""
        self.advance()
        return bool(self._chain.underway) or any(s.due is not None for s in self._live.values())

    def _forbids(self, order: NewOrder, market: SimMarket | None) -> Refusal | None:
        forbidden = rules.mode_forbids(order, self.conduct)
        if forbidden is None and order.hash in self.orders:
            forbidden = Refusal(400, f"order {order.hash} is invalid. Duplicated.")
        forbidden = forbidden or rules.rules_forbid(order, market, self.conduct, self.unix())
        if forbidden is None and market is not None:
            forbidden = self._funds_forbid(order, market)
        return forbidden

    def _wait(self, order: NewOrder, market: SimMarket) -> tuple[float, str] | None:
        """How long an order waits before it is matched, and the status that its owner gets."""
        if order.life == "FAK" and self.conduct.fak_async:
            return self.conduct.fak_async, "live"
        delay = self.conduct.matching_delay
        if order.takes:
            delay = delay or market.delay_seconds or (TAKER_DELAY if market.taker_delay else 0)
        return (delay, "delayed") if delay else None

    def _end_of_wait(self, state: OrderState) -> None:
        market = self.exchange.market_of(state.order.token)
        state.due, end = None, self.conduct.delayed_end
        if end == "cancel":
            self._end(state, self.conduct.cancel_reason)
        elif end == "unmatch" or market is None or isinstance(self._match(market, state), Refusal):
            self._end(state, "UNMATCHED")

    def _funds_forbid(self, order: NewOrder, market: SimMarket) -> Refusal | None:
        buys = order.side is Side.BUY
        have = self.spendable(order.wallet) if buys else self.sellable(order.wallet, order.token)
        lacks = rules.funds_forbid(order, market, have)
        if lacks is None and self.conduct.allowance_at_entry:
            return rules.allowance_forbids(order, market, self.bank)
        return lacks

    def _match(self, market: SimMarket, state: OrderState) -> Receipt | Refusal:
        order = state.order
        if self.chance.random() < self.conduct.rivals:
            self._rival(market, order)
        book = self._ladders.book(market)
        incoming = self._incoming(order, market, book)
        if order.post_only and crosses(book, incoming):
            if not self.conduct.post_only_invalid:
                return Refusal(400, rules.POST_ONLY_CROSSES)
            self._keep(state)
            self._end(state, "INVALID")
            return state.receipt
        if not order.takes and (small := rules.too_small(order)) and crosses(book, incoming):
            return Refusal(400, small)
        result = book.submit(incoming) if incoming.size else Result((), 0, 0)
        if order.takes and not result.matches:
            why = rules.FOK_NOT_FILLED if order.life == "FOK" else rules.FAK_NOT_FILLED
            return Refusal(400, why)
        pieces = [self._piece(market, m.maker, m.price, m.size) for m in result.matches]
        pieces = self._dusty(order, pieces)
        state.matched = sum(piece.size for piece in pieces)
        state.status = "LIVE" if result.resting else "MATCHED"
        self._keep(state)
        self._ladders.store(market, book)
        trades = self._make_trades(market, order, pieces)
        state.trades += [trade.id for trade in trades]
        self._tell("order", order.owner, state)
        for trade in trades:
            self._announce(trade)
        if trades:
            paid = sum(trade.value for trade in trades)
            amounts = (paid, state.matched) if order.side is Side.BUY else (state.matched, paid)
            state.receipt = Receipt("matched", *amounts, tuple(trade.id for trade in trades))
        return state.receipt

    def _incoming(self, order: NewOrder, market: SimMarket, book: MarketBook) -> Incoming:
        """The order in shares; of one that its dollars cannot fill as it wants, none."""
        incoming = in_yes(order, market, LIVES.get(order.life, Life.REST))
        if order.side is Side.SELL or not order.takes or self.conduct.improvement == "shares":
            return incoming
        size, whole = for_dollars(order, market, book)
        return replace(incoming, size=size if whole or order.life == "FAK" else 0)

    def _rival(self, market: SimMarket, order: NewOrder) -> None:
        """Another trader takes the level that the order wants."""
        book = self._ladders.book(market)
        side = in_yes(order, market).side
        levels = book.asks() if side is Side.BUY else book.bids()
        if not levels:
            return
        price, size = levels[0]
        result = book.submit(Incoming("rival", side, price, size, Life.KILL_REST))
        self._taken_by_house(market, side, result)
        self._ladders.store(market, book)

    def _taken_by_house(
        self, market: SimMarket, side: Side, result: Result, *, of_yes: bool = True
    ) -> None:
        """What an order of the house has met: accounts' orders, or liquidity of its own."""
        for match in result.matches:
            state = self._live.get(match.maker)
            if state is not None:
                self._house_takes(market, state, match.size)
            else:
                self.exchange.trade(market, side, match.price, match.size, of_yes=of_yes)

    def _house_takes(self, market: SimMarket, state: OrderState, size: int) -> None:
        """The house takes a resting order of an account, at its price."""
        order = state.order
        self._counter += 1
        price = order.price
        buys = order.side is Side.SELL
        amounts = (price * size // MICRO, size) if buys else (size, price * size // MICRO)
        taker = NewOrder(
            hash=f"0x{self._counter:064x}",
            wallet=HOUSE,
            owner=HOUSE_OWNER,
            token=order.token,
            side=Side.BUY if buys else Side.SELL,
            maker_amount=amounts[0],
            taker_amount=amounts[1],
            life="FAK",
        )
        yes_price = price if order.token == market.yes else MICRO - price
        piece = self._piece(market, order.hash, yes_price, size)
        self._announce(self._make_trade(market, taker, (piece,)))

    def _reconcile(self, market: SimMarket) -> None:
        """Books may have changed from outside: accounts' orders stay, and trade if crossed."""
        house = self._ladders.house(market)
        changed = False
        for state in resting(self._live.values(), market):
            mine = in_yes(state.order, market)
            against = house[Side.SELL if mine.side is Side.BUY else Side.BUY]
            for price in sorted(against, reverse=mine.side is Side.SELL):
                buys = mine.side is Side.BUY
                if not state.open or (price > mine.price if buys else price < mine.price):
                    break
                size = min(state.left, against[price])
                against[price] -= size
                changed = True
                self._house_takes(market, state, size)
        if changed or self._ladders.hide_an_order(market):
            self._ladders.store(market, self._ladders.merged(market, house))

    def _piece(self, market: SimMarket, maker: str, price: int, size: int) -> Piece:
        """What a maker gives; its order has so much less left."""
        state = self._live.get(maker)
        if state is None:
            side = Side.BUY if "/BUY/" in maker else Side.SELL
            return Piece(maker, HOUSE, HOUSE_OWNER, market.yes, side, price, size)
        order = state.order
        state.matched += size
        if not state.left:
            state.status = "MATCHED"
            self._live.pop(maker)
        own_price = price if order.token == market.yes else MICRO - price
        return Piece(maker, order.wallet, order.owner, order.token, order.side, own_price, size)

    def _dusty(self, order: NewOrder, pieces: list[Piece]) -> list[Piece]:
        """A taker may get a trifle more or less than the sizes give."""
        dust = self.conduct.overfill
        last = pieces[-1] if pieces else None
        if not dust or not order.takes or last is None or last.wallet != HOUSE:
            return pieces
        return [*pieces[:-1], replace(last, size=last.size + dust)]

    def _make_trades(self, market: SimMarket, order: NewOrder, pieces: list[Piece]) -> list[Trade]:
        groups = [[piece] for piece in pieces] if self.conduct.split_trades else [pieces]
        return [self._make_trade(market, order, tuple(group)) for group in groups if group]

    def _make_trade(self, market: SimMarket, order: NewOrder, pieces: tuple[Piece, ...]) -> Trade:
        self._counter += 1
        id_ = f"{self.chance.getrandbits(32):08x}-0000-4000-8000-{self._counter:012d}"
        at, unix = self.now(), self.unix()
        trade = Trade(
            id=id_,
            taker=order,
            market=market,
            pieces=pieces,
            fees=(),
            at=at,
            unix=unix,
            plan=[],
            updated=unix,
        )
        trade.fees = tuple(
            0
            if order.wallet == HOUSE
            else rules.taker_fee(market, trade.taker_price(piece), piece.size)
            for piece in pieces
        )
        self.trades[id_] = trade
        for piece in pieces:
            price, side = trade.taker_price(piece), order.side
            if order.token == market.no:
                price, side = MICRO - price, Side.SELL if side is Side.BUY else Side.BUY
            yes = order.token == market.yes
            self.exchange.trade(market, side, price, piece.size, of_yes=yes)
        self._chain.send(trade, self.conduct)
        for piece in pieces:
            state = self.orders.get(piece.maker)
            if state is not None:
                state.trades.append(id_)
                self._tell("order", piece.owner, state)
        return trade

    def _lapsed(self, state: OrderState) -> str | None:
        """Why a resting order is no more, if it is not."""
        market = self.exchange.market_of(state.order.token)
        if market is None:
            return "CANCELED_MARKET_NOT_FOUND"
        if market.closed:
            return "CANCELED_MARKET_RESOLVED"
        # A GTD order effectively ends a minute before its stated time
        # (docs/venue-polymarket.md §3.1).
        ends = state.order.expires - self.conduct.expire_early
        if state.order.life == "GTD" and ends <= self.unix():
            return "CANCELED_EXPIRED_ORDER"
        order, wallet = state.order, state.order.wallet
        buys = order.side is Side.BUY
        have = self.bank.usd(wallet) if buys else self.bank.shares(wallet, order.token)
        need = order.price * state.left // MICRO if buys else state.left
        return "CANCELED_NOT_ENOUGH_BALANCE" if have < need else None

    def _cancel_of(self, owner: str) -> None:
        for state in [s for s in self._live.values() if s.order.owner == owner and s.open]:
            self._end(state, self.conduct.cancel_reason)

    def _end(self, state: OrderState, status: str) -> None:
        market = self.exchange.market_of(state.order.token)
        if state.open and market is not None:
            book = self._ladders.book(market)
            book.cancel(state.order.hash)
            state.status = status
            self._ladders.store(market, book)
        state.status, state.due = status, None
        self._live.pop(state.order.hash, None)
        self._tell("order", state.order.owner, state)

    def _keep(self, state: OrderState) -> None:
        if state.order.hash not in self.orders:
            self.taken += 1
        self.orders[state.order.hash] = state
        if state.open or state.due is not None:
            self._live[state.order.hash] = state
        else:
            self._live.pop(state.order.hash, None)

    def _memory(self, wallet: str) -> _Known | None:
        if not self.conduct.balance_lag:
            return None
        key, now = wallet.lower(), self.now()
        known = self._known.get(key)
        if known is None or now - known.at >= self.conduct.balance_lag:
            shares = {token: n for (owner, token), n in self.bank.tokens.items() if owner == key}
            known = self._known[key] = _Known(now, self.bank.usd(wallet), shares)
        return known

    def _announce(self, trade: Trade) -> None:
        owners = {trade.taker.owner, *(piece.owner for piece in trade.pieces)}
        for owner in sorted(owners - {HOUSE_OWNER}):
            self._tell("trade", owner, trade)

    def _tell(self, what: str, owner: str, changed: OrderState | Trade) -> None:
        for listener in self.listeners:
            listener(what, owner, changed)

    def _live_of(self, wallet: str) -> Iterator[OrderState]:
        return (s for s in self._live.values() if s.order.wallet.lower() == wallet)

    def _markets_with_orders(self) -> list[SimMarket]:
        found = (self.exchange.market_of(s.order.token) for s in self._live.values() if s.open)
        return list({m.yes: m for m in found if m is not None and not m.closed}.values())

    def _unmoved(self) -> Iterator[Trade]:
        return (trade for trade in self._chain.underway if not trade.moved)

    def _shows(self, at: float) -> bool:
        return self.now() - at >= self.conduct.hidden
