"""The nodes: failing over, coming back, and whose fault an error is."""

import asyncio
import json
import re
import time

import httpx
import pytest

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.domain.errors import BadVenueData, RateLimited, Unavailable
from arb.net.rpc import Call, Reverted, Rpc, RpcOptions, TransactionRefused

FIRST, SECOND = "https://first.test/secret-key", "https://second.test"
WALLET = "0x" + "1f" * 20
HASH = "0x" + "ee" * 32


class Nodes:
    """Two nodes whose answers a test sets."""

    def __init__(self):
        self.asked = []
        self.answers = {"first.test": {}, "second.test": {}}
        self.time = 0.0

    def __call__(self, request):
        asked = json.loads(request.content)
        host, method = request.url.host, asked["method"]
        if method != "eth_chainId":
            self.asked.append((host, method, asked["params"]))
        answers = {"eth_chainId": "0x89", "eth_gasPrice": "0x5", **self.answers[host]}
        answer = answers[method] if "*" not in answers else answers["*"]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        if isinstance(answer, dict) and "code" in answer:
            return httpx.Response(200, json={"id": asked["id"], "error": answer})
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": asked["id"], "result": answer})

    def hosts(self):
        hosts = [host for host, _, _ in self.asked]
        self.asked.clear()
        return hosts


@pytest.fixture
async def world():
    nodes = Nodes()
    options = RpcOptions(urls=(FIRST, SECOND), pause_seconds=30)
    rpc = Rpc(options, monotonic=lambda: nodes.time, transport=httpx.MockTransport(nodes))
    yield nodes, rpc
    await rpc.close()


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("no"),
        httpx.ReadTimeout("slow"),
        httpx.Response(429),
        httpx.Response(502, text="bad gateway"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"id": 999, "result": "0x1"}),
        {"code": -32603, "message": "internal error"},
        {"code": -32005, "message": "limit exceeded"},
        {"code": -32000, "message": "header not found"},
    ],
)
async def test_another_node_is_asked_when_one_fails_and_the_first_again_after_a_pause(
    world, failure
):
    nodes, rpc = world
    nodes.answers["first.test"] = {"eth_gasPrice": failure}
    assert await rpc.gas_price() == 5
    assert nodes.hosts()[-1] == "second.test"
    nodes.answers["first.test"] = {"eth_gasPrice": "0x7"}
    nodes.time = 29
    assert await rpc.gas_price() == 5
    assert nodes.hosts() == ["second.test"]
    nodes.time = 31
    assert await rpc.gas_price() == 7
    assert nodes.hosts() == ["first.test"]
    assert rpc.counts["failures:first.test"] == 1


async def test_another_node_that_takes_over_is_told_once_and_without_keys():
    nodes, told = Nodes(), []
    rpc = Rpc(
        RpcOptions(urls=(FIRST, SECOND), pause_seconds=30),
        monotonic=lambda: nodes.time,
        transport=httpx.MockTransport(nodes),
        tell=told.append,
    )
    nodes.answers["first.test"] = {"*": httpx.ConnectError("no")}
    for nodes.time in (0, 1, 31, 62):  # asked again after each pause, and still away
        assert await rpc.gas_price() == 5
    (said,) = told
    assert said.startswith("first.test does not answer")
    assert said.endswith(": second.test is asked instead")
    assert "secret-key" not in said
    nodes.answers["first.test"], nodes.time = {}, 93
    assert await rpc.gas_price() == 5  # back, and away again: that is news
    nodes.answers["first.test"] = {"*": httpx.ConnectError("no")}
    assert await rpc.gas_price() == 5
    assert len(told) == 2
    await rpc.close()


async def test_when_all_rest_they_are_asked_all_the_same(world):
    nodes, rpc = world
    for host in nodes.answers:
        nodes.answers[host] = {"*": httpx.ConnectError("no")}
    with pytest.raises(Unavailable) as caught:
        await rpc.gas_price()
    assert "first.test does not answer" in str(caught.value)
    assert "secret-key" not in str(caught.value)
    nodes.answers["second.test"] = {}
    assert await rpc.gas_price() == 5


async def test_all_nodes_asking_to_wait_is_a_rate_limit(world):
    nodes, rpc = world
    for host in nodes.answers:
        nodes.answers[host] = {"*": httpx.Response(429)}
    with pytest.raises(RateLimited):
        await rpc.gas_price()


async def test_a_node_of_another_chain_is_not_believed(world):
    nodes, rpc = world
    nodes.answers["first.test"] = {"eth_chainId": "0x1", "eth_gasPrice": "0x7"}
    assert await rpc.gas_price() == 5
    assert nodes.hosts() == ["second.test"]
    nodes.answers["second.test"] = {"*": httpx.ConnectError("no")}
    with pytest.raises(Unavailable, match="chain 1, not 137"):
        await rpc.gas_price()


