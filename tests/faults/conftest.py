import contextlib

import pytest

from tests.faults.world import quick, world


@pytest.fixture
async def make(tmp_path, monkeypatch, request):
    # Only where an answer never comes does a test wait for the time-out itself.
    of_test = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    quick(monkeypatch, timeout=3.0 if "hang" in str(of_test) else 30.0)
    async with contextlib.AsyncExitStack() as stack:

        async def enter(**more):
            return await stack.enter_async_context(world(tmp_path, **more))

        yield enter


@pytest.fixture
async def at(make):
    return await make()
