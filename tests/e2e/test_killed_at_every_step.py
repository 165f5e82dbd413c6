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
NUMBERED = 20
"""Steps until the last fill has settled; those after it are called by name."""
EXIT = [
    f"{when} {what}"
    for what in (
        "chain.prepare",
        "ledger.append OperationRequested",
        "chain.submit",
        "ledger.append OperationEnded",
        "ledger.close_plan",
        "ledger.mark_told",
    )
    for when in ("before", "after")
]
STEPS = (*range(1, NUMBERED + 1), *EXIT)
CHUNKS, QUICK = 16, (8, 13)
"""Two steps are one chunk; the quick ones hold sent without an answer, and ended untold."""
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
        told = list(first["told"])
        for _ in range(LIVES_MAX):
            told += (await live(at, wallet, folder, 0, naive))["told"]
            if told[-1].startswith("end 0"):
                break
        await at.settle()
        return first, [*await problems(at, wallet, folder, told), *stuck(told)]


def stuck(told):
    return [] if told[-1].startswith("end 0") else [f"still open: {told[-1]}"]


async def problems(at, wallet, folder: Path, told: list[str]) -> list[str]:
    """Where ledger and exchange do not tell the same story, and what nobody was told."""
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
    found += [
        f"the end of {plan.id} was not told"
        for plan, _ in recent
        if f"heard the end of {plan.id}" not in told
    ]
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
    steps = [line.split(maxsplit=1)[1] for line in whole["told"] if line[0].isdigit()]
    assert whole["told"][-1] == "end 0 1"
    assert len(STEPS) <= len(steps) <= len(STEPS) + 4
    assert steps[-len(EXIT) :] == EXIT
    assert {"ledger.open_plan", "venue.submit", "ledger.append Answered"} <= {
        step.split(maxsplit=1)[1] for step in steps[:NUMBERED]
    }


@pytest.mark.parametrize(
    "chunk",
    [pytest.param(n, marks=[] if n in QUICK else pytest.mark.full) for n in range(CHUNKS)],
)
async def test_killed_at_any_step_nothing_is_lost_or_doubled(chunk, tmp_path):
    async with killer() as live:
        for step in STEPS[chunk::CHUNKS]:
            first, wrong = await one(live, tmp_path / str(step), step)
            assert not wrong, f"killed at {first['told'][-1]}: {wrong}"


async def test_writing_down_after_sending_loses_what_was_sent(tmp_path):
    async with killer() as live:
        for step in (6, 7, 8):  # after the sending, around the writing
            _, wrong = await one(live, tmp_path / str(step), step, naive=True)
            if wrong:
                return
    pytest.fail("the naive way lost nothing: then neither could this test tell of a loss")
