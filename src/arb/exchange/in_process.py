"""The embedded exchange in process: the ports over one floor, with faults from a seed.

For simulations in virtual time: thousands of schedules of faults, crashes and competitors without
a socket. What the HTTP binding shows of the same floor is in `server.py` and its neighbours.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from arb.domain.book import BookMap, Books, Level, OrderBook
from arb.domain.errors import Unavailable
from arb.domain.market import OutcomeId, VenueId
from arb.domain.money import MICRO, Price, Shares, Usd, from_micro, to_micro
from arb.domain.operation import (
    Carried,
    Convert,
    Declined,
    Effect,
    Merge,
    MergeSet,
    Operation,
    OperationAnswer,
    OperationId,
    Redeem,
    effect,
)
from arb.domain.order import Answer, Fill, Final, NotFound, Order, OrderId, TradeState, Unknown
from arb.domain.report import Problem
from arb.domain.statement import Statement, VenueTrade
from arb.exchange.market.listing import SimMarket
from arb.exchange.market.matching import Ladder
from arb.exchange.trading.bank import NotPossible
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import HOUSE, NewOrder, OrderState, Refusal, Trade
from arb.exchange.trading.orders import TradeStatus as Status

OWNER = "sim"
"""The API key of the one account."""
EPOCH = datetime(2026, 11, 21, 12, tzinfo=UTC)

STATES = {
    Status.MATCHED: TradeState.PROVISIONAL,
    Status.MINED: TradeState.PROVISIONAL,
    Status.RETRYING: TradeState.PROVISIONAL,
    Status.CONFIRMED: TradeState.CONFIRMED,
    Status.FAILED: TradeState.VOIDED,
}


@dataclass(slots=True)
class VirtualClock:
    """Time that only moves when a task waits. Implements `arb.ports.Clock`."""

    seconds: float = 0.0
    meanwhile: Callable[[], None] = lambda: None
    """Called at least once a second while time goes on: what others do."""

    def now(self) -> datetime:
        """The wall clock."""
        return EPOCH + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Waiting is what moves the time."""
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds = min(self.seconds + 1, until)
            self.meanwhile()


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """How often each call goes wrong, as shares of all calls."""

    refused: float = 0.0
    """Nothing left this machine (fault A03)."""
    lost_request: float = 0.0
    """It left and never arrived."""
    lost_answer: float = 0.0
    """It arrived, and the reply was lost (A01, A02)."""
    late: float = 0.0
    """It arrives long after the caller has given up (A13)."""
    late_by: float = 40.0
    """Seconds, at most."""
    partial_batch: float = 0.0
    """Some orders of a batch get no answer (A09)."""
    unreadable: float = 0.0
    """A read fails."""
    chain_refused: float = 0.0
    """The chain or the relayer refuses."""
    chain_lost: float = 0.0
    """The chain does it and the reply is lost (G05)."""
    latency: float = 0.05
    """Seconds that every call takes."""


