"""Price differences between pools on one chain: found, calculated and simulated at one block.

Nothing here is riskless: what a certificate promises holds if its block stands, and costs gas if
not. It has an account, limits and words of its own, and nothing of it is added to proven trades.

    pools.py        what a pool gives for an amount; pure
    routes.py       closed ways through pools, and the input that brings the most; pure
    reading.py      pools as they are at a block
    executor.py     the contract that swaps along a route in one transaction, or not at all
    certificate.py  what a route returns at a block, and what it costs if the block does not stand
    scan.py         one look at the chain
    desk.py         hands certificates to supervised bots and reads on the chain what they did
    hints.py        prices of public HTTP APIs, beside
"""
