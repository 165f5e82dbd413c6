"""When a person is alerted, how urgently, and when alerts are held back. Reads no clock."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum

from arb.adapters.notify import wording
from arb.domain.attempt import AttemptSums
from arb.domain.halt import Standing, TradingState
from arb.domain.money import Usd, text
from arb.domain.news import (
    AttemptsChanged,
    BotChanged,
    ChainSeen,
    Contradicted,
    CycleFailed,
    News,
    PaidOut,
    PlanEnded,
    PlanResolved,
    StateChanged,
    Trouble,
    cause,
)
from arb.domain.position import Portfolio
from arb.domain.reason import Reason
from arb.domain.report import ProblemKind

_HELD_MAX = 100
_SHOWN_MAX = 20
_TOLD = frozenset({ProblemKind.BOT, ProblemKind.RECONCILIATION, ProblemKind.AUDIT})
"""Problems that raise an alert, beside a plan's."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Level(IntEnum):
    """How urgent it is."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Verdict(StrEnum):
    """Whether an alert is sent, or why it is not."""

    SENT = "sent"
    BELOW_LEVEL = "below_level"
    REPEATED = "repeated"
    """The same was sent not long ago."""
    QUIET_HOURS = "quiet_hours"
    """It waits for their end."""
    TOO_MANY = "too_many"
    """The hour's limit of alerts is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that a person should know."""

    level: Level
    condition: str
    """Which of the conditions holds, in one word."""
    key: str
    """The same for the same problem: it is sent once, not every cycle."""
    sentence: str

    @property
    def title(self) -> str:
        """Its first line."""
        return f"arb {self.level.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOptions:
    """When a person is alerted."""

    level: Level = Level.LOW
    balance_low: Usd
    volume_max: Usd
    volume_part: Decimal = Decimal("0.8")
    inclusion_rate: Decimal = Decimal("0.5")
    inclusion_plans: int = 10
    failures: int = 2
    trades: bool = False
    """Whether a trade that is filled is an alert."""
    repeat_after: timedelta = timedelta(hours=1)
    per_hour: int = 30
    quiet_from: time | None = None
    quiet_to: time | None = None
    summary_at: time | None = time(0, 0)


def conditions(options: AlertOptions) -> list[tuple[Level, str]]:
    """Every condition in words, the most urgent first."""
    part = text(options.volume_part * 100)
    found = [
        (Level.CRITICAL, "trading is halted, or has paused itself until an operator resumes it"),
        (Level.CRITICAL, "attempts on a chain are halted until an operator resumes them"),
        (Level.CRITICAL, "a trade ended otherwise than was proved: its kind is stopped"),
        (Level.CRITICAL, f"cash is below ${text(options.balance_low)}"),
        (Level.CRITICAL, "the wallet has less for gas than the venue's least, trading live"),
        (Level.CRITICAL, "a plan needs a look: shares that cannot be sold, an exit that failed"),
        (Level.HIGH, "trading is throttled, or paused until the venue is back"),
        (
            Level.HIGH,
            f"fewer than {text(options.inclusion_rate * 100)} % of the last "
            f"{options.inclusion_plans} plans were filled",
        ),
        (Level.HIGH, f"{options.failures} or more plans in a row failed"),
        (Level.HIGH, "ledger and venue differ"),
        (Level.HIGH, "attempts on a chain are throttled, or paused until a node is back"),
        (Level.HIGH, f"{options.failures} or more attempts in a row failed"),
        (Level.HIGH, "a bot is given up, is off its routes, or sends impossible answers"),
        (Level.HIGH, "an unexpected error has ended a cycle"),
        (Level.HIGH, "a held plan is resolved at a loss"),
        (Level.HIGH, "a command cannot be put on record"),
        (Level.MEDIUM, f"the day's volume is above {part} % of ${text(options.volume_max)}"),
    ]
    found += [
        (Level.MEDIUM, f"the day's volume of attempts is above {part} % of its limit"),
        (Level.MEDIUM, "an operator has paused trading"),
        (Level.MEDIUM, "a bot has ended by itself and is started again"),
        (Level.LOW, "a bot is started or stopped"),
        (Level.LOW, "a held position is paid out, a held plan is resolved"),
    ]
    if options.trades:
        found.append((Level.LOW, "a trade is filled"))
    if options.summary_at is not None:
        found.append((Level.LOW, f"the day's summary, at {options.summary_at:%H:%M} UTC"))
    return found


