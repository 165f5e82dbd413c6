"""The executor, by the main orchestrator's document: see `arb.documents`."""

from arb.documents import ArbitrageExecutor

__all__ = ["ArbitrageExecutor"]
