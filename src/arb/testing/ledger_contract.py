"""What a ledger has to keep, as a test class: see `arb.testing.contracts`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from arb.domain.contradiction import Contradiction
from arb.domain.errors import LedgerError
from arb.domain.fact import (
    Answered,
    Confirmed,
    Discovered,
    Fact,
    OperationEnded,
    OperationRequested,
    SaleOrdered,
    Submitted,
    Voided,
)
from arb.domain.halt import Pause, Standing, TradingState
from arb.domain.market import (
    EventId,
    Exclusive,
    Implies,
    MarketId,
    OutcomeId,
    Same,
    Side,
    VenueId,
)
from arb.domain.money import NO_USD, Price, Shares, Usd, total
from arb.domain.operation import Merge, OperationId, effect
from arb.domain.order import Fill, Final, Order, PlanId, order_id
from arb.domain.plan import ExecutionReport, Plan, PlannedLeg, PlanState
from arb.domain.position import Adjustment, Portfolio
from arb.domain.report import FillRecord, RunCause
from arb.domain.venue import TimeInForce
from arb.domain.worlds import Payoff, PayoffMarket
from arb.ports import Ledger
from arb.testing import builders as make
from arb.testing.builders import NOON

HERE, THERE = VenueId("here"), VenueId("there")
OPENING = {HERE: Usd(Decimal(1000)), THERE: Usd(Decimal(500))}
LATER = NOON + timedelta(minutes=1)
Opens = Callable[[str], Awaitable[Ledger]]


class LedgerContract:
    """What the engine relies on of a `arb.ports.Ledger`.

    Fixture: `opens`, a coroutine function that opens the ledger of an account as a new process
    would: all of one test share a store, which is empty of the accounts that it names.
    """

    async def test_an_account_is_opened_once(self, opens: Opens) -> None:
        """A venue that is new to it gets its pocket; what there is of it already stays."""
        ledger = await opens("mine")
        assert await ledger.opened_at() is None
        await ledger.open_account({HERE: OPENING[HERE]}, NOON)
        await ledger.open_account({HERE: Usd(Decimal(7)), THERE: OPENING[THERE]}, LATER)
        assert _cash(await ledger.portfolio(LATER)) == OPENING
        assert await ledger.opened_at() == NOON
        assert _cash(await (await opens("mine")).portfolio(LATER)) == OPENING

    async def test_runs_are_numbered_without_a_gap(self, opens: Opens) -> None:
        """By account, and on from the last after a restart."""
        ledger = await _opened(opens)
        assert [await ledger.begin_run(NOON, RunCause.CYCLE) for _ in range(3)] == [1, 2, 3]
        assert await (await opens("mine")).begin_run(NOON, RunCause.CYCLE) == 4
        assert await (await _opened(opens, "other")).begin_run(NOON, RunCause.CYCLE) == 1

    async def test_a_plan_is_kept_as_it_is(self, opens: Opens) -> None:
        """Every field: after a restart it is ended by these alone. Once: ids are derived."""
        ledger = await _opened(opens)
        plan, second = _plan(ledger, "1"), _plan(ledger, "2", at=LATER)
        for each in (second, plan, plan):
            await ledger.open_plan(1, each)
        for reader in (ledger, await opens("mine")):
            kept = list(await reader.open_plans())
            assert kept == [plan, second], "the oldest is first"
            parts = [Shares(Decimal(8)), Shares(Decimal(3))]
            assert kept[0].guaranteed(parts) == plan.guaranteed(parts) == 3
        await _refuses(ledger.open_plan(1, replace(plan, outlay=Usd(Decimal(1)))))

    async def test_facts_are_kept_in_order_and_once(self, opens: Opens) -> None:
        """A step that is repeated after a crash writes the same facts again."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        facts = _story(plan)
        for end in range(len(facts) + 1):
            await ledger.append(plan.id, facts[:end])
        await ledger.append(plan.id, facts)
        for reader in (ledger, await opens("mine")):
            assert list(await reader.facts(plan.id)) == facts
        assert await ledger.facts(PlanId("there is none")) == []

    async def test_the_first_version_of_a_fact_stays(self, opens: Opens) -> None:
        """The same key is the same fact: an answer that was acted on is not rewritten."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        first = _answer(plan, 0)
        await ledger.append(plan.id, [*_sent(plan), first])
        await ledger.append(plan.id, [replace(first, answer=Final((), "never placed"), at=LATER)])
        assert list(await ledger.facts(plan.id)) == [*_sent(plan), first]
        assert _cash(await ledger.portfolio(NOON)) == _moved(first.answer.fills)

    async def test_facts_are_appended_all_or_none(self, opens: Opens) -> None:
        """Money finer than a millionth cannot be kept: what came with it is not kept either."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        good, bad = _answer(plan, 0), _answer(plan, 1)
        finer = replace(bad.answer.fills[0], fee=Usd(Decimal("0.0000001")))
        await _refuses(ledger.append(plan.id, [good, replace(bad, answer=Final((finer,)))]))
        assert list(await ledger.facts(plan.id)) == []
        assert _cash(await ledger.portfolio(NOON)) == OPENING
        await ledger.append(plan.id, [good, bad])
        assert list(await ledger.facts(plan.id)) == [good, bad]

    async def test_a_plan_that_is_not_there_takes_no_facts(self, opens: Opens) -> None:
        """Nothing is sent whose intent is not written down."""
        ledger = await _opened(opens)
        plan = _plan(ledger, "1")
        await _refuses(ledger.append(plan.id, [_answer(plan, 0)]))
        await _refuses(ledger.close_plan(_report(plan), NOON))

    async def test_cash_at_each_venue_follows_the_facts(self, opens: Opens) -> None:
        """To the millionth: fills, what failed to settle, what was found later, operations."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        facts = _story(plan)
        cash = dict(OPENING)
        for fact in facts:
            await ledger.append(plan.id, [fact])
            for venue, change in _effect(fact):
                cash[venue] = Usd(cash[venue] + change)
            for reader in (ledger, await opens("mine")):
                assert _cash(await reader.portfolio(NOON)) == cash, fact
        assert cash[HERE] != OPENING[HERE]
        assert cash[THERE] != OPENING[THERE]

    async def test_shares_follow_the_facts(self, opens: Opens) -> None:
        """By outcome in the account, and what is left of each plan."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        await ledger.append(plan.id, [*_sent(plan), _answer(plan, 0), _answer(plan, 1)])
        held = {leg.outcome: leg.size for leg in plan.legs}
        found = (await ledger.portfolio(NOON)).positions
        assert {outcome: position.shares for outcome, position in found.items()} == held
        assert {p.outcome: p.shares for p in await ledger.holdings(plan.id)} == held
        await ledger.close_plan(_report(plan, locked="9"), NOON)
        assert [each.id for each in await ledger.locked_plans()] == [plan.id]

    async def test_a_fill_is_listed_until_it_is_voided(self, opens: Opens) -> None:
        """The oldest first, from a time on: on paper they say what liquidity is taken."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        late, early = _answer(plan, 0, at=LATER), _answer(plan, 1)
        await ledger.append(plan.id, [*_sent(plan), late, early])
        both = [*early.answer.fills, *late.answer.fills]
        assert list(await ledger.fills(NOON)) == both
        assert list(await ledger.fills(LATER)) == both[1:]
        await ledger.append(plan.id, [Voided(order=early.order, fills=(both[0],), at=LATER)])
        assert list(await ledger.fills(NOON)) == both[1:]

    async def test_an_open_plan_keeps_its_markets(self, opens: Opens) -> None:
        """Two plans in one market would take each other's liquidity."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        busy = await ledger.portfolio(NOON)
        assert (busy.open_plans, busy.busy) == (1, plan.markets)
        await ledger.close_plan(_report(plan), NOON)
        idle = await ledger.portfolio(NOON)
        assert (idle.open_plans, len(idle.busy)) == (0, 0)
        assert list(await ledger.open_plans()) == []

    async def test_an_end_is_told_once(self, opens: Opens) -> None:
        """And not lost by a crash between writing it down and telling it."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        assert list(await ledger.untold_ends()) == []
        report = _report(plan)
        for _ in range(2):
            await ledger.close_plan(report, NOON)
        for reader in (ledger, await opens("mine")):
            assert list(await reader.untold_ends()) == [(plan, report)]
        await ledger.mark_told(plan.id)
        await ledger.close_plan(report, LATER)
        for reader in (ledger, await opens("mine")):
            assert await reader.untold_ends() == []

    async def test_an_end_can_be_reversed(self, opens: Opens) -> None:
        """The venue has shown a fill of it: it is open again, and its next end is told, too."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        await ledger.close_plan(_report(plan, PlanState.UNWOUND), NOON)
        await ledger.mark_told(plan.id)
        await ledger.reopen_plan(plan.id)
        for reader in (ledger, await opens("mine")):
            assert list(await reader.open_plans()) == [plan]
            assert await reader.untold_ends() == []
        await ledger.append(plan.id, [*_sent(plan), _answer(plan, 0)])
        await ledger.close_plan(_report(plan), LATER)
        assert list(await ledger.untold_ends()) == [(plan, _report(plan))]

    async def test_recent_plans_come_with_all_their_facts(self, opens: Opens) -> None:
        """Open ones always: a statement is reconciled with them."""
        ledger = await _opened(opens)
        plan = await _begun(ledger)
        facts = _story(plan)
        await ledger.append(plan.id, facts)
        for since in (NOON, NOON + timedelta(days=1)):
            found = [(each, list(its)) for each, its in await ledger.recent(since)]
            assert found == [(plan, facts)]
        await ledger.close_plan(_report(plan), NOON)
        assert [each for each, _ in await ledger.recent(NOON)] == [plan]
        assert await ledger.recent(NOON + timedelta(days=1)) == []

    async def test_what_an_operator_books_counts_at_its_venue(self, opens: Opens) -> None:
        """All of it or nothing, and with the time of the last."""
        ledger = await _opened(opens)
        outcome, market = OutcomeId(THERE, "gift"), MarketId("there:gift")
        paid_in = Adjustment(venue=HERE, outcome=None, market=None, delta=Decimal(5), reason="in")
        gift = replace(paid_in, venue=THERE, outcome=outcome, market=market, delta=Decimal(3))
        assert await ledger.adjusted_at() is None
        finer = replace(gift, delta=Decimal("0.0000001"))
        await _refuses(ledger.adjust([paid_in, finer], NOON))
        assert await ledger.adjusted_at() is None
        await ledger.adjust([paid_in, gift], LATER)
        for reader in (ledger, await opens("mine")):
            found = await reader.portfolio(LATER)
            assert _cash(found) == {**OPENING, HERE: OPENING[HERE] + 5}
            assert found.positions[outcome].shares == 3
            assert await reader.adjusted_at() == LATER

    async def test_the_state_of_trading_is_kept(self, opens: Opens) -> None:
        """A halt outlives the process that it was made in."""
        ledger = await _opened(opens)
        assert await ledger.standing() == Standing()
        for state, at in ((TradingState.HALTED, NOON), (TradingState.NORMAL, LATER)):
            now = Standing(state=state, reason="why", since=at, by_operator=True)
            await ledger.set_standing(now)
            for reader in (ledger, await opens("mine")):
                assert await reader.standing() == now

    async def test_a_pause_is_kept_as_the_pause_that_it_is(self, opens: Opens) -> None:
        """Only one for an outage ends by itself; a halt is none, however it is worded."""
        ledger = await _opened(opens)
        away = "the venue was away for 10 cycles"
        for reason, pause in (
            ("lunch", Pause.UNTIL_RESUMED),
            ("", Pause.UNTIL_RESUMED),
            (away, Pause.UNTIL_REACHABLE),
        ):
            now = Standing(state=TradingState.HALTED, reason=reason, since=NOON, pause=pause)
            await ledger.set_standing(now)
            for reader in (ledger, await opens("mine")):
                assert await reader.standing() == now
        halt = Standing(state=TradingState.HALTED, reason="paused: lunch", since=NOON)
        lasting = replace(halt, reason=away, pause=Pause.UNTIL_RESUMED)
        for now in (halt, lasting):
            await ledger.set_standing(now)
            for reader in (ledger, await opens("mine")):
                found = await reader.standing()
                assert (found.word, found.outage) == (now.word, now.outage)

    async def test_a_contradiction_stops_until_an_operator_ends_it(self, opens: Opens) -> None:
        """Found again it is the same one, also when it was ended: its facts do not go away."""
        ledger = await _opened(opens)
        first = _contradiction("first", NOON)
        second = _contradiction("second", LATER)
        for found in (first, second, replace(first, seen="the same in other words")):
            await ledger.contradict(found)
        for reader in (ledger, await opens("mine")):
            assert list(await reader.contradictions()) == [first, second]
        await ledger.mark_contradiction_told(first.key)
        told = replace(first, told=True)
        assert list(await (await opens("mine")).contradictions()) == [told, second]
        await ledger.end_contradictions([first.key], "looked", LATER)
        await ledger.contradict(first)
        for reader in (ledger, await opens("mine")):
            assert list(await reader.contradictions()) == [second]

    async def test_ends_are_summed(self, opens: Opens) -> None:
        """What was realised, and how many ended well."""
        ledger = await _opened(opens)
        for name, state in (("1", PlanState.DONE), ("2", PlanState.UNWOUND)):
            plan = await _begun(ledger, name)
            await ledger.append(plan.id, [*_sent(plan), _answer(plan, 0)])
            await ledger.close_plan(_report(plan, state), NOON)
        found = await ledger.statistics()
        assert (found.trades, found.successes, found.failures) == (2, 1, 1)
        assert found.realised == 1

    async def test_how_plans_were_filled_is_summed_by_kind(self, opens: Opens) -> None:
        """Of plans of which an order was sent; a loss counts in part of the outlay."""
        ledger, other = await _opened(opens), await _opened(opens, "other")
        assert await ledger.fill_records() == {}
        ends = (
            ("done", PlanState.DONE, "1", True),
            ("lost", PlanState.UNWOUND, "-0.5", True),
            ("gained", PlanState.UNWOUND, "0.25", True),
            ("never sent", PlanState.UNWOUND, "0", False),
        )
        for name, state, realised, sent in ends:
            plan = await _begun(ledger, name)
            if sent:
                await ledger.append(plan.id, [*_sent(plan), _answer(plan, 0)])
            report = replace(_report(plan, state), realised=Usd(Decimal(realised)))
            await ledger.close_plan(report, NOON)
        plan = await _begun(ledger, "at work")
        await ledger.append(plan.id, _sent(plan))
        lost = Decimal("0.5") / plan.outlay
        assert await ledger.fill_records() == {
            str(plan.kind): FillRecord(filled=1, unfilled=2, lost=lost)
        }
        assert await other.fill_records() == {}

    async def test_accounts_do_not_see_each_other(self, opens: Opens) -> None:
        """Paper and real money may share a database."""
        ledger, other = await _opened(opens), await _opened(opens, "other")
        plan = await _begun(ledger)
        await ledger.append(plan.id, _story(plan))
        await ledger.set_standing(Standing(state=TradingState.HALTED, since=NOON))
        await ledger.contradict(_contradiction("mine", NOON))
        await ledger.adjust(
            [Adjustment(venue=HERE, outcome=None, market=None, delta=Decimal(5), reason="in")],
            NOON,
        )
        await other.end_contradictions(["mine"], "not mine", NOON)
        assert _cash(await other.portfolio(NOON)) == OPENING
        assert (await other.portfolio(NOON)).busy == set()
        assert await other.standing() == Standing()
        assert await other.adjusted_at() is None
        assert await other.open_plans() == []
        assert await other.contradictions() == []
        assert await other.fills(NOON) == []
        assert await other.recent(NOON) == []
        assert [each.key for each in await ledger.contradictions()] == ["mine"]
        await ledger.close_plan(_report(plan, locked="9"), NOON)
        assert await other.untold_ends() == []
        assert await other.locked_plans() == []
        assert (await other.statistics()).realised == 0


