"""Orders to the exchange itself, over `POST /_control`: money, time, markets and faults."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import msgspec

from arb.domain.market import Side
from arb.domain.money import to_micro
from arb.exchange.api.faults import Fault, Faults
from arb.exchange.api.order_intake import OrderIntake
from arb.exchange.chain.app import ChainOrder
from arb.exchange.market.addresses import OPERATORS, SPENDERS
from arb.exchange.market.builder import ladder
from arb.exchange.market.exchange import Exchange
from arb.exchange.trading.bank import UNLIMITED
from arb.exchange.trading.behaviour import Mode
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import HOUSE


class Resolve(msgspec.Struct):
    """A market's end: what YES pays."""

    market: str
    yes: str


class Oracle(msgspec.Struct):
    """B20: where the oracle stands before the end, and what YES would pay now."""

    market: str
    status: str
    yes: str | None = None


class SetBook(msgspec.Struct):
    """A book in terms of one token: [price, whole shares], best first."""

    token: str
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Deposit(msgspec.Struct):
    """Dollars from outside; a negative amount goes back there."""

    wallet: str
    usd: str


class Allow(msgspec.Struct):
    """All allowances that trading needs, or none."""

    wallet: str
    all: bool = True


class Give(msgspec.Struct):
    """Shares for a wallet; the house keeps the other side."""

    wallet: str
    token: str
    shares: str


class Session(msgspec.Struct):
    """A key that may sign for a Deposit Wallet."""

    wallet: str
    key: str


class Restart(msgspec.Struct):
    """E01, E02: the engine restarts for `seconds`, then takes post-only orders."""

    seconds: float = 90
    post_only: float = 120


class Trade(msgspec.Struct):
    """Another account's order."""

    token: str
    side: Side
    price: str
    shares: str


class MarketEdit(msgspec.Struct):
    """B13, C11: a market's terms change, at once or later."""

    slug: str
    after: float = 0
    fee_rate: str | None = None
    tick: str | None = None
    min_size: str | None = None
    accepting: bool | None = None
    delay_seconds: int | None = None
    taker_delay: bool | None = None


class Control(msgspec.Struct, forbid_unknown_fields=True):
    """An order to the exchange itself; its parts are carried out in this order."""

    clear: bool = False
    """No faults any more, and every knob as it was at first."""
    fault: Fault | None = None
    conduct: dict[str, Any] | None = None
    """Knobs of the floor to set: see `conduct.Behaviour`."""
    deposit: Deposit | None = None
    allow: Allow | None = None
    give: Give | None = None
    session: Session | None = None
    market: MarketEdit | None = None
    oracle: Oracle | None = None
    resolve: Resolve | None = None
    book: SetBook | None = None
    trade: Trade | None = None
    restart: Restart | None = None
    replay: int | None = None
    chain: ChainOrder | None = None
    """Behaviour of the node and the relayer, and balances for gas."""
    disconnect: bool = False
    """D01: every client of the user channel is dropped."""
    advance: float = 0
    """Seconds by which the exchange's time moves on."""


