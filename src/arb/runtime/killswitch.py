"""The operator's switch, watched from a thread: it works while the event loop does not.

`arb halt` is noticed within a quarter of a second even when the loop is stuck. From then on the
guard lets nothing out, and what rests at the venue is cancelled. The one thing that can hold the
thread up is native code that keeps the interpreter's lock for long; Python code cannot.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from arb.adapters.clock import SystemClock
from arb.adapters.storage.database import file_of
from arb.adapters.storage.standing import read_standing
from arb.domain.halt import Standing, TradingState
from arb.domain.news import News, StateChanged, Trouble
from arb.domain.report import Problem, ProblemKind
from arb.interlocks import BlockCode, Interlock
from arb.operations.halt_file import Sentinel, sentinel_of
from arb.publisher import Observer

LOOK_SECONDS = 0.1
"""Between two looks: with what a look takes, below the 250 ms that a halt may go unnoticed."""
LEDGER_WAIT_SECONDS = 0.05
STALE_SECONDS = 1.0
"""A verdict older than this is not relied on: the process may have been stopped meanwhile."""
SWEEP_PAUSE_SECONDS = 0.25
"""Before the second attempt to take orders back; doubles from there."""
SWEEP_PAUSE_MAX_SECONDS = 15.0
SWEEP_AGAIN_SECONDS = 1.0
"""An order that was on its way at the halt may arrive after the first sweep."""
SWEEP_DEADLINE_SECONDS = 30.0
STOP_WAIT_SECONDS = 3.0

CancelAll = Callable[[], Sequence[str]]
"""Cancels every resting order, from a thread; returns what could not be cancelled."""

DEAD = "the watch of the kill switch has ended"


@dataclass(slots=True)
class _Sweep:
    """Taking orders back after one halt: twice in a row nothing may be left."""

    began: float
    due: float
    pause: float = SWEEP_PAUSE_SECONDS
    clean: int = 0
    warned: bool = False
    alarmed: bool = False


@dataclass(slots=True, kw_only=True)
class KillSwitch:
    """Watches whether an operator has halted an account. A context: it watches inside.

    `cancel_all` can be given later; a halt that stands by then is acted on.
    """

    account: str
    ledger: Path | None
    sentinel: Sentinel | None
    tell: Observer
    """Called from whichever thread notices: it must not block, must not raise."""
    cancel_all: CancelAll | None = None
    latest: Callable[[], Standing | None] | None = None
    """The standing in a ledger on a server, as its leader's own thread has it."""
    sweep_deadline_seconds: float = SWEEP_DEADLINE_SECONDS
    halted: threading.Event = field(default_factory=threading.Event, init=False)
    _reason: str = field(default="", init=False)
    _looked_at: float = field(default=0.0, init=False)
    _sweep: _Sweep | None = field(default=None, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _looking: threading.Lock = field(default_factory=threading.Lock, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _clock: SystemClock = field(default_factory=SystemClock, init=False)

    def __enter__(self) -> "KillSwitch":
        """Look once, then keep watching: a halt from before the start counts from the start."""
        self._look()
        self._thread = threading.Thread(target=self._watch, name="kill-switch", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching; a sweep under way is given a moment."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_WAIT_SECONDS)

    @property
    def interlocks(self) -> tuple[Interlock, ...]:
        """Made to be checked right before each order."""
        return (
            Interlock(BlockCode.HALTED_BY_OPERATOR, self.halted_why),
            Interlock(BlockCode.HALT_WATCH_ENDED, self.watch_ended),
        )

    def halted_why(self) -> str | None:
        """Why an operator wants nothing sent; `None`: it may be. Looks anew where that is due."""
        if self._stale() or (self.sentinel is not None and self.sentinel.reason(self.account)):
            self._look()
        return self._reason if self.halted.is_set() else None

    def watch_ended(self) -> str | None:
        """That no thread watches; `None`: one does."""
        alive = self._thread is not None and self._thread.is_alive()
        return None if alive else DEAD

    def _stale(self) -> bool:
        return self._clock.monotonic() - self._looked_at > STALE_SECONDS

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._look()
            if self.halted.is_set():
                self._take_back()
            self._stop.wait(LOOK_SECONDS)

    def _look(self) -> None:
        """Bring the verdict up to date; one thread at a time."""
        with self._looking:
            reason = self._why()
            self._looked_at = self._clock.monotonic()
            if reason and not self.halted.is_set():
                self._sweep = _Sweep(began=self._looked_at, due=self._looked_at)
                self._reason = reason
                self.halted.set()
                self.tell(StateChanged(TradingState.HALTED, reason))
            elif not reason and self.halted.is_set():
                self.halted.clear()
                self.tell(StateChanged(TradingState.NORMAL, "resumed by the operator"))

    def _why(self) -> str:
        """Why an operator wants nothing sent; a ledger that cannot be read changes nothing."""
        if self.sentinel is not None and (said := self.sentinel.reason(self.account)):
            return _worded(said)
        if self.ledger is not None:
            standing = read_standing(self.ledger, self.account, LEDGER_WAIT_SECONDS)
            known = self.ledger.exists()
        elif self.latest is not None:
            standing, known = self.latest(), True
        else:
            return ""
        if standing is None:
            return self._reason if known and self.halted.is_set() else ""
        return _worded(standing.reason) if _by_operator(standing) else ""

    def _take_back(self) -> None:
        """One attempt, when it is due, to leave nothing at the venue."""
        sweep, cancel_all, now = self._sweep, self.cancel_all, self._clock.monotonic()
        if sweep is None or cancel_all is None or sweep.clean > 1 or now < sweep.due:
            return
        left = _left(cancel_all)
        now = self._clock.monotonic()
        if not left:
            sweep.clean += 1
            sweep.due = now + SWEEP_AGAIN_SECONDS
            return
        sweep.clean, sweep.due = 0, now + sweep.pause
        sweep.pause = min(sweep.pause * 2, SWEEP_PAUSE_MAX_SECONDS)
        for news in self._complaints(sweep, left, now):
            self.tell(news)

    def _complaints(self, sweep: _Sweep, left: str, now: float) -> list[News]:
        """What an operator should know: once at the first failure, and once when time is up."""
        said: list[News] = []
        if not sweep.warned:
            sweep.warned = True
            said.append(
                Trouble(
                    Problem(
                        kind=ProblemKind.CANCEL_ALL,
                        where="cancel-all",
                        what=f"{left}; trying again",
                    )
                )
            )
        if not sweep.alarmed and now - sweep.began >= self.sweep_deadline_seconds:
            sweep.alarmed = True
            what = f"orders may still rest at the venue, cancel them there: {left}"
            said.append(StateChanged(TradingState.HALTED, what))
        return said


def kill_switch(url: str, account: str, tell: Observer) -> KillSwitch:
    """The switch of one account of the ledger at this address."""
    return KillSwitch(account=account, ledger=file_of(url), sentinel=sentinel_of(url), tell=tell)


def _by_operator(standing: Standing) -> bool:
    # A pause starts nothing new; plans at work are completed.
    return standing.state is TradingState.HALTED and standing.by_operator and not standing.paused


def _worded(reason: str) -> str:
    plain = reason in ("", "by the operator")
    return "stopped by the operator" if plain else f"stopped by the operator: {reason}"


def _left(cancel_all: CancelAll) -> str:
    """What could not be cancelled; empty: nothing."""
    try:
        left = cancel_all()
    except Exception as error:  # noqa: BLE001  # whatever it is, the watch goes on
        return f"{type(error).__name__}: {error}"
    return f"{len(left)} orders not cancelled: {', '.join(left[:5])}" if left else ""
