"""Ways out of a plan that was filled in part: the cheapest one, by the books at hand."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest

from arb.domain.book import OrderBook
from arb.domain.fact import Answered, Confirmed, OperationEnded, OperationRequested, Submitted
from arb.domain.market import EventId, Exclusive, Implies, Side
from arb.domain.money import Price, Shares, Usd
from arb.domain.operation import Convert, Effect, Merge, MergeSet, OperationId, effect
from arb.domain.opportunity import Exit, Kind
from arb.domain.order import Fill, Final, Order, PlanId, order_id
from arb.domain.plan import Plan, PlannedLeg, PlanState, Terms
from arb.domain.venue import TimeInForce
from arb.domain.worlds import Payoff
from arb.engine.account import read
from arb.engine.saga import (
    AwaitConfirmation,
    ChooseUnwind,
    Finished,
    RequestOperation,
    Submit,
    next_step,
    unwind_step,
)
from arb.engine.unwind import best_unwind, buy, cash_operations, sell
from arb.testing import builders as make

NOW = make.NOON


def plan(number=3, size="100", rate="0", kind=Kind.EXCLUSIVE_NO, outlay="0"):
    markets = [make.market(f"m{i}", can_split=False, rate=rate) for i in range(number)]
    legs = tuple(
        PlannedLeg(
            outcome=m.no if kind is Kind.EXCLUSIVE_NO else m.yes,
            outcome_name="No",
            market=m.id,
            market_slug=m.slug,
            side=Side.BUY,
            limit=Price(Decimal("0.60")),
            size=Shares(Decimal(size)),
            value=Usd(Decimal("0.60") * Decimal(size)),
            fee=Usd(Decimal(0)),
            terms=Terms(
                opposite=m.yes if kind is Kind.EXCLUSIVE_NO else m.no,
                rules=m.rules,
                fees=m.fees,
                depth=Shares(Decimal(500)),
            ),
        )
        for m in markets
    )
    exit_operation = Convert(
        event=EventId("event"),
        gives=tuple((leg.outcome, leg.market) for leg in legs),
        receives=(),
        size=Shares(Decimal(size)),
    )
    return Plan(
        id=PlanId("p"),
        kind=kind,
        event=EventId("event"),
        event_slug="event",
        event_title="event",
        exit=Exit.NOW,
        legs=legs,
        exit_operation=exit_operation if kind is Kind.EXCLUSIVE_NO else None,
        outlay=Usd(Decimal(outlay)),
        payoff_worst=Usd(Decimal(size) * (number - 1)),
        approved_at=NOW,
    )


def facts(of, sizes, *, settled=True, price="0.60"):
    """The first round's orders, filled to these sizes."""
    found = []
    for number, (leg, size) in enumerate(zip(of.legs, sizes, strict=True)):
        order = Order(
            id=order_id(of.id, number, leg.side, 1),
            outcome=leg.outcome,
            market=leg.market,
            side=leg.side,
            limit=leg.limit,
            size=leg.size,
            time_in_force=TimeInForce.FOK,
            expires_at=NOW,
        )
        fills = ()
        if Decimal(size):
            fills = (
                Fill(
                    order=order.id,
                    outcome=leg.outcome,
                    market=leg.market,
                    side=leg.side,
                    price=Price(Decimal(price)),
                    size=Shares(Decimal(size)),
                    fee=Usd(Decimal(0)),
                    shown=Shares(Decimal(size)),
                    at=NOW,
                    trade=f"t{number}",
                ),
            )
        found += [
            Submitted(order=order, at=NOW),
            Answered(order=order.id, answer=Final(fills), at=NOW),
        ]
        if settled and fills:
            found.append(Confirmed(order=order.id, trade=f"t{number}", at=NOW))
    return found


def books(of, bids, asks, depth="500"):
    """Books of the NO outcomes with these best prices, and their mirrors."""
    found = {}
    for leg, bid, ask in zip(of.legs, bids, asks, strict=True):
        market = make.market(str(leg.market), can_split=False)
        # make.books speaks of YES: a NO bid at p is a YES ask at 1 - p.
        yes_bids = [(str(1 - Decimal(ask)), depth)] if ask else []
        yes_asks = [(str(1 - Decimal(bid)), depth)] if bid else []
        for book in make.books(market, yes_bids, yes_asks):
            found[book.outcome] = book
    return found


