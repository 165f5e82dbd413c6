"""The contract that swaps along a way in one transaction, or not at all.

`Executor.sol` beside this module is its source; `EXECUTOR_CODE` is what solc 0.8.28 makes of it
(optimised for 200 runs, for the EVM of Paris, without metadata), which a test compiles anew. Its
owner alone, who made it, can have it do anything.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from web3 import Web3

from arb.net.rpc import Call
from arb.onchain.abi import Contract, error, event, function
from arb.onchain.chain import ERC20
from arb.onchain.spreads.pools import Hop, PairPool
from arb.onchain.spreads.reading import PAIR, POOL

CALLS: Final = "(address,uint256,bytes,bytes32)[]"
EXECUTOR: Final = Contract(
    function("run", CALLS, "address", "uint256", returns=("uint256",)),
    function("owner", returns=("address",)),
    event("Ran", token="indexed address", gained="uint256"),
    error("NotTheOwner"),
    error("NotPromised"),
    error("TooLittle", "uint256", "uint256"),
)
EXECUTOR_CODE: Final = Path(__file__).with_name("Executor.hex").read_text("ascii").strip()
NO_TOKEN: Final = "0x" + "00" * 20
NOTHING: Final = bytes(32)
ROOT_MIN, ROOT_MAX = 4295128739, 1461446703485210103287273052203988822378723970342
"""Between these a v3-like pool's root of the price always is."""

Step = tuple[str, int, bytes, bytes]
"""Whom to call, with what coin and data, and the hash of the calls that it may have run."""


def swap_along(
    executor: str, hops: Sequence[Hop], found: Sequence[int], least: int, *, flash: bool
) -> Call:
    """The transaction that swaps along a way.

    Args:
        executor: The contract.
        hops: The way.
        found: What goes in, and what comes out of each pool in turn.
        least: What must be gained of the way's token: with less, nothing happens but the gas.
        flash: Whether the first pool lends the input; else the executor has it.
    """
    steps = _lent(executor, hops, found) if flash else _own(executor, hops, found)
    token = hops[0].sold
    return EXECUTOR.call(executor, "run", steps, token, least)


def do(executor: str, *calls: Call) -> Call:
    """Calls that the owner has the executor make, such as a transfer out of it."""
    steps = [(one.to, one.value, bytes.fromhex(one.data[2:]), NOTHING) for one in calls]
    return EXECUTOR.call(executor, "run", steps, NO_TOKEN, 0)


def _own(executor: str, hops: Sequence[Hop], found: Sequence[int]) -> list[Step]:
    """With an input that the executor has."""
    paid = isinstance(hops[0].pool, PairPool)
    pay = [_transfer(hops[0].sold, hops[0].pool.address, found[0])] if paid else []
    return [*pay, *_swaps(executor, hops, found)]


def _lent(executor: str, hops: Sequence[Hop], found: Sequence[int]) -> list[Step]:
    """The first pool gives before it is paid: the rest of the way is done while it waits."""
    first, rest = hops[0], hops[1:]
    calls_us = isinstance(first.pool, PairPool)  # v2-likes call who receives, v3-likes who asks
    receiver = executor if calls_us else _receiver(executor, rest)
    after = [
        *_swaps(executor, rest, found[1:]),
        _transfer(first.sold, first.pool.address, found[0]),
    ]
    if receiver == executor and isinstance(rest[0].pool, PairPool):
        after.insert(0, _transfer(rest[0].sold, rest[0].pool.address, found[1]))
    return [_swap(first, found[0], found[1], receiver, after)]


def _swaps(executor: str, hops: Sequence[Hop], found: Sequence[int]) -> list[Step]:
    """Each swap pays into the next pool where that is paid before it swaps."""
    steps = []
    for at, hop in enumerate(hops):
        amount, out = found[at], found[at + 1]
        asks = not isinstance(hop.pool, PairPool)
        after = [_transfer(hop.sold, hop.pool.address, amount)] if asks else []
        steps.append(_swap(hop, amount, out, _receiver(executor, hops[at + 1 :]), after))
    return steps


def _receiver(executor: str, rest: Sequence[Hop]) -> str:
    """Who gets what is bought: the next pool where it is paid beforehand, else the executor."""
    if rest and isinstance(rest[0].pool, PairPool):
        return rest[0].pool.address
    return executor


def _swap(hop: Hop, amount: int, out: int, receiver: str, after: Sequence[Step]) -> Step:
    """One swap, with what it has run before it is done."""
    told = Web3().codec.encode([CALLS], [after]) if after else b""
    then = bytes(Web3.keccak(told)) if after else NOTHING
    forwards = hop.sold == hop.pool.tokens[0].address
    if isinstance(hop.pool, PairPool):
        outs = (0, out) if forwards else (out, 0)
        data = PAIR.encode("swap", *outs, receiver, told)
    else:
        limit = ROOT_MIN + 1 if forwards else ROOT_MAX - 1
        data = POOL.encode("swap", receiver, forwards, amount, limit, told)
    return hop.pool.address, 0, bytes.fromhex(data[2:]), then


def _transfer(token: str, to: str, amount: int) -> Step:
    return token, 0, bytes.fromhex(ERC20.encode("transfer", to, amount)[2:]), NOTHING
