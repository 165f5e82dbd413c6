import contextlib
import inspect
import re

import pytest

from tests.faults.world import quick, world

HANGS = re.compile(r"[\"'_](hang|stall)[\"']")
"""Faults that end by a time-out of ours alone."""


@pytest.fixture
async def make(tmp_path, monkeypatch, request):
    # Only where an answer never comes does a test wait for the time-out itself.
    of_test = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    hangs = HANGS.search(f"{of_test}{inspect.getsource(request.function)}")
    quick(monkeypatch, timeout=3.0 if hangs else 30.0)
    async with contextlib.AsyncExitStack() as stack:

        async def enter(**more):
            return await stack.enter_async_context(world(tmp_path, **more))

        yield enter


@pytest.fixture
async def at(make):
    return await make()
