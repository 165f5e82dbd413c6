"""What trading at a venue has to keep, as a test class: see `arb.testing.contracts`."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from unittest import SkipTest

from arb.domain.book import Level, depth, walk
from arb.domain.dollars import whole_cents
from arb.domain.market import Market, OutcomeId, Side
from arb.domain.money import NO_SHARES, ZERO, Price, Shares, Usd, notional, total
from arb.domain.order import (
    Answer,
    Fill,
    Final,
    NotFound,
    Order,
    PlanId,
    TradeState,
    Unknown,
    order_id,
)
from arb.domain.statement import Statement
from arb.domain.venue import TimeInForce
from arb.ports import Clock, Trading, Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingBench:
    """A venue to trade at: an account with a few hundred dollars, and books at rest."""

    venue: Venue
    clock: Clock
    market: Market
    """Both outcomes have asks for a few lots, and YES has bids for one."""
    losing: Callable[[], AbstractAsyncContextManager[object]] | None = None
    """Inside it the venue carries orders out and every answer is lost; `None`: none can be."""
    run: str = "contract"
    """What order ids begin with: another word for each run, where the venue outlives the test."""
    patience_seconds: float = 60
    """How long a trade may take until it shows everywhere."""
    pause_seconds: float = 0.02

    @property
    def trading(self) -> Trading:
        """What sends orders."""
        assert self.venue.trading is not None, "the venue is only read"
        return self.venue.trading

    async def levels(self, outcome: OutcomeId, side: Side) -> Sequence[Level]:
        """What an order of this side takes, best first."""
        market = self.market
        return (await self.venue.books.fetch([market.yes, market.no]))[outcome].against(side)

    async def order(
        self,
        outcome: OutcomeId,
        size: Shares,
        *,
        side: Side = Side.BUY,
        life: TimeInForce = TimeInForce.FOK,
        limit: Price | None = None,
        number: int = 0,
    ) -> Order:
        """An order for shares at the books at hand; without a limit, at the worst price it takes.

        A BUY is for the whole cents that those shares cost, at the limit where there are fewer.
        """
        levels = await self.levels(outcome, side)
        reached = [level for level in levels if _within(level, limit, side)]
        taken = list(walk(reached, min(size, _sum(reached))))
        worst = limit or taken[-1].price
        missing = notional(worst, Shares(size - _sum(taken)))
        cost = total([*(notional(level.price, level.size) for level in taken), missing])
        return Order(
            id=order_id(PlanId(f"{self.run}/{outcome.token}"), number, side, 1),
            outcome=outcome,
            market=self.market.id,
            side=side,
            limit=worst,
            size=size,
            time_in_force=life,
            expires_at=self.clock.now() + self.venue.terms.order_life,
            spend=whole_cents(cost) if side is Side.BUY else None,
        )

    async def lot(self, outcome: OutcomeId) -> Shares:
        """A few shares that the venue takes an order for."""
        rules, best = self.market.rules, (await self.levels(outcome, Side.BUY))[0].price
        least = max(rules.min_size, Shares((rules.min_value + Decimal("0.01")) / best))
        steps = (least / rules.size_step).quantize(Decimal(1), rounding=ROUND_CEILING)
        return Shares(steps * rules.size_step)

    async def ended(self, order: Order, answer: Answer) -> Final:
        """The order's end, queried until it is known."""
        found = answer

        async def known() -> bool:
            nonlocal found
            if not isinstance(found, Final):
                found = await self.trading.query(order)
            return isinstance(found, Final)

        await self.eventually(known, "the end of an order was never known")
        assert isinstance(found, Final)
        return found

    async def bought(self, outcome: OutcomeId) -> tuple[Order, Final]:
        """A lot that is bought, with the order as it was sent."""
        (order,) = await self.trading.prepare([await self.order(outcome, await self.lot(outcome))])
        (answer,) = await self.trading.submit([order])
        return order, await self.ended(order, answer)

    async def statement(self) -> Statement:
        """The account now, with all trades of the last day.

        Raises:
            SkipTest: There is none: the ledger is the only account.
        """
        if self.venue.statements is None:
            raise SkipTest("no account can be queried there")
        market = self.market
        since = self.clock.now() - timedelta(days=1)
        return await self.venue.statements.statement([market.yes, market.no], since)

    async def eventually(self, holds: Callable[[], Awaitable[bool]], why: str) -> None:
        """Wait until it holds; fail with why it did not."""
        end = self.clock.monotonic() + self.patience_seconds
        while not await holds():
            assert self.clock.monotonic() < end, why
            await self.clock.sleep(self.pause_seconds)

    async def moved(self, before: Statement, fills: Sequence[Fill]) -> None:
        """Wait until the statement shows what fills did since, and nothing else."""
        cash = before.cash + total(fill.cash for fill in fills)
        shares = {
            outcome: had + sum((f.shares for f in fills if f.outcome == outcome), ZERO)
            for outcome, had in before.shares.items()
        }
        now = before

        async def agrees() -> bool:
            nonlocal now
            now = await self.statement()
            return (now.cash, dict(now.shares)) == (cash, shares)

        await self.eventually(agrees, f"{now}: not {cash} and {shares}")


