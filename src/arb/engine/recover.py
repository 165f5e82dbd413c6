"""What happens between start and the first cycle, and again every few minutes.

There is no normal start: starting is recovering. The venue is asked what it knows, the ledger is
corrected by what that proves, and an unexplained difference stops trading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from arb.domain.errors import VenueError
from arb.domain.fact import Confirmed
from arb.domain.market import MarketId, OutcomeId, VenueId
from arb.domain.money import ZERO, text
from arb.domain.position import Adjustment, Portfolio
from arb.domain.statement import Difference, Statement
from arb.engine.contradict import BALANCE, of_balance, of_balances, of_plan
from arb.engine.options import EngineOptions
from arb.engine.reconcile import Recent, Review, expected, reconcile
from arb.engine.venues import Venues
from arb.interlocks import BlockCode, Interlock, Stops, no_opening
from arb.ports import Clock, Ledger

OVERLAP = timedelta(hours=1)
"""How much further back than its last success a reconciliation looks."""
NOT_RECONCILED = "the ledger is not reconciled with the venue yet"
ROUNDS_MAX = 5
"""Corrections can bring others to light; more rounds than this bring nothing."""


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Holds the ledger against the venue; knows whether the two agree."""

    venues: Venues
    ledger: Ledger
    clock: Clock
    options: EngineOptions
    differences: tuple[Difference, ...] = ()
    """Of the last reconciliation."""
    done_at: datetime | None = field(default=None, init=False)
    """When this process last reconciled."""
    done_ticks: float = field(default=0.0, init=False)
    """The same on the steady clock."""
    _tried: float | None = field(default=None, init=False)
    _agreed_at: datetime | None = field(default=None, init=False)

    @property
    def interlocks(self) -> tuple[Interlock, ...]:
        """Why trading must wait; all are open when ledger and venue agree, and on paper."""
        return (
            Interlock(BlockCode.NOT_RECONCILED, self.not_reconciled),
            Interlock(BlockCode.LEDGER_DIFFERS, self.differs, Stops.OPENING),
            Interlock(BlockCode.RECONCILIATION_OLD, self.outdated, Stops.OPENING),
        )

    def not_reconciled(self) -> str | None:
        """Why nothing at all may be sent: this process has not reconciled yet."""
        if not self.venues.statements or self.done_at is not None:
            return None
        return NOT_RECONCILED

    def differs(self) -> str | None:
        """What ledger and venue differ in; `None`: they agree, as far as is known."""
        if not self.venues.statements or not self.differences:
            return None
        first = self.differences[0]
        return (
            f"ledger and venue differ in {len(self.differences)} points: {first.what} "
            f"{first.about}: {first.ledger} here, {first.venue} there; see `arb reconcile`"
        )

    def outdated(self) -> str | None:
        """Why the last reconciliation is not relied on any more; `None`: it is."""
        if not self.venues.statements or self.done_at is None:
            return None
        age = self.clock.monotonic() - self.done_ticks
        if age <= 4 * self.options.reconcile_interval.total_seconds():
            return None
        return f"the last reconciliation is {age:.0f} s old"

    @property
    def due(self) -> bool:
        """Whether it is time again; sooner while something does not agree."""
        if not self.venues.statements:
            return False
        if self._tried is None or no_opening(self.interlocks):
            return True
        waited = self.clock.monotonic() - self._tried
        return waited >= self.options.reconcile_interval.total_seconds()

    async def run(self) -> Sequence[Difference]:
        """Ask, correct, compare; returns what is left.

        Raises:
            VenueError: The venue could not be asked; the ledger stays as it was.
        """
        clock, ledger = self.clock, self.ledger
        self._tried = clock.monotonic()
        for _ in range(ROUNDS_MAX):
            review, recent, _, _ = await self._compare()
            for plan, fact in review.corrections:
                await ledger.append(plan, [fact])
                if not isinstance(fact, Confirmed):
                    # More or less is held than the plan's end supposed: it has not ended.
                    await ledger.reopen_plan(plan)
            if not review.corrections:
                break
        self.differences = review.differences
        self.done_at, self.done_ticks = clock.now(), clock.monotonic()
        await self._stop_kinds(review, recent)
        return review.differences

    async def try_run(self) -> VenueError | None:
        """`run`, but a venue that could not be queried is returned as an error, not raised."""
        try:
            await self.run()
        except VenueError as error:
            return error
        return None

    async def accept(self, reason: str) -> Sequence[Adjustment]:
        """Book the venue's figures where the two differ; for an operator who knows why.

        Raises:
            VenueError: The venue could not be asked.
        """
        review, _, portfolio, statements = await self._compare()
        changes: list[Adjustment] = []
        for difference in review.differences:
            statement = statements[difference.at]
            if difference.what == "cash":
                ours = portfolio.at(difference.at).cash
                changes.append(_adjusted(difference, None, None, statement.cash - ours, reason))
            elif difference.what == "shares":
                outcome = next(o for o in statement.shares if str(o) == difference.about)
                held = portfolio.positions.get(outcome)
                delta = statement.shares[outcome] - expected(portfolio, outcome)
                market = held.market if held else None
                changes.append(_adjusted(difference, outcome, market, delta, reason))
        if not changes and review.differences:
            # Trades that moved nothing in the end: the word of an operator explains them, too.
            changes.append(_adjusted(review.differences[0], None, None, ZERO, reason))
        await self.ledger.adjust(changes, self.clock.now())
        await self._explained(reason)
        return changes

    async def _explained(self, reason: str) -> None:
        """An operator who accounts for the numbers ends the stops that they caused."""
        found = await self.ledger.contradictions()
        keys = [each.key for each in found if each.key.startswith(BALANCE)]
        await self.ledger.end_contradictions(keys, reason, self.clock.now())

    async def _stop_kinds(self, review: Review, recent: Recent) -> None:
        """What contradicts a proof stops its kind: numbers that nothing explains, and facts.

        The facts are checked as they are written; a crash may have come in between.
        """
        now, ledger = self.clock.now(), self.ledger
        for plan, facts in recent:
            for found in of_plan(plan, facts):
                await ledger.contradict(found)
        known = [each.key for each in await ledger.contradictions()]
        for found in of_balances(review.lasting, recent, self._agreed_at, now):
            if not any(key.startswith(of_balance(found.about)) for key in known):
                await ledger.contradict(found)
        if not review.differences:
            self._agreed_at = now

    async def _compare(
        self,
    ) -> tuple[Review, Recent, Portfolio, Mapping[VenueId, Statement]]:
        """Every venue's statement beside the ledger as it was meanwhile."""
        clock, ledger = self.clock, self.ledger
        now = clock.now()
        opened = await ledger.opened_at() or now
        done_at = self.done_at or opened
        if self.done_at is not None:
            # By the clock as it stands now: one that was ahead would leave out what came since.
            done_at = min(done_at, now - timedelta(seconds=clock.monotonic() - self.done_ticks))
        since = max(opened, done_at - OVERLAP)
        recent = await ledger.recent(since)
        portfolio = await ledger.portfolio(now)
        touched = {outcome for plan, _ in recent for outcome in plan.outcomes}
        outcomes = sorted({*portfolio.positions, *touched})
        statements = {
            venue: await asked.statement([o for o in outcomes if o.venue == venue], since)
            for venue, asked in self.venues.statements.items()
        }
        # What happened while the venues were asked would look like a difference.
        if await ledger.portfolio(now) != portfolio:
            raise VenueError("the account moved while the venue was queried")
        tolerance = self.options.reconcile_tolerance
        explained = await ledger.adjusted_at()
        reviews = [
            reconcile(portfolio, recent, statement, tolerance, explained)
            for statement in statements.values()
        ]
        review = Review(
            corrections=tuple(each for one in reviews for each in one.corrections),
            differences=tuple(each for one in reviews for each in one.differences),
            lasting=tuple(each for one in reviews for each in one.lasting),
        )
        return review, recent, portfolio, statements


def _adjusted(
    difference: Difference,
    outcome: OutcomeId | None,
    market: MarketId | None,
    delta: Decimal,
    reason: str,
) -> Adjustment:
    return Adjustment(
        venue=difference.at, outcome=outcome, market=market, delta=delta, reason=reason
    )


def describe(difference: Difference) -> str:
    """A difference in words."""
    return (
        f"{difference.what} {difference.about}: {difference.ledger} in the ledger, "
        f"{difference.venue} at the venue"
    )


def describe_adjustment(change: Adjustment) -> str:
    """An adjustment in words."""
    return f"{change.outcome or 'USD'} {text(change.delta)}"
