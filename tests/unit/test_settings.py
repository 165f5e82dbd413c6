"""Settings: where they come from, and what is said of wrong ones."""

import ast
import tomllib
from dataclasses import MISSING
from datetime import timedelta
from decimal import Decimal

import pytest

from arb.bootstrap import engine_options
from arb.config.schema import SECRETS, Settings
from arb.config.sources import _values, load
from arb.domain.errors import ConfigError
from arb.engine.options import EngineOptions, GuardOptions
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.options import StrategyOptions
from tests.conftest import ROOT


def _source(loaded, name):
    return next(s for s in loaded.all() if s.name == name)


def test_later_sources_win_and_are_remembered(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.toml").write_text(
        "[trading]\nmax_position_size = 1\nmin_profit_usd = 1\nbankroll_usd = 1\n"
        "[risk]\nmax_daily_loss = 1\n"
    )
    (tmp_path / ".env").write_text(
        "ARB_TRADING__MIN_PROFIT_USD=2\nARB_TRADING__BANKROLL_USD=2\nARB_RISK__MAX_DAILY_LOSS=2\n"
    )
    monkeypatch.setenv("ARB_TRADING__BANKROLL_USD", "3")
    monkeypatch.setenv("ARB_RISK__MAX_DAILY_LOSS", "3")
    loaded = load("mine", {"risk.max_daily_loss": 4}, tmp_path)
    found = {
        name: (_source(loaded, name).value, _source(loaded, name).source)
        for name in (
            "trading.max_position_size",
            "trading.min_profit_usd",
            "trading.bankroll_usd",
            "risk.max_daily_loss",
            "risk.max_open_positions",
        )
    }
    assert found == {
        "trading.max_position_size": (1, "config/mine.toml"),
        "trading.min_profit_usd": (2, ".env"),
        "trading.bankroll_usd": (3, "environment"),
        "risk.max_daily_loss": (4, "command line"),
        "risk.max_open_positions": (20, "config/default.toml"),
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ARB_TRADING__MAX_POSITON_SIZE", "5", "did you mean ARB_TRADING__MAX_POSITION_SIZE"),
        ("ARB_TRADING__NONSENSE", "5", "ARB_TRADING__NONSENSE (environment) is not a setting"),
        ("ARB_RISK__MAX_DAILY_LOSS", "lots", "risk.max_daily_loss = 'lots' (environment)"),
        ("ARB_RISK__MAX_DAILY_LOSS", "-1", "risk.max_daily_loss = '-1' (environment)"),
        ("ARB_SIZING__METHOD", "guess", "sizing.method = 'guess' (environment)"),
        ("ARB_POLYMARKET__CONCURRENCY", "x", "polymarket.concurrency = 'x' (environment)"),
        ("ARB_API__CORS_ORIGINS", '["*"]', "must be one site exactly"),
        ("ARB_API__CORS_ORIGINS", '["https://board.example/page"]', "without * or a path"),
    ],
)
def test_a_wrong_setting_is_named_with_its_source(name, value, said, monkeypatch, tmp_path):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load(folder=tmp_path)
    assert said in str(caught.value)


