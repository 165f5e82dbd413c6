"""Looking at the pools of the settings: once, again and again, and beside the orchestrator."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from arb.adapters.clock import SystemClock
from arb.bootstrap import chain as open_chain
from arb.bootstrap import need_onchain
from arb.config.sources import Loaded
from arb.domain.errors import VenueError
from arb.operations.logs import set_up_logs
from arb.runtime.signals import stoppable

if TYPE_CHECKING:
    from arb.onchain.spreads.hints import HintReader
    from arb.onchain.spreads.scan import Look, SpreadScanner

PRICE_DIGITS = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """What looks at the chain, and beside it."""

    scanner: "SpreadScanner"
    hints: "HintReader"
    loaded: Loaded

    async def look(self) -> tuple["Look", Mapping[str, Any]]:
        """What is seen now, also as a document.

        Raises:
            VenueError: No node answers.
        """
        look = await self.scanner.look()
        return look, await self._document(look)

    async def _document(self, look: "Look") -> Mapping[str, Any]:
        options = self.scanner.options
        known = {token.address: token for pool in look.pools for token in pool.tokens}
        found = await self.hints.read(known)
        pools = _pool_prices(look, frozenset(one.lower() for one in options.dollars))
        elsewhere = [
            {
                "source": hint.source,
                "token": hint.token,
                "symbol": known[hint.token].symbol,
                "usd": f"{hint.usd:f}",
                "pools_usd": f"{pools[hint.token]:f}" if hint.token in pools else None,
            }
            for hint in found.prices
        ]
        return {
            "schema": 1,
            "chain": self.loaded.settings.chain.name,
            "block": look.block.number,
            "block_hash": look.block.hash,
            "pools": len(look.pools),
            "ways": look.ways,
            "problem": look.problem or None,
            "unread": dict(look.unread),
            "spreads": [one.document(options) for one in look.certificates],
            "elsewhere": elsewhere,
            "problems": list(found.problems),
        }


@contextlib.asynccontextmanager
async def eyes(loaded: Loaded) -> AsyncIterator[Eyes]:
    """What looks, while the block runs.

    Raises:
        ConfigError: No chain is set, the extra is not installed, or a setting cannot be used.
    """
    need_onchain()
    from arb.onchain.spreads.hints import HintReader  # noqa: PLC0415  # of an extra
    from arb.onchain.spreads.scan import SpreadScanner  # noqa: PLC0415  # of an extra

    settings, clock = loaded.settings, SystemClock()
    options = settings.spreads.options
    async with open_chain(settings) as chain:
        hints = HintReader(
            options,
            chain=settings.chain.name,
            chain_id=settings.chain.chain_id,
            monotonic=clock.monotonic,
            now=clock.now,
        )
        try:
            scanner = SpreadScanner(chain, options, clock)
            yield Eyes(scanner=scanner, hints=hints, loaded=loaded)
        finally:
            await hints.close()


async def look(loaded: Loaded, show: Callable[[Mapping[str, Any]], None], *, watch: bool) -> None:
    """One look, or one each `spreads.interval` until SIGINT or SIGTERM.

    Args:
        loaded: The settings.
        show: Gets what was seen.
        watch: Whether to go on. A node that fails then costs one look.

    Raises:
        ConfigError: A setting cannot be used.
        VenueError: No node answers.
    """
    set_up_logs(loaded, level="ERROR")
    stopped = asyncio.Event()

    async def looking() -> None:
        async with eyes(loaded) as found:
            while not stopped.is_set():
                try:
                    _, seen = await found.look()
                    show(seen)
                except VenueError as error:
                    if not watch:
                        raise
                    show({"schema": 1, "spreads": [], "problem": str(error)})
                if not watch:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), loaded.settings.spreads.interval)

    await stoppable(looking(), stopped.set)


def remarks(seen: Mapping[str, Any]) -> Iterator[str]:
    """What people are told below the table."""
    if "block" in seen:
        yield (
            f"{seen['chain']}, block {seen['block']}: {seen['pools']} pools, {seen['ways']} ways. "
            "What stands here holds at this block and is no guarantee."
        )
    for pool, why in seen.get("unread", {}).items():
        yield f"{pool} could not be read: {why}"
    for one in seen.get("elsewhere", ()):
        here = f"; the pools: {one['pools_usd']}" if one["pools_usd"] else ""
        yield f"{one['symbol']} at {one['source']}: {one['usd']} USD{here}"
    yield from seen.get("problems", ())
    if seen["problem"]:
        yield seen["problem"]


def _pool_prices(look: "Look", dollars: frozenset[str]) -> dict[str, Decimal]:
    """The middle price of each token in its pools with a dollar token, the mean of several."""
    found: dict[str, list[Fraction]] = {}
    for pool in look.pools:
        for token, other in (pool.tokens, pool.tokens[::-1]):
            if other.address in dollars:
                whole = Fraction(10**token.decimals, 10**other.decimals)
                found.setdefault(token.address, []).append(pool.price(token.address) * whole)
    means = {token: sum(prices, Fraction(0)) / len(prices) for token, prices in found.items()}
    return {
        token: (Decimal(mean.numerator) / Decimal(mean.denominator)).quantize(PRICE_DIGITS)
        for token, mean in means.items()
    }
