"""Snapshot in, proven opportunities out: shared by scan, cycle, stream and backtest. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from arb.domain.book import Books
from arb.domain.confirmation import Confirmation
from arb.domain.decision import Approved, Finding
from arb.domain.errors import StrategyFailed
from arb.domain.market import Event, Market, MarketId, Universe, markets_of
from arb.domain.opportunity import Candidate, Opportunity, Skipped, Unproven, prove
from arb.domain.reason import Reason
from arb.domain.report import DataQuality, Funnel
from arb.domain.snapshot import Snapshot
from arb.domain.sweep import around
from arb.ports import Strategy
from arb.strategies.screen import Columns, LayOut, Layout, Screened, nominated

BAD_DATA = frozenset({Reason.MIRROR_MISMATCH, Reason.CROSSED_BOOK})


@dataclass(frozen=True, slots=True)
class Detection:
    """What the strategies saw in a snapshot."""

    opportunities: tuple[Opportunity, ...]
    """Proven, the most profitable first."""
    others: tuple[Skipped | Unproven, ...]
    data_quality: tuple[DataQuality, ...]


def find(strategies: Iterable[Strategy], snapshot: Snapshot, lay_out: LayOut = Layout) -> Detection:
    """Let every strategy propose, and prove what it proposes; `lay_out` as for `proposals`."""
    opportunities: list[Opportunity] = []
    others: list[Skipped | Unproven] = []
    for proposal in proposals(strategies, snapshot, lay_out):
        result = proposal if isinstance(proposal, Skipped) else prove(proposal, snapshot)
        if isinstance(result, Opportunity):
            opportunities.append(result)
        else:
            others.append(result)
    opportunities.sort(key=lambda opportunity: (-opportunity.profit, opportunity.id))
    return Detection(
        opportunities=tuple(opportunities),
        others=tuple(others),
        data_quality=_each_once(_alarms(opportunities, others)),
    )


def proposals(
    strategies: Iterable[Strategy], snapshot: Snapshot, lay_out: LayOut = Layout
) -> Iterator[Candidate | Skipped]:
    """What the strategies propose; those with a screen walk only what it nominates.

    Args:
        strategies: Who proposes.
        snapshot: What they are shown.
        lay_out: Gives a universe's layout, which is the same for all its snapshots.

    Raises:
        StrategyFailed: One raised; whatever it was, it is named.
    """
    columns: Columns | None = None
    for strategy in strategies:
        if isinstance(strategy, Screened) and columns is None:
            columns = lay_out(snapshot.universe).columns(snapshot.books)
        try:
            yield from _proposed(strategy, snapshot, columns)
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise StrategyFailed(f"strategy {strategy.name} raised {what}") from error


def _proposed(
    strategy: Strategy, snapshot: Snapshot, columns: Columns | None
) -> Sequence[Candidate | Skipped]:
    if columns is None or not isinstance(strategy, Screened):
        return strategy.find(snapshot)
    chosen = nominated(strategy, columns)
    if not chosen:
        return ()
    return strategy.find(replace(snapshot, universe=around(snapshot.universe, chosen)))


def funnel(found: Detection, snapshot: Snapshot) -> Funnel:
    """How many events and candidates got how far, up to the proof."""
    universe = snapshot.universe
    return Funnel(
        events=sum(bool(event.markets) for event in universe.events.values()),
        complete=len(_complete(universe)),
        fresh=fresh_events(universe, snapshot.books),
        candidates=len(found.opportunities) + len(found.others),
        proved=len(found.opportunities),
    )


def fresh_events(universe: Universe, books: Books) -> int:
    """How many events have every market open and every book there."""
    return sum(
        all(m.yes in books and m.no in books for m in markets_of(universe, event))
        for event in _complete(universe)
    )


def count_reasons(
    findings: Sequence[Finding], ended: Sequence[tuple[str, Reason]]
) -> tuple[tuple[str, int], ...]:
    """How many candidates ended for each reason, the most frequent first."""
    ends = dict(ended)
    counts = Counter(reason_of(finding, ends) for finding in findings)
    return tuple(counts.most_common())


def reason_of(finding: Finding, ended: dict[str, Reason]) -> str:
    """The one reason that a candidate ended for."""
    if isinstance(finding, Approved):
        return ended.get(finding.opportunity.id, Reason.EXECUTION_FAILED)
    return finding.reason


def _alarms(
    opportunities: Sequence[Opportunity], others: Sequence[Skipped | Unproven]
) -> Iterable[DataQuality]:
    for opportunity in opportunities:
        if opportunity.crossed:
            market = opportunity.legs[0].market
            crossed = f"{market.slug}: bid and ask cross at one instant; the engine stands still"
            yield _alarm(market, Reason.CROSSED_BOOK, crossed)
    for other in others:
        if other.reason in BAD_DATA and other.market is not None:
            yield _alarm(other.market, other.reason, other.detail)


def _each_once(alarms: Iterable[DataQuality]) -> tuple[DataQuality, ...]:
    """Several strategies may come upon the same: one problem of a market is one alarm."""
    first: dict[tuple[str, str], DataQuality] = {}
    for alarm in alarms:
        first.setdefault((alarm.market_id, alarm.problem), alarm)
    return tuple(first.values())


def contradicted(
    markets: Mapping[MarketId, Market], confirmations: Mapping[MarketId, Confirmation]
) -> Iterator[DataQuality]:
    """An alarm for each market whose rules at the exchange differ from the listing's."""
    for id_, word in confirmations.items():
        if word.contradictions and id_ in markets:
            detail = "; ".join(word.contradictions)
            yield _alarm(markets[id_], Reason.MARKET_CHANGED, detail)


def listed_differently(universe: Universe) -> Iterator[DataQuality]:
    """An alarm for each market or event about which the listing contradicts itself."""
    for market in universe.markets.values():
        if market.contradiction:
            detail = f"{market.slug} is {market.contradiction}"
            yield _alarm(market, Reason.LISTED_DIFFERENTLY, detail)
    for event in universe.events.values():
        if event.contradiction and (markets := markets_of(universe, event)):
            detail = f"{event.slug}: {event.contradiction}"
            yield _alarm(markets[0], Reason.LISTED_DIFFERENTLY, detail)


def miscounts(
    opportunities: Iterable[Opportunity], counted: Mapping[str, int]
) -> Iterator[DataQuality]:
    """An alarm for each set that takes all outcomes to be listed where the chain counts others."""
    for opportunity in opportunities:
        for whole in opportunity.whole:
            if differs := whole.miscount(counted):
                detail = f"{opportunity.event.slug}: {differs}"
                yield _alarm(opportunity.legs[0].market, Reason.CHAIN_COUNT_DIFFERS, detail)


def _alarm(market: Market, problem: str, detail: str) -> DataQuality:
    return DataQuality(market=market.slug, market_id=market.id, problem=str(problem), detail=detail)


def _complete(universe: Universe) -> list[Event]:
    return [
        event
        for event in universe.events.values()
        if event.markets
        and event.missing == 0
        and all(m.accepting and not m.closed for m in markets_of(universe, event))
    ]
