"""The proof against brute force: no possible world pays less than was proved."""

from decimal import Decimal
from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arb.domain.market import Exclusive, Implies, Resolution, Same, Side
from arb.domain.money import NO_USD, Price, Shares
from arb.domain.opportunity import (
    Candidate,
    Exit,
    Kind,
    Leg,
    Opportunity,
    ProvenLeg,
    Unproven,
    prove,
    structure,
)
from arb.domain.order import PlanId
from arb.domain.plan import Plan, PlannedLeg
from arb.domain.reason import Reason
from arb.domain.worlds import Payoff, holding, pays, possible, worst
from arb.testing import builders as make

THREE_THOUSAND = settings(max_examples=3000)


@st.composite
def related_universes(draw):
    count = draw(st.integers(1, 5))
    markets = [make.market(f"m{i}", can_split=draw(st.booleans())) for i in range(count)]
    ids = [m.id for m in markets]
    relations = []
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["exclusive", "implies", "same"]))
        members = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=count, unique=True))
        if kind == "exclusive":
            relations.append(Exclusive(tuple(members), draw(st.booleans())))
        elif len(members) > 1:
            relations.append((Implies if kind == "implies" else Same)(members[0], members[1]))
    return make.universe(markets, relations)


def _brute_force(universe, held):
    """Every assignment of every market in the universe that the relations allow."""
    ids = list(universe.markets)
    for ends in product(*(universe.markets[i].resolutions() for i in ids)):
        world = dict(zip(ids, ends, strict=True))
        if all(_allowed(relation, world) for relation in universe.relations):
            yield pays(held, world)


def _allowed(relation, world):
    ends = [world[m] for m in relation.markets]
    if isinstance(relation, Exclusive):
        if ends.count(Resolution.YES) > 1:
            return False
        return not relation.complete or set(ends) != {Resolution.NO}
    if isinstance(relation, Implies):
        return ends != [Resolution.YES, Resolution.NO]
    return set(ends) != {Resolution.YES, Resolution.NO}


def _whole(universe):
    return Payoff.of(universe, universe.markets)


def _holding(universe, outcomes, shares):
    return holding(_whole(universe), zip(outcomes, shares, strict=True))


shares = st.integers(0, 50).map(lambda n: Shares(Decimal(n)))


@THREE_THOUSAND
@given(related_universes(), st.data())
def test_no_possible_world_pays_less_than_proved(universe, data):
    ids = list(universe.markets)
    chosen = data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))
    bought = [
        (outcome, data.draw(shares))
        for i in chosen
        for outcome in (universe.markets[i].yes, universe.markets[i].no)
    ]
    payoff = Payoff.of(universe, chosen)
    held = holding(payoff, bought)
    payoffs = list(_brute_force(universe, held))
    assume(payoffs)
    proved = worst(payoff, held)
    assert proved.pays <= min(payoffs)
    assert pays(held, proved.world) == proved.pays
    if set(chosen) == set(ids):
        assert proved.pays == min(payoffs)


@settings(max_examples=1000)
@given(related_universes(), st.data())
def test_a_kind_alone_promises_no_more_than_the_poorest_world_pays(universe, data):
    """Plans of ledgers before payoffs have no more than the kind that `structure` gave them."""
    outcomes = list(universe.outcomes())
    side = data.draw(st.sampled_from(["yes", "no", "any"]))
    pool = outcomes if side == "any" else [getattr(m, side) for m in universe.markets.values()]
    chosen = data.draw(st.lists(st.sampled_from(pool), min_size=1, unique=True))
    sizes = [Shares(Decimal(data.draw(st.integers(1, 50)))) for _ in chosen]
    held = [Shares(Decimal(data.draw(st.integers(0, 60)))) for _ in chosen]
    payoffs = list(_brute_force(universe, _holding(universe, chosen, held)))
    assume(payoffs)
    plan = _plan_of(universe, chosen, sizes)
    assert plan.payoff is None
    assert plan.guaranteed(held) <= min(payoffs)


def _plan_of(universe, chosen, sizes):
    """A plan of these legs, whose kind and payoff are the proof's own."""
    legs = [
        ProvenLeg(
            leg=_leg(outcome, "0.5", size),
            market=universe.market_of(outcome),
            spend=NO_USD,
            fills=(),
            value=NO_USD,
            fee=NO_USD,
        )
        for outcome, size in zip(chosen, sizes, strict=True)
    ]
    kind, event = structure(legs, universe)
    return Plan(
        id=PlanId("p"),
        kind=kind,
        event=event.id,
        event_slug=event.slug,
        event_title=event.title,
        exit=Exit.RESOLUTION,
        legs=tuple(
            PlannedLeg(
                outcome=proven.leg.outcome,
                outcome_name="",
                market=proven.market.id,
                market_slug=proven.market.slug,
                side=Side.BUY,
                limit=proven.leg.limit,
                size=proven.leg.size,
                value=NO_USD,
                fee=NO_USD,
            )
            for proven in legs
        ),
        exit_operation=None,
        outlay=NO_USD,
        payoff_worst=worst(_whole(universe), _holding(universe, chosen, sizes)).pays,
        approved_at=make.NOON,
    )


@settings(max_examples=300)
@given(related_universes())
def test_the_listed_worlds_are_those_that_the_relations_allow(universe):
    ids = list(universe.markets)
    listed = {tuple(world[i] for i in ids) for world in possible(_whole(universe))}
    allowed = {
        ends
        for ends in product(*(universe.markets[i].resolutions() for i in ids))
        if all(
            _allowed(relation, dict(zip(ids, ends, strict=True))) for relation in universe.relations
        )
    }
    assert listed == allowed


