"""What an operator is told while it runs: in the log, over the stream, by alerts."""

import asyncio
import contextlib
import json
import re
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from loguru import logger

from arb.adapters.notify.rules import of_news
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.telemetry.news_log import LASTS_SECONDS, REPEAT_SECONDS, NewsLog
from arb.adapters.telemetry.wording import spoken
from arb.api.render import document
from arb.bootstrap import engine_options, paper_context
from arb.cli.output import render_report
from arb.domain.decision import Approved
from arb.domain.halt import RiskStatus, TradingState
from arb.domain.news import BotChanged, CycleEnded, PaidOut, PlanResolved, RiskChecked, Trouble
from arb.domain.plan import PlanState
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, Problem, ProblemKind
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.publisher import Publisher
from arb.runtime.bots import with_bots
from arb.runtime.running import scan
from tests.conftest import environment_for, exchange_at, settings_for
from tests.programs import arb, exchange_program

RAISING = """
class Boom:
    name = "boom"
    calls = 0

    def __init__(self, options):
        pass

    def find(self, snapshot):
        Boom.calls += 1
        if Boom.calls in (2, 3):
            raise RuntimeError("kaputt")
        return []
"""


def _installed(folder):
    """The strategy as a distribution of its own, where the program finds its entry point."""
    folder.mkdir()
    (folder / "boom.py").write_text(RAISING)
    metadata = folder / "boom-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: boom\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[arb.strategies]\nboom = boom:Boom\n")