async def _opened(opens: Opens, account: str = "mine") -> Ledger:
    ledger = await opens(account)
    await ledger.open_account(OPENING, NOON)
    return ledger


async def _begun(ledger: Ledger, name: str = "1") -> Plan:
    """A plan that is written down, and nothing of it sent yet."""
    plan = _plan(ledger, name)
    await ledger.open_plan(1, plan)
    return plan


async def _refuses(writing: Awaitable[object]) -> None:
    """The ledger says that it cannot keep its word."""
    try:
        await writing
    except LedgerError:
        return
    raise AssertionError("it was taken")


def _plan(ledger: Ledger, name: str, *, at: datetime = NOON) -> Plan:
    """YES at one venue and NO at another, of markets that resolve alike."""
    legs = tuple(
        PlannedLeg(
            outcome=OutcomeId(venue, f"{name}-{side}"),
            outcome_name=side,
            market=MarketId(f"{venue}:{name}"),
            market_slug=name,
            side=Side.BUY,
            limit=Price(Decimal("0.47")),
            size=Shares(Decimal(10)),
            value=Usd(Decimal("4.7")),
            fee=Usd(Decimal("0.05")),
        )
        for venue, side in ((HERE, "yes"), (THERE, "no"))
    )
    id_ = PlanId(f"{ledger.account}/{name}")
    event, payoff = EventId("here:event"), _payoff(name)
    return make.plan(id_, event, legs, payoff_worst="10", at=at, payoff=payoff)