def of_news(news: News) -> Alert | None:  # noqa: PLR0912  # one for each kind
    """The alert that news calls for, if any."""
    match news:
        case StateChanged(state=TradingState.HALTED):
            level, condition, key = _held(news.standing), news.standing.word, "state"
        case StateChanged(state=TradingState.THROTTLED):
            level, condition, key = Level.HIGH, "throttled", "state"
        case AttemptsChanged(account=account, standing=now):
            if now.state is TradingState.NORMAL:
                return None
            level = Level.HIGH
            if now.state is TradingState.HALTED:
                level = _held(now)
            condition, key = f"attempts {now.word}", f"attempts {account}"
        case ChainSeen(venue=venue, state=chain) if chain.low:
            level, condition, key = Level.CRITICAL, "gas", f"gas {venue}"
        case Contradicted(found=found):
            level, condition, key = Level.CRITICAL, "contradiction", found.key
        case CycleFailed(error=error):
            level, condition, key = Level.HIGH, "cycle", f"cycle {cause(error)}"
        case PlanResolved(plan=plan, report=report):
            level = Level.HIGH if report.realised < 0 else Level.LOW
            condition, key = "resolved", f"resolved {plan.id}"
        case PaidOut(plan=plan):
            level, condition, key = Level.LOW, "paid_out", f"paid {plan.id}"
        case BotChanged(bot=bot, state="restarting"):
            level, condition, key = Level.MEDIUM, "bot", f"bot {bot} restarting"
        case BotChanged(bot=bot, state="running" | "stopped" as how):
            level, condition, key = Level.LOW, "bot", f"bot {bot} {how}"
        case PlanEnded(plan=plan, report=report) if report.alarm:
            level, condition, key = Level.CRITICAL, "plan", f"plan {plan.id}"
        case Trouble(problem=problem) if problem.kind is ProblemKind.PLAN:
            level, condition, key = Level.CRITICAL, "plan", problem.where
        case Trouble(problem=problem) if problem.kind in _TOLD:
            level, condition = Level.HIGH, problem.kind.value
            key = f"{problem.where}: {problem.what}"
        case _:
            return None
    return Alert(level=level, condition=condition, key=key, sentence=wording.say(news))


def of_trade(news: News) -> Alert | None:
    """The alert for a trade that was filled as proved, where those are asked for."""
    match news:
        case PlanEnded(plan=plan, report=report, reason=Reason.FILLED) if not report.alarm:
            sentence, key = wording.filled(plan, report), f"trade {plan.id}"
            return Alert(level=Level.LOW, condition="trade", key=key, sentence=sentence)
        case _:
            return None


def _held(now: Standing) -> Level:
    """A pause by a person is no emergency, and one that ends by itself needs no action."""
    if now.paused and now.by_operator:
        return Level.MEDIUM
    return Level.HIGH if now.outage else Level.CRITICAL


@dataclass(slots=True)
class Conditions:
    """Conditions of the account; the gate holds back repetitions of one that lasts."""

    options: AlertOptions
    _ends: deque[bool] = field(init=False)

    def __post_init__(self) -> None:
        self._ends = deque(maxlen=self.options.inclusion_plans)

    def plan_ended(self, reason: Reason) -> None:
        """Count how a plan ended."""
        self._ends.append(reason is Reason.FILLED)

    def attempts(self, account: str, sums: AttemptSums) -> list[Alert]:
        """The alerts that an account of attempts calls for now."""
        options, found = self.options, list[Alert]()

        def add(level: Level, condition: str, sentence: str) -> None:
            key = f"{condition} {account}"
            found.append(Alert(level=level, condition=condition, key=key, sentence=sentence))

        if sums.failures_in_row >= options.failures:
            sentence = wording.attempts_failing(account, sums.failures_in_row)
            add(Level.HIGH, "attempt failures", sentence)
        if 0 < options.volume_part * sums.volume_max < sums.volume_today:
            sentence = wording.volume_high(sums.volume_today, sums.volume_max)
            add(Level.MEDIUM, "attempt volume", f"{account}: {sentence}")
        return found

    def look(self, held: Portfolio) -> list[Alert]:
        """The alerts that the account calls for now."""
        options, found = self.options, list[Alert]()
        if held.cash < options.balance_low:
            sentence = wording.balance_low(held.cash, options.balance_low)
            found.append(_alert(Level.CRITICAL, "balance", sentence))
        filled, plans = sum(self._ends), len(self._ends)
        if plans == options.inclusion_plans and filled < options.inclusion_rate * plans:
            sentence = wording.few_included(filled, plans)
            found.append(_alert(Level.HIGH, "inclusion", sentence))
        if held.consecutive_failures >= options.failures:
            sentence = wording.failures(held.consecutive_failures)
            found.append(_alert(Level.HIGH, "failures", sentence))
        limit = options.volume_max
        if limit > 0 and held.volume_today > options.volume_part * limit:
            sentence = wording.volume_high(held.volume_today, limit)
            found.append(_alert(Level.MEDIUM, "volume", sentence))
        return found


