"""Liquidations of loans that have fallen below health factor 1."""