def _payoff(name: str) -> Payoff:
    """A relation of each sort, and a market that may resolve 50/50 besides."""
    here, there, other = (MarketId(f"{where}:{name}") for where in (HERE, THERE, "other"))
    markets = [
        PayoffMarket(
            id=market,
            yes=OutcomeId(venue, f"{token}-yes"),
            no=OutcomeId(venue, f"{token}-no"),
            can_split=market == other,
        )
        for market, venue, token in (
            (here, HERE, name),
            (there, THERE, name),
            (other, HERE, f"other-{name}"),
        )
    ]
    relations = (Same(here, there), Implies(other, here), Exclusive((there, other), complete=False))
    return Payoff(tuple(markets), relations)


def _order(plan: Plan, number: int) -> Order:
    leg = plan.legs[number]
    return Order(
        id=order_id(plan.id, number, leg.side, 1),
        outcome=leg.outcome,
        market=leg.market,
        side=leg.side,
        limit=leg.limit,
        size=leg.size,
        time_in_force=TimeInForce.FOK,
        expires_at=LATER,
        ref=f"0x{number}",
        spend=leg.value,
    )


def _sent(plan: Plan) -> list[Fact]:
    """The orders of both legs are about to be sent."""
    return [Submitted(order=_order(plan, number), at=NOON) for number in range(2)]