@dataclass(slots=True)
class Gate:
    """Lets through what is new and not too much; keeps the rest for the morning, or counts it."""

    options: AlertOptions
    suppressed: int = field(default=0, init=False)
    """Alerts that were not sent: repeated, or too many in an hour."""
    _sent: dict[str, tuple[datetime, Level]] = field(default_factory=dict, init=False)
    _hour: deque[datetime] = field(default_factory=deque, init=False)
    _held: list[Alert] = field(default_factory=list, init=False)
    _held_count: int = field(default=0, init=False)

    def admit(self, alert: Alert, now: datetime) -> Verdict:
        """Whether the alert is to be sent now."""
        if alert.level < self.options.level:
            return Verdict.BELOW_LEVEL
        if self._is_repeated(alert, now):
            self.suppressed += 1
            return Verdict.REPEATED
        self._remember(alert, now)
        if alert.level is Level.CRITICAL:
            self._hour.append(now)
            return Verdict.SENT
        if self.is_quiet(now):
            self._held_count += 1
            if len(self._held) < _HELD_MAX:
                self._held.append(alert)
            return Verdict.QUIET_HOURS
        return self._within_rate(alert.level, now)

    def over(self, key: str) -> None:
        """What was critical has ended: when it comes again, it is new."""
        if key in self._sent and self._sent[key][1] is Level.CRITICAL:
            del self._sent[key]

    def waiting(self, now: datetime) -> Alert | None:
        """What waited for the end of the quiet hours, as one alert, once it has come."""
        if not self._held or self.is_quiet(now):
            return None
        held, count = self._held, self._held_count
        self._held, self._held_count = [], 0
        first = sorted(held, key=lambda alert: -alert.level)[:_SHOWN_MAX]
        sentences = [f"{alert.level.name}: {alert.sentence}" for alert in first]
        self._hour.append(now)
        return _alert(first[0].level, "quiet", wording.held_back(count, sentences))

    def is_quiet(self, now: datetime) -> bool:
        """Whether only what is critical may be sent."""
        begin, end, at = self.options.quiet_from, self.options.quiet_to, now.time()
        if begin is None or end is None or begin == end:
            return False
        return begin <= at < end if begin < end else at >= begin or at < end

    def _is_repeated(self, alert: Alert, now: datetime) -> bool:
        before = self._sent.get(alert.key)
        if before is None:
            return False
        at, level = before
        return level >= alert.level and timedelta(0) <= now - at < self.options.repeat_after

    def _remember(self, alert: Alert, now: datetime) -> None:
        after = self.options.repeat_after
        old = [k for k, (at, _) in self._sent.items() if not timedelta(0) <= now - at < after]
        for key in old:
            del self._sent[key]
        self._sent[alert.key] = (now, alert.level)

    def _within_rate(self, level: Level, now: datetime) -> Verdict:
        """Whether the hour has room; what is LOW leaves half of it to the rest."""
        while self._hour and not timedelta(0) <= now - self._hour[0] < _HOUR:
            self._hour.popleft()
        most = self.options.per_hour
        if len(self._hour) >= (most if level > Level.LOW else (most + 1) // 2):
            self.suppressed += 1
            return Verdict.TOO_MANY
        self._hour.append(now)
        return Verdict.SENT


def next_summary(after: datetime, at: time) -> datetime:
    """When the next summary is due."""
    today = datetime.combine(after.date(), at, after.tzinfo)
    return today if today > after else today + _DAY


def _alert(level: Level, condition: str, sentence: str) -> Alert:
    """An alert of a condition that holds once for the whole account."""
    return Alert(level=level, condition=condition, key=condition, sentence=sentence)
