"""Settings that cannot work are refused at the door, by name, source and fix."""

import re
import types
import typing
from dataclasses import fields
from decimal import Decimal

import pytest

from arb.adapters.polymarket.options import PolymarketOptions
from arb.config.schema import Settings
from arb.config.sources import load
from arb.domain.errors import ConfigError
from tests.conftest import ROOT

SECONDS = {
    "scan_interval",
    "execution_pause",
    "resolution_check_interval",
    "max_block_age",
    "max_book_age",
    "answer_wait",
    "reconcile_interval",
    "monitor_interval",
    "repeat_after",
    "interval",
    "lease",
    "patience",
    "portfolio_every",
    "csv_every",
    "strategy_interval",
    "position_interval",
    "portfolio_interval",
}


def _refused(folder, profile=None):
    with pytest.raises(ConfigError) as caught:
        load(profile, folder=folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ARB_ARBITRAGE__SCAN_INTERVAL", "inf", "finite"),
        ("ARB_ARBITRAGE__SCAN_INTERVAL", "nan", "arbitrage.scan_interval"),
        ("ARB_ARBITRAGE__SCAN_INTERVAL", "0", "arbitrage.scan_interval"),
        ("ARB_RISK__MAX_DAILY_LOSS", "Infinity", "finite"),
        ("ARB_TRADING__BANKROLL_USD", "1e30", "trading.bankroll_usd"),
        ("ARB_TRADING__BANKROLL_USD", "0.0000001", "trading.bankroll_usd"),
        ("ARB_TRADING__BANKROLL_USD", "1e99999", "a number beyond all bounds"),
        ("ARB_TRADING__BANKROLL_USD", "9" * 4000, "a number beyond all bounds"),
        ("ARB_ARBITRAGE__PLANS_PER_CYCLE", "9" * 40, "a number beyond all bounds"),
        ("ARB_ARBITRAGE__PLANS_PER_CYCLE", "9999999999", "arbitrage.plans_per_cycle"),
        ("ARB_POLYMARKET__PATIENCE_SECONDS", "1e15", "must be 1000000000000 or less"),
        ("ARB_POLYMARKET__LIQUIDITY_MIN", "1e99999", "a number beyond all bounds"),
        ("ARB_TRADING__ACCOUNT", "x" * 5000, "more than 4096 characters"),
        ("ARB_STRATEGIES__ENABLED", "[" * 3000, "nested deeper"),
        ("ARB_POLYMARKET__CONCURRENCY", "0", "polymarket.concurrency = 0 (environment)"),
        ("ARB_POLYMARKET__ATTEMPTS", "-1", "polymarket.attempts = -1 (environment)"),
        ("ARB_POLYMARKET__BOOKS_PER_REQUEST", "501", "the venue's most is 500"),
        ("ARB_POLYMARKET__READ_TIMEOUT_SECONDS", "inf", "must be more than 0"),
        ("ARB_POLYMARKET__GAMMA_URL", "gamma", "polymarket.gamma_url = 'gamma' (environment)"),
        ("ARB_POLYMARKET__RPC_URLS", "https://a,b", "polymarket.rpc_urls = 'b' (environment)"),
        ("ARB_POLYMARKET__REQUESTS_PER_10_SECONDS", "much", "polymarket.requests_per_10_seconds"),
        ("ARB_POLYMARKET__REQUESTS_PER_10_SECONDS__BOOKS", "0", "_seconds.books = 0 (environment)"),
        ("ARB_POLYMARKET__REQUESTS_PER_10_SECONDS__BOKS", "9", "10_SECONDS__BOOKS?"),
        ("ARB_TRADING__LIVE__X", "1", "did you mean ARB_TRADING__LIVE?"),
        ("ARB_TRADING", "{}", "is not a setting"),
        ("ARB_STRATEGIES__ENABLED", "[1", "strategies.enabled = '[1' (environment)"),
        ("ARB_DATABASE__URL", "mysql://a:hunter2@b/c", "must begin with sqlite+aiosqlite://"),
    ],
)
def test_a_value_that_cannot_work_is_refused(name, value, said, monkeypatch, tmp_path):
    monkeypatch.setenv(name, value)
    message = _refused(tmp_path)
    assert said in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("trading = 5", "trading = 5 (config/mine.toml): trading is a table of settings"),
        ("[trading]\nbankroll_usd = 1e99999", "bankroll_usd (config/mine.toml): a number beyond"),
        ("[arbitrage]\nplans_per_cycle = 1e99999", "a number beyond all bounds"),
        ("[trading]\nbankroll_usd = 1e9999999999999999999", "a number beyond all bounds"),
        ("[arbitrage]\nplans_per_cycle = " + "9" * 4000, "a number beyond all bounds"),
        ("[arbitrage]\nplans_per_cycle = " + "9" * 5000, "mine.toml cannot be read"),
        # How deep the parser goes is a matter of the limit of recursion, which libraries raise.
        ("x = " + "[" * 5000 + "]" * 5000, "mine.toml"),
        (".".join("a" * 20) + " = 1", "is not a setting"),
        ("# " + "x" * 1_100_000, "mine.toml cannot be read: it has more than"),
        ("[trading.live]\nx = 1", "trading.live.x (config/mine.toml) is not a setting"),
        ("[trading]\nmax_position_size = [1]", "trading.max_position_size = [1]"),
        ("[tradign]\nlive = true", "tradign.live (config/mine.toml) is not a setting"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(content, said, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.toml").write_text(content)
    assert said in _refused(tmp_path, "mine")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".", "a b"])
