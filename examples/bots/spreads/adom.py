"""ADOM: swaps with what the first pool lends, past the public queue of transactions.

The node signs, and the relay at SPREADS_RELAY_URL takes the signed transaction: one that shows it
to no others before it is mined. Without a relay the node sends it.
"""

import os

from common import NODE, ask, main

RELAY = os.environ.get("SPREADS_RELAY_URL", "")


def send(transaction):
    """Have the node sign and the relay send."""
    if not RELAY:
        return ask("eth_sendTransaction", transaction)
    nonce = ask("eth_getTransactionCount", transaction["from"], "pending", node=NODE)
    signed = ask("eth_signTransaction", {**transaction, "nonce": nonce})
    raw = signed["raw"] if isinstance(signed, dict) else signed
    return ask("eth_sendRawTransaction", raw, node=RELAY)


if __name__ == "__main__":
    main(send)
