"""Spreads between pools on a real chain: what was quoted is what comes, or nothing but gas is lost."""

import asyncio
import contextlib
import json
import os
import sys
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from arb.adapters.clock import SystemClock
from arb.config.sources import load
from arb.domain.errors import ConfigError
from arb.net.rpc import Reverted
from arb.onchain.abi import Contract, function
from arb.onchain.chain import ERC20, Chain
from arb.onchain.options import ChainOptions
from arb.onchain.spreads.executor import EXECUTOR
from arb.onchain.spreads.reading import PAIR
from arb.onchain.spreads.scan import SpreadScanner
from arb.runtime.spreads import eyes
from tests.anvil import CHAIN_ID, options
from tests.dex import ONE


async def apart(dex):
    """Two v2-like pools whose prices are 3 % apart."""
    cheap = await dex.pair("WETH", 1000, "USD", 2_000_000)
    dear = await dex.pair("WETH", 1000, "USD", 2_060_000)
    return cheap, dear


async def send(dex, certificate):
    chain, owner = dex.world.chain, dex.world.owner
    filled = await chain.fill(certificate.call, owner.address)
    signed = await chain.send(filled, owner)
    return await chain.wait(signed.hash)


@pytest.mark.parametrize("flash", [True, False])
async def test_two_pools_3_percent_apart_bring_what_was_quoted_to_the_last_unit(dex, flash):
    cheap, dear = await apart(dex)
    scanner = dex.scanner(f"v2:{cheap}", f"v2:{dear}")
    if not flash:
        await dex.fund("USD", 20_000)
    (found,) = (await scanner.look()).certificates
    found = await scanner.again(found, flash=flash)
    assert found.simulated and not found.against(scanner.options)
    assert found.spread == Decimal("0.030000")
    assert [hop.pool.address for hop in found.way.hops] == [cheap, dear]
    before = await dex.held("USD", dex.executor)
    receipt = await send(dex, found)
    assert receipt.succeeded
    assert await dex.held("USD", dex.executor) - before == found.gain > 80 * ONE
    (ran,) = [one for one in map(EXECUTOR.event, receipt.logs) if one]
    assert ran.values == {"token": dex.tokens["USD"], "gained": found.gain}
    assert receipt.gas_used <= found.gas_limit


