"""The only maker of plans that follow a signal. Nothing of them is proved, whatever they cost.

They are held against the same limits as plans that were proved, in an account of their own: the
checks are those of `arb.risk.checks` that ask for no proof.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from arb.domain.book import OrderBook, depth
from arb.domain.dollars import fewest, spend
from arb.domain.market import Event, Market, MarketId, OrderRules, OutcomeId, Side, VenueId
from arb.domain.money import CENT, NO_USD, ONE, ZERO, Price, Shares, Usd, micro_down, text
from arb.domain.opportunity import Exit
from arb.domain.order import PlanId
from arb.domain.plan import Plan, PlannedLeg, Terms
from arb.domain.reason import Reason
from arb.risk.checks import WITHOUT_PROOF, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A purchase of one outcome on a signal. Satisfies `arb.risk.checks.Spending`."""

    kind: str
    """The strategy's name."""
    event: Event
    market: Market
    outcome: OutcomeId
    limit: Price
    spend: Usd
    """Whole cents."""
    depth: Shares
    """Shares on offer within the limit."""

    @property
    def legs(self) -> "tuple[Entry, ...]":
        """Itself: it is of one market."""
        return (self,)

    @property
    def markets(self) -> frozenset[MarketId]:
        """Its market."""
        return frozenset({self.market.id})

    @property
    def venues(self) -> frozenset[VenueId]:
        """Its venue."""
        return frozenset({self.outcome.venue})

    @property
    def fee(self) -> Usd:
        """The most that its fee is."""
        assert self.market.fees is not None
        return self.market.fees.most(self.spend, self.limit, self.market.rules.tick)

    @property
    def outlay_max(self) -> Usd:
        """The most that it costs, its fee included."""
        return Usd(self.spend + self.fee)

    def outlay_max_at(self, venue: VenueId) -> Usd:
        """The same at its own venue; nothing at another."""
        return self.outlay_max if venue == self.outcome.venue else NO_USD

    @property
    def by_event(self) -> Mapping[str, Usd]:
        """The most that it costs, by its event's slug."""
        return {self.event.slug: self.outlay_max}


@dataclass(frozen=True, slots=True)
class NotBought:
    """Why a signal to buy is not followed."""

    reason: Reason
    detail: str


def limit_of(book: OrderBook, rules: OrderRules, slippage_ticks: int) -> Price | None:
    """The worst price to pay: some ticks above the best ask, on the grid; `None`: no ask."""
    if book.best_ask is None:
        return None
    tick = rules.tick
    ticks = -(-book.best_ask.price // tick) + slippage_ticks
    return Price(min(ticks * tick, ONE - tick))


def entry(  # what an order is made of, each part by its name
    *,
    kind: str,
    event: Event,
    market: Market,
    outcome: OutcomeId,
    book: OrderBook,
    limit: Price,
    shares: Shares,
    most: Usd,
) -> Entry | NotBought:
    """The largest acceptable BUY of at most `shares`, within the depth at hand.

    Args:
        kind: The strategy's name.
        event: The market's.
        market: Its fees are known.
        outcome: Which of its outcomes.
        book: That outcome's.
        limit: The worst price to pay.
        shares: At most.
        most: What it may cost at most, the fee included.
    """
    there = depth(book.asks, limit=limit, side=Side.BUY)
    wanted = min(shares, there)
    best = book.best_ask.price if book.best_ask else limit
    rules = market.rules
    assert market.fees is not None
    dollars = Usd(wanted * best // CENT * CENT)
    outlay = Usd(dollars + market.fees.most(dollars, limit, rules.tick))
    if outlay > most:
        dollars = Usd(most * dollars / outlay // CENT * CENT)
    bought = spend(book.asks, dollars, limit)
    if not bought.whole:
        # What is above the best price costs more: that much less is spent.
        dollars = Usd(micro_down(dollars - bought.unspent) // CENT * CENT)
    least = fewest(dollars, limit) if dollars > 0 else Shares(ZERO)
    if dollars < rules.min_value or least < rules.min_size:
        detail = (
            f"${text(dollars)} of {market.slug}, at least ${text(rules.min_value)} and "
            f"{text(rules.min_size)} shares; {text(there)} are on offer within {text(limit)}"
        )
        return NotBought(Reason.SIZED_BELOW_MIN, detail)
    return Entry(
        kind=kind,
        event=event,
        market=market,
        outcome=outcome,
        limit=limit,
        spend=dollars,
        depth=there,
    )


def review_entry(found: Entry, context: Context, plan: PlanId) -> Plan | NotBought:
    """The plan that buys it, or the first reason against it."""
    for check in WITHOUT_PROOF:
        result = check(found, context)
        if not result.passed:
            return NotBought(result.reason, result.detail)
    return _plan(found, context, plan)


def _plan(found: Entry, context: Context, id_: PlanId) -> Plan:
    market = found.market
    assert market.fees is not None
    # Whatever a better price brings beyond these is kept, so they are all that is counted on.
    shares = fewest(found.spend, found.limit)
    leg = PlannedLeg(
        outcome=found.outcome,
        outcome_name=market.outcome(found.outcome),
        market=market.id,
        market_slug=market.slug,
        side=Side.BUY,
        limit=found.limit,
        size=shares,
        value=found.spend,
        fee=found.fee,
        terms=Terms(
            opposite=market.no if found.outcome == market.yes else market.yes,
            rules=market.rules,
            fees=market.fees,
            depth=found.depth,
        ),
        spend=found.spend,
        shares=shares,
    )
    return Plan(
        id=id_,
        kind=found.kind,
        event=found.event.id,
        event_slug=found.event.slug,
        event_title=found.event.title,
        exit=Exit.RESOLUTION,
        legs=(leg,),
        exit_operation=None,
        outlay=found.outlay_max,
        payoff_worst=NO_USD,
        approved_at=context.now,
        venue_terms={found.outcome.venue: market.terms},
    )