@settings(max_examples=200)
@given(st.integers(2, 60), st.booleans(), st.data())
def test_baskets_of_many_exclusive_markets(count, complete, data):
    markets = [make.market(f"m{i}", can_split=False) for i in range(count)]
    universe = make.universe(markets, [make.exclusive(markets, complete=complete)])
    sizes = [(data.draw(shares), data.draw(shares)) for _ in markets]
    held = {m.id: pair for m, pair in zip(markets, sizes, strict=True)}
    all_no = sum(no for _, no in sizes)
    one_yes = [all_no - no + yes for yes, no in sizes]
    expected = min(one_yes if complete else [*one_yes, all_no])
    assert worst(_whole(universe), held).pays == expected


def _candidate(universe, legs):
    event = next(iter(universe.events.values()))
    return Candidate(kind=Kind.EXCLUSIVE_NO, event=event, legs=tuple(legs), available=legs[0].size)


def _leg(outcome, limit, size):
    return Leg(outcome, Side.BUY, Price(Decimal(limit)), Shares(Decimal(size)))


@settings(max_examples=500)
@given(st.data())
def test_a_proved_profit_is_kept_in_every_world_after_cost_and_fees(data):
    count = data.draw(st.integers(2, 5))
    markets = [make.market(f"m{i}", can_split=False) for i in range(count)]
    universe = make.universe(markets, [make.exclusive(markets, complete=False)])
    pairs, legs = [], []
    size = data.draw(st.integers(5, 60))
    for market in markets:
        bid = data.draw(st.integers(5, 90))
        depth = data.draw(st.integers(5, 80))
        pairs.append(
            make.books(market, [(f"0.{bid:02d}", str(depth))], [(f"0.{bid + 1:02d}", "50")])
        )
        legs.append(_leg(market.no, Decimal(100 - bid) / 100, size))
    result = prove(_candidate(universe, legs), make.snapshot(universe, *pairs))
    if isinstance(result, Unproven):
        return
    cost = sum(leg.limit * size for leg in legs)
    fees = sum(m.fees.taker(leg.limit, leg.size) for m, leg in zip(markets, legs, strict=True))
    held = holding(_whole(universe), [(leg.outcome, leg.size) for leg in legs])
    assert result.outlay == cost + fees
    assert result.profit == min(_brute_force(universe, held)) - cost - fees > 0
    assert result.exit is Exit.NOW


def _pair(bid="0.50", ask="0.45", size="40", **more):
    market = make.market("m", **more)
    universe = make.universe([market])
    books = make.books(market, [(bid, size)], [(ask, size)])
    legs = [_leg(market.yes, ask, "20"), _leg(market.no, 1 - Decimal(bid), "20")]
    return market, universe, books, legs


def test_a_pair_is_merged_now_and_pays_one_in_every_world_also_a_split_one():
    _, universe, books, legs = _pair()
    proved = prove(_candidate(universe, legs), make.snapshot(universe, books))
    assert isinstance(proved, Opportunity)
    assert (proved.payoff_worst, proved.exit) == (20, Exit.NOW)


def test_one_leg_alone_is_worth_nothing_in_the_worst_world():
    _, universe, books, legs = _pair()
    refused = prove(_candidate(universe, legs[:1]), make.snapshot(universe, books))
    assert isinstance(refused, Unproven)
    assert refused.reason is Reason.NOT_PROFITABLE


def test_mirrored_liquidity_is_never_counted_twice():
    market, universe, books, legs = _pair()
    twice = [legs[0], legs[0]]
    refused = prove(_candidate(universe, twice), make.snapshot(universe, books))
    assert refused.reason is Reason.SHARED_LIQUIDITY
    # Selling NO would take the resting orders that buying YES takes: the same shares again.
    sale = Leg(market.no, Side.SELL, Price(Decimal("0.55")), Shares(Decimal(20)))
    refused = prove(_candidate(universe, [legs[0], sale]), make.snapshot(universe, books))
    assert refused.reason is Reason.BAD_LEGS


def _refused_for(reason, legs=None, **more):
    market, universe, books, usual = _pair(**more)
    result = prove(
        _candidate(universe, legs(market) if legs else usual), make.snapshot(universe, books)
    )
    assert isinstance(result, Unproven)
    assert result.reason is reason


def test_each_rule_of_the_venue_is_held():
    _refused_for(Reason.NO_FEE_SCHEDULE, rate=None)
    _refused_for(Reason.NOT_ACCEPTING, accepting=False)
    _refused_for(Reason.NOT_ACCEPTING, closed=True)
    _refused_for(Reason.DELAYED, delay="3")
    _refused_for(Reason.OFF_TICK, lambda m: [_leg(m.yes, "0.455", "20")])
    _refused_for(Reason.BELOW_MIN_SIZE, lambda m: [_leg(m.yes, "0.45", "4")])
    _refused_for(Reason.NOT_WHOLE_CENTS, lambda m: [_leg(m.yes, "0.45", "20.001")])
    # 20.01 shares cost 9.0045, and nobody is there to take the rest of a cent.
    _refused_for(Reason.NOT_WHOLE_CENTS, lambda m: [_leg(m.yes, "0.45", "20.01")], size="20.01")
    _refused_for(Reason.NOT_ENOUGH_DEPTH, lambda m: [_leg(m.yes, "0.45", "41")])
    _refused_for(Reason.NOT_ENOUGH_DEPTH, lambda m: [_leg(m.yes, "0.44", "20")])
    _refused_for(
        Reason.BELOW_MIN_SIZE, lambda m: [_leg(m.yes, "0.05", "10")], ask="0.05", bid="0.04"
    )