async def test_when_the_block_moves_it_reverts_and_loses_no_more_than_was_stated(dex):
    cheap, dear = await apart(dex)
    scanner = dex.scanner(f"v2:{cheap}", f"v2:{dear}")
    (found,) = (await scanner.look()).certificates
    filled = await dex.world.chain.fill(found.call, dex.owner)
    # Somebody buys in the cheap pool first.
    await dex.world.do(ERC20.call(dex.tokens["USD"], "transfer", cheap, 1000 * ONE))
    usd_first = int(dex.tokens["USD"], 16) < int(dex.tokens["WETH"], 16)
    outs = (0, ONE // 10) if usd_first else (ONE // 10, 0)
    await dex.world.do(PAIR.call(cheap, "swap", *outs, dex.owner, b""), dex.world.signers[1])
    signed = await dex.world.chain.send(
        type(filled)(**{**_fields(filled), "nonce": filled.nonce + 1}), dex.world.owner
    )
    before = await dex.held("USD", dex.executor)
    receipt = await dex.world.chain.wait(signed.hash)
    assert not receipt.succeeded
    assert await dex.held("USD", dex.executor) == before
    coin = Decimal(found.coin.numerator) / found.coin.denominator / ONE
    lost = receipt.gas_used * receipt.gas_price * coin
    assert 0 < lost <= found.loss_usd
    again = await scanner.look()
    assert again.block.number > found.block.number


def _fields(one):
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


async def test_triangles_and_v3_pools_bring_what_was_quoted(dex):
    await dex.token("BTC")
    await dex.exchange()
    ticks = await dex.pool("WETH", "USD", 500, 2000.0, 1000)
    pair = await dex.pair("WETH", 1000, "USD", 2_100_000)
    ratio = await dex.pair("BTC", 100, "WETH", 2900)
    other = await dex.pool("BTC", "USD", 3000, 60_000.0, 100)
    specs = (f"v3:{ticks}", f"v2:{pair}", f"v2:{ratio}", f"v3:{other}")
    await dex.fund("USD", 200_000)
    scanner = dex.scanner(*specs, max_input_usd=Decimal(1_000_000))
    look = await scanner.look()
    assert not look.unread and len(look.pools) == 4
    kinds = {len(one.way.hops) for one in look.certificates}
    assert kinds == {2, 3}
    snapshot = await dex.world.control("evm_snapshot")
    for one in look.certificates:
        for flash in (True, False):
            found = await scanner.again(one, flash=flash)
            assert found.simulated, (one.way.title, found.problem)
            before = await dex.held("USD", dex.executor)
            receipt = await send(dex, found)
            assert receipt.succeeded
            assert await dex.held("USD", dex.executor) - before == found.gain
            assert await dex.world.control("evm_revert", snapshot)
            snapshot = await dex.world.control("evm_snapshot")


async def test_what_the_layer_below_takes_is_part_of_the_cost(dex):
    cheap, dear = await apart(dex)
    pools = f"v2:{cheap}", f"v2:{dear}"
    (plain,) = (await dex.scanner(*pools).look()).certificates
    # A contract that answers 0.01 of the coin, whatever it is asked.
    oracle, fee = "0x" + "1f" * 20, ONE // 100
    code = f"0x66{fee:014x}60005260206000f3"
    await dex.world.control("anvil_setCode", oracle, code)
    await dex.world.control("evm_mine")
    chain = Chain(
        options(dex.world.server.url, l1_fee_oracle=oracle, fee_gwei_max=Decimal(50)),
        clock=SystemClock(),
    )
    try:
        (found,) = (
            await SpreadScanner(chain, dex.options(*pools), SystemClock()).look()
        ).certificates
    finally:
        await chain.close()
    assert found.data_fee == fee
    # The base fee of another block is another: each is compared with its own gas.
    for one, beside in ((plain, 0), (found, fee)):
        wei = one.gas * one.gas_price + beside
        whole = Decimal(int(wei * one.coin)) / 10**one.way.token.decimals
        assert abs(one.gas_usd - whole) < Decimal("0.00001")
    data = Decimal(int(fee * found.coin)) / 10**found.way.token.decimals
    assert abs(data - Decimal("20.60")) < Decimal("0.1")  # at 2060 USD
    assert found.loss_usd - plain.loss_usd > 19
    assert found.profit_usd < plain.profit_usd - 19
    base = ChainOptions()
    assert base.fee_oracle == "0x420000000000000000000000000000000000000f"
    assert ChainOptions(chain_id=1).fee_oracle == ""


async def test_only_its_owner_runs_the_executor_and_only_as_promised(dex):
    cheap, dear = await apart(dex)
    scanner = dex.scanner(f"v2:{cheap}", f"v2:{dear}")
    (found,) = (await scanner.look()).certificates
    chain, stranger = dex.world.chain, dex.world.signers[1].address
    with pytest.raises(Reverted) as refused:
        await chain.simulate(found.call, stranger)
    assert EXECUTOR.why(refused.value) == "NotTheOwner()"
    theft = PAIR.encode("swap", 1, 0, dex.executor, b"\1")
    pool = dex.world.signers[2].address
    for data in (theft, "0x" + "12345678", "0x" + "12345678" + f"{0:064x}" * 2 + f"{96:064x}"):
        with pytest.raises(Reverted):
            await chain.simulate(type(found.call)(dex.executor, data), pool)
    await dex.fund("USD", 5)
    await dex.world.do(await dex.take_out("USD", 5 * ONE))
    assert await dex.held("USD", dex.executor) == 0


def recorded(dex):
    """Answers in the shape of each API, made by hand."""
    weth, usd = dex.tokens["WETH"], dex.tokens["USD"]
    coins = [
        {"address": weth.upper().replace("X", "x"), "usdPrice": 2001.25, "decimals": "18"},
        {"address": usd, "usdPrice": None, "decimals": "18"},
        {"address": "0x" + "55" * 20, "usdPrice": 1.5, "decimals": "18"},
    ]
    rows = [{"address": weth, "price": 1999.5}, {"address": usd, "price": 0.9998}]
    return {
        "/v1/getPools/all/local": {"success": True, "data": {"poolData": [{"coins": coins}]}},
        "/graphql": {"data": {"tokenGetCurrentPrices": rows}},
        f"/price/v1.1/31337/{','.join(sorted((weth, usd)))}": {weth: "2000.75", usd: "1e9999"},
    }


@contextlib.contextmanager
def answering(answers):
    """A server of these answers by path, and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("content-length", 0))
            told = (self.path, self.rfile.read(length).decode(), self.headers.get("authorization"))
            asked.append(told)
            found = answers.get(self.path.partition("?")[0])
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        do_POST = do_GET  # noqa: N815  # the library names its methods so

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def flags(dex, *pools, **more):
    options = dex.options(*pools)
    names = ("quoter", "dollars", "wrapped", "executor", "sender")
    return {
        "chain.name": "local",
        "chain.chain_id": CHAIN_ID,
        "chain.rpc_urls": [dex.world.server.url],
        "spreads.pools": list(pools),
        "spreads.max_block_age": 10**7,
        "logging.folder": "",
        **{f"spreads.{name}": getattr(options, name) for name in names},
        **more,
    }


async def test_prices_of_curve_balancer_and_1inch_stand_beside_those_of_the_pools(dex, tmp_path):
    cheap, dear = await apart(dex)
    with answering(recorded(dex)) as (url, asked):
        more = {
            "spreads.curve_url": f"{url}/v1",
            "spreads.balancer_url": f"{url}/graphql",
            "spreads.oneinch_url": f"{url}/price/v1.1",
            "spreads.oneinch_key": "a-key-of-1inch",
        }
        loaded = load(flags=flags(dex, f"v2:{cheap}", f"v2:{dear}", **more), folder=tmp_path)
        async with eyes(loaded) as found:
            _, seen = await found.look()
        weth, usd = dex.tokens["WETH"], dex.tokens["USD"]
        said = {(one["source"], one["token"]): one for one in seen["elsewhere"]}
        assert {key: one["usd"] for key, one in said.items()} == {
            ("curve", weth): "2001.25",
            ("balancer", weth): "1999.5",
            ("balancer", usd): "0.9998",
            ("1inch", weth): "2000.75",
        }
        assert said["curve", weth]["pools_usd"] == "2030.000000"
        assert seen["problems"] == []
        bodies = {path.partition("?")[0]: (body, key) for path, body, key in asked}
        assert "tokenGetCurrentPrices(chains: [LOCAL])" in bodies["/graphql"][0]
        keys = {path: key for path, (_, key) in bodies.items() if key}
        (path,) = keys
        assert path.startswith("/price/v1.1/31337/") and keys[path] == "Bearer a-key-of-1inch"
        assert "a-key-of-1inch" not in json.dumps(seen)
    broken = {
        "/v1/getPools/all/local": {"data": {"poolData": {}}},
        "/graphql": {"errors": [{"message": "no such chain"}], "data": None},
    }
    with answering(broken) as (url, _):
        more |= {
            "spreads.curve_url": f"{url}/v1",
            "spreads.balancer_url": f"{url}/graphql",
            "spreads.oneinch_url": f"{url}/price/v1.1",
        }
        loaded = load(flags=flags(dex, f"v2:{cheap}", f"v2:{dear}", **more), folder=tmp_path)
        async with eyes(loaded) as found:
            look, seen = await found.look()
    assert len(look.certificates) == 1
    assert [one.partition(":")[0] for one in seen["problems"]] == ["curve", "balancer", "1inch"]


async def test_arb_spreads_shows_a_scan_in_a_table_and_as_json(dex, tmp_path):
    cheap, dear = await apart(dex)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ARB_")}
    more = {"database.url": f"sqlite+aiosqlite:///{tmp_path}/arb.db"}
    for name, value in flags(dex, f"v2:{cheap}", f"v2:{dear}", **more).items():
        text = json.dumps(list(value)) if isinstance(value, list | tuple) else str(value)
        environment[f"ARB_{name.upper().replace('.', '__')}"] = text

    async def arb(*words):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arb", "spreads", *words),
            env=environment,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        return process.returncode, out.decode(), errors.decode()

    code, out, errors = await arb("--json")
    assert code == 0, errors
    seen = json.loads(out)
    (one,) = seen["spreads"]
    assert (one["decision"], one["simulated"], one["reason"]) == ("approved", True, None)
    assert [swap["pool"] for swap in one["swaps"]] == [cheap, dear]
    stands, lost = Decimal(one["if_the_block_stands"]), Decimal(one["if_not"])
    assert stands == Decimal(one["gain"]) - Decimal(one["gas_usd"]) > 80
    assert lost < 0 and -lost >= Decimal(one["gas_usd"])
    environment["ARB_SPREADS__MIN_PROFIT_USD"] = "1000"
    code, out, errors = await arb()
    assert code == 0, errors
    assert "refused: a profit of" in out and "USD is below 1000" in out
    assert "is no guarantee" in out
    environment["ARB_CHAIN__RPC_URLS"] = "[]"
    code, out, errors = await arb("--kept")  # asks no chain
    assert code == 0 and "Spreads of spreads:default" in out, errors
    assert "0 handed over" in out and "0 USD." in out
    code, _, errors = await arb()
    assert code == 2 and "ARB_CHAIN__RPC_URLS" in errors


async def test_thresholds_and_what_cannot_be_read_are_told(dex):
    cheap, dear = await apart(dex)
    wide = dex.scanner(f"v2:{cheap}", f"v2:{dear}", min_spread=Decimal("0.031"))
    assert (await wide.look()).certificates == []
    document = dex.scanner(f"v2:{cheap}", f"v2:{dear}", min_spread=Decimal("0.0023"))
    assert len((await document.look()).certificates) == 1
    old = dex.scanner(f"v2:{cheap}", f"v2:{dear}", max_block_age=0.0)
    await dex.world.control("evm_setTime", 1_700_000_000)
    (found,) = (await old.look()).certificates
    assert "s old, more than 0" in found.against(old.options)
    nothing = "0x" + "77" * 20
    blind = dex.scanner(f"v2:{cheap}", f"v2:{dear}", f"v2:{nothing}", wrapped=nothing)
    look = await blind.look()
    assert set(look.unread) == {nothing}
    assert "the price of gas is not known" in look.problem and not look.certificates
    bare = dex.scanner(f"v2:{cheap}", f"v2:{dear}", executor="", sender="")
    (found,) = (await bare.look()).certificates
    assert found.against(bare.options) == "there is no spreads.executor to simulate it with"
    absent = dex.scanner(f"v2:{cheap}", f"v2:{dear}", executor=nothing)
    (found,) = (await absent.look()).certificates
    assert found.against(absent.options) == f"there is no executor at {nothing}"
    for wrong, said in {
        "v4:0x12": "v2:ADDRESS",
        f"v3:{nothing}": "spreads.quoter",
        f"v2:{cheap}": "twice",
        f"v3:{nothing}/30": "v2:ADDRESS",
    }.items():
        with pytest.raises(ConfigError, match=said):
            dex.scanner(f"v2:{cheap}", wrong)


async def test_a_v3_pool_that_moved_gives_less_and_all_is_undone(dex):
    """Its swap would go through: what must be gained is what undoes it."""
    await dex.exchange()
    ticks = await dex.pool("WETH", "USD", 500, 2000.0, 1000)
    pair = await dex.pair("WETH", 1000, "USD", 1_900_000)
    scanner = dex.scanner(f"v3:{ticks}", f"v2:{pair}")
    (found,) = (await scanner.look()).certificates
    assert [hop.pool.address for hop in found.way.hops] == [pair, ticks]
    chain = dex.world.chain
    assert (await send(dex, found)).succeeded
    with pytest.raises(Reverted) as refused:
        await chain.simulate(found.call, dex.owner)
    assert "K" in EXECUTOR.why(refused.value)
    # The pair gives what it gave, and more; the v3 pool has moved.
    await dex.world.do(ERC20.call(dex.tokens["WETH"], "transfer", pair, 100 * ONE))
    await dex.world.do(Contract(function("sync")).call(pair, "sync"))
    with pytest.raises(Reverted) as refused:
        await chain.simulate(found.call, dex.owner)
    assert EXECUTOR.why(refused.value).startswith("TooLittle(")
    # At its own block it still holds; at the newest it is refused.
    assert EXECUTOR.read("run", await chain.simulate(found.call, dex.owner, at=found.block))
    assert await scanner.again(found, flash=False) is None  # it had no tokens at that block
