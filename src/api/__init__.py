"""The clients of the exchange, by the main orchestrator's document: see `arb.documents`."""

from arb.documents import PolymarketClient, PolymarketTrader

__all__ = ["PolymarketClient", "PolymarketTrader"]
