"""Encoded calls, against the official SDK's builders and the ABI library, byte for byte."""

import pytest

from arb.adapters.polymarket import calls
from arb.adapters.polymarket.contracts import Contracts
from arb.domain.errors import BadVenueData

eth_abi = pytest.importorskip("eth_abi")
official = pytest.importorskip("polymarket.calls")

BOOK = Contracts()
CONDITION = "0x" + "ab" * 31 + "07"
V2_CONDITION = "0x02" + "cd" * 30
MARKET = "0x" + "5e" * 31 + "00"
WALLET = "0x" + "1f" * 20
AMOUNT = 123_456_789
SIGNATURES = {
    "SPLIT": "splitPosition(address,bytes32,bytes32,uint256[],uint256)",
    "MERGE": "mergePositions(address,bytes32,bytes32,uint256[],uint256)",
    "REDEEM": "redeemPositions(address,bytes32,bytes32,uint256[])",
    "CONVERT": "convertPositions(bytes32,uint256,uint256)",
    "ROUTER_SPLIT": "split(bytes31,uint256)",
    "ROUTER_MERGE": "merge(bytes31,uint256)",
    "ROUTER_REDEEM": "redeem(bytes31,uint256,uint256)",
    "ROUTER_CONVERT": "convert(bytes29,uint16,uint256)",
    "HORIZONTAL_SPLIT": "horizontalSplit(bytes29,uint256)",
    "HORIZONTAL_MERGE": "horizontalMerge(bytes29,uint256)",
    "APPROVE": "approve(address,uint256)",
    "SET_APPROVAL_FOR_ALL": "setApprovalForAll(address,bool)",
    "BALANCE_OF_ERC20": "balanceOf(address)",
    "BALANCE_OF": "balanceOf(address,uint256)",
    "BALANCE_OF_BATCH": "balanceOfBatch(address[],uint256[])",
    "ALLOWANCE": "allowance(address,address)",
    "IS_APPROVED_FOR_ALL": "isApprovedForAll(address,address)",
    "GET_CONDITION_ID": "getConditionId(bytes32)",
    "GET_FEE_BIPS": "getFeeBips(bytes32)",
    "GET_QUESTION_COUNT": "getQuestionCount(bytes32)",
    "GET_MARKET_DATA": "getMarketData(bytes32)",
    "PAYOUT_DENOMINATOR": "payoutDenominator(bytes32)",
    "PAYOUT_NUMERATORS": "payoutNumerators(bytes32,uint256)",
}


def _same(ours, theirs):
    assert (ours.to.lower(), ours.data, ours.value) == (
        str(theirs.to).lower(),
        theirs.data,
        theirs.value,
    )


def _encoded(name, types, values):
    return "0x" + getattr(calls, name) + eth_abi.encode(types, values).hex()


@pytest.mark.parametrize("name", SIGNATURES)
def test_selectors_are_the_hash_of_the_signature(name):
    from eth_utils.crypto import keccak

    assert getattr(calls, name) == keccak(text=SIGNATURES[name])[:4].hex()


@pytest.mark.parametrize("neg_risk", [False, True])
def test_v1_calls_are_the_sdks(neg_risk):
    target = BOOK.adapter(neg_risk=neg_risk)
    about = {"collateral": BOOK.collateral, "condition_id": CONDITION}
    _same(
        calls.split(BOOK, CONDITION, AMOUNT, neg_risk=neg_risk),
        official.ctf_split_position_call(target=target, amount=AMOUNT, **about),
    )
    _same(
        calls.merge(BOOK, CONDITION, AMOUNT, neg_risk=neg_risk),
        official.ctf_merge_positions_call(target=target, amount=AMOUNT, **about),
    )
    _same(
        calls.redeem(BOOK, CONDITION, neg_risk=neg_risk),
        official.ctf_redeem_positions_call(ctf=target, **about),
    )


