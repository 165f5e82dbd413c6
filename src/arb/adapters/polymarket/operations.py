"""Merge, convert and redeem on chain: encoded here, simulated, sent through the official client.

A transaction is known by what it does: before it is sent the balances that it changes are written
down with the intent, and it has happened when they have changed by that much. Nothing else moves
them meanwhile: an open plan's markets are reserved for it, and one wallet has one sender. So
the same query works after a lost reply, a restart, or a relayer that never reports the outcome.

Protocol v2 converts one NO at a time. With outcomes 0..m ("Other" is m) and A each of NO(1)..NO(k):

    convert NO(1)              A of YES(2)..YES(k) and of YES of the m + 1 - k outcomes not given
    merge YES(j) + NO(j)       A dollars, for each j of 2..k

so k NOs become (k - 1) * A dollars and A of YES of each outcome not given, as on v1; all m + 1 NOs
become m * A dollars and nothing else. What is left cannot be cashed: to merge YES across outcomes
takes those of the given ones too. A relayed wallet sends the k calls as one submission, whole or
not at all. An EOA sends one after another, each simulated first; what an interruption leaves is
read from the balances and reported as the effect that it had, and the pairs that are left are
merged one by one by the caller that asked for the exit.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
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

from arb.adapters.polymarket import calls, position
from arb.adapters.polymarket.client import Session, in_time
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.holdings import Holdings, is_v2
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import ClobMarket, EventPayload, MarketPayload, decode
from arb.domain.errors import ArbError, BadVenueData, Unavailable, VenueError
from arb.domain.market import MarketId, OutcomeId
from arb.domain.money import Shares, Usd, to_micro
from arb.domain.operation import (
    CHAIN_DIFFERS,
    CONTRACT_REFUSES,
    Carried,
    Convert,
    Declined,
    Effect,
    Merge,
    MergeSet,
    Operation,
    OperationAnswer,
    OperationId,
    Redeem,
    effect,
)
from arb.domain.order import Unknown
from arb.net.http import HttpReader
from arb.net.rpc import Call, Reverted, Rpc

if TYPE_CHECKING:
    from polymarket import AsyncSecureClient


class Before(msgspec.Struct, frozen=True):
    """What is written down with the intent."""

    at: datetime
    tokens: dict[str, int]
    """Millionths of every outcome that the operation takes, by token id."""


class ChainDiffers(BadVenueData):
    """What the proof took from the listing is not so on chain: asking again changes nothing."""


class PolymarketOperations:
    """See `arb.ports.TokenOperations`."""

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
        """See `arb.ports.TokenOperations`."""
        taken = [outcome for outcome, _ in _takes(operation)]
        held = await self._holdings.of(taken)
        if not isinstance(operation, Redeem):
            self._wait_for_shares(id_, operation, held)
        tokens = {outcome.token: int(to_micro(held[outcome])) for outcome in taken}
        return msgspec.json.encode(Before(self._now(), tokens)).decode()

    def _wait_for_shares(
        self, id_: OperationId, operation: Operation, held: Mapping[OutcomeId, Shares]
    ) -> None:
        """What has settled shows at once, unless the node lags behind (fault G03)."""
        plan, now = id_.rsplit("/", 1)[0], self._now()
        if all(held[outcome] >= size for outcome, size in _takes(operation)):
            self._short.pop(plan, None)
            return
        since = self._short.setdefault(plan, now)
        if now - since < timedelta(seconds=self._options.settlement_quiet_seconds):
            raise Unavailable("the node does not show yet what is to be turned into cash")

    async def submit(self, id_: OperationId, operation: Operation, ref: str) -> OperationAnswer:
        """See `arb.ports.TokenOperations`. Simulated first: what would revert is never sent."""
        before = msgspec.json.decode(ref, type=Before)
        if isinstance(operation, Redeem) and not any(before.tokens.values()):
            # Another party redeemed for us; the cash is there (docs/venue-polymarket.md §7.2).
            return Carried(effect(operation))
        try:
            steps = await self._encode(operation)
        except Reverted as error:
            return Declined(f"{CONTRACT_REFUSES}{error}")
        except ChainDiffers as error:
            return Declined(f"{CHAIN_DIFFERS}{error}")
        except ArbError as error:
            return Declined(f"not sent: {error}")
        client = self._session.client
        alone = client.wallet == client.signer  # an EOA has no way to send several as one
        submissions = [[step] for step in steps] if alone else [steps]
        for number, submission in enumerate(submissions):
            refused = await self._step(submission, type(operation).__name__.lower())
            if refused and number == 0:
                return Declined(refused)
            if refused:
                break  # the balances show how far it came
        return await self.query(id_, operation, ref)

    async def _step(self, submission: Sequence[Call], what: str) -> str:
        """Simulate and send; why it certainly did not happen, empty when it may have."""
        try:
            await self._simulate(submission)
            client = await self._session.through(self._rpc.serving)
        except Reverted as error:
            return f"{CONTRACT_REFUSES}{error}"
        except ArbError as error:
            return f"not sent: {error}"
        failed = await self._send(client, submission, what)
        if failed:
            try:
                await self._simulate(submission)  # is it the contract's doing?
            except Reverted as error:
                return f"{CONTRACT_REFUSES}{error} ({failed})"
            except ArbError:
                pass  # not known now
        return failed

    async def _simulate(self, submission: Sequence[Call]) -> None:
        """Ask the contract what it would do with the first call.

        Raises:
            Reverted: It refuses.
        """
        await self._rpc.call_raw(submission[0], sender=str(self._session.client.wallet))

    async def _send(
        self, client: "AsyncSecureClient", submission: Sequence[Call], what: str
    ) -> str:
        """Why it certainly did not happen; empty when it may have."""
        wanted = [
            TransactionCall(to=EvmAddress(call.to), data=HexString(call.data), value=0)
            for call in submission
        ]
        try:
            async with in_time():
                handle = await client.execute_transaction(calls=wanted, metadata=what)
        except UserInputError as error:
            return str(error)
        except RequestRejectedError as error:
            return str(error) if error.status < 500 else ""
        except Exception:  # noqa: BLE001  # it may be on its way: the balances will show
            return ""
        try:
            async with asyncio.timeout(self._options.settlement_wait_seconds):
                await handle.wait()
        except TransactionFailedError as error:
            return str(error)
        except (PolymarketError, TimeoutError):
            pass
        return ""

    async def query(self, _id: OperationId, operation: Operation, ref: str) -> OperationAnswer:
        """See `arb.ports.TokenOperations`. The balances decide; silence proves nothing for long."""
        before = msgspec.json.decode(ref, type=Before)
        try:
            held = await self._holdings.of([outcome for outcome, _ in _takes(operation)])
        except VenueError:
            return Unknown()
        moved = {
            outcome: before.tokens[outcome.token] - to_micro(held[outcome]) for outcome in held
        }
        if all(moved[outcome] >= to_micro(size) for outcome, size in _takes(operation)):
            return Carried(effect(operation))
        quiet = timedelta(seconds=self._options.settlement_quiet_seconds)
        if not any(moved.values()) and self._now() - before.at > quiet:
            return Declined("it never reached the chain")
        if self._now() - before.at > quiet and isinstance(operation, Convert):
            done = _so_far(operation, moved)
            return Unknown() if done is None else Carried(done)
        return Unknown()

    async def _encode(self, operation: Operation) -> list[Call]:
        match operation:
            case MergeSet(gives=gives, size=size):
                conditions = [market for _, market in gives]
                event = position.siblings(conditions)
                if event is None or not position.whole(conditions):
                    raise BadVenueData("conditions", "they are not all outcomes of one event")
                return [calls.horizontal_merge(self._contracts, event, to_micro(size))]
            case Convert():
                if _on_v2(operation):
                    return self._conversion_on_v2(operation)
                return [await self._conversion(operation)]
            case Merge() | Redeem():
                return [await self._of_one_market(operation)]

    async def _of_one_market(self, operation: Merge | Redeem) -> Call:
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

    def _conversion_on_v2(self, operation: Convert) -> list[Call]:
        """One NO becomes YES of all others; with each other NO one of them makes a pair."""
        size = to_micro(operation.size)
        event = position.siblings([m for _, m in (*operation.gives, *operation.receives)])
        if event is None:
            raise BadVenueData("conditions", "they do not belong to one event")
        places = []
        for outcome, market in operation.gives:
            place = position.event_of(market)
            if place is None or outcome.token != position.position(*place, 1):
                raise BadVenueData("position", f"{outcome.token} is not NO of {market}")
            places.append(place[1])
        merges = [
            calls.router_merge(self._contracts, market, size) for _, market in operation.gives[1:]
        ]
        return [calls.router_convert(self._contracts, event, places[0], size), *merges]

    async def _conversion(self, operation: Convert) -> Call:
        """Which question is which is read from the chain, not taken from the listing's order."""
        market = await self._neg_risk_market(operation)
        if bips := await self._rpc.call(calls.fee_bips(self._contracts, market)):
            raise ChainDiffers("fee bips", f"converting would cost {bips} of 10,000")
        indices = await self._indices(market)
        try:
            given = [indices[condition.lower()] for _, condition in operation.gives]
        except KeyError as error:
            raise ChainDiffers("question", f"the chain knows no question of {error}") from error
        unknown = len(indices) - len(operation.gives) - len(operation.receives)
        if unknown < 0:
            raise ChainDiffers("questions", f"the chain counts {len(indices)}, the plan more")
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


