"""Names of settings that the users' documents give: understood, or refused with the right name."""

import dataclasses
import itertools
import json
import os
import time

import httpx
import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.venue import open_venue
from arb.config.sources import load
from arb.domain.errors import ConfigError, Unavailable
from tests.programs import arb

TRADING_BOT = """\
# Exchange
EXCHANGE_API_KEY=your_key
EXCHANGE_API_SECRET=your_secret

# Trading Mode
PAPER_TRADING=true

# Risk Management
MAX_POSITION_SIZE=1000
RISK_PER_TRADE=0.02
MAX_DRAWDOWN_PCT=10
MAX_DAILY_LOSS_PCT=5

# AI Integration
OPENAI_API_KEY=your_key
ANTHROPIC_API_KEY=your_key
"""
"""The file of the document on the trading bot, as it stands there."""
SECRET = "0x" + "5e" * 32
LIVE, SIZE = "ARB_TRADING__LIVE", "ARB_TRADING__MAX_POSITION_SIZE"


def _environment(**more):
    return {k: v for k, v in os.environ.items() if not k.startswith("ARB_")} | more


def _load(folder, content):
    (folder / ".env").write_text(content)
    return load(folder=folder)


def _in_force(loaded):
    return {s.name: (str(s.value), s.source) for s in loaded.all()}


def _refused(folder, content):
    with pytest.raises(ConfigError) as caught:
        _load(folder, content)
    return str(caught.value)


