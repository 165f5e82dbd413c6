"""Contract calls as values: what is asked of the chain, encoded, and how its answers are read.

The encoding is that of Solidity's ABI, by hand: a handful of static words and three kinds of
arrays need no library, so that what is signed can be read here. Amounts are millionths.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.position import EVENT_BYTES, arity
from arb.domain.errors import BadVenueData
from arb.net.rpc import Call, View

WORD = 32
UINT256_MAX = (1 << 256) - 1
ADDRESS_BYTES, CONDITION_BYTES, V2_CONDITION_BYTES = 20, 32, 31
QUESTIONS_MAX = 256
"""The question's index is the last byte of its id."""
BINARY = (1, 2)
"""Index sets of YES and NO; both together are the whole condition."""
NO_PARENT = bytes(WORD)
"""Positions of Polymarket depend on one condition only."""

# The first four bytes of keccak-256 of each signature.
SPLIT = "72ce4275"  # splitPosition(address,bytes32,bytes32,uint256[],uint256)
MERGE = "9e7212ad"  # mergePositions(address,bytes32,bytes32,uint256[],uint256)
REDEEM = "01b7037c"  # redeemPositions(address,bytes32,bytes32,uint256[])
CONVERT = "c64748c4"  # convertPositions(bytes32,uint256,uint256)
ROUTER_SPLIT = "82d3b9f1"  # split(bytes31,uint256)
ROUTER_MERGE = "5b63685e"  # merge(bytes31,uint256)
ROUTER_REDEEM = "d217a3cc"  # redeem(bytes31,uint256,uint256)
ROUTER_CONVERT = "9380f1c8"  # convert(bytes29,uint16,uint256)
HORIZONTAL_SPLIT = "40657b52"  # horizontalSplit(bytes29,uint256)
HORIZONTAL_MERGE = "24f24944"  # horizontalMerge(bytes29,uint256)
APPROVE = "095ea7b3"  # approve(address,uint256)
SET_APPROVAL_FOR_ALL = "a22cb465"  # setApprovalForAll(address,bool)
BALANCE_OF_ERC20 = "70a08231"  # balanceOf(address)
BALANCE_OF = "00fdd58e"  # balanceOf(address,uint256)
BALANCE_OF_BATCH = "4e1273f4"  # balanceOfBatch(address[],uint256[])
ALLOWANCE = "dd62ed3e"  # allowance(address,address)
IS_APPROVED_FOR_ALL = "e985e9c5"  # isApprovedForAll(address,address)
GET_CONDITION_ID = "04329c03"  # getConditionId(bytes32)
GET_FEE_BIPS = "2582cb5e"  # getFeeBips(bytes32)
GET_QUESTION_COUNT = "b7f75d2c"  # getQuestionCount(bytes32)
GET_MARKET_DATA = "30f4f4bb"  # getMarketData(bytes32)
PAYOUT_DENOMINATOR = "dd34de67"  # payoutDenominator(bytes32)
PAYOUT_NUMERATORS = "0504c814"  # payoutNumerators(bytes32,uint256)


@dataclass(frozen=True, slots=True, kw_only=True)
class NegRiskMarket:
    """What the neg-risk adapter keeps about an event: one word on chain."""

    questions: int
    determined: bool
    winner: int | None
    """Index of the question that was resolved YES."""
    fee_bips: int
    oracle: str


def split(contracts: Contracts, condition: str, amount: int, *, neg_risk: bool) -> Call:
    """v1: dollars become as many YES and NO."""
    data = SPLIT + _partition_arguments(contracts, condition, amount)
    return Call(contracts.adapter(neg_risk=neg_risk), "0x" + data)


def merge(contracts: Contracts, condition: str, amount: int, *, neg_risk: bool) -> Call:
    """v1: YES and NO become as many dollars."""
    data = MERGE + _partition_arguments(contracts, condition, amount)
    return Call(contracts.adapter(neg_risk=neg_risk), "0x" + data)


