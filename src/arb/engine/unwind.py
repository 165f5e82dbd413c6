"""Unwinding a plan that was filled in part, priced at the books at hand. Pure.

A way keeps some of the legs, all at one level of shares, and gets rid of the rest. With `q` the
level, `h` what is held of a leg, and prices walked through the depth with fees,

    result(q, K) = payoff(q, K) + Σ_{i in K} trade(h_i -> q) + Σ_{i not in K} trade(h_i -> 0)

where trade(a -> b) is the cash of buying b - a or disposing of a - b, and payoff is what the legs
are guaranteed to pay: (k - 1) · q for NO of any k exclusive markets, q for YES of all of a complete
group, nothing for YES of a part of it. At each level those legs are kept that are worth it there,
see `_worth_keeping`. Levels worth trying are 0, the plan's own, and what is held of each leg:
between them the result is linear up to the steps of depth. What is disposed of is sold when it has
settled; until then its complement is bought, for the pair pays a dollar either way (both see the
same resting orders, where YES and NO share a book).

A BUY spends whole cents, so each leg comes with a remainder that no set needs. It is kept: see
`trifle`. What a better book than the approved one brought beyond that is sold: see `surplus`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from arb.domain.book import Level, OrderBook, walk
from arb.domain.dollars import spend, whole_cents
from arb.domain.market import OutcomeId, Side
from arb.domain.money import (
    NO_SHARES,
    NO_USD,
    ZERO,
    Price,
    Shares,
    Usd,
    from_micro,
    notional,
    to_micro,
    total,
)
from arb.domain.operation import Convert, Merge, MergeSet, Operation, effect
from arb.domain.plan import Plan, PlannedLeg, Terms
from arb.domain.venue import PairExit
from arb.engine.account import PlanAccount

HEDGE_COST_MAX = Usd(Decimal("0.05"))
"""How much less than a sale a pair may bring that need not wait until the leg has settled."""


@dataclass(frozen=True, slots=True)
class UnwindOrder:
    """An order worth sending and its cash at the books at hand, fees included."""

    leg: int
    outcome: OutcomeId
    side: Side
    limit: Price
    size: Shares
    cash: Usd
    spend: Usd | None = None
    """Whole cents that a BUY spends."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """The smallest acceptable BUY of some shares, at the books at hand."""

    limit: Price
    size: Shares
    """What its dollars buy: at least the shares that were asked for."""
    spend: Usd
    cash: Usd
    """Paid, fee included: negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwind:
    """One way to unwind."""

    level: Shares
    """Shares kept of each member."""
    members: tuple[int, ...]
    """Legs that are kept."""
    orders: tuple[UnwindOrder, ...]
    result: Usd
    """Cash from here on and what is surely paid for what is kept."""
    left: bool = False
    """Whether shares stay that cannot be sold."""
    waits: bool = False
    """Whether it sells what has not settled yet."""

    @property
    def name(self) -> str:
        """In words."""
        if not self.orders:
            return "hold" if self.left else "exit"
        if all(order.side is Side.BUY for order in self.orders) and self.members:
            return "complete"
        return "sell back" if not self.members else "reduce"


