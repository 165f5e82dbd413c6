"""The embedded exchange's state: what it lists, what it shows, and what is really there."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from arb.domain.market import Side
from arb.domain.money import text
from arb.exchange.market import payloads
from arb.exchange.market.history import History
from arb.exchange.market.listing import Decoy, Planted, Print, SimEvent, SimMarket
from arb.exchange.market.matching import Ladder, mirrored
from arb.ports import Clock

Instant = Sequence[SimEvent]


@dataclass(slots=True)
class Exchange:
    """Events and their books at one time, and how they move on."""

    events: list[SimEvent]
    clock: Clock
    random: random.Random
    planted: list[Planted] = field(default_factory=list)
    decoys: list[Decoy] = field(default_factory=list)
    move: Callable[["Exchange", int], Iterable[SimMarket]] | None = None
    """Moves the market to step n; returns the markets whose books have changed."""
    step_seconds: float = 1.0
    instants: Sequence[Instant] = ()
    """Of a replay."""
    _tokens: dict[str, SimMarket] = field(init=False)
    _conditions: dict[str, SimMarket] = field(init=False)
    _events: dict[str, SimEvent] = field(init=False)
    """By the YES token of each market."""
    _rendered: dict[str, bytes] = field(default_factory=dict)
    _step: int = 0
    _started: float = field(init=False)
    changed: Callable[[Iterable[SimMarket]], None] | None = None
    """Called with every market whose book has changed."""
    printed: list[Callable[[SimMarket, Print], None]] = field(default_factory=list)
    """Called with every trade of every account."""
    resolved: list[Callable[[SimMarket], None]] = field(default_factory=list)
    """Called with every market that is resolved."""
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self._started = self.clock.monotonic()
        self._index()
        self.history.begin(self.markets(), self.unix())

    def unix(self) -> float:
        """Unix seconds."""
        return self.clock.now().timestamp()

    def show(self, events: Sequence[SimEvent]) -> None:
        """Replace everything that is listed."""
        self.events = list(events)
        self._rendered.clear()
        self._index()
        for market in self.markets():
            self.history.note(market, self.unix())

    def go_on(self) -> None:
        """Move to where the market stands now."""
        if self.move is None:
            return
        due = int((self.clock.monotonic() - self._started) / self.step_seconds)
        while self._step < due:
            self._step += 1
            self.touch(list(self.move(self, self._step)))

    def touch(self, markets: Sequence[SimMarket]) -> None:
        """The books of these markets have changed."""
        now = self.unix()
        for market in markets:
            market.stamp_ms = int(now * 1000)
            self.history.note(market, now)
            self._rendered.pop(market.yes, None)
            self._rendered.pop(market.no, None)
        if markets and self.changed is not None:
            self.changed(markets)

    def trade(
        self, market: SimMarket, side: Side, price: int, size: int, *, of_yes: bool = True
    ) -> None:
        """Record a trade, in YES terms, and publish it; `of_yes`: what its taker traded."""
        one = Print(side, price, size, self.unix(), of_yes)
        market.prints.append(one)
        for token in (market.yes, market.no):
            self._rendered.pop(token, None)
        self.history.note(market, one.unix)
        for listener in self.printed:
            listener(market, one)

    def market_of(self, token: str) -> SimMarket | None:
        """The market of a token."""
        return self._tokens.get(token)

    def by_condition(self, condition_id: str) -> SimMarket | None:
        """The market of a 32-byte condition id."""
        return self._conditions.get(condition_id)

    def by_slug(self, slug: str) -> SimMarket | None:
        """The market of a slug."""
        return next((m for m in self.markets() if m.slug == slug), None)

    def event_of(self, market: SimMarket) -> SimEvent | None:
        """The event of a market."""
        return self._events.get(market.yes)

    def markets(self) -> Iterable[SimMarket]:
        """All markets, event by event."""
        return (market for event in self.events for market in event.markets)

    def book(self, token: str) -> bytes | None:
        """The rendered book of a token; `None` where there is none."""
        market = self._tokens.get(token)
        if market is None or market.closed or (market.no_book and token == market.no):
            return None
        rendered = self._rendered.get(token)
        if rendered is None:
            rendered = self._rendered[token] = payloads.compact(payloads.book(market, token))
        return rendered

    def render_all(self) -> None:
        """Render every book now, so that the first request is as quick as the next."""
        for token in self._tokens:
            self.book(token)

    def set_book(self, token: str, bids: Ladder, asks: Ladder) -> bool:
        """Replace a market's book, given in terms of one of its tokens."""
        market = self._tokens.get(token)
        if market is None:
            return False
        if token == market.no:
            bids, asks = mirrored(asks), mirrored(bids)
        market.bids, market.asks, market.stale_no = bids, asks, None
        self.touch([market])
        return True

    def resolve(self, slug: str, yes_pays: Decimal) -> bool:
        """Resolve a market."""
        market = self.by_slug(slug)
        if market is None:
            return False
        market.closed, market.accepting, market.resolution = True, False, yes_pays
        market.resolved_unix = self.unix()
        for listener in self.resolved:
            listener(market)
        return True

    def truth(self) -> Mapping[str, Any]:
        """What is really there."""
        return {
            "opportunities": [
                {
                    "event": one.event,
                    "kind": one.kind,
                    "size": text(one.size),
                    "profit": text(one.profit),
                }
                for one in self.planted
            ],
            "decoys": [{"event": one.event, "why": one.why} for one in self.decoys],
        }

    def _index(self) -> None:
        listed = list(self.markets())
        self._tokens = {token: m for m in listed for token in (m.yes, m.no)}
        self._conditions = {m.padded_id: m for m in listed}
        self._events = {m.yes: event for event in self.events for m in event.markets}
