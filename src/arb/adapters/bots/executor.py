"""The `Trading` port with bots in front of it.

The first orders of a plan go to the bot that its route names; a bot that `decides` returns
order intents, which are checked against the plan and then signed and sent by the venue's own
adapter: bots hold no keys. A bot that `executes` has an account of its own, on paper; what it
reports enters the ledger as the answer to the orders, and while it is silent it is queried, and
never asked to execute again. A bare yes of such a bot names no fills: then its orders are filled
on paper, at the books of that moment, or not at all. Unwinding never waits for a bot.
"""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import msgspec

from arb.adapters.bots.definition import Bots, Definition
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.messages import (
    BadDocument,
    Command,
    Result,
    clean,
    command_id,
    ended,
    handed_over,
    word,
)
from arb.adapters.bots.printing import ask_script
from arb.adapters.bots.routing import OURSELVES, Route, measures, route
from arb.adapters.bots.verdict import Declined, happened, wanted
from arb.domain.bot import BotDeed, BotEvent
from arb.domain.errors import Unavailable, VenueError
from arb.domain.market import OutcomeId, VenueId
from arb.domain.money import Usd
from arb.domain.news import News, PlanEnded, PlanStarted
from arb.domain.order import Answer, Final, Order, OrderKey, PlanId, TradeState, Unknown
from arb.domain.plan import Plan
from arb.ports import Clock, Trading

POLL_SECONDS = 0.05
ASK_AGAIN_SECONDS = 5.0
WAITING_MAX = 100
"""Ends to be reported to a bot that does not pick up its commands; the oldest are dropped first."""
_REF = "bot:"


class Impossible(Unavailable):
    """The bot's answer cannot be accepted; nothing has been sent."""


