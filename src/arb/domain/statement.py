"""A venue's statement of an account, and how it differs from the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from arb.domain.market import OutcomeId, VenueId
from arb.domain.money import Shares, Usd
from arb.domain.order import Fill, TradeState


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTrade:
    """A trade of the account, as the venue reports it."""

    id: str
    ref: str
    """The venue's id of our order in it."""
    state: TradeState
    fills: tuple[Fill, ...]
    """Our side of it; `order` is the venue's id until the ledger's own is known."""
    unread: str = ""
    """What of it could not be read: then there are no fills, and none may be concluded."""
    refs: tuple[str, ...] = ()
    """Orders that it may be about where `ref` is not known; empty: any."""
    at: datetime | None = None
    """When it was made; `None` where that could not be read either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The account as the venue and the chain show it at one moment."""

    venue: VenueId
    at: datetime
    cash: Usd
    """On chain, available or reserved for open orders."""
    shares: Mapping[OutcomeId, Shares]
    """On chain."""
    open_orders: tuple[str, ...]
    """Venue ids of what rests in the books."""
    trades: tuple[VenueTrade, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something in which ledger and venue do not agree."""

    at: VenueId
    """The venue whose account it is about."""
    what: str
    """`cash`, `shares`, `trade`, `order`."""
    about: str
    ledger: str
    venue: str
