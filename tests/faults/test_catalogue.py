"""Every row of the catalogue that concerns trading has a test of its name, or a reason for none."""

import re
from pathlib import Path

from tests.conftest import ROOT

PARTS = "ABDEFGH"
"""C is about streams of market data, which decide nothing here; I are the invariants."""
ELSEWHERE = {
    "H04": "e2e/test_lifetime.py::test_a_second_instance_on_one_ledger_is_refused",
    "H07": "bots/test_supervisor.py::test_what_a_bot_forks_goes_with_it",
    "H08": "bots/test_mailbox.py::test_a_writer_killed_at_any_moment_leaves_a_whole_file",
}
NOT_APPLICABLE = {"E11": "about Kalshi's hours; there is no Kalshi adapter, and no knob"}


def test_every_row_has_a_test_or_a_reason():
    page = (ROOT / "docs/fault-catalogue.md").read_text(encoding="utf-8")
    wanted = set(re.findall(rf"^\| ([{PARTS}]\d\d) \|", page, re.MULTILINE))
    assert {row[0] for row in wanted} == set(PARTS)
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = {row.upper() for row in re.findall(r"def test_([a-h]\d\d)_", text)}
    assert named | NOT_APPLICABLE.keys() | ELSEWHERE.keys() == wanted
    assert not named & NOT_APPLICABLE.keys()
    for place in ELSEWHERE.values():
        file, name = place.split("::")
        assert f"def {name}(" in (Path(__file__).parents[1] / file).read_text()
