"""Plans that go through bots: what a bot may say, and what its silence means."""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from arb.adapters.bots.definition import Bots, Definition, read
from arb.adapters.bots.executor import BotTrading
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.messages import Result, parse, word
from arb.adapters.bots.routing import MEASURES, OF_SPREADS, Rule, measures, route
from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage.codec import load_plan
from arb.bootstrap import engine_options, paper_context
from arb.domain.bot import BotDeed, BotEvent
from arb.domain.errors import ConfigError, VenueError
from arb.domain.market import Side
from arb.domain.news import PlanEnded, PlanStarted
from arb.domain.order import Final, Order, Unknown, order_id
from arb.domain.plan import ExecutionReport, PlanState
from arb.domain.reason import Reason
from arb.domain.venue import TimeInForce
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.operations.database import check_ledger
from arb.runtime.bots_kept import kept
from arb.runtime.running import run_once
from tests.conftest import ROOT, exchange_at, settings_for

EXAMPLES = ROOT / "examples" / "bots"
ATOM = f'[bot.atom]\ncommand = ["{sys.executable}", "atom.py"]\nfolder = "{EXAMPLES}"\n'
ADOM = f'[bot.adom]\ncommand = ["node", "adom.js"]\nfolder = "{EXAMPLES}"\n'
PLAIN = f'[bot.plain]\ncommand = ["./plain.sh"]\nfolder = "{EXAMPLES}"\ndoes = "prints"\n'
FAILURES_MAX = Definition(name="atom", command=("x",)).failures_max
ALL = '[[route]]\nbot = "{}"\n'


def _loaded(address, folder, definitions, **flags):
    (folder / "bots.toml").write_text(definitions)
    return settings_for(
        address,
        folder,
        **{
            "bots.definitions": str(folder / "bots.toml"),
            "bots.folder": str(folder / "comm"),
            "bots.logs": str(folder / "logs"),
            "bots.monitor_interval": 0.2,
            **flags,
        },
    )


async def _ready(folder, name):
    status = folder / "comm" / "run" / f"{name}.json"
    for _ in range(400):
        if status.exists() and json.loads(status.read_text()).get("beat_at"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} never showed a heartbeat")


@contextlib.asynccontextmanager
async def _bots_run(folder, loaded):
    """`arb bots run` beside the orchestrator, as an operator may have it."""
    bots = loaded.settings.bots
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "arb", "bots", "run"),
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "ARB_BOTS__DEFINITIONS": bots.definitions,
            "ARB_BOTS__FOLDER": bots.folder,
            "ARB_BOTS__LOGS": bots.logs,
            "ARB_BOTS__MONITOR_INTERVAL": "0.2",
        },
        cwd=folder,
    )
    try:
        yield
    finally:
        process.terminate()
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("name", "definition"), [("atom", ATOM), ("adom", ADOM)], ids=["python", "node"]
)
async def test_an_example_bot_decides_on_plans_at_the_exchange(name, definition, tmp_path):
    async with exchange_at("demo", 7) as (_, address):
        loaded = _loaded(
            address, tmp_path, definition + ALL.format(name), **{"bots.supervise": False}
        )
        async with _bots_run(tmp_path, loaded):
            await _ready(tmp_path, name)
            report, statistics, still_open = await run_once(loaded)
            await asyncio.sleep(0.5)
    assert statistics.successes > 0
    assert still_open == 0
    said = (tmp_path / "logs" / f"{name}.log").read_text()
    done = [plan.plan for plan in report.plans if plan.state is PlanState.DONE]
    assert done
    for plan in done:
        assert f"plan {plan}: yes" in said
    assert ": filled, " in said
    assert f"{name} leaves" in said


async def test_a_script_that_only_prints_decides(tmp_path):
    async with exchange_at("demo", 7) as (_, address):
        loaded = _loaded(address, tmp_path, PLAIN + ALL.format("plain"))
        report, statistics, _ = await run_once(loaded)
    assert statistics.successes > 0
    refused = [plan.reason for plan in report.plans if plan.state is PlanState.UNWOUND]
    assert all("legs are too many" in reason for reason in refused)


