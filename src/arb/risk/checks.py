"""One small function per check: its input, its verdict, and the reason of its refusal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from arb.domain.confirmation import Confirmation
from arb.domain.contradiction import Contradiction, stopped
from arb.domain.halt import Standing, TradingState
from arb.domain.market import Market, MarketId, VenueId
from arb.domain.money import NO_USD, Usd, text
from arb.domain.opportunity import Opportunity
from arb.domain.position import Portfolio
from arb.domain.reason import Reason
from arb.domain.report import FillRecord
from arb.risk.limits import RiskLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an opportunity is judged against."""

    portfolio: Portfolio
    limits: RiskLimits
    standing: Standing
    contradictions: Sequence[Contradiction] = ()
    """What has stopped kinds of trade until an operator has looked."""
    confirmations: Mapping[MarketId, Confirmation]
    books_from: datetime
    """The instant of the snapshot."""
    now: datetime
    plans_left: int
    counted: Mapping[str, int] = field(default_factory=dict)
    """How many outcomes the chain counts, by group; a group without a count is absent."""
    fill_records: Mapping[str, FillRecord] = field(default_factory=dict)
    """How the account's plans ended, by kind; empty where nothing is learned from them."""


class OfMarket(Protocol):
    """A leg, as far as checks look at it."""

    @property
    def market(self) -> Market:
        """Where it is traded."""
        ...


class Spending(Protocol):
    """What spends the account's cash: a proved opportunity, or a purchase on a signal."""

    @property
    def kind(self) -> str:
        """What contradictions stop."""
        ...

    @property
    def legs(self) -> Sequence[OfMarket]:
        """What is bought."""
        ...

    @property
    def markets(self) -> frozenset[MarketId]:
        """Where its legs are traded."""
        ...

    @property
    def venues(self) -> frozenset[VenueId]:
        """Where those are listed."""
        ...

    @property
    def outlay_max(self) -> Usd:
        """The most that it costs, fees included."""
        ...

    def outlay_max_at(self, venue: VenueId) -> Usd:
        """The most that its legs at one venue cost."""
        ...

    @property
    def by_event(self) -> Mapping[str, Usd]:
        """The most that its legs of each event cost, by the event's slug."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """A check's verdict; `reason` counts when it did not pass."""

    passed: bool
    detail: str
    reason: Reason


Check = Callable[[Opportunity, Context], Result]
SpendingCheck = Callable[[Spending, Context], Result]
"""A check that needs no proof."""


def profit_fraction(opportunity: Opportunity, context: Context) -> Result:
    """The profit is worth the effort, per dollar paid."""
    got, least = opportunity.profit_fraction, context.limits.min_profit_threshold
    detail = f"{_percent(got)} % of what is paid, at least {_percent(least)} %"
    return Result(got >= least, detail, Reason.BELOW_MIN_PROFIT)


def profit_usd(opportunity: Opportunity, context: Context) -> Result:
    """The profit is worth the effort, in dollars."""
    got, least = opportunity.profit, context.limits.min_profit_usd
    return Result(
        got >= least, f"${text(got)}, at least ${text(least)}", Reason.BELOW_MIN_PROFIT_USD
    )


def crossed_book(opportunity: Opportunity, context: Context) -> Result:
    """One binary market sold below a dollar is a crossed book: the engine is not matching."""
    crossed = opportunity.crossed
    return Result(
        not crossed or context.limits.trade_crossed,
        "a resting bid and ask cross" if crossed else "not a pair of one market",
        Reason.CROSSED_BOOK,
    )


def known_to_exchange(opportunity: Spending, context: Context) -> Result:
    """The exchange itself has answered for every market."""
    unknown = [
        proven.market.slug
        for proven in opportunity.legs
        if not (word := context.confirmations.get(proven.market.id)) or not word.known
    ]
    detail = f"no answer for {', '.join(unknown)}" if unknown else "every market confirmed"
    return Result(not unknown, detail, Reason.MARKET_UNCONFIRMED)


