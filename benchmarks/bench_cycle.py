"""One full cycle over loopback HTTP at 5,000, 10,000 and 20,000 markets: time, CPU, memory.

The peer is the usual way to read the same answers, and does no more than that: httpx, orjson,
`Decimal` levels, a Python loop. Each measurement is a process of its own, in turns.
"""

import asyncio
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import httpx
import orjson
from common import Report, Row, run

from arb.runtime.demo import exchange_process

SIZES = (5_000, 10_000, 20_000)


async def usual(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        tokens: list[str] = []
        params: dict[str, str | int] = {"limit": 500, "closed": "false"}
        while True:
            page = orjson.loads((await client.get("/events/keyset", params=params)).content)
            for event in page["events"]:
                for market in event["markets"]:
                    tokens += orjson.loads(market["clobTokenIds"])
            if not page.get("next_cursor"):
                break
            params["after_cursor"] = page["next_cursor"]
        books = {}
        for start in range(0, len(tokens), 500):
            wanted = [{"token_id": token} for token in tokens[start : start + 500]]
            for book in orjson.loads((await client.post("/books", json=wanted)).content):
                books[book["asset_id"]] = [
                    [(Decimal(x["price"]), Decimal(x["size"])) for x in book[side]]
                    for side in ("bids", "asks")
                ]


OURS = """
import asyncio, resource, sys, time
from pathlib import Path
from arb.adapters.clock import SystemClock
from arb.bootstrap import scanner
from arb.config.sources import load
from arb.engine.tally import Tally

async def main(address, folder):
    flags = {f"polymarket.{name}_url": address for name in ("gamma", "clob", "data")}
    loaded = load(flags={**flags, "polymarket.quarantine_folder": ""}, folder=Path(folder))
    async with scanner(loaded.settings) as found:
        wall, cpu = time.perf_counter(), time.process_time()
        tally = Tally.begin("dry-run", "paper:bench", SystemClock())
        report = found.judge(await found.scan(), tally)
        print(time.perf_counter() - wall, time.process_time() - cpu,
              resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, report.books,
              report.funnel.proved)

asyncio.run(main(*sys.argv[1:]))
"""

USUAL = """
import asyncio, resource, sys, time
sys.path.insert(0, sys.argv[2])
from bench_cycle import usual
wall, cpu = time.perf_counter(), time.process_time()
asyncio.run(usual(sys.argv[1]))
print(time.perf_counter() - wall, time.process_time() - cpu,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0, 0)
"""


async def figures(code: str, *args: str) -> list[float]:
    """Wall seconds, CPU seconds, peak MB, books and proved sets of one process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *args, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    wall, cpu, peak, *counts = map(float, out.split())
    return [wall, cpu, peak / 1024, *counts]


async def measure(rounds: int) -> Report:
    rows: list[Row] = []
    notes: list[str] = []
    here = str(Path(__file__).parent)
    for size in SIZES:
        theirs: list[list[float]] = []
        ours: list[list[float]] = []
        async with exchange_process("load", 3, "--markets", str(size)) as address:
            for _ in range(rounds):
                theirs.append(await figures(USUAL, address, here))
                with tempfile.TemporaryDirectory() as folder:
                    ours.append(await figures(OURS, address, folder))
        for at, (name, unit) in enumerate((("wall", "s"), ("CPU", "s"), ("peak memory", "MB"))):
            columns = [[run[at] for run in runs] for runs in (theirs, ours)]
            rows.append(Row(f"{size:,} markets, {name}", "reading alone", *columns, unit))
        notes.append(f"{size:,} markets: {ours[0][3]:,.0f} books, {ours[0][4]:.0f} sets proved")
    return Report("one cycle of a process just started, over loopback HTTP", rows, notes)


if __name__ == "__main__":
    run(measure, rounds=3)
