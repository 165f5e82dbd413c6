"""Whatever a node answers: an answer of the right kind, or an error that the reader names."""

import json
import random
import sys

import httpx
import pytest

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.holdings import Holdings
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.errors import VenueError
from arb.domain.market import OutcomeId
from arb.net.rpc import Rpc, RpcOptions

WALLET = "0x" + "11" * 20
WORDS = "0x" + f"{32:064x}{2:064x}{5:064x}{6:064x}"
REAL = [
    {"jsonrpc": "2.0", "id": 1, "result": "0x89"},
    {"jsonrpc": "2.0", "id": 1, "result": WORDS},
    {"jsonrpc": "2.0", "id": 1, "result": "0x" + f"{7:064x}"},
    {"jsonrpc": "2.0", "id": 1, "result": {"number": "0x5", "hash": "0x1", "timestamp": "0x9"}},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "execution reverted: no"}},
]
ODD = [
    None,
    True,
    -1,
    10**400,
    1e308,
    "",
    "0x",
    "0x" + "f" * 64,
    "0x" + "f" * 5000,
    "0x1_0",
    "0xz",
    "\u0661",
    [],
    {},
    [[[[]]]],
]


def _spoilt(chance):
    body = json.loads(json.dumps(chance.choice(REAL)))
    kind = chance.randrange(5)
    if kind == 0:
        body[chance.choice(list(body))] = chance.choice(ODD)
    elif kind == 1 and isinstance(body.get("result"), dict):
        body["result"][chance.choice(list(body["result"]))] = chance.choice(ODD)
    raw = json.dumps(body).encode()
    if kind == 2:
        raw = raw.replace(b'"', b'"\xff', chance.randrange(1, 9))
    elif kind == 3:
        at = chance.randrange(len(raw))
        raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
    elif kind == 4:
        depth = chance.choice([10, 1000, 100_000])
        raw = b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * depth + b"]" * depth + b"}"
    return raw


async def test_nesting_is_bounded_whatever_the_interpreter_allows():
    """Libraries raise the limit of recursion; the stack of the process is as small as before."""
    limit = sys.getrecursionlimit()
    deep = b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
    rpc = Rpc(
        RpcOptions(urls=("http://node.test",)),
        monotonic=lambda: 0.0,
        transport=httpx.MockTransport(lambda _request: httpx.Response(200, content=deep)),
    )
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(VenueError, match="nested deeper"):
            await rpc.gas_price()
    finally:
        sys.setrecursionlimit(limit)
        await rpc.close()


@pytest.mark.parametrize("tries", [1500, pytest.param(25_000, marks=pytest.mark.full)])
async def test_every_answer_of_a_node_is_read_or_refused_by_name(tries):
    chance = random.Random(f"rpc/{tries}")
    outcome = OutcomeId(POLYMARKET, str(2 << 248))
    spoilt = b""

    async def node(request):
        asked = json.loads(request.content)
        if asked["method"] == "eth_chainId" and chance.random() < 0.9:
            return httpx.Response(200, json={"jsonrpc": "2.0", "id": asked["id"], "result": "0x89"})
        own = b'"id":%d' % asked["id"]
        return httpx.Response(200, content=spoilt.replace(b'"id": 1', own).replace(b'"id":1', own))

    read = 0
    for _ in range(tries):
        spoilt = _spoilt(chance)
        rpc = Rpc(
            RpcOptions(urls=("http://node.test",)),
            monotonic=lambda: 0.0,
            transport=httpx.MockTransport(node),
        )
        holdings = Holdings(rpc, Contracts(), WALLET)
        question = chance.choice(
            [
                holdings.cash,
                lambda holdings=holdings: holdings.of([outcome, outcome]),
                rpc.block,
                rpc.gas_price,
                lambda rpc=rpc: rpc.receipt("0x1"),
                lambda rpc=rpc: rpc.call(calls.market_data(Contracts(), "0x" + "22" * 31 + "00")),
            ]
        )
        try:
            await question()
            read += 1
        except VenueError:
            pass
        finally:
            await rpc.close()
    assert read