def test_a_leg_that_failed_is_bought_later_when_that_costs_least():
    made = plan()
    account = read(facts(made, ("100", "100", "0")))
    way = best_unwind(made, account, books(made, ("0.55",) * 3, ("0.60", "0.60", "0.62")))
    assert way.name == "complete"
    assert [(d.leg, d.side, d.limit, d.size) for d in way.orders] == [
        (2, "BUY", Decimal("0.62"), 100)
    ]
    assert way.result == 200 - 62


def test_what_was_bought_is_sold_back_when_completing_costs_more():
    made = plan()
    account = read(facts(made, ("100", "0", "0")))
    way = best_unwind(made, account, books(made, ("0.59",) * 3, ("0.60", "0.99", "0.99")))
    assert way.name == "sell back"
    assert [(d.leg, d.side, d.limit, d.size) for d in way.orders] == [
        (0, "SELL", Decimal("0.59"), 100)
    ]


def test_part_of_a_no_set_is_kept_when_it_pays_for_itself():
    """NO of two exclusive markets pays a dollar: no need of the third."""
    made = plan()
    account = read(facts(made, ("100", "100", "0"), price="0.45"))
    way = best_unwind(made, account, books(made, ("0.30",) * 3, ("0.99", "0.99", None)))
    assert way.members == (0, 1)
    assert way.orders == ()
    assert way.result == 100
    (operation,) = cash_operations(made, account, way)
    assert isinstance(operation, Convert)
    assert len(operation.gives) == 2
    assert operation.receives == ((made.legs[2].terms.opposite, made.legs[2].market),)


def test_what_an_exit_in_fewer_legs_gave_is_sold_and_never_forgotten():
    of = plan()
    known = facts(of, ["0", "100", "100"])
    step = unwind_step(of, known, books(of, ["0.30"] * 3, [None, "0.99", "0.99"]), NOW)
    assert isinstance(step, RequestOperation)
    (gift,) = [outcome for outcome, _ in step.operation.receives]
    assert gift == of.legs[0].terms.opposite
    known += [
        OperationRequested(id=step.id, operation=step.operation, ref="", at=NOW),
        OperationEnded(id=step.id, effect=effect(step.operation), reason="", at=NOW),
    ]
    assert isinstance(next_step(of, known, NOW), ChooseUnwind)
    # The plan itself would pay again by now; but it is over, and is not bought a second time.
    cheap = books(of, ["0.10"] * 3, ["0.20"] * 3)
    step = unwind_step(of, known, cheap, NOW)
    assert [(order.side, order.outcome) for order in step.orders] == [(Side.SELL, gift)]
    step = unwind_step(of, known, books(of, ["0.10"] * 3, [None, "0.20", "0.20"]), NOW)
    assert isinstance(step, Finished)
    assert step.report.alarm
    assert step.report.realised == -20


def test_a_surplus_is_brought_down_to_the_thinnest_leg():
    made = plan()
    account = read(facts(made, ("100", "100", "40")))
    way = best_unwind(made, account, books(made, ("0.59", "0.59", "0.59"), ("0.99",) * 3))
    assert way.level == 40
    assert {(d.leg, d.side, d.size) for d in way.orders} == {(0, "SELL", 60), (1, "SELL", 60)}


def test_what_has_not_settled_is_paired_instead_of_sold():
    """Its complement costs the same as selling brings, and need not wait."""
    made = plan()
    account = read(facts(made, ("100", "0", "0"), settled=False))
    way = best_unwind(made, account, books(made, ("0.59",) * 3, ("0.60", "0.99", "0.99")))
    (order,) = way.orders
    assert (order.outcome, order.side, order.limit) == (
        made.legs[0].terms.opposite,
        "BUY",
        Decimal("0.41"),
    )
    assert way.result == 59
    assert not way.waits


