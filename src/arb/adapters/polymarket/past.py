"""Earlier prices of a token, by `/prices-history` (docs/venue-polymarket.md §1)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import HistoryPage, HistoryRow, decode, number
from arb.domain.errors import BadVenueData
from arb.domain.history import PriceHistory, PricePoint
from arb.domain.market import OutcomeId
from arb.net.http import HttpReader

WINDOW = timedelta(days=14)
"""The venue refuses longer stretches in small steps."""
SECONDS_MAX = 4_102_444_800
"""The year 2100: a larger time is in milliseconds, or wrong."""
PROBLEMS_MAX = 20
MINUTE = 60


class PolymarketPast:
    """The `Past` port. Of what is closed for long the venue tells steps of 12 hours and more only.

    The venue does not say whether a price is a midpoint or a last trade, and tells no volume.
    """

    def __init__(self, options: PolymarketOptions, reader: HttpReader) -> None:
        self._url = options.clob_url.rstrip("/") + "/prices-history"
        self._reader = reader

    async def prices(
        self, outcome: OutcomeId, since: datetime, until: datetime, seconds: int
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
        return PriceHistory(tuple(points.values()), tuple(problems))


def _windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(since + WINDOW, until)
        yield since, end
        since = end


def _point(raw: msgspec.Raw) -> PricePoint:
    row = decode(raw, HistoryRow, "point")
    seconds = number(row.t, "t")
    if not 0 <= seconds <= SECONDS_MAX:
        raise BadVenueData("t", f"{seconds} is not a time in seconds")
    return PricePoint(datetime.fromtimestamp(int(seconds), UTC), number(row.p, "p"))
