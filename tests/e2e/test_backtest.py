"""`arb backtest` as typed: over the venue's own history, by real HTTP, and over a file."""

import json
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from arb.cli.app import app
from arb.domain.errors import ConfigError, UnknownName
from tests.conftest import ROOT, environment_for
from tests.programs import arb, running

EVENT = "cheap-yes-1"
FIVE = [
    "MACrossoverStrategy",
    "RSIStrategy",
    "GridTradingStrategy",
    "MomentumStrategy",
    "MACDBollingerStrategy",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    serve = ("exchange", "serve", "--seed", "9", "--past", "40", "--port", "0", "--json")
    with running(*serve, cwd=folder, stdout=subprocess.PIPE) as process:
        address = json.loads(process.stdout.readline())["ready"]
        yield environment_for(address, folder), folder


@pytest.fixture(scope="module")
def document(served):
    env, folder = served
    done = arb("backtest", EVENT, "--market", f"{EVENT}-1", "--json", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_five_over_thirty_days_of_the_venues_prices(document):
    assert document["what"] == "statistical, not guaranteed"
    assert document["problems"] == []
    assert 30 * 24 <= document["bars"] <= 30 * 24 + 2
    assert [one["strategy"] for one in document["results"]] == FIVE
    assert sum(one["trades"] for one in document["results"]) > 10
    for one in document["results"]:
        profits = sum((Decimal(trade["profit"]) for trade in one["history"]), Decimal(0))
        assert profits == Decimal(one["profit"])
        assert len(one["equity"]) == document["bars"]


def test_people_get_a_table_that_promises_nothing(served):
    env, folder = served
    told = ("--strategy", "RSIStrategy", "--param", "rsi_period=7", "--timeframe", "4h", "--trades")
    done = arb("backtest", EVENT, "--market", f"{EVENT}-1", *told, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Backtest (statistical, not guaranteed)" in done.stdout
    assert "RSIStrategy" in done.stdout
    assert "Trades" in done.stdout
    assert "guaranteed profit" not in done.stdout


def test_no_ledger_is_opened_for_it(served, document):
    assert not (served[1] / "arb.db").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((EVENT,), r"the event has \d+ markets: --market cheap-yes-1-1 \|"),
        ((EVENT, "--market", "cheap-yes-1-9"), "nearest: cheap-yes-1-"),
        (("cheap-yes-one",), "no event cheap-yes-one; nearest: cheap-yes-"),
        ((EVENT, "--market", f"{EVENT}-1", "--outcome", "Perhaps"), "Yes or No"),
        ((EVENT, "--strategy", "RSI"), "no strategy RSI; there are MACrossoverStrategy"),
        ((EVENT, "--param", "rsi_period=7"), "name it with --strategy"),
        ((EVENT, "--strategy", "RSIStrategy", "--param", "rsi_period"), "NAME=VALUE"),
        ((EVENT, "--strategy", "RSIStrategy", "--param", "n=7"), "it has rsi_period"),
        ((EVENT, "--stop-loss", "much"), "stop_loss = much: not a number"),
        ((EVENT, "--timeframe", "2h"), "1m, 5m, 15m, 1h, 4h, 1d"),
        ((EVENT, "--since", "never"), "--since never"),
        ((EVENT, "--history", "x.csv"), "give an event, or a file"),
        (("--history", "x.csv", "--market", "m"), "of an event, not of a file"),
        (("--history", "x.csv", "--tick", "1"), "--tick 1"),
        (("--history", "x.csv", "--fit", "0.7"), "--fit tries one --strategy"),
        (("--history", "x.csv", "--fee-rate", "2"), "fee rate 2"),
        ((), "give an event, or a file"),
    ],
)
def test_what_cannot_be_done_says_what_can(served, monkeypatch, args, words):
    env, folder = served
    for name, value in env.items():
        if name.startswith("ARB_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    ended = CliRunner().invoke(app, ["backtest", *args])
    assert isinstance(ended.exception, ConfigError | UnknownName)
    assert re.search(words, str(ended.exception))
    assert ended.stdout == ""


def test_a_file_needs_no_venue_and_brings_volume(tmp_path):
    rows = ["time,price,volume"]
    for hour in range(400):
        price = 0.5 + 0.2 * ((hour // 40) % 2) + 0.002 * (hour % 40)
        rows.append(f"{1793534400 + 3600 * hour},{price:.3f},{900 if hour % 40 == 0 else 100}")
    (tmp_path / "prices.csv").write_text("\n".join(rows))
    env = environment_for("http://127.0.0.1:9", tmp_path)
    done = arb("backtest", "--history", "prices.csv", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = {one["strategy"]: one for one in json.loads(done.stdout)["results"]}
    assert list(results) == FIVE
    assert results["MomentumStrategy"]["trades"] > 0


def test_parameters_are_chosen_on_the_first_part_and_tried_on_the_rest(served):
    env, folder = served
    told = ("--strategy", "RSIStrategy", "--param", "rsi_period=7,14,21", "--fit", "0.7")
    asked = ("backtest", EVENT, "--market", f"{EVENT}-1", *told)
    done = arb(*asked, "--json", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {one["params"]["rsi_period"] for one in document["results"]} == {7, 14, 21}
    profits = [Decimal(one["first"]["profit"]) for one in document["results"]]
    assert profits == sorted(profits, reverse=True)
    assert document["from"] < document["rest_from"] < document["to"]
    shown = arb(*asked, env=env, cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert "3 combinations tried" in shown.stdout
    assert "had no part in the choice" in shown.stdout


def test_without_the_extra_it_says_how_to_get_it_and_a_run_needs_none(tmp_path):
    hide = "import sys; sys.modules['talipp'] = None; sys.modules['talipp.indicators'] = None; "
    hide += "from arb.cli.app import main; main()"
    env = environment_for("http://127.0.0.1:9", tmp_path)
    args = [sys.executable, "-c", hide, "backtest", "--history", "x.csv"]
    done = subprocess.run(args, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "'.[signals]'" in done.stderr
    look = "import arb.runtime.running, arb.runtime.demo, sys; assert 'talipp' not in sys.modules"
    subprocess.run([sys.executable, "-c", look], cwd=ROOT, check=True, timeout=120)
