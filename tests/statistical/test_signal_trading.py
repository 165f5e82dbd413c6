"""Signals at work: bought, watched and sold on paper against the embedded exchange, by real HTTP.

The account is one of its own: whatever it loses, the account of what is proved does not know.
"""

import contextlib
import itertools
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
import pytest_asyncio

from arb.adapters.storage import Database, open_ledger
from arb.adapters.storage.queries import LedgerReads
from arb.bootstrap import paper_context
from arb.domain.errors import ConfigError
from arb.domain.fact import SaleOrdered
from arb.domain.halt import Standing, TradingState
from arb.domain.news import SignalSeen
from arb.engine.control import Refusal, Unfit, UnknownTarget
from arb.interlocks import BlockCode, Interlock
from arb.publisher import Publisher
from arb.runtime.signal_trading import signals_over
from arb.statistical.names import SIGNAL_STRATEGIES
from arb.statistical.strategies import STRATEGIES
from tests.conftest import exchange_at, settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKET = "plain-1"
BUYS = {"rsi_period": 2, "oversold": "99.99", "overbought": "100"}
"""Says BUY at any price that has fallen once."""
SELLS = {"rsi_period": 2, "oversold": "0", "overbought": "0.01"}
DAY = 86_400
NUMBERS = itertools.count(1)


class World:
    """The embedded exchange with past prices, and an account of its own for each test."""

    def __init__(self, exchange, address, folder, beside):
        self.exchange, self.address, self.folder = exchange, address, folder
        self.beside, self.account, self.heard = beside, f"paper:s{next(NUMBERS)}", []

    def loaded(self, **settings):
        chosen = {
            "signals.enabled": True,
            "signals.account": self.account,
            # A signal of the last whole hour is followed, however late in the hour it is.
            "signals.strategy_interval": DAY,
            "signals.warm_up": 24,
            "risk.max_book_age": 3600,
        }
        return settings_for(self.address, self.folder, **{**chosen, **settings})

    @contextlib.asynccontextmanager
    async def trader(self, *, interlocks=(), **settings):
        """The account, set up; opened again it is as after a restart."""
        chosen = self.loaded(**settings).settings
        beside = replace(self.beside, interlocks=interlocks)
        async with signals_over(chosen, beside, forward=self.heard.append) as trader:
            yield trader

    def quote(self, bid, ask, size=5000, slug=MARKET):
        market = self.exchange.by_slug(slug)
        market.tick, market.fee_rate = Decimal("0.01"), Decimal("0.04")
        bids, asks = (
            ((int(Decimal(price) * 10**6), size * 10**6),) if price else () for price in (bid, ask)
        )
        self.exchange.set_book(market.yes, bids, asks)

    async def fault(self, endpoint, kind=""):
        """Have the venue not answer a path; without a kind it answers again."""
        order = (
            {"fault": {"endpoint": endpoint, "kind": kind, "times": -1}}
            if kind
            else {"clear": True}
        )
        async with httpx.AsyncClient(base_url=self.address, trust_env=False) as client:
            answer = await client.post("/_control", json=order)
            assert answer.status_code == 200, answer.text

    @contextlib.asynccontextmanager
    async def ledger(self, account=None):
        url = self.loaded().settings.database.url
        ledger = await open_ledger(url, account or self.account)
        try:
            yield ledger
        finally:
            await ledger.close()

    async def fills(self):
        """All fills of the account, the oldest first."""
        async with self.ledger() as ledger:
            return await ledger.fills(self.beside.clock.now() - timedelta(days=1))

    async def plans(self):
        """All plans of the account, each with its facts."""
        reads = LedgerReads(Database(self.loaded().settings.database.url), self.account)
        try:
            return [await reads.plan(row.id) for row in await reads.plans()]
        finally:
            await reads.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    async with exchange_at("quiet") as (exchange, address):
        exchange.history.imagine(30, "1")
        asked_once = {"polymarket.attempts": 1, "polymarket.universe_max_age_seconds": 600}
        settings = settings_for(address, folder, **asked_once).settings
        async with paper_context(settings, Publisher()) as beside:
            opening = dict.fromkeys(beside.venues, Decimal(10_000))
            await beside.ledger.open_account(opening, beside.clock.now())
            yield exchange, address, folder, beside


