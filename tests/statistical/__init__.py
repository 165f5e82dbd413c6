"""Signals of a price's past, and what they would have brought."""
