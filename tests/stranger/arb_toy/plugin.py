"""The adapter: what `arb.ports` asks for, over the exchange's file."""

import contextlib
import dataclasses
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from arb.checks import tried
from arb.domain.book import BookMap, Level, OrderBook
from arb.domain.confirmation import Confirmation
from arb.domain.errors import BadVenueData, ConfigError, Unavailable
from arb.domain.market import (
    Event,
    EventId,
    Exclusive,
    Implies,
    Market,
    MarketId,
    OrderRules,
    OutcomeId,
    Side,
    Universe,
    VenueId,
)
from arb.domain.operation import Carried, Declined, Redeem, effect
from arb.domain.order import Fill, Final, NotFound, TradeState, Unknown
from arb.domain.report import Completeness
from arb.domain.statement import Statement, VenueTrade
from arb.domain.venue import PairExit, VenueTerms
from arb.ports import Venue
from arb_toy.exchange import RATE, ToyExchange
from arb_toy.fees import ToyFees

TOY = VenueId("toy")
TERMS = VenueTerms(
    batch_max=4,
    order_life=timedelta(seconds=2),
    not_found_grace=timedelta(seconds=1),
    orders_per_second_max=20,
    complement_shares_book=False,
    pair_exit=PairExit.AUTOMATIC,
)
RULES = OrderRules(
    tick=Decimal("0.01"), min_size=Decimal(1), size_step=Decimal(1), min_value=Decimal("0.01")
)


@dataclass(frozen=True)
class ToyOptions:
    """`[venues.toy]`."""

    file: str = ""


class ToyPlugin:
    """See `arb.ports.VenuePlugin`."""

    options = ToyOptions
    fees = ToyFees

    @asynccontextmanager
    async def open(self, options, context):
        """See `arb.ports.VenuePlugin`."""
        if not options.file:
            raise ConfigError("venues.toy.file is empty: set ARB_VENUES__TOY__FILE")
        exchange = ToyExchange(options.file)
        market_data = ToyMarketData(exchange, context.clock)
        venue = Venue(
            id=TOY,
            listing=market_data,
            books=market_data,
            terms=TERMS,
            checks=market_data.checks,
        )
        if context.live:
            trading = ToyTrading(exchange, context.clock)
            venue = dataclasses.replace(
                venue, trading=trading, operations=ToyOperations(exchange), statements=trading
            )
        yield venue


PLUGIN = ToyPlugin()


class ToyMarketData:
    """`Catalog` and `BookSource`."""

    def __init__(self, exchange, clock):
        self._exchange, self._clock = exchange, clock
        self._listed = 0

    def _read(self):
        try:
            return self._exchange.read()
        except (OSError, ValueError) as error:
            raise Unavailable(f"toy: {error}") from error

    async def checks(self):
        """Whether the exchange's file can be read."""

        async def listing():
            return f"{len(self._read()['events'])} events"

        return [await tried("listing", listing, "set ARB_VENUES__TOY__FILE to the toy's file")]

    async def universe(self):
        return self._universe(self._read()["events"])

    async def event(self, slug):
        found = [event for event in self._read()["events"] if event["id"] == slug]
        if not found:
            raise BadVenueData("event", f"toy lists no {slug}")
        return self._universe(found)

    def _universe(self, listed):
        markets, events, relations = {}, {}, []
        for event in listed:
            own = [_market(event, market) for market in event["markets"]]
            markets |= {market.id: market for market in own}
            id_ = EventId(f"toy:{event['id']}")
            events[id_] = Event(
                id=id_,
                slug=event["id"],
                title=event["id"],
                venue=TOY,
                markets=tuple(market.id for market in own),
            )
            if len(own) > 1:
                relations.append(Exclusive(tuple(m.id for m in own), event["complete"]))
            relations += [
                Implies(_id(market["id"]), _id(market["implies"]))
                for market in event["markets"]
                if "implies" in market
            ]
        self._listed = len(markets)
        return Universe(markets, events, tuple(relations))

    async def payouts(self, markets):
        found = {}
        for event in self._read()["events"]:
            for market in event["markets"]:
                if f"toy:{market['id']}" in markets and market["resolved"]:
                    for name in ("yes", "no"):
                        pays = Decimal(int(market["resolved"] == name))
                        found[OutcomeId(TOY, f"{market['id']}/{name}")] = pays
        return found

    async def confirm(self, markets):
        listed = self._universe(self._read()["events"]).markets
        return {m.id: Confirmation(market=m.id, known=m.id in listed) for m in markets}

    async def count(self, groups, *, anew=False):
        sizes = {f"toy:{event['id']}": len(event["markets"]) for event in self._read()["events"]}
        return {group.group: sizes[group.group] for group in groups if group.group in sizes}

    def completeness(self):
        return Completeness(markets_listed=self._listed)

    def problems(self):
        return ()

    async def fetch(self, outcomes):
        now, books = self._clock.now(), []
        world = self._read()
        for outcome in outcomes:
            market, _, name = outcome.token.partition("/")
            with contextlib.suppress(StopIteration):
                book = self._exchange.market(world, market)[name]
                bids, asks = (
                    tuple(Level(Decimal(p), Decimal(s)) for p, s in book[side])
                    for side in ("bids", "asks")
                )
                books.append(OrderBook(outcome=outcome, bids=bids, asks=asks, received_at=now))
        return BookMap(books)


