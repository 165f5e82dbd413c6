"""The observer that logs: what is new in full, what is unchanged since the last cycle counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from loguru import logger

from arb.adapters.telemetry.wording import details, spoken
from arb.domain.decision import Refused
from arb.domain.news import (
    CycleEnded,
    CycleFailed,
    Decided,
    News,
    QualityAlarm,
    RiskChecked,
    Trouble,
    cause,
)
from arb.domain.opportunity import Skipped, Unproven
from arb.domain.report import ProblemKind

REPEAT_SECONDS = 3600.0
"""What lasts is written in full again after so long."""
LASTS_SECONDS = 900.0
"""What is read only now and then, such as the listing, is not new for so long."""
READ_NOW_AND_THEN = frozenset({ProblemKind.MARKET, ProblemKind.EVENT, ProblemKind.EVENTS})
"""Trouble with the listing."""
KEPT_MAX = 10_000
"""Lines remembered; with more than these everything is written."""


@dataclass(slots=True)
class _Said:
    """A line that was written."""

    at: float
    seen_at: float
    lasting: bool
    """Whether it may still last although a cycle did not reach the check."""
    unchanged: int = 0
    """How often it was true again since."""


@dataclass(slots=True, kw_only=True)
class NewsLog:
    """See `arb.publisher.Observer`. A line that was true in the last cycle too is counted.

    It is not written: the line that ends the cycle counts them; with `DEBUG` they are all written.
    """

    live: bool
    """Whether trades are real: their lines are marked."""
    monotonic: Callable[[], float]
    label: str = ""
    """What every line begins with, in brackets; empty: nothing."""
    _said: dict[str, _Said] = field(default_factory=dict, init=False)
    _now: set[str] = field(default_factory=set, init=False)
    """What this cycle has logged so far."""
    _away: int = field(default=0, init=False)
    """Cycles in a row that could not read the venue."""
    _unchanged: Counter[str] = field(default_factory=Counter, init=False)
    """Lines of this cycle that were not written, by what they are about."""

    def __call__(self, news: News) -> None:
        """Log it."""
        level, sentence = spoken(news, live=self.live)
        if self.label:
            sentence = f"[{self.label}] {sentence}"
        said = None
        if level != "DEBUG" and (key := _same(news)):
            said, is_new = self._look_up(key, lasting=_lasting(news))
            if not is_new:
                said.unchanged += 1
                self._unchanged[_about(news)] += 1
                logger.debug("{}", sentence)
                return
        if said is not None and said.unchanged:
            sentence = f"{sentence} (unchanged x{said.unchanged})"
            said.unchanged = 0
        if isinstance(news, CycleEnded):
            sentence += self._rest()
            self._away_or_back(reachable=news.report.reachable)
        error = news.error if isinstance(news, CycleFailed) else None
        # The traceback goes to the file alone; see `arb.adapters.telemetry.logs`.
        logger.opt(exception=error).log(level, "{}", sentence)
        for line in details(news):
            logger.debug("{}", line)
        if isinstance(news, CycleEnded | CycleFailed):
            self._end_cycle()

    def _look_up(self, key: str, *, lasting: bool) -> tuple[_Said, bool]:
        """What is known of a line, and whether it is to be written."""
        now = self.monotonic()
        said = self._said.get(key)
        self._now.add(key)
        if said is None:
            said = self._said[key] = _Said(now, now, lasting)
            return said, True
        said.seen_at = now
        if now - said.at >= REPEAT_SECONDS:
            said.at = now
            return said, True
        return said, False

    def _away_or_back(self, *, reachable: bool) -> None:
        """Count cycles that could not read the venue; the first that could says so."""
        if reachable and self._away:
            logger.info("The venue is back after {} cycles without it", self._away)
        self._away = 0 if reachable else self._away + 1

    def _rest(self) -> str:
        """What was not written in this cycle."""
        if not self._unchanged:
            return ""
        parts = ", ".join(f"{count} {what}" for what, count in self._unchanged.most_common())
        return f"; unchanged x{self._unchanged.total()}: {parts}"

    def _end_cycle(self) -> None:
        """Forget what was not true any more: when it comes again, it is new."""
        since = self.monotonic() - LASTS_SECONDS
        self._said = {
            key: said
            for key, said in self._said.items()
            if key in self._now or (said.lasting and said.seen_at >= since)
        }
        if len(self._said) > KEPT_MAX:
            self._said = {}
        self._now = set()
        self._unchanged.clear()


def _same(news: News) -> str:
    """By what news is the same as news before it; empty for what is always written."""
    same = ""
    match news:
        case Decided(finding=Refused(opportunity=found, reason=reason)):
            same = f"refused {found.kind} {found.event.slug} {reason} {found.size} {found.profit}"
        case Decided(finding=Skipped(detail=detail) | Unproven(detail=detail)):
            same = f"passed {detail}"
        case QualityAlarm(problem=alarm):
            same = f"quality {alarm.problem} {alarm.detail}"
        case RiskChecked(status=status):
            same = f"risk {'; '.join(status.reasons)}"
        case Trouble(problem=problem):
            same = f"trouble {problem.where} {problem.what}"
        case CycleFailed(error=error):
            same = f"failed {cause(error)}"
        case _:
            pass
    return same


def _lasting(news: News) -> bool:
    return not isinstance(news, Trouble | CycleFailed | RiskChecked) or (
        isinstance(news, Trouble) and news.problem.kind in READ_NOW_AND_THEN
    )


def _about(news: News) -> str:
    match news:
        case Decided(finding=Refused()):
            return "opportunities refused"
        case Decided():
            return "candidates skipped"
        case QualityAlarm():
            return "data-quality alarms"
        case RiskChecked():
            return "risk checks"
        case _:
            return "errors"
