"""What takers pay in a market, by the exchange's own word; kept for minutes, since it changes."""

from collections.abc import Callable

from arb.adapters.polymarket.catalog import fees_of
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import ClobMarket, decode
from arb.domain.errors import BadVenueData
from arb.domain.fees import CurveFees
from arb.domain.market import MarketId
from arb.net.http import HttpReader


class FeeBook:
    """Schedules by market, asked for when they are needed and not known any more."""

    def __init__(
        self, options: PolymarketOptions, reader: HttpReader, monotonic: Callable[[], float]
    ) -> None:
        self._options, self._reader, self._monotonic = options, reader, monotonic
        self._known: dict[MarketId, tuple[float, CurveFees]] = {}

    async def of(self, market: MarketId) -> CurveFees:
        """The market's schedule.

        Raises:
            VenueError: The exchange did not return it.
        """
        now, known = self._monotonic(), self._known.get(market)
        if known and now - known[0] < self._options.confirmation_max_age_seconds:
            return known[1]
        url = f"{self._options.clob_url.rstrip('/')}/clob-markets/{market}"
        body = await self._reader.get("clob-markets", url)
        schedule = fees_of(decode(body, ClobMarket, "clob-market"))
        if schedule is None:
            raise BadVenueData("clob-market.fd", "an unreadable schedule")
        self._known[market] = (now, schedule)
        return schedule