async def test_what_a_bot_reports_enters_the_ledger_as_facts(tmp_path):
    """A bot with an account of its own, through the whole engine."""
    yes = '{**answer, "success": True, "orders": orders}'
    fills = """{
        **answer,
        "success": True,
        "fills": [
            {"order": o["id"], "price": paid(o), "shares": o["shares"], "fee": "0.01"}
            for o in command["orders"]
        ],
    }"""
    price = """

def paid(order):
    return str(int(float(order["spend"]) / float(order["shares"]) * 10_000) / 10_000)


def main("""
    source = (EXAMPLES / "atom.py").read_text()
    assert yes in source
    (tmp_path / "own.py").write_text(source.replace(yes, fills).replace("\n\ndef main(", price, 1))
    definition = (
        f'[bot.own]\ncommand = ["{sys.executable}", "own.py"]\nfolder = "{tmp_path}"\n'
        'does = "executes"\n'
    )
    async with exchange_at("demo", 7) as (_, address):
        loaded = _loaded(
            address, tmp_path, definition + ALL.format("own"), **{"bots.supervise": False}
        )
        async with _bots_run(tmp_path, loaded):
            await _ready(tmp_path, "own")
            report, _, still_open = await run_once(loaded)
    done = [plan for plan in report.plans if plan.state is PlanState.DONE]
    assert done
    assert still_open == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "arb.db")) as ledger:
        fees = {row[0] for row in ledger.execute("select fee from fills")}
    assert fees == {10_000}
    assert await check_ledger(loaded) == []
    assert not list((tmp_path / "comm" / "answers").iterdir())


async def test_bots_of_the_orchestrator_are_started_and_stopped_with_it(tmp_path):
    async with exchange_at("quiet", 1) as (_, address):
        await run_once(_loaded(address, tmp_path, ATOM + ALL.format("atom")))
    status = json.loads((tmp_path / "comm" / "run" / "atom.json").read_text())
    assert status["state"] == "stopped"
    assert status["pid"] == 0


class Venue:
    """The trading side behind the bots."""

    venue = POLYMARKET

    def __init__(self):
        self.sent = []

    async def prepare(self, orders):
        return [replace(order, ref=f"0x{n}") for n, order in enumerate(orders)]

    async def submit(self, orders):
        self.sent += orders
        return [Final((), "nothing on offer") for _ in orders]

    async def query(self, order):
        return Final((), "asked the venue")


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """One of two legs, as the gate makes them."""
    folder = tmp_path_factory.mktemp("plan")

    async def make():
        async with exchange_at("demo", 7) as (_, address):
            settings = settings_for(address, folder).settings
            async with paper_context(settings) as context:
                await ArbitrageOrchestrator(context, engine_options(settings)).run_once()

    # In a thread: the loop of the tests is none of its business.
    with ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, make()).result()
    with contextlib.closing(sqlite3.connect(folder / "arb.db")) as ledger:
        rows = [load_plan(row[0]) for row in ledger.execute("select plan from plans")]
    return next(found for found in rows if len(found.legs) == 2)


def _orders(plan, attempt=1):
    now = SystemClock().now()
    return [
        Order(
            id=order_id(plan.id, number, Side.BUY, attempt),
            outcome=leg.outcome,
            market=leg.market,
            side=leg.side,
            limit=leg.limit,
            size=leg.size,
            time_in_force=TimeInForce.FOK,
            expires_at=now + timedelta(seconds=60),
        )
        for number, leg in enumerate(plan.legs)
    ]


