"""The chain side of the embedded exchange over HTTP: a node, a relayer, and what is really there.

Signatures need the libraries of the `live` extra. Without them the endpoints answer 501, but for
the node, which still counts an event's questions, and the rest of the exchange works as ever.
"""

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arb.domain.money import from_micro, text, to_micro
from arb.exchange.chain.addresses import DEPLOYMENT
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.chain.keys import Keys
from arb.exchange.chain.questions import count_only
from arb.exchange.market.exchange import Exchange
from arb.exchange.trading.bank import Act, Bank, NotPossible
from arb.exchange.trading.matching_service import MatchingService

if TYPE_CHECKING:
    from arb.exchange.chain.blocks import Chain
    from arb.exchange.chain.node import Node
    from arb.exchange.chain.relayer import Relayer

BATCH_MAX = 100
MISSING = "the chain needs the libraries of the `live` extra"


class ChainOrder(msgspec.Struct, forbid_unknown_fields=True):
    """An order to the chain itself, as `POST /_control` takes it."""

    conduct: dict[str, Any] = {}
    """Fields of `ChainBehaviour` with their new values."""
    deposit: dict[str, str] = {}
    """Dollars that come to a wallet from outside, or leave it when negative."""
    pol: dict[str, str] = {}
    """What a wallet has for gas from now on, in wei."""
    keys: Keys | None = None
    """The keys that may use the relayer from now on."""
    reorg: int = 0
    """G03: how many of the newest blocks are undone now."""


@dataclasses.dataclass(slots=True)
class _Parts:
    """What needs the libraries."""

    chain: "Chain"
    node: "Node"
    relayer: "Relayer"


class ChainApi:
    """The endpoints over one bank."""

    def __init__(self, exchange: Exchange, bank: Bank, floor: MatchingService) -> None:
        self.exchange, self.bank, self.conduct = exchange, bank, ChainBehaviour()
        self._floor = floor
        self._chance = random.Random("chain")
        self._parts: _Parts | None = None

    def routes(self) -> list[Route]:
        """What the server answers for the chain."""
        return [
            Route("/rpc", self.rpc, methods=["POST"]),
            Route("/submit", self._relayed("submit"), methods=["POST"]),
            Route("/deployed", self._relayed("deployed"), methods=["GET"]),
            Route("/relay-payload", self._relayed("params"), methods=["GET"]),
            Route("/v1/account/transactions/params", self._relayed("params"), methods=["GET"]),
            Route("/v1/account/transactions/{id}", self._relayed("transaction"), methods=["GET"]),
            Route("/_chain", self.truth, methods=["GET"]),
        ]

    async def rpc(self, request: Request) -> Response:
        """`POST /rpc`: one question or a batch."""
        parts = self._ready()
        if self.conduct.rpc_down:
            return JSONResponse({"error": "service unavailable"}, 503)
        if self._chance.random() < self.conduct.rpc_429:
            return JSONResponse({"error": "too many requests"}, 429, {"retry-after": "1"})
        try:
            asked = msgspec.json.decode(await request.body())
        except msgspec.MsgspecError:
            asked = None
        if parts is None:
            counted = count_only(self.exchange, self.conduct, asked)
            return JSONResponse(counted or {"error": MISSING}, 200 if counted else 501)
        if isinstance(asked, list) and len(asked) <= BATCH_MAX:
            return JSONResponse([parts.node.answer(one) for one in asked])
        return JSONResponse(parts.node.answer(asked))

    async def truth(self, _request: Request) -> Response:
        """`GET /_chain`: all balances, and what does not add up."""
        self.advance()
        bank = self.bank
        wallets = {wallet for wallet, held in bank.dollars.items() if held}
        wallets |= {wallet for (wallet, _), held in bank.tokens.items() if held}
        holdings = {
            wallet: {
                "usd": text(from_micro(bank.dollars.get(wallet, 0))),
                "tokens": {
                    token: text(from_micro(held))
                    for (owner, token), held in bank.tokens.items()
                    if owner == wallet and held
                },
            }
            for wallet in sorted(wallets)
        }
        return JSONResponse({"wallets": holdings, "problems": bank.problems()})

    def acts(self) -> list[tuple[Act, float, str]]:
        """What wallets did with positions, when (Unix seconds) and in which transaction."""
        self.advance()
        if self._parts is None:
            return []
        ago = self.exchange.unix() - self._parts.chain.now()
        return [
            (act, tx.mined_at + ago, tx.hash)
            for tx in self._parts.chain.mined
            if tx.change is not None
            for act in tx.change.acts
        ]

    def order(self, order: ChainOrder) -> None:
        """Carry an order out.

        Raises:
            ValueError: It names what is not there.
        """
        self._behave(order.conduct)
        try:
            for wallet, dollars in order.deposit.items():
                self.bank.deposit(wallet, to_micro(Decimal(dollars)))
        except (NotPossible, ArithmeticError) as error:
            raise ValueError(f"chain: {error}") from error
        parts = self._ready()
        if parts is None:
            return
        for wallet, wei in order.pol.items():
            parts.chain.pol[wallet.lower()] = int(wei)
        if order.keys is not None:
            parts.relayer.keys = order.keys
        if order.reorg:
            parts.chain.reorganise(order.reorg)
            self._wake(self.conduct.mined_after)

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        if self._parts is not None:
            self._parts.chain.advance()

    def _behave(self, changes: dict[str, Any]) -> None:
        known = {field.name for field in dataclasses.fields(ChainBehaviour)}
        if not changes.keys() <= known:
            raise ValueError(f"chain: no such conduct: {', '.join(sorted(changes.keys() - known))}")
        wanted = {**dataclasses.asdict(self.conduct), **changes}
        conduct = msgspec.convert(wanted, ChainBehaviour)
        for name in changes:
            setattr(self.conduct, name, getattr(conduct, name))

    def _relayed(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            parts = self._ready()
            if parts is None:
                return JSONResponse({"error": MISSING}, 501)
            handler: Callable[[Request], Awaitable[Response]] = getattr(parts.relayer, name)
            return await handler(request)

        return answer

    def _ready(self) -> _Parts | None:
        """Made when first needed: the libraries take a while to import, and may be missing."""
        if self._parts is None:
            try:
                self._parts = self._made()
            except ImportError:
                return None
        return self._parts

    def _made(self) -> _Parts:
        from arb.exchange.chain.blocks import Chain  # noqa: PLC0415  # optional extra
        from arb.exchange.chain.contracts import Contracts  # noqa: PLC0415
        from arb.exchange.chain.node import Node  # noqa: PLC0415
        from arb.exchange.chain.relayer import Relayer  # noqa: PLC0415

        contracts = Contracts(self.exchange, self.conduct)
        chain = Chain(self.exchange, self.bank, self.conduct, contracts)
        return _Parts(
            chain=chain,
            node=Node(chain, self.conduct, self._wake, self._settled),
            relayer=Relayer(chain, self.conduct, DEPLOYMENT, self._chance, self._wake),
        )

    def _settled(self, hash_: str) -> float | None:
        """How many seconds ago a trade's transaction was mined; `None`: it was not."""
        self._floor.advance()
        for trade in self._floor.trades.values():
            if trade.transaction == hash_ and trade.moved:
                return self._floor.now() - trade.mined_at
        return None

    def _wake(self, seconds: float) -> None:
        """Run what is due later at its time, even without a request."""
        asyncio.get_running_loop().call_later(seconds, self.advance)