def test_without_anybody_to_trade_with_it_is_held():
    made = plan()
    account = read(facts(made, ("100", "0", "0")))
    way = best_unwind(made, account, books(made, (None,) * 3, (None,) * 3))
    assert (way.orders, way.left) == ((), True)


def test_legs_without_terms_can_only_be_held():
    made = plan()
    bare = Plan(
        **{
            **{name: getattr(made, name) for name in Plan.__dataclass_fields__},
            "legs": tuple(
                PlannedLeg(
                    **{
                        **{n: getattr(leg, n) for n in PlannedLeg.__dataclass_fields__},
                        "terms": None,
                    }
                )
                for leg in made.legs
            ),
        }
    )
    way = best_unwind(bare, read(facts(bare, ("100", "0", "0"))), {})
    assert (way.orders, way.left) == ((), True)


@pytest.mark.parametrize(
    ("size", "got", "dollars", "limit"),
    [
        ("1.3", "2.5", "1.00", "0.40"),  # a BUY spends a dollar at least
        ("5", "5", "2.00", "0.40"),
        ("5.52", "5.525", "2.21", "0.40"),
        ("30", "30", "12.00", "0.40"),
        ("30.01", "30.022221", "12.01", "0.45"),
        ("50", "50", "21.00", "0.45"),
        ("49.99", "50", "21.00", "0.45"),
        ("60", None, None, None),
    ],
)
def test_a_purchase_is_the_smallest_that_the_venue_takes(size, got, dollars, limit):
    terms = plan().legs[0].terms
    found = buy(make.levels([("0.40", "30"), ("0.45", "20")]), Shares(Decimal(size)), terms)
    if got is None:
        assert found is None
    else:
        assert (found.size, found.spend, found.limit) == tuple(map(Decimal, (got, dollars, limit)))


def test_a_purchase_whose_last_cent_nobody_takes_is_none():
    terms = plan().legs[0].terms
    assert buy(make.levels([("0.45", "20.01")]), Shares(Decimal("20.01")), terms) is None


@pytest.mark.parametrize(
    ("size", "got"), [("0.009", None), ("3", "3"), ("5.555", "5.55"), ("99", "50")]
)
def test_a_sale_is_the_largest_that_the_venue_takes(size, got):
    terms = plan().legs[0].terms
    found = sell(make.levels([("0.40", "30"), ("0.35", "20")]), Shares(Decimal(size)), terms)
    assert (found and found[1]) == (got and Decimal(got))


def test_nothing_is_sold_before_its_trades_have_settled_when_there_is_no_complement():
    made = plan()
    told = facts(made, ("100", "0", "0"), settled=False)
    at = books(made, ("0.59",) * 3, ("0.60", "0.99", "0.99"))
    del at[made.legs[0].terms.opposite]
    assert isinstance(unwind_step(made, told, at, NOW), AwaitConfirmation)


def test_a_full_set_waits_for_its_trades_and_then_is_converted():
    made = plan()
    assert isinstance(
        next_step(made, facts(made, ("100",) * 3, settled=False), NOW), AwaitConfirmation
    )
    step = next_step(made, facts(made, ("100",) * 3), NOW)
    assert step == RequestOperation(OperationId("p/exit/1"), made.exit_operation)


def test_a_plan_that_was_never_sent_is_given_up_when_its_books_are_old():
    made = plan()
    assert isinstance(next_step(made, [], NOW), Submit)
    late = next_step(made, [], NOW + timedelta(minutes=1))
    assert isinstance(late, Finished)
    assert late.report.state is PlanState.UNWOUND


def test_legs_go_thinnest_first_and_in_batches():
    made = plan(number=18)
    step = next_step(made, [], NOW)
    assert len(step.orders) == 15
    told = facts(made, ("100",) * 15 + ("0",) * 3)
    told = [
        f for f in told if not (isinstance(f, Submitted) and int(f.order.id.split("/")[1]) > 14)
    ]
    told = [f for f in told if not (isinstance(f, Answered) and int(f.order.split("/")[1]) > 14)]
    at = books(made, ("0.59",) * 18, ("0.60",) * 18)
    more = unwind_step(made, told, at, NOW)
    assert isinstance(more, Submit)
    assert {int(o.id.split("/")[1]) for o in more.orders} == {15, 16, 17}


