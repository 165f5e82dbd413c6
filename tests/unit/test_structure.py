"""What a strategy calls its set decides nothing: the proof derives kind, event and exit itself."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest

from arb.adapters.polymarket.terms import POLYMARKET, TERMS
from arb.domain.book import BookMap
from arb.domain.confirmation import Confirmation
from arb.domain.decision import Approved
from arb.domain.halt import Standing
from arb.domain.market import (
    Event,
    EventId,
    Exclusive,
    Implies,
    OutcomeId,
    Side,
    Universe,
    WholeGroup,
)
from arb.domain.money import Price, Shares, Usd
from arb.domain.opportunity import Candidate, Exit, Kind, Leg, Skipped, Unproven, prove
from arb.domain.reason import Reason
from arb.engine.decide import find
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions, GuardOptions
from arb.engine.scanner import Scanner
from arb.ports import Venue
from arb.risk.checks import Context
from arb.risk.gate import review
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.binary_complement import BinaryComplement
from arb.strategies.options import StrategyOptions
from arb.testing import builders as make

OPTIONS = SizingOptions(max_fraction=Decimal(1), conservative_factor=Decimal(1))


def _candidate(universe, legs, kind, event=None):
    return Candidate(
        kind=kind,
        event=event or next(iter(universe.events.values())),
        legs=tuple(
            Leg(outcome, Side.BUY, Price(Decimal(limit)), Shares(Decimal(size)))
            for outcome, limit, size in legs
        ),
        available=Shares(Decimal(legs[0][2])),
    )


def _decide(candidate, snapshot, counted=None):
    """The gate's decision about what is proved; the proof's refusal otherwise."""
    proved = prove(candidate, snapshot)
    if isinstance(proved, Unproven):
        return proved
    markets = snapshot.universe.markets
    context = Context(
        portfolio=make.portfolio(10_000),
        limits=RiskLimits(min_profit_threshold=Decimal("0.001")),
        standing=Standing(),
        confirmations={id_: Confirmation(market=id_, known=True) for id_ in markets},
        books_from=make.NOON,
        now=make.NOON,
        plans_left=5,
        counted=counted or {},
    )
    return review(proved, context, OPTIONS, snapshot)


def _yes_set():
    markets = [make.market(f"m{i}", can_split=False, rate="0") for i in range(3)]
    universe = make.universe(markets, [make.exclusive(markets)])
    snapshot = make.snapshot(
        universe, *(make.books(m, [("0.20", "50")], [("0.30", "50")]) for m in markets)
    )
    return universe, snapshot, [(m.yes, "0.30", "20") for m in markets]


def _no_set():
    markets = [make.market(f"m{i}", can_split=False, rate="0") for i in range(4)]
    universe = make.universe(markets, [make.exclusive(markets, complete=False)])
    snapshot = make.snapshot(
        universe, *(make.books(m, [("0.40", "50")], [("0.60", "50")]) for m in markets)
    )
    return universe, snapshot, [(m.no, "0.60", "20") for m in markets]


def _crossed_pair():
    market = make.market("m0", rate="0")
    universe = make.universe([market])
    snapshot = make.snapshot(universe, make.books(market, [("0.60", "50")], [("0.50", "50")]))
    return universe, snapshot, [(market.yes, "0.50", "20"), (market.no, "0.40", "20")]


def _implication():
    premise, conclusion = make.market("a", rate="0"), make.market("b", rate="0")
    # Markets that split resolve outside the relation; neg-risk ones are YES or NO only.
    markets = [replace(premise, can_split=False), replace(conclusion, can_split=False)]
    universe = make.universe(markets, [Implies(markets[0].id, markets[1].id)], convertible=True)
    snapshot = make.snapshot(
        universe,
        make.books(markets[0], [("0.60", "50")], [("0.70", "50")]),
        make.books(markets[1], [("0.20", "50")], [("0.30", "50")]),
    )
    return universe, snapshot, [(markets[0].no, "0.40", "20"), (markets[1].yes, "0.30", "20")]


WORLDS = {
    Kind.EXHAUSTIVE_YES: _yes_set,
    Kind.EXCLUSIVE_NO: _no_set,
    Kind.BINARY_COMPLEMENT: _crossed_pair,
    Kind.GROUP: _implication,
}


@pytest.mark.parametrize("kind", WORLDS)
def test_the_kind_follows_from_the_legs_and_relations(kind):
    universe, snapshot, legs = WORLDS[kind]()
    assert prove(_candidate(universe, legs, Kind.CROSS_VENUE), snapshot).kind is kind


def _grouped(universe, **fields):
    """The same markets, all of them in one of the venue's groups."""
    markets = {id_: replace(m, group="g", **fields) for id_, m in universe.markets.items()}
    return replace(universe, markets=markets)


