import contextlib

import pytest

from tests.faults.world import quick, world


@pytest.fixture
async def make(tmp_path, monkeypatch):
    quick(monkeypatch)
    async with contextlib.AsyncExitStack() as stack:

        async def enter(**more):
            return await stack.enter_async_context(world(tmp_path, **more))

        yield enter


@pytest.fixture
async def at(make):
    return await make()
