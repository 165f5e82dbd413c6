"""The three smart wallets: their addresses, and what their owners' signatures allow.

Written from the contracts' rules, not with a client's code: a wrong signature of a client must
fail here as it would fail at the venue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils.crypto import keccak

from arb.exchange.chain.addresses import CHAIN_ID, ZERO, Deployment
from arb.exchange.chain.blocks import Step

MULTI_SEND, PROXY_CALLS = bytes.fromhex("8d80ff0a"), bytes.fromhex("34ee9791")
CALL, DELEGATE_CALL, PROXY_CALL = 0, 1, 1
SIGNED_MESSAGE = 4
"""A Safe's mark of a signature over the text form of a hash: v is that much higher."""
PACKED_CALL = 1 + 20 + 32 + 32
SAFE_FIELDS = (
    "address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,"
    "uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce"
)
BATCH_FIELDS = "address wallet,uint256 nonce,uint256 deadline,Call[] calls"
CALL_FIELDS = "address target,uint256 value,bytes data"
DOMAIN_FIELDS = "uint256 chainId,address verifyingContract"


class NotAllowed(Exception):
    """The owner has not allowed this."""


class WalletCall(msgspec.Struct):
    """A call of a Deposit Wallet's batch."""

    target: str
    value: str
    data: str


class DepositWallet(msgspec.Struct, rename="camel"):
    """A Deposit Wallet's batch."""

    deposit_wallet: str
    deadline: str
    calls: list[WalletCall]


class Submission(msgspec.Struct, rename="camel"):
    """What is submitted to the relayer."""

    type: str
    owner: str = msgspec.field(name="from")
    to: str
    metadata: str = ""
    nonce: str = "0"
    signature: str = "0x"
    proxy_wallet: str = ""
    data: str = "0x"
    value: str = "0"
    signature_params: dict[str, str] = {}
    deposit_wallet_params: DepositWallet | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a wallet is to do, as its owner has signed."""

    wallet: str
    nonce: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the wallets of an owner are, deployed or not."""

    safe: str
    proxy: str
    deposit: str
    old_deposit: str
    """Of Deposit Wallets made before the factory had a beacon."""


def addresses(owner: str, places: Deployment) -> Addresses:
    """Where an owner's wallets are."""
    own = bytes.fromhex(owner[2:])
    bare = {name: getattr(places, name)[2:] for name in places.__dataclass_fields__}
    proxy_code = bytes.fromhex(
        f"3d3d606380380380913d393d73{bare['proxy_factory']}5af4602a57600080fd5b602d8060366000396000"
        f"f3363d3d373d3d3d363d73{bare['proxy_implementation']}5af43d82803e903d91602b57fd5bf352e831dd"
        f"{32:064x}{0:064x}"
    )
    arguments = encode(
        ["address", "bytes32"], [places.deposit_wallet_factory, own.rjust(32, b"\0")]
    )
    size = len(arguments)
    plain_code = bytes.fromhex(
        f"{0x61003D3D8160233D3973 + (size << 56):020x}{bare['deposit_wallet_implementation']}6009"
        "5155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
        "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
    )
    beacon_code = bytes.fromhex(
        f"{0x6100523D8160233D3973 + (size << 56):020x}{bare['deposit_wallet_beacon']}"
        "60195155f3363d3d373d3d363d602036600436635c60da"
        "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
        "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
    )
    factory, salt = places.deposit_wallet_factory, keccak(arguments)
    safe_hash = bytes.fromhex(bare["safe_init_code_hash"])
    return Addresses(
        safe=_create2(places.safe_factory, keccak(encode(["address"], [owner])), safe_hash),
        proxy=_create2(places.proxy_factory, keccak(own), keccak(proxy_code)),
        deposit=_create2(factory, salt, keccak(beacon_code + arguments)),
        old_deposit=_create2(factory, salt, keccak(plain_code + arguments)),
    )


def of_safe(submission: Submission, places: Deployment) -> Allowed:
    """What a Safe's owner has signed.

    Raises:
        NotAllowed: Another has, or something else.
    """
    owner, wallet = submission.owner.lower(), submission.proxy_wallet.lower()
    if wallet != addresses(owner, places).safe:
        raise NotAllowed("proxyWallet is not the Safe of from")
    operation = int(submission.signature_params.get("operation", "0"))
    data = _bytes(submission.data)
    message = {
        "to": submission.to,
        "value": int(submission.value),
        "data": data,
        "operation": operation,
        "safeTxGas": int(submission.signature_params.get("safeTxnGas", "0")),
        "baseGas": int(submission.signature_params.get("baseGas", "0")),
        "gasPrice": int(submission.signature_params.get("gasPrice", "0")),
        "gasToken": submission.signature_params.get("gasToken", ZERO),
        "refundReceiver": submission.signature_params.get("refundReceiver", ZERO),
        "nonce": int(submission.nonce),
    }
    domain = {"chainId": CHAIN_ID, "verifyingContract": wallet}
    types = {"EIP712Domain": _fields(DOMAIN_FIELDS), "SafeTx": _fields(SAFE_FIELDS)}
    digest = _digest(domain, types, "SafeTx", message)
    signature = bytearray(_bytes(submission.signature))
    if len(signature) != 65 or signature[64] not in (31, 32):
        raise NotAllowed("invalid signature")
    signature[64] -= SIGNED_MESSAGE
    _need(owner, encode_defunct(primitive=digest), bytes(signature))
    target = submission.to.lower()
    if operation == CALL:
        steps: tuple[Step, ...] = (Step(wallet, target, data),)
    elif operation == DELEGATE_CALL and target == places.safe_multisend:
        steps = tuple(_packed(wallet, data))
    else:
        raise NotAllowed("delegate calls go to the multi-send only")
    return Allowed(wallet, int(submission.nonce), steps)


