"""Halting, pausing and resuming from the shell: in the ledger and in the halt file beside it."""

from collections.abc import Sequence

from arb.adapters.clock import SystemClock
from arb.adapters.storage.database import file_of
from arb.config.schema import Settings
from arb.config.sources import Loaded
from arb.domain.errors import LedgerError
from arb.domain.halt import Pause, Standing, TradingState
from arb.domain.market import VenueId
from arb.domain.money import Usd
from arb.engine.contradict import end_of_kind
from arb.operations.account_views import opened
from arb.operations.halt_file import effective_standing, sentinel_of


async def halt(loaded: Loaded, reason: str, unsaid: str) -> str:
    """Record a halt in the ledger, after the halt file was written.

    Args:
        loaded: The settings.
        reason: Why.
        unsaid: Why the file could not be made; empty: it was.

    Returns:
        What could not be done, although trading is halted.

    Raises:
        LedgerError: Trading may not be halted.
    """
    url = loaded.settings.database.url
    sentinel = sentinel_of(url)
    try:
        await write_down(loaded, TradingState.HALTED, reason)
    except LedgerError as error:
        # A file for a ledger on a server is seen from one folder only: too little to rely on.
        if unsaid or sentinel is None or file_of(url) is None:
            raise
        return f"halted by the file {sentinel.path} alone: {error}"
    return unsaid


async def resume(loaded: Loaded, reason: str) -> None:
    """Let trade again: first in the ledger, then by removing the file.

    Raises:
        LedgerError: Trading may still be halted.
    """
    await write_down(loaded, TradingState.NORMAL, reason)
    sentinel = sentinel_of(loaded.settings.database.url)
    if sentinel is not None:
        try:
            for account in loaded.settings.accounts:
                sentinel.lift(account)
        except OSError as error:
            raise LedgerError(
                f"still halted: {sentinel.path} could not be removed: {error.strerror}"
            ) from error


async def resume_kind(
    loaded: Loaded, kind: str, reason: str, venue: VenueId | None
) -> Sequence[VenueId]:
    """Let a kind be traded again that a contradiction has stopped; returns the venues."""
    async with opened(loaded) as (ledger, _):
        return await end_of_kind(ledger, kind, reason, SystemClock().now(), venue)


async def write_down(
    loaded: Loaded, state: TradingState, reason: str, pause: Pause | None = None
) -> Standing | None:
    """An operator's word on the state of trading, also before the first run.

    Returns:
        The halt that a pause would have weakened, and that stays; `None`: it is written down.
    """
    async with opened(loaded, make=True) as (ledger, _):
        now = SystemClock().now()
        if ledger.account.startswith("paper:"):
            await ledger.open_account(_openings(loaded.settings), now)
        elif await ledger.opened_at() is None:
            # A wallet's account is opened with what is in the wallet.
            raise LedgerError(f"there is no account {ledger.account} yet; a live run opens it")
        standing = Standing(state=state, reason=reason, since=now, by_operator=True, pause=pause)
        before = effective_standing(loaded, await ledger.standing())
        if standing.paused and before.state is TradingState.HALTED and not before.paused:
            return before
        await ledger.set_standing(standing)
        return None


def _openings(settings: Settings) -> dict[VenueId, Usd]:
    """What a new account on paper begins with at each venue."""
    cash = Usd(settings.trading.bankroll_usd)
    return {VenueId(name): cash for name in settings.venues.enabled}