@pytest_asyncio.fixture(loop_scope="module")
async def here(served):
    made = World(*served)
    made.quote("0.49", "0.50")
    return made


async def bought(trader, symbol=MARKET):
    await trader.add("RSIStrategy", symbol, "1h", BUYS)
    await trader.follow()
    row = next(one for one in (await trader.shown()).strategies if one.symbol == symbol)
    assert row.position is not None, row
    return row


async def test_a_signal_is_bought_once_and_within_the_limits(here):
    async with here.trader() as trader:
        row = await bought(trader)
        assert (row.signal, row.event, row.outcome) == ("BUY", "plain-1", "Yes")
        assert row.why.startswith("RSI ")
        assert row.followed.startswith("bought for $")
        held = row.position
        assert held.price_paid == Decimal("0.5")
        # 2 % of the worth is 4000 shares that lose a tenth; a position allows half of that.
        assert 1900 < held.shares < 2000
        assert 950 < held.cost <= 1000
        assert (held.stop_at, held.take_at) == (Decimal("0.45"), Decimal("0.6"))
        assert row.open_profit is None  # no book was read since
        (seen,) = here.heard
        assert isinstance(seen, SignalSeen)
        assert (seen.strategy, seen.symbol, seen.done) == ("RSIStrategy", MARKET, row.followed)
        await trader.follow()
        assert (await trader.shown()).strategies[0].position == held


async def test_strategies_and_positions_outlive_a_restart(here):
    async with here.trader() as trader:
        held = (await bought(trader)).position
        await trader.add("MACrossoverStrategy", f"{MARKET}/No", None, {"fast_period": 3})
    async with here.trader() as trader:
        await trader.follow()
        first, second = (await trader.shown()).strategies
        assert first.position.shares == held.shares
        assert len(await here.plans()) == 1
        assert len(here.heard) == 1  # the signal of that bar was followed before
        assert (second.symbol, second.outcome, second.timeframe) == (f"{MARKET}/No", "No", "1h")
        assert second.params == {"fast_period": "3", "slow_period": "30"}
        assert [one.strategy for one in await trader.remove("RSIStrategy")] == ["RSIStrategy"]
        here.quote("0.3", "0.31")
        await trader.watch()  # what is left of it is still watched
        assert (await trader.shown()).trades == 1
    async with here.trader() as trader:
        assert [one.strategy for one in trader.instances] == ["MACrossoverStrategy"]


async def test_the_risk_to_the_stop_bounds_the_size(here):
    async with here.trader(**{"signals.risk_per_trade": "0.001"}) as trader:
        held = (await bought(trader)).position
        assert 190 < held.shares < 201  # 10 USD, each share loses a tenth of at most 0.51


async def test_stop_loss_sells_through_the_saga(here):
    async with here.trader() as trader:
        held = (await bought(trader)).position
        here.quote("0.46", "0.47")
        await trader.watch()
        row = (await trader.shown()).strategies[0]
        assert row.position.shares == held.shares
        assert row.position.value == held.shares * Decimal("0.46")
        assert row.open_profit == row.position.value - row.position.cost
        here.quote("0.45", "0.46")
        await trader.watch()
        shown = await trader.shown()
        (row,) = shown.strategies
        assert row.position is None
        assert shown.realised == row.profit < -Decimal("0.05") * held.shares
        assert shown.trades == 1
        (plan,) = await here.plans()
        assert plan.reason == "stop-loss: the bid 0.45 is at or below 0.45"
        assert (plan.state, plan.locked, plan.kind) == ("done", 0, "RSIStrategy")
        # All of it is on record, and was before it happened.
        assert [line[1] for line in plan.facts] == [
            "submitted", "answered", "saleordered", "submitted", "answered",
        ]  # fmt: skip