async def test_a_contracts_refusal_is_an_answer_and_no_reason_to_ask_another(world):
    nodes, rpc = world
    call = Call(WALLET, "0x12")
    for refusal in (
        {"code": 3, "message": "execution reverted: no"},
        {"code": -32000, "message": "execution reverted"},
    ):
        nodes.answers["first.test"] = {"eth_call": refusal, "eth_estimateGas": refusal}
        with pytest.raises(Reverted, match="reverted"):
            await rpc.call_raw(call, sender=WALLET)
        with pytest.raises(Reverted):
            await rpc.estimate_gas(call, WALLET)
    assert set(nodes.hosts()) == {"first.test"}


async def test_a_signed_transaction_may_go_to_a_second_node_and_be_known_there(world):
    nodes, rpc = world
    nodes.answers["first.test"] = {"eth_sendRawTransaction": httpx.ReadTimeout("slow")}
    known = {"code": -32000, "message": "already known"}
    nodes.answers["second.test"] = {"eth_sendRawTransaction": known}
    await rpc.send_raw("0x02", HASH)
    assert nodes.hosts() == ["first.test", "second.test"]
    nodes.answers["second.test"] = {"eth_sendRawTransaction": HASH.upper().replace("X", "x")}
    await rpc.send_raw("0x02", HASH)
    nodes.answers["second.test"] = {"eth_sendRawTransaction": "0x" + "11" * 32}
    with pytest.raises(BadVenueData):
        await rpc.send_raw("0x02", HASH)


@pytest.mark.parametrize("said", ["nonce too low", "insufficient funds for gas * price + value"])
async def test_a_transaction_that_no_node_will_take_is_refused_at_once(world, said):
    nodes, rpc = world
    nodes.answers["first.test"] = {"eth_sendRawTransaction": {"code": -32000, "message": said}}
    with pytest.raises(TransactionRefused, match=said[:10]):
        await rpc.send_raw("0x02", HASH)
    assert nodes.hosts() == ["first.test"]


async def test_reads_say_what_they_ask_and_at_which_block(world):
    nodes, rpc = world
    block = {"number": "0x10", "hash": HASH, "timestamp": "0x20"}
    receipt = {
        "transactionHash": HASH,
        "blockNumber": "0x10",
        "blockHash": HASH,
        "status": "0x1",
        "gasUsed": "0x5208",
    }
    nodes.answers["first.test"] = {
        "eth_getBalance": "0x64",
        "eth_getCode": "0x",
        "eth_getTransactionCount": "0x3",
        "eth_getBlockByNumber": block,
        "eth_getTransactionReceipt": receipt,
        "eth_call": "0x" + "00" * 31 + "2a",
    }
    assert await rpc.balance(WALLET, block=16) == 100
    assert nodes.asked[-1][2] == [WALLET, "0x10"]
    assert await rpc.code(WALLET) == "0x"
    assert await rpc.transaction_count(WALLET) == 3
    assert nodes.asked[-1][2] == [WALLET, "pending"]
    assert (await rpc.block("finalized")).number == 16
    assert nodes.asked[-1][2] == ["finalized", False]
    assert (await rpc.receipt(HASH)).succeeded
    assert await rpc.call(calls.dollars(Contracts(), WALLET)) == 42
    nodes.answers["first.test"] |= {
        "eth_getTransactionReceipt": None,
        "eth_getBlockByNumber": None,
    }
    assert await rpc.receipt(HASH) is None
    assert await rpc.block(10**9) is None
    for wrong in ("12", 12, "0xzz", None):
        nodes.answers["first.test"]["eth_getBalance"] = wrong
        with pytest.raises(BadVenueData):
            await rpc.balance(WALLET)


class _Drips(httpx.AsyncByteStream):
    async def __aiter__(self):
        while True:
            yield b" "
            await asyncio.sleep(0.01)


async def test_a_node_that_answers_in_drips_for_ever_is_passed_over():
    def answer(request):
        if request.url.host == "first.test":
            return httpx.Response(200, stream=_Drips())
        result = "0x89" if b"eth_chainId" in request.content else "0x5"
        asked = json.loads(request.content)
        return httpx.Response(200, json={"id": asked["id"], "result": result})

    options = RpcOptions(urls=(FIRST, SECOND), answer_seconds_max=0.3)
    rpc = Rpc(options, monotonic=time.monotonic, transport=httpx.MockTransport(answer))
    assert await rpc.gas_price() == 5
    assert rpc.counts["failures:first.test"] == 1
    await rpc.close()


async def test_the_last_node_to_ask_may_be_slow_where_another_would_be_asked_instead():
    async def answer(reader, writer):
        header = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", header.lower())[1])
        asked = json.loads(await reader.readexactly(length))
        result = "0x89" if asked["method"] == "eth_chainId" else "0x5"
        body = json.dumps({"id": asked["id"], "result": result}).encode()
        await asyncio.sleep(0.6)
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as slow:
        node = f"http://127.0.0.1:{slow.sockets[0].getsockname()[1]}"
        for urls, failures in (((node,), 0), ((node, f"{node}/second"), 1)):
            options = RpcOptions(urls=urls, read_timeout_seconds=0.2)
            rpc = Rpc(options, monotonic=time.monotonic)
            assert await rpc.gas_price() == 5
            assert sum(n for key, n in rpc.counts.items() if key.startswith("failures")) == failures
            await rpc.close()