def test_a_stage_is_not_sent_when_going_back_is_cheaper():
    """Between stages the market has run away: what is held is sold, not completed."""
    made = plan(number=18, kind=Kind.EXHAUSTIVE_YES)
    told = facts(made, ("100",) * 15 + ("0",) * 3, price="0.05")
    at = {}
    for number, leg in enumerate(made.legs):
        market = make.market(str(leg.market), can_split=False)
        asks = [("0.06", "500")] if number < 15 else [("0.60", "500")]
        for book in make.books(market, [("0.04", "500")], asks):
            at[book.outcome] = book
    step = unwind_step(made, told, at, NOW)
    assert isinstance(step, Submit)
    assert {o.side for o in step.orders} == {"SELL"}


def test_a_pair_made_by_a_hedge_is_merged():
    made = plan()
    told = facts(made, ("100", "0", "0"))
    leg = made.legs[0]
    order = Order(
        id=order_id(made.id, 3, Side.BUY, 2),
        outcome=leg.terms.opposite,
        market=leg.market,
        side=Side.BUY,
        limit=Price(Decimal("0.41")),
        size=Shares(Decimal(100)),
        time_in_force=TimeInForce.FAK,
        expires_at=NOW,
    )
    fill = Fill(
        order=order.id,
        outcome=order.outcome,
        market=leg.market,
        side=Side.BUY,
        price=order.limit,
        size=order.size,
        fee=Usd(Decimal(0)),
        shown=order.size,
        at=NOW,
        trade="h",
    )
    told += [
        Submitted(order=order, at=NOW),
        Answered(order=order.id, answer=Final((fill,)), at=NOW),
        Confirmed(order=order.id, trade="h", at=NOW),
    ]
    at = books(made, ("0.59",) * 3, ("0.99",) * 3)
    step = unwind_step(made, told, at, NOW)
    assert isinstance(step, RequestOperation)
    assert isinstance(step.operation, Merge)
    done = OperationEnded(id=step.id, effect=effect(step.operation), at=NOW)
    end = next_step(made, [*told, _requested(step), done], NOW)
    assert isinstance(end, Finished)
    assert end.report.realised == -60 - 41 + 100


def _requested(step):
    from arb.domain.fact import OperationRequested

    return OperationRequested(id=step.id, operation=step.operation, at=NOW)


def test_a_full_yes_set_merges_and_a_part_of_one_does_not():
    legs = plan(kind=Kind.EXHAUSTIVE_YES).legs
    whole = MergeSet(
        event=EventId("event"),
        gives=tuple((leg.outcome, leg.market) for leg in legs),
        size=Shares(Decimal(100)),
    )
    of = replace(plan(kind=Kind.EXHAUSTIVE_YES), exit_operation=whole)
    part = facts(of, ("100", "60", "100"))
    way = best_unwind(of, read(part), books(of, ("0.30",) * 3, (None,) * 3), trade=False)
    (operation,) = cash_operations(of, read(part), way)
    assert operation == replace(whole, size=Shares(Decimal(60)))
    none = facts(of, ("100", "0", "100"))
    way = best_unwind(of, read(none), books(of, ("0.30",) * 3, (None,) * 3), trade=False)
    assert cash_operations(of, read(none), way) == []


def test_what_an_interrupted_conversion_left_is_merged_pair_by_pair():
    of = plan()
    known = facts(of, ("100", "100", "100"))
    step = next_step(of, known, NOW)
    assert isinstance(step, RequestOperation)
    first, second, third = of.legs
    done = Effect(
        Usd(Decimal(100)),
        (
            (first.outcome, first.market, Shares(Decimal(-100))),
            (second.outcome, second.market, Shares(Decimal(-100))),
            (third.terms.opposite, third.market, Shares(Decimal(100))),
        ),
    )
    known += [
        OperationRequested(id=step.id, operation=step.operation, ref="", at=NOW),
        OperationEnded(id=step.id, effect=done, reason="", at=NOW),
    ]
    assert isinstance(next_step(of, known, NOW), ChooseUnwind)
    rest = unwind_step(of, known, books(of, ("0.30",) * 3, ("0.99",) * 3), NOW)
    assert isinstance(rest, RequestOperation)
    pair = (third.outcome, third.terms.opposite)
    assert rest.operation == Merge(market=third.market, pair=pair, size=Decimal(100))
    known += [
        OperationRequested(id=rest.id, operation=rest.operation, ref="", at=NOW),
        OperationEnded(id=rest.id, effect=effect(rest.operation), reason="", at=NOW),
    ]
    end = next_step(of, known, NOW)
    assert isinstance(end, Finished)
    assert (end.report.state, end.report.locked, end.report.alarm) == (PlanState.DONE, 0, "")


