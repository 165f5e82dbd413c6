"""Every parser and state file on spoilt inputs: only what its contract names, fast, never wrong."""

import pytest

from arb.adapters.shards.messages import BadMessage, Names, load_part
from arb.domain.snapshot import Snapshot
from arb.engine.decide import find
from tests.fuzz import seeds
from tests.fuzz.campaign import run
from tests.fuzz.targets import NOW, STRATEGIES, TARGETS, books_for, part_seeds

SLICE = {"settings file": 60, "settings' variables": 60, "nodes": 100}
"""Of those that cost more than a millisecond or two."""


@pytest.mark.parametrize("tries", [None, pytest.param(100_000, marks=pytest.mark.full)], ids=str)
@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_sent_is_read_right_or_refused_by_name(name, tries):
    found = run(TARGETS[name], tries or SLICE.get(name, 300), str(tries))
    assert found.clean, str(found)
    assert found.read, "nothing was read: the inputs test nothing"
    assert found.grown_mb <= 200


def test_what_is_spoilt_reaches_the_proof():
    universe = seeds.answers()["universe"]
    snapshot = Snapshot(universe=universe, books=books_for(universe), taken_at=NOW)
    assert find(STRATEGIES, snapshot).opportunities


def test_a_number_that_is_written_otherwise_is_none_of_a_worker():
    raw = part_seeds()[0]
    load_part(raw, "arb.parts.s1", Names(prefix="arb"))
    for tick in ("0.0_1", " 0.01", "\u0660.\u0660\u0661"):
        spoilt = raw.replace(b'"tick":"0.01"', f'"tick":"{tick}"'.encode())
        assert spoilt != raw
        with pytest.raises(BadMessage, match="as we write"):
            load_part(spoilt, "arb.parts.s1", Names(prefix="arb"))
