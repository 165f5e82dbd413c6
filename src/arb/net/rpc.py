"""JSON-RPC to the nodes of an EVM chain: an ordered list, the next one asked when one fails.

Everything here may be repeated: questions change nothing, and a signed transaction has one hash
and one nonce wherever it is sent, so that sending it twice cannot do it twice.
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from arb.domain.bounds import check_nesting
from arb.domain.errors import BadVenueData, RateLimited, Unavailable, VenueError
from arb.net import way

Answer = TypeVar("Answer")

BODY_BYTES_MAX = 4 * 1024 * 1024
TEXT_MAX = 200
TOO_MANY = 429
OWN_REVERT_CODE, LIMIT_CODE = 3, -32005
FINAL_REFUSALS = (
    "nonce too low",
    "nonce too high",
    "insufficient funds",
    "underpriced",
    "intrinsic gas",
    "gas limit",
    "invalid sender",
    "invalid signature",
    "chain id",
    "rlp",
)
"""A node's error for a transaction that no other node will accept either."""
NUMBER = re.compile(r"0x[0-9a-fA-F]{1,64}")
KNOWN_ALREADY: Final = ("already known", "known transaction", "already imported")


POLYGON: Final = 137


class Reverted(VenueError):
    """The contract refuses; asking again gives the same answer until the chain has moved."""

    def __init__(self, message: str, data: str = "") -> None:
        """Take the node's words and, where it gives them, the bytes that the contract returned."""
        super().__init__(message)
        self.data = data


class TransactionRefused(VenueError):
    """The node refuses the transaction as it is: another nonce, more gas or more coin is needed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a contract, as a transaction or a question."""

    to: str
    """Empty: the data makes a new contract."""
    data: str
    """Hex with `0x`."""
    value: int = 0
    """The chain's own coin, in wei."""
    gas: int = 0
    """The most that it may use; 0: what the node allows."""


