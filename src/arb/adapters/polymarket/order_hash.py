"""The id that the exchange will know an order by, known before the order is sent.

The EIP-712 hash of the signed struct (docs/venue-polymarket.md §3.4, §6.3). Which exchange contract
the order was signed for is not in the order, so it is read out of the signature: an order is
accepted here only when its own signature proves the domain that the hash was taken in.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from coincurve import PublicKey
from eth_utils.crypto import keccak

from arb.adapters.polymarket.contracts import Contracts
from arb.domain.errors import BadVenueData

if TYPE_CHECKING:
    from polymarket._internal.actions.orders.types import UnsignedOrder
    from polymarket.models.clob.orders import SignedOrder

NAME = "Polymarket CTF Exchange"
DOMAIN = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ORDER = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    b"bytes32 builder)"
)
SIGNATURE_BYTES = 65
DEPOSIT_WALLET = 3
"""Signature type of a contract that checks signatures itself (ERC-1271, nested as in ERC-7739)."""
V2_NAMESPACE = ((1 << 64) - 1) << 40
"""Bits that are zero in a position id of protocol v2."""


def order_hash(signed: "SignedOrder", contracts: Contracts) -> str:
    """The order's id.

    Args:
        signed: As the official client made it.
        contracts: The exchanges that it may have been signed for.

    Raises:
        BadVenueData: It was signed for none of them.
    """
    content = content_hash(signed)
    for domain in _domains(signed.token_id, contracts):
        id_ = digest(domain, content)
        if _proves(signed, domain, content, id_):
            return "0x" + id_.hex()
    raise BadVenueData("order", "it is signed for no exchange that is known here")


def digest(domain: bytes, content: bytes) -> bytes:
    """What an account signs of a struct in a domain; an order's id is this of its own struct."""
    return bytes(keccak(b"\x19\x01" + domain + content))


def _proves(signed: "SignedOrder", domain: bytes, content: bytes, id_: bytes) -> bool:
    signature = bytes.fromhex(signed.signature.removeprefix("0x"))
    if signed.signature_type == DEPOSIT_WALLET:
        # The application's domain and the order follow the signature, whatever wraps the two
        # (a session key's signature is wrapped once more).
        return domain + content in signature
    return _address_of(signature, id_) == str(signed.signer).lower()


def _address_of(signature: bytes, message: bytes) -> str:
    """The signer's address; empty: not a valid signature."""
    if len(signature) != SIGNATURE_BYTES or signature[-1] not in (27, 28):
        return ""
    compact = signature[:-1] + bytes([signature[-1] - 27])
    try:
        key = PublicKey.from_signature_and_message(compact, message, hasher=None)
    except ValueError:
        return ""
    return "0x" + bytes(keccak(key.format(compressed=False)[1:]))[-20:].hex()


def content_hash(order: "UnsignedOrder | SignedOrder") -> bytes:
    """The hash of an order's struct, signed or not."""
    return struct_hash(
        ORDER,
        order.salt,
        int(order.maker, 16),
        int(order.signer, 16),
        int(order.token_id),
        order.maker_amount,
        order.taker_amount,
        0 if order.side == "BUY" else 1,
        order.signature_type,
        order.timestamp,
        int(order.metadata, 16),
        int(order.builder, 16),
    )


def struct_hash(type_: bytes, *words: int) -> bytes:
    """The hash of an EIP-712 struct: of its type, and of its members as 32 bytes each."""
    packed = b"".join(word.to_bytes(32, "big") for word in words)
    return bytes(keccak(type_hash(type_) + packed))


@lru_cache(maxsize=16)
def type_hash(type_: bytes) -> bytes:
    """The hash of a type's encoding, or of a constant text."""
    return bytes(keccak(type_))


def _domains(token: str, contracts: Contracts) -> Iterator[bytes]:
    if int(token) & V2_NAMESPACE == 0:
        yield separator(contracts.chain_id, contracts.exchange_v3, "3")
    else:
        yield separator(contracts.chain_id, contracts.neg_risk_exchange, "2")
        yield separator(contracts.chain_id, contracts.exchange, "2")


@lru_cache(maxsize=8)
def separator(chain_id: int, exchange: str, version: str) -> bytes:
    """The domain of the orders of one exchange."""
    return struct_hash(
        DOMAIN,
        int.from_bytes(type_hash(NAME.encode()), "big"),
        int.from_bytes(type_hash(version.encode()), "big"),
        chain_id,
        int(exchange, 16),
    )
