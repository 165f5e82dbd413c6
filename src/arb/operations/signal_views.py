"""The account that follows signals, read from the ledger: it runs, or has run, beside another."""

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, SqlLedger
from arb.adapters.storage.queries import LedgerReads
from arb.adapters.storage.signals import SqlSignals
from arb.config.options import options_of
from arb.config.sources import Loaded
from arb.engine.signal_account import Seen, account_document
from arb.statistical.rules import PositionRules
from arb.views.signals import SignalAccount


async def signals_of(loaded: Loaded, reads: LedgerReads) -> SignalAccount | None:
    """The account as it stands in the ledger, which knows no prices; `None`: there is none.

    Raises:
        LedgerError: The ledger cannot be read.
    """
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