@dataclass(slots=True, kw_only=True)
class SimVenue:
    """`Trading`, `TokenOperations`, `Statements` and `BookSource` for one wallet."""

    venue: VenueId
    floor: MatchingService
    clock: VirtualClock
    wallet: str
    chance: random.Random
    odds: Odds = field(default_factory=Odds)
    witness: Callable[[Sequence[Order]], None] = lambda _orders: None
    """Called with every order that reaches the wire."""
    posted: list[str] = field(default_factory=list)
    """Hashes in the order in which they reached the wire."""
    _later: list[tuple[float, NewOrder]] = field(default_factory=list)
    done: dict[OperationId, Effect] = field(default_factory=dict)
    """What the chain has carried out."""

    async def fetch(self, outcomes: Sequence[OutcomeId]) -> Books:
        """See `arb.ports.BookSource`."""
        await self._call()
        return BookMap(book for o in outcomes if (book := self._book(o)) is not None)

    def problems(self) -> Sequence[Problem]:
        """See `arb.ports.BookSource`."""
        return ()

    async def prepare(self, orders: Sequence[Order]) -> Sequence[Order]:
        """See `arb.ports.Trading`: the hash is a function of what would be signed."""
        return [_signed(order) for order in orders]

    async def submit(self, orders: Sequence[Order]) -> Sequence[Answer]:
        """See `arb.ports.Trading`. What was posted before has an end that a refusal is not."""
        fate, odds = self.chance.random(), self.odds
        await self.clock.sleep(odds.latency)
        if fate < odds.refused:
            return [Final((), "the connection was refused") for _ in orders]
        self.witness(orders)
        again = not {order.ref for order in orders}.isdisjoint(self.posted)
        self.posted += [order.ref for order in orders]
        fate -= odds.refused
        if again or fate < odds.lost_request:
            return [Unknown() for _ in orders]
        fate -= odds.lost_request
        if fate < odds.late:
            due = self.clock.seconds + self.chance.uniform(0, odds.late_by)
            self._later += [(due, self._new(order)) for order in orders]
            return [Unknown() for _ in orders]
        answers = [self._place(order) for order in orders]
        fate -= odds.late
        if fate < odds.lost_answer:
            return [Unknown() for _ in orders]
        if fate - odds.lost_answer < odds.partial_batch:
            return [a if self.chance.random() < 0.5 else Unknown() for a in answers]
        return answers

    async def query(self, order: Order) -> Answer:
        """See `arb.ports.Trading`."""
        try:
            await self._call()
        except Unavailable:
            return Unknown()
        if self.floor.order(order.ref, OWNER) is not None:
            return Unknown()  # only what may still be matched shows there
        trades = [t for t in self.floor.trades_of(OWNER) if t.taker.hash == order.ref]
        if not trades:
            return NotFound()
        return Final(tuple(fill for trade in trades for fill in self._fills(trade, order.id)))

    async def trade_states(self, _order: Order, trades: Sequence[str]) -> Mapping[str, TradeState]:
        """See `arb.ports.Trading`."""
        try:
            await self._call()
        except Unavailable:
            return {}
        made = self.floor.trades
        return {id_: STATES[made[id_].status] for id_ in trades if id_ in made}

    async def cancel_all(self) -> Sequence[str]:
        """See `arb.ports.Trading`."""
        left = self.floor.open_orders(OWNER)
        return [s.order.hash for s in left if self.floor.cancel(s.order.hash, OWNER)]

    async def statement(self, outcomes: Sequence[OutcomeId], since: datetime) -> Statement:
        """See `arb.ports.Statements`."""
        await self._call()
        began = (since - EPOCH).total_seconds()
        return Statement(
            venue=self.venue,
            at=self.clock.now(),
            cash=Usd(from_micro(self.floor.bank.usd(self.wallet))),
            shares={
                o: Shares(from_micro(self.floor.bank.shares(self.wallet, o.token)))
                for o in outcomes
            },
            open_orders=tuple(s.order.hash for s in self.floor.open_orders(OWNER)),
            trades=tuple(
                VenueTrade(
                    id=trade.id,
                    ref=trade.taker.hash,
                    state=STATES[trade.status],
                    fills=self._fills(trade, OrderId(trade.taker.hash)),
                )
                for trade in self.floor.trades_of(OWNER)
                if trade.at >= began
            ),
        )

    def chain(self) -> "SimChain":
        """The settlement side of the same wallet."""
        return SimChain(self)

    def advance(self) -> None:
        """Let what is under way arrive."""
        for due, order in sorted(self._later, key=lambda later: later[0]):
            if due <= self.clock.seconds:
                self._later.remove((due, order))
                self.floor.place(order)
        self.floor.advance()

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way any more."""
        self.advance()
        return not self._later and not self.floor.unsettled()

    async def _call(self) -> None:
        await self.clock.sleep(self.odds.latency)
        self.advance()
        if self.chance.random() < self.odds.unreadable:
            raise Unavailable("the read failed")

    def _place(self, order: Order) -> Answer:
        self.advance()
        receipt = self.floor.place(self._new(order))
        if isinstance(receipt, Refusal):
            return Final((), receipt.message)
        state = self.floor.orders[order.ref]
        return self._final(order, state) if receipt.status == "matched" else Unknown()

    def _final(self, order: Order, state: OrderState) -> Answer:
        if state.status in ("DELAYED", "LIVE"):
            return Unknown()
        trades = [self.floor.trades[id_] for id_ in state.trades]
        return Final(tuple(fill for trade in trades for fill in self._fills(trade, order.id)))

    def _fills(self, trade: Trade, order: OrderId) -> tuple[Fill, ...]:
        taker = trade.taker
        return tuple(
            Fill(
                order=order,
                outcome=OutcomeId(self.venue, taker.token),
                market=self._market(taker.token).condition_id,  # type: ignore[arg-type]  # a market id
                side=taker.side,
                price=Price(from_micro(trade.taker_price(piece))),
                size=Shares(from_micro(piece.size)),
                fee=Usd(from_micro(fee)),
                shown=Shares(from_micro(piece.size)),
                at=EPOCH + timedelta(seconds=trade.at),
                trade=trade.id,
            )
            for piece, fee in zip(trade.pieces, trade.fees, strict=True)
        )

    def _new(self, order: Order) -> NewOrder:
        given, asked = order.amounts
        return NewOrder(
            hash=order.ref,
            wallet=self.wallet,
            owner=OWNER,
            token=order.outcome.token,
            side=order.side,
            maker_amount=to_micro(given),
            taker_amount=to_micro(asked),
            life=order.time_in_force.value,
        )

    def _book(self, outcome: OutcomeId) -> OrderBook | None:
        market = self.floor.exchange.market_of(outcome.token)
        if market is None or market.closed:
            return None
        bids, asks = market.view(outcome.token)
        return OrderBook(
            outcome=outcome, bids=_levels(bids), asks=_levels(asks), received_at=self.clock.now()
        )

    def _market(self, token: str) -> SimMarket:
        market = self.floor.exchange.market_of(token)
        assert market is not None
        return market


@dataclass(slots=True)
class SimChain:
    """`TokenOperations` over the same bank."""

    of: SimVenue

    async def prepare(self, id_: OperationId, _operation: Operation) -> str:
        """See `arb.ports.TokenOperations`."""
        return f"0x{id_}"

    async def submit(self, id_: OperationId, operation: Operation, _ref: str) -> OperationAnswer:
        """See `arb.ports.TokenOperations`."""
        of = self.of
        await of.clock.sleep(of.odds.latency)
        fate = of.chance.random()
        if fate < of.odds.chain_refused:
            return Declined("the relayer refused it")
        try:
            self._carry_out(operation)
        except NotPossible as error:
            return Declined(str(error))
        of.done[id_] = effect(operation)  # one wallet in two files would prove less
        lost = fate - of.odds.chain_refused < of.odds.chain_lost
        return Unknown() if lost else Carried(effect(operation))

    async def query(self, id_: OperationId, _operation: Operation, _ref: str) -> OperationAnswer:
        """See `arb.ports.TokenOperations`."""
        of = self.of
        await of.clock.sleep(of.odds.latency)
        if of.chance.random() < of.odds.unreadable:
            return Unknown()
        done = of.done.get(id_)
        return Declined("it never reached the chain") if done is None else Carried(done)

    def _carry_out(self, operation: Operation) -> None:
        bank, wallet = self.of.floor.bank, self.of.wallet
        match operation:
            case Merge(pair=pair, size=size):
                bank.merge(wallet, [outcome.token for outcome in pair], to_micro(size))
            case Convert(gives=gives, receives=receives, size=size):
                bank.convert(
                    wallet,
                    [outcome.token for outcome, _ in gives],
                    [outcome.token for outcome, _ in receives],
                    to_micro(size),
                )
            case MergeSet(gives=gives, size=size):
                bank.merge(wallet, [outcome.token for outcome, _ in gives], to_micro(size))
            case Redeem(outcome=outcome, size=size, pays=pays):
                bank.give(wallet, HOUSE, outcome.token, to_micro(size))
                bank.pay(HOUSE, wallet, to_micro(pays))


def _signed(order: Order) -> Order:
    return replace(order, ref=f"0x{order.id}")


def _levels(levels: Ladder) -> tuple[Level, ...]:
    return tuple(
        Level(Price(from_micro(price)), Shares(from_micro(size)))
        for price, size in levels
        if 0 < price < MICRO
    )
