"""The API while a 20,000-market cycle runs: its p99 with 50 WebSocket clients, and what it costs.

The peers, in turns: the same cycles without the API; the same requests while no cycle runs. Goals:
p99 below 50 ms, cycles less than 10 % slower. The exchange, the orchestrator, the WebSocket clients
and who asks are processes of their own; `loop` is what the orchestrator's loop itself came late.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import websockets
from common import NO_PEER, Report, Row, run

from arb.runtime.demo import exchange_process

MARKETS = 20_000
CLIENTS = 50
CYCLES = 6
IDLE_SECONDS = 6
PAUSE = 0.02
TOKEN = "token-of-the-benchmark-0123456789"
PATHS = (
    "/api/v1/bot/status",
    "/api/v1/bot/health",
    "/api/v1/portfolio",
    "/api/v1/arbitrage/opportunities?limit=20",
    "/api/v1/plans?limit=20",
    "/api/v1/cycles?limit=20",
)

OURS = """
import asyncio, json, sys, time
from pathlib import Path
from arb.bootstrap import paper_context
from arb.config.sources import load
from arb.runtime import server

BEAT = 0.005
late = []

async def beat():
    while True:
        began = time.perf_counter()
        await asyncio.sleep(BEAT)
        late.append(time.perf_counter() - began - BEAT)

async def main(address, folder, with_api, cycles):
    flags = {f"polymarket.{name}_url": address for name in ("gamma", "clob", "data")}
    loaded = load(flags={**flags, "polymarket.quarantine_folder": "", "api.port": 0,
        "api.enabled": with_api == "1",
        "arbitrage.execution_pause": 0, "api.audit_file": "", "api.requests_per_minute": 1000000,
        "polymarket.requests_per_10_seconds.books": 100000,
        "polymarket.requests_per_10_seconds.events": 100000,
        "database.url": f"sqlite+aiosqlite:///{folder}/arb.db"}, folder=Path(folder))
    async with paper_context(loaded.settings) as context:
        found = server.controlled(loaded, context)
        async def cycles_of(count):
            await found.orchestrator.setup()
            found.control.start()
            await found.orchestrator.scan_cycle()
            print(json.dumps({"warm": True}), flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            late.clear()
            beating = asyncio.create_task(beat())
            for _ in range(count):
                began, cpu = time.perf_counter(), time.process_time()
                await found.orchestrator.scan_cycle()
                print(json.dumps({"wall": time.perf_counter() - began,
                                  "cpu": time.process_time() - cpu}), flush=True)
            beating.cancel()
            print(json.dumps({"late": late}), flush=True)
        if with_api != "1":
            await cycles_of(int(cycles))
            return
        tell = lambda at, _: print(json.dumps({"api": at}), flush=True)
        async with server.serving(loaded, found, tell):
            await cycles_of(int(cycles))
            await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main(*sys.argv[1:]))
"""

CLIENT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from bench_api import crowd
asyncio.run(crowd(sys.argv[2]))
"""


async def orchestrator(address: str, folder: str, *, api: bool) -> asyncio.subprocess.Process:
    env = {"PATH": "/usr/bin:/bin", "ARB_API__TOKEN": TOKEN, "PYTHONPATH": ":".join(sys.path)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", OURS, address, folder, "1" if api else "0", str(CYCLES),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env,
    )  # fmt: skip


async def said(process: asyncio.subprocess.Process) -> dict:
    assert process.stdout is not None
    return json.loads(await process.stdout.readline())


async def alone(address: str) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        process = await orchestrator(address, folder, api=False)
        await said(process)
        process.stdin.write(b"\n")
        figures = [await said(process) for _ in range(CYCLES)]
        await process.communicate()
    return figures


async def served(address: str) -> tuple[list[dict], list[float], list[float], list[float], int]:
    with tempfile.TemporaryDirectory() as folder:
        process = await orchestrator(address, folder, api=True)
        api = (await said(process))["api"]
        await said(process)
        clients = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, str(Path(__file__).parent), api,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip
        await said(clients)
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(IDLE_SECONDS, over.set)
        idle = await ask(api, over)
        over = asyncio.Event()
        process.stdin.write(b"\n")
        asking = asyncio.create_task(ask(api, over))
        figures = [await said(process) for _ in range(CYCLES)]
        over.set()
        times = await asking
        late = (await said(process))["late"]
        heard, _ = await clients.communicate(b"\n")
        process.stdin.write(b"\n")
        await process.communicate()
    return figures, idle, times, late, json.loads(heard)["heard"]


async def crowd(api: str) -> None:
    """All WebSocket clients, until a line is read."""
    heard = [0]
    clients = [asyncio.create_task(listen(api, heard)) for _ in range(CLIENTS)]
    while heard[0] < CLIENTS:  # noqa: ASYNC110  # each gets its snapshot first
        await asyncio.sleep(0.05)
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    print(json.dumps({"heard": heard[0]}), flush=True)


async def listen(api: str, heard: list[int]) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    url = api.replace("http", "ws") + "/ws/arbitrage"
    async with websockets.connect(url, proxy=None, additional_headers=headers) as socket:
        async for _ in socket:
            heard[0] += 1


async def ask(api: str, over: asyncio.Event) -> list[float]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    times: list[float] = []
    async with httpx.AsyncClient(
        base_url=api, headers=headers, trust_env=False, timeout=30
    ) as client:
        while not over.is_set():
            for path in PATHS:
                began = time.perf_counter()
                answer = await client.get(path)
                times.append(time.perf_counter() - began)
                answer.raise_for_status()
                await asyncio.sleep(PAUSE)
    return times


async def measure(rounds: int) -> Report:
    plain: list[dict] = []
    with_api: list[dict] = []
    idle: list[float] = []
    times: list[float] = []
    late: list[float] = []
    heard = 0
    async with exchange_process("load", 3, "--markets", str(MARKETS)) as address:
        for _ in range(rounds):
            plain += await alone(address)
            figures, quiet, busy, gaps, messages = await served(address)
            with_api += figures
            idle, times, late, heard = idle + quiet, times + busy, late + gaps, heard + messages
    walls, bare, cpu, bare_cpu = (
        [one[name] for one in part] for name in ("wall", "cpu") for part in (with_api, plain)
    )
    return Report(
        f"{MARKETS:,} markets, {CLIENTS} WebSocket clients, cycles of {CYCLES}",
        [
            Row("request during a cycle", "while none runs", idle, times),
            Row("cycle with the API, wall", "without the API", bare, walls),
            Row("cycle with the API, CPU", "without the API", bare_cpu, cpu),
            Row("loop late in cycles", NO_PEER, [], late),
        ],
        [
            f"{heard:,} messages to the clients; the CPU includes serving requests",
            "goals: p99 of a request below 50 ms, cycles less than 1.1 of those without",
        ],
    )


if __name__ == "__main__":
    run(measure, rounds=5)
