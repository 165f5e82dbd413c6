"""Every row of the catalogue that concerns trading has a test of its name, or a reason for none."""

import re
from pathlib import Path

ROWS = {"A": 21, "B": 20, "D": 10, "E": 12, "F": 9, "G": 7}
NOT_APPLICABLE = {"E11": "about Kalshi's hours; there is no Kalshi adapter, and no knob"}


def test_every_row_has_a_test_or_a_reason():
    wanted = {f"{part}{n:02}" for part, most in ROWS.items() for n in range(1, most + 1)}
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = {row.upper() for row in re.findall(r"def test_([a-g]\d\d)_", text)}
    assert named | NOT_APPLICABLE.keys() == wanted
    assert not named & NOT_APPLICABLE.keys()
