"""A full cycle against the embedded exchange, as two processes that speak over loopback."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from arb.config.sources import Loaded, load, reach_directly
from arb.domain.decision import Approved, Refused
from arb.domain.errors import LedgerError, Unavailable
from arb.domain.money import text
from arb.domain.report import CycleReport, Statistics
from arb.operations.database import backup_ledger
from arb.operations.logs import set_up_logs
from arb.runtime.running import run_once

START_SECONDS_MAX = 120
LEDGER = Path("data") / "demo.db"
"""Where config/demo.toml looks for it."""


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """What the cycle found, against what the exchange had planted."""

    report: CycleReport
    statistics: Statistics
    planted: int
    found: int
    decoys: int
    phantoms: int
    """Opportunities reported that the exchange did not plant."""
    not_kept: str
    """Why the ledger could not be left for `--profile demo`; empty: it was."""


async def run_demo(seed: int, tell: Callable[[str], None]) -> DemoOutcome:
    """Start the exchange, run one cycle with an empty ledger, compare with the planted truth."""
    tell(f"Starting the embedded exchange (scenario demo, seed {seed}) on loopback…")
    async with exchange_process("demo", seed) as address:
        tell(f"It listens at {address}. Running one cycle against it…")
        reach_directly("127.0.0.1")
        with tempfile.TemporaryDirectory(prefix="arb-demo-") as folder:
            loaded = load(
                flags={
                    "polymarket.gamma_url": address,
                    "polymarket.clob_url": address,
                    "polymarket.data_url": address,
                    "polymarket.quarantine_folder": "",
                    "database.url": f"sqlite+aiosqlite:///{folder}/demo.db",
                    "logging.folder": "",
                    "arbitrage.execution_pause": 0.1,
                    "trading.account": "paper:demo",
                },
                folder=Path(folder),
            )
            # The exchange plants bad data; alarms about it would look like faults of the demo.
            set_up_logs(loaded, level="CRITICAL")
            report, statistics, _ = await run_once(loaded)
            not_kept = await keep_ledger(loaded)
        async with httpx.AsyncClient(trust_env=False) as client:
            truth = (await client.get(f"{address}/_truth")).json()
    planted = {
        (one["event"], one["kind"], one["size"], one["profit"]) for one in truth["opportunities"]
    }
    found = {
        (o.event.slug, str(o.kind), text(o.available), text(o.profit))
        for f in report.findings
        if isinstance(f, Approved | Refused)
        for o in [f.opportunity]
    }
    return DemoOutcome(
        report=report,
        statistics=statistics,
        planted=len(planted),
        found=len(planted & found),
        decoys=len(truth["decoys"]),
        phantoms=len(found - planted),
        not_kept=not_kept,
    )


async def keep_ledger(loaded: Loaded) -> str:
    """Leave the ledger where the profile `demo` reads it, in place of an earlier demo's.

    What stands in its write-ahead log alone is copied, too.

    Returns:
        Why it could not be; empty: it was.
    """
    try:
        LEDGER.parent.mkdir(parents=True, exist_ok=True)
        for beside in LEDGER.parent.glob(f"{LEDGER.name}-*"):
            beside.unlink()
        await backup_ledger(loaded, LEDGER, force=True)
    except OSError as error:
        return f"{LEDGER}: {error.strerror}"
    except LedgerError as error:
        return str(error)
    return ""


@asynccontextmanager
async def exchange_process(scenario: str, seed: int, *more: str) -> AsyncIterator[str]:
    """The embedded exchange in a process of its own; gives its address.

    Raises:
        Unavailable: It did not start.
    """
    command = ("exchange", "serve", "--scenario", scenario, "--seed", str(seed), "--port", "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "arb",
        *command,
        "--json",
        *more,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(tempfile.gettempdir()),
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS_MAX)
        if not line:
            raise Unavailable("the embedded exchange did not start")
        yield json.loads(line)["ready"]
    except TimeoutError:
        raise Unavailable("the embedded exchange did not start in time") from None
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
