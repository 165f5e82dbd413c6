"""Ledger against venue: what is proved is corrected once, what is on its way is no difference."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.fact import Answered, Confirmed, Discovered, Submitted, Voided
from arb.domain.market import OutcomeId, VenueId
from arb.domain.money import Shares, Usd
from arb.domain.order import Final, OrderId, TradeState
from arb.domain.position import Position
from arb.domain.statement import Statement, VenueTrade
from arb.engine.account import fills_of
from arb.engine.reconcile import reconcile
from arb.testing import builders as make
from tests.unit.test_unwind import NOW, facts, plan

CENT = Usd(Decimal("0.01"))


def with_refs(told):
    return [
        replace(fact, order=replace(fact.order, ref=f"0x{fact.order.id}"))
        if isinstance(fact, Submitted)
        else fact
        for fact in told
    ]


def statement(cash, shares=None, trades=(), open_orders=()):
    return Statement(
        venue=POLYMARKET,
        at=NOW,
        cash=Usd(Decimal(cash)),
        shares=shares or {},
        open_orders=tuple(open_orders),
        trades=tuple(trades),
    )


def portfolio(made, cash, held):
    return make.portfolio(
        cash,
        positions={
            leg.outcome: Position(
                outcome=leg.outcome, market=leg.market, shares=Shares(Decimal(size))
            )
            for leg, size in zip(made.legs, held, strict=True)
            if Decimal(size)
        },
    )


def trade(made, told, number=0, state=TradeState.CONFIRMED):
    order = f"p/{number}/BUY/1"
    (fill,) = fills_of(told, OrderId(order))
    return VenueTrade(id=fill.trade, ref=f"0x{order}", state=state, fills=(fill,))


def test_what_agrees_needs_nothing():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0")))
    found = reconcile(
        portfolio(made, "940", ("100", "0", "0")),
        [(made, told)],
        statement("940", {made.legs[0].outcome: Shares(Decimal(100))}, [trade(made, told)]),
        CENT,
    )
    assert (found.corrections, found.differences) == ((), ())


def test_a_fill_that_was_missed_is_discovered_once():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0")))
    seen = trade(made, told)
    blind = [
        replace(f, answer=Final((), "it was never placed"))
        if isinstance(f, Answered) and f.order == "p/0/BUY/1"
        else f
        for f in told
        if not isinstance(f, Confirmed)
    ]
    before = portfolio(made, "1000", ("0", "0", "0"))
    found = reconcile(before, [(made, blind)], statement("940", trades=[seen]), CENT)
    kinds = [type(fact) for _, fact in found.corrections]
    assert kinds == [Discovered, Confirmed]
    after = [*blind, *(fact for _, fact in found.corrections)]
    again = reconcile(
        portfolio(made, "940", ("100", "0", "0")),
        [(made, after)],
        statement("940", {made.legs[0].outcome: Shares(Decimal(100))}, [seen]),
        CENT,
    )
    assert (again.corrections, again.differences) == ((), ())


def test_a_trade_that_failed_is_voided():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0"), settled=False))
    failed = trade(made, told, state=TradeState.VOIDED)
    found = reconcile(
        portfolio(made, "940", ("100", "0", "0")),
        [(made, told)],
        statement("1000", trades=[failed]),
        CENT,
    )
    ((_, fact),) = found.corrections
    assert isinstance(fact, Voided)


def test_what_has_not_settled_may_be_on_either_side():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0"), settled=False))
    pending = trade(made, told, state=TradeState.PROVISIONAL)
    for cash, shares in (("940", "100"), ("1000", "0")):
        found = reconcile(
            portfolio(made, "940", ("100", "0", "0")),
            [(made, told)],
            statement(cash, {made.legs[0].outcome: Shares(Decimal(shares))}, [pending]),
            CENT,
        )
        assert not found.differences
    found = reconcile(
        portfolio(made, "940", ("100", "0", "0")),
        [(made, told)],
        statement("1000.02", {}, [pending]),
        CENT,
    )
    assert [d.what for d in found.differences] == ["cash"]


def test_strangers_are_differences():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0")))
    stranger = replace(trade(made, told), ref="0xsomebody", id="other")
    found = reconcile(
        portfolio(made, "940", ("100", "0", "0")),
        [(made, told)],
        statement(
            "933",
            {
                made.legs[0].outcome: Shares(Decimal(99)),
                OutcomeId(VenueId("polymarket"), "9"): Shares(Decimal(3)),
            },
            [stranger],
            ["0xresting"],
        ),
        CENT,
    )
    assert sorted(d.what for d in found.differences) == [
        "cash",
        "order",
        "shares",
        "shares",
        "trade",
    ]
    assert not found.corrections


def _unread(made, told, **fields):
    """The first leg's trade, of which only so much could be read."""
    seen = trade(made, told)
    ours = {"ref": "", "refs": (seen.ref, "0xmaker"), "fills": (), "unread": "trade t.side: HOLD"}
    return replace(seen, **(ours | fields))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, False),
        ({"refs": ()}, False),
        ({"refs": ("0xsomebody",)}, False),
        ({"id": "other"}, True),
        ({"id": "other", "refs": ()}, True),
        ({"id": "other", "refs": ("0xsomebody",)}, True),
        ({"id": "other", "state": TradeState.VOIDED}, False),
        ({"id": "other", "refs": (), "state": TradeState.VOIDED}, False),
    ],
)
def test_a_trade_that_cannot_be_read_is_a_difference_only_where_the_ledger_lacks_it(fields, named):
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0")))
    found = reconcile(
        portfolio(made, "940", ("100", "0", "0")),
        [(made, told)],
        statement(
            "940",
            {made.legs[0].outcome: Shares(Decimal(100))},
            [_unread(made, told, **fields)],
        ),
        CENT,
    )
    assert found.corrections == ()
    assert [d.venue for d in found.differences] == (["trade t.side: HOLD"] if named else [])