def redeem(contracts: Contracts, condition: str, *, neg_risk: bool) -> Call:
    """v1: all that is held of a resolved condition becomes what it is worth."""
    head = [_address(contracts.collateral), NO_PARENT, _bytes32(condition), _uint(4 * WORD)]
    data = REDEEM + b"".join([*head, _uints(BINARY)]).hex()
    return Call(contracts.adapter(neg_risk=neg_risk), "0x" + data)


def convert(contracts: Contracts, market: str, indices: Iterable[int], amount: int) -> Call:
    """v1 neg-risk: NO of k questions become k - 1 dollars each and YES of all other questions.

    Args:
        contracts: Addresses.
        market: The event's neg-risk market id.
        indices: Which questions' NO is given, verified on chain (`condition_of_question`).
        amount: Of each.
    """
    words = [_bytes32(market), _uint(index_set(indices)), _amount(amount)]
    return Call(contracts.neg_risk_collateral_adapter, "0x" + CONVERT + b"".join(words).hex())


def router_split(contracts: Contracts, condition: str, amount: int) -> Call:
    """v2: dollars become as many YES and NO."""
    return _router(contracts, ROUTER_SPLIT, condition, _amount(amount))


def router_merge(contracts: Contracts, condition: str, amount: int) -> Call:
    """v2: YES and NO become as many dollars."""
    return _router(contracts, ROUTER_MERGE, condition, _amount(amount))


def router_redeem(contracts: Contracts, condition: str, outcome: int, amount: int) -> Call:
    """v2: shares of one outcome (0 YES, 1 NO) of a resolved condition become their worth."""
    if outcome not in (0, 1):
        raise ValueError(f"outcome {outcome}: 0 is YES, 1 is NO")
    return _router(contracts, ROUTER_REDEEM, condition, _uint(outcome), _amount(amount))


def router_convert(contracts: Contracts, event: bytes, index: int, amount: int) -> Call:
    """v2: NO of one outcome becomes YES of every other outcome, "Other" included; free of charge.

    Args:
        contracts: Addresses.
        event: The event's id, 29 bytes (`arb.adapters.polymarket.position.event_of`).
        index: Which outcome's NO is given; "Other" is the last one.
        amount: Millionths.
    """
    if not 0 <= index <= arity(event):
        raise ValueError(f"outcome {index}: the event has {arity(event) + 1}")
    words = [_event(event), _uint(index), _amount(amount)]
    return Call(contracts.router, "0x" + ROUTER_CONVERT + b"".join(words).hex())


def horizontal_split(contracts: Contracts, event: bytes, amount: int) -> Call:
    """v2: dollars become as many YES of every outcome of an event, "Other" included."""
    words = _event(event) + _amount(amount)
    return Call(contracts.router, "0x" + HORIZONTAL_SPLIT + words.hex())


def horizontal_merge(contracts: Contracts, event: bytes, amount: int) -> Call:
    """v2: YES of every outcome of an event, "Other" included, become as many dollars."""
    words = _event(event) + _amount(amount)
    return Call(contracts.router, "0x" + HORIZONTAL_MERGE + words.hex())


def approve(contracts: Contracts, spender: str, amount: int) -> Call:
    """Let a contract take exactly this many dollars; 0 takes the permission back.

    An unlimited allowance is refused: what a bug or a broken contract can take is bounded by it.
    """
    if not 0 <= amount < UINT256_MAX:
        raise ValueError(f"allowance {amount}: an exact amount is needed")
    words = _address(spender) + _uint(amount)
    return Call(contracts.collateral, "0x" + APPROVE + words.hex())


def set_approval_for_all(token: str, operator: str, *, approved: bool = True) -> Call:
    """Let a contract move all of our outcome tokens of one ERC-1155, or no longer."""
    words = _address(operator) + _uint(int(approved))
    return Call(token, "0x" + SET_APPROVAL_FOR_ALL + words.hex())


def dollars(contracts: Contracts, owner: str) -> View[int]:
    """How many dollars a wallet has."""
    return View(Call(contracts.collateral, "0x" + BALANCE_OF_ERC20 + _address(owner).hex()), uint)


def shares(token_contract: str, owner: str, token: str | int) -> View[int]:
    """How many shares of one outcome a wallet has."""
    words = _address(owner) + _uint(int(token))
    return View(Call(token_contract, "0x" + BALANCE_OF + words.hex()), uint)


