"""A sequence of calls: simulated together, then sent one by one or as a bundle to a relay.

Nothing is sent that was not simulated right before, all calls after one another on top of the
newest block (`eth_simulateV1`). Sent one by one, what is left of the sequence is simulated again
before each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import msgspec
from web3 import Web3

from arb.domain.errors import BadVenueData, Unavailable
from arb.net import way
from arb.net.rpc import Block, Call, Log, Reverted, TransactionReceipt
from arb.onchain.abi import Contract, event
from arb.onchain.chain import ERC20, Chain
from arb.onchain.signer import Signed, Signer

TRANSFERS = Contract(
    event("Transfer", **{"from": "indexed address"}, to="indexed address", value="uint256")
)
WORDS = Contract()
"""Reads the words of a refusal."""
CANCEL_GAS, CANCEL_FACTOR = 21_000, 2
RELAY_SECONDS = 5.0
RELAY_BODY_MAX = 64 * 1024
TEXT_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What a sequence would do on top of a block."""

    gas: tuple[int, ...]
    """Of each call."""
    changes: Mapping[str, int]
    """What the wallet has more of each token afterwards, or less."""
    failed: str = ""
    """Why one of the calls would fail; empty: none would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What a sequence has done so far."""

    receipts: tuple[TransactionReceipt, ...]
    """Of those of its transactions that are in the chain."""
    changes: Mapping[str, int]
    """What the wallet has more of each token, or less, by the receipts' own logs."""

    @property
    def gas_wei(self) -> int:
        """What the gas has cost."""
        return sum(one.gas_used * one.gas_price for one in self.receipts)


class Wallet:
    """Whose transactions they are: simulates, signs, sends, waits."""

    def __init__(self, chain: Chain, signer: Signer) -> None:
        self._chain, self._signer = chain, signer
        self.address = signer.address

    async def simulate(self, calls: Sequence[Call], block: Block) -> Simulated:
        """What the calls would do one after another on top of a block.

        Raises:
            Unavailable: No node answers, or none simulates sequences.
        """
        return await simulate(self._chain, calls, self.address, block)

    async def needs_approval(self, token: str, spender: str, amount: int, block: Block) -> bool:
        """Whether a contract may not take that much of the wallet's tokens yet."""
        view = ERC20.view(token, "allowance", self.address, spender)
        allowed: int = await self._chain.ask(view, at=block)
        return allowed < amount

    async def signed(
        self, calls: Sequence[Call], gas: Sequence[int], tip: int
    ) -> tuple[Signed, ...]:
        """The calls as signed transactions with nonces in a row. Nothing is sent.

        Args:
            calls: In order.
            gas: What each uses, as simulated; the headroom comes on top.
            tip: Wei for each unit of gas to the maker of the block.

        Raises:
            NotReady: Gas is dearer than is allowed, or the wallet cannot pay for it.
        """
        made: list[Signed] = []
        for place, (call, units) in enumerate(zip(calls, gas, strict=True)):
            filled = await self._chain.fill(call, self.address, gas=units, tip=tip)
            filled = replace(filled, nonce=filled.nonce + place)
            made.append(self._signer.sign(filled))
        return tuple(made)

    async def send(self, signed: Signed) -> None:
        """Send one transaction in the open.

        Raises:
            TransactionRefused: No node takes it as it is; it has not left.
            Unavailable: Whether it has left is not known.
        """
        await self._chain.rpc.send_raw(signed.raw, signed.hash)

    async def cancel(self, nonce: int) -> None:
        """Have something else take the place of a transaction that no block has taken.

        Raises:
            TransactionRefused: No node takes it: the transaction itself may have been mined.
            NotReady: Gas is dearer than is allowed, or the wallet cannot pay for it.
        """
        call = Call(self.address, "0x", gas=CANCEL_GAS)
        tip = CANCEL_FACTOR * await self._chain.rpc.priority_fee()
        filled = await self._chain.fill(call, self.address, tip=tip)
        signed = self._signer.sign(replace(filled, nonce=nonce, fee=CANCEL_FACTOR * filled.fee))
        await self.send(signed)

    async def landed(self, hashes: Sequence[str]) -> Landed:
        """What those of these transactions have done that are in the chain by now."""
        receipts = [await self._chain.rpc.receipt(hash_) for hash_ in hashes]
        found = tuple(one for one in receipts if one is not None)
        logs = [log for one in found for log in one.logs]
        return Landed(receipts=found, changes=changes(logs, self.address))

    async def nonce(self) -> int:
        """How many of the wallet's transactions the chain holds."""
        return await self._chain.rpc.transaction_count(self.address, block="latest")

    def sign_text(self, text: str) -> str:
        """A signature of a text: how a relay knows who asks."""
        return self._signer.sign_text(text)


