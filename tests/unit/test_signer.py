"""The quick signer against the official client's own, byte for byte."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from polymarket import AsyncSecureClient
from polymarket._internal.actions.orders.orders import create_signed_order
from polymarket._internal.actions.orders.post import build_post_order_request
from polymarket._internal.actions.orders.typed_data import _build_standard_typed_data
from polymarket._internal.actions.orders.types import OrderDraft, UnsignedOrder

from arb.adapters.polymarket import signer
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.order_hash import order_hash
from arb.domain.errors import BadVenueData

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


@given(orders, st.sampled_from(KEYS))
def test_every_order_is_signed_as_the_official_client_signs_it(order, account):
    ours, id_ = signer.OrderSigner(account.key).sign(order)
    assert ours == signer.official_signature(account, order)
    assert id_ == _id_of(order)


def _id_of(order):
    plain = _build_standard_typed_data(order, protocol_version=order.protocol_version)
    message = encode_typed_data(full_message=plain)
    return "0x" + keccak(b"\x19" + message.version + message.header + message.body).hex()


def _client(wallet_type="EOA", signer_type="OWNER"):
    context = SimpleNamespace(
        signer=KEYS[0], wallet=KEYS[1].address, wallet_type=wallet_type, signer_type=signer_type
    )
    return Client(context)


class Client:
    """As much of the official one as signs orders, its own code."""

    _sign_order = AsyncSecureClient._sign_order

    def __init__(self, context):
        self._ctx = context


DRAFT = OrderDraft(
    chain_id=137,
    exchange_address=Contracts().exchange,
    expiration=0,
    funder_address=KEYS[1].address,
    offered_amount=4_200_000,
    order_type="FOK",
    side="BUY",
    signer=KEYS[0].address,
    requested_amount=10_000_000,
    asset_id=str(1 << 50),
)


@pytest.mark.parametrize(
    ("wallet_type", "signer_type"),
    [
        ("EOA", "OWNER"),
        ("GNOSIS_SAFE", "OWNER"),
        ("POLY_PROXY", "OWNER"),
        ("DEPOSIT_WALLET", "OWNER"),
        ("DEPOSIT_WALLET", "SESSION_KEY"),
    ],
)
async def test_a_client_that_was_quickened_makes_the_same_orders(
    monkeypatch, wallet_type, signer_type
):
    monkeypatch.setattr("polymarket._internal.actions.orders.orders._generate_salt", lambda: 7)
    monkeypatch.setattr("polymarket._internal.actions.orders.orders._current_timestamp_ms", int)
    client = _client(wallet_type, signer_type)
    before = await client._sign_order(DRAFT, post_only=False)
    assert signer.quicken(client, Contracts())
    assert client._sign_order.__module__ == signer.__name__
    after = await client._sign_order(DRAFT, post_only=False)
    assert [getattr(after, n) for n in signer.MEMBERS] == [
        getattr(before, n) for n in signer.MEMBERS
    ]
    assert after.id == order_hash(before, Contracts())
    assert build_post_order_request(after, owner_api_key="k") == build_post_order_request(
        before, owner_api_key="k"
    )


def test_one_that_does_not_agree_with_the_client_is_not_used(monkeypatch):
    monkeypatch.setattr(signer, "NESTED", signer.ORDER)
    client = _client()
    assert not signer.quicken(client, Contracts())
    assert client._sign_order.__func__ is AsyncSecureClient._sign_order


HOMES = {
    Contracts().exchange: ("2", (1 << 50) + 1),
    Contracts().neg_risk_exchange: ("2", (1 << 50) + 2),
    Contracts().exchange_v3: ("3", 1 << 200),
}
"""Protocol versions, and tokens that show them."""


def _signed(exchange, signature_type):
    version, token = HOMES[exchange]
    (sample, *_) = signer._samples(KEYS[0].address, Contracts())
    unsigned = replace(
        sample,
        exchange_address=exchange,
        protocol_version=version,
        token_id=str(token),
        signature_type=signature_type,
    )
    signature, _ = signer.OrderSigner(KEYS[0].key).sign(unsigned)
    return unsigned, create_signed_order(unsigned, signature)


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
@pytest.mark.parametrize("exchange", HOMES)
def test_an_order_is_known_by_the_hash_of_what_it_says(exchange, signature_type):
    unsigned, signed = _signed(exchange, signature_type)
    assert order_hash(signed, Contracts()) == _id_of(unsigned)


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_what_the_signature_does_not_prove_has_no_hash(signature_type):
    _, signed = _signed(Contracts().exchange, signature_type)
    elsewhere = replace(Contracts(), exchange="0x" + "11" * 20)
    changed = replace(signed, maker_amount=signed.maker_amount + 1)
    for order, contracts in ((signed, elsewhere), (changed, Contracts())):
        with pytest.raises(BadVenueData, match="no exchange"):
            order_hash(order, contracts)


@pytest.mark.parametrize("signature", ["0x", "0x" + "00" * 65, "0x" + "ff" * 64 + "1b", "0x1b"])
def test_a_signature_of_nobody_proves_nothing(signature):
    _, signed = _signed(Contracts().exchange, 0)
    with pytest.raises(BadVenueData, match="no exchange"):
        order_hash(replace(signed, signature=signature), Contracts())


def test_it_hides_its_key():
    quick = signer.OrderSigner(KEYS[0].key)
    assert KEYS[0].key.hex() not in repr(quick) + repr(vars(quick))