def test_a_trade_that_cannot_be_read_still_settles():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0"), settled=False))
    found = reconcile(
        portfolio(made, "940", ("100", "0", "0")),
        [(made, told)],
        statement("940", {made.legs[0].outcome: Shares(Decimal(100))}, [_unread(made, told)]),
        CENT,
    )
    ((_, fact),) = found.corrections
    assert isinstance(fact, Confirmed)


def test_a_strangers_trade_that_failed_is_no_difference():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0")))
    stranger = replace(trade(made, told), ref="0xsomebody", id="other", state=TradeState.VOIDED)
    there = statement("940", {made.legs[0].outcome: Shares(Decimal(100))}, [stranger])
    found = reconcile(portfolio(made, "940", ("100", "0", "0")), [(made, told)], there, CENT)
    assert (found.corrections, found.differences) == ((), ())


def test_what_an_operator_has_accounted_for_is_no_difference_any_more():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0")))
    stranger = replace(trade(made, told), ref="0xsomebody", id="other")
    held = portfolio(made, "940", ("100", "0", "0"))
    there = statement("940", {made.legs[0].outcome: Shares(Decimal(100))}, [stranger])
    before = reconcile(held, [(made, told)], there, CENT, NOW - timedelta(seconds=1))
    assert [d.what for d in before.differences] == ["trade"]
    assert not reconcile(held, [(made, told)], there, CENT, NOW).differences


def test_an_order_without_an_answer_is_left_to_the_saga():
    made = plan()
    told = with_refs(facts(made, ("100", "0", "0")))
    seen = trade(made, told)
    unanswered = [f for f in told if not isinstance(f, Answered | Confirmed)]
    found = reconcile(
        portfolio(made, "1000", ("0", "0", "0")),
        [(made, unanswered)],
        statement("940", {made.legs[0].outcome: Shares(Decimal(100))}, [seen]),
        CENT,
    )
    assert (found.corrections, found.differences) == ((), ())
