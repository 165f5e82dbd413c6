"""Earlier prices of a token, by `/prices-history` (docs/venue-polymarket.md §1).

What was traded comes from `/v2/trades`: it takes no times without a wallet, so its pages are read
from the newest trade back.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import (
    HistoryPage,
    HistoryRow,
    TradedRow,
    TradePage,
    decode,
    number,
)
from arb.domain.errors import BadVenueData
from arb.domain.history import PriceHistory, PricePoint
from arb.domain.market import MarketId, OutcomeId
from arb.domain.money import Shares
from arb.net.http import HttpReader

WINDOW = timedelta(days=14)
"""The venue refuses longer stretches in small steps."""
SECONDS_MAX = 4_102_444_800
"""The year 2100: a larger time is in milliseconds, or wrong."""
PROBLEMS_MAX = 20
MINUTE = 60
TRADES_PER_PAGE = 1000
TRADE_PAGES_MAX = 20

Traded = tuple[datetime, Shares]
"""When, and how much."""


class PolymarketPast:
    """The `Past` port. Of what is closed for long the venue tells steps of 12 hours and more only.

    The venue does not say whether a price is a midpoint or a last trade.
    """

    tells_volume = True

    def __init__(self, options: PolymarketOptions, reader: HttpReader) -> None:
        self._url = options.clob_url.rstrip("/") + "/prices-history"
        self._trades = options.data_url.rstrip("/") + "/v2/trades"
        self._reader = reader

    async def prices(
        self,
        outcome: OutcomeId,
        since: datetime,
        until: datetime,
        seconds: int,
        *,
        traded_in: MarketId | None = None,
    ) -> PriceHistory:
        """See `arb.ports.Past`."""
        points: dict[datetime, PricePoint] = {}
        problems: list[str] = []
        for begin, end in _windows(since, until):
            body = await self._reader.get(
                "default",
                self._url,
                {
                    "market": outcome.token,
                    "startTs": int(begin.timestamp()),
                    "endTs": int(end.timestamp()),
                    "fidelity": max(seconds // MINUTE, 1),
                },
            )
            rows = decode(body, HistoryPage, "prices-history").history
            for place, row in enumerate(rows):
                try:
                    point = _point(row)
                except (BadVenueData, ValueError) as error:
                    if len(problems) < PROBLEMS_MAX:
                        problems.append(f"from {begin:%Y-%m-%d}, point {place}: {error}")
                    continue
                if since <= point.at <= until:
                    points[point.at] = point
        if problems and not points:
            raise BadVenueData("prices-history", f"nothing of it can be read: {problems[0]}")
        if traded_in is None:
            return PriceHistory(tuple(points.values()), tuple(problems))
        traded, known_from = await self._traded(traded_in, since, problems)
        known = sorted((p for p in points.values() if p.at >= known_from), key=lambda p: p.at)
        return PriceHistory(tuple(_with_volume(known, traded)), tuple(problems))

    async def _traded(
        self, market: MarketId, since: datetime, problems: list[str]
    ) -> tuple[list[Traded], datetime]:
        """A market's trades, and from when on all of them are known."""
        found: list[Traded] = []
        asked: dict[str, str | int] = {"condition_id": market, "limit": TRADES_PER_PAGE}
        for _ in range(TRADE_PAGES_MAX):
            body = await self._reader.get("default", self._trades, asked)
            page = decode(body, TradePage, "trades")
            for place, row in enumerate(page.data):
                try:
                    found.append(_trade(row))
                except (BadVenueData, ValueError) as error:
                    raise BadVenueData(f"trade {place}", str(error)) from error
            cursor = page.pagination.next_cursor
            if not page.data or not cursor or found[-1][0] < since:
                return found, since
            asked["cursor"] = cursor
        begins = min(at for at, _ in found) + timedelta(seconds=1)
        problems.append(f"trades before {begins:%Y-%m-%d %H:%M}: more than are read")
        return found, begins


def _with_volume(points: Sequence[PricePoint], traded: Sequence[Traded]) -> Iterator[PricePoint]:
    """The points, and one for each trade after the first, at the price that was known then."""
    yield from points
    times = [point.at for point in points]
    for at, size in traded:
        place = bisect_right(times, at)
        if place:
            yield PricePoint(at, points[place - 1].price, size)


def _windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(since + WINDOW, until)
        yield since, end
        since = end


def _point(raw: msgspec.Raw) -> PricePoint:
    row = decode(raw, HistoryRow, "point")
    return PricePoint(_time(row.t, "t"), number(row.p, "p"))


def _trade(raw: msgspec.Raw) -> Traded:
    row = decode(raw, TradedRow, "trade")
    size = number(row.size, "size")
    if size < 0:
        raise BadVenueData("size", f"{size} shares")
    return _time(row.timestamp, "timestamp"), Shares(size)


def _time(raw: msgspec.Raw, where: str) -> datetime:
    seconds = number(raw, where)
    if not 0 <= seconds <= SECONDS_MAX:
        raise BadVenueData(where, f"{seconds} is not a time in seconds")
    return datetime.fromtimestamp(int(seconds), UTC)
