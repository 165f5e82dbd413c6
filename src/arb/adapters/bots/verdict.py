"""What a bot answered, held against what it was asked. Pure.

A bot cannot make an order larger, dearer or a different one: it may only approve, at this price or
a better one, or no.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from arb.adapters.bots.messages import BadDocument, Reported, Result
from arb.domain.errors import Unavailable
from arb.domain.market import Side
from arb.domain.money import NO_SHARES, ONE, ZERO, Price, Shares, Usd, notional, total
from arb.domain.order import Fill, Final, Order
from arb.domain.plan import Plan


class Declined(Unavailable):
    """The bot does not want the plan; nothing has been sent."""


def wanted(orders: Sequence[Order], plan: Plan, result: Result) -> list[Order]:
    """The orders as the bot wants them sent: as they are, where it names none.

    Raises:
        BadDocument: It wants what the plan does not hold.
        Declined: It declines, or wants less than the whole: legs are bought in equal shares.
    """
    if not result.success:
        raise Declined(f"{result.bot_name} declined: {result.reason or 'no reason given'}")
    if result.orders is None:
        return list(orders)
    intents = {intent.id: intent for intent in result.orders}
    if len(intents) != len(result.orders):
        raise BadDocument("order_twice")
    if not intents.keys() <= {order.id for order in orders}:
        raise BadDocument("not_in_plan")
    ticks = {leg.outcome: leg.terms.rules.tick for leg in plan.legs if leg.terms}
    made: list[Order] = []
    for order in orders:
        intent = intents.get(order.id)
        if intent is None:
            raise Declined(f"{result.bot_name} left out {order.id}")
        price, shares = Price(Decimal(intent.price)), Shares(Decimal(intent.shares))
        check_price(order, price)
        if shares < order.size:
            raise Declined(f"{result.bot_name} wants only part of {order.id}")
        if shares > order.size:
            raise BadDocument("too_many_shares", f"{shares} of {order.size}")
        tick = ticks.get(order.outcome)
        if price != order.limit and (tick is None or price % tick):
            raise BadDocument("off_tick", intent.id)
        made.append(replace(order, limit=price))
    return made


def happened(orders: Sequence[Order], result: Result, at: datetime) -> dict[str, Final]:
    """For each order, what a bot with an account of its own reports of it.

    Raises:
        BadDocument: It reports what it was not asked for.
    """
    known = {order.id: order for order in orders}
    fills: dict[str, list[Fill]] = {order.id: [] for order in orders}
    for reported in result.fills or ():
        order = next((o for id_, o in known.items() if id_ == reported.order), None)
        if order is None:
            raise BadDocument("not_in_plan", reported.order)
        fills[order.id].append(_fill(order, reported, at))
    for order in orders:
        filled = sum((fill.size for fill in fills[order.id]), NO_SHARES)
        paid = total(notional(fill.price, fill.size) for fill in fills[order.id])
        # A BUY is an amount of dollars: a better price buys more shares.
        beyond = paid > order.dollars if order.side is Side.BUY else filled > order.size
        if beyond:
            raise BadDocument("too_many_shares", order.id)
    why = result.reason or "the bot reports no fill"
    return {id_: Final(tuple(found), "" if found else why) for id_, found in fills.items()}


def check_price(order: Order, price: Price) -> None:
    """Hold a price against the order's limit.

    Raises:
        BadDocument: It is none, or beyond it.
    """
    if not ZERO < price < ONE:
        raise BadDocument("no_price", str(price))
    worse = price > order.limit if order.side is Side.BUY else price < order.limit
    if worse:
        raise BadDocument("beyond_limit", f"{price} against {order.limit}")


def _fill(order: Order, reported: Reported, at: datetime) -> Fill:
    price, shares = Price(Decimal(reported.price)), Shares(Decimal(reported.shares))
    check_price(order, price)
    if shares <= 0:
        raise BadDocument("no_shares", str(shares))
    fee = Usd(Decimal(reported.fee))
    if fee > price * shares:
        raise BadDocument("fee_too_large", reported.fee)
    return Fill(
        order=order.id,
        outcome=order.outcome,
        market=order.market,
        side=order.side,
        price=price,
        size=shares,
        fee=fee,
        shown=shares,
        at=at,
    )