@pytest.mark.parametrize("kind", WORLDS)
def test_only_yes_of_a_whole_group_rests_on_its_being_whole(kind):
    universe, snapshot, legs = WORLDS[kind]()
    asked = replace(snapshot, universe=_grouped(universe))
    proved = prove(_candidate(universe, legs, kind), asked)
    expected = (WholeGroup("g", 3, "polymarket"),) if kind is Kind.EXHAUSTIVE_YES else ()
    assert proved.whole == expected


def test_the_ids_of_protocol_v2_say_how_many_outcomes_there_are():
    universe, snapshot, legs = _yes_set()
    asked = replace(snapshot, universe=_grouped(universe, count_in_ids=True))
    assert prove(_candidate(universe, legs, Kind.EXHAUSTIVE_YES), asked).whole == ()


@pytest.mark.parametrize(
    ("counted", "reason"),
    [
        ({}, Reason.CHAIN_COUNT_UNKNOWN),
        ({"other": 3}, Reason.CHAIN_COUNT_UNKNOWN),
        ({"g": 4}, Reason.CHAIN_COUNT_DIFFERS),
        ({"g": 2}, Reason.CHAIN_COUNT_DIFFERS),
        ({"g": 0}, Reason.CHAIN_COUNT_DIFFERS),
        ({"g": 3}, None),
    ],
)
def test_a_yes_set_needs_the_chains_count(counted, reason):
    universe, snapshot, legs = _yes_set()
    asked = replace(snapshot, universe=_grouped(universe))
    decided = _decide(_candidate(universe, legs, Kind.GROUP), asked, counted)
    assert getattr(decided, "reason", None) is reason
    assert isinstance(decided, Approved) is (reason is None)


def test_part_of_a_yes_set_is_worth_nothing_under_another_label():
    universe, snapshot, legs = _yes_set()
    decided = _decide(_candidate(universe, legs, Kind.EXCLUSIVE_NO), snapshot)
    assert isinstance(decided, Approved)
    held = [leg.size for leg in decided.plan.legs]
    assert decided.plan.guaranteed(held) == decided.plan.size
    assert decided.plan.guaranteed([held[0], held[1], Shares(Decimal(0))]) == 0


def test_a_crossed_pair_is_refused_under_another_label():
    universe, snapshot, legs = _crossed_pair()
    decided = _decide(_candidate(universe, legs, Kind.EXHAUSTIVE_YES), snapshot)
    assert decided.reason is Reason.CROSSED_BOOK


@pytest.mark.parametrize("kind", list(Kind))
def test_books_of_two_moments_are_no_profit_whoever_proposes_them(kind):
    market = make.market("m0", rate="0")
    universe = make.universe([market])
    yes, _ = make.books(market, [("0.49", "50")], [("0.50", "50")])
    _, no = make.books(market, [("0.58", "50")], [("0.60", "50")])
    legs = [(market.yes, "0.50", "20"), (market.no, "0.42", "20")]
    refused = prove(_candidate(universe, legs, kind), make.snapshot(universe, (yes, no)))
    assert isinstance(refused, Unproven)
    assert refused.reason is Reason.MIRROR_MISMATCH


def test_mirrors_that_are_not_of_one_instant_are_no_pair():
    market = make.market("m0", rate="0")
    universe = make.universe([market])
    pair = make.books(
        market, [("0.60", "50")], [("0.50", "50")], no_stamped_at=make.NOON.replace(hour=1)
    )
    legs = [(market.yes, "0.50", "20"), (market.no, "0.40", "20")]
    refused = prove(_candidate(universe, legs, Kind.GROUP), make.snapshot(universe, pair))
    assert refused.reason is Reason.MIRROR_MISMATCH


