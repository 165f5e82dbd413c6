"""How the floor behaves: frictions and faults, changeable while it trades.

See docs/fault-catalogue.md.

Each field names the row of the catalogue that it reproduces. Everything is off by default, but for
what the venue does always.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

import msgspec


class Mode(StrEnum):
    """What the venue takes (docs/venue-polymarket.md §3.5)."""

    NORMAL = "normal"
    RESTARTING = "restarting"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    DISABLED = "disabled"


@dataclass(kw_only=True)
class Entry:
    """What happens to an order or a cancel at the door."""

    mode: Mode = Mode.NORMAL
    """E01 to E04."""
    retry_after: int = 1
    version_mismatch: bool = False
    """E05: every order is refused as one of another schema."""
    banned: bool = False
    """E10: the address may not trade."""
    closed_only: bool = False
    """E10: the address may only sell."""
    answers_as: str = ""
    """A05: the status in answers, whatever the order's outcome: `queued`, `unmatched`."""
    duplicates: Literal["refused", "same"] = "refused"
    """A07: what the same signed order gets the second time: an error, or its first receipt."""
    cancel_fails: float = 0.0
    """A18: share of cancels that are not carried out."""
    fill_before_cancel: float = 0.0
    """A14: share of cancels that come too late, since the order has just been taken."""
    post_only_invalid: bool = False
    """F07: a crossing post-only order is taken and then found INVALID."""
    signature_types: tuple[int, ...] = (0, 1, 2, 3)
    """F06: the kinds of wallet that may trade; others are not allowed makers."""
    min_size_for_takers: bool = False
    """F03: whether the least size binds orders that never rest too, as some reports had it."""
    allowance_at_entry: bool = True
    """G07: false lets orders match that the chain will not move."""
    tx_hashes: bool = False
    """B14: whether answers carry transaction hashes, as they did once."""


@dataclass(kw_only=True)
class Matching:
    """How orders meet."""

    improvement: Literal["dollars", "shares"] = "dollars"
    """B10: a taking BUY is dollars to spend, as at the venue, or shares at most."""
    rivals: float = 0.0
    """Chance that another order takes the best level just before an order arrives."""
    matching_delay: float = 0.0
    """A10: seconds that every order waits as `delayed`."""
    delayed_end: Literal["match", "unmatch", "cancel"] = "match"
    """A10: what becomes of delayed orders."""
    fak_async: float = 0.0
    """A11: a FAK is reported `live`, with nothing filled, and matches this many seconds later."""
    overfill: int = 0
    """B09: millionths of a share that a taker gets more, or less when negative."""
    split_trades: bool = False
    """A trade for every maker instead of one for all, so that an order can fail in part."""
    expire_early: float = 60.0
    """F04: seconds before its stated end at which a GTD order ends."""
    cancel_reason: str = "CANCELED"
    """D06: the status of cancelled orders."""


@dataclass(kw_only=True)
class Settlement:
    """What the chain makes of trades."""

    mined_after: float = 0.2
    confirmed_after: float = 0.4
    settle_spread: float = 0.0
    """B01: spread of a log-normal factor on both delays."""
    fail: float = 0.0
    """B02: share of trades that never settle."""
    fail_mined: bool = False
    """B02, G03: whether failing trades are mined first and then rolled back."""
    retries: int = 0
    """B02: how often a trade is RETRYING before it ends; it ends well unless it is to fail."""
    fail_gaining: float = 0.0
    """B03: share of trades that fail when the market has moved the taker's way."""
    maker_rug: float = 0.0
    """B04: share of trades whose maker has moved its funds away."""
    statuses: tuple[str, ...] = ()
    """B05: the statuses that trades go through, instead of the usual ones, `mined_after` apart."""
    fee_shown: str = "0"
    """B11: the fee that trades report; never the true one."""
    fee_in_shares: bool = False
    """B12: a BUY pays its fee in shares."""
    same_transaction: bool = False
    """B18: trades that are mined together share one hash."""
    allowances_checked: bool = True
    """G07: whether a trade fails that moves what the owner has not allowed to be moved."""


@dataclass(kw_only=True)
class Reads:
    """What an account's reads show."""

    hidden: float = 0.0
    """A12, A13: seconds for which orders and trades do not show."""
    trades_lag: float = 0.0
    """A12: seconds for which trades do not show."""
    hides_terminal: bool = True
    """A12: `/data/order/{id}` knows open orders only."""
    missing_order: Literal["error", "null"] = "error"
    """A12: whether an order that does not show is a 404, or an empty 200."""
    page_size: int = 500
    """Orders and trades on a page."""
    balance_lag: float = 0.0
    """B17: seconds for which the balance stays what it was; a refresh ends it."""
    phantom_lock: int = 0
    """B16: millionths of a dollar that are claimed by nothing, and yet claimed."""
    phantom_lock_after: int = 0
    """B16: orders taken until the lock appears."""
    positions_lag: float = 0.0
    """B15: seconds for which the Data API shows the positions of before."""
    positions_zero: bool = False
    """B15: the Data API shows no positions at all."""
    geo: Literal["open", "blocked", "close_only"] = "open"
    """E09."""


@dataclass(kw_only=True)
class Session:
    """Keys, clocks, limits and heartbeats."""

    auth_ttl: float = 0.0
    """D07: seconds after which a key is unauthorized until it is derived again; 0: never."""
    clock_offset: float = 0.0
    """D08: how far the exchange's clock is ahead of the true one."""
    clock_tolerance: float = 10.0
    """D08: how far a request's time may be from the exchange's."""
    heartbeat_ttl: float = 10.0
    """A19: seconds without a heartbeat after which all orders of its owner are cancelled."""
    heartbeat_mismatch: bool = False
    """A19: every heartbeat is answered that another id was expected."""
    order_rate: int = 40
    """E08: orders a second and signer."""
    order_burst: int = 60
    cancel_rate: int = 80
    cancel_burst: int = 120


@dataclass(kw_only=True)
class Stream:
    """What the user channel does with news."""

    lose: float = 0.0
    """D01: share of events that are never sent."""
    duplicate: float = 0.0
    """B06, D04: share of events that are sent twice."""
    reorder: float = 0.0
    """D03: share of events that are sent after the next one."""
    suppress: Literal["", "order", "trade", "terminal"] = ""
    """D02, D05: the kind of event that is not sent."""
    stream_lag: float = 0.0
    """A13: seconds by which events are late."""
    freeze: bool = False
    """C01: nothing but PONG is sent."""
    stale_replay: int = 0
    """D09: how many events of before a reconnect are sent again after it."""
    idle_kill: float = 0.0
    """D10: seconds without a PING after which the connection is dropped; 0: never."""


@dataclass(kw_only=True)
class Behaviour(Entry, Matching, Settlement, Reads, Session, Stream):
    """All knobs of the floor."""

    def changed(self, patch: dict[str, Any]) -> "Behaviour":
        """The same with some knobs set otherwise.

        Raises:
            ValueError: A knob does not exist, or cannot be set so.
        """
        known = asdict(self)
        strange = patch.keys() - known.keys()
        if strange:
            raise ValueError(f"no knob is called {', '.join(sorted(strange))}")
        return msgspec.convert({**known, **patch}, Behaviour)