def shares_of_many(
    token_contract: str, owner: str, tokens: Sequence[str | int]
) -> View[tuple[int, ...]]:
    """How many shares of each outcome a wallet has, all at the same block."""
    owners = _array([_address(owner)] * len(tokens))
    ids = _uints([int(token) for token in tokens])
    head = _uint(2 * WORD) + _uint(2 * WORD + len(owners))
    data = BALANCE_OF_BATCH + (head + owners + ids).hex()

    def read(answer: str) -> tuple[int, ...]:
        held = uints(answer)
        if len(held) != len(tokens):
            raise BadVenueData("balanceOfBatch", f"{len(held)} balances of {len(tokens)}")
        return held

    return View(Call(token_contract, "0x" + data), read)


def allowance(contracts: Contracts, owner: str, spender: str) -> View[int]:
    """How many of a wallet's dollars a contract may take."""
    words = _address(owner) + _address(spender)
    return View(Call(contracts.collateral, "0x" + ALLOWANCE + words.hex()), uint)


def is_approved_for_all(token: str, owner: str, operator: str) -> View[bool]:
    """Whether a contract may move a wallet's outcome tokens."""
    words = _address(owner) + _address(operator)
    return View(Call(token, "0x" + IS_APPROVED_FOR_ALL + words.hex()), flag)


def condition_of_question(contracts: Contracts, market: str, index: int) -> View[str]:
    """Which condition a neg-risk event's question is: the index mapping as the chain has it."""
    data = GET_CONDITION_ID + _bytes32(question_id(market, index)).hex()
    return View(Call(contracts.neg_risk_adapter, "0x" + data), bytes32)


def fee_bips(contracts: Contracts, market: str) -> View[int]:
    """What a conversion costs, in hundredths of a percent."""
    return View(_of_neg_risk(contracts, GET_FEE_BIPS, market), uint)


def question_count(contracts: Contracts, market: str) -> View[int]:
    """How many questions a neg-risk event has, placeholders included."""
    return View(_of_neg_risk(contracts, GET_QUESTION_COUNT, market), uint)


def market_data(contracts: Contracts, market: str) -> View[NegRiskMarket]:
    """All that the neg-risk adapter keeps about an event."""
    return View(_of_neg_risk(contracts, GET_MARKET_DATA, market), _market_data)


def payout_denominator(contracts: Contracts, condition: str) -> View[int]:
    """v1: 0 until the condition is resolved."""
    data = PAYOUT_DENOMINATOR + _bytes32(condition).hex()
    return View(Call(contracts.conditional_tokens, "0x" + data), uint)


def payout_numerator(contracts: Contracts, condition: str, outcome: int) -> View[int]:
    """v1: what an outcome (0 YES, 1 NO) pays, in parts of the denominator."""
    data = PAYOUT_NUMERATORS + (_bytes32(condition) + _uint(outcome)).hex()
    return View(Call(contracts.conditional_tokens, "0x" + data), uint)


def index_set(indices: Iterable[int]) -> int:
    """Questions as bits, the first one lowest."""
    bits = 0
    for index in indices:
        if not 0 <= index < QUESTIONS_MAX:
            raise ValueError(f"question {index}: there are at most {QUESTIONS_MAX}")
        if bits >> index & 1:
            raise ValueError(f"question {index} is named twice")
        bits |= 1 << index
    if not bits:
        raise ValueError("no question is named")
    return bits


def question_id(market: str, index: int) -> str:
    """The id of a neg-risk event's question: the event's id with the index as its last byte."""
    raw = _bytes32(market)
    if raw[-1] != 0:
        raise ValueError(f"{market} is not the id of a neg-risk event: it ends in {raw[-1]:02x}")
    if not 0 <= index < QUESTIONS_MAX:
        raise ValueError(f"question {index}: there are at most {QUESTIONS_MAX}")
    return "0x" + (raw[:-1] + bytes([index])).hex()


def uint(answer: str) -> int:
    """The number that a contract returns."""
    (word,) = _words(answer, 1)
    return int.from_bytes(word, "big")