def unequal(*sizes):
    """A set of no known structure, whose legs differ in size."""
    made = plan(len(sizes), kind=Kind.GROUP)
    legs = tuple(
        replace(leg, size=Shares(Decimal(size)), value=Usd(Decimal("0.60") * size))
        for leg, size in zip(made.legs, sizes, strict=True)
    )
    return replace(made, legs=legs, payoff_worst=Usd(Decimal(min(sizes))))


def _yes_books(leg):
    market = make.market(str(leg.market), can_split=False)
    return make.books(market, [("0.01", "500")], [("0.10", "500")])


def test_unequal_legs_are_whole_in_their_own_proportion():
    made = unequal(90, 30)
    assert [made.target(leg, Shares(Decimal(10))) for leg in made.legs] == [30, 10]
    assert [made.level(leg, leg.size) for leg in made.legs] == [30, 30]
    assert made.guaranteed([Shares(Decimal(45)), Shares(Decimal(30))]) == 15
    account = read(facts(made, ["90", "30"]))
    held = best_unwind(made, account, {}, trade=False)
    assert (held.level, held.members, held.left) == (30, (0, 1), False)


def test_what_unequal_legs_lack_is_bought_in_their_proportion():
    made = unequal(90, 30)
    account = read(facts(made, ["90", "20"]))
    # The books of the YES legs, whose other side `books` takes for the leg's.
    cheap = {book.outcome: book for leg in made.legs for book in _yes_books(leg)}
    (order,) = best_unwind(made, account, cheap).orders
    assert (order.leg, order.side) == (1, Side.BUY)
    assert 10 <= order.size < 11


def test_of_unequal_legs_that_cannot_be_completed_whole_sets_stay():
    made = unequal(90, 30)
    account = read(facts(made, ["90", "20"]))
    way = best_unwind(made, account, {}, trade=False)
    assert way.level == 20
    assert way.result == made.guaranteed([Shares(Decimal(90)), Shares(Decimal(20))]) == 20
    assert way.left  # thirty of the first leg belong to no set


def proved(*relations, number=3, sides=None, size="100", exit_operation=None):
    """A set of some kind of its own, with its payoff: its markets are m0, m1, and so on."""
    made = plan(number, size=size, kind=Kind.GROUP)
    markets = [make.market(f"m{i}", can_split=False) for i in range(number)]
    legs = []
    for leg, market, side in zip(made.legs, markets, sides or ["no"] * number, strict=True):
        both = {"yes": (market.yes, market.no), "no": (market.no, market.yes)}
        outcome, opposite = both[side]
        legs.append(replace(leg, outcome=outcome, terms=replace(leg.terms, opposite=opposite)))
    universe = make.universe(markets, relations)
    payoff = Payoff.of(universe, universe.markets)
    pays = payoff.guaranteed((leg.outcome, leg.size) for leg in legs)
    return replace(
        made, legs=tuple(legs), payoff=payoff, payoff_worst=pays, exit_operation=exit_operation
    )


def quotes(of, bids, asks):
    """Books in which each leg's own outcome is bought and sold at these prices."""
    found = {}
    for leg, bid, ask in zip(of.legs, bids, asks, strict=True):
        for outcome, best in ((leg.outcome, (bid, ask)), (leg.terms.opposite, (None, None))):
            sold, bought = (make.levels([(price, "500")] if price else []) for price in best)
            found[outcome] = OrderBook(
                outcome=outcome, bids=sold, asks=bought, received_at=NOW, stamped_at=NOW
            )
    return found


