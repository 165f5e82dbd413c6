"""Signs orders for the official client in a fraction of the time that its general encoder takes.

The client signs through an account of `eth_account`, which encodes any EIP-712 message there could
be. Orders are always the same two structs (PLATFORM.md §3.4), so they are hashed here directly and
signed by the same library for the same curve: the signatures are the same, byte for byte, and held
against each other before this signer is used. Everything else is left to the account.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

from coincurve import PrivateKey
from eth_account.datastructures import SignedMessage
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from polymarket._internal.actions.orders.typed_data import build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket.models.types import TokenId
from polymarket.types import EvmAddress, HexString

from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.order_hash import (
    DEPOSIT_WALLET,
    NAME,
    ORDER,
    separator,
    struct_hash,
    type_hash,
)

if TYPE_CHECKING:
    from polymarket import AsyncSecureClient

NESTED = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    b"address verifyingContract,bytes32 salt)" + ORDER
)
"""How a wallet that is a contract has its orders signed (ERC-7739)."""
MEMBERS = [one.split() for one in ORDER.decode().removeprefix("Order(").rstrip(")").split(",")]
FIELDS = [{"name": name, "type": type_} for type_, name in MEMBERS]


class OrderSigner(LocalAccount):
    """The client's own account, quicker for orders."""

    def __init__(self, account: LocalAccount) -> None:
        super().__init__(account._key_obj, account._publicapi)
        self._curve = PrivateKey(account.key)

    def sign_typed_data(
        self,
        domain_data: dict[str, Any] | None = None,
        message_types: dict[str, Any] | None = None,
        message_data: dict[str, Any] | None = None,
        full_message: dict[str, Any] | None = None,
    ) -> SignedMessage:
        """See `LocalAccount`."""
        digest = None if full_message is None else _digest(full_message)
        if digest is None:
            return super().sign_typed_data(domain_data, message_types, message_data, full_message)
        compact = self._curve.sign_recoverable(digest, hasher=None)
        v = 27 + compact[64]
        return SignedMessage(
            message_hash=HexBytes(digest),
            r=int.from_bytes(compact[:32], "big"),
            s=int.from_bytes(compact[32:64], "big"),
            v=v,
            signature=HexBytes(compact[:64] + bytes([v])),
        )


def quicken(client: "AsyncSecureClient", contracts: Contracts) -> bool:
    """Let the client sign through an `OrderSigner`, if that signs what the client itself signs.

    The client has no public way to be given a signer; version 0.14.0 is pinned.
    """
    context = copy(client._ctx)
    official, quick = context.signer, OrderSigner(context.signer)
    for message in _samples(official.address, contracts):
        ours = quick.sign_typed_data(full_message=message)
        if ours != official.sign_typed_data(full_message=message):
            return False
    object.__setattr__(context, "signer", quick)
    client._ctx = context
    return True


def _samples(address: str, contracts: Contracts) -> Iterator[dict[str, Any]]:
    """An order of every kind that is signed, as the client encodes it."""
    own = EvmAddress(address)
    homes: list[tuple[str, Literal["2", "3"]]] = [
        (contracts.exchange, "2"),
        (contracts.neg_risk_exchange, "2"),
        (contracts.exchange_v3, "3"),
    ]
    for exchange, version in homes:
        for signature_type in (0, DEPOSIT_WALLET):
            yield build_order_typed_data(
                UnsignedOrder(
                    builder=HexString("0x" + "0b" * 32),
                    chain_id=contracts.chain_id,
                    exchange_address=EvmAddress(exchange),
                    expiration=0,
                    maker=own,
                    maker_amount=4_200_000,
                    metadata=HexString("0x" + "00" * 32),
                    order_type="FOK",
                    salt=(1 << 53) - 1,
                    side="SELL",
                    signature_type=signature_type,
                    signer=own,
                    taker_amount=10_000_000,
                    timestamp=1_763_700_000_000,
                    token_id=TokenId(str((1 << 256) - 1)),
                    protocol_version=version,
                )
            )


def _digest(message: Mapping[str, Any]) -> bytes | None:
    """What is signed of an order; `None`: this is none."""
    domain, said = message["domain"], message["message"]
    if message["types"].get("Order") != FIELDS or domain["name"] != NAME:
        return None
    if message["primaryType"] == "Order":
        content = _order(said)
    elif message["primaryType"] == "TypedDataSign":
        content = struct_hash(
            NESTED,
            int.from_bytes(_order(said["contents"]), "big"),
            int.from_bytes(type_hash(said["name"].encode()), "big"),
            int.from_bytes(type_hash(said["version"].encode()), "big"),
            said["chainId"],
            int(said["verifyingContract"], 16),
            int(said["salt"], 16),
        )
    else:
        return None
    home = separator(domain["chainId"], domain["verifyingContract"], domain["version"])
    return bytes(keccak(b"\x19\x01" + home + content))


def _order(said: Mapping[str, Any]) -> bytes:
    words = (said[name] for _, name in MEMBERS)
    return struct_hash(ORDER, *(int(w, 16) if isinstance(w, str) else w for w in words))
