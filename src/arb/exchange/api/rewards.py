"""Rewards for resting orders: what markets pay, which orders score, and each account's share.

An order scores that rests near enough to the middle and is large enough; its score falls with the
square of its distance (the venue's published rule). Payouts are made at the end of a day elsewhere:
here nothing was ever paid, so earnings are empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arb.domain.money import MICRO, from_micro
from arb.exchange.api.answers import Invalid, clob_page, document, guarded, refused
from arb.exchange.api.auth import Caller, Keys
from arb.exchange.market import payloads
from arb.exchange.market.addresses import COLLATERAL
from arb.exchange.market.history import price_of
from arb.exchange.market.listing import Rewards, SimMarket, traded
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import OrderState

PAGE = 500
ORDERS: dict[str, str] = {
    "market_id": "market_id",
    "created_at": "created_at",
    "volume_24hr": "volume_24hr",
    "spread": "spread",
    "competitiveness": "market_competitiveness",
    "max_spread": "rewards_max_spread",
    "min_size": "rewards_min_size",
    "question": "question",
    "one_day_price_change": "one_day_price_change",
    "end_date": "end_date",
    "start_date": "created_at",
}


@dataclass(frozen=True, slots=True)
class Paying:
    """A market that pays for resting orders."""

    market: SimMarket
    terms: Rewards


class RewardPages:
    """The endpoints."""

    def __init__(self, floor: MatchingService, keys: Keys) -> None:
        self._floor, self._exchange, self._keys = floor, floor.exchange, keys

    def routes(self) -> list[Route]:
        """Public ones, and those of an API key."""
        public = [
            ("/rewards/markets/current", self.current),
            ("/rewards/markets/multi", self.multi),
            ("/rewards/markets/{condition}", self.of_market),
            ("/rebates/current", self.rebates),
        ]
        own = [
            ("GET", "/rewards/user", self.earnings),
            ("GET", "/rewards/user/total", self.total),
            ("GET", "/rewards/user/percentages", self.percentages),
            ("GET", "/rewards/user/markets", self.user_markets),
            ("GET", "/order-scoring", self.scoring),
            ("POST", "/orders-scoring", self.all_scoring),
        ]
        return [
            *(Route(path, guarded(act, _refuse), methods=["GET"]) for path, act in public),
            *(Route(path, self._keys.signed(act), methods=[how]) for how, path, act in own),
        ]

    def current(self, request: Request) -> Response:
        """`GET /rewards/markets/current`."""
        rows = [
            {
                **_terms(one),
                "native_daily_rate": payloads.number(one.terms.per_day),
                "sponsored_daily_rate": 0,
                "total_daily_rate": payloads.number(one.terms.per_day),
                "sponsors_count": 0,
            }
            for one in self._paying()
        ]
        return clob_page(request, rows, PAGE)

    def of_market(self, request: Request) -> Response:
        """`GET /rewards/markets/{condition_id}`."""
        wanted = request.path_params["condition"]
        rows = [self._row(one) for one in self._paying() if one.market.padded_id == wanted]
        return clob_page(request, rows, PAGE)

    def multi(self, request: Request) -> Response:
        """`GET /rewards/markets/multi`: filtered and in order."""
        asked, now = request.query_params, self._exchange.unix()
        words, events = asked.get("q", "").lower(), asked.getlist("event_id")
        title, tags = asked.get("event_title", "").lower(), set(asked.getlist("tag_slug"))
        rows: list[dict[str, Any]] = []
        for one in self._paying():
            market = one.market
            event = self._exchange.event_of(market)
            if event is None or (tags and not tags & {tag.slug for tag in event.tags}):
                continue
            if words not in market.question.lower() or title not in event.title.lower():
                continue
            if events and event.id not in events:
                continue
            if asked.get("market_id", market.id) != market.id:
                continue
            bid, ask = payloads.quotes(market)
            before = self._exchange.history.at(market, now - payloads.DAY)
            price = price_of(market) or 0
            change = price - before if before is not None else 0
            row = {
                **self._row(one),
                "market_id": market.id,
                "group_item_title": market.question,
                "event_id": event.id,
                "spread": payloads.number(ask - bid),
                "volume_24hr": payloads.number(traded(market.prints, now - payloads.DAY)),
                "created_at": market.starts,
                "end_date": _spaced(market.ends),
                "one_day_price_change": payloads.number(from_micro(change)),
            }
            within = {"volume_24hr": "volume_24hr", "spread": "spread"}
            if all(_between(row[name], asked, key) for key, name in within.items()) and (
                any(_between(token["price"], asked, "price") for token in row["tokens"])
            ):
                rows.append(row)
        order = asked.get("order_by")
        if order is not None:
            name = ORDERS.get(order)
            if name is None:
                raise Invalid("invalid order_by")
            rows.sort(key=lambda row: row[name], reverse=asked.get("position", "DESC") == "DESC")
        size = asked.get("page_size", "100")
        return clob_page(request, rows, int(size) if size.isdecimal() and int(size) else 100)

    def rebates(self, request: Request) -> Response:
        """`GET /rebates/current`: none has ever been paid, which the venue returns as null."""
        try:
            date.fromisoformat(request.query_params.get("date", ""))
        except ValueError:
            raise Invalid("Invalid date") from None
        return document(None)

    async def earnings(self, request: Request, _caller: Caller) -> Response:
        """`GET /rewards/user`."""
        return clob_page(request, [], PAGE)

    async def total(self, _request: Request, _caller: Caller) -> Response:
        """`GET /rewards/user/total`."""
        return document([])

    async def percentages(self, _request: Request, caller: Caller) -> Response:
        """`GET /rewards/user/percentages`: a key's share of each market's score."""
        shares = ((one.market.padded_id, self._share(one, caller)) for one in self._paying())
        return document({condition: share for condition, share in shares if share})

    async def user_markets(self, request: Request, caller: Caller) -> Response:
        """`GET /rewards/user/markets`: what pays, and a key's share of it."""
        wallet = request.query_params.get("maker_address", "") or caller.address
        rows = [
            {
                **self._row(one),
                "maker_address": wallet,
                "earnings": [],
                "earning_percentage": self._share(one, caller),
            }
            for one in self._paying()
        ]
        size = request.query_params.get("page_size", "100")
        return clob_page(request, rows, int(size) if size.isdecimal() and int(size) else 100)

    async def scoring(self, request: Request, caller: Caller) -> Response:
        """`GET /order-scoring`."""
        return document({"scoring": self._scores(request.query_params.get("order_id", ""), caller)})

    async def all_scoring(self, request: Request, caller: Caller) -> Response:
        """`POST /orders-scoring`."""
        try:
            ids = msgspec.json.decode(await request.body(), type=list[str])
        except msgspec.MsgspecError:
            return refused("Invalid payload", 400)
        return document({id_: self._scores(id_, caller) for id_ in ids})

    def _paying(self) -> Iterator[Paying]:
        for market in self._exchange.markets():
            if market.rewards is not None and not market.closed:
                yield Paying(market, market.rewards)

    def _scores(self, id_: str, caller: Caller) -> bool:
        state = self._floor.order(id_, caller.key)
        market = self._exchange.market_of(state.order.token) if state else None
        if state is None or market is None or market.rewards is None:
            return False
        return _score(Paying(market, market.rewards), state) > 0

    def _share(self, one: Paying, caller: Caller) -> float:
        """Percent of the market's score that a key's orders have."""
        whole = self._total(one)
        mine = sum((s for owner, s in self._all(one) if owner == caller.key), Decimal(0))
        return payloads.number(round(mine * 100 / whole, 6)) if whole else 0

    def _total(self, one: Paying) -> Decimal:
        return sum((score for _, score in self._all(one)), Decimal(0))

    def _all(self, one: Paying) -> Iterator[tuple[str, Decimal]]:
        pair = (one.market.yes, one.market.no)
        for state in self._floor.orders.values():
            if state.open and state.order.token in pair:
                yield state.order.owner, _score(one, state)

    def _row(self, one: Paying) -> dict[str, Any]:
        market = one.market
        event = self._exchange.event_of(market)
        sides = (payloads.clob_token(market, yes=True), payloads.clob_token(market, yes=False))
        return {
            **_terms(one),
            "question": market.question,
            "market_slug": market.slug,
            "event_slug": event.slug if event else "",
            "image": "",
            "market_competitiveness": payloads.number(round(self._total(one), 6)),
            "tokens": [
                {key: side[key] for key in ("token_id", "outcome", "price")} for side in sides
            ],
        }


