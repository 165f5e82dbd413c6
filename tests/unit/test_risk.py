"""The gate: every check refuses what it is for, and approvals use up what is left."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from arb.domain.confirmation import Confirmation
from arb.domain.decision import Approved, Refused
from arb.domain.halt import Standing, TradingState
from arb.domain.money import Usd
from arb.domain.operation import Convert
from arb.domain.opportunity import prove
from arb.domain.reason import Reason
from arb.domain.report import FillRecord
from arb.risk.checks import Context
from arb.risk.gate import position_budget, review
from arb.risk.halt import judge, status
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.negrisk import NegRiskNo
from arb.testing import builders as make


def _usd(amount):
    return Usd(Decimal(amount))


@pytest.fixture
def case():
    markets = [make.market(f"m{i}", can_split=False) for i in range(4)]
    universe = make.universe(markets, [make.exclusive(markets)])
    bids = ["0.50", "0.40", "0.30"]
    pairs = [
        make.books(m, [(b, "50")], [("0.60", "50")]) for m, b in zip(markets, bids, strict=False)
    ]
    snapshot = make.snapshot(universe, *pairs)
    (candidate,) = NegRiskNo().find(snapshot)
    opportunity = prove(candidate, snapshot)
    context = Context(
        portfolio=make.portfolio(10_000),
        limits=RiskLimits(),
        standing=Standing(),
        confirmations={m.id: Confirmation(market=m.id, known=True) for m in markets},
        books_from=make.NOON,
        now=make.NOON,
        plans_left=5,
    )
    return opportunity, context, snapshot


@pytest.fixture
def deep(case):
    """The same with three levels to walk through on each leg."""
    _, context, _ = case
    markets = [make.market(f"m{i}", can_split=False) for i in range(4)]
    universe = make.universe(markets, [make.exclusive(markets)])
    pairs = [
        make.books(m, [(f"{(bid - down) / 100:.2f}", "50") for down in (0, 1, 3)], [("0.90", "50")])
        for m, bid in zip(markets, (60, 50, 40), strict=False)
    ]
    snapshot = make.snapshot(universe, *pairs)
    (candidate,) = NegRiskNo().find(snapshot)
    return prove(candidate, snapshot), context, snapshot


def _review(case, *, limits=None, portfolio=None, **context):
    opportunity, base, snapshot = case
    changed = replace(
        base,
        limits=replace(base.limits, **(limits or {})),
        portfolio=replace(base.portfolio, **(portfolio or {})),
        **context,
    )
    return review(opportunity, changed, SizingOptions(), snapshot)


def test_what_its_own_plans_have_shown_decides_the_size_and_is_said(case):
    """Nine plans of ten that were not filled: the edge does not pay for that."""
    opportunity, base, snapshot = case
    sizing = SizingOptions(learn_after=10)
    bad = FillRecord(filled=10, unfilled=90, lost=Decimal(45))
    for records, refused in (
        ({}, False),
        ({"another_kind": bad}, False),
        ({opportunity.kind: bad}, True),
    ):
        context = replace(base, fill_records=records)
        decision = review(opportunity, context, sizing, snapshot)
        kelly = next(verdict for verdict in decision.verdicts if verdict.gate == "kelly")
        assert isinstance(decision, Refused) is refused
        assert ("10 of 100 plans of this kind did, and 0.9 as 10" in kelly.detail) is refused
        assert (position_budget(opportunity, context, sizing) == 0) is refused
    assert decision.reason is Reason.KELLY_ZERO


def test_what_passes_every_check_is_approved_with_its_plan(case):
    decision = _review(case)
    assert isinstance(decision, Approved)
    plan = decision.plan
    assert isinstance(plan.exit_operation, Convert)
    assert len(plan.exit_operation.gives) == 3
    assert [market for _, market in plan.exit_operation.receives] == ["m3"]
    assert plan.profit == decision.opportunity.profit > 0
    assert all(verdict.passed for verdict in decision.verdicts)


MOVED = {"adverse_move": Decimal("0.2")}


@pytest.mark.parametrize(
    ("reason", "more"),
    [
        (Reason.BELOW_MIN_PROFIT, {"limits": {"min_profit_threshold": Decimal("0.5")}}),
        (Reason.BELOW_MIN_PROFIT_USD, {"limits": {"min_profit_usd": _usd(1000)}}),
        (Reason.HALTED, {"standing": Standing(state=TradingState.HALTED)}),
        (Reason.DAILY_LOSS, {"portfolio": {"loss_today": _usd(500)}}),
        (
            Reason.DAILY_LOSS,
            {
                "limits": {"max_daily_loss_pct": Decimal(5)},
                "portfolio": {
                    "capital": _usd(9_000),
                    "realised_before_today": _usd(-1_000),
                    "loss_today": _usd(400),
                },
            },
        ),
        (
            Reason.DRAWDOWN,
            {
                "limits": {"max_drawdown_pct": Decimal(10)},
                "portfolio": {
                    "capital": _usd(9_000),
                    "realised_high": _usd(1_000),
                    "realised": _usd(0),
                },
            },
        ),
        (Reason.RISK_PER_TRADE, {"limits": {**MOVED, "risk_per_trade": Decimal("0.0001")}}),
        (Reason.OPEN_POSITIONS, {"portfolio": {"open_plans": 20}}),
        (Reason.CONSECUTIVE_FAILURES, {"portfolio": {"consecutive_failures": 10}}),
        (Reason.OUTCOME_TAKEN, {"portfolio": {"busy": frozenset({"m1"})}}),
        (Reason.PLANS_PER_CYCLE, {"plans_left": 0}),
        (Reason.STALE_DATA, {"now": make.NOON + timedelta(seconds=16)}),
        (Reason.MARKET_UNCONFIRMED, {"confirmations": {}}),
        (Reason.SIZED_BELOW_MIN, {"limits": {"max_position_size": _usd(1)}}),
        (Reason.SIZED_BELOW_MIN, {"portfolio": {"pockets": make.portfolio(10_000, 9_999).pockets}}),
        (Reason.SIZED_BELOW_MIN, {"portfolio": {"volume_today": _usd(49_999)}}),
    ],
)
def test_each_check_refuses_what_it_is_for(case, reason, more):
    decision = _review(case, **more)
    assert isinstance(decision, Refused)
    assert decision.reason is reason


PERCENTS = {"max_daily_loss_pct": Decimal(5), "max_drawdown_pct": Decimal(10)}
NEARLY = {
    "capital": _usd(9_000),
    "realised_high": _usd(1_000),
    "realised": _usd("0.000001"),
    "realised_before_today": _usd(0),
    "loss_today": _usd("449.999999"),
}


def test_a_limit_in_percent_lets_pass_what_is_below_it(case):
    assert isinstance(_review(case, limits=PERCENTS, portfolio=NEARLY), Approved)
    lost = {**NEARLY, "loss_today": _usd(450)}
    assert _review(case, limits=PERCENTS, portfolio=lost).reason is Reason.DAILY_LOSS
    assert isinstance(_review(case, portfolio=lost), Approved)  # none is set by default


def test_the_risk_of_a_trade_is_what_the_worst_partial_fill_costs_of_the_equity(case):
    (verdict,) = (v for v in _review(case, limits=MOVED).verdicts if v.gate == "partial_fills")
    lost = Decimal(verdict.detail.split(" ")[0].removeprefix("$"))
    assert lost > 1
    just = {**MOVED, "risk_per_trade": lost / 10_000}  # of the equity of the account
    assert isinstance(_review(case, limits=just), Approved)
    less = {**MOVED, "risk_per_trade": just["risk_per_trade"] * Decimal("0.999")}
    assert _review(case, limits=less).reason is Reason.RISK_PER_TRADE
    held = {"locked": _usd(20)}  # counts at cost
    assert isinstance(_review(case, limits=less, portfolio=held), Approved)


def test_of_no_equity_any_loss_is_all():
    assert make.portfolio(0, loss_today=_usd(1)).loss_today_pct == 100
    assert make.portfolio(0).loss_today_pct == make.portfolio(0).drawdown_pct == 0


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (Reason.MARKET_UNCONFIRMED, {"known": False}),
        (Reason.NOT_ACCEPTING, {"accepting": False}),
        (Reason.DELAYED, {"delayed": True}),
        (Reason.MARKET_CHANGED, {"differences": ("tick 0.001, not 0.01",)}),
    ],
)
def test_the_exchanges_own_word_counts(case, reason, word):
    said = {f"m{i}": Confirmation(market=f"m{i}", **{"known": True, **word}) for i in range(3)}
    assert _review(case, confirmations=said).reason is reason


def test_a_refusal_still_shows_every_verdict(case):
    decision = _review(case, limits={"min_profit_threshold": Decimal("0.5")})
    assert [v.gate for v in decision.verdicts if not v.passed] == ["profit_fraction"]
    assert len(decision.verdicts) == len(_review(case).verdicts)


def test_a_cap_makes_the_plan_smaller_and_proves_it_anew(case):
    decision = _review(case, limits={"max_position_size": _usd(40)})
    assert isinstance(decision, Approved)
    assert decision.opportunity.outlay <= 40
    assert decision.opportunity.size < decision.opportunity.available == 50


@pytest.mark.parametrize("what", ["max_position_size", "max_daily_volume", "cash"])
@pytest.mark.parametrize("cap", [20, 47, 80, 111, 150, 190, 300])
def test_a_cap_holds_even_if_every_fill_is_at_its_limit(deep, what, cap):
    limited = {what: _usd(cap)}
    if what == "cash":
        decision = _review(
            deep, portfolio={"pockets": make.portfolio(cap).pockets, "locked": _usd(10_000)}
        )
    else:
        decision = _review(deep, limits=limited)
    assert isinstance(decision, Approved)
    plan = decision.plan
    assert plan.outlay < plan.outlay_max <= cap or plan.outlay == plan.outlay_max <= cap
    assert plan.outlay_max > min(cap, 190) * Decimal("0.8")
    assert make.portfolio(cap).after(plan).free == cap - plan.outlay_max


def test_throttled_trading_spends_half(case):
    cap = {"max_position_size": _usd(80)}
    normal = _review(case, limits=cap)
    throttled = _review(case, limits=cap, standing=Standing(state=TradingState.THROTTLED))
    assert normal.opportunity.outlay > 40 >= throttled.opportunity.outlay


def test_an_approval_shrinks_what_the_next_is_judged_against(case):
    decision = _review(case)
    before = make.portfolio(10_000)
    after = before.after(decision.plan)
    assert after.free == before.free - decision.plan.outlay_max
    assert after.busy == {"m0", "m1", "m2"}
    assert after.open_plans == 1
    assert _review(case, portfolio={"busy": after.busy}).reason is Reason.OUTCOME_TAKEN


LIMITS = RiskLimits()


def _judged(standing=None, **portfolio):
    return judge(standing or Standing(), make.portfolio(1, **portfolio), LIMITS, make.NOON)


def test_too_many_failures_in_a_row_halt_until_an_operator_resumes():
    halted = _judged(consecutive_failures=10)
    assert halted.state is TradingState.HALTED
    assert _judged(halted, consecutive_failures=0) == halted
    assert not status(halted, make.portfolio(1), LIMITS).can_trade


@pytest.mark.parametrize(
    "near", [{"loss_today": _usd(400)}, {"volume_today": _usd(40_000)}, {"consecutive_failures": 8}]
)
def test_near_a_limit_trading_is_throttled_and_recovers_by_itself(near):
    throttled = _judged(**near)
    assert throttled.state is TradingState.THROTTLED
    assert _judged(throttled).state is TradingState.NORMAL


def test_limits_in_percent_throttle_and_stop_trading():
    limits = replace(LIMITS, **PERCENTS, max_daily_loss=_usd(10_000))
    near = make.portfolio(1, **NEARLY)
    throttled = judge(Standing(), near, limits, make.NOON)
    assert throttled.state is TradingState.THROTTLED
    assert throttled.reason == (
        "5.00 % of the day's opening equity lost, the limit is 5 %; "
        "10.00 % below the highest equity, the limit is 10 %"
    )
    assert status(throttled, near, limits).can_trade
    reached = replace(near, loss_today=_usd(450), realised=_usd(0))
    told = status(throttled, reached, limits)
    assert not told.can_trade
    assert len(told.reasons) == 2


@pytest.mark.parametrize(("loss", "how"), [(499, "is near"), (500, "has reached")])
def test_what_is_reached_is_not_called_near(loss, how):
    assert _judged(loss_today=_usd(loss)).reason == f"daily loss ${loss} {how} its limit"


def test_every_reason_against_trading_is_told():
    told = status(Standing(), make.portfolio(1, loss_today=_usd(501), open_plans=20), LIMITS)
    assert not told.can_trade
    assert len(told.reasons) == 2