def test_an_error_nobody_expected_ends_its_cycle_and_never_the_run(tmp_path):
    _installed(tmp_path / "plugins")
    with exchange_program(tmp_path, seed=7) as address:
        env = environment_for(address, tmp_path) | {
            "PYTHONPATH": str(tmp_path / "plugins"),
            "ARB_STRATEGIES__ENABLED": '["negrisk_no", "boom"]',
        }
        done = arb("run", "--interval", "0.3", "--cycles", "5", "--json", env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        *reports, last = [json.loads(line) for line in done.stdout.splitlines()]
        assert [report["cycle"] for report in reports] == [1, 4, 5]
        assert last["statistics"]["trades"] > 0
        said = re.findall(r"ERROR +\| (.*failed and ends here.*)", done.stderr)
        what = "strategy boom raised RuntimeError: kaputt"
        assert said == [f"Cycle #2 failed and ends here: {what}"]
        assert "Traceback" not in done.stderr
        (log,) = (tmp_path / "logs").glob("*.log")
        written = log.read_text()
        assert written.count('raise RuntimeError("kaputt")') == 1


def test_the_log_says_which_mode_it_is_in_and_how_often_it_looks(tmp_path):
    with exchange_program(tmp_path, seed=7) as address:
        env = environment_for(address, tmp_path)
        done = arb("run", "--interval", "0.3", "--cycles", "3", env=env, cwd=tmp_path)
        once = arb("run", "--once", env=env, cwd=tmp_path)
    lines = [line.partition(" | ")[2].partition(" | ")[2] for line in done.stderr.splitlines()]
    mode = "Orchestrator initialized (dry_run=True): account paper:default,"
    assert lines[0] == f"{mode} scanning every 0.3 s"
    assert f"{mode} one cycle" in once.stderr
    trades = [line for line in lines if re.search(r"Executing |Plan \w+ ", line)]
    assert trades
    assert all(line.startswith("[DRY RUN] ") for line in trades)
    # What is as it was in the cycle before is counted, not written.
    for start in ("Data quality", "market: "):
        told = [line for line in lines if line.startswith(start)]
        assert len(told) == len(set(told)) > 0
    ends = [line for line in lines if re.match(r"Cycle #\d+ ended", line)]
    assert "unchanged" not in ends[0]
    assert re.search(r"; unchanged x\d+: ", ends[-1])


async def test_a_position_that_pays_out_is_told_everywhere(tmp_path):
    flags = {"arbitrage.resolution_check_interval": 0, "strategies.enabled": ["negrisk_yes"]}
    heard = []
    async with exchange_at("demo", 1) as (_, address):
        settings = settings_for(address, tmp_path, **flags).settings
        async with paper_context(settings, Publisher([heard.append])) as context:
            orchestrator = ArbitrageOrchestrator(context, engine_options(settings))
            report = await orchestrator.run_once()
            held = [plan for plan in report.plans if plan.locked]
            assert held
            async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
                for one in render_report(report)["opportunities"]:
                    for number, leg in enumerate(one["legs"]):
                        order = {"market": leg["market"], "yes": "0" if number else "1"}
                        await client.post("/_control", json={"resolve": order})
            del heard[:]
            await orchestrator.scan_cycle()
    paid = [news for news in heard if isinstance(news, PaidOut)]
    resolved = [news for news in heard if isinstance(news, PlanResolved)]
    assert {news.plan.id for news in resolved} == {plan.plan for plan in held}
    for news in resolved:
        plan = news.plan
        cash = sum((one.cash for one in paid if one.plan.id == plan.id), Decimal(0))
        assert cash == plan.payoff_worst
        level, line = spoken(news, live=False)
        assert level == "SUCCESS"
        assert line.startswith(f"[DRY RUN] Plan {plan.id} on {plan.event_slug} is resolved: profit")
        type_, data = document(news)
        assert (type_, data["id"]) == ("plan_resolved", plan.id)
        assert Decimal(data["realised"]) == plan.profit
        assert "resolved with a profit" in of_news(news).sentence
    for news in paid:
        level, line = spoken(news, live=True)
        assert line.startswith("[LIVE] Paid out: ")
        assert level == ("SUCCESS" if news.cash else "INFO")
        assert document(news)[0] == "paid_out"
        assert of_news(news) is not None


async def test_a_loss_is_no_success(tmp_path):
    heard = []
    async with exchange_at("demo", 7) as (_, address):
        settings = settings_for(address, tmp_path).settings
        async with paper_context(settings, Publisher([heard.append])) as context:
            await ArbitrageOrchestrator(context, engine_options(settings)).run_once()
    ended = next(n for n in heard if hasattr(n, "reason") and hasattr(n, "report"))

    def said(**changes):
        report = replace(ended.report, state=PlanState.DONE, **changes)
        return spoken(replace(ended, report=report), live=True)

    level, line = said(realised=Decimal(-16), locked=Decimal(0))
    assert (level, line.endswith("done at a loss of $16")) == ("WARNING", True)
    worst = ended.plan.payoff_worst
    level, line = said(realised=Decimal(0), locked=worst + 1)
    assert (level, "filled at a loss: " in line) == ("WARNING", True)
    assert said(realised=Decimal(0), locked=worst - 1)[0] == "SUCCESS"
    assert said(realised=Decimal(1), locked=Decimal(0))[0] == "SUCCESS"
    lost = PlanResolved(ended.plan, replace(ended.report, realised=Decimal(-3)))
    assert spoken(lost, live=True)[0] == "WARNING"
    assert of_news(lost).level.name == "HIGH"


BOT = """
import json, os, sys, time
comm, name = os.environ["ARB_BOT_FOLDER"], os.environ["ARB_BOT_NAME"]
path = f"{comm}/heartbeats/{name}_heartbeat.json"
with open(path + ".new.tmp", "w") as file:
    json.dump({"bot_name": name, "status": "running", "timestamp": time.time(), "pid": os.getpid()}, file)
os.rename(path + ".new.tmp", path)
while not os.path.exists("crash"):
    time.sleep(0.01)
os.remove("crash")
sys.exit(3)
"""


@pytest.mark.parametrize("supervise", [True, False], ids=["ours", "another's"])
async def test_bots_that_start_crash_restart_and_stop_are_told(supervise, tmp_path):
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "bots.toml").write_text(
        f'[bot.atom]\ncommand = ["{sys.executable}", "bot.py"]\nfolder = "{tmp_path}"\n'
        "backoff_seconds = 0.05\n"
    )
    heard = []
    flags = {
        "bots.definitions": str(tmp_path / "bots.toml"),
        "bots.folder": str(tmp_path / "comm"),
        "bots.logs": str(tmp_path / "logs"),
        "bots.monitor_interval": 0.1,
    }

    def states():
        return [news.state for news in heard if isinstance(news, BotChanged)]

    async def until(holds):
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.02)

    async with exchange_at("demo", 1) as (_, address):
        loaded = settings_for(address, tmp_path, **flags, **{"bots.supervise": supervise})
        own = settings_for(address, tmp_path, **flags)
        async with (
            paper_context(loaded.settings, Publisher([heard.append])) as context,
            with_bots(loaded, context),
        ):
            quiet, elsewhere = contextlib.nullcontext(), replace(context, news=Publisher())
            async with quiet if supervise else with_bots(own, elsewhere):
                await until(lambda: states()[:1] == ["running"])
                (tmp_path / "crash").touch()
                await until(lambda: states().count("running") == 2)
            if not supervise:
                await until(lambda: states()[-1] == "stopped")
    assert states()[0] == "running"
    assert "restarting" in states()
    assert states()[-1] == "stopped"
    crash = next(news for news in heard if getattr(news, "state", "") == "restarting")
    assert "exit code 3" in crash.detail
    assert spoken(crash, live=False)[0] == "WARNING"
    assert of_news(crash).level.name == "MEDIUM"
    assert document(crash) == (
        "bot",
        {"bot": "atom", "state": "restarting", "detail": crash.detail},
    )


