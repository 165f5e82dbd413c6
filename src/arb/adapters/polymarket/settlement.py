"""Merge, convert and redeem on chain: encoded here, simulated, sent through the official client.

A transaction is known by what it does: before it is sent the balances that it changes are written
down with the intent, and it has happened when they have changed by that much. Nothing else moves
them meanwhile: an open plan's markets are nobody else's, and one wallet has one sender. So the same
question answers after a lost reply, a restart, or a relayer that never says what became of it.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from polymarket.calls import TransactionCall
from polymarket.errors import (
    PolymarketError,
    RequestRejectedError,
    TransactionFailedError,
    UserInputError,
)
from polymarket.types import EvmAddress, HexString

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.calls import Call
from arb.adapters.polymarket.client import Session
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.holdings import Holdings
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import ClobMarket, EventPayload, MarketPayload, decode
from arb.adapters.polymarket.rpc import Reverted, Rpc
from arb.domain.errors import ArbError, BadVenueData, Unavailable, VenueError
from arb.domain.market import MarketId, OutcomeId
from arb.domain.money import Shares, to_micro
from arb.domain.settlement import Convert, Effect, Merge, Operation, OperationId, Redeem, effect
from arb.net.http import HttpReader

if TYPE_CHECKING:
    from polymarket import AsyncSecureClient


class Before(msgspec.Struct, frozen=True):
    """What is written down with the intent."""

    at: datetime
    tokens: dict[str, int]
    """Millionths of every outcome that the operation takes, by token id."""


class PolymarketSettlement:
    """See `arb.ports.Settlement`."""

    def __init__(
        self,
        session: Session,
        options: PolymarketOptions,
        contracts: Contracts,
        rpc: Rpc,
        holdings: Holdings,
        reader: HttpReader,
        now: Callable[[], datetime],
    ) -> None:
        self._session, self._options, self._contracts = session, options, contracts
        self._rpc, self._holdings, self._reader, self._now = rpc, holdings, reader, now
        self._short: dict[str, datetime] = {}
        """Since when a plan's shares are missing on chain."""

    async def prepare(self, id_: OperationId, operation: Operation) -> str:
        """See `arb.ports.Settlement`."""
        taken = [outcome for outcome, _ in _takes(operation)]
        held = await self._holdings.of(taken)
        if not isinstance(operation, Redeem):
            self._wait_for_shares(id_, operation, held)
        tokens = {outcome.token: int(to_micro(held[outcome])) for outcome in taken}
        return msgspec.json.encode(Before(self._now(), tokens)).decode()

    def _wait_for_shares(
        self, id_: OperationId, operation: Operation, held: Mapping[OutcomeId, Shares]
    ) -> None:
        """What has settled shows at once, unless the node lags behind (FAULTS.md G03)."""
        plan, now = id_.rsplit("/", 1)[0], self._now()
        if all(held[outcome] >= size for outcome, size in _takes(operation)):
            self._short.pop(plan, None)
            return
        since = self._short.setdefault(plan, now)
        if now - since < timedelta(seconds=self._options.settlement_quiet_seconds):
            raise Unavailable("the node does not show yet what is to be turned into cash")

    async def submit(self, id_: OperationId, operation: Operation, ref: str) -> Effect | str | None:
        """See `arb.ports.Settlement`. Simulated first: what would revert is never sent."""
        before = msgspec.json.decode(ref, type=Before)
        if isinstance(operation, Redeem) and not any(before.tokens.values()):
            return effect(
                operation
            )  # somebody redeemed for us; the cash is there (PLATFORM.md §7.2)
        try:
            call = await self._encode(operation)
            await self._rpc.call_raw(call, sender=str(self._session.client.wallet))
            client = await self._session.through(self._rpc.serving)
        except Reverted as error:
            return f"it would revert: {error}"
        except ArbError as error:
            return f"not sent: {error}"
        refused = await self._send(client, call, type(operation).__name__.lower())
        return refused or await self.ask(id_, operation, ref)

    async def _send(self, client: "AsyncSecureClient", call: Call, what: str) -> str:
        """Why it certainly did not happen; empty when it may have."""
        try:
            handle = await client.execute_transaction(
                calls=[TransactionCall(to=EvmAddress(call.to), data=HexString(call.data), value=0)],
                metadata=what,
            )
        except UserInputError as error:
            return str(error)
        except RequestRejectedError as error:
            return str(error) if error.status < 500 else ""
        except Exception:  # noqa: BLE001  # it may be on its way: the balances will tell
            return ""
        try:
            async with asyncio.timeout(self._options.settlement_wait_seconds):
                await handle.wait()
        except TransactionFailedError as error:
            return str(error)
        except (PolymarketError, TimeoutError):
            pass
        return ""

    async def ask(self, _id: OperationId, operation: Operation, ref: str) -> Effect | str | None:
        """See `arb.ports.Settlement`. The balances tell; silence proves nothing for long."""
        before = msgspec.json.decode(ref, type=Before)
        try:
            held = await self._holdings.of([outcome for outcome, _ in _takes(operation)])
        except VenueError:
            return None
        moved = {
            outcome: before.tokens[outcome.token] - to_micro(held[outcome]) for outcome in held
        }
        if all(moved[outcome] >= to_micro(size) for outcome, size in _takes(operation)):
            return effect(operation)
        quiet = timedelta(seconds=self._options.settlement_quiet_seconds)
        if not any(moved.values()) and self._now() - before.at > quiet:
            return "it never reached the chain"
        return None

    async def _encode(self, operation: Operation) -> Call:
        match operation:
            case Merge(market=market, size=size):
                word = await self._market(market)
                if word.v == "v2":
                    return calls.router_merge(self._contracts, market, to_micro(size))
                return calls.merge(self._contracts, market, to_micro(size), neg_risk=word.nr)
            case Redeem(market=market, outcome=outcome):
                word = await self._market(market)
                if word.v == "v2":
                    side = [token.t for token in word.t].index(outcome.token)
                    held = (await self._holdings.of([outcome]))[outcome]
                    return calls.router_redeem(self._contracts, market, side, to_micro(held))
                return calls.redeem(self._contracts, market, neg_risk=word.nr)
            case Convert():
                return await self._conversion(operation)

    async def _conversion(self, operation: Convert) -> Call:
        """Which question is which is read from the chain, not taken from the listing's order."""
        market = await self._neg_risk_market(operation)
        if bips := await self._rpc.call(calls.fee_bips(self._contracts, market)):
            raise BadVenueData("fee bips", f"converting would cost {bips} of 10,000")
        indices = await self._indices(market)
        try:
            given = [indices[condition.lower()] for _, condition in operation.gives]
        except KeyError as error:
            raise BadVenueData("question", f"the chain knows no question of {error}") from error
        unknown = len(indices) - len(operation.gives) - len(operation.receives)
        if unknown < 0:
            raise BadVenueData("questions", f"the chain counts {len(indices)}, the plan more")
        return calls.convert(self._contracts, market, given, to_micro(operation.size))

    async def _indices(self, market: str) -> Mapping[str, int]:
        count = await self._rpc.call(calls.question_count(self._contracts, market))
        found = await asyncio.gather(
            *(
                self._rpc.call(calls.condition_of_question(self._contracts, market, index))
                for index in range(count)
            )
        )
        return {condition.lower(): index for index, condition in enumerate(found)}

    async def _neg_risk_market(self, operation: Convert) -> str:
        url = f"{self._options.gamma_url.rstrip('/')}/events/{operation.event}"
        event = decode(await self._reader.get("events", url), EventPayload, "event")
        markets = [decode(raw, MarketPayload, "event.markets") for raw in event.markets]
        ids = {event.neg_risk_market_id, *(m.neg_risk_market_id for m in markets)} - {None, ""}
        if len(ids) != 1:
            raise BadVenueData("negRiskMarketID", f"the event has {len(ids)} of them")
        return str(ids.pop())

    async def _market(self, market: MarketId) -> ClobMarket:
        url = f"{self._options.clob_url.rstrip('/')}/clob-markets/{market}"
        return decode(await self._reader.get("clob-markets", url), ClobMarket, "clob-market")


def _takes(operation: Operation) -> list[tuple[OutcomeId, Shares]]:
    """What the operation takes out of the wallet, by outcome."""
    return [
        (outcome, Shares(-delta)) for outcome, _, delta in effect(operation).shares if delta < 0
    ]
