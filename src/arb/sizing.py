"""How much of a proven opportunity to take: the Kelly fraction, then caps.

Two formulas are kept. `calculate_kelly_fraction` is the classical one, with the signature and
defaults that the users' documents give it: it takes the whole stake to be lost in the bad case. An
arbitrage does not lose its stake when a leg fails; it loses the few percent that getting out costs.
`arbitrage_kelly` weighs what can really happen (docs/proof.md §6) and is the default. With a profit
of 2 %, a 90 % chance that all legs fill and 3 % lost otherwise, the classical formula says "do not
trade" while the growth-optimal fraction is far above the caps, which then decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from arb.domain.basket import Basket, ladder
from arb.domain.money import CENT, ONE, ZERO, Shares, Usd
from arb.domain.opportunity import Candidate, Exit, Leg, Opportunity, Unproven, prove
from arb.domain.reason import Reason
from arb.domain.report import FillRecord
from arb.domain.snapshot import Snapshot

BISECTIONS = 60
FRACTION_SEARCHED_MAX = Decimal(100)

PARTS_TRIED = 20
"""Sizes that are tried of legs that are no plain basket, from the budget downwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingOptions:
    """How position sizes follow from edges. All numbers are fractions, not percent."""

    method: Literal["arbitrage", "classical"] = "arbitrage"
    max_fraction: Decimal = Decimal("0.25")
    """Most of the equity that one opportunity may take."""
    conservative_factor: Decimal = Decimal("0.5")
    """Half-Kelly: this part of the growth-optimal fraction."""
    fill_probability: Decimal = Decimal("0.9")
    """Chance that every leg fills once the orders are sent."""
    partial_loss: Decimal = Decimal("0.03")
    """Part of the outlay lost when only some legs fill and the rest is unwound."""
    failure_probability: Decimal = Decimal("0.001")
    """Chance that a position held to resolution does not pay what was proved."""
    failure_loss: Decimal = Decimal(1)
    """Part of the outlay lost then."""
    learn_after: int = 0
    """From how many ended plans of a kind on the account's own record counts beside
    `fill_probability` and `partial_loss`, which then weigh as much as that many plans; 0: never."""


def learned(options: SizingOptions, record: FillRecord | None) -> SizingOptions:
    """The options with the chances that plans of one kind have shown so far.

    The settings count as `learn_after` plans that ended as they say, so that a short record moves
    them little: a mean of both (that of a beta distribution, for the chance).

    Args:
        options: As set.
        record: How the account's plans of the kind ended; `None`: there are none.

    Returns:
        The options as they are until there are `learn_after` plans.
    """
    weight = options.learn_after
    if not weight or record is None or record.plans < weight:
        return options
    filled = options.fill_probability * weight + record.filled
    lost = options.partial_loss * weight + record.lost
    return replace(
        options,
        fill_probability=filled / (weight + record.plans),
        partial_loss=min(lost / (weight + record.unfilled), ONE),
    )


def calculate_kelly_fraction(
    win_probability: Decimal | float,
    profit_ratio: Decimal | float,
    max_fraction: Decimal | float = Decimal("0.25"),
    conservative_factor: Decimal | float = Decimal("0.5"),
) -> Decimal:
    """The classical Kelly fraction of the capital, made careful and capped.

    `f = factor · (p · b - (1 - p)) / b`, within `[0, max_fraction]`.

    Args:
        win_probability: Chance `p` of winning, 0 to 1.
        profit_ratio: Profit `b` per unit staked when winning; the stake is lost otherwise.
        max_fraction: Upper bound of the answer.
        conservative_factor: Part of the full Kelly fraction to take; 0.5 is half-Kelly.

    Raises:
        ValueError: A probability or fraction is not within 0 to 1.
    """
    p, b, cap, factor = (
        Decimal(str(value))
        for value in (win_probability, profit_ratio, max_fraction, conservative_factor)
    )
    for name, value in (("win_probability", p), ("max_fraction", cap)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} {value} is not within 0..1")
    if factor < 0:
        raise ValueError(f"conservative_factor {factor} is negative")
    if b <= 0:
        return ZERO
    return min(max(factor * (p * b - (1 - p)) / b, ZERO), cap)


