"""One EVM chain: what is asked of it, simulated on it and sent to it.

`options.py` holds the settings `[chain]`, `abi.py` makes calls of contracts and reads their
answers, `signer.py` signs with one key, `chain.py` asks and sends. A part that works on a chain is
a package beside them. What these modules import beyond the standard library is in the extra
`onchain`; nothing imports them before a chain is configured.

    PAIR = Contract(function("getReserves", returns=("uint112", "uint112", "uint32")))

    async with bootstrap.chain(settings) as chain:              # or Chain(options, clock=clock)
        block = await chain.head()
        x, y, _ = await chain.ask(PAIR.view(address, "getReserves"), at=block)
        call = PAIR.call(address, "swap", 0, 10, wallet, b"")
        await chain.simulate(call, signer.address, at=block)     # raises Reverted, with its reason
        sent = await chain.send(await chain.fill(call, signer.address), signer)
        receipt = await chain.wait(sent.hash)                    # None: not mined in time

Amounts are integers in the smallest unit of the token or coin.
"""
