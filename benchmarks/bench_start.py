"""What a command takes to start: `arb --help`, and the import of all that a cycle needs.

The peers are programs that a user of this kind of bot starts as well: a Typer program of one empty
command, which no program built on Typer can be quicker than, and the official client's import.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from common import Report, Row, run

EMPTY = """
import typer
typer.run(lambda: None)
"""
ARB = "from arb.cli.app import main; main()"


def measure(rounds: int) -> Report:
    commands = {
        "an empty Typer program": ("-c", EMPTY, "--help"),
        "import polymarket": ("-c", "import polymarket"),
        "arb --help": ("-c", ARB, "--help"),
        "arb status --help": ("-c", ARB, "status", "--help"),
        "import arb.bootstrap": ("-c", "import arb.bootstrap"),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name, arguments in commands.items():
                seconds = started(arguments, Path(folder))
                if number:  # the first one may have to compile
                    taken[name].append(seconds)

    def row(what: str, peer: str) -> Row:
        return Row(what, peer, taken[peer], taken[what])

    return Report(
        "processes from start to end, CPU time",
        [
            row("arb --help", "an empty Typer program"),
            row("arb status --help", "an empty Typer program"),
            row("import arb.bootstrap", "import polymarket"),
        ],
    )


def started(arguments: tuple[str, ...], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run((sys.executable, *arguments), stdout=subprocess.DEVNULL, check=True, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    run(measure, rounds=15)
