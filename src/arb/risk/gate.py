"""The only maker of `Approved` and `Plan`: the checks, the size, the checks on the size."""

from dataclasses import replace
from decimal import Decimal

from arb.domain.book import depth
from arb.domain.decision import Approved, Decision, Refused, Verdict
from arb.domain.halt import TradingState
from arb.domain.market import Exclusive, Universe, VenueId
from arb.domain.money import ZERO, Usd, micro_down, micro_up, text
from arb.domain.operation import Convert, Merge, MergeSet, Operation
from arb.domain.opportunity import Exit, Opportunity, ProvenLeg
from arb.domain.order import PlanId
from arb.domain.plan import Plan, PlannedLeg, Terms
from arb.domain.reason import Reason
from arb.domain.snapshot import Snapshot
from arb.risk.checks import AFTER_SIZING, BEFORE_SIZING, Check, Context
from arb.risk.partial import worst_partial
from arb.sizing import SizingOptions, fraction, learned, shrink, too_small


def review(
    opportunity: Opportunity, context: Context, sizing: SizingOptions, snapshot: Snapshot
) -> Decision:
    """Approve the opportunity in the size it deserves, or refuse it for the first reason found.

    Every check is asked even after one has refused, so that all verdicts can be shown.
    """
    verdicts, refusal = _ask(BEFORE_SIZING, opportunity, context)
    own = _own(opportunity, context, sizing)
    share = fraction(opportunity, own)
    sized: Opportunity = opportunity
    budget = _budget(share, opportunity, context)
    detail = f"{share:.4f} of the equity, ${text(budget)} after caps"
    if own is not sizing:
        record = context.fill_records[opportunity.kind]
        detail += (
            f"; all legs fill with {own.fill_probability:.4f}: {record.filled} of {record.plans} "
            f"plans of this kind did, and {text(sizing.fill_probability)} as {sizing.learn_after}"
        )
    verdicts.append(Verdict("kelly", share > 0, detail))
    if share <= 0:
        refusal = refusal or (Reason.KELLY_ZERO, "the edge does not pay for its risk")
    elif refusal is None:
        result = shrink(opportunity, budget, hard_cap(opportunity, context), snapshot)
        if isinstance(result, Opportunity):
            sized = result
        else:
            refusal = too_small(result)
            verdicts.append(Verdict("size", passed=False, detail=refusal[1]))
    after, late_refusal = _ask(AFTER_SIZING, sized, context)
    verdicts += after
    partial, late = _partial_fills(sized, snapshot, context)
    verdicts += partial
    refusal = refusal or late_refusal or late
    if refusal is not None:
        return Refused(
            opportunity=opportunity,
            reason=refusal[0],
            detail=refusal[1],
            verdicts=tuple(verdicts),
        )
    sized = replace(sized, available=opportunity.size)
    return Approved(
        opportunity=sized,
        plan=_plan(sized, snapshot, context),
        verdicts=tuple(verdicts),
    )


def position_budget(opportunity: Opportunity, context: Context, sizing: SizingOptions) -> Usd:
    """The most that may be spent: Kelly's share, then the caps, halved when throttled."""
    share = fraction(opportunity, _own(opportunity, context, sizing))
    return _budget(share, opportunity, context)


def _budget(share: Decimal, opportunity: Opportunity, context: Context) -> Usd:
    """What a share of the equity comes to within the caps."""
    cap = hard_cap(opportunity, context)
    budget = max(min(share * context.portfolio.equity, cap), ZERO)
    throttled = context.standing.state is TradingState.THROTTLED
    return Usd(budget / 2 if throttled else budget)


def _own(opportunity: Opportunity, context: Context, sizing: SizingOptions) -> SizingOptions:
    """How to size it, with what the account's own plans of its kind have shown."""
    return learned(sizing, context.fill_records.get(opportunity.kind))


def hard_cap(opportunity: Opportunity, context: Context) -> Usd:
    """What a plan for the opportunity may cost even if every fill is at its limit."""
    return min(
        context.limits.max_position_size,
        Usd(context.limits.max_daily_volume - context.portfolio.volume_today),
        *(_affordable(opportunity, venue, context) for venue in opportunity.venues),
    )


def _affordable(opportunity: Opportunity, venue: VenueId, context: Context) -> Usd:
    """What the whole may cost so that its part at this venue is covered by the cash there."""
    free, part = context.portfolio.free_at(venue), opportunity.outlay_max_at(venue)
    return free if part == opportunity.outlay_max else Usd(free * opportunity.outlay_max / part)