def _answer(plan: Plan, number: int, *, at: datetime = NOON) -> Answered:
    """The order of a leg is filled, in one trade."""
    order = _order(plan, number)
    fill = Fill(
        order=order.id,
        outcome=order.outcome,
        market=order.market,
        side=order.side,
        price=order.limit,
        size=order.size,
        fee=Usd(Decimal("0.012345")),
        shown=Shares(Decimal(40)),
        at=at,
        trade=f"trade-{number}",
    )
    return Answered(order=order.id, answer=Final((fill,)), at=at)


def _story(plan: Plan) -> list[Fact]:
    """One fact of each kind: one leg stays, the other fails on chain and is found once more."""
    orders = [_order(plan, number) for number in range(2)]
    stays, fails = (_answer(plan, number) for number in range(2))
    (lost,) = fails.answer.fills
    found = replace(lost, trade="trade-again")
    market, leg = MarketId(f"{HERE}:other"), plan.legs[0]
    pair = (leg.outcome, OutcomeId(HERE, "opposite"))
    merge = Merge(market=market, pair=pair, size=Shares(Decimal(2)))
    return [
        *_sent(plan),
        stays,
        fails,
        Confirmed(order=orders[0].id, trade="trade-0", at=NOON),
        Voided(order=orders[1].id, fills=(lost,), at=NOON),
        Discovered(order=orders[1].id, fills=(found,), at=NOON),
        OperationRequested(id=OperationId(f"{plan.id}/exit"), operation=merge, at=NOON),
        OperationEnded(id=OperationId(f"{plan.id}/exit"), effect=effect(merge), at=NOON),
        SaleOrdered(number=1, why="stop-loss", at=NOON),
    ]


