"""Signatures of orders and of key requests, checked as the contracts check them.

See docs/venue-polymarket.md §6.

The crypto libraries belong to an extra; they are imported when something is checked, not before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from arb.exchange.market.addresses import CHAIN_ID

ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    "uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    "bytes32 builder)"
)
NESTED_TYPE = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    f"address verifyingContract,bytes32 salt){ORDER_TYPE}"
)
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
KEY_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId)"
KEY_TYPE = "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
KEY_MESSAGE = "This message attests that I control the given wallet"
EOA, PROXY, SAFE, DEPOSIT = range(4)
SIGNATURE_BYTES = 65
SESSION_MAGIC = bytes.fromhex("6492" * 16)

PROXY_FACTORY = "ab45c5a4b0c941a2f231c04c3f49182e1a254052"
PROXY_IMPLEMENTATION = "44e999d5c2f66ef0861317f9a4805ac2e90aeb4f"
PROXY_CODE = (
    "3d3d606380380380913d393d73" + PROXY_FACTORY + "5af4602a57600080fd5b602d8060366000396000f3"
    "363d3d373d3d3d363d73" + PROXY_IMPLEMENTATION + "5af43d82803e903d91602b57fd5bf352e831dd"
    "0000000000000000000000000000000000000000000000000000000000000020"
    "0000000000000000000000000000000000000000000000000000000000000000"
)
SAFE_FACTORY = "aacfeea03eb1561c4e67d661e40682bd20e3541b"
SAFE_CODE_HASH = "2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf"
DEPOSIT_FACTORY = "00000000000fb5c9adea0298d729a0cb3823cc07"
DEPOSIT_IMPLEMENTATION = "58ca52ebe0dadfdf531cde7062e76746de4db1eb"
DEPOSIT_BEACON = "7a18edfe055488a3128f01f563e5b479d92ffc3a"
UUPS_CODE = (
    "5155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
BEACON_CODE = (
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)


class NoCrypto(Exception):
    """The crypto libraries are not installed."""


class BadSignature(Exception):
    """It has no signature of a permitted signer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFields:
    """What the signature of an order covers."""

    salt: int
    maker: str
    signer: str
    token: int
    maker_amount: int
    taker_amount: int
    side: int
    kind: int
    timestamp: int
    metadata: bytes
    builder: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """The signer, and whether it is the wallet's own key or a session key."""

    address: str
    session: bool = False


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether signatures can be checked at all."""
    try:
        import eth_abi  # noqa: F401, PLC0415  # of an extra
        import eth_keys  # noqa: F401, PLC0415
        import eth_utils  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def keccak(data: bytes) -> bytes:
    """The hash of the chain."""
    if not available():
        raise NoCrypto
    from eth_utils.crypto import keccak as hash_  # noqa: PLC0415  # of an extra

    return bytes(hash_(data))


def order_hash(fields: SignedFields, exchange: str, version: str) -> bytes:
    """The EIP-712 hash of an order: its id."""
    return keccak(b"\x19\x01" + _domain(exchange, version) + _contents(fields))


def order_signer(fields: SignedFields, exchange: str, version: str, signature: bytes) -> Signed:
    """The signer of an order.

    Raises:
        BadSignature: It is invalid, or not the kind of signature that it claims.
    """
    if fields.kind != DEPOSIT:
        return Signed(recover(order_hash(fields, exchange, version), signature))
    session: str | None = None
    if signature.endswith(SESSION_MAGIC):
        session, signature = _unwrap(signature[: -len(SESSION_MAGIC)])
    domain, contents = _domain(exchange, version), _contents(fields)
    kind = ORDER_TYPE.encode()
    trailer = domain + contents + kind + len(kind).to_bytes(2, "big")
    if signature[SIGNATURE_BYTES:] != trailer:
        raise BadSignature
    nested = keccak(
        keccak(NESTED_TYPE.encode())
        + contents
        + keccak(b"DepositWallet")
        + keccak(b"1")
        + _encode(["uint256", "address", "bytes32"], [CHAIN_ID, fields.signer, bytes(32)])
    )
    signed = recover(keccak(b"\x19\x01" + domain + nested), signature[:SIGNATURE_BYTES])
    if session is not None and session != signed:
        raise BadSignature
    return Signed(signed, session is not None)


def key_signer(address: str, timestamp: str, nonce: int, signature: bytes) -> str:
    """The signer of a request for an API key.

    Raises:
        BadSignature: It is invalid.
    """
    domain = keccak(
        keccak(KEY_DOMAIN_TYPE.encode())
        + keccak(b"ClobAuthDomain")
        + keccak(b"1")
        + _encode(["uint256"], [CHAIN_ID])
    )
    message = keccak(
        keccak(KEY_TYPE.encode())
        + _encode(["address"], [address])
        + keccak(timestamp.encode())
        + _encode(["uint256"], [nonce])
        + keccak(KEY_MESSAGE.encode())
    )
    return recover(keccak(b"\x19\x01" + domain + message), signature)


def recover(digest: bytes, signature: bytes) -> str:
    """The address that signed a hash.

    Raises:
        BadSignature: It is invalid.
    """
    if not available():
        raise NoCrypto
    from eth_keys.datatypes import Signature  # noqa: PLC0415  # of an extra
    from eth_keys.exceptions import BadSignature as Bad  # noqa: PLC0415
    from eth_utils.exceptions import ValidationError  # noqa: PLC0415

    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature
    last = signature[-1]
    try:
        found = Signature(signature[:-1] + bytes([last - 27 if last >= 27 else last]))
        return str(found.recover_public_key_from_msg_hash(digest).to_address())
    except (Bad, ValidationError, ValueError) as error:
        raise BadSignature from error


def wallets_of(signer: str) -> dict[int, set[str]]:
    """The wallets that belong to a key, by signature type."""
    return {kind: set(_wallets(signer.lower())[kind]) for kind in (EOA, PROXY, SAFE, DEPOSIT)}


@lru_cache(maxsize=4096)
def _wallets(signer: str) -> tuple[tuple[str, ...], ...]:
    key = bytes.fromhex(signer[2:])
    padded = key.rjust(32, b"\0")
    args = bytes.fromhex(DEPOSIT_FACTORY).rjust(32, b"\0") + padded
    size = len(args)
    proxied = bytes.fromhex(DEPOSIT_IMPLEMENTATION) + b"\x60\x09" + bytes.fromhex(UUPS_CODE)
    uups = (0x61003D3D8160233D3973 + (size << 56)).to_bytes(10, "big") + proxied + args
    beaconed = bytes.fromhex(DEPOSIT_BEACON) + bytes.fromhex(BEACON_CODE)
    beacon = (0x6100523D8160233D3973 + (size << 56)).to_bytes(10, "big") + beaconed + args
    return (
        (signer,),
        (_create2(PROXY_FACTORY, keccak(key), keccak(bytes.fromhex(PROXY_CODE))),),
        (_create2(SAFE_FACTORY, keccak(padded), bytes.fromhex(SAFE_CODE_HASH)),),
        tuple(_create2(DEPOSIT_FACTORY, keccak(args), keccak(code)) for code in (beacon, uups)),
    )


def _create2(factory: str, salt: bytes, code_hash: bytes) -> str:
    return "0x" + keccak(b"\xff" + bytes.fromhex(factory) + salt + code_hash)[12:].hex()


def _domain(exchange: str, version: str) -> bytes:
    return keccak(
        keccak(DOMAIN_TYPE.encode())
        + keccak(b"Polymarket CTF Exchange")
        + keccak(version.encode())
        + _encode(["uint256", "address"], [CHAIN_ID, exchange])
    )


def _contents(fields: SignedFields) -> bytes:
    kinds = ["uint256", "address", "address", *["uint256"] * 3, "uint8", "uint8", "uint256"]
    values = [
        fields.salt,
        fields.maker,
        fields.signer,
        fields.token,
        fields.maker_amount,
        fields.taker_amount,
        fields.side,
        fields.kind,
        fields.timestamp,
        fields.metadata,
        fields.builder,
    ]
    return keccak(keccak(ORDER_TYPE.encode()) + _encode([*kinds, "bytes32", "bytes32"], values))


def _unwrap(wrapped: bytes) -> tuple[str, bytes]:
    from eth_abi.abi import decode  # noqa: PLC0415  # of an extra
    from eth_abi.exceptions import DecodingError  # noqa: PLC0415

    try:
        session, _, inner = decode(["bytes32", "bytes32", "bytes"], wrapped)
    except (DecodingError, OverflowError) as error:
        raise BadSignature from error
    return "0x" + session[12:].hex(), inner


def _encode(kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    if not available():
        raise NoCrypto
    from eth_abi.abi import encode  # noqa: PLC0415  # of an extra
    from eth_abi.exceptions import EncodingError  # noqa: PLC0415

    try:
        return encode(kinds, values)
    except EncodingError as error:
        raise BadSignature from error