@pytest.mark.parametrize("condition", [V2_CONDITION, V2_CONDITION + "00"])
def test_v2_calls_are_the_sdks_for_both_ways_of_writing_a_condition(condition):
    about = {"router": BOOK.router, "condition_id": V2_CONDITION}
    _same(
        calls.router_split(BOOK, condition, AMOUNT),
        official.router_split_call(amount=AMOUNT, **about),
    )
    _same(
        calls.router_merge(BOOK, condition, AMOUNT),
        official.router_merge_call(amount=AMOUNT, **about),
    )
    for outcome in (0, 1):
        _same(
            calls.router_redeem(BOOK, condition, outcome, AMOUNT),
            official.router_redeem_call(outcome_index=outcome, amount=AMOUNT, **about),
        )


def test_approvals_are_the_sdks():
    _same(
        calls.approve(BOOK, BOOK.router, AMOUNT),
        official.erc20_approval_call(
            token_address=BOOK.collateral, spender=BOOK.router, amount=AMOUNT
        ),
    )
    for approved in (True, False):
        _same(
            calls.set_approval_for_all(BOOK.conditional_tokens, BOOK.router, approved=approved),
            official.erc1155_set_approval_for_all_call(
                token_address=BOOK.conditional_tokens, operator=BOOK.router, approved=approved
            ),
        )


def test_what_turns_outcomes_of_a_v2_event_into_each_other_is_the_abi():
    event = b"\x02" + bytes(range(16)) + b"\0\x03" + bytes(8) + b"\0\x89"
    converted = calls.router_convert(BOOK, event, 3, AMOUNT)
    values = [event, 3, AMOUNT]
    assert converted.data == _encoded("ROUTER_CONVERT", ["bytes29", "uint16", "uint256"], values)
    for name, call in (
        ("HORIZONTAL_SPLIT", calls.horizontal_split(BOOK, event, AMOUNT)),
        ("HORIZONTAL_MERGE", calls.horizontal_merge(BOOK, event, AMOUNT)),
    ):
        assert call.to == BOOK.router == converted.to
        assert call.data == _encoded(name, ["bytes29", "uint256"], [event, AMOUNT])
    with pytest.raises(ValueError, match="outcome 4: the event has 4"):
        calls.router_convert(BOOK, event, 4, AMOUNT)
    with pytest.raises(ValueError, match="not the id of a v2 event"):
        calls.horizontal_merge(BOOK, event + b"\0", AMOUNT)


def test_conversions_and_questions_are_the_abis():
    converted = calls.convert(BOOK, MARKET, [0, 3], AMOUNT)
    raw = bytes.fromhex(MARKET[2:])
    values = [raw, 0b1001, AMOUNT]
    assert converted.data == _encoded("CONVERT", ["bytes32", "uint256", "uint256"], values)
    assert converted.to == "0xadA2005600Dec949baf300f4C6120000bDB6eAab"
    batch = calls.shares_of_many(BOOK.conditional_tokens, WALLET, ["7", str(10**76)])
    values = [[WALLET, WALLET], [7, 10**76]]
    assert batch.call.data == _encoded("BALANCE_OF_BATCH", ["address[]", "uint256[]"], values)
    answer = "0x" + eth_abi.encode(["uint256[]"], [[5, 6]]).hex()
    assert batch.read(answer) == (5, 6)
    two = ["address", "address"]
    assert calls.allowance(BOOK, WALLET, BOOK.router).call.data == _encoded(
        "ALLOWANCE", two, [WALLET, BOOK.router]
    )
    approved = calls.is_approved_for_all(BOOK.position_manager, WALLET, BOOK.router)
    assert approved.call.data == _encoded("IS_APPROVED_FOR_ALL", two, [WALLET, BOOK.router])
    assert approved.read("0x" + eth_abi.encode(["bool"], [True]).hex()) is True
    held = calls.shares(BOOK.conditional_tokens, WALLET, "7")
    assert held.call.data == _encoded("BALANCE_OF", ["address", "uint256"], [WALLET, 7])
    assert calls.dollars(BOOK, WALLET).call.data == _encoded(
        "BALANCE_OF_ERC20", ["address"], [WALLET]
    )
    numerator = calls.payout_numerator(BOOK, CONDITION, 1)
    values = [bytes.fromhex(CONDITION[2:]), 1]
    assert numerator.call.data == _encoded("PAYOUT_NUMERATORS", ["bytes32", "uint256"], values)


