"""The examples of the interface specification are documents that the program takes."""

import re
import tomllib

import pytest

from arb.adapters.bots.definition import NO_BOTS, Limits, read
from arb.adapters.bots.messages import Command, Heartbeat, Result, dump, parse
from arb.config.sources import read_toml
from arb.domain.errors import ConfigError
from tests.conftest import ROOT

KINDS = {"command": Command, "result": Result, "heartbeat": Heartbeat}
FOUND = re.findall(
    r"```json (command|result|heartbeat)\n(.+?)```",
    (ROOT / "INTERFACE_SPEC.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_an_example_is_a_document(kind, text):
    made = parse(text.encode(), KINDS[kind])
    assert parse(dump(made), KINDS[kind]) == made


def test_there_is_an_example_of_each():
    assert len(FOUND) == 8
    assert {kind for kind, _ in FOUND} == set(KINDS)


def test_the_shipped_definitions_start_nothing_and_their_example_is_sound():
    text = (ROOT / "config" / "bots.toml").read_text(encoding="utf-8")
    assert read(tomllib.loads(text), "bots.toml") == NO_BOTS
    lines = [line.removeprefix("#").removeprefix(" ") for line in text.splitlines()[4:]]
    bots = read(tomllib.loads("\n".join(lines)), "bots.toml")
    assert list(bots.definitions) == ["atom", "adom"]
    assert [rule.name for rule in bots.rules] == ["risk", "profit", "cost", "default"]
    shown = bots.definitions["atom"]
    assert (shown.heartbeat_timeout, shown.restarts_max) == (120, 5)
    assert shown.limits == Limits(memory_mb=512)


def test_the_example_of_the_readme_is_sound():
    text = (ROOT / "README_ORCHESTRATOR.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(\[bot\..+?)```", text, re.DOTALL)
    assert len(read(tomllib.loads(shown), "bots.toml").definitions) == 2


@pytest.mark.parametrize("number", ["1e99999", "nan", "inf", "-1", "9" * 400, "1e9"])
def test_a_number_that_no_limit_has_is_refused_by_name(number, tmp_path):
    path = tmp_path / "bots.toml"
    path.write_text(f'[bot.atom]\ncommand = ["x"]\nbackoff_seconds = {number}\n')
    with pytest.raises(ConfigError, match="backoff_seconds"):
        read(read_toml(path), "bots.toml")