@dataclass(frozen=True, slots=True)
class View(Generic[Answer]):
    """A question to a contract and how its answer is read."""

    call: Call
    read: Callable[[str], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcOptions:
    """How nodes are asked."""

    urls: tuple[str, ...]
    """The preferred node first. Paths may carry keys: only hosts are ever named in messages."""
    chain_id: int = POLYGON
    connect_timeout_seconds: float = 3.0
    read_timeout_seconds: float = 5.0
    """Between two pieces of an answer, while there is another node to ask instead."""
    pause_seconds: float = 30.0
    """How long a node that failed is asked last."""
    answer_seconds_max: float = 15.0
    """For a whole answer, however its pieces come; the last node to ask may be silent as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block's number and time."""

    number: int
    hash: str
    timestamp: int
    """Seconds since 1970."""
    base_fee: int | None = None
    """What a unit of gas costs at least, in wei; `None` where the chain has no such price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a contract has written down in a block."""

    address: str
    topics: tuple[str, ...]
    data: str
    """Hex with `0x`."""
    block: int
    block_hash: str
    transaction: str
    index: int
    """Its place in the block."""


At = int | str | Block
"""Which block a question is about: its number, a tag such as `latest`, or this very block and no
other of its number: a node that has another there, or has not heard of it, is skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionReceipt:
    """What became of a mined transaction; a reorganisation can still undo it."""

    hash: str
    block: int
    block_hash: str
    succeeded: bool
    gas_used: int
    gas_price: int = 0
    """What a unit of gas has cost, in wei; 0 where the node does not say."""
    data_fee: int = 0
    """What the layer below has taken beside the gas, in wei; 0 on a chain of its own."""
    contract: str = ""
    """The contract that it made, if any."""
    logs: tuple[Log, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Which logs are wanted."""

    addresses: tuple[str, ...]
    """Of these contracts."""
    topics: tuple[str | tuple[str, ...] | None, ...] = ()
    """By place: one topic, any of several, or any at all."""
    first: int
    last: int
    """Blocks, both ends included."""


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Any = None


class _Envelope(msgspec.Struct):
    id: int | None = None
    result: Any = None
    error: _Error | None = None


@dataclass(slots=True)
class _Node:
    url: str
    verified: bool = False
    rests_until: float = -math.inf

    @property
    def name(self) -> str:
        return urlsplit(self.url).netloc.rpartition("@")[2]


class Rpc:
    """One client for all nodes of a chain.

    Raises from every method:
        Unavailable: No node answers, or none that does is on the right chain.
        RateLimited: Every node asks us to wait.
        BadVenueData: A node's answer is not what it promises.
    """

    def __init__(
        self,
        options: RpcOptions,
        *,
        monotonic: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None = None,
        tell: Callable[[str], None] = lambda _switched: None,
        verify: SSLContext | None = None,
    ) -> None:
        """Nothing is asked yet; `tell` hears that another node has taken over, and why."""
        self._options, self._monotonic, self._tell = options, monotonic, tell
        self._nodes = [_Node(url) for url in options.urls]
        self._answered = self._nodes[0].name if self._nodes else ""
        """The node that has answered last."""
        self._id = 0
        self._client = httpx.AsyncClient(
            transport=transport,
            follow_redirects=False,
            headers={"user-agent": "arb", "content-type": "application/json"},
            **way.options(verify=verify),
        )
        self.counts: Counter[str] = Counter()
        """Requests and failures by host: `requests:HOST`, `failures:HOST`."""

    @property
    def serving(self) -> str:
        """The address of the node that is asked first now."""
        return self._in_order()[0].url

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def call(self, view: View[Answer], *, block: At = "latest") -> Answer:
        """Ask a contract.

        Args:
            view: The question and how its answer is read.
            block: A node that has not reached it yet is skipped.

        Raises:
            Reverted: The contract refuses.
        """
        return view.read(await self.call_raw(view.call, block=block))

    async def call_raw(self, call: Call, *, sender: str | None = None, block: At = "latest") -> str:
        """What a call would answer; a dry run of a transaction when there is a sender.

        Raises:
            Reverted: The contract refuses.
        """
        return _text(await self.ask("eth_call", [_message(call, sender), _block(block)]))

    async def estimate_gas(self, call: Call, sender: str) -> int:
        """How much gas a transaction needs.

        Raises:
            Reverted: The contract refuses.
        """
        return _number(await self.ask("eth_estimateGas", [_message(call, sender)]))

    async def balance(self, wallet: str, *, block: At = "latest") -> int:
        """The chain's own coin in a wallet, in wei."""
        return _number(await self.ask("eth_getBalance", [wallet, _block(block)]))

    async def code(self, address: str, *, block: At = "latest") -> str:
        """A contract's code; `0x` where there is none."""
        return _text(await self.ask("eth_getCode", [address, _block(block)]))

    async def block(self, block: At = "latest") -> Block | None:
        """A block by number or tag (`latest`, `safe`, `finalized`), or whether one still stands.

        `None` if there is none yet, or the chain has another in its place.
        """
        if isinstance(block, Block):
            found = await self.ask("eth_getBlockByHash", [block.hash, False])
        else:
            found = await self.ask("eth_getBlockByNumber", [_block(block), False])
        if found is None:
            return None
        document = _document(found)
        base_fee = document.get("baseFeePerGas")
        return Block(
            number=_number(document.get("number")),
            hash=_text(document.get("hash")),
            timestamp=_number(document.get("timestamp")),
            base_fee=None if base_fee is None else _number(base_fee),
        )

    async def gas_price(self) -> int:
        """What a unit of gas costs now, in wei."""
        return _number(await self.ask("eth_gasPrice", []))

    async def priority_fee(self) -> int:
        """What is usually paid beyond the base fee for a unit of gas, in wei."""
        return _number(await self.ask("eth_maxPriorityFeePerGas", []))

    async def logs(self, wanted: Logs) -> tuple[Log, ...]:
        """What contracts wrote down, in the order of the chain."""
        asked = {
            "address": list(wanted.addresses),
            "topics": list(wanted.topics),
            "fromBlock": hex(wanted.first),
            "toBlock": hex(wanted.last),
        }
        return _logs(await self.ask("eth_getLogs", [asked]))

    async def transaction_count(self, wallet: str, *, block: At = "pending") -> int:
        """The wallet's next nonce."""
        return _number(await self.ask("eth_getTransactionCount", [wallet, _block(block)]))

    async def receipt(self, hash_: str) -> TransactionReceipt | None:
        """What became of a transaction; `None` while it is not mined, or not known."""
        found = await self.ask("eth_getTransactionReceipt", [hash_])
        if found is None:
            return None
        document = _document(found)
        status = _number(document.get("status"))
        if status not in (0, 1):
            raise BadVenueData("receipt.status", str(status))
        return TransactionReceipt(
            hash=_text(document.get("transactionHash")),
            block=_number(document.get("blockNumber")),
            block_hash=_text(document.get("blockHash")),
            succeeded=status == 1,
            gas_used=_number(document.get("gasUsed")),
            gas_price=_number(document.get("effectiveGasPrice", "0x0")),
            data_fee=_number(document.get("l1Fee") or "0x0"),
            contract=_text(document["contractAddress"]) if document.get("contractAddress") else "",
            logs=_logs(document.get("logs", [])),
        )

    async def send_raw(self, signed: str, hash_: str) -> None:
        """Hand a signed transaction to a node.

        After `Unavailable` its outcome is unknown: look for `hash_` before anything else is sent
        with the same nonce.

        Args:
            signed: The transaction.
            hash_: Its hash, as the signer knows it.

        Raises:
            TransactionRefused: No node will take it as it is.
        """
        answer = await self.ask("eth_sendRawTransaction", [signed])
        if answer is not None and _text(answer).lower() != hash_.lower():
            raise BadVenueData("eth_sendRawTransaction", f"{answer} is not the hash {hash_}")

    async def ask(self, method: str, params: Sequence[Any]) -> Any:
        """The result of the first node that has one, for a method that may be repeated."""
        problems: list[Unavailable] = []
        nodes = self._in_order()
        for node in nodes:
            patience = self._patience(last=node is nodes[-1])
            try:
                if not node.verified:
                    await self._verify(node, patience)
                answer = await self._once(node, method, params, patience)
            except Unavailable as error:
                node.rests_until = self._monotonic() + self._options.pause_seconds
                self.counts[f"failures:{node.name}"] += 1
                problems.append(error)
                continue
            node.rests_until = -math.inf
            if problems and node.name != self._answered:
                said = "; ".join(map(str, problems))
                self._tell(f"{said}: {node.name} is asked instead")
            self._answered = node.name
            return answer
        said = "; ".join(str(problem) for problem in problems) or "no node is configured"
        if problems and all(isinstance(problem, RateLimited) for problem in problems):
            raise RateLimited(said)
        raise Unavailable(said)

    def _in_order(self) -> list[_Node]:
        """As configured, but those that failed lately last: they may be all there is."""
        now = self._monotonic()
        return sorted(self._nodes, key=lambda node: max(node.rests_until - now, 0.0))

    def _patience(self, *, last: bool) -> httpx.Timeout:
        """How long a node may be silent: nothing is gained by giving up on the last one early."""
        options = self._options
        silence = options.answer_seconds_max if last else options.read_timeout_seconds
        return httpx.Timeout(silence, connect=options.connect_timeout_seconds)

    async def _verify(self, node: _Node, patience: httpx.Timeout) -> None:
        actual = _number(await self._once(node, "eth_chainId", [], patience))
        if actual != self._options.chain_id:
            raise Unavailable(f"{node.name} is on chain {actual}, not {self._options.chain_id}")
        node.verified = True

    async def _once(
        self, node: _Node, method: str, params: Sequence[Any], patience: httpx.Timeout
    ) -> Any:
        self._id += 1
        asked = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": list(params)}
        self.counts[f"requests:{node.name}"] += 1
        body = await self._post(node, msgspec.json.encode(asked), patience)
        try:
            check_nesting(body)
            envelope = msgspec.json.decode(body, type=_Envelope)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            said = str(error)[:TEXT_MAX]
            raise Unavailable(f"{node.name} does not speak JSON-RPC ({said})") from error
        if envelope.error is not None:
            return _refusal(node.name, method, envelope.error)
        if envelope.id != asked["id"]:
            raise Unavailable(f"{node.name} answers another question")
        return envelope.result

    async def _post(self, node: _Node, content: bytes, patience: httpx.Timeout) -> bytes:
        """One request and its whole answer, which may not come in drips for ever."""
        most = self._options.answer_seconds_max
        try:
            async with asyncio.timeout(most):
                return await self._exchange(node, content, patience)
        except TimeoutError:
            raise Unavailable(f"{node.name} does not answer in full within {most:g} s") from None

    async def _exchange(self, node: _Node, content: bytes, patience: httpx.Timeout) -> bytes:
        asked = self._client.stream("POST", node.url, content=content, timeout=patience)
        try:
            async with asked as response:
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > BODY_BYTES_MAX:
                        raise Unavailable(f"{node.name} answers more than {BODY_BYTES_MAX} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            why = way.failure(error, node.url)
            raise Unavailable(f"{node.name} does not answer ({why})") from error
        if response.status_code == TOO_MANY:
            raise RateLimited(f"{node.name} asks us to wait")
        # Some nodes put a contract's refusal behind a 4xx or 5xx, with the usual body.
        if response.status_code >= 300 and not bytes(body).lstrip().startswith(b"{"):
            raise Unavailable(f"{node.name} answers {response.status_code}")
        return bytes(body)


def _refusal(node: str, method: str, error: _Error) -> None:
    """Raise by the cause: the contract, the transaction or (ask another) the node."""
    said = error.message[:TEXT_MAX]
    lower = said.lower()
    if method in ("eth_call", "eth_estimateGas") and (
        error.code == OWN_REVERT_CODE or "revert" in lower or "invalid opcode" in lower
    ):
        raise Reverted(said, error.data if isinstance(error.data, str) else "")
    if method == "eth_sendRawTransaction":
        if any(words in lower for words in KNOWN_ALREADY):
            return
        if any(words in lower for words in FINAL_REFUSALS):
            raise TransactionRefused(said)
    if error.code == LIMIT_CODE or "rate limit" in lower or "too many requests" in lower:
        raise RateLimited(f"{node} asks us to wait")
    raise Unavailable(f"{node} cannot {method}: {said} ({error.code})")


def _message(call: Call, sender: str | None) -> dict[str, str]:
    message = {"data": call.data}
    if call.to:
        message["to"] = call.to
    if call.value:
        message["value"] = hex(call.value)
    if call.gas:
        message["gas"] = hex(call.gas)
    if sender is not None:
        message["from"] = sender
    return message


def _block(block: At) -> str | dict[str, str]:
    if isinstance(block, Block):
        return {"blockHash": block.hash}
    return hex(block) if isinstance(block, int) else block


def _logs(value: Any) -> tuple[Log, ...]:
    if not isinstance(value, list):
        raise BadVenueData("rpc", f"{str(value)[:80]} is not a list of logs")
    return tuple(_log(_document(one)) for one in value)


def _log(document: Mapping[str, Any]) -> Log:
    topics = document.get("topics")
    if not isinstance(topics, list):
        raise BadVenueData("log.topics", str(topics)[:80])
    return Log(
        address=_text(document.get("address")).lower(),
        topics=tuple(_text(topic) for topic in topics),
        data=_text(document.get("data")),
        block=_number(document.get("blockNumber")),
        block_hash=_text(document.get("blockHash")),
        transaction=_text(document.get("transactionHash")),
        index=_number(document.get("logIndex")),
    )


def _document(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadVenueData("rpc", f"{str(value)[:80]} is not an object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise BadVenueData("rpc", f"{str(value)[:80]} is not hex")
    return value


def _number(value: Any) -> int:
    said = _text(value)
    if not NUMBER.fullmatch(said):
        raise BadVenueData("rpc", f"{said[:80]} is not a number of at most 32 bytes")
    return int(said, 16)
