"""Logs: their form, and that no secret is ever in them."""

import base64
import io
import json
import re
from urllib.parse import quote

import pytest
from loguru import logger

from arb.adapters.telemetry.logs import LogOptions, set_up
from arb.adapters.telemetry.redact import Redactor

SECRET = "0x" + "4f3c9a7be1d2" * 5 + "aa11"
PHRASE = "correct/horse+battery=staple"


def _written(tmp_path, *, json_lines=False, secrets=(SECRET, PHRASE)):
    console = io.StringIO()
    set_up(LogOptions(folder=tmp_path, json_lines=json_lines), secrets, console)
    return console


@pytest.fixture(autouse=True)
def _no_sinks_after():
    yield
    logger.remove()


def _canaries():
    for secret in (SECRET, PHRASE):
        raw = secret.encode()
        yield secret
        yield secret.removeprefix("0x")
        yield secret.upper()
        yield quote(secret, safe="")
        yield raw.hex()
        yield base64.b64encode(raw).decode()
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
        yield secret[::-1]


@pytest.mark.parametrize("json_lines", [False, True])
def test_no_secret_is_in_any_sink_in_any_of_eight_encodings(tmp_path, json_lines):
    console = _written(tmp_path, json_lines=json_lines)
    for canary in _canaries():
        logger.info("a message with {} inside", canary)
        try:
            raise ValueError(f"an error with {canary} inside")
        except ValueError:
            logger.exception("it broke with {}", canary)
    files = "".join(path.read_text() for path in tmp_path.iterdir())
    for canary in _canaries():
        assert canary.lower() not in console.getvalue().lower()
        assert canary.lower() not in files.lower()
    assert "********" in files


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer abcdef123456",
        "POLY_SIGNATURE: abcdef123456",
        "postgresql://arb:abcdef123456@db/arb",
        "private_key=0x" + "ab" * 32,
        'api_secret="abcdef123456"',
    ],
)
def test_what_is_written_like_a_secret_is_masked_unknown(line):
    masked = Redactor()(line)
    assert "abcdef123456" not in masked
    assert "abab" not in masked


def test_hashes_of_orders_stay_readable():
    line = "order 0x" + "ab" * 32 + " filled"
    assert Redactor()(line) == line


def test_lines_have_the_documented_form(tmp_path):
    console = _written(tmp_path)
    logger.success("it worked")
    logger.debug("not shown")
    pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| SUCCESS  \| it worked\n"
    assert re.fullmatch(pattern, console.getvalue())
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(pattern, file.read_text())


def test_json_lines_are_json(tmp_path):
    console = _written(tmp_path, json_lines=True)
    logger.warning("{}", 'a "quoted" <word> {brace}')
    document = json.loads(console.getvalue())
    assert (document["level"], document["message"]) == ("WARNING", 'a "quoted" <word> {brace}')