def _on_v2(operation: Convert) -> bool:
    return all(is_v2(outcome.token) for outcome, _ in operation.gives)


def _so_far(operation: Convert, moved: Mapping[OutcomeId, int]) -> Effect | None:
    """What an interrupted conversion on v2 has done, by the NOs that are gone."""
    size, (first, *others) = operation.size, operation.gives
    gone = {outcome for outcome, _ in operation.gives if moved[outcome] >= to_micro(size)}
    if not _on_v2(operation) or first[0] not in gone:
        return None  # something else moved them: a person has to look
    shares = [(*first, Shares(-size))]
    for outcome, market in others:
        if outcome in gone:
            shares.append((outcome, market, Shares(-size)))
        else:
            # Its YES came of the conversion and waits to be merged with it.
            yes = OutcomeId(outcome.venue, str(int(outcome.token) - 1))
            shares.append((yes, market, size))
    shares += [(outcome, market, size) for outcome, market in operation.receives]
    return Effect(Usd(size * (len(gone) - 1)), tuple(shares))


def _takes(operation: Operation) -> list[tuple[OutcomeId, Shares]]:
    """What the operation takes out of the wallet, by outcome."""
    return [
        (outcome, Shares(-delta)) for outcome, _, delta in effect(operation).shares if delta < 0
    ]
