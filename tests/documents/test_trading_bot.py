"""The trading bot's document: its curl lines, typed as they stand."""

import json
import shutil
import time

import pytest
from typer.testing import CliRunner

from arb.cli.app import app
from arb.domain.errors import NotReady
from tests.documents.typed import START_SECONDS, heard, served
from tests.programs import arb

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

START = """curl -X POST http://localhost:8000/api/v1/bot/start \\
  -H "Content-Type: application/json" \\
  -d '{
    "exchange": "binance",
    "initial_balance": 10000.0
  }'"""
ADD = """curl -X POST http://localhost:8000/api/v1/bot/strategy/add \\
  -H "Content-Type: application/json" \\
  -d '{
    "strategy_name": "MACrossoverStrategy",
    "symbol": "BTC/USDT",
    "timeframe": "1h",
    "params": {
      "fast_period": 10,
      "slow_period": 30
    }
  }'"""
REMOVE = (
    "curl -X DELETE http://localhost:8000/api/v1/bot/strategy/remove/MACrossoverStrategy/BTC%2FUSDT"
)
STATUS = "curl http://localhost:8000/api/v1/bot/status"
HEALTH = "curl http://localhost:8000/api/v1/bot/health"
SESSION = (
    """curl -X POST http://localhost:8000/api/v1/bot/start \\
  -H "Content-Type: application/json" \\
  -d '{"exchange": "binance", "initial_balance": 10000}'""",
    """curl -X POST http://localhost:8000/api/v1/bot/strategy/add \\
  -H "Content-Type: application/json" \\
  -d '{
    "strategy_name": "MACrossoverStrategy",
    "symbol": "BTC/USDT",
    "timeframe": "1h"
  }'""",
    """curl -X POST http://localhost:8000/api/v1/bot/strategy/add \\
  -H "Content-Type: application/json" \\
  -d '{
    "strategy_name": "RSIStrategy",
    "symbol": "ETH/USDT",
    "timeframe": "4h"
  }'""",
    "curl http://localhost:8000/api/v1/bot/status | jq .",
    "curl http://localhost:8000/api/v1/bot/health | jq .",
    "curl http://localhost:8000/api/v1/portfolio | jq .",
    "curl http://localhost:8000/api/v1/portfolio/positions | jq .",
    "curl -X POST http://localhost:8000/api/v1/bot/pause",
    "curl -X POST http://localhost:8000/api/v1/bot/resume",
    "curl -X POST http://localhost:8000/api/v1/bot/stop",
)
OURS = {"binance": "polymarket", "BTC/USDT": "plain-24", "ETH/USDT": "plain-25"}
"""The words of the document that are other ones here."""
EIGHT = {
    "status", "is_running", "is_paused", "last_successful_update", "time_since_update_seconds",
    "consecutive_errors", "circuit_breaker_state", "error_counts",
}  # fmt: skip


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bot")
    signals = {
        "ARB_SIGNALS__ENABLED": "true",
        # A signal of the last whole hour is followed, however late in the hour it is.
        "ARB_SIGNALS__STRATEGY_INTERVAL": "3600",
        "ARB_SIGNALS__POSITION_INTERVAL": "1",
        "ARB_SIGNALS__PORTFOLIO_INTERVAL": "1",
        "ARB_SIGNALS__WARM_UP": "60",
    }
    with served(folder, past=5, **signals) as found:
        with found.stream("ws://localhost:8000/ws/arbitrage") as socket:
            heard(socket, "cycle_ended")
        yield found


def refused(answer, code):
    assert answer["error"]["code"] == code
    return answer["error"]["message"]


def ours(line):
    for theirs, word in OURS.items():
        line = line.replace(theirs, word)
    return line


def test_a_start_takes_only_what_is_so(bot):
    assert "binance is not enabled here (polymarket)" in refused(bot.answers(START), "invalid")
    assert bot.answers(START.replace("binance", "polymarket"))["status"]["running"]
    less = START.replace("binance", "polymarket").replace("10000.0", "500")
    message = refused(bot.answers(less), "refused")
    assert "paper:default was opened with $10000" in message
    assert "ARB_TRADING__ACCOUNT=paper:NAME" in message
    assert "ARB_TRADING__BANKROLL_USD=500" in message
    held = bot.answers("curl http://localhost:8000/api/v1/portfolio")
    assert held["account"] == "paper:default"


