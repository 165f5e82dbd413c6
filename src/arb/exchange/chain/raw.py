"""Signed transactions, decoded and encoded bytes checked as a node checks them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from eth_account import Account
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException

ACCESS_LIST, DYNAMIC_FEE = 1, 2
LEGACY_FIELDS, ACCESS_LIST_FIELDS, DYNAMIC_FEE_FIELDS = 9, 11, 12
EIP155 = 35
PLAIN_GAS, ZERO_BYTE_GAS, BYTE_GAS = 21_000, 4, 16


class Unreadable(Exception):
    """The bytes are no signed transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed transaction. Addresses in lower case."""

    hash: str
    kind: int
    """0 legacy, 1 with an access list, 2 with a dynamic fee."""
    chain_id: int | None
    sender: str
    nonce: int
    gas_price: int
    """The most it pays per unit of gas."""
    gas: int
    to: str
    value: int
    data: bytes


def decode_signed(raw: bytes) -> Signed:
    """Read a signed transaction and recover its signer.

    Raises:
        Unreadable: It is none, or creates a contract.
    """
    kind = raw[0] if raw and raw[0] in (ACCESS_LIST, DYNAMIC_FEE) else 0
    try:
        fields = rlp.decode(raw[1:] if kind else raw)
        sender = Account.recover_transaction(raw).lower()
        return _signed(raw, kind, fields, sender)
    except (RLPException, ValueError, TypeError, IndexError, AttributeError) as error:
        raise Unreadable(f"rlp: {error}") from error
    except Exception as error:  # The key library raises errors of its own base class.
        raise Unreadable(f"invalid signature: {error}") from error


def intrinsic_gas(data: bytes) -> int:
    """What a transaction costs before anything is carried out."""
    zeros = data.count(0)
    return PLAIN_GAS + ZERO_BYTE_GAS * zeros + BYTE_GAS * (len(data) - zeros)


def _signed(raw: bytes, kind: int, fields: Sequence[Any], sender: str) -> Signed:
    counts = (LEGACY_FIELDS, ACCESS_LIST_FIELDS, DYNAMIC_FEE_FIELDS)
    if len(fields) != counts[kind]:
        raise Unreadable("rlp: too few or too many fields")
    # The access list is a list of its own and no number.
    number = [0 if isinstance(field, list) else int.from_bytes(field, "big") for field in fields]
    if kind == DYNAMIC_FEE:
        chain_id, nonce, gas_price, gas, at = number[0], number[1], number[3], number[4], 5
    elif kind == ACCESS_LIST:
        chain_id, nonce, gas_price, gas, at = number[0], number[1], number[2], number[3], 4
    else:
        nonce, gas_price, gas, at = number[0], number[1], number[2], 3
        chain_id = (number[6] - EIP155) // 2 if number[6] >= EIP155 else -1
    if len(fields[at]) != 20:
        raise Unreadable("rlp: contract creation is not simulated")
    return Signed(
        hash="0x" + keccak(raw).hex(),
        kind=kind,
        chain_id=chain_id if chain_id >= 0 else None,
        sender=sender,
        nonce=nonce,
        gas_price=gas_price,
        gas=gas,
        to="0x" + fields[at].hex(),
        value=number[at + 1],
        data=fields[at + 2],
    )
