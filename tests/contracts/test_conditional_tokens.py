"""Our encoded calls on the published ConditionalTokens contract, in a real EVM.

The deployed adapters take the same calls with the same arguments and hand them on to this
contract (docs/venue-polymarket.md §7.2); here the contract itself stands where an adapter would.
"""

import dataclasses
import random
from decimal import Decimal

import pytest

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.market import MarketId, OutcomeId
from arb.domain.money import MICRO, Shares, Usd, from_micro
from arb.domain.operation import Merge, Redeem, effect
from arb.exchange.trading.bank import Bank
from arb.net.rpc import Call
from tests.contracts.fetch import CONDITIONAL_TOKENS, ERC20, Unreachable, fetch

eth_tester = pytest.importorskip("eth_tester", reason="eth-tester is not installed")
pytest.importorskip("eth", reason="py-evm is not installed")

from eth_abi import decode, encode  # noqa: E402
from eth_account import Account  # noqa: E402
from eth_utils import keccak, to_checksum_address  # noqa: E402

KEY = "0x" + "4c" * 32
TRADER = Account.from_key(KEY).address
START = 1_000 * MICRO
GAS, GAS_PRICE = 6_000_000, 10**10
PAYOUTS = [((1, 0), Decimal(1)), ((0, 1), Decimal(0)), ((1, 1), Decimal("0.5"))]


@pytest.fixture(scope="module")
def builds():
    try:
        return fetch(CONDITIONAL_TOKENS), fetch(ERC20)
    except Unreachable as reason:
        pytest.skip(f"the contracts cannot be fetched: {reason}")


class Evm:
    """A local chain with a dollar and ConditionalTokens on it."""

    def __init__(self, builds):
        from eth_tester import EthereumTester, PyEVMBackend

        self.tester = EthereumTester(PyEVMBackend(), auto_mine_transactions=True)
        self.rich = self.tester.get_accounts()[0]
        self.tester.send_transaction(
            {"from": self.rich, "to": TRADER, "value": 10**19, "gas": 21_000}
            | {"gas_price": GAS_PRICE}
        )
        tokens, dollar = builds
        self.tokens, self.dollar = self.deploy(tokens), self.deploy(dollar)
        self.book = dataclasses.replace(
            Contracts(),
            chain_id=self.chain_id(),
            collateral=self.dollar,
            conditional_tokens=self.tokens,
            collateral_adapter=self.tokens,
            neg_risk_collateral_adapter=self.tokens,
        )
        self.admin(self.dollar, "mint(address,uint256)", TRADER, START)

    def chain_id(self):
        return self.tester.backend.chain.chain_id

    def deploy(self, build):
        return self.receipt(
            {"from": self.rich, "data": build["bytecode"], "gas": GAS, "gas_price": GAS_PRICE}
        )["contract_address"]

    def receipt(self, transaction):
        receipt = self.tester.get_transaction_receipt(self.tester.send_transaction(transaction))
        assert receipt["status"] == 1
        return receipt

    def admin(self, to, signature, *arguments):
        """Something that others do: minting, preparing and resolving conditions."""
        self.receipt(
            {"from": self.rich, "to": to, "data": _data(signature, arguments), "gas": GAS}
            | {"gas_price": GAS_PRICE}
        )

    def view(self, to, signature, answer, *arguments):
        raw = self.tester.call(
            {"from": self.rich, "to": to, "data": _data(signature, arguments), "gas": GAS}
            | {"gas_price": GAS_PRICE}
        )
        (value,) = decode([answer], bytes.fromhex(raw[2:]))
        return value

    def ask(self, view):
        """One of our questions."""
        return view.read(
            self.tester.call(
                {"from": self.rich, "to": to_checksum_address(view.call.to)}
                | {"data": view.call.data, "gas": GAS, "gas_price": GAS_PRICE}
            )
        )

    def send(self, call):
        """One of our calls, signed and sent raw by the trader; whether it succeeded."""
        signed = Account.sign_transaction(
            {
                "to": to_checksum_address(call.to),
                "data": call.data,
                "value": call.value,
                "gas": GAS,
                "gasPrice": GAS_PRICE,
                "nonce": self.tester.get_nonce(TRADER),
                "chainId": self.chain_id(),
            },
            KEY,
        )
        hash_ = self.tester.send_raw_transaction("0x" + signed.raw_transaction.hex())
        return self.tester.get_transaction_receipt(hash_)["status"] == 1

    def prepare(self, question):
        """A binary condition that we are the oracle of, and its two token ids."""
        self.admin(self.tokens, "prepareCondition(address,bytes32,uint256)", self.rich, question, 2)
        condition = self.view(
            self.tokens,
            "getConditionId(address,bytes32,uint256)",
            "bytes32",
            self.rich,
            question,
            2,
        )
        pair = []
        for index_set in calls.BINARY:
            collection = self.view(
                self.tokens,
                "getCollectionId(bytes32,bytes32,uint256)",
                "bytes32",
                bytes(32),
                condition,
                index_set,
            )
            position = self.view(
                self.tokens, "getPositionId(address,bytes32)", "uint256", self.dollar, collection
            )
            # The position's id is a plain hash of the dollar's address and the collection.
            packed = bytes.fromhex(self.dollar[2:]) + collection
            assert position == int.from_bytes(keccak(packed), "big")
            pair.append(str(position))
        packed = bytes.fromhex(self.rich[2:]) + question + (2).to_bytes(32, "big")
        assert condition == keccak(packed)
        return "0x" + condition.hex(), tuple(pair)

    def report(self, question, payouts):
        self.admin(self.tokens, "reportPayouts(bytes32,uint256[])", question, list(payouts))

    def holdings(self, pair):
        """Dollars, YES and NO of the trader."""
        usd = self.ask(calls.dollars(self.book, TRADER))
        return usd, *self.ask(calls.shares_of_many(self.tokens, TRADER, pair))


