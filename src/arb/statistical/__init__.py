"""Statistical strategies: signals of a price's past, which guarantee nothing.

They share no account, limit or figure with what is proved. Indicators work on floats, as all of
their kind do; a signal is a direction, and whatever is money from there on is `Decimal`.
"""