def accepted_now(opportunity: Spending, context: Context) -> Result:
    """The exchange takes orders in every market."""
    refusing = [w.market for w in _words(opportunity, context) if not w.accepting]
    return Result(not refusing, f"{len(refusing)} markets take no orders", Reason.NOT_ACCEPTING)


def not_delayed(opportunity: Spending, context: Context) -> Result:
    """The exchange matches taking orders at once in every market."""
    late = [w.market for w in _words(opportunity, context) if w.delayed]
    return Result(not late, f"{len(late)} markets hold orders back", Reason.DELAYED)


def same_rules(opportunity: Spending, context: Context) -> Result:
    """The exchange's rules are those that the proof was made with."""
    differences = [text_ for w in _words(opportunity, context) for text_ in w.differences]
    detail = "; ".join(differences) or "rules as listed"
    return Result(not differences, detail, Reason.MARKET_CHANGED)


def counted_on_chain(opportunity: Opportunity, context: Context) -> Result:
    """Where all outcomes must be listed, the chain has returned their number."""
    unknown = [each.group for each in opportunity.whole if each.group not in context.counted]
    detail = (
        f"the chain returned no count for {', '.join(unknown)}"
        if unknown
        else "nothing left to query"
    )
    return Result(not unknown, detail, Reason.CHAIN_COUNT_UNKNOWN)


def as_many_on_chain(opportunity: Opportunity, context: Context) -> Result:
    """Where all outcomes must be listed, the chain counts as many."""
    detail = "; ".join(filter(None, (each.miscount(context.counted) for each in opportunity.whole)))
    return Result(not detail, detail or "as many as listed", Reason.CHAIN_COUNT_DIFFERS)


def outcome_free(opportunity: Spending, context: Context) -> Result:
    """No open plan and no better opportunity of this cycle touches the same markets."""
    taken = opportunity.markets & context.portfolio.busy
    return Result(not taken, f"{len(taken)} markets are taken", Reason.OUTCOME_TAKEN)


def not_halted(_opportunity: Spending, context: Context) -> Result:
    """Trading is not halted."""
    standing = context.standing
    detail = f"{standing.state.value} {standing.text}".strip()
    return Result(standing.state is not TradingState.HALTED, detail, Reason.HALTED)


def not_contradicted(opportunity: Spending, context: Context) -> Result:
    """No trade of this kind has contradicted its proof."""
    found = stopped(opportunity.kind, opportunity.venues, context.contradictions)
    detail = f"{found.sentence}; `{found.command}` ends it" if found else "as proved so far"
    return Result(found is None, detail, Reason.CONTRADICTED)


def consecutive_failures(_opportunity: Spending, context: Context) -> Result:
    """Not too many plans in a row have failed."""
    failed, most = context.portfolio.consecutive_failures, context.limits.max_consecutive_failures
    return Result(failed < most, f"{failed}, fewer than {most}", Reason.CONSECUTIVE_FAILURES)


def daily_loss(_opportunity: Spending, context: Context) -> Result:
    """Today's realised losses are below their limit."""
    lost, most = context.portfolio.loss_today, context.limits.max_daily_loss
    return Result(lost < most, f"${text(lost)}, below ${text(most)}", Reason.DAILY_LOSS)


def daily_loss_pct(_opportunity: Spending, context: Context) -> Result:
    """Today's realised losses are below their part of the equity that the day began with."""
    lost, most = context.portfolio.loss_today_pct, context.limits.max_daily_loss_pct
    return _below_percent(lost, most, "of the day's opening equity", Reason.DAILY_LOSS)


def drawdown(_opportunity: Spending, context: Context) -> Result:
    """The realised equity is not too far below its highest."""
    lost, most = context.portfolio.drawdown_pct, context.limits.max_drawdown_pct
    return _below_percent(lost, most, "below the highest equity", Reason.DRAWDOWN)


