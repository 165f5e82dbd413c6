"""A strategy that is confined finds what it finds anyway, about its symbol alone."""

import pytest

from arb.domain.market import united
from arb.engine.confined import Confined
from arb.engine.decide import proposals
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from arb.testing import builders as make


def _market(event, bids):
    markets = [make.market(f"{event}-{i}", can_split=False, event=event) for i in range(len(bids))]
    seen = make.universe(markets, [make.exclusive(markets)])
    pairs = [
        make.books(m, [(bid, "50")] if bid else [], [("0.90", "50")])
        for m, bid in zip(markets, bids, strict=True)
    ]
    return seen, pairs


@pytest.fixture
def snapshot():
    """Two events with an edge each; nothing is bid for the rain's last outcome."""
    (snow, some), (rain, more) = (
        _market("snow", ("0.50", "0.40", "0.30")),
        _market("rain", ("0.60", "0.60", None)),
    )
    return make.snapshot(united(snow, rain), *some, *more)


def _events(strategy, snapshot):
    return [found.event.slug for found in proposals([strategy], snapshot)]


@pytest.mark.parametrize(
    ("symbol", "events"),
    [
        ("snow", ["snow"]),
        ("rain", ["rain"]),
        ("snow-1", ["snow"]),
        ("rain-0", ["rain"]),
        ("rain-2", []),  # none of the legs that pay is in it
        ("hail", []),
    ],
)
def test_only_what_touches_the_symbol_is_proposed(snapshot, symbol, events):
    assert _events(NegRiskNo(), snapshot) == ["snow", "rain"]
    assert _events(Confined(NegRiskNo(), symbol), snapshot) == events


def test_what_is_passed_over_is_confined_as_well(snapshot):
    confined = Confined(NegRiskYes(), "snow")
    assert confined.name == "negrisk_yes"
    assert set(_events(confined, snapshot)) <= {"snow"}
