"""What stands in `.env` and the environment and is no setting: refused, told, or left alone."""

import json
import os

import pytest

from arb.config.sources import load
from arb.domain.errors import ConfigError
from tests.programs import arb

LIMIT = "ARB_TRADING__MAX_POSITION_SIZE"
SECRET = "0x" + "5e" * 32


def _load(folder, content):
    (folder / ".env").write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(folder=folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{LIMIT}: 50\n", f".env line 1: {LIMIT}: there is no ="),
        (f"{LIMIT}:50\n", ".env line 1: ARB_TRADING__MAX_POSITION_SIZE: there is no ="),
        (f"{LIMIT}\n", "there is no ="),
        (f'A=1\n\n{LIMIT}="50\n', f".env line 3: {LIMIT}: its quote is not closed"),
        (
            f"# x\n{LIMIT}='50' USD\n",
            f".env line 2: {LIMIT}: its quote is not closed, or something",
        ),
        (f"\u200b{LIMIT}=50\n", ".env line 1: the name '\\u200bARB_TRADING__MAX_POSITION_SIZE'"),
        (f"\ufeff\ufeff{LIMIT}=50\n", "U+FEFF"),
        (f"A=1\n{LIMIT.replace('_', chr(0xAD) + '_', 1)}=50\n", ".env line 2"),
        (f"set {LIMIT}=50\n", ".env line 1"),
        (f'NAME="a\n{LIMIT}=50\nB=c"\n', "line 1: the quote that begins there ends lines later"),
        ("=5\n", ".env line 1"),
        (f"OTHER: 5\n{LIMIT}=50\n", ".env line 1"),
        (f"ARB_POLYMARKET__PRIVATE_KEY: {SECRET}\n", "ARB_POLYMARKET__PRIVATE_KEY: there is no ="),
        (f"{SECRET}: 1\n", ".env line 1"),
        (b"\xff\xfeA\x00", ".env cannot be read"),
        (b"A=" + b"x" * 1024 * 1024, ".env cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_by_its_number(content, said, tmp_path, caplog):
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, content)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caplog.text == ""  # and nothing of the library's own


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{LIMIT}=50\n",
        f"export {LIMIT} = 50 # a comment\r\n",
        f"{LIMIT}='50'\n",
        f"OTHER\nmy.key=:x\nurl=a=b:c\n{LIMIT}=50\n",
        f'NOTE="two\nlines"\n{LIMIT}=50',
        f"{LIMIT.lower()}=50\n",
    ],
)
def test_lines_that_can_be_read_are(content, tmp_path):
    loaded = _load(tmp_path, content)
    assert loaded.settings.trading.max_position_size == 50
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("TRADING__LIVE=true", "ARB_TRADING__LIVE"),
        ("trading__live=true", "ARB_TRADING__LIVE"),
        ("MAX_EVENT_EXPOSURE=50", "ARB_RISK__MAX_EVENT_EXPOSURE"),
        ("ABR_TRADING__MAX_POSITION_SIZE=50", LIMIT),
        ("TRADING__MAX_POSITON_SIZE=50", LIMIT),
        ("PRIVATE_KEY=x", "ARB_POLYMARKET__PRIVATE_KEY"),
    ],
)
def test_a_setting_without_its_prefix_is_told(line, right, tmp_path):
    name = line.partition("=")[0]
    (said,) = _load(tmp_path, f"\n{line}\n").warnings
    assert said == f"{name} (.env line 2) is not read; for the setting write {right}"


def test_in_the_environment_only_what_is_surely_meant_is_told(tmp_path, monkeypatch):
    for name in ("TRADING__LIVE", "MAX_POSITION_SIZE"):
        monkeypatch.setenv(name, "1")
    for name in ("PRIVATE_KEY", "HOST", "URL", "API_KEY", "LOG_LEVEL", "__CF_USER", "A__B"):
        monkeypatch.setenv(name, "x")
    told = {said.split(" ")[0] for said in load(folder=tmp_path).warnings}
    assert told == {"TRADING__LIVE", "MAX_POSITION_SIZE"}


@pytest.mark.parametrize("name", ["ARB_HOME", "ARB_NONSENSE", "ARB_RPC", "arb_x", "ARB_ENV"])
def test_what_is_another_programs_stops_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setenv(name, "5")
    (said,) = load(folder=tmp_path).warnings
    assert said == f"{name} (environment) is not a setting; it is not read"
    with pytest.raises(ConfigError, match=r"\(\.env\) is not a setting"):
        _load(tmp_path, f"{name}=5\n")  # in our own file it is a mistake


def test_what_bots_are_given_is_no_mistake(tmp_path, monkeypatch):
    monkeypatch.setenv("ARB_BOT_FOLDER", "comm")
    monkeypatch.setenv("ARB_BOT_NAME", "mine")
    assert load(folder=tmp_path).warnings == ()


@pytest.mark.parametrize("name", ["ARB_MAX_POSITION_SIZE", "ARB_TRADNG__LIVE", "ARB_TRADING__X"])
def test_what_was_meant_for_us_is_refused_in_the_environment_too(name, tmp_path, monkeypatch):
    monkeypatch.setenv(name, "5")
    with pytest.raises(ConfigError, match=f"{name} .environment. is not a setting"):
        load(folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARB_POLYMARKET__CLOB_URL", "https://clob.example\nhost: x"),
        ("ARB_POLYMARKET__CLOB_URL", "https://clob.example "),
        ("ARB_TRADING__ACCOUNT", "paper:two "),
        ("ARB_TRADING__ACCOUNT", "paper:\ntwo"),
    ],
)
def test_blanks_that_nobody_sees_are_no_part_of_a_value(name, value, tmp_path, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        load(folder=tmp_path)


def _environment(**more):
    return {k: v for k, v in os.environ.items() if not k.startswith("ARB_")} | more


def test_commands_say_it_on_one_line_and_end_with_2(tmp_path):
    (tmp_path / ".env").write_text(f'{LIMIT}="50\n')
    done = arb("config", "check", env=_environment(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"arb: .env line 1: {LIMIT}: its quote is not closed, or something follows it; "
        "write NAME=value\n"
    )
    (tmp_path / ".env").write_text("TRADING__LIVE=true\n")
    done = arb("config", "check", env=_environment(), cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("arb: warning: TRADING__LIVE (.env line 1) is not read;")


BROKEN = (
    (f'{LIMIT}="50\n', {}),
    ("ARB_TRADING__NONSENSE=1\n", {}),
    ("", {"ARB_RISK__MAX_DAILY_LOSS": "lots"}),
    ("", {"ARB_TRADNG__LIVE": "1"}),
    (b"\xff\xfe\x00", {}),
)


@pytest.mark.parametrize(("content", "variables"), BROKEN)
def test_a_halt_needs_no_sound_settings(content, variables, tmp_path):
    content = content if isinstance(content, bytes) else content.encode()
    url = f"sqlite+aiosqlite:///{tmp_path}/mine.db"
    (tmp_path / ".env").write_bytes(content + b"\nARB_TRADING__ACCOUNT=paper:mine\n")
    env = _environment(ARB_DATABASE__URL=url, **variables)
    done = arb("halt", "--reason", "now", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the settings are not sound" in done.stderr
    assert f"Ledger {tmp_path}/mine.db, account paper:mine" in done.stdout
    halted = json.loads((tmp_path / "mine.db.halt").read_text())
    assert halted == {"paper:mine": "now"}
    assert arb("status", env=env, cwd=tmp_path).returncode == 2