Worth = Callable[[tuple[int, ...]], Usd]
"""What these legs of a plan pay in the worst world, at the sizes that it counts on."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """Taking one leg from what is held to a target."""

    cash: Usd
    orders: tuple[UnwindOrder, ...] = ()
    left: bool = False
    waits: bool = False


def best_unwind(
    plan: Plan, account: PlanAccount, books: Mapping[OutcomeId, OrderBook], *, trade: bool = True
) -> Unwind:
    """The unwind with the best result; of equals the one with fewer orders.

    Args:
        plan: Its legs; those without terms can only be held.
        account: What is held.
        books: Fresh books of both outcomes of every leg; a missing one can only be held.
        trade: Whether orders may still be sent; otherwise what is held decides alone.
    """
    held = [_net(plan, account, leg) for leg in plan.legs]
    worth = _worth(plan)
    orphans, left = _orphans(plan, account, books)
    if not trade:
        way = _as_it_is(plan, held, worth)
        return replace(way, left=way.left or left or bool(orphans))
    kept = {
        plan.level(leg, shares)
        for shares, leg in zip(held, plan.legs, strict=True)
        if shares > (trifle(plan, leg) if cashed(plan, account) else plan.dust)
    }
    # With nothing left, or part of it cashed, to complete the plan would be to trade it anew.
    if kept and not cashed(plan, account):
        kept.add(plan.size)
    levels = sorted({NO_SHARES, *kept})
    ways = [_at_level(plan, account, books, held, level, worth) for level in levels]
    best = min(
        [*ways, _as_it_is(plan, held, worth)], key=lambda way: (-way.result, len(way.orders))
    )
    return replace(best, orders=(*best.orders, *orphans), left=best.left or left)


def cash_operations(plan: Plan, account: PlanAccount, way: Unwind) -> list[Operation]:
    """What turns the kept legs and the pairs into cash, as far as it has settled."""
    found: list[Operation] = []
    for leg in plan.legs:
        pair = _pairs(plan, account, leg)
        waits = plan.terms_at(leg.outcome.venue).pair_exit is PairExit.RESOLUTION
        if pair > 0 and leg.terms is not None and not waits:
            both = (leg.outcome, leg.terms.opposite)
            found.append(Merge(market=leg.market, pair=both, size=pair))
    exit_ = _exit_of(plan, way)
    # Where the legs pay more than the exit they are held.
    pays = plan.guaranteed(_sizes(plan, way.level, way.members))
    if exit_ is not None and effect(exit_).cash >= pays:
        found.append(exit_)
    return found


def _exit_of(plan: Plan, way: Unwind) -> Operation | None:
    """The plan's exit, in the legs that are kept."""
    exiting = plan.exit_operation
    if way.level <= 0 or not way.members:
        return None
    members = [plan.legs[i] for i in way.members]
    if isinstance(exiting, Merge) and len(members) == len(plan.legs):
        return Merge(market=exiting.market, pair=exiting.pair, size=way.level)
    if isinstance(exiting, MergeSet) and len(members) == len(plan.legs):
        return replace(exiting, size=way.level)
    if isinstance(exiting, Convert) and len(members) > 1:
        dropped = [leg for i, leg in enumerate(plan.legs) if i not in way.members]
        others = tuple((leg.terms.opposite, leg.market) for leg in dropped if leg.terms)
        if len(others) == len(dropped):
            return Convert(
                event=exiting.event,
                gives=tuple((leg.outcome, leg.market) for leg in members),
                receives=exiting.receives + others,
                size=way.level,
            )
    return None


def trifle(plan: Plan, leg: PlannedLeg) -> Shares:
    """Shares of a leg that no order is worth: what is left of a cent, and what venues leave."""
    return Shares(leg.remainder + plan.dust)


def cashed(plan: Plan, account: PlanAccount) -> bool:
    """Whether sets were cashed: what is held since is no part of a plan to be completed."""
    return any(
        end.effect is not None
        and type(account.requests[end.id].operation) is type(plan.exit_operation)
        for end in account.ends.values()
    )


def surplus(plan: Plan, account: PlanAccount) -> list[Shares]:
    """By leg, what better books brought beyond the approved ones and beyond whole sets.

    Of a plan that is complete: its sets are cashed, if it has an exit, or are held.
    """
    if plan.exit_operation is not None:
        return [Shares(account.shares(leg.outcome) - leg.remainder) for leg in plan.legs]
    extra = [Shares(account.shares(leg.outcome) - leg.expected) for leg in plan.legs]
    levels = [plan.level(leg, more) for leg, more in zip(plan.legs, extra, strict=True)]
    sets = Shares(max(min(levels, default=ZERO), ZERO))
    return [
        Shares(more - plan.target(leg, sets)) for leg, more in zip(plan.legs, extra, strict=True)
    ]