class Controls:
    """Carries out orders to the exchange itself."""

    def __init__(
        self, exchange: Exchange, floor: MatchingService, faults: Faults, door: OrderIntake
    ) -> None:
        self._exchange, self._floor, self._faults, self._door = exchange, floor, faults, door

    def carry_out(self, order: Control) -> bool:
        """Do everything that is asked for; false if something is not there.

        Raises:
            ValueError: An amount, a knob or a place in the replay is none.
            NotPossible: Money would be taken from where there is none.
        """
        self._faulty(order)
        self._money(order)
        done = self._markets(order)
        if order.restart is not None:
            self._restart(order.restart)
        if order.advance:
            self._floor.ahead += order.advance
        self._floor.advance()
        return done

    def _faulty(self, order: Control) -> None:
        floor = self._floor
        if order.clear:
            self._faults.clear()
            floor.conduct = type(floor.conduct)()
        if order.fault is not None:
            self._faults.add(order.fault)
        if order.conduct is not None:
            floor.conduct = floor.conduct.changed(order.conduct)

    def _money(self, order: Control) -> None:
        bank = self._floor.bank
        if order.deposit is not None:
            bank.deposit(order.deposit.wallet, to_micro(Decimal(order.deposit.usd)))
        if order.allow is not None:
            wallet = order.allow.wallet.lower()
            for spender in SPENDERS:
                bank.allow(wallet, spender, UNLIMITED if order.allow.all else 0)
            pairs = {(wallet, *pair) for pair in OPERATORS}
            bank.operators = bank.operators | pairs if order.allow.all else bank.operators - pairs
        if order.session is not None:
            self._door.sessions.add((order.session.wallet.lower(), order.session.key.lower()))

    def _markets(self, order: Control) -> bool:
        exchange, done = self._exchange, True
        if order.give is not None:
            done &= self._give(order.give)
        if order.market is not None:
            done &= self._edit(order.market)
        if order.oracle is not None:
            done &= self._propose(order.oracle)
        if order.resolve is not None:
            done &= exchange.resolve(order.resolve.market, Decimal(order.resolve.yes))
        if order.book is not None:
            bids, asks = (
                ladder([(price, int(size)) for price, size in side])
                for side in (order.book.bids, order.book.asks)
            )
            done &= exchange.set_book(order.book.token, bids, asks)
        if order.trade is not None:
            one = order.trade
            price, size = to_micro(Decimal(one.price)), to_micro(Decimal(one.shares))
            done &= self._floor.house_order(one.token, one.side, price, size)
        if order.replay is not None:
            if not 0 <= order.replay < len(exchange.instants):
                raise ValueError(f"the recording has {len(exchange.instants)} instants")
            exchange.show(exchange.instants[order.replay])
        return done

    def _give(self, gift: Give) -> bool:
        market, bank = self._exchange.market_of(gift.token), self._floor.bank
        if market is None:
            return False
        shares = to_micro(Decimal(gift.shares))
        bank.split(HOUSE, (market.yes, market.no), shares)
        bank.give(HOUSE, gift.wallet, gift.token, shares)
        return True

    def _propose(self, said: Oracle) -> bool:
        market = self._exchange.by_slug(said.market)
        if market is None:
            return False
        market.oracle = said.status
        market.proposal = None if said.yes is None else Decimal(said.yes)
        return True

    def _edit(self, edit: MarketEdit) -> bool:
        market = self._exchange.by_slug(edit.slug)
        if market is None:
            return False
        asked = msgspec.to_builtins(edit).items()
        exact = ("fee_rate", "tick", "min_size")
        new = {
            key: Decimal(value) if key in exact else value
            for key, value in asked
            if value is not None and key not in ("slug", "after")
        }

        def change() -> None:
            for key, value in new.items():
                setattr(market, key, value)
            self._exchange.touch([market])

        self._floor.later(edit.after, change)
        return True

    def _restart(self, restart: Restart) -> None:
        floor = self._floor

        def become(mode: Mode) -> None:
            floor.conduct = floor.conduct.changed({"mode": mode.value})

        become(Mode.RESTARTING)
        floor.later(restart.seconds, lambda: become(Mode.POST_ONLY))
        floor.later(restart.seconds + restart.post_only, lambda: become(Mode.NORMAL))

    def truth(self) -> dict[str, Any]:
        """What accounts really have and did, and whether the books balance."""
        floor, bank = self._floor, self._floor.bank
        floor.advance()
        wallets = {w for w, held in bank.dollars.items() if held} | {w for w, _ in bank.tokens}
        # In exclusive events a conversion makes YES and NO of a market differ.
        pairs = [
            (market.yes, market.no)
            for market in self._exchange.markets()
            if market.resolution is None and not market.neg_risk
        ]
        return {
            "accounts": {
                wallet: {
                    "usd": bank.usd(wallet),
                    "tokens": {t: n for (w, t), n in bank.tokens.items() if w == wallet and n},
                }
                for wallet in sorted(wallets - {HOUSE})
            },
            "orders": [
                {
                    "id": state.order.hash,
                    "wallet": state.order.wallet,
                    "token": state.order.token,
                    "side": state.order.side.value,
                    "price": state.order.price,
                    "size": state.order.size,
                    "matched": state.matched,
                    "status": state.status,
                    "trades": state.trades,
                }
                for state in floor.orders.values()
            ],
            "trades": [
                {
                    "id": one.id,
                    "taker": one.taker.hash,
                    "wallet": one.taker.wallet,
                    "token": one.taker.token,
                    "side": one.taker.side.value,
                    "size": one.size,
                    "value": one.value,
                    "fees": sum(one.fees),
                    "status": one.status.value,
                    "moved": one.moved,
                    "makers": [asdict(piece) for piece in one.pieces],
                }
                for one in floor.trades.values()
            ],
            "problems": bank.problems(pairs),
            "unsettled": floor.unsettled(),
        }
