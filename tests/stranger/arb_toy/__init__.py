"""A venue of somebody else's, as its own distribution: nothing of it is known to `arb`.

YES and NO are pools of orders of their own, fees are rounded up to a cent, four orders go together,
pairs net by themselves, and cash there is a pocket of its own. The exchange is a file, so that
several processes can trade at it one after another.
"""