def _effect(fact: Fact) -> list[tuple[VenueId, Usd]]:
    """What a fact does to the cash, and where."""
    match fact:
        case Answered(answer=answer):
            return [(fill.outcome.venue, fill.cash) for fill in answer.fills]
        case Discovered(fills=fills):
            return [(fill.outcome.venue, fill.cash) for fill in fills]
        case Voided(fills=fills):
            return [(fill.outcome.venue, Usd(-fill.cash)) for fill in fills]
        case OperationEnded(effect=done) if done is not None:
            return [(done.venue, done.cash)]
        case _:
            return []


def _moved(fills: Sequence[Fill]) -> dict[VenueId, Usd]:
    """The pockets after these fills."""
    return {
        venue: Usd(cash + total(fill.cash for fill in fills if fill.outcome.venue == venue))
        for venue, cash in OPENING.items()
    }


def _report(plan: Plan, state: PlanState = PlanState.DONE, *, locked: str = "0") -> ExecutionReport:
    realised = NO_USD if Decimal(locked) else Usd(Decimal("0.5"))
    return ExecutionReport(
        plan=plan.id,
        state=state,
        realised=realised,
        locked=Usd(Decimal(locked)),
        reason="why",
    )


def _contradiction(key: str, at: datetime) -> Contradiction:
    return Contradiction(
        key=key,
        venue=HERE,
        kind="group",
        about="a plan",
        believed="be $80 by convert",
        seen="the contract refuses",
        at=at,
    )


def _cash(portfolio: Portfolio) -> dict[VenueId, Usd]:
    return {venue: pocket.cash for venue, pocket in portfolio.pockets.items()}
