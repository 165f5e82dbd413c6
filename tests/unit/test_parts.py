"""A listing in parts: no relation is lost between two of them."""

import random
from dataclasses import replace

import pytest

from arb.domain.market import EventId, Implies, Same, Universe
from arb.domain.sweep import parts
from arb.testing import builders as make


def _universe(chance, events, bonds):
    listed, markets = {}, []
    for number in range(events):
        own = [
            make.market(f"e{number}-m{place}", event=f"e{number}")
            for place in range(chance.randint(1, 4))
        ]
        event = next(iter(make.universe(own).events.values()))
        listed[event.id] = replace(event, id=EventId(f"e{number}"), slug=f"e{number}")
        markets += own
    relations = [
        chance.choice((Implies, Same))(*(m.id for m in chance.sample(markets, 2)))
        for _ in range(bonds)
    ]
    return Universe({m.id: m for m in markets}, listed, tuple(relations))


@pytest.mark.parametrize("seed", range(60))
def test_every_relation_is_whole_in_one_part(seed):
    chance = random.Random(seed)
    universe = _universe(chance, chance.randint(2, 30), chance.randint(0, 12))
    found = list(parts(universe, markets_max=chance.randint(1, 12)))
    assert sorted(r for part in found for r in map(repr, part.relations)) == sorted(
        map(repr, universe.relations)
    )
    events = [event for part in found for event in part.events]
    assert sorted(events) == sorted(universe.events)
    assert sum(len(part.markets) for part in found) == len(universe.markets)


def test_events_without_a_bond_are_divided_as_before():
    universe = _universe(random.Random(0), 12, 0)
    found = [list(part.events) for part in parts(universe, markets_max=5)]
    assert [event for part in found for event in part] == list(universe.events)
    assert len(found) > 3
