"""The optimiser against an exhaustive walk over every size, and the screen against the proof."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from arb.domain.basket import Basket, ladder
from arb.domain.book import walk
from arb.domain.dollars import spend, whole_cents
from arb.domain.money import CENT, ONE, Shares, Usd
from arb.domain.opportunity import Candidate, Kind, Opportunity, Unproven, prove
from arb.domain.reason import Reason
from arb.engine.decide import proposals
from arb.strategies.binary_complement import BinaryComplement
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from arb.strategies.screen import Layout, nominated
from arb.testing import builders as make

STEP = Decimal("0.01")


@st.composite
def ladders(draw, *, rising):
    tick = draw(st.sampled_from(["0.01", "0.005", "0.001"]))
    most = int(1 / Decimal(tick)) - 1
    prices = sorted(draw(st.sets(st.integers(1, most), min_size=1, max_size=3)))
    prices = prices if rising else prices[::-1]
    sizes = [draw(st.sampled_from([3, 5, 6.5, 7.25, 12, 20, 19.69, 8.333333])) for _ in prices]
    quotes = [(str(p * Decimal(tick)), str(s)) for p, s in zip(prices, sizes, strict=True)]
    market = make.market("m", rate=draw(st.sampled_from(["0", "0.04", "0.07"])), tick=tick)
    return make.levels(quotes), market.fees, market.rules


def _exhaustive(offers, *, base, per_leg, optional, purse=None):
    deepest = max(sum(level.size for level in levels) for levels, _, _ in offers)
    best = (Decimal(0), None)
    for n in range(1, int(deepest / STEP) + 1):
        size = Shares(STEP * n)
        gains = []
        for levels, fees, rules in offers:
            fills = list(walk(levels, size))
            value = sum(f.price * f.size for f in fills)
            dollars = whole_cents(value)
            ok = (
                sum(f.size for f in fills) == size
                and size >= rules.min_size
                and dollars >= rules.min_value
                and spend(levels, dollars, fills[-1].price).whole
            )
            cost = value + sum(fees.exact(f.price, f.size) for f in fills)
            gains.append((per_leg * size - cost, cost + dollars - value) if ok else None)
        taken = [g for g in gains if g and (g[0] > 0 or not optional)]
        if len(taken) < 2 or (not optional and len(taken) < len(offers)):
            continue
        if purse is not None and sum(cost for _, cost in taken) > purse:
            continue
        profit = base * size + sum(gain for gain, _ in taken)
        if profit > best[0]:
            best = (profit, size)
    return best


def _agree(found, expected):
    profit, _ = expected
    if found is None:
        assert profit < Decimal("0.000001")
        return
    assert abs(found.profit - profit) <= Decimal("0.000001")


@settings(max_examples=80)
@given(st.lists(ladders(rising=True), min_size=2, max_size=4))
def test_the_best_set_of_nos_is_the_best_of_all_sizes(offers):
    found = Basket(base=-1, per_leg=1, optional=True).best([ladder(*o) for o in offers])
    _agree(found, _exhaustive(offers, base=-1, per_leg=1, optional=True))


@settings(max_examples=80)
@given(st.lists(ladders(rising=True), min_size=2, max_size=4))
def test_the_best_size_of_a_fixed_set_is_the_best_of_all_sizes(offers):
    found = Basket(base=1, per_leg=0, optional=False).best([ladder(*o) for o in offers])
    _agree(found, _exhaustive(offers, base=1, per_leg=0, optional=False))


@settings(max_examples=80)
@given(st.lists(ladders(rising=True), min_size=2, max_size=3), st.integers(1, 30))
def test_a_purse_is_never_exceeded_and_used_as_well_as_can_be(offers, purse):
    basket = Basket(base=2, per_leg=0, optional=False, outlay_max=Usd(Decimal(purse)))
    found = basket.best([ladder(*o) for o in offers])
    _agree(found, _exhaustive(offers, base=2, per_leg=0, optional=False, purse=purse))


@st.composite
def bids_near_a_dollar(draw, count):
    """Bids in cents that add up to a dollar, give or take a few cents."""
    total = 100 + draw(st.integers(-6, 12))
    cuts = sorted(draw(st.sets(st.integers(1, total - 1), min_size=count - 1, max_size=count - 1)))
    return [min(b - a, 95) for a, b in zip([0, *cuts], [*cuts, total], strict=True)]


@st.composite
def events(draw):
    count = draw(st.integers(2, 5))
    bids_of_all = draw(bids_near_a_dollar(count))
    rate = draw(st.sampled_from(["0", "0.04", "0.07"]))
    markets = [make.market(f"m{i}", can_split=False, rate=rate) for i in range(count)]
    universe = make.universe(markets, [make.exclusive(markets)])
    pairs = []
    for market, bid in zip(markets, bids_of_all, strict=True):
        spread = draw(st.integers(1, 4))
        bids = [(str(Decimal(bid - i) / 100), str(draw(st.integers(1, 60)))) for i in range(2)]
        ask = Decimal(bid + spread) / 100
        pairs.append(
            make.books(
                market,
                [quote for quote in bids if Decimal(quote[0]) > 0],
                [(str(ask), str(draw(st.integers(1, 60))))] if ask < ONE else [],
            )
        )
    return make.snapshot(universe, *pairs)


@settings(max_examples=200)
@given(events())
def test_the_screen_never_misses_what_the_proof_accepts(snapshot):
    columns = Layout(snapshot.universe).columns(snapshot.books)
    for strategy in (NegRiskNo(), NegRiskYes()):
        (group,) = columns.groups
        looked = strategy._look(group, snapshot, survives_fees=True)
        proved = isinstance(looked, Candidate) and isinstance(prove(looked, snapshot), Opportunity)
        if proved:
            assert nominated(strategy, columns) == [group.markets[0]]
            assert strategy.find(snapshot) == [looked]


@settings(max_examples=200)
@given(events())
def test_with_its_screen_a_strategy_finds_what_it_finds_without(snapshot):
    for strategy in (NegRiskNo(), NegRiskYes(), BinaryComplement()):
        assert list(proposals([strategy], snapshot)) == strategy.find(snapshot)


def _before_cents(found, snapshot):
    """The profit that the optimiser saw: what the shares cost, not the cents that buy them."""
    cost = 0
    for leg in found.legs:
        fees = snapshot.universe.market_of(leg.outcome).fees
        for piece in walk(snapshot.books[leg.outcome].asks, leg.size):
            cost += piece.price * piece.size + fees.exact(piece.price, piece.size)
    pays = len(found.legs) - 1 if found.kind is Kind.EXCLUSIVE_NO else 1
    return pays * found.available - cost


@settings(max_examples=150)
@given(events())
def test_what_a_strategy_proposes_is_proved_with_the_profit_it_was_chosen_for(snapshot):
    for found in [*NegRiskNo().find(snapshot), *NegRiskYes().find(snapshot)]:
        if isinstance(found, Candidate):
            proved = prove(found, snapshot)
            if isinstance(proved, Unproven):
                # Only an edge that whole cents eat comes to nothing.
                assert proved.reason is Reason.NOT_PROFITABLE
                assert _before_cents(found, snapshot) < len(found.legs) * CENT
                continue
            assert proved.size == found.available
            assert proved.profit > _before_cents(found, snapshot) - len(found.legs) * CENT