def test_the_file_as_it_stands_is_refused_with_every_right_name_and_no_secret(tmp_path):
    (tmp_path / ".env").write_text(TRADING_BOT)
    done = arb("config", "check", env=_environment(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "arb: EXCHANGE_API_KEY (.env line 2) is not read under this name; "
        "write ARB_POLYMARKET__API_KEY instead; EXCHANGE_API_SECRET (.env line 3) is not read "
        "under this name; write ARB_POLYMARKET__API_SECRET instead\n"
    )


def test_its_limits_are_in_force_and_shown_with_the_names_that_they_came_under(tmp_path):
    renamed = TRADING_BOT.replace("EXCHANGE_API", "ARB_POLYMARKET__API")
    (tmp_path / ".env").write_text(renamed)
    done = arb("config", "show", "--sources", "--json", env=_environment(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {name: shown[name] for name in shown if shown[name]["source"].startswith(".env as")} == {
        "trading.max_position_size": {"value": "1000", "source": ".env as MAX_POSITION_SIZE"},
        "trading.live": {"value": "false", "source": ".env as PAPER_TRADING"},
        "risk.risk_per_trade": {"value": "0.02", "source": ".env as RISK_PER_TRADE"},
        "risk.max_drawdown_pct": {"value": "10", "source": ".env as MAX_DRAWDOWN_PCT"},
        "risk.max_daily_loss_pct": {"value": "5", "source": ".env as MAX_DAILY_LOSS_PCT"},
    }
    assert done.stderr.splitlines() == [
        f"arb: warning: {name}_API_KEY (.env line {line}) is not read: "
        "nothing here asks a language model"
        for name, line in (("OPENAI", 15), ("ANTHROPIC", 16))
    ]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("EXCHANGE_API_KEY", "ARB_POLYMARKET__API_KEY"),
        ("EXCHANGE_API_SECRET", "ARB_POLYMARKET__API_SECRET"),
        ("OPERATOR_PRIVATE_KEY", "ARB_POLYMARKET__PRIVATE_KEY"),
        ("RPC_PRIMARY_HTTP", "ARB_POLYMARKET__RPC_URLS"),
        ("ALCHEMY_API_KEY", "ARB_POLYMARKET__RPC_URLS=https://polygon-mainnet.g.alchemy.com/v2/"),
        ("DB_USER", "ARB_DATABASE__URL=postgresql+asyncpg://USER:PASSWORD@HOST:5432/arb"),
        ("DB_PASSWORD", "ARB_DATABASE__URL=postgresql+asyncpg://USER:PASSWORD@HOST:5432/arb"),
        ("REDIS_PASSWORD", "ARB_REDIS__URL=redis://:PASSWORD@HOST:6379/0"),
    ],
)
def test_a_secret_is_refused_in_our_file_and_told_in_the_environment(
    name, right, tmp_path, monkeypatch
):
    said = _refused(tmp_path, f"\n{name}={SECRET}\n")
    assert said.startswith(f"{name} (.env line 2) is not read under this name; write {right}")
    assert SECRET not in said
    (tmp_path / ".env").unlink()
    monkeypatch.setenv(name, SECRET)  # it may be another program's
    (said,) = load(folder=tmp_path).warnings
    assert said.startswith(f"{name} (environment) is not read; for the setting write {right}")
    assert SECRET not in said


@pytest.mark.parametrize(
    "content",
    [
        "DB_USER=chimera\nDB_PASSWORD=p/w\n"
        "ARB_DATABASE__URL=postgresql+asyncpg://${DB_USER}:p%2Fw@127.0.0.1/arb\n",
        f"OPERATOR_PRIVATE_KEY={SECRET}\nARB_POLYMARKET__PRIVATE_KEY=${{OPERATOR_PRIVATE_KEY}}\n",
        "RPC_PRIMARY_HTTP=https://node.example\n"
        'ARB_POLYMARKET__RPC_URLS=["${RPC_PRIMARY_HTTP}","https://second.example"]\n',
    ],
)
def test_an_old_name_may_stay_where_the_right_one_takes_its_value(content, tmp_path):
    assert _load(tmp_path, content).warnings == ()


def test_two_names_with_two_values_are_an_error_that_names_both(tmp_path):
    said = _refused(tmp_path, f"MAX_POSITION_SIZE=1000\n{SIZE}=500\n")
    assert said == (
        f"MAX_POSITION_SIZE = 1000 (.env line 1) and {SIZE} = 500 (.env) are one setting with two "
        "values; keep one of them"
    )
    same = _load(tmp_path, f"MAX_POSITION_SIZE=500\n{SIZE}=500.0\n")
    assert _in_force(same)["trading.max_position_size"] == ("500.0", ".env")
    said = _refused(tmp_path, f"EXCHANGE_API_KEY={SECRET}\nARB_POLYMARKET__API_KEY=other\n")
    assert "EXCHANGE_API_KEY (.env line 1)" in said
    assert "ARB_POLYMARKET__API_KEY" in said
    assert SECRET not in said


def test_what_comes_later_still_wins(tmp_path, monkeypatch):
    monkeypatch.setenv(SIZE, "50")
    loaded = _load(tmp_path, "MAX_POSITION_SIZE=1000\n")
    assert _in_force(loaded)["trading.max_position_size"] == ("50", "environment")


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("RISK_PER_TRADE", "2", "risk.risk_per_trade"),
        ("RISK_PER_TRADE", "1", "risk.risk_per_trade"),  # meant as one percent, perhaps
        ("RISK_PER_TRADE", "0", "risk.risk_per_trade"),
        ("MAX_DRAWDOWN_PCT", "0", "risk.max_drawdown_pct"),
        ("MAX_DAILY_LOSS_PCT", "101", "risk.max_daily_loss_pct"),
        ("MAX_DAILY_LOSS_PCT", "5%", "risk.max_daily_loss_pct"),
        ("MAX_POSITION_SIZE", "lots", "trading.max_position_size"),
    ],
)
def test_a_limit_that_bounds_nothing_is_refused_under_its_name(name, value, setting, tmp_path):
    said = _refused(tmp_path, f"{name}={value}\n")
    assert said.startswith(f"{setting} = '{value}' (.env as {name})")


def test_paper_trading_forbids_real_money_wherever_it_is_switched_on(tmp_path, monkeypatch):
    said = _refused(tmp_path, f"PAPER_TRADING=true\n{LIVE}=true\n")
    assert said == (
        "PAPER_TRADING=true (.env line 1) and ARB_TRADING__LIVE=true (.env) contradict each other; "
        "take one out"
    )
    monkeypatch.setenv(LIVE, "true")
    assert "ARB_TRADING__LIVE=true (environment)" in _refused(tmp_path, "PAPER_TRADING=true\n")