def test_stop_pause_resume_and_reset(bot):
    for command, name, expected in (
        ("stop", "running", False),
        ("start", "running", True),
        ("pause", "paused", True),
        ("resume", "paused", False),
    ):
        line = f"curl -X POST http://localhost:8000/api/v1/bot/{command}"
        assert bot.answers(line)["status"][name] is expected
    line = "curl -X POST http://localhost:8000/api/v1/bot/reset-errors"
    assert "forgotten" in bot.answers(line)
    assert bot.answers(HEALTH)["circuit_breaker_state"] == "closed"


def test_what_is_not_here_is_refused_by_name(bot):
    message = refused(bot.answers(ADD), "unknown")
    assert "symbol BTC/USDT: no event or market of that name is listed" in message
    message = refused(bot.answers(REMOVE), "unknown")
    assert "no strategy MACrossoverStrategy at BTC/USDT is active" in message
    message = refused(bot.answers(ADD.replace("MACrossover", "Miracle")), "unknown")
    assert "no strategy MiracleStrategy is installed (binary_complement, " in message
    add = ADD.replace("MACrossoverStrategy", "negrisk_no")
    assert "timeframe 1h: negrisk_no has none" in refused(bot.answers(add), "invalid")
    add = add.replace('"1h"', '"*"')
    message = refused(bot.answers(add), "invalid")
    assert "fast_period is no option of negrisk_no (its options: max_legs)" in message
    add = add[: add.index('"timeframe"')].rstrip().rstrip(",") + "}'"
    message = refused(bot.answers(add), "unknown")
    assert "symbol BTC/USDT: no event or market of that name is listed" in message


PARAMS = {
    "MACrossoverStrategy": {"fast_period": 10, "slow_period": 30},
    "RSIStrategy": {"rsi_period": 14, "oversold": 30, "overbought": 70},
    "GridTradingStrategy": {"grid_levels": 10, "grid_spacing_pct": 1.0},
    "MomentumStrategy": {"lookback_period": 20, "volume_threshold": 1.5},
    "MACDBollingerStrategy": {
        "macd_fast": 12, "macd_slow": 26, "macd_signal": 9, "bb_period": 20, "bb_std": 2,
    },
}  # fmt: skip
"""As the document lists them, under each strategy's heading."""


@pytest.mark.parametrize("name", PARAMS)
def test_each_strategy_is_added_and_removed_as_typed(bot, name):
    """The document's line with another name and market, and the parameters that it lists."""
    add = ours(ADD).replace("MACrossoverStrategy", name)
    params = add[add.index('"params":') : add.rindex("}")]
    added = bot.answers(add.replace(params, f'"params": {json.dumps(PARAMS[name])}'))
    assert added["changed"]
    looks = {"name": name, "symbol": OURS["BTC/USDT"], "timeframe": "1h", "is_active": True}
    status = bot.answers(STATUS)
    assert looks in status["strategies"]
    assert status["active_strategies"] == len(status["strategies"])
    account = bot.answers("curl http://localhost:8000/api/v1/signals")
    assert (account["what"], account["account"]) == (
        "statistical, not guaranteed", "paper:signals",
    )  # fmt: skip
    (row,) = account["strategies"]
    assert (row["strategy_name"], row["timeframe"], row["profit"]) == (name, "1h", "0")
    assert {key: float(value) for key, value in row["params"].items()} == PARAMS[name]
    assert row.keys() >= {"signal", "why", "followed", "position", "profit", "open_profit"}
    remove = REMOVE.replace("MACrossoverStrategy", name)
    assert bot.answers(remove.replace("BTC%2FUSDT", OURS["BTC/USDT"]))["changed"]
    assert looks not in bot.answers(STATUS)["strategies"]


def test_a_signal_is_bought_on_paper_while_it_runs(bot):
    """The three loops run: it is bought, and its bid is read. What is proved stays as it was."""
    portfolio = "curl http://localhost:8000/api/v1/portfolio"
    add = ours(ADD).replace("MACrossoverStrategy", "RSIStrategy")
    params = add[add.index('"params":') : add.rindex("}")]
    always = '"params": {"rsi_period": 2, "oversold": 99.99, "overbought": 100}'
    with bot.stream("ws://localhost:8000/ws/arbitrage") as socket:
        assert bot.answers(add.replace(params, always))["changed"]
        told = heard(socket, "signal")
    assert told["data"]["signal"] == "BUY"
    assert told["data"]["strategy_name"] == "RSIStrategy"
    end = time.monotonic() + START_SECONDS
    while True:
        account = bot.answers("curl http://localhost:8000/api/v1/signals")
        (row,) = account["strategies"]
        if row["position"]["price"] is not None:
            break
        assert time.monotonic() < end, row
    assert row["followed"] == told["data"]["done"]
    assert row["followed"].startswith("bought for $")
    assert float(row["position"]["price"]) == 0.5
    assert float(account["cash"]) == 10_000 - float(row["position"]["cost"])
    assert bot.answers(portfolio)["account"] == "paper:default"
    bot.answers("curl -X DELETE http://localhost:8000/api/v1/bot/strategy/remove/RSIStrategy")


