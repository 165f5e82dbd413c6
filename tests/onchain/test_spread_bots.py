"""Spreads through the mailbox: who gets them, what bots do with them, and what the chain says."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from decimal import Decimal

import pytest

from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.routing import MEASURES, route
from arb.adapters.clock import SystemClock
from arb.adapters.storage import open_attempts
from arb.config.sources import load
from arb.domain.attempt import AttemptStep
from arb.domain.errors import ConfigError
from arb.domain.news import Attempted
from arb.net.rpc import Call
from arb.onchain.chain import ERC20
from arb.onchain.spreads.reading import PAIR
from arb.operations.bot_files import bots_of
from arb.operations.halt_file import say_halt, sentinel_of
from arb.publisher import Publisher
from arb.runtime.spreads import Bound, account, desk, with_spreads
from tests.conftest import ROOT
from tests.dex import ONE
from tests.onchain.test_spreads import flags

FOLDER = ROOT / "examples" / "bots" / "spreads"
BOTS = "\n".join(
    f'[bot.{name}]\ncommand = ["{sys.executable}", "{name}.py"]\nfolder = "{FOLDER}"\n'
    f'kinds = ["dex_spread"]\nenvironment = ["SPREADS_RPC_URL", "SPREADS_RELAY_URL"]\n'
    for name in ("atom", "adom")
)
ROUTES = """
[[route]]
name = "mev"
when = "mev_risk > 100"
bot = "adom"
[[route]]
name = "profit"
when = "profit > 100"
bot = "adom"
[[route]]
name = "gas"
when = "gas > 5"
bot = "atom"
[[route]]
name = "default"
bot = "atom"
"""


def loaded(dex, folder, *pools, **more):
    (folder / "bots.toml").write_text(BOTS + ROUTES)
    where = {
        "database.url": f"sqlite+aiosqlite:///{folder}/arb.db",
        "bots.definitions": str(folder / "bots.toml"),
        "bots.folder": str(folder / "comm"),
        "bots.logs": str(folder / "logs"),
        "spreads.live": True,
        "chain.poll_seconds": 0.02,
    }
    return load(flags=flags(dex, *pools, **{**where, **more}), folder=folder)


@contextlib.asynccontextmanager
async def desk_of(dex, folder, *pools, **more):
    """A desk whose bots are played by the test."""
    known = loaded(dex, folder, *pools, **more)
    mailbox = Mailbox(folder / "comm", SystemClock())
    bound = Bound(bots_of(known.settings), mailbox, lambda: ("atom", "adom"))
    try:
        async with desk(known, bound, lambda *_: None) as found:
            yield found
    finally:
        mailbox.close()


async def facts(folder):
    kept = await open_attempts(f"sqlite+aiosqlite:///{folder}/arb.db", "spreads:default")
    try:
        return await kept.facts()
    finally:
        await kept.close()


def command(folder, bot):
    return json.loads((folder / "comm" / "commands" / f"{bot}_command.json").read_text())


def answer(folder, bot, **said):
    """What a bot says, as the users' document has it."""
    (folder / "comm" / "commands" / f"{bot}_command.json").unlink(missing_ok=True)
    result = {"bot_name": bot.upper(), "success": True, "timestamp": time.time(), **said}
    (folder / "comm" / "results" / f"{bot}_result.json").write_text(json.dumps(result))


async def send(dex, prepared):
    call = Call(prepared["to"], prepared["data"], prepared["value"], prepared["gas"])
    filled = await dex.world.chain.fill(call, prepared["sender"])
    return (await dex.world.chain.send(filled, dex.world.owner)).hash


async def small(dex):
    """Two pools 3 % apart whose spread brings about 35 USD."""
    return (
        await dex.pair("WETH", 250, "USD", 500_000),
        await dex.pair("WETH", 250, "USD", 515_000),
    )


