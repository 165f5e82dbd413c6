"""Carrying a plan out, and finding out how what was sent has ended.

Every transaction is simulated right before it is sent, and its hash is a fact before it leaves.
What an interruption leaves under way is closed by its receipts, as far as it went.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal

from arb.domain.attempt import AttemptFact, AttemptStep
from arb.domain.errors import NotReady, Unavailable
from arb.domain.money import micro_down, micro_up, text
from arb.net.rpc import Block, Call, TransactionRefused
from arb.onchain.chain import ERC20, Chain
from arb.onchain.liquidations.market import LendingMarket, Terms
from arb.onchain.liquidations.planner import (
    WEI,
    GasTerms,
    LiquidationPlan,
    Pair,
    PlanOptions,
    Refusal,
    plan,
)
from arb.onchain.liquidations.positions import Position, PriceSource
from arb.onchain.liquidations.sending import Landed, Relay, Wallet
from arb.onchain.liquidations.swaps import Quote, Swaps
from arb.ports import Clock

BUNDLE, ONE_BY_ONE = "bundle", "one by one"
SWAP_SECONDS = 600
"""How long after its block a swap may still be mined."""


@dataclass(slots=True)
class Attempt:
    """A plan, and what it was made of."""

    plan: LiquidationPlan
    pair: Pair
    quote: Quote | None
    """Of the swap back; `None`: debt and collateral are one token."""
    gas: GasTerms
    hashes: list[str] = field(default_factory=list)
    """Of what was sent for it, or was about to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What sends with one wallet's money."""

    chain: Chain
    market: LendingMarket
    swaps: Swaps | None
    wallet: Wallet
    relay: Relay | None
    """`None`: transactions are sent one by one."""
    bundle_blocks: int
    plans: PlanOptions
    clock: Clock
    blocked: Callable[[], str]
    """Why nothing may be sent now; empty: nothing stands against it."""
    write: Callable[[AttemptFact], Awaitable[None]]
    """Keeps a fact; raises `LedgerError`, and nothing is sent then."""

    async def carry_out(
        self, work: Attempt, position: Position, terms: Terms
    ) -> tuple[Refusal, str] | None:
        """Simulate, and send if the simulation returns what was planned.

        Args:
            work: The plan; it is replaced by the same one with the gas that it really takes.
            position: Whose it is.
            terms: The market's, at the plan's block.

        Returns:
            Why nothing was sent; `None` where it was, or was about to be.
        """
        made, block = work.plan, work.plan.block
        await self._note(made, AttemptStep.FOUND, "", **figures_of(made))
        calls = await self._calls(work, block)
        simulated = await self.wallet.simulate(calls, block)
        gain = simulated.changes.get(made.debt.asset, 0)
        least = made.swap_least - made.seizure.repaid
        refusal, why = Refusal.SIMULATION, simulated.failed
        if not why and gain < least:
            why = f"it returns {gain}, at least {least} was planned"
        if not why:
            # The same plan with the gas that it really takes.
            again = self._replanned(work, position, sum(simulated.gas), terms)
            if isinstance(again, Refusal):
                refusal, why = again, f"with {sum(simulated.gas)} gas"
            else:
                made = work.plan = again
        if why:
            said = f"the simulation says: {why}"
            await self._note(made, AttemptStep.REFUSED, said, refusal=refusal.value)
            return refusal, why
        await self._note(
            made, AttemptStep.SIMULATED, "",
            **{**figures_of(made), "gain": gain, "planned": made.gain, "gas": sum(simulated.gas)},
        )  # fmt: skip
        try:
            if self.relay is None:
                await self._one_by_one(work, calls, simulated.gas, terms)
            else:
                await self._bundled(work, self.relay, calls, simulated.gas, terms)
        except (NotReady, TransactionRefused) as error:
            await self._note(made, AttemptStep.FAILED, str(error))
        return None

    async def settle(self, under_way: Iterable[AttemptFact], block: Block, terms: Terms) -> None:
        """Look up attempts that have no end yet: their receipts, or that none can come any more.

        Args:
            under_way: The last fact of each.
            block: The newest one.
            terms: The market's, at that block.
        """
        for fact in under_way:
            values: Mapping[str, object] = {"returned_usd": "0"}
            hashes = fact.values["hashes"].split()
            done = await self.wallet.landed(hashes)
            assets = (fact.values["debt_asset"], fact.values["collateral_asset"])
            if len(done.receipts) == len(hashes):
                step, values = _result(done, terms, *assets)
                why = "looked up after an interruption"
            elif block.number <= int(fact.values["until"]):
                continue
            elif fact.detail == ONE_BY_ONE and await self.wallet.nonce() <= int(
                fact.values["nonce"]
            ):
                # It may still be mined: something else has to have its place.
                with suppress(TransactionRefused, NotReady):
                    await self.wallet.cancel(int(fact.values["nonce"]))
                continue
            elif done.receipts:
                step, values = _result(done, terms, *assets)
                why = f"no block up to {block.number} holds the rest"
            else:
                step, why = AttemptStep.DROPPED, f"no block up to {block.number} holds it"
            why = _with_held(why, values, fact.values["collateral"])
            await self._keep(fact.attempt, step, block.number, fact.subject, why, values)

    def _replanned(
        self, work: Attempt, position: Position, units: int, terms: Terms
    ) -> LiquidationPlan | Refusal:
        made = work.plan
        return plan(
            terms.rules, position, made.health, made.block, work.pair, made.swap_out,
            replace(work.gas, units=units), made.bribe_share, self.plans,
        )  # fmt: skip

    async def _calls(self, work: Attempt, block: Block) -> list[Call]:
        """The whole sequence: approvals of exact amounts where they are missing, then the rest."""
        made, market = work.plan, self.market
        repaid, spender = made.seizure.repaid, market.spender
        approval = await self._approval(made.debt.asset, spender, repaid, block)
        return [*approval, market.liquidate(made), *await self._swap_back(work, block)]

    async def _swap_back(self, work: Attempt, block: Block) -> list[Call]:
        """What turns the collateral back into the debt's token; nothing where it is the same."""
        if work.quote is None:
            return []
        assert self.swaps is not None  # it has quoted
        made = work.plan
        sold, amount = made.collateral.asset, made.seizure.received
        swap = self.swaps.swap(
            sold, made.debt.asset, amount, made.swap_least, work.quote, self.wallet.address,
            block.timestamp + SWAP_SECONDS,
        )  # fmt: skip
        return [*await self._approval(sold, self.swaps.spender, amount, block), swap]

    async def _approval(self, token: str, spender: str, amount: int, block: Block) -> list[Call]:
        """An approval of exactly the amount; nothing where there is one."""
        if not await self.wallet.needs_approval(token, spender, amount, block):
            return []
        return [ERC20.call(token, "approve", spender, amount)]

    async def _bundled(
        self,
        work: Attempt,
        relay: Relay,
        calls: Sequence[Call],
        gas: Sequence[int],
        terms: Terms,
    ) -> None:
        """Offer all of it to the relay, block by block: together in one, or not at all."""
        made = work.plan
        signed = await self.wallet.signed(calls, gas, made.priority_fee)
        hashes = [one.hash for one in signed]
        block, why = await self.chain.head(), ""
        last = block.number + self.bundle_blocks
        await self._submitted(work, hashes, last)
        while block.number < last:
            if against := self.blocked():
                why = against
                break
            try:
                await relay.offer(signed, block.number + 1, self.wallet)
            except Unavailable as error:
                why = str(error)
            block = await self.chain.next_block(block)
            done = await self.wallet.landed(hashes)
            if len(done.receipts) == len(hashes):
                await self._ended(made, done, terms)
                return
        why = why or f"no block up to {last} holds it"
        await self._note(made, AttemptStep.DROPPED, why, returned_usd="0")

    async def _one_by_one(
        self, work: Attempt, calls: list[Call], gas: Sequence[int], terms: Terms
    ) -> None:
        """Send in the open, each transaction after the one before; simulate the rest anew."""
        made, hashes = work.plan, list[str]()
        block = made.block
        while calls:
            if hashes:
                block = await self.chain.head()
                simulated = await self.wallet.simulate(calls, block)
                if why := simulated.failed or self.blocked():
                    await self._stopped(made, hashes, f"the rest was not sent: {why}", terms)
                    return
                gas = simulated.gas
            sent = list(hashes)
            try:
                (signed,) = await self.wallet.signed(calls[:1], gas[:1], made.priority_fee)
                hashes.append(signed.hash)
                await self._submitted(work, hashes, block.number + self.chain.options.wait_blocks)
                await self.wallet.send(signed)
            except (NotReady, TransactionRefused) as error:
                if not sent:
                    raise
                await self._stopped(made, sent, f"the rest was not sent: {error}", terms)
                return
            receipt = await self.chain.wait(signed.hash)
            if receipt is None:
                return  # under way still: looked up again by the next look
            if not receipt.succeeded:
                await self._stopped(made, hashes, "a transaction failed in its block", terms)
                return
            calls = calls[1:]
        await self._stopped(made, hashes, "", terms)

    async def _submitted(self, work: Attempt, hashes: Sequence[str], until: int) -> None:
        """Write down what is about to leave; of a sequence only its first step counts as sent."""
        where = {"hashes": " ".join(hashes), "until": until, "nonce": await self.wallet.nonce()}
        if work.hashes:
            await self._note(work.plan, AttemptStep.CONTINUED, "", **where)
        else:
            how = BUNDLE if self.relay else ONE_BY_ONE
            figures = {**figures_of(work.plan), **where}
            await self._note(work.plan, AttemptStep.SUBMITTED, how, **figures)
        work.hashes = list(hashes)

    async def _stopped(
        self, made: LiquidationPlan, hashes: Sequence[str], why: str, terms: Terms
    ) -> None:
        """No more of it is sent: write down what it has done, where all that was sent is mined."""
        done = await self.wallet.landed(hashes)
        if len(done.receipts) == len(hashes):  # else undone since: the next look sees to it
            await self._ended(made, done, terms, why)

    async def _ended(
        self, made: LiquidationPlan, done: Landed, terms: Terms, why: str = ""
    ) -> None:
        step, values = _result(done, terms, made.debt.asset, made.collateral.asset)
        await self._note(made, step, _with_held(why, values, made.collateral.symbol), **values)

    async def _note(
        self, made: LiquidationPlan, step: AttemptStep, detail: str, **values: object
    ) -> None:
        await self._keep(made.id, step, made.block.number, made.borrower, detail, values)

    async def _keep(
        self,
        attempt: str,
        step: AttemptStep,
        block: int,
        subject: str,
        detail: str,
        values: Mapping[str, object],
    ) -> None:
        await self.write(
            AttemptFact(
                attempt=attempt,
                step=step,
                at=self.clock.now(),
                block=block,
                subject=subject,
                detail=detail,
                values={name: str(value) for name, value in values.items()},
            )
        )


