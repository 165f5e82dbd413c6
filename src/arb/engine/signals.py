"""Statistical strategies at work: three loops over an account of its own, on paper.

Signals become plans with one leg, which the engine's own executor, saga and ledger carry out; what
ends them is a sale (`arb.domain.fact.SaleOrdered`) or the market's resolution. Nothing of them is
proved, so they share no account, limit, halt or figure with what is.
"""

import asyncio
import difflib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from arb.domain.book import Books, OrderBook
from arb.domain.errors import ArbError, ConfigError, VenueError
from arb.domain.fact import SaleOrdered
from arb.domain.halt import Pause, Standing, TradingState
from arb.domain.instance import StrategyInstance
from arb.domain.market import Market, OutcomeId, Side, Universe, named
from arb.domain.money import NO_SHARES, NO_USD, Price, Shares, Usd, micro_down, text
from arb.domain.news import SignalSeen, StateChanged, Trouble, cause
from arb.domain.order import PlanId
from arb.domain.plan import Plan
from arb.domain.position import Portfolio
from arb.domain.reason import Reason
from arb.domain.report import Problem, ProblemKind, RunCause
from arb.domain.snapshot import Snapshot
from arb.domain.tradable import obstacle
from arb.engine.context import TradingContext
from arb.engine.control import Refusal, Unfit, UnknownTarget
from arb.engine.ends import tell_ends
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.engine.signal_account import Held, account_document, average, positions, short, worth
from arb.engine.signal_bars import Watched
from arb.engine.tally import Tally
from arb.ports import SignalMemory
from arb.risk.checks import Context
from arb.risk.entries import Entry, NotBought, entry, limit_of, review_entry
from arb.risk.halt import judge, status
from arb.statistical.bars import TIMEFRAMES
from arb.statistical.rules import PositionRules
from arb.statistical.strategies import Signal, build_strategy, read_parameters
from arb.views.signals import SignalAccount

Standings = Callable[[], Awaitable[Standing]]
Look = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalOptions:
    """How signals are followed. An option that is a setting has its name."""

    rules: PositionRules = field(default_factory=PositionRules)
    timeframe: str = "1h"
    """Of a strategy that is added without one."""
    warm_up: int = 500
    """Bars from before a strategy was added that it is shown first."""
    strategy_interval: float = 60
    """Seconds between two looks at the strategies' prices."""
    position_interval: float = 10
    """Seconds between two looks at what is held."""
    portfolio_interval: float = 300
    """Seconds between two valuations of the account."""
    pause_after: int = 10
    """Loops in a row that failed, after which the account is paused."""

    @property
    def follow_within(self) -> timedelta:
        """How long after its bar a signal is followed: later the price is another one."""
        return timedelta(seconds=2 * self.strategy_interval)