async def test_rules_route_as_the_document_says(dex, tmp_path):
    known = bots_of(loaded(dex, tmp_path, "v2:" + "0x" + "11" * 20).settings)
    rules, bots = known.rules, known.definitions

    def goes(**measures):
        found = {"profit": 50, "mev_risk": 10, "gas": 1, **measures}
        return route(
            rules, bots, "dex_spread", {name: Decimal(value) for name, value in found.items()}
        )

    assert (goes(mev_risk=101).bot, goes(mev_risk=101).rule) == ("adom", "mev")
    assert (goes(profit="100.01").bot, goes(profit="100.01").rule) == ("adom", "profit")
    assert (goes(gas=6).bot, goes(gas=6).rule) == ("atom", "gas")
    assert (goes().bot, goes().rule) == ("atom", "default")
    # MEV risk is asked first, and a proven plan goes to no bot for spreads.
    assert goes(mev_risk=101, gas=6).bot == "adom"
    plan = route(rules, bots, "negrisk_no", {"profit": Decimal(500)})
    assert plan.bot == ""
    assert [one.why for one in plan.verdicts][:2] == [
        "negrisk_no has no mev_risk",
        "adom does not take negrisk_no",
    ]
    assert {"mev_risk", "gas"} <= MEASURES.keys()


async def test_a_bot_for_spreads_takes_nothing_else(dex, tmp_path):
    for kinds in ('["dex_spread", "negrisk_no"]', '["dex_spred"]'):
        text = BOTS.replace('["dex_spread"]', kinds, 1)
        (tmp_path / "wrong.toml").write_text(text)
        known = load(flags={"bots.definitions": str(tmp_path / "wrong.toml")}, folder=tmp_path)
        with pytest.raises(ConfigError, match="kinds"):
            bots_of(known.settings)


async def test_both_example_bots_swap_through_the_mailbox(dex, tmp_path):
    """`arb spreads --live` with its supervised bots, as an operator runs it."""
    big = (
        await dex.pair("WETH", 1000, "USD", 2_000_000),
        await dex.pair("WETH", 1000, "USD", 2_060_000),
    )
    little = await small(dex)
    await dex.fund("USD", 3_000)
    pools = [f"v2:{pool}" for pool in (*big, *little)]
    known = loaded(
        dex, tmp_path, *pools, **{"spreads.interval": 1, "spreads.max_input_usd": 30_000}
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ARB_")}
    environment |= {"SPREADS_RPC_URL": dex.world.server.url}
    for name, source in known.sources.items():
        if source != "command line":
            continue
        section, _, setting = name.partition(".")
        value = getattr(getattr(known.settings, section), setting)
        text = json.dumps(list(value)) if isinstance(value, tuple) else str(value)
        environment[f"ARB_{section}__{setting}".upper()] = text
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "arb", "spreads", "--live", "--json"),
        env=environment,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    reading = asyncio.create_task(process.communicate())
    done = {}
    try:
        while len(done) < 2:
            assert process.returncode is None, (await reading)[1].decode()
            await asyncio.sleep(0.2)
            if (tmp_path / "arb.db").exists():
                found = await facts(tmp_path)
                ends = {one.values["bot"]: one for one in found if one.step is AttemptStep.INCLUDED}
                done |= ends
    finally:
        process.send_signal(signal.SIGINT)
        out, errors = await reading
    assert process.returncode == 0, errors.decode()
    given = {
        (one.attempt, one.values["bot"]): one
        for one in await facts(tmp_path)
        if one.step is AttemptStep.SUBMITTED
    }
    for bot, end in done.items():
        quoted = given[end.attempt, bot]
        assert end.values["units_gained"] == quoted.values["units_gained"]
        assert Decimal(end.values["returned_usd"]) > 10
        assert end.values["transaction"].startswith("0x")
        assert quoted.values["flash"] == str(bot == "adom").lower()
    assert Decimal(given[done["adom"].attempt, "adom"].values["returns_usd"]) > 100
    sums = await account(known, 20)
    assert (sums["included"], sums["reverted"], sums["lost_usd"]) == (len(given), 0, "0")
    returned = sum(Decimal(one.values["returned_usd"]) for one in done.values())
    assert Decimal(sums["returned_usd"]) >= returned > 100
    documents = [json.loads(line) for line in out.decode().splitlines()]
    assert documents and all(one["chain"] == "local" for one in documents)
    gained = sum(int(one.values["units_gained"]) for one in done.values())
    assert await dex.held("USD", dex.executor) >= 3_000 * ONE + gained


