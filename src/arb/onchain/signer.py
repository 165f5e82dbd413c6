"""Signs transactions with one key, which nothing shows."""

from dataclasses import dataclass
from typing import Any, Protocol

from eth_account.messages import encode_defunct
from web3 import Web3


class Key(Protocol):
    """A private key that only its signer may read: `arb.config.keys.PrivateKey` is one."""

    def reveal(self) -> str:
        """32 bytes in hex with `0x`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction as it will be signed."""

    to: str
    """Empty: it makes a new contract."""
    data: str
    value: int
    gas: int
    nonce: int
    chain_id: int
    fee: int
    """The most that is paid for a unit of gas, in wei."""
    tip: int | None
    """Of it at most this to the maker of the block; `None`: the chain has one price alone."""

    @property
    def cost_max(self) -> int:
        """The most that its gas can cost, in wei."""
        return self.gas * self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed transaction: with it anybody can have it mined, once."""

    raw: str
    hash: str
    sender: str
    transaction: Transaction


class Signer:
    """One key's signatures."""

    def __init__(self, key: Key) -> None:
        self._account = Web3().eth.account.from_key(key.reveal())
        self.address = str(self._account.address).lower()

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def sign(self, transaction: Transaction) -> Signed:
        """The transaction, signed."""
        fields: dict[str, Any] = {
            "data": transaction.data,
            "value": transaction.value,
            "gas": transaction.gas,
            "nonce": transaction.nonce,
            "chainId": transaction.chain_id,
        }
        if transaction.to:
            fields["to"] = Web3.to_checksum_address(transaction.to)
        if transaction.tip is None:
            fields["gasPrice"] = transaction.fee
        else:
            fields |= {
                "type": 2,
                "maxFeePerGas": transaction.fee,
                "maxPriorityFeePerGas": transaction.tip,
            }
        signed = self._account.sign_transaction(fields)
        return Signed(
            raw=signed.raw_transaction.to_0x_hex(),
            hash=signed.hash.to_0x_hex(),
            sender=self.address,
            transaction=transaction,
        )

    def sign_text(self, text: str) -> str:
        """The signature of a text as a personal message (EIP-191), such as a relay asks for."""
        return str(self._account.sign_message(encode_defunct(text=text)).signature.to_0x_hex())
