"""How many outcomes a neg-risk event has on chain: what a set of all its YES must hold."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.quarantine import Quarantine
from arb.domain.errors import BadVenueData, VenueError
from arb.domain.market import WholeGroup
from arb.domain.report import ProblemKind
from arb.net.rpc import Rpc


class Questions:
    """Counts of questions by neg-risk market id, read when a set is proved and before it is bought.

    A count that is as listed is kept for a while: questions can be added, never taken away.
    """

    def __init__(
        self,
        options: PolymarketOptions,
        rpc: Rpc,
        contracts: Contracts,
        quarantine: Quarantine,
        monotonic: Callable[[], float],
    ) -> None:
        self._options, self._rpc, self._contracts = options, rpc, contracts
        self._quarantine, self._monotonic = quarantine, monotonic
        self._known: dict[WholeGroup, float] = {}
        """When the chain last counted as many as listed."""

    async def count(self, groups: Sequence[WholeGroup], *, anew: bool) -> Mapping[str, int]:
        """See `arb.ports.Catalog`."""
        gate = asyncio.Semaphore(self._options.concurrency)

        async def one(whole: WholeGroup) -> int | None:
            if not anew and self._kept(whole):
                return whole.outcomes
            try:
                async with asyncio.timeout(self._options.patience_seconds), gate:
                    counted = await self._ask(whole.group)
            except (VenueError, TimeoutError) as error:
                what = str(error) or "no answer in time"
                self._quarantine.keep(ProblemKind.CHAIN, f"questions of {whole.group}: {what}", b"")
                return None
            if counted == whole.outcomes:
                self._known[whole] = self._monotonic()
            else:
                self._known.pop(whole, None)
            return counted

        found = await asyncio.gather(*map(one, groups))
        return {
            whole.group: counted
            for whole, counted in zip(groups, found, strict=True)
            if counted is not None
        }

    def _kept(self, whole: WholeGroup) -> bool:
        at = self._known.get(whole)
        age_max = self._options.confirmation_max_age_seconds
        return at is not None and self._monotonic() - at < age_max

    async def _ask(self, group: str) -> int:
        try:
            view = calls.question_count(self._contracts, group)
        except ValueError as error:
            raise BadVenueData("negRiskMarketID", str(error)) from error
        counted = await self._rpc.call(view)
        if counted > calls.QUESTIONS_MAX:
            raise BadVenueData("questions", f"a count of {counted.bit_length()} bits")
        return counted
