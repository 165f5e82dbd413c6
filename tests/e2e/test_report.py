"""`arb report` and `arb top`, held against the ledger of real cycles and of known plans."""

import csv
import io
import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from rich.console import Console

from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import open_ledger
from arb.cli.top import frame, show
from arb.domain.errors import ConfigError, LedgerError
from arb.domain.money import from_micro, text
from arb.domain.opportunity import Exit
from arb.domain.plan import PlanState
from arb.operations.account_views import read_status
from arb.operations.top_view import glances
from arb.reporting.report import COLUMNS, moment, read_report, write_file
from arb.reporting.svg import bars, dots, steps, thinned, ticks
from arb.runtime.running import run_once
from arb.testing.builders import NOON
from tests.adapters.test_ledger import _facts, _plan, _report
from tests.conftest import environment_for, exchange_at, settings_for
from tests.programs import arb

VOID = {"meta", "link", "br", "img", "hr", "input"}


class _Page(HTMLParser):
    """What a page has, and whether every element is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _read(page):
    parser = _Page()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def traded(tmp_path_factory):
    """A ledger filled by three cycles at a moving exchange and one at the exchange of the demo."""
    import asyncio

    folder = tmp_path_factory.mktemp("traded")

    async def fill():
        for scenario, cycles in (("moving", 3), ("demo", 1)):
            async with exchange_at(scenario, 5) as (_, address):
                loaded = settings_for(address, folder)
                for _ in range(cycles):
                    await run_once(loaded)
        return loaded

    return asyncio.run(fill()), folder


def _sql(folder, query):
    connection = sqlite3.connect(folder / "arb.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


async def test_every_figure_is_the_ledgers_to_the_micro_unit(traded):
    loaded, folder = traded
    said = (await read_report(loaded)).document()
    ((cycles, found),) = _sql(folder, "select count(*), sum(opportunities) from runs")
    assert (said["cycles"], said["opportunities"]) == (cycles, found)
    for kind in [None, *(row[0] for row in _sql(folder, "select distinct kind from plans"))]:
        which = "" if kind is None else f" and kind = '{kind}'"
        sums = said if kind is None else said["by_kind"][kind]
        by_state = dict(
            _sql(folder, f"select state, count(*) from plans where 1{which} group by state")
        )
        assert sums["successes"] == by_state.get("done", 0)
        assert sums["failures"] == by_state.get("unwound", 0)
        ((outlay, realised, locked),) = _sql(
            folder, f"select sum(outlay), sum(realised), sum(locked) from plans where 1{which}"
        )
        ((then,),) = _sql(
            folder,
            "select coalesce(sum(payoff_worst - outlay), 0) from plans "
            f"where locked > 0 and state = 'done'{which}",
        )
        expected = {"outlay": outlay, "realised": realised, "locked": locked, "locked_profit": then}
        assert {name: sums[name] for name in expected} == {
            name: text(from_micro(micro)) for name, micro in expected.items()
        }
    assert said["realised"] != "0"
    assert said["locked_profit"] != "0"
    refused = "select reason, count(*) from findings where decision = 'refused' group by reason"
    assert said["refusals"] == dict(_sql(folder, refused))
    ended = {}
    for (summary,) in _sql(folder, "select summary from runs"):
        for reason, count in json.loads(summary)["reasons"]:
            ended[reason] = ended.get(reason, 0) + count
    assert said["candidates"] == ended


async def test_slippage_is_what_the_fills_say(traded):
    loaded, folder = traded
    said = (await read_report(loaded)).document()["slippage"]
    paid = {}
    for plan, side, price, size, fee in _sql(
        folder, "select plan, side, price, size, fee from fills where state != 'voided'"
    ):
        value = from_micro(price) * from_micro(size)
        cost = value if side == "BUY" else -value
        paid[plan] = paid.get(plan, 0) + cost + from_micro(fee)
    proofs = dict(_sql(folder, "select id, outlay from plans where state = 'done'"))
    assert {each["plan"] for each in said["plans"]} == set(proofs)
    for each in said["plans"]:
        assert Decimal(each["paid"]) == paid[each["plan"]]
        assert Decimal(each["proof"]) == from_micro(proofs[each["plan"]])
        assert Decimal(each["slippage"]) == Decimal(each["paid"]) - Decimal(each["proof"])
    assert Decimal(said["total"]) == sum(Decimal(each["slippage"]) for each in said["plans"])


async def test_the_report_and_the_status_agree(traded):
    loaded, folder = traded
    said, status = (await read_report(loaded)).document(), await read_status(loaded)
    sums, held = status.statistics, status.portfolio
    assert (said["trades"], said["successes"]) == (sums.trades, sums.successes)
    assert said["realised"] == text(sums.realised)
    assert said["locked_profit"] == text(sums.locked_profit)
    assert said["capital"]["cash"] == text(held.cash)
    assert said["capital"]["in_use"] == text(held.promised + held.locked)
    durations = sorted(row[0] for row in _sql(folder, "select duration_ms from runs"))
    assert said["latency_ms"]["cycles"] == {
        "count": 4,
        "median": durations[1],
        "p95": durations[3],
        "longest": durations[3],
    }


async def test_capital_ends_where_the_portfolio_is(traded):
    report = await read_report(traded[0])
    line = report.summary.capital
    assert line[-1][1] == report.about.in_use
    assert min(amount for _, amount in line) >= 0
    assert list(line) == sorted(line)
    assert report.summary.profit[-1][1] == report.summary.all.realised


async def test_the_last_row_of_the_table_is_the_sum(traded):
    report = await read_report(traded[0])
    rows = list(csv.DictReader(io.StringIO(report.csv())))
    assert tuple(rows[0]) == COLUMNS
    assert [row["total_scan_cycles"] for row in rows] == ["1", "2", "3", "4"]
    last, sums = rows[-1], report.summary.all
    assert last["total_opportunities"] == str(sums.opportunities)
    assert last["total_trades"] == str(sums.trades)
    assert last["successful_trades"] == str(sums.successes)
    assert last["failed_trades"] == str(sums.failures)
    assert last["total_profit_usd"] == text(sums.realised)
    assert last["locked_usd"] == text(sums.locked)
    assert all(datetime.fromisoformat(row["timestamp"]).tzinfo for row in rows)


async def test_the_page_is_one_file_that_loads_nothing(traded):
    report = await read_report(traded[0])
    page = report.page()
    seen = _read(page)
    assert seen.seen.count("svg") >= 6
    assert not {"script", "link", "img", "iframe"} & set(seen.seen)
    assert not seen.links
    assert "http" not in page.replace("http-equiv", "")
    assert "prefers-color-scheme: dark" in page
    assert "nan" not in re.findall(r'="(\w+)"', page)
    assert f"${text(report.summary.all.realised)}" in page


async def test_a_period_holds_what_began_in_it(traded):
    loaded, folder = traded
    ((second,),) = _sql(folder, "select started_at from runs where run = 2")
    since = datetime.fromtimestamp(second // 1_000_000, UTC).replace(microsecond=second % 1_000_000)
    said = (await read_report(loaded, since.isoformat())).document()
    assert said["cycles"] == 3
    ((realised,),) = _sql(folder, f"select sum(realised) from plans where approved_at >= {second}")
    assert said["realised"] == text(from_micro(realised))
    later = (await read_report(loaded, "2999-01-01")).document()
    assert (later["cycles"], later["hit_rate"], later["slippage"]["plans"]) == (0, None, [])
    assert _read((await read_report(loaded, "2999-01-01")).page())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("90m", NOON - timedelta(minutes=90)),
        ("7d", NOON - timedelta(days=7)),
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T12:00:00+02:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_can_be_said_in_many_ways(words, expected):
    assert moment(words, NOON) == expected


@pytest.mark.parametrize("words", ["", "d", "-1d", "yesterday", "99999999999d", "2026-13-01"])
def test_what_is_no_moment_is_said(words):
    with pytest.raises(ConfigError, match="--since"):
        moment(words, NOON)


@pytest.fixture
async def known(tmp_path):
    """A ledger with a plan that was cheaper than proved, one that failed and one that waits."""
    loaded = settings_for("http://127.0.0.1:9", tmp_path, **{"trading.account": "paper:known"})
    ledger = await open_ledger(loaded.settings.database.url, "paper:known")
    await ledger.open_account({POLYMARKET: Decimal(1000)}, NOON)
    for name, exit_, state, realised, locked in (
        ("cheap", Exit.NOW, PlanState.DONE, "0.5", "0"),
        ("lost", Exit.NOW, PlanState.UNWOUND, "-0.25", "0"),
        ("waits", Exit.RESOLUTION, PlanState.DONE, "0", "9.5"),
    ):
        plan = _plan(name, exit_=exit_, outlay="9.600001")
        await ledger.open_plan(1, plan)
        if name != "lost":
            await ledger.append(plan.id, _facts(plan, settle=exit_ is Exit.NOW))
        report = _report(plan, state, realised=realised, locked=locked)
        await ledger.close_plan(report, NOON + timedelta(seconds=2))
    await ledger.close()
    return loaded


async def test_known_plans_give_known_figures(known):
    said = (await read_report(known)).document()
    assert (said["successes"], said["failures"], said["hit_rate"]) == (2, 1, "0.6667")
    assert (said["realised"], said["locked"], said["locked_profit"]) == ("0.25", "9.5", "0.399999")
    slips = {each["plan"]: each["slippage"] for each in said["slippage"]["plans"]}
    assert slips == {"cheap": "-0.100001", "waits": "-0.100001"}
    assert said["slippage"]["total"] == "-0.200002"
    assert said["capital"]["in_use_max"] == "28.800003"
    assert said["latency_ms"]["plans"]["longest"] == 0


async def test_what_venues_name_things_is_never_markup(known, tmp_path):
    with sqlite3.connect(tmp_path / "arb.db") as db:
        db.execute("update plans set event = '<script>alert(1)</script>', kind = 'a\"<b>&'")
    db.close()
    page = (await read_report(known)).page()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    _read(page)
    async with glances(known) as look:
        console = Console(record=True, width=150, file=io.StringIO())
        console.print(frame(await look()))
    assert "<script>" in console.export_text()


def test_a_file_is_named_by_the_time_and_never_half_written(tmp_path):
    named = write_file(tmp_path, "csv", "a,b\n", NOON)
    assert named.name == f"performance_report_{NOON:%Y%m%d_%H%M%S}.csv"
    other = write_file(tmp_path / "new" / "page.html", "html", "x", NOON)
    assert other.read_text() == "x"
    assert sorted(p.name for p in tmp_path.rglob("*.part")) == []
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="no report"):
        write_file(tmp_path / "file" / "x.csv", "csv", "", NOON)


def test_plots_hold_their_values_and_bounds():
    line = [(NOON + timedelta(seconds=n), Decimal(n % 7)) for n in range(10_000)]
    few = thinned(line)
    assert len(few) <= 800
    assert (few[0], few[-1]) == (line[0], line[-1])
    assert {max(v for _, v in few), min(v for _, v in few)} == {6, 0}
    for plot in (
        steps("s", line, "$", "blue"),
        steps("s", line[:1], "$", "blue"),
        steps("s", [(NOON, Decimal("-0.000001"))], "$", "blue"),
        dots("d", [(at, -value) for at, value in line[:50]], "$", "blue"),
        bars("b", [("<one>", Decimal(-3), "-3"), ("two", Decimal(5), "5")], "blue"),
        bars("b", [("none", Decimal(0), "0")], "blue"),
    ):
        _read(plot)
        numbers = [float(n) for n in re.findall(r'(?:x|y|cx|cy|width)\d?="([-\d.e]+)"', plot)]
        assert all(-1 <= number <= 645 for number in numbers)
    assert "nothing yet" in steps("s", [], "$", "blue") + bars("b", [], "blue")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.000001), (-3, 17), (0, 123456), (-9, 0)])
def test_ticks_are_few_and_reach_both_ends(low, high):
    marks = ticks(low, high)
    assert marks[0] <= low
    assert marks[-1] >= high * (1 - 1e-9)
    assert 2 <= len(marks) <= 8


async def test_one_frame_says_what_the_ledger_says(traded):
    loaded, _ = traded
    console = Console(record=True, width=150, file=io.StringIO())
    await show(loaded, console, once=True)
    shown = console.export_text()
    status = await read_status(loaded)
    assert "trading is normal" in shown
    for amount in (status.portfolio.cash, status.statistics.realised, status.portfolio.locked):
        assert f"${text(amount)}" in shown
    for title in ("Opportunities", "Plans", "Cycle", "Markets, books"):
        assert title in shown


def test_the_commands_as_typed(traded):
    folder = traded[1]
    env = environment_for("http://127.0.0.1:9", folder)
    done = arb("report", "--csv", ".", "--html", "out.html", "--json", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert re.fullmatch(r"performance_report_\d{8}_\d{6}\.csv", said["files"]["csv"])
    assert (folder / said["files"]["csv"]).read_text().startswith("timestamp,")
    _read((folder / "out.html").read_text())
    plain = arb("report", env=env, cwd=folder)
    assert f"${said['realised']}" in plain.stdout
    assert arb("report", "--since", "soon", env=env, cwd=folder).returncode == 2
    frame_ = arb("top", "--once", env=env, cwd=folder)
    assert frame_.returncode == 0
    assert "trading is normal" in frame_.stdout
    assert arb("top", env=env, cwd=folder, stdin=subprocess.DEVNULL).returncode == 2


@pytest.mark.parametrize("way", ["key", "signal"])
def test_top_leaves_when_told_and_leaves_the_terminal_as_it_was(traded, way):
    folder = traded[1]
    env = environment_for("http://127.0.0.1:9", folder) | {"TERM": "xterm"}
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-m", "arb", "top"],
        env=env,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    shown, pressed, until = b"", False, time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if select.select([ours], [], [], 0.1)[0]:
            shown += os.read(ours, 65536)
        if not pressed and b"trading is" in shown:
            pressed = True
            if way == "key":
                os.write(ours, b"q")
            else:
                process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
