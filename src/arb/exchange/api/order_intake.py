"""From a posted body to an order: its signer, its wallet, and whether that is allowed."""

from typing import Literal

import msgspec

from arb.domain.market import Side
from arb.exchange.api.auth import Caller
from arb.exchange.market.addresses import exchange_of, is_position
from arb.exchange.trading import signatures
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import NewOrder, Refusal
from arb.exchange.trading.rules import INVALID_PAYLOAD, INVALID_TOKEN
from arb.exchange.trading.signatures import DEPOSIT, EOA, BadSignature, Signed, SignedFields

INVALID_SIGNATURE = "invalid signature"
WRONG_OWNER = "the order owner has to be the owner of the API KEY"
WRONG_SIGNER = "the order signer address has to be the address of the API KEY"
WRONG_MAKER = "maker address not allowed, please use the deposit wallet flow"


class OrderBody(msgspec.Struct, rename="camel"):
    """The signed order, as posted."""

    builder: str
    expiration: str
    maker: str
    maker_amount: str
    metadata: str
    salt: int
    side: Literal["BUY", "SELL"]
    signature: str
    signature_type: Literal[0, 1, 2, 3]
    signer: str
    taker_amount: str
    timestamp: str
    token_id: str


class Posted(msgspec.Struct, rename="camel"):
    """The body of `POST /order`, and each row of `POST /orders`."""

    order: OrderBody
    owner: str
    order_type: Literal["GTC", "GTD", "FOK", "FAK"] = "GTC"
    post_only: bool = False
    defer_exec: bool = False


class OrderIntake:
    """Lets orders in whose signature is right."""

    def __init__(self, floor: MatchingService) -> None:
        self._floor = floor
        self.sessions: set[tuple[str, str]] = set()
        """Wallet and session key that may sign for it."""

    def admit(self, posted: Posted, caller: Caller) -> NewOrder | Refusal:
        """The order that was posted, or why it is none."""
        body = posted.order
        try:
            fields = _fields(body)
            signature = bytes.fromhex(body.signature.removeprefix("0x"))
            market = self._floor.exchange.market_of(str(fields.token))
            expires = int(body.expiration)
        except ValueError:
            return Refusal(400, INVALID_PAYLOAD)
        if market is None:
            return Refusal(400, INVALID_TOKEN)
        contract = exchange_of(market)
        version = "3" if is_position(market.yes) else "2"
        try:
            signed = signatures.order_signer(fields, contract, version, signature)
            hash_ = signatures.order_hash(fields, contract, version)
        except BadSignature:
            return Refusal(400, INVALID_SIGNATURE)
        wrong = self._wrong(posted, fields, signed, caller)
        if wrong is not None:
            return Refusal(400, wrong)
        return NewOrder(
            hash="0x" + hash_.hex(),
            wallet=body.maker,
            owner=caller.key,
            token=str(fields.token),
            side=Side(body.side),
            maker_amount=fields.maker_amount,
            taker_amount=fields.taker_amount,
            life=posted.order_type,
            post_only=posted.post_only,
            expires=expires,
            builder=body.builder if fields.builder.strip(b"\0") else "",
        )

    def _wrong(
        self, posted: Posted, fields: SignedFields, signed: Signed, caller: Caller
    ) -> str | None:
        maker, signer = fields.maker.lower(), fields.signer.lower()
        deposit = fields.kind == DEPOSIT
        checks = (
            (posted.owner != caller.key, WRONG_OWNER),
            (not deposit and signer != caller.address, WRONG_SIGNER),
            (signed.address != caller.address, INVALID_SIGNATURE),
            (deposit and signer != maker, WRONG_SIGNER),
            (fields.kind not in self._floor.conduct.signature_types, WRONG_MAKER),
            (not self._may(maker, fields.kind, signed), WRONG_MAKER),
        )
        return next((why for applies, why in checks if applies), None)

    def _may(self, maker: str, kind: int, signed: Signed) -> bool:
        if signed.session:
            return (maker, signed.address) in self.sessions
        return maker in signatures.wallets_of(signed.address)[kind]

    def wallet_of(self, caller: Caller, kind: int) -> str:
        """The wallet that a key trades with under a signature type."""
        session = next((w for w, key in sorted(self.sessions) if key == caller.address), None)
        mine = sorted(signatures.wallets_of(caller.address)[kind if kind in range(4) else EOA])
        if kind == DEPOSIT and session is not None:
            return session
        return next((w for w in mine if w in self._floor.bank.dollars), mine[0])


def _fields(body: OrderBody) -> SignedFields:
    return SignedFields(
        salt=body.salt,
        maker=body.maker,
        signer=body.signer,
        token=int(body.token_id),
        maker_amount=int(body.maker_amount),
        taker_amount=int(body.taker_amount),
        side=0 if body.side == "BUY" else 1,
        kind=body.signature_type,
        timestamp=int(body.timestamp),
        metadata=bytes.fromhex(body.metadata.removeprefix("0x")),
        builder=bytes.fromhex(body.builder.removeprefix("0x")),
    )