async def simulate(chain: Chain, calls: Sequence[Call], sender: str, block: Block) -> Simulated:
    """What the calls of a sender would do one after another on top of a block; nothing is sent.

    Raises:
        Unavailable: No node answers, or none simulates sequences.
        BadVenueData: The answer is none.
    """
    asked = [
        {"from": sender, "to": call.to, "data": call.data, "value": hex(call.value)}
        for call in calls
    ]
    params = [{"blockStateCalls": [{"calls": asked}], "validation": False}, hex(block.number)]
    answer = await chain.rpc.ask("eth_simulateV1", params)
    try:
        results = msgspec.convert(answer, list[_Block])[0].calls
    except (msgspec.ValidationError, IndexError) as error:
        raise BadVenueData("eth_simulateV1", str(error)[:TEXT_MAX]) from None
    if len(results) != len(calls):
        raise BadVenueData("eth_simulateV1", f"{len(results)} results for {len(calls)} calls")
    logs = [one.log for result in results for one in result.logs]
    failed = next((result.why for result in results if result.status != "0x1"), "")
    return Simulated(
        gas=tuple(int(result.gasUsed, 16) for result in results),
        changes={} if failed else changes(logs, sender),
        failed=failed,
    )


def changes(logs: Sequence[Log], wallet: str) -> Mapping[str, int]:
    """What a wallet has gained of each token by transfers, or lost."""
    found: dict[str, int] = {}
    for log in logs:
        if len(log.topics) != 3 or log.topics[0] != TRANSFERS.topic("Transfer"):
            continue  # of four topics are tokens that are counted one by one
        moved = TRANSFERS.event(log)
        if moved is None:
            continue
        value = int(moved.values["value"])
        gained = (moved.values["to"] == wallet) - (moved.values["from"] == wallet)
        if gained:
            found[log.address] = found.get(log.address, 0) + gained * value
    return found


class _SimulatedLog(msgspec.Struct):
    address: str
    topics: list[str]
    data: str = "0x"

    @property
    def log(self) -> Log:
        return Log(
            address=self.address.lower(),
            topics=tuple(self.topics),
            data=self.data,
            block=0,
            block_hash="",
            transaction="",
            index=0,
        )


class _Error(msgspec.Struct):
    message: str = ""
    data: str | None = None


class _Result(msgspec.Struct):
    status: str
    gasUsed: str  # noqa: N815  # the protocol's own name
    returnData: str = "0x"  # noqa: N815  # the protocol's own name
    logs: list[_SimulatedLog] = []
    error: _Error | None = None

    @property
    def why(self) -> str:
        data = (self.error and self.error.data) or self.returnData
        said = self.error.message if self.error is not None else "reverted"
        return WORDS.why(Reverted(said or "reverted", data))[:TEXT_MAX]


class _Block(msgspec.Struct):
    calls: list[_Result]


class Relay:
    """Where bundles are sent: transactions that are included together, or not at all."""

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._client = httpx.AsyncClient(
            transport=transport, timeout=RELAY_SECONDS, **way.options()
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def offer(self, signed: Sequence[Signed], block: int, wallet: Wallet) -> str:
        """Offer the transactions for one block (`eth_sendBundle`); the relay's name for them.

        Raises:
            Unavailable: The relay does not take them. Whether it keeps them is not known.
        """
        bundle = {"txs": [one.raw for one in signed], "blockNumber": hex(block)}
        asked = {"jsonrpc": "2.0", "id": block, "method": "eth_sendBundle", "params": [bundle]}
        body = msgspec.json.encode(asked)
        signature = wallet.sign_text(Web3.keccak(body).to_0x_hex())
        headers = {
            "content-type": "application/json",
            "x-flashbots-signature": f"{Web3.to_checksum_address(wallet.address)}:{signature}",
        }
        try:
            response = await self._client.post(self._url, content=body, headers=headers)
            content = response.content[:RELAY_BODY_MAX]
            answer: Any = msgspec.json.decode(content)
        except httpx.HTTPError as error:
            raise Unavailable(f"the relay does not answer ({way.failure(error, self._url)})") from (
                error
            )
        except (msgspec.MsgspecError, RecursionError) as error:
            raise Unavailable(f"the relay answers {response.status_code}, no JSON") from error
        if not isinstance(answer, dict) or answer.get("error") or response.status_code >= 300:
            said = str(answer.get("error") if isinstance(answer, dict) else answer)[:TEXT_MAX]
            raise Unavailable(f"the relay refuses: {said} ({response.status_code})")
        result = answer.get("result")
        return str(result.get("bundleHash", "") if isinstance(result, dict) else result or "")