class SignalTrader:
    """Follows the signals of statistical strategies in an account of its own."""

    def __init__(
        self,
        context: TradingContext,
        options: EngineOptions,
        signals: SignalOptions,
        memory: SignalMemory,
        operator: Standings,
    ) -> None:
        """Trade with a context whose account is no other's.

        Args:
            context: The account's ledger, its venues on paper, and why nothing may be sent.
            options: The limits that its plans are held against, counted by itself.
            signals: How signals are followed.
            memory: The strategies that look, and what the account was worth.
            operator: The state of trading of the account that trades what is proved: an operator
                who pauses or halts that one buys nothing here either.
        """
        self._context, self._options, self._signals = context, options, signals
        self._ledger, self._clock, self._news = context.ledger, context.clock, context.news
        self._memory, self._operator = memory, operator
        self._market_data = MarketData(context.venues.values())
        self._account = ArbitrageOrchestrator(context, options)
        self._watched: dict[tuple[str, OutcomeId], Watched] = {}
        self._bids: dict[OutcomeId, Price] = {}
        """The best bid of each outcome that is held, as it was last read."""
        self._at_work = asyncio.Lock()
        self._failed: Counter[str] = Counter()
        """Turns in a row that failed, by loop: one that goes on well says nothing of another."""
        self.added = asyncio.Event()
        """Set when a strategy was added: it need not wait for the next turn."""

    @property
    def options(self) -> SignalOptions:
        """How signals are followed."""
        return self._signals

    async def setup(self) -> None:
        """Open the account, take up what is open, and have its strategies look again.

        Raises:
            LedgerError: The ledger cannot be used.
        """
        await self._account.setup()
        for instance in await self._memory.instances():
            try:
                self._watched[instance.key] = self._made(instance)
            except ArbError as error:
                self._tell(f"{instance} cannot look: {error}")

    async def follow(self) -> None:
        """The strategies' loop: show each its new bars, and follow what it says of the last."""
        await self._counted("follow", self._follow)

    async def watch(self) -> None:
        """The positions' loop: sell what has reached its stop-loss or its take-profit."""
        await self._counted("watch", self._watch)

    async def value(self) -> None:
        """The portfolio's loop: collect what has resolved, and value the account."""
        await self._counted("value", self._value)

    async def add(
        self,
        strategy: str,
        symbol: str | None,
        timeframe: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> StrategyInstance:
        """Have a strategy look at an outcome's price from now on, also after a restart.

        Args:
            strategy: Its name.
            symbol: A market's slug or id, or the slug of an event with one market; with `/` and an
                outcome's name behind it that outcome, otherwise the first.
            timeframe: The length of its bars; the default of the options without one.
            params: Those of its parameters that are not to have their default.

        Raises:
            UnknownTarget: There is no such market or outcome.
            Unfit: A parameter or the timeframe cannot be used, or the venue's history will not do.
            Refusal: It looks there already, in another way.
            VenueError: The listing could not be read.
        """
        frame = timeframe or self._signals.timeframe
        if frame not in TIMEFRAMES:
            raise Unfit(f"timeframe {frame}: one of {', '.join(TIMEFRAMES)}")
        if not symbol or symbol == "*":
            raise Unfit(
                f"symbol: {strategy} looks at one market's price: name it by its slug or id"
            )
        given = {name: str(value) for name, value in (params or {}).items()}
        try:
            build_strategy(strategy, read_parameters(strategy, given))
        except ConfigError as error:
            raise Unfit(f"params: {error}") from error
        listed = await self._account.listed()
        market, outcome = _place(listed, symbol)
        venue = self._context.venues[market.venue]
        if venue.past is None:
            raise Unfit(f"the venue {venue.id} tells nothing of earlier prices")
        instance = StrategyInstance(
            strategy=strategy,
            symbol=symbol,
            market=market.id,
            outcome=outcome,
            timeframe=frame,
            params=given,
            added_at=self._clock.now(),
        )
        async with self._at_work:
            known = self._watched.get(instance.key)
            if known is not None:
                same = (known.instance.timeframe, dict(known.instance.params)) == (frame, given)
                if same:
                    return known.instance
                raise Refusal(f"{known.instance} is active already; remove it to change it")
            made = self._made(instance)
            if made.strategy.needs_volume and not venue.past.tells_volume:
                raise Unfit(f"{strategy} needs traded volume, and the venue {venue.id} tells none")
            made.event, made.outcome = _event(listed, market), market.outcome(outcome)
            await self._memory.keep(instance)
            self._watched[instance.key] = made
        self.added.set()
        return instance

    async def remove(self, strategy: str, symbol: str | None = None) -> list[StrategyInstance]:
        """Have a strategy look no more; what it holds is sold by its stop-loss or take-profit.

        Args:
            strategy: Its name.
            symbol: Only where it was added with this; without one wherever it looks.

        Raises:
            UnknownTarget: It does not look there.
        """
        async with self._at_work:
            mine = [w.instance for w in self._watched.values() if w.instance.strategy == strategy]
            found = [one for one in mine if symbol in (None, "*", one.symbol)]
            if not found:
                where = ", ".join(map(str, mine))
                at = "" if symbol in (None, "*") else f" at {symbol}"
                raise UnknownTarget(
                    f"no strategy {strategy}{at} is active{f' ({where})' if where else ''}"
                )
            for instance in found:
                await self._memory.forget(instance)
                del self._watched[instance.key]
        return found

    @property
    def instances(self) -> list[StrategyInstance]:
        """The strategies that look, the oldest first."""
        return [watched.instance for watched in self._watched.values()]

    async def resume(self, reason: str) -> Standing:
        """Buy again after a pause or a halt of this account.

        Its highest value so far counts no more.
        """
        self._failed.clear()
        now = self._clock.now()
        standing = Standing(state=TradingState.NORMAL, reason=reason, since=now, by_operator=True)
        await self._set(standing)
        return standing

    async def shown(self) -> SignalAccount:
        """The account and its strategies, as documents."""
        account = await account_document(
            self._ledger,
            self._memory,
            self._clock.now(),
            rules=self._signals.rules,
            bids=self._bids,
            seen=[watched.seen for watched in self._watched.values()],
        )
        errors = max(self._failed.values(), default=0)
        return replace(account, consecutive_errors=errors, pause_after=self._signals.pause_after)

    async def _counted(self, loop: str, look: Look) -> None:
        """Run one turn of a loop; too many that fail in a row pause the account."""
        try:
            async with self._at_work:
                await look()
        except Exception as error:  # noqa: BLE001  # it ends this turn, never what is proved
            self._failed[loop] += 1
            self._tell(cause(error))
            if self._failed[loop] >= self._signals.pause_after:
                await self._pause(self._failed[loop])
        else:
            self._failed[loop] = 0

    async def _pause(self, errors: int) -> None:
        try:
            standing = await self._ledger.standing()
            if standing.state is not TradingState.HALTED:
                await self._set(
                    Standing(
                        state=TradingState.HALTED,
                        reason=f"{errors} errors in a row; see the log, then resume",
                        since=self._clock.now(),
                        pause=Pause.UNTIL_RESUMED,
                    )
                )
        except ArbError as error:
            self._tell(str(error))

    async def _follow(self) -> None:
        self.added.clear()
        await self._account.setup()  # takes up what is open
        if not self._watched:
            return
        listed, failed = await self._account.listed(), list[VenueError]()
        for watched in list(self._watched.values()):
            try:
                await self._look(watched, listed)
            except VenueError as error:
                watched.problem = str(error)
                failed.append(error)
        if len(failed) == len(self._watched):
            raise failed[0]

    async def _look(self, watched: Watched, listed: Universe) -> None:
        instance, now = watched.instance, self._clock.now()
        market = listed.markets.get(instance.market)
        if market is None:
            watched.problem = "its market is not listed any more"
            return
        watched.event, watched.outcome = _event(listed, market), market.outcome(instance.outcome)
        past = self._context.venues[market.venue].past
        if past is None:
            watched.problem = "the venue tells nothing of earlier prices"
            return
        prices = await watched.new_prices(past, now, self._signals.warm_up)
        watched.problem = ""
        tick = market.rules.tick
        signal = await self._context.offload(lambda: watched.feed(prices, tick, now))
        if signal is None or watched.signal_at is None or watched.fed is None:
            return
        if instance.followed is not None and watched.fed <= instance.followed:
            return
        if now - watched.signal_at > self._signals.follow_within:
            watched.followed = "its bar ended too long ago"
            return
        watched.instance = replace(instance, followed=watched.fed)
        await self._memory.keep(watched.instance)
        if signal.side is Side.BUY:
            done = await self._buy(watched, signal, market, listed)
        else:
            done = await self._sell(watched, signal)
        watched.followed = done
        self._news.publish(
            SignalSeen(instance.strategy, instance.symbol, signal.side, signal.why, done)
        )

    async def _sell(self, watched: Watched, signal: Signal) -> str:
        mine = [held for held in await self._positions() if held.key == watched.instance.key]
        sold = mine[: signal.lots or len(mine)]
        if not sold:
            return "nothing is held"
        for held in sold:
            await self._close(held, signal.why)
        shares = sum((held.shares for held in sold), NO_SHARES)
        return f"sold {text(shares)} shares"

    async def _buy(self, watched: Watched, signal: Signal, market: Market, listed: Universe) -> str:
        key, lots = watched.instance.key, watched.strategy.lots
        room = lots - sum(held.key == key for held in await self._positions())
        wanted, bought = min(signal.lots or room, room), NO_USD
        if wanted <= 0:
            return "the position is full"
        run, tally = None, Tally.begin(self._context.mode, self._ledger.account, self._clock)
        said = ""
        for lot in range(wanted):
            if lot:  # the guard takes the same order at once for a mistake
                await self._clock.sleep(self._options.guard.duplicate_window.total_seconds())
            id_ = _plan_id(self._ledger.account, watched, lot)
            books = await self._market_data.books([market.yes, market.no])
            made = await self._entry(watched, market, listed, books, id_)
            if isinstance(made, NotBought):
                said = f"not bought: {made.reason}: {made.detail}"
                break
            if run is None:
                run = await self._ledger.begin_run(self._clock.now(), RunCause.SIGNAL)
            await self._ledger.open_plan(run, made)
            report = await self._account.executor.execute(made, books)
            tally.plans.append(report)
            await tell_ends(self._ledger, self._news)
            if report.locked <= 0:
                said = f"not bought: {report.reason}"
                break
            bought = Usd(bought + report.locked)
        if run is not None:
            await self._record(run, tally)
        spent = f"bought for ${text(bought)}" if bought else ""
        return "; ".join(filter(None, (spent, said)))

    async def _record(self, run: int, tally: Tally) -> None:
        limits = self._options.limits
        portfolio = await self._ledger.portfolio(self._clock.now())
        risk = status(await self._ledger.standing(), portfolio, limits)
        report = replace(tally.report(run, None, risk, self._options), reachable=True)
        await self._ledger.record_run(report)

    async def _entry(
        self, watched: Watched, market: Market, listed: Universe, books: Books, id_: PlanId
    ) -> Plan | NotBought:
        """The plan that buys one lot at these books, or why there is none."""
        rules, now = self._signals.rules, self._clock.now()
        limits, strategy = self._options.limits, watched.strategy
        snapshot = Snapshot(
            universe=listed, books=books, taken_at=now, book_age_max=limits.max_book_age
        )
        if (against := obstacle(market, snapshot)) is not None:
            return NotBought(against.reason, against.detail)
        book = books[watched.instance.outcome]
        limit = limit_of(book, market.rules, rules.slippage_ticks)
        if limit is None:
            return NotBought(Reason.NOT_ENOUGH_DEPTH, f"{market.slug} has no asks")
        if (narrow := _too_wide(book, limit, rules)) is not None:
            return narrow
        portfolio, standing = await self._ledger.portfolio(now), await self._standing()
        worth = self._worth(portfolio, await self._positions())
        if (lost := await self._lost_today(worth, now)) is not None:
            return lost
        assert market.fees is not None
        free = portfolio.free_at(market.venue)
        shares = rules.lot(
            limit, lots=strategy.lots, cash=free, equity=worth, rules=market.rules, fees=market.fees
        )
        if standing.state is TradingState.THROTTLED:
            shares = Shares(micro_down(shares / 2))
        found = entry(
            kind=watched.instance.strategy,
            event=listed.events[market.event],
            market=market,
            outcome=watched.instance.outcome,
            book=book,
            limit=limit,
            shares=shares,
            most=min(free, Usd(rules.max_position / strategy.lots)),
        )
        if not isinstance(found, Entry):
            return found
        context = Context(
            portfolio=portfolio,
            limits=limits,
            standing=standing,
            contradictions=await self._ledger.contradictions(),
            confirmations=await self._market_data.confirm([market]),
            books_from=now,
            now=self._clock.now(),
            plans_left=1,
        )
        return review_entry(found, context, id_)

    async def _standing(self) -> Standing:
        """Whether it may buy: by this account's own state, or an operator's word for the other."""
        theirs = await self._operator()
        if theirs.state is TradingState.HALTED and theirs.by_operator:
            return theirs
        return await self._ledger.standing()

    async def _lost_today(self, worth: Usd, now: datetime) -> NotBought | None:
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        began = await self._memory.first(today)
        if began is None or not self._signals.rules.lost_too_much(began, worth):
            return None
        detail = f"worth ${text(worth)}, the day began with ${text(began)}"
        return NotBought(Reason.DAILY_LOSS, detail)

    async def _watch(self) -> None:
        await self._account.setup()
        held = await self._positions()
        if not held:
            return
        await self._read_bids(held)
        by_key: defaultdict[tuple[str, OutcomeId], list[Held]] = defaultdict(list)
        for one in held:
            by_key[one.key].append(one)
        for (_, outcome), lots in by_key.items():
            if (bid := self._bids.get(outcome)) is None:
                continue
            if why := _exit(bid, average(lots), self._signals.rules):
                for lot in lots:
                    await self._close(lot, why)

    async def _value(self) -> None:
        await self._account.setup()
        await self._account.collect_resolutions()
        now, held = self._clock.now(), await self._positions()
        await self._read_bids(held)
        portfolio, standing = await self._ledger.portfolio(now), await self._ledger.standing()
        worth = self._worth(portfolio, held)
        await self._memory.mark(worth, now)
        judged = judge(standing, portfolio, self._options.limits, now)
        if judged != standing:
            await self._set(judged, told=judged.state is not standing.state)
        since = standing.since if standing.by_operator else None
        highest = await self._memory.highest(since) or worth
        if judged.state is TradingState.HALTED:
            return
        if self._signals.rules.fallen_too_far(highest, worth):
            why = f"drawdown: worth ${text(worth)}, it was ${text(highest)}"
            await self._set(Standing(state=TradingState.HALTED, reason=why, since=now))
            for lot in held:
                await self._close(lot, why)

    async def _close(self, held: Held, why: str) -> None:
        """Sell a lot: written down, then carried out as the plan's last step."""
        plan = held.plan.id
        facts = await self._ledger.facts(plan)
        number = 1 + sum(isinstance(fact, SaleOrdered) for fact in facts)
        order = SaleOrdered(number=number, why=why, at=self._clock.now())
        await self._ledger.append(plan, [order])
        await self._ledger.reopen_plan(plan)
        await self._account.executor.execute(held.plan)
        await tell_ends(self._ledger, self._news)

    async def _positions(self) -> list[Held]:
        return await positions(self._ledger)

    async def _read_bids(self, held: Sequence[Held]) -> None:
        """Read the books of what is held; those that do not come keep the last bid."""
        outcomes = list(dict.fromkeys(one.plan.legs[0].outcome for one in held))
        self._bids = {outcome: bid for outcome, bid in self._bids.items() if outcome in outcomes}
        if not outcomes:
            return
        books = await self._market_data.books(outcomes)
        for outcome in outcomes:
            book = books.get(outcome)
            if book is not None and book.best_bid is not None:
                self._bids[outcome] = book.best_bid.price
            elif book is not None:
                self._bids.pop(outcome, None)

    def _worth(self, portfolio: Portfolio, held: Sequence[Held]) -> Usd:
        return worth(portfolio, held, self._bids)

    async def _set(self, standing: Standing, *, told: bool = True) -> None:
        await self._ledger.set_standing(standing)
        if told:
            self._news.publish(
                StateChanged(standing.state, standing.reason, standing.by_operator, standing.pause)
            )

    def _made(self, instance: StrategyInstance) -> Watched:
        values = read_parameters(instance.strategy, instance.params)
        return Watched(
            instance=instance,
            strategy=build_strategy(instance.strategy, values),
            params={
                name: text(value) if isinstance(value, Decimal) else str(value)
                for name, value in values.items()
            },
        )

    def _tell(self, what: str) -> None:
        kind = ProblemKind.SIGNALS
        self._news.publish(Trouble(Problem(kind=kind, where=kind.value, what=what)))


def _place(listed: Universe, symbol: str) -> tuple[Market, OutcomeId]:
    """The market and the outcome that a symbol names.

    Raises:
        UnknownTarget: There is none, or more than one; what there is, is named.
    """
    name, _, outcome = symbol.partition("/")
    found = [listed.markets[market] for market in sorted(named(listed, name))]
    if not found:
        slugs = [market.slug for market in listed.markets.values()]
        near = difflib.get_close_matches(name, slugs, 3, cutoff=0.6)
        nearest = f"; nearest: {', '.join(near)}" if near else " (`arb markets` finds them)"
        raise UnknownTarget(
            f"symbol {symbol}: no event or market of that name is listed; a symbol is a market's "
            f"slug or id, and perhaps / and an outcome{nearest}"
        )
    if len(found) > 1:
        slugs = sorted(market.slug for market in found)
        raise UnknownTarget(
            f"symbol {symbol}: the event has {len(found)} markets: name one of {', '.join(slugs)}"
        )
    market = found[0]
    outcomes = {market.yes_name.lower(): market.yes, market.no_name.lower(): market.no}
    if outcome and outcome.lower() not in outcomes:
        raise UnknownTarget(
            f"symbol {symbol}: {market.slug} has the outcomes {market.yes_name} and "
            f"{market.no_name}"
        )
    return market, outcomes[outcome.lower()] if outcome else market.yes


def _event(listed: Universe, market: Market) -> str:
    event = listed.events.get(market.event)
    return "" if event is None else event.slug


def _plan_id(account: str, watched: Watched, lot: int) -> PlanId:
    """The same for the same signal, so that nothing is bought twice for one."""
    instance = watched.instance
    bar = f"{instance.timeframe}/{watched.fed}"
    content = f"{account}/{instance.strategy}/{instance.outcome}/{bar}/{lot}"
    return PlanId(hashlib.sha256(content.encode()).hexdigest()[:16])


def _too_wide(book: OrderBook, limit: Price, rules: PositionRules) -> NotBought | None:
    """Whether what is bought at this limit would be sold at once: the bid is at the stop."""
    stop, bid = rules.stop(limit), book.best_bid
    if stop is None or (bid is not None and bid.price > stop):
        return None
    there = f"the bid is {text(bid.price)}" if bid else "there is no bid"
    return NotBought(Reason.WIDE_SPREAD, f"{there}, bought at {text(limit)} the stop is there")


def _exit(bid: Price, average: Price, rules: PositionRules) -> str:
    """Why a position is sold at this bid; empty: it is kept."""
    stop, target = rules.stop(average), rules.target(average)
    if stop is not None and bid <= stop:
        return f"stop-loss: the bid {text(bid)} is at or below {text(short(stop))}"
    if target is not None and bid >= target:
        return f"take-profit: the bid {text(bid)} is at or above {text(short(target))}"
    return ""
