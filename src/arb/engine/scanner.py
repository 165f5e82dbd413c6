"""Looking: read the listing and its books, find, prove, confirm. It needs no account and no ledger.

`arb scan`, `arb preview`, the workers of a sharded run and every cycle look through a `Scanner`.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from arb.domain.book import Books
from arb.domain.decision import Approved, Refused
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.market import EventId, OutcomeId, Universe, WholeGroup
from arb.domain.opportunity import Candidate, Skipped
from arb.domain.position import Pocket, Portfolio
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, Funnel, Problem
from arb.domain.snapshot import Snapshot
from arb.domain.sweep import Glimpse, outcomes_of, part_of
from arb.engine.decide import (
    Detection,
    contradicted,
    find,
    fresh_events,
    funnel,
    listed_differently,
    miscounts,
    proposals,
)
from arb.engine.hidden import with_hidden
from arb.engine.market_data import MarketData
from arb.engine.options import EngineOptions
from arb.engine.scan import Scan
from arb.engine.tally import Tally
from arb.ports import Clock, Offload, Scouts, Strategy, inline
from arb.risk.checks import Context
from arb.risk.gate import review
from arb.strategies.screen import Layout


class Scanner:
    """Reads the venues and searches what they list."""

    def __init__(  # what looking takes, each part by its name
        self,
        *,
        market_data: MarketData,
        strategies: Sequence[Strategy],
        clock: Clock,
        options: EngineOptions,
        scouts: Scouts | None = None,
        offload: Offload = inline,
    ) -> None:
        """Look at the venues.

        Args:
            market_data: What they list and quote.
            strategies: What is searched for; an operator may change the sequence meanwhile.
            clock: Time.
            options: How old books may be, and what a fresh account would be allowed.
            scouts: Workers that read parts of the listing; `None`: everything is read here.
            offload: How long computations are kept off the loop.
        """
        self._market_data, self._clock = market_data, clock
        self._strategies, self._options = strategies, options
        self._scouts, self._offload = scouts, offload
        self._layout: Layout | None = None

    async def scan(self, event: str | None = None) -> Scan:
        """Read what is listed and its books, find, prove, and confirm what was proved.

        Args:
            event: The slug of the one event to scan; the whole market without it.

        Raises:
            BadVenueData: There is no such event.
            Unavailable: The venue could not be read.
        """
        one = await self._market_data.event(event) if event else None
        listed = one or await self._market_data.universe()
        sweep = None
        if self._scouts is not None and one is None:
            sweep = await self._scouts.sweep(listed)
        seen = listed if sweep is None else _only(listed, sweep.wanted)
        snapshot = await self._read(seen)
        strategies = tuple(self._strategies)

        def search() -> tuple[Detection, Funnel]:
            found = find(strategies, snapshot, self._lay_out)
            found = with_hidden(strategies, snapshot, found)
            return found, funnel(found, replace(snapshot, universe=listed))

        found, counts = await self._offload(search)
        proved = {p.market.id: p.market for o in found.opportunities for p in o.legs}
        confirmations = await self._market_data.confirm(list(proved.values()))
        counted = await self.count([w for o in found.opportunities for w in o.whole])
        alarms = (
            *listed_differently(listed),
            *contradicted(proved, confirmations),
            *miscounts(found.opportunities, counted),
        )
        return Scan(
            snapshot,
            replace(found, data_quality=(*found.data_quality, *alarms)),
            listed,
            counts if sweep is None else replace(counts, fresh=counts.fresh + sweep.fresh),
            confirmations,
            counted,
            replace(
                self._market_data.completeness(),
                books_expected=len(outcomes_of(listed)),
                books_received=len(snapshot.books) + (sweep.received if sweep else 0),
            ),
            sweep.coverage if sweep else None,
        )

    async def glimpse(self, part: Universe) -> Glimpse:
        """Read a part's books for a leader, and name the events that it must scan itself.

        Candidates and what strategies skipped alike: the leader must find the same reasons and
        the same alarms as if it had read all books itself.

        Raises:
            Unavailable: No book could be read.
        """
        snapshot = await self._read(part)
        nominated = frozenset(
            event
            for proposal in proposals(self._strategies, snapshot)
            for event in _events(proposal, part)
        )
        rest = _only(part, part.events.keys() - nominated)
        return Glimpse(
            nominated=nominated,
            fresh=fresh_events(rest, snapshot.books),
            received=sum(outcome in snapshot.books for outcome in outcomes_of(rest)),
        )

    async def events(self) -> list[str]:
        """The slugs of all events that are listed.

        Raises:
            Unavailable: The venue could not be read.
        """
        universe = await self._market_data.universe()
        return [event.slug for event in universe.events.values()]

    def judge(self, scan: Scan, tally: Tally) -> CycleReport:
        """What a fresh account would decide on a scan; nothing is traded or recorded."""
        opening = Pocket(self._options.bankroll_usd)
        fresh = Portfolio(pockets=dict.fromkeys(self._market_data.venues, opening))
        for opportunity in scan.found.opportunities:
            context = Context(
                portfolio=fresh,
                limits=self._options.limits,
                standing=Standing(),
                contradictions=(),
                confirmations=scan.confirmations,
                counted=scan.counted,
                books_from=scan.snapshot.taken_at,
                now=self._clock.now(),
                plans_left=1,
            )
            decision = review(opportunity, context, self._options.sizing, scan.snapshot)
            if isinstance(decision, Approved):
                decision = Refused(
                    opportunity=opportunity,
                    reason=Reason.NOT_TRADED,
                    detail=f"every gate passed, in the size of {decision.opportunity.size}",
                    verdicts=decision.verdicts,
                )
            tally.findings.append(decision)
        tally.findings += scan.found.others
        tally.errors += self.problems()
        nothing = RiskStatus(can_trade=False, state=TradingState.NORMAL, reasons=("scan only",))
        return tally.report(0, scan, nothing, self._options)

    async def count(self, groups: Sequence[WholeGroup], *, anew: bool = False) -> Mapping[str, int]:
        """How many outcomes the chain counts, by group; a group without a count is absent."""
        return await self._market_data.count(groups, anew=anew)

    async def books(self, outcomes: Sequence[OutcomeId]) -> Books:
        """The books of these outcomes, read now.

        Raises:
            VenueError: None could be read.
        """
        return await self._market_data.books(outcomes)

    def snapshot(self, universe: Universe, books: Books, read_seconds: float = 0.0) -> Snapshot:
        """The books as of now; a sweep of the whole market takes longer than one may be old.

        What is found in such a sweep is read again before it is traded, and then the limit holds
        as it stands.
        """
        return Snapshot(
            universe=universe,
            books=books,
            taken_at=self._clock.now(),
            book_age_max=self._options.limits.max_book_age + timedelta(seconds=read_seconds),
        )

    def problems(self) -> list[Problem]:
        """What could not be read since this was last asked."""
        scouts = self._scouts.problems() if self._scouts is not None else ()
        return [*self._market_data.problems(), *scouts]

    def _lay_out(self, universe: Universe) -> Layout:
        """The universe in columns; the listing stays the same for many scans."""
        layout = self._layout
        if layout is None or layout.universe is not universe:
            layout = self._layout = Layout(universe)
        return layout

    async def _read(self, universe: Universe) -> Snapshot:
        began = self._clock.monotonic()
        books = await self.books(outcomes_of(universe))
        return self.snapshot(universe, books, self._clock.monotonic() - began)


def _only(universe: Universe, wanted: frozenset[EventId] | set[EventId]) -> Universe:
    return part_of(universe, [each for each in universe.events.values() if each.id in wanted])


def _events(proposal: Candidate | Skipped, part: Universe) -> Iterator[EventId]:
    """The events of the outcomes' own markets; what a strategy calls its event is a label.

    A candidate of outcomes that the part does not have is no candidate. What was skipped may be
    an event without any outcome that could be read: then there is only the name.
    """
    outcomes = (
        proposal.outcomes
        if isinstance(proposal, Skipped)
        else [leg.outcome for leg in proposal.legs]
    )
    if not outcomes and proposal.event.id in part.events:
        yield proposal.event.id
    for outcome in outcomes:
        with contextlib.suppress(KeyError):
            yield part.market_of(outcome).event