async def test_a_block_that_moves_costs_the_gas_that_was_stated(dex, tmp_path):
    cheap, dear = await small(dex)
    await dex.fund("USD", 10_000)
    async with desk_of(dex, tmp_path, f"v2:{cheap}", f"v2:{dear}") as found:
        look, _ = await found.eyes.look()
        await found.step(look)
        spread = command(tmp_path, "atom")["spread"]
        assert command(tmp_path, "atom")["opportunity"]["kind"] == "dex_spread"
        # Another buys in the cheap pool first.
        usd_first = int(dex.tokens["USD"], 16) < int(dex.tokens["WETH"], 16)
        await dex.world.do(ERC20.call(dex.tokens["USD"], "transfer", cheap, 500 * ONE))
        outs = (0, ONE // 10) if usd_first else (ONE // 10, 0)
        await dex.world.do(PAIR.call(cheap, "swap", *outs, dex.owner, b""))
        hash_ = await send(dex, spread["transaction"])
        answer(tmp_path, "atom", success=False, data={"profit": 0, "tx_hash": hash_})
        await found.desk.collect()
    end = (await facts(tmp_path))[-1]
    assert end.step is AttemptStep.REVERTED and end.values["transaction"] == hash_
    lost = Decimal(end.values["returned_usd"])
    assert Decimal(spread["if_not"]) <= lost < 0
    assert await dex.held("USD", dex.executor) == 10_000 * ONE


async def test_a_bots_word_counts_for_nothing_against_the_chain(dex, tmp_path):
    pools = [f"v2:{pool}" for pool in await small(dex)]
    await dex.fund("USD", 10_000)
    other = await dex.world.do(ERC20.call(dex.tokens["USD"], "approve", dex.owner, 1))
    said = {
        "its transaction is not the one": {"data": {"profit": 9999, "tx_hash": other.hash}},
        "it names no transaction": {"data": {"profit": 9999}},
        "atom declined: too late": {"success": False, "reason": "too late"},
    }
    async with desk_of(dex, tmp_path, *pools) as found:
        for number, (detail, words) in enumerate(said.items(), 1):
            await dex.world.control("evm_mine")
            look, _ = await found.eyes.look()
            await found.step(look)
            answer(tmp_path, "atom", **words)
            await found.desk.collect()
            end = (await facts(tmp_path))[-1]
            assert end.step is AttemptStep.FAILED and end.detail.startswith(detail)
            assert found.desk.failures["atom"] == number
        # What it was given.
        await dex.world.control("evm_mine")
        look, _ = await found.eyes.look()
        await found.step(look)
        spread = command(tmp_path, "atom")["spread"]
        hash_ = await send(dex, spread["transaction"])
        answer(tmp_path, "atom", data={"profit": 1, "tx_hash": hash_})
        await found.desk.collect()
        end = (await facts(tmp_path))[-1]
        assert end.step is AttemptStep.INCLUDED
        assert end.values["units_gained"] == spread["units_gained"]
        assert Decimal(end.values["said_profit"]) == 1 and found.desk.failures["atom"] == 0


async def test_a_bot_that_names_no_mined_transaction_is_not_believed_either(dex, tmp_path):
    pools = [f"v2:{pool}" for pool in await small(dex)]
    await dex.fund("USD", 10_000)

    async def named_wrong(desk):
        """The bot names a transaction that no block will hold; two blocks come meanwhile."""
        answer(tmp_path, "atom", data={"profit": 1, "tx_hash": "0x" + "12" * 32})
        work = asyncio.create_task(desk.collect())
        while not work.done():
            await dex.world.control("evm_mine")
            await asyncio.sleep(0.02)
        await work
        return (await facts(tmp_path))[-1]

    async with desk_of(dex, tmp_path, *pools, **{"chain.wait_blocks": 2}) as found:
        look, _ = await found.eyes.look()
        await found.step(look)
        end = await named_wrong(found.desk)
        assert (end.step, end.detail) == (AttemptStep.DROPPED, "not mined within 2 blocks")
        look, _ = await found.eyes.look()
        await found.step(look)
        end = await named_wrong(found.desk)
        assert (end.step, end.detail) == (AttemptStep.FAILED, "its transaction is one of before")
        # The same word, and this time what it was given was sent: the executor's record has it.
        look, _ = await found.eyes.look()
        await found.step(look)
        spread = command(tmp_path, "atom")["spread"]
        await send(dex, spread["transaction"])
        end = await named_wrong(found.desk)
        assert end.step is AttemptStep.INCLUDED
        assert end.values["units_gained"] == spread["units_gained"]


async def test_a_silent_bot_and_a_run_that_ended_lose_no_track(dex, tmp_path):
    pools = [f"v2:{pool}" for pool in await small(dex)]
    await dex.fund("USD", 10_000)
    quick = {"spreads.answer_seconds": 0.01, "chain.wait_blocks": 2}
    async with desk_of(dex, tmp_path, *pools, **quick) as found:
        look, _ = await found.eyes.look()
        await found.step(look)
        await asyncio.sleep(0.02)
        await found.desk.collect()
        end = (await facts(tmp_path))[-1]
        assert (end.step, end.detail) == (AttemptStep.DROPPED, "atom never picked it up")
        # Taken, sent, and not a word: the chain has it all the same.
        await dex.world.control("evm_mine")
        look, _ = await found.eyes.look()
        await found.step(look)
        spread = command(tmp_path, "atom")["spread"]
        (tmp_path / "comm" / "commands" / "atom_command.json").unlink()
        await found.desk.collect()
        assert len(found.desk.waiting) == 1
        await send(dex, spread["transaction"])
    async with desk_of(dex, tmp_path, *pools, **quick) as found:
        assert [one.bot for one in found.desk.waiting] == ["atom"]
        await found.desk.collect()
        end = (await facts(tmp_path))[-1]
        assert end.step is AttemptStep.INCLUDED
        assert end.values["units_gained"] == spread["units_gained"]
        assert not found.desk.waiting


async def test_nothing_is_handed_over_where_it_is_blocked_or_a_key_is_missing(dex, tmp_path):
    pools = [f"v2:{pool}" for pool in await small(dex)]
    await dex.fund("USD", 10_000)
    async with desk_of(dex, tmp_path, *pools) as found:
        look, _ = await found.eyes.look()
        url = f"sqlite+aiosqlite:///{tmp_path}/arb.db"
        for account in ("spreads:default", "paper:default"):
            say_halt(url, [account], "a look at the pools")
            await found.step(look)
            sentinel_of(url).lift(account)
    assert [one.step for one in await facts(tmp_path)] == [AttemptStep.FOUND]
    assert not list((tmp_path / "comm").glob("commands/*_command.json"))
    with pytest.raises(ConfigError, match=r"ARB_SPREADS__LIVE=true and --live"):
        async with desk_of(dex, tmp_path, *pools, **{"spreads.live": False}):
            pass
    with pytest.raises(ConfigError, match="ARB_SPREADS__EXECUTOR"):
        async with desk_of(dex, tmp_path, *pools, **{"spreads.executor": ""}):
            pass


async def test_a_run_on_paper_writes_down_what_it_finds_and_hands_nothing_over(dex, tmp_path):
    pools = [f"v2:{pool}" for pool in await small(dex)]
    await dex.fund("USD", 10_000)
    known = loaded(dex, tmp_path, *pools, **{"spreads.enabled": True, "spreads.interval": 1})
    news = []
    told = Publisher([news.append])
    async with with_spreads(known, None, told, live=False, clock=SystemClock()):
        while not (tmp_path / "arb.db").exists() or not await facts(tmp_path):
            await asyncio.sleep(0.05)
        await dex.world.control("evm_mine")
        await asyncio.sleep(0)
    found = await facts(tmp_path)
    assert {one.step for one in found} == {AttemptStep.FOUND} and len(found) == 1
    (said,) = [one for one in news if isinstance(one, Attempted)]
    assert (said.account, said.fact) == ("spreads:default", found[0])
    assert await dex.held("USD", dex.executor) == 10_000 * ONE
    off = loaded(dex, tmp_path, *pools, **{"chain.rpc_urls": []})
    async with with_spreads(off, None, told, live=False, clock=SystemClock()):
        pass
