"""The account that follows signals, read from the ledger: it runs, or has run, beside another."""

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, SqlLedger
from arb.adapters.storage.queries import LedgerReads
from arb.adapters.storage.signals import SqlSignals
from arb.config.options import options_of
from arb.config.sources import Loaded
from arb.engine.signal_account import Seen, account_document
from arb.operations.account_views import opened
from arb.statistical.rules import PositionRules
from arb.views.signals import SignalAccount


async def read_signals(loaded: Loaded) -> SignalAccount | None:
    """The account as it stands in the ledger, which knows no prices; `None`: there is none.

    Raises:
        LedgerError: There is no ledger, or it cannot be read.
    """
    async with opened(loaded) as (_, reads):
        return await signals_of(loaded, reads)


async def signals_of(loaded: Loaded, reads: LedgerReads) -> SignalAccount | None:
    """The same of a ledger that is open already."""
    settings = loaded.settings
    account = settings.signals.account
    if account not in {row.account for row in await reads.accounts()}:
        return None
    database = Database(settings.database.url)
    try:
        memory = SqlSignals(database, account)
        seen = [
            Seen(instance=instance, params=instance.params) for instance in await memory.instances()
        ]
        return await account_document(
            SqlLedger(database, account),
            memory,
            SystemClock().now(),
            rules=options_of(PositionRules, dict(settings.signals)),
            bids={},
            seen=seen,
        )
    finally:
        await database.close()
