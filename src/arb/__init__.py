"""Prediction-market arbitrage: find, prove, size, execute, account."""

__version__ = "0.1.0"
