"""SIGKILL before and after every write and every send of a live five-leg plan, then a restart."""

import asyncio
import json
import os
import sys
from collections import Counter
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.storage import open_ledger
from arb.domain.fact import Submitted
from arb.domain.money import from_micro
from tests.conftest import ROOT
from tests.e2e.worlds import live_world

FIVE_LEGS = "cheap-no-2"
STEPS_AT_LEAST, CHUNKS = 24, 8
LIVES_MAX = 6


@asynccontextmanager
async def killer():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.e2e.killing",
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("ARB_")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def live(at, wallet, folder, step=0, naive=False):
        order = {
            "address": at.address,
            "wallet": wallet,
            "folder": str(folder),
            "step": step,
            "naive": naive,
        }
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
        return json.loads(await process.stdout.readline())

    try:
        yield live
    finally:
        process.stdin.close()
        await process.wait()


async def one(live, folder, step, *, naive=False):
    """Kill at a step, restart until nothing is open; what was done, and what is wrong."""
    folder.mkdir()
    async with live_world(only=FIVE_LEGS) as (at, wallet):
        first = await live(at, wallet, folder, step, naive)
        if not first["killed"]:
            return first, ["never killed"] if step else []
        for _ in range(LIVES_MAX):
            again = await live(at, wallet, folder, 0, naive)
            if again["told"][-1].startswith("end 0"):
                break
        await at.settle()
        return first, [*await problems(at, wallet, folder), *stuck(again)]


def stuck(answer):
    return [] if answer["told"][-1].startswith("end 0") else [f"still open: {answer['told'][-1]}"]


async def problems(at, wallet, folder: Path) -> list[str]:
    """Where ledger and exchange do not tell the same story."""
    truth = await at.truth()
    ledger = await open_ledger(
        f"sqlite+aiosqlite:///{folder}/arb.db", f"polymarket:{wallet.lower()}"
    )
    found = list(truth["problems"])
    try:
        portfolio = await ledger.portfolio(SystemClock().now())
        recent = await ledger.recent(await ledger.opened_at())
        known = {
            fact.order.ref: fact.order
            for _, facts in recent
            for fact in facts
            if isinstance(fact, Submitted)
        }
    finally:
        await ledger.close()
    account = truth["accounts"][wallet.lower()]
    if portfolio.cash != from_micro(account["usd"]):
        found.append(f"cash {portfolio.cash} != {from_micro(account['usd'])}")
    held = {o.token: p.shares for o, p in portfolio.positions.items() if p.shares}
    there = {t: from_micro(n) for t, n in account["tokens"].items()}
    if held != there:
        found.append(f"shares {held} != {there}")
    placed = Counter(order["id"] for order in truth["orders"])
    found += [f"{id_} placed {n} times" for id_, n in placed.items() if n > 1]
    found += [f"{id_} is not in the ledger" for id_ in placed if id_ not in known]
    if portfolio.cash < Decimal(4990):
        found.append(f"it cost {5000 - portfolio.cash}")
    return found


async def test_the_plan_has_as_many_steps_as_are_tried(tmp_path):
    async with killer() as live:
        whole, _ = await one(live, tmp_path / "whole", 0)
    steps = [line for line in whole["told"] if line[0].isdigit()]
    assert whole["told"][-1] == "end 0 1"
    assert STEPS_AT_LEAST <= len(steps) <= STEPS_AT_LEAST + 12
    assert {line.split(maxsplit=1)[1] for line in steps} >= {
        f"{when} {what}"
        for when in ("before", "after")
        for what in ("ledger.open_plan", "ledger.append", "ledger.close_plan", "venue.submit")
    }


@pytest.mark.parametrize(
    "chunk", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(1, CHUNKS))]
)
async def test_killed_at_any_step_nothing_is_lost_or_doubled(chunk, tmp_path):
    async with killer() as live:
        for step in range(1 + chunk, STEPS_AT_LEAST + 1, CHUNKS):
            first, wrong = await one(live, tmp_path / str(step), step)
            assert not wrong, f"killed at {first['told'][-1]}: {wrong}"


async def test_writing_down_after_sending_loses_what_was_sent(tmp_path):
    async with killer() as live:
        for step in range(3, 9):
            _, wrong = await one(live, tmp_path / str(step), step, naive=True)
            if wrong:
                return
    pytest.fail("the naive way lost nothing: then neither could this test tell of a loss")