def _score(one: Paying, state: OrderState) -> Decimal:
    """How much an order counts: nothing beyond the widest distance or below the least size."""
    middle, order = price_of(one.market), state.order
    if middle is None or not state.open or from_micro(state.left) < one.terms.min_size:
        return Decimal(0)
    price = order.price if order.token == one.market.yes else MICRO - order.price
    off = from_micro(abs(price - middle)) * 100
    near = (one.terms.max_spread - off) / one.terms.max_spread
    return near * near * from_micro(state.left) if near > 0 else Decimal(0)


def _terms(one: Paying) -> dict[str, Any]:
    market, terms = one.market, one.terms
    config = {
        "id": terms.id,
        "asset_address": COLLATERAL,
        "start_date": market.starts[:10],
        "end_date": market.ends[:10],
        "rate_per_day": payloads.number(terms.per_day),
        "total_rewards": 0,
    }
    return {
        "condition_id": market.padded_id,
        "rewards_max_spread": payloads.number(terms.max_spread),
        "rewards_min_size": payloads.number(terms.min_size),
        "rewards_config": [config],
    }


def _between(value: float, asked: Any, name: str) -> bool:
    try:
        least = Decimal(asked.get(f"min_{name}", "-1000000000"))
        most = Decimal(asked.get(f"max_{name}", "1000000000"))
    except ArithmeticError:
        raise Invalid(f"invalid {name}") from None
    return least <= Decimal(str(value)) <= most


def _spaced(moment: str) -> str:
    """A time as this endpoint writes it: `2026-12-31 12:00:00+00`."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S}+00"


def _refuse(what: str) -> Response:
    return refused(what, 400)
