"""Polymarket as one bundle: its listing, its books, and what the chain counts."""

from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from arb.adapters.polymarket.books import PolymarketBooks
from arb.adapters.polymarket.catalog import PolymarketCatalog
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import Geoblock, decode
from arb.adapters.polymarket.quarantine import Quarantine
from arb.adapters.polymarket.questions import Questions
from arb.adapters.polymarket.rpc import Rpc, RpcOptions
from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.net import way
from arb.net.http import HttpOptions, HttpReader
from arb.ports import Budgets, Clock, Venue

NO_CONDITION = "0x" + "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PolymarketVenue:
    """What reading Polymarket takes; no key, no signing."""

    catalog: PolymarketCatalog
    books: PolymarketBooks
    health: "PolymarketHealth"
    reader: HttpReader
    as_orders: HttpReader
    """What is asked by the way that orders leave by: `reader`, unless that differs."""
    rpc: Rpc
    """Nodes of the chain; nothing is sent through them without a wallet."""
    quarantine: Quarantine
    """What was refused; drained with the catalog's problems."""

    @property
    def bundle(self) -> Venue:
        """The venue as the engine sees it, for reading."""
        return Venue(
            id=POLYMARKET,
            listing=self.catalog,
            books=self.books,
            terms=TERMS,
            circuits=self.reader.circuits,
            close_circuits=self.reader.close_circuits,
            traffic=lambda: self.reader.counts,
        )

    async def close(self) -> None:
        """Close all connections."""
        try:
            await self.reader.close()
            if self.as_orders is not self.reader:
                await self.as_orders.close()
        finally:
            await self.rpc.close()


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


class _Version(msgspec.Struct):
    version: int


def open_venue(
    options: PolymarketOptions,
    clock: Clock,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    budgets: Budgets | None = None,
) -> PolymarketVenue:
    """Assemble the reading side. Nothing is asked of the venue yet."""
    http = HttpOptions(
        connect_timeout_seconds=options.connect_timeout_seconds,
        read_timeout_seconds=options.read_timeout_seconds,
        attempts=options.attempts,
        patience_seconds=options.patience_seconds,
        body_bytes_max=options.body_bytes_max,
        requests_per_10_seconds=options.requests_per_10_seconds,
        connections_max=max(options.concurrency * 2, 4),
    )
    reader = as_orders = HttpReader(
        http, monotonic=clock.monotonic, now=clock.now, transport=transport, budgets=budgets
    )
    if way.proxy_for(options.geoblock_url) != way.proxy_for(options.clob_url):
        as_orders = HttpReader(
            http, monotonic=clock.monotonic, now=clock.now, as_for=options.clob_url
        )
    folder = Path(options.quarantine_folder) if options.quarantine_folder else None
    quarantine = Quarantine(folder, options.quarantine_files_max)
    rpc = Rpc(RpcOptions(urls=options.nodes), monotonic=clock.monotonic, transport=transport)
    questions = Questions(options, rpc, Contracts(), quarantine, clock.monotonic)
    return PolymarketVenue(
        catalog=PolymarketCatalog(options, reader, quarantine, clock.monotonic, questions),
        books=PolymarketBooks(options, reader, quarantine, clock.now),
        health=PolymarketHealth(options, reader, as_orders, clock),
        reader=reader,
        as_orders=as_orders,
        rpc=rpc,
        quarantine=quarantine,
    )
