"""What an account holds, what it has promised, and what is left for the next plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from arb.domain.market import MarketId, OutcomeId, VenueId
from arb.domain.money import NO_USD, ZERO, Shares, Usd, total
from arb.domain.plan import Plan

ENDED_TRADES_KEPT = 20
"""The number of latest trades over which failed settlements are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Shares of one outcome."""

    outcome: OutcomeId
    market: MarketId
    shares: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What an operator books by hand: a deposit, a withdrawal, an unexplained difference."""

    venue: VenueId
    outcome: OutcomeId | None
    """`None`: dollars."""
    market: MarketId | None
    delta: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Pocket:
    """An account's cash at one venue: it buys nothing at another."""

    cash: Usd
    """Reserved or not."""
    promised: Usd = NO_USD
    """Part of it that open and just-approved plans will spend."""

    @property
    def free(self) -> Usd:
        """Cash that nothing has a claim on."""
        return Usd(self.cash - self.promised)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The account as the next decision sees it. Each approval makes a smaller one."""

    pockets: Mapping[VenueId, Pocket]
    """Its cash, by venue."""
    locked: Usd = NO_USD
    """Cost of what is held to resolution."""
    open_plans: int = 0
    """Plans that are open or wait for their resolution."""
    volume_today: Usd = NO_USD
    loss_today: Usd = NO_USD
    """Realised losses of the UTC day, as a positive number; gains do not offset them."""
    capital: Usd = NO_USD
    """What the account was opened with and what an operator has booked since, at all venues."""
    realised: Usd = NO_USD
    """By all plans that have ended; what is held or at work counts when it ends."""
    realised_before_today: Usd = NO_USD
    realised_high: Usd = NO_USD
    """The most that `realised` has been, at least nothing."""
    consecutive_failures: int = 0
    trades_ended: int = 0
    """Of the latest `ENDED_TRADES_KEPT` since an operator last resumed: settled or voided."""
    trades_voided: int = 0
    """Of those: matched, and then failed on chain."""
    busy: frozenset[MarketId] = frozenset()
    """Markets that an open or just-approved plan touches."""
    by_event: Mapping[str, Usd] = field(default_factory=dict)
    """Bound in open plans and in what is held to resolution, by the event's slug."""
    provisional: Usd = NO_USD
    """Value of fills that have not settled yet."""
    positions: Mapping[OutcomeId, Position] = field(default_factory=dict)

    @property
    def cash(self) -> Usd:
        """At all venues, reserved or not."""
        return total(pocket.cash for pocket in self.pockets.values())

    @property
    def promised(self) -> Usd:
        """Part of the cash that open and just-approved plans will spend."""
        return total(pocket.promised for pocket in self.pockets.values())

    @property
    def free(self) -> Usd:
        """Cash at all venues that nothing has a claim on."""
        return Usd(self.cash - self.promised)

    def free_at(self, venue: VenueId) -> Usd:
        """Cash at one venue that nothing has a claim on."""
        pocket = self.pockets.get(venue)
        return NO_USD if pocket is None else pocket.free

    def at(self, venue: VenueId) -> "Portfolio":
        """What of the account is at one venue: its cash and its positions."""
        mine = {o: held for o, held in self.positions.items() if o.venue == venue}
        pocket = self.pockets.get(venue, Pocket(NO_USD))
        return replace(self, pockets={venue: pocket}, positions=mine)

    @property
    def equity(self) -> Usd:
        """Cash and the cost of what is held: what position sizes are a fraction of."""
        return Usd(self.cash + self.locked)

    @property
    def drawdown_pct(self) -> Decimal:
        """Percent by which the realised equity is below its highest.

        Deposits and withdrawals are no profits and no losses: both equities have today's capital.
        """
        return _percent(self.realised_high - self.realised, self.capital + self.realised_high)

    @property
    def loss_today_pct(self) -> Decimal:
        """Today's losses in percent of the realised equity at the beginning of the UTC day."""
        return _percent(self.loss_today, self.capital + self.realised_before_today)

    def after(self, plan: Plan) -> "Portfolio":
        """The portfolio once the plan's cash is reserved and its markets are taken."""
        return replace(
            self,
            pockets=self._reserved(plan),
            open_plans=self.open_plans + 1,
            volume_today=Usd(self.volume_today + plan.outlay_max),
            busy=self.busy | plan.markets,
            by_event={
                **self.by_event,
                **{
                    slug: Usd(self.by_event.get(slug, NO_USD) + cost)
                    for slug, cost in plan.by_event.items()
                },
            },
        )

    def _reserved(self, plan: Plan) -> dict[VenueId, Pocket]:
        """The pockets once each venue's part of the plan is reserved."""
        pockets = dict(self.pockets)
        for venue in plan.venues:
            pocket = pockets.get(venue, Pocket(NO_USD))
            promised = Usd(pocket.promised + plan.outlay_max_at(venue))
            pockets[venue] = Pocket(pocket.cash, promised)
        return pockets


def _percent(lost: Decimal, of: Decimal) -> Decimal:
    """A loss in percent; of nothing any loss is all."""
    if lost <= 0:
        return ZERO
    return lost / of * 100 if of > 0 else Decimal(100)