def _data(signature, arguments):
    types = signature.partition("(")[2].removesuffix(")")
    return "0x" + (keccak(text=signature)[:4] + encode(types.split(","), arguments)).hex()


@pytest.fixture(scope="module")
def evm(builds):
    return Evm(builds)


@pytest.fixture
def condition(evm, request):
    question = keccak(text=request.node.name)
    return question, *evm.prepare(question)


class Twin:
    """The embedded exchange's bank, started where the real contract stands."""

    def __init__(self, evm, pair):
        self.bank, self.pair = Bank(), pair
        self.bank.deposit(TRADER, evm.holdings(pair)[0])

    def holdings(self):
        return self.bank.usd(TRADER), *(self.bank.shares(TRADER, token) for token in self.pair)


@pytest.mark.parametrize(("payouts", "yes_pays"), PAYOUTS)
def test_split_merge_and_redeem_move_what_the_domain_and_the_bank_say(
    evm, condition, payouts, yes_pays
):
    question, id_, pair = condition
    book, twin = evm.book, Twin(evm, pair)
    before = evm.holdings(pair)
    split, merged = 30_000_001, 12_000_000

    assert evm.send(calls.approve(book, book.collateral_adapter, split))
    assert evm.ask(calls.allowance(book, TRADER, book.collateral_adapter)) == split
    assert evm.send(calls.split(book, id_, split, neg_risk=False))
    twin.bank.split(TRADER, pair, split)
    assert evm.holdings(pair) == twin.holdings() == (before[0] - split, split, split)
    assert evm.ask(calls.allowance(book, TRADER, book.collateral_adapter)) == 0

    assert evm.send(calls.merge(book, id_, merged, neg_risk=False))
    twin.bank.merge(TRADER, pair, merged)
    assert evm.holdings(pair) == twin.holdings()
    outcomes = tuple(OutcomeId(POLYMARKET, token) for token in pair)
    market = MarketId(id_)
    said = effect(Merge(market=market, pair=outcomes, size=Shares(from_micro(merged))))
    held = evm.holdings(pair)
    assert said.cash == from_micro(held[0] - (before[0] - split))
    assert [moved for _, _, moved in said.shares] == [from_micro(h - split) for h in held[1:]]

    assert evm.ask(calls.payout_denominator(book, id_)) == 0
    assert not evm.send(calls.redeem(book, id_, neg_risk=False))
    assert evm.holdings(pair) == held
    evm.report(question, payouts)
    assert evm.ask(calls.payout_denominator(book, id_)) == sum(payouts)
    numerators = [evm.ask(calls.payout_numerator(book, id_, slot)) for slot in (0, 1)]
    assert numerators == list(payouts)
    assert Decimal(numerators[0]) / sum(payouts) == yes_pays

    assert evm.send(calls.redeem(book, id_, neg_risk=True))
    pays = [int(yes_pays * MICRO), MICRO - int(yes_pays * MICRO)]
    worth = [twin.bank.redeem(TRADER, *one) for one in zip(pair, pays, strict=True)]
    assert evm.holdings(pair) == twin.holdings()
    assert twin.bank.problems() == []
    cash = Usd(Decimal(0))
    for outcome, size, pay in zip(outcomes, held[1:], worth, strict=True):
        shares = Shares(from_micro(size))
        said = effect(Redeem(market=market, outcome=outcome, size=shares, pays=from_micro(pay)))
        assert said.shares == ((outcome, market, Shares(-shares)),)
        cash = Usd(cash + said.cash)
    assert cash == from_micro(evm.holdings(pair)[0] - held[0])


