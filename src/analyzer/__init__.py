"""The detector, by the main orchestrator's document: see `arb.documents`."""

from arb.documents import IntraMarketArbitrageDetector

__all__ = ["IntraMarketArbitrageDetector"]
