"""Hands certificates to supervised bots, and reads on the chain how they ended.

A bot gets the transaction ready to be signed (`Command.spread`) and answers as any bot does: what
it says of a profit is kept as its word. What counts is the chain: the transaction that it names
must be the one that it was given, and the executor's own record says what was gained. Each step is
a fact in the account of spreads, the handing over before anything leaves.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from arb.adapters.bots.definition import SPREAD, Bots
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.messages import (
    Command,
    Opportunity,
    Prepared,
    Result,
    Spread,
    Swapped,
    clean,
    word,
)
from arb.adapters.bots.routing import OURSELVES, Route, route
from arb.domain.attempt import ENDS, AttemptFact, AttemptStep
from arb.net.rpc import TransactionReceipt
from arb.onchain.chain import Chain
from arb.onchain.spreads.certificate import Certificate
from arb.onchain.spreads.executor import EXECUTOR
from arb.onchain.spreads.options import SpreadOptions
from arb.onchain.spreads.scan import Look, SpreadScanner
from arb.ports import Attempts, Clock

HASH = re.compile(r"0x[0-9a-fA-F]{64}")
DETAIL_MAX = 300
WEI = Decimal(10**18)
LOOKS_BACK = 2000
"""Blocks in which a transaction of an earlier run is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """A certificate that a bot has."""

    attempt: str
    bot: str
    at: datetime
    block: int
    subject: str
    figures: Mapping[str, str]
    """As they were written down when it was handed over."""


