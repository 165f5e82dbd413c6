"""The node of the embedded chain: JSON-RPC as a Polygon node speaks it."""

from collections.abc import Callable
from typing import Any

from eth_abi.abi import encode

from arb.exchange.chain.addresses import CHAIN_ID, ZERO
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.chain.blocks import Chain, Declined, Step, Transaction
from arb.exchange.chain.raw import Unreadable, decode_signed, intrinsic_gas
from arb.exchange.chain.tokens import Reverts

REVERT_CODE, DECLINED_CODE, UNKNOWN_METHOD, BAD_PARAMS, BAD_REQUEST = (
    3,
    -32000,
    -32601,
    -32602,
    -32600,
)
REASON_SELECTOR = "08c379a0"
"""Error(string)."""
SOME_CODE = "0x60806040"
GAS_RESERVE_PERCENT, TOO_LITTLE_PERCENT = 120, 60
HASH_OF_NOTHING = "0x" + "0" * 64

TRADE_GAS = 300_000


class RpcError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


class Node:
    """One node. It may lag, depending on the conduct."""

    def __init__(
        self,
        chain: Chain,
        conduct: ChainBehaviour,
        wake: Callable[[float], None],
        settled: Callable[[str], float | None],
    ) -> None:
        """A node of a chain.

        Args:
            chain: What it shows.
            conduct: How it behaves.
            wake: Schedules what is due in a number of seconds.
            settled: How many seconds ago a trade's transaction was mined, if it was.
        """
        self._chain, self._conduct, self._wake, self._settled = chain, conduct, wake, settled
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "net_version": lambda: str(CHAIN_ID),
            "eth_blockNumber": lambda: hex(chain.head()),
            "eth_gasPrice": lambda: hex(conduct.gas_price),
            "eth_maxPriorityFeePerGas": lambda: hex(conduct.gas_price),
            "eth_getBlockByNumber": self._block,
            "eth_getCode": self._code,
            "eth_getBalance": self._balance,
            "eth_getTransactionCount": self._count,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction,
        }

    def answer(self, asked: Any) -> dict[str, Any]:
        """The answer to one request."""
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            return _failed(None, RpcError(BAD_REQUEST, "invalid request"))
        id_, method = asked.get("id"), self._methods.get(asked["method"])
        self._chain.advance()
        try:
            if method is None:
                unknown = f"the method {asked['method']} does not exist/is not available"
                return _failed(id_, RpcError(UNKNOWN_METHOD, unknown))
            result = method(*asked.get("params", []))
        except RpcError as error:
            return _failed(id_, error)
        except Reverts as error:
            return _failed(id_, _reverted(str(error)))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            return _failed(id_, RpcError(BAD_PARAMS, f"invalid argument: {error}"))
        return {"jsonrpc": "2.0", "id": id_, "result": result}

    def _block(self, tag: str, _full: bool = False) -> Any:  # noqa: FBT001, FBT002  # as the protocol has it
        number = self._number(tag)
        if number > self._chain.head():
            return None
        return {
            "number": hex(number),
            "hash": self._chain.block_hash(number),
            "parentHash": self._chain.block_hash(number - 1),
            "timestamp": hex(self._chain.timestamp(number)),
            "gasLimit": hex(45_000_000),
            "gasUsed": hex(0),
            "baseFeePerGas": hex(self._conduct.gas_price_needed),
            "transactions": [],
        }

    def _code(self, address: str, tag: str = "latest") -> str:
        self._seen(tag)
        return SOME_CODE if address.lower() in self._chain.contracts.places.all else "0x"

    def _balance(self, address: str, tag: str = "latest") -> str:
        self._seen(tag)
        return hex(self._chain.wei(address.lower()))

    def _count(self, address: str, tag: str = "latest") -> str:
        if tag == "pending":
            return hex(self._chain.next_nonce(address.lower()))
        return hex(self._chain.nonce_at(address.lower(), self._seen(tag)))

    def _call(self, call: dict[str, str], tag: str = "latest") -> str:
        state = self._chain.state(self._seen(tag))
        return "0x" + self._chain.ask(state, _step(call)).hex()

    def _estimate(self, call: dict[str, str], _tag: str = "latest") -> str:
        step = _step(call)
        self._chain.ask(self._chain.bank, step)
        needed = self._chain.gas_needed([step])
        percent = TOO_LITTLE_PERCENT if self._conduct.gas_underestimated else GAS_RESERVE_PERCENT
        return hex(max(intrinsic_gas(step.data), needed * percent // 100))

    def _send(self, raw: str) -> str:
        try:
            transaction = self._chain.take(decode_signed(_bytes(raw)))
        except (Unreadable, Declined) as error:
            raise RpcError(DECLINED_CODE, str(error)) from error
        self._wake(self._conduct.mined_after)
        return transaction.hash

    def _receipt(self, hash_: str) -> Any:
        tx = self._chain.transactions.get(hash_.lower())
        if tx is None:
            return self._receipt_of_trade(hash_.lower())
        if tx.block is None:
            return None
        return {
            "transactionHash": tx.hash,
            "transactionIndex": "0x0",
            "blockNumber": hex(tx.block),
            "blockHash": self._chain.block_hash(tx.block),
            "from": tx.sender,
            "to": tx.to,
            "contractAddress": None,
            "status": hex(tx.succeeded),
            "type": hex(tx.kind),
            "gasUsed": hex(tx.gas_used),
            "cumulativeGasUsed": hex(tx.gas_used),
            "effectiveGasPrice": hex(tx.gas_price),
            "logs": [],
            "logsBloom": "0x" + "0" * 512,
        }

    def _receipt_of_trade(self, hash_: str) -> Any:
        """Trades are settled by the exchange's own operator."""
        ago = self._settled(hash_)
        if ago is None:
            return None
        block = self._chain.head(ago=ago)
        return {
            "transactionHash": hash_,
            "transactionIndex": "0x0",
            "blockNumber": hex(max(block, 0)),
            "blockHash": self._chain.block_hash(block),
            "status": "0x1",
            "gasUsed": hex(TRADE_GAS),
            "logs": [],
        }

    def _transaction(self, hash_: str) -> Any:
        tx = self._chain.transactions.get(hash_.lower())
        return None if tx is None or tx.dropped else self._shown(tx)

    def _shown(self, tx: Transaction) -> dict[str, Any]:
        mined = tx.block is not None
        return {
            "hash": tx.hash,
            "nonce": hex(tx.nonce),
            "blockNumber": hex(tx.block) if tx.block is not None else None,
            "blockHash": self._chain.block_hash(tx.block) if tx.block is not None else None,
            "transactionIndex": "0x0" if mined else None,
            "from": tx.sender,
            "to": tx.to,
            "value": hex(tx.value),
            "gas": hex(tx.gas),
            "gasPrice": hex(tx.gas_price),
            "input": "0x" + (tx.steps[0].data.hex() if tx.steps else ""),
            "type": hex(tx.kind),
            "chainId": hex(CHAIN_ID),
        }

    def _seen(self, tag: str) -> int:
        """The block that a question about the state is answered at."""
        behind = self._chain.head(ago=self._conduct.stale_reads)
        number = self._number(tag)
        if tag in ("latest", "pending"):
            return behind
        if number > behind:
            raise RpcError(DECLINED_CODE, "header not found")
        return number

    def _number(self, tag: str) -> int:
        match tag:
            case "latest" | "pending":
                return self._chain.head()
            case "safe" | "finalized":
                return self._chain.final()
            case "earliest":
                return 0
            case _:
                return int(tag, 16)


def _step(call: dict[str, str]) -> Step:
    data = call.get("data", call.get("input", "0x"))
    return Step(call.get("from", ZERO).lower(), call["to"].lower(), _bytes(data))


def _reverted(reason: str) -> RpcError:
    if not reason:
        return RpcError(REVERT_CODE, "execution reverted", "0x")
    data = "0x" + REASON_SELECTOR + encode(["string"], [reason]).hex()
    return RpcError(REVERT_CODE, f"execution reverted: {reason}", data)


def _failed(id_: Any, error: RpcError) -> dict[str, Any]:
    document: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.data is not None:
        document["data"] = error.data
    return {"jsonrpc": "2.0", "id": id_, "error": document}


def _bytes(value: str) -> bytes:
    if not value.startswith("0x"):
        raise ValueError("hex string without 0x prefix")
    return bytes.fromhex(value[2:])