class TradingContract:
    """What the engine relies on of `arb.ports.Trading` and `arb.ports.Statements`.

    Fixture: `bench`, a `TradingBench` of its own for each test.
    """

    async def test_ids_are_known_before_anything_is_sent(self, bench: TradingBench) -> None:
        """They are written down first: after a crash they are all there is to ask by."""
        outcome = bench.market.yes
        before = list(await bench.levels(outcome, Side.BUY))
        lot = await bench.lot(outcome)
        orders = [await bench.order(outcome, lot, number=n) for n in range(3)]
        prepared = await bench.trading.prepare(orders)
        assert [order.id for order in prepared] == [order.id for order in orders]
        refs = {order.ref for order in prepared}
        assert len(refs) == 3
        assert all(refs)
        for order, made in zip(orders, prepared, strict=True):
            assert made == replace(order, ref=made.ref, expires_at=made.expires_at)
        assert list(await bench.levels(outcome, Side.BUY)) == before
        assert isinstance(await bench.trading.query(prepared[0]), NotFound)

    async def test_an_unknown_order_is_not_found(self, bench: TradingBench) -> None:
        """It may still be on its way: an end without fills would have it sent once more."""
        made = await bench.order(bench.market.yes, await bench.lot(bench.market.yes))
        (order,) = await bench.trading.prepare([made])
        for _ in range(3):
            assert await bench.trading.query(order) == NotFound()

    async def test_a_fok_order_is_filled_whole(self, bench: TradingBench) -> None:
        """A BUY spends its dollars and brings at least the shares that it was meant to buy."""
        order, end = await bench.bought(bench.market.yes)
        _check_fills(order, end.fills)
        assert _filled(end.fills) >= order.size - bench.venue.terms.dust

    async def test_a_fok_order_is_killed_where_there_is_too_little(
        self, bench: TradingBench
    ) -> None:
        """A part of it would be a position that no plan has."""
        if TimeInForce.FOK not in bench.venue.terms.times_in_force:
            raise SkipTest("the venue takes none")
        order = await self._too_large(bench, TimeInForce.FOK)
        before = list(await bench.levels(order.outcome, Side.BUY))
        (prepared,) = await bench.trading.prepare([order])
        (answer,) = await bench.trading.submit([prepared])
        assert isinstance(answer, Final)
        assert (answer.fills, bool(answer.reason)) == ((), True)
        assert list(await bench.levels(order.outcome, Side.BUY)) == before
        later = await bench.trading.query(prepared)
        assert not isinstance(later, Final) or not later.fills

    async def test_a_fak_order_takes_what_there_is(self, bench: TradingBench) -> None:
        """And nothing rests afterwards: it could be filled when no plan is open."""
        if TimeInForce.FAK not in bench.venue.terms.times_in_force:
            raise SkipTest("the venue takes none")
        order = await self._too_large(bench, TimeInForce.FAK)
        there = depth(await bench.levels(order.outcome, Side.BUY), limit=order.limit, side=Side.BUY)
        (prepared,) = await bench.trading.prepare([order])
        (answer,) = await bench.trading.submit([prepared])
        end = await bench.ended(prepared, answer)
        _check_fills(prepared, end.fills)
        assert there - bench.venue.terms.dust <= _filled(end.fills) <= there
        if bench.venue.statements is not None:
            assert (await bench.statement()).open_orders == ()

    async def test_a_buy_never_spends_more_than_its_dollars(self, bench: TradingBench) -> None:
        """Through several levels, with a limit above all of them: cash is reserved by dollars."""
        outcome = bench.market.no
        levels = await bench.levels(outcome, Side.BUY)
        lot = await bench.lot(outcome)
        size = min(Shares(levels[0].size + lot), _sum(levels))
        most = Price(1 - bench.market.rules.tick)
        order = await bench.order(outcome, size)
        (prepared,) = await bench.trading.prepare([replace(order, limit=most)])
        (answer,) = await bench.trading.submit([prepared])
        end = await bench.ended(prepared, answer)
        _check_fills(prepared, end.fills)
        assert _filled(end.fills) >= size - bench.venue.terms.dust

    async def test_a_sell_gives_the_shares_it_names(self, bench: TradingBench) -> None:
        """At no worse than its limit, and not one share more."""
        outcome = bench.market.yes
        _, bought = await bench.bought(outcome)
        await self._settled(bench, bought.fills)
        size = await bench.lot(outcome)
        made = await bench.order(outcome, size, side=Side.SELL)
        (order,) = await bench.trading.prepare([made])
        (answer,) = await bench.trading.submit([order])
        end = await bench.ended(order, answer)
        _check_fills(order, end.fills)
        assert size - bench.venue.terms.dust <= _filled(end.fills) <= size

    async def test_sending_a_prepared_order_again_is_no_second_order(
        self, bench: TradingBench
    ) -> None:
        """The answer is the same end, or that it is not known: never another fill or a refusal."""
        outcome = bench.market.yes
        there = _sum(await bench.levels(outcome, Side.BUY))
        order, end = await bench.bought(outcome)
        for _ in range(2):
            (again,) = await bench.trading.submit([order])
            assert isinstance(again, Unknown) or again == end
        asked = await bench.ended(order, await bench.trading.query(order))
        assert _sums(asked.fills) == _sums(end.fills)
        left = _sum(await bench.levels(outcome, Side.BUY))
        assert there - left == _filled(end.fills)

    async def test_a_lost_answer_is_unknown_and_found_again(self, bench: TradingBench) -> None:
        """What may have left is asked about, and was carried out once."""
        if bench.losing is None:
            raise SkipTest("no answer can be lost there")
        outcome = bench.market.yes
        there = _sum(await bench.levels(outcome, Side.BUY))
        lot = await bench.lot(outcome)
        orders = await bench.trading.prepare([await bench.order(outcome, lot)])
        async with bench.losing():
            answers = await bench.trading.submit(orders)
        assert answers == [Unknown()]
        (again,) = await bench.trading.submit(orders)
        end = await bench.ended(orders[0], await bench.trading.query(orders[0]))
        _check_fills(orders[0], end.fills)
        if not isinstance(again, Unknown):
            assert isinstance(again, Final)
            assert _sums(again.fills) == _sums(end.fills)
        assert there - _sum(await bench.levels(outcome, Side.BUY)) == _filled(end.fills) > 0

    async def test_a_full_batch_is_answered_in_the_order_of_its_orders(
        self, bench: TradingBench
    ) -> None:
        """As many as the terms say go together; an answer in another place is another order's."""
        count, market = bench.venue.terms.batch_max, bench.market
        made = []
        for number in range(count):
            outcome = market.no if number % 2 else market.yes
            lot = await bench.lot(outcome)
            killed = number % 3 == 2
            limit = market.rules.tick if killed else None
            size = Shares(lot // limit) if limit else lot
            made.append(await bench.order(outcome, size, limit=limit, number=number))
        orders = await bench.trading.prepare(made)
        answers = await bench.trading.submit(orders)
        assert len(answers) == count
        for number, (order, answer) in enumerate(zip(orders, answers, strict=True)):
            if number % 3 == 2:
                assert not isinstance(answer, Final) or not answer.fills
                continue
            end = await bench.ended(order, answer)
            _check_fills(order, end.fills)
            assert end.fills, (order, end)

    async def test_cancelling_everything_returns_what_is_left(self, bench: TradingBench) -> None:
        """The kill switch shows it; where nothing rests, nothing is."""
        left = await bench.trading.cancel_all()
        assert isinstance(left, Sequence)
        assert not isinstance(left, str)
        assert list(left) == []

    async def test_trades_are_confirmed_and_unknown_ones_are_not(self, bench: TradingBench) -> None:
        """What is confirmed may be sold: one that was never made is not."""
        order, end = await bench.bought(bench.market.yes)
        trades = sorted({fill.trade for fill in end.fills} - {""})
        assert "never-made" not in await bench.trading.trade_states(order, ["never-made"])

        async def confirmed() -> bool:
            states = await bench.trading.trade_states(order, trades)
            return all(states.get(trade) is TradeState.CONFIRMED for trade in trades)

        await bench.eventually(confirmed, "a trade was never confirmed")

    async def test_the_statement_agrees_with_the_fills(self, bench: TradingBench) -> None:
        """In cash and shares to the millionth, with the trade under the order's own id."""
        before = await bench.statement()
        assert before.venue == bench.venue.id
        assert before.shares.keys() == {bench.market.yes, bench.market.no}
        order, end = await bench.bought(bench.market.yes)
        await bench.moved(before, end.fills)
        after = await bench.statement()
        ours = [trade for trade in after.trades if trade.ref == order.ref]
        assert ours, after.trades
        assert not [trade.unread for trade in ours if trade.unread]
        assert _sums([fill for trade in ours for fill in trade.fills]) == _sums(end.fills)
        assert after.open_orders == ()

    async def _too_large(self, bench: TradingBench, life: TimeInForce) -> Order:
        """An order for more than there is at the best price, and no worse."""
        best = (await bench.levels(bench.market.yes, Side.BUY))[0]
        size = Shares(best.size + await bench.lot(bench.market.yes))
        return await bench.order(bench.market.yes, size, life=life, limit=best.price)

    async def _settled(self, bench: TradingBench, fills: Sequence[Fill]) -> None:
        """Wait until what was bought may be sold."""
        if bench.venue.statements is None:
            return

        async def there() -> bool:
            shares = (await bench.statement()).shares
            return shares[fills[0].outcome] >= _filled(fills)

        await bench.eventually(there, "what was bought never arrived")


def _check_fills(order: Order, fills: Sequence[Fill]) -> None:
    """Each is the order's own, at no worse than its limit, and together they are within it."""
    for fill in fills:
        assert (fill.order, fill.outcome) == (order.id, order.outcome)
        assert (fill.market, fill.side) == (order.market, order.side)
        assert fill.size > 0, fill
        assert fill.fee >= 0, fill
        worse = fill.price - order.limit if order.side is Side.BUY else order.limit - fill.price
        assert worse <= 0, fill
    if order.side is Side.BUY:
        spent = sum((notional(fill.price, fill.size) for fill in fills), ZERO)
        assert spent <= order.dollars, f"{spent} of {order.dollars}"


def _within(level: Level, limit: Price | None, side: Side) -> bool:
    if limit is None:
        return True
    return level.price <= limit if side is Side.BUY else level.price >= limit


def _sum(levels: Sequence[Level]) -> Shares:
    return Shares(sum((level.size for level in levels), NO_SHARES))


def _filled(fills: Sequence[Fill]) -> Shares:
    return Shares(sum((fill.size for fill in fills), NO_SHARES))


def _sums(fills: Sequence[Fill]) -> tuple[Shares, Usd, Usd]:
    """What fills come to, in however many pieces they are told."""
    return _filled(fills), total(fill.cash for fill in fills), total(fill.fee for fill in fills)