def of_proxy(submission: Submission, places: Deployment, relay: str) -> Allowed:
    """What a proxy wallet's owner has signed.

    Raises:
        NotAllowed: Another has, or something else.
    """
    owner, wallet = submission.owner.lower(), submission.proxy_wallet.lower()
    if wallet != addresses(owner, places).proxy:
        raise NotAllowed("proxyWallet is not the proxy of from")
    terms = submission.signature_params
    if terms.get("relay", "").lower() != relay or submission.to.lower() != places.proxy_factory:
        raise NotAllowed("signed for another relay")
    data = _bytes(submission.data)
    numbers = (
        terms.get("relayerFee", "0"),
        terms.get("gasPrice", "0"),
        terms.get("gasLimit", "0"),
        submission.nonce,
    )
    text = b"".join(
        [
            b"rlx:",
            _bytes(owner),
            _bytes(places.proxy_factory),
            data,
            *(int(number).to_bytes(32, "big") for number in numbers),
            _bytes(places.relay_hub),
            _bytes(relay),
        ]
    )
    _need(owner, encode_defunct(primitive=keccak(text)), _bytes(submission.signature))
    if data[:4] != PROXY_CALLS:
        raise NotAllowed("not a list of calls")
    try:
        (calls,) = decode(["(uint8,address,uint256,bytes)[]"], data[4:])
    except DecodingError as error:
        raise NotAllowed("not a list of calls") from error
    if any(kind != PROXY_CALL for kind, *_ in calls):
        raise NotAllowed("plain calls only")
    steps = tuple(Step(wallet, to, inner) for _, to, _, inner in calls)
    return Allowed(wallet, int(submission.nonce), steps)


def of_deposit_wallet(submission: Submission, places: Deployment, now: int) -> Allowed:
    """What a Deposit Wallet's owner has signed.

    Raises:
        NotAllowed: Another has, something else, or for a time that is over.
    """
    batch = submission.deposit_wallet_params
    if batch is None or not batch.calls:
        raise NotAllowed("depositWalletParams are missing")
    owner, wallet = submission.owner.lower(), batch.deposit_wallet.lower()
    of_owner = addresses(owner, places)
    if wallet not in (of_owner.deposit, of_owner.old_deposit):
        raise NotAllowed("depositWallet is not a wallet of from")
    if submission.to.lower() != places.deposit_wallet_factory:
        raise NotAllowed("to is not the factory")
    if int(batch.deadline) < now:
        raise NotAllowed("deadline expired")
    calls = [(call.target, int(call.value), _bytes(call.data)) for call in batch.calls]
    domain = {
        "name": "DepositWallet",
        "version": "1",
        "chainId": CHAIN_ID,
        "verifyingContract": wallet,
    }
    types = {
        "EIP712Domain": _fields(f"string name,string version,{DOMAIN_FIELDS}"),
        "Batch": _fields(BATCH_FIELDS),
        "Call": _fields(CALL_FIELDS),
    }
    message = {
        "wallet": wallet,
        "nonce": int(submission.nonce),
        "deadline": int(batch.deadline),
        "calls": [{"target": to, "value": value, "data": data} for to, value, data in calls],
    }
    signable = encode_typed_data(full_message=_typed(domain, types, "Batch", message))
    _need(owner, signable, _bytes(submission.signature))
    steps = tuple(Step(wallet, to.lower(), data) for to, _, data in calls)
    return Allowed(wallet, int(submission.nonce), steps)


def _packed(wallet: str, data: bytes) -> Sequence[Step]:
    """The calls of a multi-send: operation, target, value, length and data, without padding."""
    if data[:4] != MULTI_SEND:
        raise NotAllowed("not a multi-send")
    try:
        (rest,) = decode(["bytes"], data[4:])
    except DecodingError as error:
        raise NotAllowed("not a multi-send") from error
    steps = []
    while rest:
        size = int.from_bytes(rest[53:PACKED_CALL], "big")
        if len(rest) < PACKED_CALL + size or rest[0] != CALL:
            raise NotAllowed("not a multi-send of plain calls")
        inner = rest[PACKED_CALL : PACKED_CALL + size]
        steps.append(Step(wallet, "0x" + rest[1:21].hex(), inner))
        rest = rest[PACKED_CALL + size :]
    return steps


def _need(owner: str, signable: Any, signature: bytes) -> None:
    try:
        signer = Account.recover_message(signable, signature=signature)
    except Exception as error:  # The key library raises errors of its own base class.
        raise NotAllowed("invalid signature") from error
    if signer.lower() != owner:
        raise NotAllowed("invalid signature")


def _digest(
    domain: dict[str, Any], types: dict[str, Any], primary: str, message: dict[str, Any]
) -> bytes:
    signable = encode_typed_data(full_message=_typed(domain, types, primary, message))
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def _typed(
    domain: dict[str, Any], types: dict[str, Any], primary: str, message: dict[str, Any]
) -> dict[str, Any]:
    return {"domain": domain, "types": types, "primaryType": primary, "message": message}


def _fields(declared: str) -> list[dict[str, str]]:
    pairs = (field.split(" ") for field in declared.split(","))
    return [{"name": name, "type": kind} for kind, name in pairs]


def _create2(factory: str, salt: bytes, code_hash: bytes) -> str:
    return "0x" + keccak(b"\xff" + _bytes(factory) + salt + code_hash)[12:].hex()


def _bytes(value: str) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError as error:
        raise NotAllowed(f"{value[:20]} is not hex") from error
