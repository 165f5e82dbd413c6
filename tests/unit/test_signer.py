"""The quick signer against the official client's own, byte for byte."""

from types import SimpleNamespace

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal.actions.orders.typed_data import build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket._internal.l1_auth import build_api_key_auth_typed_data

from arb.adapters.polymarket import signer
from arb.adapters.polymarket.contracts import Contracts

KEYS = [Account.from_key(bytes([n]) * 32) for n in (1, 7, 255 - 16)]
words = st.integers(0, (1 << 256) - 1)
addresses = st.integers(0, (1 << 160) - 1).map("0x{:040x}".format)
hexes = words.map("0x{:064x}".format)
orders = st.builds(
    UnsignedOrder,
    builder=hexes,
    chain_id=st.sampled_from([137, 80002]),
    exchange_address=addresses,
    expiration=st.just(0),
    maker=addresses,
    maker_amount=words,
    metadata=hexes,
    order_type=st.just("FOK"),
    salt=words,
    side=st.sampled_from(["BUY", "SELL"]),
    signature_type=st.sampled_from([0, 1, 2, 3]),
    signer=addresses,
    taker_amount=words,
    timestamp=words,
    token_id=words.map(str),
    protocol_version=st.sampled_from(["2", "3"]),
)


@settings(deadline=None)
@given(orders, st.sampled_from(KEYS))
def test_every_order_is_signed_as_the_official_client_signs_it(order, account):
    message = build_order_typed_data(order)
    quick = signer.OrderSigner(account)
    assert signer._digest(message) is not None
    assert quick.sign_typed_data(full_message=message) == account.sign_typed_data(
        full_message=message
    )


def _messages():
    yield build_api_key_auth_typed_data(
        address=KEYS[0].address, chain_id=137, timestamp=1_763_700_000, nonce=0
    )
    sample = next(signer._samples(KEYS[0].address, Contracts()))
    fields = [*signer.FIELDS, {"name": "more", "type": "uint256"}]
    yield {
        **sample,
        "types": {**sample["types"], "Order": fields},
        "message": {**sample["message"], "more": 1},
    }
    yield {**sample, "domain": {**sample["domain"], "name": "Another Exchange"}}


@pytest.mark.parametrize("message", list(_messages()))
def test_what_is_no_order_is_left_to_the_account(message):
    account = KEYS[0]
    assert signer._digest(message) is None
    assert signer.OrderSigner(account).sign_typed_data(
        full_message=message
    ) == account.sign_typed_data(full_message=message)


def _client():
    return SimpleNamespace(_ctx=_Context(KEYS[0]))


class _Context:
    def __init__(self, account):
        self.signer = account


def test_it_is_used_when_it_agrees_with_the_client_and_not_otherwise(monkeypatch):
    client = _client()
    assert signer.quicken(client, Contracts())
    assert isinstance(client._ctx.signer, signer.OrderSigner)
    monkeypatch.setattr(signer, "NESTED", signer.ORDER)
    client = _client()
    assert not signer.quicken(client, Contracts())
    assert client._ctx.signer is KEYS[0]


def test_a_signed_in_client_signs_quickly_and_hides_its_key():
    client = _client()
    signer.quicken(client, Contracts())
    assert KEYS[0].key.hex() not in repr(client._ctx.signer) + repr(
        vars(client._ctx.signer)["_curve"]
    )
