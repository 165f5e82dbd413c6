"""How attempts have gone, as a function of their facts, and the state that this calls for."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from arb.domain.attempt import ENDS, AttemptFact, AttemptStep
from arb.domain.halt import Pause, Standing, TradingState
from arb.domain.money import NO_USD, ZERO, Usd
from arb.onchain.liquidations.bribe import BribeModel

UNSENT = frozenset({AttemptStep.FOUND, AttemptStep.REFUSED, AttemptStep.SIMULATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLimits:
    """When liquidations are throttled, and when they halt."""

    inclusion_least: Decimal = Decimal("0.5")
    """The part of the latest submissions that must be included."""
    inclusion_window: int = 10
    """How many submissions that looks back on; fewer say nothing."""
    errors_max: int = 10
    """Errors in a row after which liquidations halt until an operator resumes."""


@dataclass(slots=True)
class AttemptRecord:
    """Sums over facts. Read again from the ledger at every start: a restart forgets nothing."""

    window: int = 10
    submissions: int = 0
    included: int = 0
    reverted: int = 0
    dropped: int = 0
    failures_in_row: int = 0
    """Attempts in a row that were sent, or were to be, and were not included."""
    returned: Usd = NO_USD
    """What attempts have brought after gas, lost gas taken off."""
    expected: Usd = NO_USD
    """What those that were included were calculated to bring."""
    got: Usd = NO_USD
    """What those have brought."""
    open: dict[str, AttemptFact] = field(default_factory=dict)
    """Submitted, without an end yet, by attempt."""
    bribes: BribeModel = field(default_factory=BribeModel)
    _day: date | None = None
    _volume: Usd = NO_USD
    _latest: deque[bool] = field(default_factory=deque)

    def __call__(self, fact: AttemptFact) -> None:
        """Add a fact."""
        if fact.step is AttemptStep.SUBMITTED:
            self.submissions += 1
            self.open[fact.attempt] = fact
            self._add_volume(fact)
        if fact.step is AttemptStep.CONTINUED and fact.attempt in self.open:
            begun = self.open[fact.attempt]
            values = {**begun.values, **fact.values}
            self.open[fact.attempt] = replace(begun, values=values)
        if fact.step in ENDS and fact.step not in UNSENT:
            self._end(fact)

    def forgive(self) -> None:
        """An operator has resumed: earlier failures are not held against trying again."""
        self.failures_in_row = 0
        self._latest.clear()

    def volume_on(self, day: date) -> Usd:
        """What attempts that were sent on a UTC day were to repay."""
        return self._volume if self._day == day else NO_USD

    @property
    def inclusion_rate(self) -> Decimal | None:
        """The part of the latest submissions that was included; `None` before the first end."""
        if not self._latest:
            return None
        return Decimal(sum(self._latest)) / len(self._latest)

    @property
    def ends_seen(self) -> int:
        """How many submissions the rate looks back on."""
        return len(self._latest)

    @property
    def accuracy(self) -> Decimal | None:
        """What included attempts have brought, by what was calculated; `None` before any."""
        return self.got / self.expected if self.expected > 0 else None

    def _end(self, fact: AttemptFact) -> None:
        sent = self.open.pop(fact.attempt, None)
        included = fact.step is AttemptStep.INCLUDED
        self.failures_in_row = 0 if included else self.failures_in_row + 1
        if sent is None:
            return  # it never left
        self.included += included
        self.reverted += fact.step is AttemptStep.REVERTED
        self.dropped += fact.step is AttemptStep.DROPPED
        self._latest.append(included)
        while len(self._latest) > self.window:
            self._latest.popleft()
        self.bribes.ended(Decimal(sent.values.get("bribe_share", "0")), included=included)
        got = Usd(Decimal(fact.values.get("returned_usd", "0")))
        self.returned = Usd(self.returned + got)
        if included:
            self.got = Usd(self.got + got)
            expected = Decimal(sent.values.get("returns_usd", "0"))
            self.expected = Usd(self.expected + expected)

    def _add_volume(self, fact: AttemptFact) -> None:
        day = fact.at.date()
        if self._day != day:
            self._day, self._volume = day, NO_USD
        repays = Decimal(fact.values.get("repays_usd", "0"))
        self._volume = Usd(self._volume + repays)


def recorded(
    facts: Iterable[AttemptFact], limits: StateLimits, standing: Standing
) -> AttemptRecord:
    """The record after these facts, in order, and after an operator's resumption among them."""
    record = AttemptRecord(window=limits.inclusion_window)
    resumed = standing.since if standing.by_operator else None
    for fact in facts:
        if resumed is not None and fact.at >= resumed:
            record.forgive()
            resumed = None
        record(fact)
    if resumed is not None:
        record.forgive()
    return record


def judge(
    standing: Standing,
    record: AttemptRecord,
    limits: StateLimits,
    now: datetime,
    *,
    errors_in_row: int = 0,
    away: str = "",
) -> Standing:
    """The state that the record calls for. Only an operator ends a halt that is no outage.

    Args:
        standing: As it is.
        record: How attempts have gone.
        limits: When to throttle, when to halt.
        now: Since when a new state holds.
        errors_in_row: Looks in a row that have failed.
        away: Why no node answers; empty: one does.
    """
    if standing.state is TradingState.HALTED and not standing.outage:
        return standing
    worst = max(errors_in_row, record.failures_in_row)
    if worst >= limits.errors_max:
        return Standing(state=TradingState.HALTED, reason=f"{worst} errors in a row", since=now)
    if away:
        if standing.outage:
            return standing
        return Standing(
            state=TradingState.HALTED,
            reason=f"no node answers: {away}",
            since=now,
            pause=Pause.UNTIL_REACHABLE,
        )
    state, reason, rate = TradingState.NORMAL, "", record.inclusion_rate
    few = rate is not None and record.ends_seen >= limits.inclusion_window
    if few and (rate or ZERO) < limits.inclusion_least:
        kept = int((rate or ZERO) * record.ends_seen)
        state = TradingState.THROTTLED
        reason = f"{kept} of the latest {record.ends_seen} submissions were included"
    if (state, reason) == (standing.state, standing.reason):
        return standing
    return Standing(state=state, reason=reason, since=now)
