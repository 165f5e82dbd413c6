"""Balances on the embedded chain: dollars, outcome tokens and allowances, in millionths.

The one truth about money. Every change keeps the invariants that `problems` checks: nothing is made
or lost, YES and NO of a market are equally many, no balance is negative.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

K = TypeVar("K", bound=Hashable)


UNLIMITED = 2**256 - 1
"""An allowance that is never used up."""


class NotPossible(Exception):
    """The chain reverts; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a wallet did with positions on chain, beside trading."""

    kind: Literal["SPLIT", "MERGE", "REDEEM", "CONVERSION"]
    wallet: str
    tokens: tuple[str, ...]
    """What it was done with; for a redemption the outcome that was cashed."""
    shares: int
    dollars: int
    """What went in or came out."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Dollars from outside; negative ones went back there."""

    wallet: str
    amount: int
    unix: float


@dataclass(slots=True)
class Change:
    """What a whole transaction moved."""

    dollars: dict[str, int] = field(default_factory=dict)
    tokens: dict[tuple[str, str], int] = field(default_factory=dict)
    escrow: int = 0


@dataclass(slots=True)
class Bank:
    """Balances of all wallets. Wallets are addresses in lower case; amounts are millionths."""

    dollars: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    tokens: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """By wallet and token id (decimal)."""
    allowances: dict[tuple[str, str], int] = field(default_factory=dict)
    """Dollars that a spender may take, by owner and spender."""
    operators: set[tuple[str, str, str]] = field(default_factory=set)
    """Owner, token contract and operator that may move the owner's tokens."""
    deposited: int = 0
    escrow: int = 0
    """Dollars that back outstanding tokens."""
    acts: list[Act] = field(default_factory=list)
    """Of the transaction that is carried out on this state."""
    deposits: list[Deposit] = field(default_factory=list)
    unix: Callable[[], float] = lambda: 0.0
    """Unix seconds, for deposits."""

    def deposit(self, wallet: str, amount: int) -> None:
        """Dollars from outside, or back outside when negative."""
        self._need(wallet, -amount)
        self.dollars[wallet.lower()] += amount
        self.deposited += amount
        self.deposits.append(Deposit(wallet.lower(), amount, self.unix()))

    def usd(self, wallet: str) -> int:
        """Dollars of a wallet."""
        return self.dollars[wallet.lower()]

    def shares(self, wallet: str, token: str) -> int:
        """Shares of a wallet in one outcome."""
        return self.tokens[wallet.lower(), token]

    def pay(self, payer: str, payee: str, amount: int) -> None:
        """Move dollars."""
        self._need(payer, amount)
        self.dollars[payer.lower()] -= amount
        self.dollars[payee.lower()] += amount

    def give(self, giver: str, taker: str, token: str, amount: int) -> None:
        """Move shares."""
        self._need_shares(giver, token, amount)
        self.tokens[giver.lower(), token] -= amount
        self.tokens[taker.lower(), token] += amount

    def split(self, wallet: str, pair: Sequence[str], amount: int) -> None:
        """Dollars become as many YES and NO."""
        self._need(wallet, amount)
        self.dollars[wallet.lower()] -= amount
        self.escrow += amount
        for token in pair:
            self.tokens[wallet.lower(), token] += amount

    def merge(self, wallet: str, pair: Sequence[str], amount: int) -> None:
        """YES and NO become as many dollars."""
        for token in pair:
            self._need_shares(wallet, token, amount)
        for token in pair:
            self.tokens[wallet.lower(), token] -= amount
        self.escrow -= amount
        self.dollars[wallet.lower()] += amount

    def convert(
        self, wallet: str, gives: Sequence[str], receives: Iterable[str], amount: int
    ) -> None:
        """NO of k questions become k - 1 dollars and YES of the others.

        See docs/venue-polymarket.md §7.2.
        """
        if not gives:
            raise NotPossible("nothing to convert")
        for token in gives:
            self._need_shares(wallet, token, amount)
        for token in gives:
            self.tokens[wallet.lower(), token] -= amount
        for token in receives:
            self.tokens[wallet.lower(), token] += amount
        self.escrow -= (len(gives) - 1) * amount
        self.dollars[wallet.lower()] += (len(gives) - 1) * amount

    def redeem(self, wallet: str, token: str, pays: int) -> int:
        """All shares of a resolved outcome become dollars at `pays` millionths each."""
        held = self.shares(wallet, token)
        worth = held * pays // 1_000_000
        self.tokens[wallet.lower(), token] = 0
        self.escrow -= worth
        self.dollars[wallet.lower()] += worth
        return worth

    def allow(self, owner: str, spender: str, amount: int) -> None:
        """Let a spender take up to this amount of dollars."""
        self.allowances[owner.lower(), spender.lower()] = amount

    def spend_allowance(self, owner: str, spender: str, amount: int) -> None:
        """Use up an allowance; one without limit stays."""
        key = (owner.lower(), spender.lower())
        allowed = self.allowances.get(key, 0)
        if allowed < amount:
            raise NotPossible(f"{owner} allows {spender} {allowed} of {amount}")
        if allowed < UNLIMITED:
            self.allowances[key] = allowed - amount

    def may_move(self, owner: str, contract: str, operator: str) -> bool:
        """Whether an operator may move the owner's tokens."""
        return (owner.lower(), contract.lower(), operator.lower()) in self.operators

    @contextmanager
    def atomically(self) -> Iterator[Change]:
        """All that the block does, or nothing if it raises; reports afterwards what has moved."""
        dollars, tokens = dict(self.dollars), dict(self.tokens)
        rest = (dict(self.allowances), set(self.operators), self.deposited, self.escrow)
        change = Change()
        try:
            yield change
        except BaseException:
            self.dollars, self.tokens = defaultdict(int, dollars), defaultdict(int, tokens)
            self.allowances, self.operators, self.deposited, self.escrow = rest
            raise
        change.dollars = _moved(dollars, self.dollars)
        change.tokens = _moved(tokens, self.tokens)
        change.escrow = self.escrow - rest[3]

    def undo(self, change: Change) -> None:
        """Reverse a transaction, as when a block is lost; allowances stay spent."""
        for wallet, gained in change.dollars.items():
            self._need(wallet, gained)
        for (wallet, token), gained in change.tokens.items():
            self._need_shares(wallet, token, gained)
        for wallet, gained in change.dollars.items():
            self.dollars[wallet] -= gained
        for key, gained in change.tokens.items():
            self.tokens[key] -= gained
        self.escrow -= change.escrow

    def problems(self, pairs: Iterable[tuple[str, str]] = ()) -> list[str]:
        """Broken invariants; `pairs` are YES and NO of unresolved markets never converted into."""
        found = [f"{w} owes {-v}" for w, v in self.dollars.items() if v < 0]
        found += [f"{w} lacks {-v} of {t}" for (w, t), v in self.tokens.items() if v < 0]
        if sum(self.dollars.values()) + self.escrow != self.deposited:
            found.append("dollars were made or lost")
        supply: defaultdict[str, int] = defaultdict(int)
        for (_, token), held in self.tokens.items():
            supply[token] += held
        found += [f"{yes}: YES and NO differ" for yes, no in pairs if supply[yes] != supply[no]]
        return found

    def _need(self, wallet: str, amount: int) -> None:
        if self.usd(wallet) < amount:
            raise NotPossible(f"{wallet} has {self.usd(wallet)} of {amount}")

    def _need_shares(self, wallet: str, token: str, amount: int) -> None:
        if self.shares(wallet, token) < amount:
            raise NotPossible(f"{wallet} has {self.shares(wallet, token)} of {amount} {token}")


def _moved(before: Mapping[K, int], now: Mapping[K, int]) -> dict[K, int]:
    return {key: v - before.get(key, 0) for key, v in now.items() if v != before.get(key, 0)}