def flag(answer: str) -> bool:
    """The yes or no that a contract returns."""
    value = uint(answer)
    if value not in (0, 1):
        raise BadVenueData("contract", f"{value} is neither yes nor no")
    return bool(value)


def bytes32(answer: str) -> str:
    """The id that a contract returns."""
    (word,) = _words(answer, 1)
    return "0x" + word.hex()


def uints(answer: str) -> tuple[int, ...]:
    """The list of numbers that a contract returns."""
    words = [int.from_bytes(word, "big") for word in _words(answer, None)]
    if len(words) < 2 or words[0] != WORD or len(words) != 2 + words[1]:
        raise BadVenueData("contract", f"{answer[:80]} is not a list of numbers")
    return tuple(words[2:])


def _partition_arguments(contracts: Contracts, condition: str, amount: int) -> str:
    head = [
        _address(contracts.collateral),
        NO_PARENT,
        _bytes32(condition),
        _uint(5 * WORD),
        _amount(amount),
    ]
    return b"".join([*head, _uints(BINARY)]).hex()


def _router(contracts: Contracts, selector: str, condition: str, *words: bytes) -> Call:
    data = _v2_condition(condition) + b"".join(words)
    return Call(contracts.router, "0x" + selector + data.hex())


def _of_neg_risk(contracts: Contracts, selector: str, market: str) -> Call:
    return Call(contracts.neg_risk_adapter, "0x" + selector + _bytes32(market).hex())


def _market_data(answer: str) -> NegRiskMarket:
    (word,) = _words(answer, 1)
    return NegRiskMarket(
        questions=word[0],
        determined=word[1] != 0,
        winner=word[2] if word[1] else None,
        fee_bips=int.from_bytes(word[3:5], "big"),
        oracle="0x" + word[12:].hex(),
    )


def _words(answer: str, count: int | None) -> list[bytes]:
    try:
        raw = _hex(answer)
    except ValueError as error:
        raise BadVenueData("contract", f"{answer[:80]!r} is not hex") from error
    if len(raw) % WORD or (count is not None and len(raw) != count * WORD):
        raise BadVenueData("contract", f"{len(raw)} bytes where {count or 'whole'} words belong")
    return [raw[start : start + WORD] for start in range(0, len(raw), WORD)]


def _v2_condition(condition: str) -> bytes:
    """31 bytes, left-aligned; 32 of them end in an outcome byte that is left out."""
    raw = _hex(condition)
    if len(raw) == CONDITION_BYTES and raw[-1] in (0, 1):
        raw = raw[:-1]
    if len(raw) != V2_CONDITION_BYTES:
        raise ValueError(f"{condition} is not the id of a v2 condition")
    return raw + b"\0"


def _event(event: bytes) -> bytes:
    if len(event) != EVENT_BYTES:
        raise ValueError(f"0x{event.hex()} is not the id of a v2 event")
    return event.ljust(WORD, b"\0")


def _bytes32(value: str) -> bytes:
    raw = _hex(value)
    if len(raw) != WORD:
        raise ValueError(f"{value} has {len(raw)} bytes, not {WORD}")
    return raw


def _address(value: str) -> bytes:
    raw = _hex(value)
    if len(raw) != ADDRESS_BYTES:
        raise ValueError(f"{value} is not an address")
    return raw.rjust(WORD, b"\0")


def _amount(value: int) -> bytes:
    if value <= 0:
        raise ValueError(f"amount {value}: nothing would happen")
    return _uint(value)


def _uint(value: int) -> bytes:
    if not 0 <= value <= UINT256_MAX:
        raise ValueError(f"{value} does not fit a word")
    return value.to_bytes(WORD, "big")


def _uints(values: Sequence[int]) -> bytes:
    return _array([_uint(value) for value in values])


def _array(words: Sequence[bytes]) -> bytes:
    return _uint(len(words)) + b"".join(words)


def _hex(value: str) -> bytes:
    if not value.startswith(("0x", "0X")):
        raise ValueError(f"{value!r} is not hex with 0x")
    return bytes.fromhex(value[2:])
