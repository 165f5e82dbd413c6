"""The relayer of the embedded exchange: carries out what owners of smart wallets have signed."""

import asyncio
import hashlib
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from arb.exchange.chain.addresses import RELAY, Deployment
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.chain.blocks import Chain, Step, Transaction
from arb.exchange.chain.keys import Keys
from arb.exchange.chain.wallets import (
    Allowed,
    NotAllowed,
    Submission,
    addresses,
    of_deposit_wallet,
    of_proxy,
    of_safe,
)

METADATA_MAX = 500
WALLET_BUSY = "wallet busy: there is an active action for this wallet"
IN_FLIGHT = "wallet has in-flight action"


class State(StrEnum):
    """An action's life; the last three are final."""

    NEW = "STATE_NEW"
    EXECUTED = "STATE_EXECUTED"
    MINED = "STATE_MINED"
    CONFIRMED = "STATE_CONFIRMED"
    FAILED = "STATE_FAILED"
    INVALID = "STATE_INVALID"


UNDER_WAY = (State.NEW, State.EXECUTED)


class Refused(Exception):
    """The relayer does not accept it; `status` is the HTTP status of the refusal."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Action:
    """Something that a wallet is to do."""

    id: str
    wallet: str
    kind: str
    transaction: Transaction | None
    at: float
    invalid: str = ""
    """Why it is not even tried."""


@dataclass(slots=True)
class Relayer:
    """All actions of all wallets."""

    chain: Chain
    conduct: ChainBehaviour
    places: Deployment
    chance: random.Random
    wake: Callable[[float], None]
    """Called with the seconds until something is due."""
    keys: Keys = field(default_factory=Keys)
    actions: dict[str, Action] = field(default_factory=dict)
    used: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Nonces that failing actions have used up, by wallet."""

    async def deployed(self, request: Request) -> Response:
        """`GET /deployed`: whether a wallet is there."""
        wallet = request.query_params.get("address", "").lower()
        return JSONResponse({"deployed": self.is_deployed(wallet)})

    async def params(self, request: Request) -> Response:
        """`GET …/params` and `/relay-payload`: the relayer, and the wallet's next nonce."""
        try:
            self._authorise(request, b"")
            kind = request.query_params.get("type", "")
            wallet = self._wallet_of(request.query_params.get("address", "").lower(), kind)
        except Refused as refused:
            return _error(str(refused), refused.status)
        self.chain.advance()
        return JSONResponse({"address": RELAY, "nonce": str(self.nonce(wallet))})

    async def transaction(self, request: Request) -> Response:
        """`GET /v1/account/transactions/{id}`."""
        try:
            self._authorise(request, b"")
        except Refused as refused:
            return _error(str(refused), refused.status)
        action = self.actions.get(request.path_params["id"])
        if action is None:
            return _error("transaction not found", 404)
        state = self.state(action)
        tx = action.transaction
        shows = tx is not None and state is not State.NEW
        return JSONResponse(
            {
                "transaction_id": action.id,
                "state": state,
                "transaction_hash": tx.hash if tx is not None and shows else None,
                "error_msg": action.invalid or (tx.error if tx is not None else "") or None,
            }
        )

    async def submit(self, request: Request) -> Response:
        """`POST /submit`."""
        body = await request.body()
        try:
            self._authorise(request, body)
            self._limit()
            action = self._take(msgspec.json.decode(body, type=Submission))
        except Refused as refused:
            return _error(str(refused), refused.status)
        except NotAllowed as error:
            return _error(str(error), 400)
        except (msgspec.MsgspecError, ValueError) as error:
            return _error(f"invalid payload: {error}", 400)
        if self.conduct.accept_then_timeout:
            await asyncio.sleep(self.conduct.timeout_seconds)
            return _error("upstream timed out", 504)
        return JSONResponse({"transactionID": action.id, "state": State.NEW})

    def is_deployed(self, wallet: str) -> bool:
        """Whether a wallet is there."""
        self.chain.advance()
        return not self.conduct.undeployed or self._created(wallet)

    def nonce(self, wallet: str) -> int:
        """A wallet's next nonce on chain."""
        done = sum(
            action.wallet == wallet and action.kind != "WALLET-CREATE" and _succeeded(action)
            for action in self.actions.values()
        )
        return done + self.used[wallet]

    def state(self, action: Action) -> State:
        """Where an action stands."""
        self.chain.advance()
        tx, now = action.transaction, self.chain.now()
        if tx is None:
            return State.INVALID
        if tx.dropped:
            return State.FAILED
        if tx.block is None:
            return State.EXECUTED if now >= action.at + self.conduct.executed_after else State.NEW
        if not tx.succeeded:
            return State.FAILED
        final = now >= tx.mined_at + self.conduct.finality_delay
        return State.CONFIRMED if final else State.MINED

    def _limit(self) -> None:
        if self.chance.random() < self.conduct.relayer_429:
            raise Refused("too many requests", 429)

    def _take(self, submission: Submission) -> Action:
        if len(submission.metadata) > METADATA_MAX:
            raise Refused("metadata too long")
        if submission.type == "WALLET-CREATE":
            return self._create(submission)
        allowed = self._allowed(submission)
        self._vet(allowed, submission.type)
        fails = self.conduct.relayer_fail
        if fails == "precheck":
            raise Refused(self.conduct.precheck_text)
        if fails == "invalid":
            return self._add(submission.type, allowed.wallet, None, "rejected by the relayer")
        self._precheck(allowed)
        steps = allowed.steps
        if fails == "failed":
            # A call that no contract knows makes the whole batch revert.
            steps = (*steps, Step(allowed.wallet, self.places.collateral, b"\xff\xff\xff\xff"))
            self.used[allowed.wallet] += self.conduct.fail_consumes_nonce
        return self._add(submission.type, allowed.wallet, steps)

    def _allowed(self, submission: Submission) -> Allowed:
        match submission.type:
            case "SAFE":
                return of_safe(submission, self.places)
            case "PROXY":
                return of_proxy(submission, self.places, RELAY)
            case "WALLET":
                now = int(self.chain.exchange.clock.now().timestamp())
                return of_deposit_wallet(submission, self.places, now)
            case _:
                raise Refused(f"unsupported type {submission.type}")

    def _vet(self, allowed: Allowed, kind: str) -> None:
        if not self.is_deployed(allowed.wallet):
            raise Refused("wallet is not deployed")
        if any(
            action.wallet == allowed.wallet and self.state(action) in UNDER_WAY
            for action in self.actions.values()
        ):
            raise Refused(WALLET_BUSY if kind == "WALLET" else IN_FLIGHT)
        on_chain = self.nonce(allowed.wallet)
        if allowed.nonce != on_chain:
            raise Refused(f"batch nonce {allowed.nonce} does not match on-chain nonce {on_chain}")
        blocked = {name.lower() for name in self.conduct.blocked}
        for step in allowed.steps:
            known = self.conduct.any_target or step.to in self.places.tradable
            selector = "0x" + step.data[:4].hex()
            if not known or step.to in blocked or selector in blocked:
                raise Refused(f"call blocked: {step.to} {selector}")

    def _precheck(self, allowed: Allowed) -> None:
        """The relayer does not send what would revert."""
        problem = self.chain.rehearse(allowed.steps)
        if problem:
            raise Refused(f"simulation failed: {problem}")

    def _create(self, submission: Submission) -> Action:
        if submission.to.lower() != self.places.deposit_wallet_factory:
            raise Refused("to is not the factory")
        wallet = addresses(submission.owner.lower(), self.places).deposit
        if self._created(wallet):
            raise Refused("wallet is deployed already")
        return self._add("WALLET-CREATE", wallet, ())

    def _created(self, wallet: str) -> bool:
        return any(
            action.kind == "WALLET-CREATE" and action.wallet == wallet and _succeeded(action)
            for action in self.actions.values()
        )

    def _add(
        self, kind: str, wallet: str, steps: tuple[Step, ...] | None, invalid: str = ""
    ) -> Action:
        number = len(self.actions) + 1
        digest = hashlib.sha256(f"action/{number}/{wallet}".encode()).hexdigest()
        tx = None
        if steps is not None:
            delay = self.conduct.executed_after + self.conduct.mined_after
            tx = self.chain.wait(
                Transaction(
                    hash=f"0x{digest}",
                    sender=RELAY,
                    nonce=number,
                    steps=steps,
                    to=wallet,
                    relayed=True,
                    due=self.chain.now() + delay,
                )
            )
            self.wake(delay)
        action = Action(
            id=f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}",
            wallet=wallet,
            kind=kind,
            transaction=tx,
            at=self.chain.now(),
            invalid=invalid,
        )
        self.actions[action.id] = action
        return action

    def _wallet_of(self, owner: str, kind: str) -> str:
        try:
            of_owner = addresses(owner, self.places)
        except ValueError as error:
            raise Refused("invalid address") from error
        match kind:
            case "SAFE":
                return of_owner.safe
            case "PROXY":
                return of_owner.proxy
            case "WALLET":
                # A wallet of before the beacon goes on being the owner's.
                old = of_owner.old_deposit
                used = any(action.wallet == old for action in self.actions.values())
                return old if used else of_owner.deposit
            case _:
                raise Refused(f"unsupported type {kind}")

    def _authorise(self, request: Request, body: bytes) -> None:
        now = self.chain.exchange.clock.now().timestamp()
        if not self.keys.admit(request, body, now):
            raise Refused("invalid authorization", 401)


def _succeeded(action: Action) -> bool:
    return action.transaction is not None and action.transaction.succeeded


def _error(what: str, status: int) -> Response:
    details: dict[str, Any] = {"error": what}
    return JSONResponse(details, status, {"retry-after": "1"} if status == 429 else None)
