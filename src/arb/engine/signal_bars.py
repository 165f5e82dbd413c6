"""A strategy and the bars that it has seen: fed as the venue's price history goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from arb.domain.history import PricePoint
from arb.domain.instance import StrategyInstance
from arb.domain.money import Price
from arb.engine.signal_account import Seen
from arb.ports import Past
from arb.statistical.bars import TIMEFRAMES, Bar, bars_of
from arb.statistical.strategies import Signal, SignalStrategy

POINTS_PER_BAR = 12
"""How finely the venue is asked: highs and lows within a bar are seen where it tells them."""
BARS_READ_MAX = 20_000
"""Most bars that are read again after a restart."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """An instance at work."""

    instance: StrategyInstance
    strategy: SignalStrategy
    params: dict[str, str]
    """All of them, as text."""
    event: str = ""
    outcome: str = ""
    """The outcome's name."""
    fed: datetime | None = None
    """The start of the last bar that the strategy has seen."""
    close: Price | None = None
    """That bar's."""
    signal: Signal | None = None
    """The last one."""
    signal_at: datetime | None = None
    followed: str = ""
    problem: str = ""

    @property
    def seen(self) -> Seen:
        """What is known of it."""
        return Seen(
            instance=self.instance,
            params=self.params,
            event=self.event,
            outcome=self.outcome,
            side=None if self.signal is None else self.signal.side,
            signal_at=self.signal_at,
            why="" if self.signal is None else self.signal.why,
            followed=self.followed,
            problem=self.problem,
        )

    @property
    def seconds(self) -> int:
        """The length of its bars."""
        return TIMEFRAMES[self.instance.timeframe]

    async def new_prices(self, past: Past, now: datetime, warm_up: int) -> Sequence[PricePoint]:
        """Prices since it was last fed; before that, of `warm_up` bars.

        Raises:
            VenueError: The venue's history cannot be read.
        """
        begin, length = self.fed, timedelta(seconds=self.seconds)
        if begin is None:
            begin = max(self.instance.added_at - warm_up * length, now - BARS_READ_MAX * length)
        step = max(self.seconds // POINTS_PER_BAR, 1)
        traded_in = self.instance.market if self.strategy.needs_volume else None
        found = await past.prices(self.instance.outcome, begin, now, step, traded_in=traded_in)
        return found.points

    def feed(self, prices: Sequence[PricePoint], tick: Price, now: datetime) -> Signal | None:
        """Show it the bars that have ended; what the last of them means."""
        signal: Signal | None = None
        for bar in self._bars(prices, tick, now):
            signal = self.strategy.add(bar)
            self.fed, self.close = bar.start, bar.close
            if signal is not None:
                self.signal = signal
                self.signal_at = bar.start + timedelta(seconds=self.seconds)
        return signal

    def _bars(self, prices: Sequence[PricePoint], tick: Price, now: datetime) -> list[Bar]:
        points, fed = list(prices), self.fed
        if fed is not None and self.close is not None:
            # A stretch without prices goes on from the last close.
            points = [PricePoint(fed, self.close), *(point for point in points if point.at >= fed)]
        length = timedelta(seconds=self.seconds)
        return [
            bar
            for bar in bars_of(points, self.seconds, tick)
            if (fed is None or bar.start > fed) and bar.start + length <= now
        ]