def test_a_question_is_asked_for_by_the_events_id_and_its_index():
    asked = calls.condition_of_question(BOOK, MARKET, 11)
    assert asked.call.data == "0x04329c03" + "5e" * 31 + "0b"
    assert asked.call.to == BOOK.neg_risk_adapter
    assert asked.read(CONDITION) == CONDITION
    for market, index in ((CONDITION, 1), (MARKET, 256), (MARKET, -1)):
        with pytest.raises(ValueError, match=r"is not|at most"):
            calls.question_id(market, index)


def test_the_neg_risk_word_is_read_as_it_is_packed():
    oracle = "11" * 20
    word = f"0x0c{'01'}{'04'}{300:04x}{'00' * 7}{oracle}"
    read = calls.market_data(BOOK, MARKET).read
    assert read(word) == calls.NegRiskMarket(
        questions=12, determined=True, winner=4, fee_bips=300, oracle="0x" + oracle
    )
    assert read("0x0c" + "00" * 31).winner is None


def test_index_sets():
    assert calls.index_set([0]) == 1
    assert calls.index_set(range(12)) == 2**12 - 1
    for wrong in ([], [1, 1], [-1], [256]):
        with pytest.raises(ValueError, match="question"):
            calls.index_set(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: calls.approve(BOOK, WALLET, calls.UINT256_MAX),
        lambda: calls.approve(BOOK, WALLET, -1),
        lambda: calls.approve(BOOK, "0x12", 1),
        lambda: calls.split(BOOK, CONDITION, 0, neg_risk=False),
        lambda: calls.split(BOOK, CONDITION[:-2], 1, neg_risk=False),
        lambda: calls.router_merge(BOOK, CONDITION, 1),
        lambda: calls.router_redeem(BOOK, V2_CONDITION, 2, 1),
        lambda: calls.shares(WALLET, WALLET, -1),
        lambda: calls.dollars(BOOK, WALLET[2:]),
    ],
)
def test_what_makes_no_sense_is_not_encoded(wrong):
    with pytest.raises(ValueError, match=r"."):
        wrong()


@pytest.mark.parametrize("answer", ["0x", "0x01", "zz", "0x" + "00" * 64])
def test_an_answer_of_another_shape_is_not_read(answer):
    for view in (
        calls.dollars(BOOK, WALLET),
        calls.shares_of_many(WALLET, WALLET, [1]),
        calls.market_data(BOOK, MARKET),
    ):
        with pytest.raises(BadVenueData):
            view.read(answer)
    with pytest.raises(BadVenueData):
        calls.flag("0x" + "00" * 31 + "02")


def test_the_address_book_is_the_sdks():
    from polymarket._internal.environment import PRODUCTION_CONFIG as THEIRS

    pairs = {
        BOOK.collateral: THEIRS.collateral_token,
        BOOK.conditional_tokens: THEIRS.conditional_tokens,
        BOOK.exchange: THEIRS.standard_exchange,
        BOOK.neg_risk_exchange: THEIRS.neg_risk_exchange,
        BOOK.exchange_v3: THEIRS.exchange_v3,
        BOOK.collateral_adapter: THEIRS.collateral_adapter,
        BOOK.neg_risk_collateral_adapter: THEIRS.neg_risk_collateral_adapter,
        BOOK.neg_risk_adapter: THEIRS.neg_risk_adapter,
        BOOK.router: THEIRS.protocol_v2_router,
        BOOK.position_manager: THEIRS.position_manager,
        BOOK.auto_redeemer: THEIRS.auto_redeem_operator,
    }
    assert list(pairs) == list(pairs.values())
    assert THEIRS.chain_id == BOOK.chain_id


def test_an_allowance_without_limit_is_told_as_that():
    from arb.adapters.polymarket.approvals import Approval

    def told(amount):
        one = Approval(token="0x1", spender="0x2", what_for="buy", amount=amount, granted=True)
        return one.document()["allowed"]

    assert told(2**256 - 1) == "unlimited"
    assert told(123_450_000) == "123.45"