def open_positions(_opportunity: Spending, context: Context) -> Result:
    """There is room for one more open position."""
    held, most = context.portfolio.open_plans, context.limits.max_open_positions
    return Result(held < most, f"{held}, fewer than {most}", Reason.OPEN_POSITIONS)


def plans_left(_opportunity: Spending, context: Context) -> Result:
    """The cycle may start one more plan."""
    left = context.plans_left
    return Result(left > 0, f"{left} plans left in this cycle", Reason.PLANS_PER_CYCLE)


def fresh_data(_opportunity: Spending, context: Context) -> Result:
    """The books are not too old by the time of the decision."""
    age, most = context.now - context.books_from, context.limits.max_book_age
    detail = f"{age.total_seconds():.1f} s, at most {most.total_seconds():.1f} s"
    return Result(age <= most, detail, Reason.STALE_DATA)


def position_size(opportunity: Spending, context: Context) -> Result:
    """The position is not larger than allowed."""
    return _at_most(opportunity.outlay_max, context.limits.max_position_size, Reason.POSITION_SIZE)


def daily_volume(opportunity: Spending, context: Context) -> Result:
    """The day's volume stays within its limit with this plan."""
    with_it = Usd(context.portfolio.volume_today + opportunity.outlay_max)
    return _at_most(with_it, context.limits.max_daily_volume, Reason.DAILY_VOLUME)


def cash(opportunity: Spending, context: Context) -> Result:
    """There is free cash at each venue for the legs there and their fees."""
    verdicts = [
        _at_most(opportunity.outlay_max_at(venue), context.portfolio.free_at(venue), Reason.CASH)
        for venue in sorted(opportunity.venues)
    ]
    return next((verdict for verdict in verdicts if not verdict.passed), verdicts[0])


def event_exposure(opportunity: Spending, context: Context) -> Result:
    """What is bound in each of its events stays within its limit with this plan."""
    most, bound = context.limits.max_event_exposure, context.portfolio.by_event
    verdicts = [
        _at_most(Usd(bound.get(slug, NO_USD) + cost), most, Reason.EVENT_EXPOSURE)
        for slug, cost in opportunity.by_event.items()
    ]
    return next((verdict for verdict in verdicts if not verdict.passed), verdicts[0])


OF_MARKETS: tuple[SpendingCheck, ...] = (
    known_to_exchange,
    accepted_now,
    not_delayed,
    same_rules,
)
OF_ACCOUNT: tuple[SpendingCheck, ...] = (
    outcome_free,
    not_halted,
    not_contradicted,
    consecutive_failures,
    daily_loss,
    daily_loss_pct,
    drawdown,
    open_positions,
    plans_left,
    fresh_data,
)
OF_SIZE: tuple[SpendingCheck, ...] = (position_size, daily_volume, event_exposure, cash)
BEFORE_SIZING: tuple[Check, ...] = (
    profit_fraction,
    crossed_book,
    *OF_MARKETS,
    counted_on_chain,
    as_many_on_chain,
    *OF_ACCOUNT,
)
AFTER_SIZING: tuple[Check, ...] = (profit_usd, *OF_SIZE)
WITHOUT_PROOF: tuple[SpendingCheck, ...] = (*OF_MARKETS, *OF_ACCOUNT, *OF_SIZE)
"""Those that ask for no proof: what spends the account's cash on a signal passes them all."""


def _words(opportunity: Spending, context: Context) -> list[Confirmation]:
    found = (context.confirmations.get(proven.market.id) for proven in opportunity.legs)
    return [word for word in found if word is not None]


def _at_most(amount: Usd, most: Usd, reason: Reason) -> Result:
    return Result(amount <= most, f"${text(amount)}, at most ${text(most)}", reason)


def _below_percent(lost: Decimal, most: Decimal | None, of: str, reason: Reason) -> Result:
    limit = "no limit is set" if most is None else f"below {text(most)} %"
    return Result(most is None or lost < most, f"{lost:.2f} % {of}, {limit}", reason)


def _percent(share: Decimal) -> str:
    return f"{share * 100:.2f}"
