"""What a version of the program says of a ledger: run with that version's source on the path.

It is its own process: `python say.py MOMENT` prints a JSON document of every command's answer. The
environment names the ledger and the account; the clock stands still at MOMENT (ISO text), so that
"today" is the same day whenever it is asked.
"""

import json
import sys
from datetime import datetime

from typer.testing import CliRunner

from arb.adapters.clock import SystemClock
from arb.cli.app import app

COMMANDS = {
    "check": ("db", "check", "--json"),
    "status": ("status", "--json"),
    "positions": ("positions", "--json"),
    "plans": ("plans", "--json", "--limit", "1000"),
    "open plans": ("plans", "--json", "--open"),
    "fills": ("fills", "--json", "--limit", "1000"),
    "opportunities": ("opportunities", "--all", "--json", "--limit", "1000"),
    "report": ("report", "--json"),
}
OF_THE_MACHINE = ("ledger", "process", "orchestrator")
"""What `arb status` says beside the account."""


def ask(*command):
    """What a command prints as JSON; it must succeed."""
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, (command, done.output, done.exception)
    return json.loads(done.stdout)


def to_explain(opportunities, plans):
    """Ids: every plan's, and one of each decision and reason."""
    samples = {(row["decision"], row["reason"]): row["id"] for row in opportunities}
    return sorted({*samples.values(), *(row["id"] for row in plans)})


def said_now(ids=()):
    """All that the program says of the ledger of its settings, and of these candidates."""
    said = {name: ask(*command) for name, command in COMMANDS.items()}
    for name in OF_THE_MACHINE:
        said["status"].pop(name, None)
    ids = ids or to_explain(said["opportunities"], said["plans"])
    said["explained"] = {id_: ask("explain", id_, "--json") for id_ in ids}
    return said


def main(moment):
    """Print it, as it is at one moment."""
    now = datetime.fromisoformat(moment)
    SystemClock.now = lambda _self: now
    print(json.dumps(said_now(), indent=1, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