@dataclass(slots=True, kw_only=True)
class BotTrading:
    """See `arb.ports.Trading`."""

    inner: Trading
    bots: Bots
    mailbox: Mailbox
    clock: Clock
    ready: Callable[[], Collection[str]]
    """Names of the bots that run."""
    base: Path = Path()
    inherited: Mapping[str, str] = field(default_factory=dict)
    tell: Callable[[str, str], None] = lambda _bot, _what: None
    """Called with what a person should know."""
    record: Callable[[BotEvent], None] = lambda _event: None
    """Called with what is kept of a bot."""
    look: Callable[[Sequence[OutcomeId]], Awaitable[object]] | None = None
    """Reads the books that orders are filled at on paper; `None` where no orders are."""
    counts: Counter[str] = field(default_factory=Counter, init=False)
    """How often each bot was asked about a plan and agreed: `asked:atom`, `agreed:atom`."""
    venue: VenueId = field(init=False)
    failures: Counter[str] = field(default_factory=Counter, init=False)
    """Plans in a row without an answer of a bot, or with impossible ones; a no is an answer."""
    _refused: set[str] = field(default_factory=set, init=False)
    """Commands whose reports were not accepted, which was reported: each once."""
    _hands: dict[PlanId, str] = field(default_factory=dict, init=False)
    """The bot that each open plan is with."""
    _plans: dict[PlanId, Plan] = field(default_factory=dict, init=False)
    _decided: dict[str, tuple[str, str]] = field(default_factory=dict, init=False)
    """For orders that a bot decided on: the bot and the command."""
    _asked_at: dict[str, float] = field(default_factory=dict, init=False)
    _to_tell: dict[str, deque[Command]] = field(default_factory=dict, init=False)
    _executed: dict[PlanId, set[str]] = field(default_factory=dict, init=False)
    """Commands whose answers are kept until their plan has ended."""

    def __post_init__(self) -> None:
        self.venue = self.inner.venue

    def observe(self, news: News) -> None:
        """Keep the plans under way: an order alone does not name its purpose."""
        match news:
            case PlanStarted(plan=plan):
                self._plans[plan.id] = plan
            case PlanEnded(plan=plan):
                self._plans.pop(plan.id, None)
                self._hands.pop(plan.id, None)
                for id_ in self._executed.pop(plan.id, ()):
                    self.mailbox.forget(id_)
                    self._refused.discard(id_)
            case _:
                pass

    async def prepare(self, orders: Sequence[Order]) -> Sequence[Order]:
        """See `arb.ports.Trading`. A bot that decides is asked here, before anything is signed."""
        plan = self._plan_of(orders)
        bot = self._route(plan).bot if plan else OURSELVES
        if plan is None or bot == OURSELVES:
            return await self.inner.prepare(orders)
        definition = self.bots.definitions[bot]
        id_ = command_id(orders)
        self._hands[plan.id] = bot
        self.counts[f"asked:{bot}"] += 1
        self._keep(bot, BotDeed.ASKED, plan.id)
        if definition.does == "executes":
            return [replace(order, ref=f"{_REF}{bot}:{id_}") for order in orders]
        try:
            decided = await self._decision(definition, plan, orders)
        except Declined as error:
            del self.failures[bot]
            self._keep(bot, BotDeed.DECLINED, plan.id, str(error))
            raise
        except Unavailable as error:
            self._failed(bot, str(error))
            nonsense = isinstance(error, Impossible)
            deed = BotDeed.IMPOSSIBLE if nonsense else BotDeed.SILENT
            self._keep(bot, deed, plan.id, str(error))
            raise
        del self.failures[bot]
        self.counts[f"agreed:{bot}"] += 1
        prepared = await self.inner.prepare(decided)
        self._decided.update({order.id: (bot, id_) for order in prepared})
        return prepared

    async def submit(self, orders: Sequence[Order]) -> Sequence[Answer]:
        """See `arb.ports.Trading`."""
        bot, id_ = _bot_of(orders[0]) if orders else ("", "")
        if bot:
            return await self._hand_over(bot, id_, orders)
        answers = await self.inner.submit(orders)
        self._report_back(orders, answers)
        return answers

    async def query(self, order: Order) -> Answer:
        """See `arb.ports.Trading`."""
        bot, id_ = _bot_of(order)
        if not bot:
            return await self.inner.query(order)
        self._executed.setdefault(_plan_id(order), set()).add(id_)
        self._hands.setdefault(_plan_id(order), bot)
        self._expire(bot)
        result = self.mailbox.kept(id_)
        if result is None:
            self.mailbox.expects(bot, id_)
            self._collect(bot, id_)
            result = self.mailbox.kept(id_)
            if result is not None:
                self._keep_answer(result, _plan_id(order))
        if result is not None:
            return (await self._answers([order], result))[0]
        self._ask_about(bot, id_)
        return Unknown(later=True)

    async def trade_states(self, order: Order, trades: Sequence[str]) -> Mapping[str, TradeState]:
        """See `arb.ports.Trading`."""
        if _bot_of(order)[0]:
            return dict.fromkeys(trades, TradeState.CONFIRMED)
        return await self.inner.trade_states(order, trades)

    def work(self, bot: str) -> list[tuple[PlanId, str]]:
        """The open plans that a bot was asked about, and their events where they are known."""
        mine = [plan for plan, name in self._hands.items() if name == bot]
        return [(id_, found.event_slug if (found := self._plans.get(id_)) else "") for id_ in mine]

    def forgive(self, bot: str = "") -> None:
        """Give a bot plans again after its failures; every bot without a name."""
        if bot:
            del self.failures[bot]
        else:
            self.failures.clear()

    def off_routes(self) -> frozenset[str]:
        """Bots that get no more plans until they are started again, or errors are reset."""
        return frozenset(
            bot for bot, times in self.failures.items() if 0 < self._failures_max(bot) <= times
        )

    async def cancel_all(self) -> Sequence[str]:
        """See `arb.ports.Trading`."""
        return await self.inner.cancel_all()

    def _plan_of(self, orders: Sequence[Order]) -> Plan | None:
        """The plan whose first orders these are; `None` for anything else."""
        plans = {_plan_id(order) for order in orders}
        if len(plans) != 1 or any(not order.id.endswith("/1") for order in orders):
            return None
        return self._plans.get(plans.pop())

    def _route(self, plan: Plan) -> Route:
        scripts = {n for n, found in self.bots.definitions.items() if found.does == "prints"}
        ready = scripts | set(self.ready())
        definitions, off = self.bots.definitions, self.off_routes()
        return route(self.bots.rules, definitions, str(plan.kind), measures(plan), ready, off)

    def _failed(self, bot: str, what: str) -> None:
        """Count a plan without a usable answer of the bot."""
        self.failures[bot] += 1
        if self.failures[bot] == self._failures_max(bot):
            self.tell(
                bot,
                f"{self.failures[bot]} plans in a row failed by it, last: {what}; it gets no more "
                "until it is started again, or `arb reset-errors`",
            )

    def _failures_max(self, bot: str) -> int:
        return self.bots.definitions[bot].failures_max

    async def _decision(
        self, definition: Definition, plan: Plan, orders: Sequence[Order]
    ) -> Sequence[Order]:
        """The orders as the bot wants them.

        Raises:
            Unavailable: It declines, is silent, or sends nonsense. Nothing has been sent.
        """
        bot, now = definition.name, self.clock.now()
        until = now + timedelta(seconds=definition.answer_seconds)
        command = handed_over(bot, plan, orders, now, until)
        try:
            if definition.does == "prints":
                result = await ask_script(definition, command, self.inherited, self.base)
            else:
                result = await self._answer(definition, command)
            orders = wanted(orders, plan, result)
        except BadDocument as error:
            self.tell(bot, f"its answer for plan {plan.id} is not accepted: {error}")
            self.mailbox.put_aside[error.reason] += 1
            raise Impossible(f"{bot} sent an impossible answer: {error.reason}") from None
        except TimeoutError:
            raise Unavailable(
                f"{bot} has not answered within {definition.answer_seconds:g} s"
            ) from None
        except OSError as error:
            raise Unavailable(f"{bot} cannot be reached: {error.strerror}") from None
        self._keep(bot, BotDeed.AGREED, plan.id, "", result)
        return orders

    async def _answer(self, definition: Definition, command: Command) -> Result:
        """Send a command and wait for its answer.

        Raises:
            TimeoutError: There is none in time; one that comes later is not acted upon.
        """
        bot = definition.name
        if not self._send(command):
            raise Unavailable(f"{bot} has not picked up its last command")
        result = await self._wait(bot, command.id, definition.answer_seconds)
        if result is None:
            self.mailbox.withdraw(bot, command.id)
            raise TimeoutError
        self.mailbox.forget(command.id)
        return result

    async def _hand_over(self, bot: str, id_: str, orders: Sequence[Order]) -> Sequence[Answer]:
        """Let a bot with an account of its own see to the orders."""
        plan, now = self._plan_of(orders), self.clock.now()
        definition = self.bots.definitions[bot]
        self._executed.setdefault(_plan_id(orders[0]), set()).add(id_)
        until = min(order.expires_at for order in orders)
        try:
            sent = self._send(handed_over(bot, plan, orders, now, until))
        except OSError as error:
            self._failed(bot, f"it cannot be reached: {error.strerror}")
            self._keep(bot, BotDeed.SILENT, _plan_id(orders[0]), f"not reached: {error.strerror}")
            # Perhaps the name was given and only the disk's word is missing.
            return [Unknown() for _ in orders]
        if not sent:
            self._failed(bot, "it has not picked up its last command")
            self._keep(bot, BotDeed.SILENT, _plan_id(orders[0]), "its last command lies there")
            return [Final((), f"{bot} has not picked up its last command") for _ in orders]
        result = await self._wait(bot, id_, definition.answer_seconds)
        self.counts[f"agreed:{bot}"] += bool(result and result.success)
        if result is None:
            self._failed(bot, f"no answer within {definition.answer_seconds:g} s")
            self._keep(bot, BotDeed.SILENT, _plan_id(orders[0]))
            return [Unknown() for _ in orders]
        self._keep_answer(result, _plan_id(orders[0]))
        answers = await self._answers(orders, result)
        if id_ in self._refused:
            self._failed(bot, "its report is not accepted")
        else:
            del self.failures[bot]
        return answers

    async def _wait(self, bot: str, id_: str, seconds: float) -> Result | None:
        until = self.clock.monotonic() + seconds
        while True:
            self._collect(bot, id_)
            result = self.mailbox.kept(id_)
            if result is not None or self.clock.monotonic() >= until:
                return result
            await self.clock.sleep(POLL_SECONDS)

    def _collect(self, bot: str, id_: str) -> None:
        """Take in the bot's answer; one to another question is too late, and is dropped."""
        result = self.mailbox.claim_result(bot)
        if result is None:
            return
        if result.id == id_ or any(result.id in ids for ids in self._executed.values()):
            self.mailbox.keep(result)
        self.mailbox.acknowledge(bot)

    async def _answers(self, orders: Sequence[Order], result: Result) -> list[Answer]:
        if result.success and result.fills is None:
            return await self._filled_on_paper(orders, result)
        try:
            found = happened(orders, self._only(orders, result), self.clock.now())
        except BadDocument as error:
            # Something happened and we do not know what: the plan stays open for a person.
            self._refuse(result, str(error))
            return [Unknown(later=True) for _ in orders]
        return [found[order.id] for order in orders]

    async def _filled_on_paper(self, orders: Sequence[Order], result: Result) -> list[Answer]:
        """The orders of a bot that says yes and no more: what they find in the books now.

        Its word books nothing. Once the orders' time is over they have found nothing.
        """
        bot, now = result.bot_name.lower(), self.clock.now()
        if self.look is None:
            self._refuse(result, "`fills` is missing, and nothing else shows what was filled")
            return [Unknown(later=True) for _ in orders]
        if any(now > order.expires_at for order in orders):
            self._refuse(result, "`fills` is missing, and the time of its orders is over")
            late = Final((), f"{bot} said yes when the time was over, and named no fills")
            return [late for _ in orders]
        try:
            await self.look([order.outcome for order in orders])
            return list(await self.inner.submit(await self.inner.prepare(orders)))
        except VenueError as error:
            self._refuse(result, f"`fills` is missing, and the books cannot be read: {error}")
            return [Unknown(later=True) for _ in orders]

    def _keep(
        self, bot: str, deed: BotDeed, plan: PlanId, detail: str = "", said: Result | None = None
    ) -> None:
        """Have it kept that something happened with a bot, and what it says that it has made."""
        profit, transaction = word(said) if said is not None else (None, "")
        self.record(
            BotEvent(
                bot=bot,
                deed=deed,
                at=self.clock.now(),
                plan=plan,
                detail=clean(detail),
                said_profit=None if profit is None else Usd(profit),
                said_transaction=transaction,
            )
        )

    def _keep_answer(self, result: Result, plan: PlanId) -> None:
        deed = BotDeed.AGREED if result.success else BotDeed.DECLINED
        self._keep(result.bot_name.lower(), deed, plan, clean(result.reason), result)

    def _refuse(self, result: Result, why: str) -> None:
        """Report, once, that a bot's report is not accepted."""
        if result.id not in self._refused:
            self._refused.add(result.id)
            plan = next((id_ for id_, ids in self._executed.items() if result.id in ids), None)
            if plan is not None:
                self._keep(result.bot_name.lower(), BotDeed.IMPOSSIBLE, plan, why)
            self.tell(result.bot_name, f"its report {result.id} is not accepted: {why}")

    def _only(self, orders: Sequence[Order], result: Result) -> Result:
        """The report, held against every order of the command, less those not asked about now."""
        if len(orders) > 1:
            return result
        plan = _plan_id(orders[0])
        fills = result.fills or ()
        if any(fill.order.rsplit("/", 3)[0] != plan for fill in fills):
            raise BadDocument("not_in_plan")
        here = tuple(fill for fill in fills if fill.order == orders[0].id)
        return msgspec.structs.replace(result, fills=here)

    def _ask_about(self, bot: str, id_: str) -> None:
        """Ask the bot what became of a command, now and then."""
        now = self.clock.monotonic()
        if now - self._asked_at.get(id_, -ASK_AGAIN_SECONDS) < ASK_AGAIN_SECONDS:
            return
        self._asked_at[id_] = now
        stamp = self.clock.now()
        question = Command(
            id=id_,
            command="report",
            bot_name=bot,
            issued_at=stamp,
            expires_at=stamp + timedelta(seconds=ASK_AGAIN_SECONDS),
        )
        self._send(question)

    def _send(self, command: Command) -> bool:
        """Write a command, after removing an outdated one in its place."""
        bot = command.bot_name
        self._expire(bot)
        if command.command == "execute_arbitrage":
            self._collect(bot, command.id)  # what lies there is no answer to what comes now
            # An end that waits to be read is no reason to miss the next plan: it is reported later.
            told = self.mailbox.current(bot)
            old = told is not None and told.command != command.command
            if told and old and self.mailbox.withdraw(bot, told.id):
                self._later(told)
        return self.mailbox.send(command)

    def _expire(self, bot: str) -> None:
        """Remove what the bot did not pick up; for orders that is kept as its answer."""
        gone = self.mailbox.expire(bot)
        if gone is None or gone.command != "execute_arbitrage" or self.mailbox.kept(gone.id):
            return
        if self.bots.definitions[bot].does == "executes":
            never = Result(
                schema=1,
                id=gone.id,
                bot_name=bot,
                success=False,
                reason=f"{bot} never picked it up",
            )
            self.mailbox.keep(never)

    def _later(self, told: Command) -> None:
        if told.command == "execution_result":
            self._waiting(told.bot_name).appendleft(told)

    def _waiting(self, bot: str) -> deque[Command]:
        return self._to_tell.setdefault(bot, deque(maxlen=WAITING_MAX))

    def _report_back(self, orders: Sequence[Order], answers: Sequence[Answer]) -> None:
        """Report the outcome of these orders to the bot that decided on them."""
        found = [self._decided.pop(order.id, None) for order in orders]
        if not found or found[0] is None:
            return
        bot, id_ = found[0]
        if self.bots.definitions[bot].does == "prints":
            return
        now = self.clock.now()
        self._waiting(bot).append(
            Command(
                id=id_,
                command="execution_result",
                bot_name=bot,
                issued_at=now,
                expires_at=now + timedelta(minutes=5),
                ended=tuple(
                    ended(
                        order,
                        answer.fills if isinstance(answer, Final) else None,
                        answer.reason if isinstance(answer, Final) else "",
                    )
                    for order, answer in zip(orders, answers, strict=True)
                ),
            )
        )
        self.deliver()

    def deliver(self) -> None:
        """Write the ends that wait to be reported, where the bot has picked up what came before."""
        for waiting in self._to_tell.values():
            try:
                if waiting and self._send(waiting[0]):
                    waiting.popleft()
            except OSError:
                continue


def _plan_id(order: Order) -> PlanId:
    return OrderKey.parse(order.id).plan


def _bot_of(order: Order) -> tuple[str, str]:
    """The bot and the command of an order that a bot executes by itself."""
    if not order.ref.startswith(_REF):
        return "", ""
    _, bot, id_ = order.ref.split(":", 2)
    return bot, id_
