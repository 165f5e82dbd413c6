"""What a halt and a pause are called, stored as and read back from."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arb.domain.halt import Pause, Standing, TradingState, parse_standing
from arb.operations.halt_file import effective_standing
from tests.conftest import settings_for

HALTED = TradingState.HALTED
REASONS = st.builds(
    "".join,
    st.lists(
        st.sampled_from(["paused", ": ", "the venue was away", "halt: ", "lunch", " "]), max_size=5
    ),
)


@pytest.mark.parametrize(
    ("text", "by_operator", "word", "pause", "reason"),
    [
        ("paused", True, "paused", Pause.UNTIL_RESUMED, ""),
        ("paused: over the weekend", True, "paused", Pause.UNTIL_RESUMED, "over the weekend"),
        ("paused: the venue was away", True, "paused", Pause.UNTIL_RESUMED, "the venue was away"),
        ("paused: 10 cycles failed", False, "paused", Pause.UNTIL_RESUMED, "10 cycles failed"),
        (
            "paused: the venue was away for 10 cycles", False,
            "paused", Pause.UNTIL_REACHABLE, "the venue was away for 10 cycles",
        ),
        ("halt: paused: for good", True, "halted", None, "halt: paused: for good"),
        ("paused for good", True, "halted", None, "paused for good"),
        ("10 plans in a row failed", False, "halted", None, "10 plans in a row failed"),
        ("", True, "halted", None, ""),
    ],
)  # fmt: skip
def test_rows_of_every_version_read_as_what_they_are(text, by_operator, word, pause, reason):
    found = parse_standing("halted", text, by_operator=by_operator)
    assert (found.state, found.word, found.pause, found.reason) == (HALTED, word, pause, reason)
    assert found.outage is (pause is Pause.UNTIL_REACHABLE)
    assert found.text == text


@given(state=st.sampled_from(TradingState), reason=REASONS, operator=st.booleans())
@example(state=TradingState.NORMAL, reason="paused: no more", operator=True)
def test_without_a_pause_no_wording_becomes_one(state, reason, operator):
    before = Standing(state=state, reason=reason, by_operator=operator)
    after = parse_standing(state.value, before.text, by_operator=operator)
    assert (after.state, after.pause, after.word) == (state, None, state.value)


@given(pause=st.sampled_from(Pause), reason=REASONS, operator=st.booleans())
def test_a_pause_stays_the_pause_it_is_however_it_is_worded(pause, reason, operator):
    before = Standing(state=HALTED, reason=reason, by_operator=operator, pause=pause)
    after = parse_standing("halted", before.text, by_operator=operator)
    assert (after.word, after.outage) == ("paused", before.outage)
    assert after.text == before.text


def test_no_operator_pauses_until_the_venue_is_back():
    found = Standing(state=HALTED, by_operator=True, pause=Pause.UNTIL_REACHABLE)
    assert (found.paused, found.outage) == (True, False)


def test_the_halt_file_halts_whatever_it_says(tmp_path):
    loaded = settings_for("http://127.0.0.1:9", tmp_path)
    place = loaded.settings.database.url.partition(":///")[2]
    words = json.dumps({loaded.settings.account: "paused: lunch"})
    (tmp_path / f"{place}.halt").write_text(words)
    found = effective_standing(loaded, Standing())
    assert (found.word, found.text) == ("halted", "halt: paused: lunch")
