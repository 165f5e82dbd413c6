"""How we talk to Polymarket."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

BUDGETS = {
    # Requests per 10 s: about 80 % of what the venue allows (docs/venue-polymarket.md §5).
    "events": 400,
    "markets": 240,
    "books": 400,
    "clob-markets": 800,
    "default": 100,
}

PUBLIC_NODES = ("https://polygon.drpc.org",)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolymarketOptions:
    """Addresses, budgets and credentials. Every address can be pointed elsewhere."""

    gamma_url: str = "https://gamma-api.polymarket.com"
    """Events and markets."""
    clob_url: str = "https://clob.polymarket.com"
    """Order books and orders."""
    data_url: str = "https://data-api.polymarket.com"
    """Positions and resolutions."""
    market_ws_url: str = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    user_ws_url: str = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
    relayer_url: str = "https://relayer-v2.polymarket.com"
    rpc_urls: tuple[str, ...] = PUBLIC_NODES
    """Polygon nodes, the preferred one first; see `nodes`."""
    geoblock_url: str = "https://polymarket.com/api/geoblock"

    events_per_page: int = 500
    books_per_request: int = 500
    concurrency: int = 4
    """Requests under way at once."""
    pages_max: int = 2000
    universe_max_age_seconds: float = 60.0
    """How long a listing is used before it is read again."""
    confirmation_max_age_seconds: float = 300.0
    tag_slug: str | None = None
    """Only events with this tag."""
    liquidity_min: int | None = None
    """Only events with at least this liquidity, in USD."""

    connect_timeout_seconds: float = 3.0
    read_timeout_seconds: float = 5.0
    attempts: int = 3
    patience_seconds: float = 10.0
    """No further attempt of a read begins after this."""
    retry_wait_seconds: float = 0.5
    """Before the second attempt of a read, and up to half as much more by chance."""
    retry_wait_factor: float = 2.0
    """The factor from each wait to the next."""
    retry_wait_seconds_max: float = 60.0
    body_bytes_max: int = 64 * 1024 * 1024
    requests_per_10_seconds: Mapping[str, int] = field(default_factory=lambda: dict(BUDGETS))

    quarantine_folder: str = "data/quarantine"
    """Where answers that could not be read are kept for inspection; empty: nowhere."""
    quarantine_files_max: int = 200

    keystore: str = ""
    """An encrypted keystore (version 3) with the key that signs orders: the preferred source."""
    keystore_passphrase: str | None = field(default=None, repr=False)
    keystore_passphrase_file: str = ""
    """A file with the keystore's passphrase, such as a systemd credential."""
    keyring: str = ""
    """SERVICE/NAME of the key in the system's keyring."""
    private_key: str | None = field(default=None, repr=False)
    """The key itself: the source of last resort."""
    session_key: bool = False
    """Whether the key is a session key for `wallet`, which may trade and not withdraw."""
    wallet: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    api_secret: str | None = field(default=None, repr=False)
    api_passphrase: str | None = field(default=None, repr=False)
    relayer_key: str | None = field(default=None, repr=False)
    """For transactions without gas: a relayer key of the wallet's own."""
    relayer_key_address: str | None = field(default=None, repr=False)
    builder_key: str | None = field(default=None, repr=False)
    """The same with a builder's key, instead of a relayer's."""
    builder_secret: str | None = field(default=None, repr=False)
    builder_passphrase: str | None = field(default=None, repr=False)
    wallet_type: str = ""
    """The kind that the wallet must be, where it is known; empty: any."""
    min_gas_pol: Decimal = Decimal("0.1")
    """POL that a wallet which pays its own gas must have."""
    relayer_poll_ms: int = 2000
    """How often the relayer is asked what became of a transaction."""
    settlement_wait_seconds: float = 60.0
    """How long a cycle waits for a transaction before it goes on and asks later."""
    settlement_quiet_seconds: float = 900.0
    """A transaction that changed nothing for so long after it was sent has not happened."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes to ask: those that are set, or an exchange's own.

        An exchange on this machine is the embedded one: its events are on no public chain, and its
        own chain answers beside it.
        """
        if self.rpc_urls == PUBLIC_NODES and _is_loopback(self.clob_url):
            return (f"{self.clob_url.rstrip('/')}/rpc",)
        return self.rpc_urls


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
