"""Signs the official client's orders in a fraction of the time that its general encoder takes.

The client writes each order down as typed data, has an account of `eth_account` encode that as if
it could be any EIP-712 message, and encodes it once more for what a deposit wallet appends. Orders
are always the same two structs (docs/venue-polymarket.md §3.4), so they are hashed here directly,
once, and signed by the same library for the same curve: the signatures are the same, byte for byte,
and held against each other before this signer is used. Everything else is left to the client.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from coincurve import PrivateKey
from eth_account.signers.local import LocalAccount
from polymarket._internal.actions.orders.orders import create_signed_order, create_unsigned_order
from polymarket._internal.actions.orders.typed_data import (
    build_order_signature,
    build_order_typed_data,
)
from polymarket._internal.actions.orders.types import OrderDraft, UnsignedOrder
from polymarket._internal.wallet import wrap_deposit_wallet_signature
from polymarket.models.clob.orders import SignedOrder
from polymarket.models.types import TokenId
from polymarket.types import EvmAddress, HexString

from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.order_hash import (
    DEPOSIT_WALLET,
    ORDER,
    content_hash,
    digest,
    order_hash,
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
MEMBERS = tuple(field.name for field in fields(SignedOrder))
WALLET_NAME, WALLET_VERSION = b"DepositWallet", b"1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOrder(SignedOrder):
    """A signed order with its id: signing computes both."""

    id: str


class OrderSigner:
    """Signs orders with one key, and nothing else."""

    def __init__(self, key: bytes) -> None:
        self._curve = PrivateKey(key)

    def sign(self, order: UnsignedOrder) -> tuple[HexString, str]:
        """The order's signature, with what a deposit wallet needs beside it, and its id."""
        home = separator(order.chain_id, order.exchange_address, order.protocol_version)
        content, beside = content_hash(order), b""
        signed = id_ = digest(home, content)
        if order.signature_type == DEPOSIT_WALLET:
            beside = home + content + ORDER + len(ORDER).to_bytes(2, "big")
            nested = struct_hash(
                NESTED,
                int.from_bytes(content, "big"),
                int.from_bytes(type_hash(WALLET_NAME), "big"),
                int.from_bytes(type_hash(WALLET_VERSION), "big"),
                order.chain_id,
                int(order.signer, 16),
                0,
            )
            signed = digest(home, nested)
        compact = self._curve.sign_recoverable(signed, hasher=None)
        signature = compact[:64] + bytes([27 + compact[64]]) + beside
        return HexString("0x" + signature.hex()), "0x" + id_.hex()


def quicken(client: "AsyncSecureClient", contracts: Contracts) -> bool:
    """Let the client sign orders by an `OrderSigner`, if that signs what the client itself signs.

    The client has no public way to be given a signer; version 0.14.0 is pinned.

    Raises:
        BadVenueData: The client signs for none of the exchanges that are known here.
    """
    context = client._ctx
    account, quick = context.signer, OrderSigner(context.signer.key)
    for sample in _samples(account.address, contracts):
        signature, id_ = quick.sign(sample)
        official = official_signature(account, sample)
        known = order_hash(create_signed_order(sample, official), contracts)
        if (signature, id_) != (official, known):
            return False

    async def sign_order(draft: OrderDraft, *, post_only: bool) -> SignedOrder:
        unsigned = create_unsigned_order(
            draft, wallet=context.wallet, wallet_type=context.wallet_type
        )
        signature, id_ = quick.sign(unsigned)
        wrapped = wrap_deposit_wallet_signature(
            signer=account.address, signer_type=context.signer_type, signature=signature
        )
        made = create_signed_order(unsigned, wrapped, post_only=post_only)
        return KnownOrder(**{name: getattr(made, name) for name in MEMBERS}, id=id_)

    client._sign_order = sign_order  # type: ignore[method-assign]  # of this one client
    return True


def official_signature(account: LocalAccount, order: UnsignedOrder) -> HexString:
    """The same as the client itself makes it."""
    signed = account.sign_typed_data(full_message=build_order_typed_data(order))
    return build_order_signature(order, HexString("0x" + bytes(signed.signature).hex()))


def _samples(address: str, contracts: Contracts) -> Iterator[UnsignedOrder]:
    """An order of every kind that is signed."""
    own = EvmAddress(address)
    homes: list[tuple[str, Literal["2", "3"]]] = [
        (contracts.exchange, "2"),
        (contracts.neg_risk_exchange, "2"),
        (contracts.exchange_v3, "3"),
    ]
    for exchange, version in homes:
        for signature_type in (0, DEPOSIT_WALLET):
            yield UnsignedOrder(
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
                token_id=TokenId(str((1 << 256) - 1 if version == "2" else 1)),
                protocol_version=version,
            )