class Scene:
    """A bot that answers as it is told to, before a venue that remembers."""

    def __init__(self, folder, plan, does="decides", wait=1.0):
        definition = Definition(name="atom", command=("x",), does=does, answer_seconds=wait)
        self.aside = []
        self.mailbox = Mailbox(
            folder / "comm", SystemClock(), lambda why, name: self.aside.append(why)
        )
        self.venue, self.told = Venue(), []
        self.trading = BotTrading(
            inner=self.venue,
            bots=Bots(definitions={"atom": definition}, rules=(Rule(name="all", bot="atom"),)),
            mailbox=self.mailbox,
            clock=SystemClock(),
            ready=lambda: {"atom"},
            tell=lambda bot, what: self.told.append(what),
        )
        self.trading.observe(PlanStarted(plan))
        self.plan, self.orders = plan, _orders(plan)
        self.commands = self.mailbox.path / "commands" / "atom_command.json"

    async def command(self):
        while not self.commands.exists():
            await asyncio.sleep(0.01)
        found = json.loads(self.commands.read_text())
        self.commands.unlink()
        return found

    def answer(self, command, **changes):
        answer = {
            "schema": 1,
            "id": command["id"],
            "bot_name": "atom",
            "success": True,
            "orders": [
                {"id": leg["id"], "price": leg["limit"], "shares": leg["shares"]}
                for leg in command["orders"]
            ],
            **changes,
        }
        self.put(answer)

    def put(self, answer):
        path = self.mailbox.path / "results" / "atom_result.json"
        path.with_name(".new.tmp").write_text(json.dumps(answer))
        path.with_name(".new.tmp").rename(path)

    async def prepared(self, make=lambda command: {}):
        work = asyncio.create_task(self.trading.prepare(self.orders))
        command = await self.command()
        self.answer(command, **make(command))
        return await work


def _changed(command, **changes):
    orders = [
        {"id": leg["id"], "price": leg["limit"], "shares": leg["shares"]}
        for leg in command["orders"]
    ]
    return {"orders": [{**orders[0], **changes}, *orders[1:]]}


async def test_yes_sends_the_orders_through_the_venue_and_tells_the_bot_the_end(tmp_path, plan):
    scene = Scene(tmp_path, plan)
    prepared = await scene.prepared()
    assert [o.ref for o in prepared] == ["0x0", "0x1"]
    await scene.trading.submit(prepared)
    assert [o.id for o in scene.venue.sent] == [o.id for o in scene.orders]
    told = await scene.command()
    assert told["command"] == "execution_result"
    assert {ended["state"] for ended in told["ended"]} == {"refused"}


async def test_a_bot_may_ask_for_a_better_price(tmp_path, plan):
    tick = plan.legs[0].terms.rules.tick
    better = plan.legs[0].limit - tick
    prepared = await Scene(tmp_path, plan).prepared(lambda c: _changed(c, price=str(better)))
    assert prepared[0].limit == better
    assert prepared[1].limit == plan.legs[1].limit