def growth_optimal(outcomes: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """The fraction `f` that maximises `Σ P · ln(1 + f · r)` over (probability, return) pairs.

    Zero when the expected return is not positive; bounded by `FRACTION_SEARCHED_MAX`.
    """
    outcomes = [(p, r) for p, r in outcomes if p > 0]
    if sum((p * r for p, r in outcomes), ZERO) <= 0:
        return ZERO
    worst = min(r for _, r in outcomes)
    low, high = (
        ZERO,
        FRACTION_SEARCHED_MAX if worst >= 0 else min(FRACTION_SEARCHED_MAX, ONE / -worst),
    )
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if any(ONE + middle * r <= 0 for _, r in outcomes):
            high = middle
            continue
        slope = sum((p * r / (ONE + middle * r) for p, r in outcomes), ZERO)
        low, high = (middle, high) if slope > 0 else (low, middle)
    return low


def arbitrage_kelly(profit_ratio: Decimal, exit_: Exit, options: SizingOptions) -> Decimal:
    """The careful, capped Kelly fraction for legs that can fail one by one (docs/proof.md §6).

    What is cashed at once does not wait for a resolution, so it has no tail of that kind.
    """
    tail = options.failure_probability if exit_ is Exit.RESOLUTION else ZERO
    filled = options.fill_probability
    best = growth_optimal(
        [
            (filled * (1 - tail), profit_ratio),
            (1 - filled, -options.partial_loss),
            (filled * tail, -options.failure_loss),
        ]
    )
    return min(options.conservative_factor * best, options.max_fraction)


def fraction(opportunity: Opportunity, options: SizingOptions) -> Decimal:
    """The part of the equity that the opportunity deserves, by the chosen method."""
    ratio = opportunity.profit_fraction
    if options.method == "classical":
        return calculate_kelly_fraction(
            options.fill_probability, ratio, options.max_fraction, options.conservative_factor
        )
    return arbitrage_kelly(ratio, opportunity.exit, options)


def shrink(
    opportunity: Opportunity, budget: Usd, cap: Usd, snapshot: Snapshot
) -> Opportunity | Unproven | None:
    """The same set of outcomes in the size that profits most within two bounds, proved anew.

    Args:
        opportunity: As found.
        budget: Most that it may cost at the books at hand.
        cap: Most that it may cost wherever within its legs' limits it is filled.
        snapshot: The books at hand.

    Returns:
        `None` when no acceptable size is that cheap and still profitable.
    """
    sized = opportunity
    if sized.outlay > budget:
        smaller = _resized(sized, budget, snapshot)
        if not isinstance(smaller, Opportunity):
            return smaller
        sized = smaller
    if sized.outlay_max > cap:
        # What they differ by only falls with the size, but for the cent that each leg may waste.
        cents = len(sized.legs) * CENT
        return _resized(sized, Usd(cap - (sized.outlay_max - sized.outlay) - cents), snapshot)
    return sized


def _resized(
    opportunity: Opportunity, budget: Usd, snapshot: Snapshot
) -> Opportunity | Unproven | None:
    per_share = opportunity.payoff_worst / opportunity.size
    equal = all(proven.leg.size == opportunity.size for proven in opportunity.legs)
    if not equal or per_share != int(per_share):
        return _scaled(opportunity, budget, snapshot)
    ladders = [
        ladder(snapshot.books[p.leg.outcome].asks, p.market.fees, p.market.rules)
        for p in opportunity.legs
        if p.market.fees is not None
    ]
    basket = Basket(
        base=int(per_share),
        per_leg=0,
        optional=False,
        legs_max=len(ladders),
        outlay_max=Usd(max(budget, ZERO)),
    )
    best = basket.best(ladders)
    if best is None:
        return None
    legs = tuple(
        Leg(proven.leg.outcome, proven.leg.side, chosen.limit, Shares(best.size))
        for proven, chosen in zip(opportunity.legs, best.chosen, strict=True)
    )
    smaller = Candidate(
        kind=opportunity.kind,
        event=opportunity.event,
        legs=legs,
        available=opportunity.available,
    )
    return prove(smaller, snapshot)


def _scaled(
    opportunity: Opportunity, budget: Usd, snapshot: Snapshot
) -> Opportunity | Unproven | None:
    """All legs in the same part of their sizes: for legs that differ, or pay no whole dollars.

    Sizes are cut to their markets' steps, so each part is proved by itself.
    """
    refused: Unproven | None = None
    most = min(budget / opportunity.outlay, Decimal(1))
    for part in range(PARTS_TRIED, 0, -1):
        share = most * part / PARTS_TRIED
        legs = tuple(
            replace(p.leg, size=_cut(p.leg.size * share, p.market.rules.size_step))
            for p in opportunity.legs
        )
        result = prove(
            Candidate(
                kind=opportunity.kind,
                event=opportunity.event,
                legs=legs,
                available=opportunity.available,
            ),
            snapshot,
        )
        if isinstance(result, Opportunity) and result.outlay <= budget:
            return result
        refused = result if isinstance(result, Unproven) else refused
    return refused


def _cut(size: Decimal, step: Shares) -> Shares:
    return Shares(size // step * step)


def too_small(result: Unproven | None) -> tuple[Reason, str]:
    """Why shrinking failed, as a refusal."""
    if result is None:
        return Reason.SIZED_BELOW_MIN, "no acceptable size fits the budget"
    return result.reason, result.detail
