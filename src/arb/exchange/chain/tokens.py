"""The tokens of the embedded chain: the dollar (ERC-20), outcomes of v1 and v2 (ERC-1155)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from arb.exchange.chain.addresses import Deployment
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.market.exchange import Exchange
from arb.exchange.trading.bank import Bank

UNLIMITED = (1 << 256) - 1
Handler = Callable[..., Any]
"""Takes the bank, the caller, the contract that is called, and the arguments; gives the answer as
bytes or as ABI types and values."""
Function = tuple[Sequence[str], str, Handler, int]
"""Contracts, signature, what it does, and about how much gas it costs."""


class Reverts(Exception):
    """The contract refuses, with a reason or without one; nothing has changed."""


@dataclass(slots=True)
class Tokens:
    """The three token contracts. Callers and callees are addresses in lower case."""

    exchange: Exchange
    conduct: ChainBehaviour
    places: Deployment

    def functions(self) -> list[Function]:
        """What the contracts can be asked."""
        places = self.places
        listed: list[Function] = [
            ((places.collateral,), "balanceOf(address)", self._usd, 0),
            ((places.collateral,), "decimals()", lambda *_: (["uint8"], [6]), 0),
            ((places.collateral,), "allowance(address,address)", self._allowance, 0),
            ((places.collateral,), "approve(address,uint256)", self._approve, 26_000),
            ((places.collateral,), "transfer(address,uint256)", self._transfer, 30_000),
            (
                (places.collateral,),
                "transferFrom(address,address,uint256)",
                self._transfer_from,
                40_000,
            ),
        ]
        tokens = (places.conditional_tokens, places.position_manager)
        readable = (*tokens, places.neg_risk_adapter)
        listed += [
            (readable, "balanceOf(address,uint256)", self._shares, 0),
            (readable, "balanceOfBatch(address[],uint256[])", self._shares_of_many, 0),
            (tokens, "isApprovedForAll(address,address)", self._is_approved, 0),
            (tokens, "setApprovalForAll(address,bool)", self._approve_all, 26_000),
            (
                tokens,
                "safeTransferFrom(address,address,uint256,uint256,bytes)",
                self._give,
                35_000,
            ),
            (
                tokens,
                "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
                self._give_many,
                60_000,
            ),
        ]
        return listed

    # The dollar, an ERC-20.

    def _usd(self, bank: Bank, _sender: str, _to: str, owner: str) -> Any:
        return ["uint256"], [bank.usd(owner)]

    def _allowance(self, bank: Bank, _sender: str, _to: str, owner: str, spender: str) -> Any:
        return ["uint256"], [bank.allowances.get((owner, spender), 0)]

    def _approve(self, bank: Bank, sender: str, _to: str, spender: str, amount: int) -> Any:
        bank.allowances[sender, spender] = amount
        return ["bool"], [True]

    def _transfer(self, bank: Bank, sender: str, _to: str, payee: str, amount: int) -> Any:
        bank.pay(sender, payee, amount)
        return ["bool"], [True]

    def _transfer_from(
        self, bank: Bank, sender: str, _to: str, payer: str, payee: str, amount: int
    ) -> Any:
        self.spend(bank, payer, sender, amount)
        bank.pay(payer, payee, amount)
        return ["bool"], [True]

    # Outcome tokens, ERC-1155.

    def _shares(self, bank: Bank, _sender: str, to: str, owner: str, token: int) -> Any:
        return ["uint256"], [self._held(bank, to, owner, token)]

    def _shares_of_many(
        self, bank: Bank, _sender: str, to: str, owners: Sequence[str], tokens: Sequence[int]
    ) -> Any:
        if len(owners) != len(tokens):
            raise Reverts("ERC1155: owners and IDs must have same lengths")
        held = [self._held(bank, to, *pair) for pair in zip(owners, tokens, strict=True)]
        return ["uint256[]"], [held]

    def _is_approved(self, bank: Bank, _sender: str, to: str, owner: str, operator: str) -> Any:
        return ["bool"], [(owner, to, operator) in bank.operators]

    def _approve_all(self, bank: Bank, sender: str, to: str, operator: str, given: bool) -> Any:  # noqa: FBT001  # ABI order
        change = bank.operators.add if given else bank.operators.discard
        change((sender, to, operator))
        return b""

    def _give(
        self,
        bank: Bank,
        sender: str,
        to: str,
        giver: str,
        taker: str,
        token: int,
        amount: int,
        _data: bytes,
    ) -> Any:
        if sender != giver:
            self.need_operator(bank, giver, to, sender)
        if self._held(bank, to, giver, token) < amount:
            raise Reverts("SafeMath: subtraction overflow")
        bank.give(giver, taker, str(token), amount)
        return b""

    def _give_many(
        self,
        bank: Bank,
        sender: str,
        to: str,
        giver: str,
        taker: str,
        tokens: Sequence[int],
        amounts: Sequence[int],
        data: bytes,
    ) -> Any:
        if len(tokens) != len(amounts):
            raise Reverts("ERC1155: IDs and values must have same lengths")
        for token, amount in zip(tokens, amounts, strict=True):
            self._give(bank, sender, to, giver, taker, token, amount, data)
        return b""

    def _held(self, bank: Bank, contract: str, owner: str, token: int) -> int:
        """The contracts of v1 and v2 know their own tokens only."""
        market = self.exchange.market_of(str(token))
        is_v2 = market is not None and market.version == "v2"
        if is_v2 != (contract == self.places.position_manager):
            return 0
        return bank.shares(owner, str(token))

    def spend(self, bank: Bank, owner: str, spender: str, amount: int) -> None:
        """Use an allowance."""
        allowed = bank.allowances.get((owner, spender), 0)
        if not self.conduct.allowances_checked or allowed == UNLIMITED:
            return
        if allowed < amount:
            raise Reverts("InsufficientAllowance")
        bank.allowances[owner, spender] = allowed - amount

    def need_operator(self, bank: Bank, owner: str, token: str, operator: str) -> None:
        """Refuse an operator that may not move the owner's tokens."""
        if self.conduct.allowances_checked and (owner, token, operator) not in bank.operators:
            raise Reverts("ERC1155: need operator approval for 3rd party transfers.")