def test_a_strategy_cannot_lend_its_set_another_events_exit():
    universe, snapshot, legs = _no_set()
    (own,) = universe.events.values()
    bound = replace(universe, events={own.id: replace(own, convertible=False)})
    snapshot = replace(snapshot, universe=bound)
    claimed = _candidate(bound, legs, Kind.EXCLUSIVE_NO, event=own)
    proved = prove(claimed, snapshot)
    assert proved.exit is Exit.RESOLUTION
    assert not proved.event.convertible


def test_an_implication_pays_as_far_as_both_sides_are_held():
    universe, snapshot, legs = _implication()
    decided = _decide(_candidate(universe, legs, Kind.EXCLUSIVE_NO), snapshot)
    assert isinstance(decided, Approved)
    size = decided.plan.size
    assert decided.plan.guaranteed([size, size]) == decided.plan.payoff_worst
    assert decided.plan.guaranteed([size / 2, size]) == decided.plan.payoff_worst / 2
    assert decided.plan.guaranteed([size, Shares(Decimal(0))]) == 0


def test_without_a_payoff_the_worth_of_a_part_of_a_group_is_never_rounded_up():
    """As in plans of ledgers before payoffs: only whole sets of it count."""
    universe, snapshot, legs = _implication()
    plan = _decide(_candidate(universe, legs, Kind.GROUP), snapshot).plan
    uneven = replace(
        plan,
        payoff=None,
        legs=tuple(replace(leg, size=Shares(Decimal(47))) for leg in plan.legs),
        payoff_worst=Usd(Decimal(47)),
    )
    # 59 / 47 has no end: it must not come back as more than 59.
    for held in (59, 58, 1):
        assert uneven.guaranteed([Shares(Decimal(held))] * 2) <= held


def _pairwise():
    """Three markets, each two exclusive: no single relation says that at most one ends YES."""
    markets = [make.market(f"m{i}", can_split=False, rate="0") for i in range(3)]
    relations = [make.exclusive(pair, complete=False) for pair in combinations(markets, 2)]
    universe = make.universe(markets, relations)
    snapshot = make.snapshot(
        universe, *(make.books(m, [("0.45", "50")], [("0.60", "50")]) for m in markets)
    )
    return universe, snapshot, [(m.no, "0.55", "20") for m in markets]


def test_a_set_of_no_is_one_by_a_relation_and_not_by_its_legs():
    universe, snapshot, legs = _pairwise()
    decided = _decide(_candidate(universe, legs, Kind.EXCLUSIVE_NO), snapshot)
    assert isinstance(decided, Approved)
    assert decided.plan.kind is Kind.GROUP
    size = decided.plan.size
    # It is called a group, and its parts pay as those of any exclusive markets.
    none = Shares(Decimal(0))
    assert decided.plan.guaranteed([size] * 3) == decided.plan.payoff_worst == 2 * size
    assert decided.plan.guaranteed([size, size, size / 4]) == size + size / 4
    assert decided.plan.guaranteed([size, size, none]) == size
    assert decided.plan.guaranteed([size, none, none]) == 0
    # By its kind alone, as in ledgers of before, only whole sets count.
    before = replace(decided.plan, payoff=None)
    assert before.guaranteed([size, size, size / 4]) == size / 2
    assert before.guaranteed([size, size, none]) == 0


@pytest.mark.parametrize("bought", ["yes", "no"])
@pytest.mark.parametrize("splits", [1, 3])
def test_exclusive_markets_that_may_resolve_50_50_are_a_group(bought, splits):
    markets = [make.market(f"m{i}", can_split=i < splits, rate="0") for i in range(4)]
    universe = make.universe(markets, [make.exclusive(markets)])
    price, bid, ask = ("0.05", "0.01", "0.05") if bought == "yes" else ("0.20", "0.80", "0.90")
    snapshot = make.snapshot(
        universe, *(make.books(m, [(bid, "50")], [(ask, "50")]) for m in markets)
    )
    legs = [(getattr(m, bought), price, "20") for m in markets]
    decided = _decide(_candidate(universe, legs, Kind.EXCLUSIVE_NO), snapshot)
    assert isinstance(decided, Approved)
    plan = decided.plan
    assert plan.kind is Kind.GROUP
    held = [leg.size for leg in plan.legs]
    assert plan.guaranteed(held) == plan.payoff_worst
    # Of the first three, one NO pays nothing, and half of each other that may end 50/50 is lost;
    # of YES the missing one may be the one that pays.
    without = [*held[1:], Shares(Decimal(0))]
    part = {("no", 1): Decimal("1.5"), ("no", 3): 1}.get((bought, splits), 0)
    assert plan.guaranteed(without) == part * plan.size