async def test_take_profit_sells_through_the_saga(here):
    async with here.trader() as trader:
        held = (await bought(trader)).position
        here.quote("0.59", "0.6")
        await trader.watch()
        assert (await trader.shown()).trades == 1
        assert (await trader.shown()).strategies[0].position is not None
        here.quote("0.60", "0.61")
        await trader.watch()
        shown = await trader.shown()
        assert shown.strategies[0].position is None
        assert shown.realised > Decimal("0.05") * held.shares
        assert (await here.plans())[0].reason.startswith("take-profit: the bid 0.6 ")


async def test_a_sale_that_a_crash_cut_off_is_carried_out(here):
    async with here.trader() as trader:
        await bought(trader)
    async with here.ledger() as ledger:
        (plan,) = await ledger.locked_plans()
        sale = SaleOrdered(number=1, why="stop-loss", at=here.beside.clock.now())
        await ledger.append(plan.id, [sale])
        await ledger.reopen_plan(plan.id)
    async with here.trader() as trader:
        assert (await trader.shown()).strategies[0].position is None
    assert (await here.plans())[0].reason == "stop-loss"


async def test_what_finds_no_bid_is_kept_and_sold_later(here):
    async with here.trader() as trader:
        held = (await bought(trader)).position
        here.quote("0.4", "0.41", size=500)
        await trader.watch()
        row = (await trader.shown()).strategies[0]
        assert row.position.shares == held.shares - 500
        (plan,) = await here.plans()
        assert plan.alarm == "shares are left that cannot be sold"
        here.quote("", "0.41")
        await trader.watch()
        assert (await trader.shown()).strategies[0].position.price is None
        here.quote("0.39", "0.41")
        await trader.watch()
        assert (await trader.shown()).strategies[0].position is None
        (plan,) = await here.plans()
        assert (plan.state, plan.alarm, plan.locked) == ("done", "", 0)


async def test_a_signal_to_sell_sells(here):
    async with here.trader() as trader:
        await bought(trader)
        await trader.remove("RSIStrategy", MARKET)
        await trader.add("RSIStrategy", MARKET, "1h", SELLS)
        await trader.follow()
        (row,) = (await trader.shown()).strategies
        assert (row.signal, row.position) == ("SELL", None)
        assert row.followed.startswith("sold ")
        assert row.profit < 0  # a tick and two fees


async def test_its_losses_are_its_own(here):
    """Neither limits nor cash nor figures nor halt of the account of what is proved move."""
    beside = here.beside
    before = await beside.ledger.portfolio(beside.clock.now())
    sums = await beside.ledger.statistics()
    async with here.trader(**{"risk.max_consecutive_failures": 1}) as trader:
        await bought(trader)
        here.quote("0.2", "0.21")
        await trader.watch()
        await trader.value()
        shown = await trader.shown()
        assert shown.realised < -500
        assert shown.loss_today > 500
        assert await beside.ledger.portfolio(beside.clock.now()) == before
        assert await beside.ledger.statistics() == sums
        assert (await beside.ledger.standing()).state is TradingState.NORMAL
        # A loss beyond the day's limit: nothing more is bought here.
        await trader.add("RSIStrategy", f"{MARKET}/No", "1h", BUYS)
        await trader.follow()
        row = (await trader.shown()).strategies[1]
        assert row.followed.startswith("not bought: daily_loss"), row.followed