def test_a_profile_is_a_name_and_no_path(name, tmp_path):
    assert "a name, not a path" in _refused(tmp_path, name)


def test_an_unreadable_dotenv_is_refused_and_strange_variables_in_it_are_not_ours(tmp_path):
    (tmp_path / ".env").write_text("OTHER_PROGRAM=1\nARB_STRATEGIES__ENABLED=negrisk_no\n")
    assert load(folder=tmp_path).settings.strategies.enabled == ("negrisk_no",)
    (tmp_path / ".env").write_text("ARB_TRADING__MAX_POSITON_SIZE=1\n")
    assert "(.env) is not a setting; did you mean" in _refused(tmp_path)
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    assert ".env cannot be read" in _refused(tmp_path)


@pytest.mark.parametrize("given", ['["negrisk_no", "negrisk_yes"]', "negrisk_no, negrisk_yes"])
def test_a_list_in_a_section_is_given_as_json_or_with_commas(given, monkeypatch, tmp_path):
    monkeypatch.setenv("ARB_STRATEGIES__ENABLED", given)
    assert load(folder=tmp_path).settings.strategies.enabled == ("negrisk_no", "negrisk_yes")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARB_POLYMARKET__REQUESTS_PER_10_SECONDS__BOOKS", "7"),
        ("ARB_POLYMARKET__REQUESTS_PER_10_SECONDS", '{"books": 7}'),
    ],
)
def test_one_budget_is_changed_without_losing_the_others(name, value, monkeypatch, tmp_path):
    monkeypatch.setenv(name, value)
    loaded = load(folder=tmp_path)
    budgets = loaded.settings.polymarket.requests_per_10_seconds
    assert (budgets["books"], budgets["default"]) == (7, 100)
    (shown,) = (s for s in loaded.all() if s.name == "polymarket.requests_per_10_seconds")
    assert shown.source == "config/default.toml, environment"


def test_a_password_in_an_address_is_a_secret(monkeypatch, tmp_path):
    monkeypatch.setenv("ARB_DATABASE__URL", "postgresql+asyncpg://arb:hunter2@db/arb")
    monkeypatch.setenv("ARB_POLYMARKET__RPC_URLS", "https://me:swordfish@node,https://plain")
    loaded = load(folder=tmp_path)
    shown = "\n".join(setting.shown for setting in loaded.all())
    assert "hunter2" not in shown
    assert "swordfish" not in shown
    assert "postgresql+asyncpg://arb:********@db/arb" in shown
    assert {"hunter2", "swordfish"} <= set(loaded.secrets())


def test_every_secret_is_known_to_be_one(monkeypatch, tmp_path):
    monkeypatch.setenv("ARB_API__TOKEN", "tok-123456")
    monkeypatch.setenv("ARB_POLYMARKET__API_SECRET", "sec-123456")
    assert set(load(folder=tmp_path).secrets()) == {"tok-123456", "sec-123456"}


def _types(annotation):
    if isinstance(annotation, types.UnionType) or typing.get_args(annotation):
        for part in typing.get_args(annotation):
            yield from _types(part)
    else:
        yield annotation


def test_no_amount_of_money_is_a_float():
    for section, field in Settings.model_fields.items():
        if section == "polymarket":
            continue
        for name, option in field.annotation.model_fields.items():
            if float in _types(option.annotation):
                assert name in SECONDS or "_seconds" in name, f"{section}.{name}"
    for option in fields(PolymarketOptions):
        if "float" in str(option.type):
            assert "_seconds" in option.name or option.name == "retry_wait_factor"
    loaded = load().settings
    for section in (loaded.trading, loaded.sizing, loaded.risk):
        for name, value in section:
            assert not isinstance(value, float) or name in SECONDS, name
    assert isinstance(loaded.trading.max_position_size, Decimal)


def test_every_line_of_the_default_file_says_what_it_sets():
    table = ""
    for line in (ROOT / "config/default.toml").read_text().splitlines():
        if line.startswith("["):
            table = line
        elif re.match(r"[\w-]+ = ", line):
            value = re.sub(r'"[^"]*"', "", line)
            assert re.search(r"#\s+\S", value), f"{table} {line}"
