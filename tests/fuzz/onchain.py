"""What a chain and the APIs beside it answer: contracts' bytes, logs, prices."""

import json
from decimal import Decimal

from arb.domain.errors import BadVenueData
from arb.net.rpc import Log, Reverted
from arb.onchain.abi import Contract, error, event, function
from arb.onchain.liquidations.memory import Memory
from arb.onchain.spreads.hints import balancer_prices, curve_prices, oneinch_prices
from tests.fuzz.reading import Target, must, naive

WETH, USD = "0x" + "42" * 20, "0x" + "83" * 20
TOKENS = frozenset({WETH, USD})
CONTRACT = Contract(
    function("quote", "uint256", returns=("uint256", "(address,bytes)[]", "string")),
    event("Moved", by="indexed address", what="indexed string", amount="uint256", note="string"),
    error("TooLittle", "uint256", "string"),
)
WORD = bytes(31) + b"\x20"


def _prices():
    coins = [{"address": WETH, "usdPrice": 2001.25}, {"address": USD, "usdPrice": None}]
    rows = [{"address": WETH, "price": 1999.5}, {"address": USD, "price": 0.9998}]
    found = (
        {"success": True, "data": {"poolData": [{"coins": coins}]}},
        {"data": {"tokenGetCurrentPrices": rows}},
        {WETH: "2000.75", USD: "1.0001"},
    )
    return [json.dumps(one).encode() for one in found]


def read_prices(raw, _folder):
    """Each source reads what is its own, or says that it is not."""
    found = 0
    for read in (curve_prices, balancer_prices, oneinch_prices):
        try:
            hints = read(raw, TOKENS)
        except BadVenueData:
            continue
        found += 1
        for hint in hints:
            must(hint.token in TOKENS, "a token that was not asked for")
            must(0 < hint.usd < Decimal(10**12), "a price without bounds")
    if not found:
        raise BadVenueData("hints", "none of the sources")
    must(isinstance(naive(raw), dict), "an answer that is no object")


def _answers():
    """The ABI's bytes of one answer, one log and one refusal."""
    quote = Contract(function("made", "uint256", "(address,bytes)[]", "string"))
    moved = Contract(function("made", "uint256", "string"))
    return [
        bytes.fromhex(quote.encode("made", 5, [(WETH, b"ab")], "x")[10:]),
        bytes.fromhex(moved.encode("made", 5, "note")[10:]),
        WORD * 4,
    ]


def read_answers(raw, _folder):
    """Every way in which bytes of a contract are read; a refusal always has words."""
    told = "0x" + raw.hex()
    selector = "0x" + raw[:4].hex()
    words = CONTRACT.why(Reverted("no", selector + raw[4:].hex()))
    must(isinstance(words, str) and words, "a refusal without words")
    topics = (CONTRACT.topic("Moved"), "0x" + raw[:32].hex(), "0x" + raw[-32:].hex())
    log = Log(
        address=WETH,
        topics=topics,
        data=told,
        block=1,
        block_hash="0x",
        transaction="0x",
        index=0,
    )
    problems = 0
    for read in (lambda: CONTRACT.read("quote", told), lambda: CONTRACT.event(log)):
        try:
            read()
        except BadVenueData:
            problems += 1
    if problems == 2:
        raise BadVenueData("abi", "neither an answer nor a log")


def _borrowers():
    known = {
        "schema": 1,
        "market": "8453/0xpool",
        "block": 7,
        "hash": "0x" + "ab" * 32,
        "borrowers": [WETH, USD],
    }
    return [json.dumps(known).encode()]


def read_borrowers(raw, folder):
    """A file of borrowers is read whole or not at all; what it lacks is looked for on the chain."""
    file = folder / "borrowers.json"
    file.write_bytes(raw)
    found = Memory(file, "8453/0xpool").load()
    if found is None:
        raise ValueError("nothing usable")
    block, borrowers = found
    must(isinstance(block.number, int) and block.number >= 0, "no block")
    must(all(len(one) == 42 and one.startswith("0x") for one in borrowers), "no address")


TARGETS = (
    Target(name="prices beside", seeds=_prices, contract=(BadVenueData,), read=read_prices),
    Target(name="borrowers", seeds=_borrowers, contract=(ValueError,), read=read_borrowers),
    Target(name="contract answers", seeds=_answers, contract=(BadVenueData,), read=read_answers),
)
