"""One EVM chain by its nodes: asks at one block, simulates, sends, waits.

The nodes are asked in the order of `chain.rpc_urls`; when one fails the next is asked and `tell`
hears why (see `arb.net.rpc`, whose errors pass through). A caller that needs several answers of
the same moment takes `head()` once and asks all of them `at` that block, which is named by its
hash: a node that has another block there is skipped, so answers never mix two histories.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import httpx

from arb.domain.errors import NotReady, Unavailable
from arb.net.rpc import (
    At,
    Block,
    Call,
    Logs,
    Reverted,
    Rpc,
    RpcOptions,
    TransactionReceipt,
    View,
)
from arb.onchain.abi import Contract, Event, function
from arb.onchain.options import WEI_PER_GWEI, ChainOptions
from arb.onchain.signer import Signed, Signer, Transaction
from arb.ports import Clock

Answer = TypeVar("Answer")

LOGS_BLOCKS_MAX = 2000
"""Of one question about logs: public nodes refuse more."""
ERC20 = Contract(
    function("balanceOf", "address", returns=("uint256",)),
    function("allowance", "address", "address", returns=("uint256",)),
    function("decimals", returns=("uint8",)),
    function("symbol", returns=("string",)),
    function("approve", "address", "uint256", returns=("bool",)),
    function("transfer", "address", "uint256", returns=("bool",)),
)
"""A token, as far as it is used."""
L1_FEES = Contract(function("getL1Fee", "bytes", returns=("uint256",)))
"""The oracle of data fees that chains of the OP Stack have."""
_PLAIN = Contract()


class Chain:
    """One chain.

    Raises from every question:
        Unavailable: No node answers, or none that does is on this chain.
        BadVenueData: An answer is not what it promises.
    """

    def __init__(
        self,
        options: ChainOptions,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        tell: Callable[[str], None] = lambda _switched: None,
    ) -> None:
        """Nothing is asked yet; `tell` hears that another node has taken over, and why."""
        self.options = options
        self._clock = clock
        self.rpc = Rpc(
            RpcOptions(
                urls=options.rpc_urls,
                chain_id=options.chain_id,
                connect_timeout_seconds=options.connect_timeout_seconds,
                read_timeout_seconds=options.read_timeout_seconds,
                pause_seconds=options.pause_seconds,
                answer_seconds_max=options.answer_seconds_max,
            ),
            monotonic=clock.monotonic,
            transport=transport,
            tell=tell,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self.rpc.close()

    async def head(self) -> Block:
        """The newest block."""
        found = await self.rpc.block("latest")
        if found is None:
            raise Unavailable(f"the chain {self.options.name} has no block")
        return found

    async def stands(self, block: Block) -> bool:
        """Whether the chain still has this very block in its place."""
        found = await self.rpc.block(block.number)
        return found is not None and found.hash == block.hash

    async def ask(self, view: View[Answer], *, at: At = "latest") -> Answer:
        """Ask a contract (`Contract.view`).

        Raises:
            Reverted: The contract refuses; its words are the message.
        """
        try:
            return await self.rpc.call(view, block=at)
        except Reverted as refusal:
            raise _told(refusal) from None

    async def balance(self, token: str, owner: str, *, at: At = "latest") -> int:
        """How much of a token an account has; of the chain's own coin where `token` is empty."""
        if not token:
            return await self.rpc.balance(owner, block=at)
        found: int = await self.ask(ERC20.view(token, "balanceOf", owner), at=at)
        return found

    async def has_code(self, address: str, *, at: At = "latest") -> bool:
        """Whether there is a contract at an address."""
        return await self.rpc.code(address, block=at) != "0x"

    async def events(
        self,
        contract: Contract,
        addresses: Sequence[str],
        names: Sequence[str],
        *,
        first: int,
        last: int,
    ) -> list[Event]:
        """What contracts of one kind have written down, in the order of the chain.

        Whether the blocks still stand is for the caller to see (`log.block_hash`, `stands`).

        Args:
            contract: Describes the events.
            addresses: Of these contracts.
            names: Which of the events.
            first: The first block.
            last: The last block, included.
        """
        topics = (tuple(contract.topic(name) for name in names),)
        found: list[Event] = []
        for begins, ends in _pieces(first, last):
            wanted = Logs(addresses=tuple(addresses), topics=topics, first=begins, last=ends)
            logs = await self.rpc.logs(wanted)
            found += [one for one in map(contract.event, logs) if one is not None]
        return found

    async def simulate(self, call: Call, sender: str, *, at: At = "latest") -> str:
        """What this very call, sent by `sender`, would return on top of a block; nothing is sent.

        Returns:
            Hex, for `Contract.read`.

        Raises:
            Reverted: It would fail; its words are the message.
        """
        try:
            return await self.rpc.call_raw(call, sender=sender, block=at)
        except Reverted as refusal:
            raise _told(refusal) from None

    async def estimate(self, call: Call, sender: str) -> int:
        """The gas that it would use now, with nothing added.

        Raises:
            Reverted: It would fail.
        """
        try:
            return await self.rpc.estimate_gas(call, sender)
        except Reverted as refusal:
            raise _told(refusal) from None

    async def gas_price(self, block: Block | None = None) -> int:
        """What a unit of gas costs now, in wei: the base fee and the usual tip, or the one price.

        Args:
            block: The newest block, where it is known already.
        """
        block = block or await self.head()
        if block.base_fee is None:
            return await self.rpc.gas_price()
        return block.base_fee + await self.rpc.priority_fee()

    async def data_fee(self, call: Call, *, at: At = "latest") -> int:
        """What the layer below takes for a transaction's data, in wei, beside the gas.

        It is what the chain's own oracle says of the data at that block (`chain.l1_fee_oracle`); 0
        where there is none.
        """
        oracle = self.options.fee_oracle
        if not oracle:
            return 0
        data = bytes.fromhex(call.data[2:])
        found: int = await self.ask(L1_FEES.view(oracle, "getL1Fee", data), at=at)
        return found

    async def fill(
        self, call: Call, sender: str, *, gas: int = 0, tip: int | None = None
    ) -> Transaction:
        """A call as a transaction: with its gas, the next nonce and a fee that outlasts rises.

        Args:
            call: What is called; its own gas limit is kept where it has one.
            sender: Who will sign.
            gas: As it was estimated; 0: it is estimated now. The headroom comes on top.
            tip: Wei for each unit of gas to the maker of the block; `None`: what is usual.

        Raises:
            Reverted: It would fail.
            NotReady: Gas costs more than `chain.fee_gwei_max`, or the sender cannot pay for it.
        """
        block = await self.head()
        limit = call.gas
        if not limit:
            needs = gas or await self.estimate(call, sender)
            limit = int(needs * self.options.gas_headroom)
        fee, paid = await self.fees(block, tip)
        nonce = await self.rpc.transaction_count(sender)
        transaction = Transaction(
            to=call.to,
            data=call.data,
            value=call.value,
            gas=limit,
            nonce=nonce,
            chain_id=self.options.chain_id,
            fee=fee,
            tip=paid,
        )
        has = await self.rpc.balance(sender)
        if has < transaction.cost_max + call.value:
            needed = transaction.cost_max + call.value
            raise NotReady(f"{sender} has {has} wei on {self.options.name}; it takes {needed}")
        return transaction

    async def send(self, transaction: Transaction, signer: Signer) -> Signed:
        """Sign and send.

        Raises:
            TransactionRefused: No node takes it as it is.
            Unavailable: Whether it was sent is not known: `wait` for the hash that
                `signer.sign(transaction)` gives, before anything else has its nonce.
        """
        signed = signer.sign(transaction)
        await self.rpc.send_raw(signed.raw, signed.hash)
        return signed

    async def wait(self, hash_: str, *, blocks: int | None = None) -> TransactionReceipt | None:
        """What became of a transaction.

        Args:
            hash_: The transaction's.
            blocks: For how many blocks from now; `chain.wait_blocks` unless said.

        Returns:
            `None`: that number of blocks came and none holds it. It may still be mined.
        """
        limit = self.options.wait_blocks if blocks is None else blocks
        begun = (await self.head()).number
        while True:
            now = (await self.head()).number
            receipt = await self.rpc.receipt(hash_)
            if receipt is not None or now - begun >= limit:
                return receipt
            await self._clock.sleep(self.options.poll_seconds)

    async def next_block(self, after: Block) -> Block:
        """The newest block, once it is another than `after`."""
        while (found := await self.head()).hash == after.hash:
            await self._clock.sleep(self.options.poll_seconds)
        return found

    async def fees(self, block: Block, tip: int | None = None) -> tuple[int, int | None]:
        """The most that a transaction pays for a unit of gas, and the tip in it, in wei.

        Args:
            block: The newest block.
            tip: Wei to the maker of the block; `None`: what is usual. A chain without a base fee
                has one price, and no tip.

        Raises:
            NotReady: Gas costs more than `chain.fee_gwei_max`.
        """
        most = self.options.fee_wei_max
        if block.base_fee is None:
            price = await self.rpc.gas_price() + (tip or 0)
            self._affordable(price)
            return price, None
        paid = await self.rpc.priority_fee() if tip is None else tip
        self._affordable(block.base_fee + paid)
        return min(2 * block.base_fee + paid, most), paid

    def _affordable(self, price: int) -> None:
        if price > self.options.fee_wei_max:
            said = f"a unit of gas costs {price / WEI_PER_GWEI:.3f} gwei"
            raise NotReady(f"{said}; chain.fee_gwei_max is {self.options.fee_gwei_max}")


def _pieces(first: int, last: int) -> Iterator[tuple[int, int]]:
    for begins in range(first, last + 1, LOGS_BLOCKS_MAX):
        yield begins, min(begins + LOGS_BLOCKS_MAX - 1, last)


def _told(refusal: Reverted) -> Reverted:
    """The refusal with the contract's own words."""
    return Reverted(_PLAIN.why(refusal), refusal.data)
