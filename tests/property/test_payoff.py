"""What a plan's payoff guarantees of any shares, against every world one by one."""

from decimal import ROUND_DOWN, Decimal
from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arb.domain.market import Exclusive, Implies, Resolution, Same
from arb.domain.money import Shares
from arb.domain.worlds import Payoff
from arb.testing import builders as make

MANY = settings(max_examples=1500)
MICRO = Decimal("0.000001")


@st.composite
def universes(draw, most=5):
    """Markets that may resolve 50/50 or not, with up to four relations among them."""
    count = draw(st.integers(1, most))
    markets = [make.market(f"m{i}", can_split=draw(st.booleans())) for i in range(count)]
    ids = [m.id for m in markets]
    relations = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from([Exclusive, Exclusive, Implies, Same]))
        members = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=count, unique=True))
        if kind is Exclusive:
            relations.append(Exclusive(tuple(members), draw(st.booleans())))
        elif len(members) > 1:
            relations.append(kind(members[0], members[1]))
    return make.universe(markets, relations)


def worlds_of(universe):
    """Every assignment of the universe's markets that its relations allow, each as it pays."""
    ids = list(universe.markets)
    ends = (
        [r for r in Resolution if r is not Resolution.SPLIT or universe.markets[i].can_split]
        for i in ids
    )
    for combination in product(*ends):
        world = dict(zip(ids, combination, strict=True))
        if all(allows(relation, world) for relation in universe.relations):
            yield world


def allows(relation, world):
    """Said again, and not as the source says it: in what the YES of each market pays."""
    yes = [world[market].value for market in relation.markets]
    match relation:
        case Exclusive(complete=complete):
            return yes.count(1) < 2 and not (complete and not any(yes))
        case Implies():
            return yes != [1, 0]
        case Same():
            return abs(yes[0] - yes[1]) < 1


def paid(universe, shares, world):
    """What shares bring where the markets end so."""
    whole = Decimal(0)
    for outcome, size in shares:
        market = universe.market_of(outcome)
        yes = world[market.id].value
        whole += size * (yes if outcome == market.yes else 1 - yes)
    return whole


# Whole ones, none, and millionths, of which half a one is no money.
SIZES = st.one_of(
    st.just(Decimal(0)),
    st.integers(1, 60).map(Decimal),
    st.integers(1, 60_000_000).map(lambda micro: Decimal(micro).scaleb(-6)),
)


def some_shares(data, universe, outcomes):
    return [(outcome, Shares(data.draw(SIZES))) for outcome in outcomes]


def reached_by(universe, chosen):
    """The relations that bind any of these markets."""
    return [r for r in universe.relations if {*r.markets} & {*chosen}]


@MANY
@given(universes(), st.data())
def test_it_is_what_the_poorest_world_pays_to_the_micro_unit(universe, data):
    """Never more, for a loss would follow; never less, where every relation is known to it."""
    chosen = data.draw(st.lists(st.sampled_from([*universe.markets]), min_size=1, unique=True))
    outcomes = [o for o in universe.outcomes() if universe.market_of(o).id in chosen]
    held = some_shares(data, universe, data.draw(st.permutations(outcomes)))
    worst = [paid(universe, held, world) for world in worlds_of(universe)]
    assume(worst)
    least = min(worst).quantize(MICRO, rounding=ROUND_DOWN)
    guaranteed = Payoff.of(universe, chosen).guaranteed(held)
    assert guaranteed <= least
    if all({*r.markets} <= {*chosen} for r in reached_by(universe, chosen)):
        assert guaranteed == least


@settings(max_examples=500)
@given(universes(), st.data())
def test_part_of_the_shares_is_judged_with_all_that_was_proved(universe, data):
    """A market of which nothing is held binds the others still: a relation does not lapse."""
    outcomes = data.draw(st.lists(st.sampled_from([*universe.outcomes()]), min_size=1, unique=True))
    held = some_shares(data, universe, outcomes)
    payoff = Payoff.of(universe, universe.markets)
    worst = [paid(universe, held, world) for world in worlds_of(universe)]
    assume(worst)
    assert payoff.guaranteed(held) == min(worst).quantize(MICRO, rounding=ROUND_DOWN)
    assert payoff.guaranteed([each for each in held if each[1]]) == payoff.guaranteed(held)


@settings(max_examples=300)
@given(universes(), st.data())
def test_more_shares_never_pay_less(universe, data):
    """What unwinding relies on when it leaves out a leg that costs nothing to keep."""
    outcomes = list(universe.outcomes())
    payoff = Payoff.of(universe, universe.markets)
    fewer = some_shares(data, universe, outcomes)
    more = [(outcome, Shares(size + data.draw(SIZES))) for outcome, size in fewer]
    assert payoff.guaranteed(more) >= payoff.guaranteed(fewer) >= 0


def _group(count, complete, **more):
    markets = [make.market(f"m{i}", **more) for i in range(count)]
    return markets, make.universe(markets, [make.exclusive(markets, complete=complete)])


def _of(universe, outcomes, sizes):
    shares = zip(outcomes, (Shares(Decimal(size)) for size in sizes), strict=True)
    return Payoff.of(universe, universe.markets).guaranteed(shares)


def test_by_hand():
    markets, group = _group(3, True, can_split=False)
    yes, no = [m.yes for m in markets], [m.no for m in markets]
    assert _of(group, no, (40, 30, 20)) == 50
    assert _of(group, no, (40, 30, 0)) == 30
    assert _of(group, no, (40, 0, 0)) == 0
    assert _of(group, yes, (40, 30, 20)) == 20
    assert _of(group, yes, (40, 30, 0)) == 0
    # YES of two and NO of the third: whichever wins, one of them pays.
    assert _of(group, [*yes[:2], no[2]], (40, 30, 0)) == 0
    assert _of(group, [*yes[:2], no[2]], (40, 30, 20)) == 0
    assert _of(group, [no[2], yes[2]], (40, 30)) == 30


def test_a_market_that_may_resolve_50_50_takes_half():
    markets, group = _group(3, True, can_split=True)
    assert _of(group, [m.yes for m in markets], (40, 40, 40)) == 20
    # One comes true, the others end 50/50.
    assert _of(group, [m.no for m in markets], (40, 40, 40)) == 40
    assert _of(group, [markets[0].yes], ("0.000001",)) == 0


def test_of_more_worlds_than_can_be_looked_through_nothing_is_promised():
    """Of what was never proved together: a plan is not lost for it."""
    markets = [make.market(f"m{i}") for i in range(14)]
    relations = [make.exclusive(markets[:8]), make.exclusive(markets[6:])]
    universe = make.universe(markets, relations)
    assert _of(universe, [m.no for m in markets], [1] * 14) == 0
    one, two = (make.market(name, can_split=False) for name in ("a", "b"))
    both = [make.exclusive([one]), make.exclusive([two]), make.exclusive([one, two])]
    assert _of(make.universe([one, two], both), [one.yes, two.yes], (5, 5)) == 0