def sales(
    plan: Plan, account: PlanAccount, books: Mapping[OutcomeId, OrderBook]
) -> tuple[UnwindOrder, ...]:
    """Orders that sell the surplus of a plan whose legs are whole, as far as there are bids.

    Dollars that met a better price bought more shares, for which a fee was paid that the profit
    does not hold: sold, they bring more than that.
    """
    found: list[UnwindOrder] = []
    for number, (leg, more) in enumerate(zip(plan.legs, surplus(plan, account), strict=True)):
        book = books.get(leg.outcome)
        if more <= plan.dust or leg.terms is None or book is None:
            continue
        if (sold := sell(book.bids, more, leg.terms)) is not None:
            limit, size, cash = sold
            found.append(UnwindOrder(number, leg.outcome, Side.SELL, limit, size, cash))
    return tuple(found)


def disposals(
    plan: Plan, account: PlanAccount, books: Mapping[OutcomeId, OrderBook]
) -> tuple[UnwindOrder, ...]:
    """Orders that sell all that has settled of the legs, as far as there are bids."""
    found: list[UnwindOrder] = []
    for number, leg in enumerate(plan.legs):
        held = account.confirmed.get(leg.outcome, NO_SHARES)
        book = books.get(leg.outcome)
        if held <= plan.dust or leg.terms is None or book is None:
            continue
        if (sold := sell(book.bids, held, leg.terms)) is not None:
            limit, size, cash = sold
            found.append(UnwindOrder(number, leg.outcome, Side.SELL, limit, size, cash))
    return tuple(found)


