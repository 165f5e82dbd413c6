"""The commands of an operator, through any client: a browser, a shell, a test."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from arb.domain.contradiction import Contradiction
from arb.domain.errors import ArbError, ConfigError, LedgerError, VenueError
from arb.domain.halt import AWAY, Pause, Standing, TradingState, reason_of_halt
from arb.domain.instance import StrategyInstance
from arb.domain.market import EventId, Universe, VenueId, named
from arb.domain.news import KindResumed, StateChanged, Trouble
from arb.domain.report import CycleReport, Problem, ProblemKind
from arb.engine.confined import Confined
from arb.engine.contradict import end_of_kind
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.venues import Venues
from arb.engine.watch import Health, HealthReport, Watch
from arb.interlocks import closed
from arb.ports import Clock, Ledger, Strategy
from arb.publisher import Publisher
from arb.statistical.names import SIGNAL_STRATEGIES
from arb.views.signals import SignalAccount

CANCEL_SECONDS_MAX = 2.0


class Refusal(ArbError):
    """The command is not possible in the present state; the message says why."""


class UnknownTarget(Refusal):
    """There is no such thing to command."""


class Unfit(ArbError):
    """What the command says cannot be used here; the message names it, and what can be."""


ANY = frozenset({None, "*"})
"""How a caller says all markets, or no timeframe."""


@dataclass(frozen=True, slots=True, order=True)
class Looking:
    """A strategy that looks, and where."""

    name: str
    symbol: str = ""
    """The event or market that it is confined to; empty: it looks at all."""
    timeframe: str = ""
    """The length of its bars; empty: it looks at books."""

    def __str__(self) -> str:
        return f"{self.name} at {self.symbol}" if self.symbol else self.name


class Statistical(Protocol):
    """Statistical strategies, which follow signals in an account of their own."""

    @property
    def instances(self) -> Sequence[StrategyInstance]:
        """Those that look."""
        ...

    async def add(
        self,
        strategy: str,
        symbol: str | None,
        timeframe: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> StrategyInstance:
        """Have one look; see `Control.add_strategy`."""
        ...

    async def remove(self, strategy: str, symbol: str | None = None) -> Sequence[StrategyInstance]:
        """Have one look no more; see `Control.remove_strategy`."""
        ...

    async def resume(self, reason: str) -> Standing:
        """Buy again after a pause or a halt of their account."""
        ...

    async def shown(self) -> SignalAccount:
        """Their account and what each of them says."""
        ...


@dataclass(slots=True)
class Switch:
    """Why this process may send nothing at all; an interlock, checked before every order."""

    reason: str | None = None
    thrown_at: datetime | None = None
    written: bool = False
    """Whether the ledger records it as well: then ending it there ends it here, too."""

    def check(self) -> str | None:
        """The reason; `None` when orders may be sent."""
        return self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlStatus:
    """The orchestrator at a glance."""

    mode: str
    account: str
    running: bool
    standing: Standing
    contradictions: tuple[Contradiction, ...]
    """What has stopped kinds of trade until an operator has looked."""
    strategies: tuple[Looking, ...]
    started_at: datetime | None
    busy: bool
    cycle: int | None


@dataclass(slots=True, kw_only=True)
class Control:
    """Commands over one orchestrator and its ledger. One that changes nothing is no error."""

    mode: str
    orchestrator: ArbitrageOrchestrator
    venues: Venues
    ledger: Ledger
    clock: Clock
    news: Publisher
    watch: Watch
    switch: Switch
    active: list[Strategy]
    """The strategies that look; the scanner's own list."""
    installed: Mapping[str, Callable[[Mapping[str, object]], Strategy]]
    """Makes every strategy that could look, by name, with options beside those of the settings."""
    forgive: Callable[[], None] = lambda: None
    """Gives bots that have failed too often plans again."""
    signals: Statistical | None = None
    """Statistical strategies, where they are enabled."""
    reset_asked: Callable[[], bool] = lambda: False
    """Whether `reset_errors` was requested without the API since the last call."""
    running: bool = field(default=False, init=False)
    started_at: datetime | None = field(default=None, init=False)
    ended: bool = field(default=False, init=False)
    """The run is over: nothing can be commanded any more."""
    _at_work: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _held: bool = field(default=False, init=False)
    """Whether failed cycles have led to a pause that may still stand."""

    async def status(self, read: Callable[[], Awaitable[Standing]] | None = None) -> ControlStatus:
        """The status; `read` provides the state of trading, the ledger itself without it."""
        report = self.watch.last_report
        return ControlStatus(
            mode=self.mode,
            account=self.ledger.account,
            running=self.running,
            standing=await (read or self.ledger.standing)(),
            contradictions=tuple(await self.ledger.contradictions()),
            strategies=self._all_looking(),
            started_at=self.started_at,
            busy=self.watch.busy,
            cycle=report.run if report else None,
        )

    async def health(self, read: Callable[[], Awaitable[Standing]] | None = None) -> HealthReport:
        """How healthy it is, `read` as for `status`; an unusable ledger is the worst of news."""
        try:
            standing = await (read or self.ledger.standing)()
        except LedgerError as error:
            standing = Standing(state=TradingState.HALTED, reason=str(error))
        blocked_by = closed(self.orchestrator.interlocks)
        return self.watch.health(standing, running=self.running, blocked_by=blocked_by)

    async def ready(self) -> bool:
        """Whether it runs and the ledger answers."""
        health = await self.health()
        return health.running and health.status is not Health.UNHEALTHY

    def start(self) -> bool:
        """Run cycles; false if they run already."""
        self._must_not_have_ended()
        if self.running:
            return False
        self.orchestrator.clear_stop()
        self.running, self.started_at = True, self.clock.now()
        self.watch.begin()
        return True

    def stop(self) -> bool:
        """Finish the step at work and run no more cycles; false if none run."""
        if not self.running:
            return False
        self.orchestrator.stop()
        self.running = False
        return True

    async def pause(self, reason: str, *, by_operator: bool = True) -> Standing:
        """Start no new plan until `resume`; plans at work are completed, scanning goes on."""
        standing = await self.ledger.standing()
        if standing.state is TradingState.HALTED and not standing.paused:
            return standing  # a halt is the stronger of the two
        return await self._set(
            TradingState.HALTED, reason, by_operator=by_operator, pause=Pause.UNTIL_RESUMED
        )

    async def halt(self, reason: str) -> Standing:
        """Send nothing more, take every resting order back, trade no more until `resume`."""
        reason = reason_of_halt(reason)
        self.switch.reason = f"halted: {reason}" if reason else "halted"
        self.switch.written = False
        self.switch.thrown_at = self.clock.now()
        try:
            standing = await self._set(TradingState.HALTED, reason or "by the operator")
            self.switch.written = True
            return standing
        finally:
            # Even a ledger that does not answer must not keep orders in the market.
            await self._cancel_all()

    async def resume(self, reason: str) -> Standing:
        """Trade again; failures so far are not held against it, nor against hosts and bots."""
        standing = await self._set(TradingState.NORMAL, reason, told="an operator has resumed it")
        self.watch.reset()
        self.venues.close_circuits()
        self.forgive()
        self.switch.reason = None
        return standing

    async def resume_kind(
        self, kind: str, reason: str, venue: VenueId | None = None
    ) -> Sequence[VenueId]:
        """Trade a kind again that a contradiction has stopped: at that venue, or wherever it is.

        A halt or a pause of all trading is not touched. Returns where it was stopped.
        """
        ended = await end_of_kind(self.ledger, kind, reason, self.clock.now(), venue)
        for where in ended:
            self.news.publish(KindResumed(kind, where, reason))
        return ended

    def reset_errors(self) -> dict[str, int]:
        """Forget the errors, ask every host and bot again; returns what the errors were."""
        before = self.watch.errors()
        self.watch.reset()
        self.venues.close_circuits()
        self.forgive()
        return before

    def _all_looking(self) -> tuple[Looking, ...]:
        statistical = self.signals.instances if self.signals is not None else ()
        return (
            *map(_looking, self.active),
            *(Looking(one.strategy, one.symbol, one.timeframe) for one in statistical),
        )

    def statistical(self, what: str) -> Statistical:
        """The statistical strategies.

        Raises:
            UnknownTarget: They are not enabled; says how they are.
        """
        if self.signals is None:
            raise UnknownTarget(
                f"{what}: no statistical strategy trades here; with ARB_SIGNALS__ENABLED=true they "
                "do, on paper and in an account of their own (`arb backtest` tries them)"
            )
        return self.signals

    async def add_strategy(
        self,
        name: str,
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> bool:
        """Activate an installed strategy from the next cycle on; false if it is active already.

        Args:
            name: Which.
            symbol: The slug of the event, or the slug or id of the market, that it is confined to;
                without one it looks at all.
            timeframe: The length of a statistical strategy's bars; no other has one.
            params: Its options, in place of those of the settings.

        Raises:
            UnknownTarget: It is not installed, or nothing of that symbol is listed.
            Unfit: It has no timeframe, or not these options.
            Refusal: It looks there already, in another way.
            VenueError: The listing could not be read.
        """
        if name in SIGNAL_STRATEGIES:
            statistical = self.statistical(name)
            before = len(statistical.instances)
            frame = None if timeframe in ANY else timeframe
            await statistical.add(name, symbol, frame, params)
            return len(statistical.instances) > before
        make = self.installed.get(name)
        if make is None:
            known = ", ".join((*sorted(self.installed), *SIGNAL_STRATEGIES))
            raise UnknownTarget(f"no strategy {name} is installed ({known})")
        if timeframe not in ANY:
            raise Unfit(
                f"timeframe {timeframe}: {name} has none, since it looks at the books of every "
                "cycle; leave timeframe out"
            )
        try:
            strategy = make(params or {})
        except ConfigError as error:
            raise Unfit(str(error)) from error
        looking = Looking(name, "" if symbol in ANY else str(symbol))
        universe = await self.orchestrator.listed() if looking.symbol else Universe({})
        others = [one for one in map(_looking, self.active) if one.name == name]
        if looking in others:
            if params:
                raise Refusal(f"{looking} is active already; remove it to give it other options")
            return False
        if looking.symbol:
            _must_be_free(looking, others, universe)
            strategy = Confined(strategy, looking.symbol)
        elif others:
            raise Refusal(f"{others[0]} is active; remove it before {name} looks at all markets")
        self.active.append(strategy)
        return True

    async def remove_strategy(self, name: str, symbol: str | None = None) -> None:
        """Deactivate a strategy; its open plans are completed.

        What a statistical one holds is sold when it reaches its stop-loss or its take-profit.

        Args:
            name: Which.
            symbol: Only where it is confined to this; without one wherever it looks.

        Raises:
            UnknownTarget: It is not active there.
        """
        if name in SIGNAL_STRATEGIES:
            await self.statistical(name).remove(name, symbol)
            return
        whole = symbol in ANY
        active = [strategy for strategy in self.active if strategy.name == name]
        found = [one for one in active if whole or _looking(one).symbol == symbol]
        if not found:
            where = ", ".join(map(str, map(_looking, active)))
            named_ = name if whole else f"{name} at {symbol}"
            raise UnknownTarget(f"no strategy {named_} is active{f' ({where})' if where else ''}")
        for strategy in found:
            self.active.remove(strategy)

    async def execute(self, event: str) -> CycleReport:
        """Scan one event now, and trade what every gate approves: a cycle of its own.

        Raises:
            Refusal: Trading is halted or paused, the run is over, or a cycle is at work.
            VenueError: The event could not be read.
        """
        self._must_not_have_ended()
        standing = await self.ledger.standing()
        if standing.state is TradingState.HALTED or self.switch.reason:
            word = "halted" if self.switch.reason else standing.word
            raise Refusal(f"trading is {word}: {standing.reason}; resume it first")
        if not self.running:
            raise Refusal("the orchestrator is stopped; start it first")
        if self._at_work.locked():
            raise Refusal("a cycle is at work; try again when it has ended")
        async with self._at_work:
            report = await self.orchestrator.scan_cycle(event)
        if not report.reachable:
            raise VenueError("; ".join(problem.what for problem in report.errors))
        return report

    def ticker(
        self, inner: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
    ) -> Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]:
        """A ticker whose ticks obey the commands: none while stopped, a pause after many errors."""

        async def run(tick: Callable[[], Awaitable[None]]) -> None:
            self.start()
            try:
                await inner(lambda: self._tick(tick))
            finally:
                self.running, self.ended = False, True

        return run

    async def _tick(self, tick: Callable[[], Awaitable[None]]) -> None:
        if not self.running:
            return
        async with self._at_work:
            try:
                if self.reset_asked():
                    self.reset_errors()
                await self._heed_the_ledger()
                await tick()
            except LedgerError:
                self.watch.failed()
                raise
            except Exception:  # noqa: BLE001  # published as news: it ends this cycle, never the run
                self.watch.failed()
        await self._hold_or_let_go()

    async def _hold_or_let_go(self) -> None:
        """Pause after many failed cycles; end the pause of an outage that is over.

        An operator's halt or pause is never overruled.
        """
        report, watch = self.watch.last_report, self.watch
        held = report is not None and report.risk.state is TradingState.HALTED
        if not watch.must_pause and not (held and watch.recovered):
            return
        standing = await self.ledger.standing()
        if standing.outage and watch.recovered:
            told = f"the venue is back: {watch.options.resume_after} cycles in a row succeeded"
            await self._set(TradingState.NORMAL, "", by_operator=False, told=told)
        elif standing.state is not TradingState.HALTED and watch.must_pause:
            self._held = True
            pause, why = self._why_held()
            await self._set(TradingState.HALTED, why, by_operator=False, pause=pause)

    def _why_held(self) -> tuple[Pause, str]:
        watch = self.watch
        if watch.outage:
            return Pause.UNTIL_REACHABLE, (
                f"{AWAY} for {watch.consecutive} cycles in a row; it goes on by itself "
                f"after {watch.options.resume_after} that succeed"
            )
        why = f"{watch.consecutive} cycles in a row failed; see the log, then resume"
        return Pause.UNTIL_RESUMED, why

    async def _heed_the_ledger(self) -> None:
        """Follow a resumption that another process has written to the ledger."""
        if not self.switch.reason and not self._held:
            return
        standing = await self.ledger.standing()
        if standing.state is TradingState.HALTED:
            return
        if self._held:
            self._held = False
            self.watch.reset()
        since, thrown = standing.since, self.switch.thrown_at
        if self.switch.written or (since and thrown and since > thrown):
            self.switch.reason = None

    async def _set(
        self,
        state: TradingState,
        reason: str,
        *,
        by_operator: bool = True,
        pause: Pause | None = None,
        told: str = "",
    ) -> Standing:
        now = self.clock.now()
        standing = Standing(
            state=state, reason=reason, since=now, by_operator=by_operator, pause=pause
        )
        await self.ledger.set_standing(standing)
        self.orchestrator.knows(standing)
        self.news.publish(StateChanged(state, reason or told, by_operator, pause))
        return standing

    async def _cancel_all(self) -> Sequence[str]:
        left: list[str] = []
        for venue in self.venues.values():
            if venue.trading is None:
                continue
            try:
                async with asyncio.timeout(CANCEL_SECONDS_MAX):
                    left += await venue.trading.cancel_all()
            except (VenueError, TimeoutError) as error:
                left.append(f"{venue.id}: {str(error) or 'no answer'}")
        if left:
            what = f"not cancelled: {', '.join(left)}"
            self.news.publish(
                Trouble(Problem(kind=ProblemKind.COMMAND, where="command", what=what))
            )
        return left

    def _must_not_have_ended(self) -> None:
        if self.ended:
            raise Refusal("the orchestrator is shutting down")


