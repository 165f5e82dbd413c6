"""Settlement: what the chain makes of trades, each one whole or not at all.

See docs/venue-polymarket.md §7.4.
"""

import random
from collections.abc import Callable

from arb.domain.market import Side
from arb.domain.money import MICRO
from arb.exchange.market.addresses import exchange_of, token_contract
from arb.exchange.trading.bank import Bank, Change, NotPossible
from arb.exchange.trading.behaviour import Behaviour
from arb.exchange.trading.orders import HOUSE, Piece, Trade, TradeStatus

MOVES = (TradeStatus.MINED, TradeStatus.CONFIRMED)


class Chain:
    """Trades on their way, and what they move."""

    def __init__(self, bank: Bank, chance: random.Random, tell: Callable[[Trade], None]) -> None:
        self._bank, self._chance, self._tell = bank, chance, tell
        self.underway: list[Trade] = []
        self._last = ""
        """The transaction that was mined last."""

    def send(self, trade: Trade, conduct: Behaviour) -> None:
        """Let a new trade go its way."""
        trade.plan = self._plan(trade.at, conduct)
        self.underway.append(trade)

    def advance(self, now: float, unix: int, conduct: Behaviour) -> None:
        """Take every step that is due."""
        for trade in list(self.underway):
            while trade.plan and trade.plan[0][0] <= now:
                trade.updated = unix
                moved = trade.moved
                self._step(trade, trade.plan.pop(0)[1], conduct)
                if trade.moved and not moved:
                    trade.mined_at = now
            if not trade.plan:
                self.underway.remove(trade)

    def _plan(self, at: float, conduct: Behaviour) -> list[tuple[float, TradeStatus]]:
        spread = conduct.settle_spread
        slower = self._chance.lognormvariate(0, spread) if spread else 1.0
        mined, confirmed = conduct.mined_after * slower, conduct.confirmed_after * slower
        if conduct.statuses:
            said = enumerate(conduct.statuses, start=1)
            return [(at + mined * n, TradeStatus(status)) for n, status in said]
        fails = self._chance.random() < conduct.fail
        end = TradeStatus.FAILED if fails else TradeStatus.CONFIRMED
        path = [TradeStatus.RETRYING] * (conduct.retries or int(fails and not conduct.fail_mined))
        if conduct.fail_mined or not fails:
            path.append(TradeStatus.MINED)
        gap = (confirmed - mined) / len(path)
        steps = [(at + mined + gap * n, status) for n, status in enumerate(path)]
        return [*steps, (at + max(mined, confirmed), end)]

    def _step(self, trade: Trade, status: TradeStatus, conduct: Behaviour) -> None:
        if status in MOVES and not trade.moved:
            try:
                self._settle(trade, conduct)
            except NotPossible:
                status, trade.plan = TradeStatus.FAILED, []
            else:
                trade.transaction = trade.transaction or self._hash(conduct)
        elif status is TradeStatus.FAILED and trade.moves is not None:
            self._restock(trade, trade.moves)
            try:
                self._bank.undo(trade.moves)
            except NotPossible:
                # The receiver has spent it since: the block that did so would be lost as well.
                status = TradeStatus.CONFIRMED
            else:
                trade.moves = None
        trade.status = status
        self._tell(trade)

    def _restock(self, trade: Trade, moved: Change) -> None:
        """The house can always give back what it got."""
        pair = (trade.market.yes, trade.market.no)
        for token in pair:
            lacks = moved.tokens.get((HOUSE, token), 0) - self._bank.shares(HOUSE, token)
            if lacks > 0:
                self._bank.split(HOUSE, pair, lacks)

    def _hash(self, conduct: Behaviour) -> str:
        if not (conduct.same_transaction and self._last):
            self._last = f"0x{self._chance.getrandbits(256):064x}"
        return self._last

    def _settle(self, trade: Trade, conduct: Behaviour) -> None:
        if self._chance.random() < conduct.maker_rug:
            raise NotPossible("a maker has moved its funds away")
        if _gains(trade) and self._chance.random() < conduct.fail_gaining:
            raise NotPossible("the makers of what has become dear saw to it")
        with self._bank.atomically() as moved:
            for piece, fee in zip(trade.pieces, trade.fees, strict=True):
                self._move(trade, piece, fee, conduct)
        trade.moves = moved

    def _move(self, trade: Trade, piece: Piece, fee: int, conduct: Behaviour) -> None:
        taker, size = trade.taker, piece.size
        value = trade.taker_price(piece) * size // MICRO
        if conduct.allowances_checked:
            theirs = piece.price * size // MICRO
            self._use(trade, taker.wallet, taker.side, taker.token, value + fee)
            self._use(trade, piece.wallet, piece.side, piece.token, theirs)
        if taker.side is Side.BUY:
            self._buy(trade, piece, value, fee)
            if conduct.fee_in_shares and fee:
                shares = fee * MICRO // trade.taker_price(piece)
                self._bank.pay(HOUSE, taker.wallet, fee)
                self._bank.give(taker.wallet, HOUSE, taker.token, shares)
        else:
            self._sell(trade, piece, value, fee)

    def _use(self, trade: Trade, wallet: str, side: Side, token: str, dollars: int) -> None:
        """What the chain checks before it moves something out of an account."""
        if wallet == HOUSE:
            return
        exchange = exchange_of(trade.market)
        if side is Side.BUY:
            self._bank.spend_allowance(wallet, exchange, dollars)
        elif not self._bank.may_move(wallet, token_contract(token), exchange):
            raise NotPossible(f"{wallet} lets {exchange} move nothing")

    def _buy(self, trade: Trade, piece: Piece, value: int, fee: int) -> None:
        bank, wallet, maker, size = self._bank, trade.taker.wallet, piece.wallet, piece.size
        token, other = trade.taker.token, _other(trade)
        lacks = maker == HOUSE and bank.shares(HOUSE, token) < size
        if (piece.token != token and maker != HOUSE) or lacks:
            # MINT: both buy, and the pair is split out of what both pay.
            bank.pay(wallet, HOUSE, value + fee)
            bank.pay(maker, HOUSE, size - value)
            bank.split(HOUSE, (token, other), size)
            bank.give(HOUSE, wallet, token, size)
            bank.give(HOUSE, maker, other, size)
        else:
            bank.pay(wallet, maker, value)
            bank.pay(wallet, HOUSE, fee)
            bank.give(maker, wallet, token, size)

    def _sell(self, trade: Trade, piece: Piece, value: int, fee: int) -> None:
        bank, wallet, maker, size = self._bank, trade.taker.wallet, piece.wallet, piece.size
        token, other = trade.taker.token, _other(trade)
        if wallet == HOUSE and bank.shares(HOUSE, token) < size:
            bank.split(HOUSE, (token, other), size)
        bank.give(wallet, HOUSE, token, size)
        if piece.token != token and maker != HOUSE:
            # MERGE: both sell, and the pair becomes the dollar that both are paid from.
            bank.give(maker, HOUSE, other, size)
            bank.merge(HOUSE, (token, other), size)
            bank.pay(HOUSE, maker, size - value)
        else:
            bank.give(HOUSE, maker, token, size)
            bank.pay(maker, HOUSE, value)
        bank.pay(HOUSE, wallet, value - fee)


def _other(trade: Trade) -> str:
    market = trade.market
    return market.no if trade.taker.token == market.yes else market.yes


def _gains(trade: Trade) -> bool:
    """Whether the market has moved the taker's way since."""
    bids, asks = trade.market.view(trade.taker.token)
    if not bids or not asks or not trade.size:
        return False
    middle, paid = (bids[0][0] + asks[0][0]) // 2, trade.value * MICRO // trade.size
    return middle > paid if trade.taker.side is Side.BUY else middle < paid