def buy(levels: Sequence[Level], size: Shares, terms: Terms) -> Purchase | None:
    """The smallest acceptable BUY that brings at least `size`; `None`: the book is too thin."""
    pieces = list(walk(levels, size))
    if not pieces or sum((piece.size for piece in pieces), ZERO) < size:
        return None
    rules = terms.rules
    dollars = max(
        whole_cents(total(notional(piece.price, piece.size) for piece in pieces)), rules.min_value
    )
    bought = spend(levels, dollars, levels[-1].price)
    if not bought.whole:
        return None
    worst = bought.fills[-1].price
    # A limit is on the grid, which may have become coarser than a resting order's price.
    limit = Price(-(-worst // rules.tick) * rules.tick)
    if not rules.tick <= limit <= 1 - rules.tick:
        return None
    fees = total(terms.fees.taker(fill.price, fill.size) for fill in bought.fills)
    return Purchase(limit, bought.shares, dollars, Usd(-bought.value - fees))


def sell(levels: Sequence[Level], size: Shares, terms: Terms) -> tuple[Price, Shares, Usd] | None:
    """Limit, size and cash of the largest acceptable SELL of at most `size`; `None`: none is.

    The least size of a market binds orders that rest, and a taking SELL has no least value.
    """
    step = to_micro(terms.rules.size_step)
    deep = sum(to_micro(level.size) for level in levels)
    shares = Shares(from_micro(min(to_micro_down(size), deep) // step * step))
    if shares <= 0:
        return None
    limit = list(walk(levels, shares))[-1].price
    return limit, shares, _proceeds(levels, shares, terms)


def to_micro_down(amount: Decimal) -> int:
    """Micro-units, rounded down."""
    return int(amount * 1_000_000 // 1)


def _at_level(
    plan: Plan,
    account: PlanAccount,
    books: Mapping[OutcomeId, OrderBook],
    held: Sequence[Shares],
    level: Shares,
    worth: Worth,
) -> Unwind:
    """Bring the legs to a level that are worth it, and dispose of the others."""
    moves = {
        i: _move(plan, account, books, i, held[i], NO_SHARES) or _Moved(NO_USD)
        for i in range(len(held))
    }
    kept = {
        i: moved
        for i, leg in enumerate(plan.legs)
        if level > 0
        and (moved := _move(plan, account, books, i, held[i], plan.target(leg, level))) is not None
    }
    gains = {i: Usd(moves[i].cash - moved.cash) for i, moved in kept.items()}
    members = _worth_keeping(plan, level, gains, worth)
    moves |= {i: kept[i] for i in members}
    return Unwind(
        level=level,
        members=members,
        orders=tuple(order for moved in moves.values() for order in moved.orders),
        result=Usd(
            total(moved.cash for moved in moves.values())
            + plan.guaranteed(_sizes(plan, level, members))
        ),
        left=any(moved.left for moved in moves.values()),
        waits=any(moved.waits for moved in moves.values()),
    )


def _sizes(plan: Plan, level: Shares, members: Sequence[int]) -> list[Shares]:
    """Shares of every leg where these are at a level and the others are gone."""
    return [
        plan.target(leg, level) if i in members else NO_SHARES for i, leg in enumerate(plan.legs)
    ]


def _worth(plan: Plan) -> Worth:
    return cache(lambda members: plan.guaranteed(_sizes(plan, plan.size, members)))


def _worth_keeping(
    plan: Plan, level: Shares, gains: Mapping[int, Usd], worth: Worth
) -> tuple[int, ...]:
    """The legs that are worth keeping at a level, of those that can be brought to it, if any are.

    One after the other is left out, the one with the largest gain first, as long as that is more
    than what the others pay less without it. A leg may be worth nothing once another is gone.

    Args:
        plan: Theirs.
        level: The level.
        gains: By leg, what disposing of it brings more than bringing it to the level.
        worth: What legs pay.
    """
    kept = tuple(gains)
    while True:
        before = kept
        for leg in sorted((i for i in kept if gains[i] > 0), key=lambda i: -gains[i]):
            others = tuple(i for i in kept if i != leg)
            lost = (worth(kept) - worth(others)) * level / plan.size
            if lost < gains[leg]:
                kept = others
        if kept == before:
            return kept if worth(kept) > 0 else ()


def _as_it_is(plan: Plan, held: Sequence[Shares], worth: Worth) -> Unwind:
    """Keep everything: what can leave at once leaves, the rest waits for its resolution."""
    levels = [plan.level(leg, shares) for leg, shares in zip(plan.legs, held, strict=True)]
    level, members = NO_SHARES, tuple[int, ...]()
    for most in sorted({each for each in levels if each > 0}, reverse=True):
        there = tuple(i for i, each in enumerate(levels) if each >= most)
        if worth(there) > 0:
            level, members = most, there
            break
    kept = _sizes(plan, level, members)
    rest = any(
        shares - part > trifle(plan, leg)
        for shares, part, leg in zip(held, kept, plan.legs, strict=True)
    )
    return Unwind(level=level, members=members, orders=(), result=plan.guaranteed(held), left=rest)


def _move(
    plan: Plan,
    account: PlanAccount,
    books: Mapping[OutcomeId, OrderBook],
    number: int,
    held: Shares,
    target: Shares,
) -> _Moved | None:
    """Take a leg to its target; `None` when it cannot be brought up to it."""
    leg, gap = plan.legs[number], Shares(target - held)
    if -(trifle(plan, leg) if target else plan.dust) <= gap <= 0:
        return _Moved(Usd(ZERO))
    book = books.get(leg.outcome)
    if leg.terms is None or book is None:
        return None if gap > 0 else _Moved(Usd(ZERO), left=True)
    if gap > 0:
        bought = buy(book.asks, gap, leg.terms)
        if bought is None:
            return None
        return _Moved(bought.cash, (_purchase(number, leg.outcome, bought),))
    return _dispose(plan, account, books, number, Shares(-gap))


def _dispose(
    plan: Plan,
    account: PlanAccount,
    books: Mapping[OutcomeId, OrderBook],
    number: int,
    rest: Shares,
) -> _Moved:
    """Sell what has settled, or make pairs of it; what cannot be sold stays."""
    leg = plan.legs[number]
    terms = leg.terms
    assert terms is not None
    sold = sell(books[leg.outcome].bids, rest, terms)
    ready = account.confirmed.get(leg.outcome, NO_SHARES) >= rest
    hedged = _hedge(plan, books, leg, rest)
    # The pair is worth its dollar as soon as both have settled.
    worth = Usd(hedged.cash + min(hedged.size, rest)) if hedged else NO_USD
    if sold is not None:
        limit, size, cash = sold
        # The least that a BUY may spend makes pairs of a few shares dear: those wait to be sold.
        if ready or hedged is None or worth < cash - HEDGE_COST_MAX:
            order = UnwindOrder(number, leg.outcome, Side.SELL, limit, size, cash)
            return _Moved(cash, (order,), left=rest - size > trifle(plan, leg), waits=not ready)
    if hedged is not None:
        return _Moved(worth, (_purchase(plan.hedge_of(number), terms.opposite, hedged),))
    return _Moved(Usd(ZERO), left=rest > trifle(plan, leg))


def _purchase(number: int, outcome: OutcomeId, bought: Purchase) -> UnwindOrder:
    limit, size = bought.limit, bought.size
    return UnwindOrder(number, outcome, Side.BUY, limit, size, bought.cash, bought.spend)


def _hedge(
    plan: Plan, books: Mapping[OutcomeId, OrderBook], leg: PlannedLeg, rest: Shares
) -> Purchase | None:
    assert leg.terms is not None
    other = books.get(leg.terms.opposite)
    if other is None or any(each.outcome == leg.terms.opposite for each in plan.legs):
        return None
    return buy(other.asks, rest, leg.terms)


def _orphans(
    plan: Plan, account: PlanAccount, books: Mapping[OutcomeId, OrderBook]
) -> tuple[tuple[UnwindOrder, ...], bool]:
    """Sales of hedges whose leg is gone (its trade failed after all); whether some stay unsold."""
    orders: list[UnwindOrder] = []
    left = False
    for number, leg in enumerate(plan.legs):
        if leg.terms is None or any(e.outcome == leg.terms.opposite for e in plan.legs):
            continue
        opposite = leg.terms.opposite
        extra = Shares(account.shares(opposite) - account.shares(leg.outcome))
        if extra <= plan.dust:
            continue
        book = books.get(opposite)
        sold = sell(book.bids, extra, leg.terms) if book else None
        if account.confirmed.get(opposite, NO_SHARES) < extra:
            continue  # it may fail as well; until it has settled it is waited for
        if sold is None:
            left = True
            continue
        limit, size, cash = sold
        orders.append(UnwindOrder(plan.hedge_of(number), opposite, Side.SELL, limit, size, cash))
        left = left or extra - size > plan.dust
    return tuple(orders), left


def _net(plan: Plan, account: PlanAccount, leg: PlannedLeg) -> Shares:
    """What is held of a leg beyond its pairs."""
    paired = NO_SHARES
    if leg.terms is not None and not any(e.outcome == leg.terms.opposite for e in plan.legs):
        paired = min(account.shares(leg.outcome), account.shares(leg.terms.opposite))
    return Shares(max(account.shares(leg.outcome) - paired, ZERO))


def _pairs(plan: Plan, account: PlanAccount, leg: PlannedLeg) -> Shares:
    """Settled pairs of a leg and its complement: a hedge makes them, or a conversion."""
    if leg.terms is None or any(e.outcome == leg.terms.opposite for e in plan.legs):
        return NO_SHARES
    have = (account.confirmed.get(o, NO_SHARES) for o in (leg.outcome, leg.terms.opposite))
    return Shares(max(min(have), ZERO))


def _proceeds(levels: Sequence[Level], size: Shares, terms: Terms) -> Usd:
    return total(
        Usd(notional(piece.price, piece.size) - terms.fees.taker(piece.price, piece.size))
        for piece in walk(levels, size)
    )
