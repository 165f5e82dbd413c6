"""The account that follows signals: what it holds, what that is worth, and its documents.

Everything here reads; it needs no indicator, so the shell can show the account as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import overload

from arb.domain.instance import StrategyInstance
from arb.domain.market import OutcomeId, Side
from arb.domain.money import NO_SHARES, NO_USD, ZERO, Price, Shares, Usd, micro_down, total
from arb.domain.plan import Plan
from arb.domain.position import Portfolio
from arb.engine.account import fills_of, read
from arb.ports import Ledger, SignalMemory
from arb.statistical.rules import PositionRules
from arb.views.signals import LABEL, SignalAccount, SignalPosition, SignalStrategy


@dataclass(frozen=True, slots=True)
class Held:
    """A plan's shares: one lot of a strategy."""

    plan: Plan
    shares: Shares
    paid: Price
    """On average, before fees."""
    cost: Usd
    """With fees."""

    @property
    def key(self) -> tuple[str, OutcomeId]:
        """Whose it is."""
        return (self.plan.kind, self.plan.legs[0].outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of an instance beside its positions."""

    instance: StrategyInstance
    params: Mapping[str, str]
    event: str = ""
    outcome: str = ""
    side: Side | None = None
    signal_at: datetime | None = None
    why: str = ""
    followed: str = ""
    problem: str = ""
    is_active: bool = True


async def positions(ledger: Ledger) -> list[Held]:
    """Everything that is held, lot by lot, the oldest first."""
    found: list[Held] = []
    for plan in await ledger.locked_plans():
        facts = await ledger.facts(plan.id)
        account, leg = read(facts), plan.legs[0]
        shares = account.shares(leg.outcome)
        if shares <= plan.dust:
            continue
        fills = [
            fill
            for order in account.orders
            for fill in fills_of(facts, order)
            if fill.side is Side.BUY
        ]
        size = sum((fill.size for fill in fills), NO_SHARES)
        value = sum((fill.price * fill.size for fill in fills), ZERO)
        paid = Price(value / size) if size else leg.limit
        found.append(Held(plan, shares, paid, Usd(max(-account.cash, NO_USD))))
    return found


def worth(portfolio: Portfolio, held: Sequence[Held], bids: Mapping[OutcomeId, Price]) -> Usd:
    """Cash, and what is held at the last known bids; at what it cost where none is known."""
    values = (
        one.cost if (bid := bids.get(one.key[1])) is None else Usd(one.shares * bid) for one in held
    )
    return Usd(micro_down(portfolio.cash + total(values)))


async def account_document(
    ledger: Ledger,
    memory: SignalMemory,
    now: datetime,
    *,
    rules: PositionRules,
    bids: Mapping[OutcomeId, Price],
    seen: Sequence[Seen],
) -> SignalAccount:
    """The account and its strategies.

    Args:
        ledger: The account's.
        memory: What it remembers beside that.
        now: Which day is today.
        rules: Where positions are sold.
        bids: The best bid of each outcome that is held, as far as it is known.
        seen: The strategies that look.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    portfolio, sums = await ledger.portfolio(now), await ledger.statistics()
    standing = await ledger.standing()
    held, made = await positions(ledger), await memory.realised()
    looking = {one.instance.key for one in seen}
    left = {one.key: _removed(one) for one in held if one.key not in looking}
    return SignalAccount(
        what=LABEL,
        account=ledger.account,
        mode="dry-run",
        state=standing.state.value,
        reason=standing.text,
        cash=portfolio.cash,
        held=portfolio.locked,
        worth=worth(portfolio, held, bids),
        realised=portfolio.realised,
        trades=sums.trades,
        open_positions=len({one.key for one in held}),
        loss_today=portfolio.loss_today,
        consecutive_errors=0,
        pause_after=0,
        strategies=[
            _strategy(
                one,
                [lot for lot in held if lot.key == one.instance.key],
                made.get(one.instance.key, NO_USD),
                rules,
                bids,
            )
            for one in (*seen, *left.values())
        ],
    )


def _strategy(
    seen: Seen,
    lots: Sequence[Held],
    made: Usd,
    rules: PositionRules,
    bids: Mapping[OutcomeId, Price],
) -> SignalStrategy:
    instance = seen.instance
    position = _position(lots, rules, bids.get(instance.outcome)) if lots else None
    open_profit = None
    if position is not None and position.value is not None:
        open_profit = Usd(position.value - position.cost)
    leg = lots[0].plan.legs[0] if lots else None
    return SignalStrategy(
        strategy_name=instance.strategy,
        symbol=instance.symbol,
        event=seen.event or (lots[0].plan.event_slug if lots else ""),
        outcome=seen.outcome or (leg.outcome_name if leg else ""),
        timeframe=instance.timeframe,
        params=dict(seen.params),
        added_at=instance.added_at,
        signal=None if seen.side is None else seen.side.value,
        signal_at=seen.signal_at,
        why=seen.why,
        followed=seen.followed,
        position=position,
        profit=made,
        open_profit=open_profit,
        problem=seen.problem,
        is_active=seen.is_active,
    )


def _removed(held: Held) -> Seen:
    """What is left of a strategy that was removed: a position."""
    leg = held.plan.legs[0]
    instance = StrategyInstance(
        strategy=held.plan.kind,
        symbol=leg.market_slug,
        market=leg.market,
        outcome=leg.outcome,
        timeframe="",
        added_at=held.plan.approved_at,
    )
    return Seen(instance=instance, params={}, outcome=leg.outcome_name, is_active=False)


def _position(lots: Sequence[Held], rules: PositionRules, bid: Price | None) -> SignalPosition:
    paid = average(lots)
    shares = Shares(sum((lot.shares for lot in lots), NO_SHARES))
    return SignalPosition(
        shares=shares,
        price_paid=short(paid),
        cost=total(lot.cost for lot in lots),
        price=bid,
        value=None if bid is None else Usd(micro_down(shares * bid)),
        stop_at=short(rules.stop(paid)),
        take_at=short(rules.target(paid)),
    )


def average(lots: Sequence[Held]) -> Price:
    """What a share of these lots was bought at, before fees."""
    shares = sum((lot.shares for lot in lots), NO_SHARES)
    return Price(sum((lot.shares * lot.paid for lot in lots), ZERO) / shares)


@overload
def short(price: Decimal) -> Decimal: ...
@overload
def short(price: None) -> None: ...
def short(price: Decimal | None) -> Decimal | None:
    """A price as people read it: to a millionth."""
    return None if price is None else micro_down(price)
