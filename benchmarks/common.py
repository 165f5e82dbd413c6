"""What every benchmark shares: its options, taking turns, and the one table it prints.

A row stands for one kind of work: what it is, a peer's figures, ours, and ours divided by the
peer's. `--against PATH` runs the same file on the sources of another checkout as well, in turns,
and prints the difference between the two.
"""

import argparse
import asyncio
import gc
import inspect
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
NO_PEER = "none"


@dataclass(frozen=True)
class Row:
    """One kind of work, done by a peer and by us; times are seconds, sizes megabytes."""

    what: str
    peer: str
    """What the peer is; `NO_PEER` where there is none."""
    theirs: Sequence[float]
    ours: Sequence[float]
    unit: str = "s"


@dataclass
class Report:
    """What one run of a benchmark found."""

    title: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)


Measure = Callable[[int], Report | Awaitable[Report]]


def run(measure: Measure, *, rounds: int) -> None:
    """The main program of a benchmark.

    Args:
        measure: Takes the number of rounds and returns what it found.
        rounds: How many there are where the command line does not say.
    """
    options = _options(rounds)
    if options.against:
        _compare(options)
        return
    machine = _machine()
    found = measure(options.rounds)
    report = asyncio.run(_waited(found)) if inspect.isawaitable(found) else found
    if options.json:
        print(json.dumps({**asdict(report), "machine": machine}))
        return
    print(machine)
    print(f"{report.title}; {options.rounds} rounds; p50 (p99) of the count at the end")
    _print_table(
        ("what", "peer", "", "ours", "ours/peer", "count"),
        [
            (
                row.what,
                row.peer,
                _figures(row.theirs, row.unit),
                _figures(row.ours, row.unit),
                _ratio(row.theirs, row.ours),
                f"{len(row.theirs)} {len(row.ours)}",
            )
            for row in report.rows
        ],
    )
    for note in report.notes:
        print(note)


def turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of every round of each way, one after the other, each from a clean heap.

    For work of one thread that waits for nothing, so that what else runs counts for little.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            started = time.process_time()
            kept = way()
            taken[name].append(time.process_time() - started)
            del kept
    return taken


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least this share of all samples does not exceed."""
    ordered = sorted(samples)
    rank = -int(-len(ordered) * share // 1)
    return ordered[max(rank, 1) - 1]


def _options(rounds: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each way is measured")
    parser.add_argument("--json", action="store_true", help="print every sample instead of a table")
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    parser.add_argument(
        "--turns", type=int, default=3, help="with --against: runs of each checkout"
    )
    return parser.parse_args()


async def _waited(found: Awaitable[Report]) -> Report:
    return await found


def _machine() -> str:
    import arb

    source = Path(arb.__file__).resolve().parents[2]
    asked = ("git", "-C", str(source), "describe", "--always", "--dirty", "--exclude", "*")
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    cpus = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((x.split(":")[1].strip() for x in cpus.splitlines() if "model name" in x), "")
    return (
        f"{model or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, "
        f"load average {os.getloadavg()[0]:.1f}, arb {said.stdout.strip() or 'of no checkout'}"
    )


# Two checkouts


def _compare(options: argparse.Namespace) -> None:
    """Run this file on both sources in turns, and print what changed."""
    script = Path(sys.argv[0]).resolve()
    sources = {"before": options.against.resolve() / "src", "now": HERE.parent / "src"}
    for source in sources.values():
        if not (source / "arb").is_dir():
            raise SystemExit(f"{source} holds no package arb")
    samples: dict[str, dict[str, list[float]]] = {name: {} for name in sources}
    units: dict[str, str] = {}
    for turn in range(options.turns):
        for name in list(sources) if turn % 2 == 0 else list(sources)[::-1]:
            found = _child(script, sources[name], options.rounds)
            if turn == 0:
                print(f"{name:<7} {found['machine']}")
            ours = {row["what"]: row for row in found["rows"]}  # one of several peers
            for what, row in ours.items():
                units[what] = row["unit"]
                samples[name].setdefault(what, []).extend(row["ours"])
    print(f"{options.turns} turns of {options.rounds} rounds each; p50 (p99)")
    before, now = samples["before"], samples["now"]
    _print_table(
        ("what", "before", "now", "change", "count"),
        [
            (
                what,
                _figures(before[what], units[what]),
                _figures(now[what], units[what]),
                _change(before[what], now[what]),
                f"{len(before[what])} {len(now[what])}",
            )
            for what in now
            if what in before
        ],
    )


def _child(script: Path, source: Path, rounds: int) -> dict:
    done = subprocess.run(
        (sys.executable, str(script), "--json", "--rounds", str(rounds)),
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


# Figures


def _figures(samples: Sequence[float], unit: str) -> str:
    if not samples:
        return "-"
    middle, high = statistics.median(samples), percentile(samples, 0.99)
    if unit == "s" and middle < 1:
        middle, high, unit = middle * 1e3, high * 1e3, "ms"
    digits = 0 if middle >= 100 else 2 if middle >= 1 else 3
    return f"{middle:.{digits}f} {unit} ({high:.{digits}f})"


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    if not theirs or not ours:
        return "-"
    return f"{statistics.median(ours) / statistics.median(theirs):.3g}"


def _change(before: Sequence[float], now: Sequence[float]) -> str:
    return f"{(statistics.median(now) / statistics.median(before) - 1) * 100:+.1f} %"


def _print_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    for line in (heads, *lines):
        print(
            " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