class Hours:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self):
        return self.now


def _ended(number):
    risk = RiskStatus(can_trade=True, state=TradingState.NORMAL)
    return CycleEnded(
        CycleReport(
            run=number,
            mode="dry-run",
            account="paper:default",
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            duration_ms=1,
            risk=risk,
        )
    )


def test_what_lasts_is_counted_and_what_comes_back_is_new():
    clock, console = Hours(), []
    log = NewsLog(live=False, monotonic=clock)
    logger.remove()
    logger.add(lambda message: console.append(message.record["message"]), level="INFO")
    venue = Trouble(Problem(kind=ProblemKind.VENUE, where="venue", what="away"))
    listing = Trouble(Problem(kind=ProblemKind.MARKET, where="Will it rain?", what="3 outcomes"))

    def cycle(number, *news):
        del console[:]
        for one in (*news, _ended(number)):
            log(one)
            log(one) if one is venue else None
        return list(console)

    assert cycle(1, venue, listing)[:2] == ["venue: away", "Will it rain?: 3 outcomes"]
    assert cycle(2, venue, listing)[0].endswith("; unchanged x3: 3 errors")
    assert "unchanged" not in cycle(3)[0]
    # The venue was away again; the listing was only not read meanwhile.
    assert cycle(4, venue, listing)[:1] == ["venue: away"]
    clock.now += REPEAT_SECONDS
    assert cycle(5, listing)[0] == "Will it rain?: 3 outcomes (unchanged x2)"
    cycle(6)
    clock.now += LASTS_SECONDS + 1
    cycle(7)
    assert cycle(8, listing)[0] == "Will it rain?: 3 outcomes"
    # A limit that is reached is told when it is, not in every cycle.
    over = RiskChecked(9, RiskStatus(can_trade=False, state=TradingState.NORMAL, reasons=("x",)))
    assert cycle(9, over)[0].startswith("Risk limits exceeded")
    (end,) = cycle(10, over)
    assert end.endswith("; unchanged x1: 1 risk checks")
    cycle(11)
    assert cycle(12, over)[0].startswith("Risk limits exceeded")
    logger.remove()


