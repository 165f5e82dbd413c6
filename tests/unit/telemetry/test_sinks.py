"""Log sinks: one line per record of every library, tracebacks in files, nothing secret in either."""

import asyncio
import base64
import io
import json
import logging
import warnings
from urllib.parse import quote

import pytest
from loguru import logger

from arb.adapters.telemetry.logs import LogOptions, check, set_up
from arb.adapters.telemetry.redact import Redactor, printable
from arb.domain.errors import ConfigError

KEY = "0x" + "9c1f7be04d2a" * 5 + "77e3"
PHRASE = 'corr"ect\\horse/battery+staple='


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was():
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    logger.remove()
    root.handlers[:] = before
    logging.captureWarnings(capture=False)


def _sinks(folder, **options):
    console = io.StringIO()
    set_up(LogOptions(folder=folder, **options), [KEY, PHRASE], console)
    return console


def _file(folder):
    return "".join(path.read_text() for path in folder.glob("*.log"))


def _encodings(secret):
    raw = secret.encode()
    return {
        "exact": secret,
        "without 0x": secret.removeprefix("0x"),
        "base64": base64.b64encode(raw).decode(),
        "base64 for addresses": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "address": quote(secret, safe=""),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "json": json.dumps(secret)[1:-1],
    }


@pytest.mark.parametrize("secret", [KEY, PHRASE])
@pytest.mark.parametrize("json_lines", [False, True])
def test_canaries_in_eight_encodings_reach_no_sink_from_any_writer(secret, json_lines, tmp_path):
    console = _sinks(tmp_path, json_lines=json_lines, level="DEBUG")
    canaries = _encodings(secret)
    for form in canaries.values():
        logger.info("plain {}", form)
        logging.getLogger("httpx").error("of a library %s", form)
        try:
            raise ValueError(form)
        except ValueError:
            logger.exception("broken {}", form)
            logging.getLogger("asyncio").exception("of a library")
    written = (console.getvalue() + _file(tmp_path)).lower()
    assert len(written) > 8 * 5 * 40
    assert not [name for name, form in canaries.items() if form.lower() in written]


def test_libraries_and_warnings_are_written_in_the_same_form(tmp_path, monkeypatch):
    console = _sinks(tmp_path)
    logging.getLogger("alembic").info("not worth a line")
    logging.getLogger("uvicorn").warning("nearly")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    lines = console.getvalue().splitlines()
    assert lines[0].endswith("| WARNING  | uvicorn: nearly")
    assert "| WARNING  | py.warnings: " in lines[1]
    assert len(lines) == 2


def test_what_a_task_lost_is_logged(tmp_path):
    console = _sinks(tmp_path)

    async def lose():
        asyncio.get_running_loop().call_exception_handler(
            {"message": "lost", "exception": ValueError(KEY)}
        )

    asyncio.run(lose())
    assert "asyncio: lost (ValueError: ********)" in console.getvalue()


def test_setting_up_twice_does_not_write_twice(tmp_path):
    _sinks(tmp_path)
    console = _sinks(tmp_path)
    logging.getLogger("somebody").error("once")
    assert console.getvalue().count("once") == 1


def test_a_traceback_goes_to_the_file_without_the_values_of_variables(tmp_path):
    console = _sinks(tmp_path)
    unregistered = "value of a local variable"
    try:
        raise KeyError("of no use\n2026-01-01 00:00:00 | SUCCESS  | forged")
    except KeyError:
        logger.exception("it broke")
    assert unregistered not in _file(tmp_path)
    assert len(console.getvalue().splitlines()) == 1
    first, *rest = _file(tmp_path).splitlines()
    assert "it broke (KeyError" in first
    assert any("test_sinks.py" in line for line in rest)
    assert all(line.startswith("    ") for line in rest)


def test_a_venues_text_cannot_forge_a_line_or_speak_to_the_terminal(tmp_path):
    console = _sinks(tmp_path)
    logger.info("{}", "title\n2026-01-01 00:00:00 | CRITICAL | forged\r\x1b[31m\u202e")
    (line,) = console.getvalue().splitlines()
    assert line.endswith(r"title\n2026-01-01 00:00:00 | CRITICAL | forged\r\x1b[31m\u202e")
    assert printable("Wird es 30 °C? 🌡️ 日本") == "Wird es 30 °C? 🌡️ 日本"


def test_json_lines_carry_the_exception(tmp_path):
    console = _sinks(tmp_path, json_lines=True)
    try:
        raise ValueError("why")
    except ValueError:
        logger.exception("it broke")
    shown, kept = json.loads(console.getvalue()), json.loads(_file(tmp_path))
    assert shown["exception"] == kept["exception"] == "ValueError: why"
    assert "traceback" not in shown
    assert "Traceback" in kept["traceback"]


def test_colour_only_on_a_terminal(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    console = Terminal()
    set_up(LogOptions(), (), console)
    logger.warning("<red>not a tag</red> {not_a_field}")
    assert "\x1b[" in console.getvalue()
    assert "<red>not a tag</red> {not_a_field}" in console.getvalue()
    plain = _sinks(tmp_path)
    logger.warning("no colour")
    assert "\x1b[" not in plain.getvalue() + _file(tmp_path)


@pytest.mark.parametrize(
    ("rule", "value"),
    [("rotation", "banana"), ("retention", "for ever"), ("compression", "shrink")],
)
def test_a_rule_that_cannot_be_understood_is_a_bad_setting(rule, value, tmp_path):
    options = LogOptions(folder=tmp_path / "logs", **{rule: value})
    for attempt in (check, set_up):
        with pytest.raises(ConfigError, match=rf"logging\.{rule}.*ARB_LOGGING__{rule.upper()}"):
            attempt(options)


def test_checking_writes_nothing(tmp_path):
    check(LogOptions(folder=tmp_path / "logs"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_a_bad_setting(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="ARB_LOGGING__FOLDER"):
        set_up(LogOptions(folder=tmp_path / "file"))


def test_files_are_rotated_packed_and_dropped(tmp_path):
    _sinks(tmp_path, rotation="2 KB", retention=2, compression="zip")
    for number in range(200):
        logger.info("line {}", number)
    assert 1 <= len(list(tmp_path.glob("*.zip"))) <= 2


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("redis://:hunter22@cache/0", "hunter22"),
        ("https://abcdef1234567890@node/rpc", "abcdef1234567890"),
        ("sent eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJ", "SflKxwRJ"),
        ("{'POLY_PASSPHRASE': 'abcdef123456'}", "abcdef123456"),
        ("PRIVATE_KEY=0x" + "ab" * 32, "abab"),
    ],
)
def test_what_looks_like_a_secret_is_masked_without_being_known(line, secret):
    assert secret not in Redactor()(line)


@pytest.mark.parametrize(
    "line",
    [
        "order 0x" + "ab" * 32 + " of market 0x" + "cd" * 31,
        "token 71321045679252212594626385532706912750332728571942532289631379312455583992563",
        "token=71321045679252212594626385532706912750332728571942532289631379312455583992563",
        "read https://clob.polymarket.com/books in 20 ms",
        "transaction_hash=0x" + "12" * 32,
    ],
)
def test_what_an_operator_needs_stays_readable(line):
    assert Redactor([KEY])(line) == line
