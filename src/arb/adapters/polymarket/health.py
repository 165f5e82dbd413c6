"""Whether Polymarket can be read, and traded at, from here: small public reads."""

from collections.abc import Sequence

import msgspec

from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import Geoblock, decode
from arb.checks import Check, asked, tried, unasked
from arb.domain.errors import ArbError
from arb.net.http import HttpReader
from arb.ports import Clock

NO_CONDITION = "0x" + "0" * 64
CLOCK_OFFSET_MAX_SECONDS = 2
ORDER_VERSION = 2


class PolymarketHealth:
    """Small reads that show whether trading could work from here."""

    def __init__(
        self, options: PolymarketOptions, reader: HttpReader, as_orders: HttpReader, clock: Clock
    ) -> None:
        self._options, self._reader, self._clock = options, reader, clock
        self._as_orders = as_orders

    async def listing(self) -> None:
        """Gamma answers. Raises `VenueError` otherwise."""
        url = self._options.gamma_url.rstrip("/") + "/events/keyset"
        await self._reader.get("events", url, {"limit": 1, "closed": "false"})

    async def exchange(self) -> None:
        """The CLOB answers. Raises `VenueError` otherwise."""
        await self._reader.get("default", self._options.clob_url.rstrip("/") + "/ok")

    async def data(self) -> None:
        """The Data API answers. Raises `VenueError` otherwise."""
        url = self._options.data_url.rstrip("/") + "/v2/resolutions"
        await self._reader.get("default", url, {"condition_ids": NO_CONDITION})

    async def clock_offset_seconds(self) -> int:
        """How far the exchange's clock is ahead of ours, in whole seconds."""
        body = await self._reader.get("default", self._options.clob_url.rstrip("/") + "/time")
        theirs = decode(body, int, "time")
        return theirs - int(self._clock.now().timestamp())

    async def version(self) -> int:
        """The order version that the exchange speaks."""
        body = await self._reader.get("default", self._options.clob_url.rstrip("/") + "/version")
        return decode(body, _Version, "version").version

    async def geoblock(self) -> Geoblock:
        """Whether the exchange trades with the place that orders come from."""
        body = await self._as_orders.get("default", self._options.geoblock_url)
        return decode(body, Geoblock, "geoblock")

    async def checks(self) -> Sequence[Check]:
        """See `arb.ports.Venue.checks`."""

        async def clock() -> str:
            offset = await self.clock_offset_seconds()
            if abs(offset) > CLOCK_OFFSET_MAX_SECONDS:
                raise ArbError(f"the exchange is {offset} s ahead")
            return f"{offset} s"

        async def version() -> str:
            spoken = await self.version()
            if spoken != ORDER_VERSION:
                raise ArbError(f"it speaks order version {spoken}")
            return f"order version {spoken}"

        async def geoblock() -> str:
            place = await self.geoblock()
            if place.blocked:
                raise ArbError(f"{place.country} {place.region} is blocked".strip())
            return f"not blocked {place.country}".strip()

        async def gamma() -> str:
            await self.listing()
            return self._options.gamma_url

        async def clob() -> str:
            await self.exchange()
            return self._options.clob_url

        async def data() -> str:
            await self.data()
            return self._options.data_url

        hosts = (
            ("listing", gamma, "check the network and ARB_POLYMARKET__GAMMA_URL"),
            ("exchange", clob, "check the network and ARB_POLYMARKET__CLOB_URL"),
            ("data", data, "check the network and ARB_POLYMARKET__DATA_URL"),
        )
        found = [await tried(name, work, fix) for name, work, fix in hosts]
        away = next((c for c in found if c.name == "exchange" and c.remote), None)
        questions = (
            ("clock", clock, "set this machine's clock, for instance with chrony"),
            ("order version", version, "install a version of arb that speaks it"),
        )
        for name, work, fix in questions:
            found.append(unasked(name) if away else await asked(name, work, fix))
        found.append(
            await asked("geoblock", geoblock, "reading is allowed from here, trading is not")
        )
        return found


class _Version(msgspec.Struct):
    version: int