async def test_what_our_own_paper_fills_hide_has_a_reason_until_it_is_new(tmp_path):
    async with exchange_at("demo", 7) as (_, address):
        loaded = settings_for(address, tmp_path)
        settings = loaded.settings
        async with paper_context(settings) as context:
            orchestrator = ArbitrageOrchestrator(context, engine_options(settings))
            first = await orchestrator.run_once()
            second = await orchestrator.scan_cycle()
        seen = await scan(loaded)
    proved = {one["event"] for one in render_report(seen)["opportunities"]}
    bought = {f.plan.event_slug for f in first.findings if isinstance(f, Approved)}
    assert len(bought) == first.funnel.filled > 0
    document = render_report(second)
    hidden = {one["event"]: one for one in document["skipped"] if one["reason"] == "taken_before"}
    assert set(hidden) == bought
    assert all(" shares at a profit of $" in one["detail"] for one in hidden.values())
    # Every edge that anybody sees there ends in exactly one reason here.
    still = {one["event"] for one in document["opportunities"]}
    assert proved == still | set(hidden)
    ends = Counter(one["event"] for one in document["skipped"] if one["event"] in hidden)
    assert set(ends.values()) == {1}
    assert dict(second.reasons)[Reason.TAKEN_BEFORE] == len(hidden)


async def test_an_edge_that_reopens_at_once_is_no_failed_trade(tmp_path):
    """The same books again, as new: the paper account must not remember what it took."""
    heard = []
    async with exchange_at("demo", 7) as (_, address):
        settings = settings_for(address, tmp_path).settings
        async with paper_context(settings, Publisher([heard.append])) as context:
            orchestrator = ArbitrageOrchestrator(context, engine_options(settings))
            first = await orchestrator.run_once()
            context.venues[POLYMARKET].books._taken.clear()
            again = await orchestrator.scan_cycle()
            statistics = await context.ledger.statistics()
    ends = Counter(reason for _, reason in again.outcomes)
    assert ends == {Reason.SENT_BEFORE: len(again.outcomes)}
    assert len(again.outcomes) > 0
    assert again.plans == ()
    assert (statistics.trades, statistics.failures) == (first.funnel.filled, 0)
    assert not [
        news for news in heard if isinstance(news, Trouble) and "plan" in news.problem.where
    ]


def test_what_is_held_has_its_cost_its_worst_case_and_its_date(tmp_path):
    with exchange_program(tmp_path, seed=7) as address:
        env = environment_for(address, tmp_path)
        once = arb("run", "--once", env=env, cwd=tmp_path)
        report = json.loads(arb("run", "--once", "--json", env=env, cwd=tmp_path).stdout)
        rows = json.loads(arb("positions", "--json", env=env, cwd=tmp_path).stdout)
        plans = {
            one["id"]: one
            for one in json.loads(arb("plans", "--json", env=env, cwd=tmp_path).stdout)
        }
        shown = arb("positions", "--wide", env=env, cwd=tmp_path).stdout
        listed = arb("plans", "--wide", env=env, cwd=tmp_path).stdout
        status = arb("status", env=env, cwd=tmp_path).stdout
    held = {id_: one for id_, one in plans.items() if Decimal(one["locked"]) > 0}
    assert {row["plan"] for row in rows if row["plan_paid"]} == set(held)
    for id_, plan in held.items():
        mine = [row for row in rows if row["plan"] == id_]
        assert len(mine) > 1
        assert sum(Decimal(row["cost"]) for row in mine) == Decimal(plan["locked"])
        for row in mine:
            paid, pays = Decimal(row["plan_paid"]), Decimal(row["plan_pays"])
            assert paid == Decimal(plan["locked"])
            assert pays == Decimal(plan["payoff_worst"])
            assert Decimal(row["plan_profit"]) == pays - paid > 0
    assert "Held until they are resolved" in shown
    # One word for what is filled and waits, and never "open".
    assert len(re.findall(r"\bheld\b", listed)) == len(held)
    assert re.search(rf"Plans open or held +{len(held)}", status)
    assert re.search(
        r"This run: 1 cycle, [1-9]\d* plans ended, \$[\d.]+\. Below: the whole account\.",
        once.stdout,
    )
    assert report["cycle"] == 2
