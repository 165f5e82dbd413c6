"""The invariants of the fault catalogue, looked at at every step of a schedule and at its end.

I4 to I6, I9 and I10 are asked before anything is sent; I1, I2, I11 and I13 after every write; I7 and
I8 whenever a cycle has done what it could; the rest when all is quiet. I3 is also asked on the wire.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from arb.adapters.storage import SqlLedger
from arb.adapters.storage.maintenance import check
from arb.domain.fact import (
    Answered,
    Confirmed,
    Discovered,
    OperationEnded,
    OperationRequested,
    Voided,
)
from arb.domain.market import Side
from arb.domain.money import MICRO, from_micro
from arb.domain.operation import Convert, Merge, MergeSet, Redeem
from arb.domain.plan import Plan, PlanState
from arb.engine.account import read
from arb.engine.execute import OPEN_MINUTES_MAX
from arb.exchange.trading.orders import TradeStatus

RECONCILED_WITHIN = 60
"""Seconds after the last fault and the last trade under way (I8)."""
REST = Decimal("0.02")
"""Shares below this are dust (fault B09)."""


@dataclass
class Watch:
    """Stands beside one plan and says what must never be."""

    world: object
    plan: Plan
    options: object
    problems: list[str] = field(default_factory=list)
    reconciled: bool = True
    """Whether this process has held the ledger against the venue."""
    books_at: dict = field(default_factory=dict)
    """When the process last read an outcome's book, in virtual seconds."""
    sent_at: list[float] = field(default_factory=list)
    faults_over: bool = False
    _quiet_since: float | None = None
    _answers: dict = field(default_factory=dict)
    _ends: dict = field(default_factory=dict)

    def say(self, what: str) -> None:
        if what not in self.problems:
            self.problems.append(what)

    # Before something is sent.

    async def before_orders(self, orders) -> None:
        world, limits = self.world, self.options.limits
        account = read(await world.ledger.facts(self.plan.id))
        now, bank = world.clock.seconds, world.floor.bank
        mine = {order.id for order in orders}
        for order in orders:
            if account.orders.get(order.id) != order:
                self.say(f"I4: {order.id} is sent without an intent")
            age = now - self.books_at.get(order.outcome, -1e9)
            if age > limits.max_book_age.total_seconds():
                self.say(f"I6: {order.id} is sent by a book of {age:.0f} s ago")
        for other in account.orders:
            if other not in account.answers and other not in mine:
                self.say(f"I3: {sorted(mine)} are sent while {other} has no answer")
        if account.unended is not None:
            self.say(f"I3: orders are sent while {account.unended.id} has no end")
        if not self.reconciled:
            self.say("I6: orders are sent by a process that has not reconciled")
        buys = sum((o.dollars for o in orders if o.side is Side.BUY), Decimal(0))
        if buys - account.cash > limits.max_event_exposure:
            self.say(f"I5: {buys - account.cash} would be at risk")
        if account.round == 1 and buys > limits.max_position_size:
            self.say(f"I5: {buys} in one plan")
        sells = defaultdict(Decimal)
        for order in orders:
            if order.side is Side.SELL:
                sells[order.outcome] += order.size
        for outcome, size in sells.items():
            self._at_most(outcome, size, account, bank)
        self.sent_at += [now] * len(orders)
        for window, most in (
            (1, self.options.guard.max_orders_per_second),
            (60, self.options.guard.max_orders_per_minute),
        ):
            if sum(now - at < window for at in self.sent_at) > most:
                self.say(f"I9: more than {most} orders in {window} s")

    async def before_operation(self, id_, operation, _ref) -> None:
        account = read(await self.world.ledger.facts(self.plan.id))
        if getattr(account.unended, "id", None) != id_:
            self.say(f"I4: {id_} is sent without a request")
        if account.unanswered is not None:
            self.say(f"I3: {id_} is sent while {account.unanswered.id} has no answer")
        for outcome in _given(operation):
            self._at_most(outcome, operation.size, account, self.world.floor.bank)

    def _at_most(self, outcome, size, account, bank) -> None:
        there = from_micro(bank.shares(self.world.wallet, outcome.token))
        settled = account.confirmed.get(outcome, Decimal(0))
        if size > min(there, settled):
            self.say(f"I10: {size} of {outcome} to go, {settled} settled, {there} on chain")

    # After something was written.

    async def after_write(self) -> None:
        world = self.world
        facts = await world.ledger.facts(self.plan.id)
        trades = world.floor.trades
        for id_, (shares, cash) in _booked(facts).items():
            if id_ not in trades or (shares, cash) != _moved(trades[id_]):
                self.say(f"I1: trade {id_}: {shares} for {cash} in the ledger")
        for fact in facts:
            self._final(fact)
            match fact:
                case Confirmed(trade=id_) if trades[id_].status is not TradeStatus.CONFIRMED:
                    self.say(f"I13: trade {id_} counts as settled, it is {trades[id_].status}")
                case Voided(trade=id_) if trades[id_].status is not TradeStatus.FAILED:
                    self.say(f"I13: trade {id_} counts as void, it is {trades[id_].status}")
                case OperationEnded(id=id_, effect=effect) if effect != world.venue.done.get(id_):
                    self.say(f"I2: {id_} brought {effect}")
        account = read(facts)
        portfolio = await world.ledger.portfolio(world.clock.now())
        if portfolio.cash != world.opening + account.cash:
            self.say(f"I11: the account has {portfolio.cash}, its facts say {account.cash} moved")
        if isinstance(world.ledger, SqlLedger):
            for wrong in await check(world.ledger._db):
                self.say(f"I11: {wrong}")

    def _final(self, fact) -> None:
        match fact:
            case Answered(order=id_, answer=end):
                known = self._answers
            case OperationEnded(id=id_, effect=end):
                known = self._ends
            case _:
                return
        if known.setdefault(id_, end) != end:
            self.say(f"I13: the end of {id_} changed")

    # After a cycle has done what it could.

    def after_work(self, report) -> None:
        age = self.world.clock.now() - self.plan.approved_at
        if (
            report.state is PlanState.OPEN
            and age > timedelta(minutes=OPEN_MINUTES_MAX + 1)
            and not report.alarm
        ):
            self.say(f"I7: open for {age} without an alarm")

    def after_reconciliation(self, against) -> None:
        """Faults have ended and nothing is under way: soon there is nothing to differ about."""
        if not self.faults_over or not self.world.venue.quiet:
            return
        if self._quiet_since is None:
            self._quiet_since = self.world.clock.seconds
        elif against and self.world.clock.seconds > self._quiet_since + RECONCILED_WITHIN:
            self.say(f"I8: {against.reason}")

    # At the end, when all is quiet.

    async def at_end(self) -> None:
        world, ledger, bank = self.world, self.world.ledger, self.world.floor.bank
        facts = await ledger.facts(self.plan.id)
        account = read(facts)
        self._same_fills(facts)
        # I2: money and shares, to the micro-unit.
        portfolio = await ledger.portfolio(world.clock.now())
        if portfolio.cash != from_micro(bank.usd(world.wallet)):
            self.say(f"I2: cash {portfolio.cash} != {from_micro(bank.usd(world.wallet))}")
        there = {t: from_micro(n) for (w, t), n in bank.tokens.items() if w == world.wallet and n}
        held = {o.token: p.shares for o, p in portfolio.positions.items() if p.shares}
        if there != held:
            self.say(f"I2: shares {held} != {there}")
        self.problems += bank.problems()
        told = world.heard[-1] if world.heard else None
        if told is not None and not told.locked and told.realised != account.cash:
            self.say(f"I2: {told.realised} was told, {account.cash} was made")
        # I7: every plan has an end that was told; every order is answered.
        if await ledger.open_plans():
            self.say("I7: the plan is still open")
        if await ledger.untold_ends():
            self.say("I7: nobody was told of the end")
        if account.unanswered is not None or account.unended is not None or account.pending:
            self.say("I7: something has no answer")
        self._rests(account)
        # I4, I13: every operation was asked for, and nothing ended twice.
        requested = {fact.id for fact in facts if isinstance(fact, OperationRequested)}
        for kind in (Answered, OperationEnded):
            ids = [getattr(f, "order", None) or f.id for f in facts if isinstance(f, kind)]
            if len(ids) != len(set(ids)):
                self.say("I13: something ended twice")
            if kind is OperationEnded and set(ids) - requested:
                self.say("I4: an operation without a request")
        # I5, I9: what was spent stays within the plan and its ways out, and so do the orders.
        spent = sum(
            (o.dollars for o in account.orders.values() if o.side is Side.BUY),
            Decimal(0),
        )
        if account.round <= 1 and spent > self.plan.outlay * 2:
            self.say(f"I5: {spent} spent on a plan of {self.plan.outlay}")
        if len(world.venue.posted) > self.options.guard.max_orders_per_minute:
            self.say("I9: too many orders")
        # I12: replays are no-ops.
        await ledger.append(self.plan.id, facts)
        if await ledger.portfolio(world.clock.now()) != portfolio:
            self.say("I12: writing the facts again changed the account")

    def _same_fills(self, facts) -> None:
        """I1 and A12: what the venue knows of is in the ledger, and nothing else is."""
        world, account = self.world, read(facts)
        truth = {
            trade.id: _moved(trade)
            for trade in world.floor.trades.values()
            if trade.taker.wallet == world.wallet and trade.status is TradeStatus.CONFIRMED
        }
        void = {fact.trade for fact in facts if isinstance(fact, Voided)}
        booked = {id_: moved for id_, moved in _booked(facts).items() if id_ not in void}
        if truth != booked:
            self.say(f"I1: {truth} at the venue, {booked} in the ledger")
        for fact in facts:
            if isinstance(fact, Answered) and fact.answer.reason == "it was never placed":
                ref = account.orders[fact.order].ref
                if ref in world.floor.orders and world.floor.orders[ref].matched:
                    self.say(f"A12: {ref} was placed after all")

    def _rests(self, account) -> None:
        """Shares that a plan without them in mind was left with call somebody."""
        plan, heard = self.plan, self.world.heard
        meant = plan.exit_operation is None and any(r.state is PlanState.DONE for r in heard)
        legs = account.legs(plan)
        reached = all(s >= leg.size - 1 for s, leg in zip(legs, plan.legs, strict=True))
        rests = [s - leg.remainder for s, leg in zip(legs, plan.legs, strict=True)]
        if any(s > REST for s in rests) and not meant and not reached and not self.world.alarms:
            self.say("a rest was left without an alarm")


def _booked(facts):
    """Shares and cash of each trade, as the ledger has them, void or not."""
    found = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for fact in facts:
        match fact:
            case Answered(answer=answer):
                fills = answer.fills
            case Discovered(fills=fills):
                pass
            case _:
                continue
        for fill in fills:
            shares, cash = found[fill.trade]
            found[fill.trade] = (shares + fill.shares, cash + fill.cash)
    return dict(found)


def _moved(trade):
    """Shares and cash that a trade brings its taker, fees included."""
    side = 1 if trade.taker.side is Side.BUY else -1
    cash = sum(
        -side * from_micro(piece.size * trade.taker_price(piece) // MICRO) - from_micro(fee)
        for piece, fee in zip(trade.pieces, trade.fees, strict=True)
    )
    return side * from_micro(trade.size), cash


def _given(operation):
    match operation:
        case Merge(pair=pair):
            return pair
        case Convert(gives=gives) | MergeSet(gives=gives):
            return [outcome for outcome, _ in gives]
        case Redeem(outcome=outcome):
            return [outcome]
