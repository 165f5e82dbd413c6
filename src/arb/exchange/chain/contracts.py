"""What the venue's contracts do, carried out on the bank (docs/venue-polymarket.md §7.2)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.crypto import keccak

from arb.domain.money import MICRO
from arb.exchange.chain.addresses import DEPLOYMENT, ORACLE, VAULT, Deployment
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.chain.questions import Question, questions
from arb.exchange.chain.tokens import Handler, Reverts, Tokens
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import SimMarket
from arb.exchange.market.positions import NO, YES, outcomes_of, position
from arb.exchange.trading.bank import Act, Bank, NotPossible

SELECTOR_BYTES, WORD = 4, 32
REDEEMING = "0x00000000000000000000000000000000000000fd"
"""Takes what is redeemed while it is paid out."""
RESULT_MISSING = "result for condition not received yet"


@dataclass(slots=True)
class Contracts:
    """All contracts of the chain. Callers and callees are addresses in lower case."""

    exchange: Exchange
    conduct: ChainBehaviour
    places: Deployment = DEPLOYMENT
    tokens: Tokens = field(init=False)
    _functions: dict[tuple[str, bytes], tuple[list[str], Handler, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.exchange, self.conduct, self.places)
        self._functions = self._table()

    def run(self, bank: Bank, sender: str, to: str, data: bytes) -> bytes:
        """Carry a call out on a bank of its own; gives the answer.

        Raises:
            Reverts: The contract refuses.
        """
        if to not in self.places.all:
            return b""  # An address without code takes any call.
        known = self._functions.get((to, data[:SELECTOR_BYTES]))
        if known is None:
            raise Reverts
        types, handler, _ = known
        try:
            arguments = decode(types, data[SELECTOR_BYTES:])
        except (DecodingError, OverflowError) as error:
            raise Reverts from error
        try:
            answer = handler(bank, sender, to, *arguments)
        except NotPossible as error:
            raise Reverts(str(error)) from error
        try:
            return encode(*answer) if isinstance(answer, tuple) else answer
        except EncodingError as error:
            raise Reverts from error

    def gas(self, to: str, data: bytes) -> int:
        """About what a call costs beyond a plain transaction."""
        known = self._functions.get((to, data[:SELECTOR_BYTES]))
        return known[2] if known else 0

    def questions(self, market_id: str) -> list[Question]:
        """The questions of a neg-risk event, in the chain's order."""
        return questions(self.exchange, self.conduct, market_id)

    def _table(self) -> dict[tuple[str, bytes], tuple[list[str], Handler, int]]:
        places = self.places
        listed = self.tokens.functions()
        adapters = (places.collateral_adapter, places.neg_risk_collateral_adapter)
        set_of = "(address,bytes32,bytes32,uint256[],uint256)"
        ctf = (places.conditional_tokens,)
        listed += [
            (ctf, "payoutDenominator(bytes32)", self._denominator, 0),
            (ctf, "payoutNumerators(bytes32,uint256)", self._numerator, 0),
            (adapters, "splitPosition" + set_of, self._split, 220_000),
            (adapters, "mergePositions" + set_of, self._merge, 180_000),
            (
                adapters,
                "redeemPositions(address,bytes32,bytes32,uint256[])",
                self._redeem,
                160_000,
            ),
            (adapters[1:], "convertPositions(bytes32,uint256,uint256)", self._convert, 600_000),
            ((places.router,), "split(bytes31,uint256)", self._router_split, 150_000),
            ((places.router,), "merge(bytes31,uint256)", self._router_merge, 140_000),
            ((places.router,), "redeem(bytes31,uint256,uint256)", self._router_redeem, 120_000),
            ((places.router,), "convert(bytes29,uint16,uint256)", self._router_convert, 300_000),
            ((places.router,), "horizontalSplit(bytes29,uint256)", self._split_event, 300_000),
            ((places.router,), "horizontalMerge(bytes29,uint256)", self._merge_event, 300_000),
        ]
        asked = (places.neg_risk_adapter,)
        listed += [
            (asked, "getConditionId(bytes32)", self._condition_id, 0),
            (asked, "getFeeBips(bytes32)", self._fee_bips, 0),
            (asked, "getQuestionCount(bytes32)", self._question_count, 0),
            (asked, "getMarketData(bytes32)", self._market_data, 0),
        ]
        table = {}
        for targets, signature, handler, gas in listed:
            inner = signature.partition("(")[2].removesuffix(")")
            types = inner.split(",") if inner else []
            for target in targets:
                table[target, keccak(text=signature)[:SELECTOR_BYTES]] = (types, handler, gas)
        table[places.deposit_wallet_factory, bytes.fromhex("49493a4d")] = (
            [],
            lambda *_: (["address"], [places.deposit_wallet_beacon]),
            0,
        )
        return table

    # Payouts.

    def _denominator(self, _bank: Bank, _sender: str, _to: str, condition: bytes) -> Any:
        return ["uint256"], [MICRO if self._payouts(condition) else 0]

    def _numerator(self, _bank: Bank, _sender: str, _to: str, condition: bytes, slot: int) -> Any:
        payouts = self._payouts(condition)
        if slot > 1:
            raise Reverts
        return ["uint256"], [payouts[slot] if payouts else 0]

    # Adapters of v1.

    def _split(self, bank: Bank, sender: str, to: str, *arguments: Any) -> Any:
        market = self._v1_market(to, *arguments[:4])
        self.tokens.spend(bank, sender, to, arguments[4])
        bank.split(sender, (market.yes, market.no), arguments[4])
        _note(bank, "SPLIT", sender, (market.yes, market.no), arguments[4])
        return b""

    def _merge(self, bank: Bank, sender: str, to: str, *arguments: Any) -> Any:
        market = self._v1_market(to, *arguments[:4])
        self.tokens.need_operator(bank, sender, self.places.conditional_tokens, to)
        bank.merge(sender, (market.yes, market.no), arguments[4])
        _note(bank, "MERGE", sender, (market.yes, market.no), arguments[4])
        return b""

    def _redeem(self, bank: Bank, sender: str, to: str, *arguments: Any) -> Any:
        market = self._v1_market(to, *arguments)
        yes, no = _payouts(market)
        self.tokens.need_operator(bank, sender, self.places.conditional_tokens, to)
        for token, pays in ((market.yes, yes), (market.no, no)):
            held = bank.shares(sender, token)
            worth = bank.redeem(sender, token, pays)
            if held:
                bank.acts.append(Act("REDEEM", sender, (token,), held, worth))
        return b""

    def _convert(
        self, bank: Bank, sender: str, to: str, market_id: bytes, index_set: int, amount: int
    ) -> Any:
        questions = self.questions(_hex(market_id))
        if len(questions) <= 1:
            raise Reverts("NoConvertiblePositions")
        if not 0 < index_set < 1 << len(questions):
            raise Reverts("InvalidIndexSet")
        self.tokens.need_operator(bank, sender, self.places.conditional_tokens, to)
        given = [q.no for at, q in enumerate(questions) if index_set >> at & 1]
        taken = [q.yes for at, q in enumerate(questions) if not index_set >> at & 1]
        bank.convert(sender, given, taken, amount)
        fee = amount * self.conduct.fee_bips // 10_000
        bank.pay(sender, VAULT, (len(given) - 1) * fee)
        for token in taken:
            bank.give(sender, VAULT, token, fee)
        cash = (len(given) - 1) * (amount - fee)
        bank.acts.append(Act("CONVERSION", sender, (*given, *taken), amount, cash))
        return b""

    # The router of v2.

    def _router_split(self, bank: Bank, sender: str, to: str, condition: bytes, amount: int) -> Any:
        market = self._v2_market(condition)
        self.tokens.spend(bank, sender, to, amount)
        bank.split(sender, (market.yes, market.no), amount)
        _note(bank, "SPLIT", sender, (market.yes, market.no), amount)
        return b""

    def _router_merge(self, bank: Bank, sender: str, to: str, condition: bytes, amount: int) -> Any:
        market = self._v2_market(condition)
        self.tokens.need_operator(bank, sender, self.places.position_manager, to)
        bank.merge(sender, (market.yes, market.no), amount)
        _note(bank, "MERGE", sender, (market.yes, market.no), amount)
        return b""

    def _router_redeem(
        self, bank: Bank, sender: str, to: str, condition: bytes, outcome: int, amount: int
    ) -> Any:
        market = self._v2_market(condition)
        if outcome > 1:
            raise Reverts("InvalidOutcomeIndex")
        pays = _payouts(market)[outcome]
        self.tokens.need_operator(bank, sender, self.places.position_manager, to)
        token = (market.yes, market.no)[outcome]
        bank.give(sender, REDEEMING, token, amount)
        worth = bank.redeem(REDEEMING, token, pays)
        bank.pay(REDEEMING, sender, worth)
        bank.acts.append(Act("REDEEM", sender, (token,), amount, worth))
        return b""

    def _router_convert(
        self, bank: Bank, sender: str, to: str, event: bytes, index: int, amount: int
    ) -> Any:
        outcomes = self._v2_outcomes(event)
        if index >= outcomes:
            raise Reverts("InvalidConditionIndex")
        self.tokens.need_operator(bank, sender, self.places.position_manager, to)
        others = [position(event, at, YES) for at in range(outcomes) if at != index]
        given = position(event, index, NO)
        bank.convert(sender, [given], others, amount)
        bank.acts.append(Act("CONVERSION", sender, (given, *others), amount, 0))
        return b""

    def _split_event(self, bank: Bank, sender: str, to: str, event: bytes, amount: int) -> Any:
        outcomes = self._v2_outcomes(event)
        self.tokens.spend(bank, sender, to, amount)
        tokens = tuple(position(event, at, YES) for at in range(outcomes))
        bank.split(sender, tokens, amount)
        _note(bank, "SPLIT", sender, tokens, amount)
        return b""

    def _merge_event(self, bank: Bank, sender: str, to: str, event: bytes, amount: int) -> Any:
        outcomes = self._v2_outcomes(event)
        self.tokens.need_operator(bank, sender, self.places.position_manager, to)
        tokens = tuple(position(event, at, YES) for at in range(outcomes))
        bank.merge(sender, tokens, amount)
        _note(bank, "MERGE", sender, tokens, amount)
        return b""

    # What the neg-risk adapter is asked.

    def _condition_id(self, _bank: Bank, _sender: str, _to: str, question: bytes) -> Any:
        questions = self.questions(_hex(question[:-1] + b"\0"))
        if question[-1] < len(questions):
            return ["bytes32"], [bytes.fromhex(questions[question[-1]].condition[2:])]
        # The contract computes an id for any question, prepared or not.
        return ["bytes32"], [hashlib.sha256(question).digest()]

    def _fee_bips(self, _bank: Bank, _sender: str, _to: str, market_id: bytes) -> Any:
        return ["uint256"], [self.conduct.fee_bips if self.questions(_hex(market_id)) else 0]

    def _question_count(self, _bank: Bank, _sender: str, _to: str, market_id: bytes) -> Any:
        return ["uint256"], [len(self.questions(_hex(market_id)))]

    def _market_data(self, _bank: Bank, _sender: str, _to: str, market_id: bytes) -> Any:
        questions = self.questions(_hex(market_id))
        if not questions:
            return bytes(WORD)
        word = bytearray(12) + bytes.fromhex(ORACLE[2:])
        word[0] = len(questions)
        word[3:5] = self.conduct.fee_bips.to_bytes(2, "big")
        for at, question in enumerate(questions):
            market = self.exchange.by_condition(question.condition)
            if market is not None and market.resolution == 1:
                word[1], word[2] = 1, at
        return bytes(word)

    # Parts.

    def _v1_market(
        self,
        adapter: str,
        collateral: str,
        parent: bytes,
        condition: bytes,
        partition: Sequence[int],
    ) -> SimMarket:
        # The deployed adapters check the condition alone; a wrong rest is a bug all the same.
        if collateral != self.places.collateral or any(parent) or tuple(partition) != (1, 2):
            raise Reverts("UnexpectedArguments")
        market = self.exchange.by_condition(_hex(condition))
        if market is None or market.version != "v1":
            raise Reverts("condition not prepared yet")
        if market.neg_risk != (adapter == self.places.neg_risk_collateral_adapter):
            raise Reverts("the other adapter's condition")
        return market

    def _v2_market(self, condition: bytes) -> SimMarket:
        market = self.exchange.by_condition(_hex(condition) + "00")
        if market is None or market.version != "v2":
            raise Reverts("ConditionNotPrepared")
        return market

    def _v2_outcomes(self, event: bytes) -> int:
        """How many outcomes a v2 event has, "Other" included, listed or not."""
        if not any(listed.positions == event for listed in self.exchange.events):
            raise Reverts("EventNotPrepared")
        return outcomes_of(event)

    def _payouts(self, condition: bytes) -> tuple[int, int] | None:
        market = self.exchange.by_condition(_hex(condition))
        if market is None or market.resolution is None:
            return None
        return _payouts(market)


def _note(
    bank: Bank,
    kind: Literal["SPLIT", "MERGE"],
    sender: str,
    tokens: tuple[str, ...],
    amount: int,
) -> None:
    bank.acts.append(Act(kind, sender, tokens, amount, amount))


def _payouts(market: SimMarket) -> tuple[int, int]:
    """Millionths that a share of YES and of NO pays."""
    if market.resolution is None:
        raise Reverts(RESULT_MISSING)
    yes = int(market.resolution * Decimal(MICRO))
    return yes, MICRO - yes


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()