def test_a_lone_pair_stays_a_pair_though_its_market_may_split():
    universe, snapshot, legs = _crossed_pair()
    proved = prove(_candidate(universe, legs, Kind.GROUP), snapshot)
    assert (proved.kind, proved.payoff_worst) == (Kind.BINARY_COMPLEMENT, 20)


def test_a_plan_keeps_the_markets_of_its_legs_and_what_binds_them():
    """What binds them only together with others binds them no more than that allows."""
    universe, snapshot, legs = _no_set()
    (group,) = universe.relations
    relations = (replace(group, complete=True), Implies("m0", "m1"), Implies("m0", "m3"))
    asked = replace(snapshot, universe=replace(universe, relations=relations))
    decided = _decide(_candidate(asked.universe, legs[:3], Kind.GROUP), asked)
    payoff = decided.plan.payoff
    assert [(m.id, m.yes, m.no, m.can_split) for m in payoff.markets] == [
        (m.id, m.yes, m.no, m.can_split) for m in [*universe.markets.values()][:3]
    ]
    assert payoff.relations == (Exclusive(("m0", "m1", "m2"), False), Implies("m0", "m1"))
    assert payoff == decided.opportunity.payoff


def _with(universe, snapshot, **changes):
    (own,) = universe.events.values()
    changed = replace(universe, events={own.id: replace(own, **changes)})
    return changed, replace(snapshot, universe=changed)


def _exit_of(universe, snapshot, legs):
    return prove(_candidate(universe, legs, Kind.GROUP), snapshot).exit


def test_a_full_set_of_yes_is_cash_now_only_where_the_venue_merges_it():
    universe, snapshot, legs = _yes_set()
    assert _exit_of(*_with(universe, snapshot, mergeable=False), legs) is Exit.RESOLUTION
    assert _exit_of(*_with(universe, snapshot, mergeable=True), legs) is Exit.NOW
    more = [*next(iter(universe.events.values())).markets, "m9"]
    longer = _with(universe, snapshot, mergeable=True, markets=tuple(more))
    assert _exit_of(*longer, legs) is Exit.RESOLUTION


@pytest.mark.parametrize("make_set", [_yes_set, _no_set, _crossed_pair])
@pytest.mark.parametrize("leg", [0, 1])
def test_a_set_of_unequal_sizes_waits_for_its_resolution(make_set, leg):
    universe, snapshot, legs = make_set()
    mergeable = _with(universe, snapshot, mergeable=True)
    assert _exit_of(*mergeable, legs) is Exit.NOW
    legs[leg] = (*legs[leg][:2], "21")
    assert _exit_of(*mergeable, legs) is Exit.RESOLUTION


class _Stranger:
    """A strategy that skips every check, and names what it likes."""

    name = "stranger"

    def __init__(self, candidate):
        self.candidate = candidate

    def find(self, _snapshot):
        return [self.candidate]


def _phantom():
    """YES and NO of two moments: together they seem to cost 92 cents."""
    market = make.market("m0", rate="0")
    universe = make.universe([market])
    yes, _ = make.books(market, [("0.49", "50")], [("0.50", "50")])
    _, no = make.books(market, [("0.58", "50")], [("0.60", "50")])
    legs = [(market.yes, "0.50", "20"), (market.no, "0.42", "20")]
    return universe, make.snapshot(universe, (yes, no)), legs


def _late_mirror():
    """Mirrors, but an hour lies between them."""
    market = make.market("m0", rate="0")
    universe = make.universe([market])
    later = make.NOON.replace(hour=1)
    pair = make.books(market, [("0.60", "50")], [("0.50", "50")], no_stamped_at=later)
    legs = [(market.yes, "0.50", "20"), (market.no, "0.40", "20")]
    return universe, make.snapshot(universe, pair), legs


