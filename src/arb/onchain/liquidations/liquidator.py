"""Looking for positions below health factor 1, and liquidating them: one look after another.

    liquidator = Liquidator(chain=…, market=…, swaps=…, ledger=…, clock=…, options=…)
    await liquidator.start()             # what an earlier process left under way is looked up
    seen = await liquidator.look()       # one look; with a wallet and `live` also liquidations
    await liquidator.run(stop)           # a look every `options.interval` seconds

Every look is of one block: logs up to it, positions, prices and quotes at it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from arb.checks import Check, tried
from arb.domain.attempt import AttemptFact, AttemptStep, AttemptSums
from arb.domain.errors import ArbError, NotReady, Unavailable
from arb.domain.halt import Standing, TradingState
from arb.domain.money import Usd, text
from arb.domain.venue import ChainState
from arb.net.rpc import Block, Call
from arb.onchain.chain import Chain
from arb.onchain.liquidations.execution import Attempt, Execution, figures_of
from arb.onchain.liquidations.market import LendingMarket, Terms
from arb.onchain.liquidations.memory import Memory
from arb.onchain.liquidations.options import LiquidationOptions
from arb.onchain.liquidations.planner import (
    GasTerms,
    LiquidationPlan,
    PlanOptions,
    Refusal,
    pairs,
    plan,
    priced_by_oracle,
)
from arb.onchain.liquidations.positions import WAD, Health, Position, PriceSource, Tracker
from arb.onchain.liquidations.record import AttemptRecord, StateLimits, judge, recorded
from arb.onchain.liquidations.sending import Relay, Wallet, simulate
from arb.onchain.liquidations.swaps import Quote, Swaps
from arb.ports import Attempts, Clock

FIRST_GAS = 700_000
"""Gas that a sequence is taken to use before it was simulated."""
LOGS_AT_ONCE = 50_000
"""Blocks whose logs are taken in together while it catches up."""
READ_AT_ONCE = 100
"""Positions that are read together."""
NO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A position as one look saw it, and the outcome."""

    borrower: str
    block: int
    health: Health
    sources: tuple[PriceSource, ...]
    """Where the prices came from that its health rests on."""
    refusal: Refusal | None = None
    detail: str = ""
    plan: LiquidationPlan | None = None
    """The best of its plans, where there is one."""
    attempt: str = ""
    """The attempt that was made at it, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw."""

    block: Block
    positions: int
    """Borrowers who owe anything."""
    findings: tuple[Finding, ...]
    """Those below `watch_below`, the least health first."""
    standing: Standing
    coin_source: PriceSource
    base_unit: int
    """A dollar in the unit of the findings' values."""

    @property
    def liquidatable(self) -> int:
        """How many are below health factor 1."""
        return sum(one.health.liquidatable for one in self.findings)


@dataclass(frozen=True, slots=True)
class LookFailed:
    """A look ended with an error; the next one runs all the same."""

    error: Exception


Seen = AttemptFact | Standing | Look | LookFailed
"""What is told of a liquidator's work."""


