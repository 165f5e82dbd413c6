"""Logger, ledger and Kelly, by the main orchestrator's document: see `arb.documents`."""

from arb.documents import DatabaseManager, calculate_kelly_fraction, get_logger, setup_logger

__all__ = ["DatabaseManager", "calculate_kelly_fraction", "get_logger", "setup_logger"]