@pytest.mark.parametrize("make_pair", [_phantom, _late_mirror])
def test_a_phantom_of_any_strategy_is_an_alarm_and_told_once(make_pair):
    universe, snapshot, legs = make_pair()
    stranger = _Stranger(_candidate(universe, legs, Kind.GROUP))
    careful = BinaryComplement(StrategyOptions())
    for strategies in ([stranger], [stranger, stranger], [careful, stranger]):
        found = find(strategies, snapshot)
        assert not found.opportunities
        (alarm,) = found.data_quality
        assert (alarm.market, alarm.problem) == ("m0", "mirror_mismatch")


def test_what_is_no_bad_data_is_no_alarm():
    universe, snapshot, legs = _crossed_pair()
    lone = legs[:1]
    off_the_grid = [(outcome, "0.505", size) for outcome, _, size in legs]
    unknown = [(OutcomeId("polymarket", "nobody's"), "0.50", "20")]
    for other in (lone, off_the_grid, unknown):
        found = find([_Stranger(_candidate(universe, other, Kind.GROUP))], snapshot)
        assert (found.opportunities, found.data_quality) == ((), ())


class _Books:
    def __init__(self, books):
        self.books = books

    async def fetch(self, _outcomes):
        return self.books


class _Noon:
    def now(self):
        return make.NOON

    def monotonic(self):
        return 0.0


@pytest.mark.parametrize("named", ["event", "elsewhere", "another"])
async def test_a_scout_nominates_the_event_of_the_legs_own_markets(named):
    ours, other = make.market("m0", rate="0"), make.market("n0", rate="0", event="another")
    one, two = make.universe([ours]), make.universe([other])
    part = Universe({**one.markets, **two.markets}, {**one.events, **two.events})
    event = replace(part.events[EventId("event")], id=EventId(named))
    legs = [(ours.yes, "0.50", "20"), (ours.no, "0.40", "20")]
    books = BookMap(
        book
        for market in (ours, other)
        for book in make.books(market, [("0.60", "50")], [("0.50", "50")])
    )
    passed = Skipped(
        kind=Kind.GROUP, event=event, outcomes=(ours.yes,), reason=Reason.NO_EDGE, market=ours
    )
    unknown = replace(passed, outcomes=(OutcomeId("polymarket", "nobody's"),))
    unread = replace(passed, outcomes=())
    for proposal, expected in (
        (_candidate(part, legs, Kind.GROUP, event), {"event"}),
        (passed, {"event"}),
        (unknown, set()),
        (unread, {named} & part.events.keys()),
    ):
        limits = RiskLimits(max_book_age=timedelta(seconds=15))
        listed = Venue(id=POLYMARKET, listing=None, books=_Books(books), terms=TERMS)
        scanner = Scanner(
            market_data=MarketData([listed]),
            strategies=[_Stranger(proposal)],
            clock=_Noon(),
            options=_options(limits),
        )
        seen = await scanner.glimpse(part)
        assert seen.nominated == expected
        assert seen.fresh == len(part.events) - len(expected)


def _options(limits):
    guard = GuardOptions(max_position_size=Usd(0), max_book_age=limits.max_book_age)
    return EngineOptions(limits=limits, sizing=SizingOptions(), guard=guard, bankroll_usd=Usd(0))


def _essence(decided):
    if isinstance(decided, Unproven):
        return "unproven", decided.reason, decided.detail
    if not isinstance(decided, Approved):
        return "refused", decided.reason, decided.opportunity.kind
    plan = decided.plan
    parts = [Shares(leg.size / 2 if n else Decimal(0)) for n, leg in enumerate(plan.legs)]
    return plan.kind, plan.event, plan.exit, plan.exit_operation, plan.legs, plan.guaranteed(parts)


@pytest.mark.parametrize("seed", range(200))
def test_no_mislabelling_changes_a_decision(seed):
    chance = random.Random(seed)
    honest = chance.choice(list(WORLDS))
    universe, snapshot, legs = WORLDS[honest]()
    stranger = Event(
        id=EventId("elsewhere"),
        slug="elsewhere",
        title="elsewhere",
        venue="polymarket",
        markets=tuple(universe.markets),
        convertible=chance.random() < 0.5,
    )
    true = _decide(_candidate(universe, legs, honest), snapshot)
    event = chance.choice([stranger, next(iter(universe.events.values()))])
    false = _decide(_candidate(universe, legs, chance.choice(list(Kind)), event), snapshot)
    assert _essence(false) == _essence(true)
