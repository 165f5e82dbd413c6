"""Polymarket for trading with real money: what reading takes, and a signed-in client beside it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from arb.adapters.polymarket.client import LivePermit, Session, signed_in, wallet_facts
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.door import Door
from arb.adapters.polymarket.emergency import cancel_all
from arb.adapters.polymarket.fees import FeeBook
from arb.adapters.polymarket.holdings import Holdings
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.statements import PolymarketStatements
from arb.adapters.polymarket.venue import PolymarketVenue
from arb.domain.errors import BadVenueData
from arb.domain.money import plain
from arb.domain.venue import ChainState
from arb.net.rpc import Rpc
from arb.ports import Clock, Venue

if TYPE_CHECKING:
    from polymarket import AsyncSecureClient

    from arb.adapters.polymarket.operations import PolymarketOperations
    from arb.adapters.polymarket.trading import PolymarketTrading


WEI_PER_POL = 10**18
EOA = "EOA"
"""The kind of wallet that pays for its own transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolymarketLive:
    """What trading takes."""

    session: Session
    trading: "PolymarketTrading"
    operations: "PolymarketOperations"
    statements: PolymarketStatements
    holdings: Holdings
    rpc: Rpc
    contracts: Contracts
    min_gas_pol: Decimal
    cancel_all: Callable[[], Sequence[str]]
    """From any thread, without the client and its loop."""

    @property
    def client(self) -> "AsyncSecureClient":
        """The official client, as signed in now."""
        return self.session.client

    @property
    def account(self) -> str:
        """What the ledger calls the account."""
        return f"polymarket:{str(self.client.wallet).lower()}"

    def trading_at(self, venue: Venue) -> Venue:
        """The venue, with what trading takes."""
        return replace(
            venue,
            trading=self.trading,
            operations=self.operations,
            statements=self.statements,
            chain=self.chain,
            cancel_all_blocking=self.cancel_all,
        )

    async def chain(self) -> ChainState:
        """See `arb.ports.Venue.chain`."""
        latest = await self.rpc.block()
        if latest is None:
            raise BadVenueData("block", "a node knows no latest block")
        pays = wallet_facts(self.client).kind == EOA
        wei = await self.rpc.balance(self.holdings.wallet) if pays else None
        return ChainState(
            block=latest.number,
            gas=None if wei is None else plain(Decimal(wei) / WEI_PER_POL),
            gas_least=self.min_gas_pol,
            coin="POL",
        )


@asynccontextmanager
async def open_live(
    options: PolymarketOptions,
    permit: LivePermit,
    key: Callable[[], str],
    venue: PolymarketVenue,
    clock: Clock,
) -> AsyncIterator[PolymarketLive]:
    """Sign in and assemble the trading side.

    Raises:
        ConfigError: The key, the wallet or the credentials do not fit.
        Unavailable: The venue could not be reached.
    """
    contracts, door = Contracts(), Door(clock)
    async with signed_in(options, permit, key, door.heard, clock.monotonic, contracts) as session:
        # Only now: these modules import the official client, which may not be installed.
        from arb.adapters.polymarket.operations import PolymarketOperations
        from arb.adapters.polymarket.trading import PolymarketTrading

        fees = FeeBook(options, venue.reader, clock.monotonic)
        holdings = Holdings(venue.rpc, contracts, str(session.client.wallet))
        trading = PolymarketTrading(session, contracts, fees, door, venue.rpc, venue.quarantine)
        operations = PolymarketOperations(
            session, options, contracts, venue.rpc, holdings, venue.reader, clock.now
        )
        yield PolymarketLive(
            session=session,
            trading=trading,
            operations=operations,
            statements=PolymarketStatements(trading, holdings, clock.now),
            holdings=holdings,
            rpc=venue.rpc,
            contracts=contracts,
            min_gas_pol=options.min_gas_pol,
            cancel_all=partial(_cancel_all, session, options, clock),
        )


def _cancel_all(session: Session, options: PolymarketOptions, clock: Clock) -> Sequence[str]:
    credentials = session.client.credentials  # those of the latest sign-in
    return cancel_all(
        options.clob_url,
        str(session.client.signer),
        credentials.key,
        credentials.secret,
        credentials.passphrase,
        lambda: int(clock.now().timestamp()),
        clock.monotonic,
    )
