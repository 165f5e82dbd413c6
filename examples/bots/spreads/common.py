"""What both bots for spreads share, standard library only: the mailbox, a node, a transaction.

They hold no key: the node at SPREADS_RPC_URL signs for the wallet, such as a local chain, Clef or
Web3Signer do (`eth_sendTransaction`).
"""

import json
import os
import signal
import sys
import threading
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

NAME = os.environ.get("ARB_BOT_NAME", Path(sys.argv[0]).stem)
COMM = Path(os.environ.get("ARB_BOT_FOLDER", "comm"))
NODE = os.environ.get("SPREADS_RPC_URL", "http://127.0.0.1:8545")
HEARTBEAT_SECONDS = 30
LOOK_SECONDS = 0.1
NODE_SECONDS = 10
BLOCKS = 3
"""A certificate that is older says nothing any more."""

stopped = threading.Event()


class Refused(Exception):
    """The node, or the contract behind it, does not do what was asked."""


def ask(method, *params, node=NODE):
    """What a node answers."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    request = urllib.request.Request(
        node, json.dumps(asked).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=NODE_SECONDS) as response:
        answer = json.load(response)
    if "error" in answer:
        raise Refused(answer["error"].get("message", "refused"))
    return answer["result"]


def message(transaction):
    """The transaction as a node takes it."""
    fees = {"maxFeePerGas": hex(transaction["max_fee"])}
    if transaction["tip"] is None:
        fees = {"gasPrice": hex(transaction["max_fee"])}
    else:
        fees["maxPriorityFeePerGas"] = hex(transaction["tip"])
    return {
        "from": transaction["sender"],
        "to": transaction["to"],
        "data": transaction["data"],
        "value": hex(transaction["value"]),
        "gas": hex(transaction["gas"]),
        **fees,
    }


def execute(spread, send):
    """Simulate once more, send, wait for the receipt. The profit in tokens, and the hash."""
    prepared = spread["transaction"]
    if int(ask("eth_chainId"), 16) != prepared["chain_id"]:
        raise Refused(f"the node is on another chain than {prepared['chain_id']}")
    if int(ask("eth_blockNumber"), 16) > spread["block"] + BLOCKS:
        raise Refused("the block is too old")
    asked = message(prepared)
    gained = int(ask("eth_call", asked, "latest"), 16)  # fails where the block does not stand
    hash_ = send(asked)
    for _ in range(600):
        receipt = ask("eth_getTransactionReceipt", hash_)
        if receipt is not None:
            break
        if stopped.wait(LOOK_SECONDS):
            return False, 0, hash_
    else:
        return False, 0, hash_
    done = receipt["status"] == "0x1"
    return done, gained / 10 ** spread["decimals"] if done else 0, hash_


def write(folder, kind, document):
    """Write to a temporary name, then rename: the reader never sees half a file."""
    target = COMM / folder / f"{NAME}_{kind}.json"
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(document), encoding="utf-8")
    temporary.replace(target)


def next_command():
    """The command that waits, claimed by renaming it; None where there is none."""
    waiting = COMM / "commands" / f"{NAME}_command.json"
    claimed = waiting.with_name(f".{NAME}_command.claimed.json")
    try:
        waiting.rename(claimed)
    except FileNotFoundError:
        return None
    command = json.loads(claimed.read_text(encoding="utf-8"))
    claimed.unlink()
    return command


def answer(command, send):
    """Do what a command asks for; the answer says what came of it."""
    said = {"id": command["id"], "bot_name": NAME, "success": False, "timestamp": time.time()}
    expires = datetime.fromisoformat(command["expires_at"].replace("Z", "+00:00"))
    if "spread" not in command:
        return {**said, "reason": "it is no spread"}
    if datetime.now(timezone.utc) >= expires:
        return {**said, "reason": "it came too late"}
    try:
        done, profit, hash_ = execute(command["spread"], send)
    except (Refused, OSError, ValueError) as error:
        return {**said, "reason": str(error)}
    return {**said, "success": done, "data": {"profit": profit, "tx_hash": hash_}}


def stop(_number, _frame):
    """Finish what is at hand, then leave."""
    stopped.set()


def main(send):
    """Look for commands and say that we are alive, until told to stop."""
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    beat_at = 0.0
    print(f"{NAME} is up", flush=True)
    while not stopped.is_set():
        if time.monotonic() - beat_at >= HEARTBEAT_SECONDS or not beat_at:
            beat = {"bot_name": NAME, "status": "running", "timestamp": time.time()}
            write("heartbeats", "heartbeat", {**beat, "pid": os.getpid()})
            beat_at = time.monotonic()
        command = next_command()
        if command is not None and command["command"] == "execute_arbitrage":
            found = answer(command, send)
            write("results", "result", found)
            print(json.dumps(found), flush=True)
        stopped.wait(LOOK_SECONDS)
    print(f"{NAME} leaves", flush=True)
