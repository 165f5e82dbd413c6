"""The API while a 20,000-market cycle runs: its p99 with 50 WebSocket clients, and what it costs.

Beside it, the same cycles without the API. Goals: p99 below 50 ms, cycles less than 10 % slower.
The exchange, the orchestrator and the clients are processes of their own.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time

import httpx
import websockets

from arb.runtime.demo import exchange_process

MARKETS = 20_000
CLIENTS = 50
CYCLES = 5
PAUSE = 0.04
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
from arb.bootstrap import paper_desk
from arb.config.sources import load
from arb.runtime import server

async def main(address, folder, with_api, cycles):
    flags = {f"polymarket.{name}_url": address for name in ("gamma", "clob", "data")}
    loaded = load(flags={**flags, "polymarket.quarantine_folder": "", "api.port": 0,
        "api.enabled": with_api == "1",
        "arbitrage.execution_pause": 0, "api.audit_file": "", "api.requests_per_minute": 1000000,
        "polymarket.requests_per_10_seconds.books": 100000,
        "polymarket.requests_per_10_seconds.events": 100000,
        "database.url": f"sqlite+aiosqlite:///{folder}/arb.db"}, folder=Path(folder))
    observers = []
    async with paper_desk(loaded.settings, observers) as desk:
        found = server.commanded(loaded, desk, observers)
        async def cycles_of(count):
            await found.orchestrator.setup()
            found.control.start()
            await found.orchestrator.scan_cycle()
            print(json.dumps({"warm": True}), flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            for _ in range(count):
                began, cpu = time.perf_counter(), time.process_time()
                await found.orchestrator.scan_cycle()
                print(json.dumps({"wall": time.perf_counter() - began,
                                  "cpu": time.process_time() - cpu}), flush=True)
            print(json.dumps({"over": True}), flush=True)
        if with_api != "1":
            await cycles_of(int(cycles))
            return
        tell = lambda at, _: print(json.dumps({"api": at}), flush=True)
        async with server.serving(loaded, found, tell):
            await cycles_of(int(cycles))
            await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main(*sys.argv[1:]))
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


async def served(address: str) -> tuple[list[dict], list[float], int]:
    with tempfile.TemporaryDirectory() as folder:
        process = await orchestrator(address, folder, api=True)
        api = (await said(process))["api"]
        await said(process)
        heard = [0]
        clients = [asyncio.create_task(listen(api, heard)) for _ in range(CLIENTS)]
        await asyncio.sleep(2)
        process.stdin.write(b"\n")
        over = asyncio.Event()
        asking = asyncio.create_task(ask(api, over))
        figures = [await said(process) for _ in range(CYCLES)]
        over.set()
        times = await asking
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        process.stdin.write(b"\n")
        await process.communicate()
    return figures, times, heard[0]


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


async def main() -> None:
    async with exchange_process("load", 3, "--markets", str(MARKETS)) as address:
        without = await alone(address)
        with_api, times, heard = await served(address)
        again = await alone(address)
    times.sort()

    def at(share: float) -> float:
        return times[min(int(len(times) * share), len(times) - 1)] * 1000

    plain = [one["wall"] for one in (*without, *again)]
    walls = [one["wall"] for one in with_api]
    slower = statistics.median(walls) / statistics.median(plain) - 1
    print(
        f"{MARKETS:,} markets, {CLIENTS} WebSocket clients, {len(times):,} requests, "
        f"{heard:,} messages"
    )
    print(
        f"requests: p50 {at(0.5):.1f} ms, p95 {at(0.95):.1f} ms, p99 {at(0.99):.1f} ms, "
        f"worst {at(1):.1f} ms (goal: p99 below 50 ms)"
    )
    print(
        f"cycles: median {statistics.median(plain):.2f} s without, "
        f"{statistics.median(walls):.2f} s with the API: {slower:+.1%} (goal: below +10 %)"
    )
    cpu = statistics.median(one["cpu"] for one in with_api) - statistics.median(
        one["cpu"] for one in (*without, *again)
    )
    print(f"CPU: {cpu:+.2f} s a cycle, clients' requests included")


if __name__ == "__main__":
    asyncio.run(main())