def test_paper_trading_false_switches_nothing_on(tmp_path):
    said = _refused(tmp_path, "PAPER_TRADING=false\n")
    assert said == (
        "PAPER_TRADING=false (.env line 1) switches nothing on: real money needs two keys, "
        "ARB_TRADING__LIVE=true and `arb run --live`; write those, or take it out"
    )
    loaded = _load(tmp_path, f"PAPER_TRADING=false\n{LIVE}=true\n")
    assert _in_force(loaded)["trading.live"] == ("True", ".env")
    assert "true or false" in _refused(tmp_path, "PAPER_TRADING=maybe\n")


def test_in_the_environment_they_change_nothing_and_are_told(tmp_path):
    told = {
        "PAPER_TRADING": "false",
        "MAX_POSITION_SIZE": "7",
        "RISK_PER_TRADE": "0.02",
        "MAX_DRAWDOWN_PCT": "10",
        "MAX_DAILY_LOSS_PCT": "5",
        "RPC_PRIMARY_WS": "wss://node.example",
        "DEEPSEEK_API_KEY": SECRET,
    }
    env = _environment(**told)
    done = arb("config", "show", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 0
    shown = json.loads(done.stdout)
    assert shown["trading.live"]["value"] == "false"
    assert shown["trading.max_position_size"]["source"] == "config/default.toml"
    assert {shown[f"risk.{name}"]["value"] for name in ("max_drawdown_pct", "risk_per_trade")} == {
        ""
    }
    named = {line.split(" ")[2]: line for line in done.stderr.splitlines()}
    assert set(named) == set(told) - {"RPC_PRIMARY_WS", "DEEPSEEK_API_KEY"}
    assert "ARB_RISK__MAX_DRAWDOWN_PCT" in named["MAX_DRAWDOWN_PCT"]
    assert "two keys" in named["PAPER_TRADING"]
    # What has no setting here is named where settings are looked at, and when a run begins.
    done = arb("config", "check", env=env, cwd=tmp_path)
    assert {line.split(" ")[2] for line in done.stderr.splitlines()} == set(told)
    assert SECRET not in done.stderr


def test_a_halt_is_stopped_by_none_of_them(tmp_path):
    (tmp_path / ".env").write_text(
        TRADING_BOT + f"ARB_DATABASE__URL=sqlite+aiosqlite:///{tmp_path}/mine.db\n"
    )
    env = _environment(OPERATOR_PRIVATE_KEY=SECRET, PAPER_TRADING="false")
    done = arb("halt", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine.db.halt").exists()
    assert SECRET not in done.stderr + done.stdout


def test_a_yaml_file_of_settings_is_named_and_not_passed_over(tmp_path):
    env = _environment()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.yaml").write_text("trading:\n  max_position_size: 5\n")
    for profile, said in (
        ("config.yaml", "it stands for config/NAME.toml; settings are TOML, not YAML"),
        (
            "mine",
            "config/mine.yaml is not read: settings are TOML, not YAML; write config/mine.toml",
        ),
    ):
        done = arb("config", "check", "--profile", profile, env=env, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
    (tmp_path / "config.yaml").write_text("network:\n  chain_id: 137\n")
    (said,) = load(folder=tmp_path).warnings
    assert said.startswith("config.yaml is not read: settings are TOML")


async def test_the_documents_figures_of_a_retry_are_settings(tmp_path):
    waits = ["1", "2", "60"]
    names = ("retry_wait_seconds", "retry_wait_factor", "retry_wait_seconds_max")
    lines = [f"ARB_POLYMARKET__{n.upper()}={w}" for n, w in zip(names, waits, strict=True)]
    options = _load(tmp_path, "\n".join(lines)).settings.polymarket
    asked = []

    def answer(_request):
        asked.append(time.monotonic())
        return httpx.Response(503)

    options = dataclasses.replace(options, retry_wait_seconds=0.2, retry_wait_factor=3)
    venue = open_venue(options, SystemClock(), transport=httpx.MockTransport(answer))
    with pytest.raises(Unavailable):
        await venue.reader.get("default", "https://venue.example/x")
    await venue.close()
    first, second = (later - sooner for sooner, later in itertools.pairwise(asked))
    assert len(asked) == options.attempts == 3
    assert first >= 0.2  # and by chance up to a tenth of a second more
    assert second >= 0.6