@dataclass(slots=True)
class Desk:
    """One account's spreads."""

    chain: Chain
    scanner: SpreadScanner
    bots: Bots
    mailbox: Mailbox
    ready: Callable[[], Collection[str]]
    attempts: Attempts
    clock: Clock
    tell: Callable[[str, str], None]
    """Gets a bot's name and what a person should know of it."""
    blocked: Callable[[], Awaitable[str]]
    """Why nothing may be handed over now; empty: it may."""
    observe: Callable[[AttemptFact], None] = lambda _fact: None
    failures: Counter[str] = field(default_factory=Counter)
    """Certificates in a row that a bot made nothing of."""
    _out: dict[str, Out] = field(default_factory=dict)
    _seen: frozenset[str] = frozenset()
    _hashes: set[str] = field(default_factory=set)

    @property
    def _options(self) -> SpreadOptions:
        return self.scanner.options

    async def open(self) -> None:
        """Read the account, and take up what a run before this one has handed over.

        Raises:
            LedgerError: It cannot be read.
        """
        await self.attempts.open(self.clock.now())
        given: dict[str, Out] = {}
        for fact in await self.attempts.facts():
            self._hashes.add(fact.values.get("transaction", ""))
            if fact.step is AttemptStep.SUBMITTED:
                given[fact.attempt] = Out(
                    attempt=fact.attempt,
                    bot=fact.values.get("bot", ""),
                    at=fact.at,
                    block=fact.block,
                    subject=fact.subject,
                    figures=fact.values,
                )
            elif fact.step in ENDS:
                given.pop(fact.attempt, None)
        for out in given.values():
            self._out[out.bot] = out
            self.mailbox.expects(out.bot, out.attempt)

    async def step(self, look: Look) -> None:
        """See what the bots have answered, and hand over what was found.

        Raises:
            VenueError: No node answers.
            LedgerError: Nothing can be written down; nothing is handed over then.
        """
        await self.collect()
        found = [one for one in look.certificates if not one.against(self._options)]
        await self._note(found)
        if await self.blocked():
            return
        taken: set[str] = set()
        for one in found:
            pools = {hop.pool.address for hop in one.way.hops}
            # One swap moves its pools: what else was calculated with them holds no more.
            if not pools & taken and await self._hand_over(one):
                taken |= pools

    async def collect(self) -> None:
        """See what the bots that have a certificate say, and what the chain says of it."""
        for bot, out in list(self._out.items()):
            result = self.mailbox.claim_result(bot)
            if result is not None and result.id != out.attempt:
                self.mailbox.refuse(bot, "not_in_plan")
                result = None
            if result is not None:
                await self._answered(out, result)
                self.mailbox.acknowledge(bot)
            elif self.clock.now() >= out.at + timedelta(seconds=self._options.answer_seconds):
                await self._silent(out)

    @property
    def waiting(self) -> Sequence[Out]:
        """What bots have and have not answered."""
        return list(self._out.values())

    def route(self, found: Certificate) -> Route:
        """The bot for a certificate, by the rules of `bots.definitions`."""
        most = {name: one.failures_max for name, one in self.bots.definitions.items()}
        off = {name for name, times in self.failures.items() if 0 < most[name] <= times}
        definitions, ready = self.bots.definitions, self.ready()
        return route(self.bots.rules, definitions, SPREAD, found.measures(), ready, off)

    async def _note(self, found: Sequence[Certificate]) -> None:
        """Write down what was found, once for as long as it stays."""
        names = {_way(one): one for one in found}
        for name, one in names.items():
            if name not in self._seen:
                await self._record(one.id, AttemptStep.FOUND, one.block.number, name, _figures(one))
        self._seen = frozenset(names)

    async def _hand_over(self, found: Certificate) -> bool:
        bot = self.route(found).bot
        if bot == OURSELVES or bot in self._out:
            return False
        mine = await self.scanner.again(found, flash=bot in self._options.flash_bots)
        if mine is None or mine.against(self._options) or mine.call is None:
            none = "the executor has none of the token"
            said = f"{bot}: {none if mine is None else mine.against(self._options)}"
            way, number = _way(found), found.block.number
            await self._record(found.id, AttemptStep.REFUSED, number, way, {}, said)
            return False
        now = self.clock.now()
        out = Out(
            attempt=mine.id,
            bot=bot,
            at=now,
            block=mine.block.number,
            subject=_way(mine),
            figures={**_figures(mine), "bot": bot, "data": mine.call.data},
        )
        if not self._free(bot):
            return False
        await self._record(out.attempt, AttemptStep.SUBMITTED, out.block, out.subject, out.figures)
        self._out[bot] = out
        try:
            sent = self.mailbox.send(self._command(bot, mine, now))
        except OSError as error:
            await self._end(out, AttemptStep.FAILED, f"not reached: {error.strerror}")
            return False
        if not sent:
            await self._end(out, AttemptStep.FAILED, "it has not picked up its last command")
        return sent

    def _free(self, bot: str) -> bool:
        """Whether nothing lies in the bot's mailbox; what is out of date is removed."""
        self.mailbox.expire(bot)
        return self.mailbox.current(bot) is None

    async def _answered(self, out: Out, result: Result) -> None:
        said_profit, named = word(result)
        said = {"said_profit": "" if said_profit is None else f"{said_profit:f}"}
        if HASH.fullmatch(named):
            await self._mined(out, named.lower(), said)
        elif result.success:
            own = await self._own_record(out)
            if own is not None:
                await self._mined(out, own, said)
            else:
                await self._end(out, AttemptStep.FAILED, "it names no transaction", said)
        else:
            reason = clean(result.reason)[:DETAIL_MAX] or "no reason given"
            await self._end(out, AttemptStep.FAILED, f"{out.bot} declined: {reason}", said)

    async def _silent(self, out: Out) -> None:
        """No answer in time: the chain is asked until it cannot say anything else any more."""
        if self.mailbox.withdraw(out.bot, out.attempt):
            await self._end(out, AttemptStep.DROPPED, f"{out.bot} never picked it up")
            return
        found = await self._own_record(out)
        if found is not None:
            await self._mined(out, found, {})
        elif (await self.chain.head()).number - out.block >= self.chain.options.wait_blocks:
            seconds = f"{self._options.answer_seconds:g}"
            said = f"{out.bot} has not answered within {seconds} s, and the executor ran nothing"
            await self._end(out, AttemptStep.DROPPED, said)

    async def _mined(self, out: Out, hash_: str, said: Mapping[str, str]) -> None:
        """What the chain says of the transaction that a bot names."""
        values = {**said, "transaction": hash_}
        known = hash_ in self._hashes
        receipt = None if known else await self.chain.wait(hash_)
        if receipt is None and (own := await self._own_record(out)) is not None:
            await self._mined(out, own, said)
            return
        if known:
            await self._end(out, AttemptStep.FAILED, "its transaction is one of before", said)
            return
        if receipt is None:
            blocks = self.chain.options.wait_blocks
            detail = f"not mined within {blocks} blocks"
            await self._end(out, AttemptStep.DROPPED, detail, values)
            return
        if not await self._is_ours(out, hash_):
            detail = "its transaction is not the one that it was given"
            await self._end(out, AttemptStep.FAILED, detail, values)
            return
        gas = Decimal(receipt.gas_used * receipt.gas_price + receipt.data_fee)
        coin_usd = Decimal(out.figures["coin_usd"])
        gas_usd = gas / WEI * coin_usd
        values |= {"gas_used": str(receipt.gas_used), "gas_usd": f"{gas_usd:.6f}"}
        if not receipt.succeeded:
            values["returned_usd"] = f"{-gas_usd:.6f}"
            detail = "undone: the block did not stand"
            await self._end(out, AttemptStep.REVERTED, detail, values, receipt.block)
            return
        gained = self._gained(receipt)
        gain_usd = Decimal(gained).scaleb(-int(out.figures["decimals"]))
        values |= {
            "units_gained": str(gained),
            "returned_usd": f"{gain_usd - gas_usd:.6f}",
        }
        await self._end(out, AttemptStep.INCLUDED, "", values, receipt.block)

    def _gained(self, receipt: TransactionReceipt) -> int:
        """What the executor's own record says."""
        executor = self._options.executor.lower()
        events = [EXECUTOR.event(log) for log in receipt.logs if log.address == executor]
        return sum(int(one.values["gained"]) for one in events if one is not None)

    async def _is_ours(self, out: Out, hash_: str) -> bool:
        """Whether a transaction calls the executor, from its owner, with what was handed over."""
        found: Any = await self.chain.rpc.ask("eth_getTransactionByHash", [hash_])
        if not isinstance(found, dict):
            return False
        named = (str(found.get(key, "")).lower() for key in ("from", "to", "input"))
        options = self._options
        wanted = (options.sender.lower(), options.executor.lower(), out.figures["data"].lower())
        return tuple(named) == wanted

    async def _own_record(self, out: Out) -> str | None:
        """A transaction of the executor since it was handed over that is this one."""
        last = (await self.chain.head()).number
        first = max(out.block, last - LOOKS_BACK)
        executor = [self._options.executor]
        found = await self.chain.events(EXECUTOR, executor, ["Ran"], first=first, last=last)
        for one in found:
            hash_ = one.log.transaction.lower()
            if hash_ not in self._hashes and await self._is_ours(out, hash_):
                return hash_
        return None

    async def _end(
        self,
        out: Out,
        step: AttemptStep,
        detail: str,
        values: Mapping[str, str] | None = None,
        block: int | None = None,
    ) -> None:
        """Write down how it ended; the bot may get the next."""
        kept = {"bot": out.bot, **(values or {})}
        self._hashes.add(kept.get("transaction", ""))
        number = out.block if block is None else block
        await self._record(out.attempt, step, number, out.subject, kept, detail)
        del self._out[out.bot]
        if step is AttemptStep.INCLUDED:
            del self.failures[out.bot]
            return
        self.failures[out.bot] += 1
        definition = self.bots.definitions.get(out.bot)
        if definition is not None and self.failures[out.bot] == definition.failures_max:
            times = self.failures[out.bot]
            said = f"{times} spreads in a row came to nothing, last: {detail}; it gets no more"
            self.tell(out.bot, said)

    async def _record(
        self,
        attempt: str,
        step: AttemptStep,
        block: int,
        subject: str,
        values: Mapping[str, str],
        detail: str = "",
    ) -> None:
        fact = AttemptFact(
            attempt=attempt,
            step=step,
            at=self.clock.now(),
            block=block,
            subject=subject,
            detail=detail,
            values=dict(values),
        )
        await self.attempts.record(fact)
        self.observe(fact)

    def _command(self, bot: str, found: Certificate, now: datetime) -> Command:
        call, token = found.call, found.way.token
        assert call is not None
        spread = Spread(
            chain=found.chain,
            block=found.block.number,
            block_hash=found.block.hash,
            token=token.address,
            decimals=token.decimals,
            units_gained=str(found.gain),
            flash=found.flash,
            if_the_block_stands=f"{found.profit_usd:f}",
            if_not=f"{-found.loss_usd:f}",
            mev_risk=f"{found.impact:f}",
            swaps=tuple(
                Swapped(
                    pool=hop.pool.address,
                    sold=hop.sold,
                    bought=hop.bought,
                    units_in=str(found.amounts[at]),
                    units_out=str(found.amounts[at + 1]),
                )
                for at, hop in enumerate(found.way.hops)
            ),
            transaction=Prepared(
                chain_id=self.chain.options.chain_id,
                sender=self._options.sender.lower(),
                to=call.to,
                data=call.data,
                value=call.value,
                gas=found.gas_limit,
                max_fee=found.fee,
                tip=found.tip,
            ),
        )
        opportunity = Opportunity(
            plan=found.id,
            kind=SPREAD,
            event=found.chain,
            title=found.way.title,
            exit="now",
            outlay=f"{found.input_usd:f}",
            payoff_worst=f"{found.input_usd - found.loss_usd:f}",
            profit=f"{found.profit_usd:f}",
        )
        return Command(
            id=found.id,
            command="execute_arbitrage",
            bot_name=bot,
            issued_at=now,
            expires_at=now + timedelta(seconds=self._options.answer_seconds),
            opportunity=opportunity,
            spread=spread,
        )


def _way(found: Certificate) -> str:
    """What a way is called in the account: the same at every block."""
    return " ".join(f"{hop.sold[:10]}>{hop.pool.address}" for hop in found.way.hops)


def _figures(found: Certificate) -> dict[str, str]:
    coin = found.coin * 10**18 / 10**found.way.token.decimals
    coin_usd = Decimal(coin.numerator) / Decimal(coin.denominator)
    return {
        "title": found.way.title,
        "block_hash": found.block.hash,
        "spread": f"{found.spread:f}",
        "input_usd": f"{found.input_usd:f}",
        "gain_usd": f"{found.gain_usd:f}",
        "gas_usd": f"{found.gas_usd:f}",
        "returns_usd": f"{found.profit_usd:f}",
        "costs_usd": f"{found.loss_usd:f}",
        "units_gained": str(found.gain),
        "decimals": str(found.way.token.decimals),
        "coin_usd": f"{coin_usd:.6f}",
        "mev_risk": f"{found.impact:f}",
        "flash": str(found.flash).lower(),
    }
