"""A bot in Python, standard library only: says yes to plans that earn enough.

It holds no keys. It reads a command, answers with the orders that it wants sent, and is told later
what became of them. The orchestrator signs, sends and writes down.
"""

import json
import os
import signal
import sys
import threading
import time
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

NAME = os.environ.get("ARB_BOT_NAME", "atom")
COMM = Path(os.environ.get("ARB_BOT_FOLDER", "comm"))
LEAST_PROFIT = Decimal("0.10")
HEARTBEAT_SECONDS = 30
LOOK_SECONDS = 0.1

stopped = threading.Event()


def stop(_number, _frame):
    """Finish what is at hand, then leave."""
    stopped.set()


def write(folder, kind, document):
    """Write to a temporary name, then rename: the reader never sees half a file."""
    target = COMM / folder / f"{NAME}_{kind}.json"
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)


def heartbeat(status):
    """Say that we are alive."""
    write(
        "heartbeats",
        "heartbeat",
        {"bot_name": NAME, "status": status, "timestamp": time.time(), "pid": os.getpid()},
    )


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


def decide(command):
    """Yes, every order as it was told, or no with a reason."""
    answer = {"schema": 1, "id": command["id"], "bot_name": NAME, "timestamp": time.time()}
    expires = datetime.fromisoformat(command["expires_at"].replace("Z", "+00:00"))
    if datetime.now(timezone.utc) >= expires:
        return {**answer, "success": False, "reason": "it came too late"}
    profit = Decimal(command["opportunity"]["profit"])
    if profit < LEAST_PROFIT:
        return {**answer, "success": False, "reason": f"a profit of {profit} is too little"}
    orders = [
        {"id": order["id"], "price": order["limit"], "shares": order["shares"]}
        for order in command["orders"]
    ]
    return {**answer, "success": True, "orders": orders}


def obey(command):
    """Do what a command asks for."""
    if command["command"] == "execute_arbitrage":
        answer = decide(command)
        write("results", "result", answer)
        word = "yes" if answer["success"] else f"no: {answer['reason']}"
        print(f"plan {command['opportunity']['plan']}: {word}", flush=True)
    elif command["command"] == "execution_result":
        for ended in command["ended"]:
            print(f"{ended['order']}: {ended['state']}, {ended['shares']} shares", flush=True)


def main():
    """Look for commands and say that we are alive, until told to stop."""
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    beat_at = 0.0
    print(f"{NAME} is up", flush=True)
    while not stopped.is_set():
        if time.monotonic() - beat_at >= HEARTBEAT_SECONDS or not beat_at:
            heartbeat("running")
            beat_at = time.monotonic()
        command = next_command()
        if command is not None:
            obey(command)
        stopped.wait(LOOK_SECONDS)
    heartbeat("stopping")
    print(f"{NAME} leaves", flush=True)


if __name__ == "__main__":
    sys.exit(main())
