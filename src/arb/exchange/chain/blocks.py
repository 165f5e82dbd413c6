"""The embedded chain itself: blocks, what waits for one, and what a reorganisation undoes.

Blocks are counted by the exchange's clock. A transaction is carried out when its time has come,
all of it or nothing; the state of an earlier block is today's with later transactions reversed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from arb.exchange.chain.addresses import CHAIN_ID
from arb.exchange.chain.behaviour import ChainBehaviour
from arb.exchange.chain.change import Change, between, carry_out, copied, undo
from arb.exchange.chain.contracts import Contracts
from arb.exchange.chain.raw import Signed, intrinsic_gas
from arb.exchange.chain.tokens import Reverts
from arb.exchange.market.exchange import Exchange
from arb.exchange.trading.bank import Bank, NotPossible

FIRST_BLOCK = 70_000_000
REPLACEMENT_PERCENT = 110


class Declined(Exception):
    """The node does not take the transaction."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call, by the address that makes it."""

    sender: str
    to: str
    data: bytes


@dataclass(slots=True, kw_only=True)
class Transaction:
    """A transaction and its outcome."""

    hash: str
    sender: str
    """The signer, which pays for gas."""
    nonce: int
    steps: tuple[Step, ...]
    """Carried out in order, all or none."""
    to: str
    kind: int = 0
    value: int = 0
    gas: int = 1_000_000
    gas_price: int = 0
    relayed: bool = False
    """Its gas and nonce are not checked."""
    due: float
    block: int | None = None
    mined_at: float = 0.0
    succeeded: bool = False
    gas_used: int = 0
    error: str = ""
    change: Change | None = None
    dropped: bool = False


