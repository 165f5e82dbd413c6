"""The CLOB's public reads: books, prices, markets and price history.

See docs/venue-polymarket.md §1.4.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from arb.domain.money import from_micro, text
from arb.exchange.api import rows
from arb.exchange.api.answers import Invalid, clob_page, document, guarded, raw, refused
from arb.exchange.market import payloads
from arb.exchange.market.listing import SimMarket
from arb.exchange.trading.matching_service import MatchingService

BOOKS_MAX = 500
MARKETS_PER_PAGE = 1000
NO_BOOK = "No orderbook exists for the requested token id"
INVALID_PAYLOAD = "Invalid payload"
TOO_MANY = "Payload exceeds the limit"
SPANS = {"1h": 3600, "6h": 21_600, "1d": 86_400, "1w": 604_800, "1m": 2_592_000}
"""Seconds that an interval of the price history goes back."""
FINEST = {"1w": 5, "1m": 10}
"""Least `fidelity` of an interval, in minutes."""
WINDOW_MAX = 15 * 86_400
EVER = 31 * 86_400
"""How far back `max` and `all` go."""

Quotes = Callable[[Decimal, Decimal], Any]


class Asked(msgspec.Struct):
    """An entry of a batch."""

    token_id: str
    side: str = "SELL"
    """Without a side it is SELL."""


class Clob:
    """The endpoints that need no key."""

    def __init__(self, floor: MatchingService) -> None:
        self._floor, self._exchange = floor, floor.exchange

    def routes(self) -> list[Route]:
        """All but `/markets` and `/markets/{id}`, which Gamma has as well."""
        get: list[tuple[str, Callable[[Request], Response]]] = [
            ("/book", self.book),
            ("/clob-markets/{condition}", self.clob_market),
            ("/markets-by-token/{token}", self.market_by_token),
            ("/markets/live-activity/{condition}", self.live_activity),
            ("/simplified-markets", self.simplified_markets),
            ("/sampling-markets", self.sampling_markets),
            ("/sampling-simplified-markets", self.sampling_simplified_markets),
            ("/tick-size", self.tick_size),
            ("/neg-risk", self.neg_risk),
            ("/fee-rate", self.fee_rate),
            ("/midpoint", self.midpoint),
            ("/spread", self.spread),
            ("/price", self.price),
            ("/last-trade-price", self.last_trade),
            ("/prices-history", self.prices_history),
            ("/fees/builder-fees/{code}", self.builder_fees),
            ("/time", self.time),
            ("/ok", self.ok),
            ("/", self.ok),
            ("/version", self.version),
            # The venue documents these, and refuses every form of them.
            ("/books", self.plural),
            ("/prices", self.plural),
            ("/midpoints", self.plural),
            ("/last-trades-prices", self.plural),
        ]
        post = [
            ("/books", self.books),
            ("/prices", self.prices),
            ("/midpoints", self.midpoints),
            ("/spreads", self.spreads),
            ("/last-trades-prices", self.last_trades),
        ]
        return [
            *(Route(path, guarded(act, _refuse), methods=["GET"]) for path, act in get),
            *(Route(path, _batch(act), methods=["POST"]) for path, act in post),
        ]

    def book(self, request: Request) -> Response:
        """`GET /book`."""
        self._exchange.go_on()
        book = self._exchange.book(request.query_params.get("token_id", ""))
        return refused(NO_BOOK, 404) if book is None else raw(book)

    def books(self, asked: list[Asked]) -> Response:
        """`POST /books`: in no order, unknown tokens left out."""
        self._exchange.go_on()
        books = [self._exchange.book(one.token_id) for one in asked]
        present = [book for book in books if book is not None]
        self._exchange.random.shuffle(present)
        return raw(b"[" + b",".join(present) + b"]")

    def plural(self, _request: Request) -> Response:
        """`GET` of what takes a batch."""
        return refused(INVALID_PAYLOAD, 400)

    def clob_market(self, request: Request) -> Response:
        """`GET /clob-markets/{condition_id}`: 32-byte ids only."""
        found = self._exchange.by_condition(request.path_params["condition"])
        return document(payloads.clob_market(found)) if found else refused("market not found", 404)

    def market_by_token(self, request: Request) -> Response:
        """`GET /markets-by-token/{token_id}`."""
        found = self._exchange.market_of(request.path_params["token"])
        if found is None:
            return refused("market not found", 404)
        # Which of the two is called primary does not follow the outcomes.
        first, second = sorted((found.yes, found.no), key=int)
        ids = {"primary_token_id": first, "secondary_token_id": second}
        return document({"condition_id": found.padded_id, **ids})

    def market(self, condition: str) -> Response:
        """`GET /markets/{condition_id}`."""
        found = self._exchange.by_condition(condition)
        return document(payloads.clob_listed(found)) if found else refused("market not found", 404)

    def markets(self, request: Request) -> Response:
        """`GET /markets`."""
        return self._listing(request, self._exchange.markets(), payloads.clob_listed)

    def simplified_markets(self, request: Request) -> Response:
        """`GET /simplified-markets`."""
        return self._listing(request, self._exchange.markets(), payloads.clob_simplified)

    def sampling_markets(self, request: Request) -> Response:
        """`GET /sampling-markets`: those that pay for liquidity."""
        return self._listing(request, self._sampled(), payloads.clob_listed)

    def sampling_simplified_markets(self, request: Request) -> Response:
        """`GET /sampling-simplified-markets`."""
        return self._listing(request, self._sampled(), payloads.clob_simplified)

    def live_activity(self, request: Request) -> Response:
        """`GET /markets/live-activity/{condition_id}`: the last trades, the newest first."""
        found = self._exchange.by_condition(request.path_params["condition"])
        if found is None:
            return refused("market not found", 404)
        latest = [one for one in self._floor.trades.values() if one.market is found][::-1]
        market = {
            "condition_id": found.padded_id,
            "id": int(found.id),
            "question": found.question,
            "slug": found.slug,
            "icon": "",
        }
        return document([rows.live_trade(one, market) for one in latest[:100]])

    def tick_size(self, request: Request) -> Response:
        """`GET /tick-size`."""
        return self._of_token(request, lambda m: {"minimum_tick_size": payloads.number(m.tick)})

    def neg_risk(self, request: Request) -> Response:
        """`GET /neg-risk`."""
        return self._of_token(request, lambda m: {"neg_risk": m.neg_risk})

    def fee_rate(self, request: Request) -> Response:
        """`GET /fee-rate`: only a flag."""
        return self._of_token(request, lambda m: {"base_fee": 1000 if m.fees_enabled else 0})

    def midpoint(self, request: Request) -> Response:
        """`GET /midpoint`."""
        return self._of_quotes(request, lambda bid, ask: {"mid": text((bid + ask) / 2)})

    def midpoints(self, asked: list[Asked]) -> Response:
        """`POST /midpoints`."""
        return self._all_quotes(asked, lambda bid, ask: text((bid + ask) / 2))

    def spread(self, request: Request) -> Response:
        """`GET /spread`."""
        return self._of_quotes(request, lambda bid, ask: {"spread": text(ask - bid)})

    def spreads(self, asked: list[Asked]) -> Response:
        """`POST /spreads`."""
        return self._all_quotes(asked, lambda bid, ask: text(ask - bid))

    def price(self, request: Request) -> Response:
        """`GET /price`: BUY the highest bid, SELL the lowest ask."""
        side = request.query_params.get("side", "")
        if side.upper() not in ("BUY", "SELL"):
            return refused("Invalid side", 400)
        price = self._best(request.query_params.get("token_id", ""), side)
        return refused(NO_BOOK, 404) if price is None else document({"price": text(price)})

    def prices(self, asked: list[Asked]) -> Response:
        """`POST /prices`: what there is, by token and side."""
        found: dict[str, dict[str, str]] = {}
        for one in asked:
            price = self._best(one.token_id, one.side)
            if price is not None:
                found.setdefault(one.token_id, {})[one.side.upper()] = text(price)
        return document(found)

    def last_trade(self, request: Request) -> Response:
        """`GET /last-trade-price`: 0.5 and no side where nothing was traded."""
        token = request.query_params.get("token_id", "")
        return document(self._last(token) or {"price": "0.5", "side": ""})

    def last_trades(self, asked: list[Asked]) -> Response:
        """`POST /last-trades-prices`: of the tokens that were traded."""
        found = ((one.token_id, self._last(one.token_id)) for one in asked)
        return document([{"token_id": token, **last} for token, last in found if last])

    def prices_history(self, request: Request) -> Response:
        """`GET /prices-history`: a point for every `fidelity` minutes, and one for now."""
        asked, now = request.query_params, self._exchange.unix()
        if not asked.get("market"):
            raise Invalid("invalid filters: the 'market' (asset id) is mandatory")
        start, end = self._window(asked.get("startTs"), asked.get("endTs"))
        interval = asked.get("interval")
        if interval is not None and interval not in {*SPANS, "max", "all"}:
            known = ", ".join(f"'{one}'" for one in reversed(SPANS))
            raise Invalid(
                f"invalid filters: the 'interval' value is unknown. Known values: {known}"
            )
        fidelity = _whole(asked.get("fidelity", "1"), "fidelity")
        least = FINEST.get(interval or "", 1)
        if fidelity < least:
            raise Invalid(f"invalid filters: minimum 'fidelity' for '{interval}' range is {least}")
        if start is None:
            start = now - SPANS.get(interval or "", EVER)
        market = self._exchange.market_of(asked["market"])
        if market is None:
            return document({"history": []})
        yes, seconds = asked["market"] == market.yes, fidelity * 60
        points = self._exchange.history.buckets(market, start, min(end or now, now), seconds)
        current = self._exchange.history.at(market, now)
        if current is not None:
            points.append((int(now), current))
        return document({"history": [{"t": t, "p": payloads.share(p, yes=yes)} for t, p in points]})

    def builder_fees(self, _request: Request) -> Response:
        """`GET /fees/builder-fees/{code}`: no builder takes anything here."""
        return document({"builder_maker_fee_rate_bps": 0, "builder_taker_fee_rate_bps": 0})

    def time(self, _request: Request) -> Response:
        """`GET /time`."""
        return PlainTextResponse(str(int(self._floor.wall())))

    def ok(self, _request: Request) -> Response:
        """`GET /ok` and `GET /`."""
        return JSONResponse("OK")

    def version(self, _request: Request) -> Response:
        """`GET /version`."""
        return document({"version": 2})

    def _window(self, start: str | None, end: str | None) -> tuple[float | None, float | None]:
        if start is None and end is not None:
            raise Invalid("invalid filters: 'startTs' is mandatory with 'endTs'")
        if start is None:
            return None, None
        first = _whole(start, "startTs")
        if end is None:
            return first, None
        last = _whole(end, "endTs")
        if last - first > WINDOW_MAX:
            raise Invalid("invalid filters: 'startTs' and 'endTs' interval is too long")
        return first, last

    def _sampled(self) -> Iterable[SimMarket]:
        return (m for m in self._exchange.markets() if m.rewards is not None and not m.closed)

    def _listing(
        self, request: Request, found: Iterable[SimMarket], render: Callable[[SimMarket], Any]
    ) -> Response:
        return clob_page(request, list(found), MARKETS_PER_PAGE, render)

    def _of_token(self, request: Request, answer: Callable[[SimMarket], Any]) -> Response:
        found = self._exchange.market_of(request.query_params.get("token_id", ""))
        return document(answer(found)) if found else refused("Invalid token id", 400)

    def _of_quotes(self, request: Request, answer: Quotes) -> Response:
        quotes = self._quotes(request.query_params.get("token_id", ""))
        return refused(NO_BOOK, 404) if quotes is None else document(answer(*quotes))

    def _all_quotes(self, asked: list[Asked], answer: Quotes) -> Response:
        found = {one.token_id: self._quotes(one.token_id) for one in asked}
        return document({token: answer(*two) for token, two in found.items() if two is not None})

    def _quotes(self, token: str) -> tuple[Decimal, Decimal] | None:
        """Best bid and best ask, where there are both."""
        bid, ask = self._best(token, "BUY"), self._best(token, "SELL")
        return None if bid is None or ask is None else (bid, ask)

    def _best(self, token: str, side: str) -> Decimal | None:
        """The best price of the orders on a side."""
        market = self._exchange.market_of(token)
        if market is None or market.closed:
            return None
        bids, asks = market.view(token)
        levels = bids if side.upper() == "BUY" else asks
        return from_micro(levels[0][0]) if levels else None

    def _last(self, token: str) -> dict[str, str] | None:
        market = self._exchange.market_of(token)
        if market is None or market.last is None:
            return None
        side, price = market.last.seen_from(yes=token == market.yes)
        return {"price": text(from_micro(price)), "side": side.value}


def _batch(act: Callable[[list[Asked]], Response]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await request.body(), type=list[Asked])
        except msgspec.MsgspecError:
            return refused(INVALID_PAYLOAD, 400)
        return refused(TOO_MANY, 400) if len(asked) > BOOKS_MAX else act(asked)

    return endpoint


def _refuse(what: str) -> Response:
    return refused(what, 400)


def _whole(value: str, name: str) -> int:
    if not value.isdecimal():
        raise Invalid(f"invalid filters: '{name}' is not a number")
    return int(value)
