"""The official client, made for the addresses in the settings. Its types stay in this folder.

Making it is an act: it signs in, and would deploy a wallet that is not there yet. So it is made for
live trading and the self-tests before it, and never for a dry run. Version 0.14.0 is pinned: other
addresses than the production ones can only be set through a private helper of its own
(docs/venue-polymarket.md §9).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.options import PolymarketOptions
from arb.domain.errors import ArbError, ConfigError, Unavailable, VenueError, how_to_install
from arb.net.rpc import Call

if TYPE_CHECKING:
    from polymarket import AsyncSecureClient
    from polymarket.auth import ApiKey
    from polymarket.environments import Environment
    from polymarket.models.clob.api_key import ApiKeyCreds
    from polymarket.rate_limit import RateLimitUpdate

VERSION = "0.14.0"
ANSWER_SECONDS_MAX = 30.0
"""For a whole answer to the official client, however steadily its pieces come."""
RENEW_SECONDS = 60.0
"""At least between two new sign-ins: a key that is refused sooner has not expired."""
MISSING = f"live trading needs polymarket-client {VERSION}: {how_to_install('live')}"


@dataclass(frozen=True, slots=True)
class LivePermit:
    """Both keys to live trading were turned: the setting and the flag. See `permit`."""

    wallet: str


def permit(*, setting: bool, flag: bool, wallet: str | None) -> LivePermit:
    """The permit that everything which can spend money asks for.

    Raises:
        ConfigError: One of the two keys is missing, or the wallet is not named.
    """
    if not flag:
        raise ConfigError("live trading needs --live on the command line")
    if not setting:
        raise ConfigError("--live needs ARB_TRADING__LIVE=true as well: both keys, or a dry run")
    if not wallet:
        raise ConfigError(
            "live trading needs ARB_POLYMARKET__WALLET: the address that holds the money "
            "(the official client would guess one)"
        )
    return LivePermit(wallet)


class Session:
    """The official client, signed in: anew when its API key has expired (fault D07).

    The client sends an EOA's transactions through one node; `through` chooses which.
    """

    def __init__(
        self,
        client: "AsyncSecureClient",
        enter: "Callable[[str, ApiKeyCreds | None], Awaitable[AsyncSecureClient]]",
        node: str,
        monotonic: Callable[[], float],
    ) -> None:
        self.client = client
        self._enter, self._node, self._monotonic = enter, node, monotonic
        self._renewed_at = -RENEW_SECONDS
        self._retired: AsyncSecureClient | None = None
        self._entering = asyncio.Lock()

    async def renew(self, refused: "AsyncSecureClient") -> bool:
        """Derive the API key anew; whether there is now another client to ask with.

        Args:
            refused: Whom the venue does not know any more.
        """
        async with self._entering:
            if self.client is not refused:
                return True  # another process has done it meanwhile
            now = self._monotonic()
            if now - self._renewed_at < RENEW_SECONDS:
                return False
            self._renewed_at = now
            try:
                await self._replace(self._node, None)
            except ArbError:
                return False
            return True

    async def through(self, node: str) -> "AsyncSecureClient":
        """The client, sending its transactions through this node.

        Raises:
            ArbError: It could not be made.
        """
        async with self._entering:
            if node != self._node and self.client.wallet == self.client.signer:
                await self._replace(node, self.client.credentials)
            return self.client

    async def close(self) -> None:
        """Close the client."""
        for client in (self._retired, self.client):
            if client is not None:
                await client.close()

    async def _replace(self, node: str, credentials: "ApiKeyCreds | None") -> None:
        entered = await self._enter(node, credentials)
        # Requests may be under way with the one before: it is closed when the next one goes.
        retired, self._retired = self._retired, self.client
        self.client, self._node = entered, node
        if retired is not None:
            await retired.close()


@asynccontextmanager
async def signed_in(
    options: PolymarketOptions,
    permit_: LivePermit,
    key: Callable[[], str],
    heard: "Callable[[RateLimitUpdate], None]",
    monotonic: Callable[[], float],
    contracts: Contracts,
) -> AsyncIterator[Session]:
    """The official client, signed in.

    Args:
        options: Addresses and credentials.
        permit_: That money may be spent, and whose.
        key: Reveals the private key to the signer.
        heard: Called with the venue's report of the signer's rate budget.
        monotonic: Seconds of a clock that never goes back.
        contracts: What orders are signed for.

    Raises:
        ConfigError: The libraries are missing, or the key, wallet or credentials do not fit.
        Unavailable: The venue could not be reached.
    """
    try:
        from polymarket import AsyncSecureClient
        from polymarket.errors import PolymarketError, TransportError
        from polymarket.models.clob.api_key import ApiKeyCreds

        from arb.adapters.polymarket.signer import quicken
    except ImportError as error:
        raise ConfigError(MISSING) from error
    credentials = None
    if options.api_key and options.api_secret and options.api_passphrase:
        credentials = ApiKeyCreds(
            key=options.api_key, secret=options.api_secret, passphrase=options.api_passphrase
        )

    async def enter(node: str, credentials: ApiKeyCreds | None) -> AsyncSecureClient:
        try:
            async with in_time():
                client = await AsyncSecureClient.create(
                    private_key=key(),
                    wallet=permit_.wallet,
                    environment=_environment(options, node),
                    credentials=credentials,
                    api_key=_relayer_key(options),
                    on_rate_limit_update=heard,
                )
        except TransportError as error:
            raise Unavailable(f"signing in: {error}") from error
        except PolymarketError as error:
            raise ConfigError(f"signing in to Polymarket failed: {error}") from error
        quicken(client, contracts)
        return client

    node = options.nodes[0]
    session = Session(await enter(node, credentials), enter, node, monotonic)
    try:
        yield session
    finally:
        await session.close()


def _relayer_key(options: PolymarketOptions) -> "ApiKey | None":
    from polymarket import BuilderApiKey, RelayerApiKey

    if options.relayer_key and options.relayer_key_address:
        return RelayerApiKey(key=options.relayer_key, address=options.relayer_key_address)
    if options.builder_key and options.builder_secret and options.builder_passphrase:
        return BuilderApiKey(
            key=options.builder_key,
            secret=options.builder_secret,
            passphrase=options.builder_passphrase,
        )
    return None


def _environment(options: PolymarketOptions, node: str) -> "Environment":
    from polymarket import PRODUCTION
    from polymarket._internal.environment import create_environment, get_environment_config

    nowhere = "http://127.0.0.1:9"  # what is never used must not lead outside by accident
    config = replace(
        get_environment_config(PRODUCTION),
        clob_url=options.clob_url.rstrip("/"),
        gamma_url=options.gamma_url.rstrip("/"),
        data_url=options.data_url.rstrip("/"),
        relayer_url=options.relayer_url.rstrip("/"),
        rpc_url=node,
        clob_market_ws_url=options.market_ws_url,
        clob_user_ws_url=options.user_ws_url,
        rfq_url=nowhere,
        builder_gateway_url=nowhere,
        collateral_return_url=nowhere,
        perps_url=nowhere,
        perps_ws_url="ws://127.0.0.1:9",
        rtds_ws_url="ws://127.0.0.1:9",
        sports_ws_url="ws://127.0.0.1:9",
        realtime_ws_url="ws://127.0.0.1:9",
        rfq_quoter_ws_url="ws://127.0.0.1:9",
        relayer_poll_frequency_ms=options.relayer_poll_ms,
    )
    return create_environment(name="arb", config=config)


@dataclass(frozen=True, slots=True)
class WalletFacts:
    """What kind of wallet is traded for, and by which key."""

    kind: str
    """`EOA`, `POLY_PROXY`, `GNOSIS_SAFE` or `DEPOSIT_WALLET`."""
    by_session_key: bool
    """Whether the wallet is not one that the key owns."""


def wallet_facts(client: "AsyncSecureClient") -> WalletFacts:
    """What the client has made of key and wallet; derived from addresses, nothing is asked."""
    from polymarket import PRODUCTION
    from polymarket._internal.environment import get_environment_config
    from polymarket._internal.wallet import classify_account

    account = classify_account(
        signer=str(client.signer),
        wallet=str(client.wallet),
        config=get_environment_config(PRODUCTION).wallet_derivation,
    )
    return WalletFacts(str(account.wallet_type), account.signer_type != "OWNER")


async def send(client: "AsyncSecureClient", calls: Sequence[Call], what: str) -> None:
    """Send calls as one transaction (an EOA: one after another) and wait for its end.

    Raises:
        Unavailable: It failed, or the outcome is not known.
    """
    from polymarket.calls import TransactionCall
    from polymarket.errors import PolymarketError
    from polymarket.types import EvmAddress, HexString

    made = [
        TransactionCall(to=EvmAddress(call.to), data=HexString(call.data), value=call.value)
        for call in calls
    ]
    try:
        async with in_time():
            handle = await client.execute_transaction(calls=made, metadata=what)
        await handle.wait()
    except PolymarketError as error:
        raise told(error) from error


@asynccontextmanager
async def in_time(seconds: float = ANSWER_SECONDS_MAX) -> AsyncIterator[None]:
    """What the official client is asked inside must be answered in full within this time.

    Its own limit is between two pieces of an answer.

    Raises:
        Unavailable: It was not.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Unavailable(f"the venue does not answer in full within {seconds:g} s") from None


def told(error: Exception) -> VenueError:
    """An error of the official client in our words."""
    return Unavailable(f"{type(error).__name__}: {error}")