def _partial_fills(
    sized: Opportunity, snapshot: Snapshot, context: Context
) -> tuple[list[Verdict], tuple[Reason, str] | None]:
    """No pattern of partial fills costs more than is allowed, in dollars and of the equity."""
    limits, equity = context.limits, context.portfolio.equity
    worst = worst_partial(sized, snapshot, limits.adverse_move)
    loss, most = Usd(max(-worst, ZERO)), limits.max_partial_loss
    lost = f"${text(micro_up(loss))} at worst after a move of {text(limits.adverse_move)}"
    of_equity = micro_down(equity * (limits.risk_per_trade or ZERO))
    bounded = (
        f"at most {text(limits.risk_per_trade)} of the equity, ${text(of_equity)}"
        if limits.risk_per_trade is not None
        else f"of an equity of ${text(equity)}, no limit is set"
    )
    within = limits.risk_per_trade is None or loss <= of_equity
    verdicts = [
        Verdict("partial_fills", loss <= most, f"{lost}, at most ${text(most)}"),
        Verdict("risk_per_trade", within, f"{lost}, {bounded}"),
    ]
    reasons = zip(verdicts, (Reason.UNSAFE, Reason.RISK_PER_TRADE), strict=True)
    failed = ((reason, verdict.detail) for verdict, reason in reasons if not verdict.passed)
    return verdicts, next(failed, None)


def _ask(
    checks: tuple[Check, ...], opportunity: Opportunity, context: Context
) -> tuple[list[Verdict], tuple[Reason, str] | None]:
    verdicts: list[Verdict] = []
    refusal: tuple[Reason, str] | None = None
    for check in checks:
        result = check(opportunity, context)
        verdicts.append(Verdict(check.__name__, result.passed, result.detail))
        if not result.passed and refusal is None:
            refusal = (result.reason, result.detail)
    return verdicts, refusal


def _plan(opportunity: Opportunity, snapshot: Snapshot, context: Context) -> Plan:
    others = {event.id: event.slug for event in opportunity.other_events}
    return Plan(
        id=PlanId(opportunity.id),
        kind=opportunity.kind,
        event=opportunity.event.id,
        event_slug=opportunity.event.slug,
        event_title=opportunity.event.title,
        exit=opportunity.exit,
        legs=tuple(
            PlannedLeg(
                outcome=proven.leg.outcome,
                outcome_name=proven.market.outcome(proven.leg.outcome),
                market=proven.market.id,
                market_slug=proven.market.slug,
                side=proven.leg.side,
                limit=proven.leg.limit,
                size=proven.leg.size,
                value=proven.value,
                fee=proven.fee,
                terms=_terms(proven, snapshot),
                spend=proven.spend,
                shares=proven.shares,
                event_slug=others.get(proven.market.event, ""),
            )
            for proven in opportunity.legs
        ),
        exit_operation=_exit_operation(opportunity, snapshot.universe),
        outlay=opportunity.outlay,
        payoff_worst=opportunity.payoff_worst,
        approved_at=context.now,
        venue_terms={p.leg.outcome.venue: p.market.terms for p in opportunity.legs},
        payoff=opportunity.payoff,
    )


def _terms(proven: ProvenLeg, snapshot: Snapshot) -> Terms:
    market, leg = proven.market, proven.leg
    assert market.fees is not None
    asks = snapshot.books[leg.outcome].asks
    return Terms(
        opposite=market.no if leg.outcome == market.yes else market.yes,
        rules=market.rules,
        fees=market.fees,
        depth=depth(asks, limit=leg.limit, side=leg.side),
    )


def _exit_operation(opportunity: Opportunity, universe: Universe) -> Operation | None:
    if opportunity.exit is not Exit.NOW:
        return None
    first = opportunity.legs[0].market
    if len(opportunity.markets) == 1:
        return Merge(market=first.id, pair=(first.yes, first.no), size=opportunity.size)
    given = tuple((proven.leg.outcome, proven.market.id) for proven in opportunity.legs)
    if first.yes == opportunity.legs[0].leg.outcome:
        return MergeSet(event=opportunity.event.id, gives=given, size=opportunity.size)
    members = {
        member
        for relation in universe.relations_among([first.id])
        if isinstance(relation, Exclusive)
        for member in relation.markets
    }
    others = [
        (universe.markets[market].yes, market)
        for market in opportunity.event.markets
        if market in members and market not in opportunity.markets
    ]
    return Convert(
        event=opportunity.event.id,
        gives=given,
        receives=tuple(others),
        size=opportunity.size,
    )