PAIRWISE = [Exclusive(pair, complete=False) for pair in combinations(("m0", "m1", "m2"), 2)]


def test_part_of_any_set_is_kept_that_pays_for_itself():
    """No one relation says that at most one of three is true; any two NOs pay all the same."""
    made = proved(*PAIRWISE)
    assert made.payoff_worst == 200
    account = read(facts(made, ("100", "100", "0"), price="0.45"))
    at = quotes(made, ("0.30",) * 3, ("0.99", "0.99", None))
    way = best_unwind(made, account, at)
    assert (way.members, way.orders, way.result, way.left) == ((0, 1), (), 100, False)
    # By its kind alone nothing of it counted, and it was sold back.
    before = best_unwind(replace(made, payoff=None), account, at)
    assert (before.name, before.result) == ("sell back", 60)


def test_of_two_sets_in_one_plan_the_whole_one_is_kept_and_the_other_sold():
    """Nobody sells what the second lacks; its other leg pays nothing alone."""
    relations = Implies("m0", "m1"), Implies("m2", "m3")
    made = proved(*relations, number=4, sides=["no", "yes"] * 2)
    account = read(facts(made, ("100", "100", "0", "100")))
    way = best_unwind(made, account, quotes(made, ("0.30",) * 4, ("0.60", "0.60", None, "0.60")))
    assert way.members == (0, 1)
    assert [(order.leg, order.side, order.size) for order in way.orders] == [(3, "SELL", 100)]
    assert way.result == 100 + 30


def test_a_leg_that_is_worth_nothing_without_another_goes_with_it():
    """What one set lacks is dearer than the dollar it pays, so the leg beside it is sold, too."""
    relations = Implies("m0", "m1"), Implies("m2", "m3")
    made = proved(*relations, number=4, sides=["no", "yes"] * 2, size="2")
    account = read(facts(made, ("2", "2", "1.9", "2")))
    # A tenth of a share is to be had for a dollar at least.
    at = quotes(made, ("0.30", "0.30", "0.96", "0.05"), ("0.60", "0.60", "0.97", "0.60"))
    way = best_unwind(made, account, at)
    assert way.members == (0, 1)
    assert [(order.leg, order.side) for order in way.orders] == [(2, "SELL"), (3, "SELL")]


def test_a_leg_that_served_two_sets_goes_when_one_of_them_is_given_up():
    """NO of m0 pays with YES of m1 and with YES of m2: for one of them it is too dear to keep."""
    relations = Implies("m0", "m1"), Implies("m0", "m2"), Implies("m3", "m4")
    made = proved(*relations, number=5, sides=["no", "yes", "yes", "no", "yes"], size="2")
    first = replace(made.legs[0], size=Shares(Decimal(4)))
    made = replace(made, legs=(first, *made.legs[1:]))
    assert made.guaranteed([leg.size for leg in made.legs]) == 6
    account = read(facts(made, ("4", "1.9", "2", "2", "2")))
    at = quotes(made, ("0.75", "0.60", "0.50", "0.30", "0.30"), ("0.90",) * 5)
    way = best_unwind(made, account, at)
    assert way.members == (3, 4)
    assert way.result == 2 + 4 * Decimal("0.75") + Decimal("1.9") * Decimal("0.6") + 1


def test_what_pays_more_than_the_exit_is_held():
    """That neither of two can be true is known to the relations and not to the contract."""
    made = plan()
    group = Exclusive(("m0", "m1", "m2"), complete=False)
    ruled_out = Implies("m0", "m2"), Implies("m1", "m2")
    for relations, pays, taken in (((group,), 100, [100]), ((group, *ruled_out), 200, [])):
        of = proved(*relations, exit_operation=made.exit_operation)
        account = read(facts(of, ("100", "100", "0")))
        way = best_unwind(of, account, {}, trade=False)
        assert (way.members, way.result) == ((0, 1), pays)
        assert [effect(each).cash for each in cash_operations(of, account, way)] == taken
