"""What the venue checks before it takes an order, and the exact words it refuses with.

docs/venue-polymarket.md §3.2 and §3.5.
"""

from collections.abc import Iterator
from decimal import Decimal

from arb.domain.market import Side
from arb.domain.money import MICRO, Price, Shares, from_micro, text, to_micro
from arb.exchange.market.addresses import exchange_of, token_contract
from arb.exchange.market.listing import SimMarket
from arb.exchange.trading.bank import Bank
from arb.exchange.trading.behaviour import Behaviour, Mode
from arb.exchange.trading.orders import NewOrder, Refusal

CENT = MICRO // 100
INVALID_PAYLOAD = "Invalid order payload"
INVALID_TOKEN = "Invalid token id"
NO_BOOK = "No orderbook exists for the requested token id"
NOT_READY = "the market is not yet ready to process new orders"
NO_BALANCE = "not enough balance / allowance"
FOK_NOT_FILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_NOT_FILLED = (
    "no orders found to match with FAK order. "
    "FAK orders are partially filled or killed if no match is found."
)
POST_ONLY_CROSSES = "invalid post-only order: order crosses book"
POST_ONLY_MODE = "post-only mode: only post-only orders and cancels are allowed"
CANCEL_ONLY = (
    "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
)
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
RESTARTING = "matching engine is restarting"
VERSION = "order_version_mismatch"
BANNED = "address banned"
CLOSED_ONLY = "address in closed only mode"
EXPIRATION = "invalid expiration"

AMOUNT_DECIMALS = {
    Decimal("0.1"): 3,
    Decimal("0.01"): 4,
    Decimal("0.005"): 5,
    Decimal("0.0025"): 6,
    Decimal("0.001"): 5,
    Decimal("0.0001"): 6,
}
"""Decimals of the amount that is not the given one, by tick (docs/venue-polymarket.md §3.2)."""
TAKER_DECIMALS_MAX = 4
"""Whatever the tick: production refuses a fifth decimal of what a taking order asks for."""
CLOSED_MODES = {
    Mode.RESTARTING: Refusal(425, RESTARTING),
    Mode.CANCEL_ONLY: Refusal(503, CANCEL_ONLY),
    Mode.DISABLED: Refusal(503, DISABLED),
}
SIZE_STEP = MICRO // 100
"""The given size has two decimals."""


def mode_forbids(order: NewOrder, conduct: Behaviour) -> Refusal | None:
    """Refusals by the venue's mode and the account's standing."""
    if conduct.mode is Mode.POST_ONLY and not order.post_only:
        return Refusal(503, POST_ONLY_MODE)
    if conduct.mode in CLOSED_MODES:
        return CLOSED_MODES[conduct.mode]
    against = (
        (conduct.version_mismatch, VERSION),
        (conduct.banned, BANNED),
        (conduct.closed_only and order.side is Side.BUY, CLOSED_ONLY),
    )
    return next((Refusal(400, why) for applies, why in against if applies), None)


def rules_forbid(
    order: NewOrder, market: SimMarket | None, conduct: Behaviour, unix: int
) -> Refusal | None:
    """The first of the market's rules that is broken."""
    if market is None:
        return Refusal(400, INVALID_TOKEN)
    if market.closed:
        return Refusal(404, NO_BOOK)
    broken = next(_broken(order, market, conduct, unix), None)
    return None if broken is None else Refusal(400, broken)


def _broken(order: NewOrder, market: SimMarket, conduct: Behaviour, unix: int) -> Iterator[str]:
    if not market.accepting or not market.active:
        yield NOT_READY
    if min(order.maker_amount, order.taker_amount) <= 0 or (order.post_only and order.takes):
        yield INVALID_PAYLOAD
        return
    tick, price = to_micro(market.tick), order.price
    if not _precise(order, market.tick):
        yield _precision(order, market.tick)
    exact = order.dollars * MICRO % order.size == 0 and price % tick == 0
    if not tick <= price <= MICRO - tick or not (exact or order.takes):
        shown = text(round(Decimal(order.dollars) / Decimal(order.size), 6))
        what = f"Price ({shown}) breaks minimum tick size rule: {text(market.tick)}"
        yield f"order {order.hash} is invalid. {what}"
    binds = conduct.min_size_for_takers or not order.takes
    if binds and order.size < to_micro(market.min_size):
        size = text(from_micro(order.size))
        what = f"Size ({size}) lower than the minimum: {text(market.min_size)}"
        yield f"order {order.hash} is invalid. {what}"
    if order.takes and (small := too_small(order)):
        yield small
    if order.life == "GTD" and order.expires < unix + 60:
        yield EXPIRATION
    if order.life != "GTD" and order.expires:
        yield EXPIRATION


def too_small(order: NewOrder) -> str | None:
    """Why a BUY may not trade at once: it spends less than a dollar, resting life or not."""
    if order.side is Side.SELL or order.dollars >= MICRO:
        return None
    amount = text(from_micro(order.dollars))
    return f"invalid amount for a marketable BUY order (${amount}), min size: $1"


def _precise(order: NewOrder, tick: Decimal) -> bool:
    """Whether both amounts have no more decimals than allowed: the given one two."""
    step = int(10 ** (6 - _decimals(order, tick)))
    if order.takes:
        return order.maker_amount % CENT == 0 and order.taker_amount % step == 0
    return order.size % SIZE_STEP == 0 and order.dollars % step == 0


def _precision(order: NewOrder, tick: Decimal) -> str:
    fine = _decimals(order, tick)
    kind = "market" if order.takes else "limit"
    maker, taker = (2, fine) if order.takes or order.side is Side.SELL else (fine, 2)
    return (
        f"invalid amounts, the {kind} {order.side.lower()} orders maker amount supports a max "
        f"accuracy of {maker} decimals, taker amount a max of {taker} decimals"
    )


def _decimals(order: NewOrder, tick: Decimal) -> int:
    fine = AMOUNT_DECIMALS.get(tick, 6)
    return min(fine, TAKER_DECIMALS_MAX) if order.takes else fine


def taker_fee(market: SimMarket, price: int, size: int) -> int:
    """What the taker of a fill is charged."""
    return to_micro(market.schedule.taker(Price(from_micro(price)), Shares(from_micro(size))))


def funds_forbid(order: NewOrder, market: SimMarket, have: int) -> Refusal | None:
    """Whether `have` is too little: for a BUY dollars, for a taking one its fee too."""
    need = order.maker_amount
    if order.side is Side.BUY and order.takes:
        need += taker_fee(market, order.price, order.size)
    if have >= need:
        return None
    what = f"the balance is not enough -> balance: {max(have, 0)}, order amount: {need}"
    return Refusal(400, f"{NO_BALANCE}: {what}")


def allowance_forbids(order: NewOrder, market: SimMarket, bank: Bank) -> Refusal | None:
    """Whether the exchange may not take what the order gives."""
    spender, need = exchange_of(market), order.maker_amount
    if order.side is Side.SELL:
        may = bank.may_move(order.wallet, token_contract(order.token), spender)
        allowed = need if may else 0
    else:
        allowed = bank.allowances.get((order.wallet.lower(), spender), 0)
    if allowed >= need:
        return None
    what = f"the allowance is not enough -> spender: {spender}, allowance: {allowed}"
    return Refusal(400, f"{NO_BALANCE}: {what}, order amount: {need}")
