"""The embedded exchange, its scenarios, and paper trading."""
