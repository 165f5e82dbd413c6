"""What one read of a venue gave, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass

from arb.domain.confirmation import Confirmation
from arb.domain.market import MarketId, Universe
from arb.domain.report import Completeness, Coverage, Funnel
from arb.domain.snapshot import Snapshot
from arb.engine.decide import Detection


@dataclass(frozen=True, slots=True)
class Scan:
    """What was listed, read, found, proved and confirmed."""

    snapshot: Snapshot
    """Its universe is what was scanned closely: all that is listed, unless workers named less."""
    found: Detection
    listed: Universe
    counts: Funnel
    """As far as the proof."""
    confirmations: Mapping[MarketId, Confirmation]
    counted: Mapping[str, int]
    """How many outcomes the chain counts, by group, where a proof takes all to be listed."""
    completeness: Completeness
    coverage: Coverage | None = None
