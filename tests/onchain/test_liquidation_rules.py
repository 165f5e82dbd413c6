"""The arithmetic of lending markets, plans, bribes and states: no chain is needed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arb.domain.attempt import AttemptFact, AttemptStep
from arb.domain.halt import Pause, Standing, TradingState
from arb.domain.money import Usd
from arb.net.rpc import Block
from arb.onchain.liquidations.aave import AaveRules
from arb.onchain.liquidations.bribe import RENEWED_EVERY, SHARES, BribeModel, learned
from arb.onchain.liquidations.compound import CompoundRules
from arb.onchain.liquidations.planner import (
    GasTerms,
    LiquidationPlan,
    PlanOptions,
    Refusal,
    pairs,
    plan,
    priced_by_oracle,
)
from arb.onchain.liquidations.positions import (
    RAY,
    WAD,
    Loan,
    Mode,
    Position,
    PriceSource,
    Reserve,
    Touch,
    Tracker,
)
from arb.onchain.liquidations.record import AttemptRecord, StateLimits, judge, recorded

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
WETH, USDC = "0x" + "a" * 40, "0x" + "b" * 40
ANN, BEN = "0x" + "1" * 40, "0x" + "2" * 40
USD8 = 10**8
BLOCK = Block(number=100, hash="0xabc", timestamp=1_800_000_000)
OPTIONS = PlanOptions(
    min_profit_usd=Usd(Decimal(10)),
    max_repay_usd=Usd(Decimal(100_000)),
    max_daily_usd=Usd(Decimal(1_000_000)),
    slippage_bps=50,
    oracle_deviation_bps=300,
)
GAS = GasTerms(units=500_000, base_fee=10**9, coin_price=1850 * USD8)


def weth(price=1850, **changed):
    found = Reserve(
        asset=WETH, symbol="WETH", decimals=18, price=price * USD8, threshold=8250, bonus=10500,
        income_index=RAY, debt_index=RAY,
    )  # fmt: skip
    return replace(found, **changed)


def usdc(**changed):
    found = Reserve(
        asset=USDC, symbol="USDC", decimals=6, price=USD8, threshold=8500, bonus=10500,
        income_index=RAY, debt_index=RAY,
    )  # fmt: skip
    return replace(found, **changed)


def ten_weth(owed=15_500 * 10**6, **changed):
    loans = {WETH: Loan(supplied=10 * WAD, collateral=True), USDC: Loan(owed=owed)}
    return Position(borrower=ANN, block=100, loans=loans, **changed)


def test_a_position_falls_below_one_with_the_price_of_its_collateral():
    rules, position = AaveRules(), ten_weth()
    before = rules.health(position, {WETH: weth(2000), USDC: usdc()})
    after = rules.health(position, {WETH: weth(1850), USDC: usdc()})
    assert (before.collateral, before.debt) == (20_000 * USD8, 15_500 * USD8)
    assert before.factor == 1_064516129032258065  # 16,500 / 15,500, rounded half up
    assert after.factor == 984677419354838710
    assert (before.liquidatable, after.liquidatable) == (False, True)
    assert rules.health(ten_weth(owed=0), {WETH: weth(), USDC: usdc()}).factor is None


@pytest.mark.parametrize(
    ("price", "small", "most"),
    [
        (1850, 0, 7_750),  # half
        (1785, 0, 7_750),  # 0.9501: half, still
        (1784, 0, 15_500),  # 0.9496: all of it
        (1850, 20_000, 15_500),  # a small debt: all of it
        (1850, 15_500, 7_750),  # not small any more
        (1850, 18_501, 15_500),  # a small collateral
    ],
)
def test_the_close_factor_depends_on_health_and_size(price, small, most):
    rules = AaveRules(small_debt=small * USD8)
    reserves = {WETH: weth(price), USDC: usdc()}
    assert rules.close_most(ten_weth(), reserves, USDC, WETH) == most * 10**6


def test_half_is_seized_with_the_bonus_and_the_markets_fee_comes_out_of_it():
    rules, reserves = AaveRules(), {WETH: weth(), USDC: usdc()}
    found = rules.seize(ten_weth(), reserves, USDC, WETH, 7_750 * 10**6)
    assert found.repaid == 7_750 * 10**6
    assert rules.worth(weth(), found.received) == 813_749_999_999  # 8,137.50 less one unit
    with_fee = {WETH: weth(protocol_fee=1000), USDC: usdc()}
    taken = rules.seize(ten_weth(), with_fee, USDC, WETH, 7_750 * 10**6)
    assert taken.received + taken.fee == found.received
    assert rules.worth(weth(), taken.fee) == 38_75000000  # a tenth of the bonus


def test_where_the_collateral_is_short_what_it_covers_is_repaid():
    rules = AaveRules()
    reserves = {WETH: weth(1000), USDC: usdc()}
    found = rules.seize(ten_weth(), reserves, USDC, WETH, 15_500 * 10**6)
    assert found.received == 10 * WAD
    assert found.repaid == 9_523_809524  # 10,000 / 1.05


def test_an_efficiency_mode_has_terms_of_its_own():
    rules = AaveRules(modes={1: Mode(threshold=9300, bonus=10100)})
    reserves = {WETH: weth(category=1), USDC: usdc(category=2)}
    health = rules.health(ten_weth(mode=1), reserves)
    assert health.factor == (18_500 * 9300 * WAD + 15_500 * 5000) // (15_500 * 10_000)
    found = rules.seize(ten_weth(mode=1), reserves, USDC, WETH, 7_750 * 10**6)
    assert rules.worth(weth(), found.received) == 782_749_999_999


@given(
    supply=st.integers(1, 10**24),
    owed=st.integers(1, 10**13),
    price=st.integers(1, 10**6),
    repay=st.integers(1, 10**13),
    bonus=st.integers(10_000, 12_000),
    fee=st.integers(0, 3000),
)
def test_no_seizure_takes_more_than_there_is_or_repays_more_than_asked(
    supply, owed, price, repay, bonus, fee
):
    loans = {WETH: Loan(supplied=supply, collateral=True), USDC: Loan(owed=owed)}
    position = Position(borrower=ANN, block=1, loans=loans)
    reserves = {WETH: weth(price, bonus=bonus, protocol_fee=fee), USDC: usdc()}
    found = AaveRules().seize(position, reserves, USDC, WETH, repay)
    assert 0 <= found.repaid <= repay + 1
    assert found.received + found.fee <= supply
    assert AaveRules().close_most(position, reserves, USDC, WETH) <= owed


# -- Compound v2 and its forks -------------------------------------------------------------------

CTOKENS = 10 * WAD // (2 * 10**8)  # 8 decimals: 10 WETH at an exchange rate of 0.02 per unit


def compound_reserves(price=1850):
    pledge = Reserve(
        asset=WETH, symbol="WETH", decimals=18, price=price * WAD, threshold=80 * WAD // 100,
        bonus=108 * WAD // 100, protocol_fee=28 * WAD // 1000,
        income_index=2 * 10**8 * WAD, debt_index=WAD, receipt="0xc1",
    )  # fmt: skip
    owing = Reserve(
        asset=USDC, symbol="USDC", decimals=6, price=10**30, threshold=0, bonus=108 * WAD // 100,
        income_index=2 * 10**14, debt_index=11 * WAD // 10, receipt="0xc2",
    )  # fmt: skip
    return {WETH: pledge, USDC: owing}


def compound_loans(principal=14_000 * 10**6):
    loans = {
        WETH: Loan(supplied=CTOKENS, collateral=True),
        USDC: Loan(owed=principal, owed_index=WAD),
    }
    return Position(borrower=ANN, block=1, loans=loans)


def test_a_compound_position_is_valued_as_its_comptroller_does():
    rules, position = CompoundRules(close_factor=WAD // 2), compound_loans()
    found = rules.health(position, compound_reserves(2000))
    assert found.debt == 15_400 * WAD  # 14,000 with ten percent interest
    assert found.collateral == 16_000 * WAD
    assert not found.liquidatable
    assert rules.health(position, compound_reserves(1850)).factor == 14_800 * WAD // 15_400
    assert rules.close_most(position, compound_reserves(), USDC, WETH) == 7_700 * 10**6


def test_compound_seizes_at_the_incentive_less_the_markets_share():
    rules, reserves = CompoundRules(close_factor=WAD // 2), compound_reserves()
    found = rules.seize(compound_loans(), reserves, USDC, WETH, 7_700 * 10**6)
    assert found.repaid == 7_700 * 10**6
    taken, fee = rules.worth(reserves[WETH], found.received), rules.worth(reserves[WETH], found.fee)
    assert round(Decimal(taken + fee) / WAD, 2) == Decimal("8316.00")  # 7,700 x 1.08
    assert round(Decimal(fee) / WAD, 2) == Decimal("232.85")  # 2.8 % of what is seized
    short = rules.seize(compound_loans(), compound_reserves(500), USDC, WETH, 7_700 * 10**6)
    assert short.repaid < 7_700 * 10**6
    assert round(Decimal(short.repaid) / 10**6, 2) == Decimal("4629.63")  # 5,000 / 1.08


@given(
    tokens=st.integers(1, 10**15),
    price=st.integers(1, 10**6),
    repay=st.integers(1, 10**13),
)
def test_compound_never_seizes_more_than_is_held(tokens, price, repay):
    loans = {WETH: Loan(supplied=tokens, collateral=True), USDC: Loan(owed=1, owed_index=WAD)}
    position = Position(borrower=ANN, block=1, loans=loans)
    reserves = compound_reserves(price)
    found = CompoundRules(close_factor=WAD // 2).seize(position, reserves, USDC, WETH, repay)
    assert found.repaid <= repay
    assert found.received + found.fee <= tokens * reserves[WETH].income_index // WAD


# -- plans -------------------------------------------------------------------------------------


def planned(price=1850, quoted=8_130 * 10**6, gas=GAS, options=OPTIONS, share="0.2"):
    rules, position = AaveRules(), ten_weth()
    reserves = {WETH: weth(price), USDC: usdc()}
    found = pairs(rules, position, reserves, {USDC: 10**12}, options)
    assert not isinstance(found, Refusal)
    health = rules.health(position, reserves)
    return plan(rules, position, health, BLOCK, found[0], quoted, gas, Decimal(share), options)


def test_a_plan_says_what_it_returns_and_what_it_costs_if_the_block_does_not_stand():
    found = planned()
    assert isinstance(found, LiquidationPlan)
    assert (found.repays, found.seizure.repaid) == (Usd(Decimal(7750)), 7_750 * 10**6)
    assert found.gain == 380 * 10**6
    # 500,000 gas at 1 gwei and 1,850 dollars is 0.925; a fifth of the rest goes to the block's maker.
    assert found.returns == pytest.approx(Decimal("303.26"), abs=Decimal("0.001"))
    # Twice the base fee and the bribe, for all the gas that may be used.
    assert found.costs == pytest.approx(Decimal("77.665"), abs=Decimal("0.001"))
    assert planned(gas=replace(GAS, bundled=True)).costs == 0
    assert found.swap_least == 8_130 * 10**6 * 9950 // 10_000
    assert found.returns_least < found.returns
    again = planned()
    assert again == found
    assert planned(share="0").priority_fee == 0
    # The bribe ends where a unit of gas would cost more than is allowed.
    assert planned(gas=replace(GAS, fee_most=5 * 10**9)).priority_fee == 4 * 10**9


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"quoted": 7_760 * 10**6}, Refusal.ORACLE_DOUBTFUL),  # the pool pays 4.6 % less
        ({"quoted": 7_900 * 10**6, "share": "0.9"}, Refusal.BELOW_MIN_PROFIT),
        ({"gas": replace(GAS, coin_price=None)}, Refusal.GAS_UNPRICED),
        ({"gas": replace(GAS, fee_most=10**9 - 1)}, Refusal.GAS_DEAR),
        ({"gas": replace(GAS, base_fee=10**12)}, Refusal.BELOW_MIN_PROFIT),
    ],
)
def test_a_plan_that_is_not_worth_it_is_refused_by_name(changed, why):
    assert planned(**changed) is why


def test_what_is_repaid_ends_at_the_limit_and_at_the_wallet():
    rules, position, reserves = AaveRules(), ten_weth(), {WETH: weth(), USDC: usdc()}

    def repaid(funds, most=100_000):
        options = replace(OPTIONS, max_repay_usd=Usd(Decimal(most)))
        found = pairs(rules, position, reserves, funds, options)
        return found if isinstance(found, Refusal) else found[0].seizure.repaid

    assert repaid({USDC: 10**12}) == 7_750 * 10**6
    assert repaid({USDC: 10**12}, most=500) == 500 * 10**6
    assert repaid({USDC: 3 * 10**6}) == 3 * 10**6
    assert repaid({}) is Refusal.NO_FUNDS
    reserves[WETH] = weth(active=False)
    assert repaid({USDC: 10**12}) is Refusal.NOTHING_TO_SEIZE


def test_the_most_gainful_collateral_comes_first():
    other = "0x" + "d" * 40
    position = ten_weth()
    loans = {**position.loans, other: Loan(supplied=10 * WAD, collateral=True)}
    reserves = {WETH: weth(), USDC: usdc(), other: weth(asset=other, bonus=11000)}
    found = pairs(AaveRules(), replace(position, loans=loans), reserves, {USDC: 10**12}, OPTIONS)
    assert [pair.collateral.asset for pair in found] == [other, WETH]
    assert found[0].gain > found[1].gain


def test_a_position_with_a_fall_back_price_is_known_for_one():
    reserves = {WETH: weth(), USDC: usdc()}
    assert priced_by_oracle(ten_weth(), reserves)
    reserves[WETH] = weth(source=PriceSource.FALLBACK)
    assert not priced_by_oracle(ten_weth(), reserves)


# -- positions kept in step ----------------------------------------------------------------------


def header(number, fork=""):
    return Block(number=number, hash=f"0x{number}{fork}", timestamp=number)


def test_events_say_whom_to_read_again_and_a_reorganisation_undoes_them():
    tracker = Tracker()
    tracker.advance(header(10), [Touch(block=9, borrower=ANN)])
    assert tracker.stale == {ANN}
    tracker.read([ten_weth()])
    assert (tracker.stale, list(tracker.positions)) == (set(), [ANN])
    tracker.advance(header(11), [Touch(block=11, borrower=BEN)])
    tracker.read([Position(borrower=BEN, block=11, loans={USDC: Loan(owed=5)})])
    assert tracker.anchors() == [header(11), header(10)]
    tracker.undo_after(header(10))
    assert (tracker.stale, tracker.head) == ({BEN}, header(10))
    tracker.read([Position(borrower=BEN, block=12, loans={USDC: Loan()})])
    assert list(tracker.positions) == [ANN]  # what is owed no more is forgotten


def test_a_reorganisation_deeper_than_what_is_kept_reads_everything_again():
    tracker = Tracker()
    tracker.advance(header(10), [])
    tracker.read([ten_weth()])
    tracker.undo_after(None)
    assert (tracker.stale, tracker.head) == ({ANN}, None)


def test_an_older_read_never_replaces_a_newer_one():
    tracker = Tracker(stale={ANN})
    newer = replace(ten_weth(), block=200)
    tracker.read([newer])
    tracker.read([ten_weth()])
    assert tracker.positions[ANN] is newer


# -- bribes, record, state -------------------------------------------------------------------------


def test_the_bribe_is_renewed_after_a_hundred_submissions():
    model = BribeModel()
    first = model.share
    for _ in range(RENEWED_EVERY - 1):
        model.ended(first, included=False)
    assert (model.share, model.renewals) == (first, 0)
    model.ended(first, included=False)
    assert model.renewals == 1
    assert model.share > first  # never included: pay more


def test_a_bribe_that_is_always_included_falls_and_one_that_wins_more_stays():
    cheap = learned([(SHARES[2], True)] * RENEWED_EVERY)
    assert cheap.share < SHARES[2]
    model = BribeModel()
    for _ in range(40 * RENEWED_EVERY):  # only the fourth share and above win
        model.ended(model.share, included=model.share >= SHARES[3])
    assert SHARES[2] <= model.share <= SHARES[4]


def fact(attempt, step, minutes=0, **values):
    return AttemptFact(
        attempt=attempt, step=step, at=NOON + timedelta(minutes=minutes), block=1, subject=ANN,
        values={name: str(value) for name, value in values.items()},
    )  # fmt: skip


def submitted(name, minutes=0):
    return fact(
        name, AttemptStep.SUBMITTED, minutes,
        repays_usd=7750, returns_usd=300, bribe_share="0.2",
    )  # fmt: skip


def included(name, minutes=0):
    return fact(name, AttemptStep.INCLUDED, minutes, returned_usd=270)


def reverted(name, minutes=0):
    return fact(name, AttemptStep.REVERTED, minutes, returned_usd="-0.5")


def test_the_record_is_a_function_of_the_facts():
    facts = [
        fact("z", AttemptStep.FOUND), fact("z", AttemptStep.REFUSED),
        submitted("a"), included("a"), submitted("b"), reverted("b"),
        submitted("c"), fact("c", AttemptStep.DROPPED), submitted("d"),
    ]  # fmt: skip
    record = recorded(facts, StateLimits(), Standing())
    assert (record.submissions, record.included, record.reverted, record.dropped) == (4, 1, 1, 1)
    assert record.inclusion_rate == Decimal(1) / 3
    assert record.accuracy == Decimal("0.9")
    assert record.returned == Decimal("269.5")
    assert (list(record.open), record.failures_in_row) == (["d"], 2)
    assert record.volume_on(NOON.date()) == 4 * 7750
    assert record.volume_on(NOON.date() + timedelta(days=1)) == 0
    assert AttemptRecord().inclusion_rate is None


def test_below_half_included_is_throttled_and_recovers():
    limits, record = StateLimits(inclusion_window=4), AttemptRecord(window=4)
    for name in "abc":
        record(submitted(name))
        record(reverted(name))
    assert judge(Standing(), record, limits, NOON).state is TradingState.NORMAL  # too few
    record(submitted("d"))
    record(included("d"))
    now = judge(Standing(), record, limits, NOON)
    assert (now.state, now.reason) == (
        TradingState.THROTTLED,
        "1 of the latest 4 submissions were included",
    )
    record(submitted("e"))
    record(included("e"))
    assert judge(now, record, limits, NOON).state is TradingState.NORMAL  # 2 of 4: half


def test_ten_errors_in_a_row_halt_until_an_operator_resumes():
    limits, record = StateLimits(), AttemptRecord()
    assert judge(Standing(), record, limits, NOON, errors_in_row=9).state is TradingState.NORMAL
    halted = judge(Standing(), record, limits, NOON, errors_in_row=10)
    assert (halted.state, halted.pause) == (TradingState.HALTED, None)
    assert judge(halted, record, limits, NOON) is halted
    facts = [one for n in range(10) for one in (submitted(f"{n}"), reverted(f"{n}"))]
    failed = recorded(facts, limits, Standing())
    assert judge(Standing(), failed, limits, NOON).state is TradingState.HALTED
    resumed = Standing(since=NOON + timedelta(hours=1), by_operator=True)
    assert judge(resumed, recorded(facts, limits, resumed), limits, NOON).state is (
        TradingState.NORMAL
    )


def test_without_any_node_it_pauses_and_goes_on_by_itself():
    limits, record = StateLimits(), AttemptRecord()
    away = judge(Standing(), record, limits, NOON, errors_in_row=1, away="two nodes are silent")
    assert (away.state, away.pause) == (TradingState.HALTED, Pause.UNTIL_REACHABLE)
    assert judge(away, record, limits, NOON).state is TradingState.NORMAL
    worse = judge(away, record, limits, NOON, errors_in_row=10, away="two nodes are silent")
    assert (worse.state, worse.pause) == (TradingState.HALTED, None)