REFUSED = {
    "dearer": lambda c: _changed(c, price="0.999"),
    "more shares": lambda c: _changed(c, shares="999999"),
    "an order of another plan": lambda c: _changed(c, id="other/0/BUY/1"),
    "one order twice": lambda c: {"orders": [_changed(c)["orders"][0]] * 2},
    "a price of nothing": lambda c: _changed(c, price="0"),
    "no shares": lambda c: _changed(c, shares="0"),
    "off the grid": lambda c: _changed(c, price="0.000001"),
    "part of the shares": lambda c: _changed(c, shares="1"),
    "one leg only": lambda c: {"orders": _changed(c)["orders"][:1]},
    "no": lambda c: {"success": False, "reason": "not today"},
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_the_plan_does_not_hold_is_not_sent(what, tmp_path, plan):
    scene = Scene(tmp_path, plan)
    with pytest.raises(VenueError):
        await scene.prepared(REFUSED[what])
    assert scene.venue.sent == []


async def test_silence_sends_nothing_and_a_late_answer_is_dropped(tmp_path, plan):
    scene = Scene(tmp_path, plan, wait=0.2)
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    command = await scene.command()
    with pytest.raises(VenueError, match="has not answered"):
        await work
    scene.answer(command)
    scene.plan = replace(plan, id=plan.id + "x")
    scene.trading.observe(PlanStarted(scene.plan))
    scene.orders = _orders(scene.plan)
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    await scene.command()
    with pytest.raises(VenueError, match="has not answered"):
        await work
    assert scene.venue.sent == []


async def test_the_way_out_of_a_plan_asks_no_bot(tmp_path, plan):
    scene = Scene(tmp_path, plan)
    prepared = await scene.trading.prepare(_orders(plan, attempt=2))
    assert prepared[0].ref == "0x0"
    assert not scene.commands.exists()


async def _handed_over(scene):
    orders = await scene.trading.prepare(scene.orders)
    assert orders[0].ref.startswith("bot:atom:")
    return orders, asyncio.create_task(scene.trading.submit(orders))


def _fills(command, **changes):
    fills = [
        {"order": leg["id"], "price": leg["limit"], "shares": leg["shares"], "fee": "0.01"}
        for leg in command["orders"]
    ]
    return {"orders": [], "fills": [{**fills[0], **changes}, *fills[1:]]}


async def test_a_bot_with_its_own_account_reports_fills(tmp_path, plan):
    scene = Scene(tmp_path, plan, "executes")
    orders, work = await _handed_over(scene)
    command = await scene.command()
    scene.answer(command, **_fills(command))
    answers = await work
    assert [a.fills[0].size for a in answers] == [leg.size for leg in plan.legs]
    assert scene.venue.sent == []
    assert await scene.trading.trade_states(orders[0], [""]) == {"": "settled"}


async def test_a_missing_report_is_asked_about_and_never_handed_over_again(tmp_path, plan):
    scene = Scene(tmp_path, plan, "executes", wait=0.2)
    orders, work = await _handed_over(scene)
    command = await scene.command()
    assert await work == [Unknown(), Unknown()]
    assert await scene.trading.query(orders[0]) == Unknown(later=True)
    question = await scene.command()
    assert (question["command"], question["id"]) == ("report", command["id"])
    assert question["orders"] == []
    scene.answer(command, **_fills(command))
    # A restart in between changes nothing: the answer is kept until the plan has ended.
    again = Scene(tmp_path, plan, "executes")
    answers = [await again.trading.query(order) for order in orders]
    assert [a.fills[0].order for a in answers] == [order.id for order in orders]
    report = ExecutionReport(
        plan=plan.id, state=PlanState.DONE, realised=Decimal(0), locked=Decimal(0)
    )
    again.trading.observe(PlanEnded(plan, report, Reason.FILLED))
    assert not list((again.mailbox.path / "answers").iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "0.999"},
        {"shares": "999999"},
        {"order": "other/0/BUY/1"},
        {"fee": "1000"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_report_that_cannot_be_leaves_the_plan_open_for_a_person(changes, tmp_path, plan):
    scene = Scene(tmp_path, plan, "executes")
    _, work = await _handed_over(scene)
    command = await scene.command()
    scene.answer(command, **_fills(command, **changes))
    assert await work == [Unknown(later=True)] * 2
    assert "is not accepted" in scene.told[0]


async def test_a_command_that_was_never_taken_is_certainly_not_done(tmp_path, plan):
    scene = Scene(tmp_path, plan, "executes", wait=0.1)
    orders, work = await _handed_over(scene)
    await work
    command = json.loads(scene.commands.read_text())
    command["expires_at"] = "2026-01-01T00:00:00Z"
    scene.commands.write_text(json.dumps(command))
    # Another plan's command takes its place meanwhile: what is known is not lost by that.
    other = replace(plan, id=plan.id + "x")
    scene.trading.observe(PlanStarted(other))
    await scene.trading.submit(await scene.trading.prepare(_orders(other)))
    for order in orders:
        assert await scene.trading.query(order) == Final((), "atom never picked it up")


@pytest.mark.parametrize("does", ["decides", "executes"])
async def test_a_bot_that_fails_ten_plans_in_a_row_gets_no_more_until_it_is_forgiven(
    does, tmp_path, plan
):
    scene = Scene(tmp_path, plan, does, wait=0.01)

    async def another(number):
        """A plan that the bot says nothing about; whether it was asked at all."""
        found = replace(plan, id=f"{plan.id}{number}")
        scene.trading.observe(PlanStarted(found))
        orders = _orders(found)
        scene.commands.unlink(missing_ok=True)
        with contextlib.suppress(VenueError):
            await scene.trading.submit(await scene.trading.prepare(orders))
        return scene.commands.exists() or scene.trading.counts["asked:atom"] == number

    for number in range(1, FAILURES_MAX + 1):
        assert await another(number)
        assert (FAILURES_MAX in scene.trading.failures.values()) == (number == FAILURES_MAX)
    assert len([what for what in scene.told if "gets no more" in what]) == 1
    assert await another(99) is False
    assert scene.venue.sent
    scene.trading.forgive("atom")
    await another(100)
    assert scene.trading.counts["asked:atom"] == FAILURES_MAX + 1


async def test_a_no_is_an_answer_and_ends_a_row_of_failures(tmp_path, plan):
    scene = Scene(tmp_path, plan)
    scene.trading.failures["atom"] = FAILURES_MAX - 1
    with pytest.raises(VenueError, match="declined"):
        await scene.prepared(lambda _: {"success": False, "reason": "too thin"})
    assert scene.trading.failures["atom"] == 0
    assert scene.told == []


async def test_a_report_that_is_not_taken_is_told_once_however_often_it_is_asked_for(
    tmp_path, plan
):
    scene = Scene(tmp_path, plan, "executes")
    orders, work = await _handed_over(scene)
    command = await scene.command()
    scene.answer(command, **_fills(command, price="0.999"))
    await work
    for _ in range(5):
        assert await scene.trading.query(orders[0]) == Unknown(later=True)
    assert len(scene.told) == 1


def _bare(**changes):
    """The answer in the shape of the user's document."""
    data = {"profit": 25.5, "tx_hash": "0x123..."}
    return {"bot_name": "ATOM", "success": True, "timestamp": 1.5, "data": data, **changes}


async def test_a_bare_yes_means_every_order_as_it_was_asked(tmp_path, plan):
    scene = Scene(tmp_path, plan)
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    await scene.command()
    scene.put(_bare())
    assert [(o.limit, o.size) for o in await work] == [(o.limit, o.size) for o in scene.orders]


async def test_a_bare_no_declines(tmp_path, plan):
    scene = Scene(tmp_path, plan)
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    await scene.command()
    scene.put(_bare(success=False))
    with pytest.raises(VenueError, match="declined"):
        await work


async def test_a_bare_yes_that_comes_before_the_command_is_taken_is_no_answer(tmp_path, plan):
    scene = Scene(tmp_path, plan, wait=0.5)
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    while not scene.commands.exists():
        await asyncio.sleep(0.01)
    scene.put(_bare())
    with pytest.raises(VenueError, match="has not answered"):
        await work
    (why,) = scene.aside
    assert "`id` is missing: it was written before the bot took its command" in why


async def test_a_bare_yes_that_comes_too_late_is_not_taken_for_that_to_the_next_plan(
    tmp_path, plan
):
    scene = Scene(tmp_path, plan, wait=0.2)
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    await scene.command()
    with pytest.raises(VenueError, match="has not answered"):
        await work
    scene.trading.observe(PlanStarted(replace(plan, id=plan.id + "x")))
    work = asyncio.create_task(scene.trading.prepare(_orders(replace(plan, id=plan.id + "x"))))
    while not scene.commands.exists():
        await asyncio.sleep(0.01)
    # It answers the first, then takes the second: between two looks of ours, in that order.
    scene.put(_bare())
    scene.commands.unlink()
    with pytest.raises(VenueError, match="has not answered"):
        await work
    assert "`id` is missing: " in scene.aside[0]


async def test_a_bare_yes_without_a_command_is_nobodys(tmp_path, plan):
    scene = Scene(tmp_path, plan, wait=0.2)
    scene.put(_bare())
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    await scene.command()
    with pytest.raises(VenueError, match="has not answered"):
        await work
    assert "no command is out" in scene.aside[0]


async def test_a_bare_yes_of_a_bot_with_its_own_account_is_filled_on_paper(tmp_path, plan):
    scene = Scene(tmp_path, plan, "executes")
    seen = []

    async def look(outcomes):
        seen.extend(outcomes)

    scene.trading.look = look
    _, work = await _handed_over(scene)
    await scene.command()
    scene.put(_bare())
    # The venue that it is held against has nothing on offer: its word makes no fill.
    assert await work == [Final((), "nothing on offer")] * 2
    assert seen == [order.outcome for order in scene.orders]
    assert [order.id for order in scene.venue.sent] == [order.id for order in scene.orders]


async def test_a_bare_yes_that_nothing_can_be_held_against_books_nothing(tmp_path, plan):
    scene = Scene(tmp_path, plan, "executes")
    _, work = await _handed_over(scene)
    await scene.command()
    scene.put(_bare())
    assert await work == [Unknown(later=True)] * 2
    assert scene.venue.sent == []
    assert "`fills` is missing" in scene.told[0]


async def test_a_bare_yes_after_the_time_of_its_orders_books_nothing(tmp_path, plan):
    scene = Scene(tmp_path, plan, "executes")
    scene.trading.look = lambda _: pytest.fail("its time is over")
    over = SystemClock().now() - timedelta(seconds=1)
    scene.orders = [replace(order, expires_at=over) for order in scene.orders]
    _, work = await _handed_over(scene)
    await scene.command()
    scene.put(_bare())
    assert {answer.fills for answer in await work} == {()}
    assert "its orders is over" in scene.told[0]


async def test_the_missing_field_is_named(tmp_path, plan):
    scene = Scene(tmp_path, plan, wait=0.2)
    work = asyncio.create_task(scene.trading.prepare(scene.orders))
    await scene.command()
    scene.put({"bot_name": "ATOM", "data": {}})
    with pytest.raises(VenueError, match="has not answered"):
        await work
    assert "missing required field `success`" in scene.aside[0]


@pytest.mark.parametrize(
    ("data", "profit", "transaction"),
    [
        ({"profit": 25.50, "tx_hash": "0x123..."}, Decimal("25.5"), "0x123..."),
        ({"profit": "1e99999", "tx_hash": 7}, None, ""),
        ({"profit": True}, None, ""),
        (["profit"], None, ""),
        (None, None, ""),
    ],
)
def test_what_a_bot_says_of_its_profit_is_read_as_its_word(data, profit, transaction):
    result = parse(json.dumps(_bare(data=data)).encode(), Result)
    assert word(result) == (profit, transaction)


def test_the_first_rule_that_holds_decides():
    table = {
        "bot": {"atom": {"command": ["x"]}, "adom": {"command": ["y"], "kinds": ["negrisk_no"]}},
        "route": [
            {"name": "risk", "when": "risk > 500", "bot": "adom"},
            {"name": "profit", "when": "profit > 100", "bot": "adom"},
            {"name": "cost", "when": "cost >= 5", "bot": "atom"},
            {"name": "default", "bot": "atom"},
        ],
    }
    bots = read(table, "bots.toml")
    quiet = dict.fromkeys(
        ("risk", "profit", "profit_percent", "cost", "outlay", "legs"), Decimal(0)
    )

    def to(kind="negrisk_no", ready=None, **found):
        chosen = route(bots.rules, bots.definitions, kind, {**quiet, **found}, ready)
        return chosen.bot, chosen.rule

    assert to(risk=Decimal(501)) == ("adom", "risk")
    assert to(risk=Decimal(500), profit=Decimal("100.01")) == ("adom", "profit")
    assert to(profit=Decimal(100), cost=Decimal(5)) == ("atom", "cost")
    assert to() == ("atom", "default")
    assert to(kind="negrisk_yes", profit=Decimal(200)) == ("atom", "default")
    assert to(profit=Decimal(200), ready={"atom"}) == ("atom", "default")
    assert to(ready=set()) == ("", "")


@pytest.mark.parametrize(
    "table",
    [
        {"bot": {"at.om": {"command": ["x"]}}},
        {"bot": {"átom": {"command": ["x"]}}},
        {"bot": {"atom": {"command": ["x"], "title": "A"}}},
        {"bot": {"../atom": {"command": ["x"]}}},
        {"bot": {"a" * 64: {"command": ["x"]}}},
        {"bot": {"atom": {"command": "rm -rf /"}}},
        {"bot": {"atom": {}}},
        {"bot": {"atom": {"command": ["x"], "shell": True}}},
        {"bot": {"atom": {"command": ["x"], "restarts_max": -1}}},
        {"bot": {"atom": {"command": ["x"], "kinds": ["nonsense"]}}},
        {"bot": {"atom": {"command": ["x"], "limits": {"memory_mb": "all"}}}},
        {"route": [{"bot": "nobody"}]},
        {"route": [{"when": "__import__('os')", "bot": ""}]},
        {"strange": 1},
    ],
)
def test_a_wrong_definition_is_named(table):
    with pytest.raises(ConfigError, match=r"bots\.toml"):
        read(table, "bots.toml")


async def test_measures_of_a_plan_add_up(plan):
    found = measures(plan)
    assert set(found) == set(MEASURES) - OF_SPREADS
    assert found["outlay"] == sum(leg.value + leg.fee for leg in plan.legs)
    assert found["risk"] == max(leg.value + leg.fee for leg in plan.legs)


def _arb(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "arb", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_the_commands_work_from_files_alone(tmp_path):
    (tmp_path / "config").mkdir()
    rules = '[[route]]\nname = "profit"\nwhen = "profit > 100"\nbot = "adom"\n' + ALL.format("atom")
    (tmp_path / "config" / "bots.toml").write_text(ATOM + ADOM + rules)
    listed = json.loads(_arb(tmp_path, "bots", "list", "--json").stdout)
    assert [(bot["name"], bot["state"]) for bot in listed["bots"]] == [
        ("atom", "stopped"),
        ("adom", "stopped"),
    ]
    assert not listed["supervised"]
    routed = _arb(tmp_path, "bots", "route", "--explain", "--profit", "120.5")
    assert "It goes to adom, by rule profit." in routed.stdout
    assert _arb(tmp_path, "bots", "start", "atom").returncode == 4
    assert "does not run" in _arb(tmp_path, "bots", "stop", "atom").stdout
    assert _arb(tmp_path, "bots", "logs", "nobody").returncode == 2


async def test_what_a_bot_says_is_kept_without_what_terminals_and_databases_choke_on(
    tmp_path, plan
):
    scene, kept_ = Scene(tmp_path, plan), []
    scene.trading.record = kept_.append
    with pytest.raises(VenueError, match="declined"):
        await scene.prepared(lambda _: {"success": False, "reason": "no\x00\x1b[31m"})
    assert [event.deed for event in kept_] == [BotDeed.ASKED, BotDeed.DECLINED]
    assert kept_[1].detail == r"atom declined: no\x00\x1b[31m"


async def test_an_event_that_cannot_be_kept_costs_none_of_the_others():
    class Broken:
        def __init__(self):
            self.kept = []

        async def record_bot(self, event):
            if event.bot == "bad":
                raise UnicodeEncodeError("utf-8", "", 0, 1, "surrogates not allowed")
            self.kept.append(event.bot)

    ledger = Broken()
    async with kept(ledger) as record:
        for bot in ("atom", "bad", "adom"):
            record(BotEvent(bot=bot, deed=BotDeed.ASKED, at=SystemClock().now()))
    assert ledger.kept == ["atom", "adom"]