def test_redeeming_one_outcome_alone_pays_its_share_rounded_down(evm, condition):
    question, id_, pair = condition
    book, twin = evm.book, Twin(evm, pair)
    size, away = 5_000_001, 1_000_000
    assert evm.send(calls.approve(book, book.collateral_adapter, size))
    assert evm.send(calls.split(book, id_, size, neg_risk=False))
    for token, amount in zip(pair, (away, size), strict=True):
        data = _data(
            "safeTransferFrom(address,address,uint256,uint256,bytes)",
            (TRADER, evm.rich, int(token), amount, b""),
        )
        assert evm.send(Call(evm.tokens, data))
    twin.bank.split(TRADER, pair, size)
    twin.bank.give(TRADER, evm.rich, pair[0], away)
    twin.bank.give(TRADER, evm.rich, pair[1], size)
    assert evm.holdings(pair) == twin.holdings()
    evm.report(question, (1, 1))
    assert evm.send(calls.redeem(book, id_, neg_risk=False))
    assert twin.bank.redeem(TRADER, pair[0], MICRO // 2) == 2_000_000
    assert evm.holdings(pair) == twin.holdings()


def test_what_the_bank_refuses_the_contract_reverts(evm, condition):
    _, id_, pair = condition
    book, before = evm.book, evm.holdings(pair)
    assert evm.send(calls.approve(book, book.collateral_adapter, 10 * MICRO))
    refused = [
        calls.split(book, id_, 10 * MICRO + 1, neg_risk=False),
        calls.merge(book, id_, 1, neg_risk=False),
        calls.split(book, "0x" + "77" * 32, 1, neg_risk=False),
        calls.redeem(book, id_, neg_risk=False),
    ]
    for call in refused:
        assert not evm.send(call)
    assert evm.holdings(pair) == before
    assert evm.send(calls.approve(book, book.collateral_adapter, 0))
    assert not evm.send(calls.split(book, id_, 1, neg_risk=False))


def test_approval_of_an_operator_is_what_the_contract_reads(evm):
    for given in (True, False):
        assert evm.send(calls.set_approval_for_all(evm.tokens, evm.rich, approved=given))
        assert evm.ask(calls.is_approved_for_all(evm.tokens, TRADER, evm.rich)) is given


def test_many_random_steps_keep_bank_and_contract_together(evm, condition):
    question, id_, pair = condition
    book, twin, chance = evm.book, Twin(evm, pair), random.Random(7)
    assert evm.send(calls.approve(book, book.collateral_adapter, 500 * MICRO))
    for _ in range(15):
        amount = chance.randint(1, 20 * MICRO)
        if chance.random() < 0.6:
            assert evm.send(calls.split(book, id_, amount, neg_risk=False))
            twin.bank.split(TRADER, pair, amount)
        elif amount <= twin.holdings()[1]:
            assert evm.send(calls.merge(book, id_, amount, neg_risk=True))
            twin.bank.merge(TRADER, pair, amount)
        assert evm.holdings(pair) == twin.holdings()
    evm.report(question, (1, 0))
    assert evm.send(calls.redeem(book, id_, neg_risk=False))
    twin.bank.redeem(TRADER, pair[0], MICRO)
    twin.bank.redeem(TRADER, pair[1], 0)
    assert evm.holdings(pair) == twin.holdings()
    assert twin.bank.problems([pair]) == []
