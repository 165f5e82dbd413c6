"""The questions of neg-risk events as the chain counts them, and a node that knows no more.

Counting needs none of the libraries that the rest of the chain needs: a dry run asks for nothing
else, and the base install has none of them.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from arb.exchange.chain.addresses import CHAIN_ID, DEPLOYMENT
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.market.exchange import Exchange

QUESTION_COUNT = "0xb7f75d2c"
"""Selector of `getQuestionCount(bytes32)`."""
WORD_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a neg-risk event, as the chain counts them."""

    condition: str
    yes: str
    no: str


def questions(exchange: Exchange, conduct: ChainBehaviour, market_id: str) -> list[Question]:
    """The questions of a v1 neg-risk event, in the chain's order; none where there is no such."""
    event = next(
        (
            event
            for event in exchange.events
            if event.neg_risk
            and event.version == "v1"
            and any(market.neg_risk_id == market_id for market in event.markets)
        ),
        None,
    )
    if event is None:
        return []
    listed = [Question(m.condition_id, m.yes, m.no) for m in event.markets]
    if conduct.questions == "reversed":
        listed.reverse()
    return listed + [_hidden(market_id, number) for number in range(conduct.hidden_questions)]


def count_only(exchange: Exchange, conduct: ChainBehaviour, asked: Any) -> dict[str, Any] | None:
    """What a node can return without its libraries: its chain, and the number of questions.

    Args:
        exchange: Whose events are on chain.
        conduct: How the chain behaves.
        asked: A JSON-RPC request; `None` is answered to any other.
    """
    match asked:
        case {"id": int(id_), "method": "eth_chainId"}:
            return {"jsonrpc": "2.0", "id": id_, "result": hex(CHAIN_ID)}
        case {
            "id": int(id_),
            "method": "eth_call",
            "params": [{"to": str(to), "data": str(data)}, *_],
        }:
            argument = data.removeprefix(QUESTION_COUNT)
            at_adapter = to.lower() == DEPLOYMENT.neg_risk_adapter
            if at_adapter and data != argument and len(argument) == WORD_DIGITS:
                counted = len(questions(exchange, conduct, "0x" + argument.lower()))
                return {"jsonrpc": "2.0", "id": id_, "result": f"0x{counted:0{WORD_DIGITS}x}"}
        case _:
            pass
    return None


def _hidden(market_id: str, number: int) -> Question:
    """A question that only the chain knows of."""
    seed = f"{market_id}/{number}"
    condition, yes, no = (hashlib.sha256(f"{seed}/{x}".encode()).hexdigest() for x in "cyn")
    return Question("0x" + condition, str(int(yes, 16)), str(int(no, 16)))
