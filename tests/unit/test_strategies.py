"""What strategies propose, and why they pass over the rest."""

from datetime import timedelta

import pytest

from arb.domain.opportunity import Candidate
from arb.domain.reason import Reason
from arb.strategies.binary_complement import BinaryComplement
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from arb.strategies.options import StrategyOptions
from arb.testing import builders as make


def _event(bids, asks, *, market=None, complete=True, options=None, **universe):
    markets = [
        make.market(f"m{i}", can_split=False, **(market or {}).get(i, {})) for i in range(len(bids))
    ]
    seen = make.universe(markets, [make.exclusive(markets, complete=complete)], **universe)
    pairs = [
        make.books(m, [(bid, "50")], [(ask, "50")])
        for m, bid, ask in zip(markets, bids, asks, strict=True)
    ]
    return make.snapshot(seen, *pairs)


CHEAP_NO = (["0.50", "0.40", "0.30"], ["0.55", "0.45", "0.35"])
CHEAP_YES = (["0.25", "0.25", "0.25"], ["0.30", "0.30", "0.30"])


def _one(found):
    assert len(found) == 1
    return found[0]


def test_nos_that_cost_less_than_they_pay_are_proposed_in_equal_shares():
    found = _one(NegRiskNo().find(_event(*CHEAP_NO)))
    assert isinstance(found, Candidate)
    assert [str(leg.limit) for leg in found.legs] == ["0.50", "0.60", "0.70"]
    assert {leg.size for leg in found.legs} == {50}


def test_an_exclusive_event_needs_no_exhaustiveness_for_nos():
    assert isinstance(
        _one(NegRiskNo().find(_event(*CHEAP_NO, complete=False, open_ended=True))), Candidate
    )


def test_a_market_that_cannot_be_traded_is_left_out_of_the_nos():
    bids, asks = ["0.60", "0.50", "0.30"], ["0.65", "0.55", "0.35"]
    found = _one(NegRiskNo().find(_event(bids, asks, market={2: {"accepting": False}})))
    assert len(found.legs) == 2


def test_no_more_legs_than_allowed_are_proposed():
    bids, asks = ["0.60", "0.50", "0.30"], ["0.65", "0.55", "0.35"]
    strategy = NegRiskNo(StrategyOptions(max_legs=2))
    assert len(_one(strategy.find(_event(bids, asks))).legs) == 2


def test_all_yeses_below_a_dollar_are_proposed():
    found = _one(NegRiskYes().find(_event(*CHEAP_YES)))
    assert isinstance(found, Candidate)
    assert len(found.legs) == 3


@pytest.mark.parametrize(
    ("reason", "more"),
    [
        (Reason.OPEN_ENDED, {"open_ended": True}),
        (Reason.MISSING_OUTCOME, {"missing": 1}),
        (Reason.MISSING_OUTCOME, {"complete": False}),
        (Reason.CLOSED_SIBLING, {"market": {1: {"closed": True}}}),
        (Reason.NOT_ACCEPTING, {"market": {1: {"accepting": False}}}),
        (Reason.DELAYED, {"market": {1: {"delay": "3"}}}),
        (Reason.NO_FEE_SCHEDULE, {"market": {1: {"rate": None}}}),
    ],
)
def test_the_reason_against_a_set_of_yeses_is_named(reason, more):
    assert _one(NegRiskYes().find(_event(*CHEAP_YES, **more))).reason is reason


def test_a_set_of_more_legs_than_allowed_is_named():
    strategy = NegRiskYes(StrategyOptions(max_legs=2))
    assert _one(strategy.find(_event(*CHEAP_YES))).reason is Reason.TOO_MANY_LEGS


def test_fees_that_exceed_the_edge_are_named():
    dear = {i: {"rate": "0.05"} for i in range(3)}
    found = _one(
        NegRiskNo().find(_event(["0.40", "0.32", "0.30"], ["0.45", "0.40", "0.35"], market=dear))
    )
    assert (found.reason, str(found.gross_edge)) == (Reason.FEES_EXCEED_EDGE, "0.02")


def test_a_missing_and_a_stale_book_are_named():
    snapshot = _event(*CHEAP_YES)
    markets = list(snapshot.universe.markets.values())
    pairs = [make.books(m, [("0.25", "50")], [("0.30", "50")]) for m in markets]
    missing = make.snapshot(snapshot.universe, *pairs[:2])
    assert not [f for f in NegRiskYes().find(missing) if isinstance(f, Candidate)]
    assert _one(NegRiskYes().find(missing)).reason is Reason.MISSING_BOOK
    old = make.books(
        markets[2], [("0.25", "50")], [("0.30", "50")], at=make.NOON - timedelta(minutes=1)
    )
    stale = make.snapshot(snapshot.universe, *pairs[:2], old)
    assert _one(NegRiskYes().find(stale)).reason is Reason.STALE_BOOK


def test_a_no_book_that_is_no_mirror_is_bad_data():
    snapshot = _event(*CHEAP_NO)
    markets = list(snapshot.universe.markets.values())
    pairs = [make.books(m, [("0.30", "50")], [("0.35", "50")]) for m in markets]
    yes, _ = pairs[0]
    _, other = make.books(markets[0], [("0.90", "50")], [("0.95", "50")])
    mixed = make.snapshot(snapshot.universe, (yes, other), *pairs[1:])
    assert _one(NegRiskNo().find(mixed)).reason is Reason.MIRROR_MISMATCH


def _binary(bid, ask, **more):
    market = make.market("m")
    return make.snapshot(
        make.universe([market]), make.books(market, [(bid, "40")], [(ask, "40")], **more)
    )


def test_a_mirrored_binary_leaves_nothing():
    assert not BinaryComplement().find(_binary("0.49", "0.51"))


def test_a_crossed_book_of_one_instant_is_proposed():
    assert isinstance(_one(BinaryComplement().find(_binary("0.55", "0.45"))), Candidate)


def test_a_crossed_book_of_two_instants_is_bad_data():
    snapshot = _binary("0.55", "0.45", no_stamped_at=make.NOON - timedelta(seconds=1))
    assert _one(BinaryComplement().find(snapshot)).reason is Reason.MIRROR_MISMATCH


def test_a_stale_no_book_is_bad_data():
    market = make.market("m")
    yes, _ = make.books(market, [("0.49", "40")], [("0.50", "40")])
    _, no = make.books(market, [("0.58", "40")], [("0.60", "40")])
    snapshot = make.snapshot(make.universe([market]), (yes, no))
    found = _one(BinaryComplement().find(snapshot))
    assert found.reason is Reason.MIRROR_MISMATCH
    assert "not mirrors" in found.detail
