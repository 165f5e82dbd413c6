"""Books of a slow sweep are judged by the sweep; books of a trade by their own age."""

from datetime import timedelta
from decimal import Decimal

import pytest

from arb.adapters.paper.venue import on_paper
from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.domain.book import BookMap
from arb.domain.confirmation import Confirmation
from arb.domain.decision import Approved
from arb.domain.reason import Reason
from arb.domain.report import Completeness
from arb.engine.context import TradingContext
from arb.engine.options import EngineOptions, GuardOptions
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.venues import Venues
from arb.ports import Venue
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.negrisk import NegRiskNo
from arb.testing import builders as make


class _Clock:
    def __init__(self):
        self.time = make.NOON

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()

    async def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


class _Venue:
    """Answers a sweep slowly: the books are as old as the sweep took when it ends."""

    def __init__(self, clock, seconds):
        self._clock, self._seconds = clock, seconds
        markets = [make.market(f"m{i}", can_split=False) for i in range(3)]
        self.seen = make.universe(markets, [make.exclusive(markets)])

    async def universe(self):
        return self.seen

    async def confirm(self, markets):
        return {m.id: Confirmation(market=m.id, known=True) for m in markets}

    async def fetch(self, _outcomes):
        received = self._clock.now()
        await self._clock.sleep(self._seconds)
        bids = ("0.50", "0.40", "0.30")
        pairs = [
            make.books(m, [(bid, "50")], [("0.60", "50")], at=received)
            for m, bid in zip(self.seen.markets.values(), bids, strict=True)
        ]
        return BookMap(book for pair in pairs for book in pair)

    def completeness(self):
        return Completeness()

    def problems(self):
        return []


@pytest.mark.parametrize(("seconds", "end"), [(5, None), (40, Reason.EDGE_VANISHED)])
async def test_a_slow_sweep_still_finds_but_only_fresh_books_are_traded(seconds, end, tmp_path):
    from arb.adapters.storage import open_ledger

    clock = _Clock()
    venue = _Venue(clock, seconds)
    listed = Venue(id=POLYMARKET, listing=venue, books=venue, terms=TERMS)
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path}/arb.db", "paper:test")
    await ledger.open_account({POLYMARKET: Decimal(1000)}, clock.now())
    context = TradingContext(
        mode="dry-run",
        clock=clock,
        venues=Venues([on_paper(listed, clock)]),
        strategies=[NegRiskNo()],
        ledger=ledger,
    )
    limits = RiskLimits()
    options = EngineOptions(
        limits=limits,
        sizing=SizingOptions(),
        guard=GuardOptions(
            max_position_size=limits.max_position_size, max_book_age=limits.max_book_age
        ),
        bankroll_usd=Decimal(1000),
    )
    report = await ArbitrageOrchestrator(context, options).scan_cycle()
    await ledger.close()
    assert [type(finding) for finding in report.findings] == [Approved]
    ((_, reason),) = report.outcomes
    assert reason is (end or Reason.FILLED)
