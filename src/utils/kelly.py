"""Kelly, by the main orchestrator's document: see `arb.documents`."""

from arb.documents import calculate_kelly_fraction

__all__ = ["calculate_kelly_fraction"]
