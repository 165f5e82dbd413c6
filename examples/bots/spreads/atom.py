"""ATOM: swaps with the tokens that the executor holds, through an ordinary node."""

from common import ask, main


def send(transaction):
    """Have the node sign and send."""
    return ask("eth_sendTransaction", transaction)


if __name__ == "__main__":
    main(send)