def _looking(strategy: Strategy) -> Looking:
    return Looking(strategy.name, strategy.symbol if isinstance(strategy, Confined) else "")


def _must_be_free(looking: Looking, others: Sequence[Looking], universe: Universe) -> None:
    """Require that a strategy's symbol is listed, and that no other of its name looks there.

    Raises:
        UnknownTarget: Nothing of that symbol is listed.
        Refusal: Another looks there.
    """
    here = _events(universe, looking.symbol)
    if not here:
        raise UnknownTarget(
            f"symbol {looking.symbol}: no event or market of that name is listed; a symbol is an "
            "event's slug, or a market's slug or id (`arb markets` finds them)"
        )
    for other in others:
        if not other.symbol:
            raise Refusal(f"{other} looks at all markets already; remove it to confine it")
        if not here.isdisjoint(_events(universe, other.symbol)):
            raise Refusal(f"{other} is active, which is the same event; remove it first")


def _events(universe: Universe, symbol: str) -> frozenset[EventId]:
    return frozenset(universe.markets[market].event for market in named(universe, symbol))


async def end_outage(ledger: Ledger, clock: Clock, news: Publisher) -> None:
    """End a pause that an outage has left behind, where single cycles are run by something else."""
    if (await ledger.standing()).outage:
        back = Standing(state=TradingState.NORMAL, since=clock.now())
        await ledger.set_standing(back)
        news.publish(StateChanged(back.state, "the venue is back"))