async def test_a_halt_of_what_is_proved_is_not_this_ones_but_an_operators_is(here):
    ledger, now = here.beside.ledger, here.beside.clock.now()
    halted = Standing(state=TradingState.HALTED, reason="10 plans failed", since=now)
    await ledger.set_standing(halted)
    try:
        async with here.trader() as trader:
            await bought(trader)
            word = Standing(state=TradingState.HALTED, reason="lunch", since=now, by_operator=True)
            await ledger.set_standing(word)
            await trader.add("RSIStrategy", f"{MARKET}/No", "1h", BUYS)
            await trader.follow()
            row = (await trader.shown()).strategies[1]
            assert row.followed == "not bought: halted: halted lunch"
            here.quote("0.3", "0.31")
            await trader.watch()  # monitoring goes on
            assert (await trader.shown()).strategies[0].position is None
    finally:
        await ledger.set_standing(Standing(since=now))


async def test_an_operators_halt_sends_nothing_until_it_ends(here):
    said = []
    halt = Interlock(BlockCode.HALTED_BY_OPERATOR, lambda: said[0] if said else None)
    async with here.trader(interlocks=(halt,)) as trader:
        held = (await bought(trader)).position
        said.append("halted: fire")
        here.quote("0.3", "0.31")
        await trader.watch()
        (plan,) = await here.plans()
        assert plan.state == "open"
        assert (await here.fills())[1:] == []
        here.quote("0.49", "0.50", slug="plain-3")
        await trader.add("RSIStrategy", "plain-3", "1h", BUYS)
        await trader.follow()
        assert (await trader.shown()).strategies[1].followed == "not bought: halted: fire"
        said.clear()
        await trader.watch()
        sold = sum(fill.size for fill in (await here.fills())[1:])
        assert sold == pytest.approx(held.shares, abs=Decimal("0.01"))


async def test_what_resolves_is_paid_out(here):
    here.quote("0.49", "0.50", slug="plain-2")
    async with here.trader(**{"signals.stop_loss": 0, "signals.take_profit": 0}) as trader:
        held = (await bought(trader, "plain-2")).position
        assert (held.stop_at, held.take_at) == (None, None)
        assert here.exchange.resolve("plain-2", Decimal(1))
        await trader.value()
        shown = await trader.shown()
        assert shown.strategies[0].position is None
        assert shown.realised == pytest.approx(held.shares - held.cost, abs=Decimal("0.01"))


async def test_a_drawdown_sells_all_and_halts_until_resumed(here):
    async with here.trader(**{"signals.stop_loss": 0, "signals.max_drawdown": "0.02"}) as trader:
        await trader.value()
        await bought(trader)
        here.quote("0.42", "0.43")
        await trader.value()
        shown = await trader.shown()
        assert shown.strategies[0].position.shares > 0
        assert shown.state == "normal"
        here.quote("0.35", "0.36")
        await trader.value()
        shown = await trader.shown()
        assert shown.state == "halted"
        assert shown.reason.startswith("drawdown: worth $9")
        assert shown.strategies[0].position is None
        assert (await here.plans())[0].reason == shown.reason
    async with here.trader(**{"signals.max_drawdown": "0.02"}) as trader:
        await trader.add("RSIStrategy", f"{MARKET}/No", "1h", BUYS)
        await trader.follow()
        assert "halted" in (await trader.shown()).strategies[1].followed
        await trader.resume("looked")
        await trader.value()
        assert (await trader.shown()).state == "normal"  # its highest counts from here


async def test_after_the_days_loss_nothing_is_bought_what_is_held_included(here):
    free = {"signals.stop_loss": 0, "signals.max_drawdown": 0, "signals.max_daily_loss": "0.02"}
    async with here.trader(**free) as trader:
        await trader.value()
        await bought(trader)
        here.quote("0.30", "0.31")
        await trader.value()
        assert (await trader.shown()).strategies[0].position.shares > 0
        here.quote("0.49", "0.50", slug="plain-3")
        await trader.add("RSIStrategy", "plain-3", "1h", BUYS)
        await trader.follow()
        followed = (await trader.shown()).strategies[1].followed
        assert followed.startswith("not bought: daily_loss: worth $95")
        assert followed.endswith("the day began with $10000")


