"""Polymarket as the entry point of its venue: how it is opened for reading."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.venue import open_venue
from arb.domain.errors import ConfigError
from arb.ports import Venue, VenueContext


class PolymarketPlugin:
    """See `arb.ports.VenuePlugin`."""

    options = PolymarketOptions
    fees = None

    @asynccontextmanager
    async def open(self, options: PolymarketOptions, context: VenueContext) -> AsyncIterator[Venue]:
        """See `arb.ports.VenuePlugin`. With real money a wallet has to sign in: see `live`.

        Raises:
            ConfigError: It was to be opened for trading with real money.
        """
        if context.live:
            raise ConfigError("polymarket is traded at through a wallet that has signed in")
        venue = open_venue(options, context.clock, budgets=context.budgets(), tell=context.tell)
        try:
            yield venue.bundle
        finally:
            await venue.close()


PLUGIN = PolymarketPlugin()
