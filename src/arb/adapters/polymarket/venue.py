"""Polymarket as one bundle: its listing, its books, and what the chain counts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from arb.adapters.polymarket.books import PolymarketBooks
from arb.adapters.polymarket.catalog import PolymarketCatalog
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.health import PolymarketHealth
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.past import PolymarketPast
from arb.adapters.polymarket.quarantine import Quarantine
from arb.adapters.polymarket.questions import Questions
from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.domain.report import Problem, ProblemKind
from arb.net import way
from arb.net.http import HttpOptions, HttpReader
from arb.net.rpc import Rpc, RpcOptions
from arb.ports import Budgets, Clock, Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class PolymarketVenue:
    """What reading Polymarket takes; no key, no signing."""

    catalog: PolymarketCatalog
    books: PolymarketBooks
    health: PolymarketHealth
    past: PolymarketPast
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
            checks=self.health.checks,
            past=self.past,
        )

    async def close(self) -> None:
        """Close all connections."""
        try:
            await self.reader.close()
            if self.as_orders is not self.reader:
                await self.as_orders.close()
        finally:
            await self.rpc.close()


def open_venue(
    options: PolymarketOptions,
    clock: Clock,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    budgets: Budgets | None = None,
    tell: Callable[[Problem], None] = lambda _problem: None,
) -> PolymarketVenue:
    """Assemble the reading side. Nothing is asked of the venue yet."""
    http = HttpOptions(
        connect_timeout_seconds=options.connect_timeout_seconds,
        read_timeout_seconds=options.read_timeout_seconds,
        attempts=options.attempts,
        patience_seconds=options.patience_seconds,
        wait_seconds=options.retry_wait_seconds,
        wait_factor=options.retry_wait_factor,
        wait_seconds_max=options.retry_wait_seconds_max,
        body_bytes_max=options.body_bytes_max,
        requests_per_10_seconds=options.requests_per_10_seconds,
        connections_max=max(options.concurrency * 2, 4),
    )
    verify = way.trusted() if transport is None else None
    reader = as_orders = HttpReader(
        http,
        monotonic=clock.monotonic,
        now=clock.now,
        transport=transport,
        budgets=budgets,
        verify=verify,
    )
    if way.proxy_for(options.geoblock_url) != way.proxy_for(options.clob_url):
        as_orders = HttpReader(
            http,
            monotonic=clock.monotonic,
            now=clock.now,
            as_for=options.clob_url,
            verify=verify,
        )
    folder = Path(options.quarantine_folder) if options.quarantine_folder else None
    quarantine = Quarantine(folder, options.quarantine_files_max)
    rpc = Rpc(
        RpcOptions(urls=options.nodes),
        monotonic=clock.monotonic,
        transport=transport,
        verify=verify,
        tell=lambda what: tell(Problem(kind=ProblemKind.CHAIN, where="node", what=what)),
    )
    questions = Questions(options, rpc, Contracts(), quarantine, clock.monotonic)
    return PolymarketVenue(
        catalog=PolymarketCatalog(options, reader, quarantine, clock.monotonic, questions),
        books=PolymarketBooks(options, reader, quarantine, clock.now),
        health=PolymarketHealth(options, reader, as_orders, clock),
        past=PolymarketPast(options, reader),
        reader=reader,
        as_orders=as_orders,
        rpc=rpc,
        quarantine=quarantine,
    )
