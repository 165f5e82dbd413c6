"""Prices that public HTTP APIs tell, beside those of the pools. They decide nothing.

Curve's API version 1 (`GET /getPools/all/CHAIN`, pools with their coins' prices), Balancer's
GraphQL API version 3 (`tokenGetCurrentPrices`) and 1inch's price API version 1.1
(`GET /CHAIN_ID/TOKENS?currency=USD`, with a key). An answer that cannot be read costs its source
alone. Uniswap needs none: its pools are read on the chain itself.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from arb.domain.bounds import OutOfBounds, check_nesting, number
from arb.domain.errors import BadVenueData, VenueError
from arb.net.http import HttpOptions, HttpReader
from arb.onchain.spreads.options import SpreadOptions

PRICE_MAX = Decimal(10**12)
BODY_BYTES_MAX = 16 * 1024 * 1024
BALANCER_NAMES = {"ethereum": "MAINNET"}
"""Chains that Balancer calls otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a source says of a token."""

    source: str
    token: str
    """Its address in small letters."""
    usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What all sources say, and what went wrong with some."""

    prices: Sequence[Hint] = ()
    problems: Sequence[str] = ()


class HintReader:
    """Asks the sources that are set."""

    def __init__(
        self,
        options: SpreadOptions,
        *,
        chain: str,
        chain_id: int,
        monotonic: Callable[[], float],
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._options, self._chain, self._chain_id = options, chain, chain_id
        key = options.oneinch_key
        http = HttpOptions(attempts=2, body_bytes_max=BODY_BYTES_MAX)
        self._reader, self._with_key = (
            HttpReader(http, monotonic=monotonic, now=now, transport=transport, headers=headers)
            for headers in ({}, {"authorization": f"Bearer {key}"} if key else {})
        )

    async def read(self, tokens: Collection[str]) -> Hints:
        """What they say of some tokens. Never raises for what a source answers."""
        options = self._options
        sources: tuple[tuple[str, str, Callable[[Collection[str]], Awaitable[list[Hint]]]], ...] = (
            ("curve", options.curve_url, self._curve),
            ("balancer", options.balancer_url, self._balancer),
            ("1inch", options.oneinch_url, self._oneinch),
        )
        prices: list[Hint] = []
        problems: list[str] = []
        for name, url, ask in sources:
            if not url:
                continue
            try:
                prices += await ask(tokens)
            except VenueError as error:
                problems.append(f"{name}: {error}")
        return Hints(prices=prices, problems=problems)

    async def close(self) -> None:
        """Close all connections."""
        await self._reader.close()
        await self._with_key.close()

    async def _curve(self, tokens: Collection[str]) -> list[Hint]:
        url = f"{self._options.curve_url.rstrip('/')}/getPools/all/{self._chain}"
        return curve_prices(await self._reader.get("curve", url), tokens)

    async def _balancer(self, tokens: Collection[str]) -> list[Hint]:
        name = BALANCER_NAMES.get(self._chain, self._chain.upper())
        asked = f"{{ tokenGetCurrentPrices(chains: [{name}]) {{ address price }} }}"
        body = msgspec.json.encode({"query": asked})
        found = await self._reader.query("balancer", self._options.balancer_url, body)
        return balancer_prices(found, tokens)

    async def _oneinch(self, tokens: Collection[str]) -> list[Hint]:
        named = ",".join(sorted(tokens))
        url = f"{self._options.oneinch_url.rstrip('/')}/{self._chain_id}/{named}"
        found = await self._with_key.get("1inch", url, {"currency": "USD"})
        return oneinch_prices(found, tokens)


def curve_prices(raw: bytes, tokens: Collection[str]) -> list[Hint]:
    """The prices in a list of Curve's pools: a token's in the first pool that names one.

    Raises:
        BadVenueData: It is no such list.
    """
    pools = _at(_document("curve", raw), "curve", "data", "poolData")
    found: dict[str, Hint] = {}
    for pool in _list(pools, "curve", "poolData"):
        for coin in _list(_at(pool, "curve", "coins"), "curve", "coins"):
            hint = _hint("curve", _at(coin, "curve", "address"), coin.get("usdPrice"), tokens)
            if hint is not None:
                found.setdefault(hint.token, hint)
    return list(found.values())


def balancer_prices(raw: bytes, tokens: Collection[str]) -> list[Hint]:
    """The prices in Balancer's answer.

    Raises:
        BadVenueData: It is an error, or no such answer.
    """
    rows = _at(_document("balancer", raw), "balancer", "data", "tokenGetCurrentPrices")
    found = (
        _hint("balancer", _at(row, "balancer", "address"), row.get("price"), tokens)
        for row in _list(rows, "balancer", "tokenGetCurrentPrices")
    )
    return [hint for hint in found if hint is not None]


def oneinch_prices(raw: bytes, tokens: Collection[str]) -> list[Hint]:
    """The prices in 1inch's answer.

    Raises:
        BadVenueData: It is no such answer.
    """
    found = (
        _hint("1inch", token, price, tokens) for token, price in _document("1inch", raw).items()
    )
    return [hint for hint in found if hint is not None]


def _document(source: str, raw: bytes) -> Mapping[str, Any]:
    try:
        check_nesting(raw)
        # Prices as they are written: a float would not be.
        found = msgspec.json.Decoder(float_hook=Decimal).decode(raw)
    except (msgspec.MsgspecError, OutOfBounds, ValueError, ArithmeticError) as error:
        raise BadVenueData(source, f"its answer is no JSON ({str(error)[:80]})") from None
    if not isinstance(found, dict):
        raise BadVenueData(source, "its answer is no object")
    return found


def _at(document: Any, source: str, *names: str) -> Any:
    for name in names:
        if not isinstance(document, dict) or document.get(name) is None:
            raise BadVenueData(source, f"its answer has no {name}")
        document = document[name]
    return document


def _list(value: Any, source: str, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadVenueData(source, f"{name} is no list")
    return value


def _hint(source: str, token: Any, price: Any, tokens: Collection[str]) -> Hint | None:
    """A token's price, where it is one of those that are wanted and the price is one."""
    if not isinstance(token, str) or token.lower() not in tokens or price is None:
        return None
    try:
        usd = number(str(price))
    except OutOfBounds:
        return None
    if not 0 < usd < PRICE_MAX:
        return None
    return Hint(source=source, token=token.lower(), usd=usd)