@dataclass(slots=True)
class Chain:
    """Blocks over one bank."""

    exchange: Exchange
    bank: Bank
    conduct: ChainBehaviour
    contracts: Contracts
    transactions: dict[str, Transaction] = field(default_factory=dict)
    pol: dict[str, int] = field(default_factory=dict)
    """What is left for gas, in wei, of wallets that were funded or have paid."""
    nonces: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The next one of every sender, as mined."""
    _pending: list[Transaction] = field(default_factory=list)
    _mined: list[Transaction] = field(default_factory=list)
    _forks: list[int] = field(default_factory=list)
    """First block of every reorganisation."""
    _anchor: tuple[float, int, float] = field(init=False)
    """A time, the block then, and the seconds between blocks since."""

    def __post_init__(self) -> None:
        self._anchor = (self.now(), FIRST_BLOCK, self.conduct.block_seconds)

    def now(self) -> float:
        """Seconds, as the exchange counts them."""
        return self.exchange.clock.monotonic()

    @property
    def mined(self) -> Sequence[Transaction]:
        """What is in blocks, oldest first."""
        return self._mined

    def head(self, *, ago: float = 0.0) -> int:
        """Number of the newest block, now or a while ago."""
        return self._number_at(self.now() - ago)

    def final(self) -> int:
        """Number of the newest block that no reorganisation undoes."""
        return self.head(ago=self.conduct.finality_delay)

    def block_hash(self, number: int) -> str:
        """A block's hash; another one after a reorganisation."""
        fork = sum(first <= number for first in self._forks)
        return "0x" + hashlib.sha256(f"block/{number}/{fork}".encode()).hexdigest()

    def timestamp(self, number: int) -> int:
        """A block's time in Unix seconds."""
        age = (self.head() - number) * self.conduct.block_seconds
        return int(self.exchange.clock.now().timestamp() - age)

    def wei(self, wallet: str) -> int:
        """What a wallet has for gas."""
        return self.pol.get(wallet, self.conduct.pol)

    def next_nonce(self, sender: str) -> int:
        """The nonce after all that is mined or waits without a gap."""
        waiting = {tx.nonce for tx in self._pending if tx.sender == sender and not tx.relayed}
        nonce = self.nonces[sender]
        while nonce in waiting:
            nonce += 1
        return nonce

    def nonce_at(self, sender: str, block: int) -> int:
        """The next nonce after a block."""
        later = [tx for tx in self._mined if tx.sender == sender and (tx.block or 0) > block]
        return self.nonces[sender] - len(later)

    def take(self, signed: Signed) -> Transaction:
        """Let a signed transaction wait for its block.

        Raises:
            Declined: As it is, it will never be mined.
        """
        self.advance()
        known = self.transactions.get(signed.hash)
        if known is not None and not known.dropped:
            raise Declined("already known")
        self._check(signed)
        same = [
            tx
            for tx in self._pending
            if not tx.relayed and (tx.sender, tx.nonce) == (signed.sender, signed.nonce)
        ]
        for tx in same:
            if signed.gas_price * 100 < tx.gas_price * REPLACEMENT_PERCENT:
                raise Declined("replacement transaction underpriced")
            self._pending.remove(tx)
            tx.dropped = True
        return self.wait(
            Transaction(
                hash=signed.hash,
                sender=signed.sender,
                nonce=signed.nonce,
                steps=(Step(signed.sender, signed.to, signed.data),),
                to=signed.to,
                kind=signed.kind,
                value=signed.value,
                gas=signed.gas,
                gas_price=signed.gas_price,
                due=self.now() + self.conduct.mined_after,
            )
        )

    def wait(self, transaction: Transaction) -> Transaction:
        """Let a transaction wait for its block."""
        self.transactions[transaction.hash] = transaction
        self._pending.append(transaction)
        return transaction

    def advance(self) -> None:
        """Mine everything that is due by now."""
        now = self.now()
        while True:
            ready = [tx for tx in self._pending if tx.due <= now and self._is_next(tx)]
            if not ready:
                return
            tx = min(ready, key=lambda one: one.due)
            self._pending.remove(tx)
            self._mine(tx, max(tx.due, self._mined[-1].mined_at if self._mined else tx.due))

    def reorganise(self, depth: int) -> int:
        """Undo the transactions of the newest blocks; gives how many there were."""
        self.advance()
        first = self.head() - depth + 1
        self._forks.append(first)
        undone = 0
        for tx in reversed([tx for tx in self._mined if (tx.block or 0) >= first]):
            try:
                if tx.change is not None:
                    undo(self.bank, tx.change)
            except NotPossible:
                continue  # Spent by a trade that is not the chain's to undo.
            self._mined.remove(tx)
            self._unmine(tx)
            undone += 1
        return undone

    def state(self, block: int) -> Bank:
        """The bank after a block."""
        later = [tx for tx in self._mined if (tx.block or 0) > block and tx.change is not None]
        if not later:
            return self.bank
        then = copied(self.bank)
        for tx in reversed(later):
            assert tx.change is not None
            carry_out(then, tx.change.reversed())
        return then

    def ask(self, bank: Bank, step: Step) -> bytes:
        """What a call would answer; nothing changes.

        Raises:
            Reverts: The contract refuses.
        """
        return self.contracts.run(copied(bank), step.sender, step.to, step.data)

    def rehearse(self, steps: Sequence[Step]) -> str:
        """What would go wrong if steps were carried out now; nothing changes."""
        return self._carry_out(copied(self.bank), steps)

    def gas_needed(self, steps: Sequence[Step]) -> int:
        """What carrying steps out costs."""
        return sum(intrinsic_gas(s.data) + self.contracts.gas(s.to, s.data) for s in steps)

    def _check(self, signed: Signed) -> None:
        if signed.chain_id not in (None, CHAIN_ID):
            raise Declined(f"invalid chain id for signer: have {signed.chain_id} want {CHAIN_ID}")
        if signed.nonce < self.nonces[signed.sender]:
            raise Declined(
                f"nonce too low: next nonce {self.nonces[signed.sender]}, tx nonce {signed.nonce}"
            )
        if signed.gas < intrinsic_gas(signed.data):
            raise Declined("intrinsic gas too low")
        if self.wei(signed.sender) < signed.gas * signed.gas_price + signed.value:
            raise Declined("insufficient funds for gas * price + value")

    def _is_next(self, tx: Transaction) -> bool:
        if tx.relayed:
            return True
        pays = tx.gas_price >= self.conduct.gas_price_needed
        return pays and tx.nonce == self.nonces[tx.sender]

    def _mine(self, tx: Transaction, at: float) -> None:
        tx.mined_at, tx.block = at, self._number_at(at)
        tx.error, tx.change, tx.succeeded = "", None, False
        draft = copied(self.bank)
        needed = self.gas_needed(tx.steps)
        if not tx.relayed and tx.gas < needed:
            tx.error = "out of gas"
        else:
            tx.error = self._carry_out(draft, tx.steps)
        if not tx.error:
            tx.succeeded = True
            tx.change = between(self.bank, draft)
            carry_out(self.bank, tx.change)
        tx.gas_used = min(needed, tx.gas)
        if not tx.relayed:
            self.nonces[tx.sender] = tx.nonce + 1
            self.pol[tx.sender] = self.wei(tx.sender) - self._paid(tx)
            if tx.succeeded and tx.value:
                self.pol[tx.to] = self.wei(tx.to) + tx.value
        self._mined.append(tx)

    def _carry_out(self, bank: Bank, steps: Sequence[Step]) -> str:
        """Run steps on a draft; returns what went wrong."""
        try:
            for step in steps:
                self.contracts.run(bank, step.sender, step.to, step.data)
        except Reverts as error:
            return str(error) or "execution reverted"
        return ""

    def _unmine(self, tx: Transaction) -> None:
        tx.block, tx.change = None, None
        if not tx.relayed:
            self.nonces[tx.sender] = min(self.nonces[tx.sender], tx.nonce)
            self.pol[tx.sender] = self.wei(tx.sender) + self._paid(tx)
            if tx.succeeded and tx.value:
                self.pol[tx.to] = self.wei(tx.to) - tx.value
        tx.succeeded = False
        if self.conduct.reorg_drops:
            tx.dropped = True
        else:
            tx.due = self.now() + self.conduct.mined_after
            self._pending.append(tx)

    def _paid(self, tx: Transaction) -> int:
        return tx.gas_used * tx.gas_price + (tx.value if tx.succeeded else 0)

    def _number_at(self, at: float) -> int:
        since, number, step = self._anchor
        if step != self.conduct.block_seconds:
            # Blocks come faster or slower from now on; those that were keep their numbers.
            now = self.now()
            since, number = now, number + int((now - since) // step)
            self._anchor = since, number, self.conduct.block_seconds
        return number + int((at - since) // self.conduct.block_seconds)