def test_a_wrong_name_in_a_file_and_a_missing_profile_are_named(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.toml").write_text("[risk]\nmax_dayly_loss = 1\n")
    with pytest.raises(ConfigError, match=r"config/mine.toml.*did you mean risk.max_daily_loss"):
        load("mine", folder=tmp_path)
    with pytest.raises(ConfigError, match="no profile other"):
        load("other", folder=tmp_path)
    (tmp_path / "config" / "mine.toml").write_text("[risk\n")
    with pytest.raises(ConfigError, match=r"mine.toml cannot be read"):
        load("mine", folder=tmp_path)


def test_a_secret_in_a_file_is_refused_and_masked_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("ARB_POLYMARKET__PRIVATE_KEY", "0x" + "ab" * 32)
    loaded = load(folder=tmp_path)
    shown = _source(loaded, "polymarket.private_key")
    assert (shown.shown, shown.source) == ("********", "environment")
    assert "abab" not in repr(loaded.settings)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mine.toml").write_text('[polymarket]\nprivate_key = "x"\n')
    with pytest.raises(ConfigError, match="is a secret"):
        load("mine", folder=tmp_path)


def test_lists_are_given_as_json_or_with_commas(tmp_path, monkeypatch):
    for text in ('["http://a", "http://b"]', "http://a, http://b"):
        monkeypatch.setenv("ARB_POLYMARKET__RPC_URLS", text)
        assert load(folder=tmp_path).settings.polymarket.rpc_urls == ("http://a", "http://b")


def test_the_documented_way_to_read_settings_works():
    from arb.config import settings

    assert settings.arbitrage.scan_interval == 30
    assert settings.trading.max_position_size == 1000
    assert settings.trading.min_profit_threshold == Decimal("0.02")


def test_the_default_file_says_every_default_and_nothing_else():
    stated = tomllib.loads((ROOT / "config/default.toml").read_text(), parse_float=Decimal)
    built_in = dict(_values(Settings()))
    flat = {
        f"{section}.{name}": value
        for section, table in stated.items()
        for name, value in table.items()
    }
    silent = SECRETS | {name for name, value in built_in.items() if value is None}
    assert set(flat) == set(built_in) - silent
    for name, value in flat.items():
        expected = built_in[name]
        assert value == (list(expected) if isinstance(expected, tuple) else expected), name


OPTIONS = (RiskLimits, SizingOptions, GuardOptions, EngineOptions, StrategyOptions)
SECTIONS = ("arbitrage", "trading", "sizing", "risk", "strategies")


def _settings_with_options():
    """Section and name of every setting that an option class declares."""
    for section in SECTIONS:
        for name in type(getattr(Settings(), section)).model_fields:
            if any(name in each.__dataclass_fields__ for each in OPTIONS):
                yield section, name


def test_a_default_is_written_once():
    """Where an option class declares a setting, its section only refers to that."""
    source = ast.parse((ROOT / "src/arb/config/schema.py").read_text())
    written = {
        field.target.id: field.value
        for section in source.body
        if isinstance(section, ast.ClassDef)
        and section.name in {type(getattr(Settings(), name)).__name__ for name in SECTIONS}
        for field in section.body
        if isinstance(field, ast.AnnAssign)
    }
    found = list(_settings_with_options())
    assert len(found) > 30
    for _, name in found:
        referred = isinstance(written[name], ast.Call) and written[name].func.id == "default_of"
        assert referred, f"the default of {name} is written in its section, too"
        declared = [
            each.__name__
            for each in OPTIONS
            if name in each.__dataclass_fields__
            and each.__dataclass_fields__[name].default is not MISSING
        ]
        assert len(declared) == 1, (name, declared)


def test_no_name_means_two_settings_of_the_engine():
    names = [
        name for section in SECTIONS for name in type(getattr(Settings(), section)).model_fields
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("section", "name"), list(_settings_with_options()))
def test_a_setting_reaches_every_option_of_its_name(section, name):
    before = getattr(getattr(Settings(), section), name)
    if isinstance(before, bool):
        other = not before
    elif isinstance(before, str):
        other = "classical"
    elif before is None:
        other = Decimal("0.5")
    else:
        other = before / 2 if isinstance(before, Decimal) and before else before + 1
    settings = Settings.model_validate({section: {name: other}})
    built = engine_options(settings)
    options = (built.limits, built.sizing, built.guard, built, settings.options(StrategyOptions))
    reached = [getattr(each, name) for each in options if name in type(each).__dataclass_fields__]
    assert reached
    for value in reached:
        plain = value.total_seconds() if isinstance(value, timedelta) else value
        assert plain == other != before