async def test_ten_errors_in_a_row_pause_it_alone(here):
    async with here.trader(**{"signals.pause_after": 3}) as trader:
        await trader.add("RSIStrategy", MARKET, "1h", BUYS)
        await here.fault("/prices-history", "refuse")
        try:
            for failed in range(3):
                assert (await trader.shown()).consecutive_errors == failed
                assert (await trader.shown()).state == "normal"
                await trader.follow()
                await trader.watch()  # another loop that goes on well ends no row
            shown = await trader.shown()
            assert shown.state == "halted"
            assert shown.reason == "paused: 3 errors in a row; see the log, then resume"
            assert "/prices-history" in shown.strategies[0].problem
        finally:
            await here.fault("/prices-history")
        assert (await here.beside.ledger.standing()).state is TradingState.NORMAL
        await trader.follow()
        assert "halted" in (await trader.shown()).strategies[0].followed


@pytest.mark.parametrize(
    ("bid", "ask", "words"),
    [
        ("0.44", "0.50", "wide_spread: the bid is 0.44"),
        ("", "0.50", "wide_spread: there is no bid"),
        ("0.49", "", "not_enough_depth"),
    ],
)
async def test_a_book_that_would_stop_it_at_once_is_left_alone(here, bid, ask, words):
    here.quote(bid, ask)
    async with here.trader() as trader:
        await trader.add("RSIStrategy", MARKET, "1h", BUYS)
        await trader.follow()
        (row,) = (await trader.shown()).strategies
        assert words in row.followed
        assert await here.plans() == []


async def test_an_old_signal_is_not_followed(here):
    async with here.trader(**{"signals.strategy_interval": 0.01}) as trader:
        await trader.add("RSIStrategy", MARKET, "1h", BUYS)
        await trader.follow()
        (row,) = (await trader.shown()).strategies
        assert (row.signal, row.position) == ("BUY", None)
        assert row.followed == "its bar ended too long ago"


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        (("RSIStrategy", "BTC/USDT"), UnknownTarget, "no event or market of that name is listed"),
        (("RSIStrategy", f"{MARKET}/Maybe"), UnknownTarget, "has the outcomes Yes and No"),
        (("RSIStrategy", None), Unfit, "symbol: RSIStrategy looks at one market's price"),
        (("RSIStrategy", MARKET, "2h"), Unfit, "timeframe 2h: one of 1m, 5m, 15m, 1h, 4h, 1d"),
        (("RSIStrategy", MARKET, "1h", {"period": 3}), Unfit, "has no parameter period"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(here, args, error, words):
    async with here.trader() as trader:
        with pytest.raises(error, match=words):
            await trader.add(*args)
        assert trader.instances == []


async def test_a_strategy_is_added_once_for_each_outcome(here):
    async with here.trader() as trader:
        await trader.add("RSIStrategy", MARKET)
        await trader.add("RSIStrategy", MARKET)
        with pytest.raises(Refusal, match="is active already; remove it to change it"):
            await trader.add("RSIStrategy", MARKET, "4h")
        assert len(trader.instances) == 1
        with pytest.raises(UnknownTarget, match=r"at other is active \(RSIStrategy at plain-1\)"):
            await trader.remove("RSIStrategy", "other")


async def test_it_cannot_share_the_account_of_what_is_proved(here):
    own = here.beside.ledger.account
    with pytest.raises(ConfigError, match="is the account of what is proved"):
        async with here.trader(**{"signals.account": own}):
            pass
    with pytest.raises(ConfigError, match="trade on paper only"):
        here.loaded(**{"signals.live": True})
    with pytest.raises(ConfigError, match=r"signals\.account"):
        here.loaded(**{"signals.account": "polymarket:0x1"})


async def test_without_its_library_it_says_how_to_install_it(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "talipp", None)
    with pytest.raises(ConfigError, match=r"signals\.enabled needs the library talipp: .*signals"):
        async with here.trader():
            pass


async def test_the_names_are_those_of_the_strategies():
    assert tuple(STRATEGIES) == SIGNAL_STRATEGIES