class ToyTrading:
    """`Trading` and `Statements`."""

    venue = TOY

    def __init__(self, exchange, clock):
        self._exchange, self._clock = exchange, clock

    async def prepare(self, orders):
        return [dataclasses.replace(order, ref=f"toy-{order.id}") for order in orders]

    async def submit(self, orders):
        assert len(orders) <= TERMS.batch_max
        answers = []
        for order in orders:
            self._exchange.place(_ticket(order), self._clock.now())
            world = self._exchange.read()
            if world["silent"]:  # carried out, and nobody is told
                world["silent"] -= 1
                self._exchange.write(world)
                answers.append(Unknown())
            else:
                answers.append(await self.query(order))
        return answers

    async def query(self, order):
        trades = self._exchange.read()["orders"].get(order.ref)
        if trades is None:
            return NotFound()
        if not trades:
            return Final((), "nobody trades at that price")
        return Final(tuple(_fill(trade, order.id, order.market) for trade in trades))

    async def trade_states(self, order, trades):
        made = {t["id"] for t in self._exchange.read()["orders"].get(order.ref, ())}
        return dict.fromkeys(made.intersection(trades), TradeState.CONFIRMED)

    async def cancel_all(self):
        return ()

    async def statement(self, outcomes, since):
        world = self._exchange.read()
        trades = [trade for made in world["orders"].values() for trade in made]
        return Statement(
            venue=TOY,
            at=self._clock.now(),
            cash=Decimal(world["cash"]),
            shares={o: Decimal(world["shares"].get(o.token, "0")) for o in outcomes},
            open_orders=(),
            trades=tuple(
                VenueTrade(
                    id=trade["id"],
                    ref=trade["ref"],
                    state=TradeState.CONFIRMED,
                    fills=(_fill(trade, trade["ref"], _market_id(trade["token"])),),
                )
                for trade in trades
                if datetime.fromisoformat(trade["at"]) >= since
            ),
        )


class ToyOperations:
    """`TokenOperations`: only what has resolved has to be asked for."""

    def __init__(self, exchange):
        self._exchange = exchange

    async def prepare(self, id_, operation):
        return f"toy-{id_}"

    async def submit(self, id_, operation, ref):
        if not isinstance(operation, Redeem):
            return Declined("toy pays for resolved shares only")
        self._exchange.redeem(ref, operation.outcome.token, operation.size)
        return Carried(effect(operation))

    async def query(self, id_, operation, ref):
        return await self.submit(id_, operation, ref)


def _market(event, market):
    return Market(
        id=MarketId(f"toy:{market['id']}"),
        event=EventId(f"toy:{event['id']}"),
        slug=market["id"],
        question=market["id"],
        yes=OutcomeId(TOY, f"{market['id']}/yes"),
        no=OutcomeId(TOY, f"{market['id']}/no"),
        rules=RULES,
        fees=ToyFees(RATE),
        accepting=not market["resolved"],
        closed=bool(market["resolved"]),
        can_split=False,
        group=f"toy:{event['id']}",
        terms=TERMS,
    )


def _id(market):
    """A market of another venue is named by its whole id."""
    return MarketId(market if market.startswith("0x") else f"toy:{market}")


def _market_id(token):
    return MarketId(f"toy:{token.split('/')[0]}")


def _ticket(order):
    return {
        "ref": order.ref,
        "token": order.outcome.token,
        "side": order.side.value,
        "limit": str(order.limit),
        "size": str(order.size),
        "dollars": str(order.dollars),
        "kind": order.time_in_force.value,
    }


def _fill(trade, order, market):
    return Fill(
        order=order,
        outcome=OutcomeId(TOY, trade["token"]),
        market=market,
        side=Side(trade["side"]),
        price=Decimal(trade["price"]),
        size=Decimal(trade["size"]),
        fee=Decimal(trade["fee"]),
        shown=Decimal(trade["size"]),
        at=datetime.fromisoformat(trade["at"]),
        trade=trade["id"],
    )