def _result(
    done: Landed, terms: Terms, debt: str, collateral: str
) -> tuple[AttemptStep, dict[str, object]]:
    """What transactions have done: included where the debt was repaid, whatever came then.

    A repayment moves tokens; an approval, and a call that failed, move none.
    """
    rules, worth = terms.rules, 0
    for asset in {debt, collateral}:
        change = done.changes.get(asset, 0)
        value = rules.worth(terms.reserves[asset], abs(change))
        worth += value if change >= 0 else -value
    worth -= done.gas_wei * (terms.coin_price or 0) // WEI
    held = done.changes.get(collateral, 0) if collateral != debt else 0
    liquidated = any(done.changes.get(asset, 0) for asset in (debt, collateral))
    return AttemptStep.INCLUDED if liquidated else AttemptStep.REVERTED, {
        "gain": done.changes.get(debt, 0),
        "held": held,
        "gas_wei": done.gas_wei,
        "returned_usd": text(_floor(Decimal(worth) / rules.base_unit)),
    }


def _with_held(why: str, values: Mapping[str, object], symbol: str) -> str:
    """With what of the collateral the wallet has now."""
    if not values.get("held"):
        return why
    return "; ".join(filter(None, (why, f"{values['held']} of {symbol} are held")))


def figures_of(made: LiquidationPlan) -> dict[str, object]:
    """A plan's figures, as facts keep them."""
    return {
        "debt": made.debt.symbol,
        "debt_asset": made.debt.asset,
        "collateral_asset": made.collateral.asset,
        "collateral": made.collateral.symbol,
        "health": made.health.factor,
        "prices": PriceSource.ORACLE.value,
        "coin_price": made.coin_source.value,
        "repaid": made.seizure.repaid,
        "received": made.seizure.received,
        "quoted": made.swap_out,
        "least": made.swap_least,
        "gain": made.gain,
        "repays_usd": text(made.repays),
        "returns_usd": text(made.returns),
        "returns_least_usd": text(made.returns_least),
        "costs_usd": text(made.costs),
        "bribe_share": text(made.bribe_share),
    }


def _floor(amount: Decimal) -> Decimal:
    """Rounded against us: a gain down, a loss up."""
    return micro_down(amount) if amount >= 0 else -micro_up(-amount)
