"""What a transaction changed in the bank, so that it can be carried out whole and be undone."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from arb.exchange.trading.bank import Act, Bank, NotPossible

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference between two states of the bank."""

    dollars: Mapping[str, int]
    tokens: Mapping[tuple[str, str], int]
    allowances: Mapping[tuple[str, str], tuple[int, int]]
    """Before and after."""
    operators: Mapping[tuple[str, str, str], bool]
    """Whether the permission was given or taken."""
    escrow: int
    acts: tuple[Act, ...] = ()
    """Operations on positions, for the history."""

    def reversed(self) -> "Change":
        """What takes this back."""
        return Change(
            dollars={key: -moved for key, moved in self.dollars.items()},
            tokens={key: -moved for key, moved in self.tokens.items()},
            allowances={key: (new, old) for key, (old, new) in self.allowances.items()},
            operators={key: not given for key, given in self.operators.items()},
            escrow=-self.escrow,
        )


def copied(bank: Bank) -> Bank:
    """The same state, on its own."""
    return Bank(
        dollars=defaultdict(int, bank.dollars),
        tokens=defaultdict(int, bank.tokens),
        allowances=dict(bank.allowances),
        operators=set(bank.operators),
        deposited=bank.deposited,
        escrow=bank.escrow,
    )


def between(before: Bank, after: Bank) -> Change:
    """What led from one state to the other."""
    allowed = before.allowances.keys() | after.allowances.keys()
    return Change(
        dollars=_difference(before.dollars, after.dollars),
        tokens=_difference(before.tokens, after.tokens),
        allowances={
            key: (before.allowances.get(key, 0), after.allowances.get(key, 0))
            for key in allowed
            if before.allowances.get(key, 0) != after.allowances.get(key, 0)
        },
        operators={
            **dict.fromkeys(after.operators - before.operators, True),
            **dict.fromkeys(before.operators - after.operators, False),
        },
        escrow=after.escrow - before.escrow,
        acts=tuple(after.acts),
    )


def carry_out(bank: Bank, change: Change) -> None:
    """Let a change happen."""
    for wallet, moved in change.dollars.items():
        bank.dollars[wallet] += moved
    for key, moved in change.tokens.items():
        bank.tokens[key] += moved
    for pair, (_, now) in change.allowances.items():
        bank.allowances[pair] = now
    for permission, given in change.operators.items():
        if given:
            bank.operators.add(permission)
        else:
            bank.operators.discard(permission)
    bank.escrow += change.escrow


def undo(bank: Bank, change: Change) -> None:
    """Take a change back.

    Raises:
        NotPossible: What it gave has been spent since.
    """
    for wallet, moved in change.dollars.items():
        if bank.dollars[wallet] < moved:
            raise NotPossible(f"{wallet} has spent it")
    for key, moved in change.tokens.items():
        if bank.tokens[key] < moved:
            raise NotPossible(f"{key[0]} has spent it")
    carry_out(bank, change.reversed())


def _difference(before: Mapping[Key, int], after: Mapping[Key, int]) -> dict[Key, int]:
    keys = before.keys() | after.keys()
    moved = {key: after.get(key, 0) - before.get(key, 0) for key in keys}
    return {key: amount for key, amount in moved.items() if amount}