@pytest.fixture
def shell(bot, monkeypatch):
    """The shell of the operator, in this process."""
    monkeypatch.chdir(bot.folder)
    monkeypatch.setenv("COLUMNS", "160")
    env = {key: value for key, value in bot.env.items() if key.startswith("ARB_")}
    runner = CliRunner(env={**env, "ARB_API__PORT": bot.port})
    return lambda *args: runner.invoke(app, args)


def test_status_and_report_show_them_apart(bot, shell):
    """After the purchase above; no figure of the account of what is proved has it."""
    status = json.loads(shell("status", "--json").stdout)
    account = status["signals"]
    assert (account["what"], account["account"]) == ("statistical, not guaranteed", "paper:signals")
    (row,) = account["strategies"]
    assert (row["strategy_name"], row["is_active"]) == ("RSIStrategy", False)
    assert row["position"]["price"] is None  # the ledger knows no prices
    told = shell("status").stdout
    assert "Strategies on paper (statistical, not guaranteed)" in told
    assert "RSIStrategy (removed)" in told
    report = json.loads(shell("report", "--json").stdout)
    assert "RSIStrategy" not in report["by_kind"]
    assert report["signals"]["by_strategy"].keys() == {"RSIStrategy"}
    assert report["signals"]["locked"] == account["held"] == row["position"]["cost"]
    assert "locked_profit" not in report["signals"]
    told = shell("report").stdout
    assert "Statistical, not guaranteed: paper:signals" in told
    target = bot.folder / "report.html"
    shell("report", "--html", str(target))
    assert "<caption>Statistical, not guaranteed: paper:signals</caption>" in target.read_text()
    overview = bot.answers("curl http://localhost:8000/api/v1/overview")
    assert overview["signals"]["account"] == "paper:signals"


def test_the_shell_adds_lists_and_removes(bot, shell):
    def strategies(*args):
        return shell("strategies", *args)

    symbol = f"{OURS['BTC/USDT']}/No"
    added = strategies("add", "RSIStrategy", symbol, "--timeframe", "4h", "--param", "rsi_period=7")
    assert added.stdout == "RSIStrategy is active.\n", added.stderr
    listed = json.loads(strategies("list", "--json").stdout)
    row = next(one for one in listed["signals"]["strategies"] if one["is_active"])
    assert (row["symbol"], row["outcome"], row["params"]["rsi_period"]) == (symbol, "No", "7")
    told = strategies("list").stdout
    assert "statistical, not guaranteed" in told
    assert "negrisk_no" in told
    assert strategies("remove", "RSIStrategy", symbol).exit_code == 0
    listed = json.loads(strategies("list", "--json").stdout)["signals"]["strategies"]
    assert not any(one["is_active"] for one in listed)
    assert strategies("resume", "--reason", "looked").exit_code == 0
    with pytest.raises(NotReady, match="symbol BTC/USDT"):
        raise strategies("add", "RSIStrategy", "BTC/USDT").exception


