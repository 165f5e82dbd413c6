"""What wallets have made of their trades: costs, profits and volumes.

Costs are averages without fees, as the Data API of the venue has it. Amounts are millionths.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from arb.domain.market import Side
from arb.domain.money import MICRO
from arb.exchange.market.listing import SimMarket
from arb.exchange.trading.bank import Act
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import HOUSE, Trade

Acts = Callable[[], Sequence[tuple[Act, float, str]]]
"""What wallets did on chain, when, and in which transaction."""


@dataclass(frozen=True, slots=True)
class Part:
    """One wallet's part in a settled trade."""

    trade: Trade
    wallet: str
    token: str
    side: Side
    size: int
    dollars: int
    """Before fees."""
    fee: int
    taker: bool

    @property
    def paid(self) -> int:
        """What it cost with its fee, or brought without."""
        return self.dollars + (self.fee if self.side is Side.BUY else -self.fee)

    @property
    def price(self) -> Decimal:
        """Dollars for a share, in six decimals."""
        return round(Decimal(self.dollars) / Decimal(self.size), 6) if self.size else Decimal(0)


@dataclass(slots=True)
class Holding:
    """What a wallet has bought of a token and not given away again."""

    shares: int = 0
    cost: int = 0
    bought: int = 0
    """Shares in all."""
    spent: int = 0
    """Dollars for them."""
    fees: int = 0
    realized: int = 0
    first_unix: float = 0.0
    last_unix: float = 0.0

    def take(self, shares: int, cost: int, unix: float) -> None:
        """More shares, for so much."""
        self.first_unix = self.first_unix or unix
        self.last_unix = unix
        self.shares += shares
        self.cost += cost
        self.bought += shares
        self.spent += cost

    def give(self, shares: int, proceeds: int, unix: float) -> None:
        """Fewer shares, for so much."""
        gone = self.cost * shares // self.shares if self.shares else 0
        self.last_unix = unix
        self.shares, self.cost = max(self.shares - shares, 0), self.cost - gone
        self.realized += proceeds - gone


@dataclass(slots=True)
class Account:
    """A wallet's history up to a time."""

    holdings: defaultdict[str, Holding] = field(default_factory=lambda: defaultdict(Holding))
    trades: int = 0
    shares: int = 0
    """Traded."""
    dollars: int = 0
    """Traded."""
    fees: int = 0

    @property
    def realized(self) -> int:
        """Profit of what was given away again, before fees."""
        return sum(one.realized for one in self.holdings.values())


class Accounts:
    """All wallets."""

    def __init__(self, floor: MatchingService, acts: Acts) -> None:
        self._floor, self._acts = floor, acts

    def acts(self) -> Sequence[tuple[Act, float, str]]:
        """What wallets did with positions on chain, when, and in which transaction."""
        return self._acts()

    def parts(self) -> Iterator[Part]:
        """Every account's part in every settled trade, oldest trade first, its taker first."""
        for trade in self._floor.trades.values():
            if not trade.moved:
                continue
            order, fees = trade.taker, sum(trade.fees)
            mine = (trade, order.wallet, order.token, order.side, trade.size, trade.value)
            yield Part(*mine, fees, taker=True)
            for piece in trade.pieces:
                paid = piece.price * piece.size // MICRO
                theirs = (trade, piece.wallet, piece.token, piece.side, piece.size, paid)
                yield Part(*theirs, 0, taker=False)

    def wallets(self) -> list[str]:
        """Every account that has traded, except the house."""
        return sorted({one.wallet.lower() for one in self.parts()} - {HOUSE})

    def account(self, wallet: str, until: float = float("inf"), since: float = 0) -> Account:
        """A wallet's history between two times in Unix seconds."""
        found, key = Account(), wallet.lower()
        for when, step in sorted(self._steps(key), key=lambda one: one[0]):
            if since <= when <= until:
                self._apply(found, step, when)
        return found

    def worth(self, token: str) -> int:
        """What a share would bring now: its payout, or the best bid."""
        market = self._floor.exchange.market_of(token)
        return 0 if market is None else worth(market, token)

    def _steps(self, wallet: str) -> Iterator[tuple[float, Part | Act]]:
        for part in self.parts():
            if part.wallet.lower() == wallet:
                yield part.trade.unix, part
        for act, unix, _ in self._acts():
            if act.wallet.lower() == wallet:
                yield unix, act

    def _apply(self, account: Account, step: Part | Act, unix: float) -> None:
        holdings = account.holdings
        if isinstance(step, Part):
            account.trades += 1
            account.shares += step.size
            account.dollars += step.dollars
            account.fees += step.fee
            held = holdings[step.token]
            if step.side is Side.BUY:
                held.take(step.size, step.dollars, unix)
                held.fees += step.fee
            else:
                held.give(step.size, step.dollars, unix)
            return
        count = len(step.tokens)
        match step.kind:
            case "SPLIT":
                for token in step.tokens:
                    holdings[token].take(step.shares, step.dollars // count, unix)
            case "MERGE":
                for token in step.tokens:
                    holdings[token].give(step.shares, step.dollars // count, unix)
            case "REDEEM":
                holdings[step.tokens[0]].give(step.shares, step.dollars, unix)
            case "CONVERSION":
                self._convert(account, step, unix)

    def _convert(self, account: Account, act: Act, unix: float) -> None:
        """NO of some questions for YES of the others: the cost goes with them, less the cash."""
        no = {market.no for market in self._floor.exchange.markets()}
        given = [token for token in act.tokens if token in no]
        taken = [token for token in act.tokens if token not in no]
        moved = 0
        for token in given:
            held = account.holdings[token]
            gone = held.cost * act.shares // held.shares if held.shares else 0
            held.shares, held.cost = max(held.shares - act.shares, 0), held.cost - gone
            moved += gone
        rest = moved - act.dollars
        for token in taken:
            account.holdings[token].take(act.shares, max(rest, 0) // len(taken), unix)
        if given and (rest < 0 or not taken):
            account.holdings[given[0]].realized -= rest


def worth(market: SimMarket, token: str) -> int:
    """What a share of an outcome would bring now, in millionths."""
    if market.resolution is not None:
        yes = int(market.resolution * MICRO)
        return yes if token == market.yes else MICRO - yes
    bids, _ = market.view(token)
    return bids[0][0] if bids else 0