class Liquidator:
    """One market's liquidations, for one account."""

    def __init__(
        self,
        *,
        chain: Chain,
        market: LendingMarket,
        swaps: Swaps | None,
        ledger: Attempts | None,
        clock: Clock,
        options: LiquidationOptions,
        wallet: Wallet | None = None,
        relay: Relay | None = None,
        memory: Memory | None = None,
        live: bool = False,
        blocked: Callable[[], str] = lambda: "",
        tell: Callable[[Seen], None] = lambda _seen: None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            chain: Where the market is.
            market: What is watched.
            swaps: Turns what is seized back into what was repaid; `None`: nothing does.
            ledger: Where facts are kept; `None`: of a look that is shown and forgotten.
            clock: Time.
            options: The settings.
            wallet: Whose money it is; `None`: it is only looked, with unlimited funds in mind.
            relay: Where bundles go; `None`: transactions are sent one by one.
            memory: Who borrows, over a restart; `None`: logs are read from the beginning.
            live: Whether anything is sent: both keys are there.
            blocked: Why nothing may be sent now; empty: nothing stands against it.
            tell: Hears every fact, change of state and look.
        """
        self._chain, self._market, self._swaps = chain, market, swaps
        self._ledger, self._clock, self._options = ledger, clock, options
        self._wallet, self._relay = wallet, relay
        self._blocked, self._tell = blocked, tell
        self._tracker, self._memory = Tracker(), memory
        self._limits = StateLimits(
            inclusion_least=options.min_inclusion,
            inclusion_window=options.inclusion_window,
            errors_max=options.max_errors,
        )
        self._plans = PlanOptions(
            min_profit_usd=options.min_profit_usd,
            max_repay_usd=options.max_repay_usd,
            max_daily_usd=options.max_daily_usd,
            slippage_bps=options.slippage_bps,
            oracle_deviation_bps=options.oracle_deviation_bps,
        )
        self._execution: Execution | None = None
        if live and wallet is not None:
            self._execution = Execution(
                chain=chain,
                market=market,
                swaps=swaps,
                wallet=wallet,
                relay=relay,
                bundle_blocks=options.bundle_blocks,
                plans=self._plans,
                clock=clock,
                blocked=blocked,
                write=self._write,
            )
        self.record = AttemptRecord(window=options.inclusion_window)
        self.standing = Standing()
        self.errors_in_row = 0
        self._looks = 0
        self._said: dict[str, Refusal] = {}

    async def close(self) -> None:
        """Close what it alone uses."""
        if self._relay is not None:
            await self._relay.close()

    @property
    def account(self) -> str:
        """Which account of the ledger its facts belong to."""
        return self._options.account

    @property
    def live(self) -> bool:
        """Whether anything is sent."""
        return self._execution is not None

    def sums(self, seen: Look) -> AttemptSums:
        """How the account stands after a look."""
        record = self.record
        return AttemptSums(
            block=seen.block.number,
            watched=seen.positions,
            near=len(seen.findings),
            within_reach=seen.liquidatable,
            submissions=record.submissions,
            inclusion_rate=record.inclusion_rate,
            accuracy=record.accuracy,
            failures_in_row=record.failures_in_row,
            errors_in_row=self.errors_in_row,
            returned=record.returned,
            volume_today=record.volume_on(self._clock.now().date()),
            volume_max=self._options.max_daily_usd,
        )

    async def gas(self) -> ChainState | None:
        """What the wallet has for gas, and the newest block; `None` without a wallet."""
        if self._wallet is None:
            return None
        block = await self._chain.head()
        wei = await self._chain.balance("", self._wallet.address, at=block)
        return ChainState(
            block=block.number,
            gas=Decimal(wei).scaleb(-18),
            gas_least=self._options.min_gas,
            coin="ETH",
        )

    async def checks(self) -> Sequence[Check]:
        """Nodes, contracts, and where something is sent the wallet. Never raises."""

        async def nodes() -> str:
            block = await self._chain.head()
            calls: list[Call] = []
            await simulate(self._chain, calls, NO_ADDRESS, block)
            return f"block {block.number} of {self._chain.options.name}; sequences are simulated"

        async def wallet() -> str:
            state = await self.gas()
            if state is None or self._wallet is None:
                return "none: it is only looked"
            coins = text(state.gas or Decimal(0))
            has = f"{self._wallet.address} has {coins} {state.coin}"
            if state.low:
                raise NotReady(f"{has}, at least {text(state.gas_least)} is needed for gas")
            return has

        found = [await tried("liquidations: nodes", nodes, "see ARB_CHAIN__RPC_URLS")]
        found += await self._market.checks()
        if self._swaps is not None:
            found += await self._swaps.checks()
        found.append(await tried("liquidations: wallet", wallet, "send it coins for gas"))
        return found

    async def start(self) -> None:
        """Open the account, and read its facts and state.

        Raises:
            LedgerError: They cannot be read.
        """
        if self._ledger is not None:
            await self._ledger.open(self._clock.now())
        await self.recall()

    async def recall(self) -> None:
        """Read the account's facts and state; opens nothing.

        Raises:
            LedgerError: They cannot be read.
        """
        if self._ledger is None:
            return
        self.standing = await self._ledger.standing()
        facts = await self._ledger.facts()
        self.record = recorded(facts, self._limits, self.standing)

    async def command(self, standing: Standing) -> None:
        """Write an operator's word on the state down; a loop elsewhere heeds it at its next look.

        Raises:
            LedgerError: It could not be written down.
        """
        if self._ledger is not None:
            await self._ledger.open(self._clock.now())
            await self._ledger.set_standing(standing)

    async def run(
        self,
        stop: asyncio.Event,
        after: Callable[["Look | None"], Awaitable[None]] | None = None,
    ) -> None:
        """Look until told to stop. An error never ends it: it is counted, and ten in a row halt.

        Args:
            stop: Set to end it; an attempt at work is completed.
            after: Called after each look, with `None` where it failed.
        """
        while not stop.is_set():
            seen: Look | None = None
            with suppress(ArbError):
                seen = await self.try_look()
            if after is not None:
                await after(seen)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._options.interval)

    async def try_look(self) -> Look | None:
        """A look whose error is counted and told; `None` where it failed.

        Raises:
            LedgerError: The state could not be written down.
        """
        try:
            await self._heed_operator()
            seen = await self.look()
        except Unavailable as error:
            await self._failed(error, away=str(error))
        except Exception as error:  # noqa: BLE001  # no error ends the loop; ten in a row halt
            await self._failed(error)
        else:
            self.errors_in_row = 0
            await self._set(self._judged())
            return replace(seen, standing=self.standing)
        return None

    async def look(self, *, keep: bool = True) -> Look:
        """One look: keep up with the chain, judge every position, act on those below 1.

        Args:
            keep: Whether refusals are kept in the ledger.

        Raises:
            VenueError: The chain cannot be read.
            LedgerError: A fact could not be kept: nothing was sent without one.
        """
        block = await self._chain.head()
        terms = await self._market.terms(block)
        if self._execution is not None:
            await self._execution.settle(list(self.record.open.values()), block, terms)
        await self._keep_up(block)
        near, unpriced = self._near(terms, block)
        found: list[Finding] = list(unpriced)
        attempts, most = 0, sum(health.liquidatable for health, _ in near)
        if self.standing.state is TradingState.THROTTLED:
            most = -(-most // 2)
        for health, position in near:
            sources = tuple(sorted({terms.reserves[asset].source for asset in position.loans}))
            finding = Finding(
                borrower=position.borrower, block=block.number, health=health, sources=sources
            )
            if health.liquidatable:
                attempts += 1
                late = attempts > most
                finding = await self._judge(finding, position, terms, block, late=late)
                if keep:
                    await self._say(finding)
            found.append(finding)
        found.sort(key=lambda one: (one.health.factor or 0, one.borrower))
        seen = Look(
            block=block,
            positions=len(self._tracker.positions),
            findings=tuple(found),
            standing=self.standing,
            coin_source=terms.coin_source,
            base_unit=terms.rules.base_unit,
        )
        self._tell(seen)
        return seen

    # -- in step with the chain ----------------------------------------------------------

    async def _keep_up(self, block: Block) -> None:
        """Take in the logs since the last look, and read again whom they name."""
        tracker, memory = self._tracker, self._memory
        if tracker.head is None and memory is not None and (known := memory.load()) is not None:
            tracker.resume(*known)  # a block that was undone is seen to be, next
        if tracker.head is not None and not await self._chain.stands(tracker.head):
            kept = None
            for anchor in tracker.anchors():
                if await self._chain.stands(anchor):
                    kept = anchor
                    break
            tracker.undo_after(kept)
        while tracker.head != block:
            first = self._options.from_block if tracker.head is None else tracker.head.number + 1
            last = min(first + LOGS_AT_ONCE, block.number)
            end = block if last == block.number else await self._chain.rpc.block(last)
            touches = await self._market.touched(first, last) if first <= last else ()
            if end is None or not await self._chain.stands(end):
                raise Unavailable(f"block {last} was undone while it was read")
            tracker.advance(end, touches)  # an error later on does not begin at the start again
            if memory is not None:
                memory.save(end, tracker.positions.keys() | tracker.stale)
        self._looks += 1
        if self._looks % self._options.reread_every == 0:
            tracker.read_all_again()
        stale = sorted(tracker.stale)
        for begins in range(0, len(stale), READ_AT_ONCE):
            part = stale[begins : begins + READ_AT_ONCE]
            tracker.read(await self._market.read(part, block))

    def _near(
        self, terms: Terms, block: Block
    ) -> tuple[list[tuple[Health, Position]], list[Finding]]:
        """Positions below the limit of the list, by the market's own arithmetic; the unpriced."""
        least = int(self._options.watch_below * WAD)
        near: list[tuple[Health, Position]] = []
        unpriced: list[Finding] = []
        for position in self._tracker.positions.values():
            missing = [asset for asset in position.loans if asset not in terms.reserves]
            if missing:
                unpriced.append(
                    Finding(
                        borrower=position.borrower,
                        block=block.number,
                        health=Health(collateral=0, debt=0, factor=None),
                        sources=(),
                        refusal=Refusal.UNPRICED,
                        detail=f"no price of {', '.join(missing)}",
                    )
                )
                continue
            health = terms.rules.health(position, terms.reserves)
            if health.factor is not None and health.factor < least:
                near.append((health, position))
        near.sort(key=lambda one: (one[0].factor or 0, one[1].borrower))
        return near, unpriced

    # -- one position --------------------------------------------------------------------

    async def _judge(
        self, finding: Finding, position: Position, terms: Terms, block: Block, *, late: bool
    ) -> Finding:
        """The outcome for a position below 1."""
        if not priced_by_oracle(position, terms.reserves):
            return replace(finding, refusal=Refusal.FALLBACK_PRICE)
        word = await self._market.health(position.borrower, block)
        if word != finding.health:
            return replace(
                finding, refusal=Refusal.DIFFERS, detail=f"the contract says {word.factor}"
            )
        best = await self._best(position, finding.health, terms, block)
        if isinstance(best, Refusal):
            return replace(finding, refusal=best)
        planned = replace(finding, plan=best.plan)
        if self._execution is None:
            return replace(planned, refusal=Refusal.LOOK_ONLY)
        against = self._against(best.plan, late=late)
        if against is not None:
            return replace(planned, refusal=against)
        refused = await self._execution.carry_out(best, position, terms)
        refusal, detail = refused or (None, "")
        return replace(
            planned, plan=best.plan, refusal=refusal, detail=detail, attempt=best.plan.id
        )

    def _against(self, made: LiquidationPlan, *, late: bool) -> Refusal | None:
        """Why a plan is not carried out, whatever it returns."""
        if self.standing.state is TradingState.HALTED or self._blocked():
            return Refusal.HALTED
        if self.record.open:
            return Refusal.BUSY
        if late:
            return Refusal.THROTTLED
        today = self.record.volume_on(self._clock.now().date())
        if today + made.repays > self._options.max_daily_usd:
            return Refusal.DAILY_VOLUME
        return None

    async def _best(
        self, position: Position, health: Health, terms: Terms, block: Block
    ) -> Attempt | Refusal:
        """The plan that returns the most, or why there is none."""
        options = self._plans
        if self.standing.state is TradingState.THROTTLED:
            options = replace(options, max_repay_usd=Usd(options.max_repay_usd / 2))
        funds = await self._funds(position, terms, block)
        found = pairs(terms.rules, position, terms.reserves, funds, options)
        if isinstance(found, Refusal):
            return found
        price = await self._chain.gas_price(block)
        gas = GasTerms(
            units=FIRST_GAS,
            base_fee=price,
            coin_price=terms.coin_price,
            coin_source=terms.coin_source,
            headroom=self._chain.options.gas_headroom,
            fee_most=self._chain.options.fee_wei_max,
            bundled=self._relay is not None,
        )
        best: Attempt | None = None
        why = Refusal.NO_QUOTE
        for pair in found:
            quote: Quote | None = None
            out = pair.seizure.received
            if pair.debt.asset != pair.collateral.asset:
                if self._swaps is None:
                    continue
                quote = await self._swaps.quote(
                    pair.collateral.asset, pair.debt.asset, pair.seizure.received, block
                )
                if quote is None:
                    continue
                out = quote.out
            made = plan(
                terms.rules, position, health, block, pair, out, gas,
                self.record.bribes.share, options,
            )  # fmt: skip
            if isinstance(made, Refusal):
                why = made
            elif best is None or made.returns_least > best.plan.returns_least:
                best = Attempt(plan=made, pair=pair, quote=quote, gas=gas)
        return why if best is None else best

    async def _funds(self, position: Position, terms: Terms, block: Block) -> dict[str, int]:
        """What the wallet has of what the position owes; of a mere look everything."""
        owed = [asset for asset, loan in position.loans.items() if loan.owed or loan.owed_fixed]
        if self._wallet is None:
            return {asset: 10**12 * terms.reserves[asset].unit for asset in owed}
        address = self._wallet.address
        has = await asyncio.gather(
            *(self._chain.balance(asset, address, at=block) for asset in owed)
        )
        return dict(zip(owed, has, strict=True))

    # -- facts and state -----------------------------------------------------------------

    async def _heed_operator(self) -> None:
        """What an operator has changed in the ledger holds from here on."""
        if self._ledger is None:
            return
        kept = await self._ledger.standing()
        if not kept.by_operator or kept == self.standing:
            return
        if kept.state is TradingState.NORMAL:
            self.record.forgive()
            self.errors_in_row = 0
        self.standing = kept
        self._tell(kept)

    async def _failed(self, error: Exception, *, away: str = "") -> None:
        self.errors_in_row += 1
        self._tell(LookFailed(error))
        await self._set(self._judged(away))

    def _judged(self, away: str = "") -> Standing:
        return judge(
            self.standing, self.record, self._limits, self._clock.now(),
            errors_in_row=self.errors_in_row, away=away,
        )  # fmt: skip

    async def _set(self, standing: Standing) -> None:
        if standing == self.standing:
            return
        if self._ledger is not None:
            await self._ledger.set_standing(standing)
        self.standing = standing
        self._tell(standing)

    async def _say(self, finding: Finding) -> None:
        """Keep a refusal when it is another than at the last look."""
        if finding.refusal is None or finding.attempt:
            self._said.pop(finding.borrower, None)
            return
        if self._said.get(finding.borrower) is finding.refusal:
            return
        self._said[finding.borrower] = finding.refusal
        figures = figures_of(finding.plan) if finding.plan is not None else {}
        values = {
            "health": str(finding.health.factor),
            "prices": " ".join(finding.sources),
            "refusal": finding.refusal.value,
            **{name: str(value) for name, value in figures.items()},
        }
        await self._write(
            AttemptFact(
                attempt=f"{finding.block}-{finding.borrower}",
                step=AttemptStep.REFUSED,
                at=self._clock.now(),
                block=finding.block,
                subject=finding.borrower,
                detail=finding.detail,
                values=values,
            )
        )

    async def _write(self, fact: AttemptFact) -> None:
        if self._ledger is not None:
            await self._ledger.record(fact)
        self.record(fact)
        self._tell(fact)