def test_a_strategy_is_confined_to_a_symbol_and_has_options(bot):
    latest = bot.answers("curl http://localhost:8000/api/v1/arbitrage/opportunities")
    symbol = next(one["event"] for one in latest if one["kind"] == "negrisk_no")
    add = ADD.replace("MACrossoverStrategy", "negrisk_no").replace("BTC/USDT", symbol)
    add = add.replace('"1h"', '"*"')
    params = add[add.index('"fast_period"') : add.index("}")]
    bounded = add.replace(params, '"max_legs": 1')
    assert "max_legs: Input should be greater" in refused(bot.answers(bounded), "invalid")
    add = add.replace(params, '"max_legs": 8')
    assert "looks at all markets already" in refused(bot.answers(add), "refused")
    everywhere = "curl -X DELETE http://localhost:8000/api/v1/bot/strategy/remove/negrisk_no"
    assert bot.answers(everywhere)["changed"]
    assert bot.answers(add)["changed"]
    assert "remove it to give it other options" in refused(bot.answers(add), "refused")
    looks = {"name": "negrisk_no", "symbol": symbol, "timeframe": None, "is_active": True}
    assert looks in bot.answers(STATUS)["strategies"]
    available = bot.answers("curl http://localhost:8000/api/v1/bot/strategies/available")
    assert looks in available
    assert [one["name"] for one in available].count("negrisk_no") == 1
    remove = REMOVE.replace("MACrossoverStrategy", "negrisk_no")
    assert f"(negrisk_no at {symbol})" in refused(bot.answers(remove), "unknown")
    assert bot.answers(remove.replace("BTC%2FUSDT", symbol))["changed"]
    assert looks not in bot.answers(STATUS)["strategies"]
    back = """curl -X POST http://localhost:8000/api/v1/bot/strategy/add \\
      -H "Content-Type: application/json" -d '{"strategy_name": "negrisk_no"}'"""
    assert bot.answers(back)["changed"]


def test_status_and_health_have_the_fields_of_the_document(bot):
    status = bot.answers(STATUS)
    assert {"running", "paused", "paper_trading", "exchange"} < status.keys()
    assert status["active_strategies"] == len(status["strategies"])
    for one in status["strategies"]:
        assert one.keys() == {"name", "symbol", "timeframe", "is_active"}
    assert bot.answers(HEALTH).keys() > EIGHT


def test_the_complete_session_runs_in_order(bot):
    """As written but for the names of the exchange and of the markets."""
    for line in SESSION[:3]:
        refused(bot.answers(line), "invalid" if "/start" in line else "unknown")
    answers = [bot.answers(ours(line)) for line in SESSION]
    started, *added, status, health, portfolio, positions, paused, resumed, stopped = answers
    assert started["status"]["running"]
    assert [one["status"]["running"] for one in added] == [True, True]
    for name, symbol, timeframe in (
        ("MACrossoverStrategy", "BTC/USDT", "1h"),
        ("RSIStrategy", "ETH/USDT", "4h"),
    ):
        looks = {"name": name, "symbol": OURS[symbol], "timeframe": timeframe, "is_active": True}
        assert looks in status["strategies"]
    assert health["status"] == "healthy"
    assert portfolio["cash"]
    assert positions
    assert paused["status"]["paused"]
    assert not resumed["status"]["paused"]
    assert not stopped["status"]["running"]
    recorded = (bot.folder / "run/data/api-audit.jsonl").read_text().splitlines()
    done = [json.loads(line) for line in recorded]
    assert {(one["who"], one["role"]) for one in done} == {("loopback", "operate")}
    assert {"start", "strategy/add", "pause", "resume", "stop"} <= {one["action"] for one in done}
    bot.answers("curl -X POST http://localhost:8000/api/v1/bot/start")


def test_positions_have_what_was_paid_and_what_they_are_worth(bot):
    positions = bot.answers("curl http://localhost:8000/api/v1/portfolio/positions")
    assert positions
    for held in positions:
        assert float(held["price_paid"]) * float(held["shares"]) == pytest.approx(
            float(held["cost"]), rel=1e-4
        )
        if held["value"] is None:
            assert held["no_value"]
        else:
            worth = float(held["price"]) * float(held["shares"])
            assert float(held["value"]) == pytest.approx(worth)
            assert held["priced_at"]
            assert not held["no_value"]
    assert any(held["value"] for held in positions)


def test_it_says_that_it_is_open(bot):
    said = "Every program on this machine may operate it without a token"
    assert said in bot.program.err.read_text()
    assert bot.answers(STATUS)["open_on_loopback"] is True
    env = {**bot.env, "ARB_API__PORT": bot.port}
    for command in ("status", "doctor"):
        told = arb(command, env=env, cwd=bot.folder).stdout
        assert "operate it without a token" in " ".join(told.split()), told
    # What needs more than an operator's role needs a token all the same.
    trade = """curl -X POST http://localhost:8000/api/v1/arbitrage/execute \\
      -H "Content-Type: application/json" -d '{"opportunity_id": "5d41402abc4b2a76"}'"""
    assert "needs the role trade" in refused(bot.answers(trade), "role")
    for header in ("Origin: http://evil.example", "Host: evil.example", "X-Forwarded-For: 8.8.8.8"):
        line = STATUS.replace("curl ", f"curl -H '{header}' ")
        refused(bot.answers(line), {"O": "origin", "H": "host", "X": "token"}[header[0]])
