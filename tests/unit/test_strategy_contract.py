"""Every strategy of ours, and a stranger's, keeps what `StrategyContract` asks."""

import pytest

from arb.domain.market import Implies
from arb.strategies.binary_complement import BinaryComplement
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from arb.testing import builders as make
from arb.testing.contracts import StrategyContract
from tests.conftest import ROOT


def _race(bids, asks):
    markets = [make.market(f"m{i}", can_split=False) for i in range(len(bids))]
    seen = make.universe(markets, [make.exclusive(markets)])
    pairs = [
        make.books(market, [(bid, "50")], [(ask, "50")])
        for market, bid, ask in zip(markets, bids, asks, strict=True)
    ]
    return make.snapshot(seen, *pairs)


class TestBinaryComplement(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return BinaryComplement()

    @pytest.fixture
    def paying(self):
        market = make.market("m")
        crossed = make.books(market, [("0.55", "40")], [("0.45", "40")])
        return make.snapshot(make.universe([market]), crossed)


class TestNegRiskNo(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return NegRiskNo()

    @pytest.fixture
    def paying(self):
        return _race(["0.50", "0.40", "0.30"], ["0.55", "0.45", "0.35"])


class TestNegRiskYes(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return NegRiskYes()

    @pytest.fixture
    def paying(self):
        return _race(["0.25", "0.25", "0.25"], ["0.30", "0.30", "0.30"])


class TestTwoNosOfAStranger(StrategyContract):
    @pytest.fixture
    def strategy(self, monkeypatch):
        monkeypatch.syspath_prepend(ROOT / "tests" / "stranger")
        from arb_toy.two_nos import TwoNos

        return TwoNos()

    @pytest.fixture
    def paying(self):
        return _race(["0.58", "0.55", "0.20"], ["0.60", "0.57", "0.25"])


class TestImpliedOfAStranger(StrategyContract):
    @pytest.fixture
    def strategy(self, monkeypatch):
        monkeypatch.syspath_prepend(ROOT / "tests" / "stranger")
        from arb_toy.strategy import Implied, ImpliedOptions

        return Implied(ImpliedOptions())

    @pytest.fixture
    def paying(self):
        premise, conclusion = (make.market(name, can_split=False) for name in ("day", "week"))
        seen = make.universe([premise, conclusion], [Implies(premise.id, conclusion.id)])
        return make.snapshot(
            seen,
            make.books(premise, [("0.70", "40")], [("0.75", "40")]),
            make.books(conclusion, [("0.25", "30")], [("0.30", "30")]),
        )
