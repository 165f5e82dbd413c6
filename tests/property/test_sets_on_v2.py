"""Sets of a v2 event on the embedded chain: what the Router makes of them, and what it refuses."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket import calls, position
from arb.adapters.polymarket.contracts import Contracts as Book
from arb.exchange.market.builder import Builder
from arb.exchange.market.exchange import Exchange
from arb.exchange.trading.bank import Bank

pytest.importorskip("eth_abi")

from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.chain.contracts import Contracts
from arb.exchange.chain.tokens import Reverts

BOOK = Book()
ME = "0x" + "ab" * 20


class Chain:
    """One event of `named` outcomes and "Other", and a wallet that has permitted the Router."""

    def __init__(self, named, *, listed_other=True):
        build = Builder(random.Random(1))
        quotes = [("0.4", 100)], [("0.5", 100)]
        markets = [
            build.market(f"m-{n}", *quotes, version="v2") for n in range(named + int(listed_other))
        ]
        self.event = build.event("sets", markets, neg_risk=True, other=listed_other)
        exchange = Exchange([self.event], SystemClock(), random.Random(1))
        self.contracts, self.bank = Contracts(exchange, ChainBehaviour()), Bank()
        self.id, self.count = self.event.positions, named + 1
        self.bank.deposit(ME, 10**15)
        self.do(calls.approve(BOOK, BOOK.router, 10**15))
        self.do(calls.set_approval_for_all(BOOK.position_manager, BOOK.router))

    def do(self, call):
        data = bytes.fromhex(call.data[2:])
        with self.bank.atomically():
            self.contracts.run(self.bank, ME, call.to.lower(), data)

    def held(self, outcome):
        tokens = [position.position(self.id, at, outcome) for at in range(self.count)]
        return [self.bank.shares(ME, token) for token in tokens]

    def split(self, index, amount):
        self.do(calls.router_split(BOOK, self.event.markets[index].condition_id, amount))


@settings(max_examples=60)
@given(data=st.data(), named=st.integers(1, 11), amount=st.integers(1, 10**9))
def test_no_of_k_outcomes_become_k_minus_one_dollars_and_yes_of_the_others(data, named, amount):
    chain = Chain(named)
    n = chain.count
    indices = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True))
    for index in indices:
        chain.split(index, amount)
    before, yes = chain.bank.usd(ME), chain.held(0)
    chain.do(calls.router_convert(BOOK, chain.id, indices[0], amount))
    for index in indices[1:]:
        condition = chain.event.markets[index].condition_id
        chain.do(calls.router_merge(BOOK, condition, amount))
    assert chain.bank.usd(ME) - before == (len(indices) - 1) * amount
    assert chain.held(1) == [0] * n
    gained = [now - then for now, then in zip(chain.held(0), yes, strict=True)]
    assert gained == [0 if index in indices else amount for index in range(n)]
    assert not chain.bank.problems()
    # YES that were there before the sets were and those that came are a full set: all is cash.
    chain.do(calls.horizontal_merge(BOOK, chain.id, amount))
    assert chain.held(0) == [0] * n
    assert chain.bank.usd(ME) == 10**15


@settings(max_examples=30)
@given(named=st.integers(1, 11), amount=st.integers(1, 10**9), listed=st.booleans())
def test_a_dollar_and_yes_of_every_outcome_are_the_same(named, amount, listed):
    chain = Chain(named, listed_other=listed)
    chain.do(calls.horizontal_split(BOOK, chain.id, amount))
    assert chain.held(0) == [amount] * chain.count
    assert chain.bank.usd(ME) == 10**15 - amount
    chain.do(calls.horizontal_merge(BOOK, chain.id, amount))
    assert chain.held(0) == [0] * chain.count
    assert chain.bank.usd(ME) == 10**15
    assert not chain.bank.problems()


def test_what_the_contract_would_refuse_reverts_and_changes_nothing():
    chain = Chain(3)
    chain.split(0, 5)
    for index in range(1, 3):
        chain.split(index, 3)
    unknown = chain.id[:1] + bytes(16) + chain.id[17:]
    good = calls.router_convert(BOOK, chain.id, 3, 5)
    beyond = type(good)(good.to, good.data[:74] + f"{4:064x}" + good.data[138:])
    refused = {
        "EventNotPrepared": calls.horizontal_merge(BOOK, unknown, 1),
        "InvalidConditionIndex": beyond,
        "has 5 of 6": calls.router_convert(BOOK, chain.id, 0, 6),
        "has 0 of 3": calls.horizontal_merge(BOOK, chain.id, 3),
    }
    state = (dict(chain.bank.tokens), dict(chain.bank.dollars))
    for said, call in refused.items():
        with pytest.raises(Reverts, match=said):
            chain.do(call)
    chain.do(calls.set_approval_for_all(BOOK.position_manager, BOOK.router, approved=False))
    for call in (
        calls.router_convert(BOOK, chain.id, 0, 1),
        calls.horizontal_merge(BOOK, chain.id, 1),
    ):
        with pytest.raises(Reverts):
            chain.do(call)
    chain.do(calls.approve(BOOK, BOOK.router, 0))
    with pytest.raises(Reverts):
        chain.do(calls.horizontal_split(BOOK, chain.id, 1))
    after = {key: held for key, held in chain.bank.tokens.items() if held}
    assert (after, dict(chain.bank.dollars)) == (
        {key: held for key, held in state[0].items() if held},
        state[1],
    )


def test_an_event_is_whole_only_with_every_outcome_and_other():
    chain = Chain(3)
    conditions = [market.padded_id for market in chain.event.markets]
    assert position.whole(conditions)
    assert position.siblings(conditions[:3]) == chain.id
    assert not position.whole(conditions[:3])
    assert not position.whole([*conditions[:3], conditions[0]])
    stranger = Chain(3)
    other = "0x02" + "11" * 16 + stranger.event.markets[3].padded_id[36:]
    assert position.siblings([*conditions[:3], other]) is None
    assert position.event_of("0x01" + conditions[0][4:]) is None
